"""AsyncNotifies: the notifications of a connection as they come."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Self

from ..concurrency.calls import refused
from ..deadlines import Deadline
from ..errors import OperationalError
from ..session.listening import notifies_gen
from ..session.notices import Notify
from .runner import NO_TIMEOUT, AsyncRunner


class _TurnMissed(Exception):
    """The time has passed while others had their turns."""


class AsyncNotifies(AsyncIterator[Notify]):
    """An iterator over notifications; made by `connection.notifies()`.

    The connection isn't held while it waits: others may use it, the loop's body too, and leaving the
    loop needs no clean-up.
    """

    def __init__(self, connection: AsyncRunner, timeout: float | None, stop_after: int | None):
        self._session = connection
        self._timeout = timeout
        self._deadline: Deadline | None = None
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
        session, notices = self._session, self._session._notices
        if self._timeout is not None and self._deadline is None:
            self._deadline = Deadline.after(self._timeout, _TurnMissed)
        notices.consume(1)
        try:
            # What has come is taken when the connection is free; for more it is not held.
            with suppress(_TurnMissed):
                await session._run(notifies_gen(session), self._deadline or NO_TIMEOUT)
            if not notices.backlog and (self._deadline is None or self._deadline.left):
                await self._wait(session)
        finally:
            notices.consume(-1)
        return self._deadline is None or self._deadline.left > 0

    async def _wait(self, session: AsyncRunner) -> None:
        """Wait until something may have come, or the connection has ended."""
        try:
            copy = os.dup(session.pgconn.socket)
        except OperationalError:  # it has ended: the next turn tells why
            return
        except OSError as ex:
            raise refused(ex) from ex
        try:
            await session._watcher.wait_for_news(copy, session._notices, self._deadline)
        finally:
            os.close(copy)

    async def aclose(self) -> None:
        """Stop: there are no further notifications. What has come stays with the connection.

        Whoever is waiting for the next one goes on waiting: until `timeout`, or the connection's end.
        """
        self._over = True
