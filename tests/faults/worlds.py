"""The worlds that connections are made in, alike to a test: threads, asyncio, uvloop, trio."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import anyio
import trio

import psycopg3

TICK = 0.01
NAMES = ("threads", "asyncio", "uvloop", "trio")


class Outcome(NamedTuple):
    """What became of an attempt to connect."""

    error: BaseException | None
    seconds: float
    gap: float
    """The longest time, in seconds, in which nobody else got a turn."""


def attempt(world: str, *args: Any, **params: Any) -> Outcome:
    """Connect in one of the worlds, and close the connection that comes of it.

    Meanwhile somebody else in that world, a task or a thread, wants a turn each 10 ms.
    """
    if world == "threads":
        return _in_threads(*args, **params)
    return run(world, lambda: _attempt_async(*args, **params))


def run(world: str, func: Callable[[], Awaitable[Any]]) -> Any:
    """Run a coroutine function in one of the asynchronous worlds."""
    if world == "trio":
        return trio.run(func)
    if world == "uvloop":
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(func())  # type: ignore[arg-type]
    return asyncio.run(func())  # type: ignore[arg-type]


async def _attempt_async(*args: Any, **params: Any) -> Outcome:
    turns: list[float] = []

    async def tick() -> None:
        while True:
            turns.append(time.monotonic())
            await anyio.sleep(TICK)

    error, begin = None, time.monotonic()
    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        await anyio.sleep(0)
        try:
            async with await psycopg3.connect_async(*args, **params):
                end = time.monotonic()
        except Exception as ex:
            error, end = ex, time.monotonic()
        await anyio.sleep(2 * TICK)
        group.cancel_scope.cancel()
    return Outcome(error, end - begin, _longest(turns))


def _in_threads(*args: Any, **params: Any) -> Outcome:
    turns: list[float] = []
    over = threading.Event()

    def tick() -> None:
        while not over.wait(TICK):
            turns.append(time.monotonic())

    thread = threading.Thread(target=tick)
    thread.start()
    error, begin = None, time.monotonic()
    try:
        with contextlib.suppress(psycopg3.OperationalError):
            pass
        with psycopg3.connect(*args, **params):
            end = time.monotonic()
    except Exception as ex:
        error, end = ex, time.monotonic()
    finally:
        time.sleep(2 * TICK)
        over.set()
        thread.join()
    return Outcome(error, end - begin, _longest(turns))


def _longest(turns: list[float]) -> float:
    return max((b - a for a, b in zip(turns, turns[1:])), default=0.0)  # noqa: B905, RUF007
