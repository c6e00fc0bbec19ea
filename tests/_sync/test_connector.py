# Generated from tests/_async/test_connector.py by `python tools/unasync.py`: edit that file, not this one.
"""Connection.connect(connector_factory=, sock=, ssl=): links that somebody else makes."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import ssl
import struct
import threading
import time
import warnings
from contextlib import ExitStack, closing

import pytest

import psycopg3
from psycopg3 import Connection, errors
from psycopg3.dialing import adoption
from psycopg3.dialing.adoption import shared_reservation
from psycopg3.pq import TransactionStatus, version
from psycopg3.waiting import STOCK
from tests import listeners, proxies
from tests.connectors import Opens, threads, upgrading
from tests.listeners import Listener

pytestmark = pytest.mark.anyio

NAME = "db.example.test"
BIG = "select repeat('x', 1000000) from generate_series(1, 20)"


@pytest.fixture
def opens(secure):
    return Opens((secure.host, secure.port))


@pytest.fixture
def params(secure):
    """How to sign in at `secure`, by a name that no resolver knows."""
    return {
        "host": NAME,
        "port": 5433,
        "user": "postgres",
        "dbname": "postgres",
        "password": secure.password,
        "sslrootcert": str(secure.ca_file),
        "autocommit": True,
    }


@pytest.fixture
def server_tls(secure):
    """A context that trusts the certificate of `secure`."""
    context = ssl.create_default_context(cafile=str(secure.ca_file))
    context.set_alpn_protocols(["postgresql"])
    return context


@pytest.fixture(autouse=True)
def one_reservation():
    """Have the descriptor that serves all connections opened before others are counted."""
    shared_reservation()


def descriptors():
    """How many descriptors are open, when those that are being closed are."""
    threads.pause(0.1)
    return len(os.listdir("/proc/self/fd"))


def settled(before, seconds=3):
    """How many descriptors are open more than before, after some time to close them."""
    deadline = time.monotonic() + seconds
    while (left := descriptors() - before) > 0 and time.monotonic() < deadline:
        gc.collect()
    return max(left, 0)


def closed(sock):
    """Whether a socket is closed, after some time: somebody else may be at it."""
    deadline = time.monotonic() + 3
    while sock.fileno() != -1 and time.monotonic() < deadline:
        threads.pause(0.01)
    return sock.fileno() == -1


def one(conn, query, *args):
    return conn.execute(query, *args).fetchone()[0]


def is_cancelled(conn):
    """Whether an interrupted query is cancelled at the server, and the connection good afterwards."""
    begin = time.monotonic()
    with pytest.raises(errors.QueryTimeout):
        conn.execute("select pg_sleep(20)", timeout=0.2)
    assert time.monotonic() - begin < 1.5
    assert conn.pgconn.transaction_status == TransactionStatus.IDLE
    return one(conn, "select 7") == 7


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


class TestHosts:
    def test_the_second(self, opens, params):
        def open(host, port):
            if host == "first":
                raise ConnectionRefusedError("not here")
            return opens(host, port)

        params |= {"host": ["first", NAME], "port": [1, 5433]}
        connector = threads.connector(open)
        with Connection.connect(**params, connector_factory=connector) as conn:
            assert (conn.info.host, conn.info.port) == (NAME, 5433)

    def test_one_name_with_two_ports(self, opens, params):
        params |= {"host": [NAME, NAME], "port": [5433, 5434]}

        def open(host, port):
            if port == 5433:
                raise OSError("no")
            return opens(host, port)

        connector = threads.connector(open)
        with Connection.connect(**params, connector_factory=connector) as conn:
            assert conn.info.port == 5434
            assert is_cancelled(conn)
        assert {*opens.asked} == {(NAME, 5434)}

    def test_all_fail(self, opens, params):
        reasons = {"a": ConnectionRefusedError("closed"), "b": TimeoutError("slow")}

        def open(host, port):
            raise reasons[host]

        params |= {"host": ["a", "b"], "port": [1, 2]}
        with pytest.raises(psycopg3.OperationalError) as caught:
            Connection.connect(**params, connector_factory=threads.connector(open))
        assert "'a', port 1: closed" in str(caught.value)
        assert "'b', port 2: slow" in str(caught.value)
        assert caught.value.__cause__ is reasons["b"]

    @pytest.mark.parametrize("target", ["read-write", "prefer-standby"])
    def test_targets(self, secure, params, target):
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
            with Connection.connect(
                **params,
                target_session_attrs=target,
                gssencmode="disable",
                connector_factory=threads.connector(open),
            ) as conn:
                assert conn.info.host == params["host"][1]
        assert asked == params["host"]

    def test_what_the_log_tells(self, opens, params, caplog):
        def open(host, port):
            if host == "first":
                raise ConnectionRefusedError("not here")
            return opens(host, port)

        params |= {"host": ["first", NAME], "port": [1, 5433]}
        caplog.set_level("DEBUG", "psycopg3")
        with Connection.connect(**params, connector_factory=threads.connector(open)):
            pass
        told = [(each.levelname, each.getMessage().split(":")[0]) for each in caplog.records]
        assert told == [
            ("DEBUG", "dialling host=first port=1"),
            ("INFO", "no connection to host=first port=1"),
            ("DEBUG", f"dialling host={NAME} port=5433"),
        ]

    def test_at_random(self, opens, params):
        params |= {"host": ["a", "b", "c", "d"], "load_balance_hosts": "random"}
        for _ in range(12):
            with Connection.connect(**params, connector_factory=threads.connector(opens)):
                pass
        assert len({host for host, _ in opens.asked}) > 1


class TestWhatConnectorsDo:
    def test_an_oserror(self, params):
        reason = ConnectionRefusedError(111, "nobody there")
        with pytest.raises(psycopg3.OperationalError, match="nobody there") as caught:
            Connection.connect(**params, connector_factory=threads.raising(reason))
        assert caught.value.__cause__ is reason

    @pytest.mark.parametrize("reason", [TimeoutError(), ConnectionResetError()])
    def test_an_oserror_without_words(self, params, reason):
        with pytest.raises(psycopg3.OperationalError) as caught:
            Connection.connect(**params, connector_factory=threads.raising(reason))
        assert str(caught.value).endswith(f"port 5433: {reason!r}")

    @pytest.mark.parametrize(
        "error",
        [
            *(ValueError("mine"), psycopg3.DataError()),
            *(KeyboardInterrupt(), asyncio.CancelledError("mine")),
        ],
    )
    def test_another_exception(self, params, error):
        params["host"] = [NAME, NAME]
        with pytest.raises(type(error)) as caught:
            Connection.connect(**params, connector_factory=threads.raising(error))
        assert caught.value is error

    @pytest.mark.parametrize("value", [None, 7, "socket", (1,), (1, 2), (1, 2, 3), object()])
    def test_nonsense(self, params, value):
        with pytest.raises(psycopg3.InterfaceError, match="connector returned .*: expected"):
            Connection.connect(**params, connector_factory=threads.returning(value))

    def test_bad_sockets(self, params, conn):
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
                Connection.connect(**params, connector_factory=threads.returning(sock))
            assert sock.fileno() == -1

    def test_a_socket_that_failed(self, params, conn):
        sock = socket.socket()
        sock.setblocking(False)
        with listeners.refusing() as port:
            sock.connect_ex(("127.0.0.1", port))
            with pytest.raises(psycopg3.OperationalError, match="refused"):
                Connection.connect(**params, connector_factory=threads.returning(sock))
        assert sock.fileno() == -1

    def test_a_link_that_ends_at_once(self, params):
        def leave(sock):
            pass

        with Listener(leave) as listener:
            for kind in [*threads.kinds("plain"), *threads.kinds("relayed")]:
                connector = threads.connector(Opens(("127.0.0.1", listener.port)), kind)
                with pytest.raises(psycopg3.OperationalError):
                    Connection.connect(**params, connector_factory=connector)

    @pytest.mark.slow
    def test_it_hangs(self, params, conn):
        before = descriptors()
        begin = time.monotonic()
        with pytest.raises(errors.ConnectionTimeout, match="connector"):
            Connection.connect(**params, connect_timeout=2, connector_factory=threads.hanging(5))
        assert 1.9 < time.monotonic() - begin < 3
        threads.pause(3.2)
        assert settled(before) == 0

    def test_the_whole_time_holds_for_it(self, params):
        params["host"] = [NAME] * 3
        begin = time.monotonic()
        with pytest.raises(errors.ConnectionTimeout, match=r"within 0\.3 seconds"):
            Connection.connect(**params, timeout=0.3, connector_factory=threads.hanging(1.5))
        assert time.monotonic() - begin < 1.2

    @pytest.mark.slow
    def test_what_comes_too_late_is_closed(self, opens, params, conn):
        before = descriptors()
        slow = threads.hanging(0.5, threads.connector(opens))
        with pytest.raises(errors.ConnectionTimeout):
            Connection.connect(**params, timeout=0.2, connector_factory=slow)
        threads.pause(0.6)
        assert settled(before) == 0

    @pytest.mark.slow
    def test_a_mute_server(self, params):
        with Listener(listeners.mute) as mute:
            for kind in [*threads.kinds("plain"), *threads.kinds("relayed")][1:3]:
                connector = threads.connector(Opens(("127.0.0.1", mute.port)), kind)
                begin = time.monotonic()
                with pytest.raises(errors.ConnectionTimeout, match="no server answered"):
                    Connection.connect(**params, connect_timeout=2, connector_factory=connector)
                assert time.monotonic() - begin < 3


class TestArguments:
    def test_ssl_alone(self, params):
        with pytest.raises(psycopg3.ProgrammingError, match="sslmode"):
            Connection.connect(**params, ssl=ssl.create_default_context())

    def test_both(self, params):
        with pytest.raises(psycopg3.ProgrammingError, match="both"):
            Connection.connect(**params, connector_factory=threads.returning(None), sock=object())

    @pytest.mark.parametrize("value", [True, "require", object()])
    def test_ssl_that_is_none(self, params, value):
        with pytest.raises(psycopg3.ProgrammingError, match="expected an ssl.SSLContext"):
            Connection.connect(**params, connector_factory=threads.returning(None), ssl=value)

    def test_a_connector_that_is_none(self, params):
        with pytest.raises(psycopg3.ProgrammingError, match="connector_factory of type str"):
            Connection.connect(**params, connector_factory="socks5://")

    def test_requirepeer(self, params):
        with pytest.raises(psycopg3.ProgrammingError, match="requirepeer"):
            Connection.connect(
                **params, requirepeer="postgres", connector_factory=threads.returning(None)
            )

    def test_windows(self, params, monkeypatch):
        from psycopg3.dialing import records

        class Windows:
            name = "nt"

        monkeypatch.setattr(records, "os", Windows)
        with pytest.raises(psycopg3.NotSupportedError, match="Windows"):
            Connection.connect(**params, connector_factory=threads.returning(None))


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


class TestRelays:
    @pytest.mark.slow
    def test_links_that_are_slow_to_close(self, secure, params):
        """Nobody waits for what a user's object does in its close(), beyond LINGER."""
        made = []

        def make(host, port):
            made.append(threads.SlowToClose(Opens((secure.host, secure.port))(host, port)))
            return made[-1]

        params["sslmode"] = "disable"
        connector = threads.making(make)
        conn = Connection.connect(**params, connector_factory=connector)
        begin = time.monotonic()
        with pytest.raises(errors.QueryTimeout):
            conn.execute("select pg_sleep(20)", timeout=0.3)
        assert time.monotonic() - begin < 1.5
        begin = time.monotonic()
        conn.close()
        assert time.monotonic() - begin < 1.7
        with Listener(listeners.mute) as mute:

            def make_mute(host, port):
                made.append(threads.SlowToClose(Opens(("127.0.0.1", mute.port))(host, port)))
                return made[-1]

            begin = time.monotonic()
            with pytest.raises(errors.ConnectionTimeout):
                Connection.connect(
                    **params, timeout=0.3, connector_factory=threads.making(make_mute)
                )
            assert time.monotonic() - begin < 1.5
        # Refused, and given up: that takes no time either.
        late = threads.SlowToClose(Opens((secure.host, secure.port))(NAME, 1))
        begin = time.monotonic()
        with pytest.raises(psycopg3.ProgrammingError):
            Connection.connect(sock=late, no_such_option=1)
        assert time.monotonic() - begin < 1
        # But closed it is.
        for link in [*made, late]:
            assert closed(link._sock), link

    def test_copies_that_nobody_reads(self, secure, params, conn):
        # The server sends 100 MB to a client that doesn't read: the relay must not hold them.
        params["sslmode"] = "disable"
        for kind in threads.kinds("relayed"):
            connector = threads.connector(Opens((secure.host, secure.port)), kind)
            mine = Connection.connect(**params, connector_factory=connector)
            # The lock keeps what listens to an idle connection from reading.
            with mine, mine.lock:
                query = b"copy (select repeat('x', 1000) from generate_series(1, 1e5)) to stdout"
                mine.pgconn.send_query(query)
                before = peak()
                threads.pause(0.4)
                assert peak() - before < 16_000, kind
                mine.terminate()

    def test_the_server_s_last_words(self, secure, params):
        for kind in threads.kinds("relayed"):
            connector = threads.connector(Opens((secure.host, secure.port)), kind)
            with (
                Connection.connect(**params, connector_factory=connector) as mine,
                Connection.connect(**params, connector_factory=connector) as other,
            ):
                other.execute("select pg_terminate_backend(%s, 5000)", [mine.info.backend_pid])
                with pytest.raises(errors.AdminShutdown):
                    for _ in range(2):
                        mine.execute("select 1")
                assert mine.broken

    def test_a_goodbye_is_passed_on(self, params):
        told = []

        def talk(sock):
            listeners.startup(sock)
            listeners.send(sock, b"R", struct.pack("!i", 0))
            listeners.send(sock, b"K", struct.pack("!ii", 1, 2))
            listeners.send(sock, b"Z", b"I")
            while data := sock.recv(1000):
                told.append(data)

        with Listener(talk) as server:
            for kind in threads.kinds("relayed"):
                told.clear()
                connector = threads.connector(Opens(("127.0.0.1", server.port)), kind)
                mine = Connection.connect(
                    **params, gssencmode="disable", connector_factory=connector
                )
                mine.close()
                assert server.ended.acquire(timeout=3)
                assert told == [b"X\0\0\0\4"], kind

    def test_dropped_without_close(self, opens, params, conn, monkeypatch):
        told = []  # not the warnings themselves, which keep the connection alive
        running = threading.active_count()
        params["sslmode"] = "disable"
        for kind in threads.kinds("relayed"):
            connector = threads.connector(opens, kind)
            # The first time, an event loop may open descriptors of its own.
            with Connection.connect(**params, connector_factory=connector):
                pass
            before = descriptors()
            mine = Connection.connect(**params, connector_factory=connector)
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                monkeypatch.setattr(warnings, "showwarning", lambda m, *_: told.append(str(m)))
                del mine
                gc.collect()
                assert settled(before) == 0, kind
            assert "deleted while still open" in told.pop() and not told, kind
        deadline = time.monotonic() + 3
        while threading.active_count() > running and time.monotonic() < deadline:
            threads.pause(0.02)
        assert threading.active_count() <= running

    @pytest.mark.slow
    def test_a_frozen_peer_does_not_keep_it(self, params):
        # What is on its way to a server that reads no more can't hold up a close.
        go = threading.Event()

        def talk(sock):
            listeners.startup(sock)
            listeners.send(sock, b"R", struct.pack("!i", 0))
            listeners.send(sock, b"K", struct.pack("!ii", 1, 2))
            listeners.send(sock, b"Z", b"I")
            go.wait(20)

        with Listener(talk) as server:
            for kind in threads.kinds("relayed"):
                connector = threads.connector(Opens(("127.0.0.1", server.port)), kind)
                mine = Connection.connect(
                    **params, gssencmode="disable", cancel_timeout=0.3, connector_factory=connector
                )
                begin = time.monotonic()
                with pytest.raises(errors.QueryTimeout):
                    mine.execute("select %s", ["x" * 30_000_000], timeout=0.3)
                mine.close()
                assert time.monotonic() - begin < 3, kind
                deadline = time.monotonic() + 3
                while not mine._route.relay.finished and time.monotonic() < deadline:
                    threads.pause(0.02)
                assert mine._route.relay.finished, kind
            go.set()


