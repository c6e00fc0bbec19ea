"""Prepared statements: when a query is prepared, under what name, and what becomes of it."""

from __future__ import annotations

import tempfile
import time

import pytest

import psycopg3
from psycopg3 import AsyncConnection, capabilities, errors

pytestmark = pytest.mark.anyio

LISTING = "select statement, name from pg_prepared_statements order by prepare_time"


@pytest.fixture
async def auto(dsn):
    async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
        yield conn


@pytest.fixture(params=[False, True], ids=["transaction", "autocommit"])
async def either(dsn, request):
    async with await AsyncConnection.connect(dsn, autocommit=request.param) as conn:
        yield conn


@pytest.fixture
async def table(other):
    """A table that another session changes."""
    await other.execute("drop table if exists prepared_test")
    await other.execute("create table prepared_test (a int)")
    yield "prepared_test"
    await other.execute("drop table if exists prepared_test")


async def run(conn, query, params=None, **kwargs):
    return await (await conn.execute(query, params, **kwargs)).fetchall()


async def prepared(conn):
    """The texts of what is prepared, in the order of being prepared, and their names."""
    return dict(await run(conn, LISTING, prepare=False))


async def times(conn, count, query, params=None):
    for _ in range(count):
        await conn.execute(query, params)


def behind_its_back(conn, command):
    """Run a command as nobody who looks at the driver sees it: as a pooler does, or a function."""
    result = conn.pgconn.exec_(command)
    assert not result.error_message, result.error_message


class TestWhen:
    async def test_threshold(self, either):
        assert either.prepare_threshold == 5
        await times(either, 5, "select %s::int", [1])
        assert await prepared(either) == {}
        assert await run(either, "select %s::int", [7]) == [(7,)]
        assert list(await prepared(either)) == ["select $1::int"]
        assert await run(either, "select %s::int", [8]) == [(8,)]
        assert len(await prepared(either)) == 1

    @pytest.mark.parametrize("threshold", [0, 1, 3])
    async def test_another_threshold(self, either, threshold):
        either.prepare_threshold = threshold
        await times(either, threshold, "select 1")
        assert await prepared(either) == {}
        await times(either, 1, "select 1")
        assert list(await prepared(either)) == ["select 1"]

    async def test_of_a_connection(self, dsn):
        for threshold in (0, 7, None):
            async with await AsyncConnection.connect(dsn, prepare_threshold=threshold) as conn:
                assert conn.prepare_threshold == threshold

    async def test_of_a_class(self, dsn):
        class Never(AsyncConnection):
            prepare_threshold = None

        async with await Never.connect(dsn) as conn:
            await times(conn, 7, "select 1")
            assert await run(conn, "select 1", prepare=True) == [(1,)]
            assert await prepared(conn) == {}

    async def test_asked_for(self, either):
        assert await run(either, "select 1", prepare=True) == [(1,)]
        await times(either, 7, "select 2")
        cur = either.cursor()
        for _ in range(7):
            await cur.execute("select 3", prepare=False)
        assert list(await prepared(either)) == ["select 1", "select 2"]

    async def test_types_tell_statements_apart(self, either):
        await run(either, "select %s", [1], prepare=True)
        await run(either, "select %s", ["x"], prepare=True)
        await run(either, "select %s", [None], prepare=True)
        types = "select parameter_types::text[] from pg_prepared_statements order by prepare_time"
        assert [t for (t,) in await run(either, types, prepare=False)] == [["integer"], ["text"]]
        assert await run(either, "select %s", [2], prepare=True) == [(2,)]
        assert await run(either, "select %s", ["y"], prepare=True) == [("y",)]

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
    async def test_not_by_the_threshold(self, auto, query):
        await times(auto, 8, query)
        assert await prepared(auto) == {}

    @pytest.mark.parametrize(
        "query", ["select 1;", "(select 1)", "/* a */ WITH x AS (SELECT 1) TABLE x; -- b"]
    )
    async def test_one_statement(self, auto, query):
        await times(auto, 6, query)
        assert list(await prepared(auto)) == [query]

    async def test_utilities_if_asked_for(self, auto):
        for query in ("show timezone", "vacuum pg_class", "create temp table t ()"):
            await auto.execute(query, prepare=True)
        with pytest.raises(errors.SyntaxError):
            await auto.execute("select 1; select 2", prepare=True)
        with pytest.raises(psycopg3.ProgrammingError, match="COPY"):
            await auto.execute("copy pg_class to stdout", prepare=True)
        assert await run(auto, "select 1") == [(1,)]

    async def test_errors(self, auto):
        for _ in range(8):
            with pytest.raises(errors.SyntaxError):
                await auto.execute("wat")
            with pytest.raises(errors.UndefinedTable):
                await auto.execute("select * from no_such_table")
        assert await prepared(auto) == {}
        await times(auto, 6, "select 1")
        assert len(await prepared(auto)) == 1

    async def test_long_queries(self, auto):
        auto.prepared_max_size = 100
        long = "select 1 --" + 100 * "x"
        await times(auto, 8, long)
        assert await prepared(auto) == {}
        auto.prepared_max_size = None
        await times(auto, 8, long)
        assert list(await prepared(auto)) == [long]

    async def test_client_cursors(self, auto):
        cur = psycopg3.AsyncClientCursor(auto)
        for _ in range(8):
            await cur.execute("select %s", [1], prepare=True)
        assert await prepared(auto) == {}

    async def test_raw_cursors(self, auto):
        cur = psycopg3.AsyncRawCursor(auto)
        for i in range(8):
            assert await (await cur.execute("select $1::int", [i])).fetchone() == (i,)
        assert list(await prepared(auto)) == ["select $1::int"]

    async def test_binary_results(self, auto):
        for binary in (True, False) * 4:
            cur = await auto.execute("select %s::int4", [7], binary=binary)
            assert cur.pgresult.get_value(0, 0) == (b"\0\0\0\7" if binary else b"7")
            assert await cur.fetchone() == (7,)
        assert len(await prepared(auto)) == 1

    async def test_what_a_statement_did(self, auto):
        await auto.execute("create temp table t (n int)")
        for n in range(8):
            cur = await auto.execute("insert into t values (%s)", [n])
            assert (cur.rowcount, cur.statusmessage) == (1, "INSERT 0 1")
        assert await run(auto, "select count(*) from t") == [(8,)]


