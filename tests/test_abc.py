"""PyFormat, and that the rooms keep to the protocols."""

from __future__ import annotations

import pytest

from psycopg3 import abc
from psycopg3.adapt import AdaptersMap, Format, PyFormat, Transformer
from psycopg3.types.bool import BoolDumper, BoolLoader


def test_formats_are_the_letters_of_placeholders() -> None:
    assert [PyFormat(letter) for letter in "stb"] == list(PyFormat)
    assert {PyFormat.AUTO: 1}["s"] == 1  # type: ignore[index]


@pytest.mark.parametrize(
    ("format", "py_format"), [(Format.TEXT, PyFormat.TEXT), (Format.BINARY, PyFormat.BINARY)]
)
def test_formats_of_libpq(format: Format, py_format: PyFormat) -> None:
    assert PyFormat.from_pq(format) is py_format
    assert PyFormat.as_pq(py_format) is format


def test_auto_is_text_to_libpq() -> None:
    assert PyFormat.as_pq(PyFormat.AUTO) is Format.TEXT


def test_classes_have_what_the_protocols_ask() -> None:
    # mypy is the judge of this test.
    adapters: abc.AdaptersMapLike = AdaptersMap()
    context: abc.AdaptContext = adapters
    transformer: abc.AdaptContext = Transformer(context)
    dumper: abc.Dumper = BoolDumper(bool, transformer)
    loader: abc.Loader = BoolLoader(16, transformer)
    assert (dumper.format, loader.format) == (Format.TEXT, Format.TEXT)
