"""Geometries of shapely: on a server with PostGIS where there is one, and by their bytes."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import psycopg3
from psycopg3.adapt import AdaptersMap, Format, PyFormat, Transformer
from psycopg3.errors import DataError, FeatureNotSupported, ProgrammingError, UndefinedFile
from psycopg3.postgres import adapters
from psycopg3.types import TypeInfo
from psycopg3.types.shapely import register_postgis, register_shapely

shapely: Any = pytest.importorskip("shapely")

OID, ARRAY_OID = 900001, 900002  # of no type of the server's own

TEXTS = [
    "POINT (1 2)",
    "POINT Z (1 2 3)",
    "POINT EMPTY",
    "LINESTRING (0 0, 1 1, 2 0)",
    "POLYGON ((0 0, 4 0, 4 4, 0 0), (1 0.5, 2 0.5, 2 1, 1 0.5))",
    "MULTIPOINT (1 2, 3 4)",
    "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))",
    "GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 1))",
    "GEOMETRYCOLLECTION EMPTY",
]
GEOMETRIES = [
    shapely.set_srid(shapely.from_wkt(text), srid) for text in TEXTS for srid in (0, 4326)
]


def same(one: Any, other: Any) -> bool:
    return (shapely.to_wkt(one, -1), shapely.get_srid(one)) == (
        shapely.to_wkt(other, -1),
        shapely.get_srid(other),
    )


@pytest.fixture
def context() -> AdaptersMap:
    """Adapters that know a geometry without a server."""
    context = AdaptersMap(adapters)
    register_shapely(TypeInfo("geometry", OID, ARRAY_OID, delimiter=":"), context)
    return context


@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize("value", GEOMETRIES, ids=str)
def test_bytes(context: AdaptersMap, value: Any, format: PyFormat) -> None:
    transformer = Transformer(context)
    data = transformer.dump_sequence([value, [value, None]], [format] * 2)
    assert transformer.types == (OID, ARRAY_OID)
    formats = transformer.formats or []
    for item, oid, written in zip(data, (OID, ARRAY_OID), formats, strict=True):
        transformer.set_loader_types([oid], written)
        (got,) = transformer.load_sequence([item])
        assert same(got[0] if oid == ARRAY_OID else got, value)
    if format == PyFormat.AUTO:
        assert formats[0] == Format.BINARY


def test_a_type_that_is_not_there() -> None:
    with pytest.raises(TypeError, match="postgis"):
        register_shapely(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("format", Format)
def test_broken_payloads(context: AdaptersMap, format: Format) -> None:
    rng = random.Random(5)
    transformer = Transformer(context)
    transformer.set_loader_types([OID], format)
    asked = PyFormat.from_pq(format)
    for value in GEOMETRIES:
        payload = bytes(Transformer(context).dump_sequence([value], [asked])[0] or b"")
        for _ in range(200):
            place = rng.randrange(len(payload) + 1)
            junk = rng.choice([b"", b"\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"00", b"g"])
            mutant = payload[:place] + junk + payload[place + rng.randrange(5) :]
            try:
                transformer.load_sequence([mutant])
            except DataError as ex:
                assert "geometry" in str(ex)


def test_curves_are_data_errors(context: AdaptersMap) -> None:
    transformer = Transformer(context)
    transformer.set_loader_types([OID], Format.BINARY)
    with pytest.raises(DataError, match="geometry"):
        transformer.load_sequence([b"\x01\x08\0\0\0\0\0\0\0"])


def nested(depth: int, order: str, kind: int, inner: bytes) -> bytes:
    head = (b"\1" if order == "little" else b"\0") + kind.to_bytes(4, order)  # type: ignore[arg-type]
    return (head + (1).to_bytes(4, order)) * depth + inner  # type: ignore[arg-type]


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("kind", [7, 1007, 3007, 0x80000007, 5])
def test_collections_without_end_are_data_errors(
    context: AdaptersMap, kind: int, order: str
) -> None:
    """They would crash the process."""
    transformer = Transformer(context)
    transformer.set_loader_types([OID], Format.BINARY)
    inner = shapely.to_wkb(shapely.from_wkt(TEXTS[4]))
    for data in (nested(100_000, order, kind, inner), nested(100_000, order, kind, b"")):
        with pytest.raises(DataError, match="deeper than 200"):
            transformer.load_sequence([data])
    wide = shapely.multipolygons([shapely.from_wkt(TEXTS[4])] * 300)
    lines = shapely.multilinestrings([shapely.from_wkt(TEXTS[3])] * 300)
    points = shapely.multipoints([shapely.Point(1, 2)] * 300)
    collection = shapely.geometrycollections([wide, lines, points, wide] * 2)
    deep = nested(150, order, 7, shapely.to_wkb(collection, byte_order=order == "little"))
    (got,) = transformer.load_sequence([deep])
    for _ in range(150):
        (got,) = got.geoms
    assert got == collection


def test_the_module_waits_until_it_is_wanted() -> None:
    code = """if 1:
        import sys, psycopg3.types.shapely
        assert "shapely" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)


# -- PostGIS -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def conn(dsn: str) -> Iterator[psycopg3.Connection[Any]]:
    """A connection to a server with PostGIS."""
    with psycopg3.connect(dsn, autocommit=True) as conn:
        try:
            conn.execute("create schema postgis")
            conn.execute("create extension postgis schema postgis")
        except (UndefinedFile, FeatureNotSupported):
            conn.execute("drop schema postgis")
            pytest.skip("needs a server with PostGIS")
        conn.execute("set search_path to public, postgis")
        register_postgis(conn)
        yield conn
        conn.execute("drop schema postgis cascade")


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("format", PyFormat)
def test_postgis(conn: psycopg3.Connection[Any], format: PyFormat, binary: bool) -> None:
    mark = f"%{format.value}"
    query = f"select {mark}, {mark}, pg_typeof({mark})::text, st_srid({mark}), st_asewkb({mark})"
    for value in GEOMETRIES:
        params = [value, [value, None], value, value, value]
        row = conn.execute(query.encode(), params, binary=binary).fetchone()
        assert row is not None
        got, array, name, srid, ewkb = row
        assert same(got, value)
        assert same(array[0], value)
        assert array[1] is None
        assert (name, srid) == ("geometry", shapely.get_srid(value))
        assert same(shapely.from_wkb(ewkb), value)


@pytest.mark.parametrize("binary", [False, True])
def test_geography(conn: psycopg3.Connection[Any], binary: bool) -> None:
    query = "select 'point(1 2)'::geography, %s::geography"
    value = shapely.set_srid(shapely.Point(1, 2), 4326)
    row = conn.execute(query, [value], binary=binary).fetchone()
    assert row is not None
    assert all(same(got, value) for got in row)


def test_without_the_extension(dsn: str) -> None:
    with psycopg3.connect(dsn) as conn:
        with pytest.raises(ProgrammingError, match="create the extension"):
            register_postgis(conn)
