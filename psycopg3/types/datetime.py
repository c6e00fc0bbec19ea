"""Dates, times and intervals: date, time, timetz, timestamp, timestamptz, interval."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from operator import attrgetter
from struct import Struct
from typing import Any, ClassVar

from .._oids import DATE_OID, INTERVAL_OID, TIME_OID, TIMESTAMP_OID, TIMESTAMPTZ_OID, TIMETZ_OID
from ..abc import AdaptContext, Buffer, DumperKey
from ..adapt import Dumper, Format, Loader, PyFormat
from ..adapt.base import BinaryDumper
from ..errors import DataError, NotSupportedError
from .datestyle import DateStyle, date_reader, read_interval, read_time, timestamp_reader
from .interval import Interval
from .outofrange import OutOfRangeDate, OutOfRangeTimestamp, OutOfRangeTimestamptz
from .timezone import session_timezone

_int4 = Struct("!i")
_int8 = Struct("!q")
_timetz = Struct("!qi")  # microseconds, seconds west of Greenwich
_interval = Struct("!qii")  # microseconds, days, months

# PostgreSQL counts from the year 2000.
_EPOCH = datetime(2000, 1, 1)
_EPOCH_UTC = _EPOCH.replace(tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()

_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS_A_SECOND = 1_000_000

# PostgreSQL reads no offset beyond 15:59:59.
_FARTHEST_ZONE = timedelta(hours=16)

# Where Python's values end and PostgreSQL's go on.
_YEARS = "years are 1 to 9999"
_HOURS = "hours are 0 to 23"
_LIMITS = {
    "date": _YEARS,
    "time": _HOURS,
    "timetz": _HOURS,
    "timestamp": _YEARS,
    "timestamptz": _YEARS,
    "interval": "days are at most 999999999",
}
# infinity, the end of the day, years BC, five digits that are not the fraction of a second.
_BEYOND = r"^-?infinity$|^24:| BC$|(?<!:\d\d\.)(?<!\d)\d{5}(?!\d* (?:day|mon|year))"
_SHOWN = 100  # characters of a value in an error's message


# -- date ----------------------------------------------------------------------------------------


class DateDumper(Dumper):
    """Writes a date in ISO form, which the server reads the same under every DateStyle."""

    oid = DATE_OID

    def dump(self, obj: date) -> bytes:
        """Write `2020-12-31`."""
        return obj.isoformat().encode()


class DateBinaryDumper(BinaryDumper):
    """Writes a date as the days since 2000."""

    oid = DATE_OID

    def dump(self, obj: date) -> bytes:
        """Write four bytes."""
        return _int4.pack(obj.toordinal() - _EPOCH_DAY)


# -- what has a zone, or none --------------------------------------------------------------------


class _ZoneDumper(Dumper):
    """Is content with values that have a zone, or with those that have none."""

    _with_zone: ClassVar[bool]
    _other: ClassVar[type[Dumper]]  # for the others

    def get_key(self, obj: time | datetime, format: PyFormat) -> DumperKey:
        """Tell apart values with and without a zone."""
        return self.cls if (obj.tzinfo is not None) is self._with_zone else (self.cls, tzinfo)

    def upgrade(self, obj: time | datetime, format: PyFormat) -> Dumper:
        """Return a dumper of the other type for a value that this one is not for."""
        return self if (obj.tzinfo is not None) is self._with_zone else self._other(self.cls)


# -- time ----------------------------------------------------------------------------------------


class TimeTzDumper(Dumper):
    """Writes a time that has a zone of fixed offset, as timetz."""

    oid = TIMETZ_OID

    def dump(self, obj: time) -> bytes:
        """Write `23:59:59.999999+02:30`.

        Raises:
            DataError: the zone's offset depends on the date, or has fractions of a second.
        """
        _time_offset(obj)
        return obj.isoformat().encode()


class TimeTzBinaryDumper(BinaryDumper):
    """Writes a time that has a zone of fixed offset, as timetz."""

    oid = TIMETZ_OID

    def dump(self, obj: time) -> bytes:
        """Write twelve bytes.

        Raises:
            DataError: the zone's offset depends on the date, or has fractions of a second.
        """
        return _timetz.pack(_time_microseconds(obj), -_time_offset(obj))


class TimeDumper(_ZoneDumper):
    """Writes a time without a zone; one with a zone goes to `TimeTzDumper`."""

    oid = TIME_OID
    _with_zone, _other = False, TimeTzDumper

    def dump(self, obj: time) -> bytes:
        """Write `23:59:59.999999`."""
        return obj.isoformat().encode()


class TimeBinaryDumper(_ZoneDumper):
    """Writes a time without a zone; one with a zone goes to `TimeTzBinaryDumper`."""

    format = Format.BINARY
    oid = TIME_OID
    _with_zone, _other = False, TimeTzBinaryDumper

    def dump(self, obj: time) -> bytes:
        """Write the microseconds since midnight, in eight bytes."""
        return _int8.pack(_time_microseconds(obj))


def _time_microseconds(obj: time) -> int:
    seconds = (obj.hour * 60 + obj.minute) * 60 + obj.second
    return seconds * _MICROSECONDS_A_SECOND + obj.microsecond


def _time_offset(obj: time) -> int:
    """Return the seconds east of Greenwich."""
    offset = obj.utcoffset()
    if offset is None:
        raise _zoneless(obj) or DataError(
            f"got the time {obj} in the zone {obj.tzinfo!r}, whose offset from UTC depends on the"
            " date: give a zone of fixed offset, datetime.timezone(), or a whole datetime"
        )
    if offset.microseconds:
        raise DataError(
            f"got the time {obj}, at fractions of a second from UTC: PostgreSQL's offsets are"
            " whole seconds"
        )
    return offset.days * 86400 + offset.seconds


def _zoneless(obj: time | datetime) -> DataError | None:
    """What is wrong if there is no zone at all, for a type that was given."""
    if obj.tzinfo is not None:
        return None
    return DataError(
        f"got the {type(obj).__name__} {obj} without a zone for a type that has one: give it its"
        " zone, by replace(tzinfo=...)"
    )


# -- timestamp -----------------------------------------------------------------------------------


class DatetimeNoTzDumper(Dumper):
    """Writes a datetime as timestamp: a zone, if there is one, does not count."""

    oid = TIMESTAMP_OID

    def dump(self, obj: datetime) -> bytes:
        """Write `2020-12-31 23:59:59.999999`."""
        return _clock(obj).isoformat(" ").encode()


class DatetimeNoTzBinaryDumper(BinaryDumper):
    """Writes a datetime as timestamp: a zone, if there is one, does not count."""

    oid = TIMESTAMP_OID

    def dump(self, obj: datetime) -> bytes:
        """Write the microseconds since 2000, in eight bytes."""
        return _int8.pack((_clock(obj) - _EPOCH) // _MICROSECOND)


class DatetimeDumper(_ZoneDumper):
    """Writes a datetime that has a zone; one without goes to `DatetimeNoTzDumper`."""

    oid = TIMESTAMPTZ_OID
    _with_zone, _other = True, DatetimeNoTzDumper

    def dump(self, obj: datetime) -> bytes:
        """Write `2020-12-31 23:59:59.999999+02:30`.

        Raises:
            DataError: the zone gives no offset.
        """
        moment = _plain(obj)
        offset = _datetime_offset(moment)
        if offset.microseconds or not -_FARTHEST_ZONE < offset < _FARTHEST_ZONE:
            try:
                moment = moment.astimezone(UTC)
            except OverflowError:
                raise DataError(f"got the timestamptz {obj}, which Python has not in UTC") from None
        return moment.isoformat(" ").encode()


class DatetimeBinaryDumper(_ZoneDumper):
    """Writes a datetime that has a zone; one without goes to `DatetimeNoTzBinaryDumper`."""

    format = Format.BINARY
    oid = TIMESTAMPTZ_OID
    _with_zone, _other = True, DatetimeNoTzBinaryDumper

    def dump(self, obj: datetime) -> bytes:
        """Write the microseconds since 2000 in UTC, in eight bytes.

        Raises:
            DataError: the zone gives no offset.
        """
        moment = _plain(obj)
        try:
            since = moment - _EPOCH_UTC
        except TypeError:  # as for a datetime without a zone
            _datetime_offset(moment)
            raise
        return _int8.pack(since // _MICROSECOND)


_fields = attrgetter("year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo")


def _plain(obj: datetime) -> datetime:
    """Return `obj` without what its class adds to a datetime.

    Classes that derive from datetime redefine its arithmetic and its text; some have a value for
    "not a time", whose fields are no numbers.
    """
    if type(obj) is datetime:
        return obj
    try:
        return datetime(*_fields(obj), fold=obj.fold)
    except (TypeError, ValueError):
        raise DataError(
            f"got {obj!r}, a {type(obj).__qualname__} that is no moment: give None for NULL"
        ) from None


def _clock(obj: datetime) -> datetime:
    moment = _plain(obj)
    return moment if moment.tzinfo is None else moment.replace(tzinfo=None)


def _datetime_offset(moment: datetime) -> timedelta:
    offset = moment.utcoffset()
    if offset is None:
        raise _zoneless(moment) or DataError(
            f"got the datetime {moment} whose zone {moment.tzinfo!r} gives no offset from UTC:"
            " give one that does, or no zone"
        )
    return offset


# -- interval ------------------------------------------------------------------------------------


class TimedeltaDumper(Dumper):
    """Writes a timedelta as interval, so that every IntervalStyle reads it the same."""

    oid = INTERVAL_OID

    def dump(self, obj: timedelta) -> bytes:
        """Write `-1 days +23:59:59.999999`.

        Under IntervalStyle "sql_standard" a first sign would hold for the rest, too, if the rest
        had none of its own.
        """
        days, microseconds = _days_and_microseconds(obj)
        return f"{days} days +{timedelta(0, 0, microseconds)}".encode()


class TimedeltaBinaryDumper(BinaryDumper):
    """Writes a timedelta as interval."""

    oid = INTERVAL_OID

    def dump(self, obj: timedelta) -> bytes:
        """Write microseconds, days and months, in sixteen bytes."""
        days, microseconds = _days_and_microseconds(obj)
        return _interval.pack(microseconds, days, 0)


def _days_and_microseconds(obj: timedelta) -> tuple[int, int]:
    if type(obj) is not timedelta:
        # Classes that derive from timedelta share its total, but count its days otherwise.
        obj = timedelta.__mul__(obj, 1)
    return obj.days, obj.seconds * _MICROSECONDS_A_SECOND + obj.microseconds


# -- from text -----------------------------------------------------------------------------------


class TimeLikeLoader(Loader):
    """Reads dates, times or intervals, of which Python has not all."""

    name: ClassVar[str]
    """The type's."""

    def out_of_range(self, text: str) -> Any:
        """What stands for a value that Python has not.

        Args:
            text: the value as PostgreSQL writes it.

        Raises:
            DataError: nothing does.
        """
        raise DataError(
            f"got the {self.name} {text!r}, which Python has not ({_LIMITS[self.name]}): have the"
            " query cast it to text, or see psycopg3.types.times.register_times()"
        ) from None


