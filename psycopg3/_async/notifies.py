"""AsyncNotifies: the notifications of a connection as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from time import monotonic
from typing import TYPE_CHECKING

from ..session.notices import Notify
from ..session.states import Operation
from ..waiting import tick_within
from .runner import NO_TIMEOUT

if TYPE_CHECKING:
    from typing import Self

    from .runner import AsyncRunner


class AsyncNotifies(AsyncIterator[Notify]):
    """An iterator over notifications; made by `connection.notifies()`.

    The connection is taken only while it waits: between two notifications the loop's body may
    use it, and leaving the loop needs no clean-up.
    """

    __module__ = "psycopg3"

    def __init__(self, connection: AsyncRunner, timeout: float | None, stop_after: int | None):
        self._session = connection
        self._timeout = timeout
        self._deadline: float | None = None
        self._stop_after = stop_after
        self._given = 0
        self._over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Notify:
        backlog = self._session._notices.backlog
        enough = self._stop_after is not None and self._given >= self._stop_after
        if not (backlog or enough or self._over):
            await self._listen()
        # What came together with the last one that is wanted is given too.
        if self._over or not backlog or (enough and not self._given):
            self._over = True
            raise StopAsyncIteration
        self._given += 1
        return backlog.popleft()

    async def _listen(self) -> None:
        """Wait for the next batch, until the time is over."""
        session = self._session
        session._check(Operation.NOTIFIES, "notifies()")
        if self._timeout is not None and self._deadline is None:
            self._deadline = monotonic() + self._timeout
        timeout = None if self._deadline is None else max(0.0, self._deadline - monotonic())
        tick = tick_within(timeout) if timeout else session._watcher.tick
        await session._run(session._notifies_gen(timeout), NO_TIMEOUT, interval=tick)

    async def aclose(self) -> None:
        """Stop: there are no further notifications. What has come stays with the connection."""
        self._over = True
