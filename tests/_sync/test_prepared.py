# Generated from tests/_async/test_prepared.py by `python tools/unasync.py`: edit that file, not this one.
"""Prepared statements: when a query is prepared, under what name, and what becomes of it."""

from __future__ import annotations

import tempfile
import time

import pytest

import psycopg3
from psycopg3 import Connection, capabilities, errors

pytestmark = pytest.mark.anyio

LISTING = "select statement, name from pg_prepared_statements order by prepare_time"


@pytest.fixture
def auto(dsn):
    with Connection.connect(dsn, autocommit=True) as conn:
        yield conn


@pytest.fixture(params=[False, True], ids=["transaction", "autocommit"])
def either(dsn, request):
    with Connection.connect(dsn, autocommit=request.param) as conn:
        yield conn


@pytest.fixture
def table(other):
    """A table that another session changes."""
    other.execute("drop table if exists prepared_test")
    other.execute("create table prepared_test (a int)")
    yield "prepared_test"
    other.execute("drop table if exists prepared_test")


def run(conn, query, params=None, **kwargs):
    return conn.execute(query, params, **kwargs).fetchall()


def prepared(conn):
    """The texts of what is prepared, in the order of being prepared, and their names."""
    return dict(run(conn, LISTING, prepare=False))


def times(conn, count, query, params=None):
    for _ in range(count):
        conn.execute(query, params)


def behind_its_back(conn, command):
    """Run a command as nobody who looks at the driver sees it: as a pooler does, or a function."""
    result = conn.pgconn.exec_(command)
    assert not result.error_message, result.error_message


class TestWhen:
    def test_threshold(self, either):
        assert either.prepare_threshold == 5
        times(either, 5, "select %s::int", [1])
        assert prepared(either) == {}
        assert run(either, "select %s::int", [7]) == [(7,)]
        assert list(prepared(either)) == ["select $1::int"]
        assert run(either, "select %s::int", [8]) == [(8,)]
        assert len(prepared(either)) == 1

    @pytest.mark.parametrize("threshold", [0, 1, 3])
    def test_another_threshold(self, either, threshold):
        either.prepare_threshold = threshold
        times(either, threshold, "select 1")
        assert prepared(either) == {}
        times(either, 1, "select 1")
        assert list(prepared(either)) == ["select 1"]

    def test_of_a_connection(self, dsn):
        for threshold in (0, 7, None):
            with Connection.connect(dsn, prepare_threshold=threshold) as conn:
                assert conn.prepare_threshold == threshold

    def test_of_a_class(self, dsn):
        class Never(Connection):
            prepare_threshold = None

        with Never.connect(dsn) as conn:
            times(conn, 7, "select 1")
            assert run(conn, "select 1", prepare=True) == [(1,)]
            assert prepared(conn) == {}

    def test_asked_for(self, either):
        assert run(either, "select 1", prepare=True) == [(1,)]
        times(either, 7, "select 2")
        cur = either.cursor()
        for _ in range(7):
            cur.execute("select 3", prepare=False)
        assert list(prepared(either)) == ["select 1", "select 2"]

    def test_types_tell_statements_apart(self, either):
        run(either, "select %s", [1], prepare=True)
        run(either, "select %s", ["x"], prepare=True)
        run(either, "select %s", [None], prepare=True)
        types = "select parameter_types::text[] from pg_prepared_statements order by prepare_time"
        assert [t for (t,) in run(either, types, prepare=False)] == [["integer"], ["text"]]
        assert run(either, "select %s", [2], prepare=True) == [(2,)]
        assert run(either, "select %s", ["y"], prepare=True) == [("y",)]

    @pytest.mark.parametrize(
        "query",
        [
            "select 1; select 2",
            "select ';'",
            "show timezone",
            "set timezone to default",
            "vacuum pg_class",
            "discard plans",
            "",
            "-- nothing",
        ],
    )
    def test_not_by_the_threshold(self, auto, query):
        times(auto, 8, query)
        assert prepared(auto) == {}

    @pytest.mark.parametrize(
        "query", ["select 1;", "(select 1)", "/* a */ WITH x AS (SELECT 1) TABLE x; -- b"]
    )
    def test_one_statement(self, auto, query):
        times(auto, 6, query)
        assert list(prepared(auto)) == [query]

    def test_utilities_if_asked_for(self, auto):
        for query in ("show timezone", "vacuum pg_class", "create temp table t ()"):
            auto.execute(query, prepare=True)
        with pytest.raises(errors.SyntaxError):
            auto.execute("select 1; select 2", prepare=True)
        with pytest.raises(psycopg3.ProgrammingError, match="COPY"):
            auto.execute("copy pg_class to stdout", prepare=True)
        assert run(auto, "select 1") == [(1,)]

    def test_errors(self, auto):
        for _ in range(8):
            with pytest.raises(errors.SyntaxError):
                auto.execute("wat")
            with pytest.raises(errors.UndefinedTable):
                auto.execute("select * from no_such_table")
        assert prepared(auto) == {}
        times(auto, 6, "select 1")
        assert len(prepared(auto)) == 1

    def test_long_queries(self, auto):
        auto.prepared_max_size = 100
        long = "select 1 --" + 100 * "x"
        times(auto, 8, long)
        assert prepared(auto) == {}
        auto.prepared_max_size = None
        times(auto, 8, long)
        assert list(prepared(auto)) == [long]

    def test_client_cursors(self, auto):
        cur = psycopg3.ClientCursor(auto)
        for _ in range(8):
            cur.execute("select %s", [1], prepare=True)
        assert prepared(auto) == {}

    def test_raw_cursors(self, auto):
        cur = psycopg3.RawCursor(auto)
        for i in range(8):
            assert cur.execute("select $1::int", [i]).fetchone() == (i,)
        assert list(prepared(auto)) == ["select $1::int"]

    def test_binary_results(self, auto):
        for binary in (True, False) * 4:
            cur = auto.execute("select %s::int4", [7], binary=binary)
            assert cur.pgresult.get_value(0, 0) == (b"\0\0\0\7" if binary else b"7")
            assert cur.fetchone() == (7,)
        assert len(prepared(auto)) == 1

    def test_what_a_statement_did(self, auto):
        auto.execute("create temp table t (n int)")
        for n in range(8):
            cur = auto.execute("insert into t values (%s)", [n])
            assert (cur.rowcount, cur.statusmessage) == (1, "INSERT 0 1")
        assert run(auto, "select count(*) from t") == [(8,)]


