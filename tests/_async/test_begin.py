"""The BEGIN goes with the first statement, in one round trip, and nothing else is different."""

from __future__ import annotations

import pytest

import psycopg3
from psycopg3 import AsyncConnection, IsolationLevel, errors
from psycopg3.pq import TransactionStatus

pytestmark = pytest.mark.anyio

RIDE = [
    ("select 1", None),
    ("  select 1 ; ", None),
    ("-- a comment\n/* and /* another */ one */ SELECT 1", None),
    ("select %s::int, %s", [1, "x"]),
    ("(select 1) union all (select 2)", None),
    ("values (1), (2)", None),
    ("table ride", None),
    ("with x as (select 1 as n) select * from x", None),
    ("with x as (insert into ride values (5) returning n) select * from x", None),
    ("insert into ride values (2), (3)", None),
    ("insert into ride values (%s) returning n + 1", [4]),
    ("insert into ride values (1)", None),
    ("update ride set n = n + 100", None),
    ("delete from ride where n > %s", [0]),
    ("select", None),
    ("select 1/0", None),
    ("select nothing", None),
    ("select 1 from nowhere where é", None),
    ("select %s::int / %s::int", [1, 0]),
    ("select wrong syntax here", None),
    ("select 'a' || 'b' as c, null, array[1,2]", None),
    ("select pg_notify('ride', 'x')", None),
    ("select current_setting('transaction_isolation'), current_setting('transaction_read_only')", None),
    ("select n into temp ride2 from ride", None),
    ("select txid_current_if_assigned() is null", None),
    ("select * from generate_series(1, 2000)", None),
]  # fmt: skip
STAY = [
    ("select 1; select 2", None),
    ("select ';'", None),
    ("select $1", None),
    ("select $$x$$", None),
    ("explain select 1", None),
    ("show timezone", None),
    ("create temp table ride2 (n int)", None),
    ("do $$ begin null; end $$", None),
    ("set local timezone to 'UTC'", None),
    ("savepoint x", None),
    ("vacuum", None),
    ("", None),
    ("selects", None),
]


@pytest.fixture
async def trips(tmp_path):
    """Counts the round trips of an operation, whether it succeeds or not."""

    async def count(conn, operation, *args):
        path = tmp_path / "trace"
        with path.open("wb") as file:
            conn.pgconn.trace(file.fileno())
            try:
                await operation(*args)
            except psycopg3.Error:
                pass
            finally:
                conn.pgconn.untrace()
        return path.read_text("latin-1").count("ReadyForQuery")

    return count


@pytest.fixture
async def rider(dsn):
    async with await AsyncConnection.connect(dsn) as conn:
        await conn.execute("create temp table ride (n int unique)")
        await conn.execute("insert into ride values (1)")
        await conn.commit()
        yield conn
        if not conn.closed:
            await conn.rollback()


async def outcome(conn, cur, query, params):
    """All that there is to be seen of a statement."""
    try:
        await cur.execute(query, params)
        rows = await cur.fetchall() if cur.description else None
        seen = [rows, cur.rowcount, cur.statusmessage, list(map(repr, cur.description or ()))]
        while cur.nextset():
            seen.append(await cur.fetchall() if cur.description else None)
    except psycopg3.Error as ex:
        diag = ex.diag
        seen = [type(ex), diag.message_primary, diag.statement_position, diag.context]
    status = conn.pgconn.transaction_status
    await conn.rollback()
    return seen, status


@pytest.mark.parametrize("has_server_format", [False, True], ids=["text", "binary"])
async def test_it_is_as_in_two(rider, has_server_format):
    for query, params in RIDE + STAY:
        cur = rider.cursor(binary=has_server_format)
        told = await outcome(rider, cur, query, params)
        await rider.execute("savepoint x")  # a transaction that is there already
        assert await outcome(rider, cur, query, params) == told, query


async def test_how_many_trips(rider, trips):
    for query, params in RIDE:
        assert await trips(rider, rider.execute, query, params) == 1, query
        await rider.rollback()
    for query, params in STAY:
        assert await trips(rider, rider.execute, query, params) == 2, query
        await rider.rollback()
    many = rider.cursor().executemany
    assert await trips(rider, many, "select %s", [(1,), (2,)]) == 1
    await rider.rollback()
    async with rider.cursor("named") as cur:
        assert await trips(rider, cur.execute, "select 1") == 1
    await rider.rollback()
    # Inside of a transaction, and in autocommit, there is nothing to ride.
    await rider.execute("select 1")
    assert await trips(rider, rider.execute, "select 1") == 1
    await rider.rollback()


async def test_its_characteristics(rider):
    await rider.set_isolation_level(IsolationLevel.SERIALIZABLE)
    await rider.set_read_only(True)
    cur = await rider.execute("select current_setting('transaction_isolation')")
    assert await cur.fetchone() == ("serializable",)
    await rider.rollback()
    cur = await rider.execute("select current_setting('transaction_read_only')")
    assert await cur.fetchone() == ("on",)


async def test_a_copy_that_was_typed(rider):
    for query in (
        "copy ride to stdout",
        "copy ride from stdin",
        "/* x */ copy (select 1) to stdout",
    ):
        with pytest.raises(psycopg3.ProgrammingError, match="COPY"):
            await rider.execute(query)
        assert rider.pgconn.transaction_status != TransactionStatus.ACTIVE
        await rider.rollback()
        cur = await rider.execute("select n from ride")
        assert await cur.fetchall() == [(1,)]


async def test_an_interruption(rider):
    with pytest.raises(errors.QueryTimeout):
        await rider.execute("select pg_sleep(30)", timeout=0.1)
    assert rider.pgconn.transaction_status == TransactionStatus.INERROR
    await rider.rollback()
    cur = await rider.execute("select 1", timeout=5)
    assert await cur.fetchone() == (1,)


async def test_a_begin_that_fails(rider, other):
    """The reason is that of the BEGIN."""
    await rider.execute("savepoint x; release x")
    await rider.rollback()
    rider._begin_command = lambda own=None: b"BEGIN ISOLATION LEVEL NONSENSE"
    for run in (
        lambda: rider.execute("select 1"),
        lambda: rider.cursor().executemany("select %s", [(1,)]),
        lambda: rider.cursor("named").execute("select 1"),
    ):
        with pytest.raises(errors.SyntaxError, match="NONSENSE"):
            await run()
        assert not rider.in_transaction
    del rider._begin_command


async def test_a_lost_link(rider, other):
    await other.execute("select pg_terminate_backend(%s)", [rider.info.backend_pid])
    with pytest.raises(errors.AdminShutdown):
        await rider.execute("select pg_sleep(1)")
    assert rider.broken
    await rider.close()
