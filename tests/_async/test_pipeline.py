"""pipeline(): each cursor has its own results, errors find their owners, and nothing is left open."""

from __future__ import annotations

import itertools
import logging
import time

import pytest

import psycopg3
from psycopg3 import AsyncConnection, AsyncPipeline, errors
from psycopg3.concurrency import tasks
from psycopg3.pq import PipelineStatus, TransactionStatus

pytestmark = pytest.mark.anyio

ORDERS = list(itertools.permutations(range(3)))


@pytest.fixture
async def auto(dsn):
    async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
        yield conn


async def fetched(conn, query):
    return await (await conn.execute(query)).fetchall()


async def usable(conn):
    return await fetched(conn, "select 42") == [(42,)]


class TestResults:
    @pytest.mark.parametrize("order", ORDERS)
    async def test_in_any_order(self, conn, order):
        async with conn.pipeline():
            curs = [await conn.execute("select %s::int, 'x'", [i]) for i in range(3)]
            assert conn.info.pipeline_status == PipelineStatus.ON
            for i in order:
                assert await curs[i].fetchall() == [(i, "x")]
        assert conn.info.pipeline_status == PipelineStatus.OFF

    @pytest.mark.parametrize("order", ORDERS)
    async def test_errors_to_their_owners(self, conn, order):
        queries = ["select 1", "select 1/0", "select 3"]
        expected = [None, errors.DivisionByZero, errors.PipelineAborted]
        async with conn.pipeline() as p:
            curs = [await conn.execute(query) for query in queries]
            for i in order:
                if (error := expected[i]) is None:
                    assert await curs[i].fetchone() == (1,)
                else:
                    with pytest.raises(error) as ex:
                        await curs[i].fetchone()
                    if i == 2:
                        assert type(ex.value.__cause__) is errors.DivisionByZero
            assert p.status == PipelineStatus.ABORTED
        assert conn.pgconn.transaction_status == TransactionStatus.INERROR
        await conn.rollback()
        assert await usable(conn)

    async def test_after_it_was_left(self, conn):
        async with conn.pipeline():
            curs = [await conn.execute("select %s::int", [i]) for i in range(3)]
        assert [await cur.fetchone() for cur in reversed(curs)] == [(2,), (1,), (0,)]

    async def test_what_is_owed_is_received(self, conn):
        made = "select * from generate_series(1, 3)"
        async with conn.pipeline():
            cur = await conn.execute(made)
            assert cur.description is cur.pgresult is cur.nextset() is None
            assert cur.rowcount == -1
            await cur.scroll(1)
            assert await cur.fetchone() == (2,)
            assert cur.rowcount == 3 and len(cur.description) == 1
            cur = await conn.execute(made)
            assert [row async for row in cur] == [(1,), (2,), (3,)]
            cur = await conn.execute(made)
            assert await cur.fetchmany(2) == [(1,), (2,)]
            cur = await (await conn.execute(made)).set_result(0)
            assert await cur.fetchone() == (1,)
            cur = await conn.execute(made)
            assert [await each.fetchall() async for each in cur.results()] == [[(1,), (2,), (3,)]]

    async def test_one_cursor_for_several_statements(self, conn):
        async with conn.pipeline():
            cur = conn.cursor()
            for i in range(3):
                await cur.execute("select %s::int", [i])
            assert await cur.fetchall() == [(2,)]

    async def test_many_without_a_fetch(self, auto):
        """More than both sides' buffers hold; nothing waits for what nobody reads."""
        made = "select %s::int, repeat('x', 10000)"
        async with auto.pipeline():
            curs = [await auto.execute(made, [i]) for i in range(2000)]
            blob = await auto.execute("select length(%s)", [b"x" * 20_000_000])
        assert [await cur.fetchone() for cur in curs] == [(i, "x" * 10000) for i in range(2000)]
        assert await blob.fetchone() == (20_000_000,)

    async def test_commands_leave_before_they_are_asked_for(self, auto, other):
        """Those that come after many others; and all at a flush."""
        pid = auto.info.backend_pid
        async with auto.pipeline():
            await auto.execute("select 'one'")
            await (await auto.execute("select 'two'")).fetchone()
            query = "select query from pg_stat_activity where pid = %s"
            assert await (await other.execute(query, [pid])).fetchone() == ("select 'two'",)


