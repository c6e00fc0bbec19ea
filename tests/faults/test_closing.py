"""Closing: while a query runs, while the link stands still, and what happens to what is abandoned."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import trio

import psycopg3
from tests.faults.proxy import Proxy
from tests.faults.running import ASYNCIO, THREADS, TRIO, UVLOOP, World, settled

WORLDS = [THREADS, ASYNCIO, UVLOOP, TRIO]
every_world = pytest.mark.parametrize("world", WORLDS, ids=repr)

BUDGET = 0.4


def runs(eye: psycopg3.Connection[Any], pid: int) -> bool:
    """Whether the server runs a query for this backend, in half a second's time."""
    query = "select count(*) from pg_stat_activity where pid = %s and state = 'active'"
    deadline = time.monotonic() + 0.5
    while eye.execute(query, [pid]).fetchone() != (0,):
        if time.monotonic() > deadline:
            return True
        time.sleep(0.01)
    return False


async def during_a_query(
    world: World, conn: Any, body: Callable[[], Any], seconds: float = 30
) -> BaseException:
    """Run `body` during a query of somebody else's; return what that raised."""
    raised: list[BaseException] = []

    async def ask() -> None:
        try:
            await settled(conn.execute(f"select pg_sleep({seconds})"))
        except psycopg3.Error as ex:
            raised.append(ex)

    if world.has_tasks:

        async def we() -> None:
            await world.sleep(0.1)
            await body()

        await world.together(ask, we)
    else:
        thread = threading.Thread(target=world.run, args=(ask,))
        thread.start()
        time.sleep(0.1)
        await body()
        thread.join(5)
        assert not thread.is_alive()
    return raised[0]


@every_world
def test_during_a_query(world: World, dsn: str, eye: psycopg3.Connection[Any]) -> None:
    async def body() -> None:
        conn = await settled(world.connect(dsn, autocommit=True))
        pid = conn.pgconn.backend_pid

        async def close() -> None:
            begin = time.monotonic()
            await settled(conn.close())
            assert time.monotonic() - begin < 0.5

        ex = await during_a_query(world, conn, close)
        assert type(ex) is psycopg3.OperationalError and "closed while" in str(ex)
        assert conn.closed and not conn.broken
        assert not runs(eye, pid)
        await settled(conn.close())

    world.run(body)


@every_world
@pytest.mark.parametrize("fault", ["freeze", "mute", "refuse"])
def test_during_a_query_that_cannot_be_cancelled(
    world: World, fault: Any, dsn: str, proxy: Proxy
) -> None:
    async def body() -> None:
        conn = await settled(world.connect(proxy.dsn(dsn), autocommit=True, cancel_timeout=BUDGET))

        async def close() -> None:
            if fault == "freeze":
                proxy.freeze()
            else:
                proxy.newcomers(fault)
            begin = time.monotonic()
            await settled(conn.close())
            assert time.monotonic() - begin < BUDGET + 0.3

        begin = time.monotonic()
        ex = await during_a_query(world, conn, close)
        assert time.monotonic() - begin < 0.1 + BUDGET + 0.4
        assert type(ex) is psycopg3.OperationalError
        assert conn.closed and not conn.broken

    world.run(body)


@every_world
@pytest.mark.parametrize("name", ["close", "abort", "terminate"])
def test_an_idle_link_that_stands_still(world: World, name: str, dsn: str, proxy: Proxy) -> None:
    async def body() -> None:
        conn = await settled(world.connect(proxy.dsn(dsn)))
        await settled(conn.execute("select 1"))
        proxy.freeze()
        begin = time.monotonic()
        await settled(getattr(conn, name)())
        assert time.monotonic() - begin < 0.2
        assert conn.closed and not conn.broken

    world.run(body)


@every_world
@pytest.mark.parametrize("name", ["abort", "terminate"])
def test_cut_off_during_a_query(world: World, name: str, dsn: str, proxy: Proxy) -> None:
    async def body() -> None:
        conn = await settled(world.connect(proxy.dsn(dsn), autocommit=True))
        proxy.freeze()

        async def cut_off() -> None:
            begin = time.monotonic()
            getattr(conn, name)()
            assert time.monotonic() - begin < 0.2

        begin = time.monotonic()
        ex = await during_a_query(world, conn, cut_off)
        assert time.monotonic() - begin < 0.6
        assert type(ex) is psycopg3.OperationalError
        assert conn.closed and not conn.broken

    world.run(body)


