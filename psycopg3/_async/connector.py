"""Settings in, ready libpq connections out."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from ..concurrency import tasks
from ..conninfo import conninfo_to_dict
from ..deadlines import Deadline, check_seconds
from ..dialing.records import Dialer
from ..errors import ConnectionTimeout
from ..generators import EarlyNotices
from ..pq import PGconn
from ..session.attempts import Attempts
from ..session.routes import Route
from ..waiting import STOCK, AsyncWaitFunc
from .dial import drive
from .runner import running_library


def connecting_within(timeout: float | None) -> Deadline | None:
    """The limit for all that connecting takes, from here on.

    Args:
        timeout: seconds; None for no limit but that of each attempt.

    Raises:
        ProgrammingError: it isn't a positive number.
    """
    check_seconds(timeout)
    return None if timeout is None else Deadline.after(timeout, partial(_expired, timeout))


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


async def open_connection(
    params: dict[str, Any],
    wait: AsyncWaitFunc | None,
    limit: Deadline | None = None,
    dialer: Dialer | None = None,
) -> tuple[PGconn, Route]:
    """Connect by libpq with these parameters, waiting as the running library waits.

    Args:
        params: as `connection_params` makes them. A callable password is called once, before the
            first attempt; what it raises passes as it is.
        wait: a waiter of the user's own.
        limit: when everything must be over; None for no limit but that of each attempt.
        dialer: who makes the links, if libpq is not to.

    Returns:
        libpq's connection, and how its links go.

    Raises:
        ConnectionTimeout: the time has passed; the message says what was under way, and what had
            failed before.
        OperationalError: no connection; the message says why.
    """
    waiter: AsyncWaitFunc = wait or STOCK[running_library().name]
    password = params.get("password")
    if callable(password):
        params = {**params, "password": await tasks.awaited(password(), limit)}
    attempts = Attempts(params, dialer)
    if limit is not None:
        limit = Deadline(limit.at, partial(attempts.overdue, limit.seconds))
    pgconn: PGconn = await drive(attempts.connect_gen, dialer, waiter, limit)
    attempts.route.early = cast("EarlyNotices", pgconn.notice_handler)
    return pgconn, attempts.route


def _expired(timeout: float) -> ConnectionTimeout:
    return ConnectionTimeout(
        f"no connection within {timeout:g} seconds: no host was tried by then; have the functions"
        " that give password or parameters take less time, or raise the timeout"
    )
