"""Threads and tasks that share a connection take turns."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.lowlevel
import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.generators import execute_gen
from psycopg3.pq import PipelineStatus
from tests.settling import eventually, until


def test_threads(dsn):
    with psycopg3.connect(dsn, autocommit=True) as conn:
        answers = []

        def ask(base):
            for number in range(base, base + 50):
                cur = conn.execute("select %s::int", [number])
                answers.append(cur.fetchone() == (number,))

        threads = [threading.Thread(target=ask, args=(1000 * i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [True] * 300


def test_threads_wait_in_parallel_on_their_own_connections(dsn):
    def sleep():
        with psycopg3.connect(dsn, autocommit=True) as conn:
            conn.execute("select pg_sleep(0.5)")

    begin = time.monotonic()
    threads = [threading.Thread(target=sleep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begin < 1.5


@pytest.mark.anyio
async def test_tasks(dsn):
    async with await psycopg3.connect_async(dsn, autocommit=True) as conn:
        answers = []

        async def ask(base):
            for number in range(base, base + 50):
                cur = await conn.execute("select %s::int", [number])
                answers.append(await cur.fetchone() == (number,))

        async with anyio.create_task_group() as tasks:
            for i in range(6):
                tasks.start_soon(ask, 1000 * i)
        assert answers == [True] * 300


@pytest.mark.anyio
async def test_a_pipeline_among_tasks(dsn):
    """Each gets its own results, and nobody hangs."""
    async with await psycopg3.connect_async(dsn, autocommit=True) as conn:

        async def work(number):
            async with conn.pipeline() as p:
                for i in range(10):
                    curs = [
                        await conn.execute("select %s::int", [1000 * number + 3 * i + j])
                        for j in range(3)
                    ]
                    if i % 3 == number % 3:
                        await p.sync()
                    for j in (2, 0, 1):
                        assert await curs[j].fetchone() == (1000 * number + 3 * i + j,)

        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                for number in range(5):
                    group.start_soon(work, number)
        assert conn.info.pipeline_status == PipelineStatus.OFF


def test_a_pipeline_among_threads(dsn):
    """Each gets its own results, and nobody hangs."""
    with psycopg3.connect(dsn, autocommit=True) as conn, ThreadPoolExecutor(5) as threads:

        def work(number):
            with conn.pipeline() as p:
                for i in range(20):
                    curs = [
                        conn.execute("select %s::int", [1000 * number + 3 * i + j])
                        for j in range(3)
                    ]
                    if i % 3 == number % 3:
                        p.sync()
                    for j in (2, 0, 1):
                        assert curs[j].fetchone() == (1000 * number + 3 * i + j,)
            return number

        assert list(threads.map(work, range(5), timeout=30)) == list(range(5))
        assert conn.info.pipeline_status == PipelineStatus.OFF


@pytest.mark.anyio
async def test_tasks_wait_in_parallel_on_their_own_connections(dsn):
    async def sleep():
        async with await psycopg3.connect_async(dsn, autocommit=True) as conn:
            await conn.execute("select pg_sleep(0.5)")

    begin = time.monotonic()
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(sleep)
    assert time.monotonic() - begin < 1.5


@pytest.mark.anyio
async def test_properties_are_not_assigned(dsn):
    async with await psycopg3.connect_async(dsn) as conn:
        with pytest.raises(AttributeError, match="set_autocommit"):
            conn.autocommit = True


def test_properties_are_assigned(dsn):
    with psycopg3.connect(dsn) as conn:
        conn.autocommit = True
        assert conn.autocommit is True


@pytest.mark.parametrize("limits", [{}, {"timeout": 5}], ids=["without", "with a timeout"])
def test_outside_of_any_loop(dsn, limits):
    # Nothing has begun: no hook that would have to be awaited, no use of what was handed over.
    with socket.socket() as sock:
        coroutine = psycopg3.connect_async(
            dsn, **limits, sock=sock, password=anyio.lowlevel.checkpoint
        )
        with pytest.raises(psycopg3.InterfaceError, match="event loop"):
            coroutine.send(None)
        assert sock.fileno() == -1


def test_hooks_outside_of_any_loop():
    class Hooked(psycopg3.AsyncConnection):
        @classmethod
        async def _get_connection_params(cls, conninfo, **kwargs):
            raise AssertionError("it ran")

    coroutine = Hooked.connect("", timeout=5)
    with pytest.raises(psycopg3.InterfaceError, match="event loop"):
        coroutine.send(None)


def test_notifies_beside_queries(dsn, conn):
    """The iterator waits for its turn like any operation; nothing of what comes is lost."""
    with psycopg3.connect(dsn, autocommit=True) as ears:
        ears.execute("listen ears")
        told = []

        def ask():
            while len(told) < 30:
                ears.execute("select pg_sleep(0.001)")

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for number in range(30):
                conn.execute("select pg_notify('ears', %s::text)", [number])
                told += ears.notifies(timeout=10, stop_after=1)
        finally:
            told += [None] * 30
            for thread in threads:
                thread.join()
        assert [n.payload for n in told[:30]] == [str(number) for number in range(30)]


@pytest.mark.anyio
async def test_notifies_beside_queries_among_tasks(dsn, conn):
    async with await psycopg3.connect_async(dsn, autocommit=True) as ears:
        await ears.execute("listen ears")
        told = []

        async def ask():
            while len(told) < 30:
                await ears.execute("select pg_sleep(0.001)")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            tasks.start_soon(ask)
            try:
                for number in range(30):
                    conn.execute("select pg_notify('ears', %s::text)", [number])
                    told += [n async for n in ears.notifies(timeout=10, stop_after=1)]
            finally:
                told += [None] * 30
        assert [n.payload for n in told[:30]] == [str(number) for number in range(30)]


CONSUMERS, NEWS = 3, 200


@pytest.mark.parametrize("how", ["notify", "close"])
def test_a_query_never_waits_for_notifies(dsn, conn, how):
    """The iterator holds nothing while it waits; what comes, or the end, is told to it all the same."""
    ears = psycopg3.connect(dsn, autocommit=True)
    ears.execute("listen ears")
    told: list[object] = []

    def consume():
        try:
            told.extend(n.payload for n in ears.notifies(stop_after=1))
        except psycopg3.OperationalError as ex:
            told.append(str(ex))

    thread = threading.Thread(target=consume)
    thread.start()
    eventually(lambda: ears._notices.consumers)
    for number in range(3):
        assert ears.execute("select %s::int", [number], timeout=5).fetchone() == (number,)
    if how == "notify":
        conn.execute("notify ears, 'x'")
        thread.join()
        assert told == ["x"]
    ears.close()
    thread.join()
    assert how == "notify" or "closed" in str(told)


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["notify", "close"])
async def test_a_query_never_waits_for_notifies_among_tasks(dsn, conn, how):
    ears = await psycopg3.connect_async(dsn, autocommit=True)
    await ears.execute("listen ears")
    told: list[object] = []

    async def consume():
        try:
            told.extend([n.payload async for n in ears.notifies(stop_after=1)])
        except psycopg3.OperationalError as ex:
            told.append(str(ex))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(consume)
        await until(lambda: ears._notices.consumers)
        for number in range(3):
            cur = await ears.execute("select %s::int", [number], timeout=5)
            assert await cur.fetchone() == (number,)
        if how == "notify":
            conn.execute("notify ears, 'x'")
            await until(lambda: told == ["x"])
        await ears.close()
    assert how == "notify" or "closed" in str(told)


@pytest.mark.anyio
async def test_wait_takes_its_turn(dsn):
    """Two at once once hung both."""
    async with await psycopg3.connect_async(dsn, autocommit=True) as conn:
        told = []

        async def wait(number):
            query = b"select %d from pg_sleep(0.05)" % number
            (result,) = await conn.wait(lazily(conn, query))
            told.append(int(result.get_value(0, 0)))

        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                for number in range(4):
                    tasks.start_soon(wait, number)
        assert sorted(told) == [0, 1, 2, 3]


def lazily(conn, query):
    return (yield from execute_gen(conn.pgconn, query))


@pytest.mark.parametrize("timeout", [None, 10])
def test_turns_come_in_order(dsn, timeout):
    with psycopg3.connect(dsn, autocommit=True) as conn:
        conn.execute("create temp table served (place serial, number int)")
        insert = "insert into served (number) values (%s)"
        threads = [
            threading.Thread(target=conn.execute, args=[insert, [n]], kwargs={"timeout": timeout})
            for n in range(10)
        ]
        with conn._turn():
            for number, thread in enumerate(threads):
                thread.start()
                eventually(lambda number=number: len(conn.lock._queue) == number + 1)
        for thread in threads:
            thread.join()
        cur = conn.execute("select number from served order by place")
        assert cur.fetchall() == [(number,) for number in range(10)]


def tell_all(conn):
    for number in range(NEWS):
        conn.execute("select pg_notify('ears', %s::text)", [number])
        time.sleep(0.001)
    # No iterator ends by itself: each waits for one that ends it.
    while conn.execute("select pg_notify('ears', 'end')") and not ENDED.wait(0.02):
        pass


ENDED = threading.Event()


@pytest.mark.parametrize("run", range(3))
def test_notifies_of_several_consumers(dsn, conn, run):
    """Each notification has one consumer, and no iterator without a timeout ends by itself."""
    ENDED.clear()
    with psycopg3.connect(dsn, autocommit=True) as ears:
        ears.execute("listen ears")
        told = []

        def consume(pause):
            for news in ears.notifies():
                if news.payload == "end":
                    told.append(None)
                    break
                told.append(news.payload)
                time.sleep(pause)

        pauses = [0, 0.001, 0.003]
        consumers = [threading.Thread(target=consume, args=[pause]) for pause in pauses]
        teller = threading.Thread(target=tell_all, args=[conn])
        for thread in [*consumers, teller]:
            thread.start()
        for thread in consumers:
            thread.join()
        ENDED.set()
        teller.join()
        assert told.count(None) == CONSUMERS
        assert sorted(filter(None, told), key=int) == [str(number) for number in range(NEWS)]


@pytest.mark.anyio
async def test_notifies_of_several_consumers_among_tasks(dsn, conn):
    ENDED.clear()
    async with await psycopg3.connect_async(dsn, autocommit=True) as ears:
        await ears.execute("listen ears")
        told = []

        async def consume(pause):
            async for news in ears.notifies():
                if news.payload == "end":
                    told.append(None)
                    break
                told.append(news.payload)
                await anyio.sleep(pause)

        teller = threading.Thread(target=tell_all, args=[conn])
        teller.start()
        try:
            async with anyio.create_task_group() as tasks:
                for pause in (0, 0.001, 0.003):
                    tasks.start_soon(consume, pause)
        finally:
            ENDED.set()
            teller.join()
        assert told.count(None) == CONSUMERS
        assert sorted(filter(None, told), key=int) == [str(number) for number in range(NEWS)]


def test_the_timeout_of_notifies_holds_without_its_turn(dsn):
    with psycopg3.connect(dsn, autocommit=True) as ears:
        thread = threading.Thread(target=ears.execute, args=["select pg_sleep(1)"])
        thread.start()
        eventually(ears.lock.locked)
        begin = time.monotonic()
        assert list(ears.notifies(timeout=0)) == []
        assert list(ears.notifies(timeout=0.2)) == []
        assert time.monotonic() - begin < 0.6
        thread.join()


@pytest.mark.anyio
async def test_the_timeout_of_notifies_holds_without_its_turn_among_tasks(dsn):
    async with await psycopg3.connect_async(dsn, autocommit=True) as ears:
        begin = time.monotonic()
        ends = []

        async def consume():
            assert [n async for n in ears.notifies(timeout=0.3)] == []
            ends.append(time.monotonic() - begin)

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(consume)
        assert len(ends) == 4
        assert max(ends) < 0.6


SETTERS = [
    ("set_autocommit", False),
    ("set_isolation_level", 4),
    ("set_read_only", True),
    ("set_deferrable", True),
]


@pytest.mark.parametrize(("setter", "value"), SETTERS)
def test_a_setter_waits_its_time_for_its_turn(dsn, setter, value):
    with psycopg3.connect(dsn, autocommit=True) as conn:
        thread = threading.Thread(target=conn.execute, args=("select pg_sleep(0.3)",))
        thread.start()
        while not conn.lock.locked():
            time.sleep(0.001)
        with pytest.raises(errors.QueryTimeout):
            getattr(conn, setter)(value, timeout=0.1)
        name = setter.removeprefix("set_")
        assert getattr(conn, name) != value
        getattr(conn, setter)(value, timeout=5)
        assert getattr(conn, name) == value
        thread.join()


@pytest.mark.anyio
@pytest.mark.parametrize(("setter", "value"), SETTERS)
async def test_a_setter_waits_its_time_for_its_turn_among_tasks(dsn, setter, value):
    async with await psycopg3.connect_async(dsn, autocommit=True) as conn:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(conn.execute, "select pg_sleep(0.3)")
            await anyio.sleep(0.05)
            with pytest.raises(errors.QueryTimeout):
                await getattr(conn, setter)(value, timeout=0.1)
            name = setter.removeprefix("set_")
            assert getattr(conn, name) != value
            await getattr(conn, setter)(value, timeout=5)
            assert getattr(conn, name) == value
