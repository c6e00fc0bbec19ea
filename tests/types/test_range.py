"""Ranges through a real server: of each type, in arrays, of one's own; and what broken ones do."""

from __future__ import annotations

import copy
import pickle
import struct
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, get_type_hints

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import psycopg3
from psycopg3 import _oids
from psycopg3.adapt import AdaptersMap, Format, PyFormat, Transformer
from psycopg3.errors import DataError, InterfaceError
from psycopg3.postgres import adapters
from psycopg3.types import TypeInfo
from psycopg3.types.numeric import Int8
from psycopg3.types.range import (
    DateRange,
    Int4Range,
    Int8Range,
    NumericRange,
    Range,
    RangeInfo,
    TimestampRange,
    TimestamptzRange,
    register_range,
)
from tests.types.conftest import Types

COMMANDS = [
    "create type textrange as range (subtype = text)",
    "create type floatrange as range (subtype = float8)",
    "create domain small as int check (value < 100)",
    "create type smallrange as range (subtype = small)",
    "create type arrayrange as range (subtype = int4[])",
]


@pytest.fixture(scope="module")
def types(dsn: str) -> Iterator[Types]:
    types = Types(dsn, *COMMANDS)
    for name in ("textrange", "floatrange", "arrayrange"):
        info = RangeInfo.fetch(types.conn, name)
        assert info is not None
        register_range(info, types.conn)
    yield types
    types.conn.close()


# -- the class -----------------------------------------------------------------------------------


def test_attributes() -> None:
    ranges = [Range(1, 5, "[]"), Range(None, 5, "[]"), Range(1), Range(), Range(1, 2, empty=True)]
    assert [(r.lower, r.upper, r.bounds, r.isempty) for r in ranges] == [
        (1, 5, "[]", False),
        (None, 5, "(]", False),
        (1, None, "[)", False),
        (None, None, "()", False),
        (None, None, "", True),
    ]
    assert [(r.lower_inc, r.upper_inc, r.lower_inf, r.upper_inf) for r in ranges] == [
        (True, True, False, False),
        (False, True, True, False),
        (True, False, False, True),
        (False, False, True, True),
        (False, False, False, False),
    ]
    assert [bool(r) for r in ranges] == [True] * 4 + [False]


def test_bounds_are_checked() -> None:
    for bounds in ("", "[", "[[", "[)]", "{}"):
        with pytest.raises(ValueError, match="expected one of"):
            Range(1, 2, bounds)


def test_a_range_never_changes() -> None:
    value: Any = Range(1, 2)
    with pytest.raises(AttributeError):
        value.lower = 3
    with pytest.raises(AttributeError):
        value.other = 3


@pytest.mark.parametrize(
    ("value", "inside", "outside"),
    [
        (Range(1, 5), [1, 4], [0, 5]),
        (Range(1, 5, "(]"), [2, 5], [1, 6]),
        (Range(None, 5), [-(10**9), 4], [5]),
        (Range(1, None, "[]"), [1, 10**9], [0]),
        (Range(), [0], []),
        (Range(empty=True), [], [0, None]),
    ],
)
def test_contains(value: Range[int], inside: list[int], outside: list[int]) -> None:
    assert all(item in value for item in inside)
    assert not any(item in value for item in outside)


def test_equality_is_of_what_was_given() -> None:
    assert Range(1, 5) == Int4Range(1, 5) != Range(1, 5, "[]")
    assert hash(Range(1, 5)) == hash(Int4Range(1, 5))
    assert Range(1, 3, "[]") != Range(1, 4)
    assert Range(empty=True) == Range(3, 4, empty=True) != Range()
    assert Range(1, 5) != (1, 5)


