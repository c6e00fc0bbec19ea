"""Template strings of Python 3.14 as queries."""

from __future__ import annotations

import pytest

import psycopg3
from psycopg3 import sql

pytest.importorskip("string.templatelib", reason="template strings came with Python 3.14")


@pytest.fixture
def conn(dsn):
    with psycopg3.connect(dsn, autocommit=True) as conn:
        yield conn


VALUES = {"sql": sql, "a": 1, "name": 'x"%y', "s": "it's %s", "l": [1, 2]}


def t(text, **values):
    """A template string; older versions of Python couldn't read one in this file."""
    return eval(f't"""{text}"""', {**VALUES, **values})


@pytest.mark.parametrize(
    "text, query, row",
    [
        ("select {a}", b"select $1", (1,)),
        ("select {a} %% 2, '%'".replace("%%", "%"), b"select $1 % 2, '%'", (1, "%")),
        ("select {a:s}, {a:b}, {a:t}", b"select $1, $2, $3", (1, 1, 1)),
        ("select {a} as {name:i}", b'select $1 as "x""%y"', (1,)),
        ("select {s:l}, {a}, {s}", b"select 'it''s %s', $1, $2", ("it's %s", 1, "it's %s")),
        ("select {l}, {l[0]}", b"select $1, $2", ([1, 2], 1)),
        ("select {sql.SQL('1'):q}", b"select 1", (1,)),
        ("select {sql.SQL('{}').format(s):q}", b"select 'it''s %s'", ("it's %s",)),
        ("select {sql.Literal(2):l}, 1 as {sql.Identifier('a'):i}", b'select 2, 1 as "a"', (2, 1)),
        ("select {sql.NULL:q}", b"select NULL", (None,)),
        ("select 1", b"select 1", (1,)),
    ],
)
def test_executed(conn, text, query, row):
    cur = conn.execute(t(text))
    assert (cur._query.query, cur.fetchone()) == (query, row)


def test_nested(conn):
    inner = t("{a} + {a + 1}")
    cur = conn.execute(t("select {inner:q}, {s}", inner=inner))
    assert cur._query.query == b"select $1 + $2, $3"
    assert cur.fetchone() == (3, "it's %s")


def test_join(conn):
    joined = sql.SQL(", ").join([t("{a}"), t("{s}"), t("3")])
    assert conn.execute(t("select {joined:q}", joined=joined)).fetchone() == (1, "it's %s", 3)
    with pytest.raises(TypeError, match="one kind"):
        sql.SQL(", ").join([t("{a}"), 1])


def test_without_placeholders_several_statements(conn):
    cur = conn.execute(t("select 1; select 2"))
    assert cur.fetchone() == (1,) and cur.nextset() and cur.fetchone() == (2,)


def test_as_string(conn):
    template = t("select {a}, {name:i}, {s:l}, {s}, '%'")
    text = "select 1, \"x\"\"%y\", 'it''s %s', 'it''s %s', '%'"
    assert sql.as_string(template) == text == sql.as_string(template, conn)
    assert sql.as_bytes(template) == text.encode()


@pytest.mark.parametrize(
    "text, error, says",
    [
        ("{a!r}", TypeError, "conversion"),
        ("{a:z}", psycopg3.ProgrammingError, "'z'"),
        ("{a: s}", psycopg3.ProgrammingError, "' s'"),
        ("{a:i}", psycopg3.ProgrammingError, "'i'"),
        ("{s:q}", psycopg3.ProgrammingError, "'q'"),
        ("{sql.SQL('1')}", psycopg3.ProgrammingError, "'q'"),
        ("{sql.SQL('1'):i}", psycopg3.ProgrammingError, "'q'"),
        ("{sql.Identifier('a'):q}", psycopg3.ProgrammingError, "'i'"),
        ("{sql.Placeholder():q}", psycopg3.ProgrammingError, "Placeholder"),
        ("{sql.Composed([sql.Placeholder()]):q}", psycopg3.ProgrammingError, "Placeholder"),
    ],
)
def test_refused(conn, text, error, says):
    with pytest.raises(error, match=says):
        conn.execute(t(f"select {text}"))
    inner = t("x")
    with pytest.raises(psycopg3.ProgrammingError, match="'q'"):
        conn.execute(t("select {inner}", inner=inner))


def test_parameters_beside_it(conn):
    for params in ([1], []):
        with pytest.raises(TypeError, match="in it"):
            conn.execute(t("select {a}"), params)
    with pytest.raises(TypeError, match="in it"):
        conn.cursor().executemany(t("select {a}"), [[1]])


def test_too_many(conn):
    joined = sql.SQL(",").join([t("{a}")] * 65536)
    with pytest.raises(psycopg3.ProgrammingError, match="65536"):
        conn.execute(t("select {joined:q}", joined=joined))
