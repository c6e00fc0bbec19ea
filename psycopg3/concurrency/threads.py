"""Locks and shields for the synchronous world; `tasks` has the same names."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from functools import cache
from time import sleep
from typing import TYPE_CHECKING, Any, TypeVar

from .._exceptions import ProgrammingError
from ..deadlines import Deadline

T = TypeVar("T")

if TYPE_CHECKING:
    from threading import RLock as _RLock
else:
    # The class is asked for, not named: where gevent has patched threading, it is another one.
    _RLock = type(threading.RLock())


def _nowhere() -> None:
    """Threads have no event loop: their connections are at home everywhere."""


class Library:
    """What a connection asks of the library that runs its world: threads, or an event loop's.

    As it is here it is that of threads: they have no event loop, are everywhere in the same place,
    and nobody cancels them.

    Args:
        lock: makes a lock that knows its owner.
        place: tells which event loop runs here; RuntimeError if none of this library does.
        sleep: lets others run for so many seconds.
    """

    name = "threads"
    """`threads`, `asyncio` or `trio`."""
    spawn: Callable[..., Callable[[], object]] | None = None
    """Runs a coroutine on its own, its errors go to the log; returns what cancels it."""

    def __init__(
        self,
        lock: Callable[[], Any],
        place: Callable[[], Any] = _nowhere,
        sleep: Callable[[float], Any] = sleep,
    ) -> None:
        # Attributes, since an import inside a method would cost each operation.
        self.Lock, self.place, self.sleep = lock, place, sleep

    def shield(self, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call a function that must come to its end, whoever is cancelled meanwhile.

        It has to bound its own time: nobody else can.
        """
        return func(*args, **kwargs)

    def deserted(self, _place: Any) -> bool:
        """Tell whether an event loop, as `place()` told it, has stopped running."""
        return False

    def elsewhere(self, _place: Any, _func: Callable[[], object]) -> bool:
        """Have an event loop call a function soon; False if it is the one that runs here, or none."""
        return False


def current() -> Library:
    """The library that runs this world: here it is always threads.

    Their locks may have become those of greenlets since the last time: gevent patches threading
    after our import as well as before it.
    """
    kind: Any = type(threading.RLock())
    return _library(kind)


class _FairLock:
    """What a lock of ours has besides what the standard library's has: an order, and a deadline."""

    owned: Callable[[], bool]
    """Does the current thread hold it? It is the standard lock's own method."""

    def __init__(self) -> None:
        super().__init__()
        self._queue: deque[Any] = deque()

    def locked(self) -> bool:
        """Does any thread hold it?"""
        if self.owned():
            return True
        if super().acquire(blocking=False):  # type: ignore[misc]
            self.release()  # type: ignore[attr-defined]
            return False
        return True

    def acquire(self, deadline: Deadline | None = None) -> None:
        """Take the lock, after those who asked before.

        Raises:
            Exception: what the deadline raises of who is too late.
        """
        try:
            # Those who wait stand in a queue; only the first of them asks for the lock itself.
            if self._queue or not super().acquire(blocking=False):  # type: ignore[misc]
                self._wait_turn(deadline)
        except BaseException:
            # A signal's handler raised after the lock was taken.
            if self.owned():
                self.release()  # type: ignore[attr-defined]
            raise

    __enter__ = acquire

    def _wait_turn(self, deadline: Deadline | None) -> None:
        queue, turn = self._queue, threading.Lock()
        turn.acquire()
        try:
            queue.append(turn)
            while queue[0] is not turn:
                turn.acquire(timeout=_seconds_left(deadline))
            while not super().acquire(timeout=_seconds_left(deadline)):  # type: ignore[misc]
                pass
        finally:
            with suppress(ValueError):
                queue.remove(turn)
            with suppress(IndexError, RuntimeError):  # there is none, or it has been told
                queue[0].release()

    def within(self, deadline: Deadline) -> Within:
        """The lock as a context manager that raises what `deadline` does if its turn is too late."""
        return Within(self, deadline)


_LONG = 3600.0


def _seconds_left(deadline: Deadline | None) -> float:
    """How long to wait at most; raises if the time is over."""
    if deadline is None:
        return _LONG
    deadline.check()
    return min(deadline.left, _LONG)


class Lock(_FairLock, _RLock):  # type: ignore[misc]  # final for type checkers only
    """A fair lock that knows which thread holds it. Ask `owned()` before you acquire it.

    A signal's handler may raise between any two lines of Python. None are run on the way out of a
    `with` block, whose end is the standard lock's own: one of ours would now and then leave the lock
    taken for ever.
    """

    owned = _RLock._is_owned  # type: ignore[attr-defined]


class Within:
    """A lock that is waited for only so long."""

    __slots__ = ("_deadline", "_lock")

    def __init__(self, lock: Any, deadline: Deadline) -> None:
        self._lock, self._deadline = lock, deadline

    def __enter__(self) -> None:
        self._lock.acquire(self._deadline)

    # Looked up on the way in: the way out is then the lock's own, with no line of Python on it.
    @property
    def __exit__(self) -> Callable[..., None]:  # noqa: PYI036
        return self._lock.__exit__  # type: ignore[no-any-return]


def assign(setter: Callable[[T], object], value: T) -> None:
    """Set a property by its setter method. A task must await the method instead."""
    setter(value)


def awaited(value: Any, deadline: Deadline | None = None) -> Any:
    """What a callback returned, as it is; in the other world it may be a coroutine.

    Args:
        value: what it returned.
        deadline: when it had to be there. Nobody can interrupt a call.

    Raises:
        ProgrammingError: it is to be awaited, and nothing can be.
        Exception: what the deadline raises of who is too late.
    """
    if isinstance(value, Awaitable):
        if isinstance(value, Coroutine):
            value.close()  # or it would warn that nobody awaited it
        raise ProgrammingError(
            "got an asynchronous function as a callback: nothing can be awaited here; give an"
            " ordinary function, or make the connection with AsyncConnection"
        )
    if deadline is not None:
        deadline.check()
    return value


def each(items: Iterable[T] | AsyncIterable[T]) -> Iterator[T]:
    """Iterate over the items.

    Raises:
        TypeError: they come asynchronously.
    """
    if isinstance(items, AsyncIterable):
        raise TypeError(
            "got an asynchronous iterable: nothing can be awaited here; make the connection with"
            " AsyncConnection"
        )
    return iter(items)


PATIENCE, PATIENCE_ON_LOOP = 30.0, 0.4
"""Seconds for which a call may block: its thread, or besides all tasks of an event loop."""


def patience() -> float:
    """For how long, in seconds, a call may block this thread at most."""
    # Another thread may be in the middle of importing them; and trio tells since 0.23.
    lowlevel = getattr(sys.modules.get("trio"), "lowlevel", None)
    if getattr(lowlevel, "in_trio_run", bool)():
        return PATIENCE_ON_LOOP
    if (asyncio := sys.modules.get("asyncio")) is not None:
        with suppress(RuntimeError, AttributeError):
            asyncio.get_running_loop()
            return PATIENCE_ON_LOOP
    return PATIENCE


@cache
def _library(rlock: Any) -> Library:
    """The record for threads whose locks that know their owner are of this class."""
    lock = (
        Lock
        if issubclass(Lock, rlock)
        else type("Lock", (_FairLock, rlock), {"owned": rlock._is_owned})
    )
    return Library(lock)
