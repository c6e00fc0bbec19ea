"""Streams of trio and anyio as links."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from .. import errors as e
from ..concurrency.tasks import Library
from .records import Dialer, Link, Target, discard
from .relays import close_now, relayed
from .sockets import has, refuse, refuse_plain
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
        await close_now(made)
        refuse_plain("stream")
    if trio_stream and kind in _PLAIN:
        return _stolen(made, dialer, target)
    if library.name == "trio" and hasattr(made, "do_handshake"):
        await _shake_hands(made)
    encrypted = wants_tls or _is_tls(made)
    return await relayed(made, _socket_below(made), encrypted, target, library)


async def _shake_hands(stream: Any) -> None:
    """Have trio do the TLS handshake now, which it else puts off, so that an error can be raised."""
    import trio

    try:
        await stream.do_handshake()
    except BaseException as ex:
        await close_now(stream)
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


def _stolen(stream: Any, dialer: Dialer, target: Target) -> Link:
    """The socket of a trio.SocketStream, which is closed afterwards: the duplicate lives on."""
    sock = socket.socket(fileno=os.dup(stream.socket.fileno()))
    stream.socket.close()
    link = socket_link_of(sock, dialer, target)
    assert link is not None
    return link
