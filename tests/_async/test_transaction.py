"""`async with conn.transaction()`."""

from __future__ import annotations

import pytest

import psycopg3
from psycopg3 import AsyncConnection, Rollback, errors
from psycopg3.pq import TransactionStatus
from psycopg3.session.transaction import OutOfOrderTransactionNesting
from tests.marks import counts_references

pytestmark = pytest.mark.anyio


@pytest.fixture
async def t(conn):
    await conn.execute("create temp table t (n int)")
    await conn.commit()
    return conn


async def content(conn):
    return [n for (n,) in await (await conn.execute("select n from t order by n")).fetchall()]


async def insert(conn, n):
    await conn.execute("insert into t values (%s)", [n])


def status(conn):
    return conn.pgconn.transaction_status


async def test_commits(t):
    async with t.transaction() as tx:
        assert tx.status is tx.Status.ACTIVE and tx.savepoint_name is None
        assert status(t) == TransactionStatus.INTRANS
        await insert(t, 1)
    assert tx.status is tx.Status.COMMITTED
    assert status(t) == TransactionStatus.IDLE
    await t.rollback()
    assert await content(t) == [1]


async def test_rolls_back(t):
    with pytest.raises(ZeroDivisionError):
        async with t.transaction() as tx:
            await insert(t, 1)
            raise ZeroDivisionError
    assert tx.status is tx.Status.ROLLED_BACK_WITH_ERROR
    assert status(t) == TransactionStatus.IDLE
    assert await content(t) == []


async def test_server_error(t):
    with pytest.raises(errors.DivisionByZero):
        async with t.transaction():
            await insert(t, 1)
            await t.execute("select 1/0")
    assert await content(t) == []


async def test_a_swallowed_error_is_not_a_commit(t):
    with pytest.raises(errors.InFailedSqlTransaction, match="rolled back"):
        async with t.transaction() as tx:
            with pytest.raises(errors.DivisionByZero):
                await t.execute("select 1/0")
    assert tx.status is tx.Status.FAILED
    assert status(t) == TransactionStatus.IDLE


async def test_rollback_by_choice(t):
    async with t.transaction() as tx:
        await insert(t, 1)
        raise Rollback
    assert tx.status is tx.Status.ROLLED_BACK_EXPLICITLY
    async with t.transaction() as tx:
        await insert(t, 2)
        raise Rollback(tx)
    assert await content(t) == []


async def test_rollback_of_an_outer_block(t):
    async with t.transaction() as outer:
        await insert(t, 1)
        async with t.transaction():
            await insert(t, 2)
            raise Rollback(outer)
        raise AssertionError
    assert await content(t) == []


async def test_force_rollback(t):
    async with t.transaction(force_rollback=True) as tx:
        await insert(t, 1)
    assert tx.status is tx.Status.ROLLED_BACK_EXPLICITLY
    assert await content(t) == []


async def test_nested(t):
    async with t.transaction():
        await insert(t, 1)
        with pytest.raises(ZeroDivisionError):
            async with t.transaction() as inner:
                assert inner.savepoint_name
                await insert(t, 2)
                raise ZeroDivisionError
        async with t.transaction():
            await insert(t, 3)
    assert await content(t) == [1, 3]


async def test_a_failed_savepoint_heals(t):
    async with t.transaction():
        await insert(t, 1)
        with pytest.raises(errors.DivisionByZero):
            async with t.transaction():
                await t.execute("select 1/0")
        await insert(t, 2)
    assert await content(t) == [1, 2]


@pytest.mark.parametrize("name", ["s", 'quoted " name', "ümläut"])
async def test_names(t, name):
    async with t.transaction(name) as outer:
        assert outer.savepoint_name == name
        await t.execute(f"""rollback to "{name.replace('"', '""')}" """)
        async with t.transaction(name):
            await insert(t, 1)
    assert await content(t) == [1]


async def test_in_a_transaction_by_hand(t):
    await insert(t, 1)
    async with t.transaction() as tx:
        assert tx.savepoint_name
        await insert(t, 2)
    assert status(t) == TransactionStatus.INTRANS
    await t.rollback()
    assert await content(t) == []


async def test_in_a_failed_transaction(t):
    with pytest.raises(errors.DivisionByZero):
        await t.execute("select 1/0")
    with pytest.raises(psycopg3.ProgrammingError, match="roll back first"):
        async with t.transaction():
            raise AssertionError
    await t.rollback()
    assert await content(t) == []


async def test_in_autocommit(t):
    await t.set_autocommit(True)
    async with t.transaction():
        await insert(t, 1)
        assert status(t) == TransactionStatus.INTRANS
    assert status(t) == TransactionStatus.IDLE
    assert await content(t) == [1]


async def test_commit_and_rollback_are_refused_inside(t):
    async with t.transaction():
        for use in (t.commit, t.rollback):
            with pytest.raises(psycopg3.ProgrammingError, match="inside a transaction"):
                await use()
        with pytest.raises(psycopg3.ProgrammingError, match="autocommit"):
            await t.set_autocommit(True)
        await insert(t, 1)
    await t.commit()
    assert await content(t) == [1]


async def test_only_once(t):
    tx = t.transaction()
    async with tx:
        pass
    with pytest.raises(TypeError, match="once"):
        async with tx:
            raise AssertionError


