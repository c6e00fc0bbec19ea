"""The extensions of psycopg3, and what they need; everything else about the package is in pyproject.toml.

There is one: libpq called through cffi. It needs a compiler and nothing of libpq, which is found at
run time. Where there is no compiler, psycopg3 works without, through ctypes; PSYCOPG3_REQUIRE_C=1 makes
that an error, and 0 goes without an extension in any case.
"""

from __future__ import annotations

import os
import re
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.build_ext import build_ext

REQUIRED = os.environ.get("PSYCOPG3_REQUIRE_C")
FOLDER = Path("psycopg3", "pq")
CFFI = "cffi>=1.17; implementation_name == 'cpython'"  # PyPy has it in itself


def libpq_cffi() -> Any:
    """The builder of libpq called through cffi, for `cffi_modules`."""
    from cffi import FFI

    builder = FFI()
    for name in ("libpq.h", "memory_cffi.h"):
        builder.cdef((FOLDER / name).read_text(encoding="utf-8"))
    builder.set_source(
        "psycopg3.pq._libpq_cffi",
        '#include "memory_cffi.c"\n',
        include_dirs=[str(FOLDER)],
        depends=[str(FOLDER / name) for name in ("libpq_cffi.c", "memory_cffi.c")],
    )
    return builder


def lacking() -> str | None:
    """What is missing to build an extension here, None if nothing is.

    It is tried before all else: what is built has to say beforehand whether it will have one.
    """
    if os.name != "posix":
        return "none is built on this system"
    try:
        from cffi import FFI, VerificationError
    except ImportError as ex:
        return f"cffi is needed: {ex}"
    probe = FFI()
    probe.cdef("")
    probe.set_source("_probe", "")
    with tempfile.TemporaryDirectory() as folder:
        try:
            probe.compile(folder)
        except VerificationError as ex:
            return f"a compiler for C and Python's headers are needed: {ex}"
    return None


class BuildExt(build_ext):
    """Names an extension so that all of Python 3.11 and newer find it."""

    def get_ext_filename(self, fullname: str) -> str:
        """The extension's file: what is built on 3.15 had the platform in it, for 3.14 and newer only."""
        return re.sub(r"\.abi3-[^/]*(?=\.so$)", ".abi3", super().get_ext_filename(fullname))


def options() -> dict[str, Any]:
    """What to give to `setup()`: the extensions that can be built here, and what they need to run."""
    reason = "PSYCOPG3_REQUIRE_C=0" if REQUIRED == "0" else lacking()
    if reason is not None:
        if REQUIRED == "1":
            raise SystemExit(f"PSYCOPG3_REQUIRE_C=1, and no extension can be built: {reason}")
        print(f"psycopg3.pq._libpq_cffi is not built: {reason}")
        return {}
    found: dict[str, Any] = {
        "cffi_modules": ["setup.py:libpq_cffi"],
        "cmdclass": {"build_ext": BuildExt},
        "install_requires": [CFFI],
    }
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        # cffi keeps to what all versions of CPython have.
        found["options"] = {"bdist_wheel": {"py_limited_api": "cp311"}}
    return found


if __name__ == "__main__":
    setup(**options())
