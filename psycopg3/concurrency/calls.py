"""Calls that are made elsewhere, in threads, and a descriptor that is readable when they have returned."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from .._exceptions import OperationalError
from .threads import PATIENCE, patience

__all__ = ["BlockingCall", "Call", "CpuCall", "ImmediateCall", "native", "refused"]

if TYPE_CHECKING:
    from socket import socket

T = TypeVar("T")


def refused(reason: Exception) -> OperationalError:
    """The error for a thread or a descriptor of the driver's own that the system refuses."""
    return OperationalError(
        f"no thread or descriptor is to be had for what the connection needs: {reason}; raise the"
        " limits (ulimit -n, ulimit -u, those of a container), or use fewer connections"
    )


class _Unneeded:
    """Stands for the sockets of a call that nobody waits for."""

    def fileno(self) -> int:
        """What a closed socket returns."""
        return -1

    def send(self, data: bytes) -> None:
        """Wake nobody."""

    def close(self) -> None:
        """Do nothing."""


class Call(Generic[T]):
    """Something under way elsewhere, and a descriptor that becomes readable when it is done.

    Any waiter can wait for it, and leave before it's done: `waiting.call_gen`
    does both. Its two sides own an end each of a pair of sockets, so that neither can close what
    the other still uses.

    Args:
        discard: called with a value that was not taken when the caller left.

    Raises:
        OperationalError: the system has no descriptor left.
    """

    def __init__(self, discard: Callable[[T], object] | None = None) -> None:
        from socket import socketpair

        self._discard = discard
        self._value: T
        self._untaken: list[T] = []
        self._error: BaseException | None = None
        self._done = self._left = False
        self._wait_socket: socket | _Unneeded = _Unneeded()
        self._wake_socket: socket | _Unneeded = self._wait_socket
        try:
            self._wait_socket, self._wake_socket = socketpair()
        except OSError as ex:
            raise refused(ex) from ex

    def fileno(self) -> int:
        """The descriptor that becomes readable when it is done; -1 after `leave`."""
        return self._wait_socket.fileno()

    def done(self) -> bool:
        """Has it come to its end?"""
        return self._done

    def result(self) -> T:
        """Return its value, or raise its exception.

        Raises:
            RuntimeError: it is still under way.
        """
        if not self._done:
            raise RuntimeError("the call is still running: wait until its descriptor is readable")
        if self._error is not None:
            raise self._error
        self._untaken.clear()
        return self._value

    def leave(self) -> None:
        """Wait no longer. May be called twice, and when it is done."""
        self._left = True
        self._wait_socket.close()
        self._discard_untaken()

    def __enter__(self) -> Call[T]:
        return self

    def __exit__(self, *exc: object) -> None:
        self.leave()

    def _finish(self, value: T | None = None, error: BaseException | None = None) -> None:
        """Keep the outcome, and make the descriptor readable."""
        self._error = error
        if error is None:
            self._value = cast(T, value)
            self._untaken.append(self._value)
        self._done = True
        # A byte, as the end of file would not come while a forked child holds the socket too.
        with suppress(OSError):
            self._wake_socket.send(b"!")
        self._wake_socket.close()
        if self._left:
            self._discard_untaken()

    def _discard_untaken(self) -> None:
        # Both sides may come here at once: one of them gets it.
        with suppress(IndexError):
            value = self._untaken.pop()
            if self._discard is not None:
                self._discard(value)


class BlockingCall(Call[T]):
    """A call that blocks, made in a daemon thread.

    The thread holds what it works on for as long as it runs. Executors won't do: at the end of the
    program they wait without limit.

    Args:
        func: what to call; it starts at once, or, when `LIMIT` others are running, in its turn.
        args: its arguments.
        discard: see `Call`.

    Where the system refuses a thread or a descriptor, and no event loop runs that must not be held up,
    the call is made at once, by who asks for it.

    Raises:
        OperationalError: the system refuses, and an event loop runs here.
    """

    LIMIT: ClassVar[float] = 32
    """So many of a kind run at once: of calls that hang, left by their callers, no more pile up."""

    EXIT_GRACE: ClassVar[float] = 2.0
    """Seconds that the end of the program waits for the calls of a kind that are running."""

    _threads: ClassVar[_Threads]

    def __init__(
        self,
        func: Callable[..., T],
        *args: Any,
        discard: Callable[[T], object] | None = None,
    ) -> None:
        self._call: tuple[Callable[..., T], tuple[Any, ...]] | None = (func, args)
        try:
            super().__init__(discard)
            self._threads.start(self)
        except OperationalError:
            self._close()
            if patience() < PATIENCE:
                raise
            self.run()
        except BaseException:
            self._close()
            raise

    def _close(self) -> None:
        self._wait_socket.close()
        self._wake_socket.close()

    def leave(self) -> None:
        """Wait no longer. A call that is running goes on to its end, one that is queued is dropped."""
        super().leave()
        if self._threads.remove(self):
            self._wake_socket.close()
            self._call = None

    def run(self) -> None:
        """Make the call. Raises nothing."""
        call, self._call = self._call, None
        # A signal's exception may have hidden that its thread had been started: then both come here.
        if call is None:
            return
        func, args = call
        try:
            value = func(*args)
        except BaseException as ex:
            self._finish(error=ex)
        else:
            self._finish(value)


