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
from tests.clocks import OwnClock
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
    own: float
    """The seconds without those that a busy machine has taken: for upper bounds."""
    gap: float
    """The longest of such times in which nobody else got a turn."""
    calls: int
    """The calls of the driver's own that were under way still when it was over."""

    @property
    def tolerable(self) -> float:
        """The longest gap of a loop that isn't blocked: less than its share of a busy machine."""
        return max(0.5, self.own / 2)


def attempt(world: World, *args: Any, **kwargs: Any) -> Outcome:
    """Connect, and close the connection that comes of it; meanwhile others want a turn each 10 ms."""
    error: Exception | None = None
    before = set(threading.enumerate())
    calls = 0
    begin = end = (0.0, 0.0)
    clock = OwnClock()
    turns: list[float] = []

    def now() -> tuple[float, float]:
        return time.monotonic(), clock()

    over = threading.Event()

    async def connect() -> None:
        nonlocal begin, end, error, calls
        begin = now()
        try:
            conn = await settled(world.connect(*args, **kwargs))
            end = now()
            await settled(conn.close())
        except Exception as ex:
            end = end if any(end) else now()
            calls = sum(
                thread.name == "psycopg3-call" for thread in set(threading.enumerate()) - before
            )
            error = ex
        finally:
            over.set()

    async def tick() -> None:
        while not over.is_set():
            turns.append(clock())
            await world.sleep(TICK)
        turns.append(clock())

    def tick_in_a_thread() -> None:
        while not over.wait(TICK):
            turns.append(clock())

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
    gaps = [b - a for a, b in zip([begin[1], *turns], [*turns, end[1]])]  # noqa: B905
    return Outcome(error, end[0] - begin[0], end[1] - begin[1], max(gaps), calls)


@contextmanager
def nothing_left(seconds: float = 3.0) -> Iterator[None]:
    """There are afterwards no descriptors and threads that weren't there before.

    Args:
        seconds: the time that they have to go away, by a clock of our own.
    """
    _begin_once()
    before = _there()
    yield
    clock = OwnClock()
    deadline = clock() + seconds
    while left := _there() - before:
        assert clock() < deadline, f"left: {left}"
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
