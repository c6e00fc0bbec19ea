"""Commands: a step of a conversation in one call; and the sends that check nothing."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from psycopg3 import pq
from psycopg3.errors import OperationalError
from psycopg3.pq import ExecStatus, TransactionStatus

NOTICE = b"do $$ begin raise notice 'hello'; end $$"
TUPLES_OK, COMMAND_OK = ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK


@pytest.fixture
def pgconn(pgconn: pq.PGconn) -> pq.PGconn:
    pgconn.nonblocking = 1
    return pgconn


def ready_for(conn: pq.PGconn, wanted: int) -> int:
    poll = select.poll()
    poll.register(conn.socket, (wanted & 1 and select.POLLIN) | (wanted & 2 and select.POLLOUT))
    found = poll.poll(5000)
    assert found
    events = found[0][1]
    return (1 if events & ~select.POLLOUT else 0) | (2 if events & select.POLLOUT else 0)


def converse(conn: pq.PGconn, wanted: int = 3, ready: int = 2) -> list[pq.PGresult]:
    """The results of what was sent."""
    results: list[pq.PGresult] = []
    while wanted:
        wanted = conn.advance(results, ready)
        if wanted:
            ready = ready_for(conn, wanted)
    return results


def values(result: pq.PGresult) -> list[bytes | None]:
    return [result.get_value(0, column) for column in range(result.nfields)]


# --- What is sent -------------------------------------------------------------------------------


def test_a_query(pgconn: pq.PGconn) -> None:
    assert pgconn.send_query_unchecked(b"select 'hey'") == 1
    (result,) = converse(pgconn)
    assert (result.status, values(result)) == (TUPLES_OK, [b"hey"])
    assert pgconn.transaction_status is TransactionStatus.IDLE


@pytest.mark.parametrize(
    ("given", "lengths", "formats"),
    [
        ([b"7"], None, None),
        ([b"7"], None, [0]),
        ([None], None, None),
        ([b""], None, None),
        ([b"a", b"", None, b"bc", None], None, None),
        ([b"\0\1\0"], [3], [1]),
        ([b"\0", b"text", None, b"", b"\0\0x"], [1, 4, 0, 0, 3], [1, 0, 1, 1, 1]),
        ([None, None], [0, 0], [1, 1]),
        ([b"x" * 70_000, None, b"y" * 70_000], None, None),
        ([b"\0" * 70_000, None, b"text", b"\0"], [70_000, 0, 4, 1], [1, 1, 0, 1]),
        ([b"%d" % i for i in range(200)], None, None),
        ([b"\0%d" % i for i in range(100)], [len(b"\0%d" % i) for i in range(100)], [1] * 100),
        ([], None, None),
    ],
)
@pytest.mark.parametrize("prepared", [False, True])
def test_parameters(
    pgconn: pq.PGconn,
    given: list[bytes | None],
    lengths: list[int] | None,
    formats: list[int] | None,
    prepared: bool,
) -> None:
    binary = lengths is not None and formats is not None
    oids = tuple(17 if formats and formats[i] else 25 for i in range(len(given)))
    query = b"select " + b",".join(b"$%d" % (i + 1) for i in range(len(given)))
    if prepared:
        assert pgconn.send_prepare_unchecked(b"s", query, oids) == 1
        assert [r.status for r in converse(pgconn)] == [COMMAND_OK]
        assert pgconn.send_query_prepared_unchecked(b"s", given, lengths, formats, int(binary))
    else:
        pgconn.send_query_params_unchecked(query, given, oids, lengths, formats, int(binary))
    (result,) = converse(pgconn)
    assert (result.status, values(result)) == (TUPLES_OK, given), result.error_message


@pytest.mark.parametrize("types", [None, (), (20,), [20], (0,)])
def test_types(pgconn: pq.PGconn, types: Any) -> None:
    for _ in range(2):
        pgconn.send_query_params_unchecked(b"select $1::int8", [b"7"], types, None, None, 1)
        assert values(*converse(pgconn)) == [b"\0" * 7 + b"\7"]


def test_what_libpq_refuses(pgconn: pq.PGconn) -> None:
    pgconn.send_query_unchecked(b"select 1")
    sends: list[Callable[[], object]] = [
        lambda: pgconn.send_query_unchecked(b"select 2"),
        lambda: pgconn.send_query_params_unchecked(b"select 2", [], None, None, None, 0),
        lambda: pgconn.send_prepare_unchecked(b"", b"select 2", None),
        lambda: pgconn.send_query_prepared_unchecked(b"", [], None, None, 0),
    ]
    for send in sends:
        with pytest.raises(OperationalError, match="another command is already in progress"):
            send()
    assert values(*converse(pgconn)) == [b"1"]


def test_more_than_the_socket_takes(pgconn: pq.PGconn) -> None:
    size = 20_000_000
    given: list[bytes | None] = [b"x" * size, None, b"y"]
    query = b"select length($1), $2, $3"
    assert pgconn.send_query_params_unchecked(query, given, (25,) * 3, None, None, 0) == 3
    # Nothing to read, and all can't be sent: it says so, however often it is asked.
    assert pgconn.advance([], 2) == 3
    assert values(*converse(pgconn)) == [b"%d" % size, None, b"y"]


# --- What is received ---------------------------------------------------------------------------


def test_several_statements(pgconn: pq.PGconn) -> None:
    pgconn.send_query_unchecked(b"select 1; select pg_sleep(0.05); select 1/0; select 2")
    found = converse(pgconn)
    assert [r.status for r in found] == [TUPLES_OK, TUPLES_OK, ExecStatus.FATAL_ERROR]


def test_more_results_than_fit_in_one_step(pgconn: pq.PGconn) -> None:
    pgconn.send_query_unchecked(b"".join(b"select %d;" % i for i in range(100)))
    time.sleep(0.2)
    assert [values(r) for r in converse(pgconn)] == [[b"%d" % i] for i in range(100)]


def test_results_are_appended(pgconn: pq.PGconn) -> None:
    first = pgconn.make_empty_result(COMMAND_OK)
    results = [first]
    pgconn.send_query_unchecked(b"select 1")
    ready_for(pgconn, 1)
    assert pgconn.advance(results, 1) == 0
    assert results[0] is first
    assert len(results) == 2


def test_nothing_is_under_way(pgconn: pq.PGconn) -> None:
    results: list[pq.PGresult] = []
    for ready in (0, 1, 2, 3):
        assert pgconn.advance(results, ready) == 0
    assert results == []


def test_it_reads_only_when_there_is_something(pgconn: pq.PGconn) -> None:
    results: list[pq.PGresult] = []
    assert pgconn.send_query_unchecked(b"select 1") == 1
    ready_for(pgconn, 1)
    assert [pgconn.advance(results, ready) for ready in (2, 0, 2)] == [1, 1, 1]
    assert pgconn.advance(results, 3) == 0
    assert len(results) == 1


def test_single_rows(pgconn: pq.PGconn) -> None:
    pgconn.send_query_unchecked(b"select generate_series(1, 40)")
    pgconn.set_single_row_mode()
    found = converse(pgconn)
    assert [r.status for r in found] == [ExecStatus.SINGLE_TUPLE] * 40 + [TUPLES_OK]
    assert [values(r) for r in found[:-1]] == [[b"%d" % i] for i in range(1, 41)]


def test_copy(pgconn: pq.PGconn) -> None:
    pgconn.send_query_unchecked(b"copy (select 'a') to stdout")
    assert [r.status for r in converse(pgconn)] == [ExecStatus.COPY_OUT]
    while (row := pgconn.get_copy_data(1))[0] >= 0:
        if not row[0]:
            ready_for(pgconn, 1)
            pgconn.consume_input()
    assert [r.status for r in converse(pgconn)] == [COMMAND_OK]
    pgconn.send_query_unchecked(b"create temp table t (a text); copy t from stdin")
    assert [r.status for r in converse(pgconn)] == [COMMAND_OK, ExecStatus.COPY_IN]
    pgconn.put_copy_data(b"x\n")
    pgconn.put_copy_end()
    assert [r.command_status for r in converse(pgconn)] == [b"COPY 1"]


def test_pipeline(pgconn: pq.PGconn) -> None:
    pgconn.enter_pipeline_mode()
    for value in (b"1", b"x", b"3"):
        wanted = pgconn.send_query_params_unchecked(b"select $1::int", [value], None, None, None, 0)
        assert wanted == 3
    # Not even flushed: libpq collects what it is to send.
    assert not select.select([pgconn.socket], [], [], 0.1)[0]
    pgconn.pipeline_sync()
    assert values(*converse(pgconn)) == [b"1"]
    assert [r.status for r in converse(pgconn)] == [ExecStatus.FATAL_ERROR]
    assert [r.status for r in converse(pgconn)] == [ExecStatus.PIPELINE_ABORTED]
    assert [r.status for r in converse(pgconn)] == [ExecStatus.PIPELINE_SYNC]
    pgconn.exit_pipeline_mode()
    assert pgconn.advance([], 2) == 0


def test_a_status_of_a_newer_libpq(pgconn: pq.PGconn, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no name here, and is no reason to fail."""
    from psycopg3.pq.binding import lib

    pgconn.send_query_unchecked(b"select 1")
    (result,) = converse(pgconn)
    monkeypatch.setattr(lib, "PQresultStatus", lambda pointer: 99)
    monkeypatch.setattr(lib, "PQtransactionStatus", lambda pointer: 98)
    for _ in range(2):
        assert (result.status, result.status.name) == (99, "UNKNOWN_99")
        assert (pgconn.transaction_status, pgconn.transaction_status.name) == (98, "UNKNOWN_98")
    assert result.status == ExecStatus(99)
    assert "UNKNOWN_99" in repr(result)
    assert "UNKNOWN_98" in repr(pgconn)


