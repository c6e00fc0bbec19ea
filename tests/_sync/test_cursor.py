# Generated from tests/_async/test_cursor.py by `python tools/unasync.py`: edit that file, not this one.
"""Cursor: execute and fetch."""

from __future__ import annotations

import datetime as dt
import pickle
from decimal import Decimal
from uuid import UUID

import pytest

import psycopg3
from psycopg3 import errors, rows
from psycopg3.pq import Format, TransactionStatus

pytestmark = pytest.mark.anyio


class TestExecute:
    def test_chain(self, conn):
        cur = conn.cursor()
        assert cur.execute("select 1") is cur

    def test_context_closes(self, conn):
        with conn.cursor() as cur:
            cur.execute("select 1")
        assert cur.closed
        for use in (cur.fetchone, cur.fetchmany, cur.fetchall):
            with pytest.raises(psycopg3.InterfaceError, match="closed"):
                use()
        with pytest.raises(psycopg3.InterfaceError, match="closed"):
            cur.execute("select 1")

    def test_positional_and_named(self, conn):
        cur = conn.execute("select %s, %s", [1, "a"])
        assert cur.fetchone() == (1, "a")
        cur = conn.execute("select %(a)s, %(b)s, %(a)s", {"a": 1, "b": "x", "c": 2})
        assert cur.fetchone() == (1, "x", 1)

    @pytest.mark.parametrize("binary", [False, True])
    def test_values(self, conn, binary):
        values = [
            None,
            True,
            42,
            -(2**62),
            10**30,
            1.5,
            Decimal("1.20"),
            "it's ünïcode",
            b"\x00\xff",
            dt.date(2026, 11, 21),
            dt.time(1, 2, 3, 4),
            dt.datetime(2026, 11, 21, 1, 2, 3, 4),
            dt.datetime(2026, 11, 21, 1, 2, 3, 4, dt.UTC),
            dt.timedelta(days=-1, seconds=2, microseconds=3),
            UUID("12345678123456781234567812345678"),
            [1, 2, None],
            [["a", 'b"c'], ["d,e", "{}"]],
        ]
        query = "select " + ", ".join(["%s"] * len(values)) + "::text[]"
        with conn.cursor(binary=binary) as cur:
            cur.execute(query, values)
            assert cur.fetchone() == tuple(values)

    def test_json(self, conn):
        from psycopg3.types.json import Json, Jsonb

        value = {"a": [1, None, "ü"]}
        cur = conn.execute("select %s, %s", [Json(value), Jsonb(value)])
        assert cur.fetchone() == (value, value)

    @pytest.mark.parametrize("placeholder, oid", [("%s", 23), ("%t", 23), ("%b", 23)])
    def test_formats(self, conn, placeholder, oid):
        cur = conn.execute(f"select {placeholder}, pg_typeof({placeholder})::oid", [1, 1])
        assert cur.fetchone() == (1, oid)

    def test_binary(self, conn):
        cur = conn.execute("select 1", binary=True)
        assert cur.pgresult.get_value(0, 0) == b"\0\0\0\1"
        assert cur.fetchone() == (1,)
        cur = conn.cursor(binary=True)
        assert cur.format == Format.BINARY
        cur.execute("select 1", binary=False)
        assert cur.pgresult.get_value(0, 0) == b"1"

    def test_bytes(self, conn):
        cur = conn.execute(b"select %s", [1])
        assert cur.fetchone() == (1,)

    def test_other_encodings(self, conn):
        conn.execute("set client_encoding to latin1")
        cur = conn.execute("select %s, 'é' as é", ["à"])
        assert cur.fetchone() == ("à", "é")
        assert cur.description[1].name == "é"
        with pytest.raises(psycopg3.DataError):
            conn.execute("select %s", ["€"])
        with pytest.raises(errors.UndefinedColumn, match="ñ"):
            conn.execute("select ñ")

    def test_an_encoding_that_python_lacks(self, conn):
        """What needs no codec works; text is refused, be it sent or read."""
        conn.execute("set client_encoding to euc_tw")
        for query, params in (("select 'é'", None), ("select %s", ["x"]), (b"select 'x'", None)):
            with pytest.raises(psycopg3.NotSupportedError, match="EUC_TW"):
                conn.execute(query, params)
        row = (1, 1.5, None, True)
        assert conn.execute("select 1, 1.5::float8, null::int, true").fetchone() == row
        cur = conn.execute("select %s, %s::float8, %s::int, %s", row)
        assert cur.fetchone() == row
        conn.execute(b"set client_encoding to utf8")
        assert conn.execute("select 1").fetchone() == (1,)

    def test_error(self, conn):
        cur = conn.cursor()
        with pytest.raises(errors.UndefinedTable) as ex:
            cur.execute("select * from no_such_table")
        assert ex.value.sqlstate == "42P01"
        assert "no_such_table" in ex.value.diag.message_primary
        assert ex.value.diag.statement_position == "15"
        assert cur.pgresult is None and cur.description is None
        conn.rollback()
        assert cur.execute("select 1").fetchone() == (1,)

    def test_the_query_is_kept(self, conn):
        cur = conn.execute("select %s::text", ["x"])
        assert (cur._query.query, cur._query.params) == (b"select $1::text", [b"x"])

    def test_copy_is_refused(self, conn):
        for copy in ("copy (select 1) to stdout", "copy pg_class from stdin"):
            with pytest.raises(psycopg3.Error, match="COPY|permission"):
                conn.execute(copy)
            conn.rollback()
        assert conn.execute("select 1").fetchone() == (1,)

    @pytest.mark.parametrize("query", ["select 'a\0b'", b"select '\0'"])
    def test_nul_in_the_query(self, conn, query):
        with pytest.raises(psycopg3.DataError, match="NUL"):
            conn.execute(query)
        assert conn.pgconn.transaction_status == TransactionStatus.IDLE

    def test_nul_in_a_value(self, conn):
        with pytest.raises(psycopg3.DataError, match="NUL"):
            conn.execute("select %s", ["a\0b"])
        assert conn.pgconn.transaction_status == TransactionStatus.IDLE

    def test_no_dumper(self, conn):
        with pytest.raises(psycopg3.ProgrammingError, match="complex"):
            conn.execute("select %s", [1j])


