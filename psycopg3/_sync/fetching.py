# Generated from psycopg3/_async/fetching.py by `python tools/unasync.py`: edit that file, not this one.
"""Fetching: a query and its rows in one call."""

from __future__ import annotations

from typing import Any, Generic

from ..abc import Params, Query
from ..rows import Row, RowFactory, tuple_row
from ..session.querylog import LoggedSession
from .cursor import Cursor
from .cursors import RawCursor
from .runner import Runner
from .statement import Statement


class Fetching(Runner, LoggedSession, Generic[Row]):
    """A connection that fetches without a cursor of the user's."""

    def fetch(
        self,
        query: Query,
        params: Params | None = None,
        *,
        raw: bool = False,
        binary: bool = False,
        timeout: float | None = None,
    ) -> list[Row]:
        """Run a query and return its rows.

        Args:
            query: SQL with placeholders `%s` or `%(name)s`.
            params: a sequence, or a mapping for named placeholders.
            raw: whether the placeholders are $1, $2 ..., and a percent sign is a sign as others.
            binary: whether to ask for results in binary format.
            timeout: seconds until it is cancelled; by default the connection's `command_timeout`.

        Raises:
            ProgrammingError: it returns no rows: use `execute()`.
            Error: as `Cursor.execute()`.
        """
        cursor = self._executed(None, query, params, raw, binary, timeout)
        return cursor.fetchall()

    def fetchrow(
        self,
        query: Query,
        params: Params | None = None,
        *,
        raw: bool = False,
        binary: bool = False,
        timeout: float | None = None,
    ) -> Row | None:
        """Run a query and return its first row, None if there is none; otherwise as `fetch()`."""
        cursor = self._executed(None, query, params, raw, binary, timeout)
        return cursor.fetchone()

    def fetchval(
        self,
        query: Query,
        params: Params | None = None,
        *,
        column: int = 0,
        raw: bool = False,
        binary: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Run a query and return one value of its first row, None if there is no row.

        Args and errors are those of `fetch()`, and:

        Args:
            column: the index of the value in the row.

        Raises:
            IndexError: the rows have no such column.
        """
        cursor = self._executed(tuple_row, query, params, raw, binary, timeout)
        row = cursor.fetchone()
        return None if row is None else row[column]

    def prepare(
        self, query: Query, *, raw: bool = False, timeout: float | None = None
    ) -> Statement[Row]:
        """Prepare a query, to execute it many times.

        Args:
            query: SQL with placeholders `%s` or `%(name)s`, where a percent sign is written `%%`.
            raw: whether the placeholders are $1, $2 ..., and a percent sign is a sign as others.
            timeout: seconds until it is cancelled; by default the connection's `command_timeout`.

        Raises:
            Error: the server's, such as a syntax error, or a table that isn't there.
        """
        statement: Statement[Row] = Statement(self, query, raw)
        self._run(statement._prepare_gen(), timeout)
        return statement

    def _executed(
        self,
        row_factory: RowFactory[Any] | None,
        query: Query,
        params: Params | None,
        *options: Any,
    ) -> Cursor[Any]:
        raw, binary, timeout = options
        connection: Any = self
        factory: Any = RawCursor if raw else connection.cursor_factory
        cursor: Cursor[Any] = factory(connection, row_factory=row_factory)
        return cursor.execute(query, params, binary=binary or None, timeout=timeout)
