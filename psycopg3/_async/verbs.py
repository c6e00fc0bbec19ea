"""What users may call on the connection that a cursor or a block names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..abc import Params, Query
    from ..adapt import AdaptersMap
    from ..pq import PGconn
    from ..session.info import ConnectionInfo


class AsyncVerbs(Protocol):
    """A connection as seen from what was made by it: the rooms below can't name its class."""

    pgconn: PGconn
    """The libpq connection."""

    @property
    def adapters(self) -> AdaptersMap:
        """How it turns Python values into PostgreSQL's and back."""
        ...

    @property
    def info(self) -> ConnectionInfo:
        """What the server and libpq tell about it."""
        ...

    @property
    def autocommit(self) -> bool:
        """Whether every statement is a transaction of its own."""
        ...

    @property
    def closed(self) -> bool:
        """Whether it can't be used any more."""
        ...

    @property
    def broken(self) -> bool:
        """Whether it ended without `close()` being called."""
        ...

    def cursor(self, *, binary: bool = ..., row_factory: Any = ...) -> Any:
        """Make another cursor."""
        ...

    async def execute(
        self,
        query: Query,
        params: Params | None = ...,
        *,
        binary: bool = ...,
        timeout: float | None = ...,
    ) -> Any:
        """Run a query on a new cursor."""
        ...

    def transaction(self, savepoint_name: str | None = ..., force_rollback: bool = ...) -> Any:
        """Make a block that commits at its end."""
        ...

    async def commit(self, *, timeout: float | None = ...) -> None:
        """Commit the transaction."""
        ...

    async def rollback(self, *, timeout: float | None = ...) -> None:
        """Undo the transaction."""
        ...

    def cancel(self) -> None:
        """Ask the server to cancel the command under way."""
        ...

    async def close(self, *, timeout: float | None = ...) -> None:
        """Close it."""
        ...
