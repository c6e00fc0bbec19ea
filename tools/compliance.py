"""Runs the tests that SQLAlchemy and Django have for PostgreSQL, on psycopg3.

Their source distributions have them; pip fetches those, into the environment that this runs in.

    python tools/compliance.py sqlalchemy     its compliance suite, on both dialects
    python tools/compliance.py django         some labels, with psycopg3 in the place of psycopg

`--driver psycopg` runs them on psycopg instead, to compare. What fails and is not known makes it fail.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Mapping
from pathlib import Path

import psycopg3
from psycopg3 import sql
from psycopg3.testing import Cluster

SQLALCHEMY, DJANGO = "sqlalchemy==2.1.9", "django==6.1.3"
FOLDER = Path(sys.prefix) / "compliance"

# SQLAlchemy's suite knows its own dialects by name; the others tell so what they can do.
REQUIREMENTS = """\
from sqlalchemy.testing import exclusions

from test.requirements import DefaultRequirements


class Requirements(DefaultRequirements):
    infinity_floats = exclusions.open()
"""
SUITE = """\
from sqlalchemy.testing.suite import *
from sqlalchemy.testing.suite import ServerSideCursorsTest as _Theirs


class ServerSideCursorsTest(_Theirs):
    def _is_server_side(self, cursor):
        return bool(getattr(cursor, "name", getattr(cursor, "server_side", False)))
"""

LABELS = ("backends", "postgres_tests", "queries")
SETTINGS = """\
OPTIONS = {{"ENGINE": "django.db.backends.postgresql", **{place!r}}}
DATABASES = {{
    "default": {{**OPTIONS, "NAME": "django_default"}},
    "other": {{**OPTIONS, "NAME": "django_other"}},
}}
SECRET_KEY = "tests"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
USE_TZ = False
"""
# What docs/reference/differences.rst says: a real is what it is in binary too, and a COMMIT that
# rolled back is an error.
KNOWN = {
    "postgres_tests.test_trigram.TrigramTest.test_trigram_strict_word_distance",
    "postgres_tests.test_trigram.TrigramTest.test_trigram_strict_word_similarity",
    "postgres_tests.test_trigram.TrigramTextFieldTest.test_trigram_strict_word_distance",
    "postgres_tests.test_trigram.TrigramTextFieldTest.test_trigram_strict_word_similarity",
    "postgres_tests.test_operations.ValidateConstraintTests.test_validate",
}


def fetched(requirement: str) -> Path:
    """The folder of a source distribution."""
    name = requirement.replace("==", "-")
    if not (FOLDER / name).is_dir():
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*pip, requirement, "-d", str(FOLDER)], check=True)
        with tarfile.open(FOLDER / f"{name}.tar.gz") as archive:
            archive.extractall(FOLDER, filter="data")
    return FOLDER / name


def output_of(command: list[str], folder: Path, path: list[Path]) -> str:
    """What a command prints; it is shown too."""
    environment: Mapping[str, str] = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    return "".join(lines)


def run_sqlalchemy(cluster: Cluster, driver: str) -> bool:
    """Run SQLAlchemy's compliance suite, synchronous and asynchronous; whether all passed."""
    folder = fetched(SQLALCHEMY)
    (folder / "test" / "psycopg3_requirements.py").write_text(REQUIREMENTS)
    (folder / "test" / "dialect" / "test_psycopg3.py").write_text(SUITE)
    config = folder / "setup.cfg"
    known = re.compile(r"^requirement_cls = .*$", re.MULTILINE)
    ours = "requirement_cls = test.psycopg3_requirements:Requirements"
    config.write_text(known.sub(ours, config.read_text()))
    good = True
    for dialect in (driver, f"{driver}_async"):
        with psycopg3.connect(cluster.dsn, autocommit=True) as conn:
            conn.execute(sql.SQL("create database {}").format(sql.Identifier(dialect)))
        with psycopg3.connect(cluster.dsn, dbname=dialect, autocommit=True) as conn:
            conn.execute("create schema test_schema; create schema test_schema_2")
        url = f"postgresql+{dialect}://postgres@/{dialect}"
        url += f"?host={cluster.socket_dir}&port={cluster.port}"
        suite = ["test/dialect/test_psycopg3.py", "-q", "-p", "no:cacheprovider", "--dburi", url]
        said = output_of([sys.executable, "-m", "pytest", *suite], folder, [])
        end = said.rstrip().rpartition("\n")[2]
        good = good and " passed" in end and " failed" not in end and " error" not in end
    return good


def run_django(cluster: Cluster, driver: str) -> bool:
    """Run some of Django's tests; whether nothing fails that isn't known to."""
    folder = fetched(DJANGO)
    # For the programs that the tests start, as well.
    pth = Path(sysconfig.get_path("purelib")) / "psycopg3_as_psycopg.pth"
    pth.unlink(missing_ok=True)
    if driver == "psycopg3":
        pth.write_text("import psycopg3; psycopg3.install_as_psycopg()\n")
    place = {"HOST": str(cluster.socket_dir), "PORT": str(cluster.port), "USER": "postgres"}
    (folder / "tests" / "settings_psycopg3.py").write_text(SETTINGS.format(place=place))
    command = [sys.executable, "runtests.py", "--settings=settings_psycopg3", "--noinput"]
    said = output_of([*command, "--parallel=1", *LABELS], folder / "tests", [folder])
    failed = set(re.findall(r"^(?:FAIL|ERROR): \w+ \(([\w.]+)\)", said, re.MULTILINE))
    known = KNOWN if driver == "psycopg3" else set()
    print(f"failed as known: {sorted(failed & known)}; besides: {sorted(failed - known)}")
    return re.search(r"^Ran \d+ tests", said, re.MULTILINE) is not None and failed <= known


def main() -> int:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", choices=["sqlalchemy", "django"])
    parser.add_argument("--driver", choices=["psycopg3", "psycopg"], default="psycopg3")
    asked = parser.parse_args()
    run = run_sqlalchemy if asked.suite == "sqlalchemy" else run_django
    with Cluster(settings={"max_prepared_transactions": 20}) as cluster:
        return 0 if run(cluster, asked.driver) else 1


if __name__ == "__main__":
    sys.exit(main())
