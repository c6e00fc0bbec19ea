"""Records and composites through a real server: tuples, classes of one's own; and broken ones."""

from __future__ import annotations

import copy
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import psycopg3
from psycopg3 import _oids
from psycopg3.adapt import AdaptersMap, Format, PyFormat, Transformer
from psycopg3.errors import DataError, ProgrammingError
from psycopg3.postgres import adapters
from psycopg3.types import TypeInfo
from psycopg3.types.composite import CompositeInfo, register_composite
from psycopg3.types.json import Jsonb
from psycopg3.types.multirange import Multirange
from psycopg3.types.range import Int4Range, Range, RangeInfo, register_range
from tests.types.conftest import FORMATS, Types

COMMANDS = [
    "create type card as (value int, suit text)",
    "create type back as (face card, cards card[], note text)",
    "create domain small as int check (value < 100)",
    "create domain tiny as small check (value < 10)",
    'create type "My Odd" as ("a b" tiny, "class" varchar(9), _x name, n numeric)',
    "create type one as (a text)",
    "create type zero as ()",
    'create type twice as ("a b" int, a_b int)',
    "create type many as (i int4range, m datemultirange, j jsonb, d date[], s small[], r float4)",
    "create table thing (id int8, gone text, name text)",
    "alter table thing drop column gone",
    "create type cardrange as range (subtype = card)",
]


@pytest.fixture(scope="module")
def types(dsn: str) -> Iterator[Types]:
    types = Types(dsn, *COMMANDS)
    for name in ("card", "back", '"My Odd"', "one", "zero", "many", "thing"):
        register_composite(info_of(types, name), types.conn)
    yield types
    types.conn.close()


@pytest.fixture
def own(dsn: str) -> Iterator[Types]:
    """A connection for what a test registers."""
    types = Types(dsn, *COMMANDS[:2])
    yield types
    types.conn.close()


def info_of(types: Types, name: str) -> CompositeInfo:
    info = CompositeInfo.fetch(types.conn, name)
    assert info is not None
    return info


def class_of(types: Types, name: str) -> Any:
    info = types.conn.adapters.types[name]
    assert isinstance(info, CompositeInfo)
    return info.python_type


# -- anonymous records ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "text", "binary"),
    [
        ("row(1, 'x', null, 2.5)", ("1", "x", None, "2.5"), (1, "x", None, Decimal("2.5"))),
        ("row()", (), ()),
        ("row(null)", (), (None,)),
        ("row('')", ("",), ("",)),
        ("row(null, null)", (None, None), (None, None)),
        ("array[row(1, 2)]", [("1", "2")], [(1, 2)]),
        ("row(row(1, 'a,b'), array[1, 2])", ('(1,"a,b")', "{1,2}"), ((1, "a,b"), [1, 2])),
        ("row(true, '[1,2)'::int4range)", ("t", "[1,2)"), (True, Range(1, 2))),
        (r"""row('a"b\c(),[]', ' ', 'NULL')""", ('a"b\\c(),[]', " ", "NULL"), None),
        ("row('ü'::text)", ("ü",), ("ü",)),
    ],
)
def test_records(types: Types, expression: str, text: object, binary: object) -> None:
    assert types.row(f"select {expression}") == (text,)
    expected = binary if binary is not None else text
    assert types.row(f"select {expression}", binary=True) == (expected,)


# -- round trips ---------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
awkward = st.sampled_from(
    ["", "NULL", " ", ",", "(", ")", '"', '""', "\\", '\\"', "{}", "\n", "a b"]
)
cards = st.tuples(st.none() | st.integers(-(2**31), 2**31 - 1), st.none() | texts | awkward)
backs = st.tuples(
    st.none() | cards, st.none() | st.lists(st.none() | cards, max_size=3), st.none() | awkward
)


@settings(max_examples=150)
@given(value=cards)
@example(value=(None, None))
@example(value=(None, ""))
def test_round_trip(types: Types, value: tuple[Any, ...]) -> None:
    card = class_of(types, "card")
    made = card(*value)
    assert [*types.sent(made, "card")] == [made] * 6
    assert [*types.sent([made, None], "card[]")] == [[made, None]] * 6
    for format, binary in FORMATS[:4]:
        query = f"select %{format.value}::card, (%{format.value}::card).suit"
        got, suit = types.row(query, [value, value], binary=binary)
        assert (got, suit) == (made, value[1])
        assert type(got) is card
    (text,) = types.row("select %s::text", [made])
    assert types.row("select %s::card", [text]) == (made,)


