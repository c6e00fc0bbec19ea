"""PEP 249's constructors and type objects.

The constructors are those of `datetime`; a type object equals the oids of the types it stands for,
so that `cursor.description[0].type_code == psycopg3.NUMBER` tells a number.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from . import _oids


class DBAPITypeObject:
    """A kind of type in PEP 249's sense: it equals each of the oids given."""

    def __init__(self, name: str, *oids: int) -> None:
        self.name = name
        self.oids = frozenset(oids)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, int):
            return other in self.oids
        if isinstance(other, DBAPITypeObject):
            return self.oids == other.oids
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it equals oids that are not equal to each other

    def __repr__(self) -> str:
        return f"psycopg3.{self.name}"

    def __reduce__(self) -> str:
        return self.name


STRING = DBAPITypeObject(
    "STRING", _oids.TEXT_OID, _oids.VARCHAR_OID, _oids.BPCHAR_OID, _oids.NAME_OID, _oids.CHAR_OID
)
BINARY = DBAPITypeObject("BINARY", _oids.BYTEA_OID)
NUMBER = DBAPITypeObject(
    "NUMBER",
    *(_oids.INT2_OID, _oids.INT4_OID, _oids.INT8_OID),
    *(_oids.FLOAT4_OID, _oids.FLOAT8_OID, _oids.NUMERIC_OID),
)
DATETIME = DBAPITypeObject(
    "DATETIME",
    *(_oids.DATE_OID, _oids.TIME_OID, _oids.TIMETZ_OID),
    *(_oids.TIMESTAMP_OID, _oids.TIMESTAMPTZ_OID, _oids.INTERVAL_OID),
)
ROWID = DBAPITypeObject("ROWID", _oids.OID_OID)


class Binary:
    """Bytes to be sent as bytea: PEP 249's constructor. Plain `bytes` do as well."""

    __slots__ = ("obj",)

    def __init__(self, obj: Any) -> None:
        """Wrap `obj`, which has to give its bytes: bytes, bytearray, memoryview, array ..."""
        try:
            memoryview(obj).release()
        except TypeError:
            raise TypeError(
                f"Binary takes bytes or a buffer, got {type(obj).__name__}: encode text first"
            ) from None
        self.obj = obj

    def __bytes__(self) -> bytes:
        return bytes(self.obj)

    def __repr__(self) -> str:
        shown = repr(self.obj)
        return f"Binary({shown if len(shown) <= 40 else shown[:35] + ' ...'})"


def Date(year: int, month: int, day: int) -> dt.date:  # noqa: N802
    """Make a date."""
    return dt.date(year, month, day)


def Time(hour: int, minute: int, second: int) -> dt.time:  # noqa: N802
    """Make a time of day."""
    return dt.time(hour, minute, second)


def Timestamp(  # noqa: N802
    year: int, month: int, day: int, hour: int, minute: int, second: int
) -> dt.datetime:
    """Make a date with time, without a time zone."""
    return dt.datetime(year, month, day, hour, minute, second)


def DateFromTicks(ticks: float) -> dt.date:  # noqa: N802
    """Make the date, in UTC, of `ticks`: seconds since 1970."""
    return TimestampFromTicks(ticks).date()


def TimeFromTicks(ticks: float) -> dt.time:  # noqa: N802
    """Make the time of day, in UTC and without a time zone, of `ticks`: seconds since 1970."""
    return TimestampFromTicks(ticks).time()


def TimestampFromTicks(ticks: float) -> dt.datetime:  # noqa: N802
    """Make the date and time, with the time zone UTC, of `ticks`: seconds since 1970."""
    return dt.datetime.fromtimestamp(ticks, dt.UTC)


for _function in (Date, Time, Timestamp, DateFromTicks, TimeFromTicks, TimestampFromTicks):
    _function.__module__ = "psycopg3"
