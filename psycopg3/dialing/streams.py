"""Streams of trio and anyio as links: a pump of two tasks between them and libpq."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any

from .. import errors as e
from ..concurrency.tasks import Library
from .offers import ScramFilter
from .records import LINGER, Dialer, Link, Target, discard, hang_up
from .sockets import has, link_over, refuse, refuse_plain, relayed
from .sockets import link_of as socket_link_of

_PIECE = 65536
EXPECTED = "a stream of trio or anyio, or a connected socket"
TRIO, ANYIO = ("receive_some", "send_all", "aclose"), ("receive", "send", "aclose")
_PLAIN = {
    "trio.SocketStream",
    "trio._highlevel_socket.SocketStream",
    "anyio._backends._asyncio.SocketStream",
    "anyio._backends._asyncio.UNIXSocketStream",
    "anyio._backends._trio.SocketStream",
    "anyio._backends._trio.UNIXSocketStream",
}


async def awaitable(answer: Any) -> Any:
    """What a connector's answer comes to.

    Raises:
        InterfaceError: it can't be awaited.
    """
    if not isinstance(answer, Awaitable):
        discard(answer)
        raise e.InterfaceError(
            f"the connector returned an object of type {type(answer).__name__}, which can't be"
            " awaited: on an asynchronous connection make it an 'async def'"
        )
    return await answer


async def link_of(
    made: Any, dialer: Dialer, target: Target, library: Library, expected: str = EXPECTED
) -> Link:
    """The link that a stream makes, or what makes one in any world.

    Raises:
        InterfaceError: it can't be a link to a server.
        OSError: its connection failed.
    """
    wants_tls = dialer.ssl is not None
    link = socket_link_of(made, dialer, target)
    if link is not None:
        return link
    trio_stream, anyio_stream = has(made, TRIO), has(made, ANYIO)
    if not (anyio_stream or (trio_stream and library.name == "trio")):
        discard(made)
        refuse(made, expected)
    kind = f"{type(made).__module__}.{type(made).__qualname__}"
    if kind in _PLAIN and wants_tls:
        await _close_now(made, _kit(library))
        refuse_plain("stream")
    if trio_stream and kind in _PLAIN:
        descriptor = os.dup(made.socket.fileno())
        made.socket.close()  # trio's: the duplicate lives on
        return link_over(descriptor, dialer, target)
    if library.name == "trio" and hasattr(made, "do_handshake"):
        await _shake_hands(made)
    encrypted = wants_tls or _is_tls(made)
    begin = partial(StreamRelay, made, library)
    return relayed(begin, target, encrypted, _socket_below(made))


async def _shake_hands(stream: Any) -> None:
    """Have trio do the TLS handshake now, which it else puts off, so that an error can be raised."""
    import trio

    try:
        await stream.do_handshake()
    except BaseException as ex:
        await _close_now(stream, trio)
        if isinstance(ex, trio.BrokenResourceError):
            reason = ex.__cause__
            raise reason if isinstance(reason, OSError) else ConnectionError(str(ex)) from None
        raise


def _is_tls(stream: Any) -> bool:
    if hasattr(stream, "do_handshake"):  # trio's
        return True
    with suppress(Exception):
        from anyio.streams.tls import TLSAttribute  # pyright: ignore[reportMissingImports]

        return stream.extra(TLSAttribute.ssl_object, None) is not None
    return False


def _socket_below(stream: Any) -> Any:
    """The TCP socket under trio's layers of streams, or None."""
    while stream is not None:
        if (sock := getattr(stream, "socket", None)) is not None:
            return sock
        stream = getattr(stream, "transport_stream", None)
    return None


class StreamRelay:
    """A relay in tasks of its own between libpq and a stream.

    On asyncio all streams are anyio's: it has what is needed here by trio's names.

    Args:
        far: the user's stream.
        library: where it runs.
        near: our end of the pair that libpq has the other end of.
        filter: what the server's first words go through.
    """

    def __init__(self, far: Any, library: Library, near: socket.socket, filter: ScramFilter | None):
        self._near, self._far, self._filter = near, far, filter
        self._library, self._place, self._kit = library, library.place(), _kit(library)
        near.setblocking(False)
        self._receive = getattr(far, "receive_some", None) or far.receive
        self._send = getattr(far, "send_all", None) or far.send
        self.finished = False
        self._cancel: Callable[[], object] = self._close_near
        assert library.spawn is not None
        library.spawn(self._run())

    async def _run(self) -> None:
        kit = self._kit
        if self._library.name == "trio":
            near = kit.SocketStream(kit.socket.from_stdlib_socket(self._near))
            self._receive_near, self._send_near = near.receive_some, near.send_all
        else:
            loop = self._place
            self._receive_near = partial(loop.sock_recv, self._near)
            self._send_near = partial(loop.sock_sendall, self._near)
        try:
            group = kit.open_nursery() if self._library.name == "trio" else kit.create_task_group()
            async with group as tasks:
                self._cancel = tasks.cancel_scope.cancel
                tasks.start_soon(self._there)
                await self._back()
                self._cancel()
        finally:
            self._close_near()
            try:
                await self._close_far()
            finally:
                self.finished = True

    async def _there(self) -> None:
        """Pass on libpq's bytes to the server, until libpq has closed."""
        # The server may have said why before it left: that is still to be read.
        with suppress(Exception):
            while data := await self._receive_near(_PIECE):
                await self._send(data)
            self._cancel()

    async def _back(self) -> None:
        """Pass on the server's bytes to libpq, until either has closed."""
        with suppress(Exception):  # anyio's end of a stream is one
            while data := bytes(await self._receive(_PIECE)):
                if self._filter is not None:
                    data = self._filter.feed(data)
                await self._send_near(data)

    def _close_near(self) -> None:
        hang_up(self._near)
        self._near.close()

    async def _close_far(self) -> None:
        """Close the stream; its own way to do so may wait for the other side."""
        with suppress(Exception), self._kit.move_on_after(LINGER) as scope:
            scope.shield = True
            await self._far.aclose()
            return
        await _close_now(self._far, self._kit)

    def abort(self) -> None:
        """Close both ends now; if the event loop has gone, then what can be closed without it."""
        if self.deserted():
            self._close_near()
        else:
            self._cancel()

    def deserted(self) -> bool:
        """Whether the event loop that it lives in has gone."""
        return self._library.deserted(self._place)


def _kit(library: Library) -> Any:
    """trio, or on asyncio anyio: the module whose scopes and groups of tasks a stream's relay uses."""
    return import_module("trio" if library.name == "trio" else "anyio")


async def _close_now(stream: Any, kit: Any) -> None:
    with suppress(Exception):
        await kit.aclose_forcefully(stream)
