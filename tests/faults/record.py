"""What the storms counted: told at the end of their tests, and kept in a file if one is named."""

from __future__ import annotations

import os

FILE = "PSYCOPG3_STORM_RECORD"
"""The environment variable that names the file."""


def write(what: str, count: int, **numbers: object) -> None:
    """Tell what was counted, in one line."""
    line = f"{what}: {count}" + "".join(f", {name} {number}" for name, number in numbers.items())
    print(line)
    if path := os.environ.get(FILE):
        with open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")
