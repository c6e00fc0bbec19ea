"""Attempts: the hosts to try, in which order, until when; ends with a connection or the reasons.

The driver, not libpq, goes through the hosts, and gives libpq one address at a time: so each attempt
has its own clock, names are looked up in threads, and the message lists what failed place by
place. libpq still gets the name beside its address, to verify the server's certificate by it, and
to look up the password.

Looking up a name blocks, in a thread that is sent out for it (`look_up_gen`): what is waited for here
is its descriptor, like that of a connection. So whatever drives these generators, a waiter of the
user's own too, needs to know nothing of names, and leaves when it likes.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections import deque
from collections.abc import Mapping
from typing import Any

from .. import errors as e
from .._capabilities import capabilities, needs_newer
from ..conninfo import (
    check_names,
    get_param,
    libpq_params,
    make_conninfo,
    places_of,
    scram_limit_from_conninfo,
    timeout_from_conninfo,
    with_keepalives,
    with_server_settings,
    with_service,
)
from ..deadlines import Deadline
from ..dialing.records import Dial, Dialer
from ..generators import connect_gen, until_gen
from ..places import Place, check_resolvable, look_up_gen, ordered
from ..pq import PGconn
from ..pq.messages import quoted
from ..waiting import WaitGen
from .dialled import DialledAttempt, check_params
from .routes import Route

TARGETS = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")
ORDERS = ("disable", "random")

# Those of the newer parameters that a variable sets too, and that the driver doesn't see to itself.
_NEWER_VARIABLES = (
    *("require_auth", "sslcertmode", "gssdelegation", "sslnegotiation", "oauth_ca_file"),
    *("min_protocol_version", "max_protocol_version"),
)

# What is to be said of an attempt that is under way when the time is over; see also `dialled`.
_LOOKING_UP = "no address of the host was found in time; check its name and the network"
_TALKING = "the server did not answer in time; check host and port"


class Attempts:
    """The attempts at one connection.

    Each address of each host is one attempt, in the order given or, with load_balance_hosts=random,
    at random. An attempt may take `connect_timeout` seconds; the time to look up a name counts
    for the first of its addresses.

    target_session_attrs=prefer-standby makes two passes: for a standby, then for any server. Places
    that could not be found, or gave no answer in time, are not asked a second time. Of those that
    are, the second answer is listed.

    Args:
        params: connection parameters, by libpq's keywords; and perhaps `server_settings`, a dict.
        dialer: who makes the links, if libpq is not to. Names are then looked up by him alone.

    Raises:
        ProgrammingError: a parameter is malformed, or doesn't go with a dialer; or lists don't match
            each other.
        OperationalError: a parameter's value is unknown, or there is no such service.
    """

    def __init__(self, params: Mapping[str, Any], dialer: Dialer | None = None):
        given = dict(params)
        settings = given.pop("server_settings", None)
        check_names(given)
        given = with_service(given)
        if settings is not None:
            given = with_server_settings(given, settings)
        self._has_settings = bool(settings)
        self._timeout = given["connect_timeout"] = timeout_from_conninfo(given)
        target = _choice(given, "target_session_attrs", TARGETS)
        self._prefers_standby = target == "prefer-standby"
        self._target = "standby" if self._prefers_standby else target
        self._is_random = _choice(given, "load_balance_hosts", ORDERS) == "random"
        self._scram_limit = scram_limit_from_conninfo(given)
        self._params = with_keepalives(libpq_params(given))
        places = places_of(given)
        if dialer is None:
            check_resolvable(places)
        self._left = deque(ordered(places, self._is_random))
        self._several = len(places) > 1
        self._failures: list[tuple[Place, str]] = []
        self._second_pass: deque[int] = deque()
        self._last: e.OperationalError | None = None
        self._place, self._index, self._stage = places[0], 0, ""
        self._dialer = dialer
        self._dialled: DialledAttempt | None = None
        self.route = Route()
        """How the connection that was made goes."""
        if dialer is not None:
            check_params(self._params, dialer)

    def connect_gen(self, dial: Dial | None = None) -> WaitGen[PGconn]:
        """Make the attempts that are left, until one succeeds.

        Args:
            dial: has the connector make a link; needed if there is a dialer.

        Returns:
            A connection in non-blocking mode, ready for commands.

        Raises:
            OperationalError: none succeeded. A single one's message is libpq's own; that of several
                lists them. Class and `pgconn` are those of the last attempt: ConnectionTimeout
                if it was the time that ended it.
        """
        while self._next():
            deadline = Deadline.after(self._timeout, self._too_late)
            try:
                if self._dialer is not None and dial is not None:
                    gen = self._dialled_attempt_gen(self._dialer, dial, deadline)
                else:
                    gen = self._attempt_gen()
                return (yield from until_gen(gen, deadline))
            except e.OperationalError as ex:
                ex.args = tuple(map(self._explained, ex.args))
                self._note(ex)
        raise self._refusal()

    def overdue(self, seconds: float) -> e.ConnectionTimeout:
        """The error for all attempts together having had their time, in the middle of one.

        Args:
            seconds: how long that was.
        """
        failures = self._failures.copy()
        failures[self._index : self._index + 1] = [(self._place, self._reason("the timeout"))]
        if len(failures) == 1:
            return self._stalled(seconds, "the timeout")
        head = f"no connection within {seconds:g} seconds, after"
        return e.ConnectionTimeout(_listed(head, failures))

    def _too_late(self) -> e.ConnectionTimeout:
        """The error for an attempt that has had its time."""
        return self._stalled(self._timeout, "connect_timeout")

    def _stalled(self, seconds: float, setting: str) -> e.ConnectionTimeout:
        within, reason = f"within {seconds:g} seconds", self._reason(setting)
        return e.ConnectionTimeout(f"no connection to {self._place} {within}: {reason}")

    def _reason(self, setting: str) -> str:
        """What the attempt that is under way waits for, and what may help."""
        stage = self._dialled.stage() if self._dialled is not None else self._stage
        return f"{stage}, or raise {setting}"

    def _next(self) -> bool:
        """Take the place to try next, if there is any."""
        if self._left:
            self._place, self._index = self._left.popleft(), len(self._failures)
            return True
        if not self._second_pass:
            return False
        self._prefers_standby, self._target = False, "any"
        self._index = self._second_pass.popleft()
        self._place = self._failures[self._index][0]
        return True

    def _attempt_gen(self) -> WaitGen[PGconn]:
        """Have libpq connect to the place, at the first of its addresses."""
        self._stage = _LOOKING_UP
        if self._place.unresolved:
            found = yield from look_up_gen(self._place)
            first, *others = ordered(found, self._is_random)
            self._left.extendleft(reversed(others))
            self._several |= bool(others)
            self._place = first
        self._log("DEBUG", "connecting to %s", self._place)
        conninfo, self._stage = make_conninfo("", **self._params_for(self._place)), _TALKING
        try:
            return (yield from connect_gen(conninfo, scram_max_iterations=self._scram_limit))
        except e.OperationalError as ex:
            ex.args = tuple(self._place.named_in(arg) for arg in ex.args)
            raise

    def _explained(self, message: str) -> str:
        """A message about an attempt, in the user's terms, and without a password in the user's name."""
        user = get_param(self._params, "user") or ""
        if ":" in user:  # a URL's user and password whose colon was percent-encoded with them
            message = message.replace(user, f"{user.partition(':')[0]}:***")
        if self._has_settings and "startup parameter" in message:
            message += (
                "; it was sent for server_settings, which this pooler doesn't pass on: make such settings"
                " at the server, by ALTER ROLE ... SET or ALTER DATABASE ... SET"
            )
        return message

    def _dialled_attempt_gen(
        self, dialer: Dialer, dial: Dial, deadline: Deadline
    ) -> WaitGen[PGconn]:
        """Connect to the place over links of the connector's."""
        params = self._params_for(self._place)
        self._log("DEBUG", "dialling %s", self._place)
        attempt = DialledAttempt(params, dialer, self._scram_limit)
        self._dialled, self.route = attempt, attempt.route
        return (yield from attempt.connect_gen(dial, deadline))

    def _params_for(self, place: Place) -> dict[str, Any]:
        """The parameters of one attempt: those given, where they don't differ for this place."""
        changed = {**place._asdict(), "target_session_attrs": self._target}
        params = self._params
        for keyword, value in changed.items():
            if value != (get_param(self._params, keyword) or ""):
                params = {**params, keyword: value}
        return params

    def _note(self, ex: e.OperationalError) -> None:
        """Remember a failure, and whether to come back for the second pass."""
        place = self._place
        self._failures[self._index : self._index + 1] = [(place, str(ex))]
        # With its traceback it would keep alive this object, and this object it.
        self._last = ex.with_traceback(None)
        not_found = place.unresolved and self._dialer is None
        if self._prefers_standby and not (not_found or isinstance(ex, e.ConnectionTimeout)):
            self._second_pass.append(self._index)
        self._log("INFO", "no connection to %s: %s", place, ex)

    def _log(self, level: str, message: str, *args: object) -> None:
        """Log the progress, if several places are tried."""
        # A program that logs has imported it; the import costs some ms.
        if self._several and (logging := sys.modules.get("logging")):
            logging.getLogger("psycopg3").log(getattr(logging, level), message, *args)

    def _refusal(self) -> e.OperationalError:
        """Say why there is no connection."""
        last, self._last = self._last, None
        assert last is not None
        if len(self._failures) == 1:
            return last
        message = _listed("no connection after", self._failures)
        refusal = type(last)(message, pgconn=last.pgconn)
        refusal.__cause__ = last.__cause__
        return refusal


