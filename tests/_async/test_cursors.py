"""Cursors with client-side parameters, with $1, and at the server."""

from __future__ import annotations

import datetime as dt
import gc
from decimal import Decimal

import pytest

import psycopg3
from psycopg3 import (
    AsyncClientCursor,
    AsyncRawCursor,
    AsyncRawServerCursor,
    AsyncServerCursor,
    errors,
    rows,
    sql,
)
from psycopg3.client_cursor import ClientCursorMixin
from psycopg3.types.json import Jsonb

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(conn):
    return AsyncClientCursor(conn)


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
    async def test_values(self, conn, client, value, scs):
        if conn.info.server_version < 190000:
            await conn.execute(f"set standard_conforming_strings to {scs}")
        cast = "::text[]" if isinstance(value, list) and isinstance(value[0], str) else ""
        await client.execute(f"select %s{cast}, 1 -%s::text::int", [value, -1])
        back, two = await client.fetchone()
        assert (back, two) == (getattr(value, "obj", value), 2)

    async def test_several_statements(self, client):
        await client.execute("select %s; select %s", [1, "x"])
        assert await client.fetchone() == (1,)
        assert client.nextset()
        assert await client.fetchone() == ("x",)

    async def test_where_the_server_takes_no_parameters(self, conn, client):
        await client.execute("create temp table t (a text default %s)", ["it's"])
        await client.execute("set local application_name to %(a)s", {"a": "it's"})
        cur = await conn.execute("show application_name")
        assert await cur.fetchone() == ("it's",)

    async def test_mogrify(self, client):
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
    async def test_encodings(self, conn, client, encoding, text):
        await conn.execute(f"set client_encoding to {encoding}")
        assert client.mogrify(f"select '{text[0]}', %s", [text[:2]]) == (
            f"select '{text[0]}', '{text[0]}'''"
        )
        await client.execute(f"select %s, '{text[0]}' as {text[0]}", [text])
        assert await client.fetchone() == (text, text[0])

    async def test_factory(self, conn):
        conn.cursor_factory = AsyncClientCursor
        cur = await conn.execute("select %s; select 2", [1])
        assert await cur.fetchone() == (1,)
        assert type(conn.cursor()) is AsyncClientCursor

    async def test_executemany(self, conn, client):
        await conn.execute("create temp table t (a int, b text)")
        await client.executemany("insert into t values (%s, %s)", [[1, "a"], [2, "%"]])
        assert client.rowcount == 2
        cur = await conn.execute("select b from t order by a")
        assert await cur.fetchall() == [("a",), ("%",)]

    async def test_binary_results(self, conn, client):
        with pytest.raises(psycopg3.NotSupportedError, match="binary"):
            await client.execute("select 1", binary=True)
        cur = await conn.execute("select 1")  # nothing was sent
        assert await cur.fetchone() == (1,)

    async def test_closed(self, client):
        await client.close()
        with pytest.raises(psycopg3.InterfaceError, match="closed"):
            await client.execute("select 1")


class TestRawCursor:
    async def test_execute(self, conn):
        cur = AsyncRawCursor(conn)
        await cur.execute("select $1, '%s', $2::text, $1 + 1", [1, "x"])
        assert await cur.fetchone() == (1, "%s", "x", 2)
        await cur.execute("select 1; select 2")
        assert cur.nextset()
        await cur.execute(sql.SQL("select {}, $1").format("a%"), [1])
        assert await cur.fetchone() == ("a%", 1)
        await cur.execute("select 'é'", [], binary=True)
        assert await cur.fetchone() == ("é",)

    async def test_executemany(self, conn):
        await conn.execute("create temp table t (a int, b text)")
        cur = AsyncRawCursor(conn)
        await cur.executemany("insert into t values ($2, $1)", [["a", 1], ["b", 2]])
        assert cur.rowcount == 2

    @pytest.mark.parametrize("params", [{"a": 1}, "a", 1])
    async def test_refused(self, conn, params):
        with pytest.raises(psycopg3.ProgrammingError, match="sequence"):
            await AsyncRawCursor(conn).execute("select $1", params)


async def opened(conn, name="c", count=10, **kwargs):
    cur = conn.cursor(name, **kwargs)
    await cur.execute("select generate_series(1, %s)", [count])
    return cur


