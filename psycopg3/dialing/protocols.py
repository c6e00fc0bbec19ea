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
from ..watching import may_touch
from . import streams
from .adoption import Identity, identity
from .offers import ScramFilter
from .records import LINGER, Dialer, Link, Target, discard, hang_up
from .sockets import link_over, refuse, refuse_plain, relayed

_STOCK = {
    "asyncio.selector_events._SelectorSocketTransport",
    "uvloop.loop.TCPTransport",
    "uvloop.loop.UnixTransport",
}
_PIECE = 262144
_EXPECTED = (
    "the pair (transport, protocol) of loop.create_connection(), a connected socket or a stream"
)


async def link_by(
    connector: Callable[..., Any], target: Target, dialer: Dialer, library: Library
) -> Link:
    """Have the connector make a link, by the contract of `loop.create_connection`."""
    loop = asyncio.get_running_loop()
    made: list[TransportRelay] = []

    def proto_factory() -> TransportRelay:
        made.append(TransportRelay(loop))
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
    returned: Any, made: list[TransportRelay], dialer: Dialer, target: Target, library: Library
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
        if not protocol.held and not transport.get_write_buffer_size():
            transport.pause_reading()
            # The transport closes its descriptor, and no more: the connection lives on in the duplicate.
            descriptor = os.dup(tcp.fileno())
            protocol.transport = None
            transport.abort()
            return link_over(descriptor, dialer, target)
    encrypted = bool(extra("ssl_object") or extra("sslcontext"))
    if (
        wants_tls and not encrypted and protocol.has_socket
    ):  # rloop ignores the `ssl` that it is given
        refuse_plain("transport")
    return relayed(protocol.relay, target, wants_tls or encrypted, tcp)


def _is_stock(transport: Any) -> bool:
    return _name(type(transport)) in _STOCK


