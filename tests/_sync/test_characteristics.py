# Generated from tests/_async/test_characteristics.py by `python tools/unasync.py`: edit that file, not this one.
"""Isolation level, read only, deferrable: of a connection's transactions, and of one block."""

from __future__ import annotations

import pytest

import psycopg3
from psycopg3 import Connection, IsolationLevel, errors

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


def show(conn):
    """What the current transaction is, as the server sees it: level, read only, deferrable."""
    values = []
    for name in ("isolation", "read_only", "deferrable"):
        cur = conn.execute(f"show transaction_{name}")
        values.append(cur.fetchone()[0])
    return tuple(values)


class TestConnection:
    def test_nothing_is_set(self, conn):
        assert [getattr(conn, name) for name in NAMES] == [None, None, None]
        assert show(conn) == ("read committed", "off", "off")

    @pytest.mark.parametrize("level", LEVELS)
    def test_levels(self, conn, level):
        conn.set_isolation_level(level)
        assert conn.isolation_level is level
        assert show(conn) == (LEVELS[level], "off", "off")

    def test_a_level_by_number(self, conn):
        conn.set_isolation_level(4)
        assert conn.isolation_level is IsolationLevel.SERIALIZABLE

    @pytest.mark.parametrize("level", [0, 5, "serializable", object()])
    def test_no_level(self, conn, level):
        with pytest.raises(psycopg3.ProgrammingError, match="expected a member of psycopg3"):
            conn.set_isolation_level(level)
        with pytest.raises(psycopg3.ProgrammingError, match="expected a member of psycopg3"):
            conn.transaction(isolation=level)
        assert conn.isolation_level is None

    @pytest.mark.parametrize("name, at", [("read_only", 1), ("deferrable", 2)])
    @pytest.mark.parametrize(
        "value, kept", [(True, True), (False, False), (1, True), (0, False), ("yes", True)]
    )
    def test_flags(self, conn, name, at, value, kept):
        setter(conn, name)(value)
        assert getattr(conn, name) is kept
        assert show(conn)[at] == ("on" if kept else "off")

    def test_all_at_once(self, conn):
        conn.set_isolation_level(IsolationLevel.SERIALIZABLE)
        conn.set_read_only(True)
        conn.set_deferrable(True)
        assert show(conn) == ("serializable", "on", "on")
        conn.rollback()
        assert show(conn) == ("serializable", "on", "on")

    def test_against_the_servers_defaults(self, dsn):
        options = "-c default_transaction_read_only=on -c default_transaction_deferrable=on"
        with Connection.connect(dsn, options=options) as conn:
            conn.set_read_only(False)
            conn.set_deferrable(False)
            assert show(conn) == ("read committed", "off", "off")

    @pytest.mark.parametrize("name, value", [("isolation_level", 4), ("read_only", True)])
    def test_none_resets(self, conn, name, value):
        setter(conn, name)(value)
        setter(conn, name)(None)
        assert getattr(conn, name) is None
        assert show(conn) == ("read committed", "off", "off")

    def test_read_only_is_refused_by_the_server(self, conn):
        conn.set_read_only(True)
        with pytest.raises(errors.ReadOnlySqlTransaction):
            conn.execute("create table never ()")

    def test_autocommit_is_for_blocks_only(self, conn):
        conn.set_autocommit(True)
        conn.set_isolation_level(IsolationLevel.SERIALIZABLE)
        assert show(conn)[0] == "read committed"
        with conn.transaction():
            assert show(conn)[0] == "serializable"

    @pytest.mark.parametrize("name", NAMES)
    def test_refused_in_a_transaction(self, conn, name):
        conn.execute("select 1")
        with pytest.raises(psycopg3.ProgrammingError, match=f"can't change {name} now"):
            setter(conn, name)(1)
        conn.rollback()
        setter(conn, name)(1)
        assert getattr(conn, name) == 1

    @pytest.mark.parametrize("name", NAMES)
    def test_refused_in_a_failed_transaction(self, conn, name):
        with pytest.raises(errors.DivisionByZero):
            conn.execute("select 1/0")
        with pytest.raises(psycopg3.ProgrammingError, match="in progress"):
            setter(conn, name)(None)

    @pytest.mark.parametrize("name", NAMES)
    def test_refused_in_a_block(self, conn, name):
        with conn.transaction():
            with pytest.raises(psycopg3.ProgrammingError, match="in progress"):
                setter(conn, name)(1)
        assert getattr(conn, name) is None

    @pytest.mark.parametrize("name", NAMES)
    def test_refused_in_a_transaction_by_hand(self, conn, name):
        conn.set_autocommit(True)
        conn.execute("begin")
        with pytest.raises(psycopg3.ProgrammingError, match="in progress"):
            setter(conn, name)(1)
        conn.execute("rollback")
        setter(conn, name)(1)

    @pytest.mark.parametrize("name", NAMES)
    def test_refused_when_closed(self, dsn, name):
        conn = Connection.connect(dsn)
        setter(conn, name)(1)
        conn.close()
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            setter(conn, name)(None)
        assert getattr(conn, name) == 1