class CpuCall(BlockingCall[T]):
    """A call that only computes, and so will end: it needn't queue behind those that hang."""

    EXIT_GRACE = 30.0  # half a second's work, on a machine that may have other work


class ImmediateCall(BlockingCall[T]):
    """A call that starts at once, and lets others start, however many hang.

    For what must begin at once, such as a request to cancel; and for code of the user's, of which
    any amount may hang without an end.
    """

    LIMIT = inf


def native(func: Callable[[], T]) -> Callable[[], T]:
    """`func`, which blocks inside C, as a call that blocks its own thread only.

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
            pool.maxsize = 0  # the thread ends after the call, also if the caller has left
        if error is not None:
            raise error
        return cast(T, value)

    return call


_RLock: Any = type(threading.RLock())


class _Lock(_RLock):  # type: ignore[misc]
    """A lock that a signal's handler may take too, while its thread holds it.

    Python 3.14 may run handlers between the taking of a lock and the begin of the block it is for:
    what they raise there would leave it taken for ever.
    """

    def __enter__(self) -> bool:
        held = self._is_owned()
        try:
            return self.acquire()  # type: ignore[no-any-return]
        except BaseException:
            if self._is_owned() and not held:
                self.release()
            raise


class _Threads:
    """The threads that make the calls of a kind, and the calls that wait for one of them."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start afresh, as in a forked child, where no other thread has survived."""
        self._lock = _Lock()
        self._running: set[threading.Thread] = set()
        self._queue: deque[BlockingCall[Any]] = deque()

    def start(self, call: BlockingCall[Any]) -> None:
        """Run it in a thread of its own, or queue it; OperationalError if there is none to be had."""
        # A subinterpreter may have no daemon threads: there the end of it waits for the calls.
        make = partial(threading.Thread, target=self._work, args=(call,), name="psycopg3-call")
        try:
            thread = make(daemon=True)
        except RuntimeError:
            thread = make(daemon=False)
        # A signal's handler may raise anywhere here, and a thread that never started can't be joined.
        try:
            with self._lock:
                if len(self._running) >= call.LIMIT:
                    self._queue.append(call)
                    return
                self._running.add(thread)
            thread.start()
        except BaseException as ex:
            with self._lock:
                self._running.discard(thread)
            if isinstance(ex, RuntimeError):
                raise refused(ex) from ex
            raise

    def remove(self, call: BlockingCall[Any]) -> bool:
        """Take it out of the queue; False if it isn't there."""
        with self._lock, suppress(ValueError):
            self._queue.remove(call)
            return True
        return False

    def _work(self, call: BlockingCall[Any] | None) -> None:
        while call is not None:
            call.run()
            with self._lock:
                call = self._queue.popleft() if self._queue else None
                if call is None:
                    self._running.discard(threading.current_thread())

    def join(self, deadline: float) -> None:
        """Wait for those that are running, until `deadline` (of `time.monotonic`)."""
        with self._lock:
            self._queue.clear()
            threads = list(self._running)
        for thread in threads:
            thread.join(max(0.0, deadline - monotonic()))


def _join() -> None:
    """Wait for all calls, for a bounded time.

    OpenSSL cleans up when the process exits; a thread that is inside it then crashes: it did in 13
    of 15 trials.
    """
    for kind in _KINDS:
        kind._threads.join(monotonic() + kind.EXIT_GRACE)


_KINDS: tuple[type[BlockingCall[Any]], ...] = (CpuCall, ImmediateCall, BlockingCall)
for _kind in _KINDS:
    _kind._threads = _Threads()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_kind._threads.reset)
atexit.register(_join)