def test_tls(secure: Any) -> None:
    place = f"host=127.0.0.1 port={secure.port} user=crypted password={secure.password}"
    conn = pq.PGconn.connect(f"{place} dbname=postgres sslmode=require".encode())
    assert conn.ssl_in_use, conn.get_error_message()
    conn.nonblocking = 1
    conn.send_query_unchecked(b"select 'x' || repeat('y', 1000000); select 2")
    found = converse(conn)
    assert [len(r.get_value(0, 0) or b"") for r in found] == [1_000_001, 1]
    # In silence too: what OpenSSL has decrypted makes no socket readable.
    conn.send_query_unchecked(b"select 3")
    results: list[pq.PGresult] = []
    assert ready_for(conn, 1)
    assert pgconn_steps(conn, results, [2, 0]) == [1, 0]
    assert values(*results) == [b"3"]
    conn.finish()


def pgconn_steps(conn: pq.PGconn, results: list[pq.PGresult], readies: list[int]) -> list[int]:
    return [conn.advance(results, ready) for ready in readies]


# --- Interruptions ------------------------------------------------------------------------------


def test_a_lost_link_keeps_results(pgconn: pq.PGconn, dsn: str) -> None:
    pgconn.send_query_unchecked(b"select 1; select pg_terminate_backend(pg_backend_pid())")
    results: list[pq.PGresult] = []
    wanted = 1
    with pytest.raises(OperationalError, match="consuming input failed|flushing failed"):
        while wanted:
            wanted = pgconn.advance(results, ready_for(pgconn, wanted))
    assert values(results[0]) == [b"1"]
    assert pgconn.status is pq.ConnStatus.BAD
    assert results[-1].error_field(pq.DiagnosticField.SQLSTATE) == b"57P01"


