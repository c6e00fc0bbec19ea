#!/usr/bin/env bash
# rloop 0.5.0: its transports' close() calls connection_lost(), but leaves the socket open for ever: the other
# side never learns of it. Its add_reader() takes numbers only, where asyncio's takes what has a fileno(), too.
# Seen (CPython 3.11): the server got no end of file, and a TypeError.
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


async def main():
    loop, lost = asyncio.get_running_loop(), asyncio.Event()

    class Protocol(asyncio.Protocol):
        def connection_lost(self, exc):
            lost.set()

    with socket.create_server(("127.0.0.1", 0)) as server:
        where = server.getsockname()
        transport, _ = await loop.create_connection(Protocol, *where)
        peer, _ = server.accept()
        peer.settimeout(1)
        transport.close()
        await lost.wait()
        try:
            peer.recv(100)
            raise AssertionError("rloop closes its sockets now")
        except TimeoutError:
            print("still open after connection_lost()")
        try:
            loop.add_reader(server, print)
        except TypeError as ex:
            print("add_reader:", ex)


with asyncio.Runner(loop_factory=rloop.new_event_loop) as runner:
    runner.run(main())
PY