class TestErrors:
    """What nobody has fetched is raised by sync() and the block's end; nothing twice."""

    async def test_at_the_end(self, auto):
        with pytest.raises(errors.DivisionByZero):
            async with auto.pipeline():
                await auto.execute("select 1/0")
                await auto.execute("select 1")
        assert await usable(auto)

    async def test_at_a_sync(self, auto):
        async with auto.pipeline() as p:
            await auto.execute("select 1/0")
            lost = await auto.execute("select 1")
            with pytest.raises(errors.DivisionByZero):
                await p.sync()
            assert await usable(auto)
            with pytest.raises(errors.PipelineAborted):
                await lost.fetchone()

    async def test_the_first_of_several(self, auto):
        with pytest.raises(errors.DivisionByZero):
            async with auto.pipeline() as p:
                await auto.execute("select 1/0")
                with pytest.raises(errors.PipelineAborted):
                    await (await auto.execute("select 1")).fetchone()
                # Its cause was told with it.
                await p.sync()
                await auto.execute("select 1/0")
                await auto.execute("select nothing")

    async def test_the_users_own_has_precedence(self, auto, caplog):
        with caplog.at_level(logging.WARNING, "psycopg3"), pytest.raises(ZeroDivisionError):
            async with auto.pipeline():
                async with auto.pipeline():
                    await auto.execute("select nothing")
                    raise ZeroDivisionError
        assert "nothing" in caplog.text
        assert auto.info.pipeline_status == PipelineStatus.OFF
        assert await usable(auto)

    async def test_what_was_fetched_is_not_logged(self, auto, caplog):
        with caplog.at_level(logging.WARNING, "psycopg3"), pytest.raises(errors.DivisionByZero):
            async with auto.pipeline():
                await (await auto.execute("select 1/0")).fetchone()
        assert not caplog.text

    async def test_of_the_begin(self, conn):
        await conn.execute("create temp table t (n int)")
        await conn.execute("insert into t values (1)")
        await conn.commit()
        await conn.set_isolation_level(psycopg3.IsolationLevel.SERIALIZABLE)
        await conn.execute("set default_transaction_deferrable = on")
        await conn.commit()
        async with conn.pipeline():
            conn._begin_command = lambda own=None: b"BEGIN ISOLATION LEVEL NONSENSE"
            cur = await conn.execute("select 1")
            with pytest.raises(errors.SyntaxError):
                await cur.fetchone()
            del conn._begin_command
        assert await usable(conn)

    async def test_a_bad_parameter_leaves_it(self, conn):
        async with conn.pipeline():
            first = await conn.execute("select 1")
            with pytest.raises(psycopg3.ProgrammingError):
                await conn.execute("select %s", [object()])
            with pytest.raises(psycopg3.ProgrammingError):
                await conn.cursor().executemany("select %s", [(1,), (object(),)])
            second = await conn.execute("select 2")
            assert await second.fetchone() == (2,)
            assert await first.fetchone() == (1,)


