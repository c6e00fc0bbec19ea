# Generated from tests/_async/test_connecting.py by `python tools/unasync.py`: edit that file, not this one.
"""Connection.connect(): hosts, names, time, passwords that are fetched."""

from __future__ import annotations

import gc
import socket
import time
import warnings
from contextlib import ExitStack

import pytest

import psycopg3
from psycopg3 import Connection, errors, rows
from psycopg3.conninfo import conninfo_to_dict
from psycopg3.waiting import STOCK
from tests import listeners
from tests.connectors import threads
from tests.listeners import Listener

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def places():
    """Ports of this machine: one that refuses, one that is mute, one that resets."""
    with ExitStack() as stack:
        yield {
            "refused": stack.enter_context(listeners.refusing()),
            "mute": stack.enter_context(Listener(listeners.mute)).port,
            "reset": stack.enter_context(Listener(listeners.reset)).port,
        }


def hosts(dsn, *ports):
    """Parameters of hosts of this machine, then of the server."""
    params = conninfo_to_dict(dsn)
    return {
        **params,
        "host": [*["127.0.0.1"] * len(ports), params["host"]],
        "port": [*ports, params["port"]],
    }


class TestHosts:
    def test_the_second(self, dsn, places):
        with Connection.connect(**hosts(dsn, places["refused"])) as conn:
            assert conn.execute("select 1").fetchone() == (1,)

    def test_in_a_string(self, dsn, places):
        params = hosts(dsn, places["refused"], places["reset"])
        conninfo = "host={},{},{} port={},{},{}".format(*params["host"], *params["port"])
        names = {name: params[name] for name in ("user", "dbname")}
        with Connection.connect(conninfo, **names) as conn:
            assert conn.pgconn.host.decode() == params["host"][2]

    def test_by_the_environment(self, dsn, places, monkeypatch):
        params = hosts(dsn, places["refused"])
        for name in ("host", "port"):
            monkeypatch.setenv(f"PG{name.upper()}", ",".join(map(str, params.pop(name))))
        with Connection.connect(**params) as conn:
            assert not conn.closed

    def test_one_host_with_two_ports(self, dsn, places):
        params = conninfo_to_dict(dsn)
        params |= {"host": [params["host"]] * 2, "port": ["1", params["port"]]}
        with Connection.connect(**params) as conn:
            assert conn.pgconn.port.decode() == params["port"][1]

    def test_random(self, dsn):
        params = hosts(dsn)
        params |= {"host": params["host"] * 3, "load_balance_hosts": "random"}
        with Connection.connect(**params) as conn:
            assert not conn.closed

    @pytest.mark.parametrize("target", ["primary", "read-write", "prefer-standby", "any"])
    def test_target(self, dsn, places, target):
        params = hosts(dsn, places["refused"])
        with Connection.connect(**params, target_session_attrs=target) as conn:
            assert not conn.closed

    @pytest.mark.parametrize("count", [1, 2])
    def test_prefer_standby_where_a_connector_knows_the_names(self, count):
        with Listener(listeners.primary) as server:

            def open(host, port):
                return socket.create_connection(("127.0.0.1", server.port))

            with Connection.connect(
                host=[f"{number}.example.test" for number in range(count)],
                user="me",
                sslmode="disable",
                target_session_attrs="prefer-standby",
                connector_factory=threads.connector(open),
                autocommit=True,
            ) as conn:
                assert conn.info.host == "0.example.test"
            assert server.taken == count + 1

    def test_wrong_target(self, dsn):
        with pytest.raises(psycopg3.OperationalError, match="hot standby"):
            Connection.connect(dsn, target_session_attrs="standby")

    def test_unknown_target(self, dsn):
        with pytest.raises(psycopg3.OperationalError, match="expected any, read-write"):
            Connection.connect(dsn, target_session_attrs="fast")

    def test_none(self, places):
        ports = [places["refused"], places["reset"]]
        with pytest.raises(psycopg3.OperationalError) as caught:
            Connection.connect(host=["127.0.0.1"] * 2, port=ports, user="me", password="s3cret")
        for port in ports:
            assert f"- host=127.0.0.1 port={port}: connection to server" in str(caught.value)
        assert "s3cret" not in str(caught.value)
        assert caught.value.pgconn is not None

    def test_ports_that_do_not_match(self):
        with pytest.raises(psycopg3.ProgrammingError, match="3 ports for 2 hosts"):
            Connection.connect(host=["a", "b"], port=[1, 2, 3])

    def test_unknown_name(self):
        with pytest.raises(psycopg3.OperationalError, match=r"host 'nowhere\.invalid'"):
            Connection.connect(host="nowhere.invalid")

    def test_the_system_s_names(self, places):
        with pytest.raises(psycopg3.OperationalError, match="localhost"):
            Connection.connect(host="localhost", port=places["refused"], user="me")


