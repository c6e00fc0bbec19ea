"""PGresult: what results tell, and that a cleared one tells nothing and never crashes."""

from __future__ import annotations

import gc
import sys
import threading
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psycopg3 import pq
from psycopg3.errors import DataError, OperationalError
from psycopg3.pq import ExecStatus, PGresAttDesc, binding, pgresult
from tests.marks import counts_references

pytestmark = pytest.mark.filterwarnings("error")


def test_columns(pgconn: pq.PGconn) -> None:
    pgconn.exec_(b"create temp table t (a int, b varchar(10), c numeric(5, 2))")
    result = pgconn.exec_(b"select c, b, 1 as d, a from t")
    oid = int(pgconn.exec_(b"select 't'::regclass::oid").get_value(0, 0) or 0)
    columns = range(result.nfields)
    assert [result.fname(i) for i in columns] == [b"c", b"b", b"d", b"a"]
    assert [result.ftype(i) for i in columns] == [1700, 1043, 23, 23]
    assert [result.ftable(i) for i in columns] == [oid, oid, 0, oid]
    assert [result.ftablecol(i) for i in columns] == [3, 2, 0, 1]
    assert [result.fsize(i) for i in columns] == [-1, -1, 4, 4]
    assert [result.fmod(i) for i in columns] == [(5 << 16 | 2) + 4, 14, -1, -1]
    assert [result.fformat(i) for i in columns] == [0] * 4
    assert result.binary_tuples == 0
    assert pgconn.exec_params(b"select 1", None, result_format=1).binary_tuples == 1


def test_a_column_that_is_not_there(pgconn: pq.PGconn) -> None:
    result = pgconn.exec_(b"select 1")
    for column in (1, -1):
        assert result.fname(column) is None
        assert result.ftype(column) == 0
        assert result.get_value(0, column) is None
        assert result.get_value(1, column) is None
    assert result.get_value(1, 0) is None


def test_large_oids(pgconn: pq.PGconn) -> None:
    pgconn.prepare(b"s", b"select $1", [0])
    result = pgconn.exec_params(b"select 4000000000::oid", None)
    assert result.get_value(0, 0) == b"4000000000"
    described = pgconn.make_empty_result(ExecStatus.TUPLES_OK)
    described.set_attributes([PGresAttDesc(b"a", 4_000_000_000, 1, 0, 4_100_000_000, -1, -1)])
    assert described.ftable(0) == 4_000_000_000
    assert described.ftype(0) == 4_100_000_000


def test_command_status(pgconn: pq.PGconn) -> None:
    made = pgconn.exec_(b"create temp table t (a int)")
    assert (made.command_status, made.command_tuples) == (b"CREATE TABLE", None)
    filled = pgconn.exec_(b"insert into t select generate_series(1, 3)")
    assert (filled.command_status, filled.command_tuples) == (b"INSERT 0 3", 3)
    assert filled.oid_value == 0
    selected = pgconn.exec_(b"select * from t where a > 9")
    assert (selected.command_status, selected.command_tuples) == (b"SELECT 0", 0)


def test_an_error(pgconn: pq.PGconn) -> None:
    result = pgconn.exec_(b"select 1 from\n nowhere")
    assert result.error_message.startswith(b'ERROR:  relation "nowhere" does not exist\n')
    assert result.get_error_message().startswith('relation "nowhere" does not exist\nLINE 2')
    fields = {field: result.error_field(field) for field in pq.DiagnosticField}
    assert fields[pq.DiagnosticField.SEVERITY_NONLOCALIZED] == b"ERROR"
    assert fields[pq.DiagnosticField.SQLSTATE] == b"42P01"
    assert fields[pq.DiagnosticField.STATEMENT_POSITION] == b"16"
    assert fields[pq.DiagnosticField.TABLE_NAME] is None
    assert "[FATAL_ERROR]" in repr(result)


def test_no_error(pgconn: pq.PGconn) -> None:
    result = pgconn.exec_(b"select 1")
    assert result.error_message == b""
    assert result.get_error_message() == "no details available"
    assert result.error_field(pq.DiagnosticField.SQLSTATE) is None
    assert "[TUPLES_OK]" in repr(result)


def test_a_message_in_another_encoding(pgconn: pq.PGconn) -> None:
    pgconn.exec_(b"set client_encoding to latin1")
    result = pgconn.exec_('select "é"'.encode("latin1"))
    assert '"é"' in result.get_error_message("latin1")
    assert '"\ufffd"' in result.get_error_message()


