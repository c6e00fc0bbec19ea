"""Wait for a generator's file descriptor: one waiter for each world, all with one signature.

A generator here yields ``(fd, Wait)`` where it would block, and is sent the `Ready` bits it woke
for. `Ready.NONE` means that the interval passed in silence, so that it can look at its clock. The
waiters know nothing of PostgreSQL: any such generator will do, and in their place a waiter of your
own, ``connect(..., wait=callable)``.

What each of them promises:

- The generator's exceptions, and those of whoever interrupts the wait (Ctrl-C, a signal handler,
  ``CancelledError``, ``trio.Cancelled``), pass unchanged.
- The generator is never closed nor thrown into: whoever made it decides what becomes of it.
- However a wait ends, nothing of it stays registered with the event loop.
- A descriptor that somebody else has closed is an `OperationalError`, at the next tick at the
  latest. Nobody can know it sooner: systems drop a closed descriptor from their watch lists in
  silence.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from enum import IntEnum
from functools import partial
from math import ceil
from time import monotonic
from types import GeneratorType
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeAlias, TypeVar

from . import errors
from .concurrency.calls import Call

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
else:  # it takes long to import; `typing.get_type_hints()` wants the name
    AbstractEventLoop = Any


__all__ = [
    "Wait",
    "Ready",
    "WaitGen",
    "WaitFunc",
    "AsyncWaitFunc",
    "wait_select",
    "wait_async",
    "wait_trio",
    "STOCK",
]

T = TypeVar("T")


class Wait(IntEnum):
    """What a generator waits for on its descriptor."""

    R = 1
    W = 2
    RW = 3


class Ready(IntEnum):
    """What the descriptor is ready for. NONE: the interval passed in silence."""

    NONE = 0
    R = 1
    W = 2
    RW = 3


# IntEnum, not IntFlag: `ready & Ready.R` is then int's own operator, 30 times cheaper.

WaitGen: TypeAlias = Generator[tuple[int, int], int, T]
"""A conversation that never blocks: yields ``(fd, Wait)``, is sent `Ready` bits, returns a T."""


class WaitFunc(Protocol):
    """What ``connect(..., wait=)`` takes: drives a generator to its end and returns its value.

    It is given the generator, and the seconds of silence after which to send it `Ready.NONE`;
    None means that the generator needs no such ticks.
    """

    def __call__(self, gen: WaitGen[T], interval: float | None = ..., /) -> T: ...


class AsyncWaitFunc(Protocol):
    """`WaitFunc` for an asynchronous connection: returns an awaitable of the value."""

    def __call__(self, gen: WaitGen[T], interval: float | None = ..., /) -> Awaitable[T]: ...


def stepping(gen: Any) -> Callable[[int | None], tuple[int, int]]:
    """The function that takes a conversation's next step: None begins, and it ends by StopIteration.

    A leaf, as compiled generators are, is advanced by plain calls: its `advance()` goes on with the
    `Ready` bits (0 at first) and returns what to wait for, None at the end, when its `value` is what
    it returned. Any other generator is advanced by `send()`.
    """
    advance = getattr(gen, "advance", None)
    if advance is None:
        return gen.send  # type: ignore[no-any-return]

    def step(ready: int | None) -> tuple[int, int]:
        asked: tuple[int, int] | None = advance(ready or 0)
        if asked is None:
            raise StopIteration(gen.value)
        return asked

    return step


def is_open(fd: int) -> bool:
    """Whether a descriptor is open: some event loops take one that isn't, in silence.

    On Windows a socket is none: there select() finds out.
    """
    with suppress(OSError):
        os.get_inheritable(fd)
        return True
    return os.name == "nt"


def call_gen(call: Call[T]) -> WaitGen[T]:
    """Wait for a call that is made elsewhere, and return its value; who leaves before, leaves it."""
    with call:
        while not call.done():
            yield call.fileno(), Wait.R
        return call.result()


# ---- clocks ----

TICK = 0.1
"""The interval for a generator that has a clock to look at, in seconds."""


def tick_within(seconds: float) -> float:
    """The interval for a generator whose time is over in so many seconds: a tick comes just then.

    It is an even part of them, of TICK's length at most. What lasts longer may end late by a tick:
    waiters count from the last thing that happened.
    """
    if not 0 < seconds < 100 * TICK:
        return TICK
    # Some loops round to milliseconds: the last tick must not come too early.
    return seconds / ceil(seconds / TICK) + 0.001


# ---- threads ----

# The longest sleep of a thread. A signal that comes between Python's last look and the system
# call, or to another thread, ends no sleep; it is noticed after this.
SIGNAL_TICK = 0.1


def wait_select(gen: WaitGen[T], interval: float | None = 0.1) -> T:
    """Run `gen` to its end on this thread and return its value.

    Args:
        gen: what to run.
        interval: seconds of silence after which `gen` is sent `Ready.NONE`. More than 0.1, and
            None, count as 0.1, so that Ctrl-C and signals are noticed in time.

    Raises:
        OperationalError: the descriptor isn't open.
        InterfaceError: `gen` yielded something other than ``(fd, Wait)``.
        ValueError: `interval` isn't positive.
    """
    # Looked up now, not at import: gevent and eventlet may put their own there later.
    if hasattr(select, "poll"):
        return Poller().wait(gen, _checked(interval))
    return _wait_without_poll(gen, min(_checked(interval) or SIGNAL_TICK, SIGNAL_TICK))


class Poller:
    """What `wait_select` does, with a poll object that is kept from one wait to the next."""

    _kind: Callable[[], select.poll] | None = None

    def wait(self, gen: WaitGen[T], interval: float | None = None) -> T:
        """Run `gen` to its end and return its value.

        Args:
            gen: what to run, by plain calls if it has `advance()`.
            interval: as that of `wait_select`.
        """
        kind = select.poll
        if kind is not self._kind:  # at first, and when gevent has patched it meanwhile
            self._poll, self._asked = kind(), (-1, 0)
            self._kind = kind  # at last: a signal's handler may raise before
        tick = SIGNAL_TICK if interval is None or interval > SIGNAL_TICK else interval
        poll, milliseconds = self._poll.poll, tick * 1000
        step: Callable[[Any], Any] = gen.send if type(gen) is GeneratorType else stepping(gen)
        ready: int | None = None
        try:
            while True:
                asked = step(ready)
                if asked != self._asked:
                    self._listen_to(asked)
                found = poll(milliseconds)
                ready = (
                    (_POLL_READY.get(found[0][1]) or _meaning(asked, found[0][1])) if found else 0
                )
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    def _listen_to(self, asked: tuple[int, int]) -> None:
        fd, want = _pair(asked)
        before = self._asked[0]
        self._asked = (-1, 0)  # an exception may strike before the next line
        if before >= 0 and before != fd:
            self._poll.unregister(before)
        self._poll.register(fd, _POLL_EVENTS[want])
        self._asked = asked


def _meaning(asked: tuple[int, int], events: int) -> int:
    """Translate what poll found besides the ordinary."""
    if events & select.POLLNVAL:
        not_open(asked[0])
    # An error or a hang-up is for libpq to find, in whatever direction it asked for.
    return asked[1]


if hasattr(select, "poll"):
    _POLL_EVENTS = {1: select.POLLIN, 2: select.POLLOUT, 3: select.POLLIN | select.POLLOUT}
    _POLL_READY = {events: Ready(bits) for bits, events in _POLL_EVENTS.items()}


def _wait_without_poll(gen: WaitGen[T], tick: float) -> T:
    """Run `gen` by select(2), where there is no poll: on Windows, under eventlet."""
    try:
        asked = next(gen)
        while True:
            asked = gen.send(_select(*_pair(asked), tick))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


def _select(fd: int, want: int, tick: float) -> int:
    reading, writing = [fd] if want & 1 else [], [fd] if want & 2 else []
    try:
        # On Windows a connection that failed is neither readable nor writable but "exceptional".
        readable, writable, failed = select.select(reading, writing, writing, tick)
    except OSError as ex:
        not_open(fd, ex)
    except ValueError as ex:  # a Unix without poll: its select has room for 1024 numbers
        raise errors.OperationalError(
            f"cannot wait for file descriptor {fd}: {ex}; open fewer files"
        ) from ex
    return want if failed else bool(readable) | bool(writable) << 1


# ---- asyncio ----


async def wait_async(gen: WaitGen[T], interval: float | None = 0.1) -> T:
    """Run `gen` to its end on the running asyncio loop, uvloop included, and return its value.

    Args:
        gen: what to run.
        interval: seconds of silence after which `gen` is sent `Ready.NONE`; None: never.

    Raises:
        OperationalError: the descriptor isn't open.
        InterfaceError: `gen` yielded something other than ``(fd, Wait)``, or the running loop
            can't watch descriptors.
        ValueError: `interval` isn't positive.
    """
    from asyncio import get_running_loop

    _checked(interval)
    loop, step = get_running_loop(), stepping(gen)
    try:
        asked = step(None)
        while True:
            asked = step(await listen_asyncio(loop, asked, interval))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


async def listen_asyncio(
    loop: AbstractEventLoop, asked: tuple[int, int], interval: float | None
) -> int:
    """Wait once for what a generator asked, on an asyncio loop; return the `Ready` bits."""
    # Registered anew for each wait: libpq may have closed its socket and opened another under the
    # same number, of which a standing registration reports nothing.
    asked = _pair(asked)
    woken, bits = loop.create_future(), 0

    def wake(found: int) -> None:
        nonlocal bits
        bits |= found
        # Both directions may come in one turn of the loop, or after the task was cancelled in it.
        if not woken.done():
            woken.set_result(None)

    timer = None if interval is None else Timer(loop, interval, wake, 0)
    try:
        watch_asyncio(loop, asked, wake)
        await woken
        return bits
    finally:
        if timer is not None:
            timer.cancel()
        unwatch_asyncio(loop, asked)


class Timer:
    """Calls a function in so many seconds, and not before: the timers of some loops come early.

    qasync's did by up to 5 %, PyGObject's by 1 ms: a deadline was looked at too soon, and then only a
    whole interval later.
    """

    __slots__ = ("_call", "_due", "_handle", "_loop")

    def __init__(
        self, loop: AbstractEventLoop, seconds: float, call: Callable[..., object], *args: object
    ) -> None:
        self._loop, self._due = loop, monotonic() + seconds
        self._call = partial(call, *args)
        self._handle: Any = loop.call_later(seconds, self._fire)

    def _fire(self) -> None:
        left = self._due - monotonic()
        if left > 0:  # loops count in milliseconds
            self._handle = self._loop.call_later(max(left, 0.001), self._fire)
        else:
            self._call()

    def cancel(self) -> None:
        """Don't call it."""
        self._handle.cancel()


