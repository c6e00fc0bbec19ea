"""Asking the server to cancel: over a link of libpq's own, or one that the user's connector makes.

libpq 17 and newer have connections for that, which go where the connection itself went, and are as
encrypted. Older ones have a call that blocks, and speaks to nobody but the address they know. Of a
connection that has a connector that is the reserved address: there the driver takes the request, and
delivers it over a link of the connector's.
"""

from __future__ import annotations

import socket
import struct
from contextlib import closing, suppress
from math import inf
from typing import TYPE_CHECKING

from .. import errors as e
from ..concurrency.threads import Solo, native
from ..dialing.records import Dial, Link
from ..generators import cancel_gen
from ..pq import ConnStatus, PGconn, PollingStatus, version
from ..waiting import Wait, WaitGen
from .dialled import HAS_CANCEL_CONN, Negotiation, Route

if TYPE_CHECKING:
    from .session import Session

_REQUEST = struct.Struct("!iiii")
_REQUEST_CODE = 80877102
# In its first words a server of protocol 3.2 may give keys of up to 256 bytes.
_LONGEST = 12 + 256


class CancelRequest:
    """A request to cancel the command under way.

    Args:
        session: whose command it is.
        deadline: when, by `time.monotonic()`, a link for it must be there.
    """

    def __init__(self, session: Session, deadline: float = inf):
        self._session, self._deadline = session, deadline

    def advance_gen(self, answer: Link | Exception | None = None) -> WaitGen[Dial | None]:
        """Deliver the request, and wait until the server has heard.

        Args:
            answer: what came of the Dial that it returned before.

        Returns:
            A Dial if it needs a link; None when it is done.

        Raises:
            OperationalError: it could not be delivered.
            NotSupportedError: there is no second link to be had.
        """
        pgconn, route = self._session.pgconn, self._session._route
        if route is None:
            yield from _libpqs_own_gen(pgconn)
            return None
        if isinstance(answer, Link):
            with closing(answer):
                yield from _deliver_gen(pgconn, route, answer)
            return None
        if answer is not None:
            raise _undelivered(answer)
        if route.dialer.one_shot:
            raise e.NotSupportedError(
                "a connection over sock= can't be cancelled: a request to cancel needs a second link"
                " to the server; give connector_factory instead"
            )
        if version() < HAS_CANCEL_CONN and route.packet is None:
            route.packet = yield from _captured_gen(pgconn, route)
        return route.dial("cancel", self._deadline)


def blocking_cancel_gen(pgconn: PGconn) -> WaitGen[None]:
    """Have libpq deliver a request by its call that blocks; in a thread, which goes on if left.

    Raises:
        OperationalError: it could not be delivered.
    """
    deliver = native(pgconn.get_cancel().cancel)
    try:
        errand = Solo(deliver)
    except (RuntimeError, OSError):
        deliver()  # no thread or descriptor is to be had, as at the end of a program
        return
    with errand:
        while not errand.done():
            yield errand.fileno(), Wait.R
        errand.result()


def _libpqs_own_gen(pgconn: PGconn) -> WaitGen[None]:
    """Deliver a request over a link of libpq's own."""
    if version() >= HAS_CANCEL_CONN:
        cancel_conn = pgconn.cancel_conn()
        try:
            yield from cancel_gen(cancel_conn)
        finally:
            cancel_conn.finish()
    else:
        yield from blocking_cancel_gen(pgconn)


def _undelivered(reason: Exception) -> Exception:
    if not isinstance(reason, OSError | e.Error):
        return reason  # the connector's own, which pass as they are
    text = str(reason) or repr(reason)
    error = e.OperationalError(f"the cancel request could not be delivered: {text}")
    if isinstance(reason, e.ConnectionTimeout):
        error = e.CancellationTimeout("the connector gave no link for the cancel request in time")
    error.__cause__ = reason
    return error


def _deliver_gen(pgconn: PGconn, route: Route, link: Link) -> WaitGen[None]:
    if route.packet is not None:
        yield from _send_gen(link.socket, route.packet)
        return
    cancel_conn = pgconn.cancel_conn()
    sent = False

    def poll_gen() -> WaitGen[PollingStatus]:
        nonlocal sent
        yield from ()
        sent = sent or cancel_conn.status == ConnStatus.AWAITING_RESPONSE
        return cancel_conn.poll()

    try:
        cancel_conn.start()
        negotiation = Negotiation(cancel_conn, poll_gen)
        complete = yield from negotiation.advance_gen(link)
        # Once it is sent, any end will do: TLS may be cut off without a goodbye.
        if not sent and (not complete or negotiation.asks == PollingStatus.FAILED):
            reason = route.named_in(cancel_conn.get_error_message()) or "the link was cut"
            raise e.OperationalError(f"the cancel request could not be delivered: {reason}")
    finally:
        cancel_conn.finish()


def _send_gen(sock: socket.socket, packet: bytes) -> WaitGen[None]:
    """Send a request, and wait until the server has closed: it has heard then."""
    sock.setblocking(False)
    try:
        while packet:
            yield sock.fileno(), Wait.W
            with suppress(BlockingIOError):
                packet = packet[sock.send(packet) :]
    except OSError as ex:
        raise _undelivered(ex) from ex
    with suppress(ConnectionError):
        while True:
            yield sock.fileno(), Wait.R
            with suppress(BlockingIOError):
                if not sock.recv(64):
                    return


def _captured_gen(pgconn: PGconn, route: Route) -> WaitGen[bytes]:
    """Have libpq send its request to us; returns it.

    The reserved address takes connections for just this time. A stranger who gets in line before
    libpq is passed over: he sends no request for our server process, or nothing at all.
    """
    ear = listener = route.reservation.listen()
    callers: list[_Caller] = []
    try:
        with Solo(native(pgconn.get_cancel().cancel)) as errand:
            while True:
                yield ear.fileno(), Wait.R
                sent = errand.done()  # asked first: what it has sent by then is found below
                newcomers = _accepted(listener)
                callers += newcomers
                for caller in callers:
                    if caller.asks_for(pgconn.backend_pid):
                        return caller.heard
                if sent:
                    errand.result()
                    raise e.OperationalError("libpq sent its cancel request elsewhere")
                # The newest is likely to be libpq, which speaks at once, or else when it can.
                ear = newcomers[-1].sock if newcomers else listener
    finally:
        for caller in callers:
            caller.sock.close()


class _Caller:
    """Somebody who has connected to the reserved address, and what he has said so far."""

    def __init__(self, sock: socket.socket):
        sock.setblocking(False)
        self.sock, self.heard = sock, b""

    def asks_for(self, pid: int) -> bool:
        """Whether he has sent a request for a server process, and nothing else."""
        with suppress(OSError):  # he says no more for now, or has left
            while len(self.heard) <= _LONGEST and (piece := self.sock.recv(_LONGEST)):
                self.heard += piece
        return _is_request(self.heard, pid)


def _accepted(listener: socket.socket) -> list[_Caller]:
    callers = []
    with suppress(BlockingIOError, ConnectionError):
        while True:
            callers.append(_Caller(listener.accept()[0]))
    return callers


def _length_of(packet: bytes) -> int:
    return int.from_bytes(packet[:4], "big")


def _is_request(packet: bytes, pid: int) -> bool:
    if len(packet) < _REQUEST.size or len(packet) != _length_of(packet):
        return False
    _, code, asked, _ = _REQUEST.unpack_from(packet)
    return bool(code == _REQUEST_CODE and asked == pid)
