"""Connectors and relays on asyncio: the contract of `loop.create_connection`, from the other side.

A transport that is a plain socket of a stock event loop is taken out of the loop, since PostgreSQL's
client speaks first: nothing can have been read yet. All others are relayed; what
`get_extra_info("socket")` of theirs returns is the socket below, under TLS or SSH.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..concurrency.tasks import Library
from . import streams
from .records import Dialer, Link, Target, discard
from .sockets import check_socket, peer_address, refuse, refuse_plain

_STOCK = {
    "asyncio.selector_events._SelectorSocketTransport",
    "uvloop.loop.TCPTransport",
    "uvloop.loop.UnixTransport",
}
_EXPECTED = (
    "the pair (transport, protocol) of loop.create_connection(), a connected socket or a stream"
)
# So many bytes are held that were received and not taken; then the transport is to pause.
_MOST_HELD = 262144


async def link_by(
    connector: Callable[..., Any], target: Target, dialer: Dialer, library: Library
) -> Link:
    """Have the connector make a link, by the contract of `loop.create_connection`."""
    loop = asyncio.get_running_loop()
    made: list[TransportStream] = []

    def proto_factory() -> TransportStream:
        made.append(TransportStream())
        return made[-1]

    try:
        answer = connector(proto_factory, target.host, target.port, loop=loop, ssl=dialer.ssl)
        returned = await streams.awaitable(answer)
        return await _link_of(returned, made, dialer, target, library)
    except BaseException:
        for protocol in made:
            protocol.abort()
        raise


async def _link_of(
    returned: Any, made: list[TransportStream], dialer: Dialer, target: Target, library: Library
) -> Link:
    if not isinstance(returned, tuple):
        return await streams.link_of(returned, dialer, target, library, _EXPECTED)
    if len(returned) != 2 or not hasattr(returned[0], "write"):
        refuse(returned, _EXPECTED)
    transport, protocol = returned
    if not any(protocol is one for one in made):
        discard(transport)
        refuse(returned, "the protocol that proto_factory made, with its transport")
    if protocol.transport is None:
        protocol.connection_made(transport)
    if protocol.lost or _closing(transport):
        raise ConnectionResetError("the connection was closed before anything was sent over it")
    extra: Any = getattr(transport, "get_extra_info", {}.get)
    tcp = extra("socket")
    wants_tls = dialer.ssl is not None
    if f"{type(transport).__module__}.{type(transport).__qualname__}" in _STOCK:
        if wants_tls:
            refuse_plain("transport")
        if not protocol.received and not transport.get_write_buffer_size():
            return _stolen(transport, protocol, tcp)
    encrypted = wants_tls or bool(extra("ssl_object") or extra("sslcontext"))
    return await streams.relayed(protocol, tcp, encrypted, target, library)


def _stolen(transport: Any, protocol: TransportStream, tcp: Any) -> Link:
    """The socket of a transport, taken out of the event loop; the transport is gone afterwards."""
    transport.pause_reading()
    # The transport closes its descriptor, and no more: the connection lives on in the duplicate.
    sock = socket.socket(fileno=os.dup(tcp.fileno()))
    try:
        protocol.transport = None
        transport.abort()
        check_socket(sock)
        is_tcp = sock.family in (socket.AF_INET, socket.AF_INET6)
        return Link(sock, hostaddr=peer_address(sock), tcp=sock if is_tcp else None)
    except BaseException:
        sock.close()
        raise


class TransportStream(asyncio.Protocol):
    """What `proto_factory` makes: a protocol that has the methods of anyio's streams.

    Args:
        sends_all: whether `send` waits until the transport has no bytes left.
    """

    def __init__(self, *, sends_all: bool = False):
        self.transport: Any = None
        self.received = bytearray()
        """The bytes that were received, and not taken yet."""
        self.lost = False
        self._sends_all = sends_all
        self._ended = self._paused = False
        self._readable, self._writable, self._closed = (asyncio.Event() for _ in range(3))
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of the transport; the connector returns it besides."""
        self.transport = transport
        if self._sends_all:
            self.transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        """Keep the bytes for `receive`."""
        self.received += data
        if len(self.received) > _MOST_HELD and not self._paused:
            with suppress(Exception):
                self.transport.pause_reading()
                self._paused = True
        self._readable.set()

    def eof_received(self) -> None:
        """Note the end; the transport closes itself."""
        self._ended = True
        self._readable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end, and wake those who wait."""
        self.lost = self._ended = True
        for event in (self._readable, self._writable, self._closed):
            event.set()

    def pause_writing(self) -> None:
        """Let `send` wait."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let `send` go on."""
        self._writable.set()

    async def receive(self, _most: int) -> bytes:
        """Wait for bytes, and take them; none at the end."""
        while not (self.received or self._ended):
            self._readable.clear()
            await self._readable.wait()
        data = bytes(self.received)
        self.received.clear()
        if self._paused and not self.lost:
            self._paused = False
            self.transport.resume_reading()
        return data

    async def send(self, data: bytes) -> None:
        """Send bytes, and wait until there is room for more."""
        if self.lost or _closing(self.transport):
            raise ConnectionResetError
        self.transport.write(data)
        await self._writable.wait()

    async def aclose(self) -> None:
        """Close after the last bytes."""
        self.transport.close()
        if not self.lost:
            await self._closed.wait()

    def abort(self) -> None:
        """Close now."""
        if self.transport is not None and not self.lost:
            discard(self.transport)


def _closing(transport: Any) -> bool:
    closing = getattr(transport, "is_closing", None)
    return bool(closing is not None and closing())
