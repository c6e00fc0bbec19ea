"""Text and bytes through a real server, in its encodings, and what broken ones do."""

from __future__ import annotations

import array
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from psycopg3 import _oids
from psycopg3.adapt import Format, PyFormat, Transformer
from psycopg3.dbapi20 import Binary
from psycopg3.errors import DataError
from psycopg3.types.string import TextLoader
from tests.marks import conform

if TYPE_CHECKING:
    from tests.types.conftest import Bare

FORMATS = [(format, result) for format in PyFormat for result in Format]
formats = st.sampled_from(FORMATS)
on_server = settings(max_examples=100, deadline=None)

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


# -- str -----------------------------------------------------------------------------------------


@on_server
@given(value=texts, format=formats)
@example(value="", format=FORMATS[0])
@example(value="\\ ' \" % $1 \n\x7f\U0001f600", format=FORMATS[0])
def test_str_round_trip(shared: Bare, value: str, format: tuple[PyFormat, Format]) -> None:
    assert shared.row("select $1::text", (value,), format=format[0], result=format[1]) == (value,)


@pytest.mark.parametrize("format", PyFormat)
def test_every_character(shared: Bare, format: PyFormat) -> None:
    characters = [chr(i) for i in range(1, 0x110000) if not 0xD800 <= i < 0xE000]
    value = "".join(characters)
    for result in Format:
        assert shared.row("select $1::text", (value,), format=format, result=result) == (value,)


@pytest.mark.parametrize(
    ("format", "type"),
    [(PyFormat.AUTO, "date"), (PyFormat.TEXT, "date"), (PyFormat.BINARY, "text")],
)
def test_the_server_chooses_the_type_of_str_in_text(
    shared: Bare, format: PyFormat, type: str
) -> None:
    (got,) = shared.row("select pg_typeof(coalesce($1, null))::text", ("x",), format=format)
    assert got == "text"
    if type == "date":
        row = shared.row("select date '2020-01-02' = $1", ("2020-01-02",), format=format)
        assert row == (True,)


@pytest.mark.parametrize("type", ["text", "varchar", "bpchar", "name", '"char"', "unknown"])
@pytest.mark.parametrize("result", Format)
def test_types_that_load_as_str(shared: Bare, type: str, result: Format) -> None:
    assert shared.row(f"select 'x'::{type}", result=result) == ("x",)


def test_types_without_a_loader(bare: Bare) -> None:
    bare.command("create type pg_temp.mood as enum ('sad')")
    query = "select 'sad'::pg_temp.mood"
    assert bare.row(query) == ("sad",)
    assert bare.row(query, result=Format.BINARY) == (b"sad",)


@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize("value", ["\0", "a\0b", "é\0"])
def test_nul_is_a_data_error(value: str, format: PyFormat) -> None:
    with pytest.raises(DataError, match="NUL"):
        Transformer().dump_sequence([value], [format])
    with pytest.raises(DataError, match="NUL"):
        Transformer().as_literal(value)


@pytest.mark.parametrize("format", PyFormat)
def test_lone_surrogate_is_a_data_error(format: PyFormat) -> None:
    with pytest.raises(DataError, match="surrogates not allowed"):
        Transformer().dump_sequence(["a\ud800"], [format])


@pytest.mark.parametrize(
    ("encoding", "value"),
    [
        ("LATIN1", "é"),
        ("LATIN9", "€"),
        ("EUC_JP", "日本"),
        ("SJIS", "表\\'"),
        ("GBK", "中文"),
        ("BIG5", "功'"),
        ("WIN1251", "Привет"),
        ("UTF8", "😀"),
    ],
)
def test_encodings(bare: Bare, encoding: str, value: str) -> None:
    bare.command(f"set client_encoding to {encoding}")
    for format, result in FORMATS:
        assert bare.row("select $1::text", (value,), format=format, result=result) == (value,)
    if encoding != "BIG5":
        assert bare.row(f"select {bare.literal(value)}") == (value,)


def test_encoding_changed_between_queries(bare: Bare) -> None:
    for encoding in ("UTF8", "LATIN1", "UTF8", "LATIN9"):
        bare.command(f"set client_encoding to {encoding}")
        assert bare.row("select $1::text, length($1)", ("é",)) == ("é", 1)


@pytest.mark.parametrize("format", PyFormat)
def test_text_that_the_encoding_lacks_is_a_data_error(bare: Bare, format: PyFormat) -> None:
    bare.command("set client_encoding to LATIN1")
    with pytest.raises(DataError, match=r"client_encoding"):
        bare.row("select $1::text", ("€",), format=format)


@pytest.mark.parametrize("result", Format)
def test_sql_ascii_loads_bytes(bare: Bare, result: Format) -> None:
    bare.command("set client_encoding to SQL_ASCII")
    assert bare.row("select $1::text", ("é",), result=result) == ("é".encode(),)


@pytest.mark.parametrize("format", Format)
def test_text_of_another_encoding_is_a_data_error(format: Format) -> None:
    transformer = Transformer()
    transformer.set_loader_types([_oids.INT4_OID, _oids.TEXT_OID], format)
    with pytest.raises(DataError, match=r"column 2: b'\\xff' is no value of type text"):
        transformer.load_sequence([b"1" if format == Format.TEXT else b"\0\0\0\1", b"\xff"])


@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
def test_text_loader_reads_any_buffer(buffer: Any) -> None:
    assert TextLoader(_oids.TEXT_OID).load(buffer("né".encode())) == "né"