class TestBlock:
    def test_its_own(self, conn):
        options = {"isolation": IsolationLevel.SERIALIZABLE, "read_only": True, "deferrable": True}
        with conn.transaction(**options) as tx:
            assert show(conn) == ("serializable", "on", "on")
        assert tx.status is tx.Status.COMMITTED
        assert show(conn) == ("read committed", "off", "off")

    def test_over_the_connections(self, conn):
        conn.set_isolation_level(IsolationLevel.SERIALIZABLE)
        conn.set_read_only(True)
        with conn.transaction(isolation=2, deferrable=True):
            assert show(conn) == ("read committed", "on", "on")
        with conn.transaction(read_only=False):
            assert show(conn) == ("serializable", "off", "off")
        assert conn.isolation_level is IsolationLevel.SERIALIZABLE
        assert conn.read_only is True

    def test_with_a_savepoint(self, conn):
        with conn.transaction("here", isolation=IsolationLevel.SERIALIZABLE):
            conn.execute("rollback to here")
            assert show(conn) == ("serializable", "off", "off")

    def test_flags_are_coerced(self, conn):
        with conn.transaction(read_only=1, deferrable="yes"):
            assert show(conn) == ("read committed", "on", "on")

    @pytest.mark.parametrize("options", [{"isolation": 4}, {"read_only": False}, {"deferrable": 1}])
    def test_refused_when_nested(self, conn, options):
        with conn.transaction(isolation=4):
            with pytest.raises(psycopg3.ProgrammingError, match="outermost"):
                with conn.transaction(**options):
                    raise AssertionError
            with conn.transaction():
                assert show(conn)[0] == "serializable"

    def test_refused_in_a_transaction(self, conn):
        conn.execute("select 1")
        block = conn.transaction(isolation=4)
        with pytest.raises(psycopg3.ProgrammingError, match="outermost"):
            with block:
                raise AssertionError
        conn.rollback()
        with block:
            assert show(conn)[0] == "serializable"


class TestInTransaction:
    def test_implicit(self, conn):
        assert conn.in_transaction is False
        conn.execute("select 1")
        assert conn.in_transaction is True
        conn.commit()
        assert conn.in_transaction is False

    def test_failed(self, conn):
        with pytest.raises(errors.DivisionByZero):
            conn.execute("select 1/0")
        assert conn.in_transaction is True

    def test_autocommit(self, conn):
        conn.set_autocommit(True)
        conn.execute("select 1")
        assert conn.in_transaction is False
        conn.execute("begin")
        assert conn.in_transaction is True
        conn.execute("rollback")
        with conn.transaction():
            assert conn.in_transaction is True
        assert conn.in_transaction is False

    def test_closed(self, dsn):
        conn = Connection.connect(dsn)
        conn.execute("select 1")
        conn.close()
        assert conn.in_transaction is False
