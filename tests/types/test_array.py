"""Arrays through a real server: nested, quoted, of every type; and what broken ones do."""

from __future__ import annotations

import gc
import struct
import weakref
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from time import perf_counter
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import psycopg3
from psycopg3 import _oids
from psycopg3.abc import AdaptContext
from psycopg3.adapt import AdaptersMap, Dumper, Format, PyFormat, Transformer
from psycopg3.errors import DataError, InterfaceError, ProgrammingError
from psycopg3.postgres import adapters
from psycopg3.types import TypeInfo
from psycopg3.types.array import (
    ArrayLoader,
    ListDumper,
    parse_array,
    register_all_arrays,
    register_array,
)
from psycopg3.types.json import Json, Jsonb
from psycopg3.types.numeric import Float4, Int2, Int4, Int8
from tests.marks import counts_references

if TYPE_CHECKING:
    from tests.types.conftest import Bare

FORMATS = [(format, result) for format in PyFormat for result in Format]
formats = st.sampled_from(FORMATS)
on_server = settings(max_examples=100, deadline=None)
INT4_ARRAY, TEXT_ARRAY = 1007, 1009


def dumped(value: Any, format: PyFormat, context: Any = None) -> bytes:
    (data,) = Transformer(context).dump_sequence([value], [format])
    assert data is not None
    return bytes(data)


def loaded(oid: int, data: bytes, format: Format) -> Any:
    transformer = Transformer()
    transformer.set_loader_types([oid], format)
    return transformer.load_sequence([data])[0]


# -- round trips ---------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
awkward = st.sampled_from(
    ["", "NULL", "null", "nUlL", " ", "\t", "a b", "{", "}", ",", ";", '"', "\\", '\\"', "{}", "\n"]
)
elements = st.sampled_from(
    [
        ("text", texts | awkward),
        ("bytea", st.binary(max_size=8)),
        ("integer", st.integers(-(2**31), 2**31 - 1)),
        ("numeric", st.decimals(-(10**9), 10**9, places=3)),
        ("float8", st.floats(allow_nan=False)),
        ("boolean", st.booleans()),
        ("date", st.dates()),
        ("timestamp", st.datetimes()),
        (
            "timestamptz",
            st.datetimes(datetime(2, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC)),
        ),
        ("time", st.times()),
        ("interval", st.timedeltas(timedelta(-999), timedelta(999))),
        ("uuid", st.uuids()),
    ]
)
dimensions = st.lists(st.integers(1, 3), min_size=1, max_size=4)


def folded(items: list[Any], lengths: list[int]) -> list[Any]:
    for length in reversed(lengths[1:]):
        items = [items[i : i + length] for i in range(0, len(items), length)]
    return items


@st.composite
def arrays(draw: st.DrawFn) -> tuple[str, list[Any]]:
    name, values = draw(elements)
    lengths = draw(dimensions)
    count = 1
    for length in lengths:
        count *= length
    items = draw(st.lists(values | st.none(), min_size=count, max_size=count))
    return name, folded(items, lengths)


@settings(max_examples=300, deadline=None)
@given(array=arrays(), format=formats)
@example(array=("text", [None, None]), format=FORMATS[-1])
@example(array=("text", ["NULL", None, "", 'a\\"b']), format=FORMATS[0])
def test_round_trip(
    shared: Bare, array: tuple[str, list[Any]], format: tuple[PyFormat, Format]
) -> None:
    name, value = array
    query = f"select $1::{name}[]"
    assert shared.row(query, (value,), format=format[0], result=format[1]) == (value,)


@on_server
@given(value=st.lists(awkward | texts | st.none(), min_size=1), format=st.sampled_from(PyFormat))
def test_the_server_finds_the_elements_that_were_sent(
    shared: Bare, value: list[str | None], format: PyFormat
) -> None:
    query = "select x, x is null from unnest($1::text[]) with ordinality u (x, n) where n = $2"
    for number, item in enumerate(value[:5], 1):
        assert shared.row(query, (value, number), format=format) == (item, item is None)


