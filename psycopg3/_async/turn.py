"""AsyncTurn: the exclusive use of a connection, for one operation or for a block of several."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from .. import errors as e
from ..deadlines import Deadline
from ..generators import until_gen
from ..query import BoundQuery, command
from ..session.exchange import Pending
from ..session.preparing import try_to_close_gen
from ..session.recovery import ending_gen
from ..waiting import TICK, WaitGen, tick_within

if TYPE_CHECKING:
    from .runner import AsyncRunner

T = TypeVar("T")


class AsyncTurn:
    """What whoever holds a connection may do with it; made for each operation.

    Requests are sent by plain calls. What may block is one generator, which the waiter drives
    directly: there is no other between them.
    """

    __slots__ = ("_deadline", "_session")

    def __init__(self, session: AsyncRunner, deadline: Deadline | None = None):
        self._session = session
        self._deadline = deadline

    async def begin(self) -> None:
        """Open a transaction."""
        session = self._session
        await self.run(session._command_gen(session._begin_command()))

    async def ask(self, request: BoundQuery) -> Pending:
        """Send a request and receive its results; in a pipeline they are owed."""
        session, deadline = self._session, self._deadline
        exchange = session._exchange
        try:
            pending = exchange.send(request)
            if not exchange.pipelined:
                interval = None if deadline is None else tick_within(deadline.left)
                await session._watcher.wait(exchange.receive_gen(pending, deadline), interval)
            return pending
        except e.OperationalError as ex:
            raise session._explain(ex) from ex.__cause__

    async def ask_after(
        self, first: Sequence[BoundQuery], request: BoundQuery, *, begin: bool = False
    ) -> Pending:
        """Open a transaction, prepare a statement and execute it, in one round trip.

        Args:
            first: what prepares it.
            request: the execution.
            begin: whether to open a transaction.
        """
        session, deadline = self._session, self._deadline
        exchange = session._exchange
        if exchange.statements.must_try:
            await self.run(try_to_close_gen(session))
        try:
            exchange.enter(own=True)
            if begin:
                exchange.send(command(session._begin_command()))
            pending = exchange.send_after(first, request)
            interval = None if deadline is None else tick_within(deadline.left)
            await session._watcher.wait(exchange.receive_gen(exchange.sync(), deadline), interval)
            exchange.leave()
            return pending
        except e.OperationalError as ex:
            raise session._explain(ex) from ex.__cause__

    async def share(self) -> None:
        """Send the statements of all who wait for it, and receive their results."""
        session = self._session
        session._exchange.enter(own=True)
        session._sharing.send(session)
        await self.finish_shared()

    async def finish_shared(self) -> None:
        """Receive the statements that are shared and under way."""
        session, sharing = self._session, self._session._sharing
        await self.run(session._exchange.receive_gen(sharing.sync))
        session._exchange.leave()
        sharing.end()

    async def receive(self, pending: Pending) -> None:
        """Receive, in the order asked, until a request has its results."""
        await self.run(self._session._exchange.receive_gen(pending))

    async def settle(self) -> None:
        """Bring to rest what is under way and not wanted any more: it may end soon by itself.

        What it still sends is dropped; after a moment the server's work is cancelled.
        """
        session = self._session
        await session._watcher.wait(ending_gen(session._exchange), TICK)
        if session._exchange.needs_drain:
            await session._library.shield(session._recover, True)

    async def abandon_pipeline(self) -> bool:
        """Give up a pipeline whose blocks have all been dropped without their end; whether there is one."""
        if self._session._exchange.blocks:
            return False
        await self.settle()
        return True

    async def rest(self) -> None:
        """Do nothing: what was under way has been brought to rest before."""

    async def drive(self, gen: WaitGen[T], interval: float | None) -> T:
        """Run a user's generator, which may leave the connection in the middle of anything."""
        self._session._exchange.is_used = True
        return await self.run(gen, interval)

    async def run(self, gen: WaitGen[T], interval: float | None = None) -> T:
        """Run a generator, as a waiter does, and return its value."""
        if self._deadline is not None:
            gen, interval = until_gen(gen, self._deadline), tick_within(self._deadline.left)
        try:
            value: T = await self._session._watcher.wait(gen, interval)
            return value
        except e.OperationalError as ex:
            raise self._session._explain(ex) from ex.__cause__


class AsyncHeldTurn(AsyncTurn):
    """A turn for a block of several operations; made by `AsyncRunner._turn()`."""

    is_held = False
    """Whether the block was entered, and not left."""

    async def __aenter__(self) -> Self:
        await self._session._take_turn(self)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self._session._leave_turn(self, exc)

    def __del__(self) -> None:
        # Python calls no `__exit__` where a signal's exception strikes at its first instruction.
        if self.is_held:
            try:
                self._session._drop_turn(self)
            except BaseException:  # of a signal's handler: the lock must not stay taken
                self._session._drop_turn(self)
                raise
