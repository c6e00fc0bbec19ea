"""register_times(): exact intervals, instants in UTC, and dates that Python has not."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from struct import Struct
from typing import Any

from .._oids import DATE_OID, INTERVAL_OID, TIMESTAMP_OID, TIMESTAMPTZ_OID
from ..abc import AdaptContext
from ..adapt import Dumper, Format, Loader
from ..adapt.registry import adapters as global_adapters
from ..errors import ProgrammingError
from . import datetime as default
from .interval import Interval
from .outofrange import OutOfRange, OutOfRangeDate, OutOfRangeTimestamp, OutOfRangeTimestamptz

_interval = Struct("!qii")  # microseconds, days, months


class IntervalDumper(Dumper):
    """Writes an Interval."""

    oid = INTERVAL_OID

    def dump(self, obj: Interval) -> bytes:
        """Write `+1 years -2 days +04:05:06.700000`."""
        return str(obj).encode()


class IntervalBinaryDumper(Dumper):
    """Writes an Interval."""

    format = Format.BINARY
    oid = INTERVAL_OID

    def dump(self, obj: Interval) -> bytes:
        """Write microseconds, days and months, in sixteen bytes."""
        return _interval.pack(obj.microseconds, obj.days, obj.months)


class _OutOfRangeDumper(Dumper):
    def dump(self, obj: OutOfRange) -> bytes:
        """Write `10000-12-31`, `0044-03-15 BC` or `infinity`."""
        return str(obj).encode()


class OutOfRangeDateDumper(_OutOfRangeDumper):
    """Writes an OutOfRangeDate."""

    oid = DATE_OID


class OutOfRangeTimestampDumper(_OutOfRangeDumper):
    """Writes an OutOfRangeTimestamp."""

    oid = TIMESTAMP_OID


class OutOfRangeTimestamptzDumper(_OutOfRangeDumper):
    """Writes an OutOfRangeTimestamptz."""

    oid = TIMESTAMPTZ_OID


_LAST: dict[str, tuple[Any, Any]] = {
    "date": (date.min, date.max),
    "timestamp": (datetime.min, datetime.max),
    "timestamptz": (datetime.min, datetime.max),
    "interval": (timedelta.min, timedelta.max),
}
_OBJECTS: dict[str, type[OutOfRange]] = {
    "date": OutOfRangeDate,
    "timestamp": OutOfRangeTimestamp,
    "timestamptz": OutOfRangeTimestamptz,
}


class _Clamping:
    """Gives the first or last value that Python has."""

    def out_of_range(self: Any, text: str) -> Any:
        if self.name in ("time", "timetz"):
            return time.fromisoformat("23:59:59.999999" + text[8:])
        last = _LAST[self.name][not (text.startswith("-") or text.endswith(" BC"))]
        return last.replace(tzinfo=self.timezone) if self.name == "timestamptz" else last


class _Keeping:
    """Gives an object that has the value."""

    def out_of_range(self: Any, text: str) -> Any:
        kind = _OBJECTS.get(self.name)
        return kind.parse(text) if kind is not None else super().out_of_range(text)  # type: ignore[misc]

    def made(self, interval: Interval) -> timedelta | Interval:
        try:
            return interval.to_timedelta()
        except OverflowError:
            return interval


class _Exact:
    """Gives each interval as it is."""

    def made(self, interval: Interval) -> Interval:
        return interval


class _InUTC:
    """Gives all instants in UTC."""

    def _zone(self) -> tzinfo:
        return UTC


_POLICIES: dict[str, tuple[type, ...]] = {
    "raise": (),
    "clamp": (_Clamping,),
    "objects": (_Keeping,),
}


def register_times(
    context: AdaptContext | None = None,
    *,
    out_of_range: str = "raise",
    exact_intervals: bool = False,
    utc: bool = False,
) -> None:
    """Choose how a context loads dates, times and intervals; what isn't given is as by default.

    Args:
        context: a connection, cursor or map of adapters; None: every connection to come.
        out_of_range: what becomes of infinite dates, those before year 1 or after year 9999, 24:00,
            and intervals too long for a timedelta. "raise": a DataError. "clamp": the first or last
            that Python has. "objects": an `OutOfRange` or `Interval`; 24:00 is a DataError.
        exact_intervals: load each interval as an `Interval`, which keeps its months.
        utc: load timestamptz in UTC, whatever the session's TimeZone. Python compares datetimes of
            one zone by their clocks: two instants of an hour that comes twice are equal to it.

    Raises:
        ProgrammingError: `out_of_range` is none of these.
    """
    mixins = _POLICIES.get(out_of_range)
    if mixins is None:
        raise ProgrammingError(
            f"got out_of_range={out_of_range!r}: expected {', '.join(map(repr, _POLICIES))}"
        )
    if exact_intervals:
        mixins = (_Exact, *mixins)
    if utc:
        mixins = (_InUTC, *mixins)
    adapters = (context or global_adapters).adapters
    for oid, *loaders in default.LOADERS:
        for loader in loaders:
            adapters.register_loader(oid, _variant(loader, mixins))


@cache
def _variant(loader: type[Loader], mixins: tuple[type, ...]) -> type[Loader]:
    return type(loader.__name__, (*mixins, loader), {}) if mixins else loader


DUMPERS = (
    (Interval, IntervalDumper, IntervalBinaryDumper),
    (OutOfRangeDate, OutOfRangeDateDumper),
    (OutOfRangeTimestamp, OutOfRangeTimestampDumper),
    (OutOfRangeTimestamptz, OutOfRangeTimestamptzDumper),
)
LOADERS = ()  # those of the default, until `register_times()` is called