class TestTransactions:
    async def test_one_begin(self, conn):
        """It is sent once, although libpq doesn't know of it until the pipeline ends."""
        told = []
        conn.add_notice_handler(told.append)
        async with conn.pipeline():
            first = await conn.execute("select txid_current()")
            second = await conn.execute("select txid_current()")
            assert await second.fetchone() == await first.fetchone()
        assert conn.pgconn.transaction_status == TransactionStatus.INTRANS
        third = await conn.execute("select txid_current()")
        assert await third.fetchone() == (await first.set_result(0) and await first.fetchone())
        assert told == []

    async def test_one_that_was_begun_before(self, conn):
        await conn.execute("select 1")
        told = []
        conn.add_notice_handler(told.append)
        async with conn.pipeline():
            cur = await conn.execute("select 2")
            assert await cur.fetchone() == (2,)
        assert told == []

    async def test_commit_and_rollback(self, conn):
        async with conn.pipeline():
            await conn.execute("create temp table t (n int) on commit preserve rows")
            await conn.execute("insert into t values (1)")
            await conn.commit()
            await conn.execute("insert into t values (2)")
            await conn.rollback()
            assert await fetched(conn, "select n from t") == [(1,)]

    async def test_rollback_after_an_error(self, conn):
        async with conn.pipeline():
            cur = await conn.execute("select 1/0")
            await conn.rollback()
            assert await usable(conn)
            with pytest.raises(errors.DivisionByZero):
                await cur.fetchone()
        assert conn.in_transaction

    async def test_commit_tells_of_an_error(self, conn):
        async with conn.pipeline():
            await conn.execute("select 1/0")
            with pytest.raises(errors.DivisionByZero):
                await conn.commit()
            assert await usable(conn)

    async def test_commit_after_an_error_that_was_seen(self, conn):
        async with conn.pipeline():
            with pytest.raises(errors.DivisionByZero):
                await (await conn.execute("select 1/0")).fetchone()
            with pytest.raises(errors.InFailedSqlTransaction):
                await conn.commit()
            assert await usable(conn)

    async def test_autocommit(self, auto, other):
        """What is sent between two syncs is one transaction."""
        await auto.execute("drop table if exists pipe_auto")
        await auto.execute("create table pipe_auto (n int)")
        async with auto.pipeline() as p:
            await auto.execute("insert into pipe_auto values (1)")
            await p.sync()
            await (await auto.execute("insert into pipe_auto values (2) returning n")).fetchone()
            assert await fetched(other, "select n from pipe_auto") == [(1,)]
            await auto.execute("select 1/0")
            with pytest.raises(errors.DivisionByZero):
                await auto.commit()
            await auto.execute("insert into pipe_auto values (3)")
        assert await fetched(other, "select n from pipe_auto") == [(1,), (3,)]
        await auto.execute("drop table pipe_auto")

    async def test_blocks(self, conn):
        async with conn.pipeline():
            await conn.execute("create temp table t (n int) on commit preserve rows")
            await conn.commit()
            async with conn.transaction():
                await conn.execute("insert into t values (1)")
                with pytest.raises(ZeroDivisionError):
                    async with conn.transaction():
                        await conn.execute("insert into t values (2)")
                        raise ZeroDivisionError
                with pytest.raises(errors.UndefinedTable):
                    async with conn.transaction():
                        await conn.execute("insert into t values (3)")
                        await conn.execute("insert into nowhere values (3)")
                with pytest.raises(errors.UndefinedTable):
                    async with conn.transaction():
                        await (await conn.execute("select * from nowhere")).fetchone()
                with pytest.raises(psycopg3.ProgrammingError, match="block"):
                    await conn.commit()
                await conn.execute("insert into t values (4)")
            with pytest.raises(errors.DivisionByZero):
                async with conn.transaction():
                    await conn.execute("insert into t values (5)")
                    await conn.execute("select 1/0")
            assert await fetched(conn, "select n from t") == [(1,), (4,)]

    async def test_a_block_has_nothing_of_before(self, auto):
        await auto.execute("create temp table t (n int)")
        async with auto.pipeline():
            await auto.execute("insert into t values (1)")
            async with auto.transaction(force_rollback=True):
                await auto.execute("insert into t values (2)")
            await auto.execute("select 1/0")
            with pytest.raises(errors.DivisionByZero):
                async with auto.transaction():
                    pytest.fail("entered")
            assert await fetched(auto, "select n from t") == [(1,)]
        assert not auto.in_transaction

    async def test_around_a_pipeline(self, auto):
        await auto.execute("create temp table t (n int)")
        with pytest.raises(errors.DivisionByZero):
            async with auto.transaction(), auto.pipeline():
                await auto.execute("insert into t values (1)")
                await auto.execute("select 1/0")
        async with auto.transaction(), auto.pipeline():
            await auto.execute("insert into t values (2)")
        assert await fetched(auto, "select n from t") == [(2,)]

    async def test_statements_of_the_users_own(self, conn, other):
        await other.execute("drop table if exists pipe_own")
        await other.execute("create table pipe_own (n int)")
        async with conn.pipeline():
            await conn.execute("/* mine */ begin")
            await conn.execute("insert into pipe_own values (1)")
            await conn.execute("commit")
            await conn.execute("insert into pipe_own values (2)")
            await conn.rollback()
        async with other.pipeline():
            await other.execute("begin")
            await other.execute("insert into pipe_own values (3)")
            await other.rollback()
            await other.execute("start transaction")
            await other.execute("insert into pipe_own values (4)")
            await other.commit()
            assert await fetched(other, "select n from pipe_own") == [(1,), (4,)]
        await other.execute("drop table pipe_own")