class TestExecutemany:
    @pytest.mark.parametrize("threshold", [None, 0, 5])
    async def test_it_is_parsed_once(self, auto, threshold):
        """By the statement without a name: behind any pooler, and nothing is left at the server."""
        auto.prepare_threshold = threshold
        await auto.execute("create temp table t (n int, x text)")
        rows = [(n if n % 7 else float(n), str(n)) for n in range(50)]
        sent = len(await self.parsed(auto, "insert into t values (%s, %s)", rows))
        assert sent == 15  # as often as the types are others than before
        assert await prepared(auto) == {}
        assert await run(auto, "select * from t order by n") == rows

    async def parsed(self, conn, query, rows):
        """The Parse messages of an executemany()."""
        with tempfile.TemporaryFile() as file:
            conn.pgconn.trace(file.fileno())
            await conn.cursor().executemany(query, rows)
            conn.pgconn.untrace()
            file.seek(0)
            return [line for line in file if b"\tParse\t" in line]

    async def test_without_parameters(self, auto):
        cur = auto.cursor()
        await cur.executemany("select 1", [()] * 5, returning=True)
        assert [await r.fetchone() async for r in cur.results()] == [(1,)] * 5

    async def test_in_a_pipeline(self, auto):
        async with auto.pipeline():
            cur = auto.cursor()
            await cur.executemany("select %s::int", [[n] for n in range(5)], returning=True)
            await auto.execute("select 'x'")
            await cur.executemany("select %s::int", [[n] for n in range(9)], returning=True)
            assert cur.rowcount == 9


class TestNames:
    async def test_they_are_of_the_content(self, auto, other):
        for conn in (auto, other):
            await run(conn, "select %s::int", [1], prepare=True)
            await run(conn, "select %s", ["x"], prepare=True)
        names = await prepared(auto)
        assert names == await prepared(other)
        assert all(name.startswith("_pg3_") and len(name) < 63 for name in names.values())
        assert len(set(names.values())) == 2

    @pytest.mark.parametrize(
        "setting", ["timezone to 'Asia/Tokyo'", "datestyle to german", "client_encoding to latin1"]
    )
    async def test_settings_that_constants_are_read_by(self, auto, other, setting):
        await other.execute(f"set {setting}")
        for conn in (auto, other):
            await run(conn, "select '01-02-2003'::timestamptz::text", prepare=True)
        ours, theirs = await prepared(auto), await prepared(other)
        assert ours.keys() == theirs.keys()
        assert ours != theirs