@pytest.mark.slow
class TestTimeout:
    def test_the_next(self, dsn, places):
        begin = time.monotonic()
        params = hosts(dsn, places["mute"])
        with Connection.connect(**params, connect_timeout=2) as conn:
            assert not conn.closed
        assert 2 <= time.monotonic() - begin < 4

    def test_no_next(self, places):
        begin = time.monotonic()
        with pytest.raises(errors.ConnectionTimeout, match="within 2 seconds"):
            Connection.connect(host="127.0.0.1", port=places["mute"], user="me", connect_timeout=1)
        assert 2 <= time.monotonic() - begin < 4


class TestWholeTime:
    def test_of_one(self, places):
        with pytest.raises(errors.ConnectionTimeout) as caught:
            Connection.connect(host="127.0.0.1", port=places["mute"], user="me", timeout=0.2)
        assert str(caught.value) == (
            f"no connection to host=127.0.0.1 port={places['mute']} within 0.2 seconds: the server"
            " did not answer in time; check host and port, or raise the timeout"
        )

    @pytest.mark.parametrize("count", [1, 3])
    def test_of_several(self, places, count):
        ports = [*[places["refused"]] * count, places["mute"], places["reset"]]
        conninfo = f"host={','.join(['127.0.0.1'] * len(ports))} port={','.join(map(str, ports))}"
        with pytest.raises(errors.ConnectionTimeout) as caught:
            Connection.connect(conninfo, user="me", password="s3cret", timeout=0.3)
        head, *rest = str(caught.value).split("\n- ")
        assert head == f"no connection within 0.3 seconds, after {count + 1} attempts:"
        assert len(rest) == count + 1
        for text in rest[:-1]:
            place = f"host=127.0.0.1 port={places['refused']}"
            assert text.startswith(f"{place}: connection to server")
            assert "Connection refused" in text
        assert rest[-1] == (
            f"host=127.0.0.1 port={places['mute']}: the server did not answer in time; check host"
            " and port, or raise the timeout"
        )
        assert "s3cret" not in str(caught.value)

    def test_in_a_waiter_of_your_own(self, places, conn):
        stock = STOCK[conn._library.name]

        def wait(gen, interval=0.1):
            return stock(gen, interval)

        with pytest.raises(errors.ConnectionTimeout, match="after 2 attempts") as caught:
            Connection.connect(
                host=["/nowhere", "127.0.0.1"], port=[1, places["mute"]], timeout=0.2, wait=wait
            )
        assert "\n- host=/nowhere port=1: connection to server" in str(caught.value)

    def test_of_connectors(self, places):
        def open(host, port):
            if host == "a":
                raise OSError("closed")
            return socket.create_connection(("127.0.0.1", places["mute"]))

        late = threads.hanging(1.0)
        connect = threads.connector(open)
        first = "- host=a port=1: the connector could not connect to 'a', port 1: closed"
        params = {"host": ["a", "b"], "port": [1, 2], "user": "me", "timeout": 0.3}
        params |= {"sslmode": "disable"}

        def connect_or_hang(*args, ssl, **kwargs):
            return (late if "b" in args else connect)(*args, ssl=ssl, **kwargs)

        no_link = "the connector gave no link in time; check what it connects to"
        no_server = "the connector gave a link, but no server answered over it in time; check where it leads"
        for connector, reason in [(connect_or_hang, no_link), (connect, no_server)]:
            with pytest.raises(errors.ConnectionTimeout) as caught:
                Connection.connect(**params, connector_factory=connector)
            assert str(caught.value).splitlines() == [
                "no connection within 0.3 seconds, after 2 attempts:",
                first,
                f"- host=b port=2: {reason}, or raise the timeout",
            ]

    def test_a_connector_that_blocks_and_fails_late(self):
        def connector(*args, **kwargs):
            time.sleep(0.3)
            raise OSError("closed")

        with pytest.raises(errors.ConnectionTimeout, match="host=a port=1 within 0.2 seconds"):
            Connection.connect(
                host="a", port=1, user="me", timeout=0.2, connector_factory=connector
            )

    @pytest.mark.parametrize("seconds", [0.2, 0.6])
    def test_before_the_first_attempt(self, dsn, places, seconds):
        """A call that can't be interrupted, and one that can."""

        def password():
            if seconds < 0.5:
                time.sleep(seconds)
            else:
                threads.pause(seconds)

        class Mine(Connection):
            @classmethod
            def _get_connection_params(cls, conninfo, **kwargs):
                password()
                return super()._get_connection_params(conninfo, **kwargs)

        for cls, params in [(Connection, {"password": password}), (Mine, {})]:
            with pytest.raises(errors.ConnectionTimeout) as caught:
                cls.connect(dsn, **params, timeout=0.1)
            assert str(caught.value) == (
                "no connection within 0.1 seconds: no host was tried by then; have the functions that"
                " give password or parameters take less time, or raise the timeout"
            )


