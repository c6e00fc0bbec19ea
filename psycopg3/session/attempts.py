"""Attempts: the hosts to try, in which order, until when; ends with a connection or the reasons.

The driver, not libpq, goes through the hosts, and gives libpq one address at a time: so each attempt
has its own clock, names are looked up where nobody is kept waiting, and what failed can be told place
by place. libpq still gets the name beside its address, to verify the server's certificate by it, and
to look up the password.

Looking up a name blocks, in a thread that is sent out for it (`errand_gen`): what is waited for here
is its descriptor, like that of a connection. So whatever drives these generators, a waiter of the
user's own too, needs to know nothing of names, and leaves when it likes.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import errors as e
from ..conninfo import (
    get_param,
    libpq_params,
    make_conninfo,
    scram_limit_from_conninfo,
    timeout_from_conninfo,
    with_keepalives,
    with_server_settings,
    with_service,
)
from ..dialing.records import Dial, Dialer, Link
from ..generators import connect_gen, errand_gen, until_gen
from .dialled import DialledAttempt, Route, check_params

if TYPE_CHECKING:
    from ..pq import PGconn
    from ..waiting import WaitGen

TARGETS = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")
ORDERS = ("disable", "random")


class Place(NamedTuple):
    """Where a server may be, in libpq's terms; what is empty is left to libpq."""

    host: str
    hostaddr: str
    port: str

    @property
    def unresolved(self) -> bool:
        """Whether its host is a name whose addresses aren't known yet."""
        if self.hostaddr or not self.host:
            return False
        is_socket = self.host.startswith("@") or os.path.isabs(self.host)
        return not is_socket and not _is_address(self.host)

    def named_in(self, message: str) -> str:
        """A message of libpq's with the name too of this place, as where libpq looked it up itself."""
        if not (self.host and self.hostaddr):
            return message
        return message.replace(f'"{self.hostaddr}"', f'"{self.host}" ({self.hostaddr})', 1)

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self._asdict().items() if value)