def test_a_cleared_result_is_empty(pgconn: pq.PGconn) -> None:
    result = pgconn.exec_(b"select 1 as a")
    value = result.get_value(0, 0)
    assert result.pgresult_ptr
    result.clear()
    result.clear()
    assert value == b"1"
    assert result.pgresult_ptr is None
    assert result.status is ExecStatus.FATAL_ERROR
    assert (result.ntuples, result.nfields, result.nparams, result.binary_tuples) == (0, 0, 0, 0)
    assert (result.fname(0), result.get_value(0, 0), result.error_field(67)) == (None,) * 3
    described = (result.ftype, result.ftable, result.ftablecol, result.fformat, result.fmod)
    assert [function(0) for function in (*described, result.fsize, result.param_type)] == [0] * 7
    assert (result.command_status, result.command_tuples, result.oid_value) == (None, None, 0)
    assert result.error_message == b""
    assert "[cleared]" in repr(result)
    with pytest.raises(OperationalError, match="cleared"):
        result.set_attributes([])


def test_a_result_outlives_its_connection(dsn: str) -> None:
    conn = pq.PGconn.connect(dsn.encode())
    result = conn.exec_(b"select 1")
    conn.finish()
    del conn
    gc.collect()
    assert result.get_value(0, 0) == b"1"
    assert result.get_value(5, 5) is None
    another = pq.PGconn.connect(dsn.encode())
    notices: list[pq.PGresult] = []
    another.notice_handler = notices.append
    assert result.get_value(5, 5) is None
    another.finish()
    assert notices == []


def test_set_attributes(pgconn: pq.PGconn) -> None:
    result = pgconn.make_empty_result(ExecStatus.TUPLES_OK)
    columns = [
        PGresAttDesc(b"an_int", 0, 0, 0, 23, 4, -1),
        PGresAttDesc(b"a_num", 1700, 2, 1, 1700, -1, 393220),
    ]
    result.set_attributes(columns)
    assert result.nfields == 2
    found = [
        PGresAttDesc(
            result.fname(i) or b"",
            result.ftable(i),
            result.ftablecol(i),
            result.fformat(i),
            result.ftype(i),
            result.fsize(i),
            result.fmod(i),
        )
        for i in range(2)
    ]
    assert found == columns
    with pytest.raises(OperationalError, match="setting the columns failed"):
        result.set_attributes(columns)
    with pytest.raises(DataError, match="column name.*NUL"):
        result.set_attributes([PGresAttDesc(b"a\0b", 0, 0, 0, 23, 4, -1)])
    with pytest.raises(TypeError, match="column name: got str"):
        result.set_attributes([PGresAttDesc("a", 0, 0, 0, 23, 4, -1)])  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def shared(dsn: str) -> pq.PGconn:
    return pq.PGconn.connect(dsn.encode())


@given(st.lists(st.none() | st.binary(max_size=200), max_size=20), st.integers(0, 1))
def test_values_come_back_as_they_went(
    shared: pq.PGconn, given: list[bytes | None], result_format: int
) -> None:
    query = b"select " + b",".join(b"$%d::bytea" % (i + 1) for i in range(len(given)))
    sent = [17] * len(given), [1] * len(given)
    result = shared.exec_params(query, given, *sent, result_format)
    found = [result.get_value(0, i) for i in range(len(given))]
    if result_format == pq.Format.TEXT:
        found = [None if v is None else pq.Escaping().unescape_bytea(v) for v in found]
    assert found == given


@given(
    st.lists(st.none() | st.binary(max_size=100) | st.just(b""), max_size=20),
    st.integers(0, 1),
    st.integers(0, 22),
    st.integers(0, 22),
)
def test_a_column_is_its_values(
    shared: pq.PGconn, given: list[bytes | None], result_format: int, row0: int, row1: int
) -> None:
    values = b",".join(b"($%d::bytea)" % (i + 1) for i in range(len(given))) or b"(null::bytea)"
    sent = [17] * len(given), [1] * len(given)
    result = shared.exec_params(b"values " + values, given, *sent, result_format)
    expected = [result.get_value(row, 0) for row in range(row0, row1)]
    assert result.get_column(0, row0, row1) == expected


