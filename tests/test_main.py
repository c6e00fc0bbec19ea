"""`python -m psycopg3`: the report and the demo tell the truth."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from typing import Any

import pytest

import psycopg3
from psycopg3 import __main__ as main
from psycopg3 import pq
from psycopg3.testing import Cluster


def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "psycopg3", *args],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_report_for_programs() -> None:
    done = run("--json")
    facts = json.loads(done.stdout)
    assert facts["psycopg3"] == psycopg3.__version__
    assert facts["binding"] == pq.__impl__
    assert facts["libpq"]["run"] == pq.version_pretty(pq.version())
    assert facts["python"] == f"{platform.python_implementation()} {platform.python_version()}"
    assert facts["gil"] in (True, False)
    assert facts["tls"] in (None, "OpenSSL")
    assert list(facts) == ["psycopg3", "binding", "libpq", "tls", "python", "gil", "platform"]


def test_report_for_people() -> None:
    done = run()
    assert done.returncode == 0
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert lines["psycopg3"] == psycopg3.__version__
    assert lines["libpq"].startswith(pq.version_pretty(pq.version()))
    assert lines["gil"] in ("yes", "no")


def test_unknown_commands_are_refused() -> None:
    done = run("dance")
    assert done.returncode == 2
    assert "demo" in done.stderr


def test_demo_runs_the_query_in_all_worlds(cluster: Cluster, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("PSYCOPG3_TEST_DSN", cluster.dsn)
    assert main.demo() == 0
    told = capsys.readouterr().out
    assert told.count("2026-12-31   Thursday   Miles O'Brien is here") == 3
    for world in ("threads", "asyncio", "trio"):
        assert f"\n{world}" in told
    assert "the one that the environment names" in told
    assert "removed" not in told


@pytest.mark.slow
def test_demo_brings_its_own_server() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "psycopg3", "demo"],
        env={k: v for k, v in os.environ.items() if not k.startswith(("PG", "PSYCOPG3_TEST"))},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "started for this demo" in done.stdout
    assert "its files are removed" in done.stdout


def test_a_world_that_is_not_installed_is_said_so(capsys: Any) -> None:
    def on_mars(dsn: str) -> main.Rows:
        raise ModuleNotFoundError(dsn, name="mars")

    assert main.show("mars", on_mars, "")
    assert capsys.readouterr().out == "mars      not installed: pip install mars\n"


def test_wrong_rows_are_said_so(capsys: Any) -> None:
    assert not main.show("threads", lambda _: [(1,)], "")
    assert "these are not the rows" in capsys.readouterr().out
