"""AsyncNotifies: the notifications of a connection as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from ..session.notices import Notify
from .runner import NO_TIMEOUT, TurnMissed

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
        in_time = True
        while not self._over:
            # What came together with the last one that is wanted is given too.
            if self._given or not enough:
                with suppress(IndexError):  # there is none, or another consumer has it
                    notify = backlog.popleft()
                    self._given += 1
                    return notify
            if enough or not in_time:
                self._over = True
            else:
                in_time = await self._listen()
        raise StopAsyncIteration

    async def _listen(self) -> bool:
        """Wait for the next batch; False when the time is over."""
        session = self._session
        if self._timeout is not None and self._deadline is None:
            self._deadline = monotonic() + self._timeout
        if self._deadline is None:
            gen = session._notifies_gen(None)
            await session._run(gen, NO_TIMEOUT, interval=session._watcher.tick)
            return True
        gen = session._notifies_gen(self._deadline)
        with suppress(TurnMissed):
            await session._run(gen, NO_TIMEOUT, until=self._deadline)
        return monotonic() < self._deadline

    async def aclose(self) -> None:
        """Stop: there are no further notifications. What has come stays with the connection.

        Whoever is waiting for the next one goes on waiting: until `timeout`, or the connection's end.
        """
        self._over = True
