"""Types of the server's own catalogs and log: pg_lsn, tid, xid, xid8, cid, vectors, snapshots, names."""

from __future__ import annotations

from struct import Struct
from typing import Any, NamedTuple

from .. import _oids
from .._oids import CHAR_OID, CSTRING_OID, INT2_OID, INT2VECTOR_OID, OID_OID, OIDVECTOR_OID
from ..abc import Buffer
from ..adapt import Dumper, Format, Loader
from ..adapt.base import subclass
from .rendered import RenderedLoader
from .string import TextBinaryLoader, TextLoader

_UINT4 = Struct("!I")
_UINT8 = Struct("!Q")
_TID = Struct("!IH")  # block, offset
_VECTOR = Struct("!iiIii")  # as of an array: dimensions, NULLs, type, length, lower bound
_SNAPSHOT = Struct("!iqq")  # how many transactions, the first of them, the end of all
_ELEMENTS = {INT2VECTOR_OID: (INT2_OID, Struct("!ih")), OIDVECTOR_OID: (OID_OID, Struct("!iI"))}
_JSONPATH_VERSION = b"\x01"


# -- values --------------------------------------------------------------------------------------


class Lsn(int):
    """A position in the write-ahead log, in bytes: pg_lsn. Its str is `16/B374D848`."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"{self >> 32:X}/{self & 0xFFFFFFFF:X}"

    def __repr__(self) -> str:
        return f"Lsn({int(self)})"


class Tid(NamedTuple):
    """Where a row is in its table, as `ctid` says."""

    block: int
    offset: int

    def __str__(self) -> str:
        return f"({self.block},{self.offset})"


class Xid(int):
    """The number of a transaction, which starts anew after 4294967295: xid."""

    __slots__ = ()


class Xid8(int):
    """The number of a transaction: xid8."""

    __slots__ = ()


class Cid(int):
    """The number of a command in its transaction: cid."""

    __slots__ = ()


class _Kind(NamedTuple):
    cls: type[Any]
    struct: Struct

    def from_text(self, text: str) -> Any:
        if self.cls is Tid:
            return Tid(*map(int, text.strip("()").split(",")))
        if self.cls is Lsn:
            high, low = (int(digits, 16) for digits in text.split("/"))
            return Lsn((high << 32) + low)
        return self.cls(text)

    def from_binary(self, data: Buffer) -> Any:
        return self.cls(*self.struct.unpack(data))

    def from_any(self, obj: Any) -> Any:
        if isinstance(obj, str):
            return self.from_text(obj)
        return self.cls(*obj) if isinstance(obj, tuple) else self.cls(obj)


_KINDS = {
    _oids.PG_LSN_OID: _Kind(Lsn, _UINT8),
    _oids.TID_OID: _Kind(Tid, _TID),
    _oids.XID_OID: _Kind(Xid, _UINT4),
    _oids.XID8_OID: _Kind(Xid8, _UINT8),
    _oids.CID_OID: _Kind(Cid, _UINT4),
}


# -- dumpers -------------------------------------------------------------------------------------


class SystemDumper(Dumper):
    """Writes a value, or the text of one, in text."""

    def dump(self, obj: Any) -> bytes:
        """Write it as the server does."""
        return str(_KINDS[self.oid].from_any(obj)).encode()


class SystemBinaryDumper(Dumper):
    """Writes a value, or the text of one, in binary."""

    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        """Write its numbers."""
        kind = _KINDS[self.oid]
        value = kind.from_any(obj)
        return kind.struct.pack(*value) if isinstance(value, tuple) else kind.struct.pack(value)


class VectorDumper(Dumper):
    """Writes a list of numbers as int2vector or oidvector in text."""

    def dump(self, obj: list[int]) -> bytes:
        """Write `1 2 3`."""
        return b" ".join(b"%d" % number for number in obj)


class VectorBinaryDumper(Dumper):
    """Writes a list of numbers as int2vector or oidvector in binary."""

    format = Format.BINARY

    def dump(self, obj: list[int]) -> bytes:
        """Write an array that is counted from 0."""
        oid, struct = _ELEMENTS[self.oid]
        header = _VECTOR.pack(1, 0, oid, len(obj), 0)
        return header + b"".join(struct.pack(struct.size - 4, number) for number in obj)


def _for_oid(oid: int, *dumpers: type[Dumper]) -> list[type[Dumper]]:
    return [subclass(dumper, oid=oid) for dumper in dumpers]


# -- loaders: values -----------------------------------------------------------------------------


class SystemLoader(Loader):
    """Reads text as a value."""

    def load(self, data: Buffer) -> Any:
        """Read a value."""
        return _KINDS[self.oid].from_text(str(data, "ascii"))


class SystemBinaryLoader(Loader):
    """Reads binary as a value."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Any:
        """Read a value."""
        return _KINDS[self.oid].from_binary(data)


