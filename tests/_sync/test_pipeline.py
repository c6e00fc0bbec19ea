# Generated from tests/_async/test_pipeline.py by `python tools/unasync.py`: edit that file, not this one.
"""pipeline(): each cursor has its own results, errors find their owners, and nothing is left open."""

from __future__ import annotations

import itertools
import logging
import time

import pytest

import psycopg3
from psycopg3 import Connection, Pipeline, errors
from psycopg3.concurrency import threads
from psycopg3.pq import PipelineStatus, TransactionStatus

pytestmark = pytest.mark.anyio

ORDERS = list(itertools.permutations(range(3)))


@pytest.fixture
def auto(dsn):
    with Connection.connect(dsn, autocommit=True) as conn:
        yield conn


def fetched(conn, query):
    return conn.execute(query).fetchall()


def usable(conn):
    return fetched(conn, "select 42") == [(42,)]


class TestResults:
    @pytest.mark.parametrize("order", ORDERS)
    def test_in_any_order(self, conn, order):
        with conn.pipeline():
            curs = [conn.execute("select %s::int, 'x'", [i]) for i in range(3)]
            assert conn.info.pipeline_status == PipelineStatus.ON
            for i in order:
                assert curs[i].fetchall() == [(i, "x")]
        assert conn.info.pipeline_status == PipelineStatus.OFF

    @pytest.mark.parametrize("order", ORDERS)
    def test_errors_to_their_owners(self, conn, order):
        queries = ["select 1", "select 1/0", "select 3"]
        expected = [None, errors.DivisionByZero, errors.PipelineAborted]
        with conn.pipeline() as p:
            curs = [conn.execute(query) for query in queries]
            for i in order:
                if (error := expected[i]) is None:
                    assert curs[i].fetchone() == (1,)
                else:
                    with pytest.raises(error) as ex:
                        curs[i].fetchone()
                    if i == 2:
                        assert type(ex.value.__cause__) is errors.DivisionByZero
            assert p.status == PipelineStatus.ABORTED
        assert conn.pgconn.transaction_status == TransactionStatus.INERROR
        conn.rollback()
        assert usable(conn)

    def test_after_it_was_left(self, conn):
        with conn.pipeline():
            curs = [conn.execute("select %s::int", [i]) for i in range(3)]
        assert [cur.fetchone() for cur in reversed(curs)] == [(2,), (1,), (0,)]

    def test_what_is_owed_is_received(self, conn):
        made = "select * from generate_series(1, 3)"
        with conn.pipeline():
            cur = conn.execute(made)
            assert cur.description is cur.pgresult is cur.nextset() is None
            assert cur.rowcount == -1
            cur.scroll(1)
            assert cur.fetchone() == (2,)
            assert cur.rowcount == 3 and len(cur.description) == 1
            cur = conn.execute(made)
            assert [row for row in cur] == [(1,), (2,), (3,)]
            cur = conn.execute(made)
            assert cur.fetchmany(2) == [(1,), (2,)]
            cur = conn.execute(made).set_result(0)
            assert cur.fetchone() == (1,)
            cur = conn.execute(made)
            assert [each.fetchall() for each in cur.results()] == [[(1,), (2,), (3,)]]

    def test_one_cursor_for_several_statements(self, conn):
        with conn.pipeline():
            cur = conn.cursor()
            for i in range(3):
                cur.execute("select %s::int", [i])
            assert cur.fetchall() == [(2,)]

    def test_many_without_a_fetch(self, auto):
        """More than both sides' buffers hold; nothing waits for what nobody reads."""
        made = "select %s::int, repeat('x', 10000)"
        with auto.pipeline():
            curs = [auto.execute(made, [i]) for i in range(2000)]
            blob = auto.execute("select length(%s)", [b"x" * 20_000_000])
        assert [cur.fetchone() for cur in curs] == [(i, "x" * 10000) for i in range(2000)]
        assert blob.fetchone() == (20_000_000,)

    def test_commands_leave_before_they_are_asked_for(self, auto, other):
        """Those that come after many others; and all at a flush."""
        pid = auto.info.backend_pid
        with auto.pipeline():
            auto.execute("select 'one'")
            auto.execute("select 'two'").fetchone()
            query = "select query from pg_stat_activity where pid = %s"
            assert other.execute(query, [pid]).fetchone() == ("select 'two'",)


