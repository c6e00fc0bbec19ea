"""The half of a server cursor that never waits: DECLARE, FETCH, MOVE, CLOSE, and where it stands."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from operator import index
from typing import Any

from .. import errors as e
from .. import sql
from ..abc import Params, Query
from ..pq import TransactionStatus
from ..query import BoundQuery, RequestKind, command
from ..rows import Row, RowFactory
from ..waiting import WaitGen
from .cursor import BaseCursor
from .exchange import Pending
from .results import check_results
from .session import Session
from .states import Operation

_IN_TRANSACTION = (TransactionStatus.INTRANS, TransactionStatus.ACTIVE)


class BaseServerCursor(BaseCursor[Row]):
    """What `ServerCursor` and `AsyncServerCursor` have in common."""

    itersize = 100
    """How many rows an iteration fetches at once."""
    _is_open = False
    """Whether a cursor was opened at the server, or taken over; its transaction may have closed it."""
    _asked: int | None = None
    """The format that `execute()` was asked for; None where nothing was executed."""
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
        return (
            super()
            .__repr__()
            .replace(f"{cls.__qualname__} [", f"{cls.__qualname__} {self._name!r} [", 1)
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
        """The index of the next row to fetch, from 0; None before the cursor was used."""
        if not self._is_open:
            return None
        return self._first + (0 if self._set is None else self._set.position)

    def _may_live(self) -> bool:
        """Whether the server may have the cursor still, for all that the client knows."""
        session = self._session
        if session.closed:
            return False
        status = session.pgconn.transaction_status
        return status in _IN_TRANSACTION or (self._withhold and status == TransactionStatus.IDLE)

    @property
    def _quoted(self) -> bytes:
        return sql.Identifier(self._name).as_bytes(self._transformer)

    # -- commands --------------------------------------------------------------------------

    def _check_here(self, what: str) -> None:
        self._check_open(what)
        session = self._session
        if session._exchange.pipelined:
            raise e.NotSupportedError(
                f"can't do {what} of a server cursor in a pipeline: leave it first"
            )
        session._check(Operation.EXECUTE, what)

    def _declare_gen(
        self, query: Query, params: Params | None, binary: bool | None
    ) -> WaitGen[None]:
        """Open the cursor for a query, in place of the one that is open."""
        self._check_here("execute()")
        session = self._session
        self._reset()
        self._asked = format = self.format if binary is None else int(bool(binary))
        self._query = bound = self._bound(query, params, format)
        self._transformer.contextual = None
        scroll = {None: b"", True: b" SCROLL", False: b" NO SCROLL"}[self._scrollable]
        hold = b" WITH HOLD" if self._withhold else b""
        head = b"DECLARE %b%b CURSOR%b FOR " % (self._quoted, scroll, hold)
        bound.query, bound.kind = head + bound.query, RequestKind.PARAMS
        yield from self._close_gen()
        self._first, self._is_past, self._is_open = 0, False, False
        requests = [bound, self._fetch(b"FORWARD 0", format)]
        if session._must_begin():
            requests.insert(0, command(session._begin_command()))
        elif session._is_idle() and not self._withhold:
            raise e.lookup("25P01")(
                "a server cursor needs a transaction to live in, and in autocommit there is none: use it"
                " in a transaction() block, or make it with withhold=True"
            )
        # Nothing has been fetched of it: no row comes, but what the columns are.
        yield from self._ask_gen(requests)
        self._is_open = True

    def _fetch(self, what: bytes, format: int) -> BoundQuery:
        return BoundQuery(b"FETCH %b FROM %b" % (what, self._quoted), format)

    def _ask_gen(self, requests: list[BoundQuery]) -> WaitGen[Pending]:
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
        current = self._set
        left = 0 if current is None else current.count - current.position
        if count is not None and left >= count:
            return self._rows().many(count) if count else []
        rows = self._rows().all() if left else []
        yield from self._batch_gen(None if count is None else count - left)
        return rows + self._rows().all()

    def _batch_gen(self, count: int | None) -> WaitGen[None]:
        """Fetch the next batch of rows, in place of the current one, which has been read."""
        self._check_here("a fetch")
        self._renew()
        first = self.rownumber or 0
        what = b"ALL" if count is None else b"FORWARD %d" % count
        format = self.format if self._asked is None else self._asked
        yield from self._ask_gen([self._fetch(what, format)])
        self._first, self._is_open = first, True
        self._is_past = count is None or self._rows().count < count

    def _scroll_gen(self, value: int, mode: str) -> WaitGen[None]:
        """Move in the rows; to the server, those that an iteration has fetched ahead are read."""
        at = self.rownumber or 0
        if mode not in ("relative", "absolute"):
            raise ValueError(f"got the scroll mode {mode!r}: expected 'relative' or 'absolute'")
        target = max(0, index(value) + (at if mode == "relative" else 0))
        current = self._set
        ahead = at if current is None else self._first + current.count
        if current is not None and at <= target <= ahead:
            current.position = target - self._first
            return
        self._check_here("scroll()")
        if mode == "absolute":
            how = b"ABSOLUTE %d" % target
        elif target > ahead:
            how = b"FORWARD %d" % (target - ahead)
        else:
            how = b"BACKWARD %d" % (ahead + self._is_past - target)
        move = BoundQuery(b"MOVE %b FROM %b" % (how, self._quoted))
        pending = yield from self._ask_gen([move])
        moved = pending.results[-1].command_tuples or 0
        self._is_past = target > ahead and moved < (1 if mode == "absolute" else target - ahead)
        self._first = ahead + moved if self._is_past and mode == "relative" else target
        self._is_open = True
        if current is not None:  # it still tells what the columns are
            current.position = current.count = 0

    def _close_gen(self) -> WaitGen[None]:
        """Close the cursor at the server, if it is there."""
        if not (self._is_open and self._may_live()):
            return
        name = sql.Literal(self._name).as_bytes(self._transformer)
        (found,) = yield from self._session._command_gen(
            b"SELECT FROM pg_catalog.pg_cursors WHERE name = " + name
        )
        if found.ntuples:
            yield from self._session._command_gen(b"CLOSE " + self._quoted)
