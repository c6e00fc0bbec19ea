"""The commands of the README: what is set up, and that every check is run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import run


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is run, instead of running it; mypy fails."""
    made: list[str] = []

    def call(*args: str, **variables: str) -> int:
        if "PSYCOPG3_IMPL" in variables:
            args = (variables["PSYCOPG3_IMPL"], *args)
        made.append(" ".join(args))
        return "mypy" in args

    monkeypatch.setattr(run, "VENV", tmp_path)
    monkeypatch.setattr(run, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(run, "run", call)
    monkeypatch.setattr(run, "loads", lambda binding: True)
    monkeypatch.delenv("PSYCOPG3_IMPL", raising=False)
    monkeypatch.chdir(tmp_path)
    return made


def installed(tmp_path: Path, extra: str) -> None:
    """Say that this extra has been installed."""
    (tmp_path / f"psycopg3-{extra}.stamp").write_text(run.fingerprint())


def test_every_check_is_run_whatever_fails(
    calls: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(tmp_path, "dev")
    assert run.main(["test"]) == 1
    assert len(calls) == len(run.CHECKS) + 3
    assert calls[-3:] == [
        f"cffi -m pytest -n {run.WORKERS} -m not slow",
        f"ctypes -m pytest -n {run.WORKERS} -m not slow",
        f"cffi -m pytest -n {run.WORKERS} -m slow",
    ]
    assert "tools/regenerate.py --check" in calls
    assert any(call.startswith(f"-m pyright --pythonpath {run.ROOT / '.venv'}") for call in calls)
    assert capsys.readouterr().out.endswith("-- failed: mypy\n")


def test_each_binding_that_loads_has_a_run_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PSYCOPG3_IMPL", raising=False)
    monkeypatch.setattr(run, "PYTHON", Path(sys.executable))
    assert run.loads("ctypes")
    assert not run.loads("abacus")
    monkeypatch.setattr(run, "loads", lambda binding: binding == "ctypes")
    assert run.bindings() == ["ctypes"]
    monkeypatch.setenv("PSYCOPG3_IMPL", "cffi")
    assert run.bindings() == ["cffi"]


def test_arguments_are_for_pytest_alone(calls: list[str], tmp_path: Path) -> None:
    installed(tmp_path, "dev")
    assert run.main(["test", "tests/pq", "-x"]) == 0
    assert calls == ["-m pytest tests/pq -x"]


def test_ci_runs_on_a_bare_machine(tmp_path: Path) -> None:
    """Whatever its caller has in its environment: what a new user lacks is not there either."""
    (tmp_path / ".ci").mkdir()
    (tmp_path / "tools").mkdir()
    shutil.copy(run.ROOT / ".ci" / "run", tmp_path / ".ci")
    (tmp_path / "tools" / "run.py").write_text(
        "import json, os, sys\n"
        "print(json.dumps([sys.argv[1:], os.listdir(os.environ['HOME']), {**os.environ}]))\n"
        "sys.exit(3)\n"
    )
    outer = {**os.environ, "PGHOST": "there", "PYTHONPATH": "there", "PIP_TIMEOUT": "7"}
    done = subprocess.run(
        ["bash", tmp_path / ".ci" / "run"], env=outer, capture_output=True, text=True
    )
    assert done.returncode == 3, done.stderr
    args, at_home, inner = json.loads(done.stdout)
    assert args == ["test"]
    assert at_home == []
    assert inner["PATH"] == "/usr/bin:/bin"
    assert inner["HOME"] != os.environ.get("HOME")
    assert not Path(inner["HOME"]).exists()
    assert inner["PIP_TIMEOUT"] == "7"
    assert "PGHOST" not in inner
    assert "PYTHONPATH" not in inner


def test_the_demo(calls: list[str], tmp_path: Path) -> None:
    installed(tmp_path, "trio")
    assert run.main(["demo"]) == 0
    assert calls == ["-m psycopg3 demo"]


def test_what_is_installed_is_not_installed_again(
    calls: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert calls == []
    done: list[list[str]] = []

    class Done:
        returncode = 0

    def install(argv: list[str], **_: object) -> Done:
        done.append(argv)
        return Done()

    monkeypatch.setattr(run.subprocess, "run", install)
    monkeypatch.setattr(run, "pip", lambda: ["pip"])
    run.set_up("dev")
    run.set_up("dev")
    assert [argv[-1] for argv in done] == [".[dev]", ".[embedded]"]
    monkeypatch.setattr(run, "fingerprint", lambda: "another")
    run.set_up("dev")
    assert len(done) == 4


def test_no_command_is_told_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main([]) == run.main(["dance"]) == 2
    assert "run.py demo" in capsys.readouterr().err


def test_an_old_python_looks_for_a_newer_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run.shutil, "which", lambda name: None)
    monkeypatch.setattr(run, "OLDEST", (99, 0))
    assert run.main(["demo"]) == 1
    assert "or newer is needed" in capsys.readouterr().err