class TestExecutemany:
    @pytest.mark.parametrize("threshold", [None, 0, 5])
    def test_it_is_parsed_once(self, auto, threshold):
        """By the statement without a name: behind any pooler, and nothing is left at the server."""
        auto.prepare_threshold = threshold
        auto.execute("create temp table t (n int, x text)")
        rows = [(n if n % 7 else float(n), str(n)) for n in range(50)]
        sent = len(self.parsed(auto, "insert into t values (%s, %s)", rows))
        assert sent == 15  # as often as the types are others than before
        assert prepared(auto) == {}
        assert run(auto, "select * from t order by n") == rows

    def parsed(self, conn, query, rows):
        """The Parse messages of an executemany()."""
        with tempfile.TemporaryFile() as file:
            conn.pgconn.trace(file.fileno())
            conn.cursor().executemany(query, rows)
            conn.pgconn.untrace()
            file.seek(0)
            return [line for line in file if b"\tParse\t" in line]

    def test_without_parameters(self, auto):
        cur = auto.cursor()
        cur.executemany("select 1", [()] * 5, returning=True)
        assert [r.fetchone() for r in cur.results()] == [(1,)] * 5

    def test_in_a_pipeline(self, auto):
        with auto.pipeline():
            cur = auto.cursor()
            cur.executemany("select %s::int", [[n] for n in range(5)], returning=True)
            auto.execute("select 'x'")
            cur.executemany("select %s::int", [[n] for n in range(9)], returning=True)
            assert cur.rowcount == 9


class TestNames:
    def test_they_are_of_the_content(self, auto, other):
        for conn in (auto, other):
            run(conn, "select %s::int", [1], prepare=True)
            run(conn, "select %s", ["x"], prepare=True)
        names = prepared(auto)
        assert names == prepared(other)
        assert all(name.startswith("_pg3_") and len(name) < 63 for name in names.values())
        assert len(set(names.values())) == 2

    @pytest.mark.parametrize(
        "setting", ["timezone to 'Asia/Tokyo'", "datestyle to german", "client_encoding to latin1"]
    )
    def test_settings_that_constants_are_read_by(self, auto, other, setting):
        other.execute(f"set {setting}")
        for conn in (auto, other):
            run(conn, "select '01-02-2003'::timestamptz::text", prepare=True)
        ours, theirs = prepared(auto), prepared(other)
        assert ours.keys() == theirs.keys()
        assert ours != theirs