def test_a_waiter_of_your_own_goes_through_the_hosts(dsn, conn, places):
    waited = []
    stock = STOCK[conn._library.name]

    def wait(gen, interval=0.1):
        waited.append(gen)
        return stock(gen, interval)

    params = hosts(dsn, places["refused"], places["refused"])
    params["host"][0] = "localhost"
    with Connection.connect(**params, wait=wait) as mine:
        assert len(waited) == 1
        assert not mine.closed


class TestPassword:
    @pytest.fixture
    def told(self):
        return []

    @pytest.fixture
    def server(self, told):
        """A server that keeps in `told` the passwords that it is told."""
        with Listener(listeners.asking_password(told)) as server:
            params = {"host": "127.0.0.1", "port": server.port, "user": "me"}
            yield {**params, "sslmode": "disable", "gssencmode": "disable"}

    def test_of_a_function(self, server, told):
        with Connection.connect(**server, password=lambda: "secret", autocommit=True):
            pass
        assert told == ["secret"]

    def test_of_a_coroutine_function(self, server, told, conn):
        def password():
            return "secret"

        with Connection.connect(**server, password=password):
            pass
        assert told == ["secret"]

    def test_instead_of_the_string_s(self, server, told):
        conninfo = "password=no user=no"
        with Connection.connect(conninfo, **server, password=lambda: "secret"):
            pass
        assert told == ["secret"]

    def test_is_called_once(self, dsn, places):
        called = []
        params = hosts(dsn, places["refused"], places["refused"])
        with Connection.connect(**params, password=lambda: called.append(1)):
            pass
        assert called == [1]

    def test_its_exceptions_pass(self, server):
        class Refusal(Exception):
            pass

        def password():
            raise Refusal

        with pytest.raises(Refusal):
            Connection.connect(**server, password=password)

    def test_of_a_function_that_gives_no_text(self, server):
        with pytest.raises(psycopg3.ProgrammingError, match="password of type dict") as caught:
            Connection.connect(**server, password=lambda: {"secret": "secret"})
        assert "secret" not in str(caught.value)

    def test_by_a_subclass(self, server, told):
        class Mine(Connection):
            @classmethod
            def _get_connection_params(cls, conninfo, **kwargs):
                params = super()._get_connection_params(conninfo, **kwargs)
                assert params["user"] == "me"
                return params | {"password": lambda: "secret"}

        with Mine.connect(**server):
            pass
        assert told == ["secret"]

    def test_is_shown_nowhere(self, server, caplog):
        caplog.set_level(0)
        server |= {"host": ["127.0.0.1"] * 2, "port": [1, server["port"]]}
        with Connection.connect(**server, password=lambda: "s3cret") as conn:
            assert "s3cret" not in repr(conn)
        with pytest.raises(psycopg3.OperationalError) as caught:
            Connection.connect(**server | {"port": [1, 2]}, password=lambda: "s3cret")
        error = caught.value
        while error is not None:
            assert "s3cret" not in str(error)
            error = error.__cause__ or error.__context__
        assert "s3cret" not in caplog.text
        assert "no connection to host=127.0.0.1 port=1" in caplog.text


