"""What it costs to connect, and what of it is looking before libpq computes: one table.

    python bench/signing_in.py

µs of CPU time for one connection, the median of rounds that take turns: as psycopg3 does it, and as it
would be if each PQconnectPoll were just called. Then, on asyncio, the longest time, in ms, for which 20
connections that are made at once keep the event loop from everybody else. It starts its own servers.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import psycopg3  # noqa: E402
from psycopg3 import generators  # noqa: E402
from psycopg3.testing import Cluster  # noqa: E402

ROUNDS, TIMES, AT_ONCE = 15, 20, 20


@contextlib.contextmanager
def without_looking() -> Iterator[None]:
    """PQconnectPoll, and nothing besides."""

    def connect_poll_gen(pgconn: Any, _: object) -> Any:
        yield from ()
        return pgconn.connect_poll()

    original: Any = generators.connect_poll_gen
    generators.connect_poll_gen = connect_poll_gen  # type: ignore[assignment]
    try:
        yield
    finally:
        generators.connect_poll_gen = original


def cost(params: dict[str, Any]) -> float:
    """µs of CPU time for a connection."""
    begin = time.process_time()
    for _ in range(TIMES):
        psycopg3.connect(**params).close()
    return (time.process_time() - begin) / TIMES * 1e6


async def gap(params: dict[str, Any]) -> float:
    """The longest time, in ms, for which the loop has no turn for others."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            last = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - last)

    async def connect() -> None:
        await (await psycopg3.connect_async(**params)).close()

    await connect()
    ticking = asyncio.create_task(tick())
    await asyncio.gather(*(connect() for _ in range(AT_ONCE)))
    ticking.cancel()
    return longest * 1e3


def main() -> None:
    """Print the table."""
    print(f"{'':26}{'just called':>14}{'looked at':>14}{'gap, called':>14}{'gap, looked':>14}")
    with Cluster(own=True) as trusting, Cluster(auth="scram-sha-256") as asking:
        for name, cluster in [("trust", trusting), ("SCRAM", asking)]:
            for sslmode in ["disable", *(["require"] if cluster.ca_file else [])]:
                params = {
                    "host": cluster.host,
                    "port": cluster.port,
                    "user": "postgres",
                    "password": cluster.password,
                    "sslmode": sslmode,
                    "gssencmode": "disable",
                }
                report(f"{name}{', TLS' if sslmode == 'require' else ''}", params)


def report(name: str, params: dict[str, Any]) -> None:
    """Print a line of it."""
    called, looked = [], []
    cost(params)
    for _ in range(ROUNDS):
        with without_looking():
            called.append(cost(params))
        looked.append(cost(params))
    with without_looking():
        standing = asyncio.run(gap(params))
    figures = [*map(statistics.median, (called, looked)), standing, asyncio.run(gap(params))]
    print(f"{name:26}" + "".join(f"{figure:14.1f}" for figure in figures))


if __name__ == "__main__":
    main()
