"""Storms of cancellations: every query that ends has its own number, and none is lost or struck.

Counted, and expected to be 0: answers of another query (mix-ups), queries that were cancelled by a
request for an earlier one (stray), cancelled tasks that went on as if nothing had been (lost),
connections that a healthy server lost (closed).
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

import pytest
import trio

import psycopg3
from psycopg3 import errors
from tests.faults import record
from tests.faults.proxy import Target
from tests.faults.running import ASYNCIO, DEBUG, PLAIN, TRIO, UVLOOP, World

WORLDS = [ASYNCIO, PLAIN, DEBUG, UVLOOP, TRIO]
SHARED = 4
"""The tasks that share the connection where there is one."""
LONGEST = 0.003
"""Seconds until a cancellation at the latest, for each task of a connection: what a query takes."""


Link = tuple[Callable[[str, int], socket.socket], str]
"""What opens the sockets of a connector, and what it makes of them."""


class Storm:
    """Tasks that ask for their own numbers, and are cancelled."""

    def __init__(
        self,
        world: World,
        dsn: str,
        connections: int,
        count: int,
        repeated: bool,
        link: Link | None = None,
    ):
        self.world, self.dsn = world, dsn
        self.link = {} if link is None else {"connector_factory": world.connector(*link)}
        self.connections, self.count, self.repeated = connections, count, repeated
        self.tally: Counter[str] = Counter()
        self.longest = LONGEST * (SHARED if connections == 1 else 1)
        self.rng = random.Random(count + connections)
        self.number = 0

    async def run(self) -> None:
        """Ask until enough were cancelled."""
        conns = [
            await self.world.connect(self.dsn, autocommit=True, **self.link)
            for _ in range(self.connections)
        ]
        for conn in conns:
            await conn.execute("create temp table stormed (n int)")
        workers = conns if len(conns) > 1 else conns * SHARED
        await self.world.together(*(lambda conn=conn: self._work(conn) for conn in workers))
        query = "select count(*) from (select from stormed group by n having count(*) <> 2) x"
        for conn in conns:
            self.tally["closed"] += conn.closed
            if not conn.closed:
                cur = await conn.execute(query)
                self.tally["half a block"] += (await cur.fetchone())[0]
                assert not conn.lock.locked()
            await conn.close()

    async def _work(self, conn: Any) -> None:
        while self.tally["cancelled"] < self.count and not conn.closed:
            work = self.rng.choice([self._select, self._select, self._many, self._block])
            if self.connections == 1 and work == self._block:
                work = self._select  # whose connection is shared has no blocks
            if self.world.library == "trio":
                await self._struck_on_trio(conn, work)
            else:
                await self._struck_on_asyncio(conn, work)
            # What comes after a cancellation is not struck by it.
            await self._watched(self._select, conn)

    def _next(self) -> int:
        self.number += 1
        return self.number

    async def _select(self, conn: Any) -> None:
        number = self._next()
        cur = await conn.execute("select %s::int, pg_sleep(0.001)", [number])
        self.tally["mix-ups"] += (await cur.fetchone())[0] != number

    async def _many(self, conn: Any) -> None:
        numbers = [(self._next(),) for _ in range(5)]
        cur = conn.cursor()
        query = "select %s::int, pg_sleep(0.0002)"
        await cur.executemany(query, numbers, returning=True)
        found = [(await c.fetchone())[:1] async for c in cur.results()]
        self.tally["mix-ups"] += found != numbers

    async def _block(self, conn: Any) -> None:
        number = self._next()
        async with conn.transaction():
            await conn.execute("insert into stormed values (%s)", [number])
            cur = await conn.execute("insert into stormed values (%s) returning n", [number])
            self.tally["mix-ups"] += (await cur.fetchone()) != (number,)

    async def _watched(self, work: Callable[[Any], Awaitable[None]], conn: Any) -> bool:
        """Do some work; True if it came to its end."""
        try:
            await work(conn)
        except errors.QueryCanceled:
            self.tally["stray"] += 1
        except psycopg3.Error as ex:
            self.tally[f"error: {ex}"] += 1
        else:
            self.tally["finished"] += 1
            return True
        return False

    async def _struck_on_asyncio(self, conn: Any, work: Callable[[Any], Awaitable[None]]) -> None:
        task = asyncio.create_task(self._watched(work, conn))  # type: ignore[arg-type]
        await asyncio.sleep(self.rng.uniform(0, self.longest))
        was_cancelled = task.cancel()
        while self.repeated and not task.done():
            await asyncio.sleep(self.rng.choice([0, 0.0003]))
            task.cancel()
        await asyncio.wait([task])
        if task.cancelled():
            self.tally["cancelled"] += 1
        elif was_cancelled and task.result():
            self.tally["lost"] += 1

    async def _struck_on_trio(self, conn: Any, work: Callable[[Any], Awaitable[None]]) -> None:
        scopes = [trio.CancelScope() for _ in range(5 if self.repeated else 1)]
        done = False

        async def task() -> None:
            nonlocal done
            try:
                with ExitStack() as stack:
                    for scope in scopes:
                        stack.enter_context(scope)
                    await self._watched(work, conn)
            finally:
                done = True

        async with trio.open_nursery() as nursery:
            nursery.start_soon(task)
            await trio.sleep(self.rng.uniform(0, self.longest))
            was_done = done
            for scope in reversed(scopes):
                scope.cancel()
                await trio.sleep(self.rng.choice([0, 0.0003]))
        if any(scope.cancelled_caught for scope in scopes):
            self.tally["cancelled"] += 1
        elif not was_done:
            # Nothing is lost: it had its result, and no checkpoint after that.
            self.tally["just finished"] += 1


STORMS = [
    pytest.param(world, connections, repeated, id=f"{world}-{connections}-{kind}")
    for world in WORLDS
    for connections in (1, 8)
    for repeated, kind in ((False, "once"), (True, "repeatedly"))
]


def storm(
    world: World,
    dsn: str,
    connections: int,
    count: int,
    repeated: bool,
    link: Link | None = None,
) -> None:
    """Have a storm, and check what it counted."""
    storm = Storm(world, dsn, connections, count, repeated, link)
    begin = time.monotonic()
    world.run(storm.run)
    seconds = time.monotonic() - begin
    tally = storm.tally
    what = f"storm, {world}, {connections} connections, {'repeated' if repeated else 'once each'}"
    what += f", {link[1]} links" if link else ""
    faults = {name: tally[name] for name in ("mix-ups", "stray", "lost", "closed", "half a block")}
    record.write(
        what, tally["cancelled"], finished=tally["finished"], **faults, seconds=f"{seconds:.0f}"
    )
    others = {name: n for name, n in tally.items() if name.startswith("error")}
    assert tally["cancelled"] >= count
    assert {name: n for name, n in {**faults, **others}.items() if n} == {}


@pytest.mark.parametrize(
    ("world", "connections", "repeated"),
    [(ASYNCIO, 1, False), (PLAIN, 8, True), (DEBUG, 1, True), (UVLOOP, 8, False), (TRIO, 1, True)],
    ids=repr,
)
def test_a_small_storm(world: World, connections: int, repeated: bool, dsn: str) -> None:
    storm(world, dsn, connections, 100, repeated)


@pytest.mark.slow
@pytest.mark.parametrize(("world", "connections", "repeated"), STORMS)
def test_a_storm(world: World, connections: int, repeated: bool, dsn: str) -> None:
    storm(world, dsn, connections, 2000, repeated)


THROUGH = [
    pytest.param(world, 8 if kind == "plain" else 1, kind, id=f"{world}-{kind}")
    for world in (ASYNCIO, UVLOOP, TRIO)
    for kind in ("plain", "relayed")
]


def opening(target: Target) -> Callable[[str, int], socket.socket]:
    """Opens sockets to a server."""

    def open(_host: str, _port: int) -> socket.socket:
        if isinstance(target, str):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(target)
            return sock
        return socket.create_connection(target)

    return open


@pytest.mark.parametrize(("world", "connections", "kind"), THROUGH)
def test_a_small_storm_through_a_connector(
    world: World, connections: int, kind: str, dsn: str, target: Target
) -> None:
    if (world, kind) in ((UVLOOP, "plain"), (ASYNCIO, "relayed")):
        pytest.skip("one of a kind is enough of small ones")
    storm(world, dsn, connections, 40, connections == 1, (opening(target), kind))


@pytest.mark.slow
@pytest.mark.parametrize(("world", "connections", "kind"), THROUGH)
def test_a_storm_through_a_connector(
    world: World, connections: int, kind: str, dsn: str, target: Target
) -> None:
    storm(world, dsn, connections, 2000, connections == 1, (opening(target), kind))
