"""Range: ranges of every type."""

from __future__ import annotations

from abc import abstractmethod
from datetime import date, datetime
from functools import lru_cache, total_ordering
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from .. import _oids
from .._oids import INVALID_OID, TEXT_OID
from ..abc import AdaptContext, AdaptersMapLike, Buffer, DumperKey, PyFormat
from ..abc import Dumper as DumperLike
from ..adapt import Format, RecursiveDumper, RecursiveLoader
from ..adapt.base import subclass
from ..adapt.registry import adapters as global_adapters
from ..adapt.typeinfo import TypeInfo, base_type
from ..errors import InterfaceError
from .numeric import Int2, Int4, Int8, IntNumeric, Oid
from .parts import BOUND, pack, quoted, read, unpack

if TYPE_CHECKING:
    from decimal import Decimal
else:  # it takes 4 ms to import; `typing.get_type_hints()` wants the name
    Decimal = Any

T = TypeVar("T")
Info = TypeVar("Info", bound=TypeInfo)

_BOUNDS = ("[)", "[]", "(]", "()")

# The flags of the binary form.
_EMPTY, _LOWER_INC, _UPPER_INC, _LOWER_INF, _UPPER_INF = 1, 2, 4, 8, 16


# -- ranges --------------------------------------------------------------------------------------


@total_ordering
class Range(Generic[T]):
    """A range of values, which never changes.

    It says what it was given, and nothing of what the server makes of it: ``[1, 3]`` comes back
    from an int4range as ``[1, 4)``. Ranges are ordered as tuples of their bounds are, with none
    at all before the others; which isn't the server's order where an upper bound is missing.

    Args:
        lower: the lower bound; None: there is none.
        upper: the upper bound; None: there is none.
        bounds: which bounds belong to the range, ``[`` and ``]``, and which don't, ``(`` and ``)``.
        empty: the range that contains nothing; the other arguments don't matter then.

    Raises:
        ValueError: `bounds` are none.
    """

    __slots__ = ("_bounds", "_lower", "_upper")

    _type_oid: ClassVar[int] = INVALID_OID  # which a subclass is sent as

    def __init__(
        self,
        lower: T | None = None,
        upper: T | None = None,
        bounds: str = "[)",
        empty: bool = False,
    ) -> None:
        if bounds not in _BOUNDS:
            raise ValueError(f"got the bounds {bounds!r}: expected one of {', '.join(_BOUNDS)}")
        if empty:
            self._lower, self._upper, self._bounds = None, None, ""
            return
        self._lower, self._upper = lower, upper
        if lower is None or upper is None:
            bounds = f"{'(' if lower is None else bounds[0]}{')' if upper is None else bounds[1]}"
        self._bounds = bounds

    @property
    def lower(self) -> T | None:
        """The lower bound; None if there is none, or the range is empty."""
        return self._lower

    @property
    def upper(self) -> T | None:
        """The upper bound; None if there is none, or the range is empty."""
        return self._upper

    @property
    def bounds(self) -> str:
        """Which bounds belong to the range: ``[)`` and the like; "" if it is empty."""
        return self._bounds

    @property
    def isempty(self) -> bool:
        """Whether nothing is in the range."""
        return not self._bounds

    @property
    def lower_inf(self) -> bool:
        """Whether there is no lower bound."""
        return self._lower is None and bool(self._bounds)

    @property
    def upper_inf(self) -> bool:
        """Whether there is no upper bound."""
        return self._upper is None and bool(self._bounds)

    @property
    def lower_inc(self) -> bool:
        """Whether the lower bound is in the range."""
        return self._bounds.startswith("[")

    @property
    def upper_inc(self) -> bool:
        """Whether the upper bound is in the range."""
        return self._bounds.endswith("]")

    def __contains__(self, value: Any) -> bool:
        if not self._bounds:
            return False
        lower, upper = cast("Any", self._lower), cast("Any", self._upper)
        if lower is not None and (value < lower or (value == lower and not self.lower_inc)):
            return False
        return upper is None or value < upper or (value == upper and self.upper_inc)

    def __bool__(self) -> bool:
        return bool(self._bounds)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Range):
            return NotImplemented
        return (self._lower, self._upper, self._bounds) == (
            other._lower,
            other._upper,
            other._bounds,
        )

    def __hash__(self) -> int:
        return hash((self._lower, self._upper, self._bounds))

    def _order(self) -> tuple[Any, ...]:
        lower, upper = self._lower, self._upper
        return (bool(self), lower is not None, lower, upper is not None, upper, self._bounds)

    def __lt__(self, other: object) -> bool:
        return self._order() < other._order() if isinstance(other, Range) else NotImplemented

    def __repr__(self) -> str:
        given = f"{self._lower!r}, {self._upper!r}, {self._bounds!r}" if self else "empty=True"
        return f"{type(self).__name__}({given})"

    def __str__(self) -> str:
        if not self._bounds:
            return "empty"
        return f"{self._bounds[0]}{self._lower}, {self._upper}{self._bounds[1]}"


