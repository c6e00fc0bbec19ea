"""None: NULL, void."""

from __future__ import annotations

from .._oids import VOID_OID
from ..abc import Buffer
from ..adapt import Dumper, Format, Loader


class NoneDumper(Dumper):
    """None as NULL. Parameters that are None need no dumper; literals and elements ask for one."""

    def dump(self, obj: None) -> None:
        """NULL."""

    def quote(self, obj: None) -> bytes:
        """NULL, the word."""
        return b"NULL"


class VoidLoader(Loader):
    """Reads void in text: what functions that return nothing return, which isn't NULL."""

    def load(self, data: Buffer) -> None:
        """Read nothing."""
        if data:
            raise ValueError("expected nothing")


class VoidBinaryLoader(VoidLoader):
    """Reads void in binary."""

    format = Format.BINARY


DUMPERS = ((type(None), NoneDumper),)
LOADERS = ((VOID_OID, VoidLoader, VoidBinaryLoader),)
