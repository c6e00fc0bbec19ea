"""Whatever interrupts an operation, the connection is usable afterwards, and nothing hangs."""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import threading
import time
import weakref
from contextlib import contextmanager

import anyio
import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.pq import TransactionStatus
from tests.marks import counts_references

anyio_mark = pytest.mark.anyio


@anyio_mark
@counts_references
async def test_freed_without_the_collector(dsn, conn):
    """An operation that was cancelled leaves no cycle behind."""
    aconn = await psycopg3.connect_async(dsn)
    freed = weakref.ref(aconn)
    gc.disable()
    try:
        cur = aconn.cursor()
        with anyio.move_on_after(0.1):
            async with aconn.transaction(), cur:
                await cur.execute("select pg_sleep(20)")
        await aconn.close()
        del aconn, cur
        await anyio.sleep(0)
        assert freed() is None
    finally:
        gc.enable()


@pytest.fixture
def watcher(dsn):
    with psycopg3.connect(dsn, autocommit=True) as conn:
        yield conn


def running(watcher, conn):
    """How many queries the server runs for a connection."""
    query = "select count(*) from pg_stat_activity where pid = %s and state = 'active'"
    return watcher.execute(query, [conn.pgconn.backend_pid]).fetchone()[0]


@pytest.fixture
def alarm():
    """Arrange for an exception to be raised by a signal handler after some seconds."""

    def arrange(seconds, exception):
        def handler(signum, frame):
            raise exception

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    yield arrange
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


@pytest.mark.parametrize("exception", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
def test_a_signal_in_a_query(conn, watcher, alarm, exception):
    begin = time.monotonic()
    alarm(0.2, exception)
    with pytest.raises(exception):
        conn.execute("select pg_sleep(30)")
    assert time.monotonic() - begin < 2
    assert running(watcher, conn) == 0
    assert conn.pgconn.transaction_status == TransactionStatus.IDLE
    assert conn.execute("select 1").fetchone() == (1,)


def test_ctrl_c(conn):
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        conn.execute("select pg_sleep(30)")
    timer.join()
    assert conn.execute("select 1").fetchone() == (1,)


def test_a_signal_in_a_transaction(dsn, alarm):
    with psycopg3.connect(dsn) as conn:
        with pytest.raises(KeyboardInterrupt):
            with conn.transaction():
                alarm(0.2, KeyboardInterrupt)
                conn.execute("select pg_sleep(30)")
        assert conn.pgconn.transaction_status == TransactionStatus.IDLE
        assert conn.execute("select 1").fetchone() == (1,)


def test_a_signal_in_executemany(conn, alarm):
    conn.execute("create temp table t (n int)")
    alarm(0.2, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        conn.cursor().executemany("insert into t select %s from pg_sleep(0.01)", [(1,)] * 1000)
    assert conn.execute("select count(*) from t").fetchone() == (0,)


def test_a_signal_while_connecting(alarm):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        alarm(0.2, KeyboardInterrupt)
        begin = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            psycopg3.connect(f"host=127.0.0.1 port={server.getsockname()[1]} sslmode=disable")
        assert time.monotonic() - begin < 2


# An exception raised while a __del__ runs is dropped by Python itself, after telling stderr.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_signals_at_random_points(conn):
    """An exception may be raised between any two bytecodes: every query still gets its own answer."""

    class Bell(Exception):
        pass

    def handler(signum, frame):
        raise Bell

    rng = random.Random(0)
    old = signal.signal(signal.SIGALRM, handler)
    heard = 0
    try:
        for number in range(800):
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.00005, 0.0015))
                row = conn.execute("select %s, pg_sleep(0.0005)", [number]).fetchone()
                signal.setitimer(signal.ITIMER_REAL, 0)
                assert row[0] == number
            except Bell:
                heard += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert not conn.closed
            assert not conn.lock.locked()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert heard > 50
    assert conn.execute("select 1").fetchone() == (1,)


def test_use_from_a_handler_is_refused(conn, alarm):
    refused = []

    def handler(signum, frame):
        try:
            conn.execute("select 1")
        except psycopg3.ProgrammingError as ex:
            refused.append(str(ex))

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    conn.execute("select pg_sleep(0.3)")
    assert len(refused) == 1 and "already in use" in refused[0]
    assert conn.execute("select 1").fetchone() == (1,)


def test_cancel_from_another_thread(conn):
    timer = threading.Timer(0.2, conn.cancel)
    timer.start()
    with pytest.raises(errors.QueryCanceled):
        conn.execute("select pg_sleep(30)")
    timer.join()
    assert conn.execute("select 1").fetchone() == (1,)


def test_cancel_of_nothing(conn):
    conn.cancel()
    assert conn.execute("select 1").fetchone() == (1,)


