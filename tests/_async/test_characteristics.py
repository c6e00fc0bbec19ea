"""Isolation level, read only, deferrable: of a connection's transactions, and of one block."""

from __future__ import annotations

import pytest

import psycopg3
from psycopg3 import AsyncConnection, IsolationLevel, errors

pytestmark = pytest.mark.anyio

NAMES = ("isolation_level", "read_only", "deferrable")
LEVELS = {
    IsolationLevel.READ_UNCOMMITTED: "read uncommitted",
    IsolationLevel.READ_COMMITTED: "read committed",
    IsolationLevel.REPEATABLE_READ: "repeatable read",
    IsolationLevel.SERIALIZABLE: "serializable",
}


def setter(conn, name):
    return getattr(conn, f"set_{name}")


async def show(conn):
    """What the current transaction is, as the server sees it: level, read only, deferrable."""
    values = []
    for name in ("isolation", "read_only", "deferrable"):
        cur = await conn.execute(f"show transaction_{name}")
        values.append((await cur.fetchone())[0])
    return tuple(values)


class TestConnection:
    async def test_nothing_is_set(self, conn):
        assert [getattr(conn, name) for name in NAMES] == [None, None, None]
        assert await show(conn) == ("read committed", "off", "off")

    @pytest.mark.parametrize("level", LEVELS)
    async def test_levels(self, conn, level):
        await conn.set_isolation_level(level)
        assert conn.isolation_level is level
        assert await show(conn) == (LEVELS[level], "off", "off")

    async def test_a_level_by_number(self, conn):
        await conn.set_isolation_level(4)
        assert conn.isolation_level is IsolationLevel.SERIALIZABLE

    @pytest.mark.parametrize("level", [0, 5, "serializable", object()])
    async def test_no_level(self, conn, level):
        with pytest.raises(psycopg3.ProgrammingError, match="expected a member of psycopg3"):
            await conn.set_isolation_level(level)
        with pytest.raises(psycopg3.ProgrammingError, match="expected a member of psycopg3"):
            conn.transaction(isolation=level)
        assert conn.isolation_level is None

    @pytest.mark.parametrize("name, at", [("read_only", 1), ("deferrable", 2)])
    @pytest.mark.parametrize(
        "value, kept", [(True, True), (False, False), (1, True), (0, False), ("yes", True)]
    )
    async def test_flags(self, conn, name, at, value, kept):
        await setter(conn, name)(value)
        assert getattr(conn, name) is kept
        assert (await show(conn))[at] == ("on" if kept else "off")

    async def test_all_at_once(self, conn):
        await conn.set_isolation_level(IsolationLevel.SERIALIZABLE)
        await conn.set_read_only(True)
        await conn.set_deferrable(True)
        assert await show(conn) == ("serializable", "on", "on")
        await conn.rollback()
        assert await show(conn) == ("serializable", "on", "on")

    async def test_against_the_servers_defaults(self, dsn):
        options = "-c default_transaction_read_only=on -c default_transaction_deferrable=on"
        async with await AsyncConnection.connect(dsn, options=options) as conn:
            await conn.set_read_only(False)
            await conn.set_deferrable(False)
            assert await show(conn) == ("read committed", "off", "off")

    @pytest.mark.parametrize("name, value", [("isolation_level", 4), ("read_only", True)])
    async def test_none_resets(self, conn, name, value):
        await setter(conn, name)(value)
        await setter(conn, name)(None)
        assert getattr(conn, name) is None
        assert await show(conn) == ("read committed", "off", "off")

    async def test_read_only_is_refused_by_the_server(self, conn):
        await conn.set_read_only(True)
        with pytest.raises(errors.ReadOnlySqlTransaction):
            await conn.execute("create table never ()")

    async def test_autocommit_is_for_blocks_only(self, conn):
        await conn.set_autocommit(True)
        await conn.set_isolation_level(IsolationLevel.SERIALIZABLE)
        assert (await show(conn))[0] == "read committed"
        async with conn.transaction():
            assert (await show(conn))[0] == "serializable"

    @pytest.mark.parametrize("name", NAMES)
    async def test_refused_in_a_transaction(self, conn, name):
        await conn.execute("select 1")
        with pytest.raises(psycopg3.ProgrammingError, match=f"can't change {name} now"):
            await setter(conn, name)(1)
        await conn.rollback()
        await setter(conn, name)(1)
        assert getattr(conn, name) == 1

    @pytest.mark.parametrize("name", NAMES)
    async def test_refused_in_a_failed_transaction(self, conn, name):
        with pytest.raises(errors.DivisionByZero):
            await conn.execute("select 1/0")
        with pytest.raises(psycopg3.ProgrammingError, match="in progress"):
            await setter(conn, name)(None)

    @pytest.mark.parametrize("name", NAMES)
    async def test_refused_in_a_block(self, conn, name):
        async with conn.transaction():
            with pytest.raises(psycopg3.ProgrammingError, match="in progress"):
                await setter(conn, name)(1)
        assert getattr(conn, name) is None

    @pytest.mark.parametrize("name", NAMES)
    async def test_refused_in_a_transaction_by_hand(self, conn, name):
        await conn.set_autocommit(True)
        await conn.execute("begin")
        with pytest.raises(psycopg3.ProgrammingError, match="in progress"):
            await setter(conn, name)(1)
        await conn.execute("rollback")
        await setter(conn, name)(1)

    @pytest.mark.parametrize("name", NAMES)
    async def test_refused_when_closed(self, dsn, name):
        conn = await AsyncConnection.connect(dsn)
        await setter(conn, name)(1)
        await conn.close()
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            await setter(conn, name)(None)
        assert getattr(conn, name) == 1


