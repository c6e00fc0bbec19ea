"""Connectors called in tasks, for the asynchronous worlds; `threads` has the same names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from contextvars import Context, copy_context
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

    The connector runs in a task of its own, so that whoever waits, a waiter of the user's own too,
    waits for a descriptor. It has the caller's context variables. A call that was left is
    cancelled; at the end it has LINGER seconds to take note.
    """
    return _Dialling(dialer)


class _Dialling:
    """The calls of a connector for one operation."""

    def __init__(self, dialer: Dialer | None):
        self._dialer = dialer
        self._library = current()
        self._context = copy_context()
        self._calls: list[_TaskCall] = []

    async def __aenter__(self) -> Dial:
        return self._begin

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        ending = [call for call in self._calls if not call.done()]
        if ending and kind is not GeneratorExit:  # a coroutine that is being closed can't wait
            await self._library.shield(_ended, ending)

    def _begin(self, target: Target) -> Call[Link]:
        assert self._dialer is not None  # for libpq's own links nobody dials
        make = _maker(self._dialer, target, self._library)
        kind = _TrioCall if self._library.name == "trio" else _AsyncioCall
        self._calls.append(kind(make, self._context))
        return self._calls[-1]


class _TaskCall(Call[Link]):
    """A connector at work in a task."""

    def __init__(self, make: Callable[[], Awaitable[Link]], context: Context):
        super().__init__(Link.close)
        self._make = make
        try:
            self._start(context)
        except BaseException:
            self._wake_socket.close()
            self._wait_socket.close()
            raise

    def _start(self, context: Context) -> None:
        raise NotImplementedError

    async def ended(self) -> None:
        """Wait for its end, but for LINGER seconds at most."""
        raise NotImplementedError

    async def _try(self) -> tuple[Link | None, BaseException | None]:
        """What comes of the connector."""
        try:
            return await self._make(), None
        except BaseException as ex:
            return None, ex


class _AsyncioCall(_TaskCall):
    def _start(self, context: Context) -> None:
        import asyncio

        self._task = asyncio.get_running_loop().create_task(self._run(), context=context)

    async def _run(self) -> None:
        self._finish(*await self._try())

    def leave(self) -> None:
        """Wait no longer, and cancel it."""
        with suppress(RuntimeError):  # the loop is closed
            self._task.cancel()
        super().leave()

    async def ended(self) -> None:
        """Wait for its end, but for LINGER seconds at most."""
        import asyncio

        await asyncio.wait([self._task], timeout=LINGER)


class _TrioCall(_TaskCall):
    def _start(self, context: Context) -> None:
        import trio

        self._scope, self._ended = trio.CancelScope(), trio.Event()
        trio.lowlevel.spawn_system_task(self._run, context=context)

    async def _run(self) -> None:
        import trio

        found: list[tuple[Link | None, BaseException | None]] = []

        async def run() -> None:
            found.append(await self._try())

        # What leaves a system task ends the program, and so would a nursery that the connector has
        # left open in one. In this nursery it is an error like others.
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(run)
        except BaseException as ex:
            link = found.pop()[0] if found else None
            if link is not None:
                link.close()
            found = [(None, ex.exceptions[0] if isinstance(ex, BaseExceptionGroup) else ex)]
        self._finish(*found[0])
        self._ended.set()

    def leave(self) -> None:
        """Wait no longer, and cancel it."""
        self._scope.cancel()
        super().leave()

    async def ended(self) -> None:
        """Wait for its end, but for LINGER seconds at most."""
        import trio

        with trio.move_on_after(LINGER):
            await self._ended.wait()


async def _ended(calls: list[_TaskCall]) -> None:
    for call in calls:
        await call.ended()


def _maker(dialer: Dialer, target: Target, library: Library) -> Callable[[], Awaitable[Link]]:
    """What makes a link: by the connector, or of the one that there is."""
    connector = dialer.connector or _given(dialer, target, library)
    if library.name == "trio":
        return partial(_link_on_trio, connector, target, dialer, library)
    from . import protocols  # its classes are asyncio's

    return partial(protocols.link_by, connector, target, dialer, library)


async def _link_on_trio(
    connector: Callable[..., Any], target: Target, dialer: Dialer, library: Library
) -> Link:
    made = await streams.awaitable(connector(target.host, target.port, ssl=dialer.ssl))
    return await streams.link_of(made, dialer, target, library)


def _given(dialer: Dialer, target: Target, library: Library) -> Callable[..., Any]:
    """A connector that returns the one link that there is, with TLS if that was asked for."""
    sock = dialer.take(target)
    ssl, on_trio = dialer.ssl, library.name == "trio"
    if ssl is not None:
        check_given(sock, True, (streams.TRIO,) if on_trio else (), FOR_TLS)
    else:
        kinds = (OBJECT, streams.ANYIO, *((streams.TRIO,) if on_trio else ()))
        check_given(sock, False, kinds, streams.EXPECTED)

    async def plain(*_args: Any, **_kwargs: Any) -> Any:
        return sock

    async def by_asyncio(factory: Any, *_place: Any, loop: Any, ssl: Any) -> Any:
        try:
            return await loop.create_connection(
                factory, sock=sock, ssl=ssl, server_hostname=target.name
            )
        except BaseException:
            discard(sock)
            raise

    async def by_trio(*_place: Any, ssl: Any) -> Any:
        import trio

        try:
            stream = sock
            if hasattr(sock, "recv"):
                await trio.lowlevel.wait_writable(sock)
                check_socket(sock, GIVEN)
                stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
            return trio.SSLStream(stream, ssl, server_hostname=target.name)
        except BaseException:
            discard(sock)
            raise

    if ssl is None:
        return plain
    return by_trio if on_trio else by_asyncio


async def rest(relay: Relay | None, seconds: float = LINGER) -> None:
    """Wait until a relay has passed on its last bytes, but not for longer than so many seconds."""
    if relay is None:
        return
    deadline = monotonic() + seconds
    pause = 0.0
    try:
        while not relay.finished and monotonic() < deadline and not relay.deserted():
            await streams.sleep(pause)
            pause = min(pause + 0.001, 0.02)
    finally:
        if not relay.finished:
            relay.abort()


def at_once(_func: Callable[[], Awaitable[object]]) -> NoReturn:
    """Refuse to dial where nothing can be awaited.

    Raises:
        NotSupportedError: always; it names the method to await.
    """
    raise e.NotSupportedError(
        "cancel() can't await this connection's connector: use 'await conn.cancel_safe()'"
    )