def peak():
    """The most memory that this process has had, in kB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class TestCancel:
    @pytest.mark.parametrize("sort", ["plain", "relayed"])
    def test_by_somebody_else(self, opens, params, sort):
        for kind in threads.kinds(sort):
            connector = threads.connector(opens, kind)
            with Connection.connect(**params, connector_factory=connector) as conn:

                def cancel(conn=conn):
                    threads.pause(0.2)
                    conn.cancel_safe()

                join = threads.start(cancel)
                begin = time.monotonic()
                with pytest.raises(errors.QueryCanceled):
                    conn.execute("select pg_sleep(20)")
                assert time.monotonic() - begin < 3
                join()
                assert one(conn, "select 1") == 1

    @pytest.mark.skipif(version() < 170000, reason="older ones need the reserved address")
    def test_after_the_reserved_address_is_given_up(self, opens, params, monkeypatch):
        monkeypatch.setattr(adoption, "_shared", None)
        with Connection.connect(**params, connector_factory=threads.connector(opens)) as conn:
            conn._route.reservation.close()
            assert is_cancelled(conn)

    def test_a_connector_that_fails_at_it(self, opens, params, caplog):
        def open(host, port):
            if len(opens.asked) > 0:
                raise RuntimeError("no more")
            return opens(host, port)

        connector = threads.connector(open)
        params["sslmode"] = "disable"
        with Connection.connect(**params, cancel_timeout=0.6, connector_factory=connector) as conn:
            with pytest.raises(RuntimeError, match="no more"):
                conn.cancel_safe()
            # It ends by itself in time: the connection lives on.
            with pytest.raises(errors.QueryTimeout):
                conn.execute("select pg_sleep(0.5)", timeout=0.2)
            assert one(conn, "select 1") == 1
            with pytest.raises(errors.QueryTimeout):
                conn.execute("select pg_sleep(20)", timeout=0.2)
            assert conn.broken
        assert "no more" in caplog.text

    def test_a_connector_that_is_slow_at_it(self, opens, params):
        quick, slow = threads.connector(opens), threads.hanging(1.5)

        def connector(*args, **kwargs):
            if opens.asked:
                return slow(*args, **kwargs)
            return quick(*args, **kwargs)

        params["sslmode"] = "disable"
        with Connection.connect(**params, cancel_timeout=0.4, connector_factory=connector) as conn:
            with pytest.raises(errors.CancellationTimeout):
                conn.cancel_safe(timeout=0.2)
            begin = time.monotonic()
            with pytest.raises(errors.QueryTimeout):
                conn.execute("select pg_sleep(20)", timeout=0.2)
            assert time.monotonic() - begin < 1.2
            assert conn.broken

    def test_an_os_error(self, opens, params):
        def open(host, port):
            if opens.asked:
                raise ConnectionRefusedError("gone")
            return opens(host, port)

        params["sslmode"] = "disable"
        with Connection.connect(**params, connector_factory=threads.connector(open)) as conn:
            with pytest.raises(psycopg3.OperationalError, match="could not be delivered: gone"):
                conn.cancel_safe()

    @pytest.mark.skipif(version() >= 170000, reason="newer ones take another way")
    def test_a_stranger_gets_in_line(self, opens, params):
        connector = threads.connector(opens)
        with Connection.connect(**params, connector_factory=connector) as conn:
            place = conn._route.reservation
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((place.ip, place.port))
            place.listen()
            strangers = [socket.create_connection((place.ip, place.port)) for _ in range(3)]
            strangers[1].sendall(struct.pack("!iiii", 16, 80877102, 1, 1))
            strangers[2].sendall(b"\0" * 100)
            assert is_cancelled(conn)
            for stranger in strangers:
                stranger.close()
            assert is_cancelled(conn)
