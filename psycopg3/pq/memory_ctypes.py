"""What libpq's pointers point to, as Python values, through ctypes.

The same functions exist for every binding, which `tests/pq/test_binding.py` holds: what `pgconn.py` and
`pgresult.py` need besides a plain call.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Generator, Sequence
from ctypes import c_char, c_char_p, c_int, c_size_t, c_uint, c_void_p, string_at
from functools import lru_cache
from itertools import repeat
from types import GeneratorType
from typing import Any

from . import libpq_ctypes as lib
from .records import PGresAttDesc, Pointer

NULL: Pointer = None

# PQgetvalue again, giving the address: values with zero bytes don't survive as C strings.
_value_address: Callable[[Pointer, int, int], int] = lib._function(
    lib._quick, "PQgetvalue", 14, c_void_p, None
)
# Reading a short value through an array type made beforehand costs a third of string_at().
_bytes = [c_char * length for length in range(65)]

_cells = {"char *": lib.MemoryPointer * 1, "size_t": c_size_t * 1, "int": c_int * 1}

# Arrays by what is in them.
_oids: dict[tuple[int, ...], Pointer] = {}
_MOST_OIDS = 1000

# COPY_OUT, COPY_IN, COPY_BOTH, PIPELINE_SYNC: after these nothing follows now.
_LAST = frozenset({3, 4, 8, 10})


# ctypes' own cache costs four times as much.
@lru_cache(256)
def _array(item: Any, length: int) -> Any:
    return item * length


def _method(function: Callable[[Pointer], None]) -> Any:
    # A method written in Python could be where a signal's handler runs; and what that raises while
    # something is freed is lost, Ctrl-C with it. CPython can make a method of a C function.
    if sys.implementation.name != "cpython":
        return lambda pointer: function(pointer)
    make = ctypes.pythonapi.PyInstanceMethod_New
    make.restype, make.argtypes = ctypes.py_object, [ctypes.py_object]
    return make(function)


class _OwnedPointer(lib.PGresultPointer):
    """A pointer to a result that is freed with the pointer's last reference."""

    __del__ = _method(lib.PQclear)


def address(pointer: Pointer) -> int | None:
    """The address as a number, None for NULL."""
    value: int | None = pointer.value if pointer else None
    return value


def owned(result: Pointer) -> Pointer:
    """The result as a pointer that frees it with its last reference, by C alone."""
    result.__class__ = _OwnedPointer
    return result


def found() -> Pointer:
    """What `advance` keeps of a connection: nothing here."""
    return NULL


def advance(
    conn: Pointer,
    ready: int,
    found: Pointer,  # noqa: ARG001
    results: list[Any],
    make: Callable[[Pointer], Any],
) -> int:
    """What `PGconn.advance` says; -1 if flushing failed, -2 if reading did."""
    reads = 0
    # PQconsumeInput flushes too.
    if not ready & 1 and lib.PQflush(conn) < 0:
        return -1
    if ready & 1 or (ready == 0 and lib.PQsslInUse(conn)):
        reads = 1
        if not lib.PQconsumeInput(conn):
            return -2
    while True:
        while lib.PQisBusy(conn):
            # A rest of the record may be left in OpenSSL: `receive` in generators.py.
            if reads != 1 or not lib.PQsslInUse(conn):
                left = lib.PQflush(conn)
                return -1 if left < 0 else 3 if left else 1
            reads = 2
            if not lib.PQconsumeInput(conn):
                return -2
        result = lib.PQgetResult(conn)
        if not result:
            return 0
        results.append(make(owned(result)))
        if lib.PQresultStatus(result) in _LAST:
            return 0


def reports(conn: Pointer, name: bytes, value: bytes) -> int:
    """Whether the server reports a setting with this value."""
    return lib.PQparameterStatus(conn, name) == value


def value(result: Pointer, row: int, column: int) -> bytes | None:
    """A copy of one value of a result, None for SQL's NULL."""
    length = lib.PQgetlength(result, row, column)
    if not length:
        return None if lib.PQgetisnull(result, row, column) else b""
    text = lib.PQgetvalue(result, row, column)
    if text is not None and len(text) == length:
        return text
    at = _value_address(result, row, column)
    if length < len(_bytes):
        raw: bytes = _bytes[length].from_address(at).raw
        return raw
    return string_at(at, length)


def column(result: Pointer, column: int, row0: int, row1: int) -> tuple[list[bytes | None], bool]:
    """Copies of the values of one column, from `row0` to before `row1`; whether one may be NULL.

    SQL's NULL is None or an empty value here: `PGresult.column` tells which.
    """
    rows = range(row0, row1)
    # Loops inside C cost half of what loops in Python do.
    cells = repeat(result), rows, repeat(column)
    values: list[bytes | None]
    if lib.PQfformat(result, column):
        lengths = map(lib.PQgetlength, *cells)
        at = map(_value_address, *cells)
        values = [
            (_bytes[n].from_address(at).raw if n < len(_bytes) else string_at(at, n)) if n else b""
            for at, n in zip(at, lengths)  # noqa: B905
        ]
    else:
        # libpq's promise for text: a C string, that is, without zero bytes.
        values = list(map(lib.PQgetvalue, *cells))
    return values, not all(values)


