# Generated from tests/_async/test_stream.py by `python tools/unasync.py`: edit that file, not this one.
"""stream(): rows as they come, and a connection that is usable however the stream ends."""

from __future__ import annotations

import tracemalloc

import pytest

import psycopg3
from psycopg3 import Connection, RawCursor, capabilities, errors, rows
from psycopg3.pq import TransactionStatus

pytestmark = pytest.mark.anyio

MANY = "select generate_series(1, 100000000), repeat('x', 100)"
sizes = pytest.mark.parametrize("size", [1, 3] if capabilities.has_stream_chunked() else [1])


def usable(conn):
    cur = conn.execute("select 42")
    return cur.fetchone() == (42,)


@sizes
def test_rows(conn, size):
    cur = conn.cursor(row_factory=rows.dict_row)
    got = []
    for row in cur.stream(
        "select g, %s::text as b from generate_series(1, 10) g", ["é"], size=size
    ):
        got.append(row)
        assert [column.name for column in cur.description] == ["g", "b"]
    assert got == [{"g": n, "b": "é"} for n in range(1, 11)]
    assert conn.pgconn.transaction_status == TransactionStatus.INTRANS
    assert [row for row in cur.stream("select 1 as a where false", size=size)] == []
    assert usable(conn)


@sizes
def test_binary_and_values_of_none(conn, size):
    cur = conn.cursor(row_factory=rows.scalar_row)
    stream = cur.stream("values (1), (null), (3)", binary=True, size=size)
    assert [row for row in stream] == [1, None, 3]
    assert cur.pgresult.fformat(0) == 1
    assert [row for row in stream] == []


def test_raw(conn):
    cur = RawCursor(conn)
    assert [row for row in cur.stream("select $1 % 2", [3])] == [(1,)]


@sizes
def test_left_half_read(conn, size):
    cur = conn.cursor()
    for row in cur.stream(MANY, size=size):
        if row[0] == 5:
            break
    conn.rollback()
    assert usable(conn)
    stream = cur.stream(MANY, size=size)
    assert stream.__next__()[0] == 1
    stream.close()
    stream.close()
    assert [row for row in stream] == []
    conn.rollback()
    with cur.stream(MANY, size=size) as stream:
        for _ in stream:
            break
    conn.rollback()
    with pytest.raises(ZeroDivisionError):
        for _ in cur.stream(MANY, size=size):
            raise ZeroDivisionError
    conn.rollback()
    assert usable(conn)


def test_short_one_left_half_read_keeps_the_transaction(conn):
    conn.execute("create temp table t (a int)")
    stream = conn.cursor().stream("select generate_series(1, 10)")
    stream.__next__()
    stream.close()
    assert conn.pgconn.transaction_status == TransactionStatus.INTRANS
    conn.execute("insert into t values (1)")


@sizes
def test_errors(conn, size):
    cur = conn.cursor()
    got = []
    with pytest.raises(errors.DivisionByZero):
        for row in cur.stream("select 1/(5 - g) from generate_series(1, 10) g", size=size):
            got.append(row)
    assert got == [(0,)] * (4 if size == 1 else 3) or len(got) in (3, 4)
    conn.rollback()
    for query, params, error, says in [
        ("selec", None, errors.SyntaxError, "selec"),
        ("select %s", [], psycopg3.ProgrammingError, "placeholders"),
        ("select 1; select 2", None, errors.SyntaxError, "multiple"),
        ("create temp table t ()", None, psycopg3.ProgrammingError, "return rows"),
        ("copy (select 1) to stdout", None, psycopg3.ProgrammingError, "return rows"),
        ("select %s", [object()], psycopg3.ProgrammingError, "adapt"),
    ]:
        with pytest.raises(error, match=says):
            for _ in cur.stream(query, params, size=size):
                pass
        conn.rollback()
        assert usable(conn)


def test_sizes(conn):
    with pytest.raises(ValueError, match="0 rows"):
        conn.cursor().stream("select 1", size=0)
    if not capabilities.has_stream_chunked():
        with pytest.raises(psycopg3.NotSupportedError):
            conn.cursor().stream("select 1", size=2)


def test_timeout(conn):
    with pytest.raises(errors.QueryTimeout):
        for _ in conn.cursor().stream("select pg_sleep(10)", timeout=0.2):
            pass
    conn.rollback()
    assert usable(conn)


def test_use_of_the_connection_inside(conn):
    with pytest.raises(psycopg3.ProgrammingError, match="iterator"):
        for _ in conn.cursor().stream("select generate_series(1, 3)"):
            conn.execute("select 1")
    assert usable(conn)


def test_lost(dsn, other):
    conn = Connection.connect(dsn)
    with pytest.raises(psycopg3.OperationalError):
        for row in conn.cursor().stream(MANY):
            if row[0] == 1:
                other.execute("select pg_terminate_backend(%s)", [conn.info.backend_pid])
    assert conn.broken
    conn.close()


@sizes
def test_memory_is_flat(conn, size):
    cur = conn.cursor()
    tracemalloc.start()
    try:
        peaks = []
        stream = cur.stream("select repeat('x', 1000) from generate_series(1, 6000)", size=size)
        count = 0
        for _ in stream:
            count += 1
            if count % 2000 == 0:
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.reset_peak()
    finally:
        tracemalloc.stop()
    assert count == 6000
    assert max(peaks) < 500_000
