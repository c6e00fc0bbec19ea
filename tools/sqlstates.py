"""Writes `psycopg3/_sqlstates.py` and its stub from PostgreSQL's own list of error codes.

The list is kept in `tools/data/sqlstates.tsv`, so that what is written depends on this repository
alone. A code that PostgreSQL once had stays in it for ever: older servers still send it.

    python tools/sqlstates.py                      write the two files
    python tools/sqlstates.py --check              fail when one of them differs
    python tools/sqlstates.py --refresh FILE...    first add what is in FILE...

where FILE is `errcodes.txt` in the `share` folder of a PostgreSQL; the oldest first, since later
names replace earlier ones.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SNAPSHOT = ROOT / "tools" / "data" / "sqlstates.tsv"
MODULE = ROOT / "psycopg3" / "_sqlstates.py"
STUB = ROOT / "psycopg3" / "_sqlstates.pyi"
COMMAND = "python tools/sqlstates.py"

# The exception of PEP 249 for each class of SQLSTATE (its first two characters), above those of the
# codes of the class and for codes that nobody knows. A class that isn't here is DatabaseError's.
BASES = {
    "0A": "NotSupportedError",  # feature not supported
    "08": "OperationalError",  # connection exception
    "10": "ProgrammingError",  # XQuery error
    "20": "ProgrammingError",  # case not found
    "21": "ProgrammingError",  # cardinality violation
    "22": "DataError",  # data exception
    "23": "IntegrityError",  # integrity constraint violation
    "24": "InternalError",  # invalid cursor state
    "25": "InternalError",  # invalid transaction state
    "26": "ProgrammingError",  # invalid SQL statement name
    "27": "OperationalError",  # triggered data change violation
    "28": "OperationalError",  # invalid authorization specification
    "2B": "InternalError",  # dependent privilege descriptors still exist
    "2D": "InternalError",  # invalid transaction termination
    "2F": "OperationalError",  # SQL routine exception
    "34": "ProgrammingError",  # invalid cursor name
    "38": "OperationalError",  # external routine exception
    "39": "OperationalError",  # external routine invocation exception
    "3B": "OperationalError",  # savepoint exception
    "3D": "ProgrammingError",  # invalid catalog name
    "3F": "ProgrammingError",  # invalid schema name
    "40": "OperationalError",  # transaction rollback
    "42": "ProgrammingError",  # syntax error or access rule violation
    "44": "ProgrammingError",  # WITH CHECK OPTION violation
    "53": "OperationalError",  # insufficient resources
    "54": "OperationalError",  # program limit exceeded
    "55": "OperationalError",  # object not in prerequisite state
    "57": "OperationalError",  # operator intervention
    "58": "OperationalError",  # system error outside PostgreSQL
    "F0": "OperationalError",  # configuration file error
    "HV": "OperationalError",  # foreign data wrapper error
    "P0": "ProgrammingError",  # PL/pgSQL error
    "XX": "InternalError",  # internal error
}
FALLBACK = "DatabaseError"

# Successes and plain warnings: they arrive in notices, and never become an exception of their own.
NO_ERRORS = ("00", "01")
# Classes for routines written outside SQL, which use names of other classes again: these get "Ext".
EXTERNAL = ("38", "39")
# What the module of exceptions has under that name already.
TAKEN = frozenset({"InternalError"})

_ROW = re.compile(r"(?P<code>[0-9A-Z]{5})\s+[EWS]\s+ERRCODE_\w+\s+(?P<condition>\w+)")


def read_errcodes(text: str) -> dict[str, str]:
    """The condition names by SQLSTATE in `text`, an `errcodes.txt`, without codes' second names."""
    rows = (_ROW.fullmatch(line.strip()) for line in text.splitlines())
    found = {row["code"]: row["condition"] for row in rows if row}
    return {code: name for code, name in found.items() if not code.startswith(NO_ERRORS)}


def read_snapshot() -> dict[str, str]:
    """The condition names by SQLSTATE that the repository keeps."""
    lines = SNAPSHOT.read_text("utf-8").splitlines() if SNAPSHOT.exists() else []
    return dict(line.split("\t") for line in lines if not line.startswith("#"))


def refresh(files: Iterable[Path]) -> None:
    """Add to the snapshot what is in `files`, in their order."""
    conditions = read_snapshot()
    for file in files:
        conditions |= read_errcodes(file.read_text("utf-8"))
    head = "# SQLSTATE and condition name of every error that PostgreSQL has, or once had.\n"
    rows = (f"{code}\t{name}\n" for code, name in sorted(conditions.items()))
    SNAPSHOT.write_text(head + "".join(rows), "utf-8")


def class_names(conditions: dict[str, str]) -> dict[str, str]:
    """The name of the exception for each SQLSTATE: `unique_violation` is `UniqueViolation`."""
    names: dict[str, str] = {}
    for code, condition in sorted(conditions.items()):
        name = condition.title().replace("_", "")
        if name in TAKEN:
            name += "_"
        elif name in names.values():
            name += "Ext"
        if name in names.values() or (name.endswith("Ext") and not code.startswith(EXTERNAL)):
            raise SystemExit(f"{code} {condition}: no free name; give it one in tools/sqlstates.py")
        names[code] = name
    return names


def module_text(names: dict[str, str]) -> str:
    """The table that `psycopg3.errors` reads."""
    bases = "".join(f'    "{key}": "{base}",\n' for key, base in sorted(BASES.items()))
    rows = "".join(f'    "{code}": "{name}",\n' for code, name in names.items())
    return f'''"""The SQLSTATEs of PostgreSQL, and the names of their exceptions."""

# Written by `{COMMAND}`: edit that.

from __future__ import annotations

# The exception of PEP 249 by class of SQLSTATE (its first two characters); else {FALLBACK}.
BASES = {{
{bases}}}

# The exception by SQLSTATE. `psycopg3.errors` makes the classes when they are asked for.
NAMES = {{
{rows}}}
'''


def stub_text(names: dict[str, str], conditions: dict[str, str]) -> str:
    """The classes as type checkers and editors see them."""
    used = sorted({BASES.get(code[:2], FALLBACK) for code in names})
    imports = "".join(f"    {base},\n" for base in used)
    public = "".join(f'    "{name}",\n' for name in names.values())
    classes = "".join(
        f"class {name}({BASES.get(code[:2], FALLBACK)}):\n"
        f'    """SQLSTATE {code}: {conditions[code].replace("_", " ")}."""\n\n'
        for code, name in names.items()
    )
    return f'''"""The exceptions that `psycopg3.errors` makes when asked for, for type checkers."""

# Written by `{COMMAND}`: edit that.
# ruff: noqa: I001, N801, PYI021

from psycopg3._exceptions import (
{imports})

__all__ = [
{public}]

BASES: dict[str, str]
NAMES: dict[str, str]

{classes.rstrip()}
'''


def outputs() -> dict[Path, str]:
    """The text of each file that this tool writes."""
    conditions = read_snapshot()
    names = class_names(conditions)
    return {MODULE: module_text(names), STUB: stub_text(names, conditions)}


def main() -> int:
    """Write the files, or check them; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="fail when a file differs")
    parser.add_argument(
        "--refresh", metavar="FILE", nargs="+", type=Path, help="add these lists first"
    )
    options = parser.parse_args()
    if options.refresh:
        refresh(options.refresh)
    status = 0
    for path, text in outputs().items():
        if options.check:
            if not path.exists() or path.read_text("utf-8") != text:
                print(f"{path.relative_to(ROOT)} differs: run {COMMAND}", file=sys.stderr)
                status = 1
        else:
            path.write_text(text, "utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
