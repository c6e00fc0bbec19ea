"""AsyncCursor: execute, and fetch what came of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
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
from .copy import AsyncCopy, AsyncWriter
from .stream import AsyncStream
from .turn import AsyncTurn

if TYPE_CHECKING:
    from .connection import AsyncConnection


class AsyncCursor(BaseCursor[Row]):
    """Runs queries on a connection and fetches their results."""

    _session: AsyncConnection[Any]

    if TYPE_CHECKING:  # that of `BaseCursor`, as exact as users see it

        @overload
        def __init__(
            self, connection: AsyncConnection[Row], *, row_factory: None = None
        ) -> None: ...
        @overload
        def __init__(
            self, connection: AsyncConnection[Any], *, row_factory: RowFactory[Row] | None
        ) -> None: ...
        def __init__(self, connection: Any, *, row_factory: Any = None): ...

    @property
    def connection(self) -> AsyncConnection[Any]:
        """The connection that the cursor works on."""
        return self._session

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the cursor: its results are freed, and further use is an InterfaceError."""
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
        if session._sharing is not None and await self._share(
            query, params, prepare, binary, timeout
        ):
            return self
        await session._in_turn(self._execute, timeout, query, params, prepare, binary)
        return self

    async def _share(
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
            return bool(await session._in_turn(self._execute_shared, timeout, statement))
        except BaseException:
            session._sharing.leave(statement)
            raise

    async def _execute_shared(self, turn: AsyncTurn, statement: SharedStatement) -> bool:
        session, bound = self._session, statement.bound
        try:
            if statement.pending is None:
                if is_alone(session):
                    session._sharing.leave(statement)
                    return False
                while statement.pending is None:
                    await turn.share()
            pending = statement.pending
            if not pending.done:  # it was given up
                await turn.receive(pending)
        except BaseException:
            statement.is_left = True
            raise
        self._pending = pending
        await self._conclude(turn, bound, pending, False)
        return True

    async def _execute(
        self,
        turn: AsyncTurn,
        query: Query,
        params: Params | None,
        prepare: bool | None,
        binary: bool | None,
    ) -> None:
        bound = self._bind_next(query, params, binary)
        session = self._session
        if session._exchange.pipelined and not await turn.abandon_pipeline():
            self._pending, self._is_owed = owe(session, bound, prepare), True
            if session._exchange.is_full(bound):
                await turn.run(session._exchange.relieve_gen())
            return
        if has_begun := session._must_begin():
            riding = rides(bound.query, bound.kind != SIMPLE)
            if not riding:
                await turn.begin()
        else:
            riding = False
        exchange = session._exchange
        first = exchange.statements.plan(bound, session, prepare, exchange)
        self._pending = pending = await (
            turn.ask_after(first or (), bound, begin=riding)
            if first is not None or riding
            else turn.ask(bound)
        )
        if pending.status == TUPLES_OK and session._discovery is None:
            self._select(0, self._transformer)
        else:
            await self._conclude(turn, bound, pending, has_begun)

    async def _conclude(
        self, turn: AsyncTurn, bound: BoundQuery, pending: Pending, has_begun: bool | None
    ) -> None:
        """Take results that are there."""
        session = self._session
        if pending.status in COPIES:
            await turn.run(session._exchange.drain_gen())
        elif bound.kind == PREPARED and pending.status in FAILED:
            repairing = repaired_gen(session, bound, pending, has_begun)
            self._pending = pending = await turn.run(repairing)
        if session._discovery is not None:
            await turn.run(self._discover_gen(pending))
        self._take(pending)

    async def _receive(self) -> None:
        """Receive the results that a pipeline still owes to this cursor."""
        pending = self._pending
        if self._is_owed and pending is not None:
            if not pending.done:
                await self._session._in_turn(AsyncTurn.receive, None, pending)
            if self._session._discovery is not None:
                await self._session._run(self._discover_gen(pending))
            self._take(pending)

    async def executemany(
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
        await self._session._run(self._executemany_gen(query, params_seq, returning), timeout)

    def copy(
        self,
        statement: Query,
        params: Params | None = None,
        *,
        writer: AsyncWriter | None = None,
        progress: Progress | None = None,
        timeout: float | None = None,
    ) -> AsyncCopy:
        """Make a block in which a COPY is under way: `async with cursor.copy(...) as copy`.

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
        copy = AsyncCopy(self, writer=writer, progress=progress)
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
    ) -> AsyncStream[Row]:
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
        return AsyncStream(self, (query, params, binary), size, timeout)

    async def fetchone(self) -> Row | None:
        """Return the next row, None if there is no other."""
        if self._is_owed:
            await self._receive()
        return self._rows().one()

    async def fetchmany(self, size: int = 0) -> list[Row]:
        """Return the next `size` rows (by default `arraysize`), fewer at the end."""
        if self._is_owed:
            await self._receive()
        return self._rows().many(size or self.arraysize)

    async def fetchall(self) -> list[Row]:
        """Return the rows that are left."""
        if self._is_owed:
            await self._receive()
        return self._rows().all()

    def __aiter__(self) -> Self:
        if not self._is_owed:
            self._rows()
        return self

    async def __anext__(self) -> Row:
        if self._is_owed:
            await self._receive()
        rows = self._rows()
        if rows.position >= rows.count:
            raise StopAsyncIteration
        return rows.one()  # type: ignore[return-value]  # None may be what the factory makes

    async def scroll(self, value: int, mode: str = "relative") -> None:
        """Move in the rows, by `value` or (mode "absolute") to it; IndexError outside of them."""
        await self._receive()
        self._rows().scroll(value, mode)

    async def set_result(self, index: int) -> Self:
        """Make the result of that index the current one (-1 is the last); IndexError if there is none."""
        await self._receive()
        self._choose(index)
        return self

    def results(self) -> AsyncResults[Row]:
        """Iterate over the results: yields the cursor, each time on the next one."""
        return AsyncResults(self)


class AsyncResults(AsyncIterator["AsyncCursor[Row]"]):
    """An iterator over the results of a cursor."""

    def __init__(self, cursor: AsyncCursor[Row]):
        self._cursor = cursor
        self._started = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AsyncCursor[Row]:
        cursor = self._cursor
        await cursor._receive()
        there_is_one = cursor.nextset() if self._started else cursor.pgresult is not None
        if not there_is_one:
            raise StopAsyncIteration
        self._started = True
        return cursor


# What a COPY says of its cursor: its file can't import this one, and `typing.get_type_hints()` wants
# the name.
for _module in (copy,):
    vars(_module)["AsyncCursor"] = AsyncCursor
