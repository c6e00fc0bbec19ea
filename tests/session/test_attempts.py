"""Attempts: which places are tried, in which order, for how long, and what is told of them."""

from __future__ import annotations

import gc
import logging
import os
import random
import signal
import socket
import sys
import threading
import time
import warnings
import weakref
from collections import Counter
from contextlib import ExitStack, suppress

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

import psycopg3
from psycopg3 import OperationalError, ProgrammingError, conninfo, errors
from psycopg3.conninfo import conninfo_to_dict, make_conninfo, rehearse
from psycopg3.pq import PGconn
from psycopg3.session import attempts
from psycopg3.session.attempts import Attempts
from psycopg3.testing import Cluster
from psycopg3.waiting import wait_select
from tests import listeners
from tests.listeners import Listener
from tests.marks import counts_references

LOCAL = listeners.ADDRESS


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """No variables of libpq's: but the tests' user can't be found out by each."""
    for name in list(os.environ):
        if name.startswith("PG"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PGUSER", "me")


def open_place(**params):
    """Go through the attempts, and return the (host, hostaddr, port) of the one that succeeded."""
    params = {"sslmode": "disable", "gssencmode": "disable", **params}
    pgconn = wait_select(Attempts(conninfo_to_dict("", **params)).connect_gen())
    try:
        assert pgconn.nonblocking
        return pgconn.host.decode(), pgconn.hostaddr.decode(), int(pgconn.port)
    finally:
        pgconn.finish()


def open_port(**params):
    return open_place(**params)[2]


def hurried(monkeypatch, seconds=0.3):
    """Have attempts give up after fractions of a second, which libpq's parameter can't say."""
    monkeypatch.setattr(attempts, "timeout_from_conninfo", lambda params: seconds)


@pytest.fixture
def listen():
    """Makes listeners; all end with the test."""
    with ExitStack() as stack:
        yield lambda *args: stack.enter_context(Listener(*args))


@pytest.fixture
def refused():
    """A port that refuses connections."""
    with listeners.refusing() as port:
        yield port


class Names:
    """The names that can be looked up, in place of the system's; counts the look-ups."""

    def __init__(self):
        self.addresses = {}
        self.asked = Counter()
        self.hangs = threading.Event()
        self.threads = set()

    def getaddrinfo(self, host, port, *args, **kwargs):
        self.asked[host] += 1
        self.threads.add(threading.current_thread())
        found = self.addresses.get(host)
        if found is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if found == "hangs":
            self.hangs.wait(20)
            found = []
        families = {True: socket.AF_INET6, False: socket.AF_INET}
        return [
            (families[":" in a], socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (a, port))
            for a in found
        ]


@pytest.fixture
def names(monkeypatch):
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    yield names
    names.hangs.set()
    # Their descriptors must not go in the middle of the next test.
    for thread in names.threads - {threading.current_thread()}:
        thread.join(5)


class TestOrder:
    def test_the_second(self, listen, refused):
        good = listen(listeners.primary).port
        assert open_port(host=[LOCAL, LOCAL], port=[refused, good]) == good

    def test_the_first_is_enough(self, listen):
        one, two = listen(listeners.primary), listen(listeners.primary)
        assert open_port(host=[LOCAL, LOCAL], port=[one.port, two.port]) == one.port
        assert two.taken == 0

    def test_after_a_reset(self, listen):
        broken, good = listen(listeners.reset), listen(listeners.primary)
        assert open_port(host=[LOCAL, LOCAL], port=[broken.port, good.port]) == good.port

    def test_after_an_error_of_the_server(self, listen):
        full = listen(listeners.failing("53300", "sorry, too many clients already"))
        good = listen(listeners.primary)
        assert open_port(host=[LOCAL, LOCAL], port=[full.port, good.port]) == good.port

    def test_after_one_that_is_mute(self, listen, monkeypatch):
        hurried(monkeypatch)
        silent, good = listen(listeners.mute), listen(listeners.primary)
        begin = time.monotonic()
        assert open_port(host=[LOCAL, LOCAL], port=[silent.port, good.port]) == good.port
        assert 0.3 <= time.monotonic() - begin < 1.5
        assert silent.ended.acquire(timeout=5)  # its connection was closed

    def test_random(self, listen):
        ports = [listen(listeners.primary).port for _ in range(3)]
        params = {"host": [LOCAL] * 3, "port": ports}
        found = Counter(open_port(**params, load_balance_hosts="random") for _ in range(60))
        assert set(found) == set(ports)
        assert {open_port(**params, load_balance_hosts="disable") for _ in range(5)} == {ports[0]}

    def test_random_by_the_environment(self, listen, monkeypatch):
        monkeypatch.setenv("PGLOADBALANCEHOSTS", "random")
        ports = [listen(listeners.primary).port for _ in range(2)]
        assert {open_port(host=[LOCAL] * 2, port=ports) for _ in range(40)} == set(ports)

    def test_random_addresses_of_one_name(self, listen, names):
        names.addresses["db.example"] = ["127.0.0.1", "127.0.0.2"]
        one = listen(listeners.primary)
        listen(listeners.primary, "127.0.0.2", one.port)
        params = {"host": "db.example", "port": one.port, "load_balance_hosts": "random"}
        assert {open_place(**params)[1] for _ in range(40)} == {"127.0.0.1", "127.0.0.2"}

    @pytest.mark.parametrize(
        ("params", "told"),
        [
            ({"load_balance_hosts": "sometimes"}, "'sometimes': expected disable, random"),
            ({"target_session_attrs": "fast"}, "'fast': expected any, read-write"),
        ],
    )
    def test_unknown_values(self, params, told):
        with pytest.raises(OperationalError, match=told):
            Attempts(params)


class TestTarget:
    """libpq itself checks a server for everything but prefer-standby."""

    @pytest.fixture
    def ports(self, listen):
        """A primary and a standby."""
        return [listen(listeners.primary).port, listen(listeners.standby).port]

    @pytest.mark.parametrize(
        ("target", "index"),
        [
            ("any", 0),
            ("read-write", 0),
            ("primary", 0),
            ("read-only", 1),
            ("standby", 1),
            ("prefer-standby", 1),
        ],
    )
    def test_targets(self, ports, target, index):
        params = {"host": [LOCAL] * 2, "port": ports, "target_session_attrs": target}
        assert open_port(**params) == ports[index]
        assert open_port(**params | {"port": ports[::-1]}) == (
            ports[1] if target == "any" else ports[index]
        )

    def test_by_the_environment(self, ports, monkeypatch):
        monkeypatch.setenv("PGTARGETSESSIONATTRS", "prefer-standby")
        assert open_port(host=[LOCAL] * 2, port=ports) == ports[1]

    def test_prefer_standby_among_primaries(self, listen):
        one, two = listen(listeners.primary), listen(listeners.primary)
        params = {"host": [LOCAL] * 2, "port": [one.port, two.port]}
        assert open_port(**params, target_session_attrs="prefer-standby") == one.port
        assert (one.taken, two.taken) == (2, 1)

    def test_prefer_standby_of_one(self, listen):
        one = listen(listeners.primary)
        assert open_port(host=LOCAL, port=one.port, target_session_attrs="prefer-standby")

    def test_prefer_standby_and_nobody(self, refused):
        with pytest.raises(OperationalError) as caught:
            open_port(
                host=[LOCAL, "127.0.0.2"], port=refused, target_session_attrs="prefer-standby"
            )
        assert str(caught.value).count("failed:") == 2

    def test_prefer_standby_waits_once_for_the_mute(self, listen, monkeypatch):
        hurried(monkeypatch)
        silent, good = listen(listeners.mute), listen(listeners.primary)
        params = {"host": [LOCAL] * 2, "port": [silent.port, good.port]}
        assert open_port(**params, target_session_attrs="prefer-standby") == good.port
        assert (silent.taken, good.taken) == (1, 2)

    def test_prefer_standby_among_addresses(self, listen, names):
        names.addresses["db.example"] = ["127.0.0.1", "127.0.0.2"]
        one = listen(listeners.primary)
        listen(listeners.standby, "127.0.0.2", one.port)
        params = {"host": "db.example,nowhere.example", "port": one.port}
        found = open_place(**params, target_session_attrs="prefer-standby")
        assert found == ("db.example", "127.0.0.2", one.port)
        assert names.asked == {"db.example": 1}

    def test_the_wrong_target(self, listen):
        port = listen(listeners.primary).port
        with pytest.raises(OperationalError, match="not in hot standby"):
            open_port(host=LOCAL, port=port, target_session_attrs="standby")


@pytest.mark.slow
def test_a_real_standby(dsn):
    """A server that waits for more of its log to come is in hot standby."""
    with Cluster(own=True) as waiting, Cluster(own=True) as running:
        waiting.halt()
        data = waiting.socket_dir / "data"
        (data / "standby.signal").touch()
        waiting.start()
        ports = [running.port, waiting.port]
        for target, port in {
            "any": ports[0],
            "read-write": ports[0],
            "primary": ports[0],
            "standby": ports[1],
            "read-only": ports[1],
            "prefer-standby": ports[1],
        }.items():
            params = {"host": [LOCAL] * 2, "port": ports, "user": "postgres"}
            assert open_port(**params, target_session_attrs=target) == port
        params |= {"port": [ports[0], ports[0]]}
        with pytest.raises(OperationalError, match="hot standby"):
            open_port(**params, target_session_attrs="standby")
        assert open_port(**params, target_session_attrs="prefer-standby") == ports[0]


class TestNames:
    def test_every_address(self, listen, names):
        names.addresses["db.example"] = ["127.0.0.2", "127.0.0.1"]
        port = listen(listeners.primary).port
        assert open_place(host="db.example", port=port) == ("db.example", "127.0.0.1", port)

    def test_both_families(self, listen, names):
        if not socket.has_ipv6:
            pytest.skip("no IPv6 here")
        names.addresses["db.example"] = ["::1", "127.0.0.1"]
        try:
            port = listen(listeners.primary, "::1").port
        except OSError:
            pytest.skip("no IPv6 here")
        assert open_place(host="db.example", port=port) == ("db.example", "::1", port)
        with listeners.refusing() as other, Listener(listeners.primary, "::1", other):
            names.addresses["db.example"] = ["127.0.0.1", "::1"]
            assert open_place(host="db.example", port=other)[1] == "::1"
        assert open_place(host="::1", port=port) == ("::1", "::1", port)

    def test_the_next_name(self, listen, names):
        names.addresses["db.example"] = ["127.0.0.1"]
        port = listen(listeners.primary).port
        hosts = ["nowhere.example", "a..b", "empty.example", "db.example"]
        names.addresses["empty.example"] = []
        assert open_place(host=hosts, port=port)[0] == "db.example"

    def test_only_when_its_turn_comes(self, listen, names):
        names.addresses["db.example"] = ["127.0.0.1", "127.0.0.1"]
        port = listen(listeners.primary).port
        open_place(host="db.example,other.example", port=port)
        assert names.asked == {"db.example": 1}

    def test_no_name_no_look_up(self, listen, names, dsn):
        port = listen(listeners.primary).port
        open_place(host=LOCAL, port=port)
        open_place(hostaddr=LOCAL, port=port)
        assert open_place(host="db.example", hostaddr=LOCAL, port=port)[0] == "db.example"
        wait_select(Attempts(conninfo_to_dict(dsn)).connect_gen()).finish()
        assert names.asked == {}

    def test_unknown(self, names):
        with pytest.raises(OperationalError) as caught:
            open_place(host="nowhere.example")
        assert "'nowhere.example' was found: Name or service not known" in str(caught.value)
        assert isinstance(caught.value.__cause__, socket.gaierror)

    def test_impossible(self):
        with pytest.raises(OperationalError, match="'a..b' was found"):
            open_place(host="a..b")

    def test_without_addresses(self, names):
        names.addresses["db.example"] = []
        with pytest.raises(OperationalError, match="'db.example' has no address"):
            open_place(host="db.example")

    def test_look_up_that_hangs(self, names, monkeypatch):
        hurried(monkeypatch)
        names.addresses["slow.example"] = "hangs"
        begin = time.monotonic()
        with pytest.raises(errors.ConnectionTimeout, match=r"'slow.example' was found within 0.3"):
            open_place(host="slow.example")
        assert 0.3 <= time.monotonic() - begin < 1.5

    def test_look_up_and_connecting_share_the_time(self, names, listen, monkeypatch):
        hurried(monkeypatch, 1.0)
        slow = names.getaddrinfo

        def getaddrinfo(*args, **kwargs):
            time.sleep(0.7)
            return slow(*args, **kwargs)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        names.addresses["db.example"] = ["127.0.0.1"]
        begin = time.monotonic()
        with pytest.raises(errors.ConnectionTimeout):
            open_place(host="db.example", port=listen(listeners.mute).port)
        assert 1.0 <= time.monotonic() - begin < 1.5

    def test_the_system_s_own(self, listen):
        port = listen(listeners.primary).port
        assert open_place(host="localhost", port=port)[0] == "localhost"

    @pytest.mark.slow
    def test_certificate_is_checked_by_name(self):
        """With name and address both given, libpq checks the certificate against the name."""
        try:
            rehearse({"sslmode": "verify-full"})
        except OperationalError as ex:
            pytest.skip(str(ex))
        with Cluster(own=True) as cluster:
            if cluster.ca_file is None:
                pytest.skip("a server without TLS")
            params = {
                "port": cluster.port,
                "user": "postgres",
                "sslmode": "verify-full",
                "sslrootcert": cluster.ca_file,
            }
            assert open_place(host="localhost", **params)
            with pytest.MonkeyPatch.context() as patch:
                names = Names()
                patch.setattr(socket, "getaddrinfo", names.getaddrinfo)
                names.addresses = {"db.example.test": ["127.0.0.1"], "other.test": ["127.0.0.1"]}
                assert open_place(host="db.example.test", **params)[0] == "db.example.test"
                with pytest.raises(OperationalError, match="other.test"):
                    open_place(host="other.test", **params)


class TestFailure:
    def test_of_one_is_libpq_s_own_word(self, refused):
        params = {"host": LOCAL, "port": refused}
        theirs = psycopg3.pq.PGconn.connect(make_conninfo(**params).encode())
        with pytest.raises(OperationalError) as caught:
            open_place(**params)
        assert str(caught.value) == theirs.get_error_message()
        assert "no connection after" not in str(caught.value)

    def test_of_a_name_is_libpq_s_own_word(self, refused, names):
        names.addresses["db.example"] = ["127.0.0.1"]
        with pytest.raises(OperationalError) as caught:
            open_place(host="db.example", port=refused)
        # As where libpq looks up the name itself.
        assert f'server at "db.example" (127.0.0.1), port {refused} failed' in str(caught.value)

    def test_of_several(self, listen, names, refused, monkeypatch):
        hurried(monkeypatch)
        names.addresses["db.example"] = ["127.0.0.1", "127.0.0.2"]
        full = listen(listeners.failing("53300", "sorry, too many clients already")).port
        silent = listen(listeners.mute).port
        with pytest.raises(errors.ConnectionTimeout) as caught:
            open_place(
                host=["db.example", "nowhere.example", "", LOCAL, LOCAL],
                hostaddr=["", "", LOCAL, "", ""],
                port=[refused, 5432, refused, full, silent],
                password="s3cret",
            )
        head, *rest = str(caught.value).split("\n- ")
        assert head == "no connection after 6 attempts:"
        places, reasons = zip(*(item.split(": ", 1) for item in rest), strict=True)
        assert list(places) == [
            f"host=db.example hostaddr=127.0.0.1 port={refused}",
            f"host=db.example hostaddr=127.0.0.2 port={refused}",
            "host=nowhere.example port=5432",
            f"hostaddr=127.0.0.1 port={refused}",
            f"host=127.0.0.1 port={full}",
            f"host=127.0.0.1 port={silent}",
        ]
        assert "Connection refused" in reasons[0]
        assert "Connection refused" in reasons[1]
        assert "Name or service not known" in reasons[2]
        assert "Connection refused" in reasons[3]
        assert "too many clients" in reasons[4]
        assert "did not answer in time" in reasons[5]
        assert "s3cret" not in str(caught.value)

    def test_of_a_host_listed_twice(self, listen, refused):
        full = listen(listeners.failing("53300", "sorry, too many clients already"))
        with pytest.raises(OperationalError) as caught:
            open_place(host=[LOCAL] * 3, port=[refused, full.port, refused])
        head, *rest = str(caught.value).split("\n- ")
        assert head == "no connection after 3 attempts:"
        ports = [item.split(": ", 1)[0] for item in rest]
        assert ports == [f"host={LOCAL} port={port}" for port in (refused, full.port, refused)]
        with pytest.raises(OperationalError, match="after 2 attempts"):
            open_place(host=[LOCAL] * 2, port=full.port)
        assert full.taken == 3

    def test_of_a_second_pass(self, listen, names, refused):
        """What is asked again is told once, in its place, by the second answer."""
        turns = iter([listeners.primary, listeners.failing("53300", "too many clients")])
        changing = listen(lambda sock: next(turns)(sock))
        names.addresses["db.example"] = [LOCAL, "127.0.0.2"]
        with pytest.raises(OperationalError) as caught:
            open_place(
                host=["nowhere.example", "db.example", LOCAL],
                port=[refused, refused, changing.port],
                target_session_attrs="prefer-standby",
            )
        head, *rest = str(caught.value).split("\n- ")
        assert head == "no connection after 4 attempts:"
        assert rest[0].startswith("host=nowhere.example")
        for text, address in zip(rest[1:3], [LOCAL, "127.0.0.2"], strict=True):
            assert text.startswith(f"host=db.example hostaddr={address} port={refused}: ")
        assert rest[3].startswith(f"host={LOCAL} port={changing.port}: ")
        assert "too many clients" in rest[3]
        assert "hot standby" not in rest[3]

    def test_class_is_that_of_the_last(self, listen, refused, monkeypatch):
        hurried(monkeypatch)
        silent = listen(listeners.mute).port
        with pytest.raises(OperationalError) as caught:
            open_place(host=[LOCAL] * 2, port=[silent, refused])
        assert type(caught.value) is OperationalError
        with pytest.raises(errors.ConnectionTimeout):
            open_place(host=[LOCAL] * 2, port=[refused, silent])

    def test_pgconn_tells_of_the_password(self, listen):
        told = []
        port = listen(listeners.asking_password(told)).port
        with pytest.raises(OperationalError) as caught:
            open_place(host=LOCAL, port=port)
        assert caught.value.pgconn.needs_password
        with pytest.raises(OperationalError) as caught:
            open_place(host=[LOCAL] * 2, port=port)
        assert caught.value.pgconn.needs_password

    @counts_references
    @pytest.mark.parametrize("count", [1, 2])
    def test_is_freed_without_the_collector(self, refused, count):
        gc.collect()
        gc.disable()
        try:
            try:
                open_place(host=[LOCAL] * count, port=refused)
            except OperationalError as ex:
                pgconn = weakref.ref(ex.pgconn)
            assert pgconn() is None
        finally:
            gc.enable()

    def test_it_ends(self, refused):
        gen = Attempts({"host": f"{LOCAL},{LOCAL}", "port": refused}).connect_gen()
        with pytest.raises(OperationalError):
            wait_select(gen)
        with pytest.raises(StopIteration):
            next(gen)

    def test_descriptors(self, listen, refused, names, monkeypatch):
        hurried(monkeypatch, 0.2)
        names.addresses["slow.example"] = "hangs"
        silent, broken = listen(listeners.mute), listen(listeners.reset)
        places = {
            "host": [LOCAL, "slow.example", LOCAL, LOCAL, "nowhere.example"],
            "port": [refused, refused, silent.port, broken.port, refused],
        }
        before = descriptors()
        with pytest.raises(OperationalError) as caught:
            open_place(**places)
        for listener in (silent, broken):
            assert listener.ended.acquire(timeout=5)
        names.hangs.set()
        assert settles(new_since(before), 0), caught.value


class TestWholeTime:
    """`timeout` of connect(): its error tells what was under way, and what had failed before."""

    @pytest.fixture(params=["threads", "tasks"])
    async def told(self, request, anyio_backend):
        """Connects within 0.3 seconds, which isn't to be done; returns the error's lines."""

        async def connect(**params):
            params |= {"sslmode": "disable", "gssencmode": "disable", "timeout": 0.3}
            with pytest.raises(errors.ConnectionTimeout) as caught:
                if request.param == "tasks":
                    await psycopg3.connect_async(**params)
                else:
                    psycopg3.connect(**params)
            return str(caught.value).splitlines()

        return connect

    @pytest.mark.anyio
    async def test_of_a_name(self, told, names):
        names.addresses["slow.example"] = "hangs"
        reason = (
            "no address of the host was found in time; check its name and the network, or raise the"
            " timeout"
        )
        assert await told(host="slow.example", port=1) == [
            f"no connection to host=slow.example port=1 within 0.3 seconds: {reason}"
        ]
        unknown = "no address of the host 'nowhere.example' was found: Name or service not known"
        assert await told(host="nowhere.example,slow.example", port=1) == [
            "no connection within 0.3 seconds, after 2 attempts:",
            f"- host=nowhere.example port=1: {unknown}",
            f"- host=slow.example port=1: {reason}",
        ]

    @pytest.mark.anyio
    async def test_of_an_address(self, told, names, listen):
        names.addresses["db.example"] = ["127.0.0.2", LOCAL]
        silent = listen(listeners.mute)
        head, *lines = await told(host="db.example", port=silent.port)
        assert head == "no connection within 0.3 seconds, after 2 attempts:"
        begin = f"- host=db.example hostaddr=127.0.0.2 port={silent.port}: connection to server"
        assert lines[0].startswith(begin)
        assert lines[-1] == (
            f"- host=db.example hostaddr={LOCAL} port={silent.port}: the server did not answer in"
            " time; check host and port, or raise the timeout"
        )

    @pytest.mark.anyio
    async def test_of_a_second_pass(self, told, listen, refused):
        turns = iter([listeners.primary, listeners.mute])
        changing = listen(lambda sock: next(turns)(sock))
        lines = await told(
            host=[LOCAL] * 2,
            port=[changing.port, refused],
            target_session_attrs="prefer-standby",
        )
        assert lines[0] == "no connection within 0.3 seconds, after 2 attempts:"
        assert lines[1].startswith(
            f"- host={LOCAL} port={changing.port}: the server did not answer"
        )
        assert lines[2].startswith(f"- host={LOCAL} port={refused}: connection to server")
        assert changing.taken == 2


def descriptors():
    """What is open, each by a name that never comes back."""
    gc.collect()
    folder = "/proc/self/fd" if os.path.exists("/proc/self/fd") else "/dev/fd"
    found = set()
    for number in os.listdir(folder):
        with suppress(OSError):  # that of the listing itself
            status = os.stat(int(number))
            found.add((number, status.st_dev, status.st_ino))
    return found


def new_since(before):
    """How many descriptors are open that weren't then; what others close meanwhile doesn't count."""
    return lambda: len(descriptors() - before)


def settles(function, value, seconds=3.0):
    """Whether `function` comes to return `value`; other threads may be at work."""
    deadline = time.monotonic() + seconds
    while function() != value and time.monotonic() < deadline:
        if sys.implementation.name != "cpython":
            gc.collect()
        time.sleep(0.02)
    return function() == value


class TestSettings:
    def shown(self, dsn, name, **params):
        with psycopg3.connect(dsn, **params) as conn:
            return conn.execute(f"show {name}").fetchone()[0]

    @pytest.mark.parametrize(
        ("name", "value", "shown"),
        [
            ("search_path", "a, b", "a, b"),
            ("search_path", "", ""),
            ("work_mem", "8MB", "8MB"),
            ("statement_timeout", 5000, "5s"),
            ("seq_page_cost", 1.5, "1.5"),
            ("jit", False, "off"),
            ("mine.text", "it's \\ a \\\\ 'b' -c x=y\t\n\r\v\f é", None),
            ("application_name", "me too", "me too"),
            ("APPLICATION_NAME", "me too", "me too"),
            ("client_encoding", "LATIN1", "LATIN1"),
        ],
    )
    def test_values(self, dsn, name, value, shown):
        found = self.shown(dsn, name, server_settings={name: value})
        assert found == (value if shown is None else shown)

    @given(st.text(st.characters(min_codepoint=1, codec="utf-8"), max_size=20))
    def test_any_text(self, dsn, value):
        assert self.shown(dsn, "mine.text", server_settings={"mine.text": value}) == value

    def test_with_options(self, dsn, monkeypatch):
        settings = {"work_mem": "8MB"}
        options = "-c work_mem=4MB -c mine.text=a\\ b"
        for name, shown in [("work_mem", "8MB"), ("mine.text", "a b")]:
            assert self.shown(dsn, name, options=options, server_settings=settings) == shown
        monkeypatch.setenv("PGOPTIONS", options)
        for name, shown in [("work_mem", "8MB"), ("mine.text", "a b")]:
            assert self.shown(dsn, name, server_settings=settings) == shown

    def test_application_name_of_the_environment(self, dsn, monkeypatch):
        monkeypatch.setenv("PGAPPNAME", "not this")
        settings = {"application_name": "this"}
        assert self.shown(dsn, "application_name", server_settings=settings) == "this"

    @pytest.mark.parametrize("name", ["", "a b", "a=b", "a-b", "-c", "1a", "a..b", "é\\", 1, None])
    def test_names_that_are_none(self, name):
        with pytest.raises(ProgrammingError, match="expected the name of a setting"):
            Attempts({"server_settings": {name: "x"}})

    @pytest.mark.parametrize("value", [None, b"x", ["x"], object()])
    def test_values_that_are_none(self, value):
        with pytest.raises(ProgrammingError, match="server setting 'work_mem' of type"):
            Attempts({"server_settings": {"work_mem": value}})

    def test_nul(self):
        with pytest.raises(ProgrammingError, match="NUL"):
            Attempts({"server_settings": {"work_mem": "1\0"}})

    def test_no_dict(self):
        with pytest.raises(ProgrammingError, match="expected a dict"):
            Attempts({"server_settings": "work_mem=1"})


class TestService:
    @pytest.fixture
    def service(self, tmp_path, monkeypatch):
        def write(**params):
            lines = [f"{name}={value}" for name, value in params.items()]
            (tmp_path / "services").write_text("\n".join(["[mine]", *lines, ""]))
            monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))

        return write

    def test_lists(self, service, listen, refused):
        primary, standby = listen(listeners.primary), listen(listeners.standby)
        service(
            host=f"{LOCAL},{LOCAL},{LOCAL}",
            port=f"{refused},{primary.port},{standby.port}",
            target_session_attrs="prefer-standby",
        )
        assert open_port(service="mine") == standby.port
        assert open_port(service="mine", target_session_attrs="any") == primary.port
        with pytest.raises(OperationalError):
            open_port(service="mine", port=refused)

    def test_by_the_environment(self, service, listen, monkeypatch):
        port = listen(listeners.primary).port
        service(host=LOCAL, port=port)
        monkeypatch.setenv("PGSERVICE", "mine")
        monkeypatch.setenv("PGPORT", "1")
        assert open_port() == port

    def test_timeout_and_options(self, service):
        service(host="a,b", connect_timeout=7, options="-c work_mem=4MB")
        settings = {"server_settings": {"jit": "off"}}
        tries = Attempts({"service": "mine", **settings})
        assert tries._timeout == 7
        assert tries._params["options"] == "-c work_mem=4MB -c jit=off"

    def test_of_none(self, service):
        service(host="a")
        with pytest.raises(OperationalError, match='"other" not found'):
            Attempts({"service": "other"})


