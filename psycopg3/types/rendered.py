"""Types that are read as str: what is sent of them in binary becomes the text that the server writes."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from ..abc import Buffer
from .string import TextBinaryLoader


class RenderedLoader(TextBinaryLoader):
    """Reads binary as the text of the same value; bytes where the encoding is SQL_ASCII, as text is."""

    def load(self, data: Buffer) -> str | bytes:
        """Read the text that the server would write."""
        return super().load(self._render(bytes(data)))

    @abstractmethod
    def _render(self, data: Any) -> bytes:
        """Write the text, in the connection's encoding."""
