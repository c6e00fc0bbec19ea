"""Locks and shields for the asynchronous worlds; `threads` has the same names."""

from __future__ import annotations

import sys
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
)
from contextlib import nullcontext, suppress
from contextvars import Context, copy_context
from functools import cache, partial
from types import FrameType
from typing import Any, TypeVar

from .._exceptions import InterfaceError
from ..deadlines import Deadline
from .threads import Library as Library
from .threads import patience as patience

T = TypeVar("T")


def current() -> Library:
    """The library that runs the current task: ask once, when a connection is made.

    Nothing is imported to find out: what isn't loaded can't be running. If both run in this thread,
    one around the other, it is that of the innermost task.

    Raises:
        RuntimeError: no library that we know runs here.
    """
    # An older trio than we can use, which has no such function, may be loaded all the same.
    lowlevel: Any = getattr(sys.modules.get("trio"), "lowlevel", None)
    on_trio = getattr(lowlevel, "in_trio_run", bool)()
    if not _on_asyncio():
        if on_trio and lowlevel.in_trio_task():
            return _trio()
    elif on_trio:
        return _trio() if _trio_is_innermost(lowlevel) else _asyncio_beside_trio()
    else:
        return _asyncio()
    raise RuntimeError(
        "no event loop is running here: an asynchronous connection must be made in a coroutine"
        " that asyncio, uvloop or trio runs"
    )


def _on_asyncio() -> bool:
    """Whether an event loop of asyncio's runs in this thread."""
    if (asyncio := sys.modules.get("asyncio")) is not None:
        with suppress(
            RuntimeError, AttributeError
        ):  # another thread may be in the middle of importing it
            asyncio.get_running_loop()
            return True
    return False


def _trio_is_innermost(lowlevel: Any) -> bool:
    """Whether it is a task of trio's that runs here, where both run in this thread.

    trio may be the guest of an asyncio loop, or be run in one of its tasks, as in notebooks; and
    asyncio in a task of trio's, by trio-asyncio or `asyncio.run()`.
    """
    from asyncio import current_task

    if not lowlevel.in_trio_task():
        return False
    if (task := current_task()) is None:
        return True
    asyncios, trios = _frame(task.get_coro()), _frame(lowlevel.current_task().coro)
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame is not trios:
        if frame is asyncios:
            return False
        frame = frame.f_back
    return True


def _frame(coroutine: Any) -> FrameType | None:
    return getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)


def assign(setter: Callable[[T], object], _value: T) -> None:
    """Refuse to set a property: the change takes its turn, so it must be awaited.

    Raises:
        AttributeError: always; it names the method to await.
    """
    name = setter.__name__
    raise AttributeError(
        "this property can't be assigned on an asynchronous connection:"
        f" use 'await conn.{name}(...)'"
    )


async def awaited(value: Any, deadline: Deadline | None = None) -> Any:
    """What a callback returned that may be a coroutine function: awaited, if it is to be.

    Args:
        value: what it returned.
        deadline: until when to wait for it; then it is cancelled.

    Raises:
        Exception: what the deadline raises of who is too late.
    """
    if isinstance(value, Awaitable):
        value = await (value if deadline is None else _within(value, deadline))
    if deadline is not None:
        deadline.check()
    return value


async def _within(value: Awaitable[T], deadline: Deadline) -> T:
    if current().name == "trio":
        import trio

        with trio.move_on_after(deadline.left):
            return await value
        raise deadline.expired()
    import asyncio

    scope = asyncio.timeout(deadline.left)
    try:
        async with scope:
            return await value
    except TimeoutError as ex:
        # Not its cause: Python before 3.11.3 names none.
        if scope.expired() and isinstance(ex.__context__, asyncio.CancelledError):
            raise deadline.expired() from None
        raise  # the callback's own