def keepalives(conn):
    """What TCP does on a connection: whether anything, and idle, interval, count."""
    with socket.fromfd(conn.pgconn.socket, socket.AF_INET, socket.SOCK_STREAM) as sock:
        idle = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", 0))
        names = (idle, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        on = bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        return on, *(sock.getsockopt(socket.IPPROTO_TCP, name) for name in names)


class TestKeepalives:
    @pytest.fixture
    def place(self, listen):
        params = {"host": LOCAL, "port": listen(listeners.primary).port, "autocommit": True}
        return {**params, "sslmode": "disable", "gssencmode": "disable"}

    def test_by_default(self, place):
        with psycopg3.connect(**place) as conn:
            assert keepalives(conn) == (True, 60, 10, 6)

    def test_given(self, place):
        with psycopg3.connect(**place, keepalives_idle=7, keepalives_count=3) as conn:
            assert keepalives(conn) == (True, 7, 10, 3)
            given = {"keepalives_idle": "7", "keepalives_count": "3"}
            assert given.items() <= conn.info.get_parameters().items()

    def test_off(self, place):
        with psycopg3.connect(**place, keepalives=0) as conn:
            assert not keepalives(conn)[0]

    def test_by_a_service(self, place, tmp_path, monkeypatch):
        (tmp_path / "services").write_text("[mine]\nkeepalives_idle=9\n")
        monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
        with psycopg3.connect(**place, service="mine") as conn:
            assert keepalives(conn) == (True, 9, 10, 6)

    def test_dsn_does_not_speak_of_them(self, place):
        with psycopg3.connect(**place) as conn:
            assert "keepalives" not in conn.info.dsn

    def test_unix_socket(self, dsn):
        with psycopg3.connect(dsn) as conn:
            assert "keepalives" not in conn.info.dsn


class TestLog:
    def test_several(self, listen, refused, caplog):
        port = listen(listeners.primary).port
        with caplog.at_level(logging.DEBUG, "psycopg3"):
            open_port(host=[LOCAL] * 2, port=[refused, port], password="s3cret")
        records = [(r.levelname, r.getMessage().split(":")[0]) for r in caplog.records]
        assert records == [
            ("DEBUG", f"connecting to host=127.0.0.1 port={refused}"),
            ("INFO", f"no connection to host=127.0.0.1 port={refused}"),
            ("DEBUG", f"connecting to host=127.0.0.1 port={port}"),
        ]
        assert "s3cret" not in caplog.text

    def test_one(self, listen, caplog):
        with caplog.at_level(logging.DEBUG, "psycopg3"):
            open_port(host=LOCAL, port=listen(listeners.primary).port)
        assert caplog.records == []


class TestInterruption:
    """Whoever interrupts an attempt ends all of them, and nothing stays open."""

    @pytest.fixture
    def alarm(self):
        """Has an exception raised by a signal handler after 0.2 seconds."""

        def arrange(exception):
            def handler(signum, frame):
                raise exception

            signal.signal(signal.SIGALRM, handler)
            signal.setitimer(signal.ITIMER_REAL, 0.2)

        yield arrange
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    @pytest.fixture(params=["mute", "name"])
    def stuck(self, request, listen, names):
        """Parameters of a connection that gets stuck at its first host, and the second's listener."""
        silent, second = listen(listeners.mute), listen(listeners.primary)
        names.addresses["slow.example"] = "hangs"
        host = LOCAL if request.param == "mute" else "slow.example"
        params = {"host": [host, LOCAL], "port": [silent.port, second.port]}
        return {**params, "sslmode": "disable", "gssencmode": "disable"}, second

    @pytest.mark.parametrize("exception", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
    def test_a_signal(self, stuck, alarm, exception):
        params, second = stuck
        before = descriptors()
        alarm(exception)
        begin = time.monotonic()
        with pytest.raises(exception) as caught:
            psycopg3.connect(**params)
        assert time.monotonic() - begin < 1
        assert second.taken == 0
        # While the exception is alive: its traceback must not hold what was open. The thread that
        # hangs has its end of a pair of sockets, and the mute listener a socket of its own.
        assert settles(new_since(before), int(params["host"][0] != LOCAL)), caught

    def test_ctrl_c(self, stuck):
        params, second = stuck
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            psycopg3.connect(**params)
        timer.join()
        assert second.taken == 0

    @pytest.mark.anyio
    async def test_a_cancelled_task(self, stuck):
        params, second = stuck
        before = descriptors()
        begin = time.monotonic()
        with anyio.move_on_after(0.2) as scope:
            await psycopg3.connect_async(**params)
        assert scope.cancelled_caught
        assert time.monotonic() - begin < 1
        assert second.taken == 0
        assert settles(new_since(before), int(params["host"][0] != LOCAL))

    @pytest.mark.anyio
    async def test_the_loop_goes_on(self, stuck, monkeypatch):
        hurried(monkeypatch, 0.6)
        params, second = stuck
        pauses = []

        async def tick():
            while True:
                begin = time.monotonic()
                await anyio.sleep(0.01)
                pauses.append(time.monotonic() - begin)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tick)
            async with await psycopg3.connect_async(**params):
                tasks.cancel_scope.cancel()
        assert second.taken == 1
        assert len(pauses) > 20
        assert max(pauses) < 0.2

    def test_in_a_waiter_of_your_own(self, stuck):
        params, _ = stuck

        def wait(gen, interval=0.1):
            next(gen)
            raise ZeroDivisionError

        before = descriptors()
        with pytest.raises(ZeroDivisionError) as caught:
            psycopg3.connect(**params, wait=wait)
        assert settles(new_since(before), int(params["host"][0] != LOCAL)), caught

    def test_look_up_in_a_thread_that_ends_with_the_program(self, names):
        names.addresses["slow.example"] = "hangs"
        gen = Attempts({"host": "slow.example"}).connect_gen()
        next(gen)
        assert settles(lambda: names.asked["slow.example"], 1)
        gen.close()
        (thread,) = names.threads
        assert thread.daemon and thread is not threading.current_thread()

    # An exception raised while a __del__ runs is dropped by Python itself, after telling stderr.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_signals_at_random_points(self, refused):
        """An exception may be raised between any two bytecodes: sockets aren't lost by that."""

        class Bell(BaseException):
            pass

        armed = False

        def handler(signum, frame):
            if armed:
                raise Bell

        params = f"host={LOCAL},{LOCAL} port={refused} user=me"
        took = []
        for _ in range(5):
            begin = time.monotonic()
            with pytest.raises(OperationalError):
                psycopg3.connect(params)
            took.append(time.monotonic() - begin)
        rng = random.Random(0)
        before = descriptors()
        old = signal.signal(signal.SIGALRM, handler)
        heard = 0
        try:
            while heard < 150:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.00005, min(took)))
                try:
                    armed = True
                    psycopg3.connect(params)
                except Bell:
                    heard += 1
                except OperationalError:
                    pass
                armed = False
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)
        # Once in some hundred times it comes into the very freeing of a connection.
        assert new_since(before)() <= heard // 20