def _listed(head: str, failures: list[tuple[Place, str]]) -> str:
    attempts = [f"- {place}: {reason}" for place, reason in failures]
    return "\n".join([f"{head} {len(attempts)} attempts:", *attempts])


def _choice(params: Mapping[str, Any], keyword: str, choices: tuple[str, ...]) -> str:
    value = get_param(params, keyword) or choices[0]
    if value not in choices:
        raise e.OperationalError(f"got {keyword}={quoted(value)}: expected {', '.join(choices)}")
    return value


def warn_of_environment() -> None:
    """Warn of variables that this libpq ignores, as it is too old; the line of `connect()` is shown."""
    for keyword in _NEWER_VARIABLES:
        name = f"PG{keyword.replace('_', '').upper()}"
        if os.environ.get(name) and (advice := needs_newer(keyword)):
            warnings.warn(f"{name} is set and not in force{advice}", RuntimeWarning, stacklevel=4)


def warn_of_gssapi(pgconn: PGconn, params: Mapping[str, Any]) -> None:
    """Warn that GSSAPI was used by libpq's own choice; the line of `connect()` is shown.

    The default, gssencmode=prefer, tries it wherever there is a ticket; other builds of libpq don't.
    """
    asked = params.get("gssencmode") or "PGGSSENCMODE" in os.environ or get_param(params, "service")
    if asked or not capabilities.has_used_gssapi() or not pgconn.used_gssapi:
        return
    if get_param(params, "gssencmode") == "prefer":
        warnings.warn(
            "the connection uses GSSAPI, by libpq's default gssencmode=prefer: if you want that, give"
            " gssencmode=prefer, else gssencmode=disable",
            RuntimeWarning,
            stacklevel=4,
        )
