"""Asking the server to cancel where libpq has no connection for it: a call that blocks, or a packet.

libpq 17 and newer have connections for that, which go where the connection itself went, and are as
encrypted. Older ones have a call that blocks, and connects only to the address they know. Of a
connection that has a connector that is the reserved address: there the driver takes the request, and
delivers it over a link of the connector's.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

from .. import errors as e
from ..concurrency.calls import ImmediateCall, native
from ..dialing.adoption import Reservation
from ..pq import PGconn
from ..waiting import Wait, WaitGen, call_gen

_REQUEST = struct.Struct("!iiii")
_REQUEST_CODE = 80877102
# In its BackendKeyData a server of protocol 3.2 may give keys of up to 256 bytes.
_LONGEST = 12 + 256


def blocking_cancel_gen(pgconn: PGconn) -> WaitGen[None]:
    """Have libpq deliver a request by its call that blocks; in a thread, which goes on if left.

    Raises:
        OperationalError: it could not be delivered.
    """
    deliver = native(pgconn.get_cancel().cancel)
    try:
        call = ImmediateCall(deliver)
    except (RuntimeError, OSError):
        deliver()  # no thread or descriptor is to be had, as at the end of a program
        return
    yield from call_gen(call)


def undelivered(reason: object) -> e.OperationalError:
    """The error for a request that didn't get to the server."""
    text = str(reason) or repr(reason)
    return e.OperationalError(f"the cancel request could not be delivered: {text}")


def send_gen(sock: socket.socket, packet: bytes) -> WaitGen[None]:
    """Send a request, and wait until the server has closed: it has taken it then."""
    sock.setblocking(False)
    try:
        while packet:
            yield sock.fileno(), Wait.W
            with suppress(BlockingIOError):
                packet = packet[sock.send(packet) :]
    except OSError as ex:
        raise undelivered(ex) from ex
    with suppress(ConnectionError):
        while True:
            yield sock.fileno(), Wait.R
            with suppress(BlockingIOError):
                if not sock.recv(64):
                    return


def captured_gen(pgconn: PGconn, reservation: Reservation) -> WaitGen[bytes]:
    """Have libpq send its request to us; returns it.

    The reserved address takes connections for just this time. A stranger who gets in line before
    libpq is passed over: he sends no request for our server process, or nothing at all.
    """
    waited_for = listener = reservation.listen()
    clients: list[_Client] = []
    try:
        with ImmediateCall(native(pgconn.get_cancel().cancel)) as call:
            while True:
                yield waited_for.fileno(), Wait.R
                sent = call.done()  # asked first: what it has sent by then is found below
                newcomers = _accepted(listener)
                clients += newcomers
                for client in clients:
                    if client.has_sent_request(pgconn.backend_pid):
                        return client.received
                if sent:
                    call.result()
                    raise e.OperationalError("libpq sent its cancel request elsewhere")
                # The newest is likely to be libpq, which speaks at once, or else when it can.
                waited_for = newcomers[-1].socket if newcomers else listener
    finally:
        for client in clients:
            client.socket.close()


class _Client:
    """A connection to the reserved address, and what has been received from it so far."""

    def __init__(self, sock: socket.socket):
        sock.setblocking(False)
        self.socket, self.received = sock, b""

    def has_sent_request(self, pid: int) -> bool:
        """Whether it has sent a request for a server process, and nothing else."""
        with suppress(OSError):  # it sends no more for now, or has left
            while len(self.received) <= _LONGEST and (piece := self.socket.recv(_LONGEST)):
                self.received += piece
        return _is_request(self.received, pid)


def _accepted(listener: socket.socket) -> list[_Client]:
    clients = []
    with suppress(BlockingIOError, ConnectionError):
        while True:
            clients.append(_Client(listener.accept()[0]))
    return clients


def _is_request(packet: bytes, pid: int) -> bool:
    if len(packet) < _REQUEST.size:
        return False
    length, code, asked, _ = _REQUEST.unpack_from(packet)
    return bool(length == len(packet) and code == _REQUEST_CODE and asked == pid)
