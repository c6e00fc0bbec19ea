"""Multirange: multiranges of every type."""

from __future__ import annotations

from collections.abc import Iterable, MutableSequence
from datetime import date, datetime
from functools import total_ordering
from struct import Struct
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from .. import _oids
from .._oids import INVALID_OID
from ..abc import AdaptContext, Buffer
from ..abc import Dumper as DumperLike
from ..adapt import Format
from ..adapt.registry import adapters as global_adapters
from ..adapt.typeinfo import TypeInfo, base_type
from .parts import pack, unpack
from .range import AnyRangeDumper, AnyRangeLoader, Range, typed

if TYPE_CHECKING:
    from decimal import Decimal
else:  # it takes 4 ms to import; `typing.get_type_hints()` wants the name
    Decimal = Any

T = TypeVar("T")

_COUNT = Struct("!i")


# -- multiranges ---------------------------------------------------------------------------------


@total_ordering
class Multirange(MutableSequence[Range[T]]):
    """A list of ranges.

    It says what it was given, and nothing of what the server makes of it: there the ranges are
    put in order and joined, and empty ones left out.

    Args:
        items: the ranges.

    Raises:
        TypeError: one of the items is no `Range`.
    """

    __slots__ = ("_ranges",)

    _type_oid: ClassVar[int] = INVALID_OID  # which a subclass is sent as

    def __init__(self, items: Iterable[Range[T]] = ()) -> None:
        self._ranges: list[Range[T]] = [_checked(item) for item in items]

    @overload
    def __getitem__(self, index: int) -> Range[T]: ...

    @overload
    def __getitem__(self, index: slice) -> Multirange[T]: ...

    def __getitem__(self, index: int | slice) -> Range[T] | Multirange[T]:
        found = self._ranges[index]
        return type(self)(found) if isinstance(found, list) else found

    @overload
    def __setitem__(self, index: int, value: Range[T]) -> None: ...

    @overload
    def __setitem__(self, index: slice, value: Iterable[Range[T]]) -> None: ...

    def __setitem__(self, index: int | slice, value: Range[T] | Iterable[Range[T]]) -> None:
        if isinstance(index, slice):
            items: Any = value
            self._ranges[index] = [_checked(item) for item in items]
        else:
            self._ranges[index] = _checked(value)

    def __delitem__(self, index: int | slice) -> None:
        del self._ranges[index]

    def __len__(self) -> int:
        return len(self._ranges)

    def insert(self, index: int, value: Range[T]) -> None:
        """Put a range before the one at `index`."""
        self._ranges.insert(index, _checked(value))

    def __eq__(self, other: object) -> bool:
        return self._ranges == other._ranges if isinstance(other, Multirange) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._ranges < other._ranges if isinstance(other, Multirange) else NotImplemented

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._ranges!r})"

    def __str__(self) -> str:
        return f"{{{', '.join(map(str, self._ranges))}}}"


def _checked(item: Any) -> Range[Any]:
    if not isinstance(item, Range):
        raise TypeError(f"got a {type(item).__qualname__} in a multirange: expected a Range")
    return item


class Int4Multirange(Multirange[int]):
    """A multirange to be sent as int4multirange."""

    __slots__ = ()
    _type_oid = _oids.INT4MULTIRANGE_OID


class Int8Multirange(Multirange[int]):
    """A multirange to be sent as int8multirange."""

    __slots__ = ()
    _type_oid = _oids.INT8MULTIRANGE_OID


class NumericMultirange(Multirange[Decimal]):
    """A multirange to be sent as nummultirange."""

    __slots__ = ()
    _type_oid = _oids.NUMMULTIRANGE_OID


class DateMultirange(Multirange[date]):
    """A multirange to be sent as datemultirange."""

    __slots__ = ()
    _type_oid = _oids.DATEMULTIRANGE_OID


class TimestampMultirange(Multirange[datetime]):
    """A multirange to be sent as tsmultirange."""

    __slots__ = ()
    _type_oid = _oids.TSMULTIRANGE_OID


class TimestamptzMultirange(Multirange[datetime]):
    """A multirange to be sent as tstzmultirange."""

    __slots__ = ()
    _type_oid = _oids.TSTZMULTIRANGE_OID


# -- which types are multiranges -----------------------------------------------------------------


