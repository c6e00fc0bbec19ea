"""The rows of a COPY as bytes: written and read in its text format and in its binary format.

What these know of text is its default: fields between tabs, a row a line, and ``\\N`` for NULL.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from typing import TypeAlias

from ..abc import Buffer
from ..encodings import OVERLAPPING
from ..errors import DataError

Record: TypeAlias = Sequence[Buffer | None]
"""The values of a row, None for NULL."""

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""What a binary COPY begins with: its signature, no flags, and no extension of the header."""
TRAILER = b"\xff\xff"
"""What a binary COPY ends with: where the number of a row's fields would be, -1."""
_SIGNATURE = HEADER[:11]

_NAMES = {b"\b": b"b", b"\t": b"t", b"\n": b"n", b"\v": b"v", b"\f": b"f", b"\r": b"r"}
_ESCAPES = {plain: b"\\" + name for plain, name in _NAMES.items()} | {b"\\": rb"\\"}
_ESCAPED = {name: plain for plain, name in _NAMES.items()}
_SPECIAL = re.compile(rb"[\b\t\n\v\f\r\\]")
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.)|$)", re.DOTALL)

_SHORT, _INT = struct.Struct("!h"), struct.Struct("!i")
_NULL = _INT.pack(-1)
_MOST_COLUMNS = 0x7FFF


class TextRows:
    """Rows in the text format.

    Args:
        encoding: the codec of the text. In some a character may have a byte that is a backslash by
            itself: there rows are taken apart and put together as UTF-8.
    """

    header = trailer = b""
    """What a COPY without rows is made of."""

    def __init__(self, encoding: str):
        self._overlapping = encoding if encoding in OVERLAPPING else None

    def format(self, record: Record) -> bytes:
        """A row as the server reads it."""
        fields = [rb"\N" if value is None else self._escaped(value) for value in record]
        row = b"\t".join(fields) + b"\n"
        return self._recoded(row, "utf-8", self._overlapping) if self._overlapping else row

    def _escaped(self, value: Buffer) -> bytes:
        if self._overlapping:
            value = self._recoded(value, self._overlapping, "utf-8")
        if _SPECIAL.search(value) is None:
            return bytes(value)
        return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], value)

    def parse(self, data: Buffer, columns: int) -> list[bytes | None]:
        """The values of a row that the server has sent.

        Args:
            data: the row, its newline included.
            columns: how many values it must have.

        Raises:
            DataError: it has no end, or more columns or fewer.
        """
        row = bytes(data)
        if self._overlapping:
            row = self._recoded(row, self._overlapping, "utf-8")
        if not row.endswith(b"\n"):
            raise DataError(f"a row of COPY's text ends without a newline: {_shown(row)}")
        fields: list[bytes | None] = row[:-1].split(b"\t") if columns else []  # type: ignore[assignment]
        if len(fields) != columns:
            raise DataError(f"got {len(fields)} columns of {columns} in {_shown(row)}")
        if b"\\" in row:
            fields = [self._unescaped(field) for field in fields if field is not None]
        if self._overlapping:
            return [f and self._recoded(f, "utf-8", self._overlapping) for f in fields]
        return fields

    @staticmethod
    def _unescaped(field: bytes) -> bytes | None:
        if field == rb"\N":
            return None
        return _ESCAPE.sub(_meant, field) if b"\\" in field else field

    @staticmethod
    def _recoded(data: Buffer, source: str, target: str) -> bytes:
        try:
            return str(data, source).encode(target)
        except UnicodeError as ex:
            raise DataError(f"COPY's text can't be taken from {source} to {target}: {ex}") from ex


