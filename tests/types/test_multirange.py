"""Multiranges through a real server: of each type, in arrays, of one's own; and broken ones."""

from __future__ import annotations

import copy
import pickle
import struct
from collections.abc import Iterator, MutableSequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import psycopg3
from psycopg3 import _oids
from psycopg3.adapt import AdaptersMap, Format, PyFormat, Transformer
from psycopg3.errors import DataError
from psycopg3.postgres import adapters
from psycopg3.types.multirange import (
    DateMultirange,
    Int4Multirange,
    Int8Multirange,
    Multirange,
    MultirangeInfo,
    NumericMultirange,
    TimestampMultirange,
    TimestamptzMultirange,
    register_multirange,
)
from psycopg3.types.range import Int4Range, Range
from tests.types.conftest import Types
from tests.types.test_range import TYPED as RANGES
from tests.types.test_range import awkward, normal, ranges_of, texts

COMMANDS = [
    'create type textrange as range (subtype = text, collation = "C")',
    'create type strange as range (subtype = text, multirange_type_name = "Odd M")',
    "create type floatrange as range (subtype = float8)",
]


@pytest.fixture(scope="module")
def types(dsn: str) -> Iterator[Types]:
    types = Types(dsn, *COMMANDS)
    for name in ("textmultirange", "floatmultirange"):
        info = MultirangeInfo.fetch(types.conn, name)
        assert info is not None
        register_multirange(info, types.conn)
    yield types
    types.conn.close()


# -- the class -----------------------------------------------------------------------------------


def test_a_multirange_is_a_list_of_ranges() -> None:
    one, two, three = Range(1, 2), Range(3, 4), Range(5, 6)
    value = Multirange([one])
    assert isinstance(value, MutableSequence)
    value.append(three)
    value.insert(1, two)
    assert (len(value), value[1], value[-1], list(value)) == (3, two, three, [one, two, three])
    assert value[1:] == Multirange([two, three])
    assert type(Int4Multirange([one])[:]) is Int4Multirange
    value[0] = three
    value[1:] = (one,)
    assert value == Multirange([three, one])
    del value[0]
    value += [two]
    assert one in value
    assert 1 not in value
    assert bool(value)
    assert not Multirange()


@pytest.mark.parametrize("wrong", [1, None, (1, 2), "[1,2)", [Range(1, 2)]])
def test_items_are_ranges(wrong: Any) -> None:
    value: Any = Multirange([Range(1, 2)])
    with pytest.raises(TypeError, match="expected a Range"):
        Multirange([wrong])
    for change in (value.append, lambda item: value.insert(0, item), value.extend):
        with pytest.raises(TypeError):
            change([wrong] if change == value.extend else wrong)
    with pytest.raises(TypeError):
        value[0] = wrong
    with pytest.raises(TypeError):
        value[:] = [wrong]
    assert value == Multirange([Range(1, 2)])


def test_comparisons() -> None:
    one, two = Multirange([Range(1, 2)]), Multirange([Range(1, 2), Range(3, 4)])
    assert one == Int4Multirange([Int4Range(1, 2)]) != two
    assert one != [Range(1, 2)]
    assert Multirange() < one <= one < two
    assert two > one >= one > Multirange()
    other: Any = [Range(1, 2)]
    for compare in ("__lt__", "__le__", "__gt__", "__ge__", "__eq__"):
        assert getattr(one, compare)(other) is NotImplemented
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_shown_and_copied() -> None:
    value = Int4Multirange([Range(1, 2), Range(3)])
    assert repr(value) == "Int4Multirange([Range(1, 2, '[)'), Range(3, None, '[)')])"
    assert (str(value), str(Multirange())) == ("{[1, 2), [3, None)}", "{}")
    for made in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):
        assert made == value
        assert type(made) is Int4Multirange


# -- round trips ---------------------------------------------------------------------------------

CLASSES: list[type[Multirange[Any]]] = [
    *(Int4Multirange, Int8Multirange, NumericMultirange),
    *(DateMultirange, TimestampMultirange, TimestamptzMultirange),
]
TYPED = [
    (cls, name.replace("range", "multirange"), values)
    for cls, (_, name, values) in zip(CLASSES, RANGES, strict=True)
]


