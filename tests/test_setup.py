"""The build of the extensions: fails softly, unless it may not fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("cffi")
pytest.importorskip("setuptools")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="no extension is built there")

ROOT = Path(__file__).resolve().parent.parent
Build = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Build in place, in a copy of what the build needs."""
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "psycopg3", tmp_path / "psycopg3", ignore=shutil.ignore_patterns("*.so"))

    def run(**env: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if name != "PSYCOPG3_REQUIRE_C"}
        argv = [sys.executable, "setup.py", "build_ext", "--inplace"]
        return subprocess.run(
            argv, cwd=tmp_path, env={**kept, **env}, capture_output=True, text=True
        )

    return run


def built(tmp_path: Path) -> list[Path]:
    """The extensions in the copy."""
    return list((tmp_path / "psycopg3" / "pq").glob("_libpq_cffi.*.so"))


def test_no_compiler_is_no_error(build: Build, tmp_path: Path) -> None:
    done = build(CC="false")
    assert done.returncode == 0, done.stderr
    assert "_libpq_cffi" in done.stderr
    assert built(tmp_path) == []


def test_no_compiler_is_an_error_if_the_extension_is_required(build: Build, tmp_path: Path) -> None:
    assert build(CC="false", PSYCOPG3_REQUIRE_C="1").returncode != 0
    assert built(tmp_path) == []


def test_no_cffi(build: Build, tmp_path: Path) -> None:
    (tmp_path / "cffi.py").write_text("raise ImportError('not here')")
    done = build(PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert built(tmp_path) == []
    done = build(PYTHONPATH=str(tmp_path), PSYCOPG3_REQUIRE_C="1")
    assert "PSYCOPG3_REQUIRE_C=1: cffi is needed" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler")
def test_what_is_built_works(build: Build, tmp_path: Path) -> None:
    done = build(PSYCOPG3_REQUIRE_C="1")
    assert done.returncode == 0, done.stderr
    assert built(tmp_path)
    program = "from psycopg3 import pq; print(pq.__file__, pq.__impl__)"
    env = {**os.environ, "PSYCOPG3_IMPL": "cffi"}
    found = subprocess.check_output([sys.executable, "-c", program], cwd=tmp_path, env=env)
    assert found.split() == [bytes(tmp_path / "psycopg3" / "pq" / "__init__.py"), b"cffi"]