class _ZonedLoader(TimeLikeLoader):
    """Makes datetimes in a zone, the session's."""

    name = "timestamptz"

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self.timezone = self._zone()

    def _zone(self) -> tzinfo:
        conn = self.connection
        return session_timezone(conn.pgconn if conn is not None else None)


class _IntervalLoader(TimeLikeLoader):
    name = "interval"

    def made(self, interval: Interval) -> Any:
        """Make the object that stands for an interval: a timedelta."""
        try:
            return interval.to_timedelta()
        except OverflowError:
            return self.out_of_range(str(interval))


class _TextLoader(TimeLikeLoader):
    """Reads text by `_read`, and says what is wrong with what that refuses."""

    _read: Callable[[str], Any]

    def load(self, data: Buffer) -> Any:
        """Make the object.

        Raises:
            DataError: one that Python has not: infinity, before year 1, after year 9999, 24:00,
                an interval longer than a timedelta can be.
        """
        try:
            return self._read(str(data, "ascii"))
        # AssertionError: of PyPy's fromisoformat(), which is of Python.
        except (ValueError, OverflowError, AssertionError) as ex:
            return self._refused(data, ex)

    def _refused(self, data: Buffer, ex: Exception) -> Any:
        text = str(data[:_SHOWN], "ascii", "backslashreplace")
        if isinstance(ex, OverflowError) or re.search(_BEYOND, text):
            return self.out_of_range(text)
        reason = str(ex) or "not of the form of ISO 8601"
        raise DataError(f"got {text!r} for a {self.name}: {reason}") from None


