"""Turns: a connection held for several requests; and pipelines entered by hand."""

from __future__ import annotations

import ctypes
import itertools
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

ORDERS = list(itertools.permutations(range(3)))


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

    async def test_interrupted(self, conn):
        def gen():
            conn.pgconn.flush()
            yield conn.fileno(), Wait.R
            raise ZeroDivisionError

        conn.pgconn.send_query(b"select 1 from pg_sleep(0.05); select pg_sleep(30)")
        with pytest.raises(ZeroDivisionError):
            await conn.wait(gen())
        cur = await conn.execute("select 2")
        assert await cur.fetchone() == (2,)


class TestPipeline:
    """A pipeline that was entered by hand: results and errors find their cursors."""

    @pytest.fixture
    async def piped(self, conn):
        conn._exchange.enter()
        yield conn
        if not conn.closed and conn._exchange.pipelined:
            await self.leave(conn)

    async def leave(self, conn):
        await conn._run(conn._exchange.leave_gen())

    @pytest.mark.parametrize("order", ORDERS)
    async def test_results_in_any_order(self, piped, order):
        curs = [await piped.execute("select %s::int, 'x'", [i]) for i in range(3)]
        assert piped.pgconn.transaction_status == TransactionStatus.ACTIVE
        for i in order:
            assert await curs[i].fetchall() == [(i, "x")]

    @pytest.mark.parametrize("order", ORDERS)
    async def test_errors_to_their_owners(self, piped, order):
        queries = ["select 1", "select 1/0", "select 3"]
        curs = [await piped.execute(query) for query in queries]
        expected = [None, errors.DivisionByZero, errors.PipelineAborted]
        for i in order:
            if (error := expected[i]) is None:
                assert await curs[i].fetchone() == (1,)
            else:
                with pytest.raises(error):
                    await curs[i].fetchone()
        await self.leave(piped)
        assert piped.pgconn.transaction_status == TransactionStatus.INERROR
        await piped.rollback()

    async def test_results_after_it_was_left(self, piped):
        curs = [await piped.execute("select %s::int", [i]) for i in range(3)]
        await self.leave(piped)
        assert [await cur.fetchone() for cur in reversed(curs)] == [(2,), (1,), (0,)]

    async def test_what_is_owed_is_received(self, piped):
        made = "select * from generate_series(1, 3)"
        cur = await piped.execute(made)
        assert cur.description is cur.pgresult is cur.nextset() is None
        assert cur.rowcount == -1
        await cur.scroll(1)
        assert await cur.fetchone() == (2,)
        assert cur.rowcount == 3 and len(cur.description) == 1
        cur = await piped.execute(made)
        assert [row async for row in cur] == [(1,), (2,), (3,)]
        cur = await piped.execute(made)
        assert await cur.fetchmany(2) == [(1,), (2,)]
        cur = await (await piped.execute(made)).set_result(0)
        assert await cur.fetchone() == (1,)
        cur = await piped.execute(made)
        assert [await each.fetchall() async for each in cur.results()] == [[(1,), (2,), (3,)]]

    async def test_one_begin(self, piped):
        """It is sent once, although libpq doesn't know of it until the pipeline ends."""
        told = []
        piped.add_notice_handler(told.append)
        first = await piped.execute("select txid_current()")
        second = await piped.execute("select txid_current()")
        assert await second.fetchone() == await first.fetchone()
        await self.leave(piped)
        assert piped.pgconn.transaction_status == TransactionStatus.INTRANS
        third = await piped.execute("select txid_current()")
        assert await third.fetchone() == (await first.set_result(0) and await first.fetchone())
        assert told == []

    async def test_a_transaction_that_was_begun_before(self, conn):
        await conn.execute("select 1")
        told = []
        conn.add_notice_handler(told.append)
        conn._exchange.enter()
        cur = await conn.execute("select 2")
        assert await cur.fetchone() == (2,)
        await self.leave(conn)
        assert told == []

    async def test_commit_and_rollback(self, piped):
        await piped.execute("create temp table t (n int) on commit preserve rows")
        await piped.execute("insert into t values (1)")
        await piped.commit()
        await piped.execute("insert into t values (2)")
        await piped.rollback()
        cur = await piped.execute("select n from t")
        assert await cur.fetchall() == [(1,)]

    async def test_blocks(self, piped):
        await piped.execute("create temp table t (n int) on commit preserve rows")
        await piped.commit()
        async with piped.transaction():
            await piped.execute("insert into t values (1)")
            with pytest.raises(ZeroDivisionError):
                async with piped.transaction():
                    await piped.execute("insert into t values (2)")
                    raise ZeroDivisionError
        cur = await piped.execute("select n from t")
        assert await cur.fetchall() == [(1,)]

    @pytest.mark.parametrize("count", [3, 2000])
    async def test_executemany_stays_inside(self, piped, count):
        before = await piped.execute("select 1")
        cur = piped.cursor()
        await cur.executemany("select %s::int", [(i,) for i in range(count)], returning=True)
        after = await piped.execute("select 2")
        assert piped._exchange.pipelined
        assert [await each.fetchone() async for each in cur.results()] == [
            (i,) for i in range(count)
        ]
        assert cur.rowcount == count
        assert await after.fetchone() == (2,)
        assert await before.fetchone() == (1,)

    async def test_a_bad_parameter_leaves_it(self, piped):
        first = await piped.execute("select 1")
        with pytest.raises(psycopg3.ProgrammingError):
            await piped.execute("select %s", [object()])
        with pytest.raises(psycopg3.ProgrammingError):
            await piped.cursor().executemany("select %s", [(1,), (object(),)])
        second = await piped.execute("select 2")
        assert await second.fetchone() == (2,)
        assert await first.fetchone() == (1,)

    async def test_an_interruption_ends_it(self, piped):
        slow = await piped.execute("select pg_sleep(30)")
        later = await piped.execute("select 1")
        await piped.cursor().close()
        piped.command_timeout = 0.2
        with pytest.raises(errors.QueryTimeout):
            await slow.fetchone()
        piped.command_timeout = None
        with pytest.raises(psycopg3.Error):
            await later.fetchone()
        assert not piped._exchange.pipelined
        await piped.rollback()
        cur = await piped.execute("select 2")
        assert await cur.fetchone() == (2,)

    async def test_what_it_refuses(self, piped):
        for refused in (lambda: piped.set_autocommit(True), piped.reset):
            with pytest.raises(psycopg3.ProgrammingError, match="pipeline"):
                await refused()
        with pytest.raises(psycopg3.ProgrammingError, match="pipeline"):
            await piped.notifies(timeout=0).__anext__()


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
