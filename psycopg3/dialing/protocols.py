"""Dials and relays on asyncio: the contract of `loop.create_connection`, kept from the other side.

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
from .offers import ScramFilter
from .records import LINGER, Dialer, Link, Target, discard
from .sockets import check_socket, filter_for, peer_address, refuse, refuse_plain

_STOCK = {
    "asyncio.selector_events._SelectorSocketTransport",
    "uvloop.loop.TCPTransport",
    "uvloop.loop.UnixTransport",
}
_EXPECTED = (
    "the pair (transport, protocol) of loop.create_connection(), a connected socket or a stream"
)


async def link_by(
    connector: Callable[..., Any], target: Target, dialer: Dialer, library: Library
) -> Link:
    """Have the connector make a link, by the contract of `loop.create_connection`."""
    loop = asyncio.get_running_loop()
    made: list[Far] = []

    def proto_factory() -> Far:
        made.append(Far(loop))
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
    returned: Any, made: list[Far], dialer: Dialer, target: Target, library: Library
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
    if _is_stock(transport):
        if wants_tls:
            refuse_plain("transport")
        if not protocol.early and not transport.get_write_buffer_size():
            return _stolen(transport, protocol, tcp)
    encrypted = wants_tls or bool(extra("ssl_object") or extra("sslcontext"))
    near, ours = socket.socketpair()
    try:
        ours.setblocking(False)
        protocol.filter = filter_for(target, encrypted)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: Near(protocol, ours), sock=ours)
    except BaseException:
        near.close()
        ours.close()
        raise
    hostaddr = peer_address(tcp) if tcp is not None else ""
    return Link(near, hostaddr=hostaddr, tcp=tcp, encrypted=encrypted, relay=protocol)


def _is_stock(transport: Any) -> bool:
    kind = type(transport)
    return f"{kind.__module__}.{kind.__qualname__}" in _STOCK


def _stolen(transport: Any, protocol: Far, tcp: Any) -> Link:
    """The socket of a transport, taken out of the event loop; the transport is gone afterwards."""
    transport.pause_reading()
    # The transport closes its descriptor, and no more: the connection lives on in the duplicate.
    sock = socket.socket(fileno=os.dup(tcp.fileno()))
    try:
        protocol.detach()
        transport.abort()
        check_socket(sock)
        is_tcp = sock.family in (socket.AF_INET, socket.AF_INET6)
        return Link(sock, hostaddr=peer_address(sock), tcp=sock if is_tcp else None)
    except BaseException:
        sock.close()
        raise


class Far(asyncio.Protocol):
    """What `proto_factory` makes: the server's bytes go to libpq, libpq's to the server.

    It is the relay, too, once there is one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self._loop = loop
        self.transport: Any = None
        self.near: Near | None = None
        self.filter: ScramFilter | None = None
        self.early: list[bytes] = []
        """The bytes that were received before there was a near side."""
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of the transport; the connector returns it besides."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Pass on what the server says."""
        if self.near is None:
            self.early.append(bytes(data))
            return
        if self.filter is not None:
            data = self.filter.feed(data)
            if self.filter.done:
                self.filter = None
        if data:
            self.near.write(data)

    def eof_received(self) -> None:
        """End libpq's side after the last bytes; the transport closes itself."""
        self._end_near()

    def connection_lost(self, exc: Exception | None) -> None:
        """End libpq's side after the last bytes."""
        self.lost = True
        self._end_near()

    def pause_writing(self) -> None:
        """Take no more from libpq than the server takes."""
        if self.near is not None:
            self.near.pause()

    def resume_writing(self) -> None:
        """Go on taking from libpq."""
        if self.near is not None:
            self.near.resume()

    def _end_near(self) -> None:
        if self.near is not None:
            self.near.end()

    def close(self) -> None:
        """End the server's side after the last bytes, but not later than LINGER seconds."""
        if self.lost or self.transport is None:
            return
        with suppress(Exception):
            self.transport.close()
        self._loop.call_later(LINGER, self._abort_far)

    def _abort_far(self) -> None:
        if not self.lost and self.transport is not None:
            discard(self.transport)

    def detach(self) -> None:
        """Have nothing more to do with the transport."""
        self.transport = None

    # -- as a relay ------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether both its ends are closed."""
        return self.lost and (self.near is None or self.near.lost)

    def abort(self) -> None:
        """Close both ends now."""
        self._abort_far()
        if self.near is not None:
            self.near.abort()

    def deserted(self) -> bool:
        """Whether the event loop that it lives in has gone."""
        return not self._loop.is_running()


class Near(asyncio.Protocol):
    """libpq's side of a relay."""

    def __init__(self, far: Far, sock: socket.socket):
        self._far, self._socket = far, sock
        self._transport: Any = None
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take what came early."""
        self._transport = transport
        self._far.near = self
        early, self._far.early = self._far.early, []
        for data in early:
            self._far.data_received(data)
        if self._far.lost:
            self.end()

    def write(self, data: bytes) -> None:
        """Pass on to libpq what the server says."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Pass on what libpq says."""
        if not self._far.lost and not _closing(self._far.transport):
            self._far.transport.write(data)

    def eof_received(self) -> None:
        """End the server's side: libpq has closed."""
        self._far.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the server's side."""
        self.lost = True
        # A forked child may have inherited the descriptor: to close ours alone isn't enough.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._far.close()

    def pause_writing(self) -> None:
        """Take no more from the server than libpq takes."""
        with suppress(Exception):
            self._far.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on taking from the server."""
        if not self._far.lost:
            with suppress(Exception):
                self._far.transport.resume_reading()

    def pause(self) -> None:
        """Stop taking from libpq."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Go on taking from libpq."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def end(self) -> None:
        """Close after the last bytes."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close now; if the event loop has gone, then what can be closed without it."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with suppress(RuntimeError, AttributeError):
            self._transport.abort()


def _closing(transport: Any) -> bool:
    closing = getattr(transport, "is_closing", None)
    return bool(closing is not None and closing())
