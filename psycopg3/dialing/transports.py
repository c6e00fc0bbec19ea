"""A transport of asyncio as a stream: what connectors get from `proto_factory`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from .offers import ScramFilter
from .records import discard

# So many bytes are held that were received and not taken; then the transport is to pause.
_MOST_HELD = 262144


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
        self._target: TransportStream | None = None
        self._source: TransportStream | None = None
        self._filter: ScramFilter | None = None
        self._ended = self._paused = False
        self._readable, self._writable, self._closed = (asyncio.Event() for _ in range(3))
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of the transport; the connector returns it besides."""
        self.transport = transport
        if self._sends_all:
            self.transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        """Keep the bytes for `receive`, or pass them on."""
        if self._target is not None:
            if self._filter is not None:
                data = self._filter.feed(data)
            if data and not (self._target.lost or is_closing(self._target.transport)):
                self._target.transport.write(data)
            return
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
        """Let `send` wait, and whoever passes bytes on."""
        self._writable.clear()
        if self._source is not None:
            with suppress(Exception):
                self._source.transport.pause_reading()

    def resume_writing(self) -> None:
        """Let them go on."""
        self._writable.set()
        if self._source is not None and not self._source.lost:
            with suppress(Exception):
                self._source.transport.resume_reading()

    def forward(self, target: TransportStream, filter: ScramFilter | None = None) -> None:
        """Pass all bytes on at once: `receive` waits for the end then.

        A query over a relay of tasks costs 65,000 instructions more.
        """
        self._target, self._filter, target._source = target, filter, self
        held, self.received = bytes(self.received), bytearray()
        self.data_received(held)
        if self._paused:
            self._paused = False
            self.transport.resume_reading()

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
        if self.lost or is_closing(self.transport):
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


def is_closing(transport: Any) -> bool:
    """Whether a transport says that it is being closed."""
    closing = getattr(transport, "is_closing", None)
    return bool(closing is not None and closing())
