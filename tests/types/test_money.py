"""money, of which only the server knows how it is written and how many decimals it has."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from psycopg3._oids import MONEY_OID
from psycopg3.adapt import AdaptersMap, Format, Transformer
from psycopg3.errors import DataError
from psycopg3.postgres import adapters
from psycopg3.types.money import register_money

if TYPE_CHECKING:
    from tests.types.conftest import Bare

AMOUNTS = [
    "0",
    "0.01",
    "-0.01",
    "1234.56",
    "-1234.56",
    "92233720368547758.07",
    "-92233720368547758.08",
]


def test_default(shared: Bare) -> None:
    assert shared.row("select 1234.56::money") == ("$1,234.56",)
    # Sent back as they are, neither an int nor a Decimal of them would be the same amount.
    row = shared.row("select '-1234.56'::money", result=Format.BINARY)
    assert row == ((-123456).to_bytes(8, "big", signed=True),)


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize("result", Format)
def test_decimal(bare: Bare, amount: str, result: Format) -> None:
    register_money(2, bare)
    row = bare.row(f"select '{amount}'::money, array['{amount}'::money]", result=result)
    assert row == (Decimal(amount), [Decimal(amount)])
    assert row[0].as_tuple().exponent == -2


@pytest.mark.parametrize(
    ("scale", "text", "amount"),
    [
        (2, "-1.234,56 €", "-1234.56"),
        (2, "1\u202f234,56 €", "1234.56"),
        (0, "￥-1,235", "-1235"),
        (3, "د.ت. 1,234.560-", "-1234.560"),
        (2, "($1,234.56)", "-1234.56"),
    ],
)
def test_languages(scale: int, text: str, amount: str) -> None:
    context = AdaptersMap(adapters)
    register_money(scale, context)
    transformer = Transformer(context)
    transformer.set_loader_types([MONEY_OID], Format.TEXT)
    assert transformer.load_sequence([text.encode()]) == (Decimal(amount),)


@pytest.mark.parametrize("format", Format)
def test_broken_ones_are_data_errors(format: Format) -> None:
    context = AdaptersMap(adapters)
    register_money(2, context)
    transformer = Transformer(context)
    transformer.set_loader_types([MONEY_OID], format)
    for data in (b"", b"$", b"\0" * 7, b"\0" * 9):
        with pytest.raises(DataError, match="money"):
            transformer.load_sequence([data])
