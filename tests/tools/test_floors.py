"""The checker of floors finds what climbs, what goes in a circle, and what is never allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import floors
from tools.floors import House


def house(root: Path, files: dict[str, str]) -> House:
    """A house with these files, by their paths in the package; a caption is added."""
    for name, code in files.items():
        path = root / "psycopg3" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code if code.startswith('"""') else f'"""A room."""\n{code}\n')
    return House(root)


@pytest.mark.parametrize(
    "code",
    [
        "from ..session import x",
        "from ..session.x import y",
        "from .. import session",
        "import psycopg3.session.x",
        "from psycopg3.session import x",
        "from psycopg3 import session",
        "def f():\n    from ..session import x",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..session import x",
    ],
)
def test_an_import_that_climbs(tmp_path: Path, code: str) -> None:
    line = len(code.split("\n")) + 1
    built = house(tmp_path, {"pq/pgconn": code, "session/x": "", "session/__init__": ""})
    assert built.problems() == [f"psycopg3/pq/pgconn.py:{line}: pq may not import session"]


def test_the_front_door_is_above_all(tmp_path: Path) -> None:
    built = house(tmp_path, {"errors": "from . import connect", "__init__": "connect = 1"})
    assert built.problems() == ["psycopg3/errors.py:2: errors may not import __init__"]


def test_its_own_floor_and_lower_ones_are_free(tmp_path: Path) -> None:
    files = {
        "session/x": "from .y import z\nfrom ..pq import misc\nfrom ..query import q\nimport os",
        "session/y": "from ..errors import Error",
        "pq/misc": "",
        "query": "",
        "errors": "",
    }
    assert house(tmp_path, files).problems() == []


@pytest.mark.parametrize(("here", "there"), sorted(floors.NEVER))
def test_pairs_that_never_meet(
    tmp_path: Path, here: str, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (here, there):  # also rooms that are not built yet
        monkeypatch.setitem(floors.FLOORS, name, 5)
    built = house(tmp_path, {f"{here}/a": f"from ..{there} import b", f"{there}/b": ""})
    assert built.problems() == [f"psycopg3/{here}/a.py:2: {here} may not import {there}"]


def test_circles_by_any_way_round(tmp_path: Path) -> None:
    files = {
        "session/a": "from .b import x",
        "session/b": "def f():\n    from . import c",
        "session/c": "from .a import y",
        "session/d": "from .a import z",
    }
    names = " -> ".join(f"psycopg3.session.{x}" for x in "abc")
    assert house(tmp_path, files).problems() == [f"import circle: {names}"]


def test_stubs_count(tmp_path: Path) -> None:
    (tmp_path / "psycopg3").mkdir()
    (tmp_path / "psycopg3" / "_sqlstates.pyi").write_text("from psycopg3.errors import Error\n")
    built = house(tmp_path, {"errors": "from ._sqlstates import *", "_sqlstates": ""})
    assert built.problems() == [
        "psycopg3/_sqlstates.py:1: _sqlstates may not import errors",
        "import circle: psycopg3._sqlstates -> psycopg3.errors",
    ]


def test_a_package_that_imports_its_modules_is_no_circle(tmp_path: Path) -> None:
    """`from .x import y` inside a package loads the package too; that is Python's doing."""
    files = {"pq/__init__": "from .a import x", "pq/a": "from .b import y", "pq/b": ""}
    assert house(tmp_path, files).problems() == []


def test_every_room_has_a_floor(tmp_path: Path) -> None:
    assert house(tmp_path, {"attic": ""}).problems() == ["attic: has no floor in tools/floors.py"]


def test_every_file_has_a_caption(tmp_path: Path) -> None:
    assert house(tmp_path, {"errors": '"""\nOn the second line.\n"""'}).problems() == []
    found = house(tmp_path, {"errors": '""""""'}).problems()
    assert found == ["psycopg3/errors.py: the docstring's first line, the caption, is missing"]


def test_list_prints_the_house(capsys: pytest.CaptureFixture[str]) -> None:
    assert floors.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("psycopg3.errors" in line and line.startswith("1") for line in lines)
