"""The session's TimeZone, as a tzinfo of Python."""

from __future__ import annotations

import re
from datetime import UTC, timedelta, timezone, tzinfo
from functools import lru_cache

from ..pq import PGconn


def session_timezone(pgconn: PGconn | None) -> tzinfo:
    """Return the zone in which the session shows its timestamptz; UTC without a connection."""
    name = pgconn.parameter_status(b"TimeZone") if pgconn else None
    return timezone_named(name or b"UTC")


# The manual's section "POSIX Time Zone Specifications": a name, and hours, minutes and seconds west.
_POSIX = re.compile(
    rb"(?:<[^>]+>|[A-Za-z]{3,})([+-]?)(\d|[01]\d|2[0-3])(?::([0-5]\d))?(?::([0-5]\d))?"
)


@lru_cache(maxsize=256)
def timezone_named(name: bytes) -> tzinfo:
    """Return the zone that PostgreSQL calls `name`.

    Names are shared with Python, as both take them from the IANA database. The `<+03>-03` that
    `SET TIME ZONE 3` gives, and others in POSIX's form with an offset alone, are fixed offsets. A
    zone that Python has not becomes UTC, with a warning in the log: the instants stay right, they
    are only shown in UTC.
    """
    if name == b"UTC":
        return UTC
    if fixed := _POSIX.fullmatch(name):
        sign, *numbers = fixed.groups(default=b"0")
        hours, minutes, seconds = map(int, numbers)
        west = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        # The sign in front counts to the west. (And Python has a name of its own for no offset.)
        return timezone(west if sign == b"-" else -west) if west else UTC

    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name.decode())
    # KeyError: not in the database; ValueError: not even a name; OSError: a folder of the database.
    except (KeyError, ValueError, OSError) as ex:
        import logging

        logging.getLogger("psycopg3").warning(
            "the session's TimeZone %r is unknown to Python (%s): timestamptz will be in UTC;"
            " set TimeZone to a name of the IANA database, or install the package tzdata",
            name.decode("utf-8", "backslashreplace"),
            ex,
        )
        return UTC
