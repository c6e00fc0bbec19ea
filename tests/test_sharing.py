"""Threads and tasks that share a connection take turns."""

from __future__ import annotations

import threading
import time

import anyio
import pytest

import psycopg3


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


def test_outside_of_any_loop(dsn):
    coroutine = psycopg3.connect_async(dsn)
    with pytest.raises(psycopg3.Error, match="event loop"):
        coroutine.send(None)
