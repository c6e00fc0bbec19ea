"""Dates, times and intervals through a real server, in every style and zone; and broken ones."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from psycopg3 import _oids
from psycopg3.adapt import Format, PyFormat, Transformer
from psycopg3.errors import DataError, NotSupportedError
from psycopg3.postgres import types
from psycopg3.types.datestyle import DateStyle, date_reader, timestamp_reader
from psycopg3.types.datetime import (
    DateDumper,
    DateLoader,
    DatetimeBinaryDumper,
    DatetimeDumper,
    DatetimeNoTzBinaryDumper,
    DatetimeNoTzDumper,
    TimeTzBinaryDumper,
)
from psycopg3.types.timezone import timezone_named

if TYPE_CHECKING:
    from tests.types.conftest import Bare

FORMATS = [(format, result) for format in PyFormat for result in Format]
formats = st.sampled_from(FORMATS)
on_server = settings(max_examples=100, deadline=None)

STYLES = [
    f"{layout}, {order}"
    for layout in ("ISO", "German", "SQL", "Postgres")
    for order in ("DMY", "MDY", "YMD")
]
ZONES = [
    "UTC",
    "Europe/Rome",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Africa/Monrovia",
    "+03",
]


@pytest.fixture(scope="module")
def session(shared: Bare, dsn: str) -> Iterator[Bare]:
    """A connection for tests that set what they need, and count on nothing else."""
    bare = type(shared)(dsn)
    yield bare
    bare.pgconn.finish()


def dumped(value: Any, format: PyFormat) -> bytes:
    (data,) = Transformer().dump_sequence([value], [format])
    assert data is not None
    return bytes(data)


def loaded(oid: int, data: bytes, format: Format) -> Any:
    transformer = Transformer()
    transformer.set_loader_types([oid], format)
    return transformer.load_sequence([data])[0]


# -- date ----------------------------------------------------------------------------------------


@on_server
@given(value=st.dates(), style=st.sampled_from(STYLES), format=formats)
@example(value=date.min, style="Postgres, DMY", format=FORMATS[0])
@example(value=date.max, style="SQL, MDY", format=FORMATS[0])
def test_date_round_trip(
    session: Bare, value: date, style: str, format: tuple[PyFormat, Format]
) -> None:
    session.command(f"set datestyle to '{style}'")
    query = "select $1, pg_typeof($1)::text, extract(doy from $1)::int"
    row = session.row(query, (value,), format=format[0], result=format[1])
    assert row == (value, "date", value.timetuple().tm_yday)
    assert type(row[0]) is date


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("result", Format)
@pytest.mark.parametrize(
    "value",
    ["infinity", "-infinity", "0001-12-31 BC", "4713-01-01 BC", "10000-01-01", "5874897-01-01"],
)
def test_dates_that_python_has_not(bare: Bare, style: str, result: Format, value: str) -> None:
    bare.command(f"set datestyle to '{style}'")
    for name in ("date", "timestamp", "timestamptz"):
        if name == "timestamptz" and not style.startswith("ISO") and result == Format.TEXT:
            continue
        if name != "date" and value == "5874897-01-01":
            continue
        with pytest.raises(DataError, match=rf"got the {name} '.*', which Python has not") as ex:
            bare.row(f"select '{value}'::{name}", result=result)
        if "infinity" in value:
            assert repr(value) in str(ex.value)
        elif result == Format.TEXT:
            assert value.partition("-")[0] in str(ex.value)


class LaterDate(date):
    """One that shows itself otherwise."""

    def __str__(self) -> str:
        return "later"


@pytest.mark.parametrize("format", PyFormat)
def test_subclasses_of_date_are_dates(shared: Bare, format: PyFormat) -> None:
    row = shared.row("select $1, pg_typeof($1)::text", (LaterDate(2020, 2, 29),), format=format)
    assert row == (date(2020, 2, 29), "date")


def test_users_may_extend_the_adapters(bare: Bare) -> None:
    class InfDateDumper(DateDumper):
        def dump(self, obj: date) -> bytes:
            return b"infinity" if obj == date.max else super().dump(obj)

    class InfDateLoader(DateLoader):
        def load(self, data: Any) -> date:
            return date.max if data == b"infinity" else super().load(data)

    bare.adapters.register_dumper(date, InfDateDumper)
    bare.adapters.register_loader("date", InfDateLoader)
    query = "select $1, $1 = 'infinity'::date"
    assert bare.row(query, (date.max,)) == (date.max, True)
    assert bare.row(query, (date(2020, 1, 1),)) == (date(2020, 1, 1), False)


# -- time ----------------------------------------------------------------------------------------

offsets = st.integers(-57599, 57599).map(lambda seconds: timezone(timedelta(seconds=seconds)))


@on_server
@given(value=st.times(timezones=st.none() | offsets), format=formats)
@example(value=time.max, format=FORMATS[0])
@example(
    value=time(12, tzinfo=timezone(timedelta(hours=-2, minutes=-30, seconds=-15))),
    format=FORMATS[2],
)
def test_time_round_trip(shared: Bare, value: time, format: tuple[PyFormat, Format]) -> None:
    query = "select $1, pg_typeof($1)::text"
    got, name = shared.row(query, (value,), format=format[0], result=format[1])
    assert name == ("time without time zone" if value.tzinfo is None else "time with time zone")
    assert got == value.replace(fold=0)
    assert got.utcoffset() == value.utcoffset()


@pytest.mark.parametrize("result", Format)
@pytest.mark.parametrize("name", ["time", "timetz"])
def test_the_end_of_the_day_is_no_time_of_python(shared: Bare, name: str, result: Format) -> None:
    with pytest.raises(DataError, match="got the time.* '24:00:00.*', which Python has not"):
        shared.row(f"select '24:00'::{name}", result=result)


@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize(
    ("zone", "message"),
    [
        (ZoneInfo("Europe/Rome"), "depends on the date"),
        (timezone(timedelta(seconds=1, microseconds=5)), "whole seconds"),
    ],
)
def test_a_time_of_a_zone_without_fixed_offset_is_a_data_error(
    format: PyFormat, zone: tzinfo, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        dumped(time(12, tzinfo=zone), format)


def test_a_zone_may_be_fixed_by_another_name(shared: Bare) -> None:
    assert shared.row("select $1", (time(12, tzinfo=ZoneInfo("UTC")),)) == (time(12, tzinfo=UTC),)


# -- timestamp -----------------------------------------------------------------------------------


@on_server
@given(value=st.datetimes(), style=st.sampled_from(STYLES), format=formats)
@example(value=datetime.min, style="Postgres, DMY", format=FORMATS[0])
@example(value=datetime.max, style="SQL, MDY", format=FORMATS[0])
@example(value=datetime(1999, 5, 6), style="Postgres, YMD", format=FORMATS[2])
def test_timestamp_round_trip(
    session: Bare, value: datetime, style: str, format: tuple[PyFormat, Format]
) -> None:
    session.command(f"set datestyle to '{style}'")
    query = "select $1, pg_typeof($1)::text, extract(doy from $1)::int"
    row = session.row(query, (value,), format=format[0], result=format[1])
    assert row == (value, "timestamp without time zone", value.timetuple().tm_yday)


@pytest.mark.parametrize("style", STYLES)
def test_every_month_in_every_style(bare: Bare, style: str) -> None:
    bare.command(f"set datestyle to '{style}'")
    values = [datetime(2021, month, 13 - month, 1, 2, 3, 456000) for month in range(1, 13)]
    texts = [f"'{value.isoformat()}'" for value in values]
    row = bare.row(f"select {', '.join(f'{text}::timestamp' for text in texts)}")
    assert list(row) == values
    row = bare.row(f"select {', '.join(f'{text}::date' for text in texts)}")
    assert list(row) == [value.date() for value in values]


def test_a_style_set_later_is_heeded(bare: Bare) -> None:
    for style in ("SQL, DMY", "SQL, MDY"):
        bare.command(f"set datestyle to '{style}'")
        assert bare.row("select '2020-02-03'::date, '2020-02-03'::timestamp") == (
            date(2020, 2, 3),
            datetime(2020, 2, 3),
        )


class Shifted(datetime):
    """One with an arithmetic of its own."""

    def __sub__(self, other: Any) -> Any:
        raise NotImplementedError

    def isoformat(self, *args: Any, **kwargs: Any) -> str:
        return "later"


class NotATime(datetime):
    """As some libraries have it: a datetime by class, with fields that are no numbers."""

    @property
    def year(self) -> Any:
        return float("nan")


@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize("zone", [None, UTC])
def test_subclasses_of_datetime(shared: Bare, format: PyFormat, zone: tzinfo | None) -> None:
    plain = datetime(2020, 2, 29, 12, tzinfo=zone)
    assert shared.row("select $1", (Shifted(2020, 2, 29, 12, tzinfo=zone),), format=format) == (
        plain,
    )
    with pytest.raises(DataError, match="NotATime that is no moment"):
        dumped(NotATime(2020, 2, 29, tzinfo=zone), format)


@pytest.mark.parametrize("format", PyFormat)
def test_a_dumper_without_zone_forgets_the_zone(bare: Bare, format: PyFormat) -> None:
    bare.adapters.register_dumper(datetime, DatetimeNoTzBinaryDumper)
    bare.adapters.register_dumper(datetime, DatetimeNoTzDumper)
    value = datetime(2020, 7, 1, 12, tzinfo=ZoneInfo("Europe/Rome"))
    assert bare.row("select $1", (value,), format=format) == (datetime(2020, 7, 1, 12),)


# -- timestamptz ---------------------------------------------------------------------------------


def test_the_zone_is_the_sessions(bare: Bare) -> None:
    for zone in ("Europe/Rome", "America/New_York"):
        bare.command(f"set timezone to '{zone}'")
        for result in Format:
            (got,) = bare.row("select '2020-07-01 12:00+00'::timestamptz", result=result)
            assert got == datetime(2020, 7, 1, 12, tzinfo=UTC)
            assert got.tzinfo is ZoneInfo(zone)
    bare.command("set timezone to 'UTC'")
    for result in Format:
        (got,) = bare.row("select '2020-07-01 12:00+00'::timestamptz", result=result)
        assert got.tzinfo is UTC


@on_server
@given(
    value=st.datetimes(timezones=st.sampled_from(ZONES[:-1]).map(ZoneInfo) | offsets),
    zone=st.sampled_from(ZONES),
    format=formats,
)
@example(value=datetime(1850, 1, 1, tzinfo=UTC), zone="Europe/Rome", format=FORMATS[0])
@example(value=datetime(1850, 1, 1, tzinfo=UTC), zone="Africa/Monrovia", format=FORMATS[1])
@example(
    value=datetime(1850, 1, 1, tzinfo=ZoneInfo("Europe/Rome")),
    zone="Asia/Kolkata",
    format=FORMATS[2],
)
def test_timestamptz_round_trip(
    session: Bare, value: datetime, zone: str, format: tuple[PyFormat, Format]
) -> None:
    try:
        instant = value.astimezone(UTC)
        instant.astimezone(timezone_named(zone.encode()))
    except OverflowError:
        assume(False)
    session.command(f"set datestyle to 'ISO'; set timezone to '{zone}'")
    query = "select $1, pg_typeof($1)::text"
    got, name = session.row(query, (value,), format=format[0], result=format[1])
    assert name == "timestamp with time zone"
    assert got.astimezone(UTC) == instant


@on_server
@given(
    seconds=st.integers(-62_000_000_000, 250_000_000_000)
    | st.integers(-5_000_000_000, 4_000_000_000),
    zone=st.sampled_from(ZONES[:-1]),
)
def test_the_clock_is_the_servers(session: Bare, seconds: int, zone: str) -> None:
    session.command(f"set datestyle to 'ISO'; set timezone to '{zone}'")
    query = f"select to_timestamp({seconds}), to_timestamp({seconds})::timestamp"
    shown = None
    for result in Format:
        try:
            moment, clock = session.row(query, result=result)
        except DataError:
            # The last hours of year 9999, or the first of year 1, in this zone or that.
            assert abs(seconds - 94_000_000_000) > 150_000_000_000
            continue
        offset = moment.utcoffset()
        # The server's zones and Python's may be of different issues; far apart they are not.
        if moment.replace(tzinfo=None) != clock:
            pytest.skip(f"another issue of the zone {zone}: {moment} is {clock} there")
        assert shown is None or (moment, offset) == shown
        shown = (moment, offset)


@pytest.mark.parametrize("result", Format)
def test_the_hour_that_comes_twice(bare: Bare, result: Format) -> None:
    bare.command("set timezone to 'Europe/Rome'")
    rome = ZoneInfo("Europe/Rome")
    for hour, fold in ((0, 0), (1, 1)):
        (got,) = bare.row(f"select '2020-10-25 0{hour}:30+00'::timestamptz", result=result)
        assert (got, got.fold) == (datetime(2020, 10, 25, 2, 30, tzinfo=rome, fold=fold), fold)
        for format in PyFormat:
            query = "select $1 at time zone 'UTC'"
            assert bare.row(query, (got,), format=format) == (datetime(2020, 10, 25, hour, 30),)


@pytest.mark.parametrize("result", Format)
def test_offsets_before_1900_have_seconds(bare: Bare, result: Format) -> None:
    bare.command("set timezone to 'Europe/Rome'")
    (got,) = bare.row("select '1850-06-01 12:00+00'::timestamptz", result=result)
    assert got == datetime(1850, 6, 1, 12, tzinfo=UTC)
    assert got.utcoffset() == timedelta(minutes=49, seconds=56)
    for format in PyFormat:
        assert bare.row("select $1", (got,), format=format, result=result) == (got,)


EDGES = [
    ("America/New_York", "9999-12-31 23:59:59.999999", datetime.max),
    ("Pacific/Honolulu", "9999-12-31 14:00:00", datetime(9999, 12, 31, 14)),
    ("Asia/Kolkata", "0001-01-01 00:00:00", datetime.min),
    ("Asia/Tokyo", "0001-01-01 09:18:59", datetime(1, 1, 1, 9, 18, 59)),
]


@pytest.mark.parametrize("result", Format)
@pytest.mark.parametrize(("zone", "text", "clock"), EDGES)
def test_the_first_and_last_day_in_zones_where_utc_is_beyond(
    bare: Bare, zone: str, text: str, clock: datetime, result: Format
) -> None:
    bare.command(f"set timezone to '{zone}'")
    (got,) = bare.row(f"select '{text}'::timestamptz", result=result)
    assert got.replace(tzinfo=None) == clock
    assert got.tzinfo is ZoneInfo(zone)
    for format in PyFormat:
        assert bare.row("select $1::text = $2::timestamptz::text", (got, text), format=format) == (
            True,
        )


@pytest.mark.parametrize("result", Format)
@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("Asia/Tokyo", "9999-12-31 23:00+00"),
        ("America/New_York", "0001-01-01 01:00+00"),
    ],
)
def test_instants_beyond_the_clock_of_the_zone(
    bare: Bare, zone: str, text: str, result: Format
) -> None:
    bare.command(f"set timezone to '{zone}'")
    with pytest.raises(DataError, match="got the timestamptz '.*', which Python has not"):
        bare.row(f"select '{text}'::timestamptz", result=result)


@pytest.mark.parametrize("style", [style for style in STYLES if not style.startswith("ISO")])
def test_other_styles_are_refused_with_the_remedy(bare: Bare, style: str) -> None:
    bare.command(f"set datestyle to '{style}'")
    with pytest.raises(NotSupportedError, match="set DateStyle to ISO"):
        bare.row("select now()")
    (got,) = bare.row("select '2020-01-01 00:00+00'::timestamptz", result=Format.BINARY)
    assert got == datetime(2020, 1, 1, tzinfo=UTC)


class NoOffset(tzinfo):
    def utcoffset(self, _moment: datetime | None) -> None:
        return None

    dst = utcoffset

    def tzname(self, _moment: datetime | None) -> str:
        return "nowhere"


@pytest.mark.parametrize("format", PyFormat)
def test_a_zone_without_offset_is_a_data_error(format: PyFormat) -> None:
    with pytest.raises(DataError, match="gives no offset"):
        dumped(datetime(2020, 1, 1, tzinfo=NoOffset()), format)


@pytest.mark.parametrize(
    ("value", "name"), [(time(12), "timetz"), (datetime(2020, 1, 1), "timestamptz")]
)
def test_no_zone_for_a_type_that_has_one_is_a_data_error(value: object, name: str) -> None:
    transformer = Transformer()
    transformer.set_dumper_types([types[name].oid], Format.BINARY)
    with pytest.raises(DataError, match=r"without a zone .* replace\(tzinfo"):
        transformer.dump_sequence([value], [])


@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize(
    "offset",
    [timedelta(hours=23), -timedelta(hours=16), timedelta(seconds=1, microseconds=500)],
)
def test_offsets_that_the_server_does_not_read(
    shared: Bare, format: PyFormat, offset: timedelta
) -> None:
    value = datetime(2020, 1, 1, tzinfo=timezone(offset))
    assert shared.row("select $1", (value,), format=format) == (value,)


def test_an_offset_that_the_server_does_not_read_at_the_edge() -> None:
    value = datetime.min.replace(tzinfo=timezone(timedelta(hours=23)))
    with pytest.raises(DataError, match="timestamptz"):
        DatetimeDumper(datetime).dump(value)
    assert DatetimeBinaryDumper(datetime).dump(value)


def test_classes_of_a_datetime_and_a_time_have_a_dumper_each() -> None:
    transformer = Transformer()
    for format in PyFormat:
        for value, type_oid in (
            (datetime(2020, 1, 1), _oids.TIMESTAMP_OID),
            (datetime(2020, 1, 1, tzinfo=UTC), _oids.TIMESTAMPTZ_OID),
            (time(12), _oids.TIME_OID),
            (time(12, tzinfo=UTC), _oids.TIMETZ_OID),
        ):
            dumper = transformer.get_dumper(value, format)
            assert dumper.oid == type_oid
            assert dumper is transformer.get_dumper(value, format)
            assert dumper.format == (Format.TEXT if format == PyFormat.TEXT else Format.BINARY)


# -- zones ---------------------------------------------------------------------------------------


def test_a_zone_that_python_has_not_is_utc_and_warned_of(
    bare: Bare, caplog: pytest.LogCaptureFixture
) -> None:
    timezone_named.cache_clear()
    bare.command("set timezone to 'FOO5BAR'")
    with caplog.at_level(logging.WARNING, logger="psycopg3"):
        for result in Format:
            (got,) = bare.row("select '2020-07-01 12:00+00'::timestamptz", result=result)
            assert got == datetime(2020, 7, 1, 12, tzinfo=UTC)
            assert got.tzinfo is UTC
    (record,) = caplog.records
    assert "'FOO5BAR'" in record.getMessage()


@pytest.mark.parametrize(
    ("setting", "offset"),
    [
        ("5.5", timedelta(hours=5, minutes=30)),
        ("-3", timedelta(hours=-3)),
        ("'+5'", timedelta(hours=5)),
        ("'UTC+3'", timedelta(hours=-3)),  # POSIX counts to the west
        ("'foo-2:30'", timedelta(hours=2, minutes=30)),
        ("'foo0'", timedelta(0)),
    ],
)
@pytest.mark.parametrize("result", Format)
def test_zones_that_are_an_offset(
    bare: Bare, setting: str, offset: timedelta, result: Format, caplog: pytest.LogCaptureFixture
) -> None:
    bare.command(f"set timezone to {setting}")
    (got,) = bare.row("select '2020-07-01 12:00+00'::timestamptz", result=result)
    assert (got, got.utcoffset()) == (datetime(2020, 7, 1, 12, tzinfo=UTC), offset)
    assert not caplog.records


@given(
    name=st.binary(max_size=30) | st.sampled_from([b"../../etc/passwd", b"/etc", b"Europe", b"."])
)
def test_any_name_of_a_zone_gives_a_zone(name: bytes) -> None:
    logging.disable()
    try:
        assert isinstance(timezone_named(name), tzinfo)
    finally:
        logging.disable(logging.NOTSET)


# -- interval ------------------------------------------------------------------------------------

INTERVAL_STYLES = ["postgres", "postgres_verbose", "sql_standard", "iso_8601"]


@on_server
@given(
    value=st.timedeltas(timedelta(-(2**31) // 1000), timedelta(2**31 // 1000)) | st.timedeltas(),
    style=st.sampled_from(INTERVAL_STYLES),
    format=st.sampled_from(PyFormat),
)
@example(value=timedelta(days=-1, microseconds=1), style="sql_standard", format=PyFormat.TEXT)
@example(value=timedelta(days=-1, seconds=86399), style="sql_standard", format=PyFormat.TEXT)
@example(value=timedelta.min, style="sql_standard", format=PyFormat.TEXT)
@example(value=timedelta.max, style="iso_8601", format=PyFormat.TEXT)
def test_interval_round_trip(session: Bare, value: timedelta, style: str, format: PyFormat) -> None:
    session.command(f"set intervalstyle to '{style}'")
    query = "select $1, pg_typeof($1)::text"
    assert session.row(query, (value,), format=format, result=Format.BINARY) == (value, "interval")
    session.command("set intervalstyle to 'postgres'")
    assert session.row("select $1", (value,), format=format) == (value,)


fields = st.integers(-5000, 5000)


@on_server
@given(years=fields, months=fields, days=fields, microseconds=st.integers(-(10**13), 10**13))
@example(years=0, months=-1, days=1, microseconds=-500_000)
@example(years=1, months=-13, days=0, microseconds=0)
def test_intervals_of_mixed_signs(
    session: Bare, years: int, months: int, days: int, microseconds: int
) -> None:
    session.command("set intervalstyle to 'postgres'")
    query = (
        f"select '{years} years {months} months {days} days'::interval"
        f" + {microseconds} * '1 microsecond'::interval"  # as a field PostgreSQL 14 takes 32 bits
    )
    text, binary = (session.row(query, result=result)[0] for result in Format)
    total = years * 12 + months
    sign = -1 if total < 0 else 1
    in_days = days + sign * (abs(total) // 12 * 365 + abs(total) % 12 * 30)
    assert text == binary == timedelta(in_days, 0, microseconds)


@pytest.mark.parametrize("style", INTERVAL_STYLES[1:])
def test_other_interval_styles_are_refused_with_the_remedy(bare: Bare, style: str) -> None:
    bare.command(f"set intervalstyle to '{style}'")
    with pytest.raises(NotSupportedError, match="set IntervalStyle to postgres"):
        bare.row("select '1 day'::interval")


@pytest.mark.parametrize("result", Format)
@pytest.mark.parametrize("value", ["178000000 years", "-178000000 years"])
def test_intervals_that_python_has_not(session: Bare, value: str, result: Format) -> None:
    session.command("set intervalstyle to 'postgres'")
    with pytest.raises(DataError, match="got the interval '.*', which Python has not"):
        session.row(f"select '{value}'::interval", result=result)


class Lasting(timedelta):
    """One that counts otherwise."""

    @property
    def days(self) -> int:
        return 17

    def __str__(self) -> str:
        return "long"


@pytest.mark.parametrize("format", PyFormat)
def test_subclasses_of_timedelta_are_their_total(shared: Bare, format: PyFormat) -> None:
    row = shared.row("select $1", (Lasting(days=-2, seconds=5),), format=format)
    assert row == (timedelta(days=-2, seconds=5),)


# -- literals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        date(2020, 2, 29),
        time(12, 30),
        time(12, 30, tzinfo=timezone(timedelta(hours=-3))),
        datetime(2020, 2, 29, 12, 30),
        datetime(2020, 2, 29, 12, 30, tzinfo=UTC),
        timedelta(days=-3, microseconds=1),
    ],
    ids=repr,
)
def test_literal(session: Bare, value: Any) -> None:
    session.command("set datestyle to 'ISO'; set intervalstyle to 'postgres'")
    assert session.row(f"select {session.literal(value)}") == (value,)


# -- broken values -------------------------------------------------------------------------------

LOADED = {
    _oids.DATE_OID: date,
    _oids.TIME_OID: time,
    _oids.TIMETZ_OID: time,
    _oids.TIMESTAMP_OID: datetime,
    _oids.TIMESTAMPTZ_OID: datetime,
    _oids.INTERVAL_OID: timedelta,
}

date_like = (
    st.binary(max_size=24)
    | st.text("0123456789+-.: BCinfy", max_size=30).map(str.encode)
    | st.from_regex(rb"-?\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?([+-]\d\d(:\d\d)?)?", fullmatch=True)
    | st.from_regex(rb"[+-]?\d+ (years?|mons?|days?) -?\d+:\d\d:\d\d", fullmatch=True)
)


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("oid", LOADED)
@settings(max_examples=300)
@given(data=date_like)
def test_any_bytes_are_a_value_or_a_data_error(oid: int, format: Format, data: bytes) -> None:
    try:
        value = loaded(oid, data, format)
    except DataError:
        pass
    else:
        assert isinstance(value, LOADED[oid])


VALUES: list[Any] = [
    date(2020, 2, 29),
    time(12, 30, 1, 5),
    time(12, 30, 1, 5, tzinfo=timezone(timedelta(hours=2, seconds=5))),
    datetime(2020, 2, 29, 12, 30, 1, 500),
    datetime(2020, 2, 29, 12, 30, 1, 500, tzinfo=UTC),
    timedelta(days=-3, seconds=5, microseconds=7),
]


@pytest.mark.parametrize("format", [PyFormat.TEXT, PyFormat.BINARY])
@pytest.mark.parametrize("value", VALUES, ids=repr)
@settings(max_examples=300)
@given(data=st.data())
def test_mutants_are_a_value_or_a_data_error(
    value: Any, format: PyFormat, data: st.DataObject
) -> None:
    transformer = Transformer()
    (whole,) = transformer.dump_sequence([value], [format])
    assert whole is not None
    assert transformer.types is not None
    mutant = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        mutant[data.draw(st.integers(0, len(mutant) - 1))] = data.draw(st.integers(0, 255))
    del mutant[data.draw(st.integers(1, len(mutant))) :]
    (oid,) = transformer.types
    try:
        got = loaded(oid, bytes(mutant), PyFormat.as_pq(format))
    except DataError:
        pass
    else:
        assert isinstance(got, LOADED[oid])


def test_styles_and_mutants() -> None:
    """Texts of one style are a value or a DataError in another."""
    texts = [
        b"17.12.1997", b"12/17/1997", b"12-17-1997", b"1997-12-17", b"17.12.1997 07:37:16.5",
        b"12/17/1997 07:37:16", b"Wed Dec 17 07:37:16 1997", b"Wed 17 Dec 07:37:16.25 1997",
        b"Wed 17 Dez 07:37:16 1997", b"Wed 17 Dec 07:37:16 11997", b"17.12.11997 07:37:16", b"",
    ]  # fmt: skip

    for style in STYLES:
        parsed = DateStyle.parse(style.encode())
        readable = 0
        for text in texts:
            for reader in (date_reader(parsed), timestamp_reader(parsed)):
                try:
                    value = reader(text.decode())
                except ValueError:
                    continue
                readable += 1
                assert (value.year, value.month, value.day) == (1997, 12, 17)
        assert readable


def test_timetz_dumper_wants_a_zone() -> None:
    with pytest.raises(DataError):
        TimeTzBinaryDumper(time).dump(time(12))
