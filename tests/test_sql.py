"""SQL composed of parts, as users write it, against the server that reads it."""

from __future__ import annotations

import datetime as dt

import pytest

import psycopg3
from psycopg3 import sql
from psycopg3.adapt import PyFormat


@pytest.fixture
def conn(dsn):
    with psycopg3.connect(dsn, autocommit=True) as conn:
        yield conn


AWKWARD = [
    "a%b",
    "a%s",
    "%(x)s",
    "%%",
    "a'b",
    'a"b',
    "a\\b",
    "a\\'b",
    "{}",
    "ünï",
    "$1",
    ":x",
    "a?b",
]


class TestExecuted:
    @pytest.mark.parametrize("text", AWKWARD)
    @pytest.mark.parametrize("scs", ["on", "off"])
    def test_names_and_literals_beside_parameters(self, conn, text, scs):
        if conn.info.server_version < 190000:
            conn.execute(f"set standard_conforming_strings to {scs}")
        query = sql.SQL("select {} as {}, '%%' as pct, %s::text as p").format(
            text, sql.Identifier(text)
        )
        cur = conn.execute(query, [text])
        assert cur.fetchone() == (text, "%", text)
        assert cur.description[0].name == text
        named = sql.SQL("select {}, %(p)s::text").format(text)
        assert conn.execute(named, {"p": text}).fetchone() == (text, text)
        # Without parameters, the text is as it stands.
        plain = sql.SQL("select {} as {}, '%%'").format(text, sql.Identifier(text))
        assert conn.execute(plain).fetchone() == (text, "%%")

    def test_placeholders(self, conn):
        names = ["a", "é", "a b"]
        query = sql.SQL("select {}").format(sql.SQL(", ").join(map(sql.Placeholder, names)))
        assert conn.execute(query, {"a": 1, "é": 2, "a b": 3}).fetchone() == (1, 2, 3)
        query = sql.SQL("select {}").format(sql.SQL(", ").join(sql.Placeholder() * 3))
        assert conn.execute(query, [1, 2, 3]).fetchone() == (1, 2, 3)
        query = sql.SQL("select ") + sql.Placeholder("a", format="b")
        cur = conn.execute(query, {"a": 7})
        assert cur._query.formats == [1]

    def test_executemany(self, conn):
        conn.execute('create temp table "t%s" (a int, "b%" text)')
        query = sql.SQL("insert into {} ({}) values ({})").format(
            sql.Identifier("t%s"),
            sql.SQL(", ").join(map(sql.Identifier, ["a", "b%"])),
            sql.SQL(", ").join(sql.Placeholder() * 2),
        )
        conn.cursor().executemany(query, [[1, "x"], [2, "y"]])
        assert conn.execute('select "b%" from "t%s" order by a').fetchall() == [("x",), ("y",)]

    def test_qualified_name(self, conn):
        query = sql.SQL("select count(*) > 0 from {}").format(
            sql.Identifier("pg_catalog", "pg_class")
        )
        assert conn.execute(query).fetchone() == (True,)

    @pytest.mark.parametrize("encoding", ["LATIN1", "SJIS", "GBK", "BIG5", "GB18030", "EUC_JP"])
    def test_encodings(self, conn, encoding):
        # In some, a second byte is that of a backslash or another sign of ASCII.
        text = "é" if encoding == "LATIN1" else "表'\\\""
        if encoding == "SJIS":  # whose backslash is a yen sign to the server
            text = "表'\""
        if encoding == "BIG5":
            text = "功'\\\""
        conn.execute(f"set client_encoding to {encoding}")
        query = sql.SQL("select {}, %s::text as {}").format(text, sql.Identifier(text))
        cur = conn.execute(query, [text])
        assert cur.fetchone() == (text, text)
        assert cur.description[1].name == text

    def test_a_character_that_the_encoding_lacks(self, conn):
        conn.execute("set client_encoding to latin1")
        with pytest.raises(psycopg3.DataError, match="name .*latin|iso8859"):
            conn.execute(sql.SQL("select 1 as {}").format(sql.Identifier("表")))

    def test_nul(self, conn):
        with pytest.raises(psycopg3.DataError, match="NUL"):
            sql.Identifier("a\0b").as_bytes()

    def test_what_is_no_query(self, conn):
        with pytest.raises(psycopg3.ProgrammingError, match="type int"):
            conn.execute(1)

    def test_a_class_of_ones_own(self, conn):
        class Now(sql.Composable):
            def as_bytes(self, context=None):
                return b"10 %% 4"

        assert conn.execute(sql.SQL("select %s, ") + Now(1), [1]).fetchone() == (1, 2)


