"""What passes between a connection that needs a link and those who make one: Dialer, Target, Link."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from .. import errors as e
from ..concurrency.calls import Call, ImmediateCall
from ..deadlines import Deadline

if TYPE_CHECKING:
    from ssl import SSLContext

LINGER = 1.0
"""Seconds that the last bytes of a connection that was closed may take through a relay."""


class Target(NamedTuple):
    """What a link is to lead to: what a connector is called with, and until when."""

    host: str
    """A name, an address, or the directory of a Unix socket: as it was given to `connect()`."""
    port: int
    deadline: Deadline
    """When the link must be there."""
    name: str = ""
    """The server's name, by which TLS is to verify it."""
    in_clear: bool = False
    """Whether libpq will surely do no encryption over it, and so must not be offered channel binding."""


class Relay(Protocol):
    """What carries bytes between libpq and a link that is no plain socket, until either ends."""

    @property
    def finished(self) -> bool:
        """Whether both its ends are closed."""
        ...

    def abort(self) -> None:
        """Close both ends now."""

    def deserted(self) -> bool:
        """Whether the event loop that it lives in has gone."""
        ...


class Link(NamedTuple):
    """A link as libpq takes it."""

    socket: socket.socket
    """The connector's own, or one end of a relay."""
    hostaddr: str = ""
    """The address of the other side; "" if that is no IP address or isn't known."""
    tcp: Any = None
    """What has `setsockopt()` for the TCP connection below, if there is one."""
    encrypted: bool = False
    """Whether TLS is done beneath it, so that libpq must not do it too."""
    relay: Relay | None = None

    def close(self) -> None:
        """End it, relay and all; a socket that libpq has taken over stays open to libpq."""
        self.socket.close()
        if self.relay is not None:
            self.relay.abort()


Dial: TypeAlias = Callable[[Target], Call[Link]]
"""Has a connector begin to make a link: see `tasks.dialling`."""


class Dialer:
    """How a connection gets its links.

    Args:
        connector: makes a link whenever one is needed.
        sock: the one link that there is, instead.
        ssl: what the connector is to make its TLS with; None if libpq does it.

    It owns `sock` from here on, and closes it whatever is raised.

    Raises:
        ProgrammingError: they don't go together, or are none.
        NotSupportedError: the system is Windows.
    """

    def __init__(self, connector: Callable[..., Any] | None, sock: Any, ssl: SSLContext | None):
        self.connector = connector
        self.one_shot = sock is not None
        self.ssl = ssl
        self._sock = sock
        try:
            self._check()
        except BaseException:
            self.discard()
            raise

    def _check(self) -> None:
        """Raise what `__init__` documents."""
        if self.connector is not None and self.one_shot:
            raise e.ProgrammingError(
                "got both connector_factory and sock: give one of them; a connector may return a"
                " socket that is connected already"
            )
        if self.connector is not None and not callable(self.connector):
            raise e.ProgrammingError(
                f"got connector_factory of type {type(self.connector).__name__}: expected a"
                " function of host and port"
            )
        if self.ssl is not None:
            from ssl import SSLContext  # a context is given: it is imported already

            if not isinstance(self.ssl, SSLContext):
                raise e.ProgrammingError(
                    f"got ssl={self.ssl!r}: expected an ssl.SSLContext, or None to let libpq do TLS"
                    " by sslmode"
                )
        if os.name == "nt":
            raise e.NotSupportedError(
                "connector_factory and sock don't work on Windows: libpq can't be given a socket"
                " there; listen on 127.0.0.1 in your program, relay, and connect there"
            )

    def take(self, target: Target) -> Any:
        """The one link, the first time.

        Raises:
            OperationalError: it is in use already.
        """
        sock, self._sock = self._sock, None
        if sock is None:
            raise e.OperationalError(
                f"a second link to {target.host!r}, port {target.port}, is needed, and sock= is for one"
                " only: give connector_factory; or one host, and a sslmode that the server accepts"
            )
        return sock

    def discard(self) -> None:
        """Close the one link if it was never taken: it was given away to `connect()`."""
        sock, self._sock = self._sock, None
        if sock is not None:
            discard(sock)


def hang_up(sock: socket.socket) -> None:
    """End a connection in both directions, whoever else has its descriptor.

    A forked child may have inherited it: to close ours isn't enough. The method is that of plain
    sockets: TLS gives its state up first, and what is sent meanwhile would go in clear.
    """
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def address_of(sockaddr: Any) -> str:
    """The address in what Python tells of an IP socket's end, with the zone if it is link-local."""
    address, *_, zone = sockaddr
    return f"{address}%{zone}" if len(sockaddr) == 4 and zone and "%" not in address else address


def discard(link: Any) -> None:
    """Close a link that is not used, without waiting for that.

    Transports know how to close themselves at once. What an object of the user's does in its
    close() may take its time, and takes it in a thread of its own.
    """
    if hasattr(link, "sendall") and type(link) is not socket.socket:
        with suppress(e.OperationalError):  # there is no thread to be had, or no descriptor
            ImmediateCall(close, link).leave()
            return
    close(link)


def close(link: Any) -> None:
    """Close a link of the user's, whatever it is, does and raises."""
    for name in ("abort", "close"):
        if callable(end := getattr(link, name, None)):
            with suppress(Exception):
                ended: Any = end()
                if hasattr(ended, "close"):  # a coroutine, which can't be awaited here
                    ended.close()
            return
