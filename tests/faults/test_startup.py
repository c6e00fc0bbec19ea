"""Servers that mean ill while one connects: each attempt ends in time, by one clear error, for good."""

from __future__ import annotations

import os
import re
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.conninfo import rehearse
from psycopg3.pq import version
from tests import listeners
from tests.faults import scripted
from tests.faults.attempting import EACH, attempt, nothing_left
from tests.faults.running import World, settled
from tests.faults.scripted import (
    CLEARTEXT,
    GSS,
    MD5,
    OK,
    SASL,
    SASL_CONTINUE,
    SASL_FINAL,
    Scram,
    Talk,
    answer,
    ask,
    message,
)
from tests.listeners import Listener, exactly, startup

ERROR = b"SFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0\0"
HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"


def says(*data: bytes, pause: float = 0) -> Talk:
    """Say this to the startup message, and leave."""

    def talk(sock: socket.socket) -> None:
        startup(sock)
        for piece in data:
            sock.sendall(piece)
            time.sleep(pause)

    return talk


def stays(talk: Talk) -> Talk:
    """Do that, and stay in silence."""

    def talk_and_stay(sock: socket.socket) -> None:
        talk(sock)
        listeners.mute(sock)

    return talk_and_stay


def says_at_once(data: bytes) -> Talk:
    """Say this before anything was asked, and leave."""

    def talk(sock: socket.socket) -> None:
        sock.sendall(data)
        exactly(sock, 8)

    return talk


def to_ssl_request(data: bytes) -> Talk:
    """Say this when asked for TLS, and leave."""

    def talk(sock: socket.socket) -> None:
        scripted.code_of(sock)
        sock.sendall(data)

    return talk


def to_ssl_hello(data: bytes) -> Talk:
    """Agree to TLS, and then say this."""

    def talk(sock: socket.socket) -> None:
        scripted.code_of(sock)
        sock.sendall(b"S")
        sock.recv(4096)
        sock.sendall(data)
        listeners.mute(sock)

    return talk


def leaves(_: socket.socket) -> None:
    """Leave at once."""


def floods(data: bytes) -> Talk:
    """Let the client in, almost, and say that for ever."""

    def talk(sock: socket.socket) -> None:
        startup(sock)
        ask(sock, OK)
        while True:
            sock.sendall(data)

    return talk


def asked(*requests: bytes) -> bytes:
    """Requests for authentication."""
    return b"".join(message(b"R", request) for request in requests)


def code(number: int, body: bytes = b"") -> bytes:
    return struct.pack("!i", number) + body


def scram_step(body: Callable[[str], bytes], sasl_code: int = SASL_CONTINUE) -> Talk:
    """A server that answers the first message of SCRAM by what is made of the client's nonce."""

    def talk(sock: socket.socket) -> None:
        startup(sock)
        ask(sock, SASL, b"SCRAM-SHA-256\0\0")
        nonce = answer(sock).decode().rpartition("r=")[2]
        ask(sock, sasl_code, body(nonce))
        listeners.mute(sock)

    return talk


def half_a_challenge(sock: socket.socket) -> None:
    """A server that says SCRAM's first message but for its end."""
    startup(sock)
    ask(sock, SASL, b"SCRAM-SHA-256\0\0")
    nonce = answer(sock).decode().rpartition("r=")[2]
    whole = asked(code(SASL_CONTINUE, f"r={nonce}x,s=c2FsdHNhbHQ=,i=4096".encode()))
    sock.sendall(whole[:-3])
    listeners.mute(sock)


def wrong_signature(sock: socket.socket) -> None:
    """A server that does not know the password, and lets one in all the same."""
    startup(sock)
    ask(sock, SASL, b"SCRAM-SHA-256\0\0")
    nonce = answer(sock).decode().rpartition("r=")[2]
    ask(sock, SASL_CONTINUE, f"r={nonce}x,s=c2FsdHNhbHQ=,i=4096".encode())
    answer(sock)
    ask(sock, SASL_FINAL, b"v=" + b"A" * 43 + b"=")
    listeners.welcome(sock)


class Case(NamedTuple):
    """What a server does, the error that comes of it, and how one connects."""

    talk: Talk
    told: str
    params: dict[str, Any] | None = None
    libpq: int = 0