@pytest.mark.parametrize(("format", "result"), FORMATS)
@pytest.mark.parametrize("value", [[], [[]], [[], []], [[[]]]])
def test_empty(shared: Bare, value: list[Any], format: PyFormat, result: Format) -> None:
    for name in ("int4", "text", "date"):
        query = f"select $1::{name}[]"
        assert shared.row(query, (value,), format=format, result=result) == ([],)


@pytest.mark.parametrize(
    ("value", "type"),
    [
        ([True], "boolean[]"),
        ([1.5], "double precision[]"),
        ([Float4(1.5)], "real[]"),
        ([Decimal("1.5")], "numeric[]"),
        ([b"x"], "bytea[]"),
        ([date(2020, 1, 1)], "date[]"),
        ([time(12)], "time without time zone[]"),
        ([time(12, tzinfo=UTC)], "time with time zone[]"),
        ([datetime(2020, 1, 1)], "timestamp without time zone[]"),
        ([datetime(2020, 1, 1, tzinfo=UTC)], "timestamp with time zone[]"),
        ([timedelta(1)], "interval[]"),
        ([UUID(int=1)], "uuid[]"),
        ([Int4(1), Int4(2)], "integer[]"),
    ],
)
@pytest.mark.parametrize(("format", "result"), FORMATS)
def test_the_type_is_that_of_the_elements(
    shared: Bare, value: list[Any], type: str, format: PyFormat, result: Format
) -> None:
    query = "select $1, pg_typeof($1)::text"
    assert shared.row(query, (value,), format=format, result=result) == (value, type)
    nested = [[None, *value], [*value, None]]
    assert shared.row(query, (nested,), format=format, result=result) == (nested, type)


@pytest.mark.parametrize(("format", "result"), FORMATS)
@pytest.mark.parametrize("wrapper", [Json, Jsonb])
def test_arrays_of_json(shared: Bare, wrapper: type, format: PyFormat, result: Format) -> None:
    values: list[Any] = [{"a": '"b"', "c": [1, None]}, [], None, "{,}"]
    query = "select $1, pg_typeof($1)::text"
    got, type = shared.row(query, ([*map(wrapper, values), None],), format=format, result=result)
    assert got == [*values, None]
    assert type == f"{wrapper.__name__.lower()}[]"


@pytest.mark.parametrize(
    ("values", "type"),
    [
        ([Int2(1), Int2(-1)], "smallint[]"),
        ([1, 2], "integer[]"),
        ([-(2**31), 2**31 - 1], "integer[]"),
        ([1, -(2**31) - 1], "bigint[]"),
        ([-(2**63), 2**63 - 1], "bigint[]"),
        ([1, 2**63, None], "numeric[]"),
        ([-(2**63) - 1], "numeric[]"),
    ],
)
@pytest.mark.parametrize("format", PyFormat)
def test_ints_take_the_type_that_holds_all(
    shared: Bare, values: list[Any], type: str, format: PyFormat
) -> None:
    query = "select $1, pg_typeof($1)::text"
    for value in (values, values[::-1], [values, values]):
        assert shared.row(query, (value,), format=format) == (value, type)


class Amount(int):
    """Not an int itself, yet adapted as one."""


@pytest.mark.parametrize("format", PyFormat)
def test_subclasses_of_int_take_the_type_that_holds_all(shared: Bare, format: PyFormat) -> None:
    query = "select $1, pg_typeof($1)::text"
    value = [Amount(1), Amount(2**40), Amount(70_000)]
    assert shared.row(query, (value,), format=format) == (value, "bigint[]")


def test_lists_of_one_query_have_types_of_their_own(shared: Bare) -> None:
    values: tuple[list[Any], ...] = (
        [Amount(1)],
        [Amount(1), Amount(2**40)],
        [1],
        [1, 2**40],
        [],
        [None],
        ["a"],
    )
    for format in PyFormat:
        transformer = Transformer(shared)
        data = transformer.dump_sequence(values, [format] * len(values))
        assert data[3] != data[2]
        names = [adapters.types[oid].name if oid else "" for oid in transformer.types or ()]
        text = "text" if format == PyFormat.BINARY else ""
        assert names == ["int4", "int8", "int4", "int8", "", "", text]


