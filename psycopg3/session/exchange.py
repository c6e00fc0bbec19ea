"""One request out, its results back: at once, or owed as Pending in a pipeline.

The exchange knows libpq before it and nothing behind it: no cursor, no transaction. What
it needs to bring an interrupted session back is in two places that survive the death of
any generator: the Pendings it owes, and libpq's own state.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from .. import errors as e
from .._capabilities import capabilities
from ..deadlines import Deadline
from ..generators import lost_with_reason, receive, results_gen
from ..pq import ConnStatus, ExecStatus, PGconn, PGresult, PipelineStatus, TransactionStatus
from ..query import BoundQuery, RequestKind, command
from ..waiting import Wait, WaitGen
from .endings import Ending
from .statements import HARMLESS, Statements

_R = Wait.R
_START = 2  # what `PGconn.advance()` is given when nothing has been waited for yet
_ACTIVE = TransactionStatus.ACTIVE
_TUPLES_OK, _COMMAND_OK = ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK
_FATAL_ERROR = ExecStatus.FATAL_ERROR

# How many requests of a pipeline, and bytes of their parameters, are sent before what has come is taken.
_MANY, _MUCH = 256, 1 << 20

_CAN_KEEP = capabilities.has_send_close_prepared()  # of the same version

# Sent when a pipeline is given up in the middle: the server parses it, fails, and so rolls
# back what came before the Sync. Its text is what an administrator finds in the log.
_POISON = command(b"the client gave up this pipeline")


def _send_simple(pgconn: PGconn, request: BoundQuery) -> int:
    return pgconn.send_query_unchecked(request.query)


def _send_params(pgconn: PGconn, request: BoundQuery) -> int:
    return pgconn.send_query_params_unchecked(
        request.query,
        request.values or (),
        request.types,
        request.lengths,
        request.formats,
        request.result_format,
    )


def _send_prepare(pgconn: PGconn, request: BoundQuery) -> int:
    return pgconn.send_prepare_unchecked(request.name, request.query, request.types)


def _send_prepared(pgconn: PGconn, request: BoundQuery) -> int:
    return pgconn.send_query_prepared_unchecked(
        request.name,
        request.values or (),
        request.lengths,
        request.formats,
        request.result_format,
    )


def _send_close(pgconn: PGconn, request: BoundQuery) -> int:
    if not capabilities.has_send_close_prepared():
        return _send_params(pgconn, request)
    pgconn.send_close_prepared(request.name)
    return 0


def _send_describe(pgconn: PGconn, request: BoundQuery) -> int:
    pgconn.send_describe_prepared(request.name)
    return 0


SEND: dict[int, Callable[[PGconn, BoundQuery], int]] = {
    RequestKind.SIMPLE: _send_simple,
    RequestKind.PARAMS: _send_params,
    RequestKind.PREPARE: _send_prepare,
    RequestKind.PREPARED: _send_prepared,
    RequestKind.DESCRIBE: _send_describe,
    RequestKind.CLOSE: _send_close,
}
"""How each kind of request is sent; out of a pipeline the function returns what to wait for.

The simple protocol takes several statements at once.
"""


class Pending:
    """What the server owes for one request; whoever asked holds it and finds the results in it."""

    __slots__ = (
        "before",
        "cause",
        "done",
        "encodings",
        "ending",
        "query",
        "results",
        "status",
        "want",
    )

    encodings: tuple[bytes | None, bytes | None, int]
    """Of several statements: the client_encoding before and after, and the first result after.

    There is no such attribute until the results are read.
    """

    def __init__(self, query: bytes = b"", ending: Ending = Ending.NOTHING) -> None:
        self.query = query
        """The SQL that was sent, for those who must know what was interrupted; empty for a sync."""
        self.ending = ending
        """What a command of the driver's own ends."""
        self.want = 0
        """What to wait for first, if sending it has told."""
        self.cause: Pending | None = None
        """In a pipeline, the request whose failure has aborted this one."""
        self.before: Pending | None = None
        """In a pipeline, what was sent before for this request: its failure is this one's too."""
        self.results: list[PGresult] = []
        """The results so far, one a statement."""
        self.status: int | None = None
        """The status of the last result; None if there is none, or not yet."""
        self.done = False
        """Whether the server has said all; False for ever if the request was given up."""


