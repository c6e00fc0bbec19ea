"""Places: which lists of hosts, addresses and ports name them; names looked up."""

from __future__ import annotations

import os
import socket
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import psycopg3
from psycopg3 import OperationalError, ProgrammingError
from psycopg3.conninfo import conninfo_to_dict, places_of, rehearse
from psycopg3.places import Place, look_up_gen, ordered
from psycopg3.waiting import wait_select
from tests import listeners


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """No variables of libpq's: but the tests' user can't be found out by each."""
    for name in list(os.environ):
        if name.startswith("PG"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PGUSER", "me")


class TestPlaces:
    @pytest.mark.parametrize(
        ("params", "expected"),
        [
            ({}, [("", "", "5432")]),
            ({"host": ""}, [("", "", "5432")]),
            ({"host": "a"}, [("a", "", "5432")]),
            ({"host": "a,b", "port": 1}, [("a", "", "1"), ("b", "", "1")]),
            ({"host": "a,b", "port": "1,2"}, [("a", "", "1"), ("b", "", "2")]),
            ({"host": ["a", "b"], "port": [1, 2]}, [("a", "", "1"), ("b", "", "2")]),
            ({"host": ("a", None), "port": (None, 2)}, [("a", "", ""), ("", "", "2")]),
            ({"host": "a,a", "port": "1,2"}, [("a", "", "1"), ("a", "", "2")]),
            ({"host": "a,b", "port": ","}, [("a", "", ""), ("b", "", "")]),
            ({"host": "a", "port": ""}, [("a", "", "")]),
            ({"host": "a", "port": " 1 "}, [("a", "", "1")]),
            ({"hostaddr": "::1,1.2.3.4"}, [("", "::1", "5432"), ("", "1.2.3.4", "5432")]),
            (
                {"host": "a,b", "hostaddr": ",1.2.3.4"},
                [("a", "", "5432"), ("b", "1.2.3.4", "5432")],
            ),
            ({"host": "/tmp,@x"}, [("/tmp", "", "5432"), ("@x", "", "5432")]),
            ({"host": "/run/a@b"}, [("/run/a@b", "", "5432")]),
        ],
    )
    def test_lists(self, params, expected):
        assert places_of(params) == expected

    def test_from_the_environment(self, monkeypatch):
        monkeypatch.setenv("PGHOST", "a,b")
        monkeypatch.setenv("PGPORT", "1,2")
        assert places_of({}) == [("a", "", "1"), ("b", "", "2")]
        assert places_of({"port": 3}) == [("a", "", "3"), ("b", "", "3")]
        monkeypatch.setenv("PGHOSTADDR", "::1,")
        assert places_of({}) == [("a", "::1", "1"), ("b", "", "2")]

    @pytest.mark.parametrize(
        ("params", "told"),
        [
            ({"host": "a,b,c", "port": "1,2"}, "2 ports for 3 hosts"),
            ({"host": "a", "port": "1,2"}, "2 ports for 1 hosts"),
            ({"port": "1,2"}, "2 ports for 1 hosts"),
            ({"host": "a,b,c", "hostaddr": "::1,::2"}, "3 hosts and 2 addresses"),
            ({"host": ["a"], "hostaddr": ["::1", "::2"]}, "1 hosts and 2 addresses"),
        ],
    )
    def test_that_do_not_match(self, params, told):
        with pytest.raises(ProgrammingError, match=told):
            places_of(params)

    @pytest.mark.parametrize("port", ["s3cret", "0", "65536", "-1", "1.5", "٣", "9" * 5000])
    def test_a_port_that_is_none(self, port):
        with pytest.raises(ProgrammingError, match="expected a number from 1 to 65535") as caught:
            places_of({"host": "a", "port": port})
        assert port not in str(caught.value).replace("from 1 to 65535", "")

    @pytest.mark.parametrize(
        "conninfo", ["postgresql://me:s3cret/x@host/db", "postgresql://me:p@s3cret@host/db"]
    )
    def test_a_piece_of_a_password_is_not_told(self, conninfo):
        with pytest.raises(ProgrammingError, match="expected") as caught:
            places_of(conninfo_to_dict(conninfo))
        assert "s3cret" not in str(caught.value)
        assert "percent-encode" not in str(caught.value)

    items = st.lists(
        st.sampled_from(["", "a", "b.example", "/tmp", "::1", "127.0.0.1"]), max_size=3
    )
    ports = st.lists(st.sampled_from(["", "1", "5433"]), max_size=3)

    @given(items, items, ports)
    def test_as_libpq_does(self, hosts, addresses, ports):
        params = {"host": hosts, "hostaddr": addresses, "port": ports}
        try:
            pgconn = rehearse({**params, "user": "me"})
        except OperationalError:
            with pytest.raises(ProgrammingError):
                places_of(params)
            return
        (host, address, port), *_ = places_of(params)
        assert (host or address or pgconn.host.decode()) == pgconn.host.decode()
        assert (port or "5432") == (pgconn.port.decode() or "5432")
        pgconn.finish()

    @pytest.mark.parametrize(
        ("place", "unresolved"),
        [
            (("db.example", "", ""), True),
            (("127.1", "", ""), True),
            (("fe80::1%lo", "", ""), True),
            (("db.example", "::1", ""), False),
            (("", "", ""), False),
            (("127.0.0.1", "", ""), False),
            (("::1", "", ""), False),
            (("/tmp", "", ""), False),
            (("@abstract", "", ""), False),
        ],
    )
    def test_what_is_looked_up(self, place, unresolved):
        assert Place(*place).unresolved is unresolved


class TestLookUp:
    def found(self, monkeypatch, result):
        def getaddrinfo(host, port, **kwargs):
            assert (host, port) == ("db.example", 5433)
            if isinstance(result, Exception):
                raise result
            return [(0, 0, 0, "", (address, port)) for address in result]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return wait_select(look_up_gen(Place("db.example", "", "5433")))

    def test_each_address_once(self, monkeypatch):
        addresses = ["::1", "127.0.0.1", "::1"]
        assert self.found(monkeypatch, addresses) == [
            ("db.example", "::1", "5433"),
            ("db.example", "127.0.0.1", "5433"),
        ]

    @pytest.mark.parametrize(
        ("result", "told"),
        [
            ([], "'db.example' has no address"),
            (socket.gaierror(socket.EAI_NONAME, "Not known"), "'db.example' was found: Not known"),
            (UnicodeError("label too long"), "label too long"),
        ],
    )
    def test_none(self, monkeypatch, result, told):
        with pytest.raises(OperationalError, match=told):
            self.found(monkeypatch, result)


@pytest.fixture(scope="module")
def link_local():
    """A link-local address of this machine, and the interface that it is on."""
    try:
        entries = [line.split() for line in Path("/proc/net/if_inet6").read_text().splitlines()]
    except OSError:
        pytest.skip("the system doesn't tell")
    for digits, *_, interface in entries:
        if digits.startswith("fe80"):
            return str(ip_address(bytes.fromhex(digits))), interface
    pytest.skip("there is none")


@pytest.mark.parametrize("spelling", ["host", "url", "hostaddr", "name", "connector"])
def test_the_zone_of_a_link_local_address(link_local, monkeypatch, spelling):
    address, interface = link_local
    host, zone = f"{address}%{interface}", f"{address}%{socket.if_nametoindex(interface)}"
    with listeners.Listener(listeners.server(), "::") as server:
        kwargs = {"port": server.port, "sslmode": "disable"}
        url = ""
        if spelling == "url":
            url = f"postgresql://me@[{address}%25{interface}]:{server.port}/db"
            kwargs = {"sslmode": "disable"}
        elif spelling == "name":
            resolve = socket.getaddrinfo
            monkeypatch.setattr(
                socket, "getaddrinfo", lambda _, *args, **kwargs: resolve(host, *args, **kwargs)
            )
            kwargs["host"] = "db.local"
        elif spelling == "connector":
            kwargs["host"] = host
            kwargs["connector_factory"] = lambda host, port, ssl: socket.create_connection(
                (host, port)
            )
        else:
            kwargs[spelling] = host
        with psycopg3.connect(url, autocommit=True, **kwargs) as conn:
            if spelling == "connector":
                assert conn.info.hostaddr == zone
            else:  # as libpq was given it; PQhostaddr leaves the zone out
                expected = host if spelling == "hostaddr" else zone
                assert conn.info.get_parameters()["hostaddr"] == expected


def test_a_zone_that_is_none():
    with pytest.raises(OperationalError, match="no address of the host 'fe80::1%nosuch' was found"):
        psycopg3.connect("postgresql://me@[fe80::1%25nosuch]:1/db")


def test_order():
    places = [Place(f"h{n}", "", "") for n in range(20)]
    assert ordered(list(places), at_random=False) == places
    shuffled = ordered(list(places), at_random=True)
    assert shuffled != places and sorted(shuffled) == sorted(places)