def watch_asyncio(
    loop: AbstractEventLoop, asked: tuple[int, int], wake: Callable[[int], object]
) -> None:
    """Have an asyncio loop call `wake` with the `Ready` bits of what a generator asked."""
    fd, want = asked
    # One left on a closed descriptor, whose number is back, would have the loop report nothing of it. The
    # other direction may be somebody else's.
    unwatch_asyncio(loop, asked)
    if not is_open(fd):
        not_open(fd)
    try:
        for bit, add in (1, loop.add_reader), (2, loop.add_writer):
            if want & bit:
                try:
                    add(fd, wake, bit)
                except OSError:  # of what was left in the other direction; it is forgotten now
                    add(fd, wake, bit)
    except OSError as ex:
        not_open(fd, ex)
    except NotImplementedError as ex:
        raise errors.InterfaceError(
            f"the running event loop, {type(loop).__name__}, cannot watch file descriptors; on"
            " Windows run the program with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)"
        ) from ex


def unwatch_asyncio(loop: AbstractEventLoop, asked: tuple[int, int]) -> None:
    """End what `watch_asyncio` began: before the descriptor is closed, and its number used anew."""
    fd, want = asked
    # If the descriptor was closed, taking out one of two directions fails, and takes out both.
    with suppress(OSError, NotImplementedError):
        if want & 1:
            loop.remove_reader(fd)
        if want & 2:
            loop.remove_writer(fd)