class Int4Range(Range[int]):
    """A range to be sent as int4range."""

    __slots__ = ()
    _type_oid = _oids.INT4RANGE_OID


class Int8Range(Range[int]):
    """A range to be sent as int8range."""

    __slots__ = ()
    _type_oid = _oids.INT8RANGE_OID


class NumericRange(Range[Decimal]):
    """A range to be sent as numrange."""

    __slots__ = ()
    _type_oid = _oids.NUMRANGE_OID


class DateRange(Range[date]):
    """A range to be sent as daterange."""

    __slots__ = ()
    _type_oid = _oids.DATERANGE_OID


class TimestampRange(Range[datetime]):
    """A range to be sent as tsrange."""

    __slots__ = ()
    _type_oid = _oids.TSRANGE_OID


class TimestamptzRange(Range[datetime]):
    """A range to be sent as tstzrange."""

    __slots__ = ()
    _type_oid = _oids.TSTZRANGE_OID


# -- which types are ranges ----------------------------------------------------------------------


class RangeInfo(TypeInfo):
    """A PostgreSQL range type.

    Args:
        name: its name, as in ``pg_type.typname``.
        oid: its oid.
        array_oid: the oid of the type of its arrays.
        regtype: its name as ``regtype`` prints it; the same as `name` if empty.
        subtype_oid: the oid of the type of its bounds.
    """

    __module__ = "psycopg3.types.range"

    def __init__(
        self, name: str, oid: int, array_oid: int, *, regtype: str = "", subtype_oid: int
    ) -> None:
        super().__init__(name, oid, array_oid, regtype=regtype)
        self.subtype_oid = subtype_oid

    _DETAILS = (
        b", r.rngsubtype, "
        + base_type(b"r.rngsubtype")
        + b" FROM pg_catalog.pg_type t JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid"
    )

    @classmethod
    def _get_details(cls, rows: list[list[str]]) -> dict[str, Any]:
        subtype_oid, base_oid = map(int, rows[0])
        return {"subtype_oid": subtype_oid, "base_oids": {subtype_oid: base_oid}}

    @property
    def subtype_keys(self) -> tuple[tuple[type, int], ...]:
        """The type of the bounds."""
        return ((RangeInfo, self.subtype_oid),)

    def get_dumper(self, format: Format) -> type[DumperLike] | None:
        """The dumper for ranges of this type."""
        return typed(RangeBinaryDumper if format else RangeDumper, self.oid)


@lru_cache(maxsize=256)
def typed(base: type[AnyRangeDumper], oid: int) -> type[AnyRangeDumper]:
    """A dumper for one type of ranges or multiranges."""
    return subclass(base, oid=oid)