class TestErrors:
    """What nobody has fetched is raised by sync() and the block's end; nothing twice."""

    def test_at_the_end(self, auto):
        with pytest.raises(errors.DivisionByZero):
            with auto.pipeline():
                auto.execute("select 1/0")
                auto.execute("select 1")
        assert usable(auto)

    def test_at_a_sync(self, auto):
        with auto.pipeline() as p:
            auto.execute("select 1/0")
            lost = auto.execute("select 1")
            with pytest.raises(errors.DivisionByZero):
                p.sync()
            assert usable(auto)
            with pytest.raises(errors.PipelineAborted):
                lost.fetchone()

    def test_the_first_of_several(self, auto):
        with pytest.raises(errors.DivisionByZero):
            with auto.pipeline() as p:
                auto.execute("select 1/0")
                with pytest.raises(errors.PipelineAborted):
                    auto.execute("select 1").fetchone()
                # Its cause was told with it.
                p.sync()
                auto.execute("select 1/0")
                auto.execute("select nothing")

    def test_the_users_own_has_precedence(self, auto, caplog):
        with caplog.at_level(logging.WARNING, "psycopg3"), pytest.raises(ZeroDivisionError):
            with auto.pipeline():
                with auto.pipeline():
                    auto.execute("select nothing")
                    raise ZeroDivisionError
        assert "nothing" in caplog.text
        assert auto.info.pipeline_status == PipelineStatus.OFF
        assert usable(auto)

    def test_what_was_fetched_is_not_logged(self, auto, caplog):
        with caplog.at_level(logging.WARNING, "psycopg3"), pytest.raises(errors.DivisionByZero):
            with auto.pipeline():
                auto.execute("select 1/0").fetchone()
        assert not caplog.text

    def test_of_the_begin(self, conn):
        conn.execute("create temp table t (n int)")
        conn.execute("insert into t values (1)")
        conn.commit()
        conn.set_isolation_level(psycopg3.IsolationLevel.SERIALIZABLE)
        conn.execute("set default_transaction_deferrable = on")
        conn.commit()
        with conn.pipeline():
            conn._begin_command = lambda own=None: b"BEGIN ISOLATION LEVEL NONSENSE"
            cur = conn.execute("select 1")
            with pytest.raises(errors.SyntaxError):
                cur.fetchone()
            del conn._begin_command
        assert usable(conn)

    def test_a_bad_parameter_leaves_it(self, conn):
        with conn.pipeline():
            first = conn.execute("select 1")
            with pytest.raises(psycopg3.ProgrammingError):
                conn.execute("select %s", [object()])
            with pytest.raises(psycopg3.ProgrammingError):
                conn.cursor().executemany("select %s", [(1,), (object(),)])
            second = conn.execute("select 2")
            assert second.fetchone() == (2,)
            assert first.fetchone() == (1,)


