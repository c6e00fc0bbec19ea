"""Adapters of types made of others."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import Any

from psycopg3.adapt import (
    AdaptersMap,
    Format,
    PyFormat,
    RecursiveDumper,
    RecursiveLoader,
    Transformer,
)
from psycopg3.postgres import adapters
from tests.marks import counts_references


class Pair(tuple[Any, Any]):
    __slots__ = ()


class PairDumper(RecursiveDumper):
    def dump(self, obj: Pair) -> bytes:
        parts = self._tx.dump_sequence(obj, [PyFormat.TEXT] * 2)
        return b"/".join(b"-" if part is None else bytes(part) for part in parts)


class PairLoader(RecursiveLoader):
    def load(self, data: bytes) -> Pair:
        self._tx.set_loader_types([23, 25], Format.TEXT)
        return Pair(self._tx.load_sequence(data.split(b"/")))


class Context:
    def __init__(self) -> None:
        self.adapters = AdaptersMap(adapters)
        self.adapters.register_dumper(Pair, PairDumper)
        self.adapters.register_loader(90_000, PairLoader)
        self.pgconn: Any = None

    @property
    def connection(self) -> Any:
        return self if self.pgconn else None


def test_parts_are_adapted_in_the_same_context() -> None:
    transformer = Transformer(Context())
    assert transformer.dump_sequence([Pair((1, Pair((None, "x"))))], [PyFormat.AUTO]) == [b"1/-/x"]
    transformer.set_loader_types([90_000], Format.TEXT)
    assert transformer.load_sequence([b"1/x"]) == ((1, "x"),)


def test_types_of_the_parts_stay_inside() -> None:
    transformer = Transformer(Context())
    transformer.dump_sequence([Pair((1, 2))], [PyFormat.AUTO])
    assert transformer.types == (0,)


@counts_references
def test_a_context_dropped_is_freed_at_once() -> None:
    context = Context()
    context.pgconn = SimpleNamespace(parameter_status=lambda name: None)
    transformer = Transformer(context)
    transformer.get_dumper(Pair((1, 2)), PyFormat.AUTO)
    transformer.get_loader(90_000, Format.TEXT)
    gone = weakref.ref(context)
    gc.disable()
    try:
        del context, transformer
        assert gone() is None
    finally:
        gc.enable()