class TestBlocks:
    async def test_nested(self, auto):
        async with auto.pipeline() as outer:
            first = await auto.execute("select 1")
            async with auto.pipeline() as inner:
                assert first.pgresult is None
                assert await first.fetchone() == (1,)
                second = await auto.execute("select 2")
                await inner.sync()
            assert outer.status == PipelineStatus.ON
            assert await second.fetchone() == (2,)
            third = await auto.execute("select 3")
        assert await third.fetchone() == (3,)
        assert outer.status == PipelineStatus.OFF

    async def test_a_sync_when_a_nested_one_begins(self, auto):
        await auto.execute("create temp table t (n int)")
        with pytest.raises(errors.DivisionByZero):
            async with auto.pipeline():
                await auto.execute("insert into t values (1)")
                async with auto.pipeline():
                    await auto.execute("insert into t values (2)")
                    await auto.execute("select 1/0")
        assert await fetched(auto, "select n from t") == [(1,)]

    async def test_its_object(self, auto):
        assert AsyncPipeline.is_supported()
        p = auto.pipeline()
        assert type(p) is AsyncPipeline
        assert "not open" in repr(p)
        with pytest.raises(psycopg3.ProgrammingError, match="sync"):
            await p.sync()
        async with p:
            assert "[open]" in repr(p)
            with pytest.raises(psycopg3.ProgrammingError, match="open already"):
                async with p:
                    pytest.fail("entered")
            assert await usable(auto)
        async with p:
            assert await usable(auto)
        assert p.status == PipelineStatus.OFF

    async def test_closed(self, auto):
        p = auto.pipeline()
        await auto.close()
        for _ in range(2):
            with pytest.raises(psycopg3.OperationalError, match="closed"):
                async with p:
                    pytest.fail("entered")

    async def test_closed_inside(self, dsn):
        conn = await AsyncConnection.connect(dsn, autocommit=True)
        async with conn.pipeline():
            assert await usable(conn)
            await conn.close()
        conn = await AsyncConnection.connect(dsn, autocommit=True)
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            async with conn.pipeline():
                await conn.execute("select 1")
                await conn.close()

    async def test_lost_inside(self, auto, other):
        with pytest.raises(errors.AdminShutdown):
            async with auto.pipeline():
                assert await usable(auto)
                await auto.execute("select 1")
                await other.execute("select pg_terminate_backend(%s)", [auto.info.backend_pid])
                await tasks.current().sleep(0.1)
        assert auto.broken
        with pytest.raises(errors.OperationalError):
            await auto.execute("select 1")

    async def test_dropped(self, auto):
        """Its end never runs, as where a signal's exception strikes at its first instruction."""
        await auto.execute("create temp table t (n int)")
        p = auto.pipeline()
        await p.__aenter__()
        await (await auto.execute("insert into t values (1) returning n")).fetchone()
        p.__del__()
        assert await fetched(auto, "select n from t") == []
        assert auto.info.pipeline_status == PipelineStatus.OFF


