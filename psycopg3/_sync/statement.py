# Generated from psycopg3/_async/statement.py by `python tools/unasync.py`: edit that file, not this one.
"""Statement: a query that was prepared, to be executed many times."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ..abc import Params
from ..errors import Error
from ..rows import Row, RowFactory, tuple_row
from ..session.basestatement import BaseStatement
from .cursor import Cursor
from .stream import Stream

if TYPE_CHECKING:
    from .connection import Connection


class Statement(BaseStatement[Row]):
    """A prepared statement; made by `connection.prepare()`.

    The server knows the types of its parameters, and values are sent as those: an int goes where a numeric
    or a bigint is asked for, a str wherever its text can be read.
    """

    _session: Connection[Any]

    @property
    def connection(self) -> Connection[Any]:
        """The connection that it was prepared on."""
        return self._session

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if exc is None:
            self.close()
        else:
            with suppress(Error):  # it would hide the other
                self.close()

    def execute(
        self,
        params: Params | None = None,
        *,
        binary: bool | None = None,
        timeout: float | None = None,
    ) -> Cursor[Row]:
        """Execute it, and return a cursor with the results.

        Args:
            params: a sequence, or a mapping for named placeholders.
            binary: whether to ask for results in binary format.
            timeout: seconds until it is cancelled; by default the connection's `command_timeout`.

        Raises:
            InterfaceError: it was closed.
            Error: as `Cursor.execute()`.
        """
        return self._executed(None, params, binary, timeout)

    def fetch(
        self,
        params: Params | None = None,
        *,
        binary: bool | None = None,
        timeout: float | None = None,
    ) -> list[Row]:
        """Execute it and return its rows; otherwise as `execute()`."""
        cursor = self._executed(None, params, binary, timeout)
        return cursor.fetchall()

    def fetchrow(
        self,
        params: Params | None = None,
        *,
        binary: bool | None = None,
        timeout: float | None = None,
    ) -> Row | None:
        """Execute it and return its first row, None if there is none; otherwise as `execute()`."""
        cursor = self._executed(None, params, binary, timeout)
        return cursor.fetchone()

    def fetchval(
        self,
        params: Params | None = None,
        *,
        column: int = 0,
        binary: bool | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Execute it and return one value of its first row, None if there is no row.

        Args and errors are those of `execute()`, and:

        Args:
            column: the index of the value in the row.

        Raises:
            IndexError: the rows have no such column.
        """
        cursor = self._executed(tuple_row, params, binary, timeout)
        row = cursor.fetchone()
        return None if row is None else row[column]

    def executemany(
        self,
        params_seq: Iterable[Params],
        *,
        returning: bool = False,
        timeout: float | None = None,
    ) -> Cursor[Row]:
        """Execute it once for each parameters, in one pipeline: see `Cursor.executemany()`.

        Returns:
            A cursor with the results, if they are asked for by `returning`, and with the `rowcount`.
        """
        cursor = self._cursor(None)
        query: Any = self._check_open()
        cursor.executemany(query, params_seq, returning=returning, timeout=timeout)
        self.statusmessage = cursor.statusmessage
        return cursor

    def stream(
        self,
        params: Params | None = None,
        *,
        binary: bool | None = None,
        size: int = 1,
        timeout: float | None = None,
    ) -> Stream[Row]:
        """Iterate over its rows as they come: see `Cursor.stream()`."""
        query: Any = self._check_open()
        return self._cursor(None).stream(query, params, binary=binary, size=size, timeout=timeout)

    def explain(
        self,
        params: Params | None = None,
        *,
        analyze: bool = False,
        timeout: float | None = None,
        **options: bool | str,
    ) -> Any:
        """Return the plan that the server makes for these parameters, as EXPLAIN tells it in JSON.

        Args:
            params: as in `execute()`.
            analyze: whether to execute it as well, to have figures of it; what it does is undone.
            timeout: as in `execute()`, for each command.
            **options: more of EXPLAIN's options: `buffers=True`, `serialize="text"`.

        Raises:
            ProgrammingError: an option can't be one.
        """
        self._check_open()
        given = {"format": "json", "verbose": True, "analyze": analyze, **options}
        query: Any = self._explained(given)
        cursor = self._cursor(tuple_row)
        if analyze:
            with self._session.transaction(force_rollback=True):
                cursor.execute(query, params, prepare=False, timeout=timeout)
        else:
            cursor.execute(query, params, prepare=False, timeout=timeout)
        row: Any = cursor.fetchone()
        return row[0]

    def close(self) -> None:
        """Have the server forget it; closing again does nothing."""
        if not self._is_closed:
            self._is_closed = True
            if not self._session.closed:
                self._session._run(self._close_gen())

    def _cursor(self, row_factory: RowFactory[Any] | None) -> Cursor[Any]:
        return Cursor(self._session, row_factory=row_factory)

    def _executed(
        self,
        row_factory: RowFactory[Any] | None,
        params: Params | None,
        binary: bool | None,
        timeout: float | None,
    ) -> Cursor[Any]:
        query: Any = self._check_open()
        cursor = self._cursor(row_factory)
        cursor.execute(query, params, prepare=True, binary=binary, timeout=timeout)
        self.statusmessage = cursor.statusmessage
        return cursor