class MultirangeInfo(TypeInfo):
    """A PostgreSQL multirange type.

    Args:
        name: its name, as in ``pg_type.typname``.
        oid: its oid.
        array_oid: the oid of the type of its arrays.
        regtype: its name as ``regtype`` prints it; the same as `name` if empty.
        range_oid: the oid of the type of its ranges.
        subtype_oid: the oid of the type of their bounds.
    """

    __module__ = "psycopg3.types.multirange"

    def __init__(
        self,
        name: str,
        oid: int,
        array_oid: int,
        *,
        regtype: str = "",
        range_oid: int,
        subtype_oid: int,
    ) -> None:
        super().__init__(name, oid, array_oid, regtype=regtype)
        self.range_oid = range_oid
        self.subtype_oid = subtype_oid

    _DETAILS = (
        b", r.rngtypid, r.rngsubtype, " + base_type(b"r.rngsubtype") + b" FROM pg_catalog.pg_type t"
        b" JOIN pg_catalog.pg_range r ON r.rngmultitypid = t.oid"
    )

    @classmethod
    def _get_details(cls, rows: list[list[str]]) -> dict[str, Any]:
        range_oid, subtype_oid, base_oid = map(int, rows[0])
        return {
            "range_oid": range_oid,
            "subtype_oid": subtype_oid,
            "base_oids": {subtype_oid: base_oid},
        }

    @property
    def subtype_keys(self) -> tuple[tuple[type, int], ...]:
        """The type of the ranges, and that of their bounds."""
        return ((MultirangeInfo, self.range_oid), (MultirangeInfo, self.subtype_oid))

    def get_dumper(self, format: Format) -> type[DumperLike] | None:
        """The dumper for multiranges of this type."""
        return typed(MultirangeBinaryDumper if format else MultirangeDumper, self.oid)


def register_multirange(info: MultirangeInfo, context: AdaptContext | None = None) -> None:
    """Let a context adapt a multirange type of the database's own.

    Its values are loaded as `Multirange`; a `Multirange` with bounds of its subtype is sent as it.

    Args:
        info: the type, by ``MultirangeInfo.fetch(conn, name)``.
        context: a connection, cursor or map of adapters; None: every connection to come.

    Raises:
        TypeError: `info` is None, as of a type that the server doesn't know.
    """
    if info is None:
        raise TypeError(
            "got None instead of a MultirangeInfo: has the database a multirange of that name?"
        )
    adapters = (context or global_adapters).adapters
    info.register(adapters)
    adapters.register_loader(info.oid, MultirangeLoader)
    adapters.register_loader(info.oid, MultirangeBinaryLoader)


# -- dumpers -------------------------------------------------------------------------------------


class MultirangeDumper(AnyRangeDumper):
    """Multirange in text: in braces its ranges, which aren't quoted."""

    def dump(self, obj: Multirange[Any]) -> bytes:
        """The multirange."""
        return b"{%b}" % b",".join(map(self._dump_range, obj._ranges))

    def _choose(self, obj: Multirange[Any]) -> int:
        types: Any = self._tx.adapters.types
        for item in obj._ranges:
            if item._type_oid:
                info = types.get_by_subtype(MultirangeInfo, item._type_oid)
            else:
                info = self._info_of(MultirangeInfo, item)
            if info is not None:
                return info.oid  # type: ignore[no-any-return]
        return INVALID_OID


class MultirangeBinaryDumper(MultirangeDumper):
    """Multirange in binary: the number of its ranges, and each after its length."""

    format = Format.BINARY
    _text_dumper = MultirangeDumper

    def dump(self, obj: Multirange[Any]) -> bytes:
        """The multirange.

        Raises:
            DataError: a bound is no value of the multirange's type.
        """
        ranges = map(pack, map(self._dump_binary_range, obj._ranges))
        return b"".join((_COUNT.pack(len(obj)), *ranges))


# -- loaders -------------------------------------------------------------------------------------


class MultirangeLoader(AnyRangeLoader):
    """Multiranges of any type in text."""

    def load(self, data: Buffer) -> Multirange[Any]:
        """The multirange."""
        text = self._plain(data)
        if text == b"{}":
            return Multirange()
        ranges: list[Range[Any]] = []
        mark, end = b"{", 0
        while text.startswith(mark, end):
            found, end = self._read(text, end + 1)
            ranges.append(found)
            mark = b","
        if not ranges or text[end:] != b"}":
            raise ValueError(f"expected ranges in braces, which end at {end}")
        return Multirange(ranges)


class MultirangeBinaryLoader(AnyRangeLoader):
    """Multiranges of any type in binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Multirange[Any]:
        """The multirange."""
        count: int = _COUNT.unpack_from(data)[0]
        # Each range has a length at least: what is counted is there before it is believed.
        if not 0 <= count <= len(data) // _COUNT.size:
            raise ValueError(f"{count} ranges in {len(data)} bytes")
        ranges: list[Range[Any]] = []
        end = _COUNT.size
        for _ in range(count):
            part, end = unpack(data, end)
            if part is None:
                raise ValueError("a range that is NULL")
            ranges.append(self._unpack(part))
        if end != len(data):
            raise ValueError(f"{len(data) - end} bytes after the last range")
        return Multirange(ranges)


_TYPED = (
    *(Int4Multirange, Int8Multirange, NumericMultirange),
    *(DateMultirange, TimestampMultirange, TimestamptzMultirange),
)

DUMPERS = (
    (Multirange, MultirangeBinaryDumper, MultirangeDumper),
    *((cls, MultirangeDumper, MultirangeBinaryDumper) for cls in _TYPED),
)
LOADERS = tuple((oid, MultirangeLoader, MultirangeBinaryLoader) for _, oid, *_ in _oids.MULTIRANGES)
