"""Watchers: how one connection waits in each world, and what reads it while nobody waits.

A waiter of `waiting` serves one generator; a watcher serves one connection for its life, and has
a waiter as its method `wait`. On asyncio it keeps a reader registered, so that a query costs no
registration, a notification is delivered as it comes and a lost server is noticed at once. On
trio it listens only while something waits: a task a connection was measured to be slower.

Both listen on a duplicate of the connection's descriptor. An event loop keeps one reader for a
descriptor, and `conn.fileno()` belongs to the user: his `add_reader` must not displace ours.
"""

from __future__ import annotations

import os
import select
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from math import inf
from os import get_inheritable
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from . import errors
from .waiting import (
    TICK,
    Poller,
    Timer,
    WaitGen,
    listen_trio,
    not_open,
    run_trio,
    stepping,
    tick_within,
    unwatch_asyncio,
    wait_async,
    wait_select,
    wait_trio,
    watch_asyncio,
)

if TYPE_CHECKING:
    import asyncio

    from .deadlines import Deadline

T = TypeVar("T")

_READ, _WRITE = 1, 2
_PAUSE = 1.0  # seconds: how late, at most, what was left to somebody else is read


class Watched(Protocol):
    """What a watcher asks of its connection."""

    def _read_idle(self) -> bool | None:
        """Take what has come, and say whether there was news for somebody.

        None if the connection isn't idle, so that somebody else reads.
        """
        ...


class News(Protocol):
    """What those who wait for notifications ask of a connection."""

    backlog: deque[Any]
    """What has come, and nobody has taken."""
    wakers: set[Callable[[], object]]
    """Called when something comes, and when the connection ends."""


class Watcher:
    """A watcher that listens only while something waits: for waiters of a user's own."""

    is_paused = False
    """Whether `resume()` is to be called after an operation."""
    _fd_copy = -1

    def __init__(self, wait: Callable[..., Any] = wait_select, tls: bool = False):
        self._wait = wait
        # What OpenSSL has decrypted makes no socket readable: see `generators.receive()`. A timer
        # costs a tenth of a query, and none is needed for the first wait: nothing has been read.
        self.tick = TICK if tls else None
        """The interval for generators without a clock of their own, from the second wait on."""

    def wait(self, gen: WaitGen[T], interval: float | None = None) -> Any:
        """Drive a generator to its end, as a waiter does; to be awaited except in threads."""
        return self._wait(gen, self.tick if interval is None else interval)

    def wait_for_news(self, copy: int, news: News, deadline: Deadline | None) -> Any:
        """Wait without the connection: for something to read, news in the backlog, or the deadline.

        To be awaited except in threads.

        Args:
            copy: a duplicate of the connection's descriptor, which nobody else waits for.
        """
        tick = TICK if deadline is None else tick_within(deadline.left)
        return self._wait(_news_gen(copy, news, deadline, self.tick is not None), tick)

    def resume(self) -> None:
        """Listen again after an operation."""

    def close(self) -> None:
        """Stop listening; to be called before the connection's descriptor is closed."""

    def forget(self) -> None:
        """In a forked child: let go, and leave the event loop alone.

        Its watch list in the kernel (epoll's, kqueue's) is the parent's too: what the child takes
        out of it wakes the parent no more.
        """
        fd, self._fd_copy = self._fd_copy, -1
        if fd >= 0:
            with suppress(OSError):  # a child may have closed what it inherited
                os.close(fd)


class ThreadWatcher(Poller, Watcher):
    """Listens while something waits, by a poll object that it keeps."""


