"""Connectors on asyncio: the contract of `loop.create_connection`, from the other side.

A transport that is a plain socket of a stock event loop is taken out of the loop, since PostgreSQL's
client speaks first: nothing can have been read yet. All others are relayed; what
`get_extra_info("socket")` of theirs returns is the socket below, under TLS or SSH.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

from ..concurrency.tasks import Library
from . import streams
from .records import Dialer, Link, Target, discard
from .relays import relayed
from .sockets import link_of as socket_link_of
from .sockets import refuse, refuse_plain
from .transports import TransportStream, is_closing

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
    if protocol.lost or is_closing(transport):
        raise ConnectionResetError("the connection was closed before anything was sent over it")
    extra: Any = getattr(transport, "get_extra_info", {}.get)
    tcp = extra("socket")
    wants_tls = dialer.ssl is not None
    if f"{type(transport).__module__}.{type(transport).__qualname__}" in _STOCK:
        if wants_tls:
            refuse_plain("transport")
        untouched = not protocol.received and not transport.get_write_buffer_size()
        if untouched and (link := _stolen(transport, protocol, dialer, target)):
            return link
    encrypted = wants_tls or bool(extra("ssl_object") or extra("sslcontext"))
    return await relayed(protocol, tcp, encrypted, target, library)


def _stolen(
    transport: Any, protocol: TransportStream, dialer: Dialer, target: Target
) -> Link | None:
    """The socket of a transport, taken out of the event loop; the transport is gone afterwards."""
    transport.pause_reading()
    # The transport closes its descriptor, and no more: the connection lives on in the duplicate.
    sock = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
    protocol.transport = None
    transport.abort()
    return socket_link_of(sock, dialer, target)