def test_a_list_dumper_of_the_users_writes_every_list(bare: Bare) -> None:
    class Spy(ListDumper):
        def dump(self, obj: list[Any]) -> bytes:
            seen.append(obj)
            return super().dump(obj)

    seen: list[Any] = []
    bare.adapters.register_dumper(list, Spy)
    for value in ([], [None], [1], ["a"]):
        assert bare.row("select $1::text[]", (value,)) == ([str(x) if x else x for x in value],)
    assert seen == [[], [None], [1], ["a"]]


@pytest.mark.parametrize("value", [Decimal(1), Json(1)])
def test_elements_follow_the_settings_of_the_moment(
    conn: psycopg3.Connection[Any], value: Any
) -> None:
    class NameDumper(Dumper):
        """Writes as the session's settings are when it is made."""

        def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
            super().__init__(cls, context)
            assert self.connection is not None
            self.name = self.connection.info.parameter_status("application_name") or ""

        def dump(self, _obj: Any) -> bytes:
            return self.name.encode()

    conn.adapters.register_dumper(type(value), NameDumper)
    cur = conn.cursor()
    for name in ("one", "two"):
        cur.execute(f"set application_name to {name}")
        cur.execute("select %s::text[]", [[value]])
        assert cur.fetchone() == ([name],)


@counts_references
def test_a_connection_is_freed_after_lists(dsn: str) -> None:
    conn = psycopg3.connect(dsn)
    conn.execute("select %s, %s, %b", [[1], ["a"], [1]])
    conn.close()
    gone = weakref.ref(conn)
    gc.disable()
    try:
        del conn
        assert gone() is None
    finally:
        gc.enable()


class Many(list[Any]):
    """Not a list itself, yet adapted as one."""


@pytest.mark.parametrize("format", PyFormat)
def test_subclasses_of_list_are_lists(shared: Bare, format: PyFormat) -> None:
    assert shared.row("select $1", (Many([Many([1]), [2]]),), format=format) == ([[1], [2]],)


@pytest.mark.parametrize("format", PyFormat)
def test_a_dumper_that_gives_none_gives_null(bare: Bare, format: PyFormat) -> None:
    class Absent:
        pass

    class AbsentDumper(Dumper):
        oid = _oids.INT4_OID

        def dump(self, _obj: Absent) -> None:
            return None

    class AbsentBinaryDumper(AbsentDumper):
        format = Format.BINARY

    bare.adapters.register_dumper(Absent, AbsentBinaryDumper)
    bare.adapters.register_dumper(Absent, AbsentDumper)
    assert bare.row("select $1", ([Absent(), None],), format=format) == ([None, None],)


# -- what the server writes ----------------------------------------------------------------------


@pytest.mark.parametrize("result", Format)
@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("'[0:1]={1,2}'::int[]", [1, 2]),
        ("'[-5:-5][2:3]={{1,2}}'::int[]", [[1, 2]]),
        ("'[0:1]={\"=\",b}'::text[]", ["=", "b"]),
        ("'{{{1},{2}},{{3},{4}}}'::int[]", [[[1], [2]], [[3], [4]]]),
        ("array[[[[[[7]]]]]]", [[[[[[7]]]]]]),
        ("array['a', null, 'NULL', '']", ["a", None, "NULL", ""]),
        ("array[['a\\b', 'c\"d'], ['{', '}']]", [["a\\b", 'c"d'], ["{", "}"]]),
        ("'{}'::int[]", []),
        ("'[5:4]={}'::int[]", []),
    ],
)
def test_texts_of_the_server(shared: Bare, literal: str, value: list[Any], result: Format) -> None:
    try:
        assert shared.row(f"select {literal}", result=result) == (value,)
    except AssertionError as ex:
        if "upper bound" not in str(ex):  # older servers refuse an empty array with bounds
            raise