class TestTransactions:
    def test_one_begin(self, conn):
        """It is sent once, although libpq doesn't know of it until the pipeline ends."""
        told = []
        conn.add_notice_handler(told.append)
        with conn.pipeline():
            first = conn.execute("select txid_current()")
            second = conn.execute("select txid_current()")
            assert second.fetchone() == first.fetchone()
        assert conn.pgconn.transaction_status == TransactionStatus.INTRANS
        third = conn.execute("select txid_current()")
        assert third.fetchone() == (first.set_result(0) and first.fetchone())
        assert told == []

    def test_one_that_was_begun_before(self, conn):
        conn.execute("select 1")
        told = []
        conn.add_notice_handler(told.append)
        with conn.pipeline():
            cur = conn.execute("select 2")
            assert cur.fetchone() == (2,)
        assert told == []

    def test_commit_and_rollback(self, conn):
        with conn.pipeline():
            conn.execute("create temp table t (n int) on commit preserve rows")
            conn.execute("insert into t values (1)")
            conn.commit()
            conn.execute("insert into t values (2)")
            conn.rollback()
            assert fetched(conn, "select n from t") == [(1,)]

    def test_rollback_after_an_error(self, conn):
        with conn.pipeline():
            cur = conn.execute("select 1/0")
            conn.rollback()
            assert usable(conn)
            with pytest.raises(errors.DivisionByZero):
                cur.fetchone()
        assert conn.in_transaction

    def test_commit_tells_of_an_error(self, conn):
        with conn.pipeline():
            conn.execute("select 1/0")
            with pytest.raises(errors.DivisionByZero):
                conn.commit()
            assert usable(conn)

    def test_commit_after_an_error_that_was_seen(self, conn):
        with conn.pipeline():
            with pytest.raises(errors.DivisionByZero):
                conn.execute("select 1/0").fetchone()
            with pytest.raises(errors.InFailedSqlTransaction):
                conn.commit()
            assert usable(conn)

    def test_autocommit(self, auto, other):
        """What is sent between two syncs is one transaction."""
        auto.execute("drop table if exists pipe_auto")
        auto.execute("create table pipe_auto (n int)")
        with auto.pipeline() as p:
            auto.execute("insert into pipe_auto values (1)")
            p.sync()
            auto.execute("insert into pipe_auto values (2) returning n").fetchone()
            assert fetched(other, "select n from pipe_auto") == [(1,)]
            auto.execute("select 1/0")
            with pytest.raises(errors.DivisionByZero):
                auto.commit()
            auto.execute("insert into pipe_auto values (3)")
        assert fetched(other, "select n from pipe_auto") == [(1,), (3,)]
        auto.execute("drop table pipe_auto")

    def test_blocks(self, conn):
        with conn.pipeline():
            conn.execute("create temp table t (n int) on commit preserve rows")
            conn.commit()
            with conn.transaction():
                conn.execute("insert into t values (1)")
                with pytest.raises(ZeroDivisionError):
                    with conn.transaction():
                        conn.execute("insert into t values (2)")
                        raise ZeroDivisionError
                with pytest.raises(errors.UndefinedTable):
                    with conn.transaction():
                        conn.execute("insert into t values (3)")
                        conn.execute("insert into nowhere values (3)")
                with pytest.raises(errors.UndefinedTable):
                    with conn.transaction():
                        conn.execute("select * from nowhere").fetchone()
                with pytest.raises(psycopg3.ProgrammingError, match="block"):
                    conn.commit()
                conn.execute("insert into t values (4)")
            with pytest.raises(errors.DivisionByZero):
                with conn.transaction():
                    conn.execute("insert into t values (5)")
                    conn.execute("select 1/0")
            assert fetched(conn, "select n from t") == [(1,), (4,)]

    def test_a_block_has_nothing_of_before(self, auto):
        auto.execute("create temp table t (n int)")
        with auto.pipeline():
            auto.execute("insert into t values (1)")
            with auto.transaction(force_rollback=True):
                auto.execute("insert into t values (2)")
            auto.execute("select 1/0")
            with pytest.raises(errors.DivisionByZero):
                with auto.transaction():
                    pytest.fail("entered")
            assert fetched(auto, "select n from t") == [(1,)]
        assert not auto.in_transaction

    def test_around_a_pipeline(self, auto):
        auto.execute("create temp table t (n int)")
        with pytest.raises(errors.DivisionByZero):
            with auto.transaction(), auto.pipeline():
                auto.execute("insert into t values (1)")
                auto.execute("select 1/0")
        with auto.transaction(), auto.pipeline():
            auto.execute("insert into t values (2)")
        assert fetched(auto, "select n from t") == [(2,)]

    def test_statements_of_the_users_own(self, conn, other):
        other.execute("drop table if exists pipe_own")
        other.execute("create table pipe_own (n int)")
        with conn.pipeline():
            conn.execute("/* mine */ begin")
            conn.execute("insert into pipe_own values (1)")
            conn.execute("commit")
            conn.execute("insert into pipe_own values (2)")
            conn.rollback()
        with other.pipeline():
            other.execute("begin")
            other.execute("insert into pipe_own values (3)")
            other.rollback()
            other.execute("start transaction")
            other.execute("insert into pipe_own values (4)")
            other.commit()
            assert fetched(other, "select n from pipe_own") == [(1,), (4,)]
        other.execute("drop table pipe_own")


