"""What a call of libpq costs on each binding, psycopg's ctypes build beside ours: one table.

    python bench/bindings.py [conninfo]

Nanoseconds of CPU time, the best of several rounds; a round trip's include what the kernel does for
the client. psycopg takes part if it is installed. Without a conninfo a server is started.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PEERS = {
    "cffi": ("psycopg3", {"PSYCOPG3_IMPL": "cffi"}),
    "ctypes": ("psycopg3", {"PSYCOPG3_IMPL": "ctypes"}),
    "psycopg (ctypes)": ("psycopg", {"PSYCOPG_IMPL": "python"}),
}
ROWS = 2000
QUERY = b"select i, i::text || 'abcdefg' from generate_series(1, %d) i" % ROWS


def best(call: Callable[[], object], times: int, rounds: int = 9) -> float:
    """Nanoseconds that one of `times` of what `call` does takes in the best round."""
    least = float("inf")
    for _ in range(rounds):
        begin = time.process_time_ns()
        call()
        least = min(least, (time.process_time_ns() - begin) / times)
    return least


def measure(package: str, conninfo: bytes) -> dict[str, float]:
    """What each call costs on the binding that this process has."""
    pq: Any = importlib.import_module(f"{package}.pq")
    conn = pq.PGconn.connect(conninfo)
    rows = range(ROWS)
    text = conn.exec_params(QUERY, [])
    binary = conn.exec_params(QUERY, [], result_format=1)
    conn.exec_(b"set client_encoding to 'UTF8'")

    def trip() -> None:
        for _ in range(300):
            conn.exec_params(b"select $1, $2", [b"1", b"abc"], [23, 25]).get_value(0, 0)

    found = {
        "status": best(lambda: [conn.status for _ in rows], ROWS),
        "is_busy()": best(lambda: [conn.is_busy() for _ in rows], ROWS),
        "parameter_status()": best(
            lambda: [conn.parameter_status(b"client_encoding") for _ in rows], ROWS
        ),
        "get_value(), text": best(lambda: [text.get_value(row, 1) for row in rows], ROWS),
        "get_value(), binary": best(lambda: [binary.get_value(row, 0) for row in rows], ROWS),
        "exec_params() and get_value()": best(trip, 300),
    }
    if hasattr(text, "get_column"):
        found["get_column(), a text"] = best(lambda: text.get_column(1, 0, ROWS), ROWS)
        found["get_column(), a binary"] = best(lambda: binary.get_column(0, 0, ROWS), ROWS)
    return found


def table(columns: dict[str, dict[str, float]]) -> None:
    """Print a line a call, a column a binding."""
    print(f"{'':32}" + "".join(f"{name:>18}" for name in columns))
    for call in dict.fromkeys(call for column in columns.values() for call in column):
        cells = [f"{column[call]:.0f}" if call in column else "-" for column in columns.values()]
        print(f"{call:32}" + "".join(f"{cell:>18}" for cell in cells))


def main(args: list[str]) -> int:
    """Measure each binding in a process of its own."""
    if args[:1] == ["--measure"]:
        print(json.dumps(measure(args[1], args[2].encode())))
        return 0
    if args:
        return compare(args[0])
    sys.path.insert(0, str(ROOT))
    from psycopg3.testing import Cluster

    with Cluster(tls=False) as cluster:
        return compare(cluster.dsn)


def compare(conninfo: str) -> int:
    """Print the table."""
    columns = {}
    for name, (package, variables) in PEERS.items():
        env = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
        argv = [sys.executable, __file__, "--measure", package, conninfo]
        done = subprocess.run(argv, env=env, capture_output=True, text=True)
        if done.returncode == 0:
            columns[name] = json.loads(done.stdout)
        else:
            print(f"without {name}: {done.stderr.splitlines()[-1]}")
    table(columns)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
