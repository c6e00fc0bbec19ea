"""int, float, Decimal: smallint, integer, bigint, oid, numeric, real, double precision."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from struct import Struct, unpack_from
from typing import TYPE_CHECKING, Any, ClassVar

from .._oids import FLOAT4_OID, FLOAT8_OID, INT2_OID, INT4_OID, INT8_OID, NUMERIC_OID, OID_OID
from ..abc import AdaptContext, Buffer, DumperKey
from ..adapt import Dumper, Format, Loader, PyFormat
from ..adapt.base import BinaryDumper, BinaryLoader, frameless
from ..errors import DataError

if TYPE_CHECKING:
    from decimal import Decimal
else:  # it takes 4 ms to import; `typing.get_type_hints()` wants the name
    Decimal = Any

INT2 = Struct("!h")
INT4 = Struct("!i")
INT8 = Struct("!q")
UINT4 = Struct("!I")
FLOAT4 = Struct("!f")
FLOAT8 = Struct("!d")


# -- wrappers: a number and the type to send it as -----------------------------------------------


class _Typed:
    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"


class _TypedInt(_Typed, int):
    __slots__ = ()
    __str__ = int.__repr__


class Int2(_TypedInt):
    """An int to be sent as smallint."""

    __slots__ = ()


class Int4(_TypedInt):
    """An int to be sent as integer."""

    __slots__ = ()


class Int8(_TypedInt):
    """An int to be sent as bigint."""

    __slots__ = ()


class IntNumeric(_TypedInt):
    """An int to be sent as numeric."""

    __slots__ = ()


class Oid(_TypedInt):
    """An int to be sent as oid."""

    __slots__ = ()


class _TypedFloat(_Typed, float):
    __slots__ = ()
    __str__ = float.__repr__


class Float4(_TypedFloat):
    """A float to be sent as real."""

    __slots__ = ()


class Float8(_TypedFloat):
    """A float to be sent as double precision."""

    __slots__ = ()


# -- dumpers -------------------------------------------------------------------------------------


class _IntTextDumper(Dumper):
    def dump(self, obj: Any, /) -> bytes:
        """Its digits."""
        try:
            # Not str(): subclasses (an enum) may have a text of their own.
            return b"%d" % obj
        except ValueError:  # Python limits the digits it writes, but not those of Decimal
            return _digits(obj).encode()

    def quote(self, obj: int) -> bytes:
        """Its digits; a blank before a minus, since two of them would start a comment."""
        digits = self.dump(obj)
        return b" " + digits if obj < 0 else digits


class _ShortIntDumper(_IntTextDumper):
    dump = frameless(b"%d".__mod__)


class Int2Dumper(_ShortIntDumper):
    """int as smallint in text."""

    oid = INT2_OID


class Int4Dumper(_ShortIntDumper):
    """int as integer in text."""

    oid = INT4_OID


class Int8Dumper(_ShortIntDumper):
    """int as bigint in text."""

    oid = INT8_OID


class IntNumericDumper(_IntTextDumper):
    """int as numeric in text."""

    oid = NUMERIC_OID


class OidDumper(_ShortIntDumper):
    """int as oid in text."""

    oid = OID_OID


# Struct.pack refuses what doesn't fit its size with a struct.error, of which Transformer makes
# a DataError.


class Int2BinaryDumper(BinaryDumper):
    """int as smallint in binary."""

    oid = INT2_OID
    dump = frameless(INT2.pack)


class Int4BinaryDumper(BinaryDumper):
    """int as integer in binary."""

    oid = INT4_OID
    dump = frameless(INT4.pack)


class Int8BinaryDumper(BinaryDumper):
    """int as bigint in binary."""

    oid = INT8_OID
    dump = frameless(INT8.pack)


class OidBinaryDumper(BinaryDumper):
    """int as oid in binary."""

    oid = OID_OID
    dump = frameless(UINT4.pack)


class IntNumericBinaryDumper(BinaryDumper):
    """int as numeric in binary."""

    oid = NUMERIC_OID

    def dump(self, obj: int) -> bytes:
        """Its digits in groups of four."""
        return pack_numeric(obj < 0, _digits(abs(obj)), 0)


def _int_writer(format: Format, *dumps: Callable[[int], bytes]) -> Any:
    """A dumper's `write()` that dumps an int as integer or bigint by one of `dumps`."""
    dump_int4, dump_int8 = dumps

    def write(self: Dumper, obj: int) -> tuple[bytes, int, Format]:
        """The digits or bytes, and the type."""
        if -0x80000000 <= obj <= 0x7FFFFFFF:
            return dump_int4(obj), INT4_OID, format
        if -0x8000000000000000 <= obj <= 0x7FFFFFFFFFFFFFFF:
            return dump_int8(obj), INT8_OID, format
        return self.dump(obj), NUMERIC_OID, format  # type: ignore[return-value]

    return write


