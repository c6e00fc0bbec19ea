"""Every Python sample of README and documentation runs, against a real server.

Samples of one file share their names and run in their order, with libpq's variables naming the server.
Three kinds:

- `>>>` sessions are compared with what they print;
- other samples just run; `await` may stand at their top;
- a sample with a caption that ends in `.py` is a program: it is run by itself, next to the programs
  before it, and has to end well.
"""

from __future__ import annotations

import ast
import asyncio
import doctest
import inspect
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from psycopg3.testing import Cluster

ROOT = Path(__file__).resolve().parent.parent
MARKDOWN = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
RST = re.compile(
    r"^(?P<indent> *)\.\. code-block:: (?:python|pycon)\n"
    r"(?P<options>(?:(?P=indent) +:.*\n)*)"
    r"(?P<code>(?:(?P=indent) +.*\n|\s*\n)+)",
    re.MULTILINE,
)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Sample(NamedTuple):
    """One block of Python in a text."""

    line: int
    code: str
    program: str | None  # the name of its file


def samples(path: Path) -> Iterator[Sample]:
    """The samples of a file, in its order."""
    text = path.read_text(encoding="utf-8")
    for match in (MARKDOWN if path.suffix == ".md" else RST).finditer(text):
        groups = match.groupdict() or {"code": match[1], "options": ""}
        caption = re.search(r":caption: +(\S+\.py)$", groups["options"], re.MULTILINE)
        line = text.count("\n", 0, match.start("code" if match.groupdict() else 1)) + 1
        yield Sample(line, textwrap.dedent(groups["code"]), caption[1] if caption else None)


def texts() -> list[Path]:
    """The files that have samples."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.rst")]
    return sorted(path for path in found if any(samples(path)))


@pytest.fixture
def environment(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the server in libpq's variables, so that `psycopg3.connect()` finds it."""
    if cluster.owned:
        place = {"PGHOST": str(cluster.socket_dir), "PGPORT": str(cluster.port)}
        for name, value in {**place, "PGUSER": "postgres", "PGDATABASE": "postgres"}.items():
            monkeypatch.setenv(name, value)
    else:
        pytest.skip("samples connect to what libpq's own variables name")


@pytest.mark.parametrize("path", texts(), ids=lambda path: path.relative_to(ROOT).as_posix())
@pytest.mark.usefixtures("environment")
def test_samples_run(path: Path, tmp_path: Path) -> None:
    names: dict[str, Any] = {"__name__": "sample"}
    with asyncio.Runner() as runner:
        for sample in samples(path):
            if sample.program:
                run_program(sample, tmp_path)
            elif sample.code.lstrip().startswith(">>>"):
                run_session(sample, names, path)
            else:
                code = compile(
                    ast.parse("\n" * (sample.line - 1) + sample.code, str(path)),
                    str(path),
                    "exec",
                    ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
                )
                if code.co_flags & inspect.CO_COROUTINE:
                    runner.run(eval(code, names))
                else:
                    exec(code, names)


def run_program(sample: Sample, folder: Path) -> None:
    """Run a sample as a program of its own."""
    assert sample.program is not None
    (folder / sample.program).write_text(sample.code)
    done = subprocess.run(
        [sys.executable, sample.program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "ModuleNotFoundError: No module named 'gevent'" in done.stderr:
        return
    assert done.returncode == 0, f"line {sample.line}:\n{done.stdout}{done.stderr}"


def run_session(sample: Sample, names: dict[str, Any], path: Path) -> None:
    """Run a sample of `>>>` lines and compare what it prints."""
    parser = doctest.DocTestParser()
    test = parser.get_doctest(sample.code, names, path.name, str(path), sample.line)
    test.globs = names  # get_doctest takes a copy; what one sample names the next may use
    report: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.append, clear_globs=False)
    assert not report, "".join(report)


def test_there_are_samples() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in texts()}
    assert {"README.md", "docs/start/first.rst"} <= names


def test_kinds_of_samples_are_told_apart(tmp_path: Path) -> None:
    text = tmp_path / "x.rst"
    text.write_text(
        "Text\n\n.. code-block:: python\n   :caption: run.py\n\n   a = 1\n\n   b = 2\n\n"
        "More\n\n  .. code-block:: python\n\n     >>> 1\n     1\n\n.. code-block:: sql\n\n   select\n"
    )
    assert [(s.line, s.code.strip(), s.program) for s in samples(text)] == [
        (5, "a = 1\n\nb = 2", "run.py"),
        (13, ">>> 1\n1", None),
    ]