class TestSeveralResults:
    def test_nextset(self, conn):
        cur = conn.execute("select 10; select 20")
        assert cur.pgresult.get_value(0, 0) == b"10"
        assert cur.nextset() is True
        assert cur.pgresult.get_value(0, 0) == b"20"
        assert cur.fetchone() == (20,)
        assert cur.nextset() is None
        assert cur.fetchone() is None

    def test_results(self, conn):
        cur = conn.execute("select 1; set local work_mem = '4MB'; select 2, 3")
        seen = []
        for each in cur.results():
            assert each is cur
            seen.append(cur.fetchall() if cur.description else cur.statusmessage)
        assert seen == [[(1,)], "SET", [(2, 3)]]

    def test_no_results(self, conn):
        for _ in conn.cursor().results():
            raise AssertionError

    def test_set_result(self, conn):
        cur = conn.execute("select 1; select 2; select 3")
        assert cur.set_result(-1).fetchall() == [(3,)]
        assert cur.set_result(0).fetchall() == [(1,)]
        assert cur.set_result(0).fetchall() == [(1,)]
        for index in (3, -4):
            with pytest.raises(IndexError, match="3 results"):
                cur.set_result(index)

    def test_an_error_hides_what_came_before(self, conn):
        cur = conn.cursor()
        with pytest.raises(errors.DivisionByZero):
            cur.execute("select 1; select 1/0")
        with pytest.raises(psycopg3.ProgrammingError, match="no result"):
            cur.fetchone()

    @pytest.mark.parametrize("params", [None, (), [], {}])
    def test_without_parameters_there_may_be_several(self, conn, params):
        cur = conn.execute("select 1; select 2", params)
        assert cur.nextset() and cur.fetchone() == (2,)

    def test_with_parameters_it_is_one(self, conn):
        with pytest.raises(errors.SyntaxError):
            conn.execute("select %s; select 2", [1])