def test_order() -> None:
    ranges = [
        Range(empty=True),
        Range(),
        Range(None, 2),
        Range(1, None),
        Range(1, 2, "()"),
        Range(1, 2, "(]"),
        Range(1, 2),
        Range(1, 2, "[]"),
        Range(2, 1),
    ]
    assert sorted([*ranges[4:], *ranges[:4]]) == ranges
    assert ranges[1] < ranges[2] <= ranges[2] < ranges[3]
    assert ranges[3] > ranges[2] >= ranges[2] > ranges[0]
    other: Any = 5
    for compare in (Range.__lt__, Range.__le__, Range.__gt__, Range.__ge__):
        assert compare(ranges[0], other) is NotImplemented


def test_shown() -> None:
    assert repr(Range(1, None, "[]")) == "Range(1, None, '[)')"
    assert repr(DateRange(empty=True)) == "DateRange(empty=True)"
    assert [str(r) for r in (Range(1, 5), Range(None, 5), Range("a", "b", "[]"))] == [
        "[1, 5)",
        "(None, 5)",
        "[a, b]",
    ]
    assert str(Range(empty=True)) == "empty"


def test_copies() -> None:
    for value in (Int4Range(1, 5), Range(empty=True), Range(date(2020, 1, 1))):
        for made in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
            assert made == value
            assert type(made) is type(value)
    assert Range[int](1, 2) == Range(1, 2)


# -- round trips ---------------------------------------------------------------------------------

TYPED: list[tuple[type[Range[Any]], str, st.SearchStrategy[Any]]] = [
    (Int4Range, "int4range", st.integers(-(2**31), 2**31 - 2)),
    (Int8Range, "int8range", st.integers(-(2**63), 2**63 - 2)),
    (NumericRange, "numrange", st.decimals(-(10**9), 10**9, places=3)),
    (DateRange, "daterange", st.dates(max_value=date(9999, 12, 30))),
    (TimestampRange, "tsrange", st.datetimes()),
    (
        TimestamptzRange,
        "tstzrange",
        st.datetimes(datetime(2, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC)),
    ),
]
bounds = st.sampled_from(["[)", "[]", "(]", "()"])


def ranges_of(
    values: st.SearchStrategy[Any], cls: type[Range[Any]] = Range
) -> st.SearchStrategy[Range[Any]]:
    pairs = st.tuples(values, values).map(sorted)
    made = st.tuples(pairs, bounds, st.sampled_from([(0, 0), (0, 1), (1, 0), (1, 1)])).map(
        lambda drawn: cls(
            None if drawn[2][0] else drawn[0][0], None if drawn[2][1] else drawn[0][1], drawn[1]
        )
    )
    return made | st.just(cls(empty=True))


def normal(value: Range[Any], name: str) -> Range[Any]:
    """What the server makes of a range."""
    lower, upper, which = value.lower, value.upper, value.bounds
    if value and name in ("int4range", "int8range", "daterange"):
        one: Any = date(2, 1, 2) - date(2, 1, 1) if name == "daterange" else 1
        if lower is not None and which[0] == "(":
            lower = lower + one
        if upper is not None and which[1] == "]":
            upper = upper + one
        which = ("(" if lower is None else "[") + ")"
    if not value or lower is None or upper is None:
        return Range(lower, upper, which or "[)", not value)
    is_empty = lower > upper or (lower == upper and which != "[]")
    return Range(lower, upper, which, is_empty)


@pytest.mark.parametrize(("cls", "name", "values"), TYPED, ids=[name for _, name, _ in TYPED])
@settings(max_examples=60)
@given(data=st.data())
def test_round_trip(
    types: Types, cls: type[Range[Any]], name: str, values: Any, data: st.DataObject
) -> None:
    value = data.draw(ranges_of(values, cls))
    plain = Range(value.lower, value.upper, value.bounds or "[)", not value)
    expected = normal(value, name)
    for item in (value, plain):
        assert [*types.sent(item, name)] == [expected] * 6
    assert [*types.sent([value, None, value], f"{name}[]")] == [[expected, None, expected]] * 6
    (text,) = types.row(f"select %s::{name}::text", [value])
    assert types.both(f"'{text}'::{name}") == expected


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
awkward = st.sampled_from(
    ["", "NULL", "empty", " ", "a b", "[", "]", "(", ")", ",", '"', '""', "\\", '\\"', "{", "\n"]
)


