# Generated from psycopg3/_async/connector.py by `python tools/unasync.py`: edit that file, not this one.
"""Settings in, ready libpq connections out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..concurrency import threads
from ..conninfo import conninfo_to_dict
from ..errors import ConnectionTimeout, ProgrammingError
from ..session.attempts import Attempts
from ..waiting import STOCK
from .dial import Limit, advance
from .runner import deadline_after, running_library

if TYPE_CHECKING:
    from ..dialing.records import Dialer
    from ..pq import PGconn
    from ..session.dialled import Route
    from ..waiting import WaitFunc


class Within(NamedTuple):
    """The time for all that connecting takes."""

    seconds: float
    deadline: float
    """When it is over, by `time.monotonic()`."""


def connecting_within(timeout: float | None) -> Within | None:
    """The limit for all that connecting takes, from here on.

    Args:
        timeout: seconds; None for no limit but that of each attempt.

    Raises:
        ProgrammingError: it isn't a positive number.
    """
    return None if timeout is None else Within(timeout, deadline_after(timeout))


def settled(value: Any, within: Within | None) -> Any:
    """What a function of the user's returned, awaited if it is to be, within the limit.

    Raises:
        ConnectionTimeout: the time has passed. A call that can't be interrupted is over by then.
        ProgrammingError: it is to be awaited, and can't be.
    """
    try:
        if within is None:
            return threads.settled(value)
        return threads.settled(value, within.deadline, partial(_expired, within.seconds))
    except threads.Unawaitable as ex:
        raise ProgrammingError(str(ex)) from None


def connection_params(conninfo: str, **kwargs: Any) -> dict[str, Any]:
    """Merge a connection string and keywords.

    Returns:
        libpq's parameters by keyword, and besides, if they were given so: `password` as a callable,
        `server_settings` as a dict.
    """
    ours = {"server_settings": kwargs.pop("server_settings", None)}
    if callable(kwargs.get("password")):
        ours["password"] = kwargs.pop("password")
    params = conninfo_to_dict(conninfo, **kwargs)
    return params | {name: value for name, value in ours.items() if value is not None}


def open_connection(
    params: dict[str, Any],
    wait: WaitFunc | None,
    within: Within | None = None,
    dialer: Dialer | None = None,
) -> tuple[PGconn, Route | None]:
    """Connect by libpq with these parameters, waiting as the running library waits.

    Args:
        params: as `connection_params` makes them. A callable password is called once, before the
            first attempt; what it raises passes as it is.
        wait: a waiter of the user's own.
        within: the time for everything; None for no limit but that of each attempt.
        dialer: who makes the links, if libpq is not to.

    Returns:
        libpq's connection, and how it goes if a dialer made its link.

    Raises:
        ConnectionTimeout: the time has passed; the message says what was under way, and what had
            failed before.
        OperationalError: no connection; the message says why.
    """
    drive: WaitFunc = wait or STOCK[running_library().name]
    password = params.get("password")
    if callable(password):
        params = {**params, "password": settled(password(), within)}
    attempts = Attempts(params, dialer)
    limit = within and Limit(within.deadline, partial(attempts.overdue, within.seconds))
    try:
        return advance(attempts, drive, dialer, limit), attempts.route
    finally:
        attempts.close()


def _expired(timeout: float) -> ConnectionTimeout:
    return ConnectionTimeout(
        f"no connection within {timeout:g} seconds: no host was tried by then; have the functions"
        " that give password or parameters take less time, or raise the timeout"
    )
