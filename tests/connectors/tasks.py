"""Connectors for asynchronous connections: on asyncio by the contract of create_connection, on trio."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

from psycopg3.concurrency.tasks import current
from tests.connectors.threads import Object, Opaque, SlowToClose

__all__ = ["Object", "Opaque", "SlowToClose"]

Open = Callable[[str, int], socket.socket]

PLAIN = {"asyncio": ["transport", "socket"], "trio": ["stream", "socket"]}
RELAYED = {"asyncio": ["wrapped", "anyio", "subclass"], "trio": ["stapled", "anyio", "subclass"]}


class Subclass(socket.socket):
    """A socket that is no plain one: what is done to its bytes can't be known."""


class Wrapped:
    """A transport that is none of the stock ones, and tells nothing of itself."""

    def __init__(self, transport: Any):
        self._transport = transport
        for name in ("write", "close", "abort", "is_closing", "pause_reading", "resume_reading"):
            setattr(self, name, getattr(transport, name))


def connector(open: Open, kind: str = "") -> Any:
    """A connector that opens a socket and returns it as this kind of link."""
    trio_connector, asyncio_connector = _for_trio(open, kind), _for_asyncio(open, kind)

    async def connect(*args: Any, **kwargs: Any) -> Any:
        if len(args) == 2:
            return await trio_connector(*args, **kwargs)
        return await asyncio_connector(*args, **kwargs)

    return connect


def _for_asyncio(open: Open, kind: str) -> Any:
    async def connect(factory: Any, host: str, port: int, *, loop: Any, ssl: Any) -> Any:
        sock = open(host, port)
        sock.setblocking(False)
        if kind == "socket":
            return sock
        if kind == "subclass":
            return Subclass(fileno=sock.detach())
        if kind == "anyio":
            return await _anyio(sock)
        name = {"server_hostname": host} if ssl else {}
        transport, protocol = await loop.create_connection(factory, sock=sock, ssl=ssl, **name)
        return (Wrapped(transport) if kind == "wrapped" else transport), protocol

    return connect


def _for_trio(open: Open, kind: str) -> Any:
    async def connect(host: str, port: int, *, ssl: Any) -> Any:
        import trio

        sock = open(host, port)
        if kind == "socket":
            return sock
        if kind == "subclass":
            return Subclass(fileno=sock.detach())
        if kind == "anyio":
            return await _anyio(sock)
        sock.setblocking(False)
        own = trio.socket.from_stdlib_socket(sock)
        stream: Any = trio.SocketStream(own) if sock.family != socket.AF_UNIX else _unix_stream(own)
        if ssl is not None:
            return trio.SSLStream(stream, ssl, server_hostname=host)
        return trio.StapledStream(stream, stream) if kind == "stapled" else stream

    return connect


def _unix_stream(sock: Any) -> Any:
    import trio

    return trio.SocketStream(sock)


async def _anyio(sock: socket.socket) -> Any:
    from anyio.abc import SocketStream

    return await SocketStream.from_socket(sock)


def making(make: Callable[[str, int], Any]) -> Any:
    """A connector that returns what `make` makes."""

    async def connect(*args: Any, **kwargs: Any) -> Any:
        return make(*args[-2:])

    return connect


def raising(exception: BaseException) -> Any:
    """A connector that raises."""

    async def connect(*args: Any, **kwargs: Any) -> Any:
        raise exception

    return connect


def returning(value: Any) -> Any:
    """A connector that returns this."""

    async def connect(*args: Any, **kwargs: Any) -> Any:
        return value

    return connect


def hanging(seconds: float, then: Any = None) -> Any:
    """A connector that takes its time."""

    async def connect(*args: Any, **kwargs: Any) -> Any:
        import anyio

        await anyio.sleep(seconds)
        return then and await then(*args, **kwargs)

    return connect


def kinds(kind: str) -> list[str]:
    """The kinds of links, of those that are plain or relayed, that the running library has."""
    library = current().name
    return {"plain": PLAIN, "relayed": RELAYED}[kind][library]


async def pause(seconds: float) -> None:
    """Let the others run."""
    import anyio

    await anyio.sleep(seconds)


async def start(work: Callable[[], Any]) -> Callable[[], Any]:
    """Have work done in another task; returns what waits for its end, and raises what it raised."""
    import anyio

    failures: list[BaseException] = []
    ended = anyio.Event()

    async def run() -> None:
        try:
            await work()
        except Exception as ex:
            failures.append(ex)
        finally:
            ended.set()

    spawn = current().spawn
    assert spawn is not None
    spawn(run())

    async def join() -> None:
        await ended.wait()
        if failures:
            raise failures[0]

    return join


def loose_ends() -> int:
    """How many threads and tasks run."""
    if current().name == "trio":
        import trio

        root = trio.lowlevel.current_root_task()
        assert root is not None
        return threading.active_count() + sum(
            len(nursery.child_tasks) for nursery in root.child_nurseries
        )
    import asyncio

    return threading.active_count() + len(asyncio.all_tasks())
