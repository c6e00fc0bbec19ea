# Generated from tests/_async/test_connection.py by `python tools/unasync.py`: edit that file, not this one.
"""Connection: connecting, transactions by hand, closing."""

from __future__ import annotations

import contextlib
import gc
import pickle
import threading
import time
import weakref

import pytest

import psycopg3
from psycopg3 import Connection, Cursor, errors, rows
from psycopg3.pq import TransactionStatus, arguments
from psycopg3.waiting import STOCK
from tests.marks import counts_references

pytestmark = pytest.mark.anyio

IDLE, INTRANS, INERROR = (
    TransactionStatus.IDLE,
    TransactionStatus.INTRANS,
    TransactionStatus.INERROR,
)


def status(conn):
    return conn.pgconn.transaction_status


def terminate(conn, other):
    other.execute("select pg_terminate_backend(%s, 5000)", [conn.pgconn.backend_pid])


class TestConnect:
    def test_context_closes(self, dsn):
        with Connection.connect(dsn) as conn:
            assert not conn.closed
            assert conn.fileno() == conn.pgconn.socket
        assert conn.closed and not conn.broken

    def test_keywords_override(self, dsn):
        with Connection.connect(dsn, application_name="it's me") as conn:
            cur = conn.execute("show application_name")
            assert cur.fetchone() == ("it's me",)

    def test_none_is_not_given(self, dsn):
        with Connection.connect(dsn, application_name=None) as conn:
            assert not conn.closed

    def test_database_is_dbname(self, dsn):
        with pytest.raises(errors.OperationalError, match="no_such_database"):
            Connection.connect(dsn, database="no_such_database")

    def test_bad_keyword(self, dsn):
        with pytest.raises(psycopg3.ProgrammingError, match="no_such_option"):
            Connection.connect(dsn, no_such_option=1)

    def test_subclass(self, dsn):
        class Mine(Connection):
            pass

        with Mine.connect(dsn) as conn:
            assert type(conn) is Mine

    def test_row_factory(self, dsn):
        with Connection.connect(dsn, row_factory=rows.dict_row) as conn:
            cur = conn.execute("select 1 as a")
            assert cur.fetchone() == {"a": 1}

    def test_cursor_factory(self, dsn):
        class Mine(Cursor):
            pass

        with Connection.connect(dsn, cursor_factory=Mine) as conn:
            assert type(conn.cursor()) is Mine

    def test_context_is_the_template_of_adapters(self, dsn):
        class Context:
            adapters = psycopg3.adapt.AdaptersMap(psycopg3.adapters)
            connection = None

        Context.adapters.register_loader("int4", psycopg3.types.string.TextLoader)
        with Connection.connect(dsn, context=Context) as conn:
            assert conn.execute("select 1").fetchone() == ("1",)

    def test_a_waiter_of_your_own(self, dsn, conn):
        waited = []
        stock = STOCK[conn._library.name]

        def wait(gen, interval=0.1):
            waited.append(gen.__name__)
            return stock(gen, interval)

        with Connection.connect(dsn, wait=wait) as mine:
            mine.execute("select 1")
        assert waited[0] == "connect_gen"
        assert len(waited) >= 3  # to connect, to execute, to commit

    def test_repr_has_no_password(self, dsn):
        with Connection.connect(dsn, password="s3cret") as conn:
            assert "psycopg3" in repr(conn) and "IDLE" in repr(conn)
            assert "s3cret" not in repr(conn)
        assert "closed" in repr(conn).lower() or "BAD" in repr(conn)

    def test_exceptions_are_attributes(self, conn):
        assert conn.OperationalError is psycopg3.OperationalError


