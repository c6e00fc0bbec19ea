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
import weakref
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from .offers import ScramFilter
from .records import LINGER, close

PIECE = 262144
_HANG_UP = select.POLLHUP | select.POLLERR if hasattr(select, "POLLHUP") else 0


class ThreadRelay:
    """A relay whose threads end with either of its two links.

    Args:
        near: our end of the pair that libpq has the other end of.
        far: the user's link.
        filter: what the server's first words go through.
    """

    def __init__(self, near: socket.socket, far: Any, filter: ScramFilter | None):
        self._near, self._far, self._filter = near, far, filter
        self._far_closing = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(work,), name="psycopg3-relay", daemon=True)
            for work in self._works()
        ]
        _relays.add(self)
        try:
            for thread in self._threads:
                thread.start()
        except BaseException:
            self.abort()
            self._near.close()
            raise

    def _works(self) -> list[Callable[[], None]]:
        """What its threads do, one each."""
        raise NotImplementedError

    def _run(self, work: Callable[[], None]) -> None:
        # Whatever the link raises, libpq learns of it as a closed connection.
        with suppress(Exception):
            work()
        self._hang_up()
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
        self._hang_up()
        if not self._far_closing.locked():
            closing = threading.Thread(target=self._close_far, name="psycopg3-relay", daemon=True)
            with suppress(RuntimeError):  # there is no thread to be had
                closing.start()

    def _hang_up(self) -> None:
        # A forked child may have inherited the descriptor: to close ours isn't enough.
        with suppress(OSError):
            self._near.shutdown(socket.SHUT_RDWR)

    def _close_far(self) -> None:
        """Close the user's link, unless another thread does."""
        if self._far_closing.acquire(blocking=False):
            # As for the near end; and it wakes who waits for this one. The socket's own method comes
            # first: that of TLS gives its state up before, and what is sent meanwhile would go in clear.
            if isinstance(self._far, socket.socket):
                with suppress(OSError):
                    socket.socket.shutdown(self._far, socket.SHUT_RDWR)
            elif callable(shutdown := getattr(self._far, "shutdown", None)):
                with suppress(Exception):
                    shutdown(socket.SHUT_RDWR)
            close(self._far)

    def deserted(self) -> bool:
        """Threads live in no event loop."""
        return False

    def forget(self) -> None:
        """In a forked child, which has no such thread: leave the links to the parent."""
        self._near.close()
        if isinstance(self._far, socket.socket):
            with suppress(OSError):
                os.close(self._far.detach())  # without a word of TLS


class SocketRelay(ThreadRelay):
    """Both ways in one thread: a TLS socket must not be used by two."""

    def _works(self) -> list[Callable[[], None]]:
        return [self._pump]

    def _pump(self) -> None:
        self._near.setblocking(False)
        self._far.setblocking(False)
        there = _Way(self._near, self._far)
        back = _Way(self._far, self._near, self._filter)
        near_hung_up = None
        while not (there.ended or back.ended):
            # Both, always: what TLS has decrypted already makes no descriptor readable.
            moved = [there.move(), back.move()]
            if any(moved):
                continue
            if near_hung_up is None:
                if self._sleep([there, back], None):
                    near_hung_up = monotonic()
            elif monotonic() - near_hung_up > LINGER:
                return
            else:
                self._sleep([there], LINGER / 10)

    def _sleep(self, ways: list[_Way], seconds: float | None) -> bool:
        """Wait until one of the ways can go on; True if libpq has hung up with bytes on their way."""
        poller = select.poll()
        asked: dict[int, int] = {}
        if seconds is None:
            asked[self._near.fileno()] = 0
        for way in ways:
            if way.asks is not None:
                link, event = way.asks
                asked[link.fileno()] = asked.get(link.fileno(), 0) | event
        for fd, events in asked.items():
            poller.register(fd, events)
        near = self._near.fileno()
        for fd, events in poller.poll(None if seconds is None else seconds * 1000):
            if fd == near and events & _HANG_UP and not asked[fd] & select.POLLIN:
                return True
        return False


class _Way:
    """Bytes on their way from one socket to another; one piece of them is held at most."""

    __slots__ = ("_filter", "_piece", "_source", "_target", "asks", "ended")

    def __init__(
        self, source: socket.socket, target: socket.socket, filter: ScramFilter | None = None
    ):
        self._source, self._filter = source, filter
        self._target: socket.socket | None = target
        self._piece = memoryview(b"")
        self.ended = False
        self.asks: tuple[socket.socket, int] | None = None
        """What to wait for if nothing moves: a socket, and poll's event; None: for nothing."""

    def move(self) -> bool:
        """Move what can be moved at once; False if that is nothing."""
        if self._target is None:
            return False
        return self._send(self._target) if self._piece else self._receive(self._target)

    def _receive(self, target: socket.socket) -> bool:
        try:
            data = self._source.recv(PIECE)
        except OSError as ex:
            self.asks = self._source, _event_of(ex, select.POLLIN)
            return False
        self.ended = not data
        if self._filter is not None:
            data = self._filter.feed(data)
            if self._filter.done:
                self._filter = None
        self._piece = memoryview(data)
        if data:
            self._send(target)
        return True

    def _send(self, target: socket.socket) -> bool:
        try:
            sent = target.send(self._piece)
        except OSError as ex:
            try:
                self.asks = target, _event_of(ex, select.POLLOUT)
            except OSError:
                # The other side may have said why before it left: that is still to be read.
                self._target = self.asks = None
            return False
        self._piece = self._piece[sent:]
        return True


def _event_of(ex: OSError, event: int) -> int:
    """What to wait for after a call that would have blocked; what else it raised goes on."""
    if isinstance(ex, BlockingIOError | InterruptedError):
        return event
    name = type(ex).__name__  # of ssl, which is imported where there is one
    if name == "SSLWantReadError":
        return select.POLLIN
    if name == "SSLWantWriteError":
        return select.POLLOUT
    raise ex


class PairRelay(ThreadRelay):
    """Each way in a thread of its own: for links that can only block, such as SSH channels."""

    def _works(self) -> list[Callable[[], None]]:
        return [self._there, self._back]

    def _there(self) -> None:
        try:
            while data := self._near.recv(PIECE):
                self._far.sendall(data)
        except Exception:
            # The other side may have said why before it left: that is still to be read.
            self._threads[1].join(LINGER)

    def _back(self) -> None:
        while data := self._far.recv(65536):
            if self._filter is not None:
                data = self._filter.feed(data)
            if data:
                self._near.sendall(data)


_relays: weakref.WeakSet[ThreadRelay] = weakref.WeakSet()


def _forget_all() -> None:
    for relay in tuple(_relays):
        relay.forget()
    _relays.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
