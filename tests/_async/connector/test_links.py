"""connect(connector_factory=): links of each kind, what is sent over them, what info tells."""

from __future__ import annotations

import os
import socket
import time
from contextlib import closing

import pytest

import psycopg3
from psycopg3 import AsyncConnection
from psycopg3.waiting import STOCK
from tests._async.connector.checks import (
    BIG,
    NAME,
    descriptors,
    is_cancelled,
    one,
    settled,
)
from tests.connectors import Opens, tasks

pytestmark = pytest.mark.anyio


class TestLinks:
    @pytest.mark.parametrize("sort", ["plain", "relayed"])
    @pytest.mark.parametrize("sslmode", ["disable", "prefer", "verify-full"])
    async def test_queries_and_cancels(self, opens, params, sort, sslmode, conn):
        for kind in tasks.kinds(sort):
            connector = tasks.connector(opens, kind)
            mine = await AsyncConnection.connect(
                **params, sslmode=sslmode, connector_factory=connector
            )
            async with mine:
                assert bool(mine._route.relay) == (sort == "relayed"), kind
                assert await one(mine, "select 1") == 1
                assert bool(mine.pgconn.ssl_in_use) == (sslmode != "disable")
                rows = await (await mine.execute(BIG)).fetchall()
                assert len(rows) == 20 and len(rows[-1][0]) == 1_000_000
                assert await one(mine, "select length(%s)", ["y" * 8_000_000]) == 8_000_000
                assert await is_cancelled(mine)
            assert mine._route.relay is None or mine._route.relay.finished
        assert {*opens.asked} == {(NAME, 5433)}

    async def test_channel_binding(self, opens, params):
        connector = tasks.connector(opens)
        async with await AsyncConnection.connect(
            **params, sslmode="verify-full", channel_binding="require", connector_factory=connector
        ) as conn:
            assert conn.pgconn.ssl_in_use

    async def test_a_wrong_name(self, opens, params):
        params["host"] = "wrong.example.test"
        with pytest.raises(psycopg3.OperationalError, match="wrong.example.test"):
            await AsyncConnection.connect(
                **params, sslmode="verify-full", connector_factory=tasks.connector(opens)
            )
        assert len(opens.asked) == 1

    @pytest.mark.parametrize(
        "user, sslmode, encrypted", [("clear", "prefer", False), ("crypted", "allow", True)]
    )
    async def test_a_fallback_dials_again(self, opens, params, user, sslmode, encrypted):
        for kind in [*tasks.kinds("plain"), *tasks.kinds("relayed")]:
            opens.asked.clear()
            params |= {"user": user, "sslmode": sslmode}
            connector = tasks.connector(opens, kind)
            async with await AsyncConnection.connect(**params, connector_factory=connector) as conn:
                assert await one(conn, "select current_user") == user
                assert bool(conn.pgconn.ssl_in_use) == encrypted
            assert opens.asked == [(NAME, 5433)] * 2

    async def test_a_unix_socket(self, cluster, dsn):
        if not cluster.owned:
            pytest.skip("needs a server of our own")
        opens = Opens(f"{cluster.socket_dir}/.s.PGSQL.{cluster.port}")
        params = {"host": NAME, "user": "postgres", "dbname": "postgres"}
        for kind in tasks.kinds("plain"):
            connector = tasks.connector(opens, kind)
            async with await AsyncConnection.connect(**params, connector_factory=connector) as conn:
                assert await one(conn, "select inet_server_addr()") is None
                assert conn.info.hostaddr == ""
            # TLS is asked for over it, and the server has none there.
            with pytest.raises(psycopg3.OperationalError, match="SSL"):
                await AsyncConnection.connect(
                    **params, sslmode="require", connector_factory=connector
                )

    @pytest.mark.slow
    async def test_no_descriptor_is_left(self, opens, params, conn):
        params["sslmode"] = "disable"
        for kind in [*tasks.kinds("plain"), *tasks.kinds("relayed")]:
            connector = tasks.connector(opens, kind)
            async with await AsyncConnection.connect(**params, connector_factory=connector):
                pass
            before = await descriptors()
            for _ in range(20):
                async with await AsyncConnection.connect(
                    **params, connector_factory=connector
                ) as mine:
                    await mine.execute("select 1")
            assert await settled(before) == 0, kind

    async def test_descriptors_are_not_inherited(self, opens, params):
        connector = tasks.connector(opens)
        async with await AsyncConnection.connect(**params, connector_factory=connector) as conn:
            assert not os.get_inheritable(conn.fileno())
            assert not os.get_blocking(conn.fileno())

    async def test_still_connecting(self, secure, params):
        def begin(host, port):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex((secure.host, secure.port))
            return sock

        connector = tasks.connector(begin, "socket")
        async with await AsyncConnection.connect(**params, connector_factory=connector) as conn:
            assert await one(conn, "select 1") == 1

    @pytest.mark.parametrize("idle", ["", "77"])
    async def test_tcp_options(self, opens, params, idle):
        connector = tasks.connector(opens)
        async with await AsyncConnection.connect(
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
        async with await AsyncConnection.connect(
            **params, keepalives=0, connector_factory=connector
        ) as conn:
            with closing(socket.socket(fileno=os.dup(conn.fileno()))) as sock:
                assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0

    async def test_a_socket_that_blocks(self, opens, params):
        async with await AsyncConnection.connect(
            **params, connector_factory=tasks.making(opens)
        ) as conn:
            assert not os.get_blocking(conn.fileno())
            turns = []

            async def turn():
                for _ in range(20):
                    await tasks.pause(0.01)
                    turns.append(time.monotonic())

            join = await tasks.start(turn)
            await conn.execute("select pg_sleep(0.4)")
            end = time.monotonic()
            await join()
            assert sum(at < end for at in turns) > 10

    async def test_a_waiter_of_your_own(self, opens, params, conn):
        waited = []
        stock = STOCK[conn._library.name]

        async def wait(gen, interval=0.1):
            waited.append(gen)
            return await stock(gen, interval)

        connector = tasks.connector(opens)
        async with await AsyncConnection.connect(
            **params, wait=wait, connector_factory=connector
        ) as mine:
            assert len(waited) >= 1
            assert await is_cancelled(mine)

    async def test_libpq_s_reset(self, opens, params):
        async with await AsyncConnection.connect(
            **params, connector_factory=tasks.connector(opens)
        ) as conn:
            for reset in (conn.pgconn.reset, conn.pgconn.reset_start):
                with pytest.raises(psycopg3.NotSupportedError, match="open another connection"):
                    reset()
            assert await one(conn, "select 1") == 1


class TestWhatItTells:
    async def test_info(self, opens, params):
        connector = tasks.connector(opens)
        async with await AsyncConnection.connect(**params, connector_factory=connector) as conn:
            assert (conn.info.host, conn.info.port) == (NAME, 5433)
            assert conn.info.hostaddr == "127.0.0.1"
            told = conn.info.get_parameters()
            assert (told["host"], told["port"]) == (NAME, "5433") and "hostaddr" not in told
            assert f"host={NAME} port=5433" in repr(conn) and f"host={NAME}" in conn.info.dsn
            assert f"host={NAME} port=5433" in repr(conn.info)

    async def test_an_address_is_what_is_dialled(self, opens, params):
        params["hostaddr"] = "192.0.2.7"
        connector = tasks.connector(opens)
        async with await AsyncConnection.connect(
            **params, sslmode="verify-full", connector_factory=connector
        ) as conn:
            assert opens.asked == [("192.0.2.7", 5433)]
            assert conn.info.host == NAME
            assert conn.info.get_parameters()["hostaddr"] == "192.0.2.7"

    async def test_an_ipv6_address(self, opens, params):
        params["host"] = "2001:db8::7"
        async with await AsyncConnection.connect(
            **params, connector_factory=tasks.connector(opens)
        ):
            assert opens.asked == [("2001:db8::7", 5433)]

    async def test_no_host(self, opens, params, monkeypatch):
        monkeypatch.delenv("PGHOST", raising=False)
        del params["host"], params["port"]
        connector = tasks.connector(opens)
        async with await AsyncConnection.connect(**params, connector_factory=connector) as conn:
            (host, port), *_ = opens.asked
            assert os.path.isabs(host) and isinstance(port, int)
            assert conn.info.host == host

    async def test_a_socket_directory(self, opens, params):
        params["host"] = "/some/where"
        async with await AsyncConnection.connect(
            **params, connector_factory=tasks.connector(opens)
        ):
            assert opens.asked[0] == ("/some/where", 5433)

    async def test_errors_name_the_real_place(self, opens, params):
        params["password"] = "wrong"
        with pytest.raises(psycopg3.OperationalError) as caught:
            await AsyncConnection.connect(**params, connector_factory=tasks.connector(opens))
        assert f'"{NAME}", port 5433' in str(caught.value)
        assert "127.0.0.1" not in str(caught.value)
        assert "password authentication failed" in str(caught.value)
        assert caught.value.pgconn.used_password

    async def test_the_password_file_by_the_real_place(self, opens, params, tmp_path):
        file = tmp_path / "pgpass"
        password = params.pop("password")
        file.write_text(f"{NAME}:5434:*:*:wrong\n{NAME}:5433:*:*:{password}\n*:*:*:*:wrong\n")
        file.chmod(0o600)
        async with await AsyncConnection.connect(
            **params, passfile=str(file), connector_factory=tasks.connector(opens)
        ) as conn:
            assert conn.info.password == password
            assert password not in repr(conn) + conn.info.dsn

    async def test_scram_s_limit_holds(self, opens, params):
        with pytest.raises(psycopg3.OperationalError, match="iterations") as caught:
            await AsyncConnection.connect(
                **params, scram_max_iterations=100, connector_factory=tasks.connector(opens)
            )
        assert f'"{NAME}", port 5433' in str(caught.value)

    async def test_notifications_while_idle(self, opens, params, conn):
        for kind in tasks.kinds("relayed"):
            connector = tasks.connector(opens, kind)
            async with (
                await AsyncConnection.connect(**params, connector_factory=connector) as mine,
                await AsyncConnection.connect(**params, connector_factory=connector) as other,
            ):
                await mine.execute("listen here")
                await other.execute("notify here, 'news'")
                found = [n.payload async for n in mine.notifies(timeout=2, stop_after=1)]
                assert found == ["news"], kind
