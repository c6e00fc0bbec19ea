"""Fixtures of every test: a PostgreSQL of our own, and the async libraries."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import settings

import psycopg3
from psycopg3.conninfo import make_conninfo
from psycopg3.testing import Cluster
from tests.marks import needs_uvloop

BACKENDS = [
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop", marks=needs_uvloop),
    pytest.param(("trio", {}), id="trio"),
]

# How long an example takes depends on who else has the machine.
settings.register_profile("psycopg3", deadline=None)
settings.load_profile("psycopg3")


def pytest_configure(config: pytest.Config) -> None:
    """Hear Ctrl-C, as the tests of it want, also in a job that a shell started in the background."""
    if sys.implementation.name != "cpython":
        # What one test has dropped is freed while others run: its warnings would be their failures.
        ignored = "ignore::pytest.PytestUnraisableExceptionWarning"
        config.addinivalue_line("filterwarnings", ignored)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_teardown() -> None:
    """Free the lock of `logging`: an exception of a signal's handler may strike while it is taken.

    The thread that has it may go on; all others would wait for ever, as an SSH server of ours did.
    """
    lock: Any = logging._lock  # type: ignore[attr-defined]
    while lock._is_owned():
        lock.release()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A server for the whole run: the one PSYCOPG3_TEST_DSN names, else a throw-away one."""
    with Cluster() as server:
        yield server


@pytest.fixture(scope="session")
def dsn(cluster: Cluster) -> Iterator[str]:
    """The connection string of `cluster`.

    On a server that is named, each process of `pytest -n` has a database of its own: in one, they would get
    each other's notifications.
    """
    process = os.environ.get("PYTEST_XDIST_WORKER")
    if cluster.owned or process is None:
        yield cluster.dsn
        return
    name = f"psycopg3_test_{process}_{os.getpid()}"
    with psycopg3.connect(cluster.dsn, autocommit=True) as conn:
        conn.execute(f"create database {name}")
    yield make_conninfo(cluster.dsn, dbname=name)
    with psycopg3.connect(cluster.dsn, autocommit=True) as conn:
        conn.execute(f"drop database {name} with (force)")


HBA = [
    "hostnossl all clear 127.0.0.1/32 scram-sha-256",
    "hostssl all crypted 127.0.0.1/32 scram-sha-256",
    "host all clear,crypted 127.0.0.1/32 reject",
]


@pytest.fixture(scope="session")
def secure(cluster: Cluster) -> Iterator[Cluster]:
    """A server with TLS and passwords; `clear` may not sign in with TLS, `crypted` only with it."""
    if not cluster.owned:
        pytest.skip("needs a server of our own")
    with Cluster(tls=True, auth="scram-sha-256", hba=HBA) as server:
        with psycopg3.connect(server.dsn, autocommit=True) as conn:
            for name in ("clear", "crypted"):
                conn.execute(f"create user {name} password '{server.password}'")
        yield server


@pytest.fixture
def conn(dsn: str) -> Iterator[psycopg3.Connection[Any]]:
    """A connection in autocommit."""
    with psycopg3.connect(dsn, autocommit=True) as conn:
        yield conn


@pytest.fixture
async def aconn(dsn: str) -> AsyncIterator[psycopg3.AsyncConnection[Any]]:
    """An asynchronous connection in autocommit, of the library that runs the test."""
    async with await psycopg3.connect_async(dsn, autocommit=True) as conn:
        yield conn


@pytest.fixture(params=BACKENDS, scope="module")
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """The async library and loop of a test marked `anyio`: each such test runs on all."""
    return request.param
