"""bool through a real server, and what its loaders refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psycopg3._oids import BOOL_OID
from psycopg3.adapt import Format, PyFormat, Transformer
from psycopg3.errors import DataError

if TYPE_CHECKING:
    from tests.types.conftest import Bare


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize("result", Format)
def test_round_trip(shared: Bare, value: bool, format: PyFormat, result: Format) -> None:
    row = shared.row("select $1, pg_typeof($1)::text", (value,), format=format, result=result)
    assert row[0] is value
    assert row[1] == "boolean"


def test_literal(shared: Bare) -> None:
    assert [shared.literal(value) for value in (True, False)] == ["true", "false"]


@pytest.mark.parametrize("format", Format)
@given(data=st.binary(max_size=3))
def test_any_bytes_are_a_value_or_a_data_error(format: Format, data: bytes) -> None:
    transformer = Transformer()
    transformer.set_loader_types([BOOL_OID], format)
    known = {b"t": True, b"f": False} if format == Format.TEXT else {b"\x01": True, b"\x00": False}
    if data in known:
        assert transformer.load_sequence([data]) == (known[data],)
    else:
        with pytest.raises(DataError, match="bool"):
            transformer.load_sequence([data])
