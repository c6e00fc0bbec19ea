"""register_times(): exact intervals, instants in UTC, and dates that Python has not."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from struct import Struct
from typing import Any, ClassVar

from ..abc import AdaptContext, DumperKey, PyFormat
from ..adapt import Dumper, Loader
from ..adapt.registry import adapters as global_adapters
from ..errors import ProgrammingError
from . import datetime as default
from .interval import Interval
from .outofrange import OutOfRange, OutOfRangeDate, OutOfRangeTimestamp, OutOfRangeTimestamptz

_interval = Struct("!qii")  # microseconds, days, months
_day = Struct("!i")
_moment = Struct("!q")


# Each writes Python's own class, too: where a type is given, what writes it takes both.


class IntervalDumper(default.TimedeltaDumper):
    """Writes an Interval, or a timedelta."""

    def dump(self, obj: Interval | timedelta) -> bytes:
        """Write `+1 years -2 days +04:05:06.700000`."""
        return str(obj).encode() if isinstance(obj, Interval) else super().dump(obj)


class IntervalBinaryDumper(default.TimedeltaBinaryDumper):
    """Writes an Interval, or a timedelta."""

    def dump(self, obj: Interval | timedelta) -> bytes:
        """Write microseconds, days and months, in sixteen bytes."""
        if not isinstance(obj, Interval):
            return super().dump(obj)
        return _interval.pack(obj.microseconds, obj.days, obj.months)


class _OutOfRangeDumper(Dumper):
    _struct: ClassVar[Struct] = _moment

    def get_key(self, obj: Any, format: PyFormat) -> DumperKey:
        """The class: it says whether there is a zone."""
        return self.cls

    def upgrade(self, obj: Any, format: PyFormat) -> Dumper:
        """Itself."""
        return self

    def dump(self, obj: Any) -> Any:
        """Write `10000-12-31`, `0044-03-15 BC` or `infinity`; days or microseconds in binary."""
        if not isinstance(obj, OutOfRange):
            return super().dump(obj)  # type: ignore[safe-super]
        return self._struct.pack(obj.value) if self.format else str(obj).encode()


class OutOfRangeDateDumper(_OutOfRangeDumper, default.DateDumper):
    """Writes an OutOfRangeDate, or a date."""


class OutOfRangeDateBinaryDumper(_OutOfRangeDumper, default.DateBinaryDumper):
    """Writes an OutOfRangeDate, or a date."""

    _struct = _day


class OutOfRangeTimestampDumper(_OutOfRangeDumper, default.DatetimeNoTzDumper):
    """Writes an OutOfRangeTimestamp, or a datetime."""


class OutOfRangeTimestampBinaryDumper(_OutOfRangeDumper, default.DatetimeNoTzBinaryDumper):
    """Writes an OutOfRangeTimestamp, or a datetime."""


class OutOfRangeTimestamptzDumper(_OutOfRangeDumper, default.DatetimeDumper):
    """Writes an OutOfRangeTimestamptz, or a datetime."""


class OutOfRangeTimestamptzBinaryDumper(_OutOfRangeDumper, default.DatetimeBinaryDumper):
    """Writes an OutOfRangeTimestamptz, or a datetime."""


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
    (OutOfRangeDate, OutOfRangeDateBinaryDumper, OutOfRangeDateDumper),
    (OutOfRangeTimestamp, OutOfRangeTimestampBinaryDumper, OutOfRangeTimestampDumper),
    (OutOfRangeTimestamptz, OutOfRangeTimestamptzBinaryDumper, OutOfRangeTimestamptzDumper),
)
LOADERS = ()  # those of the default, until `register_times()` is called
