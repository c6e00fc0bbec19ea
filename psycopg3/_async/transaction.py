"""`async with conn.transaction()`: a block that commits at its end, or undoes all of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ..session.transaction import BaseTransaction

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from .runner import AsyncRunner
    from .verbs import AsyncVerbs


class AsyncTransaction(BaseTransaction):
    """A transaction, or a savepoint inside one, for the length of a block."""

    __module__ = "psycopg3"

    _session: AsyncRunner

    @property
    def connection(self) -> AsyncVerbs:
        """The connection that the block is on."""
        return cast("AsyncVerbs", self._session)

    async def __aenter__(self) -> Self:
        try:
            await self._session._run(self._enter_gen())
        except BaseException as ex:
            await self._undo(ex)
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> bool:
        try:
            if exc is None:
                return await self._session._run(self._exit_gen(None))
            return bool(await self._session._undo(self._exit_gen(exc), exc))
        except BaseException as ex:
            await self._undo(ex)
            raise
        finally:
            if self._is_open():  # not even its rollback got through in time
                self._session._end()

    async def _undo(self, ex: BaseException) -> None:
        """Undo a block whose begin or end was interrupted by `ex`."""
        if self._is_open():
            await self._session._undo(self._exit_gen(ex), ex)
        if self._is_open():
            self._session._end()
