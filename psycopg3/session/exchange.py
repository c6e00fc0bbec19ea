"""One command out, its results back: at once, or owed as Pending in a pipeline.

The exchange knows libpq before it and nothing behind it: no cursor, no transaction. What
it needs to bring an interrupted session back is in two places that survive the death of
any generator: the Pendings it owes, and libpq's own state.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from .. import errors as e
from ..generators import flush_gen, receive, results_gen
from ..pq import ConnStatus, ExecStatus, PGconn, PGresult, PipelineStatus, TransactionStatus
from ..waiting import Wait, WaitGen
from .endings import Ending

# Sent when a pipeline is given up in the middle: the server parses it, fails, and so rolls
# back what came before the Sync. Its text is what an administrator finds in the log.
_POISON = b"the client gave up this pipeline"


class Pending:
    """What the server owes for one command; whoever asked holds it and finds the results in it."""

    __slots__ = ("ending", "query", "results", "settled")

    def __init__(self, query: bytes = b"", ending: Ending | None = None) -> None:
        self.query = query
        """The SQL that was sent, for those who must know what was interrupted."""
        self.ending = ending
        """What the query ends; None as long as nobody has looked."""
        self.results: list[PGresult] = []
        """The results so far, one a statement."""
        self.settled = False
        """Whether the server has said all; False for ever if the command was given up."""


class Exchange:
    """The conversation over one libpq connection."""

    __slots__ = ("heard", "last", "owed", "pgconn", "pipelined")

    def __init__(self, pgconn: PGconn):
        self.pgconn = pgconn
        self.owed: deque[Pending] = deque()
        self.pipelined = False
        self.last: Pending | None = None
        """The command that was asked last."""
        self.heard: Pending | None = None
        """The command that was answered last."""

    @property
    def farewell(self) -> PGresult | None:
        """The server's own reason for ending the session, if it gave one as the answer to a command."""
        for pending in (self.heard, self.owed[0] if self.owed else None):
            for result in reversed(pending.results if pending is not None else ()):
                if e.ends_session(result):
                    return result
        return None

    @property
    def unsettled(self) -> bool:
        """Whether an interruption left something that `drain_gen` must bring to an end."""
        if self.pgconn.status == ConnStatus.BAD:
            return False
        return (
            self.pipelined
            or bool(self.owed)
            or self.pgconn.transaction_status == TransactionStatus.ACTIVE
        )

    def request_gen(
        self, send: Callable[[PGconn], None], query: bytes = b"", ending: Ending | None = None
    ) -> WaitGen[Pending]:
        """Send one command; its results are in the Pending now, or owed while a pipeline is open.

        Args:
            send: calls one of libpq's send functions; if it raises a driver's error,
                nothing was sent.
            query: the SQL that `send` sends.
            ending: what it ends, if that is known.
        """
        pending = self.last = Pending(query, ending)
        self.owed.append(pending)
        try:
            send(self.pgconn)
        except e.Error:
            self.owed.pop()
            self.last = None
            raise
        if self.pipelined:
            yield from flush_gen(self.pgconn)
        else:
            yield from self._receive_gen(pending)
        return pending

    def settle_gen(self, pending: Pending) -> WaitGen[None]:
        """Receive, in the order asked, until `pending` has its results."""
        if self.pipelined and not pending.settled:
            self.pgconn.send_flush_request()
        yield from self._receive_gen(pending)

    def _receive_gen(self, pending: Pending) -> WaitGen[None]:
        yield from flush_gen(self.pgconn)
        while not pending.settled:
            if not self.owed:
                raise e.OperationalError(
                    "the results of this command were given up when the pipeline was interrupted;"
                    " execute it again"
                )
            head = self.owed[0]
            status = yield from results_gen(self.pgconn, head.results)
            head.settled = True
            if status != ExecStatus.PIPELINE_ABORTED:  # the answer was the one before
                self.heard = head
            self.owed.popleft()

    def enter(self) -> None:
        """Open a pipeline: from here on results are owed."""
        # In this order: interrupted in between, it is known that there is something to leave.
        self.pipelined = True
        self.pgconn.enter_pipeline_mode()

    def sync_gen(self) -> WaitGen[None]:
        """Settle all that is owed; in a pipeline this ends the implicit transaction."""
        sync = Pending()
        self.pgconn.pipeline_sync()
        self.owed.append(sync)
        yield from self._receive_gen(sync)

    def leave_gen(self) -> WaitGen[None]:
        """Settle all that is owed and close the pipeline."""
        yield from self.sync_gen()
        self.pgconn.exit_pipeline_mode()
        self.pipelined = False

    def drain_gen(self) -> WaitGen[None]:
        """Bring an exchange that was interrupted anywhere back to rest; results are dropped.

        Built from libpq's own state alone, so it may itself be interrupted and started
        again, any number of times. A pipeline that is given up is made to fail first:
        half of it must not be committed by the Sync that ends it.

        Raises:
            OperationalError: the connection was lost.
        """
        pgconn = self.pgconn
        if pgconn.pipeline_status != PipelineStatus.OFF:
            yield from self._drain_pipeline_gen()
        else:
            while pgconn.transaction_status == TransactionStatus.ACTIVE:
                yield from flush_gen(pgconn)
                # The answer to a COMMIT is still wanted, though nobody waits for it any more.
                dropped = self._hearing(self.owed[0] if self.owed else Pending())
                yield from self._drop_results_gen(dropped)
        self.owed.clear()
        self.pipelined = False

    def _hearing(self, pending: Pending) -> list[PGresult]:
        """Where results that are to be dropped go, so that a farewell among them isn't missed."""
        if self.farewell is None:
            self.heard = pending
        return pending.results

    def _drain_pipeline_gen(self) -> WaitGen[None]:
        # Syncs may already be under way when the interruption comes, in any number: read on
        # until libpq itself agrees that nothing is left (the manual's section 34.5.1.3).
        pgconn = self.pgconn
        pgconn.send_query_params(_POISON, None)
        pgconn.pipeline_sync()
        yield from flush_gen(pgconn)
        while True:
            last = yield from self._drop_results_gen(self._hearing(Pending()))
            if last == ExecStatus.PIPELINE_SYNC and self._left_pipeline():
                return

    def _left_pipeline(self) -> bool:
        try:
            self.pgconn.exit_pipeline_mode()
        except e.OperationalError:
            if self.pgconn.status == ConnStatus.BAD:
                raise
            return False
        return True

    def _drop_results_gen(self, results: list[PGresult]) -> WaitGen[ExecStatus | int | None]:
        """Read the rest of one command, ending a COPY on the way; return the last one's status."""
        yield from results_gen(self.pgconn, results)
        last = results[-1].status if results else None
        if last in (ExecStatus.COPY_IN, ExecStatus.COPY_BOTH):
            self.pgconn.put_copy_end(b"the client gave up this COPY")
        if last in (ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH):
            yield from self._drop_copy_data_gen()
        return last

    def _drop_copy_data_gen(self) -> WaitGen[None]:
        pgconn = self.pgconn
        while True:
            nbytes, _ = pgconn.get_copy_data(1)
            if nbytes < 0:
                return
            if nbytes == 0 and ((yield pgconn.socket, Wait.R) or pgconn.ssl_in_use):
                receive(pgconn)
