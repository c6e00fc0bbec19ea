"""A connection over links that the user's connector makes: its attempts, and the way it went.

libpq is told to connect to a reserved address of this machine; what it opens there is replaced by
the link, before a byte has gone over it. The names stay the real ones: libpq verifies the server's
certificate by the host it is given beside the address.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from .. import errors as e
from .. import scram
from ..conninfo import get_param, make_conninfo, rehearse
from ..dialing.adoption import (
    Identity,
    Reservation,
    adopt,
    apply_tcp_options,
    identity,
    shared_reservation,
)
from ..dialing.records import Dial, Dialer, Link, Relay
from ..generators import connect_poll_gen, until_gen
from ..passfile import find_password
from ..pq import ConnStatus, PGconn, PollingStatus, version
from ..pq.failed import FailedPGconn
from ..pq.misc import redact
from ..waiting import Wait, WaitGen

if TYPE_CHECKING:
    from ssl import SSLContext

    from ..pq import PGcancelConn

HAS_CANCEL_CONN = 170000

_WANTS = {PollingStatus.READING: Wait.R, PollingStatus.WRITING: Wait.W}
_TCP_OPTIONS = (
    *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
    "tcp_user_timeout",
)
_WITH_TLS = ("require", "verify-ca", "verify-full")


class Negotiation:
    """libpq under way to a server, over links that are given to it.

    Args:
        conn: what was started: a PGconn, or a PGcancelConn.
        poll_gen: takes its next step.
    """

    __slots__ = ("_conn", "_identity", "_needs_link", "_poll_gen", "asks")

    def __init__(self, conn: PGconn | PGcancelConn, poll_gen: Callable[[], WaitGen[PollingStatus]]):
        self._conn, self._poll_gen = conn, poll_gen
        # The manual's section 34.1: until the first poll, act as if it had said WRITING.
        self.asks = PollingStatus.WRITING
        """What libpq said last."""
        if conn.status == ConnStatus.BAD:
            self.asks = PollingStatus.FAILED
        self._identity: Identity | None = None
        self._needs_link = True

    def advance_gen(self, link: Link) -> WaitGen[bool]:
        """Go on with a link that libpq needs; False if it needs another, for a further try."""
        adopted = False
        while self.asks in _WANTS:
            if self._needs_link:
                if adopted:
                    return False
                self._identity = adopt(self._conn.socket, link)
                self._needs_link, adopted = False, True
            while not (yield self._conn.socket, _WANTS[self.asks]):
                pass
            self.asks = yield from self._poll_gen()
            self._needs_link = self.asks in _WANTS and self._has_new_socket()
        return True

    def _has_new_socket(self) -> bool:
        # After a poll, STARTED always means a new one; a system may give sockets no identity.
        fresh = self._conn.status == ConnStatus.STARTED
        return fresh or identity(self._conn.socket) != self._identity


class DialledPGconn(PGconn):
    """libpq's connection over a link of a connector's, which libpq can't make anew by itself."""

    def reset(self) -> None:
        """Refuse: libpq would connect to the reserved address.

        Raises:
            NotSupportedError: always.
        """
        raise e.NotSupportedError(
            "libpq can't reset this connection, whose link came from a connector, or was sock=: open"
            " another connection"
        )

    def reset_start(self) -> None:
        """Refuse, as `reset()`."""
        self.reset()


class Route:
    """How a connection went, and how to get to its server again."""

    __slots__ = (
        *("dialer", "dialled", "given", "host", "hostaddr", "in_clear", "packet", "port", "relay"),
        "reservation",
    )

    def __init__(
        self, dialer: Dialer, host: str, hostaddr: str, port: int, *, in_clear: bool = False
    ):
        self.dialer = dialer
        self.in_clear = in_clear
        """Whether libpq was told to do no TLS over its links."""
        self.dialled = hostaddr or host, port
        """Host and port as the connector was given them."""
        given = {"host": host, "hostaddr": hostaddr, "port": str(port)}
        self.given = {name: text for name, text in given.items() if text}
        """The parameters to get there again."""
        self.host = host or hostaddr
        """The server's host as libpq would tell it."""
        self.port = port
        self.hostaddr = ""
        """The address of the link's other side, if it is known."""
        self.relay: Relay | None = None
        self.reservation = _reservation()
        self.packet: bytes | None = None
        """The request to cancel, where the driver has to deliver it itself."""

    def dial(self, purpose: Literal["connect", "cancel"], deadline: float) -> Dial:
        """The wish for a link to the server."""
        return Dial(*self.dialled, purpose, deadline, self.host, self.in_clear)

    def named_in(self, message: str) -> str:
        """A message of libpq's with host and port of the server, not those that libpq knows."""
        # Nothing else that it may quote has this port behind it, in whatever language.
        here = self.reservation
        known = rf'"{re.escape(here.ip)}"([^"\n]*)\b{here.port}\b'
        return re.sub(known, lambda match: f'"{self.host}"{match[1]}{self.port}', message)

    def close(self) -> None:
        """Give up the reserved address, if it served this connection alone."""
        if version() < HAS_CANCEL_CONN:
            self.reservation.close()