class VectorLoader(Loader):
    """Reads int2vector and oidvector in text."""

    def load(self, data: Buffer) -> list[int]:
        """Read a list."""
        return list(map(int, bytes(data).split()))


class VectorBinaryLoader(Loader):
    """Reads int2vector and oidvector in binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> list[int]:
        """Read a list."""
        return _vector(self.oid, data)


def _vector(vector_oid: int, data: Buffer) -> list[int]:
    oid, struct = _ELEMENTS[vector_oid]
    header, items = _VECTOR.unpack_from(data), data[_VECTOR.size :]
    if header != (1, 0, oid, len(items) // struct.size, 0):
        raise ValueError(f"a vector of {header} with {len(items)} bytes")
    lengths_and_numbers = list(struct.iter_unpack(items))
    if any(length != struct.size - 4 for length, _ in lengths_and_numbers):
        raise ValueError(f"expected elements of {struct.size - 4} bytes")
    return [number for _, number in lengths_and_numbers]


# -- loaders: text -------------------------------------------------------------------------------


class SystemTextBinaryLoader(RenderedLoader):
    """Reads binary as the text of a value."""

    def _render(self, data: bytes) -> bytes:
        return str(_KINDS[self.oid].from_binary(data)).encode()


class VectorTextBinaryLoader(RenderedLoader):
    """Reads int2vector and oidvector in binary as text."""

    def _render(self, data: bytes) -> bytes:
        return b" ".join(b"%d" % number for number in _vector(self.oid, data))


class SnapshotBinaryLoader(RenderedLoader):
    """Reads pg_snapshot and txid_snapshot in binary."""

    def _render(self, data: bytes) -> bytes:
        count, first, end = _SNAPSHOT.unpack_from(data)
        running = data[_SNAPSHOT.size :]
        if len(running) != count * _UINT8.size:
            raise ValueError(f"{count} transactions in {len(running)} bytes")
        numbers = ",".join(str(number) for (number,) in _UINT8.iter_unpack(running))
        return f"{first}:{end}:{numbers}".encode()


class NameOfOidBinaryLoader(RenderedLoader):
    """Reads regclass and its kin in binary: the digits of the oid, since the name isn't sent."""

    def _render(self, data: bytes) -> bytes:
        (oid,) = _UINT4.unpack(data)
        return b"%d" % oid if oid else b"-"


class CharLoader(TextLoader):
    """Reads "char" in text: a character, or nothing; a byte that isn't ASCII as `\\\\377`."""

    def load(self, data: Buffer) -> str | bytes:
        """Read a character."""
        data = bytes(data)
        # Servers before 15 send the bare byte in text, too.
        if len(data) == 1 and data[0] > 0x7F:
            data = b"\\%o" % data[0]
        return super().load(data)


class CharBinaryLoader(CharLoader):
    """Reads "char" in binary, which has the byte itself."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str | bytes:
        """Read a character."""
        if len(data) != 1:
            raise ValueError("expected a byte")
        return super().load(b"" if data == b"\0" else data)


class JsonpathBinaryLoader(RenderedLoader):
    """Reads jsonpath in binary: a version, then the text."""

    def _render(self, data: bytes) -> bytes:
        if data[:1] != _JSONPATH_VERSION:
            raise ValueError("expected version 1 of jsonpath's binary form")
        return data[1:]


_NAMES = [
    getattr(_oids, name) for name in dir(_oids) if name.startswith("REG") and "_ARRAY" not in name
]

DUMPERS = (
    *((kind.cls, *_for_oid(oid, SystemDumper, SystemBinaryDumper)) for oid, kind in _KINDS.items()),
    *((None, *_for_oid(oid, VectorDumper, VectorBinaryDumper)) for oid in _ELEMENTS),
)
LOADERS = (
    *((oid, SystemTextBinaryLoader) for oid in _KINDS),
    *((oid, VectorTextBinaryLoader) for oid in _ELEMENTS),
    *((oid, SnapshotBinaryLoader) for oid in (_oids.PG_SNAPSHOT_OID, _oids.TXID_SNAPSHOT_OID)),
    *((oid, NameOfOidBinaryLoader) for oid in _NAMES),
    *((oid, TextBinaryLoader) for oid in (_oids.REFCURSOR_OID, CSTRING_OID)),
    (_oids.JSONPATH_OID, JsonpathBinaryLoader),
    (CHAR_OID, CharLoader, CharBinaryLoader),
)
VALUE_LOADERS = (
    *((oid, SystemLoader, SystemBinaryLoader) for oid in _KINDS),
    *((oid, VectorLoader, VectorBinaryLoader) for oid in _ELEMENTS),
)