class IntDumper(_IntTextDumper):
    """int in text, as integer, or the next larger type that holds it.

    Not as smallint: sums of two would overflow at 32767, `int4range @> 5` and
    `generate_series(1, 3)` find no function; and smallint columns take integers as well.
    """

    _dumpers: ClassVar[dict[DumperKey, Dumper]] = {
        Int4: Int4Dumper(Int4),
        Int8: Int8Dumper(Int8),
        IntNumeric: IntNumericDumper(IntNumeric),
    }

    def get_key(self, obj: int, format: PyFormat) -> DumperKey:
        """The wrapper of the type."""
        if -0x80000000 <= obj <= 0x7FFFFFFF:
            return Int4
        if -0x8000000000000000 <= obj <= 0x7FFFFFFFFFFFFFFF:
            return Int8
        return IntNumeric

    def upgrade(self, obj: int, format: PyFormat) -> Dumper:
        """The dumper of the type."""
        return self._dumpers[self.get_key(obj, format)]

    write = _int_writer(Format.TEXT, b"%d".__mod__, b"%d".__mod__)


class IntBinaryDumper(IntDumper):
    """int in binary, as integer, or the next larger type that holds it: see `IntDumper`."""

    format = Format.BINARY
    _dumpers: ClassVar[dict[DumperKey, Dumper]] = {
        Int4: Int4BinaryDumper(Int4),
        Int8: Int8BinaryDumper(Int8),
        IntNumeric: IntNumericBinaryDumper(IntNumeric),
    }

    def dump(self, obj: int) -> Any:
        """As the dumper of its type does."""
        return self.upgrade(obj, PyFormat.BINARY).dump(obj)

    write = _int_writer(Format.BINARY, INT4.pack, INT8.pack)


class FloatDumper(Dumper):
    """float as double precision in text."""

    oid = FLOAT8_OID
    _sql_type = b"float8"

    def dump(self, obj: float) -> bytes:
        """The shortest digits that read back as the same number; ``nan``, ``inf``, ``-inf``."""
        # Not str() nor repr(): subclasses (a NumPy scalar) may have a text of their own.
        return float.__repr__(obj).encode()

    def quote(self, obj: float) -> bytes:
        """The same; a blank before a minus; what is no number is quoted, with its type."""
        data = self.dump(obj)
        if not isfinite(obj):
            return b"'%b'::%b" % (_SPECIAL[data], self._sql_type)
        return b" " + data if data.startswith(b"-") else data


class Float4Dumper(FloatDumper):
    """float as real in text."""

    oid = FLOAT4_OID
    _sql_type = b"float4"


class FloatBinaryDumper(BinaryDumper):
    """float as double precision in binary."""

    oid = FLOAT8_OID
    dump = frameless(FLOAT8.pack)


class Float4BinaryDumper(BinaryDumper):
    """float as real in binary."""

    oid = FLOAT4_OID

    def dump(self, obj: float) -> bytes:
        """Rounded to what a real holds.

        Raises:
            DataError: it is too large for a real.
        """
        try:
            return FLOAT4.pack(obj)
        except OverflowError as ex:
            raise DataError(
                f"got {float.__repr__(obj)} for a real, which holds up to 3.4028235e+38:"
                " send it as Float8"
            ) from ex


_SPECIAL = {b"nan": b"NaN", b"inf": b"Infinity", b"-inf": b"-Infinity"}


