"""What libpq's pointers point to, as Python values, through cffi.

The same functions exist for every binding, which `tests/pq/test_binding.py` holds: what `pgconn.py` and
`pgresult.py` need besides a plain call. What would take many calls from Python is done in one, in
memory_cffi.c.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from functools import partial
from struct import pack
from types import TracebackType
from typing import Any

from . import libpq_cffi as lib
from ._libpq_cffi import ffi
from ._libpq_cffi import lib as extension
from .records import PGresAttDesc, Pointer

NULL: Pointer = ffi.NULL

# Giving the address: values with zero bytes don't survive as C strings.
_value_address: Callable[[Pointer, int, int], Pointer] = lib._function("PQgetvalue", 14)
_value_length = extension.value_length

_advance, _take_found = extension.conn_advance, extension.found_take
_send_parameters = extension.send_parameters

# What memory_ctypes.py says of them is done in C.
reports, send_query = extension.conn_reports, extension.send_query

_from_buffer, _gc, _new = ffi.from_buffer, ffi.gc, ffi.new
_string, _unpack = ffi.string, ffi.unpack
copy = ffi.unpack
"""A copy of so many bytes."""
_new_unset = ffi.new_allocator(should_clear_after_alloc=False)

# CPython frees a result when its last reference goes. PyPy waits until there is much to collect, so
# it has to know how much a result holds.
_counts_references = sys.implementation.name == "cpython"
_clear = extension.result_clear if _counts_references else lib.PQclear

# What conn_advance() returns when there is no room for more results, and takes to go on.
_FULL = 4

# To copy parameters side by side, for C to find them again, is cheaper than an array of pointers
# made by cffi, as long as there is little to copy.
_LITTLE = 1 << 16

# Arrays by what is in them.
_oids: dict[tuple[int, ...] | None, Pointer] = {None: NULL, (): NULL}
_MOST_OIDS = 1000


def address(pointer: Pointer) -> int | None:
    """The address as a number, None for NULL."""
    return int(ffi.cast("uintptr_t", pointer)) if pointer else None


def _owned(result: Pointer) -> Pointer:
    return _gc(result, _clear, lib.PQresultMemorySize(result))


owned = partial(_gc, destructor=_clear) if _counts_references else _owned
"""The result as a pointer that frees it with its last reference, by C alone."""


def found() -> Pointer:
    """A place for the results of one connection, from `advance` finding them to their delivery."""
    return _gc(_new("FOUND *"), extension.found_clear)


def advance(
    conn: Pointer, ready: int, found: Pointer, results: list[Any], make: Callable[[Pointer], Any]
) -> int:
    """What `PGconn.advance` says; -1 if flushing failed, -2 if reading did."""
    while True:
        try:
            wanted: int = _advance(conn, ready, found)
        finally:
            # Also if a signal's handler has raised: it does when all is done.
            while result := _take_found(found):
                results.append(make(owned(result)))
        if wanted != _FULL:
            return wanted
        ready = _FULL


def value(result: Pointer, row: int, column: int) -> bytes | None:
    """A copy of one value of a result, None for SQL's NULL."""
    length = _value_length(result, row, column)
    if length < 0:
        return None
    data: bytes = _unpack(_value_address(result, row, column), length) if length else b""
    return data


def column(result: Pointer, column: int, row0: int, row1: int) -> tuple[list[bytes | None], bool]:
    """Copies of the values of one column, from `row0` to before `row1`; whether one may be NULL.

    SQL's NULL is None or an empty value here: `PGresult.column` tells which.
    """
    count = row1 - row0
    size = extension.column_size(result, column, row0, row1)
    block = _new_unset("char[]", size)
    values: list[bytes | None]
    if lib.PQfformat(result, column):
        ends = _new_unset("size_t[]", count)
        empty = extension.column_bytes(result, column, row0, row1, block, ends)
        data, stops = _unpack(block, size), _unpack(ends, count)
        starts = [0, *stops]
        values = [data[start:stop] for start, stop in zip(starts, stops)]  # noqa: B905
    else:
        empty = extension.column_texts(result, column, row0, row1, block)
        # Text has no zero bytes. A third of what slices cost.
        values = _unpack(block, size).split(b"\0")
        values.pop()
        if len(values) != count:
            return [value(result, row, column) for row in range(row0, row1)], True
    return values, bool(empty)


