"""AsyncCursor: execute and fetch."""

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
    async def test_chain(self, conn):
        cur = conn.cursor()
        assert await cur.execute("select 1") is cur

    async def test_context_closes(self, conn):
        async with conn.cursor() as cur:
            await cur.execute("select 1")
        assert cur.closed
        for use in (cur.fetchone, cur.fetchmany, cur.fetchall):
            with pytest.raises(psycopg3.InterfaceError, match="closed"):
                await use()
        with pytest.raises(psycopg3.InterfaceError, match="closed"):
            await cur.execute("select 1")

    async def test_positional_and_named(self, conn):
        cur = await conn.execute("select %s, %s", [1, "a"])
        assert await cur.fetchone() == (1, "a")
        cur = await conn.execute("select %(a)s, %(b)s, %(a)s", {"a": 1, "b": "x", "c": 2})
        assert await cur.fetchone() == (1, "x", 1)

    @pytest.mark.parametrize("binary", [False, True])
    async def test_values(self, conn, binary):
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
        async with conn.cursor(binary=binary) as cur:
            await cur.execute(query, values)
            assert await cur.fetchone() == tuple(values)

    async def test_json(self, conn):
        from psycopg3.types.json import Json, Jsonb

        value = {"a": [1, None, "ü"]}
        cur = await conn.execute("select %s, %s", [Json(value), Jsonb(value)])
        assert await cur.fetchone() == (value, value)

    @pytest.mark.parametrize("placeholder, oid", [("%s", 23), ("%t", 23), ("%b", 23)])
    async def test_formats(self, conn, placeholder, oid):
        cur = await conn.execute(f"select {placeholder}, pg_typeof({placeholder})::oid", [1, 1])
        assert await cur.fetchone() == (1, oid)

    async def test_binary(self, conn):
        cur = await conn.execute("select 1", binary=True)
        assert cur.pgresult.get_value(0, 0) == b"\0\0\0\1"
        assert await cur.fetchone() == (1,)
        cur = conn.cursor(binary=True)
        assert cur.format == Format.BINARY
        await cur.execute("select 1", binary=False)
        assert cur.pgresult.get_value(0, 0) == b"1"

    async def test_bytes(self, conn):
        cur = await conn.execute(b"select %s", [1])
        assert await cur.fetchone() == (1,)

    async def test_other_encodings(self, conn):
        await conn.execute("set client_encoding to latin1")
        cur = await conn.execute("select %s, 'é' as é", ["à"])
        assert await cur.fetchone() == ("à", "é")
        assert cur.description[1].name == "é"
        with pytest.raises(psycopg3.DataError):
            await conn.execute("select %s", ["€"])
        with pytest.raises(errors.UndefinedColumn, match="ñ"):
            await conn.execute("select ñ")

    async def test_an_encoding_that_python_lacks(self, conn):
        """What needs no codec works; text is refused, be it sent or read."""
        await conn.execute("set client_encoding to euc_tw")
        for query, params in (("select 'é'", None), ("select %s", ["x"]), (b"select 'x'", None)):
            with pytest.raises(psycopg3.NotSupportedError, match="EUC_TW"):
                await conn.execute(query, params)
        row = (1, 1.5, None, True)
        assert (
            await (await conn.execute("select 1, 1.5::float8, null::int, true")).fetchone() == row
        )
        cur = await conn.execute("select %s, %s::float8, %s::int, %s", row)
        assert await cur.fetchone() == row
        await conn.execute(b"set client_encoding to utf8")
        assert await (await conn.execute("select 1")).fetchone() == (1,)

    async def test_error(self, conn):
        cur = conn.cursor()
        with pytest.raises(errors.UndefinedTable) as ex:
            await cur.execute("select * from no_such_table")
        assert ex.value.sqlstate == "42P01"
        assert "no_such_table" in ex.value.diag.message_primary
        assert ex.value.diag.statement_position == "15"
        assert cur.pgresult is None and cur.description is None
        await conn.rollback()
        assert await (await cur.execute("select 1")).fetchone() == (1,)

    async def test_the_query_is_kept(self, conn):
        cur = await conn.execute("select %s::text", ["x"])
        assert (cur._query.query, cur._query.params) == (b"select $1::text", [b"x"])

    async def test_copy_is_refused(self, conn):
        for copy in ("copy (select 1) to stdout", "copy pg_class from stdin"):
            with pytest.raises(psycopg3.Error, match="COPY|permission"):
                await conn.execute(copy)
            await conn.rollback()
        assert await (await conn.execute("select 1")).fetchone() == (1,)

    @pytest.mark.parametrize("query", ["select 'a\0b'", b"select '\0'"])
    async def test_nul_in_the_query(self, conn, query):
        with pytest.raises(psycopg3.DataError, match="NUL"):
            await conn.execute(query)
        assert conn.pgconn.transaction_status == TransactionStatus.IDLE

    async def test_nul_in_a_value(self, conn):
        with pytest.raises(psycopg3.DataError, match="NUL"):
            await conn.execute("select %s", ["a\0b"])
        assert conn.pgconn.transaction_status == TransactionStatus.IDLE

    async def test_no_dumper(self, conn):
        with pytest.raises(psycopg3.ProgrammingError, match="complex"):
            await conn.execute("select %s", [1j])