class TestFetch:
    def test_one(self, conn):
        cur = conn.execute("select generate_series(1, 2)")
        assert [cur.fetchone() for _ in range(4)] == [(1,), (2,), None, None]
        assert cur.rownumber == 2

    def test_many(self, conn):
        cur = conn.execute("select generate_series(1, 5)")
        assert cur.fetchmany(2) == [(1,), (2,)]
        cur.arraysize = 2
        assert cur.fetchmany() == [(3,), (4,)]
        assert cur.fetchmany(9) == [(5,)]
        assert cur.fetchmany() == []

    def test_all(self, conn):
        cur = conn.execute("select generate_series(1, 3)")
        assert cur.fetchone() == (1,)
        assert cur.fetchall() == [(2,), (3,)]
        assert cur.fetchall() == []

    def test_iteration(self, conn):
        cur = conn.execute("select generate_series(1, 4)")
        assert cur.fetchone() == (1,)
        assert [row for row in cur] == [(2,), (3,), (4,)]
        with pytest.raises(StopIteration):
            cur.__next__()

    def test_rows_that_are_none_go_on(self, conn):
        cur = conn.cursor(row_factory=rows.scalar_row)
        cur.execute("select null from generate_series(1, 3)")
        assert [row for row in cur] == [None, None, None]

    @pytest.mark.parametrize(
        "query, status", [("set work_mem to '4MB'", "SET"), ("", "EMPTY_QUERY")]
    )
    def test_no_rows_to_fetch(self, conn, query, status):
        cur = conn.execute(query)
        assert cur.description is None and cur.rownumber is None
        for use in (cur.fetchone, cur.fetchmany, cur.fetchall):
            with pytest.raises(psycopg3.ProgrammingError, match=status):
                use()

    def test_nothing_executed(self, conn):
        with pytest.raises(psycopg3.ProgrammingError, match="execute a query"):
            conn.cursor().fetchone()

    def test_a_value_that_cannot_be_loaded_moves_nothing(self, conn):
        cur = conn.execute("select n from unnest(array['2026-11-21', 'infinity']::date[]) n")
        for fetch in (cur.fetchall, lambda: cur.fetchmany(2)):
            with pytest.raises(psycopg3.DataError):
                fetch()
            assert cur.rownumber == 0
        assert cur.fetchone() == (dt.date(2026, 11, 21),)

    def test_a_negative_size(self, conn):
        cur = conn.execute("select generate_series(1, 2)")
        with pytest.raises(psycopg3.ProgrammingError, match="-1"):
            cur.fetchmany(-1)
        assert cur.fetchall() == [(1,), (2,)]

    def test_a_loader_for_a_live_result(self, conn):
        cur = conn.execute("select generate_series(1, 2)")
        assert cur.fetchone() == (1,)
        cur.adapters.register_loader("int4", psycopg3.types.string.TextLoader)
        assert cur.fetchone() == ("2",)

    def test_no_columns(self, conn):
        cur = conn.execute("select")
        assert cur.fetchall() == [()]

    def test_scroll(self, conn):
        cur = conn.execute("select generate_series(0, 9)")
        cur.scroll(4)
        assert cur.fetchone() == (4,)
        cur.scroll(-2)
        assert cur.fetchone() == (3,)
        cur.scroll(9, mode="absolute")
        assert cur.fetchone() == (9,)
        for value, mode in ((1, "relative"), (-11, "relative"), (10, "absolute"), (-1, "absolute")):
            with pytest.raises(IndexError, match="10 rows"):
                cur.scroll(value, mode)
        with pytest.raises(ValueError, match="'wrong'"):
            cur.scroll(1, "wrong")
        with pytest.raises(TypeError):
            cur.scroll(0.0)

    def test_row_factory_of_a_cursor(self, conn):
        cur = conn.cursor(row_factory=rows.dict_row)
        cur.execute("select 1 as a, 2 as b; select 3 as c")
        assert cur.fetchone() == {"a": 1, "b": 2}
        cur.nextset()
        assert cur.fetchone() == {"c": 3}

    def test_row_factory_of_a_live_result(self, conn):
        cur = conn.execute("select n from generate_series(1, 2) n")
        assert cur.fetchone() == (1,)
        cur.row_factory = rows.dict_row
        assert cur.fetchone() == {"n": 2}

    def test_a_failing_row_factory(self, conn):
        def failing(cursor):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            conn.cursor(row_factory=failing).execute("select 1")
        assert conn.execute("select 1").fetchone() == (1,)


class TestDescription:
    def test_columns(self, conn):
        cur = conn.execute("select 1 as a, 'x'::varchar(5) as b, 1.5::numeric(10,2) as c")
        a, b, c = cur.description
        assert (a.name, a.type_code, a.internal_size, a.display_size) == ("a", 23, 4, None)
        assert (b.name, b.type_code, b.internal_size, b.display_size) == ("b", 1043, None, 5)
        assert (c.precision, c.scale, c.null_ok) == (10, 2, None)
        assert tuple(c) == ("c", 1700, None, None, 10, 2, None)
        assert len(c) == 7 and c[0] == "c"
        assert a.type_code == psycopg3.NUMBER and b.type_code == psycopg3.STRING

    @pytest.mark.parametrize(
        "type",
        ["int4", "int4[]", "text", "varchar(42)", "numeric(10,2)[]", "numeric", "timestamptz(3)"],
    )
    def test_type_display(self, conn, type):
        cur = conn.execute(f"select null::{type}")
        assert cur.description[0].type_display == type
        assert type in repr(cur.description[0])

    def test_pickle(self, conn):
        cur = conn.execute("select 1 as a")
        (column,) = cur.description
        assert pickle.loads(pickle.dumps(column)) == column

    def test_counts(self, conn):
        cur = conn.cursor()
        assert (cur.rowcount, cur.statusmessage) == (-1, None)
        cur.execute("create temp table t (n int)")
        assert (cur.rowcount, cur.statusmessage) == (-1, "CREATE TABLE")
        cur.execute("insert into t values (1), (2)")
        assert (cur.rowcount, cur.statusmessage) == (2, "INSERT 0 2")
        cur.execute("select * from t")
        assert (cur.rowcount, cur.statusmessage) == (2, "SELECT 2")
        cur.execute("update t set n = 3 where n = 4")
        assert cur.rowcount == 0
        cur.execute("show work_mem")
        assert (cur.rowcount, cur.statusmessage) == (1, "SHOW")
        cur.execute("")
        assert (cur.rowcount, cur.statusmessage) == (-1, None)