CLOSED = "closed the connection unexpectedly|Connection reset|SSL SYSCALL error|unexpected eof"
NO_MESSAGE = "expected authentication request|invalid authentication request|makes no sense"
LOST = f"lost synchronization|{CLOSED}"

AT_ONCE = {
    "leaves at once": Case(leaves, CLOSED),
    "leaves after the startup message": Case(says(), CLOSED),
    "resets": Case(listeners.reset, CLOSED),
    "speaks HTTP": Case(says(HTTP), "received H"),
    "speaks SSH": Case(says_at_once(b"SSH-2.0-OpenSSH_9.2\r\n"), "received S|" + CLOSED),
    "is no server of ours": Case(says(bytes(range(128, 255)) * 40), NO_MESSAGE),
    "says zeros": Case(says(bytes(5000)), NO_MESSAGE),
    "says an error": Case(says(message(b"E", ERROR)), "too many clients"),
    "says half an error": Case(says(message(b"E", ERROR)[:20]), CLOSED),
    "says half a request": Case(says(asked(code(MD5, b"salt"))[:7]), CLOSED),
    "says half a request, slowly": Case(says(b"R", b"\0\0", b"\0\x0c", pause=0.05), CLOSED),
    "says an old error": Case(says(b"Esomething of protocol 2\n\0"), "something of protocol 2"),
    "asks by a huge message": Case(says(b"R" + b"\x7f\xff\xff\xff" + bytes(100)), NO_MESSAGE),
    "asks by a negative message": Case(says(b"R" + b"\xff" * 4 + bytes(100)), NO_MESSAGE),
    "asks by an empty message": Case(says(b"R" + code(4) + bytes(100)), NO_MESSAGE),
    "asks for what nobody knows": Case(says(asked(code(99))), "99 not supported"),
    "asks for Kerberos 4": Case(says(asked(code(1))), "not supported"),
    "asks for MD5 without salt": Case(says(asked(code(MD5))), "password|" + NO_MESSAGE),
    "goes on with GSSAPI": Case(says(asked(code(GSS + 1, b"x"))), "."),
    "is ready without a word": Case(says(message(b"Z", b"I")), "received Z"),
    "speaks of settings first": Case(says(message(b"S", b"a\0b\0")), "received S"),
    "lets in and leaves": Case(says(asked(code(OK))), CLOSED),
    "lets in and says an error": Case(
        says(asked(code(OK)) + message(b"E", ERROR)), "too many clients"
    ),
    "lets in and speaks HTTP": Case(says(asked(code(OK)) + HTTP), "unexpected|" + LOST),
    "asks for a password in clear": Case(
        says(asked(code(CLEARTEXT))), "requirement.*failed", {"require_auth": "scram-sha-256"}, 16
    ),
    "asks for no password": Case(
        says(asked(code(OK))), "requirement.*failed", {"require_auth": "scram-sha-256"}, 16
    ),
    "asks for MD5": Case(
        says(asked(code(MD5, b"salt"))),
        "requirement.*failed",
        {"require_auth": "scram-sha-256"},
        16,
    ),
    "negotiates nonsense": Case(says(message(b"v", code(1))), "."),
    "negotiates down": Case(says(message(b"v", struct.pack("!ii", 2 << 16, 0))), "."),
    "negotiates and leaves": Case(says(message(b"v", struct.pack("!ii", 3 << 16, 0))), "."),
    "offers SASL without mechanisms": Case(says(asked(code(SASL, b"\0"))), "SASL|" + NO_MESSAGE),
    "offers an unknown mechanism": Case(says(asked(code(SASL, b"ROT13\0\0"))), "SASL"),
    "offers SASL without an end": Case(says(asked(code(SASL, b"SCRAM-SHA-256"))), "."),
    "goes on with SASL before it began": Case(
        says(asked(code(SASL_CONTINUE, b"r=x,s=x,i=4096"))), "SASL|" + NO_MESSAGE
    ),
    "ends SASL before it began": Case(says(asked(code(SASL_FINAL, b"v=x"))), "SASL|" + NO_MESSAGE),
    "has a nonce of its own": Case(scram_step(lambda _: b"r=x,s=c2FsdA==,i=4096"), "nonce"),
    "has no salt": Case(scram_step(lambda nonce: f"r={nonce}x,i=4096".encode()), "malformed SCRAM"),
    "has a bad salt": Case(
        scram_step(lambda nonce: f"r={nonce}x,s=%%%,i=4096".encode()),
        "malformed SCRAM|invalid salt",
    ),
    "asks for no iteration": Case(
        scram_step(lambda nonce: f"r={nonce}x,s=c2FsdA==,i=0".encode()), "malformed SCRAM"
    ),
    "asks for -1 iterations": Case(
        scram_step(lambda nonce: f"r={nonce}x,s=c2FsdA==,i=-1".encode()), "makes no sense"
    ),
    "says something else in SCRAM": Case(scram_step(lambda _: HTTP), "malformed SCRAM"),
    "asks for something else in SCRAM": Case(
        scram_step(lambda _: b"", 99), "makes no sense|99 not supported"
    ),
    "doesn't know the password": Case(wrong_signature, "incorrect server signature"),
    "asks for 2147483647 iterations": Case(Scram(2**31 - 1), "2147483647 iterations"),
    "asks for 5000000 iterations": Case(Scram(5_000_000), "5000000 iterations"),
    "asks for more than there are": Case(Scram(2**32 + 4096), "4294971392 iterations"),
    "begins the next message before its turn": Case(
        says(asked(code(SASL, b"SCRAM-SHA-256\0\0")) + b"XXXX"), "makes no sense"
    ),
}