async def test_out_of_order(t):
    outer, inner = t.transaction(), t.transaction()
    await outer.__aenter__()
    await inner.__aenter__()
    with pytest.raises(OutOfOrderTransactionNesting):
        await outer.__aexit__(None, None, None)
    with pytest.raises(OutOfOrderTransactionNesting):
        await inner.__aexit__(None, None, None)
    assert outer.status is inner.status is outer.Status.FAILED
    assert status(t) == TransactionStatus.IDLE


@pytest.mark.parametrize("order", ["132", "213", "231", "123"])
async def test_crossed(dsn, order):
    """However they cross: all fail, nobody believes in autocommit meanwhile, nothing is lost later."""
    async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
        await conn.execute("create temp table t (n int)")
        blocks = [conn.transaction() for _ in range(3)]
        for number, block in enumerate(blocks):
            await block.__aenter__()
            await insert(conn, number)
        for place, number in enumerate(order, 1):
            with pytest.raises(OutOfOrderTransactionNesting):
                await blocks[int(number) - 1].__aexit__(None, None, None)
            if place < 3:
                with pytest.raises(errors.InFailedSqlTransaction):
                    await insert(conn, 10)
                with pytest.raises(errors.InFailedSqlTransaction):
                    async with conn.transaction():
                        pass
        assert {block.status for block in blocks} == {blocks[0].Status.FAILED}
        assert status(conn) == TransactionStatus.IDLE
        async with conn.transaction():
            await insert(conn, 11)
        assert await content(conn) == [11]


async def test_crossed_and_left_by_an_exception(dsn):
    async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
        first, second = conn.transaction(), conn.transaction()
        await first.__aenter__()
        await second.__aenter__()
        with pytest.raises(OutOfOrderTransactionNesting):
            await first.__aexit__(None, None, None)
        with pytest.raises(errors.InFailedSqlTransaction) as caught:
            try:
                await conn.execute("select 1")
            except psycopg3.Error as ex:
                assert not await second.__aexit__(type(ex), ex, None)
                raise
        assert "out of order" in caught.value.__notes__[0]
        assert status(conn) == TransactionStatus.IDLE


async def test_crossed_in_a_transaction_of_the_user_s(t):
    """It is not rolled back unseen: what was done before the blocks is lost by an error."""
    await insert(t, 1)
    first, second = t.transaction(), t.transaction()
    await first.__aenter__()
    await second.__aenter__()
    for block in (first, second):
        with pytest.raises(OutOfOrderTransactionNesting):
            await block.__aexit__(None, None, None)
    with pytest.raises(errors.InFailedSqlTransaction):
        await t.commit()
    assert await content(t) == []


async def test_left_after_its_transaction(t):
    """A block that was undone with the one around it disturbs no later one."""
    outer, inner = t.transaction(), t.transaction()
    await outer.__aenter__()
    await inner.__aenter__()
    await outer.__aexit__(ZeroDivisionError, ZeroDivisionError(), None)
    async with t.transaction():
        await insert(t, 1)
        with pytest.raises(OutOfOrderTransactionNesting):
            await inner.__aexit__(None, None, None)
    assert await content(t) == [1]


async def test_closed_inside(dsn):
    conn = await AsyncConnection.connect(dsn)
    with pytest.raises(psycopg3.OperationalError, match="closed"):
        async with conn.transaction() as tx:
            await conn.close()
    assert tx.status is tx.Status.FAILED


async def test_closed_inside_hides_no_exception(dsn):
    conn = await AsyncConnection.connect(dsn)
    with pytest.raises(ZeroDivisionError):
        async with conn.transaction() as tx:
            await conn.close()
            raise ZeroDivisionError
    assert tx.status is tx.Status.FAILED


async def test_lost_inside(conn, other):
    with pytest.raises(errors.AdminShutdown):
        async with conn.transaction():
            await other.execute("select pg_terminate_backend(%s, 5000)", [conn.pgconn.backend_pid])
            await conn.execute("select 1")
    assert conn.broken


async def test_rollback_cannot_hide_a_loss(conn, other):
    with pytest.raises(psycopg3.OperationalError) as ex:
        async with conn.transaction():
            await other.execute("select pg_terminate_backend(%s, 5000)", [conn.pgconn.backend_pid])
            with pytest.raises(errors.AdminShutdown):
                await conn.execute("select 1")
            raise Rollback
    assert ex.value.sqlstate == "57P01"


async def test_left_without_being_entered(t):
    with pytest.raises(psycopg3.ProgrammingError, match="never entered"):
        await t.transaction().__aexit__(None, None, None)


@counts_references
async def test_dropped_without_being_left(t):
    tx = t.transaction()
    await tx.__aenter__()
    del tx
    await t.rollback()
    assert status(t) == TransactionStatus.IDLE


async def test_bad_name(t):
    with pytest.raises(psycopg3.ProgrammingError, match="int"):
        t.transaction(1)


async def test_commit_that_fails(t):
    with pytest.raises(errors.UniqueViolation):
        async with t.transaction() as tx:
            await t.execute("create temp table u (n int primary key deferrable initially deferred)")
            await t.execute("insert into u values (1), (1)")
    assert tx.status is tx.Status.FAILED
    assert status(t) == TransactionStatus.IDLE


async def test_repr(t):
    tx = t.transaction("here")
    assert "not started" in repr(tx) and "here" in repr(tx) and "psycopg3." in repr(tx)
