# Generated from tests/_async/test_reset.py by `python tools/unasync.py`: edit that file, not this one.
"""`reset()` and `terminate()`; what becomes of connections that nobody closes."""

from __future__ import annotations

import gc
import warnings

import pytest

import psycopg3
from psycopg3 import Connection, IsolationLevel, errors
from psycopg3.pq import TransactionStatus
from psycopg3.session import reset
from tests.marks import counts_references

pytestmark = pytest.mark.anyio


def one(conn, query, *params):
    return conn.execute(query, params).fetchone()[0]


def gone(other, pid):
    """Whether a backend ends, within five seconds."""
    query = "select count(*) from pg_stat_activity where pid = %s"
    for _ in range(100):
        if not one(other, query, pid):
            return True
        other.execute("select pg_sleep(0.05)")
    return False


class TestReset:
    def test_ends_the_transaction(self, conn):
        conn.execute("create temp table t ()")
        conn.reset()
        assert conn.info.transaction_status == TransactionStatus.IDLE
        with pytest.raises(errors.UndefinedTable):
            conn.execute("select * from t")

    def test_ends_a_failed_transaction(self, conn):
        with pytest.raises(errors.DivisionByZero):
            conn.execute("select 1/0")
        conn.reset()
        assert one(conn, "select 1") == 1

    def test_idle(self, conn):
        conn.reset()
        conn.reset()
        assert conn.info.transaction_status == TransactionStatus.IDLE

    def test_in_time(self, conn, monkeypatch):
        conn.execute("select 1")
        monkeypatch.setattr(reset, "COMMANDS", [b"select pg_catalog.pg_sleep(0.6)"])
        with pytest.raises(errors.QueryTimeout):
            conn.reset(timeout=0.2)
        assert conn.info.transaction_status == TransactionStatus.IDLE
        monkeypatch.undo()
        conn.reset(timeout=5)

    def test_settings(self, dsn):
        with Connection.connect(dsn, application_name="mine") as conn:
            conn.execute("set work_mem to '5MB'")
            conn.execute("set application_name to 'theirs'")
            conn.execute("set client_encoding to latin1")
            conn.commit()
            assert conn.info.encoding == "iso8859-1"
            conn.reset()
            assert one(conn, "show work_mem") != "5MB"
            assert one(conn, "show application_name") == "mine"
            assert conn.info.encoding == conn.encoding == "utf-8"
            assert one(conn, "select %s::text || 'ü'", "€") == "€ü"

    def test_an_encoding_of_the_connection_stays(self, dsn):
        with Connection.connect(dsn, client_encoding="latin1") as conn:
            conn.execute("set client_encoding to utf8")
            conn.commit()
            conn.reset()
            assert conn.info.encoding == "iso8859-1"

    def test_session_authorization_and_role(self, conn):
        user = conn.info.user
        conn.execute("set session authorization pg_monitor")
        conn.execute("set role pg_read_all_stats")
        conn.commit()
        assert one(conn, "select session_user || current_user") != user + user
        conn.reset()
        assert one(conn, "select session_user") == user
        assert one(conn, "select current_user") == user

    def test_a_role_of_the_connection_stays(self, dsn):
        with Connection.connect(dsn, options="-c role=pg_monitor") as conn:
            conn.execute("set role pg_read_all_stats")
            conn.commit()
            conn.reset()
            assert one(conn, "select current_user") == "pg_monitor"

    def test_locks(self, conn, other):
        conn.execute("select pg_advisory_lock(4711)")
        assert one(other, "select pg_try_advisory_lock(4711)") is False
        conn.reset()
        assert one(other, "select pg_try_advisory_lock(4711)") is True
        other.execute("select pg_advisory_unlock(4711)")

    def test_cursors(self, conn):
        conn.execute("declare c cursor with hold for select 1")
        conn.commit()
        conn.reset()
        assert one(conn, "select count(*) from pg_cursors where name = 'c'") == 0

    def test_channels(self, conn, other):
        heard, told = [], []
        conn.add_notify_handler(told.append)
        conn.listen("ears", heard.append)
        conn.commit()
        other.execute("notify ears, 'before'")
        conn.reset()
        assert [n.payload for n in heard] == [n.payload for n in told] == ["before"]
        other.execute("notify ears, 'after'")
        conn.execute("select 1")
        assert len(heard) == len(told) == 1
        assert one(conn, "select count(*) from pg_listening_channels()") == 0

    def test_the_next_user_hears_nothing_of_before(self, conn, other):
        conn.execute("listen ears")
        conn.commit()
        other.execute("notify ears, 'before'")
        conn.reset()
        assert [n for n in conn.notifies(timeout=0)] == []

    def test_read_only_by_default(self, conn):
        conn.execute("set default_transaction_read_only to on")
        conn.commit()
        conn.reset()
        assert one(conn, "show transaction_read_only") == "off"

    def test_what_is_set_on_the_object_stays(self, conn):
        told = []
        conn.add_notice_handler(told.append)
        conn.set_isolation_level(IsolationLevel.SERIALIZABLE)
        conn.set_read_only(True)
        conn.reset()
        assert one(conn, "show transaction_isolation") == "serializable"
        assert one(conn, "show transaction_read_only") == "on"
        conn.rollback()
        conn.set_autocommit(True)
        conn.reset()
        assert conn.autocommit is True
        conn.execute("do $$ begin raise notice 'x'; end $$")
        assert told

    def test_a_hostile_search_path(self, conn):
        conn.execute("create schema mine")
        conn.execute(
            "create function mine.pg_advisory_unlock_all() returns int language sql"
            " as $$ select 1/0 $$"
        )
        conn.execute("set search_path to mine, pg_catalog")
        conn.commit()
        try:
            conn.reset()
        finally:
            conn.execute("drop schema mine cascade")
            conn.commit()

    def test_refused_in_a_block(self, conn):
        with conn.transaction():
            with pytest.raises(psycopg3.ProgrammingError, match=r"reset\(\) is not allowed"):
                conn.reset()
            assert one(conn, "select 1") == 1

    def test_refused_in_a_pipeline(self, dsn):
        with Connection.connect(dsn, autocommit=True) as conn:
            conn._exchange.enter()
            with pytest.raises(psycopg3.ProgrammingError, match="pipeline"):
                conn.reset()
            conn.terminate()

    def test_closed(self, dsn):
        conn = Connection.connect(dsn)
        conn.close()
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            conn.reset()

    @pytest.mark.parametrize("unknown", [b"FROBNICATE", b"SELECT frobnicate()", b"RESET x"])
    def test_what_the_server_does_not_know(self, conn, monkeypatch, unknown):
        monkeypatch.setattr(reset, "COMMANDS", (b"RESET ROLE", unknown, b"RESET ALL"))
        conn.execute("set work_mem to '5MB'")
        conn.commit()
        conn.reset()
        assert one(conn, "show work_mem") != "5MB"

    def test_other_errors_are_raised(self, conn, monkeypatch):
        monkeypatch.setattr(reset, "COMMANDS", (b"SELECT 1/0",))
        with pytest.raises(errors.DivisionByZero):
            conn.reset()