class DateLoader(_TextLoader):
    """Reads a date of any DateStyle."""

    name = "date"

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._read = date_reader(_datestyle(self))


class TimeLoader(_TextLoader):
    """Reads a time: one without a zone."""

    name = "time"
    _read = staticmethod(read_time)


class TimetzLoader(TimeLoader):
    """Reads a timetz: a time with a zone of fixed offset."""

    name = "timetz"


class TimestampLoader(_TextLoader):
    """Reads a timestamp of any DateStyle: a datetime without a zone."""

    name = "timestamp"

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._read = timestamp_reader(_datestyle(self))


class TimestamptzLoader(_ZonedLoader, _TextLoader):
    """Reads a timestamptz of DateStyle ISO, into the session's TimeZone.

    The other styles name zones by abbreviations, which mean different zones to different people.
    """

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._layout = _datestyle(self).layout

    def load(self, data: Buffer) -> datetime:
        """Make a datetime in the session's zone.

        Raises:
            DataError: one that Python has not: infinity, before year 1, after year 9999.
            NotSupportedError: a DateStyle other than ISO.
        """
        if self._layout != "ISO":
            raise NotSupportedError(
                f"got the timestamptz {bytes(data[:_SHOWN])!r} of DateStyle {self._layout!r}, whose zones"
                " are ambiguous: set DateStyle to ISO, or ask for binary results"
            )
        try:
            moment = datetime.fromisoformat(str(data, "ascii"))
            if moment.tzinfo is None:
                raise ValueError("no offset from UTC")
            try:
                return moment.astimezone(self.timezone)
            except OverflowError:
                return _at_the_edge(moment, self.timezone)
        except (ValueError, OverflowError) as ex:
            return self._refused(data, ex)  # type: ignore[no-any-return]