class TestExecutemany:
    def test_total(self, conn):
        cur = conn.execute("create temp table t (n int, s text)")
        cur.executemany("insert into t values (%s, %s)", ((i, str(i)) for i in range(1000)))
        assert (cur.rowcount, cur.statusmessage) == (1000, "INSERT 0 1")
        assert cur.pgresult is None
        cur.execute("select count(*), sum(n), sum(s::int) from t")
        assert cur.fetchone() == (1000, 499500, 499500)

    def test_returning(self, conn):
        cur = conn.cursor()
        cur.executemany("select %s::int", [(1,), (2,), (3,)], returning=True)
        assert cur.rowcount == 3
        seen = []
        for _ in cur.results():
            seen += cur.fetchall()
        assert seen == [(1,), (2,), (3,)]

    def test_named(self, conn):
        cur = conn.cursor()
        cur.executemany("select %(a)s::int", [{"a": 1}, {"a": 2}], returning=True)
        assert cur.fetchall() == [(1,)]

    def test_nothing(self, conn):
        cur = conn.cursor()
        cur.executemany("insert into no_such_table values (%s)", [])
        assert cur.rowcount == 0
        assert conn.pgconn.transaction_status == TransactionStatus.IDLE

    def test_types_may_change(self, conn):
        cur = conn.execute("create temp table t (n numeric)")
        cur.executemany("insert into t values (%s)", [(None,), (1,), (2**40,), (Decimal("0.5"),)])
        cur.execute("select sum(n) from t")
        assert cur.fetchone() == (Decimal(2**40) + Decimal("1.5"),)

    @pytest.mark.parametrize("autocommit", [False, True])
    def test_an_error_keeps_nothing(self, conn, autocommit):
        cur = conn.execute("create temp table t (n int primary key)")
        conn.commit()
        conn.set_autocommit(autocommit)
        with pytest.raises(errors.UniqueViolation):
            cur.executemany("insert into t values (%s)", [(n % 700,) for n in range(2000)])
        conn.rollback()
        cur.execute("select count(*) from t")
        assert cur.fetchone() == (0,)

    @pytest.mark.parametrize("autocommit", [False, True])
    def test_a_failing_iterable_keeps_nothing(self, conn, autocommit):
        def failing():
            for n in range(1000):
                yield (n,)
            raise ZeroDivisionError

        cur = conn.execute("create temp table t (n int primary key)")
        conn.commit()
        conn.set_autocommit(autocommit)
        with pytest.raises(ZeroDivisionError):
            cur.executemany("insert into t values (%s)", failing())
        assert conn.pgconn.transaction_status in (TransactionStatus.IDLE, TransactionStatus.INERROR)
        conn.rollback()
        cur.execute("select count(*) from t")
        assert cur.fetchone() == (0,)

    def test_no_iterable(self, conn):
        with pytest.raises(psycopg3.ProgrammingError, match="int"):
            conn.cursor().executemany("select %s", 5)

    def test_copy_is_refused(self, conn):
        with pytest.raises(psycopg3.ProgrammingError, match="COPY"):
            conn.cursor().executemany("/* x */ copy pg_class to stdout", [()])
        assert conn.execute("select 1").fetchone() == (1,)

    def test_bad_parameters(self, conn):
        cur = conn.cursor()
        with pytest.raises(psycopg3.ProgrammingError, match="placeholders"):
            cur.executemany("select %s", [(1,), (1, 2)])
        conn.rollback()
        assert conn.execute("select 1").fetchone() == (1,)

    def test_large_results_do_not_lock_up(self, conn):
        cur = conn.cursor()
        big = "x" * 20_000
        cur.executemany("select %s::text", [(big,)] * 600, returning=True)
        assert sum([1 for _ in cur.results()]) == 600


def test_reprs(conn):
    cur = conn.cursor()
    assert "no result" in repr(cur)
    cur.execute("select 1")
    assert "TUPLES_OK" in repr(cur) and "psycopg3." in repr(cur)
    cur.close()
    assert "closed" in repr(cur)


def test_adapters_of_a_cursor(conn):
    cur = conn.cursor()
    cur.adapters.register_loader("int4", psycopg3.types.string.TextLoader)
    assert cur.execute("select 1").fetchone() == ("1",)
    assert conn.execute("select 1").fetchone() == (1,)
