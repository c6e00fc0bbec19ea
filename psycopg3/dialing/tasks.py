"""Connectors called in tasks, for the asynchronous worlds; `threads` has the same names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from contextvars import copy_context
from functools import partial
from time import monotonic
from typing import Any, NoReturn

from .. import errors as e
from ..concurrency.calls import Call
from ..concurrency.tasks import Library, current
from . import streams
from .records import LINGER, Dial, Dialer, Link, Relay, Target, discard
from .sockets import FOR_TLS, GIVEN, OBJECT, check_given, check_socket

__all__ = ["at_once", "dialling", "rest"]


def dialling(dialer: Dialer | None) -> AbstractAsyncContextManager[Dial]:
    """What has the connector make links for one operation: a function of their targets.

    The connector runs in a task of its own, so that any waiter, the user's own too, waits
    for a descriptor. It has the caller's context variables. A call that was left is
    cancelled; at the end it has LINGER seconds to take note.
    """
    return _Dialling(dialer)


class _Dialling:
    """The calls of a connector for one operation."""

    def __init__(self, dialer: Dialer | None):
        self._dialer = dialer
        self._library, self._context = current(), copy_context()
        self._place = self._library.place()
        self._calls: list[_TaskCall] = []

    async def __aenter__(self) -> Dial:
        return self._begin

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        calls, self._calls = self._calls, []  # they know this object: no cycle is left

        def ended() -> bool:
            return all(call.done() for call in calls)

        if not ended() and kind is not GeneratorExit:  # a coroutine being closed can't wait
            await self._library.shield(_soon, ended, LINGER)

    def _begin(self, target: Target) -> Call[Link]:
        assert self._dialer is not None  # libpq's own links need no dialer
        make = _maker(self._dialer, target, self._library)
        self._calls.append(_TaskCall(make, self))
        return self._calls[-1]

    def spawn(self, work: Coroutine[Any, Any, None]) -> Callable[[], object]:
        """Run a coroutine in a task, with the caller's context variables; returns what cancels it."""
        assert self._library.spawn is not None
        return self._library.spawn(work, self._context)

    def call_in_loop(self, func: Callable[[], object]) -> None:
        """Call a function in the event loop where this began."""
        if not self._library.elsewhere(self._place, func):
            func()


class _TaskCall(Call[Link]):
    """A connector at work in a task; who leaves cancels it.

    A waiter of the user's own may run its generator in another thread: so what belongs to the event
    loop is called there.
    """

    def __init__(self, make: Callable[[], Awaitable[Link]], dialling: _Dialling):
        super().__init__(Link.close)
        self._make, self._dialling = make, dialling
        self._cancel: Callable[[], object] = int  # nothing to do
        dialling.call_in_loop(self._start)

    def _start(self) -> None:
        self._cancel = self._dialling.spawn(self._run())
        if self._left:
            self._cancel()

    async def _run(self) -> None:
        try:
            self._finish(await self._make())
        except BaseException as ex:
            self._finish(error=ex)

    def leave(self) -> None:
        """Wait no longer, and cancel it."""
        super().leave()
        if not self.done():
            with suppress(RuntimeError):  # the loop is closed
                self._dialling.call_in_loop(lambda: self._cancel())


def _maker(dialer: Dialer, target: Target, library: Library) -> Callable[[], Awaitable[Link]]:
    """What makes a link: by the connector, or of the one that there is."""
    connector = dialer.connector or _given(dialer, target, library)
    if library.name == "trio":
        return partial(_alone_on_trio, partial(_link_on_trio, connector, target, dialer, library))
    from . import protocols  # its classes are asyncio's

    return partial(protocols.link_by, connector, target, dialer, library)


async def _alone_on_trio(make: Callable[[], Awaitable[Link]]) -> Link:
    """Make a link in a task of its own; what ends that is an error like others.

    What leaves a system task ends the program, and so would a nursery that the connector has left
    open in one.
    """
    import trio

    made: list[Link] = []
    error: BaseException

    async def run() -> None:
        made.append(await make())

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
        return made[0]
    except BaseException as ex:
        error = ex.exceptions[0] if isinstance(ex, BaseExceptionGroup) else ex
    for link in made:
        link.close()
    raise error


async def _link_on_trio(
    connector: Callable[..., Any], target: Target, dialer: Dialer, library: Library
) -> Link:
    made = await streams.awaitable(connector(target.host, target.port, ssl=dialer.ssl))
    return await streams.link_of(made, dialer, target, library)


def _given(dialer: Dialer, target: Target, library: Library) -> Callable[..., Any]:
    """A connector that returns the one link that there is, with TLS if that was asked for."""
    sock = dialer.take(target)
    on_trio = library.name == "trio"
    if dialer.ssl is not None:
        check_given(sock, True, (streams.TRIO,) if on_trio else (), FOR_TLS)
    else:
        kinds = (OBJECT, streams.ANYIO, *((streams.TRIO,) if on_trio else ()))
        check_given(sock, False, kinds, streams.EXPECTED)

    async def connect(*args: Any, loop: Any = None, ssl: Any) -> Any:
        try:
            if ssl is None:
                return sock
            if on_trio:
                return await _secure_on_trio(sock, ssl, target.name)
            return await loop.create_connection(
                args[0], sock=sock, ssl=ssl, server_hostname=target.name
            )
        except BaseException:
            discard(sock)
            raise

    return connect


async def _secure_on_trio(stream: Any, ssl: Any, name: str) -> Any:
    import trio

    if hasattr(stream, "recv"):
        await trio.lowlevel.wait_writable(stream)
        check_socket(stream, GIVEN)
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(stream))
    return trio.SSLStream(stream, ssl, server_hostname=name)


async def rest(relay: Relay | None, seconds: float = LINGER) -> None:
    """Wait until a relay has passed on its last bytes, but not for longer than so many seconds."""
    if relay is None:
        return
    try:
        await _soon(lambda: relay.finished or relay.deserted(), seconds)
    finally:
        if not relay.finished:
            relay.abort()


async def _soon(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until something comes true, but not for longer than so many seconds."""
    deadline, pause = monotonic() + seconds, 0.0
    while not condition() and monotonic() < deadline:
        await current().sleep(pause)
        pause = min(pause + 0.001, 0.02)


def at_once(_func: Callable[[], Awaitable[object]]) -> NoReturn:
    """Refuse to dial where nothing can be awaited.

    Raises:
        NotSupportedError: always; it names the method to await.
    """
    raise e.NotSupportedError(
        "cancel() can't await this connection's connector: use 'await conn.cancel_safe()'"
    )
