"""hstore through a real server: every text as key and value; and what broken ones do."""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import psycopg3
from psycopg3.adapt import AdaptersMap, Format, PyFormat, Transformer
from psycopg3.errors import DataError, ProgrammingError
from psycopg3.postgres import adapters
from psycopg3.types import TypeInfo
from psycopg3.types.composite import CompositeInfo, register_composite
from psycopg3.types.hstore import register_hstore
from tests.types.conftest import Types

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
awkward = st.sampled_from(["", "NULL", '"', "\\", '\\"', "=>", ",", ", ", " ", "'", "a=>b", "\n"])
stores = st.dictionaries(texts | awkward, st.none() | texts | awkward, max_size=5)


def connected(dsn: str, *commands: str) -> Types:
    types = Types(dsn, *commands)
    try:
        types.conn.execute("create extension if not exists hstore with schema public")
    except psycopg3.errors.UniqueViolation:
        pass  # another process of the tests was faster
    except psycopg3.errors.FeatureNotSupported:
        types.conn.close()
        pytest.skip("the server has no hstore")
    info = TypeInfo.fetch(types.conn, "hstore")
    assert info is not None
    register_hstore(info, types.conn)
    return types


@pytest.fixture(scope="module")
def types(dsn: str) -> Iterator[Types]:
    types = connected(dsn)
    yield types
    types.conn.close()


@settings(max_examples=200)
@given(value=stores)
@example(value={})
@example(value={"": None, '"': "\\"})
def test_round_trip(types: Types, value: dict[str, str | None]) -> None:
    assert [*types.sent(value, "hstore")] == [value] * 6
    assert [*types.sent([value, None, {}], "hstore[]")] == [[value, None, {}]] * 6
    (text,) = types.row("select %s::hstore::text", [value])
    assert types.row("select %s::hstore", [text]) == (value,)
    for key, item in value.items():
        assert types.row("select %s -> %s", [value, key]) == (item,)


def test_the_type_is_hstore(types: Types) -> None:
    for format in PyFormat:
        query = f"select pg_typeof(%{format.value})::text"
        assert types.row(query, [{"a": "b"}]) == ("hstore",)
        assert types.row(query, [OrderedDict(a=None)]) == ("hstore",)
        assert types.row(query, [[{}]]) == ("hstore[]",)
    assert Transformer(types.conn).as_literal({"a": "it's"}) == b"'\"a\"=>\"it''s\"'::hstore"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'a=>1, b=>NULL'::hstore", {"a": "1", "b": None}),
        ('\'a=>"NULL", ""=>""\'::hstore', {"a": "NULL", "": ""}),
        ("''::hstore", {}),
        (r"hstore('\', '\\')", {"\\": "\\\\"}),
        ("hstore(null)", None),
        ("array[hstore('a', '\"')]", [{"a": '"'}]),
    ],
)
def test_loaded(types: Types, expression: str, expected: object) -> None:
    assert types.both(expression) == expected


@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize(
    "wrong",
    [{"a": 1}, {1: "a"}, {None: "a"}, {"a": b"x"}, {"a\0": "b"}, {"a": "\0"}, {"\ud800": ""}],
)
def test_what_is_no_text(types: Types, wrong: Any, format: PyFormat) -> None:
    with pytest.raises(DataError):
        types.row(f"select %{format.value}", [wrong])
    assert types.row("select 1") == (1,)


@pytest.mark.parametrize("encoding", ["latin1", "sjis", "big5", "sql_ascii"])
def test_encodings(dsn: str, encoding: str) -> None:
    types = connected(dsn)
    types.conn.execute(f"set client_encoding to {encoding}".encode())
    # In SJIS and BIG5 the second byte of this character is a backslash.
    text = {"sjis": "表", "big5": "功"}.get(encoding, "é")
    value = {text: text + '"', text + "x": None}
    if encoding == "sql_ascii":
        expected: Any = {k.encode(): v.encode() if v else None for k, v in value.items()}
        assert [*types.sent(value, "hstore")] == [expected] * 6
        assert [*types.sent([value], "hstore[]")] == [[expected]] * 6
    else:
        for format in PyFormat:
            assert types.row(f"select %{format.value}", [value]) == (value,)
            assert types.row(f"select %{format.value}", [[value]]) == ([value],)
        # The server gives the lengths of the texts before it converts them.
        with pytest.raises(DataError, match="client_encoding isn't the server's"):
            types.row("select %s", [value], binary=True)
        assert [*types.sent({"a": "b"}, "hstore")] == [{"a": "b"}] * 6
    types.conn.close()


