"""Connections that a pool lends: psycopg_pool's sets `_pool`."""

from __future__ import annotations

import pytest

from psycopg3 import AsyncConnection

pytestmark = pytest.mark.anyio


class Pool:
    """A pool, as far as connections look at it."""

    def __init__(self, close_returns=False):
        self.close_returns = close_returns
        self.returned = []

    async def putconn(self, conn):
        self.returned.append(conn)


async def test_a_block_leaves_it_open(dsn):
    conn = await AsyncConnection.connect(dsn)
    conn._pool = Pool()
    async with conn:
        await conn.execute("create temporary table pooled (a int)")
    assert not conn.closed
    assert not conn.in_transaction
    with pytest.raises(ZeroDivisionError):
        async with conn:
            await conn.execute("drop table pooled")
            raise ZeroDivisionError
    assert not conn.closed
    assert await conn.fetchval("select count(*) from pooled") == 0
    await conn.close()
    assert conn.closed


async def test_closing_returns_it_if_the_pool_wants(dsn):
    conn = await AsyncConnection.connect(dsn)
    pool = conn._pool = Pool(close_returns=True)
    await conn.close()
    assert pool.returned == [conn]
    assert not conn.closed
    conn._pool = None
    await conn.close()
    assert conn.closed
