"""Subinterpreters, which may have no daemon threads: names, passwords, sockets and connectors work there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from psycopg3.testing import Cluster

pytestmark = pytest.mark.skipif(sys.version_info < (3, 14), reason="has no concurrent.interpreters")

INSIDE = """
import asyncio, socket, psycopg3
from psycopg3 import OperationalError

def one(conn):
    assert conn.execute("select 1").fetchone() == (1,)

one(psycopg3.connect(DSN))

async def main(**kwargs):
    async with await psycopg3.AsyncConnection.connect(DSN, **kwargs) as conn:
        assert await (await conn.execute("select 1")).fetchone() == (1,)

asyncio.run(main())
asyncio.run(main(
    sslmode="disable",
    connector_factory=lambda make, host, port, loop, ssl: loop.create_connection(make, host, port),
))

def connector(host, port, ssl):
    return socket.create_connection((host, port))

one(psycopg3.connect(DSN, sock=connector("127.0.0.1", PORT, None)))
one(psycopg3.connect(DSN, connector_factory=connector))

class Link:  # which only threads can relay
    def __init__(self, sock):
        self.recv, self.sendall, self.close = sock.recv, sock.sendall, sock.close

try:
    psycopg3.connect(DSN, sslmode="disable", connector_factory=lambda *a, **k: Link(connector(*a, **k)))
except OperationalError as ex:
    assert "no thread" in str(ex), ex
else:
    raise AssertionError

left_open = psycopg3.connect(DSN)
"""


def test_all_that_needs_threads() -> None:
    with Cluster(auth="scram-sha-256", tls=False, own=True) as cluster:
        names = f"DSN, PORT = {cluster.dsn + ' host=localhost'!r}, {cluster.port}\n"
        program = f"interpreter.exec({names + INSIDE!r}); interpreter.close(); print('closed')"
        program = f"from concurrent import interpreters as i; interpreter = i.create(); {program}"
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.stdout == "closed\n", done.stderr