def each(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    """Iterate over items that may come asynchronously or not."""
    return aiter(items) if isinstance(items, AsyncIterable) else _Each(items)


class _Each(AsyncIterator[T]):
    """Iterates asynchronously over what isn't asynchronous."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[T]) -> None:
        self._items = iter(items)

    def __aiter__(self) -> _Each[T]:
        return self

    async def __anext__(self) -> T:
        for item in self._items:
            return item
        raise StopAsyncIteration


# ---- locks ----


class Lock:
    """A fair lock that knows which task holds it; `current().Lock()` makes the right kind.

    Ask `owned()` before you acquire it. Released while others wait, it passes straight to the one
    who waits longest, so that nobody overtakes. Any task may release it. Taking it when it's free
    is neither a cancel point nor a schedule point: what is done under it is.

    Args:
        current_task: tells which task runs.
        make_event: makes an event, of asyncio or of trio.
    """

    __slots__ = ("_current_task", "_holder", "_make_event", "_queue")

    def __init__(self, current_task: Callable[[], object], make_event: Callable[[], Any]) -> None:
        self._current_task, self._make_event = current_task, make_event
        self._holder: object = None
        # The tasks that wait, in order. Empty whenever nobody holds the lock.
        self._queue: dict[object, Any] = {}

    def locked(self) -> bool:
        """Does any task hold it?"""
        return self._holder is not None

    def owned(self) -> bool:
        """Does the current task hold it? False where no task runs."""
        if self._holder is None:
            return False
        try:
            return self._holder is self._current_task()
        except RuntimeError:
            return False

    async def acquire(self, deadline: Deadline | None = None) -> None:
        """Take the lock, after those who asked before.

        Raises:
            InterfaceError: no task of asyncio's asks.
            RuntimeError: the task that asks holds it already.
            Exception: what the deadline raises of who is too late.
        """
        me = self._current_task()
        if me is None:
            raise InterfaceError(
                "the connection lives on asyncio, and what runs here is no task of asyncio's: use it in a"
                " coroutine that asyncio runs, as by asyncio.create_task() or ensure_future()"
            )
        if self._holder is None:
            self._holder = me
        elif self._holder is me:
            raise RuntimeError("the task that waits for this lock is the one that holds it")
        elif deadline is None:
            await self._wait_turn(me)
        else:
            await _within(self._wait_turn(me), deadline)

    def release(self) -> None:
        """Pass the lock on to whoever waits longest, or leave it free.

        Raises:
            RuntimeError: nobody holds it.
        """
        if self._holder is None:
            raise RuntimeError("a lock was released that nobody holds")
        self._holder = None
        if self._queue:
            self._holder = next(iter(self._queue))
            self._queue.pop(self._holder).set()

    async def __aenter__(self) -> None:
        if self._holder is None and (me := self._current_task()) is not None:
            self._holder = me
        else:
            await self.acquire()

    # Not `async def`: trio's Ctrl-C may strike between the call and its await, and the coroutine
    # would never run. The call itself has released it.
    def __aexit__(self, *exc: object) -> Awaitable[None]:
        self.release()
        return _DONE

    def within(self, deadline: Deadline) -> Within:
        """The lock as a context manager that raises what `deadline` does if its turn is too late."""
        return Within(self, deadline)

    async def _wait_turn(self, me: object) -> None:
        """Queue up and sleep until `release` has made `me` the holder."""
        turn = self._queue[me] = self._make_event()
        try:
            await turn.wait()
        except BaseException:
            if self._holder is me:  # it was passed to us while we were being cancelled
                self.release()
            else:
                self._queue.pop(me, None)
            raise


class _TrioLock(Lock):
    # trio's own may be released by its owner only; a recovery may have to run in another task.
    __slots__ = ()


class _Done:
    """An awaitable that is done already."""

    def __await__(self) -> Generator[Any, Any, None]:
        yield from ()


_DONE = _Done()


class Within:
    """A lock that is waited for only so long."""

    __slots__ = ("_deadline", "_lock")

    def __init__(self, lock: Lock, deadline: Deadline) -> None:
        self._lock, self._deadline = lock, deadline

    async def __aenter__(self) -> None:
        await self._lock.acquire(self._deadline)

    def __aexit__(self, *exc: object) -> Awaitable[None]:
        self._lock.release()
        return _DONE


# ---- libraries ----


class _Asyncio(Library):
    """asyncio, and uvloop."""

    name = "asyncio"

    async def shield(self, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Await ``func(*args, **kwargs)`` to its end, whatever is cancelled meanwhile.

        A cancellation that comes meanwhile is raised after the end, unless the caller is in the
        middle of handling one (``except CancelledError: await shield(...); raise``): then the one
        it handles stands for all, and leaves it unchanged. The counts of ``Task.cancelling()`` are
        nowhere touched: whoever cancelled takes his own back.
        """
        # anyio cancels a task anew in each turn of the loop: 70,805 times in a recovery of one second.
        with anyio.CancelScope(shield=True) if (anyio := _anyio()) else nullcontext():
            return await _outlast(_awaited(func, *args, **kwargs))

    def deserted(self, place: Any) -> bool:
        return not place.is_running()

    def elsewhere(self, place: Any, func: Callable[[], object]) -> bool:
        from asyncio import get_running_loop

        with suppress(RuntimeError):  # none runs here
            if place is get_running_loop():
                return False
        with suppress(RuntimeError):  # it was closed just now
            if place.is_running():
                place.call_soon_threadsafe(func)
                return True
        return False

    def spawn(
        self, coroutine: Coroutine[Any, Any, object], context: Context | None = None
    ) -> Callable[[], object]:
        from asyncio import get_running_loop

        loop = get_running_loop()
        task = loop.create_task(_logged(coroutine), context=context)
        _spawned.add(task)
        task.add_done_callback(_spawned.discard)
        # A task that is cancelled before its first turn never begins: what its coroutine does at its
        # end, whoever waits for it, would be left out.
        return lambda: loop.call_soon(task.cancel)


# An event loop keeps only weak references to its tasks: these would be collected in the middle.
_spawned: set[Any] = set()


def _anyio() -> Any:
    """anyio, if it is loaded, and sees that asyncio runs here.

    It asks sniffio, for which a task of `asyncio.run()` inside of one of trio's is trio's.
    """
    sniffio: Any = sys.modules.get("sniffio")
    if sniffio is not None and sniffio.current_async_library() != "asyncio":
        return None
    return sys.modules.get("anyio")


async def _awaited(func: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> T:
    return await func(*args, **kwargs)


async def _outlast(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as a task of its own; however often ours is cancelled, wait for its end."""
    from asyncio import CancelledError, create_task, wait

    handling = isinstance(sys.exc_info()[1], CancelledError)
    task = create_task(work)
    interruption: CancelledError | None = None
    while not task.done():
        try:
            await wait((task,))
        except CancelledError as ex:
            interruption = ex
    if interruption is None or handling:
        return task.result()
    raise interruption from (None if task.cancelled() else task.exception())


class _Trio(Library):
    """trio."""

    name = "trio"

    async def shield(self, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Await a call to its end; a cancellation is raised by the next checkpoint after it."""
        import trio

        scope: Any = trio.CancelScope()  # Any: for type checkers a scope may swallow what leaves it
        scope.shield = True
        with scope:
            return await func(*args, **kwargs)

    def deserted(self, place: Any) -> bool:
        return not _trio_calls(place, int)  # a call that does nothing

    def elsewhere(self, place: Any, func: Callable[[], object]) -> bool:
        from trio.lowlevel import current_trio_token

        with suppress(RuntimeError):  # none runs here
            if place is current_trio_token():
                return False
        # In the caller's context, as on asyncio: trio has one of its own for such calls and tasks.
        return _trio_calls(place, partial(copy_context().run, func))

    def spawn(
        self, coroutine: Coroutine[Any, Any, object], context: Context | None = None
    ) -> Callable[[], object]:
        import trio

        scope = trio.CancelScope()

        async def run() -> None:
            with scope:
                await _logged(coroutine)

        context = copy_context() if context is None else context
        trio.lowlevel.spawn_system_task(run, context=context)
        return scope.cancel


def _trio_calls(token: Any, func: Callable[[], object]) -> bool:
    """Have a loop of trio's call a function soon; False if it runs no more."""
    import trio

    try:
        token.run_sync_soon(func)
    except (trio.RunFinishedError, OSError):  # OSError: an exception of a signal's handler ended it
        return False
    return True


async def _logged(coroutine: Coroutine[Any, Any, object]) -> None:
    try:
        await coroutine
    except Exception:
        import logging

        logging.getLogger("psycopg3").exception("error in a handler's coroutine %r", coroutine)


@cache
def _asyncio_beside_trio() -> Library:
    """The record of asyncio where trio runs in the same thread, around it or inside.

    A loop of asyncio's can be found running in tasks of trio's, too.
    """
    import asyncio

    def place() -> Any:
        if current().name != library.name:
            raise RuntimeError("a task of trio's runs here")
        return asyncio.get_running_loop()

    # Looked up late: trio-asyncio puts functions of its own there.
    make_lock = partial(Lock, lambda: asyncio.current_task(), asyncio.Event)
    library = _Asyncio(make_lock, place, asyncio.sleep)
    return library


@cache
def _asyncio() -> Library:
    from asyncio import Event, current_task, get_running_loop, sleep

    return _Asyncio(partial(Lock, current_task, Event), get_running_loop, sleep)


@cache
def _trio() -> Library:
    from trio import Event, sleep
    from trio.lowlevel import current_task, current_trio_token, enable_ki_protection

    def place() -> Any:
        asyncio = sys.modules.get("asyncio")
        # A loop of asyncio's may run in a task of ours, or have ours as its guest.
        if asyncio is not None and asyncio._get_running_loop() and current() is not library:
            raise RuntimeError("a task of asyncio's runs here")
        return current_trio_token()

    # Ctrl-C may come between any two lines of trio's main task; between these it would leave a
    # connection locked for ever.
    for name in ("acquire", "release", "__aenter__", "__aexit__"):
        setattr(_TrioLock, name, enable_ki_protection(getattr(_TrioLock, name)))
    for name in ("__aenter__", "__aexit__"):
        setattr(Within, name, enable_ki_protection(getattr(Within, name)))
    library = _Trio(partial(_TrioLock, current_task, Event), place, sleep)
    return library
