"""Conversations with libpq, driven by hand and by every waiter."""

from __future__ import annotations

import select
import socket
import time

import pytest

import psycopg3
from psycopg3.concurrency.calls import BlockingCall
from psycopg3.conninfo import make_conninfo
from psycopg3.deadlines import Deadline
from psycopg3.generators import (
    cancel_gen,
    connect_gen,
    execute_gen,
    notifies_gen,
    until_gen,
)
from psycopg3.pq import ExecStatus, TransactionStatus, version
from psycopg3.waiting import Ready, Wait, call_gen, wait_async, wait_select, wait_trio


def by_hand(gen):
    """Drive a generator with nothing but select(), as the project's first report did."""
    try:
        fd, want = next(gen)
        while True:
            r, w, _ = select.select(
                [fd] if want & Wait.R else [], [fd] if want & Wait.W else [], [], 5.0
            )
            fd, want = gen.send((Ready.R if r else 0) | (Ready.W if w else 0))
    except StopIteration as stop:
        return stop.value


@pytest.fixture
def pgconn(dsn):
    pgconn = wait_select(connect_gen(dsn))
    yield pgconn
    pgconn.finish()


@pytest.fixture
def mute():
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"host=127.0.0.1 port={server.getsockname()[1]} sslmode=disable gssencmode=disable"


def run(drive, dsn):
    pgconn = drive(connect_gen(dsn))
    try:
        (result,) = drive(execute_gen(pgconn, b"select 'hello' || ' world!'"))
        return result.get_value(0, 0)
    finally:
        pgconn.finish()


@pytest.mark.parametrize("drive", [by_hand, wait_select])
def test_by_hand_and_by_select(dsn, drive):
    assert run(drive, dsn) == b"hello world!"


@pytest.mark.anyio
async def test_by_the_waiter_of_the_running_loop(dsn, anyio_backend):
    wait = wait_trio if anyio_backend[0] == "trio" else wait_async
    pgconn = await wait(connect_gen(dsn))
    try:
        (result,) = await wait(execute_gen(pgconn, b"select $1::text", [b"hello"]))
        assert result.get_value(0, 0) == b"hello"
    finally:
        pgconn.finish()


class TestConnect:
    def test_bytes(self, dsn):
        pgconn = wait_select(connect_gen(dsn.encode()))
        assert pgconn.nonblocking
        pgconn.finish()

    def test_refused(self, dsn):
        with pytest.raises(psycopg3.OperationalError, match="no_such_database") as ex:
            wait_select(connect_gen(make_conninfo(dsn, dbname="no_such_database")))
        assert ex.value.pgconn.needs_password is False

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        with pytest.raises(psycopg3.OperationalError, match=str(port)):
            wait_select(connect_gen(f"host=127.0.0.1 port={port}"))

    def test_bad_option(self):
        with pytest.raises(psycopg3.Error, match="no_such_option"):
            wait_select(connect_gen("no_such_option=1"))

    def test_the_password_is_not_told(self):
        with pytest.raises(psycopg3.Error) as ex:
            wait_select(connect_gen("postgresql://me:s3cret@host:port:port/db"))
        assert "s3cret" not in str(ex.value)

    def test_timeout(self, mute):
        begin = time.monotonic()
        with pytest.raises(psycopg3.errors.ConnectionTimeout, match=r"0\.3 seconds"):
            wait_select(connect_gen(mute, timeout=0.3))
        assert 0.3 <= time.monotonic() - begin < 2

    @pytest.mark.anyio
    async def test_timeout_async(self, mute, anyio_backend):
        wait = wait_trio if anyio_backend[0] == "trio" else wait_async
        with pytest.raises(psycopg3.errors.ConnectionTimeout):
            await wait(connect_gen(mute, timeout=0.3))

    def test_leaving_it_closes_the_socket(self, mute):
        gen = connect_gen(mute)
        fd, _ = next(gen)
        gen.close()
        with pytest.raises(OSError):
            socket.socket(fileno=fd).getsockname()

    def test_a_driver_that_does_not_wait_is_none_the_worse(self, dsn):
        gen = connect_gen(dsn)
        next(gen)
        try:
            while True:
                gen.send(Ready.NONE)
                gen.send(Ready.RW)
        except StopIteration as stop:
            stop.value.finish()