class TestEviction:
    async def test_the_one_unused_for_longest(self, either):
        either.prepared_max = 2
        for query in ("select 1", "select 2", "select 1", "select 3"):
            await run(either, query, prepare=True)
            assert len(await prepared(either)) <= 2
        assert list(await prepared(either)) == ["select 1", "select 3"]
        for n in range(10):
            assert await run(either, f"select {n}", prepare=True) == [(n,)]
        assert list(await prepared(either)) == ["select 8", "select 9"]
        assert await run(either, "select 1", prepare=True) == [(1,)]

    async def test_a_limit_that_shrinks(self, either):
        for n in range(10):
            await run(either, f"select {n}", prepare=True)
        either.prepared_max = 3
        await run(either, "select 10", prepare=True)
        await run(either, "select 11", prepare=True)
        assert len(await prepared(either)) <= 4
        either.prepared_max = 0
        await run(either, "select 12", prepare=True)
        assert "select 12" not in await prepared(either)

    async def test_no_limit(self, auto):
        auto.prepared_max = None
        for n in range(150):
            await run(auto, f"select {n}", prepare=True)
        assert len(await prepared(auto)) == 150

    async def test_in_a_failed_transaction(self, conn):
        conn.prepared_max = 1
        await run(conn, "select 1", prepare=True)
        with pytest.raises(errors.DivisionByZero):
            await conn.execute("select 1/0")
        with pytest.raises(errors.InFailedSqlTransaction):
            await conn.execute("select 2", prepare=True)
        await conn.rollback()
        for n in (1, 2, 1, 2):
            assert await run(conn, f"select {n}", prepare=True) == [(n,)]
        assert len(await prepared(conn)) == 1

    async def test_lifetime(self, auto):
        auto.prepared_lifetime = 0.05
        await run(auto, "select 1", prepare=True)
        first = await prepared(auto)
        time.sleep(0.06)
        await run(auto, "select 1")
        await run(auto, "select 2", prepare=True)
        second = await prepared(auto)
        assert first["select 1"] != second["select 1"]
        if capabilities.has_send_close_prepared():
            assert first["select 1"] not in second.values()

    async def test_a_pooler_that_has_other_names(self, conn):
        """Its DEALLOCATE fails, which costs no transaction; then nothing more is prepared than fits."""
        conn.prepared_max = 2
        await run(conn, "select 1", prepare=True)
        await run(conn, "select 2", prepare=True)
        behind_its_back(conn, b"deallocate all")
        await conn.rollback()
        await conn.execute("create temp table t ()")
        for n in range(5, 10):
            assert await run(conn, f"select {n}", prepare=True) == [(n,)]
        await conn.execute("select * from t")


class TestInterruptions:
    async def test_while_it_is_prepared(self, auto):
        query = "select pg_sleep(%s::float8)::text"
        for _ in range(2):
            with pytest.raises(errors.QueryTimeout):
                await auto.execute(query, [30], prepare=True, timeout=0.2)
            assert await run(auto, query, [0], prepare=True) == [("",)]
        assert len(await prepared(auto)) == 1

    async def test_while_a_statement_is_described(self, auto, other, table):
        async with other.transaction():
            await other.execute(f"alter table {table} add b int")
            with pytest.raises(errors.QueryTimeout):
                await auto.prepare(f"select * from {table}", timeout=0.2)
        statement = await auto.prepare(f"select * from {table}")
        assert len(statement.columns) == 2

    async def test_while_it_is_repaired(self, auto, other, table):
        """The second execution waits for a lock until its time is over."""
        await times(auto, 7, f"select * from {table}")
        await other.execute(f"alter table {table} add b int")
        behind_its_back(auto, b"set lock_timeout to '0.2s'")
        async with other.transaction():
            await other.execute(f"lock table {table}")
            with pytest.raises((errors.LockNotAvailable, errors.QueryTimeout)):
                await auto.execute(f"select * from {table}", timeout=2)
        cur = await auto.execute(f"select * from {table}")
        assert len(cur.description) == 2


