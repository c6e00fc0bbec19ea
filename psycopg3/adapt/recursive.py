"""RecursiveDumper and RecursiveLoader: for types made of others, arrays and composites."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..abc import AdaptContext, Buffer, ConnectionLike, PyFormat
from ..abc import Dumper as DumperLike
from ..encodings import OVERLAPPING
from ..errors import DataError, ProgrammingError
from ..pq import Format
from .base import Dumper, Loader
from .loading import BROKEN, is_ours, unwritable
from .transformer import Transformer

R = TypeVar("R", bound="RecursiveDumper")

# A tuple in a tuple in a tuple: at each level the text has every quote and backslash twice.
_DEEPEST = 20


class _PayloadError(DataError, ValueError):
    """A ValueError, so that the `Transformer` says the type and shows the start of the payload."""


def _nested(context: AdaptContext | None, error: type[DataError]) -> Transformer:
    """A transformer for the parts of a value.

    One of its own: that of the context keeps the adapter, and would be kept by it, so that a
    connection forgotten by its user would wait for the garbage collector.
    """
    made = Transformer(context)
    made.depth = getattr(context, "depth", 0) + 1
    if made.depth > _DEEPEST:
        raise error(f"got values nested deeper than {_DEEPEST}, or in themselves")
    return made


class RecursiveDumper(Dumper):
    """A dumper that has its parts dumped by the transformer `_tx`."""

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self._tx = _nested(context, DataError)
        self._typed: dict[tuple[int, type], DumperLike] = {}

    @property
    def connection(self) -> ConnectionLike | None:
        """The connection the adapter works for, if any; it isn't kept alive."""
        return self._tx.connection

    @connection.setter
    def connection(self, value: ConnectionLike | None) -> None:
        """Nothing: `_tx` knows it."""

    def _beside(self, cls: type[R]) -> R:
        """Another dumper for the same objects, at the same depth."""
        made = cls(self.cls, self._tx)
        made._tx = self._tx
        return made

    def _dump_text(self, part: Any) -> bytes | None:
        """A part in text, in an encoding whose bytes below 128 are ASCII; None for NULL."""
        data = None if part is None else self._tx.get_dumper(part, PyFormat.TEXT).dump(part)
        if data is None:
            return None
        encoding = self._tx.text_encoding
        return str(data, encoding).encode() if encoding in OVERLAPPING else bytes(data)

    def _joined_text(self, whole: bytes) -> bytes:
        """A text of such parts in the connection's encoding."""
        encoding = self._tx.text_encoding
        return whole.decode().encode(encoding) if encoding in OVERLAPPING else whole

    def _dump_binary(self, part: Any, oid: int) -> Buffer | None:
        """A part in binary, as a type that is given; None for NULL.

        Raises:
            DataError: it is no value of this type.
        """
        if part is None:
            return None
        dumper = self._dumper_as(oid, part)
        try:
            return dumper.dump(part)
        except BROKEN as ex:
            if isinstance(ex, DataError) or not is_ours(dumper.dump):
                raise
            raise unwritable(ex, part, self._tx.type_name(oid)) from ex

    def _dumper_as(self, oid: int, part: Any) -> DumperLike:
        try:
            dumper = self._tx.get_dumper(part, PyFormat.BINARY)
            if dumper.oid == oid:
                return dumper
        except ProgrammingError:  # none in binary: one for the type may take it
            pass
        key = (oid, type(part))
        if key not in self._typed:
            made = self._tx.adapters.get_dumper_by_oid(oid, Format.BINARY)
            self._typed[key] = made(type(part), self._tx)
        return self._typed[key]


class RecursiveLoader(Loader):
    """A loader that has its parts loaded by the transformer `_tx`."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._tx = _nested(context, _PayloadError)

    def _plain(self, data: Buffer) -> bytes:
        """Text in an encoding whose bytes below 128 are ASCII."""
        encoding = self._tx.text_encoding
        return str(data, encoding).encode() if encoding in OVERLAPPING else bytes(data)

    def _part_loader(self, oid: int) -> Callable[[Any], Any]:
        """What loads the parts of a type; in text those of `_plain()`."""
        load = self._tx.get_loader(oid, self.format).load
        encoding = self._tx.text_encoding
        if self.format or encoding not in OVERLAPPING:
            return load
        return lambda part: load(part.decode().encode(encoding))
