"""mypy and pyright understand the public classes as the snippets say, and users' programs.

`programs.py` has both checkers at their strictest.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SNIPPETS = [str(Path(__file__).with_name(name)) for name in ("snippets.py", "programs.py")]
ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "checker",
    [
        pytest.param(["mypy", "--strict", "--warn-unused-ignores"], id="mypy"),
        pytest.param(["pyright"], id="pyright"),
    ],
)
def test_snippets(checker):
    if find_spec(checker[0]) is None:
        pytest.skip(f"{checker[0]} isn't installed: it is in the extra 'dev'")
    done = subprocess.run(
        [sys.executable, "-m", *checker, *SNIPPETS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
