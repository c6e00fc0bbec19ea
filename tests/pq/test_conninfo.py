"""Conninfo: libpq's reading of connection strings, and errors without passwords."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from psycopg3.errors import OperationalError, ProgrammingError
from psycopg3.pq import Conninfo


def parsed(conninfo: bytes) -> dict[bytes, bytes]:
    return {o.keyword: o.val for o in Conninfo.parse(conninfo) if o.val is not None}


def test_parse() -> None:
    assert parsed(b"host=h dbname='a \\'b\\''") == {b"host": b"h", b"dbname": b"a 'b'"}
    assert parsed(b"postgresql://u:p%40@h:7/d?sslmode=require") == {
        b"user": b"u",
        b"password": b"p@",
        b"host": b"h",
        b"port": b"7",
        b"dbname": b"d",
        b"sslmode": b"require",
    }
    assert parsed(b"") == {}
    assert parsed(bytearray(b"host=h")) == {b"host": b"h"}


def test_options() -> None:
    options = {o.keyword: o for o in Conninfo.parse(b"port=7 password=sesame")}
    assert len(options) > 30
    port = options[b"port"]
    assert (port.envvar, port.compiled, port.val) == (b"PGPORT", b"5432", b"7")
    assert port.label == b"Database-Port"
    assert port.dispsize == 6
    assert options[b"password"].dispchar == b"*"
    assert options[b"host"].val is None


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATABASE", "from_the_environment")
    options = {o.keyword: o.val for o in Conninfo.get_defaults()}
    assert options[b"dbname"] == b"from_the_environment"
    assert options[b"port"] is not None


def test_what_libpq_does_not_understand() -> None:
    with pytest.raises(OperationalError, match='^invalid connection option "colour"$'):
        Conninfo.parse(b"colour=blue")
    with pytest.raises(OperationalError, match='missing "=" after "nonsense"'):
        Conninfo.parse(b"nonsense")


def test_nul() -> None:
    with pytest.raises(ProgrammingError, match="connection string: got a NUL byte"):
        Conninfo.parse(b"user=alice\0 user=root")
    with pytest.raises(TypeError, match="connection string: got str"):
        Conninfo.parse("host=h")  # type: ignore[arg-type]


PASSWORDS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
TEMPLATES = [
    "postgresql://user:{}@host/db",
    "postgresql://user:{}@host:port@/db?x",
    "postgres://user:{}@[::1/db",
    "postgresql://user:{}",
    "postgresql://host/db?password={}",
    "postgresql://host/db?password={}&nonsense=1",
    "password={}",
    "host=h password='{}",
    "password='{}' nonsense=1",
    "nonsense password={} port=1",
    "sslpassword={} port",
]


@given(st.sampled_from(TEMPLATES), PASSWORDS, PASSWORDS)
@example("postgresql://user:{}@host/db", "", "@[")
@example("postgresql://user:{}", "1", "2")
def test_an_error_never_shows_the_password(template: str, before: str, after: str) -> None:
    # A piece that can't come from libpq's own words or the rest of the string.
    password = f"{before}S3same{after}"
    # A piece that reads as a keyword of its own is shown: it is one, as far as anybody can tell.
    assume("=" not in password)
    # Likewise what reads as a host, where there is no other.
    assume(not template.endswith("user:{}") or not set("@,/?") & set(password))
    try:
        Conninfo.parse(template.format(password).encode())
    except OperationalError as ex:
        assert "S3same" not in str(ex)
        assert ex.__cause__ is None
