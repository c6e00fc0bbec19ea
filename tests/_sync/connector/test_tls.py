# Generated from tests/_async/connector/test_tls.py by `python tools/unasync.py`: edit that file, not this one.
"""connect(connector_factory=, ssl=): who does TLS, and who verifies what."""

from __future__ import annotations

import ssl
from contextlib import ExitStack

import pytest

import psycopg3
from psycopg3 import Connection
from psycopg3.pq import version
from tests import proxies
from tests._sync.connector.checks import (
    BIG,
    NAME,
    closed,
    is_cancelled,
    one,
)
from tests.connectors import Opens, threads, upgrading

pytestmark = pytest.mark.anyio


class TestTls:
    def test_with_the_server(self, opens, params, server_tls):
        # It offers SCRAM-SHA-256-PLUS then, which libpq must not hear of.
        connector = threads.connector(upgrading(opens))
        with Connection.connect(**params, connector_factory=connector, ssl=server_tls) as conn:
            query = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
            assert one(conn, query) is True
            assert not conn.pgconn.ssl_in_use
            assert len(conn.execute(BIG).fetchall()) == 20
            assert one(conn, "select length(%s)", ["y" * 8_000_000]) == 8_000_000
            assert is_cancelled(conn)
            assert conn.info.hostaddr == "127.0.0.1"
        assert conn._route.relay.finished

    def test_sslmode_that_it_satisfies(self, opens, params, server_tls):
        connector = threads.connector(upgrading(opens))
        with Connection.connect(
            **params, sslmode="verify-full", connector_factory=connector, ssl=server_tls
        ) as conn:
            assert one(conn, "select 1") == 1

    @pytest.mark.parametrize("sslmode", ["require", "verify-ca", "verify-full"])
    def test_sslmode_that_it_does_not_satisfy(self, params, sslmode):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with pytest.raises(psycopg3.ProgrammingError, match=f"sslmode={sslmode}"):
            Connection.connect(
                **params, sslmode=sslmode, connector_factory=threads.returning(None), ssl=context
            )

    def test_an_address_and_a_name(self, opens, params, server_tls):
        # A connector is called with one of them: with which it is to connect and to verify?
        for hostaddr in ("127.0.0.1", "127.0.0.2"):
            with pytest.raises(psycopg3.ProgrammingError, match="leave hostaddr out"):
                Connection.connect(
                    **params,
                    hostaddr=hostaddr,
                    connector_factory=threads.connector(opens),
                    ssl=server_tls,
                )
        params |= {"host": ["a", "b"], "hostaddr": ",192.0.2.1"}
        with pytest.raises(psycopg3.ProgrammingError, match="host=b, hostaddr=192"):
            Connection.connect(**params, connector_factory=threads.connector(opens), ssl=server_tls)
        assert not opens.asked

    def test_an_address_alone_is_verified(self, opens, params, server_tls):
        connector = threads.connector(upgrading(opens))
        params |= {"host": "", "hostaddr": "127.0.0.1"}  # which the certificate names
        with Connection.connect(**params, connector_factory=connector, ssl=server_tls) as conn:
            assert one(conn, "select 1") == 1
        params["hostaddr"] = "192.0.2.7"
        with pytest.raises(psycopg3.OperationalError, match=r"192\.0\.2\.7"):
            Connection.connect(**params, connector_factory=connector, ssl=server_tls)
        assert [host for host, _ in opens.asked] == ["127.0.0.1", "192.0.2.7"]

    def test_gssencmode(self, opens, params, server_tls, secure):
        params |= {"gssencmode": "require"}
        with pytest.raises(psycopg3.ProgrammingError, match="gssencmode=require"):
            Connection.connect(**params, connector_factory=threads.connector(opens), ssl=server_tls)
        with pytest.raises(psycopg3.ProgrammingError, match="gssencmode=require"):
            Connection.connect(**params, sock=opens(NAME, 1), ssl=server_tls)
        secured = server_tls.wrap_socket(upgrading(opens)(NAME, 1), server_hostname=NAME)
        with pytest.raises(psycopg3.ProgrammingError, match="gssencmode=require"):
            Connection.connect(**params, sock=secured)

    def test_tls_that_cannot_be_recognised(self, opens, params, server_tls):
        def make(host, port):
            secured = server_tls.wrap_socket(upgrading(opens)(host, port), server_hostname=NAME)
            return threads.Opaque(secured)

        # The server knows of the TLS, and offers what libpq must not hear of.
        with Connection.connect(
            **params, sslmode="disable", connector_factory=threads.making(make)
        ) as conn:
            query = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
            assert one(conn, query) is True
            assert is_cancelled(conn)

    def test_tls_that_has_not_begun(self, opens, params, server_tls):
        # Such a socket would send in clear.
        for given in ({"ssl": server_tls}, {}):
            early = server_tls.wrap_socket(
                upgrading(opens)(NAME, 1), server_hostname=NAME, do_handshake_on_connect=False
            )
            with pytest.raises(psycopg3.InterfaceError, match="hasn't shaken hands"):
                Connection.connect(**params, connector_factory=threads.returning(early), **given)
            assert closed(early)

    def test_channel_binding_is_never_dropped(self, opens, params, server_tls):
        with pytest.raises(psycopg3.OperationalError, match="channel binding required"):
            Connection.connect(
                **params,
                channel_binding="require",
                connector_factory=threads.connector(upgrading(opens)),
                ssl=server_tls,
            )

    def test_a_plain_link_is_refused(self, opens, params, server_tls):
        connector = threads.connector(opens, threads.kinds("plain")[0])

        def forgetful(*args, **kwargs):
            return connector(*args, **kwargs | {"ssl": None})

        with pytest.raises(psycopg3.InterfaceError, match="without TLS"):
            Connection.connect(**params, connector_factory=forgetful, ssl=server_tls)

    def test_tls_of_the_connector_s_own(self, opens, params, server_tls):
        connector = threads.connector(upgrading(opens))

        def own(*args, **kwargs):
            return connector(*args, **kwargs | {"ssl": server_tls})

        with Connection.connect(**params, connector_factory=own) as conn:
            assert one(conn, "select 1") == 1
            assert not conn.pgconn.ssl_in_use
        with pytest.raises(psycopg3.ProgrammingError, match="sslmode=require"):
            Connection.connect(**params, sslmode="require", connector_factory=own)

    def test_a_handshake_that_fails(self, opens, params):
        context = ssl.create_default_context()  # trusts another authority
        with pytest.raises(psycopg3.OperationalError, match="could not connect") as caught:
            Connection.connect(
                **params, connector_factory=threads.connector(upgrading(opens)), ssl=context
            )
        assert isinstance(caught.value.__cause__, OSError)

    def test_a_proxy_that_ends_tls(self, cluster, secure, server_tls):
        if not cluster.owned:
            pytest.skip("needs a server of our own")
        folder = secure.ca_file.parent
        with ExitStack() as stack:
            proxy = stack.enter_context(
                proxies.terminating(
                    (cluster.host, cluster.port), folder / "server.crt", folder / "server.key"
                )
            )
            connector = threads.connector(Opens((proxy.host, proxy.port)))
            with Connection.connect(
                host=NAME,
                user="postgres",
                dbname="postgres",
                autocommit=True,
                connector_factory=connector,
                ssl=server_tls,
            ) as conn:
                query = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
                assert one(conn, query) is False
                assert len(conn.execute(BIG).fetchall()) == 20
                assert is_cancelled(conn)
            assert len(proxy.asked) == 2

    @pytest.mark.skipif(version() < 170000, reason="libpq 17 brought it")
    def test_direct_negotiation(self, secure, opens, params):
        if secure.version < 170000:
            pytest.skip("servers take it from 17 on")
        with Connection.connect(
            **params,
            sslnegotiation="direct",
            sslmode="verify-full",
            connector_factory=threads.connector(opens),
        ) as conn:
            assert conn.pgconn.ssl_in_use
            assert is_cancelled(conn)

    def test_direct_negotiation_by_the_connector(self, secure, opens, params, server_tls):
        if secure.version < 170000:
            pytest.skip("servers take it from 17 on")
        with Connection.connect(
            **params, connector_factory=threads.connector(opens), ssl=server_tls
        ) as conn:
            assert is_cancelled(conn)
