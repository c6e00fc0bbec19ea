"""PgBouncer and Pgpool-II before the tests' server, as Debian packages them: fetched, never installed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import psycopg3
from psycopg3.conninfo import make_conninfo
from psycopg3.testing import Cluster

# They are fetched from Debian for these tests, on request: `tox -e poolers`.
collect_ignore_glob = [] if os.environ.get("PSYCOPG3_TEST_POOLERS") == "1" else ["test_*.py"]

PROGRAMS = ("pgbouncer", "pgpool2")
HOST = "127.0.0.1"


@pytest.fixture(scope="session")
def root() -> Iterator[Path]:
    """A folder with the programs and those of their libraries that aren't installed."""
    folder = Path(tempfile.mkdtemp(prefix="psycopg3-poolers-"))
    folder.chmod(0o755)
    try:
        _fetch(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fetch(folder: Path) -> None:
    wanted = _run("apt-get", "--simulate", "--no-install-recommends", "install", *PROGRAMS)
    names = re.findall(r"^Inst (\S+)", wanted, re.MULTILINE)
    names = [name for name in names if name in PROGRAMS or name.startswith("lib")]
    if names:
        _run("apt-get", "download", *names, cwd=folder)
    for package in folder.glob("*.deb"):
        _run("dpkg", "-x", str(package), str(folder))


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server((HOST, 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


class Pooler:
    """A pooler that runs.

    Args:
        root: where the programs are.
        command: the program's path below, or of the system, and its arguments.
        dsn: a connection string by way of it.
        folder: its own; its log is `log` there.
    """

    def __init__(self, root: Path, command: Sequence[str], dsn: str, folder: Path):
        self.dsn, self.folder = dsn, folder
        program = root / command[0].lstrip("/")
        path = program if program.exists() else Path(command[0])
        # They don't work for root.
        user = "nobody" if os.getuid() == 0 else None
        if user is not None:
            for file in (folder, *folder.iterdir()):
                shutil.chown(file, user)
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [str(path), *command[1:]],
                cwd=folder,
                env=_environment(root),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=user,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """What it has said."""
        return (self.folder / "log").read_text(errors="replace")

    def wait(self) -> None:
        """Wait until it serves."""
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg3.connect(self.dsn, connect_timeout=5).close()
                return
            except psycopg3.OperationalError:
                assert self.process.poll() is None, self.log
                assert time.monotonic() < deadline, self.log
                time.sleep(0.1)

    def stop(self) -> None:
        """End it, and those of its processes that it leaves."""
        self.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def _running(pooler: Pooler) -> Iterator[Pooler]:
    try:
        pooler.wait()
        yield pooler
    finally:
        pooler.stop()


@pytest.fixture(scope="session")
def server(root: Path) -> Iterator[Cluster]:
    """A server of our own: the poolers connect to it as user `postgres`, without a password."""
    with Cluster(own=True) as cluster:
        yield cluster


def _dsn(port: int) -> str:
    return make_conninfo(host=HOST, port=port, user="postgres", dbname="postgres")


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="psycopg3-pooler-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", params=["transaction", "session"])
def pgbouncer(root: Path, server: Cluster, request: pytest.FixtureRequest) -> Iterator[Pooler]:
    """PgBouncer, in both modes that psycopg3 has transactions in."""
    with running_pgbouncer(root, server, request.param) as pooler:
        yield pooler


@contextlib.contextmanager
def running_pgbouncer(
    root: Path, server: Cluster, mode: str, *, statements: int = 0
) -> Iterator[Pooler]:
    """PgBouncer in that mode.

    Args:
        statements: how many prepared statements it keeps account of, for each server connection; what
            is too old for any skips the test.
    """
    port = free_port()
    command = ["/usr/sbin/pgbouncer"]
    with _folder() as folder:
        keeps_account = _version(root, command[0]) >= (1, 21)
        if statements and not keeps_account:
            pytest.skip("PgBouncer before 1.21 keeps no account of prepared statements")
        limit = f"max_prepared_statements = {statements}" if keeps_account else ""
        (folder / "users").write_text('"postgres" ""\n')
        (folder / "ini").write_text(
            f"""\
[databases]
* = host={HOST} port={server.port}
[pgbouncer]
listen_addr = {HOST}
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
admin_users = postgres
pool_mode = {mode}
default_pool_size = 2
{limit}
"""
        )
        with _running(Pooler(root, [*command, str(folder / "ini")], _dsn(port), folder)) as pooler:
            yield pooler


def _version(root: Path, program: str) -> tuple[int, ...]:
    """The version of a pooler."""
    path = root / program.lstrip("/")
    done = subprocess.run(
        [str(path if path.exists() else program), "--version"],
        capture_output=True,
        text=True,
        env=_environment(root),
        check=True,
    )
    found = re.search(r"(\d+)\.(\d+)", done.stdout)
    assert found, done.stdout
    return tuple(map(int, found.groups()))


def _environment(root: Path) -> dict[str, str]:
    return {"LD_LIBRARY_PATH": ":".join(map(str, root.glob("usr/lib/*-linux-gnu")))}


@pytest.fixture(scope="session")
def pgpool(root: Path, server: Cluster) -> Iterator[Pooler]:
    """Pgpool-II with two nodes, which are the same server."""
    port = free_port()
    with _folder() as folder:
        nodes = "".join(
            f"backend_hostname{n} = '{HOST}'\nbackend_port{n} = {server.port}\n"
            f"backend_weight{n} = 1\nbackend_flag{n} = 'DISALLOW_TO_FAILOVER'\n"
            for n in (0, 1)
        )
        (folder / "conf").write_text(
            f"""\
listen_addresses = '{HOST}'
port = {port}
socket_dir = '{folder}'
unix_socket_directories = '{folder}'
pcp_listen_addresses = ''
pcp_socket_dir = '{folder}'
pcp_port = {free_port()}
backend_clustering_mode = 'streaming_replication'
{nodes}
sr_check_period = 0
sr_check_user = 'postgres'
health_check_period = 0
load_balance_mode = off
num_init_children = 8
max_pool = 2
pid_file_name = '{folder}/pid'
logdir = '{folder}'
work_dir = '{folder}'
pool_passwd = ''
"""
        )
        (folder / "pcp").touch()
        (folder / "hba").touch()
        command = ["/usr/sbin/pgpool", "-n", "-f", "conf", "-F", "pcp", "-a", "hba"]
        with _running(Pooler(root, command, _dsn(port), folder)) as pooler:
            yield pooler
