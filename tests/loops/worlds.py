"""How a coroutine is run on each loop that psycopg3 is tried on.

`python -m tests.loops.worlds WORLD CASE DSN` runs one case on one of them.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, NamedTuple

Main = Callable[[], Awaitable[None]]


class World(NamedTuple):
    """A way to run a coroutine function as a task of asyncio's, and the module that it needs."""

    run: Callable[[Main], None]
    needs: str


WORLDS: dict[str, World] = {}


def world(needs: str = "") -> Callable[[Callable[[Main], None]], None]:
    """Add a way to run a coroutine function."""

    def add(func: Callable[[Main], None]) -> None:
        WORLDS[func.__name__] = World(func, needs)

    return add


@world()
def plain(main: Main) -> None:
    asyncio.run(main())


@world("uvloop")
def uvloop(main: Main) -> None:
    import_module("uvloop").run(main())


@world("rloop")
def rloop(main: Main) -> None:
    factory = import_module("rloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


@world("loopmini")
def loopmini(main: Main) -> None:
    factory = import_module("loopmini").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


@world("uringcore")
def uringcore(main: Main) -> None:
    factory = import_module("uringcore").UringEventLoop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


def _qt() -> Any:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    core = import_module("PySide6.QtCore")
    return core.QCoreApplication.instance() or core.QCoreApplication([])


@world("qasync")
def qasync(main: Main) -> None:
    app = _qt()
    with import_module("qasync").QEventLoop(app) as loop:
        loop.run_until_complete(main())


@world("qtinter")
def qtinter(main: Main) -> None:
    _qt()
    with import_module("qtinter").using_qt_from_asyncio():
        asyncio.run(main())


@world("gi.events")
def pygobject(main: Main) -> None:
    events = import_module("gi.events")
    with asyncio.Runner(loop_factory=events.GLibEventLoopPolicy().new_event_loop) as runner:
        runner.run(main())


@world("tornado")
def tornado(main: Main) -> None:
    loop = import_module("tornado.ioloop").IOLoop(make_current=False)
    try:
        loop.run_sync(main)
    finally:
        loop.close()


@world("twisted")
def twisted(main: Main) -> None:
    """As the guide says: a coroutine is a task, and Twisted has the Deferred of it."""
    reactors = import_module("twisted.internet.asyncioreactor")
    from twisted.internet.defer import Deferred

    loop = asyncio.new_event_loop()
    reactor = reactors.AsyncioSelectorReactor(loop)
    failures: list[Any] = []

    def begin() -> None:
        done = Deferred.fromFuture(asyncio.ensure_future(main(), loop=loop))
        done.addErrback(failures.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run(installSignalHandlers=False)
    loop.close()
    if failures:
        failures[0].raiseException()


@world("trio_asyncio")
def trio_asyncio(main: Main) -> None:
    aio = import_module("trio_asyncio")
    aio.run(aio.aio_as_trio(main))


@world("trio")
def run_in_a_trio_task(main: Main) -> None:
    import trio

    async def outer() -> None:
        asyncio.run(main())

    trio.run(outer)


@world("trio")
def host_of_trio(main: Main) -> None:
    """asyncio's side of trio's guest mode."""
    import trio

    async def host() -> None:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Any] = loop.create_future()
        stop = trio.Event()

        async def guest() -> None:
            while not stop.is_set():
                with trio.move_on_after(0.01):
                    await stop.wait()

        trio.lowlevel.start_guest_run(
            guest,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=ended.set_result,
        )
        try:
            await main()
        finally:
            stop.set()
            await ended

    asyncio.run(host())


@world("aioguest")
def aioguest(main: Main) -> None:
    """asyncio as the guest of trio."""
    guest = import_module("aioguest")
    import trio

    async def host() -> None:
        ended, outcomes = trio.Event(), []

        def done(outcome: Any) -> None:
            outcomes.append(outcome)
            ended.set()

        soon = trio.lowlevel.current_trio_token().run_sync_soon
        guest.start_guest_run(main(), run_sync_soon_threadsafe=soon, done_callback=done)
        await ended.wait()
        outcomes[0].unwrap()

    trio.run(host)


if __name__ == "__main__":
    from tests.loops.cases import CASES

    case, dsn = CASES[sys.argv[2]], sys.argv[3]
    WORLDS[sys.argv[1]].run(lambda: case(dsn))