TLS = {"sslmode": "require"}
CHALLENGE = b"r=x,s=c2FsdA==,i=4096"
BY_TLS = {
    "has no TLS": Case(to_ssl_request(b"N"), "does not support SSL", TLS),
    "is asked for TLS and leaves": Case(leaves, CLOSED, TLS),
    "agrees to TLS and leaves": Case(to_ssl_request(b"S"), "SSL", TLS),
    "agrees to TLS and fails": Case(to_ssl_hello(b"\x15\x03\x01\0\2\2\x28"), "alert|SSL", TLS),
    "agrees to TLS and speaks HTTP": Case(to_ssl_hello(HTTP), "SSL", TLS),
    "answers nonsense to TLS": Case(to_ssl_request(b"X"), "invalid response to SSL", TLS),
    "speaks HTTP to TLS": Case(to_ssl_request(HTTP), "invalid response to SSL", TLS),
    "stuffs bytes before TLS": Case(
        to_ssl_request(b"S" + message(b"E", ERROR)), "unencrypted data|SSL", TLS
    ),
}


STALLING: dict[str, Talk] = {
    "says nothing": listeners.mute,
    "says nothing to the startup message": stays(says()),
    "says half a header": stays(says(b"R\0")),
    "says half a request": stays(says(asked(code(MD5, b"salt"))[:7])),
    "says a request byte by byte": stays(
        says(*(bytes([byte]) for byte in asked(code(MD5, b"salt"))), pause=0.1)
    ),
    "says half an error": stays(says(message(b"E", ERROR)[:20])),
    "says an error of 2 GB": stays(says(b"E\x7f\xff\xff\xff" + b"x" * 1000)),
    "negotiates only": stays(says(message(b"v", struct.pack("!ii", 3 << 16, 0))[:8])),
    "offers SASL only": stays(says(asked(code(SASL, b"SCRAM-SHA-256\0\0")))),
    "offers SASL and says half a challenge": stays(
        says(asked(code(SASL, b"SCRAM-SHA-256\0\0")), asked(code(SASL_CONTINUE, CHALLENGE))[:20])
    ),
    "says half a challenge": half_a_challenge,
    "takes the proof": scram_step(lambda nonce: f"r={nonce}x,s=c2FsdA==,i=4096".encode()),
    "lets in only": stays(says(asked(code(OK)))),
    "lets in and says half a setting": stays(says(asked(code(OK)) + b"S\0\0")),
    "floods by settings": floods(message(b"S", b"a.b\0" + b"c" * 50 + b"\0") * 100),
    "floods by notices": floods(message(b"N", ERROR) * 100),
    "agrees to TLS only": stays(to_ssl_request(b"S")),
    "agrees to TLS and says half a record": stays(to_ssl_request(b"S\x16\x03")),
}


