# Generated from psycopg3/_async/copying.py by `python tools/unasync.py`: edit that file, not this one.
"""Whole copies in one call: a table or a query to a file, a file to a table, records to a table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

from ..abc import Buffer, Params, Query
from ..concurrency import threads
from ..errors import ProgrammingError
from ..session.copy import Progress
from ..session.copycommand import CopyCommand, Table
from .copy import Copy
from .cursor import Cursor
from .runner import Runner

# How much of a file is read, or written, at once.
_BLOCK = 1 << 16


class _Readable(Protocol):
    """A file open for reading, bytes or text; its `read()` may be asynchronous."""

    def read(self, size: int, /) -> Any: ...


class _Writable(Protocol):
    """A file open for writing bytes; its `write()` may be asynchronous."""

    def write(self, data: bytes, /) -> Any: ...


Path = str | os.PathLike[str]
Source = Path | Buffer | _Readable | Iterable[Buffer | str] | Iterable[Buffer | str]
Target = Path | _Writable | Callable[[bytes], object | Awaitable[object]]


class Copying(Runner):
    """A connection that makes whole copies."""

    def copy_to(
        self,
        source: Table | Query,
        target: Target,
        params: Params | None = None,
        *,
        columns: Iterable[str] | None = None,
        progress: Progress | None = None,
        timeout: float | None = None,
        **options: Any,
    ) -> int:
        """Copy a table, or the rows of a query, to a file.

        Args:
            source: the exact name of a table, "schema.name", or a tuple of its parts; or a query:
                what begins as one does, SELECT, VALUES, WITH ..., or a parenthesis.
            target: a path, a file open for writing bytes, or a function that is called with each
                block; the last two may be asynchronous.
            params: what the placeholders of the query are filled from, as literals.
            columns: the names of the table's columns to copy, by default all.
            progress: called about once a megabyte, and at the end, with the rows and bytes so far.
            timeout: seconds until it is cancelled; by default the connection's `command_timeout`.
            **options: COPY's, quoted as needed: `format="csv"`, `header=True`, `force_quote=["a"]`.

        Returns:
            The number of rows.
        """
        command = CopyCommand(self).to(source, params, columns, options)
        copy = self._copy(command, progress, timeout)
        if isinstance(target, (str, os.PathLike)):
            with open(target, "wb") as file:
                return _save(copy, file.write)
        write: Any = getattr(target, "write", target)
        if not callable(write):
            raise _unfit("target", target, "a path, a file, or a function of a block")
        return _save(copy, write)

    def copy_from(
        self,
        table: Table,
        source: Source,
        *,
        columns: Iterable[str] | None = None,
        where: Query | None = None,
        progress: Progress | None = None,
        timeout: float | None = None,
        **options: Any,
    ) -> int:
        """Copy a file into a table.

        Args:
            table: its exact name, "schema.name", or a tuple of its parts.
            source: a path, a file open for reading, the data in bytes, or an iterable of blocks;
                files and iterables may be asynchronous.
            columns: the names of the table's columns that the data has, by default all.
            where: a condition for the rows to take, as SQL.
            progress: called about once a megabyte, and at the end, with the rows and bytes so far.
            timeout: seconds until it is cancelled; by default the connection's `command_timeout`.
            **options: COPY's, quoted as needed: `format="csv"`, `header=True`, `null=""`.

        Returns:
            The number of rows.
        """
        command = CopyCommand(self).from_(table, columns, where, options)
        copy = self._copy(command, progress, timeout)
        if isinstance(source, (str, os.PathLike)):
            with open(source, "rb") as file:
                return _load(copy, file)
        return _load(copy, source)

    def copy_records(
        self,
        table: Table,
        records: Iterable[Sequence[Any]] | Iterable[Sequence[Any]],
        *,
        columns: Iterable[str] | None = None,
        where: Query | None = None,
        progress: Progress | None = None,
        timeout: float | None = None,
    ) -> int:
        """Copy records into a table, each value as its column's type.

        Args:
            table: its exact name, "schema.name", or a tuple of its parts.
            records: an iterable of sequences, which may be asynchronous; it is read as it goes.
            columns: the names of the columns that the records have, by default all.
            where: a condition for the records to take, as SQL.
            progress: called about once a megabyte, and at the end, with the rows and bytes so far.
            timeout: seconds until it is cancelled; by default the connection's `command_timeout`.

        Returns:
            The number of rows.

        Raises:
            DataError: a value is none of its column's type.
        """
        columns = columns if columns is None else list(columns)
        make = CopyCommand(self)
        copy = self._copy(
            make.from_(table, columns, where, {"format": "binary"}), progress, timeout
        )
        # Binary needs the types of all columns; text takes what others look like.
        copy._otherwise = make.from_(table, columns, where, {})
        with copy:
            copy.write_rows(records)
        return copy.cursor.rowcount

    def _copy(self, command: bytes, progress: Progress | None, timeout: float | None) -> Copy:
        connection: Any = self
        cursor: Cursor[Any] = Cursor(connection)
        return cursor.copy(command, progress=progress, timeout=timeout)


def _save(copy: Copy, write: Callable[[bytes], Any]) -> int:
    """Have a function take what a COPY reads, in blocks of some size."""
    blocks: list[Buffer] = []
    size = 0
    with copy:
        while True:
            data = copy.read()
            blocks.append(data)
            size += len(data)
            if size >= _BLOCK or (size and not data):
                threads.awaited(write(b"".join(blocks)))
                blocks, size = [], 0
            if not data:
                break
    return copy.cursor.rowcount


def _load(copy: Copy, source: Any) -> int:
    """Write to a COPY what there is in a file, in bytes or in blocks."""
    read = getattr(source, "read", None)
    if isinstance(source, (bytes, bytearray, memoryview)):
        source = [source]
    elif read is None and not isinstance(source, (Iterable, Iterable)):
        raise _unfit("source", source, "a path, a file, bytes, or an iterable of blocks")
    with copy:
        if read is not None:
            while data := threads.awaited(read(_BLOCK)):
                copy.write(data)
        else:
            for data in threads.each(source):
                copy.write(data)
    return copy.cursor.rowcount


def _unfit(what: str, given: object, expected: str) -> ProgrammingError:
    return ProgrammingError(f"got a {type(given).__name__} as {what}: expected {expected}")