def _reservation() -> Reservation:
    # An older libpq sends its requests to cancel there: they are taken, and so not to be mixed up.
    return shared_reservation() if version() >= HAS_CANCEL_CONN else Reservation()


class DialledAttempt:
    """One attempt at one place.

    Args:
        params: libpq's parameters for this place; `check_params` has seen them.
        dialer: who makes the links.
        deadline: when, by `time.monotonic()`, it is given up.
        scram_limit: how often the server may have the password hashed.

    Raises:
        OperationalError: libpq refuses the parameters.
    """

    def __init__(
        self, params: Mapping[str, Any], dialer: Dialer, deadline: float, scram_limit: int
    ):
        self._params, self._deadline, self._scram_limit = dict(params), deadline, scram_limit
        host, hostaddr = (get_param(params, key) or "" for key in ("host", "hostaddr"))
        port = int(get_param(params, "port") or 5432)
        if not (host or hostaddr):
            host = _default_host(params)
        in_clear = _sslmode(params) == "disable"
        self.route = Route(dialer, host, hostaddr, port, in_clear=in_clear)
        self.dial = self.route.dial("connect", deadline)
        self._params["host"] = host
        self._params["password"] = _password(params, host or hostaddr, port)
        self._pgconn: PGconn | None = None
        self._negotiation: Negotiation | None = None

    def advance_gen(self, answer: Link | Exception) -> WaitGen[PGconn | None]:
        """Go on with what came of the dial.

        Returns:
            A connection ready for commands; None if another link is needed: dial again.

        Raises:
            OperationalError: the attempt has failed.
            ProgrammingError: the connector did TLS where libpq is to do it.
        """
        if not isinstance(answer, Link):
            raise self._no_link(answer)
        link = answer
        try:
            negotiation = self._negotiation or self._started(link)
            self._prepare(link)
            try:
                connected = yield from until_gen(
                    negotiation.advance_gen(link), self._deadline, self._too_late
                )
            except e.OperationalError as ex:
                ex.args = tuple(map(self.route.named_in, ex.args))
                raise
            if not connected:
                return None
            if negotiation.asks == PollingStatus.FAILED:
                raise self._refused()
        except BaseException:
            link.close()
            raise
        pgconn, self._pgconn = self._pgconn, None
        assert pgconn is not None
        pgconn.nonblocking = 1
        return pgconn

    def close(self) -> None:
        """Give the attempt up."""
        pgconn, self._pgconn = self._pgconn, None
        if pgconn is not None:
            pgconn.finish()

    def _started(self, link: Link) -> Negotiation:
        """Have libpq begin, in a way that suits the link."""
        params = self._params
        if link.encrypted:
            if self.route.dialer.ssl is None:
                _check_encrypted(params)
            params |= {"sslmode": "disable", "gssencmode": "disable"}
            # Values that libpq refuses together with sslmode=disable.
            for keyword, value in (("sslnegotiation", "postgres"), ("sslrootcert", "")):
                if get_param(params, keyword):
                    params[keyword] = value
        place = self.route.reservation
        params |= {"hostaddr": place.ip, "port": place.port}
        self._conninfo = make_conninfo("", **params).encode()
        self._pgconn = DialledPGconn.connect_start(self._conninfo)
        guard = scram.Guard(self._pgconn, self._scram_limit)
        self._negotiation = Negotiation(
            self._pgconn, partial(connect_poll_gen, self._pgconn, guard)
        )
        return self._negotiation

    def _prepare(self, link: Link) -> None:
        """Take note of the link that is used now, and set up its TCP."""
        self.route.relay, self.route.hostaddr = link.relay, link.hostaddr
        if link.tcp is not None:
            options = {name: get_param(self._params, name) for name in _TCP_OPTIONS}
            apply_tcp_options(link.tcp, options)

    def _no_link(self, reason: Exception) -> Exception:
        """Say why there is no link; and if libpq wanted another one, why that was."""
        before = ""
        if self._pgconn is not None and self._pgconn.error_message:
            before = f"{self.route.named_in(self._pgconn.get_error_message())}\n"
        if isinstance(reason, e.OperationalError):
            return type(reason)(f"{before}{reason}")
        host, port = self.route.dialled
        text = str(reason) or repr(reason)
        error = e.OperationalError(
            f"{before}the connector could not connect to {host!r}, port {port}: {text}"
        )
        error.__cause__ = reason
        return error

    def _refused(self) -> e.OperationalError:
        pgconn, self._pgconn = self._pgconn, None
        assert pgconn is not None
        message = self.route.named_in(redact(pgconn.get_error_message(), self._conninfo))
        return e.OperationalError(message, pgconn=FailedPGconn(pgconn))

    def _too_late(self) -> Exception:
        host, port = self.route.dialled
        return e.ConnectionTimeout(
            f"no connection to {host!r}, port {port}, in time: the connector gave a link, but no"
            " server answered over it; check where it leads, or raise connect_timeout"
        )


