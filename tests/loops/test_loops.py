"""A connection on loops of others, and where asyncio and trio run one around the other.

Run it by `tox -e loops`, which installs them. Each case has a process of its own: some loops change
asyncio for the whole of it, and what goes wrong on others ends it.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.loops.cases import CASES
from tests.loops.worlds import WORLDS

# What belongs to no loop is tried by the ordinary tests.
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("world", WORLDS)
def test_loops(dsn: str, world: str, case: str) -> None:
    needed = WORLDS[world].needs
    if needed:
        pytest.importorskip(needed)
    if world == "qtinter" and sys.version_info < (3, 12):
        pytest.skip("PySide6 loses references to True there: findings/pyside6_emit_refcount.sh")
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.loops.worlds", world, case, dsn]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
