# Generated from tests/_async/test_notifies.py by `python tools/unasync.py`: edit that file, not this one.
"""Notifications: the iterator, the handlers, and listeners of a channel."""

from __future__ import annotations

import time

import pytest

import psycopg3
from psycopg3 import Connection, Notify

pytestmark = pytest.mark.anyio


@pytest.fixture
def ears(dsn):
    with Connection.connect(dsn, autocommit=True) as ears:
        ears.execute("listen ears")
        yield ears


def notify(conn, *payloads):
    for payload in payloads:
        conn.execute("select pg_notify('ears', %s)", [payload])


def test_the_example(ears, other):
    """The example of psycopg's documentation: stop when the payload says so."""
    notify(other, "hello", "hey", "stop")
    gen = ears.notifies()
    seen = []
    for each in gen:
        seen.append(each)
        if each.payload == "stop":
            gen.aclose()
    pid = other.pgconn.backend_pid
    assert seen == [Notify("ears", payload, pid) for payload in ("hello", "hey", "stop")]
    assert repr(seen[0]) == f"Notify(channel='ears', payload='hello', pid={pid})"


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