@settings(max_examples=150)
@given(value=ranges_of(texts | awkward))
@example(value=Range("", None))
@example(value=Range('"', "\\", "[]"))
def test_round_trip_of_texts(types: Types, value: Range[str]) -> None:
    # The server compares by its collation: let it say which is less.
    if value.lower is not None and value.upper is not None:
        query = "select %s::text > %s::text"
        if types.row(query, [value.lower, value.upper]) == (True,):
            value = Range(value.upper, value.lower, value.bounds)
        elif value.lower == value.upper and value.bounds != "[]":
            value = Range(value.lower, value.upper, "[]")
    assert [*types.sent(value, "textrange")] == [value] * 6
    assert [*types.sent([value, None], "textrange[]")] == [[value, None]] * 6


@pytest.mark.parametrize("encoding", ["latin1", "sjis", "gb18030", "big5", "sql_ascii"])
def test_encodings(dsn: str, encoding: str) -> None:
    types = Types(dsn, "create type textrange as range (subtype = text)")
    info = RangeInfo.fetch(types.conn, "textrange")
    assert info is not None
    register_range(info, types.conn)
    types.conn.execute(f"set client_encoding to {encoding}".encode())
    # In SJIS the second byte of U+8868 is a backslash.
    text = {"latin1": "é,", "sql_ascii": "é,"}.get(encoding, "表,")
    value: Range[Any] = Range(text, text + '"]', "[]")
    if encoding == "sql_ascii":
        expected: Range[Any] = Range(text.encode(), (text + '"]').encode(), "[]")
    else:
        expected = value
    assert [*types.sent(value, "textrange")] == [expected] * 6
    assert [*types.sent([value], "textrange[]")] == [[expected]] * 6
    types.conn.close()


@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Range(Decimal(1), 2), "numrange"),
        (Range(None, date(2020, 1, 1)), "daterange"),
        (Range(datetime(2020, 1, 1)), "tsrange"),
        (Range(datetime(2020, 1, 1, tzinfo=UTC)), "tstzrange"),
        (Range(Int8(1), 5), "int8range"),
        (Range("a", "b"), "textrange"),
        (Range(1.5, 2.5), "floatrange"),
        (Range([1, 2], [3, 4]), "arrayrange"),
        *((cls(empty=True), name) for cls, name, _ in TYPED),
    ],
)
def test_the_type_is_that_of_the_bounds(
    types: Types, value: Range[Any], name: str, format: PyFormat
) -> None:
    query = f"select pg_typeof(%{format.value})::text"
    assert types.row(query, [value]) == (name,)
    assert types.row(query, [[value, None]]) == (f"{name}[]",)
    # What has no bounds takes the type of those that have.
    assert types.row(query, [[type(value)(), value]]) == (f"{name}[]",)


@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize("name", ["int4range", "int8range", "numrange", "floatrange"])
def test_ints_go_into_every_range_of_numbers(types: Types, name: str, format: PyFormat) -> None:
    types.conn.execute(f"create temp table taking (r {name}, rs {name}[])".encode())
    try:
        place = f"%{format.value}"
        types.conn.execute(
            f"insert into taking values ({place}, {place})".encode(), [Range(1, 3), [Range(1, 3)]]
        )
        query = f"select r, rs from taking where r @> {place} and rs[1] = {place}"
        assert types.row(query, [Range(1, 2), Range(1, 3)]) == (Range(1, 3), [Range(1, 3)])
    finally:
        types.conn.execute("drop table taking")


@pytest.mark.parametrize("format", PyFormat)
def test_what_is_no_bound_of_the_type(types: Types, format: PyFormat) -> None:
    for value in (Int4Range(2**31), Int4Range(1, 2**40), DateRange(1, 2), Int4Range("x", "y")):
        with pytest.raises(DataError):
            types.row(f"select %{format.value}", [value])
    assert types.row("select 1") == (1,)


