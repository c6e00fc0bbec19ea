"""The half of a cursor that never waits: its results, and the position in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, cast

from .. import errors as e
from ..abc import Params, Query
from ..adapt import AdaptersMap, Transformer
from ..encodings import reported_encoding
from ..pq import ExecStatus, Format, PGresult
from ..query import BoundQuery, RequestKind, bind
from ..rows import Row, RowFactory, tuple_row
from ..waiting import WaitGen
from .endings import is_copy
from .exchange import Pending
from .executions import Executions
from .preparing import is_fault
from .results import Column, ResultSet, check_pending
from .session import Session
from .statements import ADVICE
from .states import Meaning, Operation, meaning_of

TUPLES_OK = ExecStatus.TUPLES_OK
SIMPLE, PREPARED = RequestKind.SIMPLE, RequestKind.PREPARED
COPIES = (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH)
"""The statuses of results after which data is transferred."""
FAILED = (ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED)
"""The statuses of a request that failed, or of which something failed that was sent for it."""
_END: Any = object()
_FORMATS = (Format.TEXT, Format.BINARY)


class BaseCursor(Generic[Row]):
    """What `Cursor` and `AsyncCursor` have in common."""

    # Of the class, so that a new cursor costs little: `conn.execute()` makes one each time.
    _adapters: AdaptersMap | None = None
    _closed = False
    arraysize = 1
    """How many rows `fetchmany()` returns if it isn't told."""
    format = Format.TEXT
    """The format asked for results if `execute()` isn't told."""
    _query: BoundQuery | None = None
    _pending: Pending | None = None
    """What was asked last: the owner of its results."""
    _is_owed = False
    """Whether the results have still to be received, or checked for errors."""
    _prepares = True
    """Whether queries may be prepared."""
    _index = 0
    _set: ResultSet[Row] | None = None
    _total = -1
    _tag: bytes | None = None
    _turn: Any = None
    """While a COPY of the cursor is under way: what holds the connection for it."""

    def __init__(self, connection: Session, *, row_factory: RowFactory[Any] | None = None):
        self._session = connection
        self._row_factory: RowFactory[Row] = row_factory or connection.row_factory
        # By the connection's adapters, until somebody asks for a map of the cursor's own.
        known, adapters = connection._transformer, connection._adapters
        if known is None or adapters is None or not adapters.is_still(known._adapters):
            known = connection._transformer_of()
        self._transformer = known

    def _reset(self) -> None:
        self._renew()
        self._query = self._pending = self._set = self._tag = None
        self._is_owed, self._total = False, -1

    def __repr__(self) -> str:
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        if self._closed:
            state = "closed"
        else:
            result = self.pgresult
            state = "no result" if result is None else ExecStatus(result.status).name
        return f"<{name} [{state}] on {self._session!r} at 0x{id(self):x}>"

    # -- what it is ------------------------------------------------------------------------

    @property
    def adapters(self) -> AdaptersMap:
        """How this cursor turns Python values into PostgreSQL's and back."""
        if self._adapters is None:
            self._adapters = AdaptersMap(cast("AdaptersMap", self._transformer.adapters))
            self._transformer = self._session._transformer_of(self._adapters)
        return self._adapters

    @property
    def pgresult(self) -> PGresult | None:
        """The current result as libpq holds it, None without."""
        return self._set.result if self._set is not None else None

    @property
    def closed(self) -> bool:
        """Whether the cursor was closed."""
        return self._closed

    @property
    def description(self) -> list[Column] | None:
        """The columns of the current result, None if it has no rows. Those of a COPY have no types."""
        current = self._set
        if current is None or not (current.has_rows or current.result.status in COPIES):
            return None
        return current.columns()

    @property
    def rowcount(self) -> int:
        """Rows returned or affected; -1 if unknown. After `executemany()` the total."""
        if self._total >= 0 or self._set is None:
            return self._total
        return self._set.rowcount

    @property
    def rownumber(self) -> int | None:
        """The index of the next row to fetch, from 0; None without rows."""
        current = self._set
        return current.position if current is not None and current.has_rows else None

    @property
    def statusmessage(self) -> str | None:
        """The tag of the current result, such as "INSERT 0 1"; None without a result."""
        tag = self._tag if self._set is None else self._set.result.command_status
        return tag.decode("utf-8", "replace") if tag else None

    @property
    def row_factory(self) -> RowFactory[Row]:
        """What makes the functions that make rows; a change holds for the current result too."""
        return self._row_factory

    @row_factory.setter
    def row_factory(self, row_factory: RowFactory[Row]) -> None:
        self._row_factory = row_factory
        if self._set is not None:
            self._set.make_row = row_factory(self)

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Do nothing: PostgreSQL needs no sizes (PEP 249 asks for the method)."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Do nothing: PostgreSQL needs no sizes (PEP 249 asks for the method)."""

    # -- results ---------------------------------------------------------------------------

    def nextset(self) -> bool | None:
        """Go to the next statement's result; None if there is none."""
        if self._set is None or self._index + 1 >= len(self._results):
            return None
        self._choose(self._index + 1)
        return True

    @property
    def _results(self) -> list[PGresult]:
        """The results that have come, one a statement."""
        return [] if self._pending is None or self._is_owed else self._pending.results

    def _select(self, index: int, transformer: Transformer) -> None:
        """Make a result the current one, at its first row."""
        self._index = index
        pending, query = self._pending, self._query
        assert pending is not None
        self._set, result = None, pending.results[index]
        # What is asked for by the extended protocol has the format that was asked for.
        known = _FORMATS[query.result_format] if query is not None and query.kind else None
        if index + 1 == len(pending.results):
            status = pending.status
        else:
            status = None
            self._note_encodings(pending)
        self._set = current = ResultSet(result, transformer, _unmade, known, status)
        transformer.contextual = None
        if self._row_factory is tuple_row:
            current.make_row = tuple
        else:
            self._make_rows(current)

    def _make_rows(self, current: ResultSet[Row]) -> None:
        """Have rows made by the row factory; it fails here, and again when a row is fetched."""

        def again(values: Sequence[Any]) -> Row:
            if current.make_row is again:
                self._make_rows(current)
            return current.make_row(values)

        current.make_row = _unmade
        try:
            current.make_row = self._row_factory(self)
        except BaseException:
            current.make_row = again
            raise

    def _choose(self, index: int) -> None:
        count = len(self._results)
        if not -count <= index < count:
            raise IndexError(f"index {index} is out of range: there are {count} results")
        before, after, since = getattr(self._pending, "encodings", (None, None, 0))
        self._select(index % count, self._reading(after if index % count >= since else before))

    def _note_encodings(self, pending: Pending) -> None:
        """Take note of a client_encoding that one of several statements has changed.

        The server tells of it when all are done (version 14 and newer), and what it sends after the
        change is in it. It is taken for the work of the first statement that returns no rows, as a
        SET does, else of the first of all.
        """
        if not hasattr(pending, "encodings"):
            before, after = self._transformer.reported, reported_encoding(self._session.pgconn)
            changing = (at for at, result in enumerate(pending.results) if not result.nfields)
            since = next(changing, 0) + 1 if after != before else 0
            pending.encodings = before, after, since

    def _reading(self, reported: bytes | None) -> Transformer:
        """What reads what was sent in a client_encoding; None for that of the transformer."""
        known = self._transformer
        if reported in (None, known.reported):
            return known
        return Transformer(self._session, known.adapters, reported)

    def _rows(self) -> ResultSet[Row]:
        """The current result, if it has rows to fetch.

        Raises:
            InterfaceError: the cursor is closed.
            ProgrammingError: there is no result, or it has no rows.
        """
        current = self._set
        shut = self._closed or self._session._closed
        if current is not None and current.has_rows and not shut:
            if self._adapters is not None and self._transformer.is_outdated:
                self._renew()  # a loader was registered since
                current.load_by(self._reading(current.reported))
            return current
        self._check_open()
        if current is None:
            raise e.ProgrammingError("there is no result to fetch from: execute a query first")
        raise e.ProgrammingError(
            "the last statement returned no rows to fetch:"
            f" its status is {self.statusmessage or ExecStatus(current.result.status).name!r}"
        )

    def _check_open(self, what: str = "a fetch") -> None:
        if self._closed:
            raise e.InterfaceError("the cursor is closed: make a new one with connection.cursor()")
        if self._session.closed:
            self._session._check(Operation.EXECUTE, what)

    # -- commands --------------------------------------------------------------------------

    def _bind_next(self, query: Query, params: Params | None, binary: bool | None) -> BoundQuery:
        """Forget what was asked before, and bind the next query."""
        session = self._session
        if self._closed or session._closed or session._loss.has_happened:
            self._check_open("execute()")
        # `_reset()`, but for a call: it is on the way of each query.
        transformer = self._transformer
        if not transformer.is_current(session.pgconn):
            transformer = self._renew()
        self._pending = self._set = self._tag = None
        self._is_owed, self._total = False, -1
        format = self.format if binary is None else int(bool(binary))
        self._query = bound = bind(query, params, transformer, result_format=format)
        transformer.contextual = None
        return bound

    def _bound(self, query: Query, params: Params | None, format: int) -> BoundQuery:
        """Bind a query; where cursors differ in that, they override it and `_bind_next()`."""
        return bind(query, params, self._transformer, result_format=format)

    def _renew(self) -> Transformer:
        """The transformer for the current encoding, with the adapters that the cursor has."""
        adapters = cast("AdaptersMap", self._transformer.adapters)
        self._transformer = known = self._session._transformer_of(adapters)
        return known

    def _take(self, pending: Pending) -> None:
        """Take the results of a request that is done; the first one becomes the current.

        Raises:
            Error: the server's.
            ProgrammingError: it is a COPY.
        """
        self._is_owed = False
        if pending.status is None:
            return
        if pending.status != TUPLES_OK and meaning_of(pending.status) is not Meaning.DONE:
            self._refuse(pending)
        self._select(0, self._transformer)

    def _discover_gen(self, pending: Pending) -> WaitGen[None]:
        """Look up the types in results that nobody has met so far."""
        session, discovery = self._session, self._session._discovery
        own = self._adapters or session.adapters
        if discovery is not None and (oids := discovery.unknown(pending.results, own)):
            yield from discovery.look_up_gen(session, oids, {session.adapters, own})
            if self._adapters is None:
                self._transformer = session._transformer_of()

    def _refuse(self, pending: Pending) -> None:
        """Raise what the results of a request mean that didn't succeed."""
        results = pending.results
        self._pending = None
        if meaning_of(results[-1].status) is Meaning.COPY:
            raise _copy_refused("execute()")
        try:
            check_pending(self._session._exchange, pending, self._words_encoding)
        except e.PipelineAborted:
            raise
        except e.Error as ex:
            if self._query is not None and is_fault(self._session, self._query, pending):
                ex.args = (f"{ex}\n{ADVICE}",)
            raise

    @property
    def _words_encoding(self) -> str:
        """The codec of names and errors: the result's; the query's, even if it has changed it since."""
        return (self._set or self._transformer).words_encoding

    def _executemany_gen(
        self, query: Query, params_seq: Iterable[Params], returning: bool
    ) -> WaitGen[None]:
        """Run a query once for each parameters, all of them in one pipeline."""
        self._check_open("executemany()")
        self._reset()
        self._session._check(Operation.EXECUTE, "executemany()")
        many = Executions(self._session, self._words_encoding, keep=returning)
        left, format, bind_one = _iterator(params_seq), self.format, self._bound
        while True:
            try:
                if (params := next(left, _END)) is _END:
                    break
                bound = bind_one(query, params, format)
                is_first = not many.count
                if is_first and is_copy(bound.query):
                    raise _copy_refused("executemany()")
            except Exception:
                yield from many.give_up_gen()
                raise
            if is_first:
                self._query = bound
                many.begin()
            if many.send(bound):
                yield from many.receive_gen()
        self._transformer.contextual = None
        yield from many.end_gen()
        self._total, self._tag = many.total, many.tag
        if many.kept.results:
            self._pending = many.kept
            self._select(0, self._transformer)

    def _close(self) -> None:
        """Close the cursor; it does no I/O."""
        self._closed = True
        self._query = self._pending = self._set = self._tag = None


def _copy_refused(method: str) -> e.ProgrammingError:
    return e.ProgrammingError(
        f"COPY from and to the client can't be run by {method}: it transfers data besides its result"
    )


def _iterator(params_seq: Iterable[Params]) -> Iterator[Params]:
    try:
        return iter(params_seq)
    except TypeError:
        raise e.ProgrammingError(
            f"the parameters of executemany() are of type {type(params_seq).__name__}: expected a"
            " sequence or another iterable of parameters, one for each execution"
        ) from None


def _unmade(_: Sequence[Any]) -> Any:
    raise e.InterfaceError("a row factory must not fetch rows")
