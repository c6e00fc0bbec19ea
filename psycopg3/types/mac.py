"""str: macaddr, macaddr8."""

from __future__ import annotations

from .._oids import MACADDR8_OID, MACADDR_OID
from .rendered import RenderedLoader


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


DUMPERS = ()
LOADERS = ((MACADDR_OID, MacaddrBinaryLoader), (MACADDR8_OID, Macaddr8BinaryLoader))