def test_numeric_ranges_take_numbers_of_each_kind(types: Types) -> None:
    value = NumericRange(1, 2.5)  # type: ignore[arg-type]
    assert [*types.sent(value, "numrange")] == [Range(Decimal(1), Decimal("2.5"))] * 6


def test_ranges_in_themselves_are_a_data_error(types: Types) -> None:
    endless: list[Any] = []
    endless.append(Range(endless, None))
    for format in PyFormat:
        with pytest.raises(DataError, match="in themselves"):
            types.row(f"select %{format.value}", [endless])
    deep: Any = 1
    for _ in range(200):
        deep = Range(deep, None)
    with pytest.raises(DataError, match="nested deeper"):
        types.row("select %s", [deep])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'[1,5]'::int4range", Range(1, 6)),
        ("'(1.5,]'::numrange", Range(Decimal("1.5"), None, "()")),
        ("'[,)'::textrange", Range()),
        ("'[,\"\"]'::textrange", Range(None, "", "(]")),
        ("'[\"a \",b\\,c]'::textrange", Range("a ", "b,c", "[]")),
        ("'empty'::tsrange", Range(empty=True)),
        ("array['[1,2)', null, 'empty']::int8range[]", [Range(1, 2), None, Range(empty=True)]),
        ("'[0:0]={\"[1,2)\"}'::int8range[]", [Range(1, 2)]),
        ('\'["{1,2}","{3}"]\'::arrayrange', Range([1, 2], [3], "[]")),
        ("'(-infinity,infinity)'::floatrange", Range(float("-inf"), float("inf"), "()")),
    ],
)
def test_loaded(types: Types, expression: str, expected: object) -> None:
    assert types.both(expression) == expected


@pytest.mark.parametrize("binary", [True, False])
def test_bounds_that_are_no_values_are_named(types: Types, binary: bool) -> None:
    with pytest.raises(DataError, match="infinity|date"):
        types.row("select '[2020-01-01,infinity]'::daterange", binary=binary)


def test_literals(types: Types) -> None:
    cases = {
        "'[1,5)'": Range(1, 5),
        "'[1,5)'::int4range": Int4Range(1, 5),
        "'[2020-01-01,)'::daterange": Range(date(2020, 1, 1)),
    }
    transformer = Transformer(types.conn)
    assert {transformer.as_literal(value).decode(): value for value in cases.values()} == cases


# -- types of one's own --------------------------------------------------------------------------


def test_info(types: Types) -> None:
    info = RangeInfo.fetch(types.conn, "textrange")
    assert info is not None
    assert (info.name, info.regtype, info.subtype_oid) == ("textrange", "textrange", 25)
    assert types.conn.adapters.types.get_by_subtype(RangeInfo, "text") is not None
    assert adapters.types.get_by_subtype(RangeInfo, "text") is None
    found = adapters.types.get_by_subtype(RangeInfo, "int4")
    assert found is not None
    assert found.oid == _oids.INT4RANGE_OID
    assert adapters.types.get_by_subtype(RangeInfo, "int4[]") is None
    assert RangeInfo.fetch(types.conn, "int4") is None
    assert RangeInfo.fetch(types.conn, "no_such_type") is None
    assert get_type_hints(RangeInfo.__init__)["subtype_oid"] is int


def test_register_none() -> None:
    nothing: Any = None
    with pytest.raises(TypeError, match="of that name"):
        register_range(nothing)


@pytest.mark.anyio
async def test_fetch_async(dsn: str) -> None:
    async with await psycopg3.AsyncConnection.connect(dsn) as conn:
        await conn.execute("create type pg_temp.own as range (subtype = text)")
        info = await RangeInfo.fetch(conn, "pg_temp.own")
        assert info is not None
        register_range(info, conn)
        cur = await conn.execute("select %b", [Range("a", "b")])
        assert await cur.fetchone() == (Range("a", "b"),)
        await conn.rollback()


