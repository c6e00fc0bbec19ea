"""The types of PostgreSQL, one family a file; and TypeInfo, to make more of them known."""

from __future__ import annotations

from ..adapt.typeinfo import TypeInfo, TypesRegistry

__all__ = ["TypeInfo", "TypesRegistry"]

TypeInfo.__module__ = TypesRegistry.__module__ = __name__
