"""PGcancel and PGcancelConn: a command stops; what is freed refuses."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable

import pytest

from psycopg3 import pq
from psycopg3.errors import NotSupportedError, OperationalError
from psycopg3.pq import ConnStatus, DiagnosticField, PollingStatus

Since = Callable[[int], bool]
CANCELED = b"57014"


@pytest.fixture
def until_asleep(dsn: str, pgconn: pq.PGconn) -> Callable[[], None]:
    """Wait until the connection's server sleeps: a request that comes earlier is ignored."""
    observer = pq.PGconn.connect(dsn.encode())
    asked = b"select 1 from pg_stat_activity where pid = %d and wait_event = 'PgSleep'"

    def wait() -> None:
        deadline = time.monotonic() + 10
        while not observer.exec_(asked % pgconn.backend_pid).ntuples:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    return wait


@pytest.fixture
def sleeping(pgconn: pq.PGconn, until_asleep: Callable[[], None]) -> pq.PGconn:
    """A connection whose server sleeps."""
    pgconn.send_query(b"select pg_sleep(30)")
    until_asleep()
    return pgconn


@pytest.fixture
def cancel_conn(sleeping: pq.PGconn, since: Since) -> pq.PGcancelConn:
    """What cancels the sleep; libpq 17."""
    if not since(17):
        with pytest.raises(NotSupportedError, match="PQcancelCreate needs libpq 17"):
            sleeping.cancel_conn()
        pytest.skip("libpq 17")
    return sleeping.cancel_conn()


def sqlstate(conn: pq.PGconn) -> bytes | None:
    result = conn.get_result()
    assert result is not None
    assert conn.get_result() is None
    return result.error_field(DiagnosticField.SQLSTATE)


def test_cancel(sleeping: pq.PGconn) -> None:
    cancel = sleeping.get_cancel()
    assert cancel.pgcancel_ptr
    cancel.cancel()
    assert sqlstate(sleeping) == CANCELED
    cancel.cancel()
    assert sleeping.exec_(b"select 1").status == pq.ExecStatus.TUPLES_OK


def test_cancel_from_another_thread(pgconn: pq.PGconn, until_asleep: Callable[[], None]) -> None:
    """The cancel object may be made while the command runs, unlike everything else."""

    def cancel() -> None:
        until_asleep()
        pgconn.get_cancel().cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    result = pgconn.exec_(b"select pg_sleep(30)")
    thread.join()
    assert result.error_field(DiagnosticField.SQLSTATE) == CANCELED


def test_cancel_when_the_connection_is_closed(sleeping: pq.PGconn) -> None:
    cancel = sleeping.get_cancel()
    sleeping.finish()
    cancel.cancel()


def test_a_freed_cancel_object_refuses(pgconn: pq.PGconn) -> None:
    cancel = pgconn.get_cancel()
    cancel.free()
    cancel.free()
    assert cancel.pgcancel_ptr is None
    with pytest.raises(OperationalError, match="the cancel object is freed"):
        cancel.cancel()


def test_no_cancel_object_for_a_bad_connection() -> None:
    conn = pq.PGconn.connect(b"host=/nowhere")
    with pytest.raises(OperationalError, match="the connection is bad"):
        conn.get_cancel()


def test_cancel_of_a_server_that_is_gone(pgconn: pq.PGconn) -> None:
    conn = pq.PGconn.connect(b"host=/nowhere")
    with pytest.raises(OperationalError):
        conn.get_cancel().cancel()


def test_blocking(sleeping: pq.PGconn, cancel_conn: pq.PGcancelConn) -> None:
    assert cancel_conn.status is ConnStatus.ALLOCATED
    cancel_conn.blocking()
    assert cancel_conn.status is ConnStatus.OK
    assert sqlstate(sleeping) == CANCELED


def test_step_by_step_and_once_more(
    sleeping: pq.PGconn, cancel_conn: pq.PGcancelConn, until_asleep: Callable[[], None]
) -> None:
    for _ in range(2):
        cancel_conn.start()
        while (status := cancel_conn.poll()) in (PollingStatus.READING, PollingStatus.WRITING):
            poll = select.poll()
            reading = status is PollingStatus.READING
            poll.register(cancel_conn.socket, select.POLLIN if reading else select.POLLOUT)
            assert poll.poll(5000)
        assert status is PollingStatus.OK
        assert sqlstate(sleeping) == CANCELED
        assert cancel_conn.error_message == b""
        cancel_conn.reset()
        assert cancel_conn.status is ConnStatus.ALLOCATED
        sleeping.send_query(b"select pg_sleep(30)")
        until_asleep()
    sleeping.get_cancel().cancel()


def test_at_the_wrong_time(cancel_conn: pq.PGcancelConn) -> None:
    with pytest.raises(OperationalError, match="no socket"):
        _ = cancel_conn.socket
    assert cancel_conn.poll() is PollingStatus.FAILED
    cancel_conn.reset()
    cancel_conn.start()
    with pytest.raises(OperationalError, match="starting to cancel failed"):
        cancel_conn.start()
    assert cancel_conn.get_error_message()
    cancel_conn.reset()
    cancel_conn.start()
    with pytest.raises(OperationalError, match="sending the cancel request failed"):
        cancel_conn.blocking()


def test_a_finished_cancel_connection_refuses(cancel_conn: pq.PGcancelConn) -> None:
    assert cancel_conn.pgcancelconn_ptr
    cancel_conn.finish()
    cancel_conn.finish()
    assert cancel_conn.pgcancelconn_ptr is None
    assert cancel_conn.status is ConnStatus.BAD
    calls: list[Callable[[], object]] = [
        cancel_conn.start,
        cancel_conn.blocking,
        cancel_conn.poll,
        cancel_conn.reset,
        cancel_conn.get_error_message,
        lambda: cancel_conn.socket,
        lambda: cancel_conn.error_message,
    ]
    for call in calls:
        with pytest.raises(OperationalError, match="the cancel connection is closed"):
            call()
