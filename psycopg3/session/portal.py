"""The half of a server cursor that never waits: DECLARE, FETCH, MOVE, CLOSE, and where it stands."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from operator import index
from typing import Any

from .. import errors as e
from ..abc import Params, Query
from ..pq import Escaping, TransactionStatus
from ..query import BoundQuery, RequestKind
from ..rows import Row, RowFactory
from ..waiting import WaitGen
from .cursor import BaseCursor
from .exchange import Pending
from .results import check_results
from .session import Session
from .states import Operation, Phase

_IN_TRANSACTION = (TransactionStatus.INTRANS, TransactionStatus.ACTIVE)


class BaseServerCursor(BaseCursor[Row]):
    """What `ServerCursor` and `AsyncServerCursor` have in common."""

    itersize = 100
    """How many rows an iteration fetches at once."""
    _is_open = False
    """Whether a cursor was opened at the server, or taken over; its transaction may have closed it."""
    _first = 0
    """The index of the first row of the current batch, which is `_set`."""
    _is_past = False
    """Whether the server's cursor stands behind the last row, and not on it."""

    def __init__(
        self,
        connection: Session,
        name: str,
        *,
        row_factory: RowFactory[Any] | None = None,
        scrollable: bool | None = None,
        withhold: bool = False,
    ):
        super().__init__(connection, row_factory=row_factory)
        self._name = name
        self._scrollable, self._withhold = scrollable, bool(withhold)

    def __del__(self, _finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        try:
            if self._is_open and not self._closed and self._may_live():
                warnings.warn(
                    f"{self!r} was deleted while still open: call close(), or use it in a 'with' block",
                    ResourceWarning,
                    stacklevel=2,
                    source=self,
                )
        except (AttributeError, TypeError):
            if not _finalizing():
                raise

    def __repr__(self) -> str:
        cls = type(self)
        return super().__repr__().replace(
            f"{cls.__qualname__} [", f"{cls.__qualname__} {self._name!r} [", 1
        )

    @property
    def name(self) -> str:
        """The cursor's name at the server."""
        return self._name

    @property
    def scrollable(self) -> bool | None:
        """Whether it can go backwards; None leaves it to the server, by the query."""
        return self._scrollable

    @property
    def withhold(self) -> bool:
        """Whether it stays open when its transaction is committed."""
        return self._withhold

    @property
    def rowcount(self) -> int:
        """-1: nobody knows how many rows the query has."""
        return -1

    @property
    def rownumber(self) -> int | None:
        """The index of the next row to fetch, from 0; None before `execute()` or a fetch."""
        return None if self._set is None else self._first + self._set.position

    def _may_live(self) -> bool:
        """Whether the server may have the cursor still, for all that the client knows."""
        session = self._session
        if session.closed:
            return False
        status = session.pgconn.transaction_status
        return status in _IN_TRANSACTION or (self._withhold and status == TransactionStatus.IDLE)

    @property
    def _quoted(self) -> bytes:
        return self._session._quote_identifier(self._name)

    # -- commands --------------------------------------------------------------------------

    def _check_here(self, what: str) -> None:
        self._check_open(what)
        session = self._session
        if session._phase is Phase.PIPELINE:
            raise e.NotSupportedError(f"can't do {what} of a server cursor in a pipeline: leave it first")
        session._check(Operation.EXECUTE, what)

    def _declare_gen(
        self, query: Query, params: Params | None, binary: bool | None
    ) -> WaitGen[None]:
        """Open the cursor for a query, in place of the one that is open."""
        self._check_here("execute()")
        session = self._session
        was_open, self._is_open = self._is_open and self._may_live(), False
        self._reset()
        self._first, self._is_past = 0, False
        format = self.format if binary is None else int(bool(binary))
        self._query = bound = self._bound(query, params, format)
        self._transformer.contextual = None
        scroll = {None: b"", True: b" SCROLL", False: b" NO SCROLL"}[self._scrollable]
        hold = b" WITH HOLD" if self._withhold else b""
        head = b"DECLARE %b%b CURSOR%b FOR " % (self._quoted, scroll, hold)
        bound.query, bound.result_format, bound.kind = head + bound.query, 0, RequestKind.PARAMS
        if was_open:
            yield from self._close_gen()
        if session._must_begin():
            yield from session._command_gen(session._begin_command())
        elif session._is_idle() and not self._withhold:
            raise e.lookup("25P01")(
                "a server cursor needs a transaction to live in, and in autocommit there is none: use it"
                " in a transaction() block, or make it with withhold=True"
            )
        # Nothing has been fetched of it: no row comes, but what the columns are.
        yield from self._ask_gen(bound, self._fetch(b"FORWARD 0", format))
        self._is_open = True

    def _fetch(self, what: bytes, format: int) -> BoundQuery:
        return BoundQuery(b"FETCH %b FROM %b" % (what, self._quoted), format)

    def _ask_gen(self, *requests: BoundQuery) -> WaitGen[Pending]:
        """Run requests in one round trip; the results of the last one become the current batch."""
        exchange = self._session._exchange
        if opened := len(requests) > 1:
            exchange.enter(own=True)
        sent = [exchange.send(request) for request in requests]
        if opened:
            yield from exchange.leave_gen()
        else:
            yield from exchange.receive_gen(sent[-1])
        for pending in sent:
            check_results(pending.results, self._words_encoding)
        if requests[-1].query.startswith(b"FETCH"):
            self._pending = sent[-1]
            self._take(sent[-1])
        return sent[-1]

    def _fetch_gen(self, count: int | None) -> WaitGen[list[Row]]:
        """Fetch rows: those first that an iteration has left.

        Args:
            count: how many at the most; None: all.
        """
        if count is not None and count < 0:
            raise e.ProgrammingError(f"got {count} rows to fetch: expected 0 or more")
        left = self._set.count - self._set.position if self._set is not None else 0
        if count is not None and left >= count:
            assert self._set is not None or not count
            return self._set.many(count) if self._set is not None else []
        rows = self._set.all() if self._set is not None and left else []
        yield from self._batch_gen(None if count is None else count - left)
        return rows + self._rows().all()

    def _batch_gen(self, count: int | None) -> WaitGen[None]:
        """Fetch the next batch of rows, in place of the current one, which has been read."""
        self._check_here("a fetch")
        if not self._transformer.is_current(self._session.pgconn):
            self._renew()
        first = self.rownumber or 0
        format = self.format if self._query is None else self._asked
        what = b"ALL" if count is None else b"FORWARD %d" % count
        yield from self._ask_gen(self._fetch(what, format))
        self._first, self._is_open = first, True
        if self._set is not None and (count is None or self._set.count < count):
            self._is_past = True

    @property
    def _asked(self) -> int:
        """The format that `execute()` was asked for."""
        return self._set.result.fformat(0) if self._set and self._set.result.nfields else 0

    def _scroll_gen(self, value: int, mode: str) -> WaitGen[None]:
        """Move in the rows; rows that were fetched ahead count as not yet read."""
        current, at = self._set, self.rownumber or 0
        if mode not in ("relative", "absolute"):
            raise ValueError(f"got the scroll mode {mode!r}: expected 'relative' or 'absolute'")
        target = max(0, index(value) + (at if mode == "relative" else 0))
        ahead = at if current is None else self._first + current.count
        if current is not None and at <= target <= ahead and target - self._first < current.count:
            current.position = target - self._first
            return
        self._check_here("scroll()")
        if target >= ahead:
            how, moved = b"FORWARD %d" % (target - ahead), target - ahead
        elif mode == "relative":
            how, moved = b"BACKWARD %d" % (ahead + self._is_past - target), 0
        else:
            how, moved = b"ABSOLUTE %d" % target, 0
        pending = yield from self._ask_gen(BoundQuery(b"MOVE %b FROM %b" % (how, self._quoted)))
        passed = pending.results[-1].command_tuples or 0
        self._is_past = target > ahead and passed < moved
        self._first = ahead + passed if self._is_past else target
        yield from self._ask_gen(self._fetch(b"FORWARD 0", self._asked)) if False else ()
        self._drop_batch()

    def _drop_batch(self) -> None:
        """Forget the rows of the current batch: the cursor was moved."""
        if self._set is not None:
            self._set.position = self._set.count = 0

    def _close_gen(self) -> WaitGen[None]:
        """Close the cursor at the server, if it is there."""
        if not self._may_live():
            return
        session = self._session
        escaped = Escaping(session.pgconn).escape_literal(self._name.encode(session.encoding))
        (found,) = yield from session._command_gen(
            b"SELECT FROM pg_catalog.pg_cursors WHERE name = " + escaped
        )
        if found.ntuples:
            yield from session._command_gen(b"CLOSE " + self._quoted)
