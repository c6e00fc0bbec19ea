"""libpq before 17 has only a call that blocks, to cancel: at a frozen server it keeps nobody waiting."""

from __future__ import annotations

import struct
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from psycopg3 import errors
from psycopg3.session import routes
from tests import listeners
from tests.faults.attempting import EACH, TICK, nothing_left
from tests.faults.running import World, settled
from tests.listeners import Listener, exactly

CANCEL_REQUEST = 80877102


def frozen(sock: Any) -> None:
    """A server that lets everybody in, and answers neither queries nor requests to cancel."""
    length, code = struct.unpack("!ii", exactly(sock, 8))
    exactly(sock, length - 8)
    if code == CANCEL_REQUEST:
        listeners.mute(sock)
    else:
        listeners.welcome(sock)


@pytest.fixture(autouse=True)
def an_old_libpq(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old call is in every libpq: have the driver use it."""
    monkeypatch.setattr(routes, "version", lambda: 160000)


@pytest.fixture(params=EACH, ids=str)
def world(request: pytest.FixtureRequest) -> World:
    """Where one connects."""
    return request.param  # type: ignore[no-any-return]


def spend(
    world: World, server: Listener, use: Callable[[Any], Awaitable[None]], **kwargs: Any
) -> tuple[float, float]:
    """The seconds that the use of a connection takes, and the longest without a turn for others."""
    place = {"host": "127.0.0.1", "port": server.port, "user": "me", "sslmode": "disable"}
    seconds, gaps, over = 0.0, [0.0], False

    async def used() -> None:
        nonlocal over, seconds
        try:
            conn = await settled(world.connect(**place, gssencmode="disable", **kwargs))
            begin = time.monotonic()
            await use(conn)
            seconds = time.monotonic() - begin
            conn.terminate()
        finally:
            over = True

    async def tick() -> None:
        while world.has_tasks and not over:
            last = time.monotonic()
            await world.sleep(TICK)
            gaps.append(time.monotonic() - last)

    world.run(lambda: world.together(tick, used))
    return seconds, max(gaps)


def test_cancel_safe(world: World) -> None:
    async def use(conn: Any) -> None:
        with pytest.raises(errors.CancellationTimeout):
            await settled(conn.cancel_safe(timeout=0.3))
        assert not conn.closed

    with nothing_left():
        with Listener(frozen) as server:
            seconds, gap = spend(world, server, use)
            assert server.taken == 2
        assert 0.3 <= seconds < 0.8
        assert gap < 0.5


def test_an_interrupted_query(world: World) -> None:
    async def use(conn: Any) -> None:
        with pytest.raises(errors.QueryTimeout):
            await settled(conn.execute("select 1", timeout=0.2))
        assert conn.broken

    with nothing_left():
        with Listener(frozen) as server:
            seconds, gap = spend(world, server, use, autocommit=True, cancel_timeout=0.4)
            assert server.taken == 2
        assert 0.6 <= seconds < 1.1
        assert gap < 0.5


def test_a_server_that_hears(world: World, dsn: str) -> None:
    async def body() -> None:
        conn = await settled(world.connect(dsn, autocommit=True))
        with pytest.raises(errors.QueryTimeout):
            await settled(conn.execute("select pg_sleep(30)", timeout=0.2))
        assert await settled((await settled(conn.execute("select 1"))).fetchone()) == (1,)
        await settled(conn.close())

    with nothing_left():
        world.run(body)