class TestEviction:
    def test_the_one_unused_for_longest(self, either):
        either.prepared_max = 2
        for query in ("select 1", "select 2", "select 1", "select 3"):
            run(either, query, prepare=True)
            assert len(prepared(either)) <= 2
        assert list(prepared(either)) == ["select 1", "select 3"]
        for n in range(10):
            assert run(either, f"select {n}", prepare=True) == [(n,)]
        assert list(prepared(either)) == ["select 8", "select 9"]
        assert run(either, "select 1", prepare=True) == [(1,)]

    def test_a_limit_that_shrinks(self, either):
        for n in range(10):
            run(either, f"select {n}", prepare=True)
        either.prepared_max = 3
        run(either, "select 10", prepare=True)
        run(either, "select 11", prepare=True)
        assert len(prepared(either)) <= 4
        either.prepared_max = 0
        run(either, "select 12", prepare=True)
        assert "select 12" not in prepared(either)

    def test_no_limit(self, auto):
        auto.prepared_max = None
        for n in range(150):
            run(auto, f"select {n}", prepare=True)
        assert len(prepared(auto)) == 150

    def test_in_a_failed_transaction(self, conn):
        conn.prepared_max = 1
        run(conn, "select 1", prepare=True)
        with pytest.raises(errors.DivisionByZero):
            conn.execute("select 1/0")
        with pytest.raises(errors.InFailedSqlTransaction):
            conn.execute("select 2", prepare=True)
        conn.rollback()
        for n in (1, 2, 1, 2):
            assert run(conn, f"select {n}", prepare=True) == [(n,)]
        assert len(prepared(conn)) == 1

    def test_lifetime(self, auto):
        auto.prepared_lifetime = 0.05
        run(auto, "select 1", prepare=True)
        first = prepared(auto)
        time.sleep(0.06)
        run(auto, "select 1")
        run(auto, "select 2", prepare=True)
        second = prepared(auto)
        assert first["select 1"] != second["select 1"]
        if capabilities.has_send_close_prepared():
            assert first["select 1"] not in second.values()

    def test_a_pooler_that_has_other_names(self, conn):
        """Its DEALLOCATE fails, which costs no transaction; then nothing more is prepared than fits."""
        conn.prepared_max = 2
        run(conn, "select 1", prepare=True)
        run(conn, "select 2", prepare=True)
        behind_its_back(conn, b"deallocate all")
        conn.rollback()
        conn.execute("create temp table t ()")
        for n in range(5, 10):
            assert run(conn, f"select {n}", prepare=True) == [(n,)]
        conn.execute("select * from t")


class TestInterruptions:
    def test_while_it_is_prepared(self, auto):
        query = "select pg_sleep(%s::float8)::text"
        for _ in range(2):
            with pytest.raises(errors.QueryTimeout):
                auto.execute(query, [30], prepare=True, timeout=0.2)
            assert run(auto, query, [0], prepare=True) == [("",)]
        assert len(prepared(auto)) == 1

    def test_while_a_statement_is_described(self, auto, other, table):
        with other.transaction():
            other.execute(f"alter table {table} add b int")
            with pytest.raises(errors.QueryTimeout):
                auto.prepare(f"select * from {table}", timeout=0.2)
        statement = auto.prepare(f"select * from {table}")
        assert len(statement.columns) == 2

    def test_while_it_is_repaired(self, auto, other, table):
        """The second execution waits for a lock until its time is over."""
        times(auto, 7, f"select * from {table}")
        other.execute(f"alter table {table} add b int")
        behind_its_back(auto, b"set lock_timeout to '0.2s'")
        with other.transaction():
            other.execute(f"lock table {table}")
            with pytest.raises((errors.LockNotAvailable, errors.QueryTimeout)):
                auto.execute(f"select * from {table}", timeout=2)
        cur = auto.execute(f"select * from {table}")
        assert len(cur.description) == 2