def check_params(params: Mapping[str, Any], dialer: Dialer) -> None:
    """Refuse parameters that would mean less with a connector than they say.

    Raises:
        ProgrammingError: there is one.
    """
    if get_param(params, "requirepeer"):
        raise e.ProgrammingError(
            "got requirepeer with a connector: libpq can't see whose socket it is; let the connector"
            " check that, and leave requirepeer out"
        )
    if dialer.ssl is not None:
        _check_gssencmode(params)
        _check_context(params, dialer.ssl)
        if dialer.connector is not None:
            _check_one_name(params)


def _check_context(params: Mapping[str, Any], context: SSLContext) -> None:
    if (mode := _sslmode(params)) not in _WITH_TLS:
        return
    unchecked = "the server's certificate" if not context.verify_mode else ""
    if mode == "verify-full" and not context.check_hostname:
        unchecked = unchecked or "the name in the server's certificate"
    if unchecked:
        raise e.ProgrammingError(
            f"got sslmode={mode} and as ssl a context that doesn't check {unchecked}: give a context"
            " that does, such as ssl.create_default_context() makes, or leave sslmode out"
        )


def _check_one_name(params: Mapping[str, Any]) -> None:
    """Refuse two names for one host: a connector is called with one, for its way and its TLS."""
    hosts, addresses = ((get_param(params, key) or "").split(",") for key in ("host", "hostaddr"))
    for host, address in zip(hosts, addresses, strict=False):
        if host and address and host != address:
            raise e.ProgrammingError(
                f"got host={host}, hostaddr={address} and ssl: the connector is called with one of"
                " them, to connect to and to verify; leave hostaddr out and let the connector know"
                " the address, or leave ssl out to let libpq do TLS"
            )


def _check_encrypted(params: Mapping[str, Any]) -> None:
    """Refuse to go over TLS of the connector's own if it was libpq that was to encrypt."""
    _check_gssencmode(params)
    if (mode := _sslmode(params)) in _WITH_TLS:
        raise e.ProgrammingError(
            f"the connector returned a link with TLS, and by sslmode={mode} libpq is to do"
            " TLS too: give connect() the connector's context as ssl, or sslmode=disable"
        )


def _check_gssencmode(params: Mapping[str, Any]) -> None:
    if get_param(params, "gssencmode") == "require":
        raise e.ProgrammingError(
            "got gssencmode=require and a link with TLS: libpq does no GSS encryption inside of"
            " TLS; leave gssencmode out, or the TLS to libpq"
        )


def _sslmode(params: Mapping[str, Any]) -> str:
    if get_param(params, "sslrootcert") == "system":  # libpq then takes no other
        return "verify-full"
    return get_param(params, "sslmode") or "prefer"


def _default_host(params: Mapping[str, Any]) -> str:
    pgconn = rehearse(params)
    host = os.fsdecode(pgconn.host)
    pgconn.finish()
    return host


def _password(params: Mapping[str, Any], host: str, port: int) -> str | None:
    """The password, which libpq would look up by the address that it is sent to."""
    given = get_param(params, "password")
    return given or find_password(params, host, port)
