# Generated from tests/_async/test_querylog.py by `python tools/unasync.py`: edit that file, not this one.
"""Query loggers: what they are told, and when."""

from __future__ import annotations

import datetime as dt

import pytest

import psycopg3
from psycopg3 import Connection, LoggedQuery, errors
from psycopg3.types.json import Jsonb

pytestmark = pytest.mark.anyio


@pytest.fixture
def told(other):
    """What a logger of `other` was told, which is in autocommit."""
    told: list[LoggedQuery] = []
    other.add_query_logger(told.append)
    return told


def test_a_query(other, told):
    other.execute("select %s::int", [1])
    (query,) = told
    assert query.query == "select $1::int"
    assert query.parameters == [1]
    assert 0 < query.elapsed < 60
    assert (query.exception, query.statusmessage) == (None, "SELECT 1")


def test_parameters_are_read_back(other, told):
    values = [None, 2**40, "ä", b"\0", [1, 2], dt.date(2026, 1, 2), Jsonb({"a": 1})]
    other.execute(f"select {', '.join(['%s'] * 6)}, %s", values)
    assert told[0].parameters == [*values[:6], {"a": 1}]
    other.execute("select 1")
    other.execute("select 1", [])
    assert [query.parameters for query in told[1:]] == [None, []]


def test_one_that_nothing_reads_is_bytes(other, told):
    class Broken(psycopg3.adapt.Loader):
        format = psycopg3.pq.Format.BINARY

        def load(self, data):
            raise ValueError

    other.adapters.register_loader("date", Broken)
    other.execute("select %s", [dt.date(2000, 1, 2)])
    assert told[0].parameters == [b"\0\0\0\1"]


def test_an_error(other, told):
    with pytest.raises(errors.DatetimeFieldOverflow):
        other.execute("select %s::date", ["2026-02-31"])
    assert told[0].parameters == ["2026-02-31"]
    assert isinstance(told[0].exception, errors.DatetimeFieldOverflow)
    assert told[0].statusmessage is None


def test_the_driver_s_own(dsn):
    told = []
    with Connection.connect(dsn) as conn:
        conn.add_query_logger(lambda query: told.append(query.query))
        conn.execute("select 1")
        conn.commit()
        with conn.transaction(), conn.transaction("inner"):
            pass
    assert told[:3] == ["BEGIN", "select 1", "COMMIT"]
    assert [text for text in told[3:] if "inner" in text] == [
        'SAVEPOINT "inner"',
        'RELEASE "inner"',
    ]


def test_what_was_interrupted(other, told):
    with pytest.raises(errors.QueryTimeout):
        other.execute("select pg_sleep(10)", timeout=0.05)
    (query,) = told
    assert isinstance(query.exception, (errors.QueryTimeout, errors.QueryCanceled))
    assert query.elapsed >= 0.05


def test_a_lost_connection(other, told):
    with pytest.raises(errors.AdminShutdown):
        other.execute("select pg_terminate_backend(pg_backend_pid())")
    assert isinstance(told[0].exception, errors.AdminShutdown)


def test_a_bad_parameter_was_never_sent(other, told):
    with pytest.raises(psycopg3.ProgrammingError):
        other.execute("select %s", [object()])
    assert told == []


def test_many(other, told):
    other.cursor().executemany("select %s::int / %s", [(1, 1), (2, 2)])
    assert [query.parameters for query in told] == [[1, 1], [2, 2]]
    with pytest.raises(errors.DivisionByZero):
        other.cursor().executemany("select %s::int / %s", [(1, 0), (2, 2)])
    assert isinstance(told[2].exception, errors.DivisionByZero)
    assert isinstance(told[3].exception, errors.PipelineAborted)


def test_copy_and_stream_are_told_at_their_end(other, told):
    other.execute("create temporary table t (a int)")
    with other.cursor().copy("copy t from stdin") as copy:
        copy.write_row([1])
        assert len(told) == 1
    for _ in other.cursor().stream("select a from t"):
        assert len(told) == 2
    assert [query.statusmessage for query in told] == ["CREATE TABLE", "COPY 1", "SELECT 1"]


def test_for_a_block(other):
    told = []
    with other.query_logger(told.append):
        other.execute("select 1")
    other.execute("select 2")
    assert [query.query for query in told] == ["select 1"]


def test_remove(other, told):
    other.add_query_logger(print)
    other.remove_query_logger(print)
    other.remove_query_logger(told.append)
    other.execute("select 1")
    assert told == []
    with pytest.raises(ValueError, match="no query logger of this connection"):
        other.remove_query_logger(print)
    with pytest.raises(psycopg3.ProgrammingError, match="LoggedQuery"):
        other.add_query_logger(1)


def test_a_logger_that_fails(other, caplog):
    other.add_query_logger(lambda query: 1 / 0)
    assert other.fetchval("select 1") == 1
    assert "error in the query handler" in caplog.text


def test_a_trace(other, tmp_path):
    path = tmp_path / "trace"
    with other.trace(path):
        other.execute("select 'first'")
    other.execute("select 'second'")
    lines = path.read_text().splitlines()
    assert [line.split("\t")[1] for line in lines if "\tQuery\t" in line] == ["F"]
    assert "'first'" in path.read_text()
    assert "second" not in path.read_text()
    with open(path, "w") as file, other.trace(file, timestamps=False):
        other.execute("select 'third'")
    assert path.read_text().startswith("F\t")


def test_prepared_statements_are_told_by_their_text(other, told):
    for number in range(3):
        other.execute("select %s::int", [number], prepare=True)
    assert [(query.query, query.parameters) for query in told] == [
        ("select $1::int", [number]) for number in range(3)
    ]


def test_in_a_pipeline_when_the_results_are_there(other, told):
    with other.pipeline() as pipeline:
        other.execute("select 1")
        cur = other.execute("select 1/0")
        other.execute("select 3")
        assert told == []
        with pytest.raises(errors.DivisionByZero):
            cur.fetchall()
        assert [query.query for query in told] == ["select 1", "select 1/0"]
        pipeline.sync()
    outcomes = [type(query.exception) for query in told]
    assert outcomes == [type(None), errors.DivisionByZero, errors.PipelineAborted]
