# Generated from tests/_async/test_cursors.py by `python tools/unasync.py`: edit that file, not this one.
"""Cursors with client-side parameters, with $1, and at the server."""

from __future__ import annotations

import datetime as dt
import gc
from decimal import Decimal

import pytest

import psycopg3
from psycopg3 import (
    ClientCursor,
    RawCursor,
    RawServerCursor,
    ServerCursor,
    errors,
    rows,
    sql,
)
from psycopg3.client_cursor import ClientCursorMixin
from psycopg3.types.json import Jsonb

pytestmark = pytest.mark.anyio


@pytest.fixture
def client(conn):
    return ClientCursor(conn)


VALUES = [
    None,
    True,
    -1,
    -(2**40),
    10**30,
    -1.5,
    -0.0,
    float("-inf"),
    Decimal("-1.20"),
    "it's",
    "back\\slash\\'",
    "%s %(a)s $1 ünï",
    b"\x00\\'\xff",
    [b"\\a", b"'\"", None],
    ["a\\b", 'c"d', "e'f", None],
    [[1, -2], [3, None]],
    dt.date(2026, 11, 28),
    dt.datetime(2026, 11, 28, 1, 2, 3, 4, dt.UTC),
    dt.timedelta(days=-1, seconds=2),
    Jsonb({"a": ["\\", "'", '"']}),
]


class TestClientCursor:
    @pytest.mark.parametrize("value", VALUES, ids=repr)
    @pytest.mark.parametrize("scs", ["on", "off"])
    def test_values(self, conn, client, value, scs):
        if conn.info.server_version < 190000:
            conn.execute(f"set standard_conforming_strings to {scs}")
        cast = "::text[]" if isinstance(value, list) and isinstance(value[0], str) else ""
        client.execute(f"select %s{cast}, 1 -%s::text::int", [value, -1])
        back, two = client.fetchone()
        assert (back, two) == (getattr(value, "obj", value), 2)

    def test_several_statements(self, client):
        client.execute("select %s; select %s", [1, "x"])
        assert client.fetchone() == (1,)
        assert client.nextset()
        assert client.fetchone() == ("x",)

    def test_where_the_server_takes_no_parameters(self, conn, client):
        client.execute("create temp table t (a text default %s)", ["it's"])
        client.execute("set local application_name to %(a)s", {"a": "it's"})
        cur = conn.execute("show application_name")
        assert cur.fetchone() == ("it's",)

    def test_mogrify(self, client):
        assert client.mogrify("select %s, '%%', %s", [-1, "é"]) == "select  -1, '%', 'é'"
        assert client.mogrify("%(a)s%(b)t%(a)s", {"a": 1, "b": 2}) == "121"
        assert client.mogrify("select '%%', %s") == "select '%%', %s"
        assert client.mogrify(b"select %s", ["é"]) == "select 'é'"
        part = sql.SQL("select {}, %s").format("a%")
        assert client.mogrify(part, ["b%"]) == "select 'a%', 'b%'"
        with pytest.raises(psycopg3.ProgrammingError, match="1 placeholders"):
            client.mogrify("select %s", [1, 2])

    @pytest.mark.parametrize(
        "encoding, text", [("LATIN1", "é'\\"), ("SJIS", "表'"), ("GBK", "表'\\")]
    )
    def test_encodings(self, conn, client, encoding, text):
        conn.execute(f"set client_encoding to {encoding}")
        assert client.mogrify(f"select '{text[0]}', %s", [text[:2]]) == (
            f"select '{text[0]}', '{text[0]}'''"
        )
        client.execute(f"select %s, '{text[0]}' as {text[0]}", [text])
        assert client.fetchone() == (text, text[0])

    def test_factory(self, conn):
        conn.cursor_factory = ClientCursor
        cur = conn.execute("select %s; select 2", [1])
        assert cur.fetchone() == (1,)
        assert type(conn.cursor()) is ClientCursor

    def test_executemany(self, conn, client):
        conn.execute("create temp table t (a int, b text)")
        client.executemany("insert into t values (%s, %s)", [[1, "a"], [2, "%"]])
        assert client.rowcount == 2
        cur = conn.execute("select b from t order by a")
        assert cur.fetchall() == [("a",), ("%",)]

    def test_binary_results(self, conn, client):
        with pytest.raises(psycopg3.NotSupportedError, match="binary"):
            client.execute("select 1", binary=True)
        cur = conn.execute("select 1")  # nothing was sent
        assert cur.fetchone() == (1,)

    def test_closed(self, client):
        client.close()
        with pytest.raises(psycopg3.InterfaceError, match="closed"):
            client.execute("select 1")


