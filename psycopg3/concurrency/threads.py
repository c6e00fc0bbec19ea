"""Locks and shields for the synchronous world; `tasks` has the same names."""

from __future__ import annotations

import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import cache
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

__all__ = [
    "Library",
    "Lock",
    "Unawaitable",
    "assign",
    "current",
    "patience",
    "settled",
    "shield",
]

P = ParamSpec("P")
T = TypeVar("T")

if TYPE_CHECKING:
    from threading import RLock as _RLock
else:
    # The class is asked for, not named: where gevent has patched threading, it is another one.
    _RLock = type(threading.RLock())


class Library:
    """What a connection asks of the library that runs its world: threads, asyncio or trio."""

    __slots__ = ("Lock", "deserted", "elsewhere", "name", "place", "shield", "spawn")

    def __init__(
        self,
        name: str,
        lock: Callable[[], Any],
        shield: Callable[..., Any],
        place: Callable[[], Any],
        deserted: Callable[[Any], bool],
        elsewhere: Callable[[Any, Callable[[], object]], bool],
        spawn: Callable[[Any], object] | None = None,
    ) -> None:
        self.name = name
        """`threads`, `asyncio` or `trio`."""
        self.Lock = lock
        """Makes a lock that knows its owner."""
        self.shield = shield
        """Calls a function that must come to its end, whoever is cancelled meanwhile."""
        self.place = place
        """Tells which event loop runs here; RuntimeError if none of this library does."""
        self.deserted = deserted
        """Whether an event loop, as `place()` told it, has stopped running."""
        self.elsewhere = elsewhere
        """Has an event loop call a function soon; False if it is the one that runs here, or none."""
        self.spawn = spawn
        """Runs a coroutine on its own, its errors go to the log; None where there are none."""


def current() -> Library:
    """The library that runs this world: here it is always threads.

    Their locks may have become those of greenlets since the last time: gevent patches threading
    after our import as well as before it.
    """
    kind: Any = type(threading.RLock())
    return _library(kind)


class _LockMethods:
    """What a lock of ours has besides what the standard library's has."""

    __slots__ = ()

    def owned(self) -> bool:
        """Does the current thread hold it?"""
        return cast(bool, self._is_owned())  # type: ignore[attr-defined]

    def locked(self) -> bool:
        """Does any thread hold it?"""
        if self.owned():
            return True
        if self.acquire(blocking=False):  # type: ignore[attr-defined]
            self.release()  # type: ignore[attr-defined]
            return False
        return True

    def within(self, seconds: float, expired: Callable[[], Exception]) -> Within:
        """The lock as a context manager that raises what `expired` makes if its turn is too late."""
        return Within(self, seconds, expired)


class Lock(_LockMethods, _RLock):  # type: ignore[misc]  # final for type checkers only
    """A lock that knows which thread holds it. Ask `owned()` before you acquire it.

    A signal's handler may raise between any two lines of Python. Here none are run on the way in
    or out: methods of Python around a plain lock would now and then leave it locked for ever.
    """

    __slots__ = ()


class Within:
    """A lock that is waited for only so long."""

    __slots__ = ("_expired", "_lock", "_seconds")

    def __init__(self, lock: Any, seconds: float, expired: Callable[[], Exception]) -> None:
        self._lock, self._seconds, self._expired = lock, seconds, expired

    def __enter__(self) -> None:
        try:
            if not self._lock.acquire(timeout=min(self._seconds, threading.TIMEOUT_MAX)):
                raise self._expired()
        except BaseException:
            # A signal's handler raised after the lock was taken.
            if self._lock.owned():
                self._lock.release()
            raise

    # Looked up on the way in: the way out is then the lock's own, with no line of Python on it.
    @property
    def __exit__(self) -> Callable[..., None]:  # noqa: PYI036
        return self._lock.__exit__  # type: ignore[no-any-return]


def shield(func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `func`: nobody cancels a thread. A task needs more than that."""
    return func(*args, **kwargs)


def assign(setter: Callable[[T], object], value: T) -> None:
    """Set a property by its setter method. A task must await the method instead."""
    setter(value)


def _nowhere() -> None:
    """Threads have no event loop: their connections are at home everywhere."""


def _never_deserted(_place: object) -> bool:
    """An event loop that isn't there can't have stopped running."""
    return False


def _never_elsewhere(_place: object, _func: Callable[[], object]) -> bool:
    """All threads are the same place: what is to be called is called here."""
    return False


class Unawaitable(TypeError):
    """Something is to be awaited where nothing can be."""


def settled(value: T, deadline: float = inf, expired: Callable[[], Exception] = TimeoutError) -> T:
    """What a callback returned, as it is; in the other world it may be a coroutine.

    Args:
        value: what it returned.
        deadline: when it had to be there, by `time.monotonic()`. Nobody can interrupt a call.
        expired: makes the error if it came too late.

    Raises:
        Unawaitable: it is to be awaited.
    """
    if isinstance(value, Awaitable):
        if isinstance(value, Coroutine):
            value.close()  # or it would warn that nobody awaited it
        raise Unawaitable(
            "got an asynchronous function as a callback: nothing can be awaited here; give an"
            " ordinary function, or make the connection with AsyncConnection"
        )
    if monotonic() >= deadline:
        raise expired()
    return value


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
        Lock if issubclass(Lock, rlock) else type("Lock", (_LockMethods, rlock), {"__slots__": ()})
    )
    return Library("threads", lock, shield, _nowhere, _never_deserted, _never_elsewhere)
