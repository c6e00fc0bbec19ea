# Generated from tests/_async/test_statement.py by `python tools/unasync.py`: edit that file, not this one.
"""Statement: a query that is prepared by `conn.prepare()`, and executed many times."""

from __future__ import annotations

import datetime as dt
import gc
import weakref
from decimal import Decimal

import pytest

import psycopg3
from psycopg3 import Connection, Parameter, errors
from psycopg3.rows import dict_row
from psycopg3.types.json import Jsonb
from tests.marks import counts_references

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[False, True], ids=["transaction", "autocommit"])
def either(dsn, request):
    with Connection.connect(dsn, autocommit=request.param) as conn:
        yield conn


@pytest.fixture
def auto(dsn):
    with Connection.connect(dsn, autocommit=True) as conn:
        yield conn


def names(conn):
    cur = conn.execute("select name from pg_prepared_statements", prepare=False)
    return [name for (name,) in cur.fetchall()]


class TestDescription:
    def test_what_it_is(self, either):
        statement = either.prepare("select %s::numeric(10, 2) + 1 as sum, %s::text || '%%'")
        assert isinstance(statement, psycopg3.Statement)
        assert statement.query == "select $1::numeric(10, 2) + 1 as sum, $2::text || '%'"
        assert statement.parameters == [Parameter(1700, "numeric"), Parameter(25, "text")]
        assert [(c.name, c.type_code) for c in statement.columns] == [
            ("sum", 1700),
            ("?column?", 25),
        ]
        assert statement.name.startswith("_pg3_")
        assert statement.name in repr(statement)
        assert names(either) == [statement.name]
        assert statement.statusmessage is None
        assert statement.connection is either

    def test_no_rows(self, auto):
        auto.execute("create temp table t (n int)")
        statement = auto.prepare("insert into t values (%s)")
        assert statement.columns == []
        cur = statement.execute([1])
        assert (cur.rowcount, statement.statusmessage) == (1, "INSERT 0 1")

    def test_a_type_of_ones_own(self, auto):
        auto.execute("create type pg_temp.mood as enum ('good', 'bad')")
        statement = auto.prepare("select %s::pg_temp.mood")
        (parameter,) = statement.parameters
        assert parameter.type_display == str(parameter.type_code)
        assert statement.fetchval(["bad"]) == "bad"

    @pytest.mark.parametrize(
        ("query", "error"),
        [
            ("wat", errors.SyntaxError),
            ("select * from no_such_table", errors.UndefinedTable),
            ("select 1; select 2", errors.SyntaxError),
            ("select %s + %s", errors.AmbiguousFunction),
            ("select %x", psycopg3.ProgrammingError),
            (7, psycopg3.ProgrammingError),
        ],
    )
    def test_errors(self, auto, query, error):
        with pytest.raises(error):
            auto.prepare(query)
        assert names(auto) == []

    def test_a_timeout_is_an_argument(self, auto):
        assert auto.prepare("select 1", timeout=5).fetchval() == 1


class TestExecution:
    def test_ways_to_fetch(self, either):
        with either.prepare("select n, n * 2 from generate_series(1, %s) n") as statement:
            assert statement.fetch([2]) == [(1, 2), (2, 4)]
            assert statement.fetchrow([2]) == (1, 2)
            assert statement.fetchval([2], column=1) == 2
            assert statement.fetchrow([0]) is None
            assert statement.fetchval([0]) is None
            cur = statement.execute([3], binary=True)
            assert cur.rowcount == 3
            assert cur.pgresult.get_value(0, 0) == b"\0\0\0\1"
            assert [row for row in statement.stream([3])] == [(1, 2), (2, 4), (3, 6)]
            assert len(names(either)) == 1

    def test_rows_are_the_connections(self, auto):
        auto.row_factory = dict_row
        statement = auto.prepare("select 1 as one")
        assert statement.fetch() == [{"one": 1}]
        assert statement.fetchval() == 1
        assert statement.explain()

    def test_names_and_dollars(self, auto):
        named = auto.prepare("select %(a)s::int - %(b)s::int - %(a)s::int")
        assert named.fetchval({"a": 7, "b": 5}) == -5
        with pytest.raises(psycopg3.ProgrammingError, match="lack a value for b"):
            named.fetch({"a": 7})
        raw = auto.prepare("select $2::int % $1::int, '%'", raw=True)
        assert raw.fetchrow([5, 7]) == (2, "%")
        with pytest.raises(psycopg3.ProgrammingError, match="2 placeholders"):
            raw.fetch([5])

    @pytest.mark.parametrize(
        ("type", "value"),
        [
            ("smallint", 7),
            ("bigint", 7),
            ("bigint", 1 << 40),
            ("numeric", 7),
            ("numeric", Decimal("1.5")),
            ("float4", 1.5),
            ("float8", 1.5),
            ("bool", True),
            ("text", "é'"),
            ("date", dt.date(2020, 1, 2)),
            ("interval", dt.timedelta(days=1, seconds=2)),
            ("bigint[]", [1, 2]),
            ("numeric[]", [Decimal("1.5"), None]),
            ("text[]", ["a", "b"]),
            ("bytea", b"\0\1"),
            ("jsonb", Jsonb({"a": 1})),
            ("int", None),
        ],
    )
    def test_values_as_the_server_wants_them(self, auto, type, value):
        statement = auto.prepare(f"select %s::{type}")
        expected = getattr(value, "obj", value)
        for _ in range(2):
            assert statement.fetchval([value]) == expected
        assert auto.prepare(f"select %s::{type}").fetchval([None]) is None

    def test_classes_that_change(self, auto):
        statement = auto.prepare("select %s::float8")
        for value in (1, 1.5, Decimal("2.5"), "3.5", 4):
            assert statement.fetchval([value]) == float(value)
        assert len(names(auto)) == 1

    def test_bad_values(self, auto):
        statement = auto.prepare("select %s::int, %s::date")
        with pytest.raises(psycopg3.ProgrammingError, match=r"parameter \$2"):
            statement.fetch([1, object()])
        with pytest.raises(errors.InvalidTextRepresentation):
            statement.fetch(["x", None])
        with pytest.raises(psycopg3.ProgrammingError, match="2 placeholders"):
            statement.fetch()

    def test_executemany(self, auto):
        auto.execute("create temp table t (n bigint, x text)")
        insert = auto.prepare("insert into t values (%s, %s) returning n")
        cur = insert.executemany([(n, n) for n in range(10)], returning=True)
        assert cur.rowcount == 10
        assert [r.fetchone() for r in cur.results()] == [(n,) for n in range(10)]
        assert insert.statusmessage == "INSERT 0 1"

    def test_in_a_pipeline(self, auto):
        with auto.pipeline():
            statement = auto.prepare("select %s::int")
            curs = [statement.execute([n]) for n in range(10)]
            assert [cur.fetchone() for cur in curs] == [(n,) for n in range(10)]

    def test_nothing_is_to_be_prepared(self, auto):
        auto.prepare_threshold = None
        statement = auto.prepare("select %s::numeric")
        assert (statement.name, statement.parameters) == ("", [Parameter(1700, "numeric")])
        assert statement.fetchval([7]) == 7
        assert names(auto) == []

    def test_it_was_evicted(self, auto):
        auto.prepared_max = 1
        first, second = auto.prepare("select 1"), auto.prepare("select 2")
        assert first.name == ""
        for _ in range(2):
            assert first.fetchval() == 1
            assert second.fetchval() == 2
        assert len(names(auto)) == 1


