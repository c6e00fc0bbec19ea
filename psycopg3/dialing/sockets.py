"""What a connector may return in any world: a connected socket, or what has recv and sendall."""

from __future__ import annotations

import os
import select
import socket
from typing import Any, NoReturn

from .. import errors as e
from .offers import ScramFilter
from .pumps import PairRelay, SocketRelay
from .records import Link, discard

EXPECTED = "a connected socket, or an object with recv(), sendall() and close()"


def link_of(made: Any, wants_tls: bool) -> Link | None:
    """The link that a socket, or something like one, makes; None if it is nothing of the kind.

    Args:
        made: what the connector returned; closed if it is refused.
        wants_tls: whether the connector was given a context, and so must have done TLS.

    Raises:
        InterfaceError: it can't be a link to a server.
        OSError: its connection failed.
    """
    try:
        if isinstance(made, socket.socket):
            return _socket_link(made, wants_tls)
    except BaseException:
        discard(made)
        raise
    if all(callable(getattr(made, name, None)) for name in ("recv", "sendall", "close")):
        near, ours = socket.socketpair()
        relay = PairRelay(ours, made, ScramFilter() if wants_tls else None)
        return Link(near, encrypted=wants_tls, relay=relay)
    return None


def _socket_link(made: socket.socket, wants_tls: bool) -> Link:
    check_socket(made)
    tcp = made if made.family in (socket.AF_INET, socket.AF_INET6) else None
    hostaddr = peer_address(made)
    # What is derived from it may do anything to the bytes.
    if type(made) is socket.socket:
        if wants_tls:
            refuse_plain("socket")
        return Link(made, hostaddr=hostaddr, tcp=tcp)
    encrypted = wants_tls or hasattr(made, "pending")  # an ssl.SSLSocket
    near, ours = socket.socketpair()
    relay = SocketRelay(ours, made, ScramFilter() if encrypted else None)
    return Link(near, hostaddr=hostaddr, tcp=tcp, encrypted=encrypted, relay=relay)


def check_socket(sock: socket.socket) -> None:
    """See whether a socket is connected, or about to be.

    Raises:
        InterfaceError: it can't be a link to a server.
        OSError: its connection failed.
    """
    if sock.fileno() < 0:
        _refuse("a closed socket")
    if sock.type != socket.SOCK_STREAM:
        _refuse(f"a socket of type {sock.type!r}, which is no stream,")
    try:
        sock.getpeername()
        return
    except OSError:
        pass
    # It may still be connecting: libpq waits for that. One that never began to has hung up.
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        _refuse("a listening socket")
    if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(code, os.strerror(code))
    poller = select.poll()
    poller.register(sock.fileno(), select.POLLOUT)
    if any(events & select.POLLHUP for _, events in poller.poll(0)):
        _refuse("a socket that isn't connected")


def peer_address(sock: Any) -> str:
    """The IP address of the other side; "" if it has none."""
    try:
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            return str(sock.getpeername()[0])
    except (OSError, AttributeError, TypeError):
        pass
    return ""


def refuse_plain(kind: str) -> NoReturn:
    """Refuse a link in clear from a connector that was to do TLS, before the password goes over it."""
    raise e.InterfaceError(
        f"the connector was given ssl and returned a {kind} without TLS: expected an encrypted"
        " link; leave ssl out to let libpq do TLS over it, by sslmode"
    )


def refuse(made: object, expected: str) -> NoReturn:
    """Refuse what is no link at all."""
    text = repr(made)
    shown = text if len(text) < 100 else f"an object of type {type(made).__name__}"
    raise e.InterfaceError(f"the connector returned {shown}: expected {expected}")


def _refuse(what: str) -> NoReturn:
    raise e.InterfaceError(f"the connector returned {what}: expected {EXPECTED}")
