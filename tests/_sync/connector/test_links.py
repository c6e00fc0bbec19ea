# Generated from tests/_async/connector/test_links.py by `python tools/unasync.py`: edit that file, not this one.
"""connect(connector_factory=): links of each kind, what is sent over them, what info tells."""

from __future__ import annotations

import os
import socket
import time
from contextlib import closing

import pytest

import psycopg3
from psycopg3 import Connection
from psycopg3.waiting import STOCK
from tests._sync.connector.checks import (
    BIG,
    NAME,
    descriptors,
    is_cancelled,
    one,
    settled,
)
from tests.connectors import Opens, threads

pytestmark = pytest.mark.anyio


class TestLinks:
    @pytest.mark.parametrize("sort", ["plain", "relayed"])
    @pytest.mark.parametrize("sslmode", ["disable", "prefer", "verify-full"])
    def test_queries_and_cancels(self, opens, params, sort, sslmode, conn):
        for kind in threads.kinds(sort):
            connector = threads.connector(opens, kind)
            mine = Connection.connect(**params, sslmode=sslmode, connector_factory=connector)
            with mine:
                assert bool(mine._route.relay) == (sort == "relayed"), kind
                assert one(mine, "select 1") == 1
                assert bool(mine.pgconn.ssl_in_use) == (sslmode != "disable")
                rows = mine.execute(BIG).fetchall()
                assert len(rows) == 20 and len(rows[-1][0]) == 1_000_000
                assert one(mine, "select length(%s)", ["y" * 8_000_000]) == 8_000_000
                assert is_cancelled(mine)
            assert mine._route.relay is None or mine._route.relay.finished
        assert {*opens.asked} == {(NAME, 5433)}

    def test_channel_binding(self, opens, params):
        connector = threads.connector(opens)
        with Connection.connect(
            **params, sslmode="verify-full", channel_binding="require", connector_factory=connector
        ) as conn:
            assert conn.pgconn.ssl_in_use

    def test_a_wrong_name(self, opens, params):
        params["host"] = "wrong.example.test"
        with pytest.raises(psycopg3.OperationalError, match="wrong.example.test"):
            Connection.connect(
                **params, sslmode="verify-full", connector_factory=threads.connector(opens)
            )
        assert len(opens.asked) == 1

    @pytest.mark.parametrize(
        "user, sslmode, encrypted", [("clear", "prefer", False), ("crypted", "allow", True)]
    )
    def test_a_fallback_dials_again(self, opens, params, user, sslmode, encrypted):
        for kind in [*threads.kinds("plain"), *threads.kinds("relayed")]:
            opens.asked.clear()
            params |= {"user": user, "sslmode": sslmode}
            connector = threads.connector(opens, kind)
            with Connection.connect(**params, connector_factory=connector) as conn:
                assert one(conn, "select current_user") == user
                assert bool(conn.pgconn.ssl_in_use) == encrypted
            assert opens.asked == [(NAME, 5433)] * 2

    def test_a_unix_socket(self, cluster, dsn):
        if not cluster.owned:
            pytest.skip("needs a server of our own")
        opens = Opens(f"{cluster.socket_dir}/.s.PGSQL.{cluster.port}")
        params = {"host": NAME, "user": "postgres", "dbname": "postgres"}
        for kind in threads.kinds("plain"):
            connector = threads.connector(opens, kind)
            with Connection.connect(**params, connector_factory=connector) as conn:
                assert one(conn, "select inet_server_addr()") is None
                assert conn.info.hostaddr == ""
            # TLS is asked for over it, and the server has none there.
            with pytest.raises(psycopg3.OperationalError, match="SSL"):
                Connection.connect(**params, sslmode="require", connector_factory=connector)

    @pytest.mark.slow
    def test_no_descriptor_is_left(self, opens, params, conn):
        params["sslmode"] = "disable"
        for kind in [*threads.kinds("plain"), *threads.kinds("relayed")]:
            connector = threads.connector(opens, kind)
            with Connection.connect(**params, connector_factory=connector):
                pass
            before = descriptors()
            for _ in range(20):
                with Connection.connect(**params, connector_factory=connector) as mine:
                    mine.execute("select 1")
            assert settled(before) == 0, kind

    def test_descriptors_are_not_inherited(self, opens, params):
        connector = threads.connector(opens)
        with Connection.connect(**params, connector_factory=connector) as conn:
            assert not os.get_inheritable(conn.fileno())
            assert not os.get_blocking(conn.fileno())

    def test_still_connecting(self, secure, params):
        def begin(host, port):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex((secure.host, secure.port))
            return sock

        connector = threads.connector(begin, "socket")
        with Connection.connect(**params, connector_factory=connector) as conn:
            assert one(conn, "select 1") == 1

    @pytest.mark.parametrize("idle", ["", "77"])
    def test_tcp_options(self, opens, params, idle):
        connector = threads.connector(opens)
        with Connection.connect(
            **params,
            keepalives_idle=idle or None,
            tcp_user_timeout=4321,
            connector_factory=connector,
        ) as conn:
            with closing(socket.socket(fileno=os.dup(conn.fileno()))) as sock:
                assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 4321
                found = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
                assert (found == 77) == bool(idle)
        with Connection.connect(**params, keepalives=0, connector_factory=connector) as conn:
            with closing(socket.socket(fileno=os.dup(conn.fileno()))) as sock:
                assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0

    def test_a_socket_that_blocks(self, opens, params):
        with Connection.connect(**params, connector_factory=threads.making(opens)) as conn:
            assert not os.get_blocking(conn.fileno())
            turns = []

            def turn():
                for _ in range(20):
                    threads.pause(0.01)
                    turns.append(time.monotonic())

            join = threads.start(turn)
            conn.execute("select pg_sleep(0.4)")
            end = time.monotonic()
            join()
            assert sum(at < end for at in turns) > 10

    def test_a_waiter_of_your_own(self, opens, params, conn):
        waited = []
        stock = STOCK[conn._library.name]

        def wait(gen, interval=0.1):
            waited.append(gen)
            return stock(gen, interval)

        connector = threads.connector(opens)
        with Connection.connect(**params, wait=wait, connector_factory=connector) as mine:
            assert len(waited) >= 1
            assert is_cancelled(mine)

    def test_libpq_s_reset(self, opens, params):
        with Connection.connect(**params, connector_factory=threads.connector(opens)) as conn:
            for reset in (conn.pgconn.reset, conn.pgconn.reset_start):
                with pytest.raises(psycopg3.NotSupportedError, match="open another connection"):
                    reset()
            assert one(conn, "select 1") == 1


