"""The matrix of interruptions: whatever interrupts whatever, bounded, and nothing is left of it."""

from __future__ import annotations

import gc
import os
import threading
import time
from typing import Any

import pytest

import psycopg3
from psycopg3.testing import Cluster
from tests.faults import cells
from tests.faults.cells import Cell, Place
from tests.faults.proxy import Target
from tests.faults.running import ASYNCIO, DEBUG, PLAIN, THREADS, TRIO, UVLOOP, World


@pytest.fixture(scope="module")
def place(dsn: str, target: Target, tls_cluster: Cluster, eye: psycopg3.Connection[Any]) -> Place:
    """Where the servers are."""
    return Place(dsn, target, tls_cluster.dsn, (tls_cluster.host, tls_cluster.port), eye)


def descriptors() -> set[str]:
    folder = "/proc/self/fd"
    if not os.path.isdir(folder):
        return set()
    found = set()
    for number in os.listdir(folder):
        try:
            found.add(f"{number} {os.readlink(f'{folder}/{number}')}")
        except OSError:
            pass  # that of the listing itself
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
    world.run(nothing)  # what a library keeps for good from its first loop on is no leak
    chosen = [op for op in cells.OPERATIONS.values() if cells.exists(op, interruption)]
    before = descriptors(), others()
    row = [Cell(world, operation, interruption, condition, place) for operation in chosen]
    tasks = 0

    async def body() -> None:
        nonlocal tasks
        tasks = world.tasks()
        await world.together(*(cell.run for cell in row))
        if world.has_tasks:
            await world.sleep(0.01)
        tasks = world.tasks() - tasks

    world.run(body)
    # Whom nothing reached goes on with its query.
    place.eye.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s",
        [cells.NAME],
    )
    problems = {cell.operation.name: cell.problems for cell in row if cell.problems}
    row.clear()
    assert problems == {}
    assert tasks == 0
    assert left(before) == []


FAST = {
    (ASYNCIO, "once", "healthy"),
    (ASYNCIO, "once", "frozen"),
    (ASYNCIO, "scope", "frozen"),
    (ASYNCIO, "deadline", "refused"),
    (ASYNCIO, "timeout", "reset"),
    (PLAIN, "thrice", "frozen"),
    (DEBUG, "thrice", "healthy"),
    (UVLOOP, "once", "slow"),
    (UVLOOP, "timeout", "frozen"),
    (TRIO, "once", "healthy"),
    (TRIO, "scope", "refused"),
    (TRIO, "deadline", "frozen"),
    (TRIO, "command_timeout", "reset"),
    (THREADS, "ctrl-c", "healthy"),
    (THREADS, "ordinary", "frozen"),
    (THREADS, "timeout", "slow"),
}

MATRIX = [
    pytest.param(
        world,
        interruption,
        condition,
        id=f"{world}-{interruption}-{condition}",
        marks=[] if (world, interruption, condition) in FAST else [pytest.mark.slow],
    )
    for world in (ASYNCIO, PLAIN, DEBUG, UVLOOP, TRIO, THREADS)
    for interruption in (cells.OF_TASKS if world.has_tasks else cells.OF_THREADS)
    for condition in cells.CONDITIONS
    if not (world is PLAIN and interruption == "scope")
]


@pytest.mark.parametrize(("world", "interruption", "condition"), MATRIX)
def test_matrix(world: World, interruption: str, condition: str, place: Place) -> None:
    go_through(world, interruption, condition, place)