@settings(max_examples=100)
@given(value=backs)
def test_round_trip_of_nested_ones(types: Types, value: tuple[Any, ...]) -> None:
    made = class_of(types, "back")(*value)
    for item in types.sent(made, "back"):
        assert item == made
        assert item.face is None or type(item.face) is class_of(types, "card")
    assert [*types.sent([made], "back[]")] == [[made]] * 6
    assert types.row("select %s::back", [value]) == (made,)


@settings(max_examples=60)
@given(
    value=st.tuples(
        st.just(Range(1, 5)) | st.just(Range(empty=True)) | st.none(),
        st.just(Multirange([Range(date(2020, 1, 1), date(2021, 1, 1)), Range(date(2022, 1, 1))])),
        st.none() | st.sampled_from([[1, {"a": '"'}], {}, "(,)"]),
        st.lists(st.none() | st.dates(), max_size=2),
        st.none(),
        st.floats(width=32, allow_nan=False),
    )
)
def test_round_trip_of_many_types(types: Types, value: tuple[Any, ...]) -> None:
    make = class_of(types, "many")
    sent = make(*value)._replace(j=Jsonb(value[2]) if value[2] is not None else None)
    expected = make(*value)
    for format, binary in FORMATS:
        (got,) = types.row(f"select %{format.value}", [sent], binary=binary)
        assert got == expected


@pytest.mark.parametrize("encoding", ["latin1", "sjis", "big5", "sql_ascii"])
def test_encodings(own: Types, encoding: str) -> None:
    register_composite(info_of(own, "card"), own.conn, tuple, make_object=lambda v, _: tuple(v))
    own.conn.execute(f"set client_encoding to {encoding}".encode())
    # In SJIS and BIG5 the second byte of this character is a backslash.
    text = {"sjis": "表", "big5": "功"}.get(encoding, "é") + ',")'
    expected = (1, text.encode() if encoding == "sql_ascii" else text)
    assert [*own.sent([(1, text), None], "card[]")] == [[expected, None]] * 6


# -- tuples --------------------------------------------------------------------------------------


def test_tuples_have_no_binary_form(types: Types) -> None:
    with pytest.raises(ProgrammingError, match="%t"):
        types.row("select %b::card", [(1, "x")])


@pytest.mark.parametrize("format", [PyFormat.AUTO, PyFormat.TEXT])
def test_what_is_in_tuples(types: Types, format: PyFormat) -> None:
    value = (1, None, 'a"b\\', [1, None], (2, ""), Range(1, 2), Decimal("1.5"), True, b"x", "")
    expected = r'(1,,"a""b\\","{1,NULL}","(2,"""")","[1,2)",1.5,t,"\\x78","")'
    assert types.row(f"select %{format.value}", [value]) == (expected,)
    assert types.row(f"select %{format.value}", [()]) == ("()",)
    assert Transformer(types.conn).as_literal((1, "it's")) == b"'(1,it''s)'"


def test_tuples_in_themselves_are_a_data_error(types: Types) -> None:
    endless: list[Any] = []
    endless.append((endless,))
    deep: tuple[Any, ...] = ()
    for _ in range(200):
        deep = (deep,)
    for value in (endless, (endless,), deep):
        with pytest.raises(DataError, match="nested deeper than 20"):
            types.row("select %s", [value])
    assert types.row("select 1") == (1,)


@pytest.mark.parametrize("format", Format)
def test_records_of_given_types(types: Types, format: Format) -> None:
    card, made = types.conn.adapters.types["card"], class_of(types, "card")
    oids = [card.oid, card.array_oid, _oids.INT4RANGE_OID, _oids.DATEMULTIRANGE_OID]
    oids += [_oids.INT4RANGE_ARRAY_OID, _oids.NUMERIC_OID]
    transformer = Transformer(types.conn)
    transformer.set_dumper_types(oids, format)
    transformer.set_loader_types(oids, format)
    record = [
        *(made(1, "x"), [(2, "y"), None], Range(1, 5), Multirange([Range(date(2020, 1, 1))])),
        *([Range(1, 2**31 - 1), Range(), None], Decimal("2.5")),
    ]
    dumped = [bytes(data) for data in transformer.dump_sequence(record, []) if data is not None]
    expected = (record[0], [made(2, "y"), None], *record[2:])
    assert transformer.load_sequence(dumped) == expected
    # A plain tuple and a plain int do, too, where the type is given.
    plain = [(1, "x"), [], Range(1, 5), Multirange(), [], 2]
    dumped = [bytes(data) for data in transformer.dump_sequence(plain, []) if data is not None]
    assert transformer.load_sequence(dumped) == (made(1, "x"), *plain[1:])


