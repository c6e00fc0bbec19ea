"""Bits through a real server, and to and from numbers and bytes."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from psycopg3._oids import BIT_OID, VARBIT_OID
from psycopg3.adapt import Format, PyFormat, Transformer
from psycopg3.errors import DataError
from psycopg3.types.bits import Bits

if TYPE_CHECKING:
    from tests.types.conftest import Bare

FORMATS = [(format, result) for format in PyFormat for result in Format]

rows = st.text("01", max_size=70).map(Bits)


@settings(max_examples=200, deadline=None)
@given(value=rows, format=st.sampled_from(FORMATS))
@example(value=Bits(""), format=FORMATS[0])
@example(value=Bits("1" * 9), format=FORMATS[-1])
def test_round_trip(shared: Bare, value: Bits, format: tuple[PyFormat, Format]) -> None:
    query = f"select $1::varbit, $2::varbit[], $1::bit({len(value) or 1}), $1::varbit::text"
    row = shared.row(query, (value, [value, None]), format=format[0], result=format[1])
    fixed = value or "0"
    assert row == (value, [value, None], fixed, value)
    assert [type(got) for got in (row[0], row[1][0], row[2])] == [Bits] * 3


@pytest.mark.parametrize("format", [PyFormat.AUTO, PyFormat.TEXT])
def test_they_are_sent_as_any_str_is(shared: Bare, format: PyFormat) -> None:
    """So a program that took them for str may go on storing them as text."""
    query = "select $1 || 'x' from (select ''::text) x(t) where t <> $1"
    assert shared.row(query, (Bits("01"),), format=format) == ("01x",)
    assert shared.row("select pg_typeof($1)::text", (Bits("1"),), format=PyFormat.BINARY) == (
        "bit varying",
    )


@given(value=rows)
def test_numbers_and_bytes(value: Bits) -> None:
    assert Bits.from_bytes(value.to_bytes(), len(value)) == value
    assert Bits.from_int(int(value or "0", 2), len(value)) == value
    assert len(Bits.from_bytes(value.to_bytes())) % 8 == 0
    assert pickle.loads(pickle.dumps(value)) == value


def test_numbers_are_cut_to_their_last_bits() -> None:
    assert Bits.from_int(-1, 3) == "111"
    assert Bits.from_int(5, 2) == "01"
    assert Bits.from_bytes(b"\xa0", 3) == "101"
    with pytest.raises(ValueError, match="1 bytes"):
        Bits.from_bytes(b"a", 9)


@pytest.mark.parametrize("oid", [BIT_OID, VARBIT_OID])
@pytest.mark.parametrize("format", Format)
def test_other_digits_are_data_errors(oid: int, format: Format) -> None:
    transformer = Transformer()
    transformer.set_dumper_types([oid], format)
    with pytest.raises(DataError, match="digits 0 and 1"):
        transformer.dump_sequence(["0121"], [])


def test_literal(shared: Bare) -> None:
    assert shared.row(f"select {shared.literal(Bits('01'))}::bit(2)") == ("01",)