class TestSeveralResults:
    async def test_nextset(self, conn):
        cur = await conn.execute("select 10; select 20")
        assert cur.pgresult.get_value(0, 0) == b"10"
        assert cur.nextset() is True
        assert cur.pgresult.get_value(0, 0) == b"20"
        assert await cur.fetchone() == (20,)
        assert cur.nextset() is None
        assert await cur.fetchone() is None

    async def test_results(self, conn):
        cur = await conn.execute("select 1; set local work_mem = '4MB'; select 2, 3")
        seen = []
        async for each in cur.results():
            assert each is cur
            seen.append(await cur.fetchall() if cur.description else cur.statusmessage)
        assert seen == [[(1,)], "SET", [(2, 3)]]

    async def test_no_results(self, conn):
        async for _ in conn.cursor().results():
            raise AssertionError

    async def test_set_result(self, conn):
        cur = await conn.execute("select 1; select 2; select 3")
        assert await (await cur.set_result(-1)).fetchall() == [(3,)]
        assert await (await cur.set_result(0)).fetchall() == [(1,)]
        assert await (await cur.set_result(0)).fetchall() == [(1,)]
        for index in (3, -4):
            with pytest.raises(IndexError, match="3 results"):
                await cur.set_result(index)

    async def test_an_error_hides_what_came_before(self, conn):
        cur = conn.cursor()
        with pytest.raises(errors.DivisionByZero):
            await cur.execute("select 1; select 1/0")
        with pytest.raises(psycopg3.ProgrammingError, match="no result"):
            await cur.fetchone()

    @pytest.mark.parametrize("params", [None, (), [], {}])
    async def test_without_parameters_there_may_be_several(self, conn, params):
        cur = await conn.execute("select 1; select 2", params)
        assert cur.nextset() and await cur.fetchone() == (2,)

    async def test_with_parameters_it_is_one(self, conn):
        with pytest.raises(errors.SyntaxError):
            await conn.execute("select %s; select 2", [1])


