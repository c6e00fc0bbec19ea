"""Two-phase commit."""

from __future__ import annotations

import datetime as dt

import pytest

import psycopg3
from psycopg3 import AsyncConnection, Xid, errors
from psycopg3.pq import TransactionStatus
from psycopg3.rows import dict_row

pytestmark = pytest.mark.anyio


@pytest.fixture
async def conn(dsn):
    async with await AsyncConnection.connect(dsn) as conn:
        yield conn
        if not conn.closed and conn._xid is None:
            await conn.rollback()


async def count(dsn, table):
    async with await AsyncConnection.connect(dsn) as other:
        cur = await other.execute("select count(*) from pg_tables where tablename = %s", [table])
        return (await cur.fetchone())[0]


@pytest.mark.parametrize("prepare", [False, True])
async def test_commit_and_rollback(conn, dsn, prepare):
    name = f"t_{prepare}".lower()
    for commit in (False, True):
        await conn.tpc_begin(conn.xid(1, "gtrid", "bqual"))
        await conn.execute(f"create table {name} ()")
        for refused in (conn.commit, conn.rollback):
            with pytest.raises(psycopg3.ProgrammingError, match="two-phase"):
                await refused()
        if prepare:
            await conn.tpc_prepare()
            assert conn.pgconn.transaction_status == TransactionStatus.IDLE
        await (conn.tpc_commit() if commit else conn.tpc_rollback())
        assert conn.pgconn.transaction_status == TransactionStatus.IDLE
        assert await count(dsn, name) == commit
    await conn.execute(f"drop table {name}")
    await conn.commit()


@pytest.mark.parametrize(
    "gid", ["foreign", "it's \\ %s", "1_Zw_Yg==", "01_Zw==_Yg==", "1_Zw==_Yg=="]
)
async def test_recover(conn, dsn, gid):
    conn.row_factory = dict_row
    await conn.tpc_begin(gid)
    await conn.execute("select txid_current()")
    await conn.tpc_prepare()
    async with await AsyncConnection.connect(dsn) as other:
        (xid,) = await other.tpc_recover()
        assert other.pgconn.transaction_status == TransactionStatus.IDLE
        assert str(xid) == gid
        assert (xid.format_id is None) == (gid != "1_Zw==_Yg==")
        assert isinstance(xid.prepared, dt.datetime)
        assert xid.database == other.info.dbname
        await other.tpc_rollback(xid)
        assert await other.tpc_recover() == []
    with pytest.raises(errors.UndefinedObject):
        await conn.tpc_commit()


async def test_a_failed_transaction_is_not_prepared(conn):
    await conn.tpc_begin("failed")
    with pytest.raises(errors.DivisionByZero):
        await conn.execute("select 1/0")
    with pytest.raises(errors.InFailedSqlTransaction, match="not prepared"):
        await conn.tpc_prepare()
    with pytest.raises(errors.NoActiveSqlTransaction):
        await conn.tpc_prepare()
    assert await conn.tpc_recover() == []
    await conn.tpc_rollback()
    await conn.tpc_begin("failed")
    with pytest.raises(errors.DivisionByZero):
        await conn.execute("select 1/0")
    with pytest.raises(errors.InFailedSqlTransaction):
        await conn.tpc_commit()


async def test_wrong_moments(conn):
    for call in (conn.tpc_prepare, conn.tpc_commit, conn.tpc_rollback):
        with pytest.raises(psycopg3.ProgrammingError, match="tpc_begin"):
            await call()
    await conn.execute("select 1")
    with pytest.raises(psycopg3.ProgrammingError, match="in progress"):
        await conn.tpc_begin("x")
    with pytest.raises(psycopg3.ProgrammingError, match="can't be in a transaction"):
        await conn.tpc_commit("x")
    await conn.rollback()
    await conn.set_autocommit(True)
    with pytest.raises(psycopg3.ProgrammingError, match="autocommit"):
        await conn.tpc_begin("x")
    await conn.set_autocommit(False)
    with pytest.raises(psycopg3.ProgrammingError, match="type int"):
        await conn.tpc_begin(1)
    assert conn.pgconn.transaction_status == TransactionStatus.IDLE
    with pytest.raises(errors.UndefinedObject):
        await conn.tpc_rollback("nothing")
    await conn.tpc_begin("x")
    await conn.execute("select txid_current()")
    await conn.tpc_prepare()
    await conn.execute("select 1")
    with pytest.raises(psycopg3.ProgrammingError, match="begun since"):
        await conn.tpc_commit()
    await conn._run(conn._rollback_gen())
    await conn.tpc_rollback()


async def test_cancel_is_refused_after_prepare(conn):
    await conn.tpc_begin("x")
    conn.cancel()
    await conn.tpc_prepare()
    with pytest.raises(psycopg3.ProgrammingError, match="after tpc_prepare"):
        conn.cancel()
    with pytest.raises(psycopg3.ProgrammingError, match="after tpc_prepare"):
        await conn.cancel_safe()
    await conn.tpc_rollback()
    conn.cancel()
    await conn.cancel_safe()


async def test_xid():
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