def register_range(info: RangeInfo, context: AdaptContext | None = None) -> None:
    """Let a context adapt a range type of the database's own.

    Its values are loaded as `Range`; a `Range` with bounds of its subtype is sent as it.

    Args:
        info: the type, by ``RangeInfo.fetch(conn, name)``.
        context: a connection, cursor or map of adapters; None: every connection to come.

    Raises:
        TypeError: `info` is None, as of a type that the server doesn't know.
    """
    if info is None:
        raise TypeError("got None instead of a RangeInfo: has the database a range of that name?")
    adapters = (context or global_adapters).adapters
    info.register(adapters)
    adapters.register_loader(info.oid, RangeLoader)
    adapters.register_loader(info.oid, RangeBinaryLoader)


_SUBTYPES = {oid: types[-1] for _, oid, _, _, *types in (*_oids.RANGES, *_oids.MULTIRANGES)}


def subtype_of(oid: int, adapters: AdaptersMapLike) -> int:
    """The type that the bounds of a range or multirange type have.

    Raises:
        InterfaceError: it isn't known.
    """
    info = adapters.types.get(oid)
    subtype_oid = getattr(info, "subtype_oid", None) or _SUBTYPES.get(oid)
    if subtype_oid is None:
        raise InterfaceError(f"got the unknown range type with oid {oid}: register its RangeInfo")
    return cast("int", info.base_oids.get(subtype_oid, subtype_oid) if info else subtype_oid)


# -- dumpers -------------------------------------------------------------------------------------


class AnyRangeDumper(RecursiveDumper):
    """Chooses the type of a range or multirange."""

    _text_dumper: ClassVar[type[AnyRangeDumper]]

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self.oid = self.oid or getattr(cls, "_type_oid", INVALID_OID)

    def get_key(self, obj: Any, format: PyFormat) -> DumperKey:
        """The dumper for ranges of the type of the bounds, if there is one such type."""
        if self.oid:
            return self.cls
        oid = self._choose(obj)
        if oid:
            return typed(type(self), oid)
        return self._text_dumper if self.format else self.cls

    def upgrade(self, obj: Any, format: PyFormat) -> AnyRangeDumper:
        """The same; one that leaves the type to the server if there is none."""
        key = self.get_key(obj, format)
        return self if key is self.cls else self._beside(cast("type[AnyRangeDumper]", key))

    @abstractmethod
    def _choose(self, obj: Any) -> int:
        """The type to send an object as, 0 if the server is to choose."""

    def _info_of(self, cls: type[Info], obj: Range[Any]) -> Info | None:
        """The range or multirange type that has bounds as a range has."""
        oids = {self._type_of(bound) for bound in (obj._lower, obj._upper) if bound is not None}
        if len(oids) > 1:
            oids.discard(INVALID_OID)
        types: Any = self._tx.adapters.types
        return types.get_by_subtype(cls, oids.pop()) if len(oids) == 1 else None

    def _type_of(self, bound: Any) -> int:
        if isinstance(bound, str):
            return TEXT_OID
        # An int goes into three types of ranges: the server knows which one is wanted.
        if isinstance(bound, int) and not isinstance(bound, Int2 | Int4 | Int8 | IntNumeric | Oid):
            return INVALID_OID
        return self._tx.get_dumper(bound, PyFormat.TEXT).oid

    def _dump_range(self, obj: Range[Any]) -> bytes:
        """A range in text: in its brackets the bounds, quoted where needed."""
        if not obj._bounds:
            return b"empty"
        left, right = obj._bounds.encode()
        lower, upper = map(self._dump_text, (obj._lower, obj._upper))
        return self._joined_text(b"%c%b,%b%c" % (left, quoted(lower), quoted(upper), right))

    def _dump_binary_range(self, obj: Range[Any]) -> bytes:
        """A range in binary: flags, and the bounds that there are.

        Raises:
            DataError: a bound is no value of the range's type.
        """
        if not obj._bounds:
            return bytes((_EMPTY,))
        subtype_oid = subtype_of(self.oid, self._tx.adapters)
        lower = self._dump_binary(obj._lower, subtype_oid)
        upper = self._dump_binary(obj._upper, subtype_oid)
        flags = _LOWER_INF if lower is None else _LOWER_INC if obj.lower_inc else 0
        flags |= _UPPER_INF if upper is None else _UPPER_INC if obj.upper_inc else 0
        return b"".join((bytes((flags,)), *(pack(b) for b in (lower, upper) if b is not None)))


