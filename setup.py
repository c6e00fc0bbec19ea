"""The extensions of psycopg3; everything else about the package is in pyproject.toml.

There is one: libpq called through cffi. It needs a compiler and nothing of libpq, which is found at
run time. Where it can't be built, psycopg3 works without, through ctypes; PSYCOPG3_REQUIRE_C=1 makes
that an error.
"""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path
from typing import Any

from setuptools import setup

REQUIRED = os.environ.get("PSYCOPG3_REQUIRE_C") == "1"
FOLDER = Path("psycopg3", "pq")


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
        optional=not REQUIRED,
    )
    return builder


def options() -> dict[str, Any]:
    """What to give to `setup()`: the extensions that can be tried here, and whom they serve."""
    if os.name != "posix":
        return {}
    try:
        import cffi  # noqa: F401
    except ImportError as ex:
        if REQUIRED:
            raise SystemExit(
                f"PSYCOPG3_REQUIRE_C=1: cffi is needed to build psycopg3: {ex}"
            ) from ex
        return {}
    found: dict[str, Any] = {"cffi_modules": ["setup.py:libpq_cffi"]}
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        # cffi keeps to what all versions of CPython have.
        found["options"] = {"bdist_wheel": {"py_limited_api": "cp311"}}
    return found


if __name__ == "__main__":
    setup(**options())
