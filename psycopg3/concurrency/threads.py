"""Locks, shields and blocking calls for the synchronous world; `tasks` has the same names."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import cache
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, TypeVar, cast

__all__ = [
    "Library",
    "Lock",
    "Unawaitable",
    "assign",
    "current",
    "patience",
    "settled",
    "shield",
    "Errand",
    "Chore",
    "Solo",
    "native",
]

P = ParamSpec("P")
T = TypeVar("T")

if TYPE_CHECKING:
    from threading import RLock as _RLock

    from ..deadlines import Deadline
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


class _FairLock:
    """What a lock of ours has besides what the standard library's has: an order, and a deadline."""

    __slots__ = ()

    _queue: deque[Any]

    def __init__(self) -> None:
        super().__init__()
        self._queue = deque()

    def owned(self) -> bool:
        """Does the current thread hold it?"""
        return cast(bool, self._is_owned())  # type: ignore[attr-defined]

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

    def __enter__(self) -> None:
        self.acquire()

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

    __slots__ = ("_queue",)


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


def shield(func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `func`: nobody cancels a thread. A task needs more than that."""
    return func(*args, **kwargs)


def assign(setter: Callable[[T], object], value: T) -> None:
    """Set a property by its setter method. A task must await the method instead."""
    setter(value)


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
    lock = Lock if issubclass(Lock, rlock) else type("Lock", (_FairLock, rlock), {})
    # `bool` is called once an operation: it gives the same answer everywhere, and is no Python code.
    return Library("threads", lock, shield, bool, _never_deserted, _never_elsewhere)


class Errand(Generic[T]):
    """A call that blocks, sent out in a daemon thread, and a descriptor to wait for its end.

    Any waiter can wait for it, and whoever waits can leave before it's done::

        with Errand(socket.getaddrinfo, host, port) as errand:
            while not errand.done():
                yield errand.fileno(), Wait.R
            return errand.result()

    The thread and its caller own an end each of a pair of sockets, so that neither can close what
    the other still uses. The thread holds what it works on for as long as it runs; it is freed by
    the last of the two. Executors won't do: at the end of the program they wait without limit.

    Args:
        func: what to call; it starts at once, or, when `LIMIT` others are running, in its turn.
        args: its arguments.
    """

    LIMIT: ClassVar[float] = 32
    """So many of a kind run at once: of calls that hang, left by their callers, no more pile up."""

    EXIT_GRACE: ClassVar[float] = 2.0
    """Seconds that the end of the program waits for the calls of a kind that are running."""

    _crew: ClassVar[_Crew]

    def __init__(self, func: Callable[..., T], *args: Any) -> None:
        from socket import socketpair

        self._call: tuple[Callable[..., T], tuple[Any, ...]] | None = (func, args)
        self._value: T
        self._error: BaseException | None = None
        self._done = False
        self._ear, self._bell = socketpair()
        try:
            self._crew.take(self)
        except BaseException:
            self._ear.close()
            self._bell.close()
            raise

    def fileno(self) -> int:
        """The descriptor that becomes readable when the call is done; -1 after `leave`."""
        return self._ear.fileno()

    def done(self) -> bool:
        """Has the call come to its end?"""
        return self._done

    def result(self) -> T:
        """The value of the call, or the exception that it raised.

        Raises:
            RuntimeError: the call is still running.
        """
        if not self._done:
            raise RuntimeError("the call is still running: wait until its descriptor is readable")
        if self._error is not None:
            raise self._error
        return self._value

    def leave(self) -> None:
        """Wait no longer. A call that is running goes on to its end, one that is queued is dropped.

        May be called twice, and when the call is done.
        """
        self._ear.close()
        if self._crew.dismiss(self):
            self._bell.close()
            self._call = None

    def __enter__(self) -> Errand[T]:
        return self

    def __exit__(self, *exc: object) -> None:
        self.leave()

    def run(self) -> None:
        """Make the call, keep what comes of it, and ring. Raises nothing."""
        assert self._call is not None
        func, args = self._call
        try:
            self._value = func(*args)
        except BaseException as ex:
            self._error = ex
        self._call = None
        self._done = True
        # A byte, as the end of file would not come while a forked child holds the socket too.
        with suppress(OSError):
            self._bell.send(b"!")
        self._bell.close()


class Chore(Errand[T]):
    """An errand that only computes, and so will end: it needn't queue behind calls that hang."""

    EXIT_GRACE = 30.0  # half a second's work, on a machine that may have other work


class Solo(Errand[T]):
    """An errand that queues behind nobody and keeps nobody waiting, however many others hang.

    For what must begin at once, such as a request to cancel; and for code of the user's, of which
    any amount may hang without an end.
    """

    LIMIT = inf


def native(func: Callable[[], T]) -> Callable[[], T]:
    """`func`, which blocks inside C, as a call that blocks nobody but its caller.

    Where gevent has made threads greenlets, all of them would stand still. There the call goes to a
    native thread, one of its own: gevent's pool has few, and looks up names by them.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return func
    from importlib import import_module

    def attempt() -> tuple[T, None] | tuple[None, BaseException]:
        try:
            return func(), None
        except BaseException as ex:
            return None, ex  # gevent would print it besides

    def call() -> T:
        pool = import_module("gevent.threadpool").ThreadPool(1)
        try:
            value, error = pool.apply(attempt)
        finally:
            pool.maxsize = 0  # the thread ends after the call, also if nobody waits any longer
        if error is not None:
            raise error
        return cast(T, value)

    return call


class _Crew:
    """The threads that are out on errands, and the errands that wait for one of them."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start afresh, as in a forked child, where no other thread has survived."""
        # A signal's handler may send an errand out too, and come while its thread holds the lock.
        self._lock = threading.RLock()
        self._threads: set[threading.Thread] = set()
        self._queue: deque[Errand[Any]] = deque()

    def take(self, errand: Errand[Any]) -> None:
        """Run it in a thread of its own, or queue it."""
        thread = threading.Thread(
            target=self._work, args=(errand,), name="psycopg3-errand", daemon=True
        )
        # A signal's handler may raise anywhere here, and a thread that never started can't be joined.
        try:
            with self._lock:
                if len(self._threads) >= errand.LIMIT:
                    self._queue.append(errand)
                    return
                self._threads.add(thread)
            thread.start()
        except BaseException:
            with self._lock:
                self._threads.discard(thread)
            raise

    def dismiss(self, errand: Errand[Any]) -> bool:
        """Take it out of the queue; False if it isn't there."""
        with self._lock, suppress(ValueError):
            self._queue.remove(errand)
            return True
        return False

    def _work(self, errand: Errand[Any] | None) -> None:
        while errand is not None:
            errand.run()
            with self._lock:
                errand = self._queue.popleft() if self._queue else None
                if errand is None:
                    self._threads.discard(threading.current_thread())

    def join(self, deadline: float) -> None:
        """Wait for those who are out, until `deadline` (of `time.monotonic`)."""
        with self._lock:
            self._queue.clear()
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, deadline - monotonic()))


def _join() -> None:
    """Wait for all who are out, for a bounded time.

    OpenSSL cleans up when the process exits; a thread that is inside it then crashes: it did in 13
    of 15 trials.
    """
    for kind in _KINDS:
        kind._crew.join(monotonic() + kind.EXIT_GRACE)


_KINDS: tuple[type[Errand[Any]], ...] = (Chore, Solo, Errand)
for _kind in _KINDS:
    _kind._crew = _Crew()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_kind._crew.reset)
atexit.register(_join)