@pytest.mark.parametrize(("cls", "name", "values"), TYPED, ids=[name for _, name, _ in TYPED])
@settings(max_examples=30)
@given(data=st.data())
def test_round_trip(
    types: Types, cls: type[Multirange[Any]], name: str, values: Any, data: st.DataObject
) -> None:
    value = cls(data.draw(st.lists(ranges_of(values), max_size=4)))
    (text,) = types.row(f"select %s::{name}::text", [value])
    expected = types.both(f"'{text}'::{name}")
    assert isinstance(expected, Multirange)
    range_name = name.replace("multi", "")
    assert all(normal(item, range_name) == item for item in expected)
    for item in (value, Multirange(value)):
        assert [*types.sent(item, name)] == [expected] * 6
    assert [*types.sent([value, None], f"{name}[]")] == [[expected, None]] * 6
    for lone in value:
        assert types.row(f"select %s::{name} @> %s::{range_name}", [value, lone]) == (True,)


@settings(max_examples=60)
@given(data=st.data())
def test_round_trip_of_texts(types: Types, data: st.DataObject) -> None:
    bounds = data.draw(st.lists(texts | awkward, unique=True, max_size=8).map(sorted))
    pairs = zip(bounds[::2], bounds[1::2], strict=False)
    value = Multirange([Range(*pair) for pair in pairs])
    # Python orders by code points, as UTF-8 does by bytes.
    assert [*types.sent(value, "textmultirange")] == [value] * 6
    assert [*types.sent([value, None], "textmultirange[]")] == [[value, None]] * 6


@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Multirange([Range(Decimal(1), 2)]), "nummultirange"),
        (Multirange([Range(), Range(None, date(2020, 1, 1))]), "datemultirange"),
        (Multirange([Range(datetime(2020, 1, 1))]), "tsmultirange"),
        (Multirange([Range(datetime(2020, 1, 1, tzinfo=UTC))]), "tstzmultirange"),
        (Multirange([Int4Range(1, 5)]), "int4multirange"),
        (Multirange([Range("a", "b")]), "textmultirange"),
        *((cls(), name) for cls, name, _ in TYPED),
    ],
)
def test_the_type_is_that_of_the_bounds(
    types: Types, value: Multirange[Any], name: str, format: PyFormat
) -> None:
    query = f"select pg_typeof(%{format.value})::text"
    assert types.row(query, [value]) == (name,)
    assert types.row(query, [[value, None]]) == (f"{name}[]",)
    assert types.row(query, [[type(value)(), value]]) == (f"{name}[]",)


@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize("name", ["int4", "int8", "num", "float"])
def test_ints_go_into_every_multirange_of_numbers(
    types: Types, name: str, format: PyFormat
) -> None:
    types.conn.execute(f"create temp table taking (r {name}multirange)".encode())
    try:
        for value in (Multirange([Range(1, 3)]), Multirange(), Multirange([Range(empty=True)])):
            types.conn.execute(f"insert into taking values (%{format.value})".encode(), [value])
        query = f"select r from taking where r @> {'%'}{format.value} and not isempty(r)"
        assert types.row(query, [Multirange([Range(1, 2)])]) == (Multirange([Range(1, 3)]),)
    finally:
        types.conn.execute("drop table taking")


@pytest.mark.parametrize("encoding", ["sjis", "gb18030"])
def test_encodings(dsn: str, encoding: str) -> None:
    types = Types(dsn, 'create type textrange as range (subtype = text, collation = "C")')
    info = MultirangeInfo.fetch(types.conn, "textmultirange")
    assert info is not None
    register_multirange(info, types.conn)
    types.conn.execute(f"set client_encoding to {encoding}".encode())
    value = Multirange([Range("a", "b"), Range("表", '表]},"', "[]")])
    assert [*types.sent(value, "textmultirange")] == [value] * 6
    assert [*types.sent([value], "textmultirange[]")] == [[value]] * 6
    types.conn.close()


def test_literals(types: Types) -> None:
    cases = {
        "'{[1,5)}'": Multirange([Range(1, 5)]),
        "'{}'::int4multirange": Int4Multirange(),
    }
    transformer = Transformer(types.conn)
    assert {transformer.as_literal(value).decode(): value for value in cases.values()} == cases


