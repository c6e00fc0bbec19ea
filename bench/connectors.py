"""What a connector costs a query, by the kind of link that it returns: one table.

    python bench/connectors.py [world ...]

Thousands of instructions of the client for one `select 1`, counted by callgrind: the difference of a
process that runs 250 queries and one that runs 50. The server is a process of its own and isn't counted.
Where a thread or an event loop sleeps is up to the machine, so that processes differ by some percent:
the figure is the median of ROUNDS differences. It takes a minute or two for each line, needs
valgrind, and starts its own server.
"""

from __future__ import annotations

import asyncio
import gc
import os
import re
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import psycopg3  # noqa: E402
from psycopg3.testing import Cluster  # noqa: E402
from tests.connectors import tasks, threads  # noqa: E402

ROUNDS, FEW, MANY, BEFORE = 5, 50, 250, 30

_ON_ASYNCIO = {
    "": "without",
    "transport": "a transport",
    "wrapped": "another transport, relayed",
    "anyio": "a stream of anyio's, relayed",
}
KINDS = {
    "threads": {
        "": "without",
        "socket": "a socket",
        "subclass": "a socket of another class, relayed",
        "object": "an object, relayed",
    },
    "asyncio": _ON_ASYNCIO,
    "uvloop": _ON_ASYNCIO,
    "trio": {
        "": "without",
        "stream": "a stream",
        "stapled": "another stream, relayed",
        "anyio": "a stream of anyio's, relayed",
    },
}


def main() -> None:
    """Print the table."""
    worlds = sys.argv[1:] or list(KINDS)
    print(f"{'world':10}{'link':38}{'thousands of instructions':>26}")
    with Cluster(own=True) as cluster:
        path = f"{cluster.socket_dir}/.s.PGSQL.{cluster.port}"
        for world in worlds:
            for kind, name in KINDS[world].items():
                count(world, kind, path, 1)  # compiles modules, once
                figures = [difference(world, kind, path) for _ in range(ROUNDS)]
                print(f"{world:10}{name:38}{statistics.median(figures):26.0f}", flush=True)


def difference(world: str, kind: str, path: str) -> float:
    """Thousands of instructions for a query."""
    few, many = (count(world, kind, path, times) for times in (FEW, MANY))
    return (many - few) / (MANY - FEW) / 1000


def count(world: str, kind: str, path: str, times: int) -> int:
    """The instructions of a process that runs so many queries."""
    done = subprocess.run(
        [
            *("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"),
            *(sys.executable, __file__, "--run", world, kind, path, str(times)),
        ],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if found is None:
        raise SystemExit(done.stderr)
    return int(found[1])


def run(world: str, kind: str, path: str, times: str) -> None:
    """Run queries: what is counted."""

    def opens(_host: str, _port: int) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        return sock

    params: dict[str, Any] = {"user": "postgres", "dbname": "postgres", "autocommit": True}
    folder, _, port = path.rpartition("/.s.PGSQL.")
    params |= {"host": folder, "port": port}
    if kind:
        makers: Any = threads if world == "threads" else tasks
        params["connector_factory"] = makers.connector(opens, kind)
    WORLDS[world](params, int(times))
    os._exit(0)


def in_threads(params: dict[str, Any], times: int) -> None:
    """Query without a loop."""
    conn = psycopg3.connect(**params)
    cur = conn.cursor()
    for number in range(BEFORE + times):
        if number == BEFORE:
            gc.collect()
            gc.disable()
        cur.execute("select 1")
        cur.fetchone()


async def in_tasks(params: dict[str, Any], times: int) -> None:
    """Query in an event loop."""
    conn = await psycopg3.connect_async(**params)
    cur = conn.cursor()
    for number in range(BEFORE + times):
        if number == BEFORE:
            gc.collect()
            gc.disable()
        await cur.execute("select 1")
        await cur.fetchone()


def in_asyncio(params: dict[str, Any], times: int) -> None:
    """Query on asyncio."""
    asyncio.run(in_tasks(params, times))


def in_uvloop(params: dict[str, Any], times: int) -> None:
    """Query on uvloop."""
    import uvloop

    uvloop.run(in_tasks(params, times))


def in_trio(params: dict[str, Any], times: int) -> None:
    """Query on trio."""
    import trio

    trio.run(in_tasks, params, times)


WORLDS: dict[str, Callable[[dict[str, Any], int], None]] = {
    "threads": in_threads,
    "asyncio": in_asyncio,
    "uvloop": in_uvloop,
    "trio": in_trio,
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(*sys.argv[2:])
    else:
        main()