class BinaryRows:
    """Rows in the binary format."""

    header, trailer = HEADER, TRAILER
    """What a COPY without rows is made of."""

    _is_begun = False

    def format(self, record: Record) -> bytes:
        """A row as the server reads it."""
        if len(record) > _MOST_COLUMNS:
            raise DataError(f"got a row of {len(record)} values: COPY takes {_MOST_COLUMNS}")
        parts: list[Buffer] = [_SHORT.pack(len(record))]
        for value in record:
            if value is None:
                parts.append(_NULL)
            else:
                parts += _INT.pack(len(value)), value
        return b"".join(parts)

    def parse(self, data: Buffer, columns: int) -> list[bytes | None] | None:
        """The values of a row that the server has sent; None for what comes after the last row.

        Args:
            data: the row; the first comes with the header.
            columns: how many values it must have.

        Raises:
            DataError: it ends too early or too late, or has more columns or fewer.
        """
        data = bytes(data)
        at = 0 if self._is_begun else _skip_header(data)
        self._is_begun = True
        if data[at:] == TRAILER:
            return None
        values: list[bytes | None] = []
        try:
            (count,) = _SHORT.unpack_from(data, at)
            at += 2
            if count != columns:
                raise DataError(f"got {count} columns of {columns} in {_shown(data)}")
            for _ in range(count):
                (length,) = _INT.unpack_from(data, at)
                at += 4
                values.append(data[at : at + length] if length >= 0 else None)
                at += max(length, 0)
        except struct.error:
            at = len(data) + 1
        if at != len(data):
            raise DataError(f"a row of COPY's binary data ends in the middle: {_shown(data)}")
        return values


class BinaryFraming:
    """Follows a binary stream that is written in blocks of any size, to know whether it is whole."""

    __slots__ = ("_fields", "_left", "_rest", "_state", "rows")

    def __init__(self) -> None:
        self._state = self._signature
        self._rest = b""
        # Bytes of a value that are still to come, and fields of its row that come behind it.
        self._left = self._fields = 0
        self.rows = 0
        """The rows so far, the one under way included."""

    @property
    def is_whole(self) -> bool:
        """Whether it has ended by its trailer."""
        return self._state == self._end

    def feed(self, data: Buffer) -> None:
        """Take the next block.

        Raises:
            DataError: it is no binary COPY, or goes on behind its trailer.
        """
        block = self._rest + data if self._rest else bytes(data)
        at, size = 0, len(block)
        while at < size:
            if self._left:
                step = min(self._left, size - at)
                self._left -= step
                at += step
                continue
            taken = self._state(block, at)
            if not taken:
                break
            at += taken
        self._rest = block[at:]

    # Each takes what is at `at`, and returns how many bytes it is; 0: there must be more of it.

    def _signature(self, block: bytes, at: int) -> int:
        if len(block) < len(HEADER):
            return 0
        if not block.startswith(_SIGNATURE):
            raise DataError(f"this is no binary COPY, it begins with {_shown(block[:11])}")
        (self._left,) = _INT.unpack_from(block, 15)
        self._state = self._row
        return len(HEADER)

    def _row(self, block: bytes, at: int) -> int:
        if len(block) - at < 2:
            return 0
        (self._fields,) = _SHORT.unpack_from(block, at)
        if self._fields < 0:
            self._state = self._end
        else:
            self.rows += 1
            if self._fields:
                self._state = self._field
        return 2

    def _field(self, block: bytes, at: int) -> int:
        begin, size, fields = at, len(block), self._fields
        while fields and size - at >= 4:
            (length,) = _INT.unpack_from(block, at)
            at += 4
            fields -= 1
            if length > size - at:
                self._left = length - (size - at)
                at = size
                break
            at += max(length, 0)
        self._fields = fields
        if not fields:
            self._state = self._row
        return at - begin

    def _end(self, block: bytes, at: int) -> int:
        raise DataError(
            f"the binary COPY goes on behind its trailer with {_shown(block[at:])}:"
            " write one stream, with one header and one trailer"
        )


def _skip_header(data: bytes) -> int:
    if not data.startswith(_SIGNATURE) or len(data) < len(HEADER):
        raise DataError(f"expected COPY's binary header, got {_shown(data)}")
    return len(HEADER) + int(_INT.unpack_from(data, 15)[0])


def _meant(found: re.Match[bytes]) -> bytes:
    octal, hexadecimal, other = found.groups()
    if octal is not None:
        return bytes([int(octal, 8) & 0xFF])
    if hexadecimal is not None:
        return bytes([int(hexadecimal, 16)])
    if other is None:
        raise DataError(f"a value of COPY's text ends with a backslash: {_shown(found.string)}")
    return _ESCAPED.get(other, other)


def _shown(data: bytes) -> str:
    return repr(data) if len(data) <= 100 else f"{data[:100]!r}... (of {len(data)})"
