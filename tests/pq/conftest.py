"""Fixtures of the tests of libpq: connections, and what this libpq has."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from psycopg3 import pq

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def pgconn(dsn: str) -> Iterator[pq.PGconn]:
    """A connection."""
    conn = pq.PGconn.connect(dsn.encode())
    assert conn.status == pq.ConnStatus.OK, conn.get_error_message()
    yield conn
    conn.finish()


@pytest.fixture
def run_python(dsn: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program in a Python of its own, with DSN in its environment; it must end well."""

    def run(program: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "DSN": dsn, **env}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, env=env, timeout=60
        )
        if check:
            assert done.returncode == 0, done.stderr
            assert done.stderr == ""
        return done

    return run


@pytest.fixture
def since() -> Callable[[int], bool]:
    """Whether the libpq that is loaded has what came with a major version."""
    return lambda major: pq.version() >= major * 10000
