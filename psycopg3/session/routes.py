"""Routes: how a connection's links go, libpq's own and those that the user's connector makes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from .. import errors as e
from ..conninfo import get_param
from ..deadlines import Deadline
from ..dialing.adoption import apply_tcp_options, shared_reservation
from ..dialing.records import Dial, Dialer, Link, Relay, Target
from ..generators import cancel_gen, undelivered, until_gen
from ..places import Place
from ..pq import PGconn, version
from ..pq.misc import connection_summary, get_compiled_port
from ..waiting import WaitGen, call_gen
from .cancelling import blocking_cancel_gen, request_of, send_gen

HAS_CANCEL_CONN = 170000

_TCP_OPTIONS = (
    *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
    "tcp_user_timeout",
)


def decoded(value: bytes | None) -> str:
    """What libpq tells of a connection, as text."""
    # It is what we gave to libpq, in UTF-8, or comes from an environment of another encoding.
    return (value or b"").decode("utf-8", "surrogateescape")


class Route:
    """How libpq's own link goes, and what is different where a connector makes the links."""

    dialer: Dialer | None = None
    """Who makes the links; None if libpq does."""
    relay: Relay | None = None
    """What carries the bytes, if libpq's socket doesn't lead to the server."""
    early: Sequence[dict[int, bytes | None]] = ()
    """The notices that came while connecting, field by field."""

    def place(self, pgconn: PGconn) -> Place:
        """The server's place.

        Raises:
            OperationalError: the connection is closed.
        """
        host, hostaddr, port = map(decoded, (pgconn.host, pgconn.hostaddr, pgconn.port))
        return Place(host, hostaddr, port or get_compiled_port())

    def parameters(self, params: dict[str, str]) -> dict[str, str]:
        """libpq's parameters, with the place that leads to the server."""
        return params

    def summary(self, pgconn: PGconn) -> str:
        """The state of a connection and where it goes, as its `repr` shows it."""
        return connection_summary(pgconn)

    def cancel_request_gen(self, pgconn: PGconn, deadline: Deadline, dial: Dial) -> WaitGen[None]:
        """Ask the server to cancel the command under way, and wait until it has taken the request.

        Args:
            pgconn: whose command it is.
            deadline: when a link for it must be there.
            dial: has the connector make a link.

        Raises:
            OperationalError: it could not be delivered.
            NotSupportedError: there is no second link to be had.
        """
        if version() < HAS_CANCEL_CONN:
            yield from blocking_cancel_gen(pgconn)
        else:
            yield from self._deliver_gen(pgconn)

    def _deliver_gen(
        self, pgconn: PGconn, link_gen: Callable[[], WaitGen[Link]] | None = None
    ) -> WaitGen[None]:
        cancel_conn = pgconn.cancel_conn()
        try:
            yield from cancel_gen(cancel_conn, link_gen=link_gen)
        finally:
            cancel_conn.finish()


class DialledRoute(Route):
    """How a connection goes over links that the user's connector makes.

    libpq is sent to a reserved address of this machine, and knows no more of where it is.

    Args:
        dialer: who makes the links.
        place: the server's; either host or address may be empty.
        params: libpq's parameters.
        in_clear: whether libpq is to do no TLS over its links.
    """

    def __init__(
        self, dialer: Dialer, place: Place, params: Mapping[str, Any], *, in_clear: bool = False
    ):
        self.dialer = dialer
        self._one_shot = dialer.one_shot
        self._place, self._params, self._in_clear = place, params, in_clear
        self._hostaddr = ""  # that of the link's other side, if it is known
        self.reservation = shared_reservation()

    @property
    def dialled(self) -> tuple[str, int]:
        """Host and port as the connector is given them."""
        return self._place.hostaddr or self._place.host, int(self._place.port)

    def place(self, pgconn: PGconn) -> Place:
        """The server's place.

        Raises:
            OperationalError: the connection is closed.
        """
        super().place(pgconn)
        return self._place._replace(host=self._name, hostaddr=self._hostaddr)

    def parameters(self, params: dict[str, str]) -> dict[str, str]:
        """libpq's parameters, with the place that leads to the server."""
        others = {key: text for key, text in params.items() if key not in Place._fields}
        return others | {key: text for key, text in self._place._asdict().items() if text}

    def summary(self, pgconn: PGconn) -> str:
        """The state of a connection and where it goes, as its `repr` shows it."""
        return connection_summary(pgconn, (self._name.encode(), self._place.port.encode()))

    @property
    def _name(self) -> str:
        """The server's host as `PQhost` would return it."""
        return self._place.host or self._place.hostaddr

    def link_gen(self, dial: Dial, deadline: Deadline) -> WaitGen[Link]:
        """Have a link to the server made, and wait for it until the deadline.

        Raises:
            InterfaceError: the connector returned something that is no link.
            Exception: what it raised.
        """
        target = Target(*self.dialled, deadline, self._name, self._in_clear)
        return (yield from until_gen(call_gen(dial(target)), deadline))

    def take(self, link: Link) -> None:
        """Take note of the link that is used now, and set up its TCP."""
        self.relay, self._hostaddr = link.relay, link.hostaddr
        if link.tcp is not None:
            apply_tcp_options(
                link.tcp, {name: get_param(self._params, name) for name in _TCP_OPTIONS}
            )

    def named_in(self, message: str) -> str:
        """A message of libpq's with host and port of the server, not those that libpq knows."""
        # Nothing else that it may quote has this port behind it, in whatever language.
        here = self.reservation
        known = rf'"{re.escape(here.ip)}"([^"\n]*)\b{here.port}\b'
        return re.sub(known, lambda match: f'"{self._name}"{match[1]}{self._place.port}', message)

    def cancel_request_gen(self, pgconn: PGconn, deadline: Deadline, dial: Dial) -> WaitGen[None]:
        """Ask the server to cancel, over a link of the connector's; see `Route`."""
        if self._one_shot:
            raise e.NotSupportedError(
                "a connection over sock= can't be cancelled: a request to cancel needs a second link"
                " to the server; give connector_factory instead"
            )
        with ExitStack() as links:

            def link_gen() -> WaitGen[Link]:
                try:
                    link = yield from self.link_gen(dial, deadline)
                except e.CancellationTimeout:
                    raise
                except (OSError, e.Error) as ex:
                    raise undelivered(ex) from ex
                links.callback(link.close)
                return link

            if version() < HAS_CANCEL_CONN:
                packet = request_of(pgconn)
                yield from send_gen((yield from link_gen()).socket, packet)
            else:
                try:
                    yield from self._deliver_gen(pgconn, link_gen)
                except e.OperationalError as ex:
                    ex.args = tuple(map(self.named_in, ex.args))
                    raise