def test_close_from_another_thread(conn):
    timer = threading.Timer(0.2, conn.close)
    timer.start()
    begin = time.monotonic()
    with pytest.raises(psycopg3.OperationalError, match="closed"):
        conn.execute("select pg_sleep(30)")
    timer.join()
    assert time.monotonic() - begin < 2
    assert conn.closed and not conn.broken


@anyio_mark
async def test_cancelled_task(aconn, watcher):
    begin = time.monotonic()
    with anyio.move_on_after(0.2) as scope:
        await aconn.execute("select pg_sleep(30)")
    assert scope.cancelled_caught
    assert time.monotonic() - begin < 2
    assert running(watcher, aconn) == 0
    assert aconn.pgconn.transaction_status == TransactionStatus.IDLE
    assert await (await aconn.execute("select 1")).fetchone() == (1,)


@anyio_mark
async def test_cancelled_in_a_transaction(aconn):
    with anyio.move_on_after(0.2):
        async with aconn.transaction():
            await aconn.execute("select pg_sleep(30)")
    assert aconn.pgconn.transaction_status == TransactionStatus.IDLE
    assert await (await aconn.execute("select 1")).fetchone() == (1,)


@anyio_mark
async def test_cancelled_while_waiting_for_its_turn(aconn):
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(aconn.execute, "select pg_sleep(0.5)")
        await anyio.sleep(0.1)
        with anyio.move_on_after(0.1) as scope:
            await aconn.execute("select 1")
        assert scope.cancelled_caught
    assert await (await aconn.execute("select 2")).fetchone() == (2,)


@anyio_mark
async def test_storm(aconn):
    """Cancelled at random moments, every query that ends has its own number."""
    rng = random.Random(1)
    cancelled = 0
    for number in range(150):
        with anyio.move_on_after(rng.uniform(0, 0.003)) as scope:
            cur = await aconn.execute("select %s, pg_sleep(0.001)", [number])
            assert (await cur.fetchone())[0] == number
        cancelled += scope.cancelled_caught
    assert 0 < cancelled < 150
    assert await (await aconn.execute("select 1")).fetchone() == (1,)


@anyio_mark
async def test_storm_of_transactions(aconn):
    """Cancelled at random moments, a block is done or undone: nothing is left open, nothing half."""
    rng = random.Random(2)
    await aconn.execute("create temp table t (n int)")
    cancelled = 0
    for number in range(150):
        with anyio.move_on_after(rng.uniform(0, 0.006)) as scope:
            async with aconn.transaction():
                await aconn.execute("insert into t values (%s)", [number])
                async with aconn.transaction():
                    await aconn.execute("insert into t values (%s)", [number])
        cancelled += scope.cancelled_caught
        assert not aconn.closed
        assert aconn.pgconn.transaction_status == TransactionStatus.IDLE
        assert aconn._open_blocks == []
    assert 0 < cancelled < 150
    cur = await aconn.execute(
        "select count(*) from (select n from t group by n having count(*) <> 2) x"
    )
    assert await cur.fetchone() == (0,)


@anyio_mark
async def test_a_block_whose_turn_to_end_never_comes(aconn):
    """The block can't be undone while somebody else has the connection: it is given up."""
    aconn.cancel_timeout = 0.2
    async with anyio.create_task_group() as tasks:
        with pytest.raises(psycopg3.Error):
            with anyio.fail_after(5):
                async with aconn.transaction():
                    tasks.start_soon(_ignoring_errors, aconn.execute, "select pg_sleep(3)")
                    await anyio.sleep(0.1)
                    aconn.command_timeout = 0.1
    assert aconn.closed


async def _ignoring_errors(func, *args):
    try:
        await func(*args)
    except psycopg3.Error:
        pass


@anyio_mark
async def test_notifications_are_not_lost_by_cancelling(aconn, dsn):
    seen = []
    await aconn.execute("listen ears")
    async with await psycopg3.connect_async(dsn, autocommit=True) as other:
        for number in range(60):
            await other.execute("select pg_notify('ears', %s)", [str(number)])
            with anyio.move_on_after(0.0005 * (number % 4)):
                async for notify in aconn.notifies(stop_after=1):
                    seen.append(notify.payload)
        async for notify in aconn.notifies(timeout=0.5):
            seen.append(notify.payload)
    assert seen == [str(number) for number in range(60)]


@anyio_mark
async def test_close_from_another_task(aconn):
    async def close():
        await anyio.sleep(0.2)
        await aconn.close()

    begin = time.monotonic()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(close)
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            await aconn.execute("select pg_sleep(30)")
    assert time.monotonic() - begin < 2


@anyio_mark
async def test_cancel_from_another_task(aconn):
    async def cancel():
        await anyio.sleep(0.2)
        aconn.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cancel)
        with pytest.raises(errors.QueryCanceled):
            await aconn.execute("select pg_sleep(30)")


