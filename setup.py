"""The extensions of psycopg3; everything else about the package is in pyproject.toml.

There are none: libpq is called through ctypes, and the wheel is pure. PSYCOPG3_REQUIRE_C=1 asks for
a compiled core, and so is an error.
"""

from __future__ import annotations

import os

from setuptools import setup

if os.environ.get("PSYCOPG3_REQUIRE_C") == "1":
    raise SystemExit("PSYCOPG3_REQUIRE_C=1: this version of psycopg3 has no compiled core")

setup(ext_modules=[])
