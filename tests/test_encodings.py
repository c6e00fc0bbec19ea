"""Encodings: names both ways, and the server's agreement with Python's codecs."""

from __future__ import annotations

import codecs
from contextlib import suppress

import pytest

from psycopg3 import encodings, errors, pq

# Where Python's codec and the server differ for some characters, and how many there may be.
# Server 19 has the edition of 2022 of GB18030.
KNOWN_DIFFERENCES = {"BIG5": 1, "EUC_JIS_2004": 5, "EUC_JP": 7, "GB18030": 20}


class FakeConnection:
    """A libpq connection that reports an encoding."""

    def __init__(self, reported: bytes | None) -> None:
        self.reported = reported

    def parameter_status(self, name: bytes, /) -> bytes | None:
        assert name == b"client_encoding"
        return self.reported


@pytest.fixture
def conn(dsn: str) -> pq.PGconn:
    conn = pq.PGconn.connect(dsn.encode())
    assert conn.status == pq.ConnStatus.OK, conn.error_message
    return conn


def value(conn: pq.PGconn, query: bytes) -> bytes | None:
    result = conn.exec_(query)
    assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
    return result.get_value(0, 0)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("UTF8", "utf-8"),
        ("utf-8", "utf-8"),
        ("Unicode", "utf-8"),
        ("LATIN1", "iso8859-1"),
        ("iso_8859_1", "iso8859-1"),
        ("LATIN9", "iso8859-15"),
        ("ISO_8859_5", "iso8859-5"),
        ("EUC_JP", "euc_jp"),
        ("eucjp", "euc_jp"),
        ("SJIS", "cp932"),
        ("WIN1252", "cp1252"),
        ("windows-1252", "cp1252"),
        ("SQL_ASCII", "ascii"),
    ],
)
def test_pg2py(name: str, codec: str) -> None:
    assert encodings.pg2py(name.encode()) == codec
    assert codecs.lookup(codec).name == codec


@pytest.mark.parametrize(
    "name", [b"EUC_TW", b"MULE_INTERNAL", b"SHIFT_JIS_2004", b"klingon", b"", b"\xff", b"UTF\xb2"]
)
def test_pg2py_without_codec(name: bytes) -> None:
    with pytest.raises(errors.NotSupportedError, match="Python has no right codec"):
        encodings.pg2py(name)


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("utf-8", b"UTF8"),
        ("utf8", b"UTF8"),
        ("U8", b"UTF8"),
        ("latin1", b"LATIN1"),
        ("iso8859-15", b"LATIN9"),
        ("shift_jis", b"SJIS"),
        ("cp932", b"SJIS"),
        ("euc-kr", b"EUC_KR"),
        ("ascii", b"SQL_ASCII"),
    ],
)
def test_py2pg(codec: str, name: bytes) -> None:
    assert encodings.py2pg(codec) == name


@pytest.mark.parametrize("codec", ["utf-16", "rot13", "no such", "", "utf\0008", "hz"])
def test_py2pg_without_encoding(codec: str) -> None:
    with pytest.raises(errors.NotSupportedError, match="got the codec"):
        encodings.py2pg(codec)


@pytest.mark.parametrize("name", sorted(encodings._PYTHON_CODECS))
def test_there_and_back(name: str) -> None:
    codec = encodings.pg2py(name.encode())
    assert codecs.lookup(codec).name == codec
    assert encodings.py2pg(codec) == name.encode()


def test_conn_encoding() -> None:
    assert encodings.conn_encoding(None) == "utf-8"
    assert encodings.conn_encoding(FakeConnection(None)) == "utf-8"
    for _ in range(2):
        assert encodings.conn_encoding(FakeConnection(b"UTF8")) == "utf-8"
        assert encodings.conn_encoding(FakeConnection(b"LATIN9")) == "iso8859-15"
        assert encodings.conn_encoding(FakeConnection(b"SQL_ASCII")) == "ascii"
        with pytest.raises(errors.NotSupportedError):
            encodings.conn_encoding(FakeConnection(b"MULE_INTERNAL"))


def test_conn_encoding_follows_the_connection(conn: pq.PGconn) -> None:
    conn.exec_(b"set client_encoding to 'iso-8859-15'")
    assert encodings.conn_encoding(conn) == "iso8859-15"
    conn.exec_(b"set client_encoding to unicode")
    assert encodings.conn_encoding(conn) == "utf-8"
    conn.finish()
    assert encodings.conn_encoding(conn) == "utf-8"


def test_names_are_the_servers(conn: pq.PGconn) -> None:
    """Each name in the tables means to the server what it means here."""
    names = {name.lower(): name for name in encodings._PYTHON_CODECS} | encodings._ALIASES
    for alias, name in names.items():
        conn.exec_(b"set client_encoding to '%s'" % alias.encode())
        assert value(conn, b"show client_encoding") == name.encode(), alias


def test_tables_are_complete(conn: pq.PGconn) -> None:
    query = b"""select string_agg(pg_encoding_to_char(n), ' ')
        from generate_series(0, 99) n where pg_encoding_to_char(n) <> ''"""
    names = (value(conn, query) or b"").decode().split()
    lacking = set(names) - set(encodings._PYTHON_CODECS)
    assert lacking | {"MULE_INTERNAL"} == {
        "EUC_TW",
        "MULE_INTERNAL",
        "SHIFT_JIS_2004",
    }  # gone in 19


@pytest.mark.parametrize("name", sorted(encodings._PYTHON_CODECS))
def test_ascii_is_ascii(name: str) -> None:
    """SQL must mean the same to both: a backslash above all."""
    codec = encodings.pg2py(name.encode())
    for char in map(chr, range(128)):
        assert char.encode(codec) == char.encode()
        assert char.encode().decode(codec) == char


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(encodings._PYTHON_CODECS) - {"UTF8", "SQL_ASCII"}))
def test_codec_is_the_servers_conversion(conn: pq.PGconn, name: str) -> None:
    """What the server makes of each character, Python's codec reads as that character."""
    conn.exec_(
        b"""create function pg_temp.written(n int, enc name) returns bytea language plpgsql as
        $$begin return convert_to(chr(n), enc); exception when others then return null; end$$;
        create function pg_temp.readable(b bytea, enc name) returns text language plpgsql as
        $$begin return convert_from(b, enc); exception when others then return null; end$$"""
    )
    query = f"""select b::text, pg_temp.readable(b, '{name}') from (
        select distinct pg_temp.written(n, '{name}') from generate_series(160, 65533) n
        where n not between 55296 and 57343) x(b) where b is not null"""
    result = conn.exec_(query.encode())
    assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
    assert result.ntuples > 40
    codec = encodings.pg2py(name.encode())
    differing = 0
    for row in range(result.ntuples):
        raw = bytes.fromhex((result.get_value(row, 0) or b"").decode()[2:])
        text = (result.get_value(row, 1) or b"").decode()
        if text in ("", "\N{REPLACEMENT CHARACTER}"):
            continue  # the server can't read itself what it wrote
        with suppress(UnicodeDecodeError):  # an error is no wrong text; some have such characters
            differing += raw.decode(codec) != text
    assert differing <= KNOWN_DIFFERENCES.get(name, 0)
