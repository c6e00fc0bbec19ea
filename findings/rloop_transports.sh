#!/usr/bin/env bash
# rloop 0.5.0: its transports' close() calls connection_lost(), but leaves the socket open for ever: the other
# side never learns of it. Its add_reader() takes numbers only, where asyncio's takes what has a fileno(), too.
# Seen (CPython 3.11, 3.13): the server got no end of file, 100 of 100 times, and a TypeError.
set -eu
VERSION=0.5.0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install "rloop==$VERSION"
"$folder/venv/bin/python" - <<'PY'
import asyncio
import socket

import rloop


async def left_open(loop, server):
    """Whether a closed transport's socket is still open."""
    lost = asyncio.Event()

    class Protocol(asyncio.Protocol):
        def connection_lost(self, exc):
            lost.set()

    transport, _ = await loop.create_connection(Protocol, *server.getsockname())
    with server.accept()[0] as peer:
        peer.settimeout(0.02)
        transport.close()
        await lost.wait()
        try:
            return bool(peer.recv(100))
        except TimeoutError:
            return True


async def main():
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server:
        count = sum([await left_open(loop, server) for _ in range(100)])
        print("still open after connection_lost():", count, "of 100")
        try:
            loop.add_reader(server, print)
        except TypeError as ex:
            print("add_reader:", ex)


with asyncio.Runner(loop_factory=rloop.new_event_loop) as runner:
    runner.run(main())
PY
