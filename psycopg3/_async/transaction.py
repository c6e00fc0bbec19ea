"""`async with conn.transaction()`: a block that commits at its end, or undoes all of itself."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ..session.transaction import BaseTransaction

if TYPE_CHECKING:
    from .connection import AsyncConnection


class AsyncTransaction(BaseTransaction):
    """A transaction, or a savepoint inside one, for the length of a block."""

    _session: AsyncConnection[Any]

    @property
    def connection(self) -> AsyncConnection[Any]:
        """The connection that the block is on."""
        return self._session

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
    ) -> bool | None:
        # It returns a bool: True for a Rollback that ends here. But a mere `bool` tells type checkers
        # that any exception may end here, and `return x` as the last statement of a block would be a
        # missing return. `bool | None` is how the typing specification writes "as a rule, none does".
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