@pytest.mark.parametrize("type", ["text", "varchar", "bpchar", "name"])
@pytest.mark.parametrize("format", Format)
def test_dumpers_by_type(shared: Bare, type: str, format: Format) -> None:
    transformer = Transformer(shared)
    oid = shared.adapters.types[type].oid
    transformer.set_dumper_types([oid], format)
    assert transformer.dump_sequence(["é"], [PyFormat.AUTO]) == ["é".encode()]
    assert transformer.types == (oid,)
    assert transformer.formats == [format]


# -- bytes ---------------------------------------------------------------------------------------


@on_server
@given(value=st.binary(), format=formats)
@example(value=bytes(range(256)), format=FORMATS[0])
def test_bytes_round_trip(shared: Bare, value: bytes, format: tuple[PyFormat, Format]) -> None:
    query = "select $1, pg_typeof($1)::text"
    row = shared.row(query, (value,), format=format[0], result=format[1])
    assert row == (value, "bytea")


@pytest.mark.parametrize("result", Format)
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (bytearray(b"a\0\xff"), b"a\0\xff"),
        (memoryview(b"a\0\xff"), b"a\0\xff"),
        (memoryview(b"abcdef")[::2], b"ace"),
        (memoryview(b"abcdef")[::-1], b"fedcba"),
        (memoryview(b"abcdef").cast("B", (2, 3)), b"abcdef"),
        (memoryview(array.array("i", [1])), array.array("i", [1]).tobytes()),
        (Binary(b"a\0"), b"a\0"),
        (Binary(bytearray(b"a\0")), b"a\0"),
        (Binary(memoryview(b"abcd")[::2]), b"ac"),
        (Binary(array.array("i", [1])), array.array("i", [1]).tobytes()),
    ],
)
def test_what_holds_bytes_is_sent_as_bytea(
    shared: Bare, value: Any, expected: bytes, result: Format
) -> None:
    for format in PyFormat:
        query = "select $1, pg_typeof($1)::text"
        row = shared.row(query, (value,), format=format, result=result)
        assert row == (expected, "bytea")
        assert isinstance(row[0], bytes)
    assert shared.row(f"select {shared.literal(value)}") == (expected,)


def test_bytes_in_binary_are_not_copied() -> None:
    value = bytes(1000)
    assert Transformer().dump_sequence([value], [PyFormat.AUTO])[0] is value


@on_server
@given(value=st.binary())
@example(value=b"\\x41")
@example(value=bytes(range(256)))
def test_bytea_in_escape_format(shared: Bare, value: bytes) -> None:
    query = "select encode($1, 'escape')"
    (escaped,) = shared.row(query, (value,))
    transformer = Transformer()
    transformer.set_loader_types([_oids.BYTEA_OID], Format.TEXT)
    shared.command("set bytea_output to escape")
    try:
        assert shared.row("select $1", (value,)) == (value,)
    finally:
        shared.command("set bytea_output to hex")
    assert isinstance(escaped, str)


@pytest.mark.parametrize("data", [b"\\xabc", b"\\xzz", b"\\", b"a\\b", b"\\400", b"\\12", b"\\8"])
def test_broken_bytea_is_a_data_error(data: bytes) -> None:
    transformer = Transformer()
    transformer.set_loader_types([_oids.BYTEA_OID], Format.TEXT)
    with pytest.raises(DataError, match="bytea"):
        transformer.load_sequence([data])


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("oid", [_oids.TEXT_OID, _oids.BYTEA_OID, 0, 987654])
@settings(max_examples=200)
@given(data=st.binary() | st.binary().map(lambda tail: b"\\x" + tail))
def test_any_bytes_are_a_value_or_a_data_error(oid: int, format: Format, data: bytes) -> None:
    transformer = Transformer()
    transformer.set_loader_types([oid], format)
    try:
        (value,) = transformer.load_sequence([data])
    except DataError:
        return
    assert isinstance(value, str | bytes)


# -- literals ------------------------------------------------------------------------------------

HOSTILE = ["", "'", "\\", "\\'", "''", "a'b\\'c", "\\x", "'; select 1; --", "é'", "\n", "$$", "%s"]


@pytest.mark.parametrize("conforming", ["on", "off"])
@pytest.mark.parametrize("value", HOSTILE)
def test_literals_are_safe_under_both_settings(bare: Bare, value: str, conforming: str) -> None:
    conform(bare.pgconn, conforming)
    for obj in (value, value.encode()):
        assert bare.row(f"select {bare.literal(obj)}") == (obj,)
        # Made without a connection, a literal must do for any.
        literal = Transformer().as_literal(obj).decode()
        assert bare.row(f"select{literal if literal.startswith(' ') else ' ' + literal}") == (obj,)


@pytest.mark.parametrize(
    ("value", "connected", "unconnected"),
    [
        ("it's", "'it''s'", "'it''s'"),
        ("a\\b", r" E'a\\b'", r" E'a\\b'"),
        (b"ab\0", r"'\x616200'::bytea", r" E'\\x616200'::bytea"),
        (Binary(b"ab"), r"'\x6162'::bytea", r" E'\\x6162'::bytea"),
    ],
)
def test_literal(shared: Bare, value: Any, connected: str, unconnected: str) -> None:
    assert shared.literal(value) == connected
    assert Transformer().as_literal(value).decode() == unconnected


@pytest.mark.parametrize("result", Format)
@pytest.mark.parametrize("byte", [0, 1, 65, 92, 127, 128, 200, 255])
def test_char_is_the_same_in_both_formats(shared: Bare, byte: int, result: Format) -> None:
    signed = byte if byte < 128 else byte - 256
    shown = f"\\{byte:03o}" if byte > 127 else chr(byte) if byte else ""
    query = f'select ({signed})::"char", array[({signed})::"char"]'
    assert shared.row(query, result=result) == (shown, [shown])
