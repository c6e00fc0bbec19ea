"""How Python objects become what PostgreSQL reads, and what it writes becomes Python objects."""

from __future__ import annotations

from ..abc import Buffer, PyFormat
from ..pq import Format
from .base import Dumper, Loader
from .recursive import RecursiveDumper, RecursiveLoader
from .registry import AdaptersMap
from .transformer import Transformer

__all__ = [
    "AdaptersMap",
    "Buffer",
    "Dumper",
    "Format",
    "Loader",
    "PyFormat",
    "RecursiveDumper",
    "RecursiveLoader",
    "Transformer",
]

for _class in (AdaptersMap, Dumper, Loader, RecursiveDumper, RecursiveLoader, Transformer):
    _class.__module__ = __name__