class TestTransactions:
    def test_rollback_drops_nothing(self, conn):
        run(conn, "select 1", prepare=True)
        conn.rollback()
        with conn.transaction() as block:
            with conn.transaction():
                run(conn, "select 2", prepare=True)
                raise psycopg3.Rollback(block)
        names = prepared(conn)
        assert list(names) == ["select 1", "select 2"]
        run(conn, "select 1")
        run(conn, "select 2")
        assert prepared(conn) == names

    def test_a_type_made_anew(self, conn):
        """A statement remembers types by their oids, which a rollback may have taken away."""
        for _ in range(3):
            with conn.transaction() as outer:
                with conn.transaction() as inner:
                    conn.execute("create type mood as enum ('good', 'bad')")
                    query = "select %s::mood::text, pg_typeof(null::mood)::oid::int"
                    (row,) = run(conn, query, ["good"], prepare=True)
                    assert row[0] == "good"
                    raise psycopg3.Rollback(inner)
                conn.execute("create type mood as enum ('good', 'bad')")
                (again,) = run(conn, query, ["bad"], prepare=True)
                assert again[0] == "bad"
                assert again[1] != row[1]
                raise psycopg3.Rollback(outer)

    @pytest.mark.parametrize(
        "text", ["alter table {} add b int", "select 1; alter table {} add b int"]
    )
    def test_our_own_alter(self, either, table, text):
        times(either, 7, f"select * from {table}")
        either.execute(text.format(table))
        cur = either.execute(f"select * from {table}")
        assert len(cur.description) == 2
        either.rollback()

    def test_the_statements_of_old_are_ended(self, auto, table):
        run(auto, f"select * from {table}", prepare=True)
        first = prepared(auto)
        auto.execute(f"alter table {table} add b int")
        run(auto, f"select * from {table}")
        run(auto, "select 1", prepare=True)
        second = prepared(auto)
        assert len(second) == 2
        assert first.items().isdisjoint(second.items())

    @pytest.mark.parametrize(
        "command", ["discard all", "deallocate all", "select 1; deallocate all"]
    )
    def test_all_are_gone(self, auto, command):
        run(auto, "select 1", prepare=True)
        auto.execute(command)
        assert prepared(auto) == {}
        with auto.transaction():
            assert run(auto, "select 1", prepare=True) == [(1,)]
            assert len(prepared(auto)) == 1

    def test_one_is_deallocated(self, auto):
        run(auto, "select 1", prepare=True)
        (name,) = prepared(auto).values()
        auto.execute(f"deallocate {name}")
        with auto.transaction():
            assert run(auto, "select 1", prepare=True) == [(1,)]


class TestRepair:
    """What another session did, or a pooler, is repaired where nothing can be lost by it."""

    def test_another_session_changes_a_table(self, either, other, table):
        times(either, 7, f"select * from {table}")
        either.commit()
        for columns in (2, 3):
            other.execute(f"alter table {table} add c{columns} int")
            cur = either.execute(f"select * from {table}")
            assert len(cur.description) == columns
            assert either.in_transaction is not either.autocommit
            either.commit()

    def test_gone(self, either):
        times(either, 7, "select 1")
        either.commit()
        behind_its_back(either, b"deallocate all")
        assert run(either, "select 1") == [(1,)]

    def test_there_already(self, either, other):
        run(other, "select 1", prepare=True)
        ((_, name),) = prepared(other).items()
        behind_its_back(either, f"prepare {name} as select 1".encode())
        assert run(either, "select 1", prepare=True) == [(1,)]
        assert run(either, "select 1") == [(1,)]
        assert len(prepared(either)) == 1

    @pytest.mark.parametrize("name", [None, "first"])
    def test_the_first_of_a_block(self, auto, other, table, name):
        """A transaction() block that has had no statement so far is begun again, as it was."""
        times(auto, 7, f"select * from {table}")
        other.execute(f"alter table {table} add b int")
        with auto.transaction(name, isolation=psycopg3.IsolationLevel.SERIALIZABLE):
            cur = auto.execute(f"select * from {table}")
            assert len(cur.description) == 2
            assert run(auto, "show transaction_isolation") == [("serializable",)]
            if name:
                auto.execute(f"rollback to {name}")
        assert not auto.in_transaction

    @pytest.mark.parametrize("what", ["listen", "block", "executemany", "copy", "stream"])
    def test_not_if_something_was_done_before(self, auto, other, table, what):
        times(auto, 7, f"select * from {table}")
        other.execute(f"alter table {table} add b int")
        with pytest.raises(errors.FeatureNotSupported, match="driver had prepared"):
            with auto.transaction():
                if what == "listen":
                    auto.listen("channel", print)
                elif what == "block":
                    with auto.transaction():
                        pass
                elif what == "executemany":
                    auto.cursor().executemany("select %s", [[1]])
                elif what == "copy":
                    with auto.cursor().copy("copy (select 1) to stdout") as copy:
                        copy.read()
                else:
                    [row for row in auto.cursor().stream("select 1")]
                auto.execute(f"select * from {table}")

    def test_characteristics_stay(self, conn):
        conn.set_isolation_level(psycopg3.IsolationLevel.SERIALIZABLE)
        times(conn, 7, "show transaction_isolation")
        run(conn, "select current_setting('transaction_isolation')", prepare=True)
        conn.commit()
        behind_its_back(conn, b"deallocate all")
        query = "select current_setting('transaction_isolation')"
        assert run(conn, query) == [("serializable",)]

    def test_errors_of_the_query_stay(self, either):
        for _ in range(8):
            with pytest.raises(errors.DivisionByZero):
                either.execute("select 1 / %s::int", [0])
            either.rollback()

    @pytest.mark.parametrize("begin", ["typed", "block", "implicit"])
    def test_not_inside_a_transaction(self, dsn, other, table, begin):
        with Connection.connect(dsn, autocommit=begin != "implicit") as conn:
            times(conn, 7, f"select * from {table}")
            conn.commit()
            other.execute(f"alter table {table} add b int")
            with pytest.raises(errors.FeatureNotSupported, match="driver had prepared"):
                if begin == "block":
                    with conn.transaction():
                        conn.execute("select 1")
                        conn.execute(f"select * from {table}")
                else:
                    conn.execute("begin" if begin == "typed" else "select 1")
                    conn.execute(f"select * from {table}")
            conn.rollback()
            conn.execute("select 1")
            cur = conn.execute(f"select * from {table}")  # it has learnt
            assert len(cur.description) == 2

    def test_missing_inside_a_transaction(self, conn):
        times(conn, 7, "select 1")
        conn.execute("select 2")
        behind_its_back(conn, b"deallocate all")
        with pytest.raises(errors.InvalidSqlStatementName, match="pooler"):
            conn.execute("select 1")
        conn.rollback()
        assert run(conn, "select 1") == [(1,)]

    def test_a_pooler_that_keeps_no_account(self, auto, caplog):
        for _ in range(10):
            for n in range(7):
                assert run(auto, "select %s::int", [n]) == [(n,)]
            behind_its_back(auto, b"deallocate all")
        assert auto.prepare_threshold is None
        assert "pooler" in caplog.text


