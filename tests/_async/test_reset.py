"""`reset()` and `terminate()`; what becomes of connections that nobody closes."""

from __future__ import annotations

import gc
import warnings

import pytest

import psycopg3
from psycopg3 import AsyncConnection, IsolationLevel, errors
from psycopg3.pq import TransactionStatus
from psycopg3.session import reset
from tests.marks import counts_references

pytestmark = pytest.mark.anyio


async def one(conn, query, *params):
    return (await (await conn.execute(query, params)).fetchone())[0]


async def gone(other, pid):
    """Whether a backend ends, within five seconds."""
    query = "select count(*) from pg_stat_activity where pid = %s"
    for _ in range(100):
        if not await one(other, query, pid):
            return True
        await other.execute("select pg_sleep(0.05)")
    return False


class TestReset:
    async def test_ends_the_transaction(self, conn):
        await conn.execute("create temp table t ()")
        await conn.reset()
        assert conn.info.transaction_status == TransactionStatus.IDLE
        with pytest.raises(errors.UndefinedTable):
            await conn.execute("select * from t")

    async def test_ends_a_failed_transaction(self, conn):
        with pytest.raises(errors.DivisionByZero):
            await conn.execute("select 1/0")
        await conn.reset()
        assert await one(conn, "select 1") == 1

    async def test_idle(self, conn):
        await conn.reset()
        await conn.reset()
        assert conn.info.transaction_status == TransactionStatus.IDLE

    async def test_in_time(self, conn, monkeypatch):
        await conn.execute("select 1")
        monkeypatch.setattr(reset, "COMMANDS", [b"select pg_catalog.pg_sleep(0.6)"])
        with pytest.raises(errors.QueryTimeout):
            await conn.reset(timeout=0.2)
        assert conn.info.transaction_status == TransactionStatus.IDLE
        monkeypatch.undo()
        await conn.reset(timeout=5)

    async def test_settings(self, dsn):
        async with await AsyncConnection.connect(dsn, application_name="mine") as conn:
            await conn.execute("set work_mem to '5MB'")
            await conn.execute("set application_name to 'theirs'")
            await conn.execute("set client_encoding to latin1")
            await conn.commit()
            assert conn.info.encoding == "iso8859-1"
            await conn.reset()
            assert await one(conn, "show work_mem") != "5MB"
            assert await one(conn, "show application_name") == "mine"
            assert conn.info.encoding == conn.encoding == "utf-8"
            assert await one(conn, "select %s::text || 'ü'", "€") == "€ü"

    async def test_an_encoding_of_the_connection_stays(self, dsn):
        async with await AsyncConnection.connect(dsn, client_encoding="latin1") as conn:
            await conn.execute("set client_encoding to utf8")
            await conn.commit()
            await conn.reset()
            assert conn.info.encoding == "iso8859-1"

    async def test_session_authorization_and_role(self, conn):
        user = conn.info.user
        await conn.execute("set session authorization pg_monitor")
        await conn.execute("set role pg_read_all_stats")
        await conn.commit()
        assert await one(conn, "select session_user || current_user") != user + user
        await conn.reset()
        assert await one(conn, "select session_user") == user
        assert await one(conn, "select current_user") == user

    async def test_a_role_of_the_connection_stays(self, dsn):
        async with await AsyncConnection.connect(dsn, options="-c role=pg_monitor") as conn:
            await conn.execute("set role pg_read_all_stats")
            await conn.commit()
            await conn.reset()
            assert await one(conn, "select current_user") == "pg_monitor"

    async def test_locks(self, conn, other):
        await conn.execute("select pg_advisory_lock(4711)")
        assert await one(other, "select pg_try_advisory_lock(4711)") is False
        await conn.reset()
        assert await one(other, "select pg_try_advisory_lock(4711)") is True
        await other.execute("select pg_advisory_unlock(4711)")

    async def test_cursors(self, conn):
        await conn.execute("declare c cursor with hold for select 1")
        await conn.commit()
        await conn.reset()
        assert await one(conn, "select count(*) from pg_cursors where name = 'c'") == 0

    async def test_channels(self, conn, other):
        heard, told = [], []
        conn.add_notify_handler(told.append)
        await conn.listen("ears", heard.append)
        await conn.commit()
        await other.execute("notify ears, 'before'")
        await conn.reset()
        assert [n.payload for n in heard] == [n.payload for n in told] == ["before"]
        await other.execute("notify ears, 'after'")
        await conn.execute("select 1")
        assert len(heard) == len(told) == 1
        assert await one(conn, "select count(*) from pg_listening_channels()") == 0

    async def test_the_next_user_hears_nothing_of_before(self, conn, other):
        await conn.execute("listen ears")
        await conn.commit()
        await other.execute("notify ears, 'before'")
        await conn.reset()
        assert [n async for n in conn.notifies(timeout=0)] == []

    async def test_read_only_by_default(self, conn):
        await conn.execute("set default_transaction_read_only to on")
        await conn.commit()
        await conn.reset()
        assert await one(conn, "show transaction_read_only") == "off"

    async def test_what_is_set_on_the_object_stays(self, conn):
        told = []
        conn.add_notice_handler(told.append)
        await conn.set_isolation_level(IsolationLevel.SERIALIZABLE)
        await conn.set_read_only(True)
        await conn.reset()
        assert await one(conn, "show transaction_isolation") == "serializable"
        assert await one(conn, "show transaction_read_only") == "on"
        await conn.rollback()
        await conn.set_autocommit(True)
        await conn.reset()
        assert conn.autocommit is True
        await conn.execute("do $$ begin raise notice 'x'; end $$")
        assert told

    async def test_a_hostile_search_path(self, conn):
        await conn.execute("create schema mine")
        await conn.execute(
            "create function mine.pg_advisory_unlock_all() returns int language sql"
            " as $$ select 1/0 $$"
        )
        await conn.execute("set search_path to mine, pg_catalog")
        await conn.commit()
        try:
            await conn.reset()
        finally:
            await conn.execute("drop schema mine cascade")
            await conn.commit()

    async def test_refused_in_a_block(self, conn):
        async with conn.transaction():
            with pytest.raises(psycopg3.ProgrammingError, match=r"reset\(\) is not allowed"):
                await conn.reset()
            assert await one(conn, "select 1") == 1

    async def test_refused_in_a_pipeline(self, dsn):
        async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
            conn._exchange.enter()
            with pytest.raises(psycopg3.ProgrammingError, match="pipeline"):
                await conn.reset()
            conn.terminate()

    async def test_closed(self, dsn):
        conn = await AsyncConnection.connect(dsn)
        await conn.close()
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            await conn.reset()

    @pytest.mark.parametrize("unknown", [b"FROBNICATE", b"SELECT frobnicate()", b"RESET x"])
    async def test_what_the_server_does_not_know(self, conn, monkeypatch, unknown):
        monkeypatch.setattr(reset, "COMMANDS", (b"RESET ROLE", unknown, b"RESET ALL"))
        await conn.execute("set work_mem to '5MB'")
        await conn.commit()
        await conn.reset()
        assert await one(conn, "show work_mem") != "5MB"

    async def test_other_errors_are_raised(self, conn, monkeypatch):
        monkeypatch.setattr(reset, "COMMANDS", (b"SELECT 1/0",))
        with pytest.raises(errors.DivisionByZero):
            await conn.reset()