def ints(result: Pointer, column: int, row0: int, row1: int) -> list[int] | None:
    """The values of a column of text as integers; None if they aren't all plain ones."""
    numbers = _new_unset("long long[]", row1 - row0)
    if not extension.column_ints(result, column, row0, row1, numbers):
        return None
    values: list[int] = _unpack(numbers, row1 - row0)
    return values


def oids(types: Sequence[int] | None) -> Pointer:
    """An array of oids; NULL for none."""
    try:
        return _oids[types]  # type: ignore[index]
    except (KeyError, TypeError):
        array = _new("Oid[]", types)
    if type(types) is tuple and len(_oids) < _MOST_OIDS and len(types) <= 64:
        _oids[types] = array
    return array


def parameters(
    values: Sequence[bytes | None], lengths: Sequence[int] | None, formats: Sequence[int] | None
) -> tuple[Any, ...]:
    """The C arguments `values, lengths, formats` of the functions that send parameters."""
    if not values:
        return (NULL, NULL, NULL)
    pointers = [NULL if value is None else _from_buffer(value) for value in values]
    if lengths is None or formats is None:
        return (pointers, NULL, NULL)
    return (pointers, lengths, list(formats))


def send_parameters(conn: Pointer, prepared: bool, given: tuple[Any, ...]) -> int:
    """Send a query, or the name of a prepared one, with values; the result is as `send_query`'s.

    Args:
        given: the query, values, types, lengths, formats, result format.
    """
    query, values, types, lengths, formats, result_format = given
    count, data, pointers, sizes, kinds = len(values), NULL, NULL, NULL, NULL
    if lengths is not None and formats is not None:
        kinds = bytes(formats)
    if None in values:
        lengths = [-1 if value is None else len(value) for value in values]
        values = [value or b"" for value in values]
    if lengths is not None:
        sizes = pack(f"{count}i", *lengths)
    if count == 1:
        data = values[0]
    elif sum(map(len, values)) < _LITTLE:
        data = b"\0".join(values)
    else:
        pointers = [_from_buffer(value) for value in values]
    array = NULL
    if not prepared:
        array = (_oids.get(types) if type(types) is tuple else None) or oids(types)
    sent: int = _send_parameters(
        conn, query, prepared, count, array, data, pointers, sizes, kinds, result_format
    )
    return sent


def string(pointer: Pointer) -> bytes | None:
    """A copy of a C string; None for NULL."""
    return _string(pointer) if pointer else None


def cell(kind: str) -> Pointer:
    """A place for C to put one value of a type: a `char *`, `size_t` or `int`; read by `[0]`."""
    return _new(f"{kind}[1]")


def room(size: int) -> Pointer:
    """A place for C to put so many bytes."""
    return _new("char[]", size)


def set_attributes(result: Pointer, descriptions: Sequence[PGresAttDesc]) -> int:
    """PQsetResultAttrs: 0 when it failed."""
    # libpq copies the names; until then the list holds them.
    names = [_new("char[]", description.name) for description in descriptions]
    records = _new(
        "PGresAttDesc[]",
        [(name, *rest) for name, (_, *rest) in zip(names, descriptions, strict=True)],
    )
    return lib.PQsetResultAttrs(result, len(descriptions), records)


_receivers: list[Any] = []


def _throw(_kind: type, ex: BaseException, traceback: TracebackType) -> None:
    ffi.from_handle(traceback.tb_frame.f_locals["argument"]).throw(ex)


def _receive_notice(argument: Pointer, result: Pointer) -> None:
    ffi.from_handle(argument).send(result)


# What a signal's handler raises outside of the generator would be lost: it is thrown into it.
ffi.def_extern("receive_notice", onerror=_throw)(_receive_notice)
notice_receiver: Pointer = extension.receive_notice
"""The C function that sends each notice's result to the generator that is its argument."""


def notice_argument(receiver: Generator[None, Pointer, None]) -> Pointer:
    """The `arg` of PQsetNoticeReceiver for a generator, which is kept for ever."""
    _receivers.append(ffi.new_handle(receiver))
    return _receivers[-1]


def open_stream(fileno: int) -> Pointer:
    """A C stream that writes to a duplicate of the descriptor: closing it leaves yours open."""
    import os

    duplicate = os.dup(fileno)
    stream = extension.stream_open(duplicate)
    if not stream:
        number = ffi.errno
        os.close(duplicate)
        raise OSError(number, f"fdopen({fileno}) failed")
    return stream


def close_stream(stream: Pointer) -> None:
    """Flush and close a stream of `open_stream`."""
    extension.stream_close(stream)