class TestWhatItTells:
    def test_info(self, opens, params):
        connector = threads.connector(opens)
        with Connection.connect(**params, connector_factory=connector) as conn:
            assert (conn.info.host, conn.info.port) == (NAME, 5433)
            assert conn.info.hostaddr == "127.0.0.1"
            told = conn.info.get_parameters()
            assert (told["host"], told["port"]) == (NAME, "5433") and "hostaddr" not in told
            assert f"host={NAME} port=5433" in repr(conn) and f"host={NAME}" in conn.info.dsn
            assert f"host={NAME} port=5433" in repr(conn.info)

    def test_an_address_is_what_is_dialled(self, opens, params):
        params["hostaddr"] = "192.0.2.7"
        connector = threads.connector(opens)
        with Connection.connect(
            **params, sslmode="verify-full", connector_factory=connector
        ) as conn:
            assert opens.asked == [("192.0.2.7", 5433)]
            assert conn.info.host == NAME
            assert conn.info.get_parameters()["hostaddr"] == "192.0.2.7"

    def test_an_ipv6_address(self, opens, params):
        params["host"] = "2001:db8::7"
        with Connection.connect(**params, connector_factory=threads.connector(opens)):
            assert opens.asked == [("2001:db8::7", 5433)]

    def test_no_host(self, opens, params, monkeypatch):
        monkeypatch.delenv("PGHOST", raising=False)
        del params["host"], params["port"]
        connector = threads.connector(opens)
        with Connection.connect(**params, connector_factory=connector) as conn:
            (host, port), *_ = opens.asked
            assert os.path.isabs(host) and isinstance(port, int)
            assert conn.info.host == host

    def test_a_socket_directory(self, opens, params):
        params["host"] = "/some/where"
        with Connection.connect(**params, connector_factory=threads.connector(opens)):
            assert opens.asked[0] == ("/some/where", 5433)

    def test_errors_name_the_real_place(self, opens, params):
        params["password"] = "wrong"
        with pytest.raises(psycopg3.OperationalError) as caught:
            Connection.connect(**params, connector_factory=threads.connector(opens))
        assert f'"{NAME}", port 5433' in str(caught.value)
        assert "127.0.0.1" not in str(caught.value)
        assert "password authentication failed" in str(caught.value)
        assert caught.value.pgconn.used_password

    def test_the_password_file_by_the_real_place(self, opens, params, tmp_path):
        file = tmp_path / "pgpass"
        password = params.pop("password")
        file.write_text(f"{NAME}:5434:*:*:wrong\n{NAME}:5433:*:*:{password}\n*:*:*:*:wrong\n")
        file.chmod(0o600)
        with Connection.connect(
            **params, passfile=str(file), connector_factory=threads.connector(opens)
        ) as conn:
            assert conn.info.password == password
            assert password not in repr(conn) + conn.info.dsn

    def test_scram_s_limit_holds(self, opens, params):
        with pytest.raises(psycopg3.OperationalError, match="iterations") as caught:
            Connection.connect(
                **params, scram_max_iterations=100, connector_factory=threads.connector(opens)
            )
        assert f'"{NAME}", port 5433' in str(caught.value)

    def test_notifications_while_idle(self, opens, params, conn):
        for kind in threads.kinds("relayed"):
            connector = threads.connector(opens, kind)
            with (
                Connection.connect(**params, connector_factory=connector) as mine,
                Connection.connect(**params, connector_factory=connector) as other,
            ):
                mine.execute("listen here")
                other.execute("notify here, 'news'")
                found = [n.payload for n in mine.notifies(timeout=2, stop_after=1)]
                assert found == ["news"], kind
