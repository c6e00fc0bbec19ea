"""The global map of adapters, filled with PostgreSQL's types."""

from __future__ import annotations

from typing import Any

from ._oids import MULTIRANGES, RANGES, TYPES
from .abc import AdaptContext
from .adapt.registry import adapters
from .adapt.typeinfo import TypeInfo, TypesRegistry
from .adapt.typemod import MODIFIERS, TypeModifier
from .types import (
    array,
    bits,
    composite,
    datetime,
    fulltext,
    geometric,
    json,
    mac,
    money,
    multirange,
    net,
    none,
    numeric,
    numpy,
    string,
    system,
    times,
    uuid,
    xml,
)
from .types import bool as boolean
from .types import enum as enums
from .types import range as ranges

# In this order, for where two could adapt a class or type the last one does.
FAMILIES: tuple[Any, ...] = (
    none,
    numpy,
    boolean,
    numeric,
    string,
    datetime,
    times,
    uuid,
    json,
    net,
    mac,
    geometric,
    bits,
    fulltext,
    xml,
    money,
    system,
    array,
    ranges,
    multirange,
    enums,
    composite,
)


def register_default_types(types: TypesRegistry) -> None:
    """Make PostgreSQL's own types known to a registry."""
    for name, oid, array_oid, regtype, delimiter in TYPES:
        typemod = MODIFIERS.get(name, TypeModifier)
        types.add(
            TypeInfo(name, oid, array_oid, regtype=regtype, delimiter=delimiter, typemod=typemod)
        )
    for name, oid, array_oid, regtype, subtype_oid in RANGES:
        types.add(ranges.RangeInfo(name, oid, array_oid, regtype=regtype, subtype_oid=subtype_oid))
    for name, oid, array_oid, regtype, range_oid, subtype_oid in MULTIRANGES:
        types.add(
            multirange.MultirangeInfo(
                *(name, oid, array_oid),
                regtype=regtype,
                range_oid=range_oid,
                subtype_oid=subtype_oid,
            )
        )


def register_default_adapters(context: AdaptContext) -> None:
    """Let a context adapt PostgreSQL's own types as psycopg3 does by default."""
    adapters = context.adapters
    for family in FAMILIES:
        for cls, *dumpers in family.DUMPERS:
            for dumper in dumpers:
                adapters.register_dumper(cls, dumper)
        for oid, *loaders in family.LOADERS:
            for loader in loaders:
                adapters.register_loader(oid, loader)
    adapters.array_hook = array.register_array
    array.register_all_arrays(adapters)


def register_values(context: AdaptContext | None = None) -> None:
    """Let a context read as values of their own what is else read as str.

    These are the geometric types, pg_lsn, tid, xid, xid8, cid, int2vector and oidvector.

    Args:
        context: a connection, cursor or map of adapters; None: every connection to come.
    """
    chosen = (context or adapters).adapters
    for family in FAMILIES:
        for oid, *loaders in getattr(family, "VALUE_LOADERS", ()):
            for loader in loaders:
                chosen.register_loader(oid, loader)


types = adapters.types
"""The global types: those that every connection to come knows by name."""

register_default_types(types)
register_default_adapters(adapters)

__all__ = [
    "adapters",
    "register_default_adapters",
    "register_default_types",
    "register_values",
    "types",
]