def test_the_delimiter_of_box_is_a_semicolon(shared: Bare) -> None:
    query = "select array['((1,2),(3,4))'::box, null, '((5,6),(7,8))'::box]"
    boxes = ["(3,4),(1,2)", None, "(7,8),(5,6)"]
    assert shared.row(query) == (boxes,)
    nested = "select array[array['((1,2),(3,4))'::box], array[null::box]]"
    assert shared.row(nested) == ([["(3,4),(1,2)"], [None]],)


def test_a_delimiter_is_written_as_well(bare: Bare) -> None:
    class Box(str):
        __slots__ = ()

    class BoxDumper(Dumper):
        oid = _oids.BOX_OID

        def dump(self, obj: Box) -> bytes:
            return obj.encode()

    bare.adapters.register_dumper(Box, BoxDumper)
    value = [[Box("(3,4),(1,2)"), None]]
    assert dumped(value, PyFormat.TEXT, bare) == b"{{(3,4),(1,2);NULL}}"
    assert bare.row("select $1, pg_typeof($1)::text", (value,)) == (value, "box[]")


@pytest.mark.parametrize("result", Format)
def test_arrays_of_every_type_we_know_by_default(shared: Bare, result: Format) -> None:
    for info in adapters.types:
        if not info.array_oid or info.name in ("aclitem", "gtsvector"):  # these have no binary form
            continue
        if not shared.row("select to_regtype($1) is not null", (info.regtype,))[0]:
            assert info.name in ("oid8", "regdatabase")  # servers have them from version 19 on
            continue
        (got,) = shared.row(f"select array[null]::{info.regtype}[]", result=result)
        assert got == [None], info


# -- encodings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("format", "result"), FORMATS)
@pytest.mark.parametrize(
    ("encoding", "letters"),
    [
        ("SJIS", "ソ表能~ー"),
        ("BIG5", "功許蓋"),
        ("GBK", "乗慭俓"),
        ("GB18030", "乗慭\u0452"),
        ("UHC", "각괥"),
        ("LATIN1", "\xe8\xff"),
        ("EUC_JP", "ソ表"),
    ],
)
def test_characters_with_bytes_that_look_like_marks(
    bare: Bare, encoding: str, letters: str, format: PyFormat, result: Format
) -> None:
    bare.command(f"set client_encoding to '{encoding}'")
    value = [*letters, f'{letters}"{{}}\\', None, "", "a"]
    query = "select $1::text[]"
    assert bare.row(query, (value,), format=format, result=result) == (value,)
    assert bare.row(query, ([value, value],), format=format, result=result) == ([value, value],)


def test_sql_ascii_gives_bytes(bare: Bare) -> None:
    bare.command("set client_encoding to 'SQL_ASCII'")
    for result in Format:
        assert bare.row("select array['a', 'b c', null]", result=result) == ([b"a", b"b c", None],)


# -- lists that are no arrays --------------------------------------------------------------------


def looped(*path: Any) -> list[Any]:
    outer: list[Any] = [*path]
    outer.append(outer)
    return outer


def looped_below() -> list[Any]:
    inner: list[Any] = []
    outer = [[inner]]
    inner.append(outer)
    return outer


def deep(depth: int) -> list[Any]:
    value: list[Any] = [1]
    for _ in range(depth - 1):
        value = [value]
    return value


def wide() -> list[Any]:
    value: list[Any] = [1] * 1000
    for _ in range(4):
        value = [value] * 1000
    return value


