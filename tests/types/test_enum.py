"""Enums through a real server: registered or not, by name or mapping; and what broken ones do."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import psycopg3
from psycopg3 import _oids
from psycopg3.adapt import AdaptersMap, Format, PyFormat, Transformer
from psycopg3.errors import DataError, InvalidTextRepresentation
from psycopg3.postgres import adapters
from psycopg3.types import TypeInfo
from psycopg3.types.enum import EnumInfo, register_enum
from psycopg3.types.range import Range, RangeInfo, register_range
from tests.types.conftest import FORMATS, Types

LABELS = [
    "sad",
    "ok",
    "NULL",
    "null",
    "",
    " ",
    "a,b",
    'q"',
    "\\",
    "{}",
    "()",
    "ümläut",
    "it's",
    "表",
]


class Mood(enum.Enum):
    """As the labels of `mood`, where Python lets it."""

    sad = 1
    ok = 2
    null = 3
    fine = 2  # noqa: PIE796
    EMPTY = "x"
    EXTRA = "y"


class Odd(enum.Enum):
    """A member a label, none with its name."""

    A, B, C, D, E, F, G, H, I, J, K, L, M, N = range(len(LABELS))  # noqa: E741


ODD = dict(zip(Odd, LABELS, strict=True))


class Text(str, enum.Enum):  # noqa: UP042
    """Text by another name."""

    a = "ok"


class Number(int, enum.Enum):
    """A number by another name."""

    one = 1


class Whole(enum.IntEnum):
    one = 1


class Word(enum.StrEnum):
    a = "ok"


class Flag(enum.Flag):
    sad = 1
    ok = 2


@pytest.fixture(scope="module")
def types(dsn: str) -> Iterator[Types]:
    labels = ", ".join(f"'{label.replace(chr(39), chr(39) * 2)}'" for label in LABELS[1:])
    types = Types(
        dsn,
        f"create type mood as enum ({labels})",
        "alter type mood add value 'sad' before 'ok'",
        "create type nothing as enum ()",
        "create type \"Odd 'name\" as enum ('one', 'two words')",
    )
    yield types
    types.conn.close()


def registered(types: Types, name: str = "mood", *args: Any, **kwargs: Any) -> EnumInfo:
    info = EnumInfo.fetch(types.conn, name)
    assert info is not None
    register_enum(info, types.conn, *args, **kwargs)
    return info


# -- not registered ------------------------------------------------------------------------------


@pytest.mark.parametrize(("format", "binary"), FORMATS)
def test_a_member_goes_by_its_name(dsn: str, format: PyFormat, binary: bool) -> None:
    types = Types(dsn, "create type mood as enum ('sad', 'ok')")
    place = f"%{format.value}"
    assert types.row(f"select {place}", [Mood.sad], binary=binary) == ("sad",)
    assert types.row(f"select {place}::mood::text", [Mood.fine]) == ("ok",)
    assert types.row(f"select {place}::mood[]::text", [[Mood.sad, None]]) == ("{sad,NULL}",)
    assert types.row("select 'ok'::mood") == ("ok",)
    types.conn.close()


@pytest.mark.parametrize(
    ("member", "value", "name"),
    [
        (Text.a, "ok", "text"),
        (Word.a, "ok", "text"),
        (Number.one, 1, "integer"),
        (Whole.one, 1, "integer"),
        (Flag.sad | Flag.ok, "sad|ok", "text"),
    ],
)
@pytest.mark.parametrize("format", PyFormat)
def test_a_member_of_another_type_too_is_that(
    types: Types, member: Any, value: Any, name: str, format: PyFormat
) -> None:
    cast = f"%{format.value}::{name}"
    assert types.row(f"select {cast}, {cast}", [member, member]) == (value, value)
    assert types.row(f"select {cast}[]", [[member]]) == ([value],)


def test_a_member_without_a_name(types: Types) -> None:
    with pytest.raises(DataError, match="no name"):
        types.row("select %s", [Flag(0)])


# -- registered ----------------------------------------------------------------------------------


def test_info(types: Types) -> None:
    info = EnumInfo.fetch(types.conn, "mood")
    assert info is not None
    assert list(info.labels) == LABELS
    assert info.enum is None
    empty = EnumInfo.fetch(types.conn, "nothing")
    assert empty is not None
    assert list(empty.labels) == []
    assert EnumInfo.fetch(types.conn, "int4") is None
    assert EnumInfo.fetch(types.conn, "no_such_type") is None
    named = EnumInfo("x", 1, 2, ["a"], regtype='"X"')
    assert (named.regtype, named.labels) == ('"X"', ["a"])


def test_register_none() -> None:
    nothing: Any = None
    with pytest.raises(TypeError, match="of that name"):
        register_enum(nothing)


def test_a_class_is_made(types: Types) -> None:
    info = registered(types, '"Odd \'name"')
    made: Any = info.enum
    assert issubclass(made, enum.Enum)
    assert [member.name for member in made] == ["one", "two words"]
    assert types.both("'two words'::\"Odd 'name\"") is made["two words"]
    query = "select pg_typeof(%s)::text, %s"
    assert types.row(query, [made.one, made.one]) == ('"Odd \'name"', made.one)
    assert registered(types, '"Odd \'name"').enum is made
    nothing = registered(types, "nothing").enum
    assert nothing is not None
    assert list(nothing) == []


def test_labels_that_are_no_names_of_members(types: Types) -> None:
    with pytest.raises(DataError, match="register a class of your own"):
        registered(types)


@settings(max_examples=100)
@given(value=st.sampled_from(Odd), more=st.lists(st.sampled_from([*Odd, None])))
def test_round_trip_by_mapping(types: Types, value: Odd, more: list[Odd | None]) -> None:
    if types.conn.adapters.get_dumper(Odd, PyFormat.AUTO) is adapters.get_dumper(
        Odd, PyFormat.AUTO
    ):
        registered(types, "mood", Odd, mapping=ODD)
    assert [*types.sent(value, "mood")] == [value] * 6
    assert [*types.sent(more, "mood[]")] == [more] * 6
    assert types.row("select %s::text, pg_typeof(%s)::text", [value, value]) == (ODD[value], "mood")


@pytest.mark.parametrize("mapping", [{Mood.EMPTY: ""}, [(Mood.EMPTY, "")]])
def test_names_and_mapping(dsn: str, mapping: Any) -> None:
    types = Types(dsn, "create type mood as enum ('sad', 'ok', 'null', '', 'other', 'fine')")
    info = registered(types, "mood", Mood, mapping=mapping)
    assert info.enum is Mood
    expected = [Mood.sad, Mood.ok, Mood.null, Mood.EMPTY]
    assert types.both('\'{sad,ok,"null",""}\'::mood[]') == expected
    assert types.both("'fine'::mood") is Mood.ok
    assert [*types.sent(Mood.EMPTY, "mood")] == [Mood.EMPTY] * 6
    for format in PyFormat:
        with pytest.raises(InvalidTextRepresentation, match="EXTRA"):
            types.row(f"select %{format.value}", [Mood.EXTRA])
    for binary in (False, True):
        with pytest.raises(DataError, match=r"b'other' is no value of type mood .*mapping"):
            types.row("select 'other'::mood", binary=binary)
    # A label that came later is found by its name all the same.
    types.conn.execute("alter type mood add value 'EXTRA'")
    assert [*types.sent(Mood.EXTRA, "mood")] == [Mood.EXTRA] * 6
    types.conn.close()


@pytest.mark.parametrize("cls", [Text, Number, Word, Whole])
def test_registered_classes_of_another_type_too(dsn: str, cls: Any) -> None:
    types = Types(dsn, "create type mood as enum ('ok')")
    (member,) = cls
    registered(types, "mood", cls, mapping={member: "ok"})
    assert [*types.sent(member, "mood")] == [member] * 6
    assert types.row("select pg_typeof(%s)::text", [member]) == ("mood",)
    assert type(types.both("'ok'::mood")) is cls
    types.conn.close()


@pytest.mark.parametrize("encoding", ["latin1", "euc_jp", "sjis", "sql_ascii"])
def test_encodings(dsn: str, encoding: str) -> None:
    types = Types(dsn, "create type mood as enum ('表', 'ü', '?')")
    types.conn.execute(f"set client_encoding to {encoding}".encode())
    mapping = {Odd.A: "表", Odd.B: "ü", Odd.C: "?"}
    query = "select oid::int, typarray::int from pg_type where oid = 'mood'::regtype"
    info = EnumInfo("mood", *types.row(query), [])
    register_enum(info, types.conn, Odd, mapping=mapping)
    sent = [Odd.B, Odd.C] if encoding == "latin1" else [Odd.A, Odd.C]
    assert [*types.sent(sent, "mood[]")] == [sent] * 6
    types.conn.close()


def test_a_range_of_an_enum(dsn: str) -> None:
    types = Types(
        dsn,
        "create type mood as enum ('sad', 'ok', 'null')",
        "create type moodrange as range (subtype = mood)",
    )
    registered(types, "mood", Mood)
    info = RangeInfo.fetch(types.conn, "moodrange")
    assert info is not None
    register_range(info, types.conn)
    value = Range(Mood.sad, Mood.null)
    assert [*types.sent(value, "moodrange")] == [value] * 6
    assert types.row("select pg_typeof(%s)::text", [value]) == ("moodrange",)
    types.conn.close()


def test_a_domain_of_an_enum(dsn: str) -> None:
    types = Types(
        dsn,
        "create type mood as enum ('sad', 'ok')",
        "create domain good as mood check (value > 'sad')",
    )
    registered(types, "mood", Mood)
    info = TypeInfo.fetch(types.conn, "good")
    assert info is not None
    info.register(types.conn)
    assert types.both("array['ok']::good[]") == [Mood.ok]
    types.conn.close()


@pytest.mark.anyio
async def test_fetch_async(dsn: str) -> None:
    async with await psycopg3.AsyncConnection.connect(dsn) as conn:
        await conn.execute("create type pg_temp.own as enum ('sad')")
        info = await EnumInfo.fetch(conn, "pg_temp.own")
        assert info is not None
        register_enum(info, conn, Mood)
        cur = await conn.execute("select %b", [Mood.sad])
        assert await cur.fetchone() == (Mood.sad,)
        await conn.rollback()


@pytest.mark.parametrize("format", Format)
def test_the_type_that_is_given_takes_labels_too(format: Format) -> None:
    own = AdaptersMap(adapters)
    register_enum(EnumInfo("mood", 99_999, 0, []), own, Mood, mapping={Mood.EMPTY: ""})
    transformer = Transformer(own)
    transformer.set_dumper_types([99_999], format)
    for value, label in ((Mood.sad, b"sad"), (Mood.EMPTY, b""), ("other", b"other")):
        assert transformer.dump_sequence([value], []) == [label]
    with pytest.raises(DataError, match="mood"):
        transformer.dump_sequence([5], [])


@settings(max_examples=100)
@given(data=st.binary(max_size=10), format=st.sampled_from(Format))
def test_any_bytes_are_a_value_or_a_data_error(data: bytes, format: Format) -> None:
    own = AdaptersMap(adapters)
    register_enum(EnumInfo("mood", 99_999, 0, []), own, Mood)
    transformer = Transformer(own)
    transformer.set_loader_types([99_999], format)
    try:
        (value,) = transformer.load_sequence([data])
    except DataError as ex:
        assert "mood" in str(ex)
    else:
        assert isinstance(value, Mood)


def test_oids_of_text_stay_with_text() -> None:
    # Its dumper is made from that of str, but stands for no type of PostgreSQL.
    dumper = adapters.get_dumper_by_oid(_oids.TEXT_OID, Format.TEXT)
    assert dumper(str).dump("x") == b"x"
    assert "Enum" not in dumper.__name__
