"""None: NULL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..adapt import Dumper

if TYPE_CHECKING:
    from ..abc import AdaptersMapLike


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
