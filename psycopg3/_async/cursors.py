"""The other cursors: with parameters in the query's text, with $1, and with rows left at the server."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, NoReturn, Self

from ..abc import Params, Query
from ..errors import Error, NotSupportedError
from ..rows import Row
from ..session.binding import ClientBinding, RawBinding
from ..session.portal import BaseServerCursor
from .cursor import AsyncCursor


class AsyncClientCursor(ClientBinding[Row], AsyncCursor[Row]):
    """A cursor that writes parameters into the text of the query, as literals.

    So a query with parameters may hold several statements, and parameters may stand where the server
    takes none: in DDL, SET and NOTIFY. Results in binary format aren't to be had.
    """

    __module__ = "psycopg3"


class AsyncRawCursor(RawBinding[Row], AsyncCursor[Row]):
    """A cursor whose queries are sent as they are: placeholders are $1, $2 ..., and % is a sign as others.

    Parameters are a sequence.
    """

    __module__ = "psycopg3"


class AsyncServerCursor(BaseServerCursor[Row], AsyncCursor[Row]):
    """A cursor at the server, which keeps the rows and sends those that are asked for.

    Made by ``connection.cursor(name)``. It lives as long as its transaction, or until it is closed;
    one with `withhold` also after a commit. A cursor that something else has opened, such as a
    function that returns a refcursor, is taken over by its name: fetch without `execute()`.
    """

    __module__ = "psycopg3"

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if exc is None:
            await self.close()
        else:
            with suppress(Error):  # it would hide the other
                await self.close()

    async def close(self) -> None:
        """Close the cursor, at the server too if it is there still; closing again does nothing."""
        if not self._closed:
            try:
                if self._is_open and self._may_live():
                    await self._session._run(self._close_gen())
            finally:
                self._close()

    async def execute(
        self,
        query: Query,
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool | None = None,
        timeout: float | None = None,
    ) -> Self:
        """Open the cursor for a query, a SELECT or VALUES; one that is open is closed.

        Args:
            query: SQL with placeholders; one statement.
            params: a sequence, or a mapping for named placeholders.
            prepare: not looked at: what a cursor is opened for is not prepared.
            binary: whether to fetch in binary format; by default as the cursor's `format`.
            timeout: seconds until it is cancelled; by default the connection's `command_timeout`.

        Raises:
            NoActiveSqlTransaction: in autocommit, without `withhold`.
            NotSupportedError: in a pipeline.
            Error: as `AsyncCursor.execute()`.
        """
        await self._session._run(self._declare_gen(query, params, binary), timeout)
        return self

    async def executemany(
        self,
        query: Query,
        params_seq: Iterable[Params],
        *,
        returning: bool = False,
        timeout: float | None = None,
    ) -> NoReturn:
        """Not to be had; use another cursor."""
        raise _not_supported("executemany()")

    def copy(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Not to be had; use another cursor."""
        raise _not_supported("copy()")

    def stream(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Not to be had: iterate over the cursor, with `itersize`."""
        raise _not_supported("stream()")

    async def fetchone(self) -> Row | None:
        """Return the next row, None if there is no other."""
        rows = await self._session._run(self._fetch_gen(1))
        return rows[0] if rows else None

    async def fetchmany(self, size: int = 0) -> list[Row]:
        """Return the next `size` rows (by default `arraysize`), fewer at the end."""
        rows: list[Row] = await self._session._run(self._fetch_gen(size or self.arraysize))
        return rows

    async def fetchall(self) -> list[Row]:
        """Return the rows that are left."""
        rows: list[Row] = await self._session._run(self._fetch_gen(None))
        return rows

    def __aiter__(self) -> Self:
        self._check_open()
        return self

    async def __anext__(self) -> Row:
        current = self._set
        if current is None or current.position >= current.count:
            if not self._is_past:
                await self._session._run(self._batch_gen(self.itersize))
            rows = self._rows()
            if rows.position >= rows.count:
                raise StopAsyncIteration
        return self._rows().one()  # type: ignore[return-value]  # None may be what the factory makes

    async def scroll(self, value: int, mode: str = "relative") -> None:
        """Move in the rows, by `value` or (mode "absolute") to it; no further than before the first.

        Raises:
            ObjectNotInPrerequisiteState: backwards, where the cursor can't.
        """
        await self._session._run(self._scroll_gen(value, mode))


class AsyncRawServerCursor(RawBinding[Row], AsyncServerCursor[Row]):
    """A cursor at the server, whose placeholders are $1, $2 ..."""

    __module__ = "psycopg3"


def _not_supported(what: str) -> NotSupportedError:
    return NotSupportedError(f"a server cursor has no {what}: use a cursor without a name")