# -- types of one's own --------------------------------------------------------------------------


def test_info(types: Types) -> None:
    info = info_of(types, '"My Odd"')
    assert (info.name, info.regtype) == ("My Odd", '"My Odd"')
    assert info.field_names == ("a b", "class", "_x", "n")
    assert info.field_types[1:] == (_oids.VARCHAR_OID, _oids.NAME_OID, _oids.NUMERIC_OID)
    assert info.python_type is None
    assert info_of(types, "thing").field_names == ("id", "name")
    assert (info_of(types, "zero").field_names, info_of(types, "zero").field_types) == ((), ())
    assert CompositeInfo.fetch(types.conn, "int4") is None
    assert CompositeInfo.fetch(types.conn, "no_such_type") is None


def test_register_none() -> None:
    nothing: Any = None
    with pytest.raises(TypeError, match="of that name"):
        register_composite(nothing)


@pytest.mark.parametrize(
    ("name", "values", "fields"),
    [
        ('"My Odd"', (3, "x", "y", Decimal(5)), ("a_b", "class_", "f_x", "n")),
        ("one", (None,), ("a",)),
        ("one", ("",), ("a",)),
        ("zero", (), ()),
        ("thing", (2**40, "x"), ("id", "name")),
    ],
)
def test_named_tuples_are_made(types: Types, name: str, values: Any, fields: Any) -> None:
    made = class_of(types, name)(*values)
    assert made._fields == fields
    assert [*types.sent(made, name)] == [made] * 6
    assert types.row("select pg_typeof(%s)::text", [made]) == (name,)


def test_the_class_is_the_same_for_the_same_type(own: Types, types: Types) -> None:
    info = info_of(own, "card")
    register_composite(info, own.conn)
    assert info.python_type is class_of(types, "card")
    other = CompositeInfo(
        "card", 1, 2, regtype="x.card", field_names=info.field_names, field_types=[]
    )
    register_composite(other, AdaptersMap(adapters))
    assert other.python_type is not info.python_type


def test_fields_of_one_name(types: Types) -> None:
    info = info_of(types, "twice")
    with pytest.raises(DataError, match="register a factory"):
        register_composite(info, AdaptersMap(adapters))
    register_composite(info, AdaptersMap(adapters), lambda *values: values)


@dataclass
class Card:
    """No sequence, and made of keywords."""

    suit: str
    value: int


def made(values: Sequence[Any], info: CompositeInfo) -> Card:
    return Card(**dict(zip(info.field_names, values, strict=True)))


def taken(card: Card, info: CompositeInfo) -> list[Any]:
    return [getattr(card, name) for name in info.field_names]


def test_objects_of_ones_own(own: Types) -> None:
    info = info_of(own, "card")
    register_composite(info, own.conn, Card, make_object=made, make_sequence=taken)
    register_composite(info_of(own, "back"), own.conn)
    assert info.python_type is Card
    card = Card("x", 1)
    assert [*own.sent(card, "card")] == [card] * 6
    assert [*own.sent([card, None], "card[]")] == [[card, None]] * 6
    for inner in (card, (1, "x")):
        value = class_of(own, "back")(inner, [inner, None], None)
        assert [*own.sent(value, "back")] == [class_of(own, "back")(card, [card, None], None)] * 6


@pytest.mark.parametrize("factory", [Card, lambda suit, value: Card(suit, value)])
def test_what_is_made_may_be_all(own: Types, factory: Callable[..., Card]) -> None:
    info = info_of(own, "card")
    register_composite(info, own.conn, factory)
    assert info.python_type is factory
    assert own.both("'(1,x)'::card") == Card(1, "x")  # type: ignore[arg-type]
    with pytest.raises(ProgrammingError, match="cannot adapt type"):
        own.row("select %s", [Card("x", 1)])