# ---- trio ----

# CPU in µs for one wait of a readable socket (trio 0.35, Python 3.11): the bare wait 7.4, in a
# cancel scope with a deadline 13.7; for both directions, by an epoll of our own 14.6, by a nursery
# with two tasks 42.


async def wait_trio(gen: WaitGen[T], interval: float | None = 0.1) -> T:
    """Run `gen` to its end in the current trio task and return its value.

    A task that is cancelled already is told before `gen` has made its first step.

    Args:
        gen: what to run.
        interval: seconds of silence after which `gen` is sent `Ready.NONE`; None: never.

    Raises:
        OperationalError: the descriptor isn't open.
        InterfaceError: `gen` yielded something other than ``(fd, Wait)``.
        ValueError: `interval` isn't positive.
    """
    return await run_trio(gen, _checked(interval), interval, listen_trio)


async def run_trio(
    gen: WaitGen[T],
    first: float | None,
    interval: float | None,
    listen: Callable[[tuple[int, int], float | None], Awaitable[int]],
) -> T:
    """Do what `wait_trio` does, with a `listen` of one's own and another interval at first."""
    from trio import lowlevel

    step = stepping(gen)
    await lowlevel.checkpoint_if_cancelled()
    waited = False
    try:
        asked = step(None)
        while True:
            ready = await listen(asked, interval if waited else first)
            waited = True
            asked = step(ready)
    except StopIteration as stop:
        if not waited:
            # Each call lets others run; but what is done is done, so that it isn't a cancel point.
            await lowlevel.cancel_shielded_checkpoint()
        return stop.value  # type: ignore[no-any-return]