class TestPipelines:
    def test_prepared_inside(self, either):
        with either.pipeline():
            curs = [either.execute("select %s::int", [n]) for n in range(20)]
            assert [cur.fetchone() for cur in curs] == [(n,) for n in range(20)]
        assert list(prepared(either)) == ["select $1::int"]

    def test_before_and_inside(self, either):
        times(either, 6, "select 1")
        with either.pipeline():
            cur = either.execute("select 1")
            assert cur.fetchone() == (1,)
        assert len(prepared(either)) == 1

    def test_eviction_inside(self, either):
        either.prepared_max = 2
        for n in range(4):  # where it is found out whether statements can be ended
            run(either, f"select {n}", prepare=True)
        with either.pipeline():
            curs = [either.execute(f"select {n % 5}", prepare=True) for n in range(20)]
            assert [cur.fetchone() for cur in curs] == [(n % 5,) for n in range(20)]
        assert len(prepared(either)) <= 2
        for n in range(5):
            assert run(either, f"select {n}", prepare=True) == [(n,)]

    def test_a_preparation_that_is_aborted(self, auto):
        """What the server has skipped isn't there."""
        with auto.pipeline() as pipeline:
            failed = auto.execute("select 1/0")
            aborted = auto.execute("select 1", prepare=True)
            with pytest.raises(errors.DivisionByZero):
                failed.fetchone()
            with pytest.raises(errors.PipelineAborted):
                aborted.fetchone()
            pipeline.sync()
            assert run(auto, "select 1") == [(1,)]
            assert run(auto, "select 1", prepare=True) == [(1,)]
        assert len(prepared(auto)) == 1

    def test_a_preparation_that_fails(self, auto):
        with auto.pipeline() as pipeline:
            failed = auto.execute("select * from no_such_table", prepare=True)
            aborted = auto.execute("select 1", prepare=True)
            with pytest.raises(errors.UndefinedTable):
                failed.fetchone()
            with pytest.raises(errors.PipelineAborted):
                aborted.fetchone()
            pipeline.sync()

    def test_a_fault_is_told(self, auto):
        times(auto, 7, "select 1")
        behind_its_back(auto, b"deallocate all")
        with auto.pipeline() as pipeline:
            cur = auto.execute("select 1")
            auto.execute("select 2")
            with pytest.raises(errors.InvalidSqlStatementName, match="driver had prepared"):
                cur.fetchone()
            pipeline.sync()
            assert run(auto, "select 1") == [(1,)]