class AsyncioWatcher(Watcher):
    """Listens to a connection from its first operation to its end, on one asyncio loop.

    The reader's callback steps the generator itself: the task wakes once, when the whole
    conversation is over (measured with a compiled core: 27 instead of 42 thousand instructions).
    """

    def __init__(self, fd: int, owner: Watched, tls: bool = False):
        import asyncio

        super().__init__(wait_async, tls)
        self._loop = asyncio.get_running_loop()
        self._owner = weakref.ref(owner)
        self._fd = fd
        self._fd_copy = _duplicate(fd)
        self._reading = self._writing = False
        self._errors = _errors(self._loop, self._fd_copy)
        self._advance: Callable[[int | None], tuple[int, int]] | None = None
        self._future: asyncio.Future[Any] | None = None
        self._timer: Timer | None = None
        self._context = copy_context()
        self._will_look = self._rests = False
        self._wants = 0
        self._elsewhere: tuple[int, int] | None = None
        self._on_readable = _reader(self)
        # A number that was used before may still be known to the loop, which would then report nothing.
        unwatch_asyncio(self._loop, (self._fd_copy, _READ | _WRITE))
        self.resume()

    def resume(self) -> None:
        """Listen again, if the reader was paused."""
        if not self._reading and self._fd_copy >= 0:
            self._loop.add_reader(self._fd_copy, self._on_readable)
            self._reading = True
        self.is_paused = False

    def _pause(self) -> None:
        # What nobody takes would call us again in each turn of the loop.
        if self._reading:
            self._loop.remove_reader(self._fd_copy)
            self._reading = False
            self.is_paused = True

    async def wait(self, gen: WaitGen[T], interval: float | None = None) -> T:
        """Drive a generator to its end, stepping it from the loop's callbacks."""
        if self._fd_copy < 0:
            return await wait_async(gen, self.tick if interval is None else interval)
        step: Callable[[Any], Any] = gen.send if type(gen) is GeneratorType else stepping(gen)
        try:
            asked = step(None)
        except StopIteration as stop:
            value: T = stop.value
            return value
        try:
            # In no local: an exception would know the frame, and the frame it, by the future.
            self._future = self._loop.create_future()
            self._advance = step
            # Handlers and loggers that are called in the loop's callbacks see what the asker does.
            self._context = copy_context()
            if interval is not None:
                self._tick_every(interval)
            self._ask(asked)
            value = await self._future
            return value
        finally:
            self._advance = self._future = None
            self._wants = 0
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._writing or self._elsewhere is not None:
                self._listen_no_more()

    async def wait_for_news(self, copy: int, news: News, deadline: Deadline | None) -> None:
        """Wait for the reader to bring something, or somebody's operation; or for the end."""
        if self._fd_copy < 0:
            return await super().wait_for_news(copy, news, deadline)  # type: ignore[no-any-return]
        from asyncio import Event, timeout

        loop, woken = self._loop, Event()

        def waker() -> None:  # maybe in another thread
            with suppress(RuntimeError):  # the loop was closed just now
                loop.call_soon_threadsafe(woken.set)

        news.wakers.add(waker)
        try:
            with suppress(TimeoutError):
                async with timeout(None if deadline is None else deadline.left):
                    await woken.wait()
        finally:
            news.wakers.discard(waker)

    def _step(self, ready: int) -> bool:
        """Resume the generator with what is ready; at its end wake the task that drives it.

        Returns:
            False if nobody waits.
        """
        advance, future = self._advance, self._future
        if advance is None or future is None or future.done():
            return False
        if self._elsewhere is not None:
            # The generator may close that descriptor, and somebody get its number.
            self._listen_no_more()
        try:
            self._ask(self._context.run(advance, ready))
            if self._timer is None and self.tick is not None:
                self._tick_every(self.tick)
        except StopIteration as stop:
            if not future.done():  # a handler may have cancelled whoever waits
                future.set_result(stop.value)
        except BaseException as ex:
            if not future.done():
                future.set_exception(ex)
            if isinstance(ex, (KeyboardInterrupt, SystemExit)):
                raise
        finally:
            del future  # or the exception would know this frame, and the frame it, by the future
        return True

    def _ask(self, asked: tuple[int, int]) -> None:
        fd, want = asked
        if fd != self._fd:  # that of a cancel request, of a call in a thread
            self._elsewhere = asked
            watch_asyncio(self._loop, asked, self._step)
            want = 0
        else:
            # Nothing comes by the duplicate if what was to be sent has gone nowhere.
            try:
                get_inheritable(fd)
            except OSError as ex:
                not_open(fd, ex)
        self._wants = want
        if want & _READ and not self._reading:
            self.resume()
        writing = bool(want & _WRITE)
        if writing != self._writing:
            if writing:
                self._loop.add_writer(self._fd_copy, self._step, _WRITE)
            else:
                self._loop.remove_writer(self._fd_copy)
            self._writing = writing

    def _readable(self) -> None:
        if self._fd_copy < 0:  # another thread has closed it, and the loop is told soon
            return
        if self._errors is not None and self._errors(0):
            self._pause()
            self.resume()
        if self._wants & _READ and self._step(_READ):
            return
        owner = self._owner()
        if self._future is not None or owner is None:
            self._pause()
        elif owner._read_idle() is None:
            self._pause()
            if not self._rests:
                # Whose business it is will not tell when it is over: he has the lock, or libpq's
                # connection, in his own hands.
                self._rests = True
                self._loop.call_later(_PAUSE, _weakly(self, "_wake"))
        else:
            self._look_later()

    def _wake(self) -> None:
        self._rests = False
        self.resume()

    def _look_later(self) -> None:
        if self.tick is not None and not self._will_look:
            self._will_look = True
            self._loop.call_later(self.tick, _weakly(self, "_look"))

    def _look(self) -> None:
        """Take what is left in OpenSSL, if the connection is still idle."""
        self._will_look = False
        owner = self._owner()
        if self._fd_copy >= 0 and self._future is None and owner is not None and owner._read_idle():
            # Is it the rest, or a record that came just now, and has a rest of its own? Records that
            # have one are longer than a notification: their beginning brings news.
            self._look_later()

    def _tick_every(self, interval: float) -> None:
        self._timer = Timer(self._loop, interval, self._silence, interval)

    def _silence(self, interval: float) -> None:
        self._tick_every(interval)
        self._step(0)

    def _listen_no_more(self) -> None:
        if self._writing and self._fd_copy >= 0:
            self._loop.remove_writer(self._fd_copy)
            self._writing = False
        asked, self._elsewhere = self._elsewhere, None
        if asked is not None:
            unwatch_asyncio(self._loop, asked)

    def close(self) -> None:
        """Stop listening, in one step with closing the duplicate.

        The reader of a descriptor whose peer is gone would be called for ever.
        """
        fd, self._fd_copy = self._fd_copy, -1
        if fd < 0:
            return
        self._reading = self._writing = False
        release = _Release(self._loop, fd)
        if may_touch(self._loop):
            release()
        else:
            with suppress(RuntimeError):  # it was closed just now
                self._loop.call_soon_threadsafe(release)

    def __del__(self) -> None:
        self.close()


