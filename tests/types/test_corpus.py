"""Every type: text and binary give equal values; broken payloads are a value or a DataError."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest

from psycopg3.adapt import Format, Transformer
from psycopg3.errors import Error
from psycopg3.postgres import types
from tests.types.corpus import EDGES, mutant

if TYPE_CHECKING:
    from tests.types.conftest import Bare

MUTANTS = int(os.environ.get("PSYCOPG3_TEST_MUTANTS", "25_000"))
CASES = [(name, format) for name in EDGES for format in Format]


def payloads(bare: Bare, name: str, format: Format) -> list[tuple[int, bytes]]:
    """What the server sends for the edge values of a type, and for an array of each: oid and bytes."""
    info = types[name]
    found = []
    for text in EDGES[name]:
        cast = f"{bare.literal(text)}::{name}"
        query = f"select {cast}, array[{cast}, null]"
        got = bare.pgconn.exec_params(query.encode(), [], (), (), format)
        for column, oid in enumerate((info.oid, info.array_oid)):
            data = got.get_value(0, column)
            assert data is not None, got.get_error_message()
            found.append((oid, bytes(data)))
    return found


def loaded(bare: Bare, oid: int, data: bytes, format: Format) -> Any:
    transformer = Transformer(bare)
    transformer.set_loader_types([oid], format)
    return transformer.load_sequence([data])[0]


@pytest.mark.parametrize("name", EDGES)
def test_both_formats_are_equal(shared: Bare, name: str) -> None:
    text, binary = (payloads(shared, name, format) for format in Format)
    for (oid, as_text), (_, as_binary) in zip(text, binary, strict=True):
        first = loaded(shared, oid, as_text, Format.TEXT)
        second = loaded(shared, oid, as_binary, Format.BINARY)
        # By repr(): nan is not equal to itself, 0.0 is to -0.0, and Decimal("1.1") to Decimal("1.10").
        assert repr(first) == repr(second)
        assert type(first) is type(second)


@pytest.mark.parametrize(("name", "format"), CASES)
def test_broken_payloads(shared: Bare, name: str, format: Format) -> None:
    rng = random.Random(f"{name} {format}")
    sound = payloads(shared, name, format)
    for _ in range(MUTANTS // len(CASES)):
        oid, data = rng.choice(sound)
        broken = mutant(data, rng)
        try:
            loaded(shared, oid, broken, format)
        except Error as ex:
            # The type, or that of the part that is broken.
            names = name, types[name].regtype, "date", "timestamp", "numeric"
            assert any(known in str(ex) for known in names), (broken, ex)