@pytest.fixture(params=EACH, ids=str)
def world(request: pytest.FixtureRequest) -> World:
    """Where one connects."""
    return request.param  # type: ignore[no-any-return]


def params(server: Listener, **kwargs: Any) -> dict[str, Any]:
    place = {"host": "127.0.0.1", "port": server.port, "user": "me", "dbname": "mine"}
    return (
        {"password": scripted.PASSWORD, "sslmode": "disable", "gssencmode": "disable"}
        | place
        | kwargs
    )


def has_tls() -> bool:
    try:
        rehearse(TLS)
    except psycopg3.OperationalError:
        return False
    return True


def fails(world: World, case: Case, within: float, **kwargs: Any) -> psycopg3.OperationalError:
    """One attempt fails as it should, and nothing of it is left; returns the error."""
    given = {"connect_timeout": 2, **(case.params or {}), **kwargs}
    if version() < case.libpq * 10000:
        pytest.skip(f"needs libpq {case.libpq}")
    if given.get("sslmode") and not has_tls():
        pytest.skip("this libpq has no TLS")
    with nothing_left(), Listener(case.talk) as server:
        found = attempt(world, **params(server, **given))
        assert isinstance(found.error, psycopg3.OperationalError), repr(found.error)
        assert re.search(case.told, str(found.error), re.DOTALL), str(found.error)
        assert scripted.PASSWORD not in str(found.error)
        assert found.own < within
        assert found.gap < found.tolerable
        assert server.taken == 1
        assert server.ended.acquire(timeout=3), "the connection is still open"
        return found.error


@pytest.mark.parametrize("name", [*AT_ONCE, *BY_TLS])
def test_ends_at_once(world: World, name: str) -> None:
    error = fails(world, (AT_ONCE | BY_TLS)[name], 1)
    assert not isinstance(error, errors.ConnectionTimeout)
    # The exception is still there, and what it holds is no connection.
    assert error.pgconn is None or error.pgconn.pgconn_ptr is None


@pytest.mark.slow
@pytest.mark.parametrize("name", STALLING)
def test_ends_in_time(world: World, name: str) -> None:
    case = Case(STALLING[name], "within 0.15 seconds", TLS if "TLS" in name else None)
    assert isinstance(fails(world, case, 1, timeout=0.15), errors.ConnectionTimeout)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["says nothing", "says half a challenge", "agrees to TLS only"])
def test_connect_timeout(world: World, name: str) -> None:
    case = Case(STALLING[name], "within 2 seconds", TLS if "TLS" in name else None)
    assert isinstance(fails(world, case, 2.5), errors.ConnectionTimeout)


def test_an_error_before_tls_is_not_the_server_s(world: World) -> None:
    """Whoever sits between may have said it: what it says is not shown (CVE-2024-10977)."""
    major, minor = divmod(version(), 10000)
    if minor < {14: 14, 15: 9, 16: 5, 17: 1}.get(major, 0):
        pytest.skip("this libpq is older than that")
    case = Case(to_ssl_request(message(b"E", ERROR)), "during SSL exchange", TLS)
    assert "too many clients" not in str(fails(world, case, 1))


def test_an_old_server_s_error_before_tls_is_not_trusted(world: World) -> None:
    case = Case(to_ssl_request(b"Esorry, too many clients already\n\0"), "SSL", TLS)
    assert "too many clients" not in str(fails(world, case, 1))


async def connected(world: World, **kwargs: Any) -> Any:
    """A connection."""
    return await settled(world.connect(**kwargs))


class TestCtrlC:
    """A thread hears it at once, though libpq computes, or part of a message is missing."""

    @pytest.mark.parametrize("name", ["says nothing", "says half a challenge"])
    def test_while_it_waits(self, world: World, name: str) -> None:
        self.interrupted(world, STALLING[name])

    @pytest.mark.slow
    def test_while_libpq_computes(self, world: World) -> None:
        self.interrupted(world, Scram(3_000_000), scram_max_iterations=3_000_000)

    def interrupted(self, world: World, talk: Talk, **kwargs: Any) -> None:
        with nothing_left(20), Listener(talk) as server:
            timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
            begin = time.monotonic()
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                world.run(lambda: connected(world, **params(server, **kwargs)))
            assert time.monotonic() - begin < 0.8
            timer.join()
