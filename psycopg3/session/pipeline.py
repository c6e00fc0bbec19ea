"""Pipelines: what is sent without waiting for results, and how a pipeline() block begins and ends."""

from __future__ import annotations

from typing import Any

from .. import errors as e
from .._capabilities import capabilities
from ..encodings import words_encoding
from ..pq import PipelineStatus
from ..query import BoundQuery, command
from ..waiting import WaitGen
from .endings import in_pipeline
from .exchange import Pending
from .results import check_untold
from .session import Session
from .states import Operation


def send_begin(session: Session) -> None:
    """Send a BEGIN before what needs one."""
    session._exchange.send(command(session._begin_command()))
    session._exchange.has_begun = True


def owe(session: Session, request: BoundQuery, prepare: bool | None) -> Pending:
    """Send a user's statement in a pipeline, after a BEGIN if it needs one, and its preparation.

    Returns:
        What is owed for it.

    Raises:
        NotSupportedError: it is a COPY.
        Error: no statement can be sent now.
    """
    exchange = session._exchange
    opens = in_pipeline(request.query)
    if session._must_begin() and opens is None:
        send_begin(session)
    first = exchange.statements.plan(request, session, prepare, exchange)
    pending = exchange.send_after(first or (), request)
    if opens is not None:
        exchange.has_begun = opens
    return pending


def settle_gen(session: Session) -> WaitGen[None]:
    """In a pipeline in which something was sent since the last sync, sync, and receive all of it.

    Raises:
        Error: the server's, the first that nobody has raised.
    """
    exchange = session._exchange
    if exchange.is_unsynced:
        yield from exchange.receive_gen(exchange.sync())
    check_untold(exchange, words_encoding(session.pgconn))


class BasePipeline:
    """What `Pipeline` and `AsyncPipeline` have in common."""

    _session: Any

    def __init__(self, connection: Session):
        self._session = connection

    def __del__(self) -> None:
        # Python calls no `__exit__` where a signal's exception strikes at its first instruction: what
        # was sent is given up by the next operation.
        if "_session" in self.__dict__:
            self._drop()

    def __repr__(self) -> str:
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        state = "open" if id(self) in self._session._exchange.blocks else "not open"
        return f"<{name} [{state}] on {self._session!r} at 0x{id(self):x}>"

    @classmethod
    def is_supported(cls) -> bool:
        """Whether the loaded libpq has pipelines: from version 14 on."""
        return capabilities.has_pipeline()

    @property
    def status(self) -> PipelineStatus:
        """Whether the connection is in pipeline mode, and whether it is aborted by an error."""
        status: PipelineStatus = self._session.pgconn.pipeline_status
        return status

    def _enter_gen(self) -> WaitGen[None]:
        session = self._session
        capabilities.has_pipeline(check=True)
        session._check(Operation.EXECUTE, "pipeline()")
        exchange = session._exchange
        if id(self) in exchange.blocks:
            raise e.ProgrammingError("this pipeline() block is open already: make another")
        if exchange.pipelined:
            yield from settle_gen(session)
        else:
            exchange.enter()
        exchange.blocks.add(id(self))

    def _sync_gen(self) -> WaitGen[None]:
        session = self._session
        if id(self) not in session._exchange.blocks:
            raise e.ProgrammingError(
                "sync() is for a pipeline() block that is open: enter it by 'with'"
            )
        session._check(Operation.REFER, "sync()")
        yield from settle_gen(session)

    def _leave_gen(self) -> WaitGen[None]:
        session, exchange = self._session, self._session._exchange
        # An interruption has given it up; or the connection was closed when nothing was owed.
        if not exchange.pipelined or (session._closed and not exchange.owed):
            return
        session._check(Operation.REFER, "the end of the pipeline() block")
        if exchange.blocks == {id(self)}:
            yield from exchange.leave_gen()
        # Not before: an interruption would leave a pipeline that nobody knows of.
        exchange.blocks.discard(id(self))
        yield from settle_gen(session)

    def _drop(self) -> None:
        """Leave the block without its end."""
        blocks = self._session._exchange.blocks
        if id(self) in blocks:
            blocks.discard(id(self))
            if not blocks:
                self._session._underway = True