class Attempts:
    """The attempts at one connection.

    Each address of each host is one attempt, in the order given or, with load_balance_hosts=random,
    at random. An attempt may take `connect_timeout` seconds; the time to look up a name counts
    for the first of its addresses.

    target_session_attrs=prefer-standby makes two passes: for a standby, then for any server. Places
    that could not be found, or gave no answer in time, are not asked a second time.

    Args:
        params: connection parameters, by libpq's keywords; and perhaps `server_settings`, a dict.
        dialer: who makes the links, if libpq is not to. Names are then looked up by him alone.

    Raises:
        ProgrammingError: a parameter is malformed, or doesn't go with a dialer; or lists don't match
            each other.
        OperationalError: a parameter's value is unknown, or there is no such service.
    """

    route: Route | None = None
    """How the connection that was made goes, if a dialer made its link."""

    def __init__(self, params: Mapping[str, Any], dialer: Dialer | None = None):
        given = dict(params)
        settings = given.pop("server_settings", None)
        given = with_service(given)
        if settings is not None:
            given = with_server_settings(given, settings)
        self._timeout = given["connect_timeout"] = timeout_from_conninfo(given)
        target = _choice(given, "target_session_attrs", TARGETS)
        self._second_pass: deque[Place] | None = None
        if target == "prefer-standby":
            self._second_pass, target = deque(), "standby"
        self._target = target
        self._is_random = _choice(given, "load_balance_hosts", ORDERS) == "random"
        self._scram_limit = scram_limit_from_conninfo(given)
        self._params = with_keepalives(libpq_params(given))
        places = places_of(given)
        self._left = deque(self._ordered(places))
        self._several = len(places) > 1
        self._failures: dict[Place, str] = {}
        self._last: e.OperationalError | None = None
        self._dialer = dialer
        self._dialled: tuple[Place, DialledAttempt] | None = None
        if dialer is not None:
            check_params(self._params, dialer)

    def advance_gen(self, answer: Link | Exception | None = None) -> WaitGen[Dial | PGconn]:
        """Make the attempts that are left, until one succeeds or needs a link.

        Args:
            answer: what came of the Dial that it returned before: the link, or why there is none.

        Returns:
            A connection in non-blocking mode, ready for commands; or, if there is a dialer, the Dial
            to have done before this is called again.

        Raises:
            OperationalError: none succeeded. A single one's message is libpq's own; that of several
                lists them. Class and `pgconn` are those of the last attempt: ConnectionTimeout
                if it was the time that ended it.
        """
        if answer is not None and (step := (yield from self._go_on_gen(answer))) is not None:
            return step
        while (place := self._next()) is not None:
            deadline = monotonic() + self._timeout
            try:
                if self._dialer is not None:
                    return self._dial(place, self._dialer, deadline)
                if place.unresolved:
                    place = yield from self._resolve_gen(place, deadline)
                self._tell("DEBUG", "connecting to %s", place)
                return (yield from self._attempt_gen(place, deadline))
            except e.OperationalError as ex:
                self._note(place, ex)
        raise self._refusal()

    def close(self) -> None:
        """Give up the attempt that waits for a link."""
        dialled, self._dialled = self._dialled, None
        if dialled is not None:
            dialled[1].close()

    def _dial(self, place: Place, dialer: Dialer, deadline: float) -> Dial:
        """Begin an attempt that needs a link."""
        attempt = DialledAttempt(self._params_for(place), dialer, deadline, self._scram_limit)
        self._dialled = place, attempt
        self._tell("DEBUG", "dialling %s", place)
        return attempt.dial

    def _go_on_gen(self, answer: Link | Exception) -> WaitGen[Dial | PGconn | None]:
        """Go on with the attempt that needed a link; None if it has failed."""
        assert self._dialled is not None
        place, attempt = self._dialled
        try:
            pgconn = yield from attempt.advance_gen(answer)
        except e.OperationalError as ex:
            self.close()
            self._note(place, ex)
            return None
        if pgconn is None:
            return attempt.dial
        self._dialled, self.route = None, attempt.route
        return pgconn

    def _next(self) -> Place | None:
        """Take the place to try next, if there is any."""
        if not self._left and self._second_pass:
            self._left, self._second_pass, self._target = self._second_pass, None, "any"
        return self._left.popleft() if self._left else None

    def _resolve_gen(self, place: Place, deadline: float) -> WaitGen[Place]:
        """Look up a host's addresses; returns the first, the others are tried next."""

        def too_late() -> Exception:
            return e.ConnectionTimeout(
                f"no address of the host {place.host!r} was found within {self._timeout} seconds:"
                " check its name and the network, or raise connect_timeout"
            )

        errand = errand_gen(lambda: addresses_of(place.host, place.port))
        try:
            found = yield from until_gen(errand, deadline, too_late)
        except (OSError, UnicodeError) as ex:
            reason = getattr(ex, "strerror", None) or ex
            raise e.OperationalError(
                f"no address of the host {place.host!r} was found: {reason}"
            ) from ex.with_traceback(None)
        if not found:
            raise e.OperationalError(f"the host {place.host!r} has no address")
        first, *others = self._ordered([place._replace(hostaddr=address) for address in found])
        self._left.extendleft(reversed(others))
        self._several |= bool(others)
        return first

    def _attempt_gen(self, place: Place, deadline: float) -> WaitGen[PGconn]:
        """Have libpq connect to one place."""

        def too_late() -> Exception:
            return e.ConnectionTimeout(
                f"no connection to {place} within {self._timeout} seconds: the server did not"
                " answer in time; check host and port, or raise connect_timeout"
            )

        conninfo = make_conninfo("", **self._params_for(place))
        try:
            gen = connect_gen(conninfo, scram_max_iterations=self._scram_limit)
            return (yield from until_gen(gen, deadline, too_late))
        except e.OperationalError as ex:
            ex.args = tuple(place.named_in(arg) for arg in ex.args)
            raise

    def _params_for(self, place: Place) -> dict[str, Any]:
        """The parameters of one attempt: those given, where they don't differ for this place."""
        changed = {**place._asdict(), "target_session_attrs": self._target}
        params = self._params
        for keyword, value in changed.items():
            if value != (get_param(self._params, keyword) or ""):
                params = {**params, keyword: value}
        return params

    def _ordered(self, places: list[Place]) -> list[Place]:
        """The places of one pass, or the addresses of one host, in the order to try them."""
        if self._is_random and len(places) > 1:
            from random import SystemRandom

            # Seeded by nobody: forked processes would else all take the same order.
            SystemRandom().shuffle(places)
        return places

    def _note(self, place: Place, ex: e.OperationalError) -> None:
        """Remember a failure, and whether to come back for the second pass."""
        self._failures[place] = str(ex)
        # With its traceback it would keep alive this object, and this object it.
        self._last = ex.with_traceback(None)
        hopeless = place.unresolved or isinstance(ex, e.ConnectionTimeout)
        if self._second_pass is not None and not hopeless:
            self._second_pass.append(place)
        self._tell("INFO", "no connection to %s: %s", place, ex)

    def _tell(self, level: str, message: str, *args: object) -> None:
        """Let the log know how it goes, if several places are tried."""
        # Where nobody has imported logging nobody wants to know, and the import costs some ms.
        if self._several and (logging := sys.modules.get("logging")):
            logging.getLogger("psycopg3").log(getattr(logging, level), message, *args)

    def _refusal(self) -> e.OperationalError:
        """Say why there is no connection."""
        last, self._last = self._last, None
        assert last is not None
        if len(self._failures) == 1:
            return last
        attempts = [f"- {place}: {reason}" for place, reason in self._failures.items()]
        message = "\n".join([f"no connection after {len(attempts)} attempts:", *attempts])
        refusal = type(last)(message, pgconn=last.pgconn)
        refusal.__cause__ = last.__cause__
        return refusal


