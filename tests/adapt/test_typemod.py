"""Type modifiers, compared with what the server itself makes of them."""

from __future__ import annotations

import re

import pytest

from psycopg3 import pq
from psycopg3.adapt.typemod import TypeModifier
from psycopg3.postgres import types

DECLARED = [
    "numeric",
    "numeric(10,2)",
    "numeric(5)",
    "numeric(3,-2)",
    "numeric(1000,1000)",
    "varchar",
    "varchar(10)",
    "char(3)",
    "text",
    "bit(5)",
    "varbit(7)",
    "varbit",
    "time",
    "time(3)",
    "timestamp(0)",
    "timestamptz(6)",
    "timetz(2)",
    "interval",
    "interval(3)",
    "interval year",
    "interval day to second(4)",
    "numeric(10,2)[]",
    "int4",
]


def test_the_default_has_none() -> None:
    modifier = TypeModifier(1)
    assert modifier.get_modifier(14) is None
    assert (modifier.get_display_size(14), modifier.get_precision(14), modifier.get_scale(14)) == (
        None,
        None,
        None,
    )


@pytest.mark.parametrize("declared", DECLARED)
def test_as_the_server_says(dsn: str, declared: str) -> None:
    pgconn = pq.PGconn.connect(dsn.encode())
    try:
        if "-" in declared and pgconn.server_version < 150000:
            pytest.skip("a negative scale came with PostgreSQL 15")
        column = pgconn.exec_(f"select null::{declared}".encode())
        oid, fmod = column.ftype(0), column.fmod(0)
        formatted = pgconn.exec_(f"select format_type({oid}, {fmod})".encode()).get_value(0, 0)
    finally:
        pgconn.finish()
    assert formatted is not None
    expected = re.search(r"\(.*\)", formatted.decode())
    info = types[oid]
    shown = info.get_type_display(oid, fmod)
    assert shown == info.name + (expected.group() if expected else "") + (
        "[]" if declared.endswith("[]") else ""
    )
    scale = re.search(r",(-?\d+)\)", shown)
    assert info.get_scale(fmod) == (int(scale[1]) if scale else None)
