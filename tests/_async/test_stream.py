"""stream(): rows as they come, and a connection that is usable however the stream ends."""

from __future__ import annotations

import tracemalloc

import pytest

import psycopg3
from psycopg3 import AsyncConnection, AsyncRawCursor, capabilities, errors, rows
from psycopg3.pq import TransactionStatus

pytestmark = pytest.mark.anyio

MANY = "select generate_series(1, 100000000), repeat('x', 100)"
sizes = pytest.mark.parametrize("size", [1, 3] if capabilities.has_stream_chunked() else [1])


async def usable(conn):
    cur = await conn.execute("select 42")
    return await cur.fetchone() == (42,)


@sizes
async def test_rows(conn, size):
    cur = conn.cursor(row_factory=rows.dict_row)
    got = []
    async for row in cur.stream(
        "select g, %s::text as b from generate_series(1, 10) g", ["é"], size=size
    ):
        got.append(row)
        assert [column.name for column in cur.description] == ["g", "b"]
    assert got == [{"g": n, "b": "é"} for n in range(1, 11)]
    assert conn.pgconn.transaction_status == TransactionStatus.INTRANS
    assert [row async for row in cur.stream("select 1 as a where false", size=size)] == []
    assert await usable(conn)


@sizes
async def test_binary_and_values_of_none(conn, size):
    cur = conn.cursor(row_factory=rows.scalar_row)
    stream = cur.stream("values (1), (null), (3)", binary=True, size=size)
    assert [row async for row in stream] == [1, None, 3]
    assert cur.pgresult.fformat(0) == 1
    assert [row async for row in stream] == []


async def test_raw(conn):
    cur = AsyncRawCursor(conn)
    assert [row async for row in cur.stream("select $1 % 2", [3])] == [(1,)]


@sizes
async def test_left_half_read(conn, size):
    cur = conn.cursor()
    async for row in cur.stream(MANY, size=size):
        if row[0] == 5:
            break
    await conn.rollback()
    assert await usable(conn)
    stream = cur.stream(MANY, size=size)
    assert (await stream.__anext__())[0] == 1
    await stream.aclose()
    await stream.aclose()
    assert [row async for row in stream] == []
    await conn.rollback()
    async with cur.stream(MANY, size=size) as stream:
        async for _ in stream:
            break
    await conn.rollback()
    with pytest.raises(ZeroDivisionError):
        async for _ in cur.stream(MANY, size=size):
            raise ZeroDivisionError
    await conn.rollback()
    assert await usable(conn)


async def test_short_one_left_half_read_keeps_the_transaction(conn):
    await conn.execute("create temp table t (a int)")
    stream = conn.cursor().stream("select generate_series(1, 10)")
    await stream.__anext__()
    await stream.aclose()
    assert conn.pgconn.transaction_status == TransactionStatus.INTRANS
    await conn.execute("insert into t values (1)")


@sizes
async def test_errors(conn, size):
    cur = conn.cursor()
    got = []
    with pytest.raises(errors.DivisionByZero):
        async for row in cur.stream("select 1/(5 - g) from generate_series(1, 10) g", size=size):
            got.append(row)
    assert got == [(0,)] * (4 if size == 1 else 3) or len(got) in (3, 4)
    await conn.rollback()
    for query, params, error, says in [
        ("selec", None, errors.SyntaxError, "selec"),
        ("select %s", [], psycopg3.ProgrammingError, "placeholders"),
        ("select 1; select 2", None, errors.SyntaxError, "multiple"),
        ("create temp table t ()", None, psycopg3.ProgrammingError, "return rows"),
        ("copy (select 1) to stdout", None, psycopg3.ProgrammingError, "return rows"),
        ("select %s", [object()], psycopg3.ProgrammingError, "adapt"),
    ]:
        with pytest.raises(error, match=says):
            async for _ in cur.stream(query, params, size=size):
                pass
        await conn.rollback()
        assert await usable(conn)


async def test_sizes(conn):
    with pytest.raises(ValueError, match="0 rows"):
        conn.cursor().stream("select 1", size=0)
    if not capabilities.has_stream_chunked():
        with pytest.raises(psycopg3.NotSupportedError):
            conn.cursor().stream("select 1", size=2)


async def test_timeout(conn):
    with pytest.raises(errors.QueryTimeout):
        async for _ in conn.cursor().stream("select pg_sleep(10)", timeout=0.2):
            pass
    await conn.rollback()
    assert await usable(conn)


async def test_use_of_the_connection_inside(conn):
    with pytest.raises(psycopg3.ProgrammingError, match="iterator"):
        async for _ in conn.cursor().stream("select generate_series(1, 3)"):
            await conn.execute("select 1")
    assert await usable(conn)


async def test_lost(dsn, other):
    conn = await AsyncConnection.connect(dsn)
    with pytest.raises(psycopg3.OperationalError):
        async for row in conn.cursor().stream(MANY):
            if row[0] == 1:
                await other.execute("select pg_terminate_backend(%s)", [conn.info.backend_pid])
    assert conn.broken
    await conn.close()


@sizes
async def test_memory_is_flat(conn, size):
    cur = conn.cursor()
    tracemalloc.start()
    try:
        peaks = []
        stream = cur.stream("select repeat('x', 1000) from generate_series(1, 6000)", size=size)
        count = 0
        async for _ in stream:
            count += 1
            if count % 2000 == 0:
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.reset_peak()
    finally:
        tracemalloc.stop()
    assert count == 6000
    assert max(peaks) < 500_000