class DecimalDumper(Dumper):
    """Decimal as numeric in text."""

    oid = NUMERIC_OID

    def dump(self, obj: Decimal) -> bytes:
        """Its digits, with an exponent if it has one; any NaN is ``NaN``."""
        # PostgreSQL knows one NaN: no sign, not signaling, no payload.
        return b"NaN" if obj.is_nan() else str(obj).encode()

    def quote(self, obj: Decimal) -> bytes:
        """The same; a blank before a minus; what is no number is quoted, with its type."""
        data = self.dump(obj)
        if not obj.is_finite():
            return b"'%b'::numeric" % data
        return b" " + data if data.startswith(b"-") else data


class DecimalBinaryDumper(BinaryDumper):
    """Decimal as numeric in binary."""

    oid = NUMERIC_OID

    def dump(self, obj: Decimal) -> bytes:
        """Its digits in groups of four."""
        sign, digits, exponent = obj.as_tuple()
        if isinstance(exponent, str):
            special = _NAN if exponent != "F" else _NEGATIVE_INFINITY if sign else _INFINITY
            return _HEADER.pack(0, 0, special, 0)
        return pack_numeric(bool(sign), "".join(map(str, digits)), exponent)


class NumericDumper(DecimalDumper):
    """Any number as numeric in text, where the type is given instead of the object."""

    def dump(self, obj: Any) -> bytes:
        """Its digits."""
        return super().dump(_decimal(obj))


class NumericBinaryDumper(DecimalBinaryDumper):
    """Any number as numeric in binary, where the type is given instead of the object."""

    def dump(self, obj: Any) -> bytes:
        """Its digits in groups of four."""
        return super().dump(_decimal(obj))


def _decimal(obj: Any) -> Decimal:
    from decimal import Decimal

    # A float by the digits that it shows, as in text, not by all those that it has.
    return Decimal(float.__repr__(obj) if isinstance(obj, float) else obj)


# -- the binary form of numeric --------------------------------------------------------------------
# Digits in groups of four, a number below 10000 each; the first stands for 10000 ** weight.
# dscale is the number of decimals to show.

_HEADER = Struct("!HhHH")  # number of groups, weight, sign, dscale
_POSITIVE, _NEGATIVE = 0x0000, 0x4000
_NAN, _INFINITY, _NEGATIVE_INFINITY = 0xC000, 0xD000, 0xF000
_MAX_WEIGHT, _MAX_DSCALE = 0x7FFF, 0x3FFF


def pack_numeric(negative: bool, digits: str, exponent: int) -> bytes:
    """The binary form of ``digits * 10 ** exponent``.

    Raises:
        DataError: it is too large, or has too many decimals.
    """
    digits = digits.lstrip("0")
    dscale = max(0, -exponent)
    top = len(digits) + exponent  # digits before the decimal point
    weight = (top + 3) // 4 - 1 if digits else 0
    if weight > _MAX_WEIGHT or dscale > _MAX_DSCALE:
        raise DataError(
            f"got a number of {top} digits before the decimal point and {dscale} after it:"
            f" numeric holds up to {4 * (_MAX_WEIGHT + 1)} and {_MAX_DSCALE}"
        )
    digits = "0" * (-top % 4) + digits + "0" * max(0, exponent)
    digits += "0" * (-len(digits) % 4)
    groups = [int(digits[i : i + 4]) for i in range(0, len(digits), 4)]
    while groups and not groups[-1]:
        groups.pop()
    return _HEADER.pack(
        len(groups), weight, _NEGATIVE if negative and groups else _POSITIVE, dscale
    ) + Struct(f"!{len(groups)}H").pack(*groups)


def _digits(obj: int) -> str:
    from decimal import Decimal

    return str(Decimal(obj))


# -- loaders -------------------------------------------------------------------------------------
# A struct of another length is a struct.error, of which Transformer makes a DataError.


class IntLoader(Loader):
    """smallint, integer, bigint, oid in text."""

    load = frameless(int)
    """The int that the digits mean."""


class FloatLoader(Loader):
    """real, double precision in text; numeric, too, for whom a float will do."""

    load = frameless(float)
    """The nearest float."""


class Float4Loader(Loader):
    """real in text, whose digits are the fewest that tell it from other reals."""

    def load(self, data: Any) -> float:
        """The float that is the real's value, as binary results have it: 0.1 is 0.10000000149...."""
        return FLOAT4.unpack(FLOAT4.pack(float(data)))[0]  # type: ignore[no-any-return]


