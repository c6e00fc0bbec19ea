"""What libpq may be given: every text, value and count is checked here before libpq sees it.

libpq takes C strings, which end at a zero byte, and lengths as C ints, which wrap: both would
silently send something else than what was meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ..errors import DataError, ProgrammingError
from .records import Buffer

# A value of PostgreSQL is shorter than 1 GiB; so is a message that the server accepts.
LONGEST = (1 << 30) - 1
# The protocol counts parameters in 16 bits.
MOST_PARAMETERS = 65535

Parameters: TypeAlias = tuple[list[bytes | None], list[int] | None]


def data(value: Buffer, what: str) -> bytes:
    """Any bytes, zero bytes included.

    Raises:
        TypeError: it is str, or no buffer at all.
        DataError: it is longer than 1 GiB - 1.
    """
    if type(value) is bytes and len(value) <= LONGEST:
        return value
    try:
        view = memoryview(value)
    except TypeError:
        got = type(value).__name__
        raise TypeError(f"{what}: got {got}, expected bytes, bytearray or memoryview") from None
    if view.nbytes > LONGEST:
        raise DataError(
            f"{what}: got {view.nbytes} bytes, PostgreSQL takes {LONGEST} (1 GiB - 1) at most"
        )
    return view.tobytes()


def text(value: Buffer, what: str) -> bytes:
    """Text of a query, a name, a message: no zero bytes.

    Raises:
        TypeError, DataError: as `data`; DataError for a zero byte too.
    """
    checked = data(value, what)
    if 0 in checked:  # much faster than b"\0" in checked
        at = checked.index(b"\0")
        raise DataError(f"{what}: got a NUL byte at offset {at}: PostgreSQL's text can't hold one")
    return checked


def statement(name: Buffer) -> bytes:
    """The name of a prepared statement; raises as `text`."""
    return text(name, "statement name")


def portal(name: Buffer) -> bytes:
    """The name of a portal; raises as `text`."""
    return text(name, "portal name")


def conninfo(value: Buffer) -> bytes:
    """A connection string. What follows a zero byte would be ignored, so that is refused.

    Raises:
        TypeError, DataError: as `data`.
        ProgrammingError: there is a zero byte.
    """
    checked = data(value, "connection string")
    if b"\0" in checked:
        raise ProgrammingError("connection string: got a NUL byte: remove it")
    return checked


def parameters(
    values: Sequence[Buffer | None], types: Sequence[int] | None, formats: Sequence[int] | None
) -> Parameters:
    """The values as bytes, and their lengths if one is binary: only then does libpq want them.

    Raises:
        TypeError: a value is no buffer.
        ValueError: `types` or `formats` are not as many as `values`.
        DataError: too many, too long, or a zero byte in text.
    """
    count = len(values)
    if count > MOST_PARAMETERS:
        raise DataError(
            f"got {count} parameters, a query takes {MOST_PARAMETERS} at most:"
            " pass arrays, or use COPY"
        )
    if types is not None and len(types) != count:
        raise ValueError(f"got {count} parameter values but {len(types)} parameter types")
    if formats is not None and len(formats) != count:
        raise ValueError(f"got {count} parameter values but {len(formats)} parameter formats")
    binary = formats if formats is not None and any(formats) else None
    checked: list[bytes | None] = []
    total = 0
    for i, value in enumerate(values):
        if value is not None:
            if type(value) is not bytes or len(value) > LONGEST:
                value = data(value, f"parameter ${i + 1}")
            if (binary is None or not binary[i]) and 0 in value:
                text(value, f"parameter ${i + 1}")
            total += len(value)
        checked.append(value)
    if total > LONGEST:
        raise DataError(
            f"got parameters of {total} bytes together,"
            f" PostgreSQL takes {LONGEST} (1 GiB - 1) at most"
        )
    lengths = None if binary is None else [0 if v is None else len(v) for v in checked]
    return checked, lengths


def counted(types: Sequence[int] | None) -> int:
    """How many parameter types are given.

    Raises:
        DataError: too many.
    """
    count = len(types) if types is not None else 0
    if count > MOST_PARAMETERS:
        raise DataError(f"got {count} parameter types, a query takes {MOST_PARAMETERS} at most")
    return count