@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, "a"], r"mixed elements \(int, str\)"),
        ([1, 2.5], r"mixed elements \(float, int\)"),
        ([True, 1], r"mixed elements \(bool, int\)"),
        ([1, Int8(2)], r"mixed elements \(Int8, int\)"),
        ([1, [2]], r"mixed elements \(int, list\)"),
        ([[2], 1], r"mixed elements \(int, list\)"),
        ([None, [1]], r"mixed elements \(list\)"),
        ([[1, [2]], [1, 2]], r"mixed elements \(int, list\)"),
        ([[1], None], r"mixed elements \(NoneType, list\)"),
        ([[1], [2, 3]], "lengths 1 and 2"),
        ([[], [1]], "lengths 0 and 1"),
        ([[[1], [2]], [[3]]], "lengths 2 and 1"),
        (looped(), "contains itself"),
        (looped(1), "mixed elements"),
        (looped([1, 2]), "contains itself"),
        (looped([]), "lengths 0 and 2"),
        (looped_below(), "contains itself"),
        (deep(7), "deeper than the 6"),
        (deep(100_000), "deeper than the 6"),
        (wide(), "an array has 134217727 at most"),
        (
            [datetime(2020, 1, 1), datetime(2020, 1, 1, tzinfo=UTC)],
            r"several types .*\(timestamp, timestamptz\)",
        ),
        ([time(1), time(1, tzinfo=UTC)], r"several types .*\(time, timetz\)"),
    ],
    ids=[str(number) for number in range(22)],
)
def test_what_is_no_array_is_a_data_error(value: list[Any], message: str, format: PyFormat) -> None:
    with pytest.raises(DataError, match=message):
        dumped(value, format)


@pytest.mark.parametrize("format", PyFormat)
def test_a_list_may_be_in_a_list_twice(shared: Bare, format: PyFormat) -> None:
    inner = [1, 2]
    assert shared.row("select $1", ([inner, inner],), format=format) == ([inner, inner],)
    assert shared.row("select $1", (deep(6),), format=format) == (deep(6),)


def test_elements_that_have_no_dumper() -> None:
    with pytest.raises(ProgrammingError, match="cannot adapt type object"):
        dumped([object()], PyFormat.AUTO)


@pytest.mark.parametrize("format", PyFormat)
def test_elements_of_a_type_that_is_not_known(format: PyFormat) -> None:
    class Thing:
        pass

    class ThingDumper(Dumper):
        oid = 99_999

        def dump(self, _obj: Thing) -> bytes:
            return b"thing"

    class ThingBinaryDumper(ThingDumper):
        format = Format.BINARY

    context = AdaptersMap(adapters)
    context.register_dumper(Thing, ThingBinaryDumper)
    context.register_dumper(Thing, ThingDumper)
    transformer = Transformer(context)
    if format == PyFormat.BINARY:
        with pytest.raises(ProgrammingError, match="oid 99999, whose arrays are unknown"):
            transformer.dump_sequence([[Thing()]], [format])
    else:
        assert transformer.dump_sequence([[Thing()]], [format]) == [b"{thing}"]
        assert transformer.types == (0,)


# -- literals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [[1, None], ["it's", '"', "\\", None, ""], [[1.5], [-1.5]], [b"\\'\0"], [date(2020, 1, 1)]],
    ids=repr,
)
def test_literal(shared: Bare, value: list[Any]) -> None:
    literal = shared.literal(value)
    cast = "::text[]" if isinstance(value[0], str) else ""
    assert shared.row(f"select {literal}{cast}") == (value,)
    assert shared.row(f"select {shared.literal([])}::int[]") == ([],)


# -- by type -------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("int4", [1, 2**20, None]),
        ("int8", [[1], [2]]),
        ("float8", [1.5, 2.5]),
        ("text", ["a", "", None, '"']),
        ("date", [date(2020, 1, 1)]),
        ("jsonb", [Jsonb(1)]),
        ("int4", []),
        ("int4", [None, None]),
    ],
)
def test_arrays_of_a_given_type(shared: Bare, name: str, value: list[Any], format: Format) -> None:
    info = adapters.types[name]
    transformer = Transformer(shared)
    transformer.set_dumper_types([info.array_oid], format)
    (data,) = transformer.dump_sequence([value], [PyFormat.AUTO])
    result = shared.pgconn.exec_params(
        b"select $1 is not null, $1::text", [data], [info.array_oid], [format], Format.TEXT
    )
    assert result.get_value(0, 0) == b"t", result.get_error_message()
    (text,) = shared.row(f"select $1::{name}[]::text", (value,))
    assert result.get_value(0, 1) == text.encode()


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("value", [[2**40], [[1], [2, 3]], [1, [2]]])
def test_what_is_no_array_of_a_given_type(value: list[Any], format: Format) -> None:
    transformer = Transformer()
    transformer.set_dumper_types([INT4_ARRAY], format)
    if value == [2**40] and format == Format.TEXT:
        return  # in text it is for the server to refuse
    with pytest.raises(DataError):
        transformer.dump_sequence([value], [PyFormat.AUTO])


