"""What a connector may return in any world: a connected socket, or what has recv and sendall."""

from __future__ import annotations

import os
import select
import selectors
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn, TypeAlias

from .. import errors as e
from .offers import ScramFilter
from .pumps import ThreadRelay
from .records import Dialer, Link, Relay, Target, address_of, discard

EXPECTED = "a connected socket, or an object with recv(), sendall() and close()"
FOR_TLS = "a connected socket, over which TLS is done as ssl= says"
_CONNECTOR, GIVEN = "the connector returned", "got as sock="
Methods: TypeAlias = tuple[str, ...]
OBJECT = ("recv", "sendall", "close")


def link_of(made: Any, dialer: Dialer, target: Target) -> Link | None:
    """The link that a socket, or something like one, makes; None if it is nothing of the kind.

    Args:
        made: what the connector returned; closed if it is refused.
        dialer: its `ssl` was given to the connector, who then must have done TLS.
        target: what the connector was asked for.

    Raises:
        InterfaceError: it can't be a link to a server.
        OSError: its connection failed.
    """
    wants_tls = dialer.ssl is not None
    try:
        if isinstance(made, socket.socket):
            return _socket_link(made, wants_tls, target)
        if has(made, OBJECT):
            return relayed(partial(ThreadRelay, made), target, wants_tls)
    except BaseException:
        discard(made)
        raise
    return None


def link_over(descriptor: int, dialer: Dialer, target: Target) -> Link:
    """The link over a socket that was duplicated: whoever it belonged to closes the original."""
    link = link_of(socket.socket(fileno=descriptor), dialer, target)
    assert link is not None
    return link


def _socket_link(made: socket.socket, wants_tls: bool, target: Target) -> Link:
    check_socket(made)
    tcp = made if made.family in (socket.AF_INET, socket.AF_INET6) else None
    # What is derived from it may do anything to the bytes.
    if type(made) is socket.socket:
        if wants_tls:
            refuse_plain("socket")
        return Link(made, hostaddr=peer_address(made), tcp=tcp)
    is_tls = _is_tls(made)
    # Until it has shaken hands it may send in clear: it does if it wasn't connected when wrapped.
    if is_tls and made.version() is None:  # type: ignore[attr-defined]
        _refuse("a TLS socket that hasn't shaken hands")
    return relayed(partial(ThreadRelay, made), target, wants_tls or is_tls, tcp)


def relayed(
    begin: Callable[[socket.socket, ScramFilter | None], Relay],
    target: Target,
    encrypted: bool,
    tcp: Any = None,
) -> Link:
    """The link that a relay makes of what libpq can't use itself.

    Args:
        begin: begins to relay, given our end of the pair, and what the server's first words go through.
        target: what the connector was asked for.
        encrypted: whether TLS is done beneath it.
        tcp: the socket below, if it is known.
    """
    # Where libpq does no TLS, it must not be offered channel binding; there may be TLS beneath that
    # can't be recognised.
    filter = ScramFilter() if encrypted or target.in_clear else None
    near, ours = socket.socketpair()
    try:
        relay = begin(ours, filter)
    except BaseException:
        near.close()
        ours.close()
        raise
    return Link(near, hostaddr=peer_address(tcp), tcp=tcp, encrypted=encrypted, relay=relay)


def check_given(sock: object, wants_tls: bool, others: tuple[Methods, ...], expected: str) -> None:
    """See whether what was given as `sock` can be a link, and TLS be done over it if it is to be.

    Args:
        sock: it may be anything; closed if it is refused.
        wants_tls: whether the driver is to do TLS over it.
        others: the methods of what will do though it is no socket.
        expected: what will do, in words.

    Raises:
        InterfaceError: it can't.
        OSError: its connection failed.
    """
    try:
        if not isinstance(sock, socket.socket):
            if not any(has(sock, methods) for methods in others):
                refuse(sock, expected, GIVEN)
        elif wants_tls and _is_tls(sock):
            refuse(sock, "a connected socket without TLS, which ssl= is to do over it", GIVEN)
        else:
            check_socket(sock, GIVEN)
    except BaseException:
        discard(sock)
        raise


def wait_connected(sock: socket.socket, seconds: float) -> None:
    """Wait for a connection that is still being made; blocks."""
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_WRITE)
        selector.select(seconds)


def has(made: object, names: Methods) -> bool:
    """Whether an object has all of these methods."""
    return all(callable(getattr(made, name, None)) for name in names)


def _is_tls(sock: socket.socket) -> bool:
    return hasattr(sock, "do_handshake")  # an ssl.SSLSocket: ssl is imported where there is one


def check_socket(sock: socket.socket, giver: str = _CONNECTOR) -> None:
    """See whether a socket is connected, or about to be.

    Raises:
        InterfaceError: it can't be a link to a server.
        OSError: its connection failed.
    """
    if sock.fileno() < 0:
        _refuse("a closed socket", giver)
    if sock.type != socket.SOCK_STREAM:
        _refuse(f"a socket of type {sock.type!r}, which is no stream,", giver)
    try:
        sock.getpeername()
        return
    except OSError:
        pass
    # It may still be connecting: libpq waits for that. One that never began to has hung up.
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        _refuse("a listening socket", giver)
    if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(code, os.strerror(code))
    poller = select.poll()
    poller.register(sock.fileno(), select.POLLOUT)
    if any(events & select.POLLHUP for _, events in poller.poll(0)):
        _refuse("a socket that isn't connected", giver)


def peer_address(sock: Any) -> str:
    """The IP address of the other side; "" if it has none."""
    try:
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            return address_of(sock.getpeername())
    except (OSError, AttributeError, TypeError):
        pass
    return ""


def refuse_plain(kind: str) -> NoReturn:
    """Refuse a link in clear from a connector that was to do TLS, before the password goes over it."""
    raise e.InterfaceError(
        f"the connector was given ssl and returned a {kind} without TLS: expected an encrypted"
        " link; leave ssl out to let libpq do TLS over it, by sslmode"
    )


def refuse(made: object, expected: str, giver: str = _CONNECTOR) -> NoReturn:
    """Refuse what is no link at all."""
    text = repr(made)
    shown = text if len(text) < 100 else f"an object of type {type(made).__name__}"
    raise e.InterfaceError(f"{giver} {shown}: expected {expected}")


def _refuse(what: str, giver: str = _CONNECTOR) -> NoReturn:
    raise e.InterfaceError(f"{giver} {what}: expected {EXPECTED}")
