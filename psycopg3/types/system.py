"""Types of the server's own catalogs and log: pg_lsn, tid, xid, xid8, cid, vectors, snapshots, names."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Any, ClassVar, NamedTuple, Self

from .. import _oids
from .._oids import CHAR_OID
from ..abc import AdaptContext, Buffer
from ..adapt import Dumper, Format, Loader
from ..adapt.base import BinaryDumper, frameless, subclass
from .numeric import IntLoader
from .rendered import RenderedLoader
from .string import StrBinaryDumper, TextBinaryLoader, TextLoader

_UINT4 = Struct("!I")
_UINT8 = Struct("!Q")
_LSN = Struct("!II")
_TID = Struct("!IH")  # block, offset
_VECTOR = Struct("!iiIii")  # as of an array: dimensions, NULLs, type, length, lower bound
_SNAPSHOT = Struct("!iqq")  # how many transactions, the first of them, the end of all
_LENGTH = 4  # bytes of the length of an element
_JSONPATH_VERSION = b"\x01"


# -- values --------------------------------------------------------------------------------------


class _Number(int):
    __slots__ = ()
    _struct: ClassVar[Struct] = _UINT4

    @classmethod
    def _make(cls, obj: int) -> Self:
        return cls(obj)

    @classmethod
    def _parse(cls, text: str) -> Self:
        return cls(text)

    @classmethod
    def _unpack(cls, data: Buffer) -> Self:
        return cls(*cls._struct.unpack(data))

    def _pack(self) -> bytes:
        return self._struct.pack(self)


class Lsn(_Number):
    """A position in the write-ahead log, in bytes: pg_lsn. Its str is `16/B374D848`.

    Servers since 19 write `0/00000010` where its str, which all of them read, is `0/10`.
    """

    __slots__ = ()
    _struct = _UINT8

    @classmethod
    def _parse(cls, text: str) -> Self:
        high, low = (int(digits, 16) for digits in text.split("/"))
        return cls((high << 32) + low)

    def __str__(self) -> str:
        return f"{self >> 32:X}/{self & 0xFFFFFFFF:X}"

    def __repr__(self) -> str:
        return f"Lsn({int(self)})"


class Xid(_Number):
    """The number of a transaction, which starts anew after 4294967295: xid."""

    __slots__ = ()


class Xid8(_Number):
    """The number of a transaction: xid8."""

    __slots__ = ()
    _struct = _UINT8


class Cid(_Number):
    """The number of a command in its transaction: cid."""

    __slots__ = ()


class Tid(NamedTuple):
    """Where a row is in its table, as `ctid` says."""

    block: int
    offset: int

    @classmethod
    def _parse(cls, text: str) -> Tid:
        return cls(*map(int, text.strip("()").split(",")))

    @classmethod
    def _unpack(cls, data: Buffer) -> Tid:
        return cls(*_TID.unpack(data))

    def _pack(self) -> bytes:
        return _TID.pack(*self)

    def __str__(self) -> str:
        return f"({self.block},{self.offset})"


class _Vector(tuple[int, ...]):
    __slots__ = ()
    _element_oid: ClassVar[int]
    _element: ClassVar[Struct]  # its length, and it

    @classmethod
    def _make(cls, obj: Iterable[int]) -> Self:
        return cls(obj)

    @classmethod
    def _parse(cls, text: str) -> Self:
        return cls(map(int, text.split()))

    @classmethod
    def _unpack(cls, data: Buffer) -> Self:
        element = cls._element
        header, items = _VECTOR.unpack_from(data), data[_VECTOR.size :]
        if header != (1, 0, cls._element_oid, len(items) // element.size, 0):
            raise ValueError(f"a vector of {header} with {len(items)} bytes")
        pairs = list(element.iter_unpack(items))
        if any(length != element.size - _LENGTH for length, _ in pairs):
            raise ValueError(f"expected elements of {element.size - _LENGTH} bytes")
        return cls(number for _, number in pairs)

    def _pack(self) -> bytes:
        size = self._element.size - _LENGTH
        header = _VECTOR.pack(1, 0, self._element_oid, len(self), 0)
        return header + b"".join(self._element.pack(size, number) for number in self)

    def __str__(self) -> str:
        return " ".join(map(str, self))


class Int2Vector(_Vector):
    """Numbers of columns: int2vector. Its str is `1 2 3`."""

    __slots__ = ()
    _element_oid = _oids.INT2_OID
    _element = Struct("!ih")


class OidVector(_Vector):
    """Oids: oidvector. Its str is `1 2 3`."""

    __slots__ = ()
    _element_oid = _oids.OID_OID
    _element = Struct("!iI")


_CLASSES: dict[int, type[Any]] = {
    _oids.PG_LSN_OID: Lsn,
    _oids.TID_OID: Tid,
    _oids.XID_OID: Xid,
    _oids.XID8_OID: Xid8,
    _oids.CID_OID: Cid,
    _oids.INT2VECTOR_OID: Int2Vector,
    _oids.OIDVECTOR_OID: OidVector,
}
_VECTORS = (_oids.INT2VECTOR_OID, _oids.OIDVECTOR_OID)


# -- dumpers -------------------------------------------------------------------------------------


class SystemDumper(Dumper):
    """Writes a value, or the text of one, in text."""

    def dump(self, obj: Any) -> bytes:
        """Write it as the server does."""
        return str(_value(self.oid, obj)).encode()


class SystemBinaryDumper(Dumper):
    """Writes a value, or the text of one, in binary."""

    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        """Write its numbers."""
        data: bytes = _value(self.oid, obj)._pack()
        return data


class Oid8BinaryDumper(BinaryDumper):
    """Writes an int as oid8, of servers since 19, in binary."""

    oid = _oids.OID8_OID

    dump = frameless(_UINT8.pack)
    """Write an int."""


class CharBinaryDumper(StrBinaryDumper):
    """Writes a character, or none, as "char" in binary."""

    oid = CHAR_OID

    def dump(self, obj: str) -> bytes:
        """Write a byte; `\\\\377` is one, too, as in text."""
        data = super().dump(obj)
        return bytes((int(data[1:], 8),)) if len(data) == 4 and data[:1] == b"\\" else data or b"\0"


class JsonpathBinaryDumper(StrBinaryDumper):
    """Writes a str as jsonpath in binary: a version, then the text."""

    oid = _oids.JSONPATH_OID

    def dump(self, obj: str) -> bytes:
        """Write the version, and the text."""
        return _JSONPATH_VERSION + super().dump(obj)


class RefcursorBinaryDumper(StrBinaryDumper):
    """Writes a str as refcursor in binary, which has the same bytes."""

    oid = _oids.REFCURSOR_OID


def _value(oid: int, obj: Any) -> Any:
    """Make a value of the type of what stands for one."""
    cls = _CLASSES[oid]
    return cls._parse(obj) if isinstance(obj, str) else cls._make(obj)


# -- loaders: values -----------------------------------------------------------------------------


class SystemLoader(Loader):
    """Reads text as a value."""

    def load(self, data: Buffer) -> Any:
        """Read a value."""
        return _CLASSES[self.oid]._parse(str(data, "ascii"))


class SystemBinaryLoader(Loader):
    """Reads binary as a value."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Any:
        """Read a value."""
        return _CLASSES[self.oid]._unpack(data)