def test_a_type_registered_later_has_arrays(bare: Bare) -> None:
    bare.command("create type pg_temp.array_mood as enum ('ok', 'not \"so\" ok')")
    oid, array_oid = bare.row(
        "select oid, typarray from pg_type where typname = $1 and typnamespace = pg_my_temp_schema()",
        ("array_mood",),
    )
    query = 'select \'{ok,"not \\"so\\" ok",NULL}\'::pg_temp.array_mood[]'
    assert bare.row(query) == ('{ok,"not \\"so\\" ok",NULL}',)
    TypeInfo("array_mood", oid, array_oid).register(bare)
    bare.transformer = Transformer(bare)
    moods = ["ok", 'not "so" ok', None]
    assert bare.row(query) == (moods,)
    assert bare.row(query, result=Format.BINARY) == ([b"ok", b'not "so" ok', None],)
    assert bare.row("select $1::pg_temp.array_mood[]", (moods,)) == (moods,)
    assert adapters.types.get(array_oid) is None


def test_registering_arrays_alone() -> None:
    info = TypeInfo("thing", 99_990, 99_991, delimiter="|")
    context = AdaptersMap(adapters)
    register_array(info, context)
    transformer = Transformer(context)
    transformer.set_loader_types([99_991], Format.TEXT)
    assert transformer.load_sequence([b"{a|b,c|NULL}"]) == (["a", "b,c", None],)
    register_array(TypeInfo("unarrayed", 99_992, 0), context)
    assert context.get_loader(0, Format.TEXT) is adapters.get_loader(0, Format.TEXT)
    empty = AdaptersMap(types=adapters.types)
    register_all_arrays(empty)
    assert empty.get_loader(INT4_ARRAY, Format.TEXT) is ArrayLoader
    with pytest.raises(InterfaceError, match="oid 99991"):
        ArrayLoader(99_991)


def test_the_map_makes_dumpers_by_type_when_they_are_wanted() -> None:
    context = AdaptersMap(adapters)
    made = context.get_dumper_by_oid(INT4_ARRAY, Format.BINARY)
    assert made.oid == INT4_ARRAY
    assert made is context.get_dumper_by_oid(INT4_ARRAY, Format.BINARY)
    assert made is AdaptersMap(adapters).get_dumper_by_oid(INT4_ARRAY, Format.BINARY)
    with pytest.raises(ProgrammingError, match="no dumper writes type aclitem"):
        context.get_dumper_by_oid(_oids.ACLITEM_OID, Format.BINARY)


def test_anyarray_is_a_list_in_binary_which_says_the_type(shared: Bare) -> None:
    source = "select i % 3 as a, array[i % 2] as b from generate_series(1, 100) i"
    shared.command(f"create temp table seen as {source}")
    shared.command("analyze seen")
    query = "select most_common_vals from pg_stats where tablename = 'seen' and attname = $1"
    assert sorted(shared.row(query, ("a",), result=Format.BINARY)[0]) == [0, 1, 2]
    assert sorted(shared.row(query, ("b",), result=Format.BINARY)[0]) == [[0], [1]]
    assert sorted(shared.row(query, ("a",))[0]) == sorted("{0,1,2}")


# -- broken values -------------------------------------------------------------------------------


def is_value(got: Any) -> bool:
    if isinstance(got, list):
        return all(map(is_value, got))
    return got is None or isinstance(got, int | str | bytes | datetime)


ARRAYS = [INT4_ARRAY, TEXT_ARRAY, 1001, 1185]
array_like = st.binary(max_size=40) | st.text('{}[],;:="\\ 01aNUL', max_size=30).map(
    lambda text: f"{{{text}}}".encode()
)


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("oid", ARRAYS)
@settings(max_examples=400)
@given(data=array_like)
def test_any_bytes_are_a_value_or_a_data_error(oid: int, format: Format, data: bytes) -> None:
    try:
        value = loaded(oid, data, format)
    except DataError:
        pass
    else:
        assert isinstance(value, list)
        assert is_value(value)


