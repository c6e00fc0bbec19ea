"""connect(share=True): statements of several users go together, and each has its own answer."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.pq import PipelineStatus, TransactionStatus

anyio_mark = pytest.mark.anyio


@pytest.fixture
async def shared(dsn):
    async with await psycopg3.connect_async(dsn, autocommit=True, share=True) as conn:
        yield conn


async def usable(conn):
    assert not conn.lock.locked()
    assert conn.info.pipeline_status == PipelineStatus.OFF
    cur = await conn.execute("select 42")
    assert await cur.fetchone() == (42,)


def most_under_way(trace):
    """How many statements were under way at once."""
    most = now = 0
    for line in trace.splitlines():
        now += ("Sync" in line) - ("ReadyForQuery" in line)
        most = max(most, now)
    return most


@anyio_mark
async def test_tasks(shared, tmp_path):
    path = tmp_path / "trace"
    done = []

    async def work(number):
        for i in range(30):
            if i % 10 == number % 10:
                with pytest.raises(errors.DivisionByZero):
                    await shared.execute("select %s::int / 0", [number])
            else:
                cur = await shared.execute("select %s::int, %s::int", [number, i])
                assert await cur.fetchone() == (number, i)
        done.append(number)

    with path.open("wb") as file:
        shared.pgconn.trace(file.fileno())
        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(work, number)
        shared.pgconn.untrace()
    assert sorted(done) == list(range(8))
    assert most_under_way(path.read_text("latin-1")) > 3
    await usable(shared)


def test_threads(dsn):
    with psycopg3.connect(dsn, autocommit=True, share=True) as conn, ThreadPoolExecutor(8) as pool:

        def work(number):
            for i in range(50):
                if i % 10 == number % 10:
                    with pytest.raises(errors.DivisionByZero):
                        conn.execute("select %s::int / 0", [number])
                else:
                    cur = conn.execute("select %s::int, %s::int", [number, i])
                    assert cur.fetchone() == (number, i)
            return number

        assert list(pool.map(work, range(8), timeout=60)) == list(range(8))
        assert conn.info.pipeline_status == PipelineStatus.OFF


class Crowd:
    """Statements of tasks that go together: "first" alone, then the three others."""

    def __init__(self, conn):
        self.queries = {
            "first": "select pg_sleep(0.1), 'first'",
            "leader": "select pg_sleep(0.5), 'leader'",
            "second": "select pg_sleep(0.1), 'second'",
            "third": "select pg_sleep(0), 'third'",
        }
        self.conn, self.got = conn, {}
        self.scopes = {name: anyio.CancelScope() for name in self.queries}

    async def ask(self, name, **kwargs):
        with self.scopes[name]:
            try:
                cur = await self.conn.execute(self.queries[name], **kwargs)
                self.got[name] = (await cur.fetchone())[1]
            except psycopg3.Error as ex:
                self.got[name] = type(ex)

    async def go(self, cancelled=(), timeouts=None):
        async with anyio.create_task_group() as group:
            for name in self.queries:
                group.start_soon(lambda name=name: self.ask(name, **(timeouts or {}).get(name, {})))
                await anyio.sleep(0.01)
            await anyio.sleep(0.3)
            for name in cancelled:
                self.scopes[name].cancel()


@anyio_mark
@pytest.mark.parametrize(
    "cancelled", [["leader"], ["second"], ["third"], ["leader", "second"], ["second", "leader"]]
)
async def test_a_cancellation_strikes_no_neighbour(shared, cancelled):
    crowd = Crowd(shared)
    await crowd.go(cancelled)
    assert crowd.got == {name: name for name in crowd.queries if name not in cancelled}
    await usable(shared)


@anyio_mark
async def test_a_timeout_strikes_no_neighbour(shared):
    crowd = Crowd(shared)
    await crowd.go(timeouts={"leader": {"timeout": 0.3}})
    assert crowd.got.pop("leader") is errors.QueryTimeout
    assert crowd.got == {name: name for name in ("first", "second", "third")}
    await usable(shared)


@anyio_mark
async def test_what_nobody_wants_is_cancelled(shared):
    begin = time.monotonic()
    with pytest.raises(errors.QueryTimeout):
        await shared.execute("select pg_sleep(30)", timeout=0.1)
    await usable(shared)
    crowd = Crowd(shared)
    crowd.queries = dict.fromkeys(crowd.queries, "select pg_sleep(30), 'x'")
    await crowd.go(cancelled=["third", "leader", "second", "first"])
    assert crowd.got == {}
    await usable(shared)
    assert time.monotonic() - begin < 10


def test_a_timeout_among_threads(dsn):
    got = {}
    with psycopg3.connect(dsn, autocommit=True, share=True) as conn:

        def ask(name, query, **kwargs):
            try:
                got[name] = conn.execute(query, **kwargs).fetchone()[1]
            except psycopg3.Error as ex:
                got[name] = type(ex)

        threads = [
            threading.Thread(target=ask, args=(name, query), kwargs=kwargs)
            for name, query, kwargs in [
                ("first", "select pg_sleep(0.1), 1", {}),
                ("leader", "select pg_sleep(0.5), 2", {"timeout": 0.3}),
                ("second", "select pg_sleep(0), 3", {}),
            ]
        ]
        for thread in threads:
            thread.start()
            time.sleep(0.02)
        for thread in threads:
            thread.join()
        assert got == {"first": 1, "leader": errors.QueryTimeout, "second": 3}
        assert conn.execute("select 42").fetchone() == (42,)


@anyio_mark
async def test_a_lost_link_is_told_to_all(shared, dsn):
    crowd = Crowd(shared)
    async with await psycopg3.connect_async(dsn, autocommit=True) as other:

        async def terminate():
            await anyio.sleep(0.3)
            await other.execute("select pg_terminate_backend(%s)", [shared.info.backend_pid])

        async with anyio.create_task_group() as group:
            group.start_soon(terminate)
            await crowd.go()
    assert crowd.got.pop("first") == "first"
    assert set(crowd.got) == {"leader", "second", "third"}
    assert all(issubclass(ex, psycopg3.OperationalError) for ex in crowd.got.values())
    assert shared.broken
    await shared.close()


@anyio_mark
async def test_who_holds_a_transaction(shared):
    """The others' statements are in it, as on a connection that isn't shared."""
    await shared.execute("create temp table t (n int)")

    async def insert(number):
        await shared.execute("insert into t values (%s)", [number])

    with pytest.raises(ZeroDivisionError):
        async with shared.transaction():
            async with anyio.create_task_group() as group:
                for number in range(3):
                    group.start_soon(insert, number)
            raise ZeroDivisionError
    await insert(7)
    cur = await shared.execute("select n from t")
    assert await cur.fetchall() == [(7,)]


@anyio_mark
async def test_what_goes_by_itself(shared):
    cur = await shared.execute("select 1; select 2")
    assert cur.nextset() and await cur.fetchone() == (2,)
    with pytest.raises(psycopg3.ProgrammingError, match="COPY"):
        await shared.execute("copy (select 1) to stdout")
    async with shared.pipeline():
        cur = await shared.execute("select 3")
        assert await cur.fetchone() == (3,)
    await shared.execute("begin")
    cur = await shared.execute("select 4")
    assert shared.pgconn.transaction_status == TransactionStatus.INTRANS
    await shared.rollback()
    with pytest.raises(psycopg3.ProgrammingError):
        await shared.execute("select %s", [object()])
    await shared.set_autocommit(False)
    await shared.execute("select 5")
    assert shared.in_transaction
    await shared.rollback()
    await usable(shared)


@anyio_mark
async def test_prepared(shared):
    async def work(number):
        for i in range(20):
            cur = await shared.execute("select %s::int + %s::int", [number, i], prepare=True)
            assert await cur.fetchone() == (number + i,)

    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(work, number)
    await usable(shared)