class TestTransaction:
    def test_begins_by_itself(self, conn):
        assert status(conn) == IDLE
        conn.execute("select 1")
        assert status(conn) == INTRANS
        conn.commit()
        assert status(conn) == IDLE

    def test_a_bad_parameter_begins_nothing(self, conn):
        with pytest.raises(psycopg3.ProgrammingError):
            conn.execute("select %s", [object()])
        assert status(conn) == IDLE

    @pytest.mark.parametrize("n", [1, 3])
    def test_a_parameter_that_is_too_long_begins_nothing(self, conn, monkeypatch, n):
        monkeypatch.setattr(arguments, "LONGEST", 100)
        with pytest.raises(psycopg3.DataError, match="at most"):
            conn.execute("select " + ", ".join(["%s"] * n), ["x" * (120 // n)] * n)
        assert status(conn) == IDLE
        with pytest.raises(psycopg3.DataError, match="at most"):
            conn.execute("select '" + "x" * 100 + "'")
        assert status(conn) == IDLE
        with pytest.raises(psycopg3.DataError, match="at most"):
            conn.cursor().executemany("select %s", [["x" * 120]])
        assert status(conn) == IDLE
        conn.execute("select %s", ["x" * 50])

    def test_bytes_that_are_no_text_begin_nothing(self, conn):
        class Broken(psycopg3.adapt.Dumper):
            oid = 25

            def dump(self, obj):
                return b"a\0b"

        class Thing:
            pass

        conn.adapters.register_dumper(Thing, Broken)
        with pytest.raises(psycopg3.DataError, match="NUL"):
            conn.execute("select %s", [Thing()])
        assert status(conn) == IDLE

    def test_too_many_parameters_begin_nothing(self, conn):
        with pytest.raises(psycopg3.ProgrammingError, match="65535 at the most"):
            conn.execute("select " + ", ".join(["%s"] * 65536), [1] * 65536)
        assert status(conn) == IDLE

    def test_rollback(self, conn):
        conn.execute("create temp table t (n int)")
        conn.rollback()
        with pytest.raises(errors.UndefinedTable):
            conn.execute("select * from t")
        assert status(conn) == INERROR
        conn.rollback()
        assert status(conn) == IDLE

    def test_idle_sends_nothing(self, conn):
        conn.commit()
        conn.rollback()
        assert status(conn) == IDLE

    def test_commit_of_a_failed_transaction_is_told(self, conn):
        with pytest.raises(errors.DivisionByZero):
            conn.execute("select 1/0")
        with pytest.raises(errors.InFailedSqlTransaction, match="rolled back"):
            conn.commit()
        assert status(conn) == IDLE

    def test_commit_that_fails(self, conn):
        conn.execute("create temp table t (n int primary key deferrable initially deferred)")
        conn.execute("insert into t values (1), (1)")
        with pytest.raises(errors.UniqueViolation) as ex:
            conn.commit()
        assert ex.value.diag.constraint_name == "t_pkey"
        assert status(conn) == IDLE

    def test_autocommit(self, conn):
        conn.set_autocommit(True)
        assert conn.autocommit is True
        conn.execute("select 1")
        assert status(conn) == IDLE

    def test_autocommit_at_connect(self, dsn):
        with Connection.connect(dsn, autocommit=True) as conn:
            conn.execute("select 1")
            assert status(conn) == IDLE

    def test_autocommit_in_a_transaction(self, conn):
        conn.execute("select 1")
        with pytest.raises(psycopg3.ProgrammingError, match="autocommit"):
            conn.set_autocommit(True)
        assert conn.autocommit is False

    def test_context_commits(self, dsn, other):
        other.execute("drop table if exists context_commits")
        with Connection.connect(dsn) as conn:
            conn.execute("create table context_commits ()")
        other.execute("drop table context_commits")

    def test_context_rolls_back(self, dsn, other):
        with pytest.raises(ZeroDivisionError):
            with Connection.connect(dsn) as conn:
                conn.execute("create table context_rolls_back ()")
                raise ZeroDivisionError
        assert conn.closed
        with pytest.raises(errors.UndefinedTable):
            other.execute("drop table context_rolls_back")


class TestEnd:
    def test_close_twice(self, dsn):
        conn = Connection.connect(dsn)
        conn.close()
        conn.close()
        assert conn.closed and not conn.broken

    def test_use_after_close(self, dsn):
        conn = Connection.connect(dsn)
        cur = conn.execute("select 1")
        conn.close()
        for use in (conn.commit, conn.rollback, cur.fetchone):
            with pytest.raises(psycopg3.OperationalError, match="closed"):
                use()
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            conn.execute("select 1")
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            cur.execute("select 1")
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            conn.fileno()
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            conn.cursor()
        conn.cancel()

    def test_time_that_is_none(self, conn):
        for timeout in (-1, float("inf"), float("nan")):
            with pytest.raises(psycopg3.ProgrammingError, match="got the timeout"):
                conn.close(timeout=timeout)
        assert not conn.closed
        conn.close(timeout=0)
        assert conn.closed and not conn.broken

    def test_closed_inside_its_block(self, dsn):
        with Connection.connect(dsn) as conn:
            conn.close()

    def test_terminated_while_idle(self, conn, other):
        terminate(conn, other)
        with pytest.raises(errors.AdminShutdown) as ex:
            conn.execute("select 1")
        assert ex.value.sqlstate == "57P01"
        assert conn.closed and conn.broken

    def test_terminated_before_many(self, conn, other):
        cur = conn.execute("create temp table t (n int)")
        terminate(conn, other)
        with pytest.raises(errors.AdminShutdown):
            cur.executemany("insert into t values (%s)", [[1], [2]])
        assert conn.closed and conn.broken

    def test_terminated_among_many(self, conn, other, dsn):
        cur = conn.execute("create temp table t (n int)")

        def rows():
            yield from ([number] for number in range(3))
            with psycopg3.connect(dsn, autocommit=True) as third:
                third.execute("select pg_terminate_backend(%s, 5000)", [conn.info.backend_pid])
            yield from ([number] for number in range(300))

        with pytest.raises(errors.AdminShutdown):
            cur.executemany("insert into t values (%s) returning n", rows())
        with pytest.raises(errors.AdminShutdown):
            conn.execute("select 1")

    def test_the_end_of_another_session_is_not_ours(self, conn, dsn):
        def rows():
            yield [1]
            with psycopg3.connect(dsn, autocommit=True) as third:
                third.execute("select pg_terminate_backend(pg_backend_pid())")

        cur = conn.execute("create temp table t (n int)")
        with pytest.raises(errors.AdminShutdown):
            with conn.transaction():
                cur.executemany("insert into t values (%s)", rows())
        conn.execute("insert into t values (2)")
        conn.commit()
        assert conn.execute("select n from t").fetchall() == [(2,)]

    def test_an_unread_error_is_no_reason(self, dsn, other):
        conn = Connection.connect(dsn, autocommit=True)
        conn.pgconn.send_query(b"select 1/0")
        other.execute("select pg_sleep(0.1)")
        terminate(conn, other)
        with pytest.raises(psycopg3.OperationalError):
            while True:
                conn.pgconn.consume_input()
        for _ in range(2):
            with pytest.raises(errors.AdminShutdown):
                conn.execute("select 1")
        conn.close()

    @pytest.mark.parametrize("row", range(3))
    def test_terminated_during_one_of_many(self, conn, dsn, row):
        """The server's reason is told, whatever libpq answers to the rows after it."""
        cur = conn.execute("select 1")
        with psycopg3.connect(dsn, autocommit=True) as third:
            asleep = "select wait_event from pg_stat_activity where pid = %s"

            def end(pid):
                while third.execute(asleep, [pid]).fetchone() != ("PgSleep",):
                    time.sleep(0.01)
                third.execute("select pg_terminate_backend(%s)", [pid])

            thread = threading.Thread(target=end, args=[conn.info.backend_pid])
            thread.start()
            with pytest.raises(errors.AdminShutdown):
                cur.executemany("select pg_sleep(%s)", [[9 * (n == row)] for n in range(3)])
            thread.join()
        with pytest.raises(errors.AdminShutdown):
            conn.execute("select 1")

    def test_terminated_between_the_last_and_the_sync(self, conn, dsn):
        def rows():
            yield [1]
            with psycopg3.connect(dsn, autocommit=True) as third:
                third.execute("select pg_terminate_backend(%s, 5000)", [conn.info.backend_pid])

        cur = conn.execute("create temp table t (n int)")
        with pytest.raises(errors.AdminShutdown):
            cur.executemany("insert into t values (%s)", rows())
        with pytest.raises(errors.AdminShutdown):
            conn.execute("select 1")

    def test_given_up_by_a_timeout(self, dsn, other):
        conn = Connection.connect(dsn, autocommit=True, cancel_timeout=0)
        conn.execute("listen ears")
        other.execute("notify ears, 'one'")
        other.execute("select pg_sleep(0.05)")
        news = conn.notifies(timeout=5)
        with pytest.raises(errors.QueryTimeout):
            conn.execute("select pg_sleep(10)", timeout=0.1)
        assert news.__next__().payload == "one"
        for use in (news.__next__, conn.commit):
            with pytest.raises(psycopg3.OperationalError, match="was lost") as caught:
                use()
            assert not isinstance(caught.value, errors.QueryTimeout)
        conn.close()

    def test_terminated_while_idle_and_noticed(self, conn, other):
        terminate(conn, other)
        with pytest.raises(psycopg3.OperationalError):
            while True:
                conn.pgconn.consume_input()
        with pytest.raises(errors.AdminShutdown):
            conn.execute("select 1")
        with pytest.raises(errors.AdminShutdown):
            conn.fileno()

    def test_terminated_in_a_transaction(self, conn, other):
        conn.execute("select 1")
        terminate(conn, other)
        # Nothing was committed, that is sure: the server had left before the COMMIT was sent.
        with pytest.raises(errors.AdminShutdown):
            conn.commit()
        assert conn.broken
        with pytest.raises(errors.AdminShutdown):
            conn.rollback()

    @pytest.mark.parametrize("end", ["commit", "transaction", "with"])
    def test_idle_for_too_long(self, dsn, other, end):
        def work(conn):
            conn.execute("set local idle_in_transaction_session_timeout = 50")
            gone = "select count(*) = 0 from pg_stat_activity where pid = %s"
            while other.execute(gone, [conn.pgconn.backend_pid]).fetchone()[0] is False:
                other.execute("select pg_sleep(0.02)")

        with pytest.raises(errors.IdleInTransactionSessionTimeout):
            with Connection.connect(dsn) as conn:
                if end == "transaction":
                    with conn.transaction():
                        work(conn)
                else:
                    work(conn)
                    if end == "commit":
                        conn.commit()
        assert conn.closed and conn.broken

    def test_lost_inside_its_block(self, dsn, other):
        with pytest.raises(errors.AdminShutdown):
            with Connection.connect(dsn) as conn:
                cur = conn.execute("select 1")
                terminate(conn, other)
                other.execute("select pg_sleep(0.05)")  # on asyncio it is noticed meanwhile
        for _ in range(2):
            with pytest.raises(errors.AdminShutdown):
                cur.execute("select 1")
        assert conn.closed and conn.broken

    def test_lost_inside_its_block_that_failed(self, dsn, other):
        with pytest.raises(ZeroDivisionError):
            with Connection.connect(dsn) as conn:
                conn.execute("select 1")
                terminate(conn, other)
                raise ZeroDivisionError
        with pytest.raises(errors.AdminShutdown):
            conn.execute("select 1")

    def test_lost_inside_its_block_and_told(self, dsn, other):
        with Connection.connect(dsn) as conn:
            conn.execute("select 1")
            terminate(conn, other)
            with pytest.raises(errors.AdminShutdown):
                conn.execute("select 2")
            other.execute("select pg_sleep(0.05)")
        assert conn.closed and conn.broken

    @pytest.mark.parametrize("autocommit", [True, False])
    def test_lost_inside_its_block_with_nothing_to_lose(self, dsn, other, autocommit):
        with Connection.connect(dsn, autocommit=autocommit) as conn:
            conn.execute("select 1")
            conn.commit()
            terminate(conn, other)
            other.execute("select pg_sleep(0.05)")
        assert conn.closed

    @pytest.mark.parametrize("end", ["close", "abort"])
    def test_lost_inside_its_block_and_closed(self, dsn, other, end):
        """Whoever closes it himself has given up his transaction."""
        with Connection.connect(dsn) as conn:
            conn.execute("select 1")
            terminate(conn, other)
            other.execute("select pg_sleep(0.05)")
            if end == "close":
                conn.close()
            else:
                conn.abort()

    def test_lost_inside_its_block_with_an_error(self, dsn, other):
        with Connection.connect(dsn) as conn:
            with pytest.raises(ZeroDivisionError):
                with conn.transaction():
                    conn.execute("select 1")
                    terminate(conn, other)
                    other.execute("select pg_sleep(0.05)")
                    raise ZeroDivisionError

    def test_given_up(self, conn):
        conn._give_up()
        with pytest.raises(psycopg3.OperationalError, match="was lost; open a new one"):
            conn.execute("select 1")
        assert conn.closed and conn.broken

    def test_terminating_itself(self, conn):
        with pytest.raises(errors.AdminShutdown):
            conn.execute("select pg_terminate_backend(pg_backend_pid())")
        assert conn.broken

    def test_an_open_connection_warns(self, dsn):
        conn = Connection.connect(dsn)
        with pytest.warns(ResourceWarning, match="still open"):
            del conn
            gc.collect()

    @counts_references
    def test_freed_without_the_collector(self, dsn):
        conn = Connection.connect(dsn)
        cur = conn.execute("select 1")
        conn.close()
        freed = weakref.ref(conn)
        gc.disable()
        try:
            del conn, cur
            assert freed() is None
        finally:
            gc.enable()

    @counts_references
    @pytest.mark.parametrize(
        "failure", ["server", "parameter", "timeout", "loss", "block", "commit"]
    )
    def test_freed_without_the_collector_after_a_failure(self, dsn, other, failure):
        conn = Connection.connect(dsn)
        freed = weakref.ref(conn)

        def fail(conn):
            cur = conn.cursor()
            if failure == "server":
                cur.execute("select 1/0")
            elif failure == "parameter":
                cur.execute("select %s", [object()])
            elif failure == "timeout":
                cur.execute("select pg_sleep(10)", timeout=0.05)
            elif failure == "loss":
                cur.execute("select pg_terminate_backend(pg_backend_pid())")
            elif failure == "block":
                with conn.transaction():
                    cur.execute("select 1/0")
            else:
                cur.execute("set local idle_in_transaction_session_timeout = 10")
                other.execute("select pg_sleep(0.3)")
                conn.commit()

        gc.disable()
        try:
            with contextlib.suppress(psycopg3.Error):
                fail(conn)
            conn.close()
            del conn
            # asyncio keeps the future that has woken a task, with its exception, until it sleeps again.
            other.execute("select 1")
            assert freed() is None
        finally:
            gc.enable()


class TestHandlers:
    def test_notices(self, conn):
        told = []
        conn.add_notice_handler(lambda diag: told.append((diag.severity, diag.message_primary)))
        conn.execute("do $$ begin raise notice 'hear, hear'; end $$")
        assert told == [("NOTICE", "hear, hear")]

    def test_a_failing_handler_is_logged(self, conn, caplog):
        told = []
        conn.add_notice_handler(lambda diag: 1 / 0)
        conn.add_notice_handler(told.append)
        conn.execute("do $$ begin raise notice 'x'; end $$")
        assert len(told) == 1
        assert "division by zero" in caplog.text

    def test_remove(self, conn):
        told = []
        conn.add_notice_handler(told.append)
        conn.remove_notice_handler(told.append)
        conn.execute("do $$ begin raise notice 'x'; end $$")
        assert told == []
        with pytest.raises(ValueError):
            conn.remove_notice_handler(told.append)

    def test_notifications(self, conn, other):
        told = []
        conn.add_notify_handler(told.append)
        conn.execute("listen ears")
        conn.commit()
        other.execute("notify ears, 'hello'")
        conn.execute("select 1")
        assert told == [psycopg3.Notify("ears", "hello", other.pgconn.backend_pid)]
        conn.remove_notify_handler(told.append)
        other.execute("notify ears, 'hello'")
        conn.execute("select 1")
        assert len(told) == 1


def test_errors_pickle(conn):
    with pytest.raises(errors.UndefinedTable) as ex:
        conn.execute("select * from no_such_table")
    copy = pickle.loads(pickle.dumps(ex.value))
    assert type(copy) is errors.UndefinedTable
    assert copy.diag.message_primary == ex.value.diag.message_primary
    assert copy.sqlstate == "42P01"


class TestCloseHandlers:
    def test_closed_here(self, dsn):
        told = []
        conn = Connection.connect(dsn)
        conn.add_close_handler(told.append)
        conn.close()
        assert told == [conn]

    def test_closed_there(self, conn, other):
        told = []
        conn.add_close_handler(told.append)
        terminate(conn, other)
        with pytest.raises(errors.AdminShutdown):
            conn.execute("select 1")
        conn.close()
        assert told == [conn]

    def test_found_by_a_commit(self, conn, other):
        """The connection is closed by then."""
        told = []
        conn.add_close_handler(lambda conn: told.append(conn.closed))
        conn.execute("select 1")
        terminate(conn, other)
        with pytest.raises(errors.AdminShutdown):
            conn.commit()
        assert told == [True]

    def test_too_late(self, dsn, other):
        """What will never be called is refused."""
        conn = Connection.connect(dsn)
        terminate(conn, other)
        with pytest.raises(errors.AdminShutdown):
            conn.execute("select 1")
        with pytest.raises(errors.AdminShutdown):
            conn.add_close_handler(print)
        conn.close()
        with pytest.raises(psycopg3.OperationalError, match="the connection is closed"):
            conn.add_close_handler(print)

    def test_removed(self, dsn):
        told = []
        conn = Connection.connect(dsn)
        conn.add_close_handler(told.append)
        conn.remove_close_handler(told.append)
        with pytest.raises(ValueError):
            conn.remove_close_handler(told.append)
        conn.close()
        assert told == []

    def test_a_failing_handler_is_logged(self, dsn, caplog):
        told = []
        conn = Connection.connect(dsn)
        conn.add_close_handler(lambda conn: 1 / 0)
        conn.add_close_handler(told.append)
        conn.close()
        assert told == [conn] and "division by zero" in caplog.text
