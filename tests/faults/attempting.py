"""Attempts to connect, in any world: how they end, how long they take, and who got a turn meanwhile."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import pytest

import psycopg3
from tests.faults import scripted
from tests.faults.running import ASYNCIO, THREADS, TRIO, UVLOOP, World, settled
from tests.listeners import Listener

WORLDS = [THREADS, ASYNCIO, UVLOOP, TRIO]
EACH = [THREADS, ASYNCIO, pytest.param(UVLOOP, marks=pytest.mark.slow), TRIO]
"""The same, as parameters of tests."""
TICK = 0.01


class Outcome(NamedTuple):
    """What became of an attempt."""

    error: Exception | None
    seconds: float
    gap: float
    """The longest time, in seconds, in which nobody else got a turn."""


def attempt(world: World, *args: Any, **kwargs: Any) -> Outcome:
    """Connect, and close the connection that comes of it; meanwhile others want a turn each 10 ms."""
    error: Exception | None = None
    begin = end = 0.0
    turns: list[float] = []
    over = threading.Event()

    async def connect() -> None:
        nonlocal begin, end, error
        begin = time.monotonic()
        try:
            conn = await settled(world.connect(*args, **kwargs))
            end = time.monotonic()
            await settled(conn.close())
        except Exception as ex:
            end = end or time.monotonic()
            error = ex
        finally:
            over.set()

    async def tick() -> None:
        while not over.is_set():
            turns.append(time.monotonic())
            await world.sleep(TICK)
        turns.append(time.monotonic())

    def tick_in_a_thread() -> None:
        while not over.wait(TICK):
            turns.append(time.monotonic())

    if world.has_tasks:
        world.run(lambda: world.together(tick, connect))
    else:
        thread = threading.Thread(target=tick_in_a_thread)
        thread.start()
        try:
            world.run(connect)
        finally:
            over.set()
            thread.join()
    gaps = [b - a for a, b in zip([begin, *turns], [*turns, end])]  # noqa: B905
    return Outcome(error, end - begin, max(gaps))


@contextmanager
def nothing_left(seconds: float = 3.0) -> Iterator[None]:
    """There are afterwards no descriptors and threads that weren't there before.

    Args:
        seconds: the time that they have to go away.
    """
    _begin_once()
    before = _there()
    yield
    deadline = time.monotonic() + seconds
    while left := _there() - before:
        assert time.monotonic() < deadline, f"left: {left}"
        gc.collect()
        time.sleep(0.01)


@cache
def _begin_once() -> None:
    """What libraries keep for good, from a first loop or a first password on, is no leak."""

    async def nothing() -> None:
        pass

    for world in WORLDS:
        world.run(nothing)
    place = f"host=127.0.0.1 user=me password={scripted.PASSWORD} sslmode=disable"
    with Listener(scripted.Scram()) as server:
        psycopg3.connect(place, port=server.port, autocommit=True).close()


def _there() -> set[object]:
    """The descriptors with what they lead to, as Linux tells it, and the threads."""
    found: set[object] = set(threading.enumerate())
    folder = "/proc/self/fd"
    for number in os.listdir(folder) if os.path.isdir(folder) else ():
        try:
            found.add(f"{number}: {os.readlink(f'{folder}/{number}')}")
        except OSError:
            pass  # it read the folder
    return found
