"""connect(connector_factory=): several hosts, and what connectors do and return."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time

import pytest

import psycopg3
from psycopg3 import AsyncConnection, errors
from tests import listeners
from tests._async.connector.checks import (
    NAME,
    descriptors,
    is_cancelled,
    settled,
)
from tests.connectors import Opens, tasks
from tests.listeners import Listener

pytestmark = pytest.mark.anyio


class TestHosts:
    async def test_the_second(self, opens, params):
        def open(host, port):
            if host == "first":
                raise ConnectionRefusedError("not here")
            return opens(host, port)

        params |= {"host": ["first", NAME], "port": [1, 5433]}
        connector = tasks.connector(open)
        async with await AsyncConnection.connect(**params, connector_factory=connector) as conn:
            assert (conn.info.host, conn.info.port) == (NAME, 5433)

    async def test_one_name_with_two_ports(self, opens, params):
        params |= {"host": [NAME, NAME], "port": [5433, 5434]}

        def open(host, port):
            if port == 5433:
                raise OSError("no")
            return opens(host, port)

        connector = tasks.connector(open)
        async with await AsyncConnection.connect(**params, connector_factory=connector) as conn:
            assert conn.info.port == 5434
            assert await is_cancelled(conn)
        assert {*opens.asked} == {(NAME, 5434)}

    async def test_all_fail(self, opens, params):
        reasons = {"a": ConnectionRefusedError("closed"), "b": TimeoutError("slow")}

        def open(host, port):
            raise reasons[host]

        params |= {"host": ["a", "b"], "port": [1, 2]}
        with pytest.raises(psycopg3.OperationalError) as caught:
            await AsyncConnection.connect(**params, connector_factory=tasks.connector(open))
        assert "'a', port 1: closed" in str(caught.value)
        assert "'b', port 2: slow" in str(caught.value)
        assert caught.value.__cause__ is reasons["b"]

    @pytest.mark.parametrize("target", ["read-write", "prefer-standby"])
    async def test_targets(self, secure, params, target):
        asked = []
        with Listener(listeners.standby) as standby:

            def open(host, port):
                asked.append(host)
                place = ("127.0.0.1", standby.port)
                return socket.create_connection(
                    place if host == "standby" else (secure.host, secure.port)
                )

            params |= {"host": [NAME, "standby"], "port": [5433]}
            if target == "read-write":
                params["host"].reverse()
            async with await AsyncConnection.connect(
                **params,
                target_session_attrs=target,
                gssencmode="disable",
                connector_factory=tasks.connector(open),
            ) as conn:
                assert conn.info.host == params["host"][1]
        assert asked == params["host"]

    async def test_what_the_log_tells(self, opens, params, caplog):
        def open(host, port):
            if host == "first":
                raise ConnectionRefusedError("not here")
            return opens(host, port)

        params |= {"host": ["first", NAME], "port": [1, 5433]}
        caplog.set_level("DEBUG", "psycopg3")
        async with await AsyncConnection.connect(**params, connector_factory=tasks.connector(open)):
            pass
        told = [(each.levelname, each.getMessage().split(":")[0]) for each in caplog.records]
        assert told == [
            ("DEBUG", "dialling host=first port=1"),
            ("INFO", "no connection to host=first port=1"),
            ("DEBUG", f"dialling host={NAME} port=5433"),
        ]

    async def test_at_random(self, opens, params):
        params |= {"host": ["a", "b", "c", "d"], "load_balance_hosts": "random"}
        for _ in range(12):
            async with await AsyncConnection.connect(
                **params, connector_factory=tasks.connector(opens)
            ):
                pass
        assert len({host for host, _ in opens.asked}) > 1


class TestWhatConnectorsDo:
    async def test_an_oserror(self, params):
        reason = ConnectionRefusedError(111, "nobody there")
        with pytest.raises(psycopg3.OperationalError, match="nobody there") as caught:
            await AsyncConnection.connect(**params, connector_factory=tasks.raising(reason))
        assert caught.value.__cause__ is reason

    @pytest.mark.parametrize("reason", [TimeoutError(), ConnectionResetError()])
    async def test_an_oserror_without_words(self, params, reason):
        with pytest.raises(psycopg3.OperationalError) as caught:
            await AsyncConnection.connect(**params, connector_factory=tasks.raising(reason))
        assert str(caught.value).endswith(f"port 5433: {reason!r}")

    @pytest.mark.parametrize(
        "error",
        [
            *(ValueError("mine"), psycopg3.DataError()),
            *(KeyboardInterrupt(), asyncio.CancelledError("mine")),
        ],
    )
    async def test_another_exception(self, params, error):
        params["host"] = [NAME, NAME]
        with pytest.raises(type(error)) as caught:
            await AsyncConnection.connect(**params, connector_factory=tasks.raising(error))
        assert caught.value is error

    @pytest.mark.parametrize("value", [None, 7, "socket", (1,), (1, 2), (1, 2, 3), object()])
    async def test_nonsense(self, params, value):
        with pytest.raises(psycopg3.InterfaceError, match="connector returned .*: expected"):
            await AsyncConnection.connect(**params, connector_factory=tasks.returning(value))

    async def test_bad_sockets(self, params, conn):
        closed = socket.socket()
        closed.close()
        listening = socket.create_server(("127.0.0.1", 0))
        datagrams = socket.socket(type=socket.SOCK_DGRAM)
        datagrams.connect(("127.0.0.1", 9))
        for sock, word in [
            (closed, "a closed socket"),
            (socket.socket(), "isn't connected"),
            (socket.socket(socket.AF_UNIX), "isn't connected"),
            (listening, "listening"),
            (datagrams, "no stream"),
        ]:
            with pytest.raises(psycopg3.InterfaceError, match=word):
                await AsyncConnection.connect(**params, connector_factory=tasks.returning(sock))
            assert sock.fileno() == -1

    async def test_a_socket_that_failed(self, params, conn):
        sock = socket.socket()
        sock.setblocking(False)
        with listeners.refusing() as port:
            sock.connect_ex(("127.0.0.1", port))
            with pytest.raises(psycopg3.OperationalError, match="refused"):
                await AsyncConnection.connect(**params, connector_factory=tasks.returning(sock))
        assert sock.fileno() == -1

    async def test_a_link_that_ends_at_once(self, params):
        def leave(sock):
            pass

        with Listener(leave) as listener:
            for kind in [*tasks.kinds("plain"), *tasks.kinds("relayed")]:
                connector = tasks.connector(Opens(("127.0.0.1", listener.port)), kind)
                with pytest.raises(psycopg3.OperationalError):
                    await AsyncConnection.connect(**params, connector_factory=connector)

    @pytest.mark.slow
    async def test_it_hangs(self, params, conn):
        before = await descriptors()
        begin = time.monotonic()
        with pytest.raises(errors.ConnectionTimeout, match="connector"):
            await AsyncConnection.connect(
                **params, connect_timeout=2, connector_factory=tasks.hanging(5)
            )
        assert 1.9 < time.monotonic() - begin < 3
        await tasks.pause(3.2)
        assert await settled(before) == 0

    async def test_the_whole_time_holds_for_it(self, params):
        params["host"] = [NAME] * 3
        begin = time.monotonic()
        with pytest.raises(errors.ConnectionTimeout, match=r"within 0\.3 seconds"):
            await AsyncConnection.connect(
                **params, timeout=0.3, connector_factory=tasks.hanging(1.5)
            )
        assert time.monotonic() - begin < 1.2

    @pytest.mark.slow
    async def test_what_comes_too_late_is_closed(self, opens, params, conn):
        before = await descriptors()
        slow = tasks.hanging(0.5, tasks.connector(opens))
        with pytest.raises(errors.ConnectionTimeout):
            await AsyncConnection.connect(**params, timeout=0.2, connector_factory=slow)
        await tasks.pause(0.6)
        assert await settled(before) == 0

    @pytest.mark.slow
    async def test_a_mute_server(self, params):
        with Listener(listeners.mute) as mute:
            for kind in [*tasks.kinds("plain"), *tasks.kinds("relayed")][1:3]:
                connector = tasks.connector(Opens(("127.0.0.1", mute.port)), kind)
                begin = time.monotonic()
                with pytest.raises(errors.ConnectionTimeout, match="no server answered"):
                    await AsyncConnection.connect(
                        **params, connect_timeout=2, connector_factory=connector
                    )
                assert time.monotonic() - begin < 3


class TestArguments:
    async def test_ssl_alone(self, params):
        with pytest.raises(psycopg3.ProgrammingError, match="sslmode"):
            await AsyncConnection.connect(**params, ssl=ssl.create_default_context())

    async def test_both(self, params):
        with pytest.raises(psycopg3.ProgrammingError, match="both"):
            await AsyncConnection.connect(
                **params, connector_factory=tasks.returning(None), sock=object()
            )

    @pytest.mark.parametrize("value", [True, "require", object()])
    async def test_ssl_that_is_none(self, params, value):
        with pytest.raises(psycopg3.ProgrammingError, match="expected an ssl.SSLContext"):
            await AsyncConnection.connect(
                **params, connector_factory=tasks.returning(None), ssl=value
            )

    async def test_a_connector_that_is_none(self, params):
        with pytest.raises(psycopg3.ProgrammingError, match="connector_factory of type str"):
            await AsyncConnection.connect(**params, connector_factory="socks5://")

    async def test_requirepeer(self, params):
        with pytest.raises(psycopg3.ProgrammingError, match="requirepeer"):
            await AsyncConnection.connect(
                **params, requirepeer="postgres", connector_factory=tasks.returning(None)
            )

    async def test_windows(self, params, monkeypatch):
        from psycopg3.dialing import records

        class Windows:
            name = "nt"

        monkeypatch.setattr(records, "os", Windows)
        with pytest.raises(psycopg3.NotSupportedError, match="Windows"):
            await AsyncConnection.connect(**params, connector_factory=tasks.returning(None))