class TestServerCursor:
    async def test_what_it_is(self, conn):
        cur = conn.cursor("c", scrollable=True, withhold=True, row_factory=rows.scalar_row)
        assert isinstance(cur, AsyncServerCursor)
        assert (cur.name, cur.scrollable, cur.withhold, cur.itersize) == ("c", True, True, 100)
        assert (cur.description, cur.rownumber, cur.rowcount) == (None, None, -1)
        assert "'c'" in repr(cur)
        assert not isinstance(conn.cursor(), AsyncServerCursor)
        cur = conn.cursor("c")
        assert (cur.scrollable, cur.withhold) == (None, False)

    async def test_execute(self, conn):
        cur = await opened(conn)
        assert [column.name for column in cur.description] == ["generate_series"]
        assert (cur.rownumber, cur.rowcount) == (0, -1)
        assert await cur.fetchone() == (1,)
        assert await cur.fetchmany(2) == [(2,), (3,)]
        assert await cur.fetchmany() == [(4,)]
        cur.arraysize = 2
        assert await cur.fetchmany() == [(5,), (6,)]
        assert cur.rownumber == 6
        assert await cur.fetchall() == [(7,), (8,), (9,), (10,)]
        assert cur.rownumber == 10
        assert await cur.fetchone() is None
        assert await cur.fetchall() == []
        assert cur.rownumber == 10
        with pytest.raises(psycopg3.ProgrammingError, match="-1 rows"):
            await cur.fetchmany(-1)
        await cur.close()

    async def test_again(self, conn):
        cur = await opened(conn)
        await cur.fetchone()
        await cur.execute("values (%s, 'a')", [7], binary=True)
        assert (cur.rownumber, len(cur.description)) == (0, 2)
        assert await cur.fetchall() == [(7, "a")]
        assert cur.pgresult.fformat(0) == 1
        await cur.close()

    async def test_closed_at_the_server(self, conn):
        async with await opened(conn, 'a "b" %s') as cur:
            listed = await conn.execute("select name from pg_cursors")
            assert await listed.fetchall() == [('a "b" %s',)]
        listed = await conn.execute("select name from pg_cursors")
        assert await listed.fetchall() == []
        await cur.close()
        with pytest.raises(psycopg3.InterfaceError, match="closed"):
            await cur.fetchone()

    async def test_iteration(self, conn):
        cur = await opened(conn, row_factory=rows.scalar_row)
        cur.itersize = 4
        got = []
        async for value in cur:
            got.append(value)
            assert cur.rownumber == len(got)
            if value == 2:
                break
        # What was fetched ahead is not lost.
        got.append(await cur.fetchone())
        got += await cur.fetchmany(3)
        async for value in cur:
            got.append(value)
        assert got == list(range(1, 11))
        assert await cur.fetchall() == []
        await cur.close()

    async def test_values_of_none_dont_end_it(self, conn):
        cur = conn.cursor("c", row_factory=rows.scalar_row)
        await cur.execute("values (1), (null), (3)")
        cur.itersize = 1
        assert [value async for value in cur] == [1, None, 3]
        await cur.close()

    @pytest.mark.parametrize("ahead", [False, True])
    async def test_scroll(self, conn, ahead):
        cur = await opened(conn, scrollable=True, row_factory=rows.scalar_row)

        async def next_row():
            if not ahead:
                return await cur.fetchone()
            async for value in cur:
                return value
            return None

        cur.itersize = 3
        assert await next_row() == 1
        await cur.scroll(2)
        assert (cur.rownumber, await next_row()) == (3, 4)
        await cur.scroll(-3)
        assert (cur.rownumber, await next_row()) == (1, 2)
        await cur.scroll(8, mode="absolute")
        assert (cur.rownumber, await next_row()) == (8, 9)
        await cur.scroll(0, mode="absolute")
        assert (cur.rownumber, await next_row()) == (0, 1)
        assert await cur.fetchall() == [2, 3, 4, 5, 6, 7, 8, 9, 10]
        await cur.scroll(-1)  # from behind the last
        assert (cur.rownumber, await next_row(), await next_row()) == (9, 10, None)
        await cur.scroll(-100)
        assert (cur.rownumber, await next_row()) == (0, 1)
        await cur.scroll(100)
        assert (cur.rownumber, await next_row()) == (10, None)
        await cur.scroll(-2)
        assert (cur.rownumber, await cur.fetchall()) == (8, [9, 10])
        assert cur.description is not None
        with pytest.raises(ValueError, match="'x'"):
            await cur.scroll(1, "x")
        await cur.close()

    async def test_not_scrollable(self, conn):
        cur = await opened(conn, scrollable=False)
        await cur.fetchmany(5)
        await cur.scroll(2)
        assert await cur.fetchone() == (8,)
        with pytest.raises(errors.ObjectNotInPrerequisiteState):
            await cur.scroll(-1)
        await cur.close()  # in a failed transaction: nothing to do

    async def test_hold(self, conn):
        held = await opened(conn, "held", withhold=True)
        gone = await opened(conn, "gone")
        await conn.commit()
        assert await held.fetchone() == (1,)
        with pytest.raises(errors.InvalidCursorName):
            await gone.fetchone()
        await conn.rollback()
        await gone.close()
        await held.close()
        cur = await conn.execute("select count(*) from pg_cursors")
        assert await cur.fetchone() == (0,)

    async def test_autocommit(self, other):
        with pytest.raises(errors.NoActiveSqlTransaction, match="withhold"):
            await other.cursor("c").execute("select 1")
        async with other.cursor("c", withhold=True) as cur:
            await cur.execute("select 1")
            assert await cur.fetchone() == (1,)
        async with other.transaction(), other.cursor("c") as cur:
            await cur.execute("select 1")
            assert await cur.fetchone() == (1,)

    async def test_taken_over(self, conn):
        await conn.execute("declare taken scroll cursor for select generate_series(1, 5)")
        cur = conn.cursor("taken")
        assert await cur.fetchone() == (1,)
        assert cur.rownumber == 1
        await cur.scroll(3, "absolute")
        assert [row async for row in cur] == [(4,), (5,)]
        await cur.close()
        listed = await conn.execute("select name from pg_cursors")
        assert await listed.fetchall() == []
        with pytest.raises(errors.InvalidCursorName):
            await conn.cursor("nothing").fetchone()

    async def test_row_factories(self, conn):
        cur = conn.cursor("c", row_factory=rows.dict_row)
        await cur.execute("select 1 as a union all select 2")
        assert await cur.fetchone() == {"a": 1}
        cur.row_factory = rows.namedtuple_row
        assert (await cur.fetchone()).a == 2
        await cur.close()

    async def test_errors(self, conn):
        cur = conn.cursor("c")
        with pytest.raises(errors.SyntaxError):
            await cur.execute("insert into x")
        await conn.rollback()
        with pytest.raises(errors.SyntaxError):
            await cur.execute("select 1; drop table x")
        await conn.rollback()
        with pytest.raises(psycopg3.NotSupportedError):
            await cur.executemany("select 1", [])
        for call in (cur.copy, cur.stream):
            with pytest.raises(psycopg3.NotSupportedError):
                call("select 1")
        await cur.execute("select 1/(g - 3) from generate_series(1, 5) g")
        assert await cur.fetchone() == (0,)
        with pytest.raises(errors.DivisionByZero):
            await cur.fetchall()
        await conn.rollback()
        with pytest.raises(ZeroDivisionError):
            async with await opened(conn) as cur:
                raise ZeroDivisionError
        cur = await conn.execute("select count(*) from pg_cursors")
        assert await cur.fetchone() == (0,)
        with pytest.raises(errors.DivisionByZero):
            async with await opened(conn) as cur:
                await conn.execute("select 1/0")

    async def test_closed_connection(self, conn):
        cur = await opened(conn)
        await conn.close()
        await cur.close()
        with pytest.raises(psycopg3.InterfaceError):
            await cur.fetchone()
        cur = AsyncServerCursor(conn, "c")
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            await cur.fetchone()

    async def test_deleted_while_open(self, conn):
        cur = await opened(conn)
        with pytest.warns(ResourceWarning, match="'c'"):
            del cur
            gc.collect()
        cur = await opened(conn, "d")
        await conn.rollback()
        del cur  # there is nothing open

    async def test_factory(self, conn):
        conn.server_cursor_factory = AsyncRawServerCursor
        cur = conn.cursor("c")
        await cur.execute("select $1 % 2", [3])
        assert await cur.fetchone() == (1,)
        await cur.close()

    async def test_other_users_in_between(self, conn):
        cur = await opened(conn, "c", 1000, row_factory=rows.scalar_row)
        got = []
        async for value in cur:
            one = await (await conn.execute("select 1")).fetchone()
            got.append(value * one[0])
        assert got == list(range(1, 1001))
        await cur.close()


async def test_a_server_cursor_that_writes_parameters_into_the_query(conn):
    """As Django makes one."""

    class Mixed(ClientCursorMixin, AsyncServerCursor):
        pass

    async with Mixed(conn, "mixed") as cur:
        await cur.execute("select %s, pg_typeof(%s)::text", ["it's", 1])
        assert await cur.fetchall() == [("it's", "integer")]
        assert b"it''s" in cur._query.query
