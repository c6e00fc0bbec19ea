"""Notifications: the iterator, the handlers, and listeners of a channel."""

from __future__ import annotations

import time

import pytest

import psycopg3
from psycopg3 import AsyncConnection, Notify

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ears(dsn):
    async with await AsyncConnection.connect(dsn, autocommit=True) as ears:
        await ears.execute("listen ears")
        yield ears


async def notify(conn, *payloads):
    for payload in payloads:
        await conn.execute("select pg_notify('ears', %s)", [payload])


async def test_the_example(ears, other):
    """The example of psycopg's documentation: stop when the payload says so."""
    await notify(other, "hello", "hey", "stop")
    gen = ears.notifies()
    seen = []
    async for each in gen:
        seen.append(each)
        if each.payload == "stop":
            await gen.aclose()
    pid = other.pgconn.backend_pid
    assert seen == [Notify("ears", payload, pid) for payload in ("hello", "hey", "stop")]
    assert repr(seen[0]) == f"Notify(channel='ears', payload='hello', pid={pid})"


async def test_what_came_before_is_first(ears, other):
    await notify(other, "1")
    await ears.execute("select 1")
    await notify(other, "2")
    assert [n.payload async for n in ears.notifies(stop_after=2)] == ["1", "2"]


async def test_leaving_the_loop_leaves_nothing_locked(ears, other):
    await notify(other, "1", "2")
    async for _ in ears.notifies():
        break
    assert not ears.lock.locked()
    assert await (await ears.execute("select 1")).fetchone() == (1,)


async def test_the_body_may_use_the_connection(ears, other):
    await notify(other, "1", "2")
    async for _ in ears.notifies(stop_after=2):
        assert await (await ears.execute("select 1")).fetchone() == (1,)


async def test_timeout(ears, other):
    begin = time.monotonic()
    assert [n async for n in ears.notifies(timeout=0.25)] == []
    assert 0.25 <= time.monotonic() - begin < 1
    await notify(other, "1")
    await ears.execute("select 1")
    assert [n.payload async for n in ears.notifies(timeout=0)] == ["1"]
    assert [n async for n in ears.notifies(timeout=0)] == []


async def test_the_timeout_is_for_all(ears, other):
    begin = time.monotonic()
    await notify(other, "1")
    assert len([n async for n in ears.notifies(timeout=0.3)]) == 1
    assert 0.3 <= time.monotonic() - begin < 1


async def test_stop_after_gives_a_batch_whole(ears, other):
    await other.execute("begin; notify ears, '1'; notify ears, '2'; notify ears, '3'; commit")
    await ears.execute("select 1")
    assert [n.payload async for n in ears.notifies(stop_after=2)] == ["1", "2", "3"]
    assert [n async for n in ears.notifies(stop_after=0)] == []


async def test_of_its_own(ears):
    await notify(ears, "me")
    assert [n.payload async for n in ears.notifies(stop_after=1)] == ["me"]


async def test_terminated(ears, other):
    await other.execute("select pg_terminate_backend(%s, 5000)", [ears.pgconn.backend_pid])
    with pytest.raises(psycopg3.OperationalError) as ex:
        await ears.notifies().__anext__()
    assert ex.value.sqlstate == "57P01"
    assert ears.broken


async def test_closed(dsn):
    conn = await AsyncConnection.connect(dsn)
    gen = conn.notifies()
    await conn.close()
    with pytest.raises(psycopg3.OperationalError, match="closed"):
        await gen.__anext__()
    with pytest.raises(psycopg3.OperationalError, match="closed"):
        conn.notifies()


async def test_with_handlers_it_warns(ears):
    ears.add_notify_handler(print)
    with pytest.warns(RuntimeWarning, match="handlers"):
        ears.notifies()


class TestListen:
    async def test_calls(self, conn, other):
        await conn.set_autocommit(True)
        told, elsewhere = [], []
        await conn.listen("a channel", told.append)
        await conn.listen("other", elsewhere.append)
        await other.execute("select pg_notify('a channel', 'x'), pg_notify('deaf', 'y')")
        await conn.execute("select 1")
        assert told == [Notify("a channel", "x", other.pgconn.backend_pid)]
        assert elsewhere == []

    async def test_unlisten(self, conn, other):
        await conn.set_autocommit(True)
        one, two = [], []
        await conn.listen("ears", one.append)
        await conn.listen("ears", two.append)
        await conn.unlisten("ears", one.append)
        await notify(other, "x")
        await conn.execute("select 1")
        assert (one, len(two)) == ([], 1)
        await conn.unlisten("ears")
        cur = await conn.execute("select pg_listening_channels()")
        assert await cur.fetchall() == []
        with pytest.raises(psycopg3.ProgrammingError, match="listen"):
            await conn.unlisten("ears", two.append)

    async def test_it_opens_no_transaction(self, conn, other):
        told = []
        await conn.listen("ears", told.append)
        await notify(other, "x")
        await conn.execute("select 1")
        assert len(told) == 1

    async def test_a_channel_that_the_server_refuses(self, conn):
        with pytest.raises(psycopg3.Error):
            await conn.listen("", print)
        assert not conn._notices.wants_notifies

    async def test_a_failing_listener_is_logged(self, conn, other, caplog):
        told = []
        await conn.listen("ears", lambda notify: 1 / 0)
        await conn.listen("ears", told.append)
        await notify(other, "x")
        await conn.execute("select 1")
        assert len(told) == 1 and "division by zero" in caplog.text
