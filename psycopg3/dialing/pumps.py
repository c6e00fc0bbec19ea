"""Relays in threads: between libpq and a TLS socket, an SSH channel, or whatever else carries bytes.

libpq has one end of a pair of sockets, which has no name and no port. The threads know the other
end and the user's link, nothing else: a connection that is dropped closes its end, and that ends
them.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, TypeVar

from ..concurrency import forks
from ..concurrency.calls import refused
from .offers import ScramFilter
from .records import LINGER, close, hang_up

PIECE = 262144

T = TypeVar("T")


class ThreadRelay:
    """A relay of two threads, one each way, that end with either of its two links.

    Args:
        far: the user's link.
        near: our end of the pair that libpq has the other end of.
        filter: what the server's first words go through.
    """

    def __init__(self, far: Any, near: socket.socket, filter: ScramFilter | None):
        self._near, self._far, self._filter = near, far, filter
        self._shared = _Shared(far) if isinstance(far, socket.socket) else far
        self._far_closing = threading.Lock()
        self._threads: list[threading.Thread] = []
        forks.register(self)
        try:
            self._threads += [
                threading.Thread(target=self._run, args=(work,), name="psycopg3-relay", daemon=True)
                for work in (self._there, self._back)
            ]
            for thread in self._threads:
                thread.start()
        except BaseException as ex:
            self.abort()
            if isinstance(ex, RuntimeError):
                raise refused(ex) from ex
            raise

    def _there(self) -> None:
        try:
            while data := self._near.recv(PIECE):
                self._shared.sendall(data)
        except Exception:
            # The other side may have said why before it left: that is still to be read.
            self._threads[1].join(LINGER)

    def _back(self) -> None:
        while data := self._shared.recv(65536):
            if self._filter is not None:
                data = self._filter.feed(data)
            if data:
                self._near.sendall(data)

    def _run(self, work: Callable[[], None]) -> None:
        # Whatever the link raises, libpq learns of it as a closed connection.
        with suppress(Exception):
            work()
        hang_up(self._near)
        self._near.close()
        self._close_far()

    @property
    def finished(self) -> bool:
        """Whether its threads have ended."""
        return not any(thread.is_alive() for thread in self._threads)

    def rest(self, seconds: float) -> None:
        """Wait for its end, for so long; then close it."""
        deadline = monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))
        if not self.finished:
            self.abort()

    def abort(self) -> None:
        """Close both links now, which ends the threads, and wait for nothing.

        What the user's link does to close may take its time: it is done by the relay's threads, or
        by one more, as they may be held up in what only that ends.
        """
        hang_up(self._near)
        if not self._far_closing.locked():
            try:
                threading.Thread(target=self._close_far, name="psycopg3-relay", daemon=True).start()
            except RuntimeError:  # there is no thread to be had
                self._close_far()

    def _close_far(self) -> None:
        """Close the user's link, unless another thread does."""
        if self._far_closing.acquire(blocking=False):
            # It wakes who waits for this one, too.
            if isinstance(self._far, socket.socket):
                hang_up(self._far)
            elif callable(shutdown := getattr(self._far, "shutdown", None)):
                with suppress(Exception):
                    shutdown(socket.SHUT_RDWR)
            close(self._far)

    def deserted(self) -> bool:
        """Threads live in no event loop."""
        return False

    def _forget(self) -> None:
        """In a forked child, which has no such thread: leave the links to the parent."""
        self._near.close()
        if isinstance(self._far, socket.socket):
            with suppress(OSError):
                os.close(self._far.detach())  # without a word of TLS


class _Shared:
    """A socket that two threads use: one of TLS must not be used by both at once."""

    def __init__(self, sock: socket.socket):
        self._socket, self._lock = sock, threading.Lock()
        sock.setblocking(False)

    def recv(self, size: int) -> bytes:
        """Wait for bytes, and return them; none at the end."""
        return self._call(self._socket.recv, size, select.POLLIN)

    def sendall(self, data: bytes) -> None:
        """Send bytes, and wait until they are sent."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._call(self._socket.send, rest, select.POLLOUT) :]

    def _call(self, method: Callable[[Any], T], argument: Any, event: int) -> T:
        while True:
            try:
                with self._lock:
                    return method(argument)
            except OSError as ex:
                name = type(ex).__name__  # of ssl, which is imported where there is one
                if name == "SSLWantReadError":
                    event = select.POLLIN
                elif name == "SSLWantWriteError":
                    event = select.POLLOUT
                elif not isinstance(ex, BlockingIOError | InterruptedError):
                    raise
            poller = select.poll()
            poller.register(self._socket, event)
            poller.poll()
