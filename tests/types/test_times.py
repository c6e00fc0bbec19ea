"""Exact intervals, and dates that Python has not: raised, clamped or kept."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from psycopg3.adapt import Format, PyFormat, Transformer
from psycopg3.errors import DataError, ProgrammingError
from psycopg3.postgres import types
from psycopg3.types.interval import Interval
from psycopg3.types.outofrange import (
    OutOfRange,
    OutOfRangeDate,
    OutOfRangeTimestamp,
    OutOfRangeTimestamptz,
)
from psycopg3.types.times import register_times

if TYPE_CHECKING:
    from tests.types.conftest import Bare

on_server = settings(max_examples=100, deadline=None)
both = pytest.mark.parametrize("result", Format)

NEVER = ["infinity", "-infinity"]
FAR = [*NEVER, "0001-12-31 BC", "4713-01-01 BC", "10000-02-29", "294276-12-31"]
KINDS = {
    "date": OutOfRangeDate,
    "timestamp": OutOfRangeTimestamp,
    "timestamptz": OutOfRangeTimestamptz,
}


@both
@pytest.mark.parametrize("type", KINDS)
@pytest.mark.parametrize("value", FAR)
def test_objects(bare: Bare, type: str, value: str, result: Format) -> None:
    bare.command("set timezone to 'Asia/Kolkata'")
    register_times(bare, out_of_range="objects")
    literal = f"'{value}'::{type}"
    (got,) = bare.row(f"select {literal}", result=result)
    assert isinstance(got, KINDS[type])
    assert got.is_infinite is (value in NEVER)
    near = date(2020, 1, 1) if type == "date" else datetime(2020, 1, 1)
    assert (got < near) is (value.startswith("-") or value.endswith("BC"))
    assert (got > near) is not (got < near)
    assert hash(got) == hash(KINDS[type](got.value))
    for format in PyFormat:
        if format != PyFormat.BINARY:
            row = bare.row(
                f"select $1 = {literal}, pg_typeof($1) = '{type}'::regtype", (got,), format=format
            )
            assert row == (True, True)
    if type == "date":
        assert str(got) == value


@both
def test_both_formats_give_equal_objects(bare: Bare, result: Format) -> None:
    bare.command("set timezone to 'Asia/Kolkata'")
    register_times(bare, out_of_range="objects")
    query = "select '12345-06-07 08:09:10.111213+02'::timestamptz"
    assert str(bare.row(query, result=result)[0]) == "12345-06-07 06:09:10.111213+00"


@given(value=st.integers(-(2**31) + 1, 2**31 - 2) | st.integers(-(10**6), 10**6))
def test_dates_are_read_as_they_are_written(value: int) -> None:
    made = OutOfRangeDate(value)
    assert OutOfRangeDate.parse(str(made)) == made
    if -730_119 <= value <= 2_921_939:  # those that Python has
        assert str(made) == (date(2000, 1, 1) + timedelta(value)).isoformat()


@on_server
@given(value=st.integers(-211_813_488_000_000_000, 9_223_371_331_199_999_999))
def test_timestamps_are_the_servers(shared: Bare, value: int) -> None:
    made = OutOfRangeTimestamptz(value)
    (same,) = shared.row(
        "select $1::text::timestamptz = '2000-01-01 00:00+00'::timestamptz"
        " + $2 * interval '1 day' + $3 * interval '1 microsecond'",
        (str(made), *divmod(value, 86_400_000_000)),
    )
    assert same
    assert OutOfRangeTimestamptz.parse(str(made)) == made


def test_text_that_is_no_date() -> None:
    for text in "", "2020-1-1", "10000-01-01 BCE", "x infinite":
        with pytest.raises(DataError, match="expected one of DateStyle ISO"):
            OutOfRangeDate.parse(text)


def test_order() -> None:
    first, last = OutOfRangeTimestamp(-(2**63)), OutOfRangeTimestamp(2**63 - 1)
    assert first < datetime.min < datetime.max < last
    assert sorted([last, datetime.max, first]) == [first, datetime.max, last]
    assert first != OutOfRangeTimestamptz(-(2**63))
    with pytest.raises(TypeError):
        assert first < OutOfRangeDate(1)
    assert repr(last) == "<OutOfRangeTimestamp infinity>"
    assert not issubclass(OutOfRange, date)


@both
@pytest.mark.parametrize("value", FAR)
def test_clamp(bare: Bare, value: str, result: Format) -> None:
    register_times(bare, out_of_range="clamp")
    which = 0 if value.startswith("-") or value.endswith("BC") else 1
    query = f"select '{value}'::date, '{value}'::timestamp, '{value}'::timestamptz"
    assert bare.row(query, result=result) == (
        (date.min, date.max)[which],
        (datetime.min, datetime.max)[which],
        (datetime.min, datetime.max)[which].replace(tzinfo=bare.row("select now()")[0].tzinfo),
    )


@both
def test_clamp_the_end_of_the_day(bare: Bare, result: Format) -> None:
    register_times(bare, out_of_range="clamp")
    zone = timezone(timedelta(hours=5, minutes=30))
    row = bare.row("select '24:00'::time, '24:00+05:30'::timetz", result=result)
    assert row == (time.max, time.max.replace(tzinfo=zone))


@both
def test_clamp_no_nonsense(bare: Bare, result: Format) -> None:
    register_times(bare, out_of_range="clamp")
    loader: Any = bare.transformer.adapters.get_loader(1082, result)
    with pytest.raises(Exception, match=r"unpack requires|got 'x'"):
        loader(1082, bare).load(b"x")


# -- intervals -----------------------------------------------------------------------------------

parts = st.tuples(
    st.integers(-(2**31) + 1, 2**31 - 2),
    st.integers(-(2**31) + 1, 2**31 - 2),
    st.integers(-(2**62), 2**62),
)


@pytest.fixture(scope="module")
def exact(shared: Bare, dsn: str) -> Any:
    bare = type(shared)(dsn)
    register_times(bare, exact_intervals=True)
    yield bare
    bare.pgconn.finish()


@on_server
@given(
    value=parts,
    format=st.sampled_from(PyFormat),
    result=st.sampled_from(Format),
    style=st.sampled_from(["postgres", "sql_standard", "iso_8601", "postgres_verbose"]),
)
@example((0, 0, 0), PyFormat.TEXT, Format.TEXT, "postgres")
@example((-14, 3, -1), PyFormat.TEXT, Format.TEXT, "postgres")
@example((-14, 3, 1), PyFormat.TEXT, Format.BINARY, "sql_standard")
def test_intervals_round_trip(
    exact: Bare, value: tuple[int, int, int], format: PyFormat, result: Format, style: str
) -> None:
    exact.command(f"set intervalstyle to {style}")
    if style != "postgres":
        result = Format.BINARY
    interval = Interval(*value)
    assert exact.row("select $1", (interval,), format=format, result=result) == (interval,)


@both
def test_intervals_keep_their_months(bare: Bare, result: Format) -> None:
    query = "select '1 year 2 mons -3 days 04:05:06.7'::interval, '{1 mon}'::interval[]"
    assert bare.row(query, result=result) == (
        timedelta(365 + 60 - 3, 4 * 3600 + 5 * 60 + 6.7),
        [timedelta(30)],
    )
    register_times(bare, exact_intervals=True)
    first, second = bare.row(query, result=result)
    assert first == Interval(14, -3, 14_706_700_000)
    assert second == [Interval(1)]
    assert str(first) == "+1 years +2 mons -3 days +04:05:06.700000"
    assert Interval.of(timedelta(-1, 1)) == Interval(0, -1, 1_000_000)


LONGEST = "178000000 years"


@both
@pytest.mark.parametrize("sign", [1, -1])
def test_intervals_out_of_range(bare: Bare, sign: int, result: Format) -> None:
    query = f"select {sign} * interval '{LONGEST}'"
    with pytest.raises(DataError, match=f"got the interval '.?{LONGEST}', which Python has not"):
        bare.row(query, result=result)
    register_times(bare, out_of_range="clamp")
    assert bare.row(query, result=result) == ((timedelta.max if sign > 0 else timedelta.min),)
    register_times(bare, out_of_range="objects")
    assert bare.row(query, result=result) == (Interval(sign * 12 * 178_000_000),)
    assert bare.row("select interval '1 mon'", result=result) == (timedelta(30),)


@both
@pytest.mark.parametrize("value", NEVER)
def test_infinite_intervals(bare: Bare, value: str, result: Format) -> None:
    sign = -1 if value.startswith("-") else 1
    if bare.pgconn.server_version < 170000:
        # What infinity is sent as is an ordinary interval there.
        assert str(Interval.infinity(sign)) == value
        return
    query = f"select '{value}'::interval"
    with pytest.raises(DataError, match=f"got the interval '{value}', which Python has not"):
        bare.row(query, result=result)
    register_times(bare, out_of_range="objects")
    (got,) = bare.row(query, result=result)
    assert got == Interval.infinity(sign)
    assert got.is_infinite
    assert bare.row(f"select $1 = '{value}'", (got,)) == (True,)


# -- zones ---------------------------------------------------------------------------------------


@both
def test_utc(bare: Bare, result: Format) -> None:
    bare.command("set timezone to 'Europe/Berlin'")
    query = "select '2020-10-25 00:30+00'::timestamptz, '2020-10-25 01:30+00'::timestamptz"
    first, second = bare.row(query, result=result)
    assert first == second  # Python compares the clocks, which show the same
    register_times(bare, utc=True)
    first, second = bare.row(query, result=result)
    assert (first.tzinfo, second - first) == (UTC, timedelta(hours=1))


def test_the_policy_is_one_of_three(bare: Bare) -> None:
    with pytest.raises(ProgrammingError, match="'raise', 'clamp', 'objects'"):
        register_times(bare, out_of_range="ignore")


@both
def test_what_isnt_given_is_as_by_default(bare: Bare, result: Format) -> None:
    register_times(bare, exact_intervals=True, utc=True, out_of_range="clamp")
    register_times(bare)
    assert bare.row("select interval '1 mon'", result=result) == (timedelta(30),)
    with pytest.raises(DataError):
        bare.row("select 'infinity'::date", result=result)


@pytest.mark.parametrize("format", Format)
def test_where_a_type_is_given_both_classes_are_written(bare: Bare, format: Format) -> None:
    """As in a COPY: Python's values, and those that it has not."""
    east = timezone(timedelta(hours=5))
    values: dict[str, list[Any]] = {
        "interval": [timedelta(-1, 5, 7), Interval(1, -2, 3), timedelta(days=400)],
        "date": [date(2020, 1, 2), OutOfRangeDate.parse("0044-03-15 BC")],
        "timestamp": [datetime(2020, 1, 2, 3), OutOfRangeTimestamp.parse("infinity")],
        "timestamptz": [
            datetime(2020, 1, 2, 3, tzinfo=east),
            OutOfRangeTimestamptz.parse("20000-01-01 00:00:00+00"),
        ],
    }
    bare.command("set intervalstyle to sql_standard")
    for name, objects in values.items():
        transformer = Transformer(bare)
        oids = [types[name].oid] * len(objects)
        transformer.set_dumper_types(oids, format)
        written = transformer.dump_sequence(objects, [])
        marks = [f"${i + 1} = (${i + len(objects) + 1})::{name}" for i in range(len(objects))]
        shown = [
            f"{obj.days} days +{obj.seconds}.{obj.microseconds:06} sec".encode()
            if isinstance(obj, timedelta)
            else str(obj).encode()
            for obj in objects
        ]
        got = bare.pgconn.exec_params(
            f"select {', '.join(marks)}".encode(),
            [*written, *shown],
            [*oids, *[0] * len(objects)],
            [format] * len(objects) + [Format.TEXT] * len(objects),
        )
        found = [got.get_value(0, col) for col in range(got.nfields)]
        assert found == [b"t"] * len(objects), (name, got.get_error_message())


@pytest.mark.parametrize("format", PyFormat)
def test_out_of_range_objects_are_sent_in_each_format(bare: Bare, format: PyFormat) -> None:
    sent = [
        OutOfRangeDate.parse("5874897-12-31"),
        OutOfRangeTimestamp.parse("-infinity"),
        OutOfRangeTimestamptz.parse("0044-03-15 00:00:00+00 BC"),
    ]
    bare.command("set timezone to UTC")
    query = "select pg_typeof($1)::text, $1::text, pg_typeof($2)::text, $2::text, $3::text"
    row = bare.row(query, tuple(sent), format=format)
    assert row[0::2][:2] == ("date", "timestamp without time zone")
    assert (row[1], row[3], row[4]) == ("5874897-12-31", "-infinity", "0044-03-15 00:00:00+00 BC")
