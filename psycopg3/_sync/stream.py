# Generated from psycopg3/_async/stream.py by `python tools/unasync.py`: edit that file, not this one.
"""Stream: the rows of a query as they come."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from ..errors import NotSupportedError
from ..rows import Row
from ..session.streaming import BaseStream
from .turn import HeldTurn


class Stream(BaseStream[Row], Iterator[Row]):
    """An iterator over the rows of a query, which are not kept; made by `Cursor.stream()`.

    It holds the connection from the first row to the last. Where it is left before, `close()` stops the
    query; if it is dropped, the next operation of the connection does.
    """

    __module__ = "psycopg3"

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Row:
        current = self._set
        if current is None or current.position >= current.count:
            if self._is_over or not self._receive():
                raise StopIteration
            current = self._set
        return current.one()  # type: ignore[union-attr, return-value]  # None may be a row

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def _receive(self) -> bool:
        """Receive the next rows; False when there are no more, and the connection is free again."""
        try:
            turn = self._turn or self._begin()
            more: bool = turn.run(self._rows_gen())
        except BaseException as ex:
            self._leave(ex)
            raise
        if not more:
            self._leave(None)
        return more

    def _leave(self, ex: BaseException | None) -> None:
        turn, self._turn, self._is_over = self._turn, None, True
        if turn is not None:
            turn.__exit__(type(ex) if ex is not None else None, ex, None)

    def _begin(self) -> HeldTurn:
        cursor = self._cursor
        session = cursor._session
        turn: HeldTurn = session._turn(self._timeout)
        turn.__enter__()
        self._turn = turn
        if session._exchange.pipelined:
            raise NotSupportedError("stream() can't be used in a pipeline: leave it first")
        bound = cursor._bind_next(*self._asked)
        if session._must_begin():
            turn.begin()
        self._send(bound)
        return turn

    def close(self) -> None:
        """Stop the query, if it isn't at its end; the connection is free then."""
        self._is_over, self._set = True, None
        try:
            if self._turn is not None:
                self._turn.settle()
        except BaseException as ex:
            self._leave(ex)
            raise
        self._leave(None)