class TestTransactions:
    async def test_rollback_drops_nothing(self, conn):
        await run(conn, "select 1", prepare=True)
        await conn.rollback()
        async with conn.transaction() as block:
            async with conn.transaction():
                await run(conn, "select 2", prepare=True)
                raise psycopg3.Rollback(block)
        names = await prepared(conn)
        assert list(names) == ["select 1", "select 2"]
        await run(conn, "select 1")
        await run(conn, "select 2")
        assert await prepared(conn) == names

    async def test_a_type_made_anew(self, conn):
        """A statement remembers types by their oids, which a rollback may have taken away."""
        for _ in range(3):
            async with conn.transaction() as outer:
                async with conn.transaction() as inner:
                    await conn.execute("create type mood as enum ('good', 'bad')")
                    query = "select %s::mood::text, pg_typeof(null::mood)::oid::int"
                    (row,) = await run(conn, query, ["good"], prepare=True)
                    assert row[0] == "good"
                    raise psycopg3.Rollback(inner)
                await conn.execute("create type mood as enum ('good', 'bad')")
                (again,) = await run(conn, query, ["bad"], prepare=True)
                assert again[0] == "bad"
                assert again[1] != row[1]
                raise psycopg3.Rollback(outer)

    @pytest.mark.parametrize(
        "text", ["alter table {} add b int", "select 1; alter table {} add b int"]
    )
    async def test_our_own_alter(self, either, table, text):
        await times(either, 7, f"select * from {table}")
        await either.execute(text.format(table))
        cur = await either.execute(f"select * from {table}")
        assert len(cur.description) == 2
        await either.rollback()

    async def test_the_statements_of_old_are_ended(self, auto, table):
        await run(auto, f"select * from {table}", prepare=True)
        first = await prepared(auto)
        await auto.execute(f"alter table {table} add b int")
        await run(auto, f"select * from {table}")
        await run(auto, "select 1", prepare=True)
        second = await prepared(auto)
        assert len(second) == 2
        assert first.items().isdisjoint(second.items())

    @pytest.mark.parametrize(
        "command", ["discard all", "deallocate all", "select 1; deallocate all"]
    )
    async def test_all_are_gone(self, auto, command):
        await run(auto, "select 1", prepare=True)
        await auto.execute(command)
        assert await prepared(auto) == {}
        async with auto.transaction():
            assert await run(auto, "select 1", prepare=True) == [(1,)]
            assert len(await prepared(auto)) == 1

    async def test_one_is_deallocated(self, auto):
        await run(auto, "select 1", prepare=True)
        (name,) = (await prepared(auto)).values()
        await auto.execute(f"deallocate {name}")
        async with auto.transaction():
            assert await run(auto, "select 1", prepare=True) == [(1,)]


class TestRepair:
    """What another session did, or a pooler, is repaired where nothing can be lost by it."""

    async def test_another_session_changes_a_table(self, either, other, table):
        await times(either, 7, f"select * from {table}")
        await either.commit()
        for columns in (2, 3):
            await other.execute(f"alter table {table} add c{columns} int")
            cur = await either.execute(f"select * from {table}")
            assert len(cur.description) == columns
            assert either.in_transaction is not either.autocommit
            await either.commit()

    async def test_gone(self, either):
        await times(either, 7, "select 1")
        await either.commit()
        behind_its_back(either, b"deallocate all")
        assert await run(either, "select 1") == [(1,)]

    async def test_there_already(self, either, other):
        await run(other, "select 1", prepare=True)
        ((_, name),) = (await prepared(other)).items()
        behind_its_back(either, f"prepare {name} as select 1".encode())
        assert await run(either, "select 1", prepare=True) == [(1,)]
        assert await run(either, "select 1") == [(1,)]
        assert len(await prepared(either)) == 1

    @pytest.mark.parametrize("name", [None, "first"])
    async def test_the_first_of_a_block(self, auto, other, table, name):
        """A transaction() block that has had no statement so far is begun again, as it was."""
        await times(auto, 7, f"select * from {table}")
        await other.execute(f"alter table {table} add b int")
        async with auto.transaction(name, isolation=psycopg3.IsolationLevel.SERIALIZABLE):
            cur = await auto.execute(f"select * from {table}")
            assert len(cur.description) == 2
            assert await run(auto, "show transaction_isolation") == [("serializable",)]
            if name:
                await auto.execute(f"rollback to {name}")
        assert not auto.in_transaction

    @pytest.mark.parametrize("what", ["listen", "block", "executemany", "copy", "stream"])
    async def test_not_if_something_was_done_before(self, auto, other, table, what):
        await times(auto, 7, f"select * from {table}")
        await other.execute(f"alter table {table} add b int")
        with pytest.raises(errors.FeatureNotSupported, match="driver had prepared"):
            async with auto.transaction():
                if what == "listen":
                    await auto.listen("channel", print)
                elif what == "block":
                    async with auto.transaction():
                        pass
                elif what == "executemany":
                    await auto.cursor().executemany("select %s", [[1]])
                elif what == "copy":
                    async with auto.cursor().copy("copy (select 1) to stdout") as copy:
                        await copy.read()
                else:
                    [row async for row in auto.cursor().stream("select 1")]
                await auto.execute(f"select * from {table}")

    async def test_characteristics_stay(self, conn):
        await conn.set_isolation_level(psycopg3.IsolationLevel.SERIALIZABLE)
        await times(conn, 7, "show transaction_isolation")
        await run(conn, "select current_setting('transaction_isolation')", prepare=True)
        await conn.commit()
        behind_its_back(conn, b"deallocate all")
        query = "select current_setting('transaction_isolation')"
        assert await run(conn, query) == [("serializable",)]

    async def test_errors_of_the_query_stay(self, either):
        for _ in range(8):
            with pytest.raises(errors.DivisionByZero):
                await either.execute("select 1 / %s::int", [0])
            await either.rollback()

    @pytest.mark.parametrize("begin", ["typed", "block", "implicit"])
    async def test_not_inside_a_transaction(self, dsn, other, table, begin):
        async with await AsyncConnection.connect(dsn, autocommit=begin != "implicit") as conn:
            await times(conn, 7, f"select * from {table}")
            await conn.commit()
            await other.execute(f"alter table {table} add b int")
            with pytest.raises(errors.FeatureNotSupported, match="driver had prepared"):
                if begin == "block":
                    async with conn.transaction():
                        await conn.execute("select 1")
                        await conn.execute(f"select * from {table}")
                else:
                    await conn.execute("begin" if begin == "typed" else "select 1")
                    await conn.execute(f"select * from {table}")
            await conn.rollback()
            await conn.execute("select 1")
            cur = await conn.execute(f"select * from {table}")  # it has learnt
            assert len(cur.description) == 2

    async def test_missing_inside_a_transaction(self, conn):
        await times(conn, 7, "select 1")
        await conn.execute("select 2")
        behind_its_back(conn, b"deallocate all")
        with pytest.raises(errors.InvalidSqlStatementName, match="pooler"):
            await conn.execute("select 1")
        await conn.rollback()
        assert await run(conn, "select 1") == [(1,)]

    async def test_a_pooler_that_keeps_no_account(self, auto, caplog):
        for _ in range(10):
            for n in range(7):
                assert await run(auto, "select %s::int", [n]) == [(n,)]
            behind_its_back(auto, b"deallocate all")
        assert auto.prepare_threshold is None
        assert "pooler" in caplog.text


