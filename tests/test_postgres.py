"""The global map: PostgreSQL's types as the server itself lists them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from psycopg3 import pq
from psycopg3.adapt import AdaptersMap, PyFormat, registry
from psycopg3.adapt.typeinfo import TypesRegistry
from psycopg3.errors import ProgrammingError
from psycopg3.postgres import (
    adapters,
    register_default_adapters,
    register_default_types,
    types,
)
from psycopg3.pq import Format


def test_the_global_map_is_filled() -> None:
    assert adapters is registry.adapters
    assert types is adapters.types


@pytest.mark.parametrize(
    ("name", "oid"),
    [
        ("int4", 23),
        ("integer", 23),
        ("timestamp with time zone", 1184),
        ("text[]", 1009),
        ("character varying", 1043),
        ("tsrange", 3908),
        ("int4multirange", 4451),
        ('"char"', 18),
    ],
)
def test_types_by_name(name: str, oid: int) -> None:
    assert types.get_oid(name) == oid


def test_types_are_those_of_the_server(dsn: str) -> None:
    pgconn = pq.PGconn.connect(dsn.encode())
    try:
        result = pgconn.exec_(
            b"select oid, typarray, typdelim, oid::regtype::text, typarray::regtype::text"
            b" from pg_type where oid < 10000"
        )
        rows = [
            [(result.get_value(row, col) or b"").decode() for col in range(5)]
            for row in range(result.ntuples)
        ]
    finally:
        pgconn.finish()
    server = {int(oid): rest for oid, *rest in rows}
    known = [info for info in types if info.oid in server]
    assert len(known) >= 70
    for info in known:
        array_oid, delimiter, regtype, array_regtype = server[info.oid]
        assert (str(info.array_oid), info.delimiter, info.regtype) == (
            array_oid,
            delimiter,
            regtype,
        )
        assert types[regtype] is info
        if info.array_oid:
            assert types.get_oid(array_regtype) == info.array_oid


def test_a_registry_may_be_filled_anew() -> None:
    own = TypesRegistry()
    register_default_types(own)
    assert [info.name for info in own] == [info.name for info in types]
    own["int4"].register(AdaptersMap(None, own))


def test_a_map_may_be_filled_anew() -> None:
    own = AdaptersMap(None, types)
    with pytest.raises(ProgrammingError):
        own.get_dumper(int, PyFormat.AUTO)
    register_default_adapters(own)
    for cls in (int, float, str, bytes, bool):
        assert own.get_dumper(cls, PyFormat.AUTO) is adapters.get_dumper(cls, PyFormat.AUTO)


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; before = set(sys.modules); import psycopg3.postgres\n"
        "heavy = 'uuid json decimal ipaddress dataclasses logging asyncio'.split()\n"
        "print(*[name for name in heavy if name in sys.modules and name not in before])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # PyPy's own library imports it with the modules for sockets.
    assert run.stdout.split() in ([], ["ipaddress"][: sys.implementation.name == "pypy"])


@pytest.mark.parametrize("format", [Format.TEXT, Format.BINARY])
@pytest.mark.parametrize("name", ["bool", "int2", "int4", "int8", "float4", "float8", "numeric"])
def test_types_of_numbers_are_written_by_what_takes_every_number(name: str, format: Format) -> None:
    # Not by the dumper of one of NumPy's classes, which has the same oid.
    dumper = adapters.get_dumper_by_oid(types[name].oid, format)
    assert not dumper.__name__.startswith("NP")