class TrioWatcher(Watcher):
    """Listens to a connection while something waits for it, on trio."""

    def __init__(self, fd: int, tls: bool = False):
        from trio import ClosedResourceError
        from trio.lowlevel import wait_readable

        super().__init__(wait_trio, tls)
        self._fd = fd
        self._fd_copy = _duplicate(fd)
        # Attributes, since an import inside a method would cost each wait.
        self._wait_readable, self._closed = wait_readable, ClosedResourceError

    def wait(self, gen: WaitGen[T], interval: float | None = None) -> Awaitable[T]:
        """Drive a generator to its end, listening on the duplicate."""
        later = self.tick if interval is None else interval
        return run_trio(gen, interval, later, self._listen)

    async def _listen(self, asked: tuple[int, int], interval: float | None) -> int:
        fd, want = asked
        if fd != self._fd or self._fd_copy < 0:
            return await listen_trio(asked, interval)
        try:
            get_inheritable(fd)  # as in AsyncioWatcher._ask()
            if want != _READ or interval is not None:
                return await listen_trio((self._fd_copy, want), interval)
            await self._wait_readable(self._fd_copy)
            return _READ
        except (OSError, self._closed) as ex:
            not_open(fd, ex)

    async def wait_for_news(self, copy: int, news: News, deadline: Deadline | None) -> None:
        """Wait for something to read, until somebody's operation brings something, or the end."""
        import trio

        seconds = inf if deadline is None else deadline.left
        with trio.move_on_after(min(seconds, inf if self.tick is None else self.tick)) as scope:
            news.wakers.add(scope.cancel)
            try:
                await listen_trio((copy, _READ), None)
            finally:
                news.wakers.discard(scope.cancel)

    def close(self) -> None:
        """Wake whoever waits on the connection's descriptors, and close the duplicate."""
        fd, self._fd_copy = self._fd_copy, -1
        if fd < 0:
            return
        _wake_trio(fd)
        _wake_trio(self._fd)
        os.close(fd)

    def __del__(self) -> None:
        self.forget()