def test_a_column_of_many_rows(pgconn: pq.PGconn) -> None:
    """It is read in pieces."""
    count = pgresult._AT_ONCE * 2 + 3
    query = b"select i, nullif(i % 7, 3)::text from generate_series(1, $1::int) i"
    for result_format in (0, 1):
        result = pgconn.exec_params(query, [b"%d" % count], None, None, result_format)
        for column in (0, 1):
            found = result.get_column(column, 0, count)
            assert found == [result.get_value(row, column) for row in range(count)]
        assert result.get_column(0, 5, 5) == result.get_column(0, 9, 5) == []


def test_a_column_of_a_cleared_result(pgconn: pq.PGconn) -> None:
    result = pgconn.exec_(b"select generate_series(1, 9)")
    assert result.get_column(1, 0, 9) == [None] * 9
    result.clear()
    assert result.get_column(0, 0, 9) == [None] * 9


def test_a_result_is_freed_when_it_is_dropped_or_cleared(dsn: str, pgconn: pq.PGconn) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kept = []
    for _ in range(30):
        result = pgconn.exec_(b"select repeat('x', 4000000)")
        assert result.ntuples == 1
        result = pgconn.exec_(b"select repeat('x', 4000000)")
        result.clear()
        kept.append(result)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100_000 * (1024 if sys.platform == "darwin" else 1)


@counts_references
def test_freeing_runs_no_code_of_python(pgconn: pq.PGconn) -> None:
    """Code that Python runs to free something can't raise: a signal's exception would be lost."""
    run: list[str] = []

    def note(frame: types.FrameType, event: str, _: object) -> None:
        run.append(f"{event} {frame.f_code.co_qualname}")

    result = pgconn.exec_(b"select 1")
    sys.setprofile(note)
    try:
        del result
    finally:
        sys.setprofile(None)
    assert [event for event in run if not event.startswith("c_")] == []


def test_one_thread_clears_what_another_reads(pgconn: pq.PGconn) -> None:
    query = b"select i::text || repeat('x', 90), i from generate_series(1, 500) i"

    def read(result: pq.PGresult, started: threading.Event, seen: set[bytes]) -> None:
        while (last := result.get_column(1, 0, 500)[-1]) is not None:
            seen.add(last)
            started.set()

    for result_format in (0, 1) * 10:
        result = pgconn.exec_params(query, None, None, None, result_format)
        expected = result.get_value(499, 1)
        started = threading.Event()
        seen: set[bytes] = set()
        thread = threading.Thread(target=read, args=(result, started, seen))
        thread.start()
        started.wait()
        result.clear()
        thread.join()
        assert seen == {expected}


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_text_comes_back_as_it_went(shared: pq.PGconn, text: str) -> None:
    result = shared.exec_params(b"select $1::text", [text.encode()])
    assert result.get_value(0, 0) == text.encode()


INTS = ["0", "-1", "42", "9" * 18, "-" + "9" * 18]


def test_ints(pgconn: pq.PGconn) -> None:
    """All of them, as Python reads them; None with ctypes, which makes no difference in speed."""
    values = ", ".join(f"({value})" for value in INTS)
    result = pgconn.exec_(f"select n, n::text from (values {values}) v (n)".encode())
    expected = None if "ctypes" in binding.lib.__name__ else [int(value) for value in INTS]
    assert result.get_ints(0, 0, 5) == result.get_ints(1, 0, 5) == expected
    assert result.get_ints(0, 1, 3) == (expected and expected[1:3])
    assert result.get_ints(0, 3, 3) == (None if expected is None else [])


@pytest.mark.parametrize(
    "value",
    ["null", "''", "'-'", "' 1'", "'1 '", "'+1'", "'1_0'", "'1.5'", "'9999999999999999999'"],
)
def test_what_is_no_plain_int(pgconn: pq.PGconn, value: str) -> None:
    result = pgconn.exec_(f"select * from (values (1::text), ({value})) v".encode())
    assert result.get_ints(0, 0, 2) is None
    assert result.get_ints(7, 0, 2) is None


def test_binary_ints_are_none(pgconn: pq.PGconn) -> None:
    """They may look like digits."""
    result = pgconn.exec_params(b"select x'31323334'::int", None, result_format=1)
    assert result.get_value(0, 0) == b"1234"
    assert result.get_ints(0, 0, 1) is None
