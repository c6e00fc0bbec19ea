"""str: macaddr, macaddr8."""

from __future__ import annotations

from .._oids import MACADDR8_OID, MACADDR_OID
from ..adapt import Dumper, Format
from ..errors import DataError
from .rendered import RenderedLoader

_NO_MARKS = str.maketrans("", "", ":-.")


class MacaddrBinaryDumper(Dumper):
    """Writes a str as macaddr in binary."""

    format = Format.BINARY
    oid = MACADDR_OID
    _size = 6

    def dump(self, obj: str) -> bytes:
        """Write its bytes, in whatever way they are written.

        Raises:
            DataError: they are too few or too many.
        """
        try:
            data = bytes.fromhex(obj.translate(_NO_MARKS))
        except ValueError:
            data = b""
        if len(data) != self._size:
            raise DataError(
                f"got the address {obj[:40]!r}: expected {self._size} bytes in hexadecimal"
            )
        return data


class Macaddr8BinaryDumper(MacaddrBinaryDumper):
    """Writes a str as macaddr8 in binary."""

    oid = MACADDR8_OID
    _size = 8


class MacaddrBinaryLoader(RenderedLoader):
    """Reads macaddr in binary."""

    _size = 6

    def _render(self, data: bytes) -> bytes:
        if len(data) != self._size:
            raise ValueError(f"expected {self._size} bytes")
        return data.hex(":").encode()


class Macaddr8BinaryLoader(MacaddrBinaryLoader):
    """Reads macaddr8 in binary."""

    _size = 8


DUMPERS = ((None, MacaddrBinaryDumper, Macaddr8BinaryDumper),)
LOADERS = ((MACADDR_OID, MacaddrBinaryLoader), (MACADDR8_OID, Macaddr8BinaryLoader))