class TestRepair:
    def test_the_table_was_changed(self, auto, other):
        other.execute("create table statement_test (a int)")
        try:
            statement = auto.prepare("select * from statement_test")
            assert statement.fetch() == []
            other.execute("alter table statement_test add b int")
            assert len(statement.execute().description) == 2
        finally:
            other.execute("drop table statement_test")

    def test_it_is_gone(self, either):
        statement = either.prepare("select %s::int8")
        either.commit()
        for command in (b"deallocate all", b"discard plans"):
            either.pgconn.exec_(command)
            assert statement.fetchval([7]) == 7
            either.commit()

    def test_it_is_there_already(self, auto, other):
        name = other.prepare("select 1").name
        auto.pgconn.exec_(f"prepare {name} as select 1".encode())
        statement = auto.prepare("select 1")
        assert statement.name == name
        assert statement.fetchval() == 1


class TestExplain:
    def test_plan(self, either):
        statement = either.prepare("select * from pg_class where oid = %s")
        (plan,) = statement.explain([7])
        assert "Index" in plan["Plan"]["Node Type"]
        assert "Execution Time" not in plan
        (plan,) = statement.explain([7], costs=False)
        assert "Total Cost" not in plan["Plan"]

    def test_analyze_changes_nothing(self, either):
        either.execute("create temp table t (n int)")
        statement = either.prepare("insert into t values (%s)")
        (plan,) = statement.explain([7], analyze=True, buffers=True)
        assert "Execution Time" in plan
        assert either.execute("select * from t").fetchall() == []

    @pytest.mark.parametrize("options", [{"costs": 7}, {"costs": "off, analyze"}, {"a b": True}])
    def test_options(self, auto, options):
        statement = auto.prepare("select 1")
        with pytest.raises(psycopg3.ProgrammingError, match="EXPLAIN"):
            statement.explain(**options)


class TestClose:
    def test_it_is_gone_at_the_server(self, either):
        with either.prepare("select 1") as statement:
            assert len(names(either)) == 1
        assert names(either) == []
        statement.close()
        assert "closed" in repr(statement)
        for use in (statement.execute, statement.fetchval, statement.explain):
            with pytest.raises(psycopg3.InterfaceError, match="closed"):
                use()
        assert either.prepare("select 1").fetchval() == 1

    def test_it_hides_no_error(self, conn):
        with pytest.raises(errors.DivisionByZero):
            with conn.prepare("select 1 / %s::int") as statement:
                statement.fetch([0])
        conn.rollback()
        assert conn.prepare("select 1 / %s::int").fetchval([1]) == 1

    def test_a_closed_connection(self, dsn):
        conn = Connection.connect(dsn)
        statement = conn.prepare("select 1")
        conn.close()
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            statement.execute()
        statement.close()

    @counts_references
    def test_no_cycles(self, auto):
        gc.collect()
        gc.disable()
        try:
            statement = auto.prepare("select %s::int")
            statement.fetch([1])
            ref = weakref.ref(statement)
            del statement
            assert ref() is None
        finally:
            gc.enable()
