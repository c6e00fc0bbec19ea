"""libpq's small records, and the words for what it is given and gives."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview
"""What may be given for bytes. Never str: libpq knows no encodings."""

Pointer: TypeAlias = Any
"""A pointer as the binding has it: false when NULL, and nothing to look into."""


class PGnotify(NamedTuple):
    """A notification: the channel, the notifying backend's process id, the payload."""

    relname: bytes
    be_pid: int
    extra: bytes


class ConninfoOption(NamedTuple):
    """An option of connection strings.

    Attributes:
        keyword: its name.
        envvar: the environment variable that its default comes from, if any.
        compiled: the default compiled into libpq, if any.
        val: its value, if any; not shown by `repr` when it is a secret.
        label: what to call it in a dialog.
        dispchar: b"*" for a secret, b"D" for one to show to experts only, b"" for others.
        dispsize: the width of its field in a dialog, in characters.
    """

    keyword: bytes
    envvar: bytes | None
    compiled: bytes | None
    val: bytes | None
    label: bytes
    dispchar: bytes
    dispsize: int

    def __repr__(self) -> str:
        shown = self._replace(val=b"***") if self.dispchar == b"*" and self.val else self
        fields = (f"{name}={value!r}" for name, value in zip(self._fields, shown, strict=True))
        return f"ConninfoOption({', '.join(fields)})"


class PGresAttDesc(NamedTuple):
    """A column of a result, as `PGresult.set_attributes` takes it."""

    name: bytes
    tableid: int
    columnid: int
    format: int
    typid: int
    typlen: int
    atttypmod: int
