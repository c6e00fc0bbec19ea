"""Which binding to libpq runs: PSYCOPG3_IMPL, or the first that loads."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")

VARIABLE = "PSYCOPG3_IMPL"
NAMES = ("c", "cffi", "ctypes")
SKIPPED: dict[str, str] = {}
"""The bindings that would have been better, and why they don't load."""


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
    SKIPPED.clear()
    for name in [wanted] if wanted else loaders:
        try:
            return name, loaders[name]()
        except ImportError as ex:
            SKIPPED[name] = str(ex)
    asked = f" ({VARIABLE}={wanted})" if wanted else ""
    # Where there is no libpq, all say so.
    names = {reason: [n for n in SKIPPED if SKIPPED[n] == reason] for reason in SKIPPED.values()}
    failures = [f"- {', '.join(names[reason])}: {reason}" for reason in names]
    raise ImportError("\n".join([f"no binding to libpq could be loaded{asked}:", *failures]))


def refuse_command(ex: ImportError) -> None:
    """If this is `python -m psycopg3`, which tells what runs here: tell that nothing does, and exit.

    Python imports the package before its __main__, which so can't.
    """
    if sys.argv[:1] == ["-m"] and sys.orig_argv[-len(sys.argv)].removeprefix("-m") == "psycopg3":
        if "--json" in sys.argv:
            import json

            print(json.dumps({"binding": None, "error": str(ex)}))
            raise SystemExit(1)
        raise SystemExit(str(ex))
