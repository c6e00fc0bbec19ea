"""What the tests of connectors have in common."""

from __future__ import annotations

import gc
import os
from pathlib import Path

ROOT = Path(__file__).parents[2]


PARAMS = {"host": "somewhere", "user": "postgres", "dbname": "postgres", "autocommit": True}


def forked(conn):
    """Have a child take note that the connection isn't his, and end."""
    child = os.fork()
    if not child:
        try:
            assert conn.closed
            conn.terminate()
            del conn
            gc.collect()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
