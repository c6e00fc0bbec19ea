"""Tasks that use a few connections at once: taking turns, and with shared statements; client CPU a query.

python bench/sharing.py [tasks] [connections]
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

import psycopg3
from psycopg3.testing import Cluster

QUERIES, ROUNDS = 200, 5


async def measured(dsn: str, tasks: int, connections: int, *, share: bool) -> float:
    """The least client CPU a query, in microseconds, of some rounds."""
    conns = [
        await psycopg3.connect_async(dsn, autocommit=True, share=share) for _ in range(connections)
    ]

    async def work(number: int) -> None:
        conn = conns[number % connections]
        for i in range(QUERIES):
            cur = await conn.execute("select %s::int4", [number * QUERIES + i])
            assert await cur.fetchone() == (number * QUERIES + i,)

    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.process_time()
        await asyncio.gather(*map(work, range(tasks)))
        best = min(best, time.process_time() - begin)
    for conn in conns:
        await conn.close()
    return best / tasks / QUERIES * 1e6


async def compare(dsn: str, tasks: int, connections: int) -> None:
    """Print both."""
    print(f"{tasks} tasks on {connections} connections, client CPU a query")
    turns = await measured(dsn, tasks, connections, share=False)
    shared = await measured(dsn, tasks, connections, share=True)
    print(f"  taking turns       {turns:6.1f} µs")
    print(f"  shared statements  {shared:6.1f} µs, {shared / turns:.2f}x")


def main(args: Sequence[str]) -> None:
    """Start a server, and measure."""
    tasks, connections = (*map(int, args), 16, 4)[:2] if len(args) < 2 else map(int, args)
    with Cluster() as cluster:
        asyncio.run(compare(cluster.dsn, tasks, connections))


if __name__ == "__main__":
    main(sys.argv[1:])
