"""A socket of the user's in the place of libpq's own: a reserved address, and dup2.

libpq opens its sockets itself, and has no way to be given one. So it is sent to an address where
nobody listens: it opens a socket, and asks to be told when that is writable, before it has sent a
byte. Then the user's socket is put under the same descriptor number, and libpq goes on over it.

A socket that libpq has opened is recognised by what it is, not by its number: a fallback closes one and
opens another, which has the same number (observed with libpq 12 to 18).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress

from .. import errors as e
from ..pq import ConnStatus, PGcancelConn, PGconn, PollingStatus
from ..waiting import Wait, WaitGen
from .records import Link

Identity = tuple[int, int]

_WANTS = {PollingStatus.READING: Wait.R, PollingStatus.WRITING: Wait.W}

_LOOPBACKS = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


class Reservation:
    """An address of this machine that is taken, so that no stranger can listen there.

    Raises:
        OperationalError: this machine has no loopback interface.
    """

    def __init__(self) -> None:
        self._socket = _bound()
        self.ip, self.port = self._socket.getsockname()[:2]

    def close(self) -> None:
        """Give the address up."""
        self._socket.close()

    def __del__(self) -> None:
        if hasattr(self, "_socket"):
            self._socket.close()


def _bound() -> socket.socket:
    reason: OSError | None = None
    for family, address in _LOOPBACKS:
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as ex:
            reason = reason or ex
            continue
        try:
            sock.bind((address, 0))
            _try_route(sock)
            return sock
        except OSError as ex:
            sock.close()
            reason = reason or ex
    raise e.OperationalError(
        f"no address of this machine's loopback interface can be had ({reason}): for a connector"
        " libpq needs 127.0.0.1 or ::1; bring the interface 'lo' up"
    ) from reason


def _try_route(sock: socket.socket) -> None:
    """See whether a connection could be tried: where the interface is down, binding works."""
    with socket.socket(sock.family, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        with suppress(BlockingIOError, ConnectionRefusedError):
            probe.connect(sock.getsockname()[:2])


_shared: tuple[int, Reservation] | None = None


def shared_reservation() -> Reservation:
    """The address that serves all connections of this process; a forked child has its own."""
    global _shared
    if _shared is None or _shared[0] != os.getpid():
        _shared = os.getpid(), Reservation()
    return _shared[1]


def identity(fd: int) -> Identity:
    """Return device and inode of an open file, which no other has that is open now."""
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def adopt(fd: int, link: Link) -> Identity:
    """Put a link under libpq's descriptor, and close the original; returns its identity."""
    # All duplicates of a descriptor share the flag.
    link.socket.setblocking(False)
    os.dup2(link.socket.fileno(), fd, inheritable=False)
    link.socket.close()
    return identity(fd)


def negotiate_gen(
    conn: PGconn | PGcancelConn,
    poll_gen: Callable[[], WaitGen[PollingStatus]],
    link_gen: Callable[[], WaitGen[Link]] | None = None,
) -> WaitGen[PollingStatus]:
    """Have libpq get to its server, by itself or over links; returns OK, or FAILED.

    Args:
        conn: what was started: a PGconn, or a PGcancelConn.
        poll_gen: takes its next step.
        link_gen: makes a link, whenever libpq has opened a socket: for each of its tries. None
            leaves libpq its own.
    """
    # The manual's section 34.1: until the first poll, act as if it had said WRITING.
    status = PollingStatus.FAILED if conn.status == ConnStatus.BAD else PollingStatus.WRITING
    adopted: Identity | None = None
    while status in _WANTS:
        if adopted is None and link_gen is not None:
            adopted = adopt(conn.socket, (yield from link_gen()))
        while not (yield conn.socket, _WANTS[status]):
            pass
        status = yield from poll_gen()
        # After a poll, STARTED always means a new one; a system may give sockets no identity.
        if (
            adopted is not None
            and status in _WANTS
            and (conn.status == ConnStatus.STARTED or identity(conn.socket) != adopted)
        ):
            adopted = None
    return status


def apply_tcp_options(tcp: object, options: Mapping[str, str | None]) -> None:
    """Set on a TCP connection what libpq would have set on its own.

    Args:
        tcp: what has `setsockopt()`.
        options: libpq's parameters `keepalives` and so on; None and 0 leave the system's.
    """
    _set(tcp, socket.IPPROTO_TCP, "TCP_NODELAY", 1)
    if options.get("keepalives") != "0":
        _set(tcp, socket.SOL_SOCKET, "SO_KEEPALIVE", 1)
        idle = "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE"
        _set(tcp, socket.IPPROTO_TCP, idle, options.get("keepalives_idle"))
        _set(tcp, socket.IPPROTO_TCP, "TCP_KEEPINTVL", options.get("keepalives_interval"))
        _set(tcp, socket.IPPROTO_TCP, "TCP_KEEPCNT", options.get("keepalives_count"))
    _set(tcp, socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", options.get("tcp_user_timeout"))


def _set(tcp: object, level: int, name: str, value: int | str | None) -> None:
    option = getattr(socket, name, None)
    with suppress(OSError, ValueError, AttributeError, TypeError):
        if option is not None and value and int(value) > 0:
            tcp.setsockopt(level, option, int(value))  # type: ignore[attr-defined]
