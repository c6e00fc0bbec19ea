"""None: NULL."""

from __future__ import annotations

from ..abc import AdaptersMapLike
from ..adapt import Dumper


class NoneDumper(Dumper):
    """None as NULL. Parameters that are None need no dumper; literals and elements ask for one."""

    contextual = False

    def dump(self, obj: None) -> None:
        """NULL."""

    def quote(self, obj: None) -> bytes:
        """NULL, the word."""
        return b"NULL"


def register(adapters: AdaptersMapLike) -> None:
    """Let a map adapt None."""
    adapters.register_dumper(type(None), NoneDumper)
