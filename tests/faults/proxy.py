"""A proxy between driver and server that does to their link what networks do: stall, cut, delay."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Literal, Self, TypeAlias

from psycopg3.conninfo import make_conninfo

HOST = "127.0.0.1"
CHUNK = 65536
BACKLOG = 1 << 18  # bytes that wait in one direction before no more are read

Target: TypeAlias = tuple[str, int] | str
"""Where the server is: host and port, or the path of a Unix socket."""
Side: TypeAlias = Literal["client", "server"]
Newcomers: TypeAlias = Literal["pass", "hold", "mute", "reset", "refuse"]


class Proxy:
    """Passes what comes to a port of 127.0.0.1 on to `target`, and back.

    Its methods may be called from any thread; what they change holds when they return. The
    connections are served by one thread.

    Args:
        target: host and port of the server, or the path of its Unix socket.
    """

    def __init__(self, target: Target):
        self.target = target
        self.delay = 0.0
        """Seconds that each piece of data is held up, in each direction."""
        self.fragments = False
        """Whether data is sent a byte at a time."""
        self.taken = 0
        """Connections accepted so far."""
        self.passed = {"client": 0, "server": 0}
        """Bytes passed to either side so far."""
        self.openings: list[bytes] = []
        """What each connection said first, its first eight bytes."""
        self._frozen = False
        self._newcomers: Newcomers = "pass"
        self._trap: _Trap | None = None
        self._links: list[_Link] = []
        self._listener: socket.socket | None = _listener(0)
        self.port: int = self._listener.getsockname()[1]
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._ear, self._bell = socket.socketpair()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="proxy", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End all connections and the proxy."""
        self._order(self._end)
        self._thread.join()
        self._bell.close()

    def dsn(self, dsn: str, **params: object) -> str:
        """A connection string like `dsn`, by way of the proxy."""
        return make_conninfo(dsn, **{"host": HOST, "port": self.port, **params})

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self._links)

    # -- what can be done to the link ------------------------------------------------------

    def freeze(self, *, after: int | None = None, to: Side = "client") -> None:
        """Have no byte move any more, on no connection, while all of them stay open.

        Args:
            after: not yet, but when so many bytes have gone `to` a side and another would.
            to: the side that `after` is about.
        """
        self._set(self._freeze, after, to)

    def stall(self) -> None:
        """Have no byte move on the connections that there are; those to come are served."""

        def stall() -> None:
            for link in self._links:
                link.mute = True

        self._order(stall)

    def thaw(self) -> None:
        """Have bytes move again."""

        def thaw() -> None:
            self._frozen = False
            for link in self._links:
                link.mute = False

        self._order(thaw)

    def reset(self, *, after: int | None = None, to: Side = "client") -> None:
        """Break all connections off, as after a crash; the arguments are those of `freeze`."""
        self._set(lambda: [link.reset() for link in self._links], after, to)

    def finish(self, *, after: int | None = None, to: Side = "client") -> None:
        """End all connections in order, by FIN; the arguments are those of `freeze`."""
        self._set(lambda: [link.finish() for link in self._links], after, to)

    def newcomers(self, fate: Newcomers) -> None:
        """Decide on connections to come, such as cancel requests.

        Args:
            fate: "pass" them on; "hold": pass on all but that the server has ended; "mute": accept
                them, and let no byte through; "reset" them when they have been accepted; "refuse"
                to accept them.
        """

        def decide() -> None:
            self._newcomers = fate
            if fate == "refuse" and self._listener is not None:
                self._listener.close()
                self._listener = None
            elif fate != "refuse" and self._listener is None:
                self._listener = _listener(self.port)

        self._order(decide)

    # -- the thread that serves ------------------------------------------------------------

    def _freeze(self) -> None:
        self._frozen = True

    def _set(self, action: Callable[[], object], after: int | None, to: Side) -> None:
        def set_trap() -> None:
            if after is None:
                action()
            else:
                self._trap = _Trap(to, after, action)

        self._order(set_trap)

    def _order(self, action: Callable[[], object]) -> None:
        """Have the thread do something, and wait until it has."""
        done = threading.Event()

        def act() -> None:
            try:
                action()
            finally:
                done.set()

        if not self._closed:
            self._orders.put(act)
            self._bell.send(b"!")
            assert done.wait(10), "the proxy's thread has died"

    def _end(self) -> None:
        self._closed = True
        for link in self._links:
            link.close()
        self._links.clear()
        if self._listener is not None:
            self._listener.close()

    def _serve(self) -> None:
        while not self._closed:
            self._turn()
        self._ear.close()

    def _turn(self) -> None:
        """Wait until something can be done, and do it."""
        poller = select.poll()
        poller.register(self._ear, select.POLLIN)
        if self._listener is not None:
            poller.register(self._listener, select.POLLIN)
        ways = {}
        pauses = []
        if not self._frozen:
            for way in [way for link in self._links for way in link.ways if not link.mute]:
                for sock, event in way.wants():
                    ways.setdefault((sock.fileno(), event), way)
                pauses += [way.pause()]
        events: dict[int, int] = {}
        for number, event in ways:
            events[number] = events.get(number, 0) | event
        for number, wanted in events.items():
            poller.register(number, wanted)
        pause = min((pause for pause in pauses if pause is not None), default=None)
        heard = dict(poller.poll(None if pause is None else pause * 1000))
        self._accept_all()
        if self._ear.fileno() in heard:
            self._obey()
        for (number, event), way in ways.items():
            if heard.get(number, 0) & (event | select.POLLHUP | select.POLLERR):
                self._move(way, event)
        self._links = [link for link in self._links if not link.closed]

    def _obey(self) -> None:
        self._ear.recv(1)
        self._orders.get()()

    def _accept_all(self) -> None:
        """Take those who have connected: before an order, which must not strike them as newcomers."""
        with contextlib.suppress(BlockingIOError):
            while self._listener is not None:
                self._accept(self._listener.accept()[0])

    def _accept(self, client: socket.socket) -> None:
        self.taken += 1
        if self._newcomers == "reset":
            _reset(client)
            return
        link = _Link(client, _dial(self.target), mute=self._newcomers == "mute")
        link.held = self._newcomers == "hold"
        self._links.append(link)

    def _move(self, way: _Way, event: int) -> None:
        """Take data from one side, or pass it to the other, if neither has been stopped meanwhile."""
        if self._frozen or way.link.closed:
            return
        try:
            if event == select.POLLIN:
                data = way.take(self.delay)
                if way.to == "server" and way.link.is_new and data:
                    way.link.is_new = False
                    self.openings.append(data[:8])
            else:
                self._give(way)
        except OSError:
            way.link.reset()

    def _give(self, way: _Way) -> None:
        data = way.ready()
        trap = self._trap if self._trap is not None and self._trap.to == way.to else None
        limit = 1 if self.fragments else len(data)
        if trap is not None and data and not trap.left:
            self._trap = None
            trap.action()
            return
        if trap is not None:
            limit = min(limit, trap.left)
        sent = way.give(data[:limit])
        self.passed[way.to] += sent
        if trap is not None:
            trap.left -= sent