@pytest.mark.parametrize("format", [PyFormat.TEXT, PyFormat.BINARY])
@pytest.mark.parametrize(
    "value",
    [[1, 70_000, None], [[1, 2], [3, 70_000]], ["a", None, '"\\{'], [[["x y"]]], [b"\0\xff", None]],
    ids=repr,
)
@settings(max_examples=400)
@given(data=st.data())
def test_mutants_are_a_value_or_a_data_error(
    value: list[Any], format: PyFormat, data: st.DataObject
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
        got = loaded(oid or TEXT_ARRAY, bytes(mutant), PyFormat.as_pq(format))
    except DataError:
        pass
    else:
        assert isinstance(got, list)


def header(*numbers: int) -> bytes:
    return struct.pack(f"!{len(numbers)}i", *numbers)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        header(0, 0),
        header(-1, 0, 23),
        header(7, 0, 23, *[1, 1] * 7, 4, 5),
        header(2**31 - 1, 0, 23),
        header(1, 0, 23, 2**31 - 1, 1),
        header(2, 0, 23, 2**31 - 1, 1, 2**31 - 1, 1),
        header(6, 0, 23, *[2**31 - 1, 1] * 6),
        header(1, 0, 23, -1, 1),
        header(2, 0, 23, -1, 1, -1, 1, 4, 5),
        header(1, 0, 23, 1, 1, 2**31 - 1, 5),
        header(1, 0, 23, 1, 1, -2, 5),
        header(1, 0, 23, 1, 1, 3, 5),
        header(1, 0, 23, 2, 1, 4, 5),
        header(1, 0, 23, 1, 1, 4, 5, 6),
        header(0, 0, 23, 9),
        header(1, 0, 23, 1),
    ],
)
def test_counts_and_lengths_are_checked(data: bytes) -> None:
    with pytest.raises(DataError, match=r"int4\[\]"):
        loaded(INT4_ARRAY, data, Format.BINARY)


def test_dimensions_of_nothing_allocate_nothing() -> None:
    data = header(2, 0, 23, 2**31 - 1, 1, 0, 1)
    assert loaded(INT4_ARRAY, data, Format.BINARY) == []


def test_arrays_within_arrays_without_end_are_a_data_error() -> None:
    data = header(1, 0, 23, 1, 1, 4, 5)
    for _ in range(5000):
        data = header(1, 0, INT4_ARRAY, 1, 1, len(data)) + data
    with pytest.raises(DataError, match="nested deeper"):
        loaded(INT4_ARRAY, data, Format.BINARY)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"}",
        b"{}}",
        b"{{}",
        b"{1}{2}",
        b"{1}2",
        b"1{2}",
        b"{1,}x",
        b'{"a}',
        b'{"a"b}',
        b'{a"b"}',
        b'{"a""b"}',
        b'{"a",}',
        b'{,"a"}',
        b'{"a",,"b"}',
        b"{{1}{2}}",
        b"{{1},}",
        b"{{1}2}",
        b"{{1},{2}},{3}",
        b'{"a\\"}',
        b"{a\\}",
        b"[0:1]{1,2}",
        b"[0:1]",
        b"{" * 7 + b"1" + b"}" * 7,
        b"{" * 100_000 + b"}" * 100_000,
    ],
)
def test_texts_that_are_no_array(data: bytes) -> None:
    with pytest.raises(DataError, match=r"text\[\]"):
        loaded(TEXT_ARRAY, data, Format.TEXT)


def test_a_long_broken_text_takes_no_long() -> None:
    started = perf_counter()
    for data in (b'{"' + b"\\a" * 200_000, b'{"' + b"a" * 400_000, b'{"' + b"a\\" * 200_001 + b"}"):
        with pytest.raises(ValueError, match=r"unexpected|braces"):
            parse_array(data + b"}", b",", bytes)
    assert perf_counter() - started < 1