def _unpacked(struct: Struct) -> Callable[[Any, Buffer], Any]:
    unpack = struct.unpack

    def load(_: Loader, data: Buffer) -> Any:
        """The number."""
        return unpack(data)[0]

    return load


class Int2BinaryLoader(BinaryLoader):
    """smallint in binary."""

    load = _unpacked(INT2)


class Int4BinaryLoader(BinaryLoader):
    """integer in binary."""

    load = _unpacked(INT4)


class Int8BinaryLoader(BinaryLoader):
    """bigint in binary."""

    load = _unpacked(INT8)


class OidBinaryLoader(BinaryLoader):
    """oid in binary."""

    load = _unpacked(UINT4)


class Float4BinaryLoader(BinaryLoader):
    """real in binary."""

    load = _unpacked(FLOAT4)


class Float8BinaryLoader(BinaryLoader):
    """double precision in binary."""

    load = _unpacked(FLOAT8)


# decimal takes 4 ms to import: it is, when the first numeric is loaded.


class NumericLoader(Loader):
    """numeric in text."""

    contextual = False

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        from decimal import Decimal

        self._decimal = Decimal

    def load(self, data: Any) -> Decimal:
        """The Decimal of the same digits."""
        return self._decimal(str(data, "ascii"))


class NumericBinaryLoader(BinaryLoader):
    """numeric in binary."""

    contextual = False

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal

        self._decimal = Decimal
        # The user's context must not round: this one is exact.
        self._scaleb = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN).scaleb

    def load(self, data: Buffer) -> Decimal:
        """The Decimal of the same digits and number of decimals."""
        count, weight, sign, dscale = _HEADER.unpack_from(data)
        if len(data) != _HEADER.size + 2 * count:
            raise ValueError(f"{len(data)} bytes for {count} groups of digits")
        groups = unpack_from(f"!{count}H", data, _HEADER.size)
        if sign not in (_POSITIVE, _NEGATIVE):
            return self._decimal(_SPECIAL_NUMERICS[sign])
        shift = dscale + 4 * (weight - count + 1)  # from the last digit sent to the last shown
        if count > _FEW or abs(shift) > _FEW:
            digits = "".join([f"{group:04}" for group in groups]) + "0" * shift
            shown = digits[:shift] if shift < 0 else digits
            return self._decimal(f"{'-' if sign else ''}{shown or 0}E-{dscale}")
        value = 0
        for group in groups:
            value = value * 10_000 + group
        if shift >= 0:
            value *= 10**shift
        else:
            value //= 10**-shift
        # an int has no minus zero, and neither has the server
        return self._scaleb(-value if sign else value, -dscale)


_SPECIAL_NUMERICS = {_NAN: "NaN", _INFINITY: "Infinity", _NEGATIVE_INFINITY: "-Infinity"}
_FEW = 64  # up to here adding groups up is faster than text; far beyond it is quadratic


DUMPERS = (
    (int, IntDumper, IntBinaryDumper),
    (float, FloatDumper, FloatBinaryDumper),
    ("decimal.Decimal", DecimalBinaryDumper, DecimalDumper),
    (Int2, Int2Dumper, Int2BinaryDumper),
    (Int4, Int4Dumper, Int4BinaryDumper),
    (Int8, Int8Dumper, Int8BinaryDumper),
    (IntNumeric, IntNumericDumper, IntNumericBinaryDumper),
    (Oid, OidDumper, OidBinaryDumper),
    (Float4, Float4Dumper, Float4BinaryDumper),
    (Float8, FloatDumper, FloatBinaryDumper),
    (None, NumericDumper, NumericBinaryDumper),
)
LOADERS = (
    (INT2_OID, IntLoader, Int2BinaryLoader),
    (INT4_OID, IntLoader, Int4BinaryLoader),
    (INT8_OID, IntLoader, Int8BinaryLoader),
    (OID_OID, IntLoader, OidBinaryLoader),
    (FLOAT4_OID, Float4Loader, Float4BinaryLoader),
    (FLOAT8_OID, FloatLoader, Float8BinaryLoader),
    (NUMERIC_OID, NumericLoader, NumericBinaryLoader),
)
