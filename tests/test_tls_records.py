"""TLS records longer than libpq's read: what is left in OpenSSL makes no socket readable.

The servers are scripted, since PostgreSQL's own records are mostly short; those of poolers aren't.
"""

from __future__ import annotations

import select
import ssl
import struct
import threading
import time

import anyio
import pytest

import psycopg3
from psycopg3.generators import connect_gen, execute_gen, notifies_gen
from psycopg3.session.exchange import Exchange
from psycopg3.testing import certificates
from psycopg3.waiting import Ready, Wait, wait_async, wait_select, wait_trio
from tests.listeners import Listener, exactly, send
from tests.settling import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not certificates.can_make(), reason="needs the program openssl"),
]

RECORD = 16_384  # the longest that there is
PIECE = 8_000  # with so much of a message in libpq's buffer of 16 kB, a record doesn't fit


def message(kind, body):
    return kind + struct.pack("!i", len(body) + 4) + body


def notification(size):
    payload = b"x" * (size - 15)
    return message(b"A", struct.pack("!i", 7) + b"ears\0" + payload + b"\0")


NOTIFICATIONS = b"".join(map(notification, (8_010, 5_000, 5_000, 3_000, 3_374)))
assert len(NOTIFICATIONS) == PIECE + RECORD


def rows(size):
    """The answer to a query: a column of texts, in all so many bytes."""
    column = b"c\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0)
    end = message(b"C", b"SELECT 3\0") + message(b"Z", b"I")
    head = message(b"T", struct.pack("!h", 1) + column)
    value = b"x" * ((size - len(head) - len(end)) // 3 - 11)
    data = message(b"D", struct.pack("!hi", 1, len(value)) + value)
    filler = size - len(head) - 3 * len(data) - len(end)
    last = struct.pack("!hi", 1, len(value) + filler) + value + b"y" * filler
    return head + data + data + message(b"D", last) + end


class Server(Listener):
    """A server with TLS; a test tells it what to send, record by record."""

    def __init__(self, files):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(files.certificate, files.key)
        self.link = None
        self.asked = threading.Event()
        self.turn = threading.Lock()
        super().__init__(self.talk)

    def talk(self, sock):
        assert exactly(sock, 8) == struct.pack("!ii", 8, 80877103)
        sock.sendall(b"S")
        with self.context.wrap_socket(sock, server_side=True) as link:
            (length,) = struct.unpack("!i", exactly(link, 4))
            exactly(link, length - 4)
            send(link, b"R", struct.pack("!i", 0))
            for name, value in {"server_version": "16.0", "client_encoding": "UTF8"}.items():
                send(link, b"S", f"{name}\0{value}\0".encode())
            send(link, b"K", struct.pack("!ii", 1, 2))
            self.link = link
            send(link, b"Z", b"I")
            while self.hears():
                self.asked.set()

    def hears(self):
        """Wait for a message of the client, which has one in each record; False at the end."""
        select.select([self.link], [], [])
        with self.turn:  # two threads in one TLS link at a time would be one too many
            return self.link.recv(RECORD)[:1] not in (b"", b"X")

    def put(self, data):
        """Send one record or more; threads take turns."""
        with self.turn:
            self.link.sendall(data)

    def tell(self, data):
        """Send a part of a message; when the client has taken it, a whole record."""
        assert len(data) == PIECE + RECORD
        self.put(data[:PIECE])
        time.sleep(0.1)
        self.put(data[PIECE:])

    def answer(self, data):
        """Tell `data` when a query has come."""

        def run():
            self.asked.wait(5)
            self.tell(data)

        threading.Thread(target=run, daemon=True).start()

    @property
    def dsn(self):
        return f"host=127.0.0.1 port={self.port} user=me sslmode=require gssencmode=disable"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return certificates.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server(files):
    with Server(files) as server:
        yield server


@pytest.fixture
def pgconn(server):
    pgconn = wait_select(connect_gen(server.dsn))
    yield pgconn
    pgconn.finish()


def test_results(server, pgconn):
    server.answer(rows(PIECE + RECORD))
    begin = time.monotonic()
    (result,) = wait_select(execute_gen(pgconn, b"select"))
    assert result.ntuples == 3
    assert time.monotonic() - begin < 2


async def test_results_async(server, anyio_backend):
    wait = wait_trio if anyio_backend[0] == "trio" else wait_async
    pgconn = await wait(connect_gen(server.dsn), 0.1)
    server.answer(rows(PIECE + RECORD))
    with anyio.fail_after(3):
        (result,) = await wait(execute_gen(pgconn, b"select"), None)
    assert result.ntuples == 3
    pgconn.finish()


NOTICE = message(b"N", b"SNOTICE\0VNOTICE\0C00000\0Mcome\0\0")
"""What is answered in a notice handler comes between the two reads of one step of `PGconn.advance`."""


def advance_gen(pgconn, results):
    ready = Ready.W
    while wanted := pgconn.advance(results, ready):
        ready = yield pgconn.socket, Wait(wanted)


class Interrupted:
    """A connection on which a record comes between the two reads after a wait, or after more."""

    def __init__(self, pgconn, come, reads=1):
        self._pgconn, self._come, self.armed = pgconn, come, reads

    def __getattr__(self, name):
        return getattr(self._pgconn, name)

    def consume_input(self):
        self._pgconn.consume_input()
        self.armed -= 1
        if not self.armed:
            self._come()


def test_results_that_come_between_two_reads(server, pgconn):
    """The second read itself leaves a rest: it is read after a silent interval."""
    data = rows(PIECE + RECORD)
    pgconn.send_query(b"select")
    pgconn.flush()
    assert server.asked.wait(5)
    server.put(NOTICE + data[:PIECE])
    came = []

    def come(notice):
        came.append(notice)
        server.put(data[PIECE:])
        time.sleep(0.1)

    pgconn.notice_handler = come
    results = []
    begin = time.monotonic()
    wait_select(advance_gen(pgconn, results))
    assert [result.ntuples for result in results] == [3]
    assert len(came) == 1
    assert time.monotonic() - begin < 2


def test_a_copy_that_is_given_up(server, pgconn):
    head = message(b"H", b"\0\0\0")
    end = message(b"c", b"") + message(b"C", b"COPY 1\0") + message(b"Z", b"I")
    line = b"x" * (PIECE + RECORD - len(head) - len(end) - 5)
    server.answer(head + message(b"d", line) + end)
    exchange = Exchange(pgconn)
    pgconn.send_query(b"copy")
    begin = time.monotonic()
    wait_select(exchange.drain_gen())
    assert not exchange.needs_drain
    assert time.monotonic() - begin < 2


async def test_a_connection_has_intervals(server, monkeypatch):
    """On an asynchronous connection there are intervals although the query has no clock."""
    data = rows(PIECE + RECORD)
    conn = await psycopg3.connect_async(server.dsn, autocommit=True)

    def come(notice):
        server.put(data[PIECE:])
        time.sleep(0.1)

    def first():
        server.asked.wait(5)
        server.put(NOTICE + data[:PIECE])

    threading.Thread(target=first, daemon=True).start()
    conn.pgconn.notice_handler = come
    with anyio.fail_after(3):
        cur = await conn.execute("select")
    assert len(await cur.fetchall()) == 3
    await conn.close()


def test_notifies(server):
    with psycopg3.connect(server.dsn, autocommit=True) as conn:
        threading.Thread(target=server.tell, args=(NOTIFICATIONS,), daemon=True).start()
        begin = time.monotonic()
        assert len(list(conn.notifies(timeout=5, stop_after=5))) == 5
        assert time.monotonic() - begin < 2


async def test_notifies_async(server):
    async with await psycopg3.connect_async(server.dsn, autocommit=True) as conn:
        threading.Thread(target=server.tell, args=(NOTIFICATIONS,), daemon=True).start()
        with anyio.fail_after(3):
            assert len([n async for n in conn.notifies(stop_after=5)]) == 5


async def test_a_notification_that_comes_between_two_reads(server):
    data = notification(PIECE + RECORD)
    async with await psycopg3.connect_async(server.dsn, autocommit=True) as conn:

        def come():
            server.put(data[PIECE:])
            time.sleep(0.1)

        def first():
            conn.pgconn.armed = 1
            server.put(data[:PIECE])

        conn.pgconn = Interrupted(conn.pgconn, come)
        conn.pgconn.armed = 0  # until notifies() waits
        threading.Timer(0.2, first).start()
        with anyio.fail_after(3):
            assert len([n async for n in conn.notifies(stop_after=1)]) == 1


def test_notifies_that_are_there(server, pgconn):
    server.put(NOTIFICATIONS[:PIECE])
    time.sleep(0.1)
    assert wait_select(notifies_gen(pgconn, timeout=0)) == []
    server.put(NOTIFICATIONS[PIECE:])
    time.sleep(0.1)
    assert len(wait_select(notifies_gen(pgconn, timeout=0))) == 5


def test_notifies_that_were_left(server, pgconn):
    """What an operation before has left in OpenSSL is read before the first wait."""
    server.put(NOTIFICATIONS[:PIECE])
    time.sleep(0.1)
    pgconn.consume_input()
    server.put(NOTIFICATIONS[PIECE:])
    time.sleep(0.1)
    pgconn.consume_input()
    told = 0
    while pgconn.notifies() is not None:
        told += 1
    # Some libpqs leave nothing in OpenSSL, 17.11 for one: then these were all.
    told += len(wait_select(notifies_gen(pgconn, timeout=0.3)))
    assert told == 5


async def test_idle_between_two_reads(server, anyio_backend):
    if anyio_backend[0] == "trio":
        pytest.skip("only on asyncio does an idle connection hear")
    data, told = notification(PIECE + RECORD), []
    async with await psycopg3.connect_async(server.dsn, autocommit=True) as conn:
        conn.add_notify_handler(told.append)

        def come():
            server.put(data[PIECE:])
            time.sleep(0.1)

        conn.pgconn = Interrupted(conn.pgconn, come)
        server.put(data[:PIECE])
        with anyio.fail_after(3):
            while not told:
                await anyio.sleep(0.01)


async def test_idle_while_looking_for_a_rest(server, anyio_backend):
    """What was to take the rest of one record has begun another."""
    if anyio_backend[0] == "trio":
        pytest.skip("only on asyncio does an idle connection hear")
    told = []
    async with await psycopg3.connect_async(server.dsn, autocommit=True) as conn:
        conn.add_notify_handler(told.append)

        def come():
            server.put(NOTIFICATIONS[PIECE:])
            time.sleep(0.1)

        conn.pgconn = Interrupted(conn.pgconn, come, reads=3)
        server.put(NOTIFICATIONS[:PIECE])
        await until(lambda: len(told) == 5)


async def test_idle(server, anyio_backend):
    if anyio_backend[0] == "trio":
        pytest.skip("only on asyncio does an idle connection hear")
    told = []
    async with await psycopg3.connect_async(server.dsn, autocommit=True) as conn:
        conn.add_notify_handler(told.append)
        threading.Thread(target=server.tell, args=(NOTIFICATIONS,), daemon=True).start()
        await until(lambda: len(told) == 5)
