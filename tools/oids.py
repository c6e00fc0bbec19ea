"""Writes `psycopg3/_oids.py` from the catalogue of PostgreSQL.

The rows are kept in `tools/data/pg_type.tsv`, so that what is written depends on this repository
alone.

    python tools/oids.py                  write the file
    python tools/oids.py --check          fail when it differs
    python tools/oids.py --refresh DSN    first read the rows anew, by psql, from the server at DSN:
                                          a new database of the newest PostgreSQL
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SNAPSHOT = ROOT / "tools" / "data" / "pg_type.tsv"
MODULE = ROOT / "psycopg3" / "_oids.py"
COMMAND = "python tools/oids.py"

# All types that values of columns may have: types for the server's own use have no array type, but
# `unknown`, `void` and `anyarray` do arrive. From 10000 on, oids differ between databases. The type "char"
# keeps its quotes, since in SQL the bare word means bpchar.
QUERY = """
select case t.typname when 'char' then '"char"' else t.typname end,
       t.oid, t.typarray, format_type(t.oid, null), t.typdelim,
       coalesce(r.rngsubtype, m.rngsubtype, 0), coalesce(m.rngtypid, 0)
from pg_catalog.pg_type t
left join pg_catalog.pg_range r on r.rngtypid = t.oid
left join pg_catalog.pg_range m on m.rngmultitypid = t.oid
where t.oid < 10000 and t.typtype in ('b', 'p', 'r', 'm')
  and (t.typarray <> 0 or t.typname in ('unknown', 'void', 'anyarray'))
order by t.typname
"""
HEAD = (
    "# name, oid, oid of its array, name in SQL, delimiter, oid of the subtype, oid of the range\n"
)


class Type(NamedTuple):
    """A row of the snapshot; 0 for an oid that there isn't."""

    name: str
    oid: int
    array_oid: int
    regtype: str
    delimiter: str
    subtype_oid: int
    range_oid: int

    @property
    def constant(self) -> str:
        """What the name of its constants begins with."""
        return self.name.strip('"').upper()


def refresh(dsn: str) -> None:
    """Read the snapshot from a server."""
    command = ["psql", "-X", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", QUERY, dsn]
    rows = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
    SNAPSHOT.write_text(HEAD + rows, "utf-8")


def read_snapshot() -> list[Type]:
    """The types that the repository keeps, by name."""
    lines = SNAPSHOT.read_text("utf-8").splitlines()
    return [read_row(line) for line in lines if not line.startswith("#")]


def read_row(line: str) -> Type:
    """A line of the snapshot."""
    name, oid, array_oid, regtype, delimiter, subtype_oid, range_oid = line.split("\t")
    return Type(
        name, int(oid), int(array_oid), regtype, delimiter, int(subtype_oid), int(range_oid)
    )


def module_text(types: list[Type]) -> str:
    """The constants and the tables."""
    constants = "".join(f"{t.constant}_OID = {t.oid}\n" for t in types)
    arrays = "".join(f"{t.constant}_ARRAY_OID = {t.array_oid}\n" for t in types if t.array_oid)
    plain = [(*t[:4], t.delimiter) for t in types if not t.subtype_oid]
    ranges = [(*t[:4], t.subtype_oid) for t in types if t.subtype_oid and not t.range_oid]
    multiranges = [(*t[:4], t.range_oid, t.subtype_oid) for t in types if t.range_oid]
    return f'''"""The oids of PostgreSQL's own types."""

# Written by `{COMMAND}`: edit that.

from __future__ import annotations

INVALID_OID = 0

{constants}
{arrays}
# name, oid, array oid (0: no array), name in SQL, delimiter of array elements
TYPES: tuple[tuple[str, int, int, str, str], ...] = (
{table(plain)})

# name, oid, array oid, name in SQL, oid of the subtype
RANGES: tuple[tuple[str, int, int, str, int], ...] = (
{table(ranges)})

# name, oid, array oid, name in SQL, oid of the range, oid of the subtype
MULTIRANGES: tuple[tuple[str, int, int, str, int, int], ...] = (
{table(multiranges)})
'''


def table(rows: Sequence[Sequence[str | int]]) -> str:
    """Rows of a literal tuple."""
    return "".join(f"    ({', '.join(map(literal, row))}),\n" for row in rows)


def literal(value: str | int) -> str:
    """A value as a formatter would leave it."""
    text = repr(value)
    return f'"{value}"' if text.startswith("'") and '"' not in text else text


def outputs() -> dict[Path, str]:
    """The text of each file that this tool writes."""
    return {MODULE: module_text(read_snapshot())}


def main() -> int:
    """Write the file, or check it; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="fail when a file differs")
    parser.add_argument("--refresh", metavar="DSN", help="read the types of this server first")
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
