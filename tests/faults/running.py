"""What runs the tests with faults: threads, asyncio in four dresses, trio.

One source for all of them: a test's body is a coroutine, in which ``await settled(...)`` waits for what
an asynchronous connection gives, and takes what a synchronous one gives. In the world of threads it
never waits, so that it is driven to its end by one step.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import trio

import psycopg3
from tests.connectors import tasks, threads

T = TypeVar("T")
Body = Callable[[], Coroutine[Any, Any, T]]


async def settled(value: T | Awaitable[T]) -> T:
    """The value, awaited if it is to be."""
    if inspect.isawaitable(value):
        awaited: T = await value
        return awaited
    return value  # type: ignore[return-value]


class World:
    """A library that runs programs, and how."""

    def __init__(self, name: str, run: Callable[[Body[Any]], Any], *, anyio: bool = True):
        self.name = name
        self.library = name if name in ("trio", "threads") else "asyncio"
        self.has_tasks = name != "threads"
        self._run = run
        self._anyio = anyio

    def __repr__(self) -> str:
        return self.name

    def run(self, body: Body[T]) -> T:
        """Run `body`, in a loop of its own where there are loops."""
        with _without_anyio(not self._anyio):
            result: T = self._run(body)
            return result

    def connect(self, *args: Any, **kwargs: Any) -> Any:
        """Connect: a connection, or an awaitable of one."""
        call: Any = psycopg3.connect_async if self.has_tasks else psycopg3.connect
        return call(*args, **kwargs)

    async def together(self, *bodies: Body[Any]) -> None:
        """Run all of them, at the same time where there are tasks."""
        if self.library == "trio":
            async with trio.open_nursery() as nursery:
                for body in bodies:
                    nursery.start_soon(body)
        elif self.library == "asyncio":
            async with asyncio.TaskGroup() as group:
                for body in bodies:
                    group.create_task(body())
        else:
            for body in bodies:
                await body()

    @asynccontextmanager
    async def beside(self, body: Body[Any]) -> AsyncIterator[None]:
        """Run a coroutine beside the block, and cancel it at its end; there must be tasks."""
        if self.library == "trio":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(body)
                yield
                nursery.cancel_scope.cancel()
        else:
            task = asyncio.create_task(body())
            try:
                yield
            finally:
                task.cancel()
                await asyncio.wait([task])

    async def sleep(self, seconds: float) -> None:
        """Let others run for so long; there must be tasks."""
        await (trio.sleep if self.library == "trio" else asyncio.sleep)(seconds)

    def connector(self, open: Callable[[str, int], socket.socket], kind: str) -> Any:
        """A connector that opens a socket, and gives a "plain" link, which libpq takes over by dup2,
        or a "relayed" one.
        """
        if not self.has_tasks:
            return threads.connector(open, threads.kinds(kind)[0])
        kinds = {"plain": tasks.PLAIN, "relayed": tasks.RELAYED}[kind]
        return tasks.connector(open, kinds[self.library][0])

    def tasks(self) -> int:
        """How many tasks there are."""
        if self.library == "trio":
            return trio.lowlevel.current_statistics().tasks_living
        return len(asyncio.all_tasks()) if self.library == "asyncio" else 0


@contextmanager
def _without_anyio(hidden: bool) -> Iterator[None]:
    """Run as where nobody has imported anyio: then the driver must shield by its own means."""
    modules = {name: sys.modules.pop(name) for name in ["anyio"] if hidden and name in sys.modules}
    try:
        yield
    finally:
        sys.modules.update(modules)


def _drive(body: Body[T]) -> T:
    coroutine = body()
    try:
        coroutine.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise AssertionError("something was awaited in the world of threads")


def _by_uvloop(body: Body[T]) -> T:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(body())


THREADS = World("threads", _drive)
ASYNCIO = World("asyncio", lambda body: asyncio.run(body()))
PLAIN = World("asyncio-without-anyio", lambda body: asyncio.run(body()), anyio=False)
DEBUG = World("asyncio-debug", lambda body: asyncio.run(body(), debug=True))
UVLOOP = World("uvloop", _by_uvloop)
TRIO = World("trio", trio.run)


@contextmanager
def counted(world: World) -> Iterator[list[None]]:
    """Counts how often the loop waits; uvloop, and where there is no loop, don't tell."""
    turns: list[None] = []
    if world is TRIO:

        class Count(trio.abc.Instrument):
            def before_io_wait(self, timeout: float) -> None:
                turns.append(None)

        instrument = Count()
        trio.lowlevel.add_instrument(instrument)
        yield turns
        trio.lowlevel.remove_instrument(instrument)
    elif world.library == "asyncio" and world is not UVLOOP:
        loop: Any = asyncio.get_running_loop()
        select = loop._selector.select
        loop._selector.select = lambda timeout: turns.append(None) or select(timeout)
        yield turns
        loop._selector.select = select
    else:
        yield [None] * 10


WITH_TASKS = [ASYNCIO, PLAIN, DEBUG, UVLOOP, TRIO]
EVERY = [THREADS, *WITH_TASKS]