class TestTerminate:
    def test_at_once(self, dsn, other):
        conn = Connection.connect(dsn)
        pid = conn.info.backend_pid
        told = []
        conn.add_close_handler(told.append)
        conn.terminate()
        assert conn.closed and not conn.broken
        assert told == [conn]
        assert gone(other, pid)
        conn.terminate()
        conn.close()
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            conn.execute("select 1")

    def test_undoes_the_transaction(self, dsn, other):
        with Connection.connect(dsn) as conn:
            conn.execute("create table terminated ()")
            pid = conn.info.backend_pid
            conn.terminate()
        assert gone(other, pid)
        with pytest.raises(errors.UndefinedTable):
            other.execute("drop table terminated")

    def test_inside_a_block(self, dsn):
        conn = Connection.connect(dsn)
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            with conn.transaction():
                conn.terminate()


class TestLeftOpen:
    @counts_references
    def test_warns_and_frees_the_backend(self, dsn, other):
        conn = Connection.connect(dsn)
        pid = conn.info.backend_pid
        with pytest.warns(ResourceWarning, match=r"Connection \[IDLE\].* while still open"):
            del conn
            gc.collect()
        assert gone(other, pid)

    def test_no_warning(self, dsn, other):
        closed = Connection.connect(dsn)
        closed.close()
        terminated = Connection.connect(dsn)
        terminated.terminate()
        lost = Connection.connect(dsn)
        with pytest.raises(errors.AdminShutdown):
            lost.execute("select pg_terminate_backend(pg_backend_pid())")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            del closed, terminated, lost
            gc.collect()

    def test_a_half_built_one(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            Connection.__new__(Connection).__del__()


class TestSubclass:
    def test_cursor_factory(self, dsn):
        class MyCursor(psycopg3.Cursor):
            pass

        class Mine(Connection):
            cursor_factory = MyCursor

        with Mine.connect(dsn) as conn:
            assert type(conn.cursor()) is MyCursor
            assert type(conn.execute("select 1")) is MyCursor
        with Connection.connect(dsn) as conn:
            assert type(conn.cursor()) is psycopg3.Cursor

    def test_connection_params(self, dsn):
        class Mine(Connection):
            @classmethod
            def _get_connection_params(cls, conninfo, **kwargs):
                params = super()._get_connection_params(conninfo, **kwargs)
                return {**params, "application_name": params["application_name"].upper()}

        with Mine.connect(dsn, application_name="mine") as conn:
            assert conn.info.settings["application_name"] == "MINE"