class TestBlock:
    async def test_its_own(self, conn):
        options = {"isolation": IsolationLevel.SERIALIZABLE, "read_only": True, "deferrable": True}
        async with conn.transaction(**options) as tx:
            assert await show(conn) == ("serializable", "on", "on")
        assert tx.status is tx.Status.COMMITTED
        assert await show(conn) == ("read committed", "off", "off")

    async def test_over_the_connections(self, conn):
        await conn.set_isolation_level(IsolationLevel.SERIALIZABLE)
        await conn.set_read_only(True)
        async with conn.transaction(isolation=2, deferrable=True):
            assert await show(conn) == ("read committed", "on", "on")
        async with conn.transaction(read_only=False):
            assert await show(conn) == ("serializable", "off", "off")
        assert conn.isolation_level is IsolationLevel.SERIALIZABLE
        assert conn.read_only is True

    async def test_with_a_savepoint(self, conn):
        async with conn.transaction("here", isolation=IsolationLevel.SERIALIZABLE):
            await conn.execute("rollback to here")
            assert await show(conn) == ("serializable", "off", "off")

    async def test_flags_are_coerced(self, conn):
        async with conn.transaction(read_only=1, deferrable="yes"):
            assert await show(conn) == ("read committed", "on", "on")

    @pytest.mark.parametrize("options", [{"isolation": 4}, {"read_only": False}, {"deferrable": 1}])
    async def test_refused_when_nested(self, conn, options):
        async with conn.transaction(isolation=4):
            with pytest.raises(psycopg3.ProgrammingError, match="outermost"):
                async with conn.transaction(**options):
                    raise AssertionError
            async with conn.transaction():
                assert (await show(conn))[0] == "serializable"

    async def test_refused_in_a_transaction(self, conn):
        await conn.execute("select 1")
        block = conn.transaction(isolation=4)
        with pytest.raises(psycopg3.ProgrammingError, match="outermost"):
            async with block:
                raise AssertionError
        await conn.rollback()
        async with block:
            assert (await show(conn))[0] == "serializable"


class TestInTransaction:
    async def test_implicit(self, conn):
        assert conn.in_transaction is False
        await conn.execute("select 1")
        assert conn.in_transaction is True
        await conn.commit()
        assert conn.in_transaction is False

    async def test_failed(self, conn):
        with pytest.raises(errors.DivisionByZero):
            await conn.execute("select 1/0")
        assert conn.in_transaction is True

    async def test_autocommit(self, conn):
        await conn.set_autocommit(True)
        await conn.execute("select 1")
        assert conn.in_transaction is False
        await conn.execute("begin")
        assert conn.in_transaction is True
        await conn.execute("rollback")
        async with conn.transaction():
            assert conn.in_transaction is True
        assert conn.in_transaction is False

    async def test_closed(self, dsn):
        conn = await AsyncConnection.connect(dsn)
        await conn.execute("select 1")
        await conn.close()
        assert conn.in_transaction is False
