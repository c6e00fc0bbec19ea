"""The parts of a range or a composite: in text quoted where needed, in binary after their length."""

from __future__ import annotations

import re
from collections.abc import Callable
from struct import Struct
from typing import Any

from ..abc import Buffer

_LENGTH = Struct("!i")
_NULL = _LENGTH.pack(-1)

_PAIR = re.compile(rb'["\\](.)', re.DOTALL)
_QUOTED = rb'"([^"\\]*(?:(?:""|\\.)[^"\\]*)*)"'

# Brackets mean something in a range only, and may be quoted in both.
_NEEDING_QUOTES = re.compile(rb'[\s"\\(),\[\]]')

BOUND = re.compile(_QUOTED + rb'|([^"\\(),\[\]]*)', re.DOTALL)
"""A bound of a range in text: its first group if it is quoted, else its second; if empty none."""

FIELD = re.compile(_QUOTED + rb'|([^"\\(),]*)', re.DOTALL)
"""A field of a composite in text: its first group if it is quoted, else its second; if empty NULL."""


def quoted(text: bytes | None) -> bytes:
    """A part in text: with quotes where needed, nothing for NULL."""
    if text is None:
        return b""
    if text and not _NEEDING_QUOTES.search(text):
        return text
    return b'"%b"' % text.replace(b"\\", b"\\\\").replace(b'"', b'""')


def read(part: re.Match[bytes], load: Callable[[bytes], Any]) -> Any:
    """Load what `BOUND` or `FIELD` has found; None if it is NULL."""
    text, bare = part.groups()
    if text is not None:
        return load(_PAIR.sub(rb"\1", text) if b"\\" in text else text.replace(b'""', b'"'))
    return load(bare) if bare else None


def pack(data: Buffer | None) -> bytes:
    """A part in binary: its length, -1 for NULL, and its bytes."""
    return _NULL if data is None else b"".join((_LENGTH.pack(len(data)), data))


def unpack(data: Buffer, offset: int) -> tuple[Buffer | None, int]:
    """Take the part at `offset`.

    Returns:
        The part, None for NULL; and where it ends.

    Raises:
        ValueError: it isn't all there.
    """
    length: int = _LENGTH.unpack_from(data, offset)[0]
    offset += _LENGTH.size
    if length == -1:
        return None, offset
    end = offset + length
    if not offset <= end <= len(data):
        raise ValueError(f"a part of {length} bytes, where {len(data) - offset} are left")
    return data[offset:end], end
