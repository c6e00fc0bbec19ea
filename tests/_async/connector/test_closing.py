"""Relayed links of connectors: what they hold, and how they end."""

from __future__ import annotations

import gc
import struct
import threading
import time
import warnings
import weakref

import pytest

import psycopg3
from psycopg3 import AsyncConnection, errors
from tests import listeners
from tests._async.connector.checks import (
    NAME,
    closed,
    descriptors,
    peak,
    settled,
)
from tests.connectors import Opens, tasks
from tests.listeners import Listener
from tests.marks import counts_references

pytestmark = pytest.mark.anyio


class TestRelays:
    @pytest.mark.slow
    async def test_links_that_are_slow_to_close(self, secure, params):
        """Nobody waits for what a user's object does in its close(), beyond LINGER."""
        made = []

        def make(host, port):
            made.append(tasks.SlowToClose(Opens((secure.host, secure.port))(host, port)))
            return made[-1]

        params["sslmode"] = "disable"
        connector = tasks.making(make)
        conn = await AsyncConnection.connect(**params, connector_factory=connector)
        begin = time.monotonic()
        with pytest.raises(errors.QueryTimeout):
            await conn.execute("select pg_sleep(20)", timeout=0.3)
        assert time.monotonic() - begin < 1.5
        begin = time.monotonic()
        await conn.close()
        assert time.monotonic() - begin < 1.7
        with Listener(listeners.mute) as mute:

            def make_mute(host, port):
                made.append(tasks.SlowToClose(Opens(("127.0.0.1", mute.port))(host, port)))
                return made[-1]

            begin = time.monotonic()
            with pytest.raises(errors.ConnectionTimeout):
                await AsyncConnection.connect(
                    **params, timeout=0.3, connector_factory=tasks.making(make_mute)
                )
            assert time.monotonic() - begin < 1.5
        # Refused, and given up: that takes no time either.
        late = tasks.SlowToClose(Opens((secure.host, secure.port))(NAME, 1))
        begin = time.monotonic()
        with pytest.raises(psycopg3.ProgrammingError):
            await AsyncConnection.connect(sock=late, no_such_option=1)
        assert time.monotonic() - begin < 1
        # But closed it is.
        for link in [*made, late]:
            assert await closed(link._sock), link

    async def test_copies_that_nobody_reads(self, secure, params, conn):
        # The server sends 100 MB to a client that doesn't read: the relay must not hold them.
        params["sslmode"] = "disable"
        for kind in tasks.kinds("relayed"):
            connector = tasks.connector(Opens((secure.host, secure.port)), kind)
            mine = await AsyncConnection.connect(**params, connector_factory=connector)
            # The lock keeps what listens to an idle connection from reading.
            async with mine, mine.lock:
                query = b"copy (select repeat('x', 1000) from generate_series(1, 1e5)) to stdout"
                mine.pgconn.send_query(query)
                before = peak()
                await tasks.pause(0.4)
                assert peak() - before < 16_000, kind
                mine.terminate()

    async def test_the_server_s_last_words(self, secure, params):
        for kind in tasks.kinds("relayed"):
            connector = tasks.connector(Opens((secure.host, secure.port)), kind)
            async with (
                await AsyncConnection.connect(**params, connector_factory=connector) as mine,
                await AsyncConnection.connect(**params, connector_factory=connector) as other,
            ):
                await other.execute(
                    "select pg_terminate_backend(%s, 5000)", [mine.info.backend_pid]
                )
                with pytest.raises(errors.AdminShutdown):
                    for _ in range(2):
                        await mine.execute("select 1")
                assert mine.broken

    async def test_a_goodbye_is_passed_on(self, params):
        told = []

        def talk(sock):
            listeners.startup(sock)
            listeners.send(sock, b"R", struct.pack("!i", 0))
            listeners.send(sock, b"K", struct.pack("!ii", 1, 2))
            listeners.send(sock, b"Z", b"I")
            while data := sock.recv(1000):
                told.append(data)

        with Listener(talk) as server:
            for kind in tasks.kinds("relayed"):
                told.clear()
                connector = tasks.connector(Opens(("127.0.0.1", server.port)), kind)
                mine = await AsyncConnection.connect(
                    **params, gssencmode="disable", connector_factory=connector
                )
                await mine.close()
                assert server.ended.acquire(timeout=3)
                assert told == [b"X\0\0\0\4"], kind

    async def test_dropped_without_close(self, opens, params, conn, monkeypatch):
        told = []  # not the warnings themselves, which keep the connection alive
        running = threading.active_count()
        params["sslmode"] = "disable"
        for kind in tasks.kinds("relayed"):
            connector = tasks.connector(opens, kind)
            # The first time, an event loop may open descriptors of its own.
            async with await AsyncConnection.connect(**params, connector_factory=connector):
                pass
            before = await descriptors()
            mine = await AsyncConnection.connect(**params, connector_factory=connector)
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                monkeypatch.setattr(warnings, "showwarning", lambda m, *_: told.append(str(m)))
                del mine
                gc.collect()
                assert await settled(before) == 0, kind
            assert "deleted while still open" in told.pop() and not told, kind
        deadline = time.monotonic() + 3
        while threading.active_count() > running and time.monotonic() < deadline:
            await tasks.pause(0.02)
        assert threading.active_count() <= running

    @counts_references
    @pytest.mark.filterwarnings("ignore:.*deleted while still open")
    async def test_dropped_it_is_in_no_cycle(self, opens, params):
        for kind in tasks.kinds("plain"):
            gc.collect()
            gc.disable()
            try:
                connector = tasks.connector(opens, kind)
                mine = await AsyncConnection.connect(**params, connector_factory=connector)
                known = weakref.ref(mine.pgconn)
                del mine
                await tasks.pause(0.01)
                assert known() is None, kind
            finally:
                gc.enable()

    @pytest.mark.slow
    async def test_a_frozen_peer_does_not_keep_it(self, params):
        # What is on its way to a server that reads no more can't hold up a close.
        go = threading.Event()

        def talk(sock):
            listeners.startup(sock)
            listeners.send(sock, b"R", struct.pack("!i", 0))
            listeners.send(sock, b"K", struct.pack("!ii", 1, 2))
            listeners.send(sock, b"Z", b"I")
            go.wait(20)

        with Listener(talk) as server:
            for kind in tasks.kinds("relayed"):
                connector = tasks.connector(Opens(("127.0.0.1", server.port)), kind)
                mine = await AsyncConnection.connect(
                    **params, gssencmode="disable", cancel_timeout=0.3, connector_factory=connector
                )
                begin = time.monotonic()
                with pytest.raises(errors.QueryTimeout):
                    await mine.execute("select %s", ["x" * 30_000_000], timeout=0.3)
                await mine.close()
                assert time.monotonic() - begin < 3, kind
                deadline = time.monotonic() + 3
                while not mine._route.relay.finished and time.monotonic() < deadline:
                    await tasks.pause(0.02)
                assert mine._route.relay.finished, kind
            go.set()