class Exchange:
    """The conversation over one libpq connection."""

    def __init__(self, pgconn: PGconn):
        self.pgconn = pgconn
        self.owed: deque[Pending] = deque()
        """The requests whose results are still to be received, in the order asked.

        When the connection is lost, that which was not answered to the end stays here.
        """
        self.pipelined = False
        self.last: Pending | None = None
        """The request that the operation under way sent last, None between operations."""
        self.is_used = False
        """Whether the operation under way has spoken with the server, or tried to."""
        self.is_own = False
        """Whether the pipeline is one that an operation opened for itself."""
        self.segment = 0
        """How many Syncs have been sent in pipelines."""
        self.statements = Statements(pgconn)
        """What the server has prepared for us."""
        self.has_begun = False
        """In a pipeline: whether what is sent next is inside a transaction; libpq tells only later."""
        self.is_unsynced = False
        """Whether something was sent in a pipeline since the last sync."""
        self.fatal_result: PGresult | None = None
        """The answer to a command by which the server ended the session."""
        self.blocks: set[int] = set()
        """The ids of the pipeline() blocks that are open."""
        self.untold: list[Pending] = []
        """What failed in a pipeline of the user's, and nobody has raised so far."""
        self._failed: Pending | None = None
        self._count = self._bytes = 0

    @property
    def needs_drain(self) -> bool:
        """Whether an interruption left something that `drain_gen` must bring to an end."""
        if self.pgconn.status == ConnStatus.BAD:
            return False
        return self.pipelined or bool(self.owed) or self.pgconn.transaction_status == _ACTIVE

    def send(self, request: BoundQuery, ending: Ending = Ending.NOTHING) -> Pending:
        """Send one request. If this raises a driver's error, nothing was sent.

        Args:
            request: what to send.
            ending: what it ends, if it is a command of the driver's own.

        Returns:
            What is owed for it: `receive_gen()` fills it.
        """
        self.is_used = True
        pending = self.last = Pending(request.query, ending)
        self.owed.append(pending)
        kind = request.kind
        if self.pipelined and kind == RequestKind.SIMPLE:  # which libpq has not in a pipeline
            kind = RequestKind.PARAMS
        try:
            want = SEND[kind](self.pgconn, request)
        except e.Error:
            self.owed.pop()
            self.last = None
            raise
        if not self.pipelined:
            pending.want = want
        else:
            self.is_unsynced = True
        return pending

    def send_after(self, first: Sequence[BoundQuery], request: BoundQuery) -> Pending:
        """In a pipeline, send the execution of a statement, after what prepares it."""
        before = None
        for preparing in first:
            pending = self.send(preparing)
            pending.before, before = before, pending
            self.statements.note_sent(preparing, pending, self)
        pending = self.send(request)
        pending.before = before
        return pending

    def receive_gen(self, pending: Pending, deadline: Deadline | None = None) -> WaitGen[None]:
        """Receive, in the order asked, until `pending` is done: the leaf that waiters drive.

        Args:
            pending: what `send()` or `sync()` returned.
            deadline: looked at whenever this is resumed; the waiter must give ticks.

        Raises:
            OperationalError: the link was lost, without a reason of the server's among the results;
                or the pipeline of the request was given up.
        """
        pgconn, owed = self.pgconn, self.owed
        self.is_used = True
        if self.pipelined and not pending.done:
            self.last = self.last or pending
            if owed and owed[-1].query:  # a sync flushes by itself
                pgconn.send_flush_request()
        while not pending.done:
            if not owed:
                raise e.OperationalError(
                    "the results of this command were given up when the pipeline was interrupted;"
                    " execute it again"
                )
            head = owed[0]
            results = head.results
            try:
                want = head.want or pgconn.advance(results, _START)
                while want:
                    want = pgconn.advance(results, (yield pgconn.socket, want))
                    if want and deadline is not None:
                        deadline.check()
            except e.OperationalError:
                if not lost_with_reason(pgconn, results):
                    raise
                owed.append(head)  # who looks at it finds that it was not answered to the end
            if results:
                head.status = status = results[-1].status
                if status != _TUPLES_OK or len(results) > 1:
                    self._note(head)
            head.done = True
            owed.popleft()

    def reopen(self, pending: Pending) -> None:
        """Have `receive_gen()` go on with a COPY whose data is over: its results come behind the first."""
        pending.done, pending.want = False, 0
        if pending not in self.owed:  # an interruption may have left it there
            self.owed.append(pending)

    def _note(self, head: Pending) -> None:
        """Take note of an answer other than rows."""
        is_telling = head.status == _COMMAND_OK and head.query[:3] not in HARMLESS
        if is_telling or len(head.results) > 1:
            self.statements.note_commands(head.query, head.results)
        if head.status == _FATAL_ERROR:
            self._note_fatal(head.results[-1])
            if self.pipelined:
                self._failed = head
                if not self.is_own:
                    self.untold.append(head)
        elif head.status == ExecStatus.PIPELINE_ABORTED:
            head.cause = self._failed
        elif head.status == ExecStatus.PIPELINE_SYNC:
            self._failed = None
            status = self.pgconn.transaction_status
            if len(self.owed) == 1 and status != _ACTIVE:
                self.has_begun = status != TransactionStatus.IDLE

    def tell(self, pending: Pending | None) -> None:
        """Take note that an error was raised."""
        if pending in self.untold:
            self.untold.remove(pending)

    def is_full(self, request: BoundQuery) -> bool:
        """In a pipeline, whether it is time for `relieve_gen()`, this having been sent."""
        self._count += 1
        if request.values:
            self._bytes += sum(map(len, filter(None, request.values)))
        return self._count >= _MANY or self._bytes >= _MUCH

    def relieve_gen(self) -> WaitGen[None]:
        """In a pipeline, send what libpq holds, and take what has come: so that neither grows without end.

        It waits for the server only if that takes no more.
        """
        self.is_used, self._count, self._bytes = True, 0, 0
        pgconn, owed = self.pgconn, self.owed
        ready: int = Wait.RW
        while owed:
            head = owed[0]
            want = pgconn.advance(head.results, ready)
            if want:
                if want == _R:
                    return
                ready = yield pgconn.socket, want
                continue
            head.status, head.done = head.results[-1].status, True
            self._note(head)
            owed.popleft()
            ready = _START

    def _note_fatal(self, result: PGresult) -> None:
        if e.ends_session(result):
            self.fatal_result = result

    def enter(self, *, own: bool = False) -> None:
        """Open a pipeline: from here on results are owed.

        Args:
            own: whether the operation under way opens it for itself, and leaves it before it ends.
        """
        self.has_begun = self.pgconn.transaction_status != TransactionStatus.IDLE
        # In this order: interrupted in between, it is known that there is something to leave.
        self.is_used, self.pipelined, self.is_own = True, True, own
        self.pgconn.enter_pipeline_mode()

    def sync(self, *, flush: bool = True) -> Pending:
        """In a pipeline, end the implicit transaction; what is returned comes after all else owed.

        Args:
            flush: whether all that libpq holds is sent now; else libpq 17 and newer keep it.
        """
        sync = Pending()
        self.segment += 1
        if flush or not _CAN_KEEP:
            self.pgconn.pipeline_sync()
        else:
            self.pgconn.send_pipeline_sync()
        self.owed.append(sync)
        self.is_unsynced = False
        return sync

    def leave_gen(self) -> WaitGen[None]:
        """Receive all that is owed and close the pipeline."""
        yield from self.receive_gen(self.sync())
        self.leave()

    def leave(self) -> None:
        """Close the pipeline, in which nothing is owed."""
        self.pgconn.exit_pipeline_mode()
        self.pipelined = False

    def drain_gen(self) -> WaitGen[None]:
        """Bring an exchange that was interrupted anywhere back to rest; rows are dropped.

        Built from libpq's own state alone, so it may itself be interrupted and started
        again, any number of times. A pipeline whose Sync was not sent is made to fail first:
        half of it must not be committed by the one that ends it.

        Raises:
            OperationalError: the connection was lost.
        """
        pgconn = self.pgconn
        if pgconn.pipeline_status != PipelineStatus.OFF:
            yield from self._drain_pipeline_gen()
        else:
            while pgconn.transaction_status == _ACTIVE:
                yield from self._drop_results_gen()
        if pgconn.status != ConnStatus.BAD:
            self.owed.clear()
        self.pipelined, self.is_unsynced, self._failed = False, False, None
        self.untold.clear()

    def _drain_pipeline_gen(self) -> WaitGen[None]:
        # Syncs may already be under way when the interruption comes, in any number: read on
        # until libpq itself agrees that nothing is left (the manual's section 34.5.1.3).
        if not self.owed or self.owed[-1].query:
            _send_params(self.pgconn, _POISON)
            self.pgconn.pipeline_sync()
        while True:
            last = yield from self._drop_results_gen()
            if self.owed:
                self.owed.popleft()
            # None: a signal's handler may have struck where the answer to the Sync was taken.
            if last in (None, ExecStatus.PIPELINE_SYNC):
                try:
                    self.pgconn.exit_pipeline_mode()
                    return
                except e.OperationalError:
                    if self.pgconn.status == ConnStatus.BAD:
                        raise

    def _drop_results_gen(self) -> WaitGen[int | None]:
        """Read the rest of one command, ending a COPY on the way; return the last one's status."""
        # The answer to a COMMIT is still wanted, though nobody waits for it any more.
        pgconn, results = self.pgconn, self.owed[0].results if self.owed else []
        before = len(results)
        yield from results_gen(pgconn, results)
        # Only what came now tells of a COPY: libpq gives its result again, as long as it goes on.
        last = results[-1].status if len(results) > before else None
        if last == _FATAL_ERROR:
            self._note_fatal(results[-1])
        if last in (ExecStatus.COPY_IN, ExecStatus.COPY_BOTH):
            pgconn.put_copy_end(b"the client gave up this COPY")
        if last in (ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH):
            yield from self._drop_copy_data_gen()
        return last

    def _drop_copy_data_gen(self) -> WaitGen[None]:
        pgconn = self.pgconn
        while True:
            nbytes, _ = pgconn.get_copy_data(1)
            if nbytes < 0:
                return
            if nbytes == 0 and ((yield pgconn.socket, _R) or pgconn.ssl_in_use):
                receive(pgconn)