class _Trap:
    """Something that happens before the byte after so many."""

    def __init__(self, to: Side, left: int, action: Callable[[], object]):
        self.to, self.left, self.action = to, left, action


class _Link:
    """A client's connection and that to the server for it."""

    def __init__(self, client: socket.socket, server: socket.socket, *, mute: bool):
        self.sockets = (client, server)
        self.mute = mute
        self.held = False
        self.is_new = True
        self.closed = False
        self.ways = (_Way(self, client, server, "server"), _Way(self, server, client, "client"))
        for sock in self.sockets:
            sock.setblocking(False)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def reset(self) -> None:
        """Break it off, on both sides."""
        if not self.closed:
            self.closed = True
            for sock in self.sockets:
                _reset(sock)

    def finish(self) -> None:
        """Tell either side that the other has ended, and hear them out."""
        for way in self.ways:
            way.end()

    def close(self) -> None:
        """Close it, whatever is under way."""
        self.closed = True
        for sock in self.sockets:
            sock.close()

    def end_if_done(self) -> None:
        """Close it if both sides have ended."""
        if all(way.done for way in self.ways):
            self.close()


class _Way:
    """One direction of a link."""

    def __init__(self, link: _Link, source: socket.socket, sink: socket.socket, to: Side):
        self.link, self.source, self.sink, self.to = link, source, sink, to
        self.waiting: deque[tuple[float, bytes]] = deque()  # when it may go on, and what
        self.size = 0
        self.heard_all = False
        self.deaf = False  # what still comes is dropped
        self.done = False

    def wants(self) -> list[tuple[socket.socket, int]]:
        """What to wait for."""
        wanted = []
        if not self.heard_all and self.size < BACKLOG:
            wanted.append((self.source, select.POLLIN))
        if self.ready():
            wanted.append((self.sink, select.POLLOUT))
        return wanted

    def pause(self) -> float | None:
        """Seconds until data that is held up may go on; None if there is none."""
        if not self.waiting or self.ready():
            return None
        return max(0.001, self.waiting[0][0] - monotonic())

    def ready(self) -> bytes:
        """What may go on."""
        if self.waiting and self.waiting[0][0] <= monotonic():
            return self.waiting[0][1]
        return b""

    def take(self, delay: float) -> bytes:
        """Read what has come, and return it."""
        data = self.source.recv(CHUNK)
        if not data:
            self.heard_all = True
        elif not self.deaf:
            self.waiting.append((monotonic() + delay, data))
            self.size += len(data)
        self._pass_end()
        return data

    def give(self, data: bytes) -> int:
        """Send it; returns how much of it was taken."""
        sent = self.sink.send(data)
        due, whole = self.waiting.popleft()
        if sent < len(whole):
            self.waiting.appendleft((due, whole[sent:]))
        self.size -= sent
        self._pass_end()
        return sent

    def end(self) -> None:
        """Tell the sink that this was all."""
        self.waiting.clear()
        self.size = 0
        self.deaf = True
        self._shut()

    def _pass_end(self) -> None:
        if self.heard_all and not self.waiting:
            if self.to == "server" or not self.link.held:
                self._shut()
            self.done = True
            self.link.end_if_done()

    def _shut(self) -> None:
        with contextlib.suppress(OSError):
            self.sink.shutdown(socket.SHUT_WR)


def _listener(port: int) -> socket.socket:
    sock = socket.create_server((HOST, port))
    sock.setblocking(False)
    return sock


def _dial(target: Target) -> socket.socket:
    if isinstance(target, tuple):
        return socket.create_connection(target, 5)
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(target)
    return sock


def _reset(sock: socket.socket) -> None:
    """Close a socket by RST, where there is such a thing."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def target_of(host: str, port: int) -> Target:
    """Where a server is, given the host and port that a connection to it tells."""
    return os.path.join(host, f".s.PGSQL.{port}") if os.path.isabs(host) else (host, port)
