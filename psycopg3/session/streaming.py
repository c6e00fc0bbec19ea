"""The half of a stream that never waits: rows as they come, a few at a time, of one query."""

from __future__ import annotations

from typing import Any, Generic

from .. import errors as e
from .._capabilities import capabilities
from ..abc import Params, Query
from ..generators import lost_with_reason, receive
from ..pq import ExecStatus, PGresult
from ..query import BoundQuery, RequestKind
from ..rows import Row
from ..waiting import Wait, WaitGen
from .copy import flush_gen
from .cursor import COPIES, BaseCursor
from .exchange import Pending
from .results import ResultSet, check_results
from .states import Meaning, meaning_of


class BaseStream(Generic[Row]):
    """What `Stream` and `AsyncStream` have in common."""

    def __init__(
        self,
        cursor: BaseCursor[Row],
        asked: tuple[Query, Params | None, bool | None],
        size: int,
        timeout: float | None,
    ):
        if size < 1:
            raise ValueError(f"got a size of {size} rows: expected 1 or more")
        if size > 1:
            capabilities.has_stream_chunked(check=True)
        self._cursor: Any = cursor
        self._asked, self._size, self._timeout = asked, size, timeout
        self._turn: Any = None
        self._pending = Pending()
        self._set: ResultSet[Row] | None = None
        self._is_over = False

    def _send(self, bound: BoundQuery) -> None:
        """Send the query; the transaction that it needs is open."""
        exchange = self._cursor._session._exchange
        bound.kind = RequestKind.PARAMS
        self._pending = exchange.send(bound)
        if self._size == 1:
            exchange.pgconn.set_single_row_mode()
        else:
            exchange.pgconn.set_chunked_rows_mode(self._size)

    def _rows_gen(self) -> WaitGen[bool]:
        """Receive the next rows; False at the end.

        Raises:
            Error: the server's.
            ProgrammingError: the query returns no rows.
        """
        pending, results = self._pending, self._pending.results
        exchange = self._cursor._session._exchange
        if not pending.done and exchange.pgconn.flush():
            yield from flush_gen(exchange.pgconn, wholly=True)
        while (result := (yield from self._result_gen())) is not None:
            meaning = meaning_of(result.status)
            if meaning is Meaning.ROWS and result.ntuples:
                self._take(result)
                return True
            if result.status in COPIES:
                yield from exchange.drain_gen()
                break
            if meaning is Meaning.ROWS and self._set is None:
                self._take(result)
            results.append(result)
        check_results([r for r in results if r.status not in COPIES], self._cursor._words_encoding)
        if self._set is None:
            raise e.ProgrammingError(
                "stream() is for queries that return rows: use execute() for others"
            )
        return False

    def _result_gen(self) -> WaitGen[PGresult | None]:
        """Receive the next result; None when the server has said all."""
        pending, exchange = self._pending, self._cursor._session._exchange
        pgconn = exchange.pgconn
        exchange.is_used = True
        try:
            while pgconn.is_busy():
                if (yield pgconn.socket, Wait.R) or pgconn.ssl_in_use:
                    receive(pgconn)
            result: PGresult | None = pgconn.get_result()
        except e.OperationalError:
            if not lost_with_reason(pgconn, pending.results):
                raise
            return None
        if result is None:
            pending.done = True
            exchange.owed.popleft()
        elif result.status == ExecStatus.FATAL_ERROR:
            exchange._note_fatal(result)
        return result

    def _take(self, result: PGresult) -> None:
        """Make rows of a result."""
        cursor, before = self._cursor, self._set
        current: ResultSet[Row] = ResultSet(result, cursor._transformer, _unmade)
        self._set = cursor._set = current
        cursor._transformer.contextual = None
        if before is None:
            cursor._make_rows(current)
        else:
            current.make_row = before.make_row


def _unmade(_: Any) -> Any:
    raise e.InterfaceError("a row factory must not fetch rows")
