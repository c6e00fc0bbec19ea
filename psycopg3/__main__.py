"""`python -m psycopg3`: what runs here; `demo`: one query in three worlds."""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import psycopg3
from psycopg3 import _impl, pq
from psycopg3.pq.binding import lib, memory
from psycopg3.testing import Cluster

QUERY = """\
select d::date as day, to_char(d, 'FMDay') as weekday, %(guest)s || ' is here' as note
from generate_series(%(first)s::date, %(first)s::date + %(nights)s::int, interval '1 day') d"""
PARAMS = {"first": date(2026, 12, 30), "nights": 2, "guest": "Miles O'Brien"}

Rows = list[tuple[Any, ...]]


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m psycopg3", description=__doc__)
    parser.add_argument("--json", action="store_true", help="what runs here, as JSON")
    parser.add_argument("command", nargs="?", choices=["demo"], help="one query in three worlds")
    options = parser.parse_args(args)
    if options.command == "demo":
        return demo()
    facts = report()
    if options.json:
        print(json.dumps(facts))
    else:
        print(
            "\n".join(f"{name:<9} {shown(value)}" for name, value in facts.items() if value != {})
        )
    return 0


def report() -> dict[str, Any]:
    """What runs here, by name; the values are fit for JSON."""
    tls = lib.PQsslAttribute(memory.NULL, b"library")
    return {
        "psycopg3": psycopg3.__version__,
        "binding": pq.__impl__,
        # Faster ones, and why they don't load.
        "skipped": _impl.SKIPPED,
        "libpq": {
            "run": pq.version_pretty(pq.version()),
            "build": pq.version_pretty(pq.__build_version__),
            "path": lib.LIBRARY.path,
        },
        # Older ones tell it of a connection only.
        "tls": tls.decode() if tls else None,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "platform": platform.platform(),
    }


def shown(value: object) -> str:
    """One fact of the report, for people."""
    if value is _impl.SKIPPED:
        return ", ".join(
            f"{name}: {reason}{'; pip install cffi' if '_cffi_backend' in reason else ''}"
            for name, reason in _impl.SKIPPED.items()
        )
    if isinstance(value, dict):
        first, *rest = value.items()
        return f"{first[1]} ({', '.join(f'{name}: {text}' for name, text in rest)})"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown to this libpq" if value is None else str(value)


def demo() -> int:
    """Run one query with threads, on asyncio and on trio; 0 if all rows were the same."""
    print(f"psycopg3 {psycopg3.__version__}, binding {pq.__impl__}, libpq", end=" ")
    print(pq.version_pretty(pq.version()), end="\n\n")
    with Cluster(tls=False) as cluster:
        how = "started for this demo" if cluster.owned else "the one that the environment names"
        print(f"PostgreSQL {pq.version_pretty(cluster.version)}, {how}")
        print(indented(f"\n{QUERY}\n\nwith {PARAMS}\n"))
        same = [show(name, run, cluster.dsn) for name, run in WORLDS.items()]
    if cluster.owned:
        print("\nThe server is stopped, its files are removed.")
    return 0 if all(same) else 1


def in_threads(dsn: str) -> Rows:
    """The query by `Connection`."""
    with psycopg3.connect(dsn) as conn:
        return conn.execute(QUERY, PARAMS).fetchall()


async def in_tasks(dsn: str) -> Rows:
    """The query by `AsyncConnection`: the same code on every async library."""
    async with await psycopg3.AsyncConnection.connect(dsn) as conn:
        cur = await conn.execute(QUERY, PARAMS)
        return await cur.fetchall()


def on_trio(dsn: str) -> Rows:
    """The query on trio; ImportError where it isn't installed."""
    import trio

    return trio.run(in_tasks, dsn)


WORLDS: dict[str, Callable[[str], Rows]] = {
    "threads": in_threads,
    "asyncio": lambda dsn: asyncio.run(in_tasks(dsn)),
    "trio": on_trio,
}
EXPECTED: Rows = [
    (date(2026, 12, 30), "Wednesday", "Miles O'Brien is here"),
    (date(2026, 12, 31), "Thursday", "Miles O'Brien is here"),
    (date(2027, 1, 1), "Friday", "Miles O'Brien is here"),
]


def show(world: str, run: Callable[[str], Rows], dsn: str) -> bool:
    """Run the query in one world and print what came; False if that is wrong."""
    try:
        rows = run(dsn)
    except ImportError as ex:
        print(f"{world:<9} not installed: pip install {ex.name}")
        return True
    lines = ["   ".join(map(str, row)) for row in rows]
    print(f"{world:<9}{indented(chr(10).join(lines))[9:]}")
    if rows != EXPECTED:
        print(indented(f"these are not the rows of the query: {EXPECTED}"))
    return rows == EXPECTED


def indented(text: str) -> str:
    """The text with each line moved to the column of what worlds print."""
    return "\n".join(f"{'':<9} {line}".rstrip() for line in text.split("\n"))


if __name__ == "__main__":
    sys.exit(main())
