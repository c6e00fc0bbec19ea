# Generated from tests/_async/conftest.py by `python tools/unasync.py`: edit that file, not this one.
"""Fixtures of the shells' tests: a connection; the synchronous twin is generated."""

from __future__ import annotations

import pytest

from psycopg3 import Connection


@pytest.fixture
def conn(dsn):
    with Connection.connect(dsn) as conn:
        yield conn
        if not conn.closed:
            conn.rollback()


@pytest.fixture
def other(dsn):
    with Connection.connect(dsn, autocommit=True) as other:
        yield other