class TestBlocks:
    def test_nested(self, auto):
        with auto.pipeline() as outer:
            first = auto.execute("select 1")
            with auto.pipeline() as inner:
                assert first.pgresult is None
                assert first.fetchone() == (1,)
                second = auto.execute("select 2")
                inner.sync()
            assert outer.status == PipelineStatus.ON
            assert second.fetchone() == (2,)
            third = auto.execute("select 3")
        assert third.fetchone() == (3,)
        assert outer.status == PipelineStatus.OFF

    def test_a_sync_when_a_nested_one_begins(self, auto):
        auto.execute("create temp table t (n int)")
        with pytest.raises(errors.DivisionByZero):
            with auto.pipeline():
                auto.execute("insert into t values (1)")
                with auto.pipeline():
                    auto.execute("insert into t values (2)")
                    auto.execute("select 1/0")
        assert fetched(auto, "select n from t") == [(1,)]

    def test_its_object(self, auto):
        assert Pipeline.is_supported()
        p = auto.pipeline()
        assert type(p) is Pipeline
        assert "not open" in repr(p)
        with pytest.raises(psycopg3.ProgrammingError, match="sync"):
            p.sync()
        with p:
            assert "[open]" in repr(p)
            with pytest.raises(psycopg3.ProgrammingError, match="open already"):
                with p:
                    pytest.fail("entered")
            assert usable(auto)
        with p:
            assert usable(auto)
        assert p.status == PipelineStatus.OFF

    def test_closed(self, auto):
        p = auto.pipeline()
        auto.close()
        for _ in range(2):
            with pytest.raises(psycopg3.OperationalError, match="closed"):
                with p:
                    pytest.fail("entered")

    def test_closed_inside(self, dsn):
        conn = Connection.connect(dsn, autocommit=True)
        with conn.pipeline():
            assert usable(conn)
            conn.close()
        conn = Connection.connect(dsn, autocommit=True)
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            with conn.pipeline():
                conn.execute("select 1")
                conn.close()

    def test_lost_inside(self, auto, other):
        with pytest.raises(errors.AdminShutdown):
            with auto.pipeline():
                assert usable(auto)
                auto.execute("select 1")
                other.execute("select pg_terminate_backend(%s)", [auto.info.backend_pid])
                threads.current().sleep(0.1)
        assert auto.broken
        with pytest.raises(errors.OperationalError):
            auto.execute("select 1")

    def test_dropped(self, auto):
        """Its end never runs, as where a signal's exception strikes at its first instruction."""
        auto.execute("create temp table t (n int)")
        p = auto.pipeline()
        p.__enter__()
        auto.execute("insert into t values (1) returning n").fetchone()
        p.__del__()
        assert fetched(auto, "select n from t") == []
        assert auto.info.pipeline_status == PipelineStatus.OFF


