"""Notifications: the iterator, the handlers, and listeners of a channel."""

from __future__ import annotations

import time

import pytest

import psycopg3
from psycopg3 import AsyncConnection, Notify, errors

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ears(dsn):
    async with await AsyncConnection.connect(dsn, autocommit=True) as ears:
        await ears.execute("listen ears")
        yield ears


async def notify(conn, *payloads):
    for payload in payloads:
        await conn.execute("select pg_notify('ears', %s)", [payload])


async def test_the_example(dsn, other, capsys):
    """The example of the second seed, word by word."""
    conn = await AsyncConnection.connect(dsn, autocommit=True)
    await conn.cursor().execute("LISTEN mychan")
    await other.execute("notify mychan, 'hello'; notify mychan, 'hey'; notify mychan, 'stop'")
    gen = conn.notifies()
    async for notify in gen:
        print(notify)
        if notify.payload == "stop":
            await gen.aclose()
    print("there, I stopped")
    pid = other.pgconn.backend_pid
    assert capsys.readouterr().out.splitlines() == [
        f"Notify(channel='mychan', payload='hello', pid={pid})",
        f"Notify(channel='mychan', payload='hey', pid={pid})",
        f"Notify(channel='mychan', payload='stop', pid={pid})",
        "there, I stopped",
    ]
    await conn.close()


async def test_closing_it_keeps_what_has_come(ears, other):
    await notify(other, "1", "2")
    await ears.execute("select 1")
    gen = ears.notifies()
    assert (await gen.__anext__()).payload == "1"
    await gen.aclose()
    await gen.aclose()
    assert [n async for n in gen] == []
    assert [n.payload async for n in ears.notifies(timeout=0)] == ["2"]


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


@pytest.mark.parametrize("wrong", [{"timeout": "3"}, {"stop_after": "3"}, {"stop_after": 1.5}])
async def test_arguments(ears, wrong):
    with pytest.raises(psycopg3.ProgrammingError, match="expected"):
        ears.notifies(**wrong)


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
    ears.remove_notify_handler(print)
    ears.notifies()


async def test_beside_listeners_of_other_channels(ears, other):
    """What nobody takes waits for notifies(), in its order."""
    told = []
    await ears.listen("mine", told.append)
    await other.execute("notify ears, '1'; notify mine, '2'; notify ears, '3'")
    await ears.execute("select 1")
    await other.execute("notify ears, '4'; notify mine, '5'")
    # What comes for a listener while notifies() waits is given by both.
    seen = [n async for n in ears.notifies(timeout=5, stop_after=3)]
    assert [n.payload for n in seen if n.channel == "ears"] == ["1", "3", "4"]
    assert [n.payload for n in told] == ["2", "5"]
    assert [n async for n in ears.notifies(timeout=0)] == []