class TestFetch:
    async def test_one(self, conn):
        cur = await conn.execute("select generate_series(1, 2)")
        assert [await cur.fetchone() for _ in range(4)] == [(1,), (2,), None, None]
        assert cur.rownumber == 2

    async def test_many(self, conn):
        cur = await conn.execute("select generate_series(1, 5)")
        assert await cur.fetchmany(2) == [(1,), (2,)]
        cur.arraysize = 2
        assert await cur.fetchmany() == [(3,), (4,)]
        assert await cur.fetchmany(9) == [(5,)]
        assert await cur.fetchmany() == []

    async def test_all(self, conn):
        cur = await conn.execute("select generate_series(1, 3)")
        assert await cur.fetchone() == (1,)
        assert await cur.fetchall() == [(2,), (3,)]
        assert await cur.fetchall() == []

    async def test_iteration(self, conn):
        cur = await conn.execute("select generate_series(1, 4)")
        assert await cur.fetchone() == (1,)
        assert [row async for row in cur] == [(2,), (3,), (4,)]
        with pytest.raises(StopAsyncIteration):
            await cur.__anext__()

    async def test_rows_that_are_none_go_on(self, conn):
        cur = conn.cursor(row_factory=rows.scalar_row)
        await cur.execute("select null from generate_series(1, 3)")
        assert [row async for row in cur] == [None, None, None]

    @pytest.mark.parametrize(
        "query, status", [("set work_mem to '4MB'", "SET"), ("", "EMPTY_QUERY")]
    )
    async def test_no_rows_to_fetch(self, conn, query, status):
        cur = await conn.execute(query)
        assert cur.description is None and cur.rownumber is None
        for use in (cur.fetchone, cur.fetchmany, cur.fetchall):
            with pytest.raises(psycopg3.ProgrammingError, match=status):
                await use()

    async def test_nothing_executed(self, conn):
        with pytest.raises(psycopg3.ProgrammingError, match="execute a query"):
            await conn.cursor().fetchone()

    async def test_a_value_that_cannot_be_loaded_moves_nothing(self, conn):
        cur = await conn.execute("select n from unnest(array['2026-11-21', 'infinity']::date[]) n")
        for fetch in (cur.fetchall, lambda: cur.fetchmany(2)):
            with pytest.raises(psycopg3.DataError):
                await fetch()
            assert cur.rownumber == 0
        assert await cur.fetchone() == (dt.date(2026, 11, 21),)

    async def test_a_negative_size(self, conn):
        cur = await conn.execute("select generate_series(1, 2)")
        with pytest.raises(psycopg3.ProgrammingError, match="-1"):
            await cur.fetchmany(-1)
        assert await cur.fetchall() == [(1,), (2,)]

    async def test_a_loader_for_a_live_result(self, conn):
        cur = await conn.execute("select generate_series(1, 2)")
        assert await cur.fetchone() == (1,)
        cur.adapters.register_loader("int4", psycopg3.types.string.TextLoader)
        assert await cur.fetchone() == ("2",)

    async def test_no_columns(self, conn):
        cur = await conn.execute("select")
        assert await cur.fetchall() == [()]

    async def test_scroll(self, conn):
        cur = await conn.execute("select generate_series(0, 9)")
        await cur.scroll(4)
        assert await cur.fetchone() == (4,)
        await cur.scroll(-2)
        assert await cur.fetchone() == (3,)
        await cur.scroll(9, mode="absolute")
        assert await cur.fetchone() == (9,)
        for value, mode in ((1, "relative"), (-11, "relative"), (10, "absolute"), (-1, "absolute")):
            with pytest.raises(IndexError, match="10 rows"):
                await cur.scroll(value, mode)
        with pytest.raises(ValueError, match="'wrong'"):
            await cur.scroll(1, "wrong")
        with pytest.raises(TypeError):
            await cur.scroll(0.0)

    async def test_row_factory_of_a_cursor(self, conn):
        cur = conn.cursor(row_factory=rows.dict_row)
        await cur.execute("select 1 as a, 2 as b; select 3 as c")
        assert await cur.fetchone() == {"a": 1, "b": 2}
        cur.nextset()
        assert await cur.fetchone() == {"c": 3}

    async def test_row_factory_of_a_live_result(self, conn):
        cur = await conn.execute("select n from generate_series(1, 2) n")
        assert await cur.fetchone() == (1,)
        cur.row_factory = rows.dict_row
        assert await cur.fetchone() == {"n": 2}

    async def test_a_failing_row_factory(self, conn):
        def failing(cursor):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await conn.cursor(row_factory=failing).execute("select 1")
        assert await (await conn.execute("select 1")).fetchone() == (1,)


class TestDescription:
    async def test_columns(self, conn):
        cur = await conn.execute("select 1 as a, 'x'::varchar(5) as b, 1.5::numeric(10,2) as c")
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
    async def test_type_display(self, conn, type):
        cur = await conn.execute(f"select null::{type}")
        assert cur.description[0].type_display == type
        assert type in repr(cur.description[0])

    async def test_pickle(self, conn):
        cur = await conn.execute("select 1 as a")
        (column,) = cur.description
        assert pickle.loads(pickle.dumps(column)) == column

    async def test_counts(self, conn):
        cur = conn.cursor()
        assert (cur.rowcount, cur.statusmessage) == (-1, None)
        await cur.execute("create temp table t (n int)")
        assert (cur.rowcount, cur.statusmessage) == (-1, "CREATE TABLE")
        await cur.execute("insert into t values (1), (2)")
        assert (cur.rowcount, cur.statusmessage) == (2, "INSERT 0 2")
        await cur.execute("select * from t")
        assert (cur.rowcount, cur.statusmessage) == (2, "SELECT 2")
        await cur.execute("update t set n = 3 where n = 4")
        assert cur.rowcount == 0
        await cur.execute("show work_mem")
        assert (cur.rowcount, cur.statusmessage) == (1, "SHOW")
        await cur.execute("")
        assert (cur.rowcount, cur.statusmessage) == (-1, None)


