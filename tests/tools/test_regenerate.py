"""The runner of all generators."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tools import regenerate


def test_every_generator_is_found() -> None:
    names = {tool.__name__.rpartition(".")[2] for tool in regenerate.generators()}
    assert {"unasync", "sqlstates"} <= names


def test_writes_and_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = SimpleNamespace(
        __name__="tools.tables",
        outputs=lambda: {Path("deep/table.py"): "x = 1\n", tmp_path / "other.py": "y = 2\n"},
        problems=lambda: ["a table has a hole"],
    )
    monkeypatch.setattr(regenerate, "ROOT", tmp_path)
    monkeypatch.setattr(regenerate, "generators", lambda: [tool])
    told = [
        "deep/table.py: not what tools/tables.py gives; run `python tools/regenerate.py`",
        "other.py: not what tools/tables.py gives; run `python tools/regenerate.py`",
        "a table has a hole",
    ]
    assert regenerate.problems() == told
    assert regenerate.main(["--check"]) == 1
    assert capsys.readouterr().out.splitlines() == told
    assert regenerate.main([]) == 0
    assert capsys.readouterr().out.splitlines() == ["wrote deep/table.py", "wrote other.py"]
    assert (tmp_path / "deep" / "table.py").read_text() == "x = 1\n"
    assert regenerate.problems() == told[2:]
    assert regenerate.main(["--nonsense"]) == 2