class TestClass:
    def test_chosen(self, dsn):
        class Mine(Connection):
            @classmethod
            def _get_connection_params(cls, conninfo, **kwargs):
                params = super()._get_connection_params(conninfo, **kwargs)
                return params | {"application_name": cls.__name__}

        with Connection.connect(dsn, connection_class=Mine, row_factory=rows.dict_row) as conn:
            assert type(conn) is Mine
            assert conn.execute("show application_name").fetchone() == {"application_name": "Mine"}
        with Mine.connect(dsn, connection_class=None) as conn:
            assert type(conn) is Mine

    def test_with_a_constructor_of_its_own(self, dsn):
        class Bare(Connection):
            def __init__(self, pgconn):
                super().__init__(pgconn)

        class Dicts(Connection):
            def __init__(self, pgconn, row_factory=rows.dict_row):
                super().__init__(pgconn, row_factory)

        with Bare.connect(dsn, row_factory=rows.scalar_row) as conn:
            assert conn.execute("select 1 as n").fetchone() == 1
        with Dicts.connect(dsn) as conn:
            assert conn.execute("select 1 as n").fetchone() == {"n": 1}

    @pytest.mark.parametrize("wrong", [int, "Connection", psycopg3.BaseConnection])
    def test_that_is_none(self, dsn, wrong):
        with pytest.raises(psycopg3.ProgrammingError, match="a subclass of it"):
            Connection.connect(dsn, connection_class=wrong)


class TestTls:
    """`ssl` without a connector: libpq's own TLS."""

    def in_use(self, dsn, **params):
        with Connection.connect(dsn, **params, gssencmode="disable") as conn:
            return bool(conn.pgconn.ssl_in_use)

    def test_modes(self, secure):
        clear = {"user": "clear", "password": secure.password, "host": "127.0.0.1"}
        crypted = clear | {"user": "crypted"}
        assert not self.in_use(secure.dsn, **clear, ssl=False)
        assert self.in_use(secure.dsn, **crypted, ssl="require")
        assert self.in_use(secure.dsn, **crypted, ssl="require", sslmode="disable")
        with pytest.raises(psycopg3.OperationalError):
            self.in_use(secure.dsn, **crypted, ssl=False)

    def test_verified(self, secure):
        crypted = {"user": "crypted", "password": secure.password, "host": "127.0.0.1"}
        with pytest.raises(psycopg3.OperationalError, match="certificate"):
            self.in_use(secure.dsn, **crypted, ssl=True)

    def test_a_context_is_for_connectors(self, dsn):
        with pytest.raises(psycopg3.ProgrammingError, match="without connector_factory or sock"):
            Connection.connect(dsn, ssl=object())


class TestPort:
    @pytest.mark.parametrize("conninfo", ["", "user=me", "postgresql://me@nowhere.invalid"])
    def test_that_is_none(self, conninfo):
        with pytest.raises(psycopg3.ProgrammingError, match="from 1 to 65535$"):
            Connection.connect(conninfo, port="abc")

    def test_that_is_none_in_a_url(self):
        with pytest.raises(psycopg3.ProgrammingError, match="percent-encode") as caught:
            Connection.connect("postgresql://me:s3cret/x@nowhere.invalid")
        assert "s3cret" not in str(caught.value)


def test_server_settings(dsn):
    settings = {"search_path": "a, b", "work_mem": "8MB"}
    with Connection.connect(dsn, server_settings=settings) as conn:
        assert conn.execute("show search_path").fetchone() == ("a, b",)
        assert conn.execute("show work_mem").fetchone() == ("8MB",)
    with Connection.connect(dsn, server_settings=None) as conn:
        assert conn.execute("show work_mem").fetchone() != ("8MB",)


def test_server_settings_by_a_subclass(dsn):
    class Mine(Connection):
        @classmethod
        def _get_connection_params(cls, conninfo, **kwargs):
            params = super()._get_connection_params(conninfo, **kwargs)
            return params | {"server_settings": {"work_mem": "8MB"}}

    with Mine.connect(dsn) as conn:
        assert conn.execute("show work_mem").fetchone() == ("8MB",)


def test_nothing_is_left_of_what_failed(places):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(psycopg3.OperationalError):
            Connection.connect(host=["localhost"] * 2, port=places["refused"], user="me")
        gc.collect()
