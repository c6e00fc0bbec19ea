# Generated from tests/_async/test_notifies.py by `python tools/unasync.py`: edit that file, not this one.
"""Notifications: the iterator, the handlers, and listeners of a channel."""

from __future__ import annotations

import time

import pytest

import psycopg3
from psycopg3 import Connection, Notify, errors

pytestmark = pytest.mark.anyio


@pytest.fixture
def ears(dsn):
    with Connection.connect(dsn, autocommit=True) as ears:
        ears.execute("listen ears")
        yield ears


def notify(conn, *payloads):
    for payload in payloads:
        conn.execute("select pg_notify('ears', %s)", [payload])


def test_the_example(dsn, other, capsys):
    """The example of the second seed, word by word."""
    conn = Connection.connect(dsn, autocommit=True)
    conn.cursor().execute("LISTEN mychan")
    other.execute("notify mychan, 'hello'; notify mychan, 'hey'; notify mychan, 'stop'")
    gen = conn.notifies()
    for notify in gen:
        print(notify)
        if notify.payload == "stop":
            gen.close()
    print("there, I stopped")
    pid = other.pgconn.backend_pid
    assert capsys.readouterr().out.splitlines() == [
        f"Notify(channel='mychan', payload='hello', pid={pid})",
        f"Notify(channel='mychan', payload='hey', pid={pid})",
        f"Notify(channel='mychan', payload='stop', pid={pid})",
        "there, I stopped",
    ]
    conn.close()


def test_closing_it_keeps_what_has_come(ears, other):
    notify(other, "1", "2")
    ears.execute("select 1")
    gen = ears.notifies()
    assert gen.__next__().payload == "1"
    gen.close()
    gen.close()
    assert [n for n in gen] == []
    assert [n.payload for n in ears.notifies(timeout=0)] == ["2"]


def test_what_came_before_is_first(ears, other):
    notify(other, "1")
    ears.execute("select 1")
    notify(other, "2")
    assert [n.payload for n in ears.notifies(stop_after=2)] == ["1", "2"]


def test_leaving_the_loop_leaves_nothing_locked(ears, other):
    notify(other, "1", "2")
    for _ in ears.notifies():
        break
    assert not ears.lock.locked()
    assert ears.execute("select 1").fetchone() == (1,)


def test_the_body_may_use_the_connection(ears, other):
    notify(other, "1", "2")
    for _ in ears.notifies(stop_after=2):
        assert ears.execute("select 1").fetchone() == (1,)


def test_timeout(ears, other):
    begin = time.monotonic()
    assert [n for n in ears.notifies(timeout=0.25)] == []
    assert 0.25 <= time.monotonic() - begin < 1
    notify(other, "1")
    ears.execute("select 1")
    assert [n.payload for n in ears.notifies(timeout=0)] == ["1"]
    assert [n for n in ears.notifies(timeout=0)] == []


@pytest.mark.parametrize("wrong", [{"timeout": "3"}, {"stop_after": "3"}, {"stop_after": 1.5}])
def test_arguments(ears, wrong):
    with pytest.raises(psycopg3.ProgrammingError, match="expected"):
        ears.notifies(**wrong)


def test_the_timeout_is_for_all(ears, other):
    begin = time.monotonic()
    notify(other, "1")
    assert len([n for n in ears.notifies(timeout=0.3)]) == 1
    assert 0.3 <= time.monotonic() - begin < 1


def test_stop_after_gives_a_batch_whole(ears, other):
    other.execute("begin; notify ears, '1'; notify ears, '2'; notify ears, '3'; commit")
    ears.execute("select 1")
    assert [n.payload for n in ears.notifies(stop_after=2)] == ["1", "2", "3"]
    assert [n for n in ears.notifies(stop_after=0)] == []


def test_of_its_own(ears):
    notify(ears, "me")
    assert [n.payload for n in ears.notifies(stop_after=1)] == ["me"]


def test_terminated(ears, other):
    other.execute("select pg_terminate_backend(%s, 5000)", [ears.pgconn.backend_pid])
    with pytest.raises(psycopg3.OperationalError) as ex:
        ears.notifies().__next__()
    assert ex.value.sqlstate == "57P01"
    assert ears.broken


def test_closed(dsn):
    conn = Connection.connect(dsn)
    gen = conn.notifies()
    conn.close()
    with pytest.raises(psycopg3.OperationalError, match="closed"):
        gen.__next__()
    with pytest.raises(psycopg3.OperationalError, match="closed"):
        conn.notifies()


