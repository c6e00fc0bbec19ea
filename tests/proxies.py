"""What stands between a client and its server: HTTP CONNECT, SOCKS5 and TLS proxies, an SSH bastion."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.listeners import ADDRESS, Listener, exactly

Target = tuple[str, int]
Resolve = Callable[[str, int], Target]


class Proxy(NamedTuple):
    """A proxy that runs."""

    host: str
    port: int
    asked: list[Target]
    """What it was asked to connect to."""


def join(a: socket.socket, b: socket.socket) -> None:
    """Carry bytes both ways until either side has closed."""

    def carry(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for sock in (source, target):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    back = threading.Thread(target=carry, args=(b, a), daemon=True)
    back.start()
    carry(a, b)
    back.join()


@contextlib.contextmanager
def http(resolve: Resolve) -> Iterator[Proxy]:
    """An HTTP proxy that knows CONNECT."""
    asked: list[Target] = []

    def talk(sock: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += exactly(sock, 1)
        method, place, _ = head.split(b" ", 2)
        host, _, port = place.decode().rpartition(":")
        if method != b"CONNECT":
            sock.sendall(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n")
            return
        assert (":" in host) == (host[0] == "[" and host[-1] == "]")
        asked.append((host.strip("[]"), int(port)))
        try:
            upstream = socket.create_connection(resolve(*asked[-1]))
        except OSError:
            sock.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            return
        with upstream:
            sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            join(sock, upstream)

    with Listener(talk) as listener:
        yield Proxy(ADDRESS, listener.port, asked)


@contextlib.contextmanager
def socks5(resolve: Resolve, bound: bytes = b"\1" + bytes(4)) -> Iterator[Proxy]:
    """A SOCKS5 proxy (RFC 1928) without authentication, asked by name.

    Args:
        bound: its own end, as it tells it: the kind of address, and that.
    """
    asked: list[Target] = []

    def talk(sock: socket.socket) -> None:
        version, count = exactly(sock, 2)
        assert version == 5 and b"\0" in exactly(sock, count)
        sock.sendall(b"\5\0")
        _, command, _, kind = exactly(sock, 4)
        assert (command, kind) == (1, 3)
        host = exactly(sock, exactly(sock, 1)[0]).decode()
        asked.append((host, struct.unpack("!H", exactly(sock, 2))[0]))
        end = b"\0" + bound + b"\4\x38"
        try:
            upstream = socket.create_connection(resolve(*asked[-1]))
        except OSError:
            sock.sendall(b"\5\5" + end)
            return
        with upstream:
            sock.sendall(b"\5\0" + end)
            join(sock, upstream)

    with Listener(talk) as listener:
        yield Proxy(ADDRESS, listener.port, asked)


@contextlib.contextmanager
def terminating(target: Target, certificate: Path, key: Path) -> Iterator[Proxy]:
    """A proxy that does TLS with its clients, and none with the server: as load balancers do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    asked: list[Target] = []

    def talk(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as secure:
            asked.append(target)
            with socket.create_connection(target) as upstream:
                _join_secure(secure, upstream)

    with Listener(talk) as listener:
        yield Proxy(ADDRESS, listener.port, asked)


def _join_secure(secure: ssl.SSLSocket, plain: socket.socket) -> None:
    # One thread: a TLS socket must not be used by two.
    import select

    secure.setblocking(False)
    with contextlib.suppress(OSError):
        while True:
            if not secure.pending():
                select.select([secure, plain], [], [])
            for source, target in ((secure, plain), (plain, secure)):
                try:
                    data = source.recv(65536) if source is secure else _ready(plain)
                except (ssl.SSLWantReadError, BlockingIOError):
                    continue
                if not data:
                    return
                _send_all(target, data)


def _ready(sock: socket.socket) -> bytes:
    return sock.recv(65536, socket.MSG_DONTWAIT)


def _send_all(sock: socket.socket, data: bytes) -> None:
    import select

    while data:
        try:
            data = data[sock.send(data) :]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError):
            select.select([], [sock], [], 1)


class Bastion(NamedTuple):
    """An SSH server that forwards connections."""

    host: str
    port: int
    username: str
    password: str
    asked: list[Target]


@contextlib.contextmanager
def bastion(resolve: Resolve) -> Iterator[Bastion]:
    """An SSH server in a thread, for the user `me` with the password `secret`."""
    import asyncssh

    asked: list[Target] = []

    class Server(asyncssh.SSHServer):
        def connection_made(self, conn: Any) -> None:
            clients.append(conn)

        def begin_auth(self, username: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == ("me", "secret")

        def connection_requested(self, host: str, port: int, *origin: Any) -> Any:
            asked.append((host, port))
            try:
                place = resolve(host, port)
            except OSError as ex:
                raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, str(ex)) from ex

            async def forward(reader: Any, writer: Any) -> None:
                theirs = await asyncio.open_connection(*place)

                async def carry(source: Any, target: Any) -> None:
                    with contextlib.suppress(OSError, asyncssh.Error):
                        while data := await source.read(65536):
                            target.write(data)
                            await target.drain()
                    with contextlib.suppress(OSError):
                        target.close()

                forwards.add(asyncio.current_task())
                try:
                    await asyncio.gather(carry(reader, theirs[1]), carry(theirs[0], writer))
                finally:
                    theirs[1].close()
                    with contextlib.suppress(OSError):
                        await theirs[1].wait_closed()

            return forward

    started: list[Any] = []
    forwards: set[Any] = set()
    clients: list[Any] = []
    ready = threading.Event()

    async def serve() -> None:
        key = asyncssh.generate_private_key("ssh-ed25519")
        server = await asyncssh.listen(
            ADDRESS, 0, server_factory=Server, server_host_keys=[key], encoding=None
        )
        ended = asyncio.Event()
        started.extend([asyncio.get_running_loop(), ended, server.sockets[0].getsockname()[1]])
        ready.set()
        await ended.wait()
        server.close()
        await server.wait_closed()
        for forward in forwards:
            forward.cancel()
        await asyncio.gather(*forwards, return_exceptions=True)
        for client in clients:
            client.abort()
        await asyncio.gather(*(client.wait_closed() for client in clients))

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(20)
    loop, ended, port = started
    try:
        yield Bastion(ADDRESS, port, "me", "secret", asked)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