@pytest.mark.parametrize("repeated", [False, True])
def test_plain_asyncio_without_anyio(dsn, repeated):
    """The clean-up of an interrupted query holds without anyio's shield, and cancel counts balance."""
    import subprocess
    import sys

    program = f"""
import asyncio, sys, time, psycopg3

async def main():
    conn = await psycopg3.connect_async({dsn!r}, autocommit=True)
    task = asyncio.create_task(conn.execute("select pg_sleep(30)"))
    await asyncio.sleep(0.2)
    task.cancel()
    if {repeated}:
        await asyncio.sleep(0)
        task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled")
    print(task.cancelling(), await (await conn.execute("select 1")).fetchone())
    try:
        async with asyncio.timeout(0.2):
            await conn.execute("select pg_sleep(30)")
    except TimeoutError:
        print("timeout")
    print(await (await conn.execute("select 2")).fetchone())
    await conn.close()
    print(len(asyncio.all_tasks()))

asyncio.run(main())
assert "anyio" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "cancelled",
        f"{1 + repeated} (1,)",
        "timeout",
        "(2,)",
        "1",
    ]


@contextmanager
def striking(method):
    """Raise a Struck at the first instruction of a method, as a signal may."""

    class Struck(Exception):
        pass

    def trace(frame, event, arg):
        if frame.f_code is method.__code__:
            sys.settrace(before)
            raise Struck

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield Struck
    finally:
        sys.settrace(before)


def drop_block(conn):
    """Leave a transaction() block whose end is struck, and let go of the exception."""
    with striking(psycopg3.Transaction.__exit__) as struck:
        try:
            with conn.transaction():
                conn.execute("insert into things values (1)")
        except struck:
            pass


@pytest.fixture
def things(watcher):
    watcher.execute("create table things (n int)")
    yield
    watcher.execute("drop table things")


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize("autocommit", [True, False])
def test_a_dropped_block_lets_nothing_be_lost(dsn, watcher, autocommit):
    """No statement seems to succeed that goes into its transaction, which nobody will commit."""
    with psycopg3.connect(dsn, autocommit=autocommit) as conn:
        drop_block(conn)
        assert conn.in_transaction
        for work in (
            lambda: conn.execute("insert into things values (2)"),
            lambda: conn.cursor().executemany("insert into things values (%s)", [(2,)]),
            lambda: conn.transaction().__enter__(),
            lambda: conn.commit(),
            lambda: conn.listen("news", print),
        ):
            with pytest.raises(
                errors.ProgrammingError, match=r"dropped without its end.*rollback\(\)"
            ):
                work()
        conn.rollback()
        drop_block(conn)
        conn.reset()
        conn.execute("insert into things values (3)")
        with conn.transaction():
            conn.execute("insert into things values (4)")
        if not autocommit:
            conn.commit()
    assert watcher.execute("select n from things order by n").fetchall() == [(3,), (4,)]


@pytest.mark.usefixtures("things")
def test_a_dropped_block_inside_of_another(conn, watcher):
    """What it has done can't be kept: so the block around it can't either."""
    with pytest.raises(errors.ProgrammingError, match="dropped without its end"):
        with conn.transaction():
            drop_block(conn)
    assert not conn.in_transaction
    with pytest.raises(ZeroDivisionError), conn.transaction():
        drop_block(conn)
        with pytest.raises(errors.ProgrammingError, match="leave the block around it"):
            conn.execute("insert into things values (2)")
        _ = 1 / 0
    with conn.transaction():
        conn.execute("insert into things values (3)")
        with pytest.raises(ZeroDivisionError), conn.transaction():
            drop_block(conn)
            _ = 1 / 0
        conn.execute("insert into things values (4)")
    assert watcher.execute("select n from things order by n").fetchall() == [(3,), (4,)]


@anyio_mark
@pytest.mark.usefixtures("things")
async def test_a_dropped_block_among_tasks(dsn, watcher):
    async with await psycopg3.connect_async(dsn, autocommit=True) as aconn:
        with striking(psycopg3.AsyncTransaction.__aexit__) as struck:
            try:
                async with aconn.transaction():
                    await aconn.execute("insert into things values (1)")
            except struck:
                pass
        with pytest.raises(errors.ProgrammingError, match="dropped without its end"):
            await aconn.execute("insert into things values (2)")
        await aconn.rollback()
        await aconn.execute("insert into things values (3)")
    assert watcher.execute("select n from things").fetchall() == [(3,)]


def test_a_block_that_ended_before_it_was_dropped(conn):
    """Its transaction has come to its end: the next has nothing to do with it."""
    conn.autocommit = False
    block = conn.transaction()
    block.__enter__()
    conn.pgconn.exec_(b"rollback")
    del block
    conn.execute("select 1")
    conn.execute("select 1")
    conn.commit()
