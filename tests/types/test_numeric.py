"""Numbers through a real server, and what broken ones do."""

from __future__ import annotations

import decimal
import enum
import math
import struct
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from psycopg3 import _oids
from psycopg3.adapt import Format, PyFormat, Transformer
from psycopg3.errors import DataError
from psycopg3.types import numeric
from psycopg3.types.numeric import Float4, Float8, Int2, Int4, Int8, IntNumeric, Oid

if TYPE_CHECKING:
    from tests.types.conftest import Bare

FORMATS = [(format, result) for format in PyFormat for result in Format]

on_server = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
formats = st.sampled_from(FORMATS)


def text(value: object) -> str:
    """A text column, which a result in binary has as text, too."""
    assert isinstance(value, str)
    return value


# -- int -----------------------------------------------------------------------------------------

EDGES = [
    edge + step
    for bits in (15, 31, 63)
    for edge in (2**bits, -(2**bits))
    for step in (-1, 0, 1)
]


def int_type(value: int) -> str:
    for name, bits in (("smallint", 15), ("integer", 31), ("bigint", 63)):
        if -(2**bits) <= value < 2**bits:
            return name
    return "numeric"


@pytest.mark.parametrize(("format", "result"), FORMATS)
@pytest.mark.parametrize("value", [0, 1, -1, *EDGES, 10**40, -(10**40)])
def test_int_takes_the_smallest_type(
    shared: Bare, value: int, format: PyFormat, result: Format
) -> None:
    row = shared.row(
        "select $1, pg_typeof($1)::text::text", (value,), format=format, result=result
    )
    assert row == (value, int_type(value).encode() if False else text(row[1]))
    assert row[1] == int_type(value)
