# Generated from tests/_async/test_closing_pool.py by `python tools/unasync.py`: edit that file, not this one.
"""Connections that a pool lends: psycopg_pool's sets `_pool`."""

from __future__ import annotations

import pytest

from psycopg3 import Connection

pytestmark = pytest.mark.anyio


class Pool:
    """A pool, as far as connections look at it."""

    def __init__(self, close_returns=False):
        self.close_returns = close_returns
        self.returned = []

    def putconn(self, conn):
        self.returned.append(conn)


def test_a_block_leaves_it_open(dsn):
    conn = Connection.connect(dsn)
    conn._pool = Pool()
    with conn:
        conn.execute("create temporary table pooled (a int)")
    assert not conn.closed
    assert not conn.in_transaction
    with pytest.raises(ZeroDivisionError):
        with conn:
            conn.execute("drop table pooled")
            raise ZeroDivisionError
    assert not conn.closed
    assert conn.fetchval("select count(*) from pooled") == 0
    conn.close()
    assert conn.closed


def test_closing_returns_it_if_the_pool_wants(dsn):
    conn = Connection.connect(dsn)
    pool = conn._pool = Pool(close_returns=True)
    conn.close()
    assert pool.returned == [conn]
    assert not conn.closed
    conn._pool = None
    conn.close()
    assert conn.closed
