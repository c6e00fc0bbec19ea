"""Handlers see the context variables of who asks; while nobody does, those of who registered them."""

from __future__ import annotations

import logging
import threading
from contextvars import ContextVar

import anyio
import pytest

import psycopg3
from psycopg3 import errors
from tests.settling import until
from tests.test_watching import asyncio_only, terminate, trio_only

pytestmark = pytest.mark.anyio
who = ContextVar("who", default="nobody")


@pytest.fixture
def other(dsn):
    with psycopg3.connect(dsn, autocommit=True) as conn:
        yield conn


async def run_as(name, func, *args):
    """Await it in a task whose context has this name."""

    async def run():
        who.set(name)
        await func(*args)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)


def notice(text):
    # Not at once: the answer is to be read when the task sleeps.
    return f"do $$ begin perform pg_sleep(0.05); raise notice '{text}'; end $$"


async def test_notices(dsn):
    seen = []

    async def make():
        nonlocal conn
        conn = await psycopg3.connect_async(dsn, autocommit=True)
        conn.add_notice_handler(lambda diag: seen.append((diag.message_primary, who.get())))

    conn = None
    await run_as("maker", make)
    async with conn:
        async with anyio.create_task_group() as tasks:
            for name in ("ann", "bob"):
                tasks.start_soon(run_as, name, conn.execute, notice(name))
        await conn.execute(notice("us"))
    assert sorted(seen) == [("ann", "ann"), ("bob", "bob"), ("us", "nobody")]


async def test_a_generator_of_the_users(aconn):
    seen = []

    def gen():
        aconn.pgconn.send_query(b"select pg_sleep(0.05)")
        while aconn.pgconn.is_busy():
            yield aconn.fileno(), 1
            seen.append(who.get())
            aconn.pgconn.consume_input()
        while aconn.pgconn.get_result() is not None:
            pass

    await run_as("ann", aconn.wait, gen())
    assert set(seen) == {"ann"}


async def test_coroutine_functions(aconn):
    seen = []

    async def handler(diag):
        await anyio.sleep(0)
        seen.append(who.get())

    aconn.add_notice_handler(handler)
    await run_as("ann", aconn.execute, notice("x"))
    await until(lambda: seen)
    assert seen == ["ann"]


async def test_what_is_logged(aconn):
    """A handler's failure is told where those who correlate records look for it."""
    seen = []

    class Handler(logging.Handler):
        def emit(self, record):
            seen.append(who.get())

    def handler(diag):
        raise ZeroDivisionError

    aconn.add_notice_handler(handler)
    listener, logger = Handler(), logging.getLogger("psycopg3")
    logger.addHandler(listener)
    try:
        await run_as("ann", aconn.execute, notice("x"))
    finally:
        logger.removeHandler(listener)
    assert seen == ["ann"]


async def test_notifications_of_an_operation(aconn, other):
    seen = []
    aconn.add_notify_handler(lambda news: seen.append(who.get()))

    async def ask():
        await aconn.execute("notify news")

    await aconn.execute("listen news")
    await run_as("ann", ask)
    assert seen == ["ann"]


async def test_a_close_handler_of_an_operation(dsn, other):
    seen = []
    conn = await psycopg3.connect_async(dsn, autocommit=True)

    async def register():
        conn.add_close_handler(lambda conn: seen.append(who.get()))

    async def ask():
        with pytest.raises(errors.AdminShutdown):
            await conn.execute("select pg_terminate_backend(pg_backend_pid()), pg_sleep(5)")

    await run_as("maker", register)
    await run_as("ann", ask)
    await conn.close()
    assert seen == ["ann"]


@asyncio_only
class TestIdle:
    async def test_notifications(self, aconn, other):
        seen = []

        async def register():
            aconn.add_notify_handler(lambda news: seen.append(("handler", who.get())))
            await aconn.listen("news", lambda news: seen.append(("listener", who.get())))

        await run_as("ann", register)
        await run_as("bob", aconn.execute, "select 1")
        for _ in range(2):
            other.execute("notify news")
            await until(lambda: seen)
            assert seen == [("handler", "ann"), ("listener", "ann")]
            seen.clear()

    async def test_coroutine_functions(self, aconn, other):
        seen = []

        async def handler(news):
            await anyio.sleep(0)
            seen.append(who.get())

        await run_as("ann", aconn.listen, "news", handler)
        other.execute("notify news")
        await until(lambda: seen)
        assert seen == ["ann"]

    async def test_the_end(self, dsn, other):
        seen = []
        conn = await psycopg3.connect_async(dsn, autocommit=True)

        async def register():
            conn.add_close_handler(lambda conn: seen.append(who.get()))

        await run_as("ann", register)
        terminate(other, conn)
        await until(lambda: seen)
        await conn.close()
        assert seen == ["ann"]

    async def test_a_handler_leaves_nothing_in_it(self, aconn, other):
        seen = []

        def handler(news):
            seen.append(who.get())
            who.set("handler")

        await run_as("ann", aconn.listen, "news", handler)
        for expected in (["ann"], ["ann", "ann"]):
            other.execute("notify news")
            await until(lambda expected=expected: len(seen) == len(expected))
            assert seen == expected


@trio_only
async def test_ended_by_a_thread(dsn):
    """Its context goes with the call. On asyncio the reader may be the first to notice."""
    seen = []
    conn = await psycopg3.connect_async(dsn, autocommit=True)
    conn.add_close_handler(lambda conn: seen.append(who.get()))

    def abort():
        who.set("thread")
        conn.abort()

    thread = threading.Thread(target=abort)
    thread.start()
    await until(lambda: seen)
    thread.join()
    assert seen == ["thread"]


def test_threads(conn):
    seen = []
    conn.add_notice_handler(lambda diag: seen.append(who.get()))

    def ask():
        who.set("thread")
        conn.execute(notice("x"))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert seen == ["thread"]
