# Generated from tests/_async/test_twophase.py by `python tools/unasync.py`: edit that file, not this one.
"""Two-phase commit."""

from __future__ import annotations

import datetime as dt

import pytest

import psycopg3
from psycopg3 import Connection, Xid, errors
from psycopg3.pq import TransactionStatus
from psycopg3.rows import dict_row

pytestmark = pytest.mark.anyio


@pytest.fixture
def conn(dsn):
    with Connection.connect(dsn) as conn:
        yield conn
        if not conn.closed and conn._xid is None:
            conn.rollback()


def count(dsn, table):
    with Connection.connect(dsn) as other:
        cur = other.execute("select count(*) from pg_tables where tablename = %s", [table])
        return cur.fetchone()[0]


@pytest.mark.parametrize("prepare", [False, True])
def test_commit_and_rollback(conn, dsn, prepare):
    name = f"t_{prepare}".lower()
    for commit in (False, True):
        conn.tpc_begin(conn.xid(1, "gtrid", "bqual"))
        conn.execute(f"create table {name} ()")
        for refused in (conn.commit, conn.rollback):
            with pytest.raises(psycopg3.ProgrammingError, match="two-phase"):
                refused()
        if prepare:
            conn.tpc_prepare()
            assert conn.pgconn.transaction_status == TransactionStatus.IDLE
        (conn.tpc_commit() if commit else conn.tpc_rollback())
        assert conn.pgconn.transaction_status == TransactionStatus.IDLE
        assert count(dsn, name) == commit
    conn.execute(f"drop table {name}")
    conn.commit()


@pytest.mark.parametrize(
    "gid", ["foreign", "it's \\ %s", "1_Zw_Yg==", "01_Zw==_Yg==", "1_Zw==_Yg=="]
)
def test_recover(conn, dsn, gid):
    conn.row_factory = dict_row
    conn.tpc_begin(gid)
    conn.execute("select txid_current()")
    conn.tpc_prepare()
    with Connection.connect(dsn) as other:
        (xid,) = other.tpc_recover()
        assert other.pgconn.transaction_status == TransactionStatus.IDLE
        assert str(xid) == gid
        assert (xid.format_id is None) == (gid != "1_Zw==_Yg==")
        assert isinstance(xid.prepared, dt.datetime)
        assert xid.database == other.info.dbname
        other.tpc_rollback(xid)
        assert other.tpc_recover() == []
    with pytest.raises(errors.UndefinedObject):
        conn.tpc_commit()


def test_a_failed_transaction_is_not_prepared(conn):
    conn.tpc_begin("failed")
    with pytest.raises(errors.DivisionByZero):
        conn.execute("select 1/0")
    with pytest.raises(errors.InFailedSqlTransaction, match="not prepared"):
        conn.tpc_prepare()
    with pytest.raises(errors.NoActiveSqlTransaction):
        conn.tpc_prepare()
    assert conn.tpc_recover() == []
    conn.tpc_rollback()
    conn.tpc_begin("failed")
    with pytest.raises(errors.DivisionByZero):
        conn.execute("select 1/0")
    with pytest.raises(errors.InFailedSqlTransaction):
        conn.tpc_commit()


def test_wrong_moments(conn):
    for call in (conn.tpc_prepare, conn.tpc_commit, conn.tpc_rollback):
        with pytest.raises(psycopg3.ProgrammingError, match="tpc_begin"):
            call()
    conn.execute("select 1")
    with pytest.raises(psycopg3.ProgrammingError, match="in progress"):
        conn.tpc_begin("x")
    with pytest.raises(psycopg3.ProgrammingError, match="can't be in a transaction"):
        conn.tpc_commit("x")
    conn.rollback()
    conn.set_autocommit(True)
    with pytest.raises(psycopg3.ProgrammingError, match="autocommit"):
        conn.tpc_begin("x")
    conn.set_autocommit(False)
    with pytest.raises(psycopg3.ProgrammingError, match="type int"):
        conn.tpc_begin(1)
    assert conn.pgconn.transaction_status == TransactionStatus.IDLE
    with pytest.raises(errors.UndefinedObject):
        conn.tpc_rollback("nothing")
    conn.tpc_begin("x")
    conn.execute("select txid_current()")
    conn.tpc_prepare()
    conn.execute("select 1")
    with pytest.raises(psycopg3.ProgrammingError, match="begun since"):
        conn.tpc_commit()
    conn._run(conn._rollback_gen())
    conn.tpc_rollback()


def test_cancel_is_refused_after_prepare(conn):
    conn.tpc_begin("x")
    conn.cancel()
    conn.tpc_prepare()
    with pytest.raises(psycopg3.ProgrammingError, match="after tpc_prepare"):
        conn.cancel()
    with pytest.raises(psycopg3.ProgrammingError, match="after tpc_prepare"):
        conn.cancel_safe()
    conn.tpc_rollback()
    conn.cancel()
    conn.cancel_safe()


def test_xid():
    xid = Xid.from_parts(1, "gé", "b")
    assert Xid.from_string(str(xid)) == xid
    assert (list(xid), len(xid), xid[1]) == ([1, "gé", "b"], 3, "gé")
    assert str(Xid.from_parts(1, "g", "b")) == "1_Zw==_Yg=="
    for parts in [
        (-1, "a", "b"),
        (2**31, "a", "b"),
        (1, "a" * 65, "b"),
        (1, "a", "\n"),
        (1, "a", 2),
    ]:
        with pytest.raises(psycopg3.ProgrammingError, match="expected"):
            Xid.from_parts(*parts)
