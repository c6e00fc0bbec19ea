# Generated from psycopg3/_async/transaction.py by `python tools/unasync.py`: edit that file, not this one.
"""`with conn.transaction()`: a block that commits at its end, or undoes all of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..session.transaction import BaseTransaction

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from .runner import Runner


class Transaction(BaseTransaction):
    """A transaction, or a savepoint inside one, for the length of a block."""

    __module__ = "psycopg3"

    _session: Runner

    @property
    def connection(self) -> Runner:
        """The connection that the block is on."""
        return self._session

    def __enter__(self) -> Self:
        self._session.run(self._enter_gen())
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> bool:
        if exc is None:
            return self._session.run(self._exit_gen(None))
        return bool(self._session.undo(self._exit_gen(exc), exc))
