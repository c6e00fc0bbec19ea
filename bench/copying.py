"""How much memory does a COPY of many rows take, and how long is it under way?

    python bench/copying.py [rows]            5,000,000 rows by default; the server is a throw-away one

Each row is a bigint, a text of 14 bytes and a double precision. The peak is that of the whole process until
then: where it doesn't grow, memory is flat.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

import psycopg3
from psycopg3.testing import Cluster

TYPES = ["int8", "text", "float8"]


def rows(count: int) -> Iterator[tuple[int, str, float]]:
    """The rows, made one by one."""
    for number in range(count):
        yield number, "some text here", 1.5


def write(cur: psycopg3.Cursor[Any], format: str, count: int) -> int:
    """Write the rows, and return how many there were."""
    cur.execute("truncate many")
    with cur.copy(f"copy many from stdin (format {format})") as copy:
        copy.set_types(TYPES)
        copy.write_rows(rows(count))
    return cur.rowcount


def read(cur: psycopg3.Cursor[Any], format: str) -> int:
    """Read the rows, and return how many there were."""
    with cur.copy(f"copy many to stdout (format {format})") as copy:
        copy.set_types(TYPES)
        return sum(1 for _ in copy.rows())


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000
    print(f"{'what':12} {'rows':>9} {'seconds':>8} {'peak MiB':>9}")
    with Cluster() as server, psycopg3.connect(server.dsn) as conn:
        cur = conn.cursor()
        cur.execute("create unlogged table many (a bigint, b text, c float8)")
        for format in ("text", "binary"):
            for name, done in (
                ("in", lambda f: write(cur, f, count)),
                ("out", lambda f: read(cur, f)),
            ):
                begin = time.monotonic()
                moved = done(format)
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                seconds = time.monotonic() - begin
                print(f"{format + ' ' + name:12} {moved:9} {seconds:8.1f} {peak:9.1f}", flush=True)


if __name__ == "__main__":
    main()