class TestText:
    @pytest.mark.parametrize(
        "part, text",
        [
            (sql.SQL("a{{b"), "a{{b"),
            (sql.SQL("{} {a} {{}}").format(1, a="x"), "1 'x' {}"),
            (sql.SQL("{1} {0} {1}").format(1, 2), "2 1 2"),
            (sql.SQL("{}, {}, {}").format(1, 2, 3), "1, 2, 3"),
            (sql.Identifier('a"b', "é"), '"a""b"."é"'),
            (sql.Literal(dt.date(2020, 1, 1)), "'2020-01-01'::date"),
            (sql.Literal("a\\b'c"), " E'a\\\\b''c'"),
            (sql.Literal(-1), " -1"),
            (sql.Literal(None), "NULL"),
            (sql.Placeholder(), "%s"),
            (sql.Placeholder("x", PyFormat.TEXT), "%(x)t"),
            (sql.SQL(", ").join([sql.Identifier("a"), 1, "x"]), "\"a\", 1, 'x'"),
            (sql.SQL(", ").join([]), ""),
            (sql.Composed([sql.SQL("a"), 1]).join("-"), "a-1"),
            (sql.SQL("a") + sql.Identifier("b") + sql.SQL("c"), 'a"b"c'),
            (sql.SQL("ab") * 2, "abab"),
            (sql.NULL + sql.DEFAULT, "NULLDEFAULT"),
        ],
    )
    def test_as_string(self, part, text):
        assert part.as_string() == text == sql.as_string(part)
        assert part.as_bytes() == text.encode() == sql.as_bytes(part)

    def test_quote(self, conn):
        assert sql.quote("it's") == "'it''s'" == sql.quote("it's", conn)
        assert sql.quote(dt.date(2020, 1, 1), conn.cursor()) == "'2020-01-01'::date"
        assert sql.as_string(3) == "3"
        conn.execute("set client_encoding to latin1")
        assert sql.as_bytes("é", conn) == b"'\xe9'"
        assert sql.as_string("é", conn) == "'é'"

    @pytest.mark.parametrize(
        "part, text",
        [
            (sql.SQL("x"), "SQL('x')"),
            (sql.Identifier("a", "b"), "Identifier('a', 'b')"),
            (sql.Literal(1), "Literal(1)"),
            (sql.Placeholder(), "Placeholder()"),
            (sql.Placeholder("x"), "Placeholder('x')"),
            (sql.Placeholder("x", format="b"), "Placeholder('x', format=BINARY)"),
            (sql.SQL("a") + sql.Literal(1), "Composed([SQL('a'), Literal(1)])"),
        ],
    )
    def test_repr(self, part, text):
        assert repr(part) == text

    def test_equality(self):
        assert sql.SQL("a") == sql.SQL("a") != sql.Literal("a")
        assert sql.Placeholder("a") != sql.Placeholder("a", format="b")
        assert sql.Composed(["a"]) == sql.Composed(["a"])
        assert list(sql.Composed([sql.SQL("a"), 2])) == [sql.SQL("a"), sql.Literal(2)]


@pytest.mark.parametrize(
    "make, error",
    [
        (lambda: sql.SQL(b"x"), TypeError),
        (lambda: sql.Identifier(), TypeError),
        (lambda: sql.Identifier("a", 1), TypeError),
        (lambda: sql.Placeholder(1), TypeError),
        (lambda: sql.Placeholder("a)b"), ValueError),
        (lambda: sql.Placeholder(format="q"), ValueError),
        (lambda: sql.SQL("a") + "b", TypeError),
        (lambda: sql.SQL("a").join(1), TypeError),
        (lambda: sql.Composed([1]).join(1), TypeError),
        (lambda: sql.SQL("{!r}").format(1), ValueError),
        (lambda: sql.SQL("{:x}").format(1), ValueError),
        (lambda: sql.SQL("{0} {}").format(1, 2), ValueError),
        (lambda: sql.SQL("{} {0}").format(1, 2), ValueError),
        (lambda: sql.SQL("{").format(1), ValueError),
        (lambda: sql.SQL("{}").format(), IndexError),
        (lambda: sql.SQL("{a}").format(1), KeyError),
        (lambda: sql.Literal(object()).as_string(), psycopg3.ProgrammingError),
    ],
)
def test_refused(make, error):
    with pytest.raises(error):
        make()
