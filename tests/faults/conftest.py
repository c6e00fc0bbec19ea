"""Fixtures of the tests with faults: a proxy before the server, and an eye on the server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import psycopg3
from psycopg3.testing import Cluster
from tests.faults.proxy import Proxy, Target, target_of
from tests.faults.running import UVLOOP


@pytest.fixture(autouse=True)
def installed(request: pytest.FixtureRequest) -> None:
    """Skip what would run on uvloop where that isn't installed."""
    callspec = getattr(request.node, "callspec", None)
    if callspec is not None and UVLOOP in callspec.params.values():
        pytest.importorskip("uvloop")


@pytest.fixture(scope="session")
def target(dsn: str) -> Target:
    """Where the server is."""
    with psycopg3.connect(dsn) as conn:
        return target_of(conn.info.host, conn.info.port)


@pytest.fixture
def proxy(target: Target) -> Iterator[Proxy]:
    """A proxy before the server."""
    with Proxy(target) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def eye(dsn: str) -> Iterator[psycopg3.Connection]:
    """A connection of its own, to see what the others have done."""
    with psycopg3.connect(dsn, autocommit=True) as conn:
        yield conn


@pytest.fixture(scope="session")
def tls_cluster() -> Iterator[Cluster]:
    """A server with TLS; skips where none can be made."""
    try:
        cluster = Cluster(tls=True)
        cluster.start()
    except psycopg3.OperationalError as ex:
        pytest.skip(f"no server with TLS can be made here: {ex}")
    try:
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def scram() -> Iterator[Cluster]:
    """A server that asks for passwords."""
    with Cluster(auth="scram-sha-256") as cluster:
        yield cluster