def test_a_range_of_a_domain(types: Types) -> None:
    own = psycopg3.adapt.AdaptersMap(types.conn.adapters)
    try:
        info = RangeInfo.fetch(types.conn, "smallrange")
        assert info is not None
        register_range(info, types.conn)
        assert types.both("'[1,5]'::smallrange") == Range(1, 5, "[]")
        assert [*types.sent(Range(1, 5), "smallrange")] == [Range(1, 5)] * 6
    finally:
        types.conn._adapters = own


def test_an_unknown_range_is_an_interface_error() -> None:
    own = AdaptersMap(adapters)
    loader = own.get_loader(_oids.INT4RANGE_OID, Format.TEXT)
    assert loader is not None
    own.register_loader(99_999, loader)
    with pytest.raises(InterfaceError, match="register its RangeInfo"):
        Transformer(own).get_loader(99_999, Format.TEXT)


def test_a_range_known_by_a_plain_info_is_loaded_all_the_same(types: Types) -> None:
    own = AdaptersMap(adapters)
    TypeInfo("int4range", _oids.INT4RANGE_OID, 3905).register(own)
    loader = Transformer(own).get_loader(_oids.INT4RANGE_OID, Format.TEXT)
    assert loader.load(b"[1,2)") == Range(1, 2)


def test_a_range_of_itself_is_a_data_error() -> None:
    own = AdaptersMap(adapters)
    register_range(RangeInfo("mad", 99_999, 0, subtype_oid=99_999), own)
    with pytest.raises(DataError, match="in themselves"):
        Transformer(own).get_loader(99_999, Format.TEXT)


# -- what is broken ------------------------------------------------------------------------------


def loaded(data: bytes, format: Format, oid: int = _oids.INT4RANGE_OID) -> Any:
    transformer = Transformer()
    transformer.set_loader_types([oid], format)
    return transformer.load_sequence([data])[0]


ONE = struct.pack("!ii", 4, 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01\0",
        b"\x82" + ONE + ONE,
        b"\x02",
        b"\x02" + ONE,
        b"\x02" + ONE + ONE[:-1],
        b"\x02" + ONE + ONE + b"\0",
        b"\x18" + ONE,
        b"\x02\xff\xff\xff\xff" + ONE,
        b"\x02\xff\xff\xff\xfe" + ONE,
        b"\x02\x7f\xff\xff\xff" + ONE,
        b"\x02\0\0\0\x03\0\0\1" + ONE,
    ],
)
def test_broken_binary(data: bytes) -> None:
    with pytest.raises(DataError, match=r"is no value of type int4range \(oid 3904\)"):
        loaded(data, Format.BINARY)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"[", b"[1", b"[1,", b"[1,2", b"1,2)", b"[1,2)x", b"[1,2,3)", b"emptyx", b"\xff"),
        *(b'["1,2)', b'["1"x,2)', b"[x,2)", b"[1;2)", b"{1,2}", b"[[1,2)", b"[1\\", b'[1,"\\'),
    ],
)
def test_broken_text(data: bytes) -> None:
    with pytest.raises(DataError, match=r"is no value of type int4range \(oid 3904\)"):
        loaded(data, Format.TEXT)


@settings(max_examples=300)
@given(
    data=st.binary(max_size=30)
    | st.text('[]()",\\1 empty', max_size=12).map(str.encode)
    | st.tuples(st.integers(0, 31), st.binary(max_size=20)).map(lambda t: bytes((t[0],)) + t[1]),
    format=st.sampled_from(Format),
    oid=st.sampled_from([oid for _, oid, *_ in _oids.RANGES]),
)
def test_any_bytes_are_a_value_or_a_data_error(data: bytes, format: Format, oid: int) -> None:
    try:
        value = loaded(data, format, oid)
    except DataError as ex:
        assert "range" in str(ex) or "for a " in str(ex)
    else:
        assert isinstance(value, Range)
