"""TypeInfo and TypesRegistry: names, oids, copies."""

from __future__ import annotations

from typing import Any

import pytest

import psycopg3
from psycopg3.adapt import AdaptersMap
from psycopg3.adapt import typeinfo as module
from psycopg3.adapt.registry import adapters as global_adapters
from psycopg3.adapt.typeinfo import TypeInfo, TypesRegistry
from psycopg3.adapt.typemod import CharTypeModifier
from psycopg3.errors import ProgrammingError
from psycopg3.pq import Format, TransactionStatus
from psycopg3.types.composite import CompositeInfo
from psycopg3.types.enum import EnumInfo
from psycopg3.types.multirange import MultirangeInfo
from psycopg3.types.range import RangeInfo

INT4 = TypeInfo("int4", 23, 1007, regtype="integer")
BOX = TypeInfo("box", 603, 1020, delimiter=";")


class Span(TypeInfo):
    """As a range will be: a type built upon another."""

    def __init__(self, name: str, oid: int, array_oid: int, *, subtype_oid: int) -> None:
        super().__init__(name, oid, array_oid)
        self.subtype_oid = subtype_oid

    @property
    def subtype_keys(self) -> tuple[tuple[type, int], ...]:
        return ((Span, self.subtype_oid),)


def registry(*infos: TypeInfo) -> TypesRegistry:
    types = TypesRegistry()
    for info in infos:
        types.add(info)
    return types


@pytest.mark.parametrize("key", ["int4", "integer", 23, 1007, "int4[]", "integer[]"])
def test_a_type_is_found_by_all_its_names(key: str | int) -> None:
    types = registry(INT4, BOX)
    assert types[key] is INT4
    assert types.get(key) is INT4


def test_oids_of_names() -> None:
    types = registry(INT4)
    assert [types.get_oid(name) for name in ("int4", "integer", "int4[]", "integer[]")] == [
        23,
        23,
        1007,
        1007,
    ]


@pytest.mark.parametrize("key", ["nothing", "nothing[]", 99, "int4[][]", ""])
def test_an_unknown_type(key: str | int) -> None:
    types = registry(INT4)
    assert types.get(key) is None
    with pytest.raises(KeyError, match="is not known"):
        types[key]


def test_a_key_of_another_kind_is_refused() -> None:
    types: Any = registry(INT4)
    with pytest.raises(TypeError, match="got a bytes"):
        types.get(b"int4")


def test_a_type_may_have_no_arrays() -> None:
    types = registry(TypeInfo("void", 2278, 0))
    assert types.get("void[]") is None
    with pytest.raises(KeyError, match="is not known"):
        types.get_oid("void[]")


def test_iteration_has_each_type_once() -> None:
    assert list(registry(INT4, BOX)) == [INT4, BOX]


def test_the_last_type_of_a_name_stays() -> None:
    again = TypeInfo("int4", 100, 101)
    types = registry(INT4, again)
    assert types["int4"] is again
    assert types[100] is again
    assert types[23] is INT4


def test_the_name_in_sql_does_not_take_another_types_name() -> None:
    bpchar = TypeInfo("bpchar", 1042, 1014, regtype="character")
    character = TypeInfo("character", 90_000, 0)
    assert registry(character, bpchar)["character"] is character
    assert registry(bpchar, character)["character"] is character


def test_clear() -> None:
    types = registry(INT4, Span("span", 90, 91, subtype_oid=23))
    copy = TypesRegistry(types)
    types.clear()
    assert list(types) == []
    assert types.get_by_subtype(Span, 23) is None
    assert len(list(copy)) == 2


def test_copies_share_nothing_that_is_added_later() -> None:
    first = registry(INT4)
    second = TypesRegistry(first)
    third = TypesRegistry(second)
    first.add(BOX)
    second.add(Span("span", 90, 91, subtype_oid=23))
    assert [info.name for info in first] == ["int4", "box"]
    assert [info.name for info in second] == ["int4", "span"]
    assert [info.name for info in third] == ["int4"]
    assert third.get_by_subtype(Span, 23) is None