def _news_gen(copy: int, news: News, deadline: Deadline | None, tls: bool) -> WaitGen[None]:
    while not (news.backlog or (yield copy, _READ) or tls):
        if deadline is not None and not deadline.left:
            return


def watcher(
    library: str, fd: int, owner: Watched, wait: Callable[..., Any] | None, *, tls: bool
) -> Watcher:
    """The watcher for a connection.

    Args:
        library: where it lives: "threads", "asyncio" or "trio".
        fd: the descriptor of its socket.
        owner: the connection; it isn't kept alive.
        wait: a waiter of the user's own, which is then the only one to listen.
        tls: whether libpq reads through TLS.
    """
    if wait is not None:
        return Watcher(wait, tls)
    if library == "threads":
        return ThreadWatcher() if hasattr(select, "poll") else Watcher()
    if os.name == "nt":  # sockets are no file descriptors there: they can't be duplicated so
        return Watcher(wait_async if library == "asyncio" else wait_trio, tls)
    return AsyncioWatcher(fd, owner, tls) if library == "asyncio" else TrioWatcher(fd, tls)


def _duplicate(fd: int) -> int:
    try:
        return os.dup(fd)
    except OSError as ex:
        raise errors.OperationalError(
            f"can't duplicate the connection's descriptor: {ex}; an asynchronous connection needs"
            " two descriptors, raise the limit (ulimit -n) or use fewer connections"
        ) from ex


def _errors(loop: asyncio.AbstractEventLoop, fd: int) -> Callable[[int], object] | None:
    """What tells whether `fd` has an error, if the loop is one that reports nothing after an error.

    libuv reports it once, and ends its watch (`uv_poll_start()` in its manual), but uvloop's reader
    counts as registered. Bytes that came before a reset would be the last thing ever reported.
    """
    from asyncio.selector_events import BaseSelectorEventLoop
    from select import poll

    if isinstance(loop, BaseSelectorEventLoop):
        return None
    watched = poll()
    watched.register(fd, 0)
    return watched.poll


class _Release:
    """A callback that takes a descriptor out of its loop and closes it.

    A loop that stops may never call it: it closes the descriptor also when it is dropped, as with
    the queue of a loop that is closed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int):
        self._loop, self._fd = loop, fd

    def __call__(self) -> None:
        fd, self._fd = self._fd, -1
        with suppress(RuntimeError):  # the loop is closed
            unwatch_asyncio(self._loop, (fd, _READ | _WRITE))
        os.close(fd)

    def __del__(self) -> None:
        if self._fd >= 0:
            with suppress(OSError):  # a forked child may have closed what it inherited
                os.close(self._fd)


def may_touch(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether an event loop can be used from here: it runs in this thread, or nowhere."""
    if not loop.is_running():
        return True
    from asyncio import get_running_loop

    with suppress(RuntimeError):
        return get_running_loop() is loop
    return False


def _reader(watcher: AsyncioWatcher) -> Callable[[], None]:
    """The reader's callback, as `_weakly` makes others: it is called by each query."""
    known = weakref.ref(watcher)

    def call() -> None:
        if (alive := known()) is not None:
            alive._readable()

    return call


def _weakly(watcher: AsyncioWatcher, method: str) -> Callable[[], None]:
    """A callback that doesn't keep the watcher, and so the connection, alive in the loop."""
    known = weakref.ref(watcher)

    def call() -> None:
        if (alive := known()) is not None:
            getattr(alive, method)()

    return call


def _wake_trio(fd: int) -> None:
    import trio

    with suppress(RuntimeError):  # outside of its run nobody waits any more
        trio.lowlevel.notify_closing(fd)
