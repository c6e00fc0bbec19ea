# Generated from tests/_async/connector/test_sock.py by `python tools/unasync.py`: edit that file, not this one.
"""connect(sock=): one link that is connected already."""

from __future__ import annotations

import socket
import time

import pytest

import psycopg3
from psycopg3 import Connection, errors
from tests import listeners
from tests._sync.connector.checks import (
    NAME,
    closed,
    one,
)
from tests.connectors import threads, upgrading

pytestmark = pytest.mark.anyio


class TestOneSocket:
    def test_it_serves(self, opens, params):
        sock = opens(NAME, 5433)
        with Connection.connect(**params, sock=sock) as conn:
            assert one(conn, "select 1") == 1
            assert sock.fileno() == -1
            assert conn.info.host == NAME

    def test_with_ssl(self, opens, params, server_tls):
        sock = upgrading(opens)(NAME, 5433)
        with Connection.connect(**params, sock=sock, ssl=server_tls) as conn:
            query = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
            assert one(conn, query) is True

    def test_it_cannot_be_cancelled(self, opens, params):
        with Connection.connect(**params, sock=opens(NAME, 5433)) as conn:
            with pytest.raises(psycopg3.NotSupportedError):
                conn.cancel()
            with pytest.raises(psycopg3.NotSupportedError, match="sock="):
                conn.cancel_safe()

    def test_an_interruption_closes_it(self, opens, params):
        with Connection.connect(**params, sock=opens(NAME, 5433)) as conn:
            begin = time.monotonic()
            with pytest.raises(errors.QueryTimeout):
                conn.execute("select pg_sleep(20)", timeout=0.2)
            assert time.monotonic() - begin < 1
            assert conn.closed and conn.broken

    def test_a_parameter_that_is_refused(self, opens, params):
        """It needs no cancel request: what was sent before is waited for."""
        params |= {"autocommit": True}
        with Connection.connect(**params, sock=opens(NAME, 5433)) as conn:
            with pytest.raises(psycopg3.ProgrammingError, match="cannot adapt"):
                conn.cursor().executemany("select %s", [(1,), (object(),)])
            assert one(conn, "select 7") == 7

    def test_no_second_host(self, opens, params):
        params |= {"host": ["a", "b"], "password": "wrong"}
        with pytest.raises(psycopg3.OperationalError) as caught:
            Connection.connect(**params, sock=opens("a", 1))
        assert "password authentication failed" in str(caught.value)
        assert "sock= is for one only" in str(caught.value)

    def test_no_fallback(self, opens, params):
        params |= {"user": "clear", "sslmode": "prefer"}
        with pytest.raises(psycopg3.OperationalError, match="sock= is for one only"):
            Connection.connect(**params, sock=opens("a", 1))

    @pytest.mark.parametrize(
        "wrong",
        [
            {"no_such_option": 1},
            {"connection_class": int},
            {"ssl": "require"},
            {"connector_factory": "none"},
            {"connector_factory": threads.returning(None)},
            {"timeout": -1},
        ],
        ids=lambda wrong: next(iter(wrong)),
    )
    def test_it_is_closed_if_not_used(self, opens, wrong):
        sock = opens(NAME, 5433)
        with pytest.raises(psycopg3.ProgrammingError):
            Connection.connect(sock=sock, **wrong)
        assert sock.fileno() == -1

    @pytest.mark.parametrize("value", [7, "socket", (1, 2), object()])
    @pytest.mark.parametrize("tls", [False, True])
    def test_no_socket(self, params, server_tls, value, tls):
        with pytest.raises(psycopg3.InterfaceError, match="got as sock= .*: expected a"):
            Connection.connect(**params, sock=value, ssl=server_tls if tls else None)

    @pytest.mark.parametrize("tls", [False, True])
    def test_bad_sockets(self, params, server_tls, tls):
        gone = socket.socket()
        gone.close()
        for sock, word in [
            (gone, "a closed socket"),
            (socket.socket(), "isn't connected"),
            (socket.create_server(("127.0.0.1", 0)), "listening"),
            (socket.socket(type=socket.SOCK_DGRAM), "no stream"),
        ]:
            with pytest.raises(psycopg3.InterfaceError, match=f"got as sock= .*{word}"):
                Connection.connect(**params, sock=sock, ssl=server_tls if tls else None)
            assert sock.fileno() == -1

    @pytest.mark.parametrize("tls", [False, True])
    def test_a_socket_that_failed(self, params, server_tls, tls):
        sock = socket.socket()
        sock.setblocking(False)
        with listeners.refusing() as port:
            sock.connect_ex(("127.0.0.1", port))
            with pytest.raises(psycopg3.OperationalError, match="refused"):
                Connection.connect(**params, sock=sock, ssl=server_tls if tls else None)
        assert sock.fileno() == -1

    def test_tls_twice(self, opens, params, server_tls):
        sock = server_tls.wrap_socket(upgrading(opens)(NAME, 1), server_hostname=NAME)
        with pytest.raises(psycopg3.InterfaceError, match="without TLS"):
            Connection.connect(**params, sock=sock, ssl=server_tls)
        assert closed(sock)

    def test_with_ssl_while_it_connects(self, secure, params, server_tls):
        if secure.version < 170000:
            pytest.skip("servers take TLS at once from 17 on")
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex((secure.host, secure.port))
        with Connection.connect(**params, sock=sock, ssl=server_tls) as conn:
            assert one(conn, "select 1") == 1

    def test_the_name_is_verified(self, opens, params, server_tls):
        # Whatever address is given besides: it is the link that leads there.
        for hostaddr in ("127.0.0.1", "192.0.2.7"):
            sock = upgrading(opens)(NAME, 5433)
            with Connection.connect(
                **params, hostaddr=hostaddr, sslmode="verify-full", sock=sock, ssl=server_tls
            ) as conn:
                assert one(conn, "select 1") == 1
        params |= {"host": "wrong.example.test", "hostaddr": "127.0.0.1"}
        for given in ({}, {"sslmode": "verify-full"}):
            with pytest.raises(psycopg3.OperationalError, match=r"wrong\.example\.test"):
                Connection.connect(
                    **params, **given, sock=upgrading(opens)(NAME, 1), ssl=server_tls
                )
