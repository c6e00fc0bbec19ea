"""The proxy itself: what it passes, stalls, cuts and delays."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import psycopg3
from tests.faults.proxy import Proxy, _Way
from tests.listeners import exactly


@pytest.fixture(params=["tcp", "unix"])
def echo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Proxy]:
    """A proxy before a server that says what it hears."""
    if request.param == "tcp":
        server = socket.create_server(("127.0.0.1", 0))
        target = server.getsockname()[:2]
    else:
        target = str(tmp_path / "socket")
        server = socket.socket(socket.AF_UNIX)
        server.bind(target)
        server.listen()

    def talk(sock: socket.socket) -> None:
        with sock:
            try:
                while data := sock.recv(65536):
                    sock.sendall(data)
            except OSError:
                pass

    def listen() -> None:
        while True:
            try:
                sock, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(sock,), daemon=True).start()

    threading.Thread(target=listen, daemon=True).start()
    with server, Proxy(target) as proxy:
        yield proxy
        server.shutdown(socket.SHUT_RDWR)


def client(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), 5)


def silent(sock: socket.socket, seconds: float = 0.1) -> bool:
    """Whether nothing comes for so long."""
    sock.settimeout(seconds)
    try:
        sock.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(5)
    return False


def test_it_passes_all(echo: Proxy) -> None:
    data = bytes(range(256)) * 8192  # more than all buffers hold
    with client(echo) as sock:
        threading.Thread(target=sock.sendall, args=(data,)).start()
        assert exactly(sock, len(data)) == data
        echo.thaw()  # an order comes between two pieces: none is half counted then
        assert echo.passed == {"client": len(data), "server": len(data)}
        assert (echo.taken, echo.open) == (1, 1)


def test_the_end_of_a_client_is_passed(echo: Proxy) -> None:
    with client(echo) as sock:
        sock.sendall(b"last words")
        sock.shutdown(socket.SHUT_WR)
        assert exactly(sock, 10) == b"last words"
        assert sock.recv(1) == b""
    deadline = time.monotonic() + 5
    while echo.open and time.monotonic() < deadline:
        time.sleep(0.01)
    assert echo.open == 0


def test_freeze_and_thaw(echo: Proxy) -> None:
    with client(echo) as sock:
        echo.freeze()
        sock.sendall(b"later")
        assert silent(sock)
        with client(echo) as other:
            other.sendall(b"me too")
            assert silent(other)
            echo.thaw()
            assert exactly(sock, 5) == b"later"
            assert exactly(other, 6) == b"me too"


def test_stall(echo: Proxy) -> None:
    with client(echo) as sock:
        echo.stall()
        sock.sendall(b"later")
        assert silent(sock)
        with client(echo) as other:
            other.sendall(b"now")
            assert exactly(other, 3) == b"now"
        echo.thaw()
        assert exactly(sock, 5) == b"later"
        assert echo.openings == [b"now", b"later"]


def test_freeze_after_some_bytes(echo: Proxy) -> None:
    with client(echo) as sock:
        echo.freeze(after=3, to="client")
        sock.sendall(b"12345")
        assert exactly(sock, 3) == b"123"
        assert silent(sock)
        echo.thaw()
        assert exactly(sock, 2) == b"45"


@pytest.mark.parametrize("after", [None, 0, 4])
def test_reset(echo: Proxy, after: int | None) -> None:
    with client(echo) as sock:
        sock.sendall(b"first")
        assert exactly(sock, 5) == b"first"
        echo.reset(after=after, to="client")
        if after is not None:
            sock.sendall(b"second")
            assert exactly(sock, after) == b"second"[:after]
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
        assert echo.passed["client"] == 5 + (after or 0)


@pytest.mark.parametrize("after", [None, 4])
def test_finish(echo: Proxy, after: int | None) -> None:
    with client(echo) as sock:
        sock.sendall(b"first")
        assert exactly(sock, 5) == b"first"
        echo.finish(after=after, to="server")
        if after is not None:
            sock.sendall(b"second")
            assert echo.passed["client"] == 5
        data = b""
        while piece := sock.recv(100):
            data += piece
        assert data in (b"", b"seco")


def test_a_cut_before_the_server_hears(echo: Proxy) -> None:
    with client(echo) as sock:
        echo.reset(after=0, to="server")
        assert silent(sock)
        sock.sendall(b"unheard")
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
        assert echo.passed["server"] == 0


def test_delay(echo: Proxy) -> None:
    with client(echo) as sock:
        echo.delay = 0.1
        begin = time.monotonic()
        sock.sendall(b"slow")
        assert exactly(sock, 4) == b"slow"
        assert 0.2 <= time.monotonic() - begin < 0.5


def test_fragments(echo: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    # How many of them a recv() gathers is the system's affair: what counts is what was sent.
    pieces = []
    give = _Way.give

    def observed(way: _Way, data: bytes) -> int:
        pieces.append(len(data))
        return give(way, data)

    with client(echo) as sock:
        echo.fragments = True
        monkeypatch.setattr(_Way, "give", observed)
        sock.sendall(b"x" * 500)
        assert exactly(sock, 500) == b"x" * 500
    assert pieces == [1] * len(pieces)


def test_newcomers(echo: Proxy) -> None:
    with client(echo) as sock:
        echo.newcomers("mute")
        with client(echo) as other:
            other.sendall(b"hello")
            assert silent(other)
        echo.newcomers("reset")
        with pytest.raises(ConnectionResetError), client(echo) as other:
            other.recv(1)
        echo.newcomers("refuse")
        with pytest.raises(ConnectionRefusedError):
            client(echo)
        echo.newcomers("pass")
        with client(echo) as other:
            other.sendall(b"hello")
            assert exactly(other, 5) == b"hello"
        sock.sendall(b"hello")
        assert exactly(sock, 5) == b"hello"


def test_closing_leaves_nothing(echo: Proxy) -> None:
    with client(echo) as sock:
        sock.sendall(b"hello")
        assert exactly(sock, 5) == b"hello"
        echo.freeze()
        echo.close()
        assert sock.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            client(echo)
        echo.close()


def test_postgres_behind_it(dsn: str, proxy: Proxy) -> None:
    proxy.fragments = True
    with psycopg3.connect(proxy.dsn(dsn)) as conn:
        cur = conn.execute("select n, repeat('x', 100) from generate_series(1, 20) n")
        assert cur.fetchall() == [(n, "x" * 100) for n in range(1, 21)]
    assert proxy.taken == 1


def test_a_cancel_request_is_a_newcomer(dsn: str, proxy: Proxy) -> None:
    with psycopg3.connect(proxy.dsn(dsn), autocommit=True) as conn:
        timer = threading.Timer(0.1, conn.cancel)
        timer.start()
        with pytest.raises(psycopg3.errors.QueryCanceled):
            conn.execute("select pg_sleep(30)")
        timer.join()
        assert proxy.taken == 2
        proxy.newcomers("refuse")
        with pytest.raises(psycopg3.OperationalError, match="cancel"):
            conn.cancel()
