"""Connectors for synchronous connections."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

Open = Callable[[str, int], socket.socket]

PLAIN, RELAYED = ["socket"], ["subclass", "object"]


class Subclass(socket.socket):
    """A socket that is no plain one: what is done to its bytes can't be known."""


class Object:
    """What is no socket, and has only what a connector's link must have."""

    def __init__(self, sock: socket.socket):
        self._sock = sock

    def recv(self, size: int) -> bytes:
        return self._sock.recv(size)

    def sendall(self, data: bytes) -> None:
        self._sock.sendall(data)

    def close(self) -> None:
        # As an SSH channel does: who waits in recv() is woken.
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._sock.close()


def connector(open: Open, kind: str = "socket") -> Any:
    """A connector that opens a socket and returns it as this kind of link."""

    def connect(host: str, port: int, *, ssl: Any) -> Any:
        sock = open(host, port)
        if ssl is not None:
            return ssl.wrap_socket(sock, server_hostname=host)
        if kind == "subclass":
            return Subclass(fileno=sock.detach())
        return Object(sock) if kind == "object" else sock

    return connect


class Opaque(Object):
    """What is no socket either, and does TLS besides, without telling anybody.

    Its two ways take turns: OpenSSL must not be called from two threads at once.
    """

    def __init__(self, sock: Any):
        super().__init__(sock)
        self._lock = threading.Lock()
        sock.settimeout(0.05)

    def recv(self, size: int) -> bytes:
        while True:
            with self._lock, contextlib.suppress(TimeoutError):
                return self._sock.recv(size)
            time.sleep(0.001)

    def sendall(self, data: bytes) -> None:
        with self._lock:
            self._sock.sendall(data)


class SlowToClose(Object):
    """What takes its time to close; `ended` is released when it has."""

    SECONDS = 3.0
    ended = threading.Semaphore(0)

    def close(self) -> None:
        time.sleep(self.SECONDS)
        super().close()
        self.ended.release()


def making(make: Callable[[str, int], Any]) -> Any:
    """A connector that returns what `make` makes."""

    def connect(host: str, port: int, *, ssl: Any) -> Any:
        return make(host, port)

    return connect


def raising(exception: BaseException) -> Any:
    """A connector that raises."""

    def connect(*args: Any, **kwargs: Any) -> Any:
        raise exception

    return connect


def returning(value: Any) -> Any:
    """A connector that returns this."""

    def connect(*args: Any, **kwargs: Any) -> Any:
        return value

    return connect


def hanging(seconds: float, then: Any = None) -> Any:
    """A connector that takes its time."""

    def connect(*args: Any, **kwargs: Any) -> Any:
        time.sleep(seconds)
        return then and then(*args, **kwargs)

    return connect


def kinds(kind: str) -> list[str]:
    """The kinds of links, of those that are `PLAIN` or `RELAYED`, that this world has."""
    return {"plain": PLAIN, "relayed": RELAYED}[kind]


def pause(seconds: float) -> None:
    """Let the others run."""
    time.sleep(seconds)


def start(work: Callable[[], Any]) -> Callable[[], Any]:
    """Have work done besides; returns what waits for its end, and raises what it raised."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as ex:
            failures.append(ex)

    thread = threading.Thread(target=run)
    thread.start()

    def join() -> None:
        thread.join()
        if failures:
            raise failures[0]

    return join


def loose_ends() -> int:
    """How many threads run."""
    return threading.active_count()