def test_only_what_makes_objects(own: Types) -> None:
    info = info_of(own, "card")
    register_composite(
        info, own.conn, make_object=lambda v, i: dict(zip(i.field_names, v, strict=True))
    )
    assert own.both("'(1,x)'::card") == {"value": 1, "suit": "x"}
    python_type: Any = info.python_type
    assert own.row("select pg_typeof(%s)::text", [python_type(1, "x")]) == ("card",)


def test_dicts_as_composites(own: Types) -> None:
    register_composite(
        info_of(own, "card"),
        own.conn,
        dict,
        make_object=lambda v, i: dict(zip(i.field_names, v, strict=True)),
        make_sequence=lambda obj, i: [obj.get(name) for name in i.field_names],
    )
    assert [*own.sent({"suit": "x"}, "card")] == [{"value": None, "suit": "x"}] * 6


class Fields(tuple[Any, ...]):  # noqa: SLOT001
    """A sequence that isn't made of positional arguments."""


def test_the_wrong_number_of_fields(own: Types) -> None:
    info = info_of(own, "card")
    register_composite(info, own.conn, Fields, make_object=lambda v, _: Fields(v))
    for value in (Fields(), Fields((1,)), Fields((1, "x", 2))):
        for format in PyFormat:
            with pytest.raises(DataError, match="expected 2 values"):
                own.row(f"select %{format.value}", [value])
    # The type has changed since: the values are no objects any more.
    own.conn.execute("alter type card add attribute more int")
    for binary in (False, True):
        with pytest.raises(DataError, match="type card .*3 fields: expected 2"):
            own.row("select row(1, 'x', 2)::card", binary=binary)


def test_a_value_that_is_no_field(types: Types) -> None:
    card = class_of(types, "card")
    with pytest.raises(
        DataError, match=r"'x' of type str can't be written as type int4 \(oid 23\)"
    ):
        types.row("select %b", [card("x", "y")])
    back = class_of(types, "back")
    for wrong in ("ab", b"ab", 5, (1,)):
        with pytest.raises(DataError):
            types.row("select %b", [back(wrong, None, None)])
    assert types.row("select 1") == (1,)


def test_registered_globally_and_in_cursors(own: Types) -> None:
    info = info_of(own, "card")
    with own.conn.cursor() as cur:
        register_composite(info, cur)
        assert cur.execute("select '(1,x)'::card").fetchone() == ((1, "x"),)
    assert own.row("select '(1,x)'::card") == ("(1,x)",)
    assert adapters.types.get("card") is None


def test_a_range_of_composites(own: Types) -> None:
    own.conn.execute("create type cardrange as range (subtype = card)")
    register_composite(info_of(own, "card"), own.conn)
    info = RangeInfo.fetch(own.conn, "cardrange")
    assert info is not None
    register_range(info, own.conn)
    card = class_of(own, "card")
    value = Range(card(1, 'a"'), card(2, "b,)"), "[]")
    assert [*own.sent(value, "cardrange")] == [value] * 6
    assert [*own.sent([value, None], "cardrange[]")] == [[value, None]] * 6
    assert own.row("select pg_typeof(%s)::text", [value]) == ("cardrange",)
    for plain in (Range((1, 'a"'), (2, "b,)"), "[]"),):
        assert own.row("select %s::cardrange", [plain]) == (value,)


def test_arrays_of_a_domain_within(types: Types) -> None:
    map_before = types.conn._adapters
    types.conn._adapters = AdaptersMap(map_before)
    try:
        info = TypeInfo.fetch(types.conn, "small")
        assert info is not None
        info.register(types.conn)
        value = class_of(types, "many")(None, None, None, None, [1, None, 2], None)
        assert [*types.sent(value, "many")] == [value] * 6
    finally:
        types.conn._adapters = map_before


@pytest.mark.anyio
async def test_fetch_async(dsn: str) -> None:
    async with await psycopg3.AsyncConnection.connect(dsn) as conn:
        await conn.execute("create type pg_temp.own as (a int, b int4range)")
        info = await CompositeInfo.fetch(conn, "pg_temp.own")
        assert info is not None
        register_composite(info, conn)
        make: Any = info.python_type
        cur = await conn.execute("select %b", [make(1, Int4Range(1, 2))])
        assert await cur.fetchone() == (make(1, Range(1, 2)),)
        await conn.rollback()