class TestInterrupted:
    async def test_a_fetch(self, conn):
        async with conn.pipeline():
            slow = await conn.execute("select pg_sleep(30)")
            later = await conn.execute("select 1")
            conn.command_timeout = 0.2
            with pytest.raises(errors.QueryTimeout):
                await slow.fetchone()
            conn.command_timeout = None
            with pytest.raises(psycopg3.OperationalError, match="given up"):
                await later.fetchone()
            assert conn.info.pipeline_status == PipelineStatus.OFF
            await conn.rollback()
            assert await usable(conn)

    @pytest.mark.parametrize("what", ["sync", "end"])
    async def test_its_end(self, auto, what):
        await auto.execute("create temp table t (n int)")
        with pytest.raises(errors.QueryTimeout):
            async with auto.pipeline() as p:
                await auto.execute("insert into t values (1)")
                await auto.execute("select pg_sleep(30)")
                auto.command_timeout = 0.2
                if what == "sync":
                    await p.sync()
        auto.command_timeout = None
        assert await fetched(auto, "select n from t") == []

    async def test_the_body(self, auto):
        """Nothing of it is waited for, and what wasn't synced is undone."""
        await auto.execute("create temp table t (n int)")

        class Stop(BaseException):
            pass

        begin = time.monotonic()
        with pytest.raises(Stop):
            async with auto.pipeline() as p:
                await auto.execute("insert into t values (1)")
                await p.sync()
                await auto.execute("insert into t values (2)")
                async with auto.pipeline():
                    await auto.execute("select pg_sleep(30)")
                    raise Stop
        assert await fetched(auto, "select n from t") == [(1,), (2,)]
        assert auto.info.pipeline_status == PipelineStatus.OFF
        assert time.monotonic() - begin < 10
        with pytest.raises(GeneratorExit):
            async with auto.pipeline() as p:
                await auto.execute("insert into t values (3)")
                raise GeneratorExit
        assert await fetched(auto, "select n from t") == [(1,), (2,)]


class TestRefused:
    async def test_operations(self, conn):
        async with conn.pipeline():
            cur = await conn.execute("select 1")
            for refused in (lambda: conn.set_autocommit(True), conn.reset):
                with pytest.raises(psycopg3.ProgrammingError, match="pipeline"):
                    await refused()
            with pytest.raises(psycopg3.ProgrammingError, match="pipeline"):
                await conn.notifies(timeout=0).__anext__()
            assert await cur.fetchone() == (1,)

    @pytest.mark.parametrize("query", ["copy (select 1) to stdout", " /* x */ COPY t from stdin"])
    async def test_copy(self, conn, query):
        async with conn.pipeline():
            before = await conn.execute("select 1")
            with pytest.raises(psycopg3.NotSupportedError, match="COPY .* pipeline"):
                await conn.execute(query)
            with pytest.raises(psycopg3.NotSupportedError, match="COPY .* pipeline"):
                async with conn.cursor().copy(query):
                    pytest.fail("entered")
            with pytest.raises(psycopg3.ProgrammingError, match="COPY"):
                await conn.cursor().executemany(query, [()])
            assert await before.fetchone() == (1,)

    async def test_streams_and_server_cursors(self, conn):
        async with conn.pipeline():
            before = await conn.execute("select 1")
            with pytest.raises(psycopg3.NotSupportedError, match="pipeline"):
                async for _ in conn.cursor().stream("select 1"):
                    pytest.fail("streamed")
            async with conn.cursor("named") as cur:
                with pytest.raises(psycopg3.NotSupportedError, match="pipeline"):
                    await cur.execute("select 1")
            assert await before.fetchone() == (1,)

    async def test_several_statements(self, conn):
        async with conn.pipeline():
            cur = await conn.execute("select 1; select 2")
            with pytest.raises(psycopg3.ProgrammingError):
                await cur.fetchone()
            await conn.rollback()


class TestExecutemany:
    @pytest.mark.parametrize("count", [3, 2000])
    async def test_stays_inside(self, conn, count):
        async with conn.pipeline() as p:
            before = await conn.execute("select 1")
            cur = conn.cursor()
            await cur.executemany("select %s::int", [(i,) for i in range(count)], returning=True)
            after = await conn.execute("select 2")
            assert p.status == PipelineStatus.ON
            got = [await each.fetchone() async for each in cur.results()]
            assert got == [(i,) for i in range(count)]
            assert cur.rowcount == count
            assert await after.fetchone() == (2,)
            assert await before.fetchone() == (1,)

    async def test_an_error(self, conn):
        async with conn.pipeline():
            with pytest.raises(errors.DivisionByZero):
                await conn.cursor().executemany("select 1/%s", [(1,), (0,), (2,)])
            await conn.rollback()
            await conn.execute("select 1/0")
            with pytest.raises(errors.PipelineAborted) as ex:
                await conn.cursor().executemany("select 1/%s", [(1,)])
            assert type(ex.value.__cause__) is errors.DivisionByZero
            await conn.rollback()
            assert await usable(conn)
