"""What works behind any pooler whose client has a server connection for a transaction at least."""

from __future__ import annotations

import time
from typing import Any

import anyio
import pytest

import psycopg3
from psycopg3 import errors
from tests.faults.running import ASYNCIO, THREADS, TRIO, World, settled

every_world = pytest.mark.parametrize("world", [THREADS, ASYNCIO, TRIO], ids=repr)


async def values(conn: Any, query: str, *params: object) -> list[Any]:
    """The rows that a query returns."""
    cur = await settled(conn.execute(query, params or None))
    rows: list[Any] = await settled(cur.fetchall())
    return rows


async def queries(world: World, dsn: str) -> None:
    """Queries, many executions, errors, transactions, several statements, a reset."""
    conn = await settled(world.connect(dsn, autocommit=True))
    assert await values(conn, "select %s::text, %s", "é" * 1000, 7) == [("é" * 1000, 7)]
    cur = conn.cursor()
    numbers = [(n,) for n in range(3000)]
    await settled(cur.executemany("select %s::int", numbers, returning=True))
    assert cur.rowcount == 3000
    with pytest.raises(errors.DivisionByZero):
        await settled(cur.executemany("select 1 / %s::int", [(1,), (0,), (1,)]))
    with pytest.raises(errors.UndefinedTable):
        await settled(conn.execute("select * from no_such_table"))
    cur = await settled(conn.execute("select 1; select 2"))
    assert await settled(cur.fetchone()) == (1,)
    assert cur.nextset()
    assert await settled(cur.fetchone()) == (2,)
    await settled(conn.reset())
    await settled(conn.close())


async def transactions(world: World, dsn: str) -> None:
    """A savepoint that is rolled back, and what was done outside of it."""
    conn = await settled(world.connect(dsn, autocommit=True))
    outer, inner = conn.transaction(), conn.transaction()
    enter, leave = ("__aenter__", "__aexit__") if world.has_tasks else ("__enter__", "__exit__")
    await settled(getattr(outer, enter)())
    await settled(conn.execute("create temp table kept (n int) on commit drop"))
    await settled(getattr(inner, enter)())
    await settled(conn.execute("insert into kept values (1)"))
    ex = psycopg3.Rollback(inner)
    assert await settled(getattr(inner, leave)(type(ex), ex, None))
    assert await values(conn, "select * from kept") == []
    await settled(getattr(outer, leave)(None, None, None))
    await settled(conn.close())


async def interruptions(world: World, dsn: str) -> None:
    """Timeouts and cancelled tasks leave the connection usable, and strike no other query."""
    conn = await settled(world.connect(dsn, autocommit=True))
    cur = conn.cursor()
    for number in range(4):
        begin = time.monotonic()
        if number == 3 and world.has_tasks:
            with anyio.move_on_after(0.1):
                await conn.execute("select pg_sleep(30)")
        else:
            with pytest.raises(errors.QueryTimeout):
                if number % 2:
                    many = cur.executemany("select pg_sleep(%s)", [(30,)] * 2, timeout=0.1)
                    await settled(many)
                else:
                    await settled(conn.execute("select pg_sleep(30)", timeout=0.1))
        assert time.monotonic() - begin < 1.5
        assert not conn.closed
        # A request that was left behind would come now.
        assert await values(conn, "select %s, pg_sleep(0.3)::text", number) == [(number, "")]
    await settled(conn.close())
