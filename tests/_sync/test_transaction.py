# Generated from tests/_async/test_transaction.py by `python tools/unasync.py`: edit that file, not this one.
"""`with conn.transaction()`."""

from __future__ import annotations

import pytest

import psycopg3
from psycopg3 import Connection, Rollback, errors
from psycopg3.pq import TransactionStatus
from psycopg3.session.transaction import OutOfOrderTransactionNesting
from tests.marks import counts_references

pytestmark = pytest.mark.anyio


@pytest.fixture
def t(conn):
    conn.execute("create temp table t (n int)")
    conn.commit()
    return conn


def content(conn):
    return [n for (n,) in conn.execute("select n from t order by n").fetchall()]


def insert(conn, n):
    conn.execute("insert into t values (%s)", [n])


def status(conn):
    return conn.pgconn.transaction_status


def test_commits(t):
    with t.transaction() as tx:
        assert tx.status is tx.Status.ACTIVE and tx.savepoint_name is None
        assert status(t) == TransactionStatus.INTRANS
        insert(t, 1)
    assert tx.status is tx.Status.COMMITTED
    assert status(t) == TransactionStatus.IDLE
    t.rollback()
    assert content(t) == [1]


def test_rolls_back(t):
    with pytest.raises(ZeroDivisionError):
        with t.transaction() as tx:
            insert(t, 1)
            raise ZeroDivisionError
    assert tx.status is tx.Status.ROLLED_BACK_WITH_ERROR
    assert status(t) == TransactionStatus.IDLE
    assert content(t) == []


def test_server_error(t):
    with pytest.raises(errors.DivisionByZero):
        with t.transaction():
            insert(t, 1)
            t.execute("select 1/0")
    assert content(t) == []


def test_a_swallowed_error_is_not_a_commit(t):
    with pytest.raises(errors.InFailedSqlTransaction, match="rolled back"):
        with t.transaction() as tx:
            with pytest.raises(errors.DivisionByZero):
                t.execute("select 1/0")
    assert tx.status is tx.Status.FAILED
    assert status(t) == TransactionStatus.IDLE


def test_rollback_by_choice(t):
    with t.transaction() as tx:
        insert(t, 1)
        raise Rollback
    assert tx.status is tx.Status.ROLLED_BACK_EXPLICITLY
    with t.transaction() as tx:
        insert(t, 2)
        raise Rollback(tx)
    assert content(t) == []


def test_rollback_of_an_outer_block(t):
    with t.transaction() as outer:
        insert(t, 1)
        with t.transaction():
            insert(t, 2)
            raise Rollback(outer)
        raise AssertionError
    assert content(t) == []


def test_force_rollback(t):
    with t.transaction(force_rollback=True) as tx:
        insert(t, 1)
    assert tx.status is tx.Status.ROLLED_BACK_EXPLICITLY
    assert content(t) == []


def test_nested(t):
    with t.transaction():
        insert(t, 1)
        with pytest.raises(ZeroDivisionError):
            with t.transaction() as inner:
                assert inner.savepoint_name
                insert(t, 2)
                raise ZeroDivisionError
        with t.transaction():
            insert(t, 3)
    assert content(t) == [1, 3]


def test_a_failed_savepoint_heals(t):
    with t.transaction():
        insert(t, 1)
        with pytest.raises(errors.DivisionByZero):
            with t.transaction():
                t.execute("select 1/0")
        insert(t, 2)
    assert content(t) == [1, 2]


@pytest.mark.parametrize("name", ["s", 'quoted " name', "ümläut"])
def test_names(t, name):
    with t.transaction(name) as outer:
        assert outer.savepoint_name == name
        t.execute(f"""rollback to "{name.replace('"', '""')}" """)
        with t.transaction(name):
            insert(t, 1)
    assert content(t) == [1]


def test_in_a_transaction_by_hand(t):
    insert(t, 1)
    with t.transaction() as tx:
        assert tx.savepoint_name
        insert(t, 2)
    assert status(t) == TransactionStatus.INTRANS
    t.rollback()
    assert content(t) == []


def test_in_a_failed_transaction(t):
    with pytest.raises(errors.DivisionByZero):
        t.execute("select 1/0")
    with pytest.raises(psycopg3.ProgrammingError, match="roll back first"):
        with t.transaction():
            raise AssertionError
    t.rollback()
    assert content(t) == []


def test_in_autocommit(t):
    t.set_autocommit(True)
    with t.transaction():
        insert(t, 1)
        assert status(t) == TransactionStatus.INTRANS
    assert status(t) == TransactionStatus.IDLE
    assert content(t) == [1]


def test_commit_and_rollback_are_refused_inside(t):
    with t.transaction():
        for use in (t.commit, t.rollback):
            with pytest.raises(psycopg3.ProgrammingError, match="inside a transaction"):
                use()
        with pytest.raises(psycopg3.ProgrammingError, match="autocommit"):
            t.set_autocommit(True)
        insert(t, 1)
    t.commit()
    assert content(t) == [1]


def test_only_once(t):
    tx = t.transaction()
    with tx:
        pass
    with pytest.raises(TypeError, match="once"):
        with tx:
            raise AssertionError