class TestRawCursor:
    def test_execute(self, conn):
        cur = RawCursor(conn)
        cur.execute("select $1, '%s', $2::text, $1 + 1", [1, "x"])
        assert cur.fetchone() == (1, "%s", "x", 2)
        cur.execute("select 1; select 2")
        assert cur.nextset()
        cur.execute(sql.SQL("select {}, $1").format("a%"), [1])
        assert cur.fetchone() == ("a%", 1)
        cur.execute("select 'é'", [], binary=True)
        assert cur.fetchone() == ("é",)

    def test_executemany(self, conn):
        conn.execute("create temp table t (a int, b text)")
        cur = RawCursor(conn)
        cur.executemany("insert into t values ($2, $1)", [["a", 1], ["b", 2]])
        assert cur.rowcount == 2

    @pytest.mark.parametrize("params", [{"a": 1}, "a", 1])
    def test_refused(self, conn, params):
        with pytest.raises(psycopg3.ProgrammingError, match="sequence"):
            RawCursor(conn).execute("select $1", params)


def opened(conn, name="c", count=10, **kwargs):
    cur = conn.cursor(name, **kwargs)
    cur.execute("select generate_series(1, %s)", [count])
    return cur


class TestServerCursor:
    def test_what_it_is(self, conn):
        cur = conn.cursor("c", scrollable=True, withhold=True, row_factory=rows.scalar_row)
        assert isinstance(cur, ServerCursor)
        assert (cur.name, cur.scrollable, cur.withhold, cur.itersize) == ("c", True, True, 100)
        assert (cur.description, cur.rownumber, cur.rowcount) == (None, None, -1)
        assert "'c'" in repr(cur)
        assert not isinstance(conn.cursor(), ServerCursor)
        cur = conn.cursor("c")
        assert (cur.scrollable, cur.withhold) == (None, False)

    def test_execute(self, conn):
        cur = opened(conn)
        assert [column.name for column in cur.description] == ["generate_series"]
        assert (cur.rownumber, cur.rowcount) == (0, -1)
        assert cur.fetchone() == (1,)
        assert cur.fetchmany(2) == [(2,), (3,)]
        assert cur.fetchmany() == [(4,)]
        cur.arraysize = 2
        assert cur.fetchmany() == [(5,), (6,)]
        assert cur.rownumber == 6
        assert cur.fetchall() == [(7,), (8,), (9,), (10,)]
        assert cur.rownumber == 10
        assert cur.fetchone() is None
        assert cur.fetchall() == []
        assert cur.rownumber == 10
        with pytest.raises(psycopg3.ProgrammingError, match="-1 rows"):
            cur.fetchmany(-1)
        cur.close()

    def test_again(self, conn):
        cur = opened(conn)
        cur.fetchone()
        cur.execute("values (%s, 'a')", [7], binary=True)
        assert (cur.rownumber, len(cur.description)) == (0, 2)
        assert cur.fetchall() == [(7, "a")]
        assert cur.pgresult.fformat(0) == 1
        cur.close()

    def test_closed_at_the_server(self, conn):
        with opened(conn, 'a "b" %s') as cur:
            listed = conn.execute("select name from pg_cursors")
            assert listed.fetchall() == [('a "b" %s',)]
        listed = conn.execute("select name from pg_cursors")
        assert listed.fetchall() == []
        cur.close()
        with pytest.raises(psycopg3.InterfaceError, match="closed"):
            cur.fetchone()

    def test_iteration(self, conn):
        cur = opened(conn, row_factory=rows.scalar_row)
        cur.itersize = 4
        got = []
        for value in cur:
            got.append(value)
            assert cur.rownumber == len(got)
            if value == 2:
                break
        # What was fetched ahead is not lost.
        got.append(cur.fetchone())
        got += cur.fetchmany(3)
        for value in cur:
            got.append(value)
        assert got == list(range(1, 11))
        assert cur.fetchall() == []
        cur.close()

    def test_values_of_none_dont_end_it(self, conn):
        cur = conn.cursor("c", row_factory=rows.scalar_row)
        cur.execute("values (1), (null), (3)")
        cur.itersize = 1
        assert [value for value in cur] == [1, None, 3]
        cur.close()

    @pytest.mark.parametrize("ahead", [False, True])
    def test_scroll(self, conn, ahead):
        cur = opened(conn, scrollable=True, row_factory=rows.scalar_row)

        def next_row():
            if not ahead:
                return cur.fetchone()
            for value in cur:
                return value
            return None

        cur.itersize = 3
        assert next_row() == 1
        cur.scroll(2)
        assert (cur.rownumber, next_row()) == (3, 4)
        cur.scroll(-3)
        assert (cur.rownumber, next_row()) == (1, 2)
        cur.scroll(8, mode="absolute")
        assert (cur.rownumber, next_row()) == (8, 9)
        cur.scroll(0, mode="absolute")
        assert (cur.rownumber, next_row()) == (0, 1)
        assert cur.fetchall() == [2, 3, 4, 5, 6, 7, 8, 9, 10]
        cur.scroll(-1)  # from behind the last
        assert (cur.rownumber, next_row(), next_row()) == (9, 10, None)
        cur.scroll(-100)
        assert (cur.rownumber, next_row()) == (0, 1)
        cur.scroll(100)
        assert (cur.rownumber, next_row()) == (10, None)
        cur.scroll(-2)
        assert (cur.rownumber, cur.fetchall()) == (8, [9, 10])
        assert cur.description is not None
        with pytest.raises(ValueError, match="'x'"):
            cur.scroll(1, "x")
        cur.close()

    def test_not_scrollable(self, conn):
        cur = opened(conn, scrollable=False)
        cur.fetchmany(5)
        cur.scroll(2)
        assert cur.fetchone() == (8,)
        with pytest.raises(errors.ObjectNotInPrerequisiteState):
            cur.scroll(-1)
        cur.close()  # in a failed transaction: nothing to do

    def test_hold(self, conn):
        held = opened(conn, "held", withhold=True)
        gone = opened(conn, "gone")
        conn.commit()
        assert held.fetchone() == (1,)
        with pytest.raises(errors.InvalidCursorName):
            gone.fetchone()
        conn.rollback()
        gone.close()
        held.close()
        cur = conn.execute("select count(*) from pg_cursors")
        assert cur.fetchone() == (0,)

    def test_autocommit(self, other):
        with pytest.raises(errors.NoActiveSqlTransaction, match="withhold"):
            other.cursor("c").execute("select 1")
        with other.cursor("c", withhold=True) as cur:
            cur.execute("select 1")
            assert cur.fetchone() == (1,)
        with other.transaction(), other.cursor("c") as cur:
            cur.execute("select 1")
            assert cur.fetchone() == (1,)

    def test_taken_over(self, conn):
        conn.execute("declare taken scroll cursor for select generate_series(1, 5)")
        cur = conn.cursor("taken")
        assert cur.fetchone() == (1,)
        assert cur.rownumber == 1
        cur.scroll(3, "absolute")
        assert [row for row in cur] == [(4,), (5,)]
        cur.close()
        listed = conn.execute("select name from pg_cursors")
        assert listed.fetchall() == []
        with pytest.raises(errors.InvalidCursorName):
            conn.cursor("nothing").fetchone()

    def test_row_factories(self, conn):
        cur = conn.cursor("c", row_factory=rows.dict_row)
        cur.execute("select 1 as a union all select 2")
        assert cur.fetchone() == {"a": 1}
        cur.row_factory = rows.namedtuple_row
        assert cur.fetchone().a == 2
        cur.close()

    def test_errors(self, conn):
        cur = conn.cursor("c")
        with pytest.raises(errors.SyntaxError):
            cur.execute("insert into x")
        conn.rollback()
        with pytest.raises(errors.SyntaxError):
            cur.execute("select 1; drop table x")
        conn.rollback()
        with pytest.raises(psycopg3.NotSupportedError):
            cur.executemany("select 1", [])
        for call in (cur.copy, cur.stream):
            with pytest.raises(psycopg3.NotSupportedError):
                call("select 1")
        cur.execute("select 1/(g - 3) from generate_series(1, 5) g")
        assert cur.fetchone() == (0,)
        with pytest.raises(errors.DivisionByZero):
            cur.fetchall()
        conn.rollback()
        with pytest.raises(ZeroDivisionError):
            with opened(conn) as cur:
                raise ZeroDivisionError
        cur = conn.execute("select count(*) from pg_cursors")
        assert cur.fetchone() == (0,)
        with pytest.raises(errors.DivisionByZero):
            with opened(conn) as cur:
                conn.execute("select 1/0")

    def test_closed_connection(self, conn):
        cur = opened(conn)
        conn.close()
        cur.close()
        with pytest.raises(psycopg3.InterfaceError):
            cur.fetchone()
        cur = ServerCursor(conn, "c")
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            cur.fetchone()

    def test_deleted_while_open(self, conn):
        cur = opened(conn)
        with pytest.warns(ResourceWarning, match="'c'"):
            del cur
            gc.collect()
        cur = opened(conn, "d")
        conn.rollback()
        del cur  # there is nothing open

    def test_factory(self, conn):
        conn.server_cursor_factory = RawServerCursor
        cur = conn.cursor("c")
        cur.execute("select $1 % 2", [3])
        assert cur.fetchone() == (1,)
        cur.close()

    def test_other_users_in_between(self, conn):
        cur = opened(conn, "c", 1000, row_factory=rows.scalar_row)
        got = []
        for value in cur:
            one = conn.execute("select 1").fetchone()
            got.append(value * one[0])
        assert got == list(range(1, 1001))
        cur.close()


def test_a_server_cursor_that_writes_parameters_into_the_query(conn):
    """As Django makes one."""

    class Mixed(ClientCursorMixin, ServerCursor):
        pass

    with Mixed(conn, "mixed") as cur:
        cur.execute("select %s, pg_typeof(%s)::text", ["it's", 1])
        assert cur.fetchall() == [("it's", "integer")]
        assert b"it''s" in cur._query.query