class TestExecutemany:
    async def test_total(self, conn):
        cur = await conn.execute("create temp table t (n int, s text)")
        await cur.executemany("insert into t values (%s, %s)", ((i, str(i)) for i in range(1000)))
        assert (cur.rowcount, cur.statusmessage) == (1000, "INSERT 0 1")
        assert cur.pgresult is None
        await cur.execute("select count(*), sum(n), sum(s::int) from t")
        assert await cur.fetchone() == (1000, 499500, 499500)

    async def test_returning(self, conn):
        cur = conn.cursor()
        await cur.executemany("select %s::int", [(1,), (2,), (3,)], returning=True)
        assert cur.rowcount == 3
        seen = []
        async for _ in cur.results():
            seen += await cur.fetchall()
        assert seen == [(1,), (2,), (3,)]

    async def test_named(self, conn):
        cur = conn.cursor()
        await cur.executemany("select %(a)s::int", [{"a": 1}, {"a": 2}], returning=True)
        assert await cur.fetchall() == [(1,)]

    async def test_nothing(self, conn):
        cur = conn.cursor()
        await cur.executemany("insert into no_such_table values (%s)", [])
        assert cur.rowcount == 0
        assert conn.pgconn.transaction_status == TransactionStatus.IDLE

    async def test_types_may_change(self, conn):
        cur = await conn.execute("create temp table t (n numeric)")
        await cur.executemany(
            "insert into t values (%s)", [(None,), (1,), (2**40,), (Decimal("0.5"),)]
        )
        await cur.execute("select sum(n) from t")
        assert await cur.fetchone() == (Decimal(2**40) + Decimal("1.5"),)

    @pytest.mark.parametrize("autocommit", [False, True])
    async def test_an_error_keeps_nothing(self, conn, autocommit):
        cur = await conn.execute("create temp table t (n int primary key)")
        await conn.commit()
        await conn.set_autocommit(autocommit)
        with pytest.raises(errors.UniqueViolation):
            await cur.executemany("insert into t values (%s)", [(n % 700,) for n in range(2000)])
        await conn.rollback()
        await cur.execute("select count(*) from t")
        assert await cur.fetchone() == (0,)

    @pytest.mark.parametrize("autocommit", [False, True])
    async def test_a_failing_iterable_keeps_nothing(self, conn, autocommit):
        def failing():
            for n in range(1000):
                yield (n,)
            raise ZeroDivisionError

        cur = await conn.execute("create temp table t (n int primary key)")
        await conn.commit()
        await conn.set_autocommit(autocommit)
        with pytest.raises(ZeroDivisionError):
            await cur.executemany("insert into t values (%s)", failing())
        assert conn.pgconn.transaction_status in (TransactionStatus.IDLE, TransactionStatus.INERROR)
        await conn.rollback()
        await cur.execute("select count(*) from t")
        assert await cur.fetchone() == (0,)

    async def test_no_iterable(self, conn):
        with pytest.raises(psycopg3.ProgrammingError, match="int"):
            await conn.cursor().executemany("select %s", 5)

    async def test_copy_is_refused(self, conn):
        with pytest.raises(psycopg3.ProgrammingError, match="COPY"):
            await conn.cursor().executemany("/* x */ copy pg_class to stdout", [()])
        assert await (await conn.execute("select 1")).fetchone() == (1,)

    async def test_bad_parameters(self, conn):
        cur = conn.cursor()
        with pytest.raises(psycopg3.ProgrammingError, match="placeholders"):
            await cur.executemany("select %s", [(1,), (1, 2)])
        await conn.rollback()
        assert await (await conn.execute("select 1")).fetchone() == (1,)

    async def test_large_results_do_not_lock_up(self, conn):
        cur = conn.cursor()
        big = "x" * 20_000
        await cur.executemany("select %s::text", [(big,)] * 600, returning=True)
        assert sum([1 async for _ in cur.results()]) == 600


async def test_reprs(conn):
    cur = conn.cursor()
    assert "no result" in repr(cur)
    await cur.execute("select 1")
    assert "TUPLES_OK" in repr(cur) and "psycopg3." in repr(cur)
    await cur.close()
    assert "closed" in repr(cur)


async def test_adapters_of_a_cursor(conn):
    cur = conn.cursor()
    cur.adapters.register_loader("int4", psycopg3.types.string.TextLoader)
    assert await (await cur.execute("select 1")).fetchone() == ("1",)
    assert await (await conn.execute("select 1")).fetchone() == (1,)