def places_of(params: Mapping[str, Any]) -> list[Place]:
    """The places that the lists in `host`, `hostaddr` and `port` name, matched as libpq does.

    Raises:
        ProgrammingError: the lists don't match, or a port is no port.
    """
    hosts, addresses, ports = (_items(params, key) for key in ("host", "hostaddr", "port"))
    count = len(addresses or hosts) or 1
    if hosts and len(hosts) != count:
        raise e.ProgrammingError(
            f"got {len(hosts)} hosts and {count} addresses in hostaddr: expected an address for"
            " each host; an empty one is looked up"
        )
    if len(ports) > 1 and len(ports) != count:
        raise e.ProgrammingError(
            f"got {len(ports)} ports for {count} hosts: expected one port for all, or one for each"
        )
    hosts, addresses = hosts or [""] * count, addresses or [""] * count
    ports = [_checked_port(port) for port in ports or [""]]
    ports = ports if len(ports) == count else ports * count
    if any("@" in host[1:] and not os.path.isabs(host) for host in hosts):
        # What is before it is likely a piece of a password.
        raise e.ProgrammingError(
            "got a host with an '@' in it: in a URL, percent-encode those of the password, as %40"
        )
    return [Place(*items) for items in zip(hosts, addresses, ports, strict=True)]


def _items(params: Mapping[str, Any], keyword: str) -> list[str]:
    value = get_param(params, keyword)
    return value.split(",") if value else []


def _checked_port(port: str) -> str:
    port = port.strip()
    if not port or (port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
        return port
    # Not shown: of a URL with an odd password, libpq takes a piece of that for the port.
    raise e.ProgrammingError(
        "got a port that is none: expected a number from 1 to 65535; in a URL, percent-encode '/',"
        " ':' and '@' in the password"
    )


def _choice(params: Mapping[str, Any], keyword: str, choices: tuple[str, ...]) -> str:
    value = get_param(params, keyword) or choices[0]
    if value not in choices:
        raise e.OperationalError(f"got {keyword}={value!r}: expected {', '.join(choices)}")
    return value


def _is_address(host: str) -> bool:
    from socket import AF_INET, AF_INET6, inet_pton

    for family in (AF_INET, AF_INET6):
        try:
            inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return True
    return False


def addresses_of(host: str, port: str) -> list[str]:
    """All addresses of a host, in the order in which the system would try them; blocks."""
    import socket

    found = socket.getaddrinfo(host, int(port or 0) or None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