async def test_handlers_take_all(ears, other):
    told = []
    ears.add_notify_handler(told.append)
    await notify(other, "1")
    await ears.execute("select 1")
    ears.remove_notify_handler(told.append)
    assert [n.payload for n in told] == ["1"]
    assert [n async for n in ears.notifies(timeout=0)] == []


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

    async def test_the_same_twice_is_called_once(self, conn, other):
        told = []
        await conn.set_autocommit(True)
        await conn.listen("ears", told.append)
        await conn.listen("ears", told.append)
        await notify(other, "x")
        await conn.execute("select 1")
        assert len(told) == 1
        await conn.unlisten("ears", told.append)
        cur = await conn.execute("select pg_listening_channels()")
        assert await cur.fetchall() == []
        with pytest.raises(psycopg3.ProgrammingError, match="no listener on the channel 'ears'"):
            await conn.unlisten("ears", told.append)

    async def test_unlisten_what_nobody_listens_to(self, conn):
        with pytest.raises(psycopg3.ProgrammingError, match="there is no listener on the channel"):
            await conn.unlisten("nope")
        await conn.listen("ears", print)
        with pytest.raises(psycopg3.ProgrammingError, match=r"<built-in .* is no listener on the"):
            await conn.unlisten("ears", repr)

    async def test_unlisten_in_a_failed_transaction(self, conn, other):
        told = []
        await conn.listen("ears", told.append)
        with pytest.raises(psycopg3.Error):
            await conn.execute("select 1/0")
        with pytest.raises(psycopg3.errors.InFailedSqlTransaction):
            await conn.unlisten("ears", told.append)
        await conn.rollback()
        await notify(other, "x")
        await conn.execute("select 1")
        assert len(told) == 1
        await conn.rollback()
        await conn.unlisten("ears", told.append)

    async def test_in_a_transaction_that_is_rolled_back(self, conn, other):
        """The server forgets about it, the callback stays: to listen again is enough."""
        told = []
        await conn.execute("select 1")
        await conn.listen("ears", told.append)
        await conn.rollback()
        await notify(other, "x")
        await conn.execute("select 1")
        await conn.rollback()
        assert told == []
        await conn.listen("ears", told.append)
        await notify(other, "y")
        await conn.execute("select 1")
        assert [n.payload for n in told] == ["y"]
        await conn.rollback()
        await conn.execute("select 1")
        await conn.listen("mouth", told.append)
        await conn.rollback()
        await conn.unlisten("mouth", told.append)

    @pytest.mark.parametrize("size", [63, 64])
    @pytest.mark.parametrize("letter", ["x", "ü"])
    async def test_a_long_channel(self, conn, other, size, letter):
        """The server would cut it, and its notifications never match."""
        told = []
        channel = letter * (size // len(letter.encode())) + "x" * (size % len(letter.encode()))
        await conn.set_autocommit(True)
        if size > 63:
            with pytest.raises(psycopg3.ProgrammingError, match="64 bytes: expected at most 63"):
                await conn.listen(channel, told.append)
            return
        await conn.listen(channel, told.append)
        await other.execute("select pg_notify(%s, 'x')", [channel])
        await conn.execute("select 1")
        assert [n.channel for n in told] == [channel]

    async def test_a_channel_that_is_long_at_the_server(self, conn):
        await conn.execute("set client_encoding to latin1")
        with pytest.raises(psycopg3.ProgrammingError, match="80 bytes"):
            await conn.listen("ü" * 40, print)

    @pytest.mark.parametrize("channel", [5, b"x", None, ["x"]])
    async def test_a_channel_of_another_type(self, conn, channel):
        with pytest.raises(psycopg3.ProgrammingError, match=f"type {type(channel).__name__}"):
            await conn.listen(channel, print)

    @pytest.mark.parametrize("callback", [None, 5, "print"])
    async def test_a_callback_that_is_none(self, conn, callback):
        adds = [conn.add_notice_handler, conn.add_notify_handler, conn.add_close_handler]
        expected = f"type {type(callback).__name__}: expected a function of"
        for add in adds:
            with pytest.raises(psycopg3.ProgrammingError, match=expected):
                add(callback)
        with pytest.raises(psycopg3.ProgrammingError, match=expected):
            await conn.listen("ears", callback)
        cur = await conn.execute("select pg_listening_channels()")
        assert await cur.fetchall() == []

    async def test_names_that_can_not_be_sent(self, conn):
        with pytest.raises(psycopg3.ProgrammingError, match="can't be sent"):
            await conn.listen("\ud800", print)
        with pytest.raises(psycopg3.ProgrammingError, match="can't be sent"):
            async with conn.transaction("\ud800"):
                raise AssertionError
        with pytest.raises(psycopg3.Error, match="NUL"):
            await conn.listen("a\0b", print)
        await conn.execute("set client_encoding to sql_ascii")
        with pytest.raises(psycopg3.ProgrammingError, match="is ascii to Python"):
            await conn.listen("ü", print)
        with pytest.raises(psycopg3.ProgrammingError, match="is ascii to Python"):
            async with conn.transaction("ü"):
                raise AssertionError
        assert await (await conn.execute("select 1")).fetchone() == (1,)

    async def test_an_encoding_that_python_lacks(self, conn, other):
        """What can't be decoded is replaced, and the operation succeeds."""
        told = []
        await conn.set_autocommit(True)
        await conn.listen("ears", told.append)
        await conn.execute("set client_encoding to euc_tw")
        await notify(other, "x")
        await conn.execute(b"select 1")
        assert [n.payload for n in told] == ["x"]

    async def test_removing_what_was_not_added(self, conn):
        for kind in ("notice", "notify", "close"):
            with pytest.raises(
                ValueError, match=f"got <built-in .* pass what .* add_{kind}_handler"
            ):
                getattr(conn, f"remove_{kind}_handler")(print)


async def test_what_came_before_a_loss_is_given_first(ears, other):
    await notify(other, "1", "2")
    await other.execute("select pg_sleep(0.1)")  # a server that is to leave sends no more of them
    await other.execute("select pg_terminate_backend(%s, 5000)", [ears.pgconn.backend_pid])
    await other.execute("select pg_sleep(0.05)")  # on asyncio it is noticed meanwhile
    told = []
    with pytest.raises(errors.AdminShutdown):
        async for news in ears.notifies():
            told.append(news.payload)
    assert told == ["1", "2"]


async def test_listeners_hear_what_came_before_a_loss(ears, other):
    told = []
    await ears.listen("ears", lambda news: told.append(news.payload))
    await notify(other, "1", "2")
    await other.execute("select pg_sleep(0.1)")  # a server that is to leave sends no more of them
    await other.execute("select pg_terminate_backend(%s, 5000)", [ears.pgconn.backend_pid])
    with pytest.raises(errors.AdminShutdown):
        await ears.execute("select 1")
    assert told == ["1", "2"]
