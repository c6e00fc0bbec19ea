"""Escaping: what comes out means what went in, in every encoding and setting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psycopg3 import pq
from psycopg3.errors import DataError, OperationalError
from psycopg3.pq import Escaping
from tests.marks import conform

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.fixture(scope="module")
def shared(dsn: str) -> pq.PGconn:
    conn = pq.PGconn.connect(dsn.encode())
    conn.exec_(b"set client_encoding to utf8")
    return conn


@pytest.fixture(params=["on", "off"])
def conforming(shared: pq.PGconn, request: pytest.FixtureRequest) -> pq.PGconn:
    conform(shared, request.param)
    return shared


def answer(conn: pq.PGconn, query: bytes) -> bytes | None:
    result = conn.exec_(query)
    assert result.status == pq.ExecStatus.TUPLES_OK, result.get_error_message()
    return result.get_value(0, 0)


@given(TEXT)
def test_literals(shared: pq.PGconn, text: str) -> None:
    assert answer(shared, b"select " + Escaping(shared).escape_literal(text.encode())) == (
        text.encode()
    )


@pytest.mark.parametrize("text", ["", "'", "\\", "\\'", "a\\b'c''", "é€𝄞", "\n\t\x01", "$$", "--"])
def test_hostile_strings(conforming: pq.PGconn, text: str) -> None:
    data, escaping = text.encode(), Escaping(conforming)
    assert answer(conforming, b"select " + escaping.escape_literal(data)) == data
    assert answer(conforming, b"select '" + escaping.escape_string(data) + b"'") == data
    if text:
        identifier = escaping.escape_identifier(data)
        assert conforming.exec_(b"select 1 as " + identifier).fname(0) == data


@given(TEXT.filter(lambda text: 0 < len(text.encode()) < 64))
def test_identifiers(shared: pq.PGconn, text: str) -> None:
    query = b"select 1 as " + Escaping(shared).escape_identifier(text.encode())
    assert shared.exec_(query).fname(0) == text.encode()


@given(st.binary(max_size=1000))
def test_bytes(shared: pq.PGconn, data: bytes) -> None:
    escaping = Escaping(shared)
    for kind in (data, bytearray(data), memoryview(data)):
        shown = answer(shared, b"select '" + escaping.escape_bytea(kind) + b"'::bytea")
        assert shown is not None
        assert escaping.unescape_bytea(shown) == data


@given(st.binary(max_size=100))
def test_bytes_without_a_connection(data: bytes) -> None:
    escaped = Escaping().escape_bytea(data).replace(b"''", b"'")
    # libpq goes by the connection made last: backslashes are doubled where strings are E'' to it.
    if Escaping().escape_bytea(b"\\") == b"\\" * 4:
        escaped = escaped.replace(b"\\\\", b"\\")
    assert Escaping().unescape_bytea(escaped) == data


def test_strings_without_a_connection() -> None:
    assert Escaping().escape_string(b"it's") == b"it''s"
    assert Escaping().escape_string(b"") == b""


def test_what_needs_a_connection() -> None:
    for function in (Escaping().escape_literal, Escaping().escape_identifier):
        with pytest.raises(OperationalError, match="needs a connection, got none"):
            function(b"x")


@pytest.mark.parametrize(
    "name", ["escape_literal", "escape_identifier", "escape_string", "escape_bytea"]
)
def test_a_closed_connection(pgconn: pq.PGconn, name: str) -> None:
    escaping = Escaping(pgconn)
    pgconn.finish()
    with pytest.raises(OperationalError, match="the connection is closed"):
        getattr(escaping, name)(b"x")


@pytest.mark.parametrize(
    "name", ["escape_literal", "escape_identifier", "escape_string", "unescape_bytea"]
)
def test_nul_and_str(pgconn: pq.PGconn, name: str) -> None:
    function = getattr(Escaping(pgconn), name)
    with pytest.raises(DataError, match="NUL"):
        function(b"a\0'b")
    with pytest.raises(TypeError, match="got str"):
        function("text")
    with pytest.raises(TypeError, match="got str"):
        Escaping(pgconn).escape_bytea("text")  # type: ignore[arg-type]


@pytest.mark.parametrize("broken", [b"\xc3'", b"a\xff", b"\xe2\x82'; drop table t --"])
def test_what_is_no_text_of_the_encoding(pgconn: pq.PGconn, broken: bytes) -> None:
    pgconn.exec_(b"set client_encoding to utf8")
    escaping = Escaping(pgconn)
    for function in (escaping.escape_literal, escaping.escape_identifier):
        with pytest.raises(DataError, match="failed: .*multibyte character"):
            function(broken)
    # Faulty text may be seen by an older libpq, or made harmless: never may a quote get out.
    try:
        escaped = escaping.escape_string(broken)
    except DataError:
        return
    assert b"'" not in escaped.replace(b"''", b"")


def test_the_encoding_of_the_connection_counts(pgconn: pq.PGconn) -> None:
    # In SJIS the second byte of a character may be a backslash, in BIG5 too.
    pgconn.exec_(b"set client_encoding to sjis")
    conform(pgconn, "off")
    data = "表'".encode("shift_jis")
    assert b"\\" in data
    assert answer(pgconn, b"select '" + Escaping(pgconn).escape_string(data) + b"'") == data
