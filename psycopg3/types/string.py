"""str, bytes, bytearray, memoryview: text and its kin, bytea."""

from __future__ import annotations

import re
from binascii import hexlify, unhexlify
from typing import Any

from .._oids import BPCHAR_OID, BYTEA_OID, NAME_OID, TEXT_OID, UNKNOWN_OID, VARCHAR_OID
from ..abc import AdaptContext, Buffer
from ..adapt import Dumper, Format, Loader, PyFormat, RecursiveDumper, Transformer
from ..adapt.base import BinaryDumper, BinaryLoader, frameless
from ..dbapi20 import Binary
from ..errors import DataError


class StrDumper(Dumper):
    """str as text."""

    by_encoding = True
    oid = TEXT_OID

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self._encoding = Transformer.from_context(context).text_encoding

    def dump(self, obj: str) -> bytes:
        """The text in the connection's encoding.

        Raises:
            DataError: it has a NUL, or a character that the encoding has not.
        """
        try:
            # Without the name it costs half, and it is so most of the time.
            data = obj.encode() if self._encoding == "utf-8" else obj.encode(self._encoding)
        except UnicodeEncodeError as ex:
            raise DataError(
                f"got text that the client encoding {self._encoding} can't write"
                f" ({ex.reason}, {ex.object[ex.start]!a} at {ex.start}):"
                " replace the character, or set client_encoding to UTF8"
            ) from ex
        if 0 in data:  # much faster than b"\0" in data
            raise DataError(
                f"got text with a NUL character (at {obj.index(chr(0))}), which PostgreSQL can't"
                " store in text: take it out, or send bytes to a bytea"
            )
        return data


class StrDumperUnknown(StrDumper):
    """str without a type: the server takes the one that fits the query."""

    oid = 0


class StrDumperVarchar(StrDumper):
    """str as varchar."""

    oid = VARCHAR_OID


class StrDumperBpchar(StrDumper):
    """str as char(n)."""

    oid = BPCHAR_OID


class StrDumperName(StrDumper):
    """str as name."""

    oid = NAME_OID


class StrBinaryDumper(StrDumper):
    """str as text in binary, which has the same bytes."""

    format = Format.BINARY


class StrBinaryDumperVarchar(StrBinaryDumper):
    """str as varchar in binary."""

    oid = VARCHAR_OID


class StrBinaryDumperBpchar(StrBinaryDumper):
    """str as char(n) in binary."""

    oid = BPCHAR_OID


class StrBinaryDumperName(StrBinaryDumper):
    """str as name in binary."""

    oid = NAME_OID


class UnknownDumper(RecursiveDumper):
    """Objects as text of a type that has no dumper of its own."""

    oid = UNKNOWN_OID

    def dump(self, obj: Any) -> Buffer | None:
        """The text that is written of their class."""
        return self._tx.get_dumper(obj, PyFormat.TEXT).dump(obj)


class BytesDumper(Dumper):
    """bytes, bytearray, memoryview, and what `Binary()` wraps, as bytea in text."""

    oid = BYTEA_OID

    def dump(self, obj: Buffer | Binary) -> bytes:
        """The bytes in hexadecimal, as every server since 9.0 reads them."""
        return b"\\x" + hexlify(_flat(obj))

    def quote(self, obj: Buffer | Binary) -> bytes:
        """The same as a string's literal."""
        conn = self.connection
        if conn and conn.pgconn.parameter_status(b"standard_conforming_strings") == b"on":
            return b"'%b'" % self.dump(obj)
        return b" E'\\%b'" % self.dump(obj)


class BytesBinaryDumper(BinaryDumper):
    """bytes, bytearray, memoryview, and what `Binary()` wraps, as bytea in binary."""

    oid = BYTEA_OID

    def dump(self, obj: Buffer | Binary) -> Buffer:
        """The bytes, which are not copied."""
        return _flat(obj)


class TextLoader(Loader):
    """text and all that is read like it, as str; as bytes where the encoding is SQL_ASCII."""

    by_encoding = True

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        encoding = Transformer.from_context(context).encoding
        self._encoding = None if encoding == "ascii" else encoding

    def load(self, data: Any) -> str | bytes:
        """The text in the connection's encoding."""
        if self._encoding is None:
            return bytes(data)
        try:
            return data.decode(self._encoding)  # type: ignore[no-any-return]
        except AttributeError:  # a memoryview; str() takes any buffer, and longer
            return str(data, self._encoding)


class TextBinaryLoader(TextLoader):
    """The same from binary, which has the same bytes."""

    format = Format.BINARY


_ESCAPE = re.compile(rb"\\(\\|[0-3][0-7]{2})|(\\)")


class ByteaLoader(Loader):
    """bytea in text, hexadecimal or escaped."""

    def load(self, data: Buffer) -> bytes:
        """The bytes."""
        data = bytes(data)
        if data.startswith(b"\\x"):
            return unhexlify(data[2:])
        return _ESCAPE.sub(_unescaped, data) if b"\\" in data else data


class ByteaBinaryLoader(BinaryLoader):
    """bytea in binary; and values of types without a binary loader, as they are sent."""

    load = frameless(bytes)
    """The bytes."""


def _flat(obj: Buffer | Binary) -> Buffer:
    """A buffer of single bytes: a memoryview may have wider items, dimensions, or gaps."""
    if isinstance(obj, Binary):
        obj = memoryview(obj.obj)
    if not isinstance(obj, memoryview):
        return obj
    return obj.cast("B") if obj.c_contiguous else obj.tobytes()


def _unescaped(match: re.Match[bytes]) -> bytes:
    escaped, stray = match.groups()
    if stray:
        raise ValueError(f"a stray backslash at {match.start()}")
    return escaped if escaped == b"\\" else bytes((int(escaped, 8),))


_TEXTS = (BPCHAR_OID, NAME_OID, TEXT_OID, UNKNOWN_OID, VARCHAR_OID)

DUMPERS = (
    (str, StrBinaryDumperName, StrBinaryDumperBpchar, StrBinaryDumperVarchar, StrBinaryDumper),
    (str, StrDumperName, StrDumperBpchar, StrDumperVarchar, StrDumper, StrDumperUnknown),
    (None, UnknownDumper),
    *((cls, BytesDumper, BytesBinaryDumper) for cls in (bytes, bytearray, memoryview, Binary)),
)
LOADERS = (
    *((oid, TextLoader, TextBinaryLoader) for oid in _TEXTS),
    (BYTEA_OID, ByteaLoader, ByteaBinaryLoader),
    (0, TextLoader, ByteaBinaryLoader),  # for every type without a loader of its own
)
