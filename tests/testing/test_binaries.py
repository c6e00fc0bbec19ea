"""What is found, and where a server may put its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from psycopg3.errors import OperationalError
from psycopg3.testing import binaries


def test_versions_are_as_libpq_writes_them(tmp_path: Path) -> None:
    for text, number in {
        "postgres (PostgreSQL) 15.7 (Debian 15.7-0+deb12u1)": 150007,
        "postgres (PostgreSQL) 19beta1": 190000,
        "postgres (PostgreSQL) 18.4": 180004,
    }.items():
        for name in binaries.PROGRAMS:
            program = tmp_path / name
            program.write_text(f"#!/bin/sh\necho '{text}'\n")
            program.chmod(0o755)
        assert binaries.find(tmp_path).version == number


def test_the_newest_of_the_system_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for major in ("9", "14", "16"):
        folder = tmp_path / major / "bin"
        folder.mkdir(parents=True)
        for name in binaries.PROGRAMS:
            (folder / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {major}.1'\n")
            (folder / name).chmod(0o755)
    monkeypatch.setattr(binaries, "_pg_config", lambda: None)
    monkeypatch.setattr(binaries, "INSTALLED", (f"{tmp_path}/*/bin",))
    assert binaries.find() == (tmp_path / "16" / "bin", 160001, "the system")


def test_a_program_that_does_not_run_is_no_installation(tmp_path: Path) -> None:
    for name in binaries.PROGRAMS:
        (tmp_path / name).write_text("not a program")
    with pytest.raises(OperationalError, match="no usable"):
        binaries.find(tmp_path)


def test_temporary_folders_must_be_reachable_and_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = (binaries.NOBODY, binaries.NOBODY)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr("tempfile.tempdir", str(closed))
    assert binaries.temporary(who) == Path("/tmp")
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    assert binaries.temporary(None) == Path("/tmp")
