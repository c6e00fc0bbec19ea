"""Type modifiers: what a column's type is limited to, `(10,2)`, out of the server's number."""

from __future__ import annotations

_HEADER = 4  # the server adds the size of a length word: varchar(10) is 14


class TypeModifier:
    """Reads the modifiers of a type; this default has none.

    Args:
        oid: the type's oid.
    """

    def __init__(self, oid: int) -> None:
        self.oid = oid

    def get_display_size(self, fmod: int) -> int | None:
        """The length in characters or bits; None if it isn't limited."""
        return None

    def get_precision(self, fmod: int) -> int | None:
        """The number of digits; of those of a second, for times; None if it isn't limited."""
        return None

    def get_scale(self, fmod: int) -> int | None:
        """The number of digits after the decimal point; None if it isn't limited."""
        return None

    def get_modifier(self, fmod: int) -> tuple[int, ...] | None:
        """What stands between the parentheses after the type's name; None if nothing does."""
        size = self.get_display_size(fmod)
        if size is not None:
            return (size,)
        precision, scale = self.get_precision(fmod), self.get_scale(fmod)
        if precision is None:
            return None
        return (precision,) if scale is None else (precision, scale)


class CharTypeModifier(TypeModifier):
    """``varchar(n)``, ``char(n)``."""

    def get_display_size(self, fmod: int) -> int | None:
        """The number of characters."""
        return fmod - _HEADER if fmod >= _HEADER else None


class BitTypeModifier(TypeModifier):
    """``bit(n)``, ``varbit(n)``."""

    def get_display_size(self, fmod: int) -> int | None:
        """The number of bits."""
        return fmod if fmod >= 0 else None


class NumericTypeModifier(TypeModifier):
    """``numeric(precision, scale)``."""

    def get_precision(self, fmod: int) -> int | None:
        """The number of digits."""
        return (fmod - _HEADER) >> 16 & 0xFFFF if fmod >= _HEADER else None

    def get_scale(self, fmod: int) -> int | None:
        """The number of digits after the decimal point; less than 0 rounds before it."""
        if fmod < _HEADER:
            return None
        # A signed number of 11 bits since PostgreSQL 15: numeric(3,-2).
        scale = (fmod - _HEADER) & 0x7FF
        return scale - 0x800 if scale & 0x400 else scale


class TimeTypeModifier(TypeModifier):
    """``time(n)``, ``timestamp(n)``, ``interval(n)`` and their kin."""

    def get_precision(self, fmod: int) -> int | None:
        """The number of digits of a second's fraction."""
        # An interval keeps its range of fields in the upper half; all ones are "not limited".
        digits = fmod & 0xFFFF
        return digits if fmod >= 0 and digits != 0xFFFF else None


MODIFIERS = {
    "bit": BitTypeModifier,
    "bpchar": CharTypeModifier,
    "interval": TimeTypeModifier,
    "numeric": NumericTypeModifier,
    "time": TimeTypeModifier,
    "timestamp": TimeTypeModifier,
    "timestamptz": TimeTypeModifier,
    "timetz": TimeTypeModifier,
    "varbit": BitTypeModifier,
    "varchar": CharTypeModifier,
}
"""What reads the modifiers of PostgreSQL's own types, by the type's name."""
