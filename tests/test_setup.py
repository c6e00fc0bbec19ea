"""The build of the extensions: fails softly, unless it may not fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
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
    """Build in a copy of what the build needs."""
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "psycopg3", tmp_path / "psycopg3", ignore=shutil.ignore_patterns("*.so"))

    def run(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if name != "PSYCOPG3_REQUIRE_C"}
        argv = [sys.executable, "setup.py", *(command or ("build_ext", "--inplace"))]
        return subprocess.run(
            argv, cwd=tmp_path, env={**kept, **env}, capture_output=True, text=True
        )

    return run


def built(tmp_path: Path) -> list[Path]:
    """The extensions in the copy."""
    return list((tmp_path / "psycopg3" / "pq").glob("_libpq_cffi.*.so"))


def wheel(tmp_path: Path) -> tuple[str, list[str], str]:
    """The name of the wheel that was built, its extensions, and its metadata."""
    (path,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as file:
        names = file.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        return path.name, [n for n in names if n.endswith(".so")], file.read(metadata).decode()


def test_no_compiler_is_no_error(build: Build, tmp_path: Path) -> None:
    done = build(CC="false")
    assert done.returncode == 0, done.stderr
    assert "_libpq_cffi is not built: a compiler" in done.stdout
    assert built(tmp_path) == []


def test_no_compiler_is_an_error_if_the_extension_is_required(build: Build, tmp_path: Path) -> None:
    done = build(CC="false", PSYCOPG3_REQUIRE_C="1")
    assert done.returncode != 0
    assert "PSYCOPG3_REQUIRE_C=1, and no extension can be built: a compiler" in done.stderr
    assert built(tmp_path) == []


def test_no_cffi(build: Build, tmp_path: Path) -> None:
    (tmp_path / "cffi.py").write_text("raise ImportError('not here')")
    done = build(PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert built(tmp_path) == []
    done = build(PYTHONPATH=str(tmp_path), PSYCOPG3_REQUIRE_C="1")
    assert "no extension can be built: cffi is needed: not here" in done.stderr


@pytest.mark.parametrize("env", [{"CC": "false"}, {"PSYCOPG3_REQUIRE_C": "0"}])
def test_a_wheel_without_an_extension_is_for_all(
    build: Build, tmp_path: Path, env: dict[str, str]
) -> None:
    """It would be refused on other systems for nothing, and bring a cffi that nothing uses."""
    done = build("bdist_wheel", **env)
    assert done.returncode == 0, done.stderr
    name, extensions, metadata = wheel(tmp_path)
    assert name.endswith("-py3-none-any.whl")
    assert extensions == []
    assert "Requires-Dist: cffi" not in metadata.split("Provides-Extra")[0]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler")
def test_a_wheel_with_an_extension_brings_cffi(build: Build, tmp_path: Path) -> None:
    """And its file has the one name that every Python looks for, on whichever it was built."""
    done = build("bdist_wheel", PSYCOPG3_REQUIRE_C="1")
    assert done.returncode == 0, done.stderr
    name, extensions, metadata = wheel(tmp_path)
    assert "Requires-Dist: cffi" in metadata.split("Provides-Extra")[0]
    if sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED"):
        assert "-cp311-abi3-" in name
        assert extensions == ["psycopg3/pq/_libpq_cffi.abi3.so"]


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
