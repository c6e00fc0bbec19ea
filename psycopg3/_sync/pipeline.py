# Generated from psycopg3/_async/pipeline.py by `python tools/unasync.py`: edit that file, not this one.
"""`with conn.pipeline()`: statements sent without waiting for the results of those before."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ..errors import Error
from ..session.pipeline import BasePipeline
from ..waiting import TICK
from .turn import Turn

if TYPE_CHECKING:
    from .connection import Connection


class Pipeline(BasePipeline):
    """A block in which statements are sent without waiting for results; made by `connection.pipeline()`."""

    _session: Connection[Any]

    def __enter__(self) -> Self:
        try:
            self._session._run(self._enter_gen())
        except BaseException:
            self._drop()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        session = self._session
        try:
            if exc is None or isinstance(exc, Exception):
                session._run(self._leave_gen())
            else:
                self._give_up(exc)
        except Error as ex:
            if exc is None:
                raise
            session._log("error ignored at the end of %r: %s", self, ex)  # it would hide the other
        finally:
            self._drop()

    def sync(self) -> None:
        """Receive the results of all that was sent; in autocommit it is committed.

        Raises:
            Error: the server's, of the first statement that failed, if no fetch has raised it.
        """
        self._session._run(self._sync_gen())

    def _give_up(self, exc: BaseException) -> None:
        """Stop the server's work after an interruption: what wasn't synced is undone."""
        session = self._session
        self._drop()
        if session._exchange.blocks or isinstance(exc, GeneratorExit):
            return  # others are in the pipeline; or nothing can be awaited, and the next operation does it
        try:
            seconds = session.cancel_timeout or TICK
            session._library.shield(session._in_turn, Turn.rest, seconds)
        except Error as ex:
            session._log("%r is closed, a pipeline of it could not be given up: %s", session, ex)
            session._end()
