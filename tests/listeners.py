"""Listeners that are no PostgreSQL: refusing, mute, resetting, or playing a server's part."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Self

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
ADDRESS = "127.0.0.1"

# What sockets raise if the other side has left. PyPy's ssl module has no text for some errors, and
# fails at that.
GONE = (OSError, EOFError) + ((RuntimeError,) if sys.implementation.name == "pypy" else ())


class Listener:
    """Listens on a free port of this machine, and has `talk` called with each connection it takes.

    Args:
        talk: what to do with a connection, in a thread of its own; it is closed afterwards.
        address: where to listen.
        port: the port, by default any that is free.
    """

    def __init__(
        self, talk: Callable[[socket.socket], None], address: str = ADDRESS, port: int = 0
    ):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.create_server((address, port), family=family)
        self.address = address
        self.port: int = self.socket.getsockname()[1]
        self.taken = 0
        self.ended = threading.Semaphore(0)  # released for each connection that has ended
        self._talk = talk
        self._open: list[socket.socket] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for sock in [self.socket, *self._open]:
            # A thread that waits in accept() or recv() isn't woken by close().
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _listen(self) -> None:
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            self.taken += 1
            self._open.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(*GONE):
            self._talk(sock)
        self.ended.release()


@contextlib.contextmanager
def refusing(address: str = ADDRESS) -> Iterator[int]:
    """A port that is taken, so that nobody else listens there, but refuses connections."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
        sock.bind((address, 0))
        yield sock.getsockname()[1]


def mute(sock: socket.socket) -> None:
    """Hear all, say nothing, until the other side has left."""
    while sock.recv(1000):
        pass


def reset(sock: socket.socket) -> None:
    """Break the connection off after the first words."""
    sock.recv(1000)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def server(**settings: str) -> Callable[[socket.socket], None]:
    """A server that lets everybody in, and reports `settings`; it runs no queries."""

    def talk(sock: socket.socket) -> None:
        startup(sock)
        welcome(sock, **settings)

    return talk


def standby(sock: socket.socket) -> None:
    """A server in hot standby."""
    server(in_hot_standby="on", default_transaction_read_only="off")(sock)


def primary(sock: socket.socket) -> None:
    """A server that is no standby."""
    server(in_hot_standby="off", default_transaction_read_only="off")(sock)


def failing(sqlstate: str, message: str) -> Callable[[socket.socket], None]:
    """A server that lets nobody in."""

    def talk(sock: socket.socket) -> None:
        startup(sock)
        error(sock, sqlstate, message, "FATAL")

    return talk


def asking_password(told: list[str]) -> Callable[[socket.socket], None]:
    """A server that asks for the password in clear, and keeps it in `told`."""

    def talk(sock: socket.socket) -> None:
        startup(sock)
        send(sock, b"R", struct.pack("!i", 3))
        kind, length = struct.unpack("!ci", exactly(sock, 5))
        assert kind == b"p"
        told.append(exactly(sock, length - 4)[:-1].decode())
        welcome(sock)

    return talk


def startup(sock: socket.socket) -> dict[str, str]:
    """Take the startup message, refusing encryption; returns its parameters."""
    while True:
        length, code = struct.unpack("!ii", exactly(sock, 8))
        body = exactly(sock, length - 8)
        if code not in (SSL_REQUEST, GSS_REQUEST):
            items = body.rstrip(b"\0").decode().split("\0")
            return dict(zip(items[::2], items[1::2], strict=False))
        sock.sendall(b"N")


# To a query, and in the extended protocol to Parse, Bind, Describe, Execute.
_ANSWERS = {
    b"Q": (b"C", b"DONE\0"),
    b"P": (b"1", b""),
    b"B": (b"2", b""),
    b"D": (b"n", b""),
    b"E": (b"C", b"DONE\0"),
}


def pooler(end: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    """A server that does all it is asked, until something with a COMMIT comes: that is answered by `end`."""

    def talk(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        startup(sock)
        greet(sock)
        in_transaction, query = False, b""
        while True:
            kind, length = struct.unpack("!ci", exactly(sock, 5))
            body = exactly(sock, length - 4)
            if kind == b"Q":
                query = body[:-1].lower()
                if b"commit" in query:
                    end(sock)
                    in_transaction = False
                    continue
            elif kind == b"P":
                query = body.split(b"\0")[1].lower()
            in_transaction = in_transaction or query.startswith(b"begin")
            if kind in _ANSWERS:
                send(sock, *_ANSWERS[kind])
            if kind in b"QS":
                send(sock, b"Z", b"T" if in_transaction else b"I")

    return talk


def error(sock: socket.socket, sqlstate: str, message: str, severity: str = "ERROR") -> None:
    """Send an ErrorResponse."""
    fields = {"S": severity, "V": severity, "C": sqlstate, "M": message}
    send(sock, b"E", b"".join(f"{k}{v}\0".encode() for k, v in fields.items()) + b"\0")


def welcome(sock: socket.socket, **settings: str) -> None:
    """Let the client in, and stay until it leaves."""
    greet(sock, **settings)
    mute(sock)


def greet(sock: socket.socket, **settings: str) -> None:
    """Let the client in."""
    send(sock, b"R", struct.pack("!i", 0))
    for name, value in {"server_version": "16.0", "client_encoding": "UTF8", **settings}.items():
        send(sock, b"S", f"{name}\0{value}\0".encode())
    send(sock, b"K", struct.pack("!ii", 1, 2))
    send(sock, b"Z", b"I")


def send(sock: socket.socket, kind: bytes, body: bytes) -> None:
    """Send one message of the protocol."""
    sock.sendall(kind + struct.pack("!i", len(body) + 4) + body)


def exactly(sock: socket.socket, size: int) -> bytes:
    """Receive so many bytes."""
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data
