"""AsyncFetching: a query and its rows in one call."""

from __future__ import annotations

from typing import Any, Generic

from ..abc import Params, Query
from ..rows import Row, RowFactory, tuple_row
from ..session.querylog import LoggedSession
from .cursor import AsyncCursor
from .cursors import AsyncRawCursor
from .runner import AsyncRunner
from .statement import AsyncStatement


class AsyncFetching(AsyncRunner, LoggedSession, Generic[Row]):
    """A connection that fetches without a cursor of the user's."""

    async def fetch(
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
            Error: as `AsyncCursor.execute()`.
        """
        cursor = await self._executed(None, query, params, raw, binary, timeout)
        return await cursor.fetchall()

    async def fetchrow(
        self,
        query: Query,
        params: Params | None = None,
        *,
        raw: bool = False,
        binary: bool = False,
        timeout: float | None = None,
    ) -> Row | None:
        """Run a query and return its first row, None if there is none; otherwise as `fetch()`."""
        cursor = await self._executed(None, query, params, raw, binary, timeout)
        return await cursor.fetchone()

    async def fetchval(
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
        cursor = await self._executed(tuple_row, query, params, raw, binary, timeout)
        row = await cursor.fetchone()
        return None if row is None else row[column]

    async def prepare(
        self, query: Query, *, raw: bool = False, timeout: float | None = None
    ) -> AsyncStatement[Row]:
        """Prepare a query, to execute it many times.

        Args:
            query: SQL with placeholders `%s` or `%(name)s`, where a percent sign is written `%%`.
            raw: whether the placeholders are $1, $2 ..., and a percent sign is a sign as others.
            timeout: seconds until it is cancelled; by default the connection's `command_timeout`.

        Raises:
            Error: the server's, such as a syntax error, or a table that isn't there.
        """
        statement: AsyncStatement[Row] = AsyncStatement(self, query, raw)
        await self._run(statement._prepare_gen(), timeout)
        return statement

    async def _executed(
        self,
        row_factory: RowFactory[Any] | None,
        query: Query,
        params: Params | None,
        *options: Any,
    ) -> AsyncCursor[Any]:
        raw, binary, timeout = options
        connection: Any = self
        factory: Any = AsyncRawCursor if raw else connection.cursor_factory
        cursor: AsyncCursor[Any] = factory(connection, row_factory=row_factory)
        return await cursor.execute(query, params, binary=binary or None, timeout=timeout)
