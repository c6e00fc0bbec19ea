"""The executions of one executemany(): sent as they come, received in batches, in one pipeline."""

from __future__ import annotations

from collections.abc import Sequence

from ..pq import ExecStatus
from ..query import BoundQuery, RequestKind
from ..waiting import WaitGen
from .exchange import Pending
from .pipeline import send_begin
from .results import check_pending
from .session import Session

# How many executions, and bytes of their parameters, are sent before the older half of them must
# have its results. They bound the memory that results and unsent parameters take; more than 100 in
# flight gain nothing measurable.
_IN_FLIGHT = 512
_BYTES_IN_FLIGHT = 1 << 20

_PREPARED = RequestKind.PREPARED
_SUCCESS = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


class Executions:
    """One query's executions, all or none of which count.

    Args:
        session: where they are run. If it is in a pipeline they go into that.
        encoding: the codec to read errors by.
        keep: whether their results are kept.
    """

    def __init__(self, session: Session, encoding: str, *, keep: bool):
        self._session, self._encoding, self._keep = session, encoding, keep
        self._exchange = session._exchange
        self._is_inside = self._exchange.pipelined
        self._sent: list[Pending] = []
        self._bytes = 0
        self._key: tuple[bytes, Sequence[int]] | None = None
        self.count = 0
        """How many have been sent."""
        self.kept = Pending()
        """All results together, if they are kept."""
        self.total = 0
        """The rows that they returned or affected."""
        self.tag: bytes | None = None
        """The tag of the last."""

    def begin(self) -> None:
        """Open a transaction if one is needed, and a pipeline."""
        session = self._session
        must_begin = session._must_begin()
        if not self._is_inside:
            self._exchange.enter(own=True)
        if must_begin:
            send_begin(session)

    def send(self, bound: BoundQuery) -> bool:
        """Send one; whether results should be received before more is sent.

        What is sent by its text stays at the server as the statement without a name, until another
        is: nobody else's, nor another server connection of a pooler's, comes in between.
        """
        key = bound.query, bound.types
        if key == self._key:
            bound.kind = _PREPARED
        self._key = key
        self._sent.append(self._exchange.send(bound))
        self.count += 1
        if bound.lengths is not None:
            self._bytes += sum(bound.lengths)
        elif bound.values:
            self._bytes += sum(map(len, filter(None, bound.values)))
        return len(self._sent) >= _IN_FLIGHT or self._bytes > _BYTES_IN_FLIGHT

    def receive_gen(self) -> WaitGen[None]:
        """Receive the results of the older half."""
        half = (len(self._sent) + 1) // 2
        yield from self._exchange.receive_gen(self._sent[half - 1])
        self._harvest(half)
        self._bytes = 0

    def end_gen(self) -> WaitGen[None]:
        """Receive the results that are left, and close the pipeline.

        Raises:
            Error: the server's, of the first that failed.
        """
        if self.count and not self._is_inside:
            yield from self._exchange.leave_gen()
        elif self._sent:
            yield from self._exchange.receive_gen(self._sent[-1])
        self._harvest(len(self._sent))

    def give_up_gen(self) -> WaitGen[None]:
        """Undo those that were sent: the next can't be.

        The server has done nothing wrong, so there is nothing to cancel. In a pipeline of the
        user's what becomes of them is the user's decision.
        """
        if self.count and not self._is_inside:
            yield from self._exchange.drain_gen()

    def _harvest(self, count: int) -> None:
        total = 0
        for pending in self._sent[:count]:
            if pending.status not in _SUCCESS:
                check_pending(self._exchange, pending, self._encoding)
            for result in pending.results:
                total += result.command_tuples or 0
            if self._keep:
                self.kept.results += pending.results
        if count and self._sent[count - 1].results:
            self.tag = self._sent[count - 1].results[-1].command_status
        self.total += total
        del self._sent[:count]
