"""The leaf of a query: what waiters drive directly, a generator or something compiled."""

from __future__ import annotations

import asyncio
import sys
from select import select
from socket import socketpair
from typing import Any

import pytest

import psycopg3
from psycopg3.pq.binding import lib
from psycopg3.waiting import Wait, wait_async, wait_select, wait_trio
from psycopg3.watching import ThreadWatcher, watcher
from tests.marks import counts_references


class FakeLeaf:
    """As a compiled leaf is: it is advanced by plain calls, and never stepped as a generator."""

    def __init__(self, sock: Any, pieces: int = 3):
        self._sock, self._left = sock, pieces
        self.readies: list[int] = []
        self.value = 0

    def advance(self, ready: int) -> tuple[int, int] | None:
        self.readies.append(ready)
        if ready:
            self.value += len(self._sock.recv(1))
            self._left -= 1
        return (self._sock.fileno(), Wait.R) if self._left else None

    def __iter__(self) -> FakeLeaf:
        return self

    def __next__(self) -> tuple[int, int]:
        raise AssertionError("stepped as a generator")

    def send(self, ready: int) -> tuple[int, int]:
        raise AssertionError("stepped as a generator")

    throw = send

    def close(self) -> None:
        """Leave it."""


class Owner:
    """Of a watcher, while nothing is idle."""

    def _read_idle(self) -> bool | None:
        return None


@pytest.fixture
def pair():
    ours, theirs = socketpair()
    with ours, theirs:
        theirs.sendall(b"abc")
        yield ours


def test_threads(pair):
    leaf: Any = FakeLeaf(pair)
    assert wait_select(leaf) == 3
    assert leaf.readies == [0, 1, 1, 1]


def test_thread_watcher(pair):
    kept = ThreadWatcher()
    for _ in range(2):
        assert kept.wait(FakeLeaf(pair, 1)) == 1


def test_silence(pair):
    """It is advanced with nothing after each interval."""
    leaf: Any = FakeLeaf(pair, 4)
    advance = leaf.advance

    def ends(ready):
        asked = advance(ready)
        return asked if leaf.readies.count(0) < 3 else None

    leaf.advance = ends
    assert wait_select(leaf, 0.01) == 3
    assert leaf.readies == [0, 1, 1, 1, 0, 0]


@pytest.mark.anyio
async def test_tasks(pair, anyio_backend_name):
    wait: Any = {"asyncio": wait_async, "trio": wait_trio}[anyio_backend_name]
    leaf = FakeLeaf(pair)
    assert await wait(leaf) == 3
    assert leaf.readies == [0, 1, 1, 1]


@pytest.mark.anyio
async def test_task_watchers(pair, anyio_backend_name):
    """On asyncio it is advanced by the loop's callbacks, and its task wakes once."""
    owner = Owner()
    kept = watcher(anyio_backend_name, pair.fileno(), owner, None, tls=False)
    try:
        leaf: Any = FakeLeaf(pair)
        assert await kept.wait(leaf) == 3
        assert leaf.readies == [0, 1, 1, 1]
        done: Any = FakeLeaf(pair, 0)
        assert await kept.wait(done) == 0
    finally:
        kept.close()


@pytest.mark.anyio
async def test_its_exceptions_pass(pair, anyio_backend_name):
    leaf: Any = FakeLeaf(pair)

    def fail(ready):
        if ready:
            raise ZeroDivisionError
        return pair.fileno(), Wait.R

    leaf.advance = fail
    kept = watcher(anyio_backend_name, pair.fileno(), Owner(), None, tls=False)
    try:
        with pytest.raises(ZeroDivisionError):
            await kept.wait(leaf)
    finally:
        kept.close()


# ---- the way down to it ----


def depth(gen: Any) -> int:
    """How many generators are suspended in one another."""
    return 1 + depth(gen.gi_yieldfrom) if gen.gi_yieldfrom is not None else 1


def test_depth(dsn):
    """A query waits two generators deep at most; without a deadline of a block, in one."""
    depths: list[int] = []

    def wait(gen, interval=None):
        try:
            fd, want = next(gen)
            while True:
                depths.append(depth(gen))
                select([fd] if want & 1 else [], [fd] if want & 2 else [], [], 1)
                fd, want = gen.send(want & 1 or want)
        except StopIteration as stop:
            return stop.value

    with psycopg3.connect(dsn, wait=wait) as conn:
        for autocommit in (True, False):
            conn.set_autocommit(autocommit)
            for timeout in (None, 10):
                del depths[:]
                conn.execute("select pg_sleep(0.01), %s", [7], timeout=timeout)
                assert depths and max(depths) <= 2
                conn.execute("select 1")
                del depths[:]
                conn.execute("select pg_sleep(0.01), %s", [7], timeout=timeout)
                assert depths == [1]
                conn.cursor().executemany("select pg_sleep(%s)", [(0.01,)], timeout=timeout)
                conn.rollback()


@counts_references
@pytest.mark.skipif("ctypes" in lib.__name__, reason="counted where libpq is called through cffi")
def test_calls(dsn):
    """What a query costs in Python is calls: it takes 45 of them at most, with its fetch."""
    calls: list[str] = []

    def count(frame, event, _):
        if event == "call":
            calls.append(frame.f_code.co_qualname)

    with psycopg3.connect(dsn, autocommit=True) as conn, conn.cursor() as cur:
        for _ in range(3):
            cur.execute("select %s", [7]).fetchone()
        sys.setprofile(count)
        try:
            cur.execute("select %s", [7])
            cur.fetchone()
        finally:
            sys.setprofile(None)
    assert len(calls) <= 45, calls


def test_a_query_on_each_waiter(dsn):
    """The leaf is a generator for any waiter: a user's own, too."""

    async def main():
        conn = await psycopg3.connect_async(dsn, wait=wait_async)
        async with conn:
            return await (await conn.execute("select %s::int", [7])).fetchone()

    assert asyncio.run(main()) == (7,)