def test_within_a_composite(dsn: str) -> None:
    types = connected(dsn, "create type pair as (a int, h hstore)")
    info = CompositeInfo.fetch(types.conn, "pair")
    assert info is not None
    register_composite(info, types.conn)
    make: Any = info.python_type
    value = make(1, {"a": '"(),', "b": None})
    assert [*types.sent(value, "pair")] == [value] * 6
    assert types.row("select row(1, 'a=>1'::hstore)", binary=True) == ((1, {"a": "1"}),)
    types.conn.close()


def test_without_registration(dsn: str) -> None:
    with psycopg3.connect(dsn) as conn, pytest.raises(ProgrammingError, match="cannot adapt"):
        conn.execute("select %s", [{"a": "b"}])
    nothing: Any = None
    with pytest.raises(TypeError, match="extension"):
        register_hstore(nothing)


# -- what is broken ------------------------------------------------------------------------------

HSTORE = 99_999


def context() -> AdaptersMap:
    own = AdaptersMap(adapters)
    register_hstore(TypeInfo("hstore", HSTORE, 0), own)
    return own


CONTEXT = context()


def loaded(data: bytes, format: Format) -> Any:
    transformer = Transformer(CONTEXT)
    transformer.set_loader_types([HSTORE], format)
    return transformer.load_sequence([data])[0]


GOOD = struct.pack("!ii1si1s", 1, 1, b"a", 1, b"b")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0",
        b"\xff\xff\xff\xff",
        b"\0\0\0\2" + GOOD[4:],
        b"\x7f\xff\xff\xff" + GOOD[4:],
        GOOD[:-1],
        GOOD + b"\0",
        struct.pack("!iii1s", 1, -1, 1, b"b"),
        struct.pack("!ii1si", 1, 1, b"a", -2),
        struct.pack("!ii1si", 1, 1, b"\xff", -1),
        struct.pack("!ii1si", 1, 1, b"\0", -1),
        struct.pack("!ii1si1s", 1, 1, b"a", 1, b"\0"),
    ],
)
def test_broken_binary(data: bytes) -> None:
    assert loaded(GOOD, Format.BINARY) == {"a": "b"}
    with pytest.raises(DataError, match=r"is no value of type hstore \(oid 99999\)"):
        loaded(data, Format.BINARY)


@pytest.mark.parametrize(
    "data",
    [
        *(b'"a"', b'"a"=>', b'"a"=>"b"x', b'"a"=>"b", ', b'"a"=>"b","c"=>"d"', b'"a"=>"b', b"a=>b"),
        *(b', "a"=>"b"', b'"a"=>"b"\n', b'NULL=>"b"', b'"a"=>NULLx', b'"a\\"=>"b"', b'"\xff"=>"b"'),
    ],
)
def test_broken_text(data: bytes) -> None:
    assert loaded(b'"a"=>"b", "c"=>NULL', Format.TEXT) == {"a": "b", "c": None}
    with pytest.raises(DataError, match=r"is no value of type hstore \(oid 99999\)"):
        loaded(data, Format.TEXT)


@settings(max_examples=300)
@given(
    data=st.binary(max_size=30)
    | st.text('"=>, \\aNUL', max_size=16).map(str.encode)
    | st.lists(st.binary(max_size=6), max_size=6).map(
        lambda parts: b"".join(
            (struct.pack("!i", len(parts) // 2), *(struct.pack("!i", len(p)) + p for p in parts))
        )
    ),
    format=st.sampled_from(Format),
)
def test_any_bytes_are_a_value_or_a_data_error(data: bytes, format: Format) -> None:
    try:
        value = loaded(data, format)
    except DataError as ex:
        assert "hstore" in str(ex)
    else:
        assert isinstance(value, dict)
