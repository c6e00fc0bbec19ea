"""The session's TimeZone, as a tzinfo of Python."""

from __future__ import annotations

from datetime import UTC, tzinfo
from functools import lru_cache

from ..encodings import ReportingConnection


def session_timezone(pgconn: ReportingConnection | None) -> tzinfo:
    """Return the zone in which the session shows its timestamptz; UTC without a connection."""
    name = pgconn.parameter_status(b"TimeZone") if pgconn else None
    return timezone_named(name or b"UTC")


@lru_cache(maxsize=256)
def timezone_named(name: bytes) -> tzinfo:
    """Return the zone that PostgreSQL calls `name`.

    Names are shared with Python, as both take them from the IANA database. A zone that Python has
    not, such as the `<+03>-03` that `SET TIME ZONE 3` gives, becomes UTC, with a warning in the
    log: the instants stay right, they are only shown in UTC.
    """
    if name == b"UTC":
        return UTC

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