def test_with_handlers_it_warns(ears):
    ears.add_notify_handler(print)
    with pytest.warns(RuntimeWarning, match="handlers"):
        ears.notifies()
    ears.remove_notify_handler(print)
    ears.notifies()


def test_beside_listeners_of_other_channels(ears, other):
    """What nobody takes waits for notifies(), in its order."""
    told = []
    ears.listen("mine", told.append)
    other.execute("notify ears, '1'; notify mine, '2'; notify ears, '3'")
    ears.execute("select 1")
    other.execute("notify ears, '4'; notify mine, '5'")
    # What comes for a listener while notifies() waits is given by both.
    seen = [n for n in ears.notifies(timeout=5, stop_after=3)]
    assert [n.payload for n in seen if n.channel == "ears"] == ["1", "3", "4"]
    assert [n.payload for n in told] == ["2", "5"]
    assert [n for n in ears.notifies(timeout=0)] == []


def test_handlers_take_all(ears, other):
    told = []
    ears.add_notify_handler(told.append)
    notify(other, "1")
    ears.execute("select 1")
    ears.remove_notify_handler(told.append)
    assert [n.payload for n in told] == ["1"]
    assert [n for n in ears.notifies(timeout=0)] == []


class TestListen:
    def test_calls(self, conn, other):
        conn.set_autocommit(True)
        told, elsewhere = [], []
        conn.listen("a channel", told.append)
        conn.listen("other", elsewhere.append)
        other.execute("select pg_notify('a channel', 'x'), pg_notify('deaf', 'y')")
        conn.execute("select 1")
        assert told == [Notify("a channel", "x", other.pgconn.backend_pid)]
        assert elsewhere == []

    def test_unlisten(self, conn, other):
        conn.set_autocommit(True)
        one, two = [], []
        conn.listen("ears", one.append)
        conn.listen("ears", two.append)
        conn.unlisten("ears", one.append)
        notify(other, "x")
        conn.execute("select 1")
        assert (one, len(two)) == ([], 1)
        conn.unlisten("ears")
        cur = conn.execute("select pg_listening_channels()")
        assert cur.fetchall() == []
        with pytest.raises(psycopg3.ProgrammingError, match="listen"):
            conn.unlisten("ears", two.append)

    def test_it_opens_no_transaction(self, conn, other):
        told = []
        conn.listen("ears", told.append)
        notify(other, "x")
        conn.execute("select 1")
        assert len(told) == 1

    def test_a_channel_that_the_server_refuses(self, conn):
        with pytest.raises(psycopg3.Error):
            conn.listen("", print)
        assert not conn._notices.wants_notifies

    def test_a_failing_listener_is_logged(self, conn, other, caplog):
        told = []
        conn.listen("ears", lambda notify: 1 / 0)
        conn.listen("ears", told.append)
        notify(other, "x")
        conn.execute("select 1")
        assert len(told) == 1 and "division by zero" in caplog.text

    def test_the_same_twice_is_called_once(self, conn, other):
        told = []
        conn.set_autocommit(True)
        conn.listen("ears", told.append)
        conn.listen("ears", told.append)
        notify(other, "x")
        conn.execute("select 1")
        assert len(told) == 1
        conn.unlisten("ears", told.append)
        cur = conn.execute("select pg_listening_channels()")
        assert cur.fetchall() == []
        with pytest.raises(psycopg3.ProgrammingError, match="no listener on the channel 'ears'"):
            conn.unlisten("ears", told.append)

    def test_unlisten_what_nobody_listens_to(self, conn):
        with pytest.raises(psycopg3.ProgrammingError, match="there is no listener on the channel"):
            conn.unlisten("nope")
        conn.listen("ears", print)
        with pytest.raises(psycopg3.ProgrammingError, match=r"<built-in .* is no listener on the"):
            conn.unlisten("ears", repr)

    def test_unlisten_in_a_failed_transaction(self, conn, other):
        told = []
        conn.listen("ears", told.append)
        with pytest.raises(psycopg3.Error):
            conn.execute("select 1/0")
        with pytest.raises(psycopg3.errors.InFailedSqlTransaction):
            conn.unlisten("ears", told.append)
        conn.rollback()
        notify(other, "x")
        conn.execute("select 1")
        assert len(told) == 1
        conn.rollback()
        conn.unlisten("ears", told.append)

    def test_in_a_transaction_that_is_rolled_back(self, conn, other):
        """The server forgets about it, the callback stays: to listen again is enough."""
        told = []
        conn.execute("select 1")
        conn.listen("ears", told.append)
        conn.rollback()
        notify(other, "x")
        conn.execute("select 1")
        conn.rollback()
        assert told == []
        conn.listen("ears", told.append)
        notify(other, "y")
        conn.execute("select 1")
        assert [n.payload for n in told] == ["y"]
        conn.rollback()
        conn.execute("select 1")
        conn.listen("mouth", told.append)
        conn.rollback()
        conn.unlisten("mouth", told.append)

    @pytest.mark.parametrize("size", [63, 64])
    @pytest.mark.parametrize("letter", ["x", "ü"])
    def test_a_long_channel(self, conn, other, size, letter):
        """The server would cut it, and its notifications never match."""
        told = []
        channel = letter * (size // len(letter.encode())) + "x" * (size % len(letter.encode()))
        conn.set_autocommit(True)
        if size > 63:
            with pytest.raises(psycopg3.ProgrammingError, match="64 bytes: expected at most 63"):
                conn.listen(channel, told.append)
            return
        conn.listen(channel, told.append)
        other.execute("select pg_notify(%s, 'x')", [channel])
        conn.execute("select 1")
        assert [n.channel for n in told] == [channel]

    def test_a_channel_that_is_long_at_the_server(self, conn):
        conn.execute("set client_encoding to latin1")
        with pytest.raises(psycopg3.ProgrammingError, match="80 bytes"):
            conn.listen("ü" * 40, print)

    @pytest.mark.parametrize("channel", [5, b"x", None, ["x"]])
    def test_a_channel_of_another_type(self, conn, channel):
        with pytest.raises(psycopg3.ProgrammingError, match=f"type {type(channel).__name__}"):
            conn.listen(channel, print)

    @pytest.mark.parametrize("callback", [None, 5, "print"])
    def test_a_callback_that_is_none(self, conn, callback):
        adds = [conn.add_notice_handler, conn.add_notify_handler, conn.add_close_handler]
        expected = f"type {type(callback).__name__}: expected a function of"
        for add in adds:
            with pytest.raises(psycopg3.ProgrammingError, match=expected):
                add(callback)
        with pytest.raises(psycopg3.ProgrammingError, match=expected):
            conn.listen("ears", callback)
        cur = conn.execute("select pg_listening_channels()")
        assert cur.fetchall() == []

    def test_names_that_can_not_be_sent(self, conn):
        with pytest.raises(psycopg3.ProgrammingError, match="can't be sent"):
            conn.listen("\ud800", print)
        with pytest.raises(psycopg3.ProgrammingError, match="can't be sent"):
            with conn.transaction("\ud800"):
                raise AssertionError
        with pytest.raises(psycopg3.Error, match="NUL"):
            conn.listen("a\0b", print)
        conn.execute("set client_encoding to sql_ascii")
        with pytest.raises(psycopg3.ProgrammingError, match="is ascii to Python"):
            conn.listen("ü", print)
        with pytest.raises(psycopg3.ProgrammingError, match="is ascii to Python"):
            with conn.transaction("ü"):
                raise AssertionError
        assert conn.execute("select 1").fetchone() == (1,)

    def test_an_encoding_that_python_lacks(self, conn, other):
        """What can't be decoded is replaced, and the operation succeeds."""
        told = []
        conn.set_autocommit(True)
        conn.listen("ears", told.append)
        conn.execute("set client_encoding to euc_tw")
        notify(other, "x")
        conn.execute(b"select 1")
        assert [n.payload for n in told] == ["x"]

    def test_removing_what_was_not_added(self, conn):
        for kind in ("notice", "notify", "close"):
            with pytest.raises(
                ValueError, match=f"got <built-in .* pass what .* add_{kind}_handler"
            ):
                getattr(conn, f"remove_{kind}_handler")(print)


def test_what_came_before_a_loss_is_given_first(ears, other):
    notify(other, "1", "2")
    other.execute("select pg_sleep(0.1)")  # a server that is to leave sends no more of them
    other.execute("select pg_terminate_backend(%s, 5000)", [ears.pgconn.backend_pid])
    other.execute("select pg_sleep(0.05)")  # on asyncio it is noticed meanwhile
    told = []
    with pytest.raises(errors.AdminShutdown):
        for news in ears.notifies():
            told.append(news.payload)
    assert told == ["1", "2"]


def test_listeners_hear_what_came_before_a_loss(ears, other):
    told = []
    ears.listen("ears", lambda news: told.append(news.payload))
    notify(other, "1", "2")
    other.execute("select pg_sleep(0.1)")  # a server that is to leave sends no more of them
    other.execute("select pg_terminate_backend(%s, 5000)", [ears.pgconn.backend_pid])
    with pytest.raises(errors.AdminShutdown):
        ears.execute("select 1")
    assert told == ["1", "2"]