class Oid8BinaryLoader(Loader):
    """Reads oid8, of servers since 19, in binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> int:
        """Read an int."""
        number: int
        (number,) = _UINT8.unpack(data)
        return number


# -- loaders: text -------------------------------------------------------------------------------


class SystemTextBinaryLoader(RenderedLoader):
    """Reads binary as the text of a value."""

    def _render(self, data: bytes) -> bytes:
        return str(_CLASSES[self.oid]._unpack(data)).encode()


class LsnTextBinaryLoader(RenderedLoader):
    """Reads pg_lsn in binary as its text: its second half has all eight digits since server 19."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        conn = self.connection
        is_padded = conn is not None and conn.pgconn.server_version >= 190000
        self._form = b"%X/%08X" if is_padded else b"%X/%X"

    def _render(self, data: bytes) -> bytes:
        return self._form % _LSN.unpack(data)


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
    *(
        (cls, subclass(SystemDumper, oid=oid), subclass(SystemBinaryDumper, oid=oid))
        for oid, cls in _CLASSES.items()
    ),
    # Text, since no server reads an empty vector in binary, though it writes one.
    *((cls, subclass(SystemDumper, oid=oid)) for oid, cls in _CLASSES.items() if oid in _VECTORS),
    (None, CharBinaryDumper, JsonpathBinaryDumper, RefcursorBinaryDumper, Oid8BinaryDumper),
)
LOADERS = (
    (_oids.OID8_OID, IntLoader, Oid8BinaryLoader),
    *((oid, SystemTextBinaryLoader) for oid in _CLASSES),
    (_oids.PG_LSN_OID, LsnTextBinaryLoader),
    *((oid, SnapshotBinaryLoader) for oid in (_oids.PG_SNAPSHOT_OID, _oids.TXID_SNAPSHOT_OID)),
    *((oid, NameOfOidBinaryLoader) for oid in _NAMES),
    *((oid, TextBinaryLoader) for oid in (_oids.REFCURSOR_OID, _oids.CSTRING_OID)),
    (_oids.JSONPATH_OID, JsonpathBinaryLoader),
    (CHAR_OID, CharLoader, CharBinaryLoader),
)
VALUE_LOADERS = tuple((oid, SystemLoader, SystemBinaryLoader) for oid in _CLASSES)
