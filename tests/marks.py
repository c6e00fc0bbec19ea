"""Marks of tests that need what isn't everywhere."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest

needs_uvloop = pytest.mark.skipif(find_spec("uvloop") is None, reason="uvloop is not installed")

# Elsewhere an object that nobody knows any more is freed when the collector comes round.
counts_references = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="objects are freed at once by CPython alone"
)
