# Generated from tests/_async/test_relays.py by `python tools/unasync.py`: edit that file, not this one.
"""Relays, of each kind that there is: how much they hold, how they end, what they leave behind."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from contextlib import closing

import pytest

import psycopg3
from psycopg3 import Connection
from psycopg3.dialing.adoption import shared_reservation
from psycopg3.pq import ExecStatus
from tests import listeners
from tests.connectors import Opens, threads, upgrading
from tests.listeners import Listener

pytestmark = pytest.mark.anyio

NAME = "db.example.test"
MB = 1024


@pytest.fixture
def params():
    """How to sign in at a server that takes everybody."""
    shared_reservation()  # its descriptor serves all connections
    place = {"host": NAME, "user": "postgres", "dbname": "postgres"}
    return place | {"sslmode": "disable", "gssencmode": "disable", "autocommit": True}


@pytest.fixture
def opens(cluster, dsn):
    if not cluster.owned:
        pytest.skip("needs a server of our own")
    return Opens((cluster.host, cluster.port))


def peak():
    """The most memory that this process has had, in kB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def soon(condition, seconds=3):
    """Whether something comes true."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        threads.pause(0.01)
    return condition()


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def greet(sock):
    """Let a client in."""
    listeners.startup(sock)
    listeners.send(sock, b"R", struct.pack("!i", 0))
    listeners.send(sock, b"S", b"client_encoding\0UTF8\0")
    listeners.send(sock, b"K", struct.pack("!ii", 1, 2))
    listeners.send(sock, b"Z", b"I")


def at_will(*answers):
    """A server that lets everybody in, and has an answer to each query: a function of the socket."""

    def talk(sock):
        greet(sock)
        for answer in answers:
            if not (heard := sock.recv(65536)):
                return
            while not (heard.endswith(b"S\0\0\0\4") or heard[:1] == b"Q"):
                heard += sock.recv(65536)
            answer(sock)
        listeners.mute(sock)

    return talk


def row_of(size, sock):
    """Send the head of a result, and a row's."""
    listeners.send(sock, b"1", b"")
    listeners.send(sock, b"2", b"")
    listeners.send(sock, b"T", b"\0\1x\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0))
    sock.sendall(b"D" + struct.pack("!ihi", size + 10, 1, size))


class TestFlow:
    @pytest.mark.parametrize("size", [20, pytest.param(100, marks=pytest.mark.slow)])
    def test_a_server_that_reads_nothing(self, params, size):
        """What is on its way to it waits in libpq: a relay doesn't take it."""
        over, conns = threading.Event(), []

        def freeze(sock):
            greet(sock)
            over.wait(20)

        with Listener(freeze) as server:
            opens = Opens(("127.0.0.1", server.port))
            for kind in threads.kinds("relayed"):
                conn = Connection.connect(
                    **params, connector_factory=threads.connector(opens, kind)
                )
                # The lock keeps what listens to an idle connection from reading.
                with conn.lock:
                    conn.pgconn.send_query_params(b"select $1", [b"x" * size * 1_000_000])
                    before = peak()
                    for _ in range(40):
                        left = conn.pgconn.flush()
                        threads.pause(0.01)
                    assert left, kind  # or all would have gone into the relay
                    assert peak() - before < 8 * MB, kind
                conn.terminate()
                conns.append(conn)
            over.set()
            # uvloop may refuse to close with much under way.
            assert soon(lambda: all(conn._route.relay.finished for conn in conns))

    @pytest.mark.slow
    def test_a_client_that_reads_slowly(self, opens, params):
        """100 MB arrive, as fast as they are read; a relay holds little of them."""
        for kind in threads.kinds("relayed"):
            connector = threads.connector(opens, kind)
            conn = Connection.connect(**params, connector_factory=connector)
            # The lock keeps what listens to an idle connection from reading.
            with conn.lock:
                conn.pgconn.send_query(
                    b"copy (select repeat('x', 999) from generate_series(1, 1e5)) to stdout"
                )
                while conn.pgconn.is_busy():
                    threads.pause(0.001)
                    conn.pgconn.consume_input()
                assert conn.pgconn.get_result().status == ExecStatus.COPY_OUT
                before, got, size = 0, 0, 0
                while size >= 0:
                    size, data = conn.pgconn.get_copy_data(1)
                    if size == 0:
                        threads.pause(0.001)
                        conn.pgconn.consume_input()
                    got += len(data or b"")
                    if got > 5_000_000 and not before:
                        before = peak()
                assert got == 100_000_000, kind
                assert peak() - before < 16 * MB, kind
            conn.terminate()
            assert soon(lambda conn=conn: conn._route.relay.finished), kind

    def test_many_queries_at_once(self, opens, params):
        for kind in threads.kinds("relayed"):
            connector = threads.connector(opens, kind)
            with (
                Connection.connect(**params, connector_factory=connector) as conn,
                conn.cursor() as cur,
            ):
                cur.execute("create temp table t (n int, s text)")
                rows = [(number, "x" * 3000) for number in range(2000)]
                cur.executemany("insert into t values (%s, %s)", rows)
                cur.execute("select count(*), sum(length(s)) from t")
                assert cur.fetchone() == (2000, 6_000_000), kind


class TestEnds:
    def test_a_half_close(self, params):
        """A server that says its last words and no more: they arrive, then the end; and it hears us."""
        told = []

        def last_words(sock):
            row_of(3_000_000, sock)
            sock.sendall(b"x" * 3_000_000)
            listeners.send(sock, b"C", b"SELECT 1\0")
            listeners.send(sock, b"Z", b"I")
            sock.shutdown(socket.SHUT_WR)
            while data := sock.recv(1000):
                told.append(data)

        with Listener(at_will(last_words)) as server:
            opens = Opens(("127.0.0.1", server.port))
            for kind in threads.kinds("relayed"):
                conn = Connection.connect(
                    **params, connector_factory=threads.connector(opens, kind)
                )
                cur = conn.execute("select 1")
                assert len(cur.fetchone()[0]) == 3_000_000, kind
                with pytest.raises(psycopg3.OperationalError):
                    for _ in range(2):
                        conn.execute("select 1")
                conn.close()
                assert server.ended.acquire(timeout=3), kind
                assert soon(lambda conn=conn: conn._route.relay.finished), kind

    def test_a_reset_in_the_middle_of_a_result(self, params):
        def reset(sock):
            row_of(3_000_000, sock)
            sock.sendall(b"x" * 1_000_000)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()

        with Listener(at_will(reset)) as server:
            opens = Opens(("127.0.0.1", server.port))
            for kind in threads.kinds("relayed"):
                conn = Connection.connect(
                    **params, connector_factory=threads.connector(opens, kind)
                )
                begin = time.monotonic()
                with pytest.raises(psycopg3.OperationalError):
                    conn.execute("select 1")
                assert time.monotonic() - begin < 3, kind
                assert conn.broken, kind
                conn.close()
                assert soon(lambda conn=conn: conn._route.relay.finished), kind

    @pytest.mark.parametrize("times", [5, pytest.param(1000, marks=pytest.mark.slow)])
    @pytest.mark.timeout(600)
    def test_nothing_is_left(self, opens, params, times):
        """No descriptor, no thread, no task, of so many connections."""
        for kind in [*threads.kinds("plain"), *threads.kinds("relayed")]:
            connector = threads.connector(opens, kind)
            for round in range(-3, times):
                if round == 0:
                    threads.pause(0.2)
                    before = descriptors(), threads.loose_ends()
                with Connection.connect(**params, connector_factory=connector) as conn:
                    conn.execute("select 1")

            def settled(before=before):
                return descriptors() <= before[0] and threads.loose_ends() <= before[1]

            assert soon(settled), (kind, before, descriptors(), threads.loose_ends())


class TestTcp:
    def test_options(self, secure):
        """They are set on the connection below a relay."""
        opens = Opens((secure.host, secure.port))
        import ssl

        context = ssl.create_default_context(cafile=str(secure.ca_file))
        signing_in = {"host": NAME, "user": "postgres", "dbname": "postgres"}
        signing_in |= {"password": secure.password, "keepalives_idle": 77}
        ways = [
            {"connector_factory": threads.connector(opens, "subclass")},
            {"connector_factory": threads.connector(upgrading(opens)), "ssl": context},
        ]
        for way in ways:
            with Connection.connect(**signing_in, **way) as conn:
                assert conn._route.relay is not None
                with closing(socket.socket(fileno=os.dup(opens.sockets[-1]))) as sock:
                    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 77
                    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