class TestInterrupted:
    def test_a_fetch(self, conn):
        with conn.pipeline():
            slow = conn.execute("select pg_sleep(30)")
            later = conn.execute("select 1")
            conn.command_timeout = 0.2
            with pytest.raises(errors.QueryTimeout):
                slow.fetchone()
            conn.command_timeout = None
            with pytest.raises(psycopg3.OperationalError, match="given up"):
                later.fetchone()
            assert conn.info.pipeline_status == PipelineStatus.OFF
            conn.rollback()
            assert usable(conn)

    @pytest.mark.parametrize("what", ["sync", "end"])
    def test_its_end(self, auto, what):
        auto.execute("create temp table t (n int)")
        with pytest.raises(errors.QueryTimeout):
            with auto.pipeline() as p:
                auto.execute("insert into t values (1)")
                auto.execute("select pg_sleep(30)")
                auto.command_timeout = 0.2
                if what == "sync":
                    p.sync()
        auto.command_timeout = None
        assert fetched(auto, "select n from t") == []

    def test_the_body(self, auto):
        """Nothing of it is waited for, and what wasn't synced is undone."""
        auto.execute("create temp table t (n int)")

        class Stop(BaseException):
            pass

        begin = time.monotonic()
        with pytest.raises(Stop):
            with auto.pipeline() as p:
                auto.execute("insert into t values (1)")
                p.sync()
                auto.execute("insert into t values (2)")
                with auto.pipeline():
                    auto.execute("select pg_sleep(30)")
                    raise Stop
        assert fetched(auto, "select n from t") == [(1,), (2,)]
        assert auto.info.pipeline_status == PipelineStatus.OFF
        assert time.monotonic() - begin < 10
        with pytest.raises(GeneratorExit):
            with auto.pipeline() as p:
                auto.execute("insert into t values (3)")
                raise GeneratorExit
        assert fetched(auto, "select n from t") == [(1,), (2,)]


class TestRefused:
    def test_operations(self, conn):
        with conn.pipeline():
            cur = conn.execute("select 1")
            for refused in (lambda: conn.set_autocommit(True), conn.reset):
                with pytest.raises(psycopg3.ProgrammingError, match="pipeline"):
                    refused()
            with pytest.raises(psycopg3.ProgrammingError, match="pipeline"):
                conn.notifies(timeout=0).__next__()
            assert cur.fetchone() == (1,)

    @pytest.mark.parametrize("query", ["copy (select 1) to stdout", " /* x */ COPY t from stdin"])
    def test_copy(self, conn, query):
        with conn.pipeline():
            before = conn.execute("select 1")
            with pytest.raises(psycopg3.NotSupportedError, match="COPY .* pipeline"):
                conn.execute(query)
            with pytest.raises(psycopg3.NotSupportedError, match="COPY .* pipeline"):
                with conn.cursor().copy(query):
                    pytest.fail("entered")
            with pytest.raises(psycopg3.ProgrammingError, match="COPY"):
                conn.cursor().executemany(query, [()])
            assert before.fetchone() == (1,)

    def test_streams_and_server_cursors(self, conn):
        with conn.pipeline():
            before = conn.execute("select 1")
            with pytest.raises(psycopg3.NotSupportedError, match="pipeline"):
                for _ in conn.cursor().stream("select 1"):
                    pytest.fail("streamed")
            with conn.cursor("named") as cur:
                with pytest.raises(psycopg3.NotSupportedError, match="pipeline"):
                    cur.execute("select 1")
            assert before.fetchone() == (1,)

    def test_several_statements(self, conn):
        with conn.pipeline():
            cur = conn.execute("select 1; select 2")
            with pytest.raises(psycopg3.ProgrammingError):
                cur.fetchone()
            conn.rollback()


class TestExecutemany:
    @pytest.mark.parametrize("count", [3, 2000])
    def test_stays_inside(self, conn, count):
        with conn.pipeline() as p:
            before = conn.execute("select 1")
            cur = conn.cursor()
            cur.executemany("select %s::int", [(i,) for i in range(count)], returning=True)
            after = conn.execute("select 2")
            assert p.status == PipelineStatus.ON
            got = [each.fetchone() for each in cur.results()]
            assert got == [(i,) for i in range(count)]
            assert cur.rowcount == count
            assert after.fetchone() == (2,)
            assert before.fetchone() == (1,)

    def test_an_error(self, conn):
        with conn.pipeline():
            with pytest.raises(errors.DivisionByZero):
                conn.cursor().executemany("select 1/%s", [(1,), (0,), (2,)])
            conn.rollback()
            conn.execute("select 1/0")
            with pytest.raises(errors.PipelineAborted) as ex:
                conn.cursor().executemany("select 1/%s", [(1,)])
            assert type(ex.value.__cause__) is errors.DivisionByZero
            conn.rollback()
            assert usable(conn)