class TestTerminate:
    async def test_at_once(self, dsn, other):
        conn = await AsyncConnection.connect(dsn)
        pid = conn.info.backend_pid
        told = []
        conn.add_close_handler(told.append)
        conn.terminate()
        assert conn.closed and not conn.broken
        assert told == [conn]
        assert await gone(other, pid)
        conn.terminate()
        await conn.close()
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            await conn.execute("select 1")

    async def test_undoes_the_transaction(self, dsn, other):
        async with await AsyncConnection.connect(dsn) as conn:
            await conn.execute("create table terminated ()")
            pid = conn.info.backend_pid
            conn.terminate()
        assert await gone(other, pid)
        with pytest.raises(errors.UndefinedTable):
            await other.execute("drop table terminated")

    async def test_inside_a_block(self, dsn):
        conn = await AsyncConnection.connect(dsn)
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            async with conn.transaction():
                conn.terminate()


class TestLeftOpen:
    @counts_references
    async def test_warns_and_frees_the_backend(self, dsn, other):
        conn = await AsyncConnection.connect(dsn)
        pid = conn.info.backend_pid
        with pytest.warns(ResourceWarning, match=r"Connection \[IDLE\].* while still open"):
            del conn
            gc.collect()
        assert await gone(other, pid)

    async def test_no_warning(self, dsn, other):
        closed = await AsyncConnection.connect(dsn)
        await closed.close()
        terminated = await AsyncConnection.connect(dsn)
        terminated.terminate()
        lost = await AsyncConnection.connect(dsn)
        with pytest.raises(errors.AdminShutdown):
            await lost.execute("select pg_terminate_backend(pg_backend_pid())")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            del closed, terminated, lost
            gc.collect()

    async def test_a_half_built_one(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            AsyncConnection.__new__(AsyncConnection).__del__()


class TestSubclass:
    async def test_cursor_factory(self, dsn):
        class MyCursor(psycopg3.AsyncCursor):
            pass

        class Mine(AsyncConnection):
            cursor_factory = MyCursor

        async with await Mine.connect(dsn) as conn:
            assert type(conn.cursor()) is MyCursor
            assert type(await conn.execute("select 1")) is MyCursor
        async with await AsyncConnection.connect(dsn) as conn:
            assert type(conn.cursor()) is psycopg3.AsyncCursor

    async def test_connection_params(self, dsn):
        class Mine(AsyncConnection):
            @classmethod
            async def _get_connection_params(cls, conninfo, **kwargs):
                params = await super()._get_connection_params(conninfo, **kwargs)
                return {**params, "application_name": params["application_name"].upper()}

        async with await Mine.connect(dsn, application_name="mine") as conn:
            assert conn.info.settings["application_name"] == "MINE"