def test_what_is_no_bound_of_the_type(types: Types) -> None:
    for format in PyFormat:
        with pytest.raises(DataError):
            types.row(f"select %{format.value}", [Int4Multirange([Range(1, 2**40)])])
    assert types.row("select 1") == (1,)


# -- types of one's own --------------------------------------------------------------------------


def test_info(types: Types) -> None:
    info = MultirangeInfo.fetch(types.conn, '"Odd M"')
    assert info is not None
    assert (info.name, info.regtype, info.subtype_oid) == ("Odd M", '"Odd M"', 25)
    (oid,) = types.row("select 'strange'::regtype::oid")
    assert info.range_oid == oid
    assert MultirangeInfo.fetch(types.conn, "int4range") is None
    assert MultirangeInfo.fetch(types.conn, "no_such_type") is None
    for key in ("int4", "int4range"):
        found = adapters.types.get_by_subtype(MultirangeInfo, key)
        assert found is not None
        assert found.oid == _oids.INT4MULTIRANGE_OID


def test_register_none() -> None:
    nothing: Any = None
    with pytest.raises(TypeError, match="of that name"):
        register_multirange(nothing)


@pytest.mark.anyio
async def test_fetch_async(dsn: str) -> None:
    async with await psycopg3.AsyncConnection.connect(dsn) as conn:
        await conn.execute("create type pg_temp.own as range (subtype = text)")
        info = await MultirangeInfo.fetch(conn, "pg_temp.own_multirange")
        assert info is not None
        register_multirange(info, conn)
        value = Multirange([Range("a", "b")])
        cur = await conn.execute("select %b", [value])
        assert await cur.fetchone() == (value,)
        await conn.rollback()


# -- what is broken ------------------------------------------------------------------------------


def loaded(data: bytes, format: Format, oid: int = _oids.INT4MULTIRANGE_OID) -> Any:
    transformer = Transformer(AdaptersMap(adapters))
    transformer.set_loader_types([oid], format)
    return transformer.load_sequence([data])[0]


ONE = struct.pack("!ibii", 9, 8 + 2, 4, 1)  # '[,1]' has flag 2 of no meaning


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0\1",
        b"\0\0\0\0\0",
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff" + ONE,
        b"\0\0\0\1" + ONE + b"\0",
        b"\0\0\0\1" + ONE[:-1],
        b"\0\0\0\2" + ONE,
        b"\0\0\0\1\xff\xff\xff\xff",
        b"\0\0\0\1\0\0\0\0",
    ],
)
def test_broken_binary(data: bytes) -> None:
    assert len(loaded(b"\0\0\0\1" + ONE, Format.BINARY)) == 1
    with pytest.raises(DataError, match=r"is no value of type int4multirange \(oid 4451\)"):
        loaded(data, Format.BINARY)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{", b"}", b"{[1,2)", b"{[1,2),}", b"{,[1,2)}", b"{[1,2)[3,4)}", b"[1,2)"),
        *(b"{[1,2)}x", b"{[1,2),[3}", b"{}}", b"{{[1,2)}}", b'{"[1,2)"}', b"{[1,2)),}"),
    ],
)
def test_broken_text(data: bytes) -> None:
    with pytest.raises(DataError, match=r"is no value of type int4multirange \(oid 4451\)"):
        loaded(data, Format.TEXT)


@settings(max_examples=300)
@given(
    data=st.binary(max_size=30)
    | st.text('{}[]()",\\1', max_size=14).map(lambda text: f"{{{text}}}".encode())
    | st.lists(st.binary(max_size=12)).map(
        lambda parts: b"".join(
            (struct.pack("!i", len(parts)), *(struct.pack("!i", len(p)) + p for p in parts))
        )
    ),
    format=st.sampled_from(Format),
    oid=st.sampled_from([oid for _, oid, *_ in _oids.MULTIRANGES]),
)
def test_any_bytes_are_a_value_or_a_data_error(data: bytes, format: Format, oid: int) -> None:
    try:
        value = loaded(data, format, oid)
    except DataError as ex:
        assert "multirange" in str(ex) or "for a " in str(ex)
    else:
        assert isinstance(value, Multirange)
