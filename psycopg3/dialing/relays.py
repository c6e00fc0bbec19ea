"""Relays in tasks: between libpq and a stream of trio, of anyio, or a transport of asyncio."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from ..concurrency.tasks import Library, current
from .offers import ScramFilter
from .records import LINGER, Link, Target
from .sockets import filter_for, peer_address

_PIECE = 65536


async def relayed(far: Any, tcp: Any, encrypted: bool, target: Target, library: Library) -> Link:
    """The link that a stream makes by a relay."""
    sock, ours = socket.socketpair()
    try:
        ours.setblocking(False)
        near = await _near_stream(ours, library)
        relay = StreamRelay(ours, near, far, filter_for(target, encrypted), library)
    except BaseException:
        sock.close()
        ours.close()
        raise
    return Link(sock, hostaddr=peer_address(tcp), tcp=tcp, encrypted=encrypted, relay=relay)


async def _near_stream(sock: socket.socket, library: Library) -> Any:
    if library.name == "trio":
        import trio

        return trio.SocketStream(trio.socket.from_stdlib_socket(sock))
    import asyncio

    from .transports import TransportStream  # its classes are asyncio's

    stream = TransportStream(sends_all=True)
    await asyncio.get_running_loop().create_connection(lambda: stream, sock=sock)
    return stream


class StreamRelay:
    """A relay in tasks of its own between libpq and a stream.

    Args:
        sock: our end of the pair that libpq has the other end of.
        near: a stream over it.
        far: the user's stream.
        filter: what the server's first words go through.
        library: where it runs.
    """

    def __init__(
        self, sock: socket.socket, near: Any, far: Any, filter: ScramFilter | None, library: Library
    ):
        self._socket, self._near, self._far, self._filter = sock, near, far, filter
        self._library, self._place = library, library.place()
        self.finished = False
        self._cancel: Callable[[], object] = self._close_near
        assert library.spawn is not None
        library.spawn(self._run())

    async def _run(self) -> None:
        try:
            if self._library.name == "trio":
                await self._run_trio()
            else:
                await self._run_asyncio()
        finally:
            self._close_near()
            try:
                await self._close_far()
            finally:
                self.finished = True

    async def _run_trio(self) -> None:
        import trio

        async def way(work: Callable[[], Coroutine[Any, Any, bool]]) -> None:
            if await work():
                nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            self._cancel = nursery.cancel_scope.cancel
            nursery.start_soon(way, self._there)
            nursery.start_soon(way, self._back)

    async def _run_asyncio(self) -> None:
        import asyncio

        if hasattr(self._far, "forward"):
            self._far.forward(self._near, self._filter)
            self._near.forward(self._far)
        ways = [asyncio.create_task(way) for way in (self._there(), self._back())]
        self._cancel = lambda: [way.cancel() for way in ways]
        try:
            for ended in asyncio.as_completed(ways):
                if await ended:
                    break
        finally:
            self._cancel()
            await asyncio.wait(ways)

    async def _there(self) -> bool:
        """libpq's bytes to the server; True if libpq has closed."""
        receive, send = _receiver(self._near), _sender(self._far)
        try:
            while data := await receive(_PIECE):
                await send(data)
        except Exception:
            # The server may have said why before it left: that is still to be read.
            return False
        return True

    async def _back(self) -> bool:
        """The server's bytes to libpq; True in any case: it is over."""
        receive, send = _receiver(self._far), _sender(self._near)
        with suppress(Exception):  # anyio's end of a stream is one
            while data := bytes(await receive(_PIECE)):
                if self._filter is not None:
                    data = self._filter.feed(data)
                await send(data)
            await send(b"")  # all is sent now
        return True

    def _close_near(self) -> None:
        # A forked child may have inherited the descriptor: to close ours alone isn't enough.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        end = getattr(self._near, "abort", None) or self._near.socket.close
        try:
            end()
        except (RuntimeError, AttributeError):  # the event loop has gone
            self._socket.close()

    async def _close_far(self) -> None:
        """Close the stream; its own way to do so may wait for the other side."""
        with suppress(Exception):
            if self._library.name == "trio":
                import trio

                scope: Any = trio.CancelScope()  # Any: trio's parameters depend on its version
                scope.shield, scope.deadline = True, trio.current_time() + LINGER
                with scope:
                    await self._far.aclose()
            else:
                import asyncio

                async with asyncio.timeout(LINGER):
                    await self._far.aclose()
            return
        await close_now(self._far)

    def abort(self) -> None:
        """Close both ends now; if the event loop has gone, then what can be closed without it."""
        if self.deserted():
            self._close_near()
        else:
            self._cancel()

    def deserted(self) -> bool:
        """Whether the event loop that it lives in has gone."""
        return self._library.deserted(self._place)


def _receiver(stream: Any) -> Callable[[int], Awaitable[bytes]]:
    receive: Any = getattr(stream, "receive_some", None) or stream.receive
    return receive  # type: ignore[no-any-return]


def _sender(stream: Any) -> Callable[[bytes], Awaitable[None]]:
    send: Any = getattr(stream, "send_all", None) or stream.send
    return send  # type: ignore[no-any-return]


async def sleep(seconds: float) -> None:
    """Let others run for so long, in the library that runs here."""
    if current().name == "trio":
        import trio

        await trio.sleep(seconds)
    else:
        import asyncio

        await asyncio.sleep(seconds)


async def close_now(stream: Any) -> None:
    """Close a stream of any kind without waiting for its other side."""
    with suppress(Exception):
        if hasattr(stream, "abort"):
            stream.abort()
        elif hasattr(stream, "receive_some"):
            import trio

            await trio.aclose_forcefully(stream)
        else:
            import anyio  # pyright: ignore[reportMissingImports]

            await anyio.aclose_forcefully(stream)
