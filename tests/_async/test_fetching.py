"""conn.fetch(), fetchrow(), fetchval()."""

from __future__ import annotations

import pytest

import psycopg3
from psycopg3 import AsyncConnection, AsyncRawCursor, errors, rows

pytestmark = pytest.mark.anyio


async def test_rows(conn):
    assert await conn.fetch("select generate_series(1, %s)", [3]) == [(1,), (2,), (3,)]
    assert await conn.fetch("select 1 where false") == []
    assert await conn.fetchrow("select %(a)s, 'b'", {"a": 1}) == (1, "b")
    assert await conn.fetchrow("select 1 where false") is None


async def test_rows_are_the_factory_s(dsn):
    async with await AsyncConnection.connect(dsn, row_factory=rows.dict_row) as conn:
        assert await conn.fetch("select 1 as a") == [{"a": 1}]
        assert await conn.fetchrow("select 1 as a", raw=True) == {"a": 1}
        assert await conn.fetchval("select 1 as a, 2 as a", column=1) == 2


async def test_a_value(conn):
    assert await conn.fetchval("select %s::int + 1", [41]) == 42
    assert await conn.fetchval("select 'a', 'b'", column=1) == "b"
    assert await conn.fetchval("select 'a', 'b'", column=-1) == "b"
    assert await conn.fetchval("select 1 where false") is None
    assert await conn.fetchval("select null") is None
    with pytest.raises(IndexError):
        await conn.fetchval("select 1", column=1)


async def test_raw(conn):
    assert await conn.fetchval("select $1::int % 10", [42], raw=True) == 2
    assert await conn.fetch("select $2::text, $1::text", ["a", "b"], raw=True) == [("b", "a")]
    with pytest.raises(psycopg3.ProgrammingError, match="mapping"):
        await conn.fetch("select 1", {"a": 1}, raw=True)


async def test_the_connection_s_cursors_run_it(dsn):
    conn = await AsyncConnection.connect(dsn, cursor_factory=AsyncRawCursor)
    async with conn:
        assert await conn.fetchval("select $1::int", [1]) == 1


async def test_binary(conn):
    class Bytes(psycopg3.adapt.Loader):
        format = psycopg3.pq.Format.BINARY

        def load(self, data):
            return bytes(data)

    conn.adapters.register_loader("int4", Bytes)
    assert await conn.fetchval("select 1", binary=True) == b"\0\0\0\1"


async def test_what_returns_no_rows(conn):
    for fetch in (conn.fetch, conn.fetchrow, conn.fetchval):
        with pytest.raises(psycopg3.ProgrammingError, match="no rows"):
            await fetch("set local search_path to default")


async def test_timeout(conn):
    with pytest.raises(errors.QueryTimeout):
        await conn.fetchval("select pg_sleep(10)", timeout=0.05)
