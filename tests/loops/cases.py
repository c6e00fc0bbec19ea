"""What a connection must do on every loop of asyncio's kind: the cases that each loop is tried by."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.conninfo import make_conninfo
from psycopg3.waiting import Wait, wait_async

Case = Callable[[str], Awaitable[None]]
CASES: dict[str, Case] = {}
who = ContextVar("who", default="nobody")


def case(func: Case) -> Case:
    """Add a case; it is given the server's connection string."""
    CASES[func.__name__] = func
    return func


def connect(dsn: str, **kwargs: Any) -> Any:
    """A connection in autocommit."""
    return psycopg3.connect_async(dsn, autocommit=True, **kwargs)


async def one(conn: Any, query: str = "select 1") -> Any:
    """The only value of a query."""
    return (await (await conn.execute(query)).fetchone())[0]


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until it comes true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


@case
async def queries(dsn: str) -> None:
    async with await connect(dsn) as conn:
        assert await one(conn) == 1
        assert len(await one(conn, "select repeat('x', 5000000)")) == 5_000_000
        async with conn.transaction():
            assert await one(conn, "select 2") == 2
        found = await asyncio.gather(*(one(conn, f"select {i}") for i in range(20)))
        assert found == list(range(20))
        sent = "x" * 5_000_000
        cur = await conn.execute("select length(%s)", [sent])
        assert await cur.fetchone() == (5_000_000,)


@case
async def many_connections(dsn: str) -> None:
    async def work() -> None:
        async with await connect(dsn) as conn:
            for i in range(20):
                assert await one(conn, f"select {i}") == i

    await asyncio.gather(*(work() for _ in range(8)))


@case
async def cancelled(dsn: str) -> None:
    async with await connect(dsn) as conn:
        for _ in range(3):
            begin = time.monotonic()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await conn.execute("select pg_sleep(10)")
            assert time.monotonic() - begin < 1.5
            assert await one(conn) == 1


@case
async def timeouts(dsn: str) -> None:
    """A timer that comes a little too soon costs no whole further tick."""
    async with await connect(dsn) as conn:
        for seconds in 0.2, 1.0:
            took = []
            for _ in range(3):  # the machine may be busy
                begin = time.monotonic()
                with pytest.raises(errors.QueryTimeout):
                    await conn.execute("select pg_sleep(10)", timeout=seconds)
                took.append(time.monotonic() - begin - seconds)
                assert await one(conn) == 1
            assert 0 <= min(took) < 0.07, took
        took = []
        for _ in range(3):
            begin = time.monotonic()
            assert [news async for news in conn.notifies(timeout=0.2)] == []
            took.append(time.monotonic() - begin - 0.2)
        assert 0 <= min(took) < 0.07, took


@case
async def notifications(dsn: str) -> None:
    told: list[Any] = []
    async with await connect(dsn) as conn, await connect(dsn) as other:
        await conn.listen("news", told.append)
        for i in range(100):
            await other.execute(f"notify news, '{i}'")
        await until(lambda: len(told) == 100)
        assert [news.payload for news in told] == [str(i) for i in range(100)]
        await conn.unlisten("news")
        await conn.execute("listen news")
        asyncio.get_running_loop().call_later(
            0.1, lambda: tasks.append(asyncio.ensure_future(other.execute("notify news, 'x'")))
        )
        tasks: list[Any] = []
        assert [n.payload async for n in conn.notifies(timeout=5, stop_after=1)] == ["x"]
        await asyncio.gather(*tasks)


@case
async def handlers(dsn: str) -> None:
    """They see the context of who asks."""
    seen = []
    conn = await connect(dsn)
    conn.add_notice_handler(lambda diag: seen.append((diag.message_primary, who.get())))

    async def ask(name: str) -> None:
        who.set(name)
        await conn.execute(f"do $$ begin raise notice '{name}'; end $$")

    await asyncio.gather(ask("ann"), ask("bob"))
    assert seen == [("ann", "ann"), ("bob", "bob")]
    await conn.close()


@case
async def coroutine_handlers(dsn: str) -> None:
    async with await connect(dsn) as conn, await connect(dsn) as other:
        told = []

        async def handler(news: Any) -> None:
            told.append(await one(conn, f"select '{news.payload}'"))

        await conn.listen("news", handler)
        await other.execute("notify news, 'one'")
        await until(lambda: told == ["one"])


@case
async def terminated(dsn: str) -> None:
    told: list[Any] = []
    async with await connect(dsn) as other:
        conn = await connect(dsn)
        conn.add_close_handler(told.append)
        await other.execute("select pg_terminate_backend(%s, 5000)", [conn.info.backend_pid])
        await until(lambda: told == [conn])
        with pytest.raises(errors.AdminShutdown):
            await conn.execute("select 1")
        await conn.close()


@case
async def own_reader(dsn: str) -> None:
    """A reader of the user's on the connection's descriptor, beside ours."""
    async with await connect(dsn) as conn, await connect(dsn) as other:
        told: list[Any] = []
        loop = asyncio.get_running_loop()
        loop.add_reader(conn.fileno(), told.append, 1)
        assert await one(conn) == 1
        loop.remove_reader(conn.fileno())
        heard: list[Any] = []
        await conn.listen("news", heard.append)
        await other.execute("notify news, 'one'")
        await until(lambda: heard)


@case
async def closed_underneath(dsn: str) -> None:
    before = descriptors()
    conn = await connect(dsn)
    os.close(conn.fileno())
    begin = time.monotonic()
    with pytest.raises(errors.OperationalError, match="not open"):
        await conn.execute("select 1")
    assert time.monotonic() - begin < 1
    assert conn.closed and conn.broken
    await conn.close()
    await until(lambda: descriptors() == before)


@case
async def waiting_on_what_is_closed(dsn: str) -> None:
    read, write = os.pipe()
    os.close(read)
    os.close(write)

    def gen() -> Any:
        yield read, Wait.R

    with pytest.raises(errors.OperationalError, match="not open"):
        await asyncio.wait_for(wait_async(gen()), 5)


@case
async def transports(dsn: str) -> None:
    """A connector that returns a transport of the loop's: cancelled queries, and nothing is left."""
    made = []

    async def connector(factory: Any, host: str, port: int, *, loop: Any, ssl: Any) -> Any:
        made.append(host)
        return await loop.create_connection(factory, host, port)

    where = make_conninfo(dsn, host="127.0.0.1")
    async with await connect(where, connector_factory=connector):
        pass  # what the first one opens for all of the process
    await asyncio.sleep(0.1)
    made.clear()
    before = descriptors()
    for _ in range(3):
        async with await connect(where, connector_factory=connector) as conn:
            assert len(await one(conn, "select repeat('x', 5000000)")) == 5_000_000
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await conn.execute("select pg_sleep(10)")
            assert await one(conn) == 1
    assert len(made) == 6
    await until(lambda: descriptors() == before)