async def listen_trio(asked: tuple[int, int], interval: float | None) -> int:
    """Wait once for what a generator asked, in a trio task; return the `Ready` bits."""
    from trio import ClosedResourceError, move_on_after

    fd, want = _pair(asked)
    try:
        if interval is None:
            return await _await_trio(fd, want)
        with move_on_after(interval):
            return await _await_trio(fd, want)
        return Ready.NONE
    except (OSError, ClosedResourceError) as ex:
        not_open(fd, ex)


async def _await_trio(fd: int, want: int) -> int:
    from trio import lowlevel

    if want == Wait.RW:
        return await _either_trio(fd)
    await (lowlevel.wait_readable if want == Wait.R else lowlevel.wait_writable)(fd)
    return want


async def _either_trio(fd: int) -> int:
    """Wait for both directions at once by an epoll, which is itself a readable descriptor."""
    if not hasattr(select, "epoll"):
        return await _either_trio_by_tasks(fd)
    try:
        both = select.epoll(1)
    except OSError:  # no descriptor is left
        return await _either_trio_by_tasks(fd)
    with both:
        if both.fileno() == fd:  # the number of a closed descriptor is the first to be given out
            not_open(fd)
        both.register(fd, select.EPOLLIN | select.EPOLLOUT)
        await _await_trio(both.fileno(), Wait.R)
        for _, events in both.poll(0):
            return _POLL_READY.get(events) or Ready.RW
        return Ready.NONE


async def _either_trio_by_tasks(fd: int) -> int:
    """Wait for both directions by a task for each."""
    from trio import Cancelled, open_nursery

    ready = 0

    async def listen(want: int) -> None:
        nonlocal ready
        ready |= await _await_trio(fd, want)
        nursery.cancel_scope.cancel()

    try:
        async with open_nursery() as nursery:
            nursery.start_soon(listen, Wait.R)
            nursery.start_soon(listen, Wait.W)
    except BaseExceptionGroup as group:
        # Cancelled from outside, once for each task; or a failure, and perhaps that besides.
        _, others = group.split(Cancelled)
        raise (others or group).exceptions[0] from None
    return ready


STOCK: dict[str, Any] = {"threads": wait_select, "asyncio": wait_async, "trio": wait_trio}
"""The waiter for each library that `concurrency` knows, by its name."""


# ---- what is refused ----


def _checked(interval: float | None) -> float | None:
    if interval is None or interval > 0:  # a NaN is not
        return interval
    raise ValueError(f"interval is {interval}: expected seconds, more than 0, or None for no ticks")


def _pair(asked: tuple[int, int]) -> tuple[int, int]:
    """Return what was yielded, if a waiter can wait for it."""
    try:
        fd, want = asked
        if 0 <= fd <= 0x7FFFFFFF and want in (1, 2, 3):
            return asked
        if fd < 0:  # libpq's word for a connection without a socket
            not_open(fd)
    except (TypeError, ValueError):
        pass
    raise errors.InterfaceError(
        f"the generator yielded {asked!r}: expected a file descriptor and what to wait for on it,"
        " such as (5, Wait.R)"
    )


# On Windows a closed socket is something that is no socket.
_CLOSED = {errno.EBADF, getattr(errno, "WSAENOTSOCK", errno.EBADF)}


def not_open(fd: int, cause: Exception | None = None) -> NoReturn:
    """Raise the OperationalError of a descriptor that isn't open, or can't be waited for."""
    if isinstance(cause, OSError) and cause.errno not in _CLOSED:
        raise errors.OperationalError(f"cannot wait for file descriptor {fd}: {cause}") from cause
    raise errors.OperationalError(
        f"file descriptor {fd} is not open: it was closed underneath the connection; make a new"
        " connection, and end this one by its close() only"
    ) from cause