class TestPipelines:
    async def test_prepared_inside(self, either):
        async with either.pipeline():
            curs = [await either.execute("select %s::int", [n]) for n in range(20)]
            assert [await cur.fetchone() for cur in curs] == [(n,) for n in range(20)]
        assert list(await prepared(either)) == ["select $1::int"]

    async def test_before_and_inside(self, either):
        await times(either, 6, "select 1")
        async with either.pipeline():
            cur = await either.execute("select 1")
            assert await cur.fetchone() == (1,)
        assert len(await prepared(either)) == 1

    async def test_eviction_inside(self, either):
        either.prepared_max = 2
        for n in range(4):  # where it is found out whether statements can be ended
            await run(either, f"select {n}", prepare=True)
        async with either.pipeline():
            curs = [await either.execute(f"select {n % 5}", prepare=True) for n in range(20)]
            assert [await cur.fetchone() for cur in curs] == [(n % 5,) for n in range(20)]
        assert len(await prepared(either)) <= 2
        for n in range(5):
            assert await run(either, f"select {n}", prepare=True) == [(n,)]

    async def test_a_preparation_that_is_aborted(self, auto):
        """What the server has skipped isn't there."""
        async with auto.pipeline() as pipeline:
            failed = await auto.execute("select 1/0")
            aborted = await auto.execute("select 1", prepare=True)
            with pytest.raises(errors.DivisionByZero):
                await failed.fetchone()
            with pytest.raises(errors.PipelineAborted):
                await aborted.fetchone()
            await pipeline.sync()
            assert await run(auto, "select 1") == [(1,)]
            assert await run(auto, "select 1", prepare=True) == [(1,)]
        assert len(await prepared(auto)) == 1

    async def test_a_preparation_that_fails(self, auto):
        async with auto.pipeline() as pipeline:
            failed = await auto.execute("select * from no_such_table", prepare=True)
            aborted = await auto.execute("select 1", prepare=True)
            with pytest.raises(errors.UndefinedTable):
                await failed.fetchone()
            with pytest.raises(errors.PipelineAborted):
                await aborted.fetchone()
            await pipeline.sync()

    async def test_a_fault_is_told(self, auto):
        await times(auto, 7, "select 1")
        behind_its_back(auto, b"deallocate all")
        async with auto.pipeline() as pipeline:
            cur = await auto.execute("select 1")
            await auto.execute("select 2")
            with pytest.raises(errors.InvalidSqlStatementName, match="driver had prepared"):
                await cur.fetchone()
            await pipeline.sync()
            assert await run(auto, "select 1") == [(1,)]