def test_a_coroutine_function_can_not_tell_a_password_to_a_thread():
    async def password():
        return "s3cret"

    with pytest.raises(ProgrammingError, match="nothing can be awaited here"):
        psycopg3.connect(host=LOCAL, password=password)


class TestGssapi:
    """There is no Kerberos here: libpq is only made to say that it was used."""

    @pytest.fixture
    def used(self, monkeypatch):
        monkeypatch.setattr(attempts.capabilities, "has_used_gssapi", lambda: True)
        monkeypatch.setattr(PGconn, "used_gssapi", property(lambda self: True))
        # A libpq that was built without it prefers none.
        options = dict(conninfo._libpq_options()) | {"gssencmode": ("PGGSSENCMODE", "prefer")}
        monkeypatch.setattr(conninfo, "_libpq_options", lambda: options)
        conninfo._known_options.cache_clear()
        yield
        conninfo._known_options.cache_clear()

    def test_by_default(self, used, dsn):
        with pytest.warns(RuntimeWarning, match="GSSAPI") as told:
            psycopg3.connect(dsn).close()
        assert told[0].filename == __file__

    @pytest.mark.anyio
    async def test_by_default_of_a_task(self, used, dsn):
        with pytest.warns(RuntimeWarning, match="GSSAPI") as told:
            await (await psycopg3.connect_async(dsn)).close()
        assert told[0].filename == __file__

    def test_as_an_error_it_leaves_nothing_open(self, used, dsn):
        before = descriptors()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(RuntimeWarning):
                psycopg3.connect(dsn)
        assert settles(new_since(before), 0)

    def test_wanted(self, used, dsn, monkeypatch):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            psycopg3.connect(dsn, gssencmode="prefer").close()
            monkeypatch.setenv("PGGSSENCMODE", "prefer")
            psycopg3.connect(dsn).close()

    def test_not_used(self, dsn):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            psycopg3.connect(dsn).close()