def test_types_by_what_they_are_built_upon() -> None:
    span = Span("span", 90, 91, subtype_oid=23)
    types = registry(INT4, span)
    for subtype in (23, "int4", "integer"):
        assert types.get_by_subtype(Span, subtype) is span
    assert types.get_by_subtype(TypeInfo, 23) is None
    assert types.get_by_subtype(Span, "nothing") is None


def test_info_shows_what_it_is() -> None:
    assert repr(INT4).endswith("TypeInfo: int4 (oid: 23, array oid: 1007)>")
    assert (INT4.regtype, BOX.regtype, INT4.delimiter, BOX.delimiter) == (
        "integer",
        "box",
        ",",
        ";",
    )


def test_display() -> None:
    info = TypeInfo("code", 90, 91, typemod=CharTypeModifier)
    assert info.get_type_display() == "code"
    assert info.get_type_display(90, 14) == "code(10)"
    assert info.get_type_display(91, 14) == "code(10)[]"
    assert info.get_type_display(90, -1) == "code"
    assert INT4.get_type_display(23, 14) == "int4"
    assert (info.get_display_size(14), info.get_precision(14), info.get_scale(14)) == (
        10,
        None,
        None,
    )


@pytest.mark.parametrize("autocommit", [True, False])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("int4", ("int4", 23, 1007, "integer", ",")),
        ("pg_catalog.int4", ("int4", 23, 1007, "integer", ",")),
        ("timestamp with time zone", ("timestamptz", 1184, 1185, "timestamp with time zone", ",")),
        ('"char"', ("char", 18, 1002, '"char"', ",")),
        ("box", ("box", 603, 1020, "box", ";")),
        ("text[]", ("_text", 1009, 0, "text[]", ",")),
        ("no_such_type", None),
        ("no_such_schema.int4", None),
        ("it's \\", None),
    ],
)
def test_fetch(dsn: str, name: str, expected: tuple[object, ...] | None, autocommit: bool) -> None:
    with psycopg3.connect(dsn, autocommit=autocommit) as conn:
        try:
            info = TypeInfo.fetch(conn, name)
        except psycopg3.errors.SyntaxError:
            # Before 16 the server refuses names that are no words; later there is no such type.
            assert "'" in name
            info = None
        assert conn.pgconn.transaction_status == TransactionStatus.IDLE
    got = info and (info.name, info.oid, info.array_oid, info.regtype, info.delimiter)
    assert got == expected


def test_fetch_leaves_a_transaction_as_it_was(dsn: str) -> None:
    with psycopg3.connect(dsn) as conn:
        conn.execute("create temp table kept (x int)")
        assert TypeInfo.fetch(conn, "int4") is not None
        with pytest.raises(psycopg3.errors.SyntaxError):
            TypeInfo.fetch(conn, "much.too.many.names")
        assert conn.pgconn.transaction_status == TransactionStatus.INTRANS
        assert conn.execute("select count(*) from kept").fetchone() == (0,)
        with pytest.raises(psycopg3.errors.UndefinedTable):
            conn.execute("select * from not_there")
        with pytest.raises(psycopg3.errors.InFailedSqlTransaction):
            TypeInfo.fetch(conn, "int4")
        conn.rollback()


@pytest.mark.parametrize("encoding", ["utf8", "latin1", "sql_ascii"])
def test_fetch_and_register_a_type_of_ones_own(dsn: str, encoding: str) -> None:
    with psycopg3.connect(dsn) as conn:
        conn.execute(f"set client_encoding to {encoding}".encode())
        conn.execute('create domain "Prénom d\'un" as text')
        info = TypeInfo.fetch(conn, '"Prénom d\'un"')
        assert info is not None
        assert info.name == "Prénom d'un"
        assert info.regtype == '"Prénom d\'un"'
        info.register(conn)
        assert conn.adapters.types[info.regtype] is info
        assert global_adapters.types.get(info.regtype) is None
        conn.rollback()


def test_fetch_by_identifier(dsn: str) -> None:
    class Identifier:
        """As `sql.Identifier` does it."""

        def as_string(self, context: object = None) -> str:
            return '"pg_catalog"."int4"'

        def as_bytes(self, context: object = None) -> bytes:
            return self.as_string().encode()

    with psycopg3.connect(dsn) as conn:
        info = TypeInfo.fetch(conn, Identifier())
        assert info is not None
        assert info.oid == 23


