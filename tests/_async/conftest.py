"""Fixtures of the shells' tests: a connection; the synchronous twin is generated."""

from __future__ import annotations

import pytest

from psycopg3 import AsyncConnection


@pytest.fixture
async def conn(dsn):
    async with await AsyncConnection.connect(dsn) as conn:
        yield conn
        if not conn.closed:
            await conn.rollback()


@pytest.fixture
async def other(dsn):
    async with await AsyncConnection.connect(dsn, autocommit=True) as other:
        yield other