def _is_of_loop(transport: Any, loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a transport is none of the stock ones, but an event loop's, with a socket of its own.

    Others may share their socket, as the channels of an SSH connection do.
    """
    kind = type(transport)
    if any(_name(base) in _STOCK for base in kind.__mro__[1:]):
        return True
    package = kind.__module__.partition(".")[0]
    return package not in ("asyncio", "uvloop") and package == _name(type(loop)).partition(".")[0]


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


class TransportRelay(asyncio.Protocol):
    """What `proto_factory` makes: the server's bytes go to libpq, libpq's to the server.

    It is the relay, too, once it has an end of the pair whose other end libpq has. That end is
    watched by the event loop itself: a second transport would copy all bytes once more.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self.loop = loop
        self._socket: tuple[int, Identity] | None = None
        self._near: socket.socket | None = None
        self._filter: ScramFilter | None = None
        self._paused = self._ended = False
        self.transport: Any = None
        self.held = b""
        """The bytes of the server's that libpq has not taken yet."""
        self.lost = False

    @property
    def has_socket(self) -> bool:
        """Whether the transport's socket is ours to close if the transport doesn't."""
        return self._socket is not None

    def relay(self, near: socket.socket, filter: ScramFilter | None) -> TransportRelay:
        """Relay from now on, what came before first; returns itself.

        Args:
            near: our end of the pair that libpq has the other end of.
            filter: what the server's first words go through.
        """
        near.setblocking(False)
        self._near, self._filter = near, filter
        self.loop.add_reader(near.fileno(), self._from_libpq)
        early, self.held = self.held, b""
        self.data_received(early)
        if self._ended:
            self.eof_received()
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of the transport; the connector returns it besides."""
        self.transport = transport
        if _is_of_loop(transport, self.loop):
            fd = transport.get_extra_info("socket").fileno()
            self._socket = fd, identity(fd)

    def data_received(self, data: bytes) -> None:
        """Pass on what the server says."""
        if self._filter is not None:
            data = self._filter.feed(data)
        self.held += data
        if self._near is not None and not self._paused:
            self._to_libpq()

    def _to_libpq(self) -> None:
        """Send what libpq takes; while some is left, take no more from the server."""
        assert self._near is not None
        try:
            self.held = self.held[self._near.send(self.held) :]
        except BlockingIOError:
            pass
        except OSError:
            self._close_near()
            return
        if self.held and not self._paused:
            self._paused = True
            self.loop.add_writer(self._near.fileno(), self._to_libpq)
            with suppress(Exception):
                self.transport.pause_reading()
        elif self._paused and not self.held:
            self._paused = False
            self.loop.remove_writer(self._near.fileno())
            with suppress(Exception):
                self.transport.resume_reading()
            if self._ended:
                self._close_near()

    def _from_libpq(self) -> None:
        """Pass on what libpq says."""
        assert self._near is not None
        try:
            data = self._near.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close_near()
        elif not self.lost and not _closing(self.transport):
            self.transport.write(data)

    def eof_received(self) -> None:
        """End libpq's side after the last bytes; the transport closes itself."""
        self._ended = True
        if not self.held:
            self._close_near()

    def connection_lost(self, exc: Exception | None) -> None:
        """End libpq's side after the last bytes."""
        self.lost = True
        self.eof_received()
        self._shut_soon()

    def pause_writing(self) -> None:
        """Take no more from libpq than the server takes."""
        if self._near is not None and self._is_open:
            self.loop.remove_reader(self._near.fileno())

    def resume_writing(self) -> None:
        """Go on taking from libpq."""
        if self._near is not None and self._is_open:
            self.loop.add_reader(self._near.fileno(), self._from_libpq)

    @property
    def _is_open(self) -> bool:
        """Whether there is a side of libpq's."""
        return self._near is not None and self._near.fileno() >= 0

    def _close_near(self) -> None:
        """Close libpq's side, and the server's soon."""
        if self._near is None or not self._is_open:
            return
        with suppress(RuntimeError):  # the loop is closed
            self.loop.remove_reader(self._near.fileno())
            self.loop.remove_writer(self._near.fileno())
        hang_up(self._near)
        self._near.close()
        self._close_far()

    def _close_far(self) -> None:
        """Close the server's side after the last bytes, but not later than LINGER seconds."""
        if self.lost or self.transport is None:
            return
        with suppress(Exception):
            self.transport.close()
        with suppress(RuntimeError):
            self.loop.call_later(LINGER, self._abort_far)

    def _abort_far(self) -> None:
        if not self.lost and self.transport is not None:
            discard(self.transport)
            self._shut_soon()

    def _shut_soon(self) -> None:
        """Close the transport's socket, if it is still open when the transport has had its turn.

        Those of rloop and uringcore leave it open: the server would wait for us for ever.
        """
        if self._socket is not None:
            with suppress(RuntimeError):  # the loop is closed
                self.loop.call_soon(self._shut)

    def _shut(self) -> None:
        known, self._socket = self._socket, None
        with suppress(OSError):  # as it should be
            if known is not None and identity(known[0]) == known[1]:
                sock = socket.socket(fileno=known[0])
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                finally:
                    sock.close()

    # -- as a relay ------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether both its ends are closed."""
        return self.lost and not (self._is_open or self.has_socket)

    def abort(self) -> None:
        """Close both ends now; if the event loop has gone, then what can be closed without it.

        From another thread than the loop's, as soon as the loop comes to it.
        """
        if may_touch(self.loop):
            self._abort_here()
        else:
            with suppress(RuntimeError):  # it was closed just now
                self.loop.call_soon_threadsafe(self._abort_here)

    def _abort_here(self) -> None:
        self._abort_far()
        self._close_near()

    def deserted(self) -> bool:
        """Whether the event loop that it lives in has gone."""
        return not self.loop.is_running()


def _closing(transport: Any) -> bool:
    closing = getattr(transport, "is_closing", None)
    return bool(closing is not None and closing())
