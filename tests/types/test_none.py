"""None as a parameter, a literal, an element."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from psycopg3.adapt import Format, PyFormat, Transformer

if TYPE_CHECKING:
    from tests.types.conftest import Bare


@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize("result", Format)
def test_round_trip(shared: Bare, format: PyFormat, result: Format) -> None:
    row = shared.row("select $1::int4, $2::text", (None, None), format=format, result=result)
    assert row == (None, None)


def test_literal(shared: Bare) -> None:
    assert shared.literal(None) == "NULL"


@pytest.mark.parametrize("format", [PyFormat.AUTO, PyFormat.TEXT])
def test_dumper_for_those_who_ask_one(format: PyFormat) -> None:
    dumper = Transformer().get_dumper(None, format)
    assert dumper.dump(None) is None
    assert bytes(dumper.quote(None)) == b"NULL"
