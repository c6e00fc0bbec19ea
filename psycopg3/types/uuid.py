"""UUID: uuid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._oids import UUID_OID
from ..abc import AdaptContext, Buffer
from ..adapt import Dumper, Format, Loader
from ..adapt.base import BinaryDumper

if TYPE_CHECKING:
    from uuid import UUID
else:  # it takes long to import; `typing.get_type_hints()` wants the name
    UUID = Any


class UUIDDumper(Dumper):
    """UUID in text."""

    oid = UUID_OID

    def dump(self, obj: UUID) -> bytes:
        """Its 32 hexadecimal digits."""
        return b"%032x" % obj.int


class UUIDBinaryDumper(BinaryDumper):
    """UUID in binary."""

    oid = UUID_OID

    def dump(self, obj: UUID) -> bytes:
        """Its 16 bytes."""
        return obj.int.to_bytes(16, "big")


class _UUIDLoader(Loader):
    """Makes UUIDs; the module, which takes long to import, when there is one to make."""

    contextual = False

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        from uuid import UUID, SafeUUID

        self._uuid = UUID
        self._unknown = SafeUUID.unknown

    def _make(self, number: int) -> UUID:
        # Without UUID(), which looks through its six ways of being called: half the time.
        made = self._uuid.__new__(self._uuid)
        object.__setattr__(made, "int", number)
        object.__setattr__(made, "is_safe", self._unknown)
        return made


class UUIDLoader(_UUIDLoader):
    """uuid in text."""

    def load(self, data: Buffer) -> UUID:
        """The UUID of 32 hexadecimal digits, whatever the hyphens between them."""
        digits = bytes(data).replace(b"-", b"")
        if len(digits) != 32 or not digits.isalnum():
            raise ValueError("expected 32 hexadecimal digits")
        return self._make(int(digits, 16))


class UUIDBinaryLoader(_UUIDLoader):
    """uuid in binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> UUID:
        """The UUID of 16 bytes."""
        if len(data) != 16:
            raise ValueError("expected 16 bytes")
        return self._make(int.from_bytes(data, "big"))


DUMPERS = (("uuid.UUID", UUIDDumper, UUIDBinaryDumper),)
LOADERS = ((UUID_OID, UUIDLoader, UUIDBinaryLoader),)
