"""Which binding to libpq runs: PSYCOPG3_IMPL, or the first that loads."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")

VARIABLE = "PSYCOPG3_IMPL"
NAMES = ("c", "cffi", "ctypes")


def choose(loaders: Mapping[str, Callable[[], T]]) -> tuple[str, T]:
    """The first binding that loads: its name and what its loader returned.

    Args:
        loaders: the bindings there are, best first; a loader raises ImportError when it can't.

    Raises:
        ImportError: none loads, or not the one that PSYCOPG3_IMPL asks for. The message names every
            attempt and why it failed.
    """
    wanted = os.environ.get(VARIABLE, "").strip().lower()
    if wanted and wanted not in NAMES:
        raise ImportError(f"{VARIABLE}={wanted}: it may be one of {', '.join(NAMES)}, or unset")
    if wanted and wanted not in loaders:
        raise ImportError(
            f"{VARIABLE}={wanted}: there is no such binding here; there is: {', '.join(loaders)}"
        )
    failures = []
    for name in [wanted] if wanted else loaders:
        try:
            return name, loaders[name]()
        except ImportError as ex:
            failures.append(f"- {name}: {ex}")
    asked = f" ({VARIABLE}={wanted})" if wanted else ""
    raise ImportError("\n".join([f"no binding to libpq could be loaded{asked}:", *failures]))
