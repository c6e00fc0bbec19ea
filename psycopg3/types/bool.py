"""bool: boolean."""

from __future__ import annotations

from .._oids import BOOL_OID
from ..abc import Buffer
from ..adapt import Dumper, Loader
from ..adapt.base import BinaryDumper, BinaryLoader


class BoolDumper(Dumper):
    """bool in text."""

    oid = BOOL_OID

    def dump(self, obj: bool) -> bytes:
        """``t`` or ``f``."""
        return b"t" if obj else b"f"

    def quote(self, obj: bool) -> bytes:
        """``true`` or ``false``."""
        return b"true" if obj else b"false"


class BoolBinaryDumper(BinaryDumper):
    """bool in binary."""

    oid = BOOL_OID

    def dump(self, obj: bool) -> bytes:
        """A byte, 1 or 0."""
        return b"\x01" if obj else b"\x00"


class BoolLoader(Loader):
    """boolean in text."""

    def load(self, data: Buffer) -> bool:
        """``t`` is True, ``f`` is False."""
        if data == b"t":
            return True
        if data == b"f":
            return False
        raise ValueError("expected t or f")


class BoolBinaryLoader(BinaryLoader):
    """boolean in binary."""

    def load(self, data: Buffer) -> bool:
        """A byte: 1 is True, 0 is False."""
        if data == b"\x01":
            return True
        if data == b"\x00":
            return False
        raise ValueError("expected a byte, 0 or 1")


DUMPERS = ((bool, BoolDumper, BoolBinaryDumper),)
LOADERS = ((BOOL_OID, BoolLoader, BoolBinaryLoader),)
