"""Turns: a connection held for several requests."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.generators import execute_gen
from psycopg3.pq import TransactionStatus
from psycopg3.query import command
from psycopg3.waiting import Wait
from tests.marks import counts_references

pytestmark = pytest.mark.anyio


def value(pending):
    return pending.results[0].get_value(0, 0)


class TestHeld:
    async def test_several_requests(self, conn):
        async with conn._turn() as turn:
            await turn.begin()
            first = await turn.ask(command(b"select 1"))
            second = await turn.ask(command(b"select 2"))
        assert (value(first), value(second)) == (b"1", b"2")
        assert conn.pgconn.transaction_status == TransactionStatus.INTRANS
        assert not conn.lock.locked()

    async def test_its_holder_goes_on_by_it_alone(self, conn):
        async with conn._turn() as turn:
            with pytest.raises(psycopg3.ProgrammingError, match="already in use"):
                await conn.execute("select 1")
            assert value(await turn.ask(command(b"select 1"))) == b"1"

    async def test_an_error_of_the_body_costs_nothing(self, conn):
        with pytest.raises(ZeroDivisionError):
            async with conn._turn() as turn:
                await turn.ask(command(b"select 1"))
                raise ZeroDivisionError
        cur = await conn.execute("select 2")
        assert await cur.fetchone() == (2,)

    async def test_left_in_the_middle_of_a_copy(self, conn):
        with pytest.raises(ZeroDivisionError):
            async with conn._turn() as turn:
                await turn.ask(command(b"copy (select generate_series(1, 50000)) to stdout"))
                raise ZeroDivisionError
        cur = await conn.execute("select 2")
        assert await cur.fetchone() == (2,)

    async def test_its_timeout_is_of_all_together(self, conn):
        with pytest.raises(errors.QueryTimeout):
            async with conn._turn(0.3) as turn:
                for _ in range(10):
                    await turn.ask(command(b"select pg_sleep(0.1)"))
        cur = await conn.execute("select 2")
        assert await cur.fetchone() == (2,)


class TestWait:
    """`wait()`: generators of the user's own, over the connection's descriptor."""

    async def test_value(self, conn):
        (result,) = await conn.wait(execute_gen(conn.pgconn, b"select 7"))
        assert result.get_value(0, 0) == b"7"

    async def test_wait_with_a_timeout(self, conn):
        with pytest.raises(errors.QueryTimeout):
            await conn.wait(execute_gen(conn.pgconn, b"select pg_sleep(10)"), timeout=0.05)
        (result,) = await conn.wait(execute_gen(conn.pgconn, b"select 7"), timeout=60)
        assert result.get_value(0, 0) == b"7"

    async def test_interrupted(self, conn):
        def gen():
            while conn.pgconn.flush():
                yield conn.fileno(), Wait.W
            yield conn.fileno(), Wait.R
            raise ZeroDivisionError

        conn.pgconn.send_query(b"select 1 from pg_sleep(0.05); select pg_sleep(30)")
        with pytest.raises(ZeroDivisionError):
            await conn.wait(gen())
        cur = await conn.execute("select 2")
        assert await cur.fetchone() == (2,)


@counts_references
@pytest.mark.skipif(sys.platform != "linux", reason="memory is told by Linux and its C library")
@pytest.mark.parametrize("how", ["close", "del", "another"])
async def test_results_live_as_long_as_their_cursor(conn, how):
    """Nothing of the connection's holds them: 80 MB once outlived their cursor."""
    before = resident()
    cur = await conn.execute("select repeat('x', 1000) from generate_series(1, 80000)")
    assert resident() > before + 60
    if how == "close":
        await cur.close()
    elif how == "another":
        await cur.execute("select 1")
    else:
        del cur
    assert resident() < before + 20


def resident():
    """The memory of this process, in MB, without what the C library keeps for later."""
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
