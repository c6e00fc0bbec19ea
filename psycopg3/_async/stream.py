"""AsyncStream: the rows of a query as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from ..errors import NotSupportedError
from ..rows import Row
from ..session.streaming import BaseStream
from .turn import AsyncHeldTurn


class AsyncStream(BaseStream[Row], AsyncIterator[Row]):
    """An iterator over the rows of a query, which are not kept; made by `AsyncCursor.stream()`.

    It holds the connection from the first row to the last. Where it is left before, `aclose()` stops the
    query; if it is dropped, the next operation of the connection does.
    """

    __module__ = "psycopg3"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Row:
        current = self._set
        if current is None or current.position >= current.count:
            if self._is_over or not await self._receive():
                raise StopAsyncIteration
            current = self._set
        return current.one()  # type: ignore[union-attr, return-value]  # None may be a row

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _receive(self) -> bool:
        """Receive the next rows; False when there are no more, and the connection is free again."""
        try:
            turn = self._turn or await self._begin()
            more: bool = await turn.run(self._rows_gen())
        except BaseException as ex:
            await self._leave(ex)
            raise
        if not more:
            await self._leave(None)
        return more

    async def _leave(self, ex: BaseException | None) -> None:
        turn, self._turn, self._is_over = self._turn, None, True
        if turn is not None:
            await turn.__aexit__(type(ex) if ex is not None else None, ex, None)

    async def _begin(self) -> AsyncHeldTurn:
        cursor = self._cursor
        session = cursor._session
        turn: AsyncHeldTurn = session._turn(self._timeout)
        await turn.__aenter__()
        self._turn = turn
        if session._exchange.pipelined:
            raise NotSupportedError("stream() can't be used in a pipeline: leave it first")
        bound = cursor._bind_next(*self._asked)
        if session._must_begin():
            await turn.begin()
        self._send(bound)
        return turn

    async def aclose(self) -> None:
        """Stop the query, if it isn't at its end; the connection is free then."""
        self._is_over, self._set = True, None
        try:
            if self._turn is not None:
                await self._turn.settle()
        except BaseException as ex:
            await self._leave(ex)
            raise
        await self._leave(None)
