"""Copies of what libpq allocates for its caller, who frees it: here, at once."""

from __future__ import annotations

from .binding import lib, memory
from .records import ConninfoOption, Pointer


def allocated(pointer: Pointer, what: str) -> Pointer:
    """A pointer of libpq's to something that it has allocated; MemoryError for NULL."""
    if not pointer:
        raise MemoryError(f"libpq couldn't allocate {what}")
    return pointer


def take(pointer: Pointer, size: int | None = None) -> bytes:
    """A copy of a C string, or of `size` bytes, which are freed; b"" for NULL."""
    if not pointer:
        return b""
    try:
        return memory.string(pointer) or b"" if size is None else memory.copy(pointer, size)
    finally:
        lib.PQfreemem(pointer)


def options(pointer: Pointer) -> list[ConninfoOption]:
    """A copy of an array of options of connection strings, which is freed; empty for NULL."""
    found: list[ConninfoOption] = []
    if not pointer:
        return found
    *texts, size = ConninfoOption._fields
    try:
        while (record := pointer[len(found)]).keyword:
            copied = [memory.string(getattr(record, name)) for name in texts]
            found.append(ConninfoOption._make([*copied, getattr(record, size)]))
        return found
    finally:
        lib.PQconninfoFree(pointer)
