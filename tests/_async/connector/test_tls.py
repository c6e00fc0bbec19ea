"""connect(connector_factory=, ssl=): who does TLS, and who verifies what."""

from __future__ import annotations

import ssl
from contextlib import ExitStack

import pytest

import psycopg3
from psycopg3 import AsyncConnection
from psycopg3.pq import version
from tests import proxies
from tests._async.connector.checks import (
    BIG,
    NAME,
    closed,
    is_cancelled,
    one,
)
from tests.connectors import Opens, tasks, upgrading

pytestmark = pytest.mark.anyio


class TestTls:
    async def test_with_the_server(self, opens, params, server_tls):
        # It offers SCRAM-SHA-256-PLUS then, which libpq must not hear of.
        connector = tasks.connector(upgrading(opens))
        async with await AsyncConnection.connect(
            **params, connector_factory=connector, ssl=server_tls
        ) as conn:
            query = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
            assert await one(conn, query) is True
            assert not conn.pgconn.ssl_in_use
            assert len(await (await conn.execute(BIG)).fetchall()) == 20
            assert await one(conn, "select length(%s)", ["y" * 8_000_000]) == 8_000_000
            assert await is_cancelled(conn)
            assert conn.info.hostaddr == "127.0.0.1"
        assert conn._route.relay.finished

    async def test_sslmode_that_it_satisfies(self, opens, params, server_tls):
        connector = tasks.connector(upgrading(opens))
        async with await AsyncConnection.connect(
            **params, sslmode="verify-full", connector_factory=connector, ssl=server_tls
        ) as conn:
            assert await one(conn, "select 1") == 1

    @pytest.mark.parametrize("sslmode", ["require", "verify-ca", "verify-full"])
    async def test_sslmode_that_it_does_not_satisfy(self, params, sslmode):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with pytest.raises(psycopg3.ProgrammingError, match=f"sslmode={sslmode}"):
            await AsyncConnection.connect(
                **params, sslmode=sslmode, connector_factory=tasks.returning(None), ssl=context
            )

    async def test_an_address_and_a_name(self, opens, params, server_tls):
        # A connector is called with one of them: with which it is to connect and to verify?
        for hostaddr in ("127.0.0.1", "127.0.0.2"):
            with pytest.raises(psycopg3.ProgrammingError, match="leave hostaddr out"):
                await AsyncConnection.connect(
                    **params,
                    hostaddr=hostaddr,
                    connector_factory=tasks.connector(opens),
                    ssl=server_tls,
                )
        params |= {"host": ["a", "b"], "hostaddr": ",192.0.2.1"}
        with pytest.raises(psycopg3.ProgrammingError, match="host=b, hostaddr=192"):
            await AsyncConnection.connect(
                **params, connector_factory=tasks.connector(opens), ssl=server_tls
            )
        assert not opens.asked

    async def test_an_address_alone_is_verified(self, opens, params, server_tls):
        connector = tasks.connector(upgrading(opens))
        params |= {"host": "", "hostaddr": "127.0.0.1"}  # which the certificate names
        async with await AsyncConnection.connect(
            **params, connector_factory=connector, ssl=server_tls
        ) as conn:
            assert await one(conn, "select 1") == 1
        params["hostaddr"] = "192.0.2.7"
        with pytest.raises(psycopg3.OperationalError, match=r"192\.0\.2\.7"):
            await AsyncConnection.connect(**params, connector_factory=connector, ssl=server_tls)
        assert [host for host, _ in opens.asked] == ["127.0.0.1", "192.0.2.7"]

    async def test_gssencmode(self, opens, params, server_tls, secure):
        params |= {"gssencmode": "require"}
        with pytest.raises(psycopg3.ProgrammingError, match="gssencmode=require"):
            await AsyncConnection.connect(
                **params, connector_factory=tasks.connector(opens), ssl=server_tls
            )
        with pytest.raises(psycopg3.ProgrammingError, match="gssencmode=require"):
            await AsyncConnection.connect(**params, sock=opens(NAME, 1), ssl=server_tls)
        secured = server_tls.wrap_socket(upgrading(opens)(NAME, 1), server_hostname=NAME)
        with pytest.raises(psycopg3.ProgrammingError, match="gssencmode=require"):
            await AsyncConnection.connect(**params, sock=secured)

    async def test_tls_that_cannot_be_recognised(self, opens, params, server_tls):
        def make(host, port):
            secured = server_tls.wrap_socket(upgrading(opens)(host, port), server_hostname=NAME)
            return tasks.Opaque(secured)

        # The server knows of the TLS, and offers what libpq must not hear of.
        async with await AsyncConnection.connect(
            **params, sslmode="disable", connector_factory=tasks.making(make)
        ) as conn:
            query = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
            assert await one(conn, query) is True
            assert await is_cancelled(conn)

    async def test_tls_that_has_not_begun(self, opens, params, server_tls):
        # Such a socket would send in clear.
        for given in ({"ssl": server_tls}, {}):
            early = server_tls.wrap_socket(
                upgrading(opens)(NAME, 1), server_hostname=NAME, do_handshake_on_connect=False
            )
            with pytest.raises(psycopg3.InterfaceError, match="hasn't shaken hands"):
                await AsyncConnection.connect(
                    **params, connector_factory=tasks.returning(early), **given
                )
            assert await closed(early)

    async def test_channel_binding_is_never_dropped(self, opens, params, server_tls):
        with pytest.raises(psycopg3.OperationalError, match="channel binding required"):
            await AsyncConnection.connect(
                **params,
                channel_binding="require",
                connector_factory=tasks.connector(upgrading(opens)),
                ssl=server_tls,
            )

    async def test_a_plain_link_is_refused(self, opens, params, server_tls):
        connector = tasks.connector(opens, tasks.kinds("plain")[0])

        async def forgetful(*args, **kwargs):
            return await connector(*args, **kwargs | {"ssl": None})

        with pytest.raises(psycopg3.InterfaceError, match="without TLS"):
            await AsyncConnection.connect(**params, connector_factory=forgetful, ssl=server_tls)

    async def test_tls_of_the_connector_s_own(self, opens, params, server_tls):
        connector = tasks.connector(upgrading(opens))

        async def own(*args, **kwargs):
            return await connector(*args, **kwargs | {"ssl": server_tls})

        async with await AsyncConnection.connect(**params, connector_factory=own) as conn:
            assert await one(conn, "select 1") == 1
            assert not conn.pgconn.ssl_in_use
        with pytest.raises(psycopg3.ProgrammingError, match="sslmode=require"):
            await AsyncConnection.connect(**params, sslmode="require", connector_factory=own)

    async def test_a_handshake_that_fails(self, opens, params):
        context = ssl.create_default_context()  # trusts another authority
        with pytest.raises(psycopg3.OperationalError, match="could not connect") as caught:
            await AsyncConnection.connect(
                **params, connector_factory=tasks.connector(upgrading(opens)), ssl=context
            )
        assert isinstance(caught.value.__cause__, OSError)

    async def test_a_proxy_that_ends_tls(self, cluster, secure, server_tls):
        if not cluster.owned:
            pytest.skip("needs a server of our own")
        folder = secure.ca_file.parent
        with ExitStack() as stack:
            proxy = stack.enter_context(
                proxies.terminating(
                    (cluster.host, cluster.port), folder / "server.crt", folder / "server.key"
                )
            )
            connector = tasks.connector(Opens((proxy.host, proxy.port)))
            async with await AsyncConnection.connect(
                host=NAME,
                user="postgres",
                dbname="postgres",
                autocommit=True,
                connector_factory=connector,
                ssl=server_tls,
            ) as conn:
                query = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
                assert await one(conn, query) is False
                assert len(await (await conn.execute(BIG)).fetchall()) == 20
                assert await is_cancelled(conn)
            assert len(proxy.asked) == 2

    @pytest.mark.skipif(version() < 170000, reason="libpq 17 brought it")
    async def test_direct_negotiation(self, secure, opens, params):
        if secure.version < 170000:
            pytest.skip("servers take it from 17 on")
        async with await AsyncConnection.connect(
            **params,
            sslnegotiation="direct",
            sslmode="verify-full",
            connector_factory=tasks.connector(opens),
        ) as conn:
            assert conn.pgconn.ssl_in_use
            assert await is_cancelled(conn)

    async def test_direct_negotiation_by_the_connector(self, secure, opens, params, server_tls):
        if secure.version < 170000:
            pytest.skip("servers take it from 17 on")
        async with await AsyncConnection.connect(
            **params, connector_factory=tasks.connector(opens), ssl=server_tls
        ) as conn:
            assert await is_cancelled(conn)