@pytest.mark.parametrize("binary", [False, True])
def test_domains_are_loaded_as_what_they_are_made_of(dsn: str, binary: bool) -> None:
    with psycopg3.connect(dsn) as conn:
        conn.execute("set search_path to pg_temp")
        for name, base, oid in (
            ("small", "int4", 23),
            ("tiny", "small", 23),
            ("many", "int4[]", 1007),
        ):
            conn.execute(f"create domain {name} as {base}".encode())
            info = TypeInfo.fetch(conn, name)
            assert info is not None
            assert info.base_oid == oid
            info.register(conn)
        query = b"select array[1]::small[], array[2]::tiny[], array['{3}']::many[]"
        arrays = conn.execute(query, binary=binary).fetchone() or ()
        assert arrays == ([1], [2], [[3]])
        dumper = conn.adapters.get_dumper_by_oid(info.oid, Format.BINARY)
        assert dumper.oid == 1007
        conn.rollback()


@pytest.mark.anyio
async def test_fetch_async(dsn: str) -> None:
    async with await psycopg3.AsyncConnection.connect(dsn) as conn:
        info = await TypeInfo.fetch(conn, "int4")
        assert info is not None
        assert info.oid == 23
        assert await TypeInfo.fetch(conn, "no_such_type") is None


def test_fetch_wants_a_connection() -> None:
    conn: Any = object()
    with pytest.raises(TypeError, match="got a object"):
        TypeInfo.fetch(conn, "int4")


def test_register_in_a_context() -> None:
    adapters = AdaptersMap()
    INT4.register(adapters)
    assert adapters.types["int4"] is INT4


def test_register_globally(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module._default_context is global_adapters
    adapters = AdaptersMap()
    monkeypatch.setattr(module, "_default_context", adapters)
    INT4.register()
    assert adapters.types["int4"] is INT4
    monkeypatch.setattr(module, "_default_context", None)
    with pytest.raises(ProgrammingError, match="import psycopg3"):
        INT4.register()


INFOS: list[tuple[type[TypeInfo], str]] = [
    (RangeInfo, "int4range"),
    (MultirangeInfo, "int4multirange"),
    (CompositeInfo, "pg_catalog.pg_am"),
    (EnumInfo, "mood"),
    (TypeInfo, "int4"),
]


@pytest.mark.parametrize(("cls", "name"), INFOS)
def test_fetch_of_each_kind_leaves_a_transaction_as_it_was(
    dsn: str, cls: type[TypeInfo], name: str
) -> None:
    with psycopg3.connect(dsn) as conn:
        conn.execute("create type pg_temp.mood as enum ('fine')")
        found = cls.fetch(conn, name.replace("mood", "pg_temp.mood"))
        assert found is not None
        assert (type(found), found.delimiter) == (cls, ",")
        assert found.array_oid or name.startswith("pg_catalog.")
        assert conn.pgconn.transaction_status == TransactionStatus.INTRANS
        # No other type is taken for one of its kind.
        others = [cls.fetch(conn, other) for kind, other in INFOS if kind is not cls]
        assert cls is TypeInfo or others == [None] * 4
        assert cls.fetch(conn, "no_such_type") is None
        with pytest.raises(psycopg3.errors.SyntaxError):
            cls.fetch(conn, "much.too.many.names")
        assert conn.pgconn.transaction_status == TransactionStatus.INTRANS
        assert TypeInfo.fetch(conn, "pg_temp.mood") is not None
        conn.rollback()


@pytest.mark.anyio
@pytest.mark.parametrize(("cls", "name"), INFOS)
async def test_fetch_of_each_kind_async(dsn: str, cls: type[TypeInfo], name: str) -> None:
    async with await psycopg3.AsyncConnection.connect(dsn, autocommit=True) as conn:
        await conn.execute("create type pg_temp.mood as enum ('fine')")
        found = await cls.fetch(conn, name.replace("mood", "pg_temp.mood"))
        assert found is not None
        assert type(found) is cls
        assert await cls.fetch(conn, "no_such_type") is None
