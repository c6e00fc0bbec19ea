# Generated from psycopg3/_async/cursor.py by `python tools/unasync.py`: edit that file, not this one.
"""Cursor: execute, and fetch what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

from ..abc import Params, Query
from ..query import BoundQuery
from ..rows import Row, RowFactory
from ..session.copy import Progress
from ..session.cursor import COPIES, FAILED, PREPARED, SIMPLE, TUPLES_OK, BaseCursor
from ..session.endings import rides
from ..session.exchange import Pending
from ..session.pipeline import owe
from ..session.preparing import repaired_gen
from ..session.sharing import SharedStatement, is_alone, may_share
from . import copy
from .copy import Copy, Writer
from .stream import Stream
from .turn import Turn

if TYPE_CHECKING:
    from .connection import Connection


class Cursor(BaseCursor[Row]):
    """Runs queries on a connection and fetches their results."""

    _session: Connection[Any]

    if TYPE_CHECKING:  # that of `BaseCursor`, as exact as users see it

        @overload
        def __init__(self, connection: Connection[Row], *, row_factory: None = None) -> None: ...
        @overload
        def __init__(
            self, connection: Connection[Any], *, row_factory: RowFactory[Row] | None
        ) -> None: ...
        def __init__(self, connection: Any, *, row_factory: Any = None): ...

    @property
    def connection(self) -> Connection[Any]:
        """The connection that the cursor works on."""
        return self._session

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the cursor: its results are freed, and further use is an InterfaceError."""
        self._close()

    def execute(
        self,
        query: Query,
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool | None = None,
        timeout: float | None = None,
    ) -> Self:
        """Run a query.

        Args:
            query: SQL with placeholders `%s` or `%(name)s`; without `params` it may hold
                several statements, whose results `nextset()` goes through.
            params: a sequence, or a mapping for named placeholders.
            prepare: whether to prepare it; by default if it was executed so often as the
                connection's `prepare_threshold` says.
            binary: whether to ask for results in binary format; by default as the cursor's `format`.
            timeout: seconds until it is cancelled; by default the connection's `command_timeout`.

        Returns:
            The cursor itself.

        Raises:
            ProgrammingError: query and parameters don't fit together.
            DataError: a parameter has no representation in PostgreSQL.
            QueryTimeout: the time has passed.
            Error: of the class of its SQLSTATE, what the server answered.
        """
        prepare = prepare if self._prepares else False
        session = self._session
        if session._sharing is not None and self._share(query, params, prepare, binary, timeout):
            return self
        session._in_turn(self._execute, timeout, query, params, prepare, binary)
        return self

    def _share(
        self,
        query: Query,
        params: Params | None,
        prepare: bool | None,
        binary: bool | None,
        timeout: float | None,
    ) -> bool:
        """Run a query beside those of others; False if it must have the connection for itself."""
        session = self._session
        statement = SharedStatement(self._bind_next(query, params, binary), prepare)
        if not may_share(session, statement.bound):
            return False
        session._sharing.add(statement)
        try:
            return bool(session._in_turn(self._execute_shared, timeout, statement))
        except BaseException:
            session._sharing.leave(statement)
            raise

    def _execute_shared(self, turn: Turn, statement: SharedStatement) -> bool:
        session, bound = self._session, statement.bound
        try:
            if statement.pending is None:
                if is_alone(session):
                    session._sharing.leave(statement)
                    return False
                while statement.pending is None:
                    turn.share()
            pending = statement.pending
            if not pending.done:  # it was given up
                turn.receive(pending)
        except BaseException:
            statement.is_left = True
            raise
        self._pending = pending
        self._conclude(turn, bound, pending, False)
        return True

    def _execute(
        self,
        turn: Turn,
        query: Query,
        params: Params | None,
        prepare: bool | None,
        binary: bool | None,
    ) -> None:
        bound = self._bind_next(query, params, binary)
        session = self._session
        if session._exchange.pipelined and not turn.abandon_pipeline():
            self._pending, self._is_owed = owe(session, bound, prepare), True
            if session._exchange.is_full(bound):
                turn.run(session._exchange.relieve_gen())
            return
        if has_begun := session._must_begin():
            riding = rides(bound.query, bound.kind != SIMPLE)
            if not riding:
                turn.begin()
        else:
            riding = False
        exchange = session._exchange
        first = exchange.statements.plan(bound, session, prepare, exchange)
        self._pending = pending = (
            turn.ask_after(first or (), bound, begin=riding)
            if first is not None or riding
            else turn.ask(bound)
        )
        if pending.status == TUPLES_OK and session._discovery is None:
            self._select(0, self._transformer)
        else:
            self._conclude(turn, bound, pending, has_begun)

    def _conclude(
        self, turn: Turn, bound: BoundQuery, pending: Pending, has_begun: bool | None
    ) -> None:
        """Take results that are there."""
        session = self._session
        if pending.status in COPIES:
            turn.run(session._exchange.drain_gen())
        elif bound.kind == PREPARED and pending.status in FAILED:
            repairing = repaired_gen(session, bound, pending, has_begun)
            self._pending = pending = turn.run(repairing)
        if session._discovery is not None:
            turn.run(self._discover_gen(pending))
        self._take(pending)

    def _receive(self) -> None:
        """Receive the results that a pipeline still owes to this cursor."""
        pending = self._pending
        if self._is_owed and pending is not None:
            if not pending.done:
                self._session._in_turn(Turn.receive, None, pending)
            if self._session._discovery is not None:
                self._session._run(self._discover_gen(pending))
            self._take(pending)

    def executemany(
        self,
        query: Query,
        params_seq: Iterable[Params],
        *,
        returning: bool = False,
        timeout: float | None = None,
    ) -> None:
        """Run a query once for each parameters, in one pipeline.

        In autocommit it is one transaction: if an execution fails, none is kept.

        Args:
            query: SQL with placeholders.
            params_seq: the parameters of each execution; any iterable, read as it goes.
            returning: keep the results, one set for each execution.
            timeout: seconds until it is cancelled; by default the connection's `command_timeout`.
        """
        self._session._run(self._executemany_gen(query, params_seq, returning), timeout)

    def copy(
        self,
        statement: Query,
        params: Params | None = None,
        *,
        writer: Writer | None = None,
        progress: Progress | None = None,
        timeout: float | None = None,
    ) -> Copy:
        """Make a block in which a COPY is under way: `with cursor.copy(...) as copy`.

        The connection is its own until it ends: others wait for their turn.

        Args:
            statement: COPY ... FROM STDIN, or COPY ... TO STDOUT.
            params: what its placeholders are filled from; they are put in as literals.
            writer: where the data goes that is written; by default to the server.
            progress: called about once a megabyte, and at the end, with the rows and the bytes so
                far. What it raises ends the COPY. Of text in blocks it is told the lines.
            timeout: seconds until it is cancelled, the whole block; by default the connection's
                `command_timeout`.

        Raises:
            ProgrammingError: entering the block: the statement is no such COPY.
        """
        copy = Copy(self, writer=writer, progress=progress)
        copy._asked, copy._timeout = (statement, params), timeout
        return copy

    def stream(
        self,
        query: Query,
        params: Params | None = None,
        *,
        binary: bool | None = None,
        size: int = 1,
        timeout: float | None = None,
    ) -> Stream[Row]:
        """Iterate over the rows of a query as they come: memory holds `size` of them.

        The connection is held until the last row, or until the iterator is closed or dropped.

        Args:
            query: SQL with placeholders; one statement that returns rows.
            params: a sequence, or a mapping for named placeholders.
            binary: whether to ask for results in binary format; by default as the cursor's `format`.
            size: how many rows are received at once; more than 1 with libpq 17 and newer.
            timeout: seconds until the last row; by default the connection's `command_timeout`.

        Raises:
            ValueError: the size is less than 1.
            NotSupportedError: this libpq has no size but 1; or, at the first row, in a pipeline.
        """
        return Stream(self, (query, params, binary), size, timeout)

    def fetchone(self) -> Row | None:
        """Return the next row, None if there is no other."""
        if self._is_owed:
            self._receive()
        return self._rows().one()

    def fetchmany(self, size: int = 0) -> list[Row]:
        """Return the next `size` rows (by default `arraysize`), fewer at the end."""
        if self._is_owed:
            self._receive()
        return self._rows().many(size or self.arraysize)

    def fetchall(self) -> list[Row]:
        """Return the rows that are left."""
        if self._is_owed:
            self._receive()
        return self._rows().all()

    def __iter__(self) -> Self:
        if not self._is_owed:
            self._rows()
        return self

    def __next__(self) -> Row:
        if self._is_owed:
            self._receive()
        rows = self._rows()
        if rows.position >= rows.count:
            raise StopIteration
        return rows.one()  # type: ignore[return-value]  # None may be what the factory makes

    def scroll(self, value: int, mode: str = "relative") -> None:
        """Move in the rows, by `value` or (mode "absolute") to it; IndexError outside of them."""
        self._receive()
        self._rows().scroll(value, mode)

    def set_result(self, index: int) -> Self:
        """Make the result of that index the current one (-1 is the last); IndexError if there is none."""
        self._receive()
        self._choose(index)
        return self

    def results(self) -> Results[Row]:
        """Iterate over the results: yields the cursor, each time on the next one."""
        return Results(self)


class Results(Iterator["Cursor[Row]"]):
    """An iterator over the results of a cursor."""

    def __init__(self, cursor: Cursor[Row]):
        self._cursor = cursor
        self._started = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Cursor[Row]:
        cursor = self._cursor
        cursor._receive()
        there_is_one = cursor.nextset() if self._started else cursor.pgresult is not None
        if not there_is_one:
            raise StopIteration
        self._started = True
        return cursor


# What a COPY says of its cursor: its file can't import this one, and `typing.get_type_hints()` wants
# the name.
for _module in (copy,):
    vars(_module)["Cursor"] = Cursor
