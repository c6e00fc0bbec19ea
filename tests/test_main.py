"""`python -m psycopg3`: the report and the demo tell the truth."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
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
    assert list(facts) == [
        *("psycopg3", "binding", "skipped", "libpq", "tls", "python", "gil", "platform")
    ]


def test_report_for_people() -> None:
    done = run()
    assert done.returncode == 0
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert lines["psycopg3"] == psycopg3.__version__
    assert lines["libpq"].startswith(pq.version_pretty(pq.version()))
    assert lines["gil"] in ("yes", "no")


def test_a_binding_that_does_not_load_is_told(tmp_path: Path) -> None:
    """ctypes serves as well, but slower: nobody would look for the reason."""
    (tmp_path / "_cffi_backend.py").write_text("raise ImportError('no cffi here')")
    done = run(PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]), PSYCOPG3_IMPL="")
    assert "\nbinding   ctypes\nskipped   cffi: no cffi here\n" in done.stdout
    done = run("--json", PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]), PSYCOPG3_IMPL="")
    assert json.loads(done.stdout)["skipped"] == {"cffi": "no cffi here"}
    assert "skipped" not in run(PSYCOPG3_IMPL="ctypes").stdout


def test_no_libpq_is_said_in_plain_words() -> None:
    done = run(PSYCOPG3_LIBPQ="/nowhere/libpq.so.5", PSYCOPG3_IMPL="")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("no binding to libpq could be loaded:\n- cffi, ctypes: ")
    assert done.stderr.count("/nowhere/libpq.so.5") == 1
    done = run("--json", PSYCOPG3_LIBPQ="/nowhere/libpq.so.5", PSYCOPG3_IMPL="")
    assert (done.returncode, done.stderr) == (1, "")
    told = json.loads(done.stdout)
    assert told["binding"] is None
    assert "/nowhere/libpq.so.5" in told["error"]


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