# -- what is broken ------------------------------------------------------------------------------


def context() -> AdaptersMap:
    own = AdaptersMap(adapters)
    info = CompositeInfo("card", 99_999, 0, field_names=["value", "suit"], field_types=[23, 25])
    register_composite(info, own)
    return own


OIDS = [_oids.RECORD_OID, 99_999]
CONTEXT = context()


def loaded(data: bytes, format: Format, oid: int) -> Any:
    transformer = Transformer(CONTEXT)
    transformer.set_loader_types([oid], format)
    return transformer.load_sequence([data])[0]


def record(*fields: tuple[int, int, bytes]) -> bytes:
    parts = [struct.pack("!Ii", oid, length) + data for oid, length, data in fields]
    return b"".join((struct.pack("!i", len(parts)), *parts))


GOOD = record((23, 4, b"\0\0\0\1"), (25, 1, b"x"))


@pytest.mark.parametrize("oid", OIDS)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0",
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff" + GOOD[4:],
        GOOD[:-1],
        GOOD + b"\0",
        b"\0\0\0\3" + GOOD[4:],
        b"\0\0\0\1" + GOOD[4:],
        record((23, -2, b""), (25, -1, b"")),
        record((23, 2**31 - 1, b"")),
        record((23, 3, b"\0\0\0"), (25, 1, b"x")),
    ],
)
def test_broken_binary(data: bytes, oid: int) -> None:
    assert loaded(GOOD, Format.BINARY, oid) == (1, "x")
    with pytest.raises(DataError, match=rf"is no value of type (record|card) \(oid {oid}\)"):
        loaded(data, Format.BINARY, oid)


@pytest.mark.parametrize("oid", OIDS)
@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"(", b")", b"(1,x", b"1,x)", b"(1,x)y", b"(1,(x)", b'(1,"x)', b'(1,x"y")'),
        *(b'(1,"x"y)', b"(1,x\\", b'(1,"x\\', b"(1,x\\y)", b"\xff", b'(1,"""")x)', b"[1,x]"),
    ],
)
def test_broken_text(data: bytes, oid: int) -> None:
    assert tuple(loaded(b"(1,x)", Format.TEXT, oid))[1] == "x"
    with pytest.raises(DataError, match=rf"is no value of type (record|card) \(oid {oid}\)"):
        loaded(data, Format.TEXT, oid)


@pytest.mark.parametrize("count", [15, 50, 5000])
def test_records_within_records(count: int) -> None:
    data = GOOD
    for _ in range(count):
        data = record((_oids.RECORD_OID, len(data), data))
    if count == 15:
        value = loaded(data, Format.BINARY, _oids.RECORD_OID)
        for _ in range(count):
            (value,) = value
        assert value == (1, "x")
    else:
        with pytest.raises(DataError, match=r"of type record .*nested deeper than 20"):
            loaded(data, Format.BINARY, _oids.RECORD_OID)


def test_a_type_that_says_it_is_made_of_itself() -> None:
    own = AdaptersMap(adapters)
    info = CompositeInfo("mad", 99_999, 0, field_names=["a"], field_types=[99_999])
    register_composite(info, own)
    transformer = Transformer(own)
    transformer.set_loader_types([99_999], Format.TEXT)
    assert transformer.load_sequence([b"()"]) == ((None,),)
    assert transformer.load_sequence([b'("()")']) == (((None,),),)


@settings(max_examples=400)
@given(
    data=st.binary(max_size=40)
    | st.text('(),"\\1x', max_size=14).map(lambda text: f"({text})".encode())
    | st.lists(
        st.tuples(
            st.sampled_from(
                [16, 20, 23, 25, 705, 1007, 1114, 1700, 2249, 2287, 3904, 4451, 99_999]
            ),
            st.binary(max_size=20),
        )
    ).map(lambda fields: record(*((oid, len(data), data) for oid, data in fields))),
    format=st.sampled_from(Format),
    oid=st.sampled_from(OIDS),
)
def test_any_bytes_are_a_value_or_a_data_error(data: bytes, format: Format, oid: int) -> None:
    try:
        value = loaded(data, format, oid)
    except DataError as ex:
        assert str(ex)
    else:
        assert isinstance(value, tuple)
        assert copy.copy(value) == value or "nan" in repr(value).lower()
