"""psycopg3 behind Pgpool-II."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

import psycopg3
from tests.faults.running import World
from tests.poolers import battery
from tests.poolers.battery import every_world
from tests.poolers.conftest import Pooler


@every_world
@pytest.mark.parametrize(
    "body", [battery.queries, battery.transactions, battery.interruptions], ids=lambda b: b.__name__
)
def test_battery(
    world: World, body: Callable[[World, str], Awaitable[None]], pgpool: Pooler
) -> None:
    world.run(lambda: body(world, pgpool.dsn))  # type: ignore[arg-type,return-value]


def test_it_is_pgpool_with_two_nodes(pgpool: Pooler) -> None:
    with psycopg3.connect(pgpool.dsn, autocommit=True) as conn:
        assert len(conn.execute("show pool_nodes").fetchall()) == 2
        # Only the simple protocol gets there.
        with pytest.raises(psycopg3.errors.UndefinedObject):
            conn.execute("show pool_nodes", [], binary=True)


def test_settings(pgpool: Pooler) -> None:
    settings = {"search_path": "pg_catalog", "statement_timeout": "12s"}
    with psycopg3.connect(pgpool.dsn, autocommit=True, server_settings=settings) as conn:
        assert conn.execute("show search_path").fetchone() == ("pg_catalog",)
        assert conn.execute("show statement_timeout").fetchone() == ("12s",)


def test_notifications(pgpool: Pooler) -> None:
    with psycopg3.connect(pgpool.dsn, autocommit=True) as conn:
        conn.execute("listen here")
        conn.execute("notify here, 'it is'")
        assert [n.payload for n in conn.notifies(timeout=5, stop_after=1)] == ["it is"]


def test_no_child_is_left(pgpool: Pooler) -> None:
    """Further clients wait in the backlog of its socket."""
    conns = [psycopg3.connect(pgpool.dsn) for _ in range(8)]
    try:
        with pytest.raises(psycopg3.errors.ConnectionTimeout):
            psycopg3.connect(pgpool.dsn, connect_timeout=2)
    finally:
        for conn in conns:
            conn.close()
    psycopg3.connect(pgpool.dsn).close()
