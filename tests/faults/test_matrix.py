"""The matrix of interruptions: whatever interrupts whatever, bounded, and nothing is left of it."""

from __future__ import annotations

import gc
import os
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

import psycopg3
from psycopg3.dialing.adoption import shared_reservation
from psycopg3.testing import Cluster
from tests.faults import cells
from tests.faults.cells import Cell, Place
from tests.faults.proxy import Target
from tests.faults.running import ASYNCIO, DEBUG, PLAIN, THREADS, TRIO, UVLOOP, World, counted


@pytest.fixture(scope="module")
def place(dsn: str, target: Target, tls_cluster: Cluster, eye: psycopg3.Connection[Any]) -> Place:
    """Where the servers are."""
    shared_reservation()  # kept for good from its first use on: no leak
    return Place(dsn, target, tls_cluster.dsn, (tls_cluster.host, tls_cluster.port), eye)


def descriptors() -> set[str]:
    folder = "/proc/self/fd"
    if not os.path.isdir(folder):
        return set()
    found = set()
    for number in os.listdir(folder):
        try:
            target = os.readlink(f"{folder}/{number}")
        except OSError:
            continue  # that of the listing itself
        if not target.endswith("random"):  # OpenSSL keeps its sources, opened when it needs them
            found.add(f"{number} {target}")
    return found


def others() -> set[threading.Thread]:
    return set(threading.enumerate()) - {threading.main_thread()}


def left(before: tuple[set[Any], set[Any]]) -> list[str]:
    """What there is that wasn't there before: descriptors, threads."""
    deadline = time.monotonic() + 2
    while True:
        gc.collect()
        now = descriptors(), others()
        found = [str(x) for kind in (0, 1) for x in now[kind] - before[kind]]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.01)


async def nothing() -> None:
    pass


def go_through(world: World, interruption: str, condition: str, place: Place) -> None:
    """All operations in one state of things, at the same time where there are tasks."""
    chosen = [
        Cell(world, operation, interruption, condition, place)
        for operation in cells.OPERATIONS.values()
        if cells.exists(world, operation, interruption)
    ]
    if world.has_tasks and interruption in cells.OF_LOOPS:
        for cell in chosen:
            run([cell], world, place)
    else:
        run(chosen, world, place)


def run(row: list[Cell], world: World, place: Place) -> None:
    """Go through some cells in one loop."""
    world.run(nothing)  # what a library keeps for good from its first loop on is no leak
    before = descriptors(), others()
    tasks, turns = 0, [None]

    async def body() -> None:
        nonlocal tasks, turns
        tasks = world.tasks()
        with counted(world) as turns:
            if len(row) == 1:
                await row[0].run()  # in the task that hears signals
            else:
                await world.together(*(cell.run for cell in row))
        if world.has_tasks:
            await world.sleep(0.01)
        tasks = world.tasks() - tasks

    with suppress(SystemExit):  # that which has ended the loop
        world.run(body)
    # Whom nothing reached goes on with its query.
    place.eye.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s",
        [cells.NAME],
    )
    problems = {cell.operation.name: cell.problems for cell in row if cell.problems}
    assert problems == {}
    assert tasks == 0
    assert len(turns) < 100 * len(row)
    row.clear()
    assert left(before) == []


FAST = {
    (ASYNCIO, "once", "healthy"),
    (ASYNCIO, "scope", "frozen"),
    (ASYNCIO, "deadline", "refused"),
    (PLAIN, "thrice", "frozen"),
    (DEBUG, "thrice", "healthy"),
    (UVLOOP, "timeout", "frozen"),
    (TRIO, "once", "healthy"),
    (TRIO, "scope", "refused"),
    (TRIO, "deadline", "frozen"),
    (THREADS, "ctrl-c", "healthy"),
}

# A handler that raises SystemExit ends trio itself, on the spot: see test_signals.py.
OF_LOOPS = {"trio": ["ctrl-c"], "asyncio": ["ctrl-c", "exit"], "uvloop": ["ctrl-c", "exit"]}


def interruptions(world: World) -> list[str]:
    """Those that there are in a world."""
    if world.has_tasks:
        return [*cells.OF_TASKS, *OF_LOOPS.get(world.name, [])]
    return cells.OF_THREADS


MATRIX = [
    pytest.param(
        world,
        interruption,
        condition,
        id=f"{world}-{interruption}-{condition}",
        marks=[] if (world, interruption, condition) in FAST else [pytest.mark.slow],
    )
    for world in (ASYNCIO, PLAIN, DEBUG, UVLOOP, TRIO, THREADS)
    for interruption in interruptions(world)
    for condition in cells.CONDITIONS
    if not (world is PLAIN and interruption == "scope")
]


@pytest.mark.parametrize(("world", "interruption", "condition"), MATRIX)
def test_matrix(world: World, interruption: str, condition: str, place: Place) -> None:
    go_through(world, interruption, condition, place)


@pytest.mark.parametrize("name", ["execute", "owed", "body", "commit", "connect"])
@pytest.mark.parametrize(
    ("world", "interruption"),
    [(ASYNCIO, "ctrl-c"), (UVLOOP, "exit"), (TRIO, "ctrl-c")],
    ids=str,
)
def test_loops_that_are_ended(world: World, interruption: str, name: str, place: Place) -> None:
    cell = Cell(world, cells.OPERATIONS[name], interruption, "healthy", place)
    run([cell], world, place)
