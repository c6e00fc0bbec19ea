"""What libpq will read is seen, and left for it: on plain links and under TLS."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time

import pytest

import psycopg3
from psycopg3.pq import ConnStatus, PGconn, PollingStatus, views
from psycopg3.pq.views import PlainView, TlsView, view_of
from psycopg3.testing import certificates
from tests import listeners
from tests.faults import scripted
from tests.listeners import Listener

READING, FAILED = PollingStatus.READING, PollingStatus.FAILED


@pytest.fixture
def orders():
    """Gives a server orders: bytes to send, None to leave."""
    return Orders()


class Orders:
    def __init__(self):
        self.given = threading.Semaphore(0)
        self.order: bytes | None = b""
        self.done = threading.Semaphore(0)

    def __call__(self, sock: socket.socket) -> None:
        listeners.startup(sock)
        while True:
            self.given.acquire(timeout=10)
            if self.order is None:
                self.done.release()
                return
            sock.sendall(self.order)
            self.done.release()

    def give(self, order: bytes | None) -> None:
        self.order = order
        self.given.release()
        assert self.done.acquire(timeout=10)


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return scripted.context(tmp_path_factory.mktemp("tls"))


def started(port: int, sslmode: str, until: ConnStatus = ConnStatus.AWAITING_RESPONSE) -> PGconn:
    """A connection that has sent its startup message."""
    conninfo = f"host=127.0.0.1 port={port} user=me gssencmode=disable sslmode={sslmode}"
    pgconn = PGconn.connect_start(conninfo.encode())
    asks = PollingStatus.WRITING
    while pgconn.status != until:
        assert asks != FAILED, pgconn.get_error_message()
        wait(pgconn, asks)
        asks = pgconn.connect_poll()
    return pgconn


def wait(pgconn: PGconn, asks: PollingStatus = READING) -> None:
    reading, writing = ([pgconn.socket], []) if asks == READING else ([], [pgconn.socket])
    assert any(select.select(reading, writing, [], 5)), "nothing came"


def seen(view: views.View, pgconn: PGconn) -> bytes:
    """What is to be read, behind records of TLS that are of TLS's own concern."""
    while (data := view.peek()) is None:
        wait(pgconn)
    assert view.peek() == data
    return data


@pytest.fixture
def plain(orders):
    with Listener(orders) as server:
        pgconn = started(server.port, "disable")
        yield pgconn
        pgconn.finish()


@pytest.fixture
def encrypted(orders, tls):
    with Listener(scripted.encrypted(orders, tls)) as server:
        try:
            pgconn = started(server.port, "require")
        except psycopg3.Error as ex:
            pytest.skip(str(ex))
        yield pgconn
        pgconn.finish()


class TestPlain:
    def test_is_left_for_libpq(self, plain, orders):
        view = view_of(plain)
        assert isinstance(view, PlainView)
        assert view.peek() is None
        orders.give(b"HTTP/1.1 400 Bad Request")
        wait(plain)
        assert seen(view, plain) == b"HTTP/1.1 400 Bad Request"
        assert not view.ended()
        assert plain.connect_poll() == FAILED
        assert "received H" in plain.get_error_message()

    def test_grows(self, plain, orders):
        view = view_of(plain)
        orders.give(b"R\0")
        wait(plain)
        assert view.peek() == b"R\0"
        orders.give(b"\0\0")
        assert view.peek() == b"R\0\0\0"

    def test_end(self, plain, orders):
        view = view_of(plain)
        orders.give(None)
        wait(plain)
        assert view.peek() == b""
        assert plain.connect_poll() == FAILED

    def test_end_behind_something(self, plain, orders):
        view = view_of(plain)
        orders.give(b"R\0")
        assert not view.ended()
        orders.give(None)
        deadline = time.monotonic() + 5
        while not view.ended():
            assert time.monotonic() < deadline
        assert view.peek() == b"R\0"

    def test_a_default_timeout_is_of_no_matter(self, plain):
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(5)
        try:
            assert view_of(plain).peek() is None
        finally:
            socket.setdefaulttimeout(before)

    def test_descriptors(self, plain):
        view = view_of(plain)
        number = view.peek() or plain.socket
        for _ in range(100):
            view.peek()
        with socket.socket() as other:
            assert other.fileno() < number + 20


class TestTls:
    def test_is_left_for_libpq(self, encrypted, orders):
        view = view_of(encrypted)
        assert isinstance(view, TlsView)
        assert view.peek() is None
        orders.give(b"HTTP/1.1 400 Bad Request")
        assert seen(view, encrypted) == b"HTTP/1.1 400 Bad Request"
        assert encrypted.connect_poll() == FAILED
        assert "received H" in encrypted.get_error_message()

    def test_record_by_record(self, encrypted, orders):
        view = view_of(encrypted)
        orders.give(b"R\0\0\0\x0c")
        orders.give(b"\0\0\0\5salt")
        assert seen(view, encrypted) == b"R\0\0\0\x0c"
        assert encrypted.connect_poll() == READING
        assert seen(view, encrypted) == b"\0\0\0\5salt"

    def test_end(self, encrypted, orders):
        view = view_of(encrypted)
        orders.give(None)
        try:
            assert seen(view, encrypted) == b""
        except psycopg3.OperationalError as ex:  # OpenSSL 3, unless it is told that this is usual
            assert str(ex) == "SSL error: unexpected eof while reading"
        assert encrypted.connect_poll() == FAILED

    def test_libpq_s_own_openssl_is_clean_afterwards(self, encrypted, orders):
        view_of(encrypted).peek()
        assert views._openssl().ERR_get_error() == 0

    def test_an_alert_is_told(self, tmp_path, tls):
        """A server that wants a certificate says so when the client's part is over."""
        strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        files = certificates.make(tmp_path)
        strict.load_cert_chain(files.certificate, files.key)
        strict.load_verify_locations(files.certificate)
        strict.verify_mode = ssl.CERT_REQUIRED
        with Listener(scripted.encrypted(scripted.Scram(), strict)) as server:
            conninfo = f"host=127.0.0.1 port={server.port} user=me sslmode=require sslcert=/none"
            with pytest.raises(psycopg3.OperationalError) as caught:
                psycopg3.connect(conninfo)
        if "support is not compiled in" in str(caught.value):
            pytest.skip(str(caught.value))
        place = f'connection to server at "127.0.0.1", port {server.port} failed: '
        assert str(caught.value).startswith(place + "SSL error: ")
        assert "certificate required" in str(caught.value)


class TestNoView:
    def test_gssapi(self, plain, monkeypatch):
        monkeypatch.setattr(PGconn, "gss_encrypted", True)
        assert view_of(plain) is None

    def test_openssl_that_is_not_to_be_found(self, encrypted, monkeypatch):
        monkeypatch.setattr(views, "_openssl", lambda: None)
        assert view_of(encrypted) is None

    def test_another_library(self, encrypted, monkeypatch):
        monkeypatch.setattr(views._openssl(), "PQsslStruct", lambda *args: None)
        assert view_of(encrypted) is None