def test_out_of_order(t):
    outer, inner = t.transaction(), t.transaction()
    outer.__enter__()
    inner.__enter__()
    with pytest.raises(OutOfOrderTransactionNesting):
        outer.__exit__(None, None, None)
    with pytest.raises(OutOfOrderTransactionNesting):
        inner.__exit__(None, None, None)
    assert outer.status is inner.status is outer.Status.FAILED
    assert status(t) == TransactionStatus.IDLE


@pytest.mark.parametrize("order", ["132", "213", "231", "123"])
def test_crossed(dsn, order):
    """However they cross: all fail, nobody believes in autocommit meanwhile, nothing is lost later."""
    with Connection.connect(dsn, autocommit=True) as conn:
        conn.execute("create temp table t (n int)")
        blocks = [conn.transaction() for _ in range(3)]
        for number, block in enumerate(blocks):
            block.__enter__()
            insert(conn, number)
        for place, number in enumerate(order, 1):
            with pytest.raises(OutOfOrderTransactionNesting):
                blocks[int(number) - 1].__exit__(None, None, None)
            if place < 3:
                with pytest.raises(errors.InFailedSqlTransaction):
                    insert(conn, 10)
                with pytest.raises(errors.InFailedSqlTransaction):
                    with conn.transaction():
                        pass
        assert {block.status for block in blocks} == {blocks[0].Status.FAILED}
        assert status(conn) == TransactionStatus.IDLE
        with conn.transaction():
            insert(conn, 11)
        assert content(conn) == [11]


def test_crossed_and_left_by_an_exception(dsn):
    with Connection.connect(dsn, autocommit=True) as conn:
        first, second = conn.transaction(), conn.transaction()
        first.__enter__()
        second.__enter__()
        with pytest.raises(OutOfOrderTransactionNesting):
            first.__exit__(None, None, None)
        with pytest.raises(errors.InFailedSqlTransaction) as caught:
            try:
                conn.execute("select 1")
            except psycopg3.Error as ex:
                assert not second.__exit__(type(ex), ex, None)
                raise
        assert "out of order" in caught.value.__notes__[0]
        assert status(conn) == TransactionStatus.IDLE


def test_crossed_in_a_transaction_of_the_user_s(t):
    """It is not rolled back unseen: what was done before the blocks is lost by an error."""
    insert(t, 1)
    first, second = t.transaction(), t.transaction()
    first.__enter__()
    second.__enter__()
    for block in (first, second):
        with pytest.raises(OutOfOrderTransactionNesting):
            block.__exit__(None, None, None)
    with pytest.raises(errors.InFailedSqlTransaction):
        t.commit()
    assert content(t) == []


def test_left_after_its_transaction(t):
    """A block that was undone with the one around it disturbs no later one."""
    outer, inner = t.transaction(), t.transaction()
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    with t.transaction():
        insert(t, 1)
        with pytest.raises(OutOfOrderTransactionNesting):
            inner.__exit__(None, None, None)
    assert content(t) == [1]


def test_closed_inside(dsn):
    conn = Connection.connect(dsn)
    with pytest.raises(psycopg3.OperationalError, match="closed"):
        with conn.transaction() as tx:
            conn.close()
    assert tx.status is tx.Status.FAILED


def test_closed_inside_hides_no_exception(dsn):
    conn = Connection.connect(dsn)
    with pytest.raises(ZeroDivisionError):
        with conn.transaction() as tx:
            conn.close()
            raise ZeroDivisionError
    assert tx.status is tx.Status.FAILED


def test_lost_inside(conn, other):
    with pytest.raises(errors.AdminShutdown):
        with conn.transaction():
            other.execute("select pg_terminate_backend(%s, 5000)", [conn.pgconn.backend_pid])
            conn.execute("select 1")
    assert conn.broken


def test_rollback_cannot_hide_a_loss(conn, other):
    with pytest.raises(psycopg3.OperationalError) as ex:
        with conn.transaction():
            other.execute("select pg_terminate_backend(%s, 5000)", [conn.pgconn.backend_pid])
            with pytest.raises(errors.AdminShutdown):
                conn.execute("select 1")
            raise Rollback
    assert ex.value.sqlstate == "57P01"


def test_left_without_being_entered(t):
    with pytest.raises(psycopg3.ProgrammingError, match="never entered"):
        t.transaction().__exit__(None, None, None)


@counts_references
def test_dropped_without_being_left(t):
    tx = t.transaction()
    tx.__enter__()
    del tx
    t.rollback()
    assert status(t) == TransactionStatus.IDLE


def test_bad_name(t):
    with pytest.raises(psycopg3.ProgrammingError, match="int"):
        t.transaction(1)


def test_commit_that_fails(t):
    with pytest.raises(errors.UniqueViolation):
        with t.transaction() as tx:
            t.execute("create temp table u (n int primary key deferrable initially deferred)")
            t.execute("insert into u values (1), (1)")
    assert tx.status is tx.Status.FAILED
    assert status(t) == TransactionStatus.IDLE


def test_repr(t):
    tx = t.transaction("here")
    assert "not started" in repr(tx) and "here" in repr(tx) and "psycopg3." in repr(tx)