class TestExecute:
    def test_several_statements(self, pgconn):
        results = wait_select(execute_gen(pgconn, b"select 10; select 20"))
        assert [r.get_value(0, 0) for r in results] == [b"10", b"20"]

    def test_an_error_is_a_result(self, pgconn):
        results = wait_select(execute_gen(pgconn, b"select 1; select 1/0; select 2"))
        assert [r.status for r in results] == [ExecStatus.TUPLES_OK, ExecStatus.FATAL_ERROR]
        assert pgconn.transaction_status == TransactionStatus.IDLE

    def test_nothing(self, pgconn):
        (result,) = wait_select(execute_gen(pgconn, b""))
        assert result.status == ExecStatus.EMPTY_QUERY

    @pytest.mark.parametrize("size", [1, 100_000, 8_000_000])
    def test_large_both_ways(self, pgconn, size):
        value = b"x" * size
        (result,) = wait_select(execute_gen(pgconn, b"select $1::text", [value]))
        assert result.get_value(0, 0) == value

    def test_terminated_in_a_query(self, pgconn, dsn):
        gen = execute_gen(pgconn, b"select pg_sleep(60)")
        fd, want = next(gen)
        terminate(dsn, pgconn.backend_pid)
        select.select([fd], [], [], 5)
        results = wait_select(continued(gen, Ready.R))
        assert results[0].error_field(ord("C")) == b"57P01"

    def test_terminated_between_queries(self, pgconn, dsn):
        terminate(dsn, pgconn.backend_pid)
        try:
            results = wait_select(execute_gen(pgconn, b"select 1"))
        except psycopg3.OperationalError as ex:
            pytest.fail(f"the server's reason is lost: {ex}")
        assert results[0].error_field(ord("C")) == b"57P01"


def continued(gen, ready):
    want = gen.send(ready)
    while True:
        ready = yield want
        try:
            want = gen.send(ready)
        except StopIteration as stop:
            return stop.value


def terminate(dsn, pid):
    killer = wait_select(connect_gen(dsn))
    wait_select(execute_gen(killer, b"select pg_terminate_backend(%d, 5000)" % pid))
    killer.finish()


def asleep(dsn, pgconn):
    """Wait until the server runs pg_sleep(): a cancel request that comes before it is lost."""
    query = b"select 1 from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'"
    watcher = wait_select(connect_gen(dsn))
    pid = b"%d" % pgconn.backend_pid
    while not wait_select(execute_gen(watcher, query, [pid]))[0].ntuples:
        pass
    watcher.finish()


class TestNotifies:
    def test_arrival(self, pgconn, dsn):
        wait_select(execute_gen(pgconn, b"listen ears"))
        wait_select(execute_gen(pgconn, b"notify ears, 'one'; notify ears, 'two'"))
        notifies = wait_select(notifies_gen(pgconn))
        assert [(n.relname, n.extra) for n in notifies] == [(b"ears", b"one"), (b"ears", b"two")]

    def test_the_handler_of_the_connection(self, pgconn):
        heard = []
        pgconn.notify_handler = heard.append
        wait_select(execute_gen(pgconn, b"listen ears; notify ears, 'one'; notify ears, 'two'"))
        assert heard == []  # libpq itself calls nobody
        assert wait_select(notifies_gen(pgconn)) == heard
        assert [notify.extra for notify in heard] == [b"one", b"two"]

    def test_from_elsewhere(self, pgconn, dsn):
        wait_select(execute_gen(pgconn, b"listen ears"))
        gen = notifies_gen(pgconn)
        next(gen)
        other = wait_select(connect_gen(dsn))
        wait_select(execute_gen(other, b"notify ears, 'far'"))
        (notify,) = wait_select(continued(gen, Ready.NONE))
        assert (notify.extra, notify.be_pid) == (b"far", other.backend_pid)
        other.finish()

    @pytest.mark.parametrize("timeout", [0, 0.15])
    def test_silence(self, pgconn, timeout):
        begin = time.monotonic()
        assert wait_select(notifies_gen(pgconn, timeout=timeout)) == []
        assert timeout <= time.monotonic() - begin < timeout + 1

    def test_zero_takes_what_is_there(self, pgconn):
        wait_select(execute_gen(pgconn, b"listen ears"))
        wait_select(execute_gen(pgconn, b"notify ears"))
        assert len(wait_select(notifies_gen(pgconn, timeout=0))) == 1


class TestCancel:
    @pytest.mark.skipif(version() < 170000, reason="PQcancelCreate came with libpq 17")
    def test_cancel_gen(self, pgconn, dsn):
        gen = execute_gen(pgconn, b"select pg_sleep(60)")
        next(gen)
        asleep(dsn, pgconn)
        cancel_conn = pgconn.cancel_conn()
        wait_select(cancel_gen(cancel_conn, timeout=5))
        cancel_conn.finish()
        (result,) = wait_select(continued(gen, Ready.NONE))
        assert result.error_field(ord("C")) == b"57014"

    def test_blocking_call(self, pgconn, dsn):
        gen = execute_gen(pgconn, b"select pg_sleep(60)")
        next(gen)
        asleep(dsn, pgconn)
        wait_select(call_gen(BlockingCall(pgconn.get_cancel().cancel)))
        (result,) = wait_select(continued(gen, Ready.NONE))
        assert result.error_field(ord("C")) == b"57014"


class TestUntil:
    def test_in_time(self, pgconn):
        gen = until_gen(execute_gen(pgconn, b"select 1"), Deadline.after(5, TimeoutError))
        assert len(wait_select(gen)) == 1

    def test_too_late(self, pgconn):
        begin = time.monotonic()
        gen = until_gen(
            execute_gen(pgconn, b"select pg_sleep(5)"), Deadline.after(0.2, TimeoutError)
        )
        with pytest.raises(TimeoutError):
            wait_select(gen)
        assert time.monotonic() - begin < 2