class IntervalLoader(_IntervalLoader, _TextLoader):
    """Reads an interval of IntervalStyle "postgres"; a month has 30 days, a year 365."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._style = (_parameter(self, b"IntervalStyle") or b"postgres").decode()

    def _read(self, text: str) -> Any:
        if self._style != "postgres":
            raise NotSupportedError(
                f"got the interval {text[:_SHOWN]!r} of IntervalStyle {self._style!r}:"
                " set IntervalStyle to postgres, or ask for binary results"
            )
        return self.made(read_interval(text))


# -- from binary ---------------------------------------------------------------------------------


class DateBinaryLoader(TimeLikeLoader):
    """Reads the days since 2000."""

    name = "date"
    format = Format.BINARY

    def load(self, data: Buffer) -> date:
        """Make a date.

        Raises:
            DataError: one that Python has not: infinity, before year 1, after year 9999.
        """
        (days,) = _int4.unpack(data)
        try:
            return date.fromordinal(days + _EPOCH_DAY)
        except (ValueError, OverflowError):
            return self.out_of_range(str(OutOfRangeDate(days)))  # type: ignore[no-any-return]


class TimeBinaryLoader(TimeLikeLoader):
    """Reads the microseconds since midnight."""

    name = "time"
    format = Format.BINARY

    def load(self, data: Buffer) -> time:
        """Make a time without a zone.

        Raises:
            DataError: one that Python has not: 24:00.
        """
        (microseconds,) = _int8.unpack(data)
        return _time(self, microseconds, None)


class TimetzBinaryLoader(TimeLikeLoader):
    """Reads the microseconds since midnight, and the zone."""

    name = "timetz"
    format = Format.BINARY

    def load(self, data: Buffer) -> time:
        """Make a time with a zone of fixed offset.

        Raises:
            DataError: one that Python has not: 24:00.
        """
        microseconds, west = _timetz.unpack(data)
        return _time(self, microseconds, timezone(timedelta(0, -west)))


class TimestampBinaryLoader(TimeLikeLoader):
    """Reads the microseconds since 2000."""

    name = "timestamp"
    format = Format.BINARY

    def load(self, data: Buffer) -> datetime:
        """Make a datetime without a zone.

        Raises:
            DataError: one that Python has not: infinity, before year 1, after year 9999.
        """
        microseconds: int = _int8.unpack(data)[0]
        try:
            return _EPOCH + _MICROSECOND * microseconds
        except OverflowError:
            return self.out_of_range(str(OutOfRangeTimestamp(microseconds)))  # type: ignore[no-any-return]


class TimestamptzBinaryLoader(_ZonedLoader):
    """Reads the microseconds since 2000 in UTC, into the session's TimeZone."""

    format = Format.BINARY

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._epoch = _EPOCH.replace(tzinfo=self.timezone)

    def load(self, data: Buffer) -> datetime:
        """Make a datetime in the session's zone.

        Raises:
            DataError: one that Python has not: infinity, before year 1, after year 9999.
        """
        microseconds: int = _int8.unpack(data)[0]
        since = _MICROSECOND * microseconds
        try:
            # fromutc() takes the instant's clock in UTC labelled with the zone to go to.
            return self.timezone.fromutc(self._epoch + since)
        except OverflowError:
            edge = datetime.max if microseconds > 0 else datetime.min
            offset = self.timezone.utcoffset(edge) or timedelta(0)
            try:
                return self._epoch + (since + offset)
            except OverflowError:
                return self.out_of_range(str(OutOfRangeTimestamptz(microseconds)))  # type: ignore[no-any-return]


