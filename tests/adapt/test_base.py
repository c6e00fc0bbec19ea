"""Dumper and Loader as base classes: defaults, literals, what depends on the context."""

from __future__ import annotations

from typing import Any

import pytest

from psycopg3 import pq
from psycopg3.adapt import Dumper, Format, Loader, PyFormat
from psycopg3.adapt.base import quote_unconnected
from psycopg3.types.bool import BoolLoader


class Plain(Dumper):
    def dump(self, obj: Any) -> bytes | None:
        return None if obj is None else str(obj).encode()


class Point:
    pass


def test_defaults_of_a_dumper() -> None:
    dumper = Plain(Point)
    assert (dumper.format, dumper.oid, dumper.cls, dumper.connection) == (
        Format.TEXT,
        0,
        Point,
        None,
    )
    for format in PyFormat:
        assert dumper.get_key(Point(), format) is Point
        assert dumper.upgrade(Point(), format) is dumper
    assert "Plain" in repr(dumper)


@pytest.mark.parametrize("base", [Dumper, Loader])
def test_the_bases_are_abstract(base: Any) -> None:
    with pytest.raises(TypeError, match="abstract"):
        base(int)


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("", b"''"),
        ("a", b"'a'"),
        ("it's", b"'it''s'"),
        ("\\", b" E'\\\\'"),
        ("\\'", b" E'\\\\'''"),
    ],
)
def test_quote_without_a_connection(text: str, literal: bytes) -> None:
    assert Plain(str).quote(text) == literal
    assert quote_unconnected(memoryview(text.encode())) == literal


def test_quote_of_what_dumps_to_null() -> None:
    assert Plain(str).quote(None) == b"NULL"


def test_quote_follows_the_connection(dsn: str) -> None:
    class Context:
        def __init__(self, pgconn: pq.PGconn) -> None:
            self.pgconn = pgconn

        @property
        def connection(self) -> Any:
            return self

    pgconn = pq.PGconn.connect(dsn.encode())
    try:
        context: Any = Context(pgconn)
        assert Plain(str, context).quote("it's \\") == b" E'it''s \\\\'"
        assert Plain(str, context).quote("it's") == b"'it''s'"
    finally:
        pgconn.finish()


def test_adapters_are_contextual_unless_they_say_otherwise() -> None:
    class Own(BoolLoader):
        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)

    class Stated(BoolLoader):
        contextual = False

        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)

    class Inheriting(BoolLoader):
        pass

    assert Plain.contextual
    assert not BoolLoader.contextual
    assert Own.contextual
    assert not Stated.contextual
    assert not Inheriting.contextual


def test_loader_knows_its_type() -> None:
    loader = BoolLoader(16)
    assert (loader.oid, loader.connection, loader.format) == (16, None, Format.TEXT)
    assert "BoolLoader" in repr(loader)
