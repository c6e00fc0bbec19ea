"""Discovery: the types that a database's users have made, asked for once and adapted as what they are."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from .._exceptions import readable
from ..adapt import AdaptersMap
from ..adapt.registry import adapters as global_adapters
from ..adapt.typeinfo import TypeInfo, base_type, catalog_gen
from ..encodings import words_encoding
from ..errors import Error
from ..pq import PGresult
from ..types.array import parse_array
from ..types.composite import CompositeInfo, register_composite
from ..types.enum import EnumInfo
from ..types.multirange import MultirangeInfo, register_multirange
from ..types.range import RangeInfo, register_range
from ..types.string import TextBinaryLoader, TextLoader

if TYPE_CHECKING:
    from ..waiting import WaitGen
    from .session import Session

# Oids below are PostgreSQL's own; `initdb` and `CREATE` give those from here on.
_FIRST_OID = 16384

# One row a type: enums, composites, domains, ranges, multiranges, and what extensions bring. Arrays are
# their elements' `typarray`.
_QUERY = (
    b"SELECT t.typtype, t.oid, t.typname, t.oid::pg_catalog.regtype, t.typarray, t.typdelim, "
    + base_type(b"t.oid")
    + b", r.rngsubtype, r.rngtypid,"
    b" ARRAY(SELECT e.enumlabel FROM pg_catalog.pg_enum e"
    b" WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder),"
    b" ARRAY(SELECT a.attname FROM pg_catalog.pg_attribute a"
    b" WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),"
    b" ARRAY(SELECT a.atttypid FROM pg_catalog.pg_attribute a"
    b" WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)"
    b" FROM pg_catalog.pg_type t"
    b" LEFT JOIN pg_catalog.pg_range r ON t.oid IN (r.rngtypid, r.rngmultitypid)"
    b" WHERE t.typtype IN ('b', 'c', 'd', 'e', 'm', 'r')"
    b" AND NOT (t.typtype = 'b' AND t.typcategory = 'A')"
    b" AND %b ORDER BY t.oid"
)
_ALL = b"t.oid >= %d" % _FIRST_OID

# Which database it is, wherever the connection to it goes.
_IDENTITY = (
    b"SELECT s.system_identifier, d.oid FROM pg_catalog.pg_control_system() s,"
    b" pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()"
)

_known: dict[tuple[bytes | None, ...], tuple[list[TypeInfo], AdaptersMap, AdaptersMap]] = {}
"""By database: its types, and a copy of a map that has them, from which connections have copies."""


class Discovery:
    """What a connection does that discovers types."""

    def __init__(self) -> None:
        self._asked: set[int] = set()

    def begin_gen(self, session: Session) -> WaitGen[None]:
        """Adapt all types that the database's users have made; ask for them if nobody has so far."""
        (result,) = yield from session._command_gen(_IDENTITY)
        identity = result.get_value(0, 0), result.get_value(0, 1)
        template = cast("AdaptersMap", session._template or global_adapters).snapshot()
        infos, copied, made = _known.get(identity) or (None, None, template)
        if infos is None:
            infos = yield from _types_gen(session, _ALL)
        if session._adapters is not None:  # it has adapters of its own already
            register(infos, session._adapters)
            return
        if copied is not template:
            made = AdaptersMap(template)
            register(infos, made)
            _known[identity] = infos, template, made
        session._adapters = AdaptersMap(made)

    def reload_gen(self, session: Session) -> WaitGen[None]:
        """Ask for all types again, and adapt them; connections to come ask, too."""
        self._asked.clear()
        _known.clear()
        register((yield from _types_gen(session, _ALL)), session.adapters)

    def unknown(self, results: Iterable[PGresult], adapters: AdaptersMap) -> set[int]:
        """The types in results that the adapters don't know, and that weren't asked for yet."""
        types = adapters.types
        return {
            oid
            for result in results
            for oid in map(result.ftype, range(result.nfields))
            if oid >= _FIRST_OID and oid not in self._asked and types.get(oid) is None
        }

    def look_up_gen(
        self, session: Session, oids: set[int], maps: Iterable[AdaptersMap]
    ) -> WaitGen[None]:
        """Adapt types that were made since; a failure leaves them as they were."""
        infos: list[TypeInfo] = []
        wanted = oids
        try:
            while wanted:
                self._asked |= wanted
                listed = b", ".join(b"%d" % oid for oid in wanted)
                condition = b"(t.oid IN (%b) OR t.typarray IN (%b))" % (listed, listed)
                found = yield from _types_gen(session, condition)
                infos += found
                # What they are made of may be new as well.
                wanted = {oid for info in found for oid in _parts(info) if oid >= _FIRST_OID}
                wanted -= self._asked | {info.oid for info in infos}
        except Error as ex:
            import logging

            logging.getLogger("psycopg3").warning("types %s were not found: %s", oids, ex)
        else:
            for adapters in maps:
                register(infos, adapters)


def register(infos: Iterable[TypeInfo], adapters: AdaptersMap) -> None:
    """Let a map adapt types of a database's users, and their arrays.

    Enums are str, as without discovery; composites are named tuples; domains are as what they are
    made of; ranges and multiranges are `Range` and `Multirange`.
    """
    for info in infos:
        if isinstance(info, CompositeInfo):
            register_composite(info, adapters)
        elif isinstance(info, RangeInfo):
            register_range(info, adapters)
        elif isinstance(info, MultirangeInfo):
            register_multirange(info, adapters)
        else:
            info.register(adapters)
        if isinstance(info, EnumInfo):
            adapters.register_loader(info.oid, TextLoader)
            adapters.register_loader(info.oid, TextBinaryLoader)


def _parts(info: TypeInfo) -> Iterable[int]:
    """The types that one is made of."""
    yield from getattr(info, "field_types", ())
    for name in ("subtype_oid", "range_oid"):
        yield getattr(info, name, 0)
    yield info.base_oid


def _types_gen(session: Session, condition: bytes) -> WaitGen[list[TypeInfo]]:
    result = yield from catalog_gen(session, _QUERY % condition)
    encoding = words_encoding(session.pgconn)
    return [_info(result, row, encoding) for row in range(result.ntuples)]


def _info(result: PGresult, row: int, encoding: str) -> TypeInfo:
    fields = [result.get_value(row, col) or b"" for col in range(result.nfields)]
    kind, oid, name, regtype, array_oid, delimiter = (
        readable(field, encoding) for field in fields[:6]
    )
    base, subtype, range_oid = (int(field or 0) for field in fields[6:9])
    labels, names, types = (
        parse_array(field, b",", partial(readable, encoding=encoding)) for field in fields[9:]
    )
    args = name, int(oid), int(array_oid)
    info: Any
    if kind == "e":
        info = EnumInfo(*args, labels, regtype=regtype)
    elif kind == "c":
        types = list(map(int, types))
        info = CompositeInfo(*args, regtype=regtype, field_names=names, field_types=types)
    elif kind == "r":
        info = RangeInfo(*args, regtype=regtype, subtype_oid=subtype)
    elif kind == "m":
        info = MultirangeInfo(*args, regtype=regtype, range_oid=range_oid, subtype_oid=subtype)
    else:
        info = TypeInfo(*args, regtype=regtype)
    info.delimiter = delimiter
    info.base_oid = base if kind == "d" else 0
    return info  # type: ignore[no-any-return]
