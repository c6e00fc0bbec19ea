"""RecursiveDumper and RecursiveLoader: for types made of others, arrays and composites."""

from __future__ import annotations

from ..abc import AdaptContext
from .base import Dumper, Loader
from .transformer import Transformer


class RecursiveDumper(Dumper):
    """A dumper that has its parts dumped by the transformer `_tx`."""

    __module__ = "psycopg3.adapt"

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        # One of its own: that of the context keeps this dumper, and would be kept by it, so
        # that a connection forgotten by its user would wait for the garbage collector.
        self._tx = Transformer(context)


class RecursiveLoader(Loader):
    """A loader that has its parts loaded by the transformer `_tx`."""

    __module__ = "psycopg3.adapt"

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._tx = Transformer(context)