def ints(result: Pointer, column: int, row0: int, row1: int) -> list[int] | None:  # noqa: ARG001
    """None: ctypes has no short way to the values of a column as integers."""
    return None


def oids(types: Sequence[int] | None) -> Pointer:
    """An array of oids; NULL for none."""
    if not types:
        return NULL
    try:
        return _oids[types]  # type: ignore[index]
    except (KeyError, TypeError):
        array = _array(c_uint, len(types))(*types)
    if type(types) is tuple and len(_oids) < _MOST_OIDS and len(types) <= 64:
        _oids[types] = array
    return array


def parameters(
    values: Sequence[bytes | None], lengths: Sequence[int] | None, formats: Sequence[int] | None
) -> tuple[Any, ...]:
    """The C arguments `values, lengths, formats` of the functions that send parameters."""
    if not values:
        return (None, None, None)
    count = len(values)
    pointers = _array(c_char_p, count)(*values)
    if lengths is None or formats is None:
        return (pointers, None, None)
    ints = _array(c_int, count)
    return (pointers, ints(*lengths), ints(*formats))


def send_query(conn: Pointer, query: bytes) -> int:
    """PQsendQuery: 0 when it failed, else the `Wait` bits to wait for."""
    return _sent(conn, lib.PQsendQuery(conn, query))


def send_parameters(conn: Pointer, prepared: bool, given: tuple[Any, ...]) -> int:
    """Send a query, or the name of a prepared one, with values; the result is as `send_query`'s.

    Args:
        given: the query, values, types, lengths, formats, result format.
    """
    query, values, types, lengths, formats, result_format = given
    n, (pointers, sizes, kinds) = len(values), parameters(values, lengths, formats)
    if prepared:
        sent = lib.PQsendQueryPrepared(conn, query, n, pointers, sizes, kinds, result_format)
    else:
        sent = lib.PQsendQueryParams(
            conn, query, n, oids(types), pointers, sizes, kinds, result_format
        )
    return _sent(conn, sent)


def _sent(conn: Pointer, success: int) -> int:
    if not success:
        return 0
    # In a pipeline libpq collects what is to be sent.
    return 3 if lib.PQpipelineStatus(conn) or lib.PQflush(conn) else 1


def string(pointer: Any) -> bytes | None:
    """A copy of a C string, which ctypes may have made already; None for NULL."""
    return string_at(pointer) if pointer and not isinstance(pointer, bytes) else pointer


def copy(pointer: Any, size: int) -> bytes:
    """A copy of so many bytes."""
    return string_at(pointer, size)


def cell(kind: str) -> Any:
    """A place for C to put one value of a type: a `char *`, `size_t` or `int`; read by `[0]`."""
    return _cells[kind]()


def room(size: int) -> Any:
    """A place for C to put so many bytes."""
    return ctypes.create_string_buffer(size)


def set_attributes(result: Pointer, descriptions: Sequence[PGresAttDesc]) -> int:
    """PQsetResultAttrs: 0 when it failed."""
    fields: list[Any] = [tuple(description) for description in descriptions]
    records = (lib.PGresAttDesc * len(fields))(*fields)
    return lib.PQsetResultAttrs(result, len(descriptions), records)


_receivers: list[Any] = []

# Nothing of Python's runs before the generator: what a signal's handler raised there would be lost.
notice_receiver: Pointer = lib.PQnoticeReceiver(GeneratorType.send)
"""The C function that sends each notice's result to the generator that is its argument."""


def notice_argument(receiver: Generator[None, Pointer, None]) -> Pointer:
    """The `arg` of PQsetNoticeReceiver for a generator, which is kept for ever."""
    _receivers.append(ctypes.py_object(receiver))
    return c_void_p.from_buffer(_receivers[-1])


def open_stream(fileno: int) -> Pointer:
    """A C stream that writes to a duplicate of the descriptor: closing it leaves yours open."""
    import os

    libc = ctypes.CDLL(None, use_errno=True)
    libc.fdopen.restype = lib.STREAMPointer
    libc.fdopen.argtypes = [c_int, c_char_p]
    duplicate = os.dup(fileno)
    stream = libc.fdopen(duplicate, b"w")
    if not stream:
        os.close(duplicate)
        raise OSError(ctypes.get_errno(), f"fdopen({fileno}) failed")
    return stream


def close_stream(stream: Pointer) -> None:
    """Flush and close a stream of `open_stream`."""
    libc = ctypes.CDLL(None)
    libc.fclose.argtypes = [lib.STREAMPointer]
    libc.fclose(stream)
