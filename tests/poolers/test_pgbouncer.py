"""psycopg3 behind PgBouncer, in transaction and in session mode."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.conninfo import make_conninfo
from tests.faults.running import World, settled
from tests.poolers import battery
from tests.poolers.battery import every_world
from tests.poolers.conftest import Pooler


@every_world
@pytest.mark.parametrize(
    "body", [battery.queries, battery.transactions, battery.interruptions], ids=lambda b: b.__name__
)
def test_battery(
    world: World, body: Callable[[World, str], Awaitable[None]], pgbouncer: Pooler
) -> None:
    world.run(lambda: body(world, pgbouncer.dsn))  # type: ignore[arg-type,return-value]


def test_settings_are_refused(pgbouncer: Pooler) -> None:
    with pytest.raises(psycopg3.OperationalError, match="unsupported startup parameter"):
        psycopg3.connect(pgbouncer.dsn, server_settings={"statement_timeout": "12s"})


@every_world
def test_who_waits_for_a_server_cannot_cancel(world: World, pgbouncer: Pooler) -> None:
    """PgBouncer drops the request: the connection is closed after `cancel_timeout`."""

    async def body() -> None:
        holders = [await settled(world.connect(pgbouncer.dsn)) for _ in range(2)]
        for conn in holders:
            await settled(conn.execute("select 1"))
        conn = await settled(world.connect(pgbouncer.dsn, autocommit=True, cancel_timeout=0.5))
        begin = time.monotonic()
        with pytest.raises(errors.QueryTimeout):
            await settled(conn.execute("select 1", timeout=0.2))
        assert 0.5 < time.monotonic() - begin < 2
        assert conn.closed and conn.broken
        for each in (conn, *holders):
            await settled(each.close())

    world.run(body)


def test_the_console(pgbouncer: Pooler) -> None:
    dsn = make_conninfo(pgbouncer.dsn, dbname="pgbouncer")
    with psycopg3.connect(dsn, autocommit=True) as conn:
        names = [column.name for column in conn.execute("show pools").description or ()]
        assert names[:2] == ["database", "user"]
        with pytest.raises(errors.ProtocolViolation, match="extended query protocol"):
            conn.execute("show pools", [], binary=True)


def test_the_reason_of_its_end(pgbouncer: Pooler) -> None:
    """KILL on the console ends the clients of a database; the next operation raises its words."""
    console = make_conninfo(pgbouncer.dsn, dbname="pgbouncer")
    with psycopg3.connect(console, autocommit=True) as admin:
        conn = psycopg3.connect(pgbouncer.dsn)
        conn.execute("select 1")
        admin.execute("kill postgres")
        try:
            with pytest.raises(psycopg3.OperationalError):
                conn.execute("select 1")
            assert conn.broken
        finally:
            admin.execute("resume postgres")
            conn.close()
