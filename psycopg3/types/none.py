"""None: NULL."""

from __future__ import annotations

from ..adapt import Dumper


class NoneDumper(Dumper):
    """None as NULL. Parameters that are None need no dumper; literals and elements ask for one."""

    def dump(self, obj: None) -> None:
        """NULL."""

    def quote(self, obj: None) -> bytes:
        """NULL, the word."""
        return b"NULL"


DUMPERS = ((type(None), NoneDumper),)
LOADERS = ()
