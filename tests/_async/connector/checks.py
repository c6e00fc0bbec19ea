"""What the tests of connectors look at."""

from __future__ import annotations

import gc
import os
import time

import pytest

from psycopg3 import errors
from psycopg3.pq import TransactionStatus
from tests.connectors import tasks

NAME = "db.example.test"


BIG = "select repeat('x', 1000000) from generate_series(1, 20)"


async def descriptors():
    """How many descriptors are open, when those that are being closed are."""
    await tasks.pause(0.1)
    return len(os.listdir("/proc/self/fd"))


async def settled(before, seconds=3):
    """How many descriptors are open more than before, after some time to close them."""
    deadline = time.monotonic() + seconds
    while (left := await descriptors() - before) > 0 and time.monotonic() < deadline:
        gc.collect()
    return max(left, 0)


async def closed(sock):
    """Whether a socket is closed, after some time: somebody else may be at it."""
    deadline = time.monotonic() + 3
    while sock.fileno() != -1 and time.monotonic() < deadline:
        await tasks.pause(0.01)
    return sock.fileno() == -1


async def one(conn, query, *args):
    return (await (await conn.execute(query, *args)).fetchone())[0]


async def is_cancelled(conn):
    """Whether an interrupted query is cancelled at the server, and the connection good afterwards."""
    begin = time.monotonic()
    with pytest.raises(errors.QueryTimeout):
        await conn.execute("select pg_sleep(20)", timeout=0.2)
    assert time.monotonic() - begin < 1.5
    assert conn.pgconn.transaction_status == TransactionStatus.IDLE
    return await one(conn, "select 7") == 7


def peak():
    """The most memory that this process has had, in kB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