@every_world
@pytest.mark.parametrize("inside", ["in an operation", "between two"])
def test_leaving_blocks_has_one_budget(world: World, inside: str, dsn: str, proxy: Proxy) -> None:
    """Of a link that stands still one leaves once: not the query, the block and the connection."""

    async def body() -> None:
        manager = await settled(world.connect(proxy.dsn(dsn), cancel_timeout=BUDGET))
        begin = time.monotonic()

        async def work() -> None:
            proxy.freeze()
            if inside == "in an operation":
                await settled(manager.execute("select 1"))
            elif world.has_tasks:
                await world.sleep(30)
            else:
                time.sleep(30)

        if world is THREADS:
            from tests.faults.cells import alarm

            with alarm(0.1, KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
                with manager as conn, conn.transaction():
                    conn.execute("select txid_current()")
                    await work()
        else:

            async def blocks() -> None:
                async with manager as conn, conn.transaction():
                    await conn.execute("select txid_current()")
                    await work()

            if world is TRIO:
                with trio.move_on_after(0.1):
                    await blocks()
            else:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await blocks()
        assert time.monotonic() - begin < 0.1 + BUDGET + 0.3
        assert manager.closed

    world.run(body)


@pytest.mark.parametrize("world", [ASYNCIO, UVLOOP, TRIO], ids=repr)
def test_a_coroutine_that_is_thrown_away(world: World, dsn: str, eye: Any) -> None:
    """It can't wait for the server any more: the connection is closed."""

    async def body() -> None:
        conn = await world.connect(dsn, autocommit=True)
        coroutine = conn.execute("select pg_sleep(30)")
        coroutine.send(None)
        coroutine.close()
        assert conn.closed and conn.broken
        assert not conn.lock.locked()
        await conn.close()

    if world is TRIO:
        pytest.skip("a coroutine of trio's can't be stepped by hand")
    world.run(body)


def test_a_loop_that_ends_in_the_middle(dsn: str, eye: psycopg3.Connection[Any]) -> None:
    """The task is cancelled with all others, and has the time to bring the connection to rest."""
    kept: list[Any] = []

    async def body() -> None:
        conn = await psycopg3.connect_async(dsn, autocommit=True)
        kept.append(conn)
        kept.append(asyncio.create_task(conn.execute("select pg_sleep(30)")))  # type: ignore[arg-type]
        await asyncio.sleep(0.1)

    begin = time.monotonic()
    asyncio.run(body())
    assert time.monotonic() - begin < 1
    conn, task = kept
    assert task.cancelled()
    assert not conn.closed
    assert not runs(eye, conn.pgconn.backend_pid)

    async def again() -> None:
        async with conn:
            assert await (await conn.execute("select 7")).fetchone() == (7,)

    asyncio.run(again())


@every_world
def test_an_abandoned_transaction(world: World, dsn: str, eye: psycopg3.Connection[Any]) -> None:
    """A connection that is dropped takes its transaction, and its locks, with it."""
    eye.execute("create table if not exists abandoned (n int); delete from abandoned")

    async def body() -> None:
        conn = await settled(world.connect(dsn))
        await settled(conn.execute("insert into abandoned values (1)"))
        await settled(conn.execute("lock table abandoned"))
        with pytest.warns(ResourceWarning, match="still open"):
            del conn
            gc.collect()

    try:
        world.run(body)
        eye.execute("set statement_timeout = 5000")
        assert eye.execute("select count(*) from abandoned").fetchone() == (0,)
    finally:
        eye.execute("reset statement_timeout; drop table abandoned")


@every_world
@pytest.mark.parametrize("end", ["finish", "reset"])
def test_the_link_is_cut(world: World, end: str, dsn: str, proxy: Proxy) -> None:
    """In the middle of a query: an error at once, and a connection that says that it is lost."""

    async def body() -> None:
        conn = await settled(world.connect(proxy.dsn(dsn), autocommit=True))
        fds = len(os.listdir("/proc/self/fd"))
        begin = time.monotonic()
        timer = threading.Timer(0.1, getattr(proxy, end))
        timer.start()
        with pytest.raises(psycopg3.OperationalError):
            await settled(conn.execute("select pg_sleep(30)"))
        assert time.monotonic() - begin < 0.5
        assert conn.closed and conn.broken
        timer.join()
        await settled(conn.close())
        assert len(os.listdir("/proc/self/fd")) < fds

    world.run(body)


@every_world
@pytest.mark.parametrize("after", [0, 1, 3, 4, 5, 20, 40])
def test_cut_after_any_byte(world: World, after: int, dsn: str, proxy: Proxy) -> None:
    """Of an answer that is cut short nothing is taken for the whole."""

    async def body() -> None:
        conn = await settled(world.connect(proxy.dsn(dsn), autocommit=True))
        proxy.reset(after=after, to="client")
        with pytest.raises(psycopg3.OperationalError):
            await settled(conn.execute("select n from generate_series(1, 100) n"))
        assert conn.broken
        await settled(conn.close())

    world.run(body)


@pytest.mark.parametrize("world", [ASYNCIO, UVLOOP], ids=repr)
def test_cut_while_idle(
    world: World, dsn: str, proxy: Proxy, eye: psycopg3.Connection[Any]
) -> None:
    """Bytes came first, and the reset after them is heard all the same."""

    async def body() -> None:
        conn = await world.connect(proxy.dsn(dsn), autocommit=True)
        await conn.execute("listen cut")
        lost = asyncio.Event()
        conn.add_close_handler(lambda _: lost.set())
        proxy.reset(after=3, to="client")
        eye.execute("notify cut")
        async with asyncio.timeout(5):
            await lost.wait()
        assert conn.broken
        await conn.close()

    world.run(body)


@every_world
def test_a_byte_at_a_time(world: World, dsn: str, proxy: Proxy) -> None:
    async def body() -> None:
        proxy.fragments = True
        conn = await settled(world.connect(proxy.dsn(dsn), autocommit=True))
        cur = await settled(conn.execute("select n, %s from generate_series(1, 30) n", ["x" * 50]))
        assert await settled(cur.fetchall()) == [(n, "x" * 50) for n in range(1, 31)]
        cur = conn.cursor()
        await settled(cur.executemany("select %s::int", [(n,) for n in range(20)], returning=True))
        await settled(conn.close())

    world.run(body)
