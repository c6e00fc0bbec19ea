"""Bits: bit, bit varying."""

from __future__ import annotations

from struct import Struct
from typing import Self

from .._oids import BIT_OID, VARBIT_OID
from ..abc import Buffer
from ..adapt import Dumper, Loader
from ..adapt.base import BinaryDumper, BinaryLoader
from ..errors import DataError
from .string import StrDumperUnknown

_LENGTH = Struct("!i")  # in bits


class Bits(str):
    """A row of bits, as a str of the digits 0 and 1.

    `int(bits, 2)` is their number. It is sent as any str is, so that the server takes it for what the
    query needs; by `%b` as varbit.
    """

    __slots__ = ()

    @classmethod
    def from_int(cls, number: int, length: int) -> Self:
        """Make the bits of a number, the last `length` of them."""
        return cls.from_bytes(
            (number % (1 << length) << -length % 8).to_bytes((length + 7) // 8), length
        )

    @classmethod
    def from_bytes(cls, data: Buffer, length: int | None = None) -> Self:
        """Make the first `length` bits of some bytes, of which the highest is the first; None: all."""
        digits = f"{int.from_bytes(data):0{len(data) * 8}b}" if data else ""
        if length is not None and not 0 <= length <= len(digits):
            raise ValueError(f"got {len(data)} bytes to take {length} bits of")
        return cls(digits[:length])

    def to_bytes(self) -> bytes:
        """Return the bytes that have these bits first, and zeros after them."""
        size = (len(self) + 7) // 8
        return int(self.ljust(size * 8, "0") or "0", 2).to_bytes(size)


# -- dumpers -------------------------------------------------------------------------------------


class BitDumper(Dumper):
    """Writes digits as bit in text."""

    oid = BIT_OID

    def dump(self, obj: str) -> bytes:
        """Write the digits.

        Raises:
            DataError: there are others than 0 and 1.
        """
        return _checked(obj).encode()


class VarbitDumper(BitDumper):
    """Writes digits as bit varying in text."""

    oid = VARBIT_OID


class BitBinaryDumper(BinaryDumper):
    """Writes digits as bit in binary."""

    oid = BIT_OID

    def dump(self, obj: str) -> bytes:
        """Write how many they are, and the bytes that they are the bits of.

        Raises:
            DataError: there are others than 0 and 1.
        """
        return _LENGTH.pack(len(obj)) + Bits(_checked(obj)).to_bytes()


class VarbitBinaryDumper(BitBinaryDumper):
    """Writes digits as bit varying in binary."""

    oid = VARBIT_OID


def _checked(bits: str) -> str:
    if bits.strip("01"):
        raise DataError(f"got {bits[:100]!r} as bits: expected a str of the digits 0 and 1")
    return bits


# -- loaders -------------------------------------------------------------------------------------


class BitLoader(Loader):
    """Reads bit and bit varying in text."""

    def load(self, data: Buffer) -> Bits:
        """Read the digits."""
        data = bytes(data)
        if data.strip(b"01"):
            raise ValueError("expected the digits 0 and 1")
        return Bits(data, "ascii")


class BitBinaryLoader(BinaryLoader):
    """Reads bit and bit varying in binary."""

    def load(self, data: Buffer) -> Bits:
        """Read the bits."""
        (length,) = _LENGTH.unpack_from(data)
        if length < 0 or len(data) != _LENGTH.size + (length + 7) // 8:
            raise ValueError(f"{length} bits in {len(data)} bytes")
        return Bits.from_bytes(data[_LENGTH.size :], length)


DUMPERS = (
    (None, BitDumper, BitBinaryDumper, VarbitDumper),
    (Bits, VarbitBinaryDumper, StrDumperUnknown),
)
LOADERS = tuple((oid, BitLoader, BitBinaryLoader) for oid in (BIT_OID, VARBIT_OID))
