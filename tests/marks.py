"""Marks of tests that need what isn't everywhere."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest

from psycopg3.pq import PGconn

needs_uvloop = pytest.mark.skipif(find_spec("uvloop") is None, reason="uvloop is not installed")

# Elsewhere an object that nobody knows any more is freed when the collector comes round.
counts_references = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="objects are freed at once by CPython alone"
)

# Python warns of forks beside threads, since 3.15 also where the warning is an error.
may_fork = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def conform(pgconn: PGconn, setting: str) -> None:
    """Set standard_conforming_strings; off skips the test on servers that know it no more, since 19."""
    if setting == "off" and pgconn.server_version >= 190000:
        pytest.skip("this server has conforming strings only")
    pgconn.exec_(f"set standard_conforming_strings to {setting}".encode())
    pgconn.exec_(b"set escape_string_warning to off")