class IntervalBinaryLoader(_IntervalLoader):
    """Reads microseconds, days and months; a month has 30 days, a year 365."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Any:
        """Make a timedelta.

        Raises:
            DataError: longer than a timedelta can be.
        """
        microseconds, days, months = _interval.unpack(data)
        return self.made(Interval(months, days, microseconds))


def _time(loader: TimeLikeLoader, microseconds: int, zone: tzinfo | None) -> time:
    seconds, fraction = divmod(microseconds, _MICROSECONDS_A_SECOND)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    try:
        return time(hour, minute, second, fraction, zone)
    except (ValueError, OverflowError):
        offset = time(0, 0, 0, 0, zone).isoformat()[8:]
        text = f"{hour}:{minute:02}:{second:02}{offset}"
        return loader.out_of_range(text)  # type: ignore[no-any-return]


def _at_the_edge(moment: datetime, zone: tzinfo) -> datetime:
    """Move to `zone` a moment whose UTC is beyond the first or last day that Python has."""
    clock, none = moment.replace(tzinfo=zone), timedelta(0)
    return clock + ((zone.utcoffset(clock) or none) - (moment.utcoffset() or none))


# -- what the session has set --------------------------------------------------------------------


def _parameter(loader: Loader, name: bytes) -> bytes | None:
    conn = loader.connection
    return conn.pgconn.parameter_status(name) if conn is not None else None


def _datestyle(loader: Loader) -> DateStyle:
    return DateStyle.parse(_parameter(loader, b"DateStyle"))


DUMPERS = (
    (date, DateDumper, DateBinaryDumper),
    (time, TimeTzDumper, TimeTzBinaryDumper, TimeDumper, TimeBinaryDumper),
    (datetime, DatetimeNoTzDumper, DatetimeNoTzBinaryDumper, DatetimeDumper, DatetimeBinaryDumper),
    (timedelta, TimedeltaDumper, TimedeltaBinaryDumper),
)
LOADERS = (
    (DATE_OID, DateLoader, DateBinaryLoader),
    (TIME_OID, TimeLoader, TimeBinaryLoader),
    (TIMETZ_OID, TimetzLoader, TimetzBinaryLoader),
    (TIMESTAMP_OID, TimestampLoader, TimestampBinaryLoader),
    (TIMESTAMPTZ_OID, TimestamptzLoader, TimestamptzBinaryLoader),
    (INTERVAL_OID, IntervalLoader, IntervalBinaryLoader),
)