def test_a_notice_handler_that_closes_the_connection(pgconn: pq.PGconn) -> None:
    pgconn.notice_handler = lambda notice: pgconn.finish()
    pgconn.send_query_unchecked(b"select 1;" + NOTICE + b"; select 2")
    time.sleep(0.1)
    results: list[pq.PGresult] = []
    pgconn.advance(results, 1)
    assert pgconn.pgconn_ptr is None
    assert values(results[0]) == [b"1"]
    with pytest.raises(OperationalError, match="the connection is closed"):
        pgconn.advance(results, 1)


def test_a_notice_handler_that_is_interrupted(pgconn: pq.PGconn) -> None:
    def handler(notice: pq.PGresult) -> None:
        raise KeyboardInterrupt

    pgconn.notice_handler = handler
    pgconn.send_query_unchecked(b"select 1;" + NOTICE)
    time.sleep(0.1)
    results: list[pq.PGresult] = []
    assert pgconn.advance(results, 1) == 0
    assert [r.status for r in results] == [TUPLES_OK, COMMAND_OK]
    with pytest.raises(KeyboardInterrupt):
        pgconn.advance(results, 2)
    assert pgconn.advance(results, 2) == 0


@pytest.mark.skipif(pq.__impl__ != "cffi", reason="elsewhere a step is several calls of C")
def test_a_signal_in_a_step_loses_no_result(
    pgconn: pq.PGconn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its handler raises when C has done the step, before Python has seen what it returned."""
    from psycopg3.pq import memory_cffi

    advance = memory_cffi._advance

    def interrupted(*given: Any) -> None:
        advance(*given)
        raise KeyboardInterrupt

    pgconn.send_query_unchecked(b"select 1; select 2; select 3")
    ready_for(pgconn, 1)
    results: list[pq.PGresult] = []
    with monkeypatch.context() as patch:
        patch.setattr(memory_cffi, "_advance", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pgconn.advance(results, 1)
    assert [values(r) for r in results] == [[b"1"], [b"2"], [b"3"]]
    assert converse(pgconn) == []


def test_closing_from_another_thread(dsn: str) -> None:
    for _ in range(10):
        conn = pq.PGconn.connect(dsn.encode())
        conn.nonblocking = 1
        start = threading.Barrier(2)

        def close(conn: pq.PGconn = conn, start: threading.Barrier = start) -> None:
            start.wait()
            conn.finish()

        thread = threading.Thread(target=close)
        thread.start()
        start.wait()
        results: list[pq.PGresult] = []
        try:
            while True:
                conn.send_query_unchecked(b"select repeat('x', 100000)")
                wanted = 1
                while wanted:
                    wanted = conn.advance(results, 1)
        except OperationalError as ex:
            assert "closed" in str(ex)
        thread.join()
        assert conn.pgconn_ptr is None
        assert all(r.status is TUPLES_OK for r in results)


def test_results_outlive_the_connection(pgconn: pq.PGconn) -> None:
    pgconn.send_query_unchecked(b"select 'kept'")
    found = converse(pgconn)
    pgconn.finish()
    assert values(*found) == [b"kept"]