class RangeDumper(AnyRangeDumper):
    """Range in text."""

    def dump(self, obj: Range[Any]) -> bytes:
        """The range."""
        return self._dump_range(obj)

    def _choose(self, obj: Range[Any]) -> int:
        info = self._info_of(RangeInfo, obj)
        return info.oid if info is not None else INVALID_OID


class RangeBinaryDumper(RangeDumper):
    """Range in binary."""

    format = Format.BINARY
    _text_dumper = RangeDumper

    def dump(self, obj: Range[Any]) -> bytes:
        """The range.

        Raises:
            DataError: a bound is no value of the range's type.
        """
        return self._dump_binary_range(obj)


# -- loaders -------------------------------------------------------------------------------------


class AnyRangeLoader(RecursiveLoader):
    """Reads ranges."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._load_bound = self._part_loader(subtype_of(oid, self._tx.adapters))

    def _read(self, data: bytes, start: int) -> tuple[Range[Any], int]:
        """Read the range at `start` of a text.

        Returns:
            The range, and where it ends.

        Raises:
            ValueError: there is none.
        """
        if data.startswith(b"empty", start):
            return Range(empty=True), start + 5
        left = data[start : start + 1]
        lower = BOUND.match(data, start + 1)
        if lower and left in (b"[", b"(") and data.startswith(b",", lower.end()):
            upper = BOUND.match(data, lower.end() + 1)
            end = upper.end() if upper else 0
            right = data[end : end + 1]
            if upper and right in (b"]", b")"):
                values = read(lower, self._load_bound), read(upper, self._load_bound)
                return Range(*values, (left + right).decode()), end + 1
        raise ValueError(f"expected a range at {start}")

    def _unpack(self, data: Buffer) -> Range[Any]:
        """Read a range in binary."""
        flags = data[0]
        if flags == _EMPTY:
            if len(data) > 1:
                raise ValueError("bounds of an empty range")
            return Range(empty=True)
        if flags & ~(_LOWER_INC | _UPPER_INC | _LOWER_INF | _UPPER_INF):
            raise ValueError(f"unknown flags 0x{flags:02x}")
        lower, end = (None, 1) if flags & _LOWER_INF else self._bound(data, 1)
        upper, end = (None, end) if flags & _UPPER_INF else self._bound(data, end)
        if end != len(data):
            raise ValueError(f"{len(data) - end} bytes after the bounds")
        left, right = "[" if flags & _LOWER_INC else "(", "]" if flags & _UPPER_INC else ")"
        return Range(lower, upper, left + right)

    def _bound(self, data: Buffer, start: int) -> tuple[Any, int]:
        part, end = unpack(data, start)
        if part is None:
            raise ValueError("a bound that is NULL")
        return self._load_bound(part), end


class RangeLoader(AnyRangeLoader):
    """Ranges of any type in text."""

    def load(self, data: Buffer) -> Range[Any]:
        """The range."""
        text = self._plain(data)
        found, end = self._read(text, 0)
        if end != len(text):
            raise ValueError(f"{len(text) - end} bytes after a range")
        return found


class RangeBinaryLoader(AnyRangeLoader):
    """Ranges of any type in binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Range[Any]:
        """The range."""
        return self._unpack(data)


_TYPED = (Int4Range, Int8Range, NumericRange, DateRange, TimestampRange, TimestamptzRange)

DUMPERS = (
    (Range, RangeBinaryDumper, RangeDumper),
    *((cls, RangeDumper, RangeBinaryDumper) for cls in _TYPED),
)
LOADERS = tuple((oid, RangeLoader, RangeBinaryLoader) for _, oid, *_ in _oids.RANGES)
