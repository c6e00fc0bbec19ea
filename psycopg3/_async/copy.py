"""AsyncCopy: a COPY from or to the client, its data in blocks or in rows; and where it is written to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .. import errors as e
from ..abc import Buffer
from ..concurrency import tasks
from ..pq import ExecStatus
from ..session.copy import BaseCopy, columns_query, explained, flush_gen
from .turn import AsyncTurn

if TYPE_CHECKING:
    from .cursor import AsyncCursor

T = TypeVar("T")

# What libpq is given at once; after as much, others have a turn.
_PIECE = 1 << 17


class AsyncCopy(BaseCopy):
    """A COPY under way; made by `AsyncCursor.copy()`, and good for one `async with` block."""

    __module__ = "psycopg3"

    cursor: AsyncCursor[Any]
    writer: AsyncWriter | None

    async def __aenter__(self) -> Self:
        self._enter()
        if self._asked is not None:
            session = self.cursor._session
            turn = session._turn(self._timeout)
            await turn.__aenter__()
            try:
                await self._begin(turn)
                self._turn = self.cursor._turn = turn
            except BaseException as ex:
                await turn.__aexit__(type(ex), ex, ex.__traceback__)
                raise
        return self

    async def _begin(self, turn: AsyncTurn) -> None:
        bound = self._bind()
        if self.cursor._session._must_begin():
            await turn.begin()
        if self._asks_types:
            asked = await turn.ask(columns_query(self._statement.table))
            bound = self._take_types(asked, bound)
        self._take_answer(await turn.ask(bound))
        if self._direction == ExecStatus.COPY_IN and self.writer is None:
            self.writer = AsyncLibpqWriter(self.cursor)

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.finish(exc)

    async def finish(self, exc: BaseException | None = None) -> None:
        """End the COPY, as leaving its block does.

        Args:
            exc: what ends it before its time: nothing of what was written is kept.

        Raises:
            Error: the server's, about what was written.
        """
        if self._is_over:
            return
        turn = self._turn
        try:
            if exc is None:
                await self._complete()
            else:
                await self._break_off(exc)
        except BaseException as ex:
            exc = ex
            raise
        finally:
            self._is_over, self._turn, self.cursor._turn = True, None, None
            if turn is not None:
                await turn.__aexit__(type(exc), exc, None)
            del exc  # or it would know this frame, and the frame it: a cycle

    async def _complete(self) -> None:
        """End the COPY when all is done: with what is left to send, or to be read."""
        if self._direction == ExecStatus.COPY_IN and self.writer is not None:
            self._add_end()
            await self._send()
            await self.writer.finish()
            if self._turn is not None:
                await self._turn.run(self._end_gen())
            else:
                self._tell()
        elif self._turn is not None and not self._is_read:
            await self._turn.settle()

    async def _break_off(self, exc: BaseException) -> None:
        """End the COPY before its time."""
        if self.writer is not None:
            try:
                await self.writer.finish(exc)
            except Exception as ex:
                self.cursor._session._log("error ignored at the end of %r: %r", self, ex)
        self._give_up(exc)
        if self._turn is not None and isinstance(exc, Exception):
            await self._turn.settle()

    # -- writing ---------------------------------------------------------------------------

    async def write(self, buffer: Buffer | str) -> None:
        """Send a block of data, as it is; it may begin and end anywhere.

        Args:
            buffer: bytes, or str if the COPY isn't binary.

        Raises:
            DataError: what it says is not what the server would take of it.
        """
        self._add_block(buffer)
        if self._is_full:
            await self._send()

    async def write_row(self, row: Sequence[Any]) -> None:
        """Send a row.

        Args:
            row: a value a column.

        Raises:
            DataError: a value has no representation in PostgreSQL, or they are too few or too many.
        """
        self._add_row(row)
        if self._is_full:
            await self._send()

    async def write_rows(
        self, rows: Iterable[Sequence[Any]] | AsyncIterable[Sequence[Any]]
    ) -> None:
        """Send all rows of an iterable, which may be asynchronous; it is read as it goes.

        Args:
            rows: yields rows, as `write_row()` takes them.
        """
        async for row in tasks.each(rows):
            self._add_row(row)
            if self._is_full:
                await self._send()

    async def _send(self) -> None:
        assert self.writer is not None
        await self.writer.write(self._taken())

    # -- reading ---------------------------------------------------------------------------

    async def read(self) -> Buffer:
        """Return the next block, which is a row as a rule, as it is; b"" at the end."""
        data = self._at_hand()
        if data is None:
            data = await self._turn.run(self._read_gen())
        return data

    async def read_row(self) -> tuple[Any, ...] | None:
        """Return the next row, None at the end.

        Its values are str, or bytes if the COPY is binary, unless `set_types()` was called.

        Raises:
            DataError: a value is none of its type.
        """
        if not self._has_rows:
            self._begin_reading()
        data = await self.read()
        row = self._parse(data) if data else None
        if data and row is None:
            await self.read()  # there is nothing behind the trailer
        return row

    def rows(self) -> AsyncCopied[tuple[Any, ...]]:
        """Iterate over the rows, as `read_row()` returns them."""
        return AsyncCopied(self.read_row, None)

    def __aiter__(self) -> AsyncCopied[Buffer]:
        return AsyncCopied(self.read, b"")


class AsyncCopied(AsyncIterator[T]):
    """An iterator over what a COPY reads."""

    def __init__(self, read: Callable[[], Any], end: object):
        self._read, self._end = read, end

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        found = await self._read()
        if found is None or found == self._end:
            raise StopAsyncIteration
        return found  # type: ignore[no-any-return]


class AsyncWriter(ABC):
    """Where the data of a COPY is written to: give `AsyncCursor.copy()` a subclass as `writer`."""

    __module__ = "psycopg3.copy"

    @abstractmethod
    async def write(self, data: Buffer) -> None:
        """Write a block."""

    async def finish(self, exc: BaseException | None = None) -> None:  # noqa: B027  # most need none
        """Take note of the end.

        Args:
            exc: what has ended the COPY before its time.
        """


class AsyncLibpqWriter(AsyncWriter):
    """Sends the data to the server.

    Args:
        cursor: the cursor whose COPY it is.
        flush_threshold: the bytes that are left in memory at most, unsent.
    """

    __module__ = "psycopg3.copy"

    def __init__(self, cursor: AsyncCursor[Any], *, flush_threshold: int = 1 << 20):
        self.cursor = cursor
        self._threshold = flush_threshold
        self._unsent = self._since = 0

    async def write(self, data: Buffer) -> None:
        """Send a block; it waits when there is too much of it for the server."""
        turn: AsyncTurn | None = self.cursor._turn
        if turn is None:
            raise e.ProgrammingError("the cursor of this writer has no COPY under way")
        session = self.cursor._session
        try:
            for at in range(0, len(data), _PIECE):
                piece = data if len(data) <= _PIECE else data[at : at + _PIECE]
                while not session.pgconn.put_copy_data(piece):
                    await turn.run(flush_gen(session.pgconn, wholly=True))
                self._unsent += len(piece)
                self._since += len(piece)
                if self._since >= min(_PIECE, self._threshold):
                    await self._flush(turn)
        except e.OperationalError as ex:
            raise explained(session, ex) from ex.__cause__

    async def _flush(self, turn: AsyncTurn) -> None:
        is_much = self._unsent >= self._threshold
        await turn.run(flush_gen(self.cursor._session.pgconn, wholly=is_much))
        self._since = 0
        self._unsent = 0 if is_much else self._unsent


AsyncQueuedLibpqWriter = AsyncLibpqWriter
"""The same: nothing waits here for a thread or task of its own."""
