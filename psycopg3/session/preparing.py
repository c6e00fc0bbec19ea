"""Talks about prepared statements: describe one, end one, go on where one can't be used any more."""

from __future__ import annotations

from collections.abc import Sequence

from .. import errors as e
from .._capabilities import capabilities
from ..encodings import words_encoding
from ..pq import PGresult, TransactionStatus
from ..query import BoundQuery, RequestKind
from ..styles import TypedQuery
from ..waiting import WaitGen
from .endings import Ending
from .exchange import Pending
from .results import check_pending
from .session import Session
from .statements import end_of
from .states import Operation

_IDLE = TransactionStatus.IDLE
_UNKNOWN_NAME, _KNOWN_NAME = e.lookup("26000"), e.lookup("42P05")

# So often a statement may be missing, or be there unexpectedly, before it is believed that a pooler
# gives other server connections to each transaction and keeps no account of statements.
_MOST_MISSES = 3
_SAVEPOINT = b"_pg3_close"


def try_to_close_gen(session: Session) -> WaitGen[None]:
    """End one of the statements that aren't wanted any more: it tells whether that can be done by SQL.

    If not, it costs the transaction nothing.
    """
    statements = session._exchange.statements
    name = next(iter(statements.closing))
    end = end_of(name).query
    inside = session.pgconn.transaction_status != _IDLE
    save, release = b"SAVEPOINT " + _SAVEPOINT, b"RELEASE " + _SAVEPOINT
    try:
        yield from session._command_gen(*((save, end, release) if inside else (end,)))
    except _UNKNOWN_NAME:
        statements.give_up_closing()
        if inside:
            back = b"ROLLBACK TO " + _SAVEPOINT
            yield from session._command_gen(back, release, ending=Ending.SESSION)
    except e.InternalError:  # the transaction has failed: whatever comes next tells it
        pass
    else:
        statements.can_close = True
        statements.closing.pop(name, None)


def close_gen(session: Session, request: BoundQuery) -> WaitGen[None]:
    """End a statement at the server, if it is there: at once, or with the next one that is prepared."""
    exchange = session._exchange
    statements = exchange.statements
    statements.retire(request)
    if not statements.closing or exchange.pipelined:
        return
    if session.pgconn.transaction_status not in (_IDLE, TransactionStatus.INTRANS):
        return
    if not capabilities.has_send_close_prepared():
        yield from try_to_close_gen(session)
    else:
        for name in list(statements.closing):
            yield from exchange.receive_gen(exchange.send(end_of(name)))
            del statements.closing[name]


def described_gen(session: Session, query: TypedQuery) -> WaitGen[PGresult]:
    """Have the server describe a query, and prepare it.

    It is described as the statement without a name, which nobody else can have made another.

    Returns:
        The description.

    Raises:
        Error: the server's.
    """
    session._check(Operation.EXECUTE, "prepare()")
    exchange = session._exchange
    prepare, describe = BoundQuery(query.sql), BoundQuery(query.sql)
    prepare.kind, describe.kind = RequestKind.PREPARE, RequestKind.DESCRIBE
    (*_, described) = yield from _ask_gen(session, [prepare, describe])
    result = described.results[-1]
    query.set_types(tuple(result.param_type(n) for n in range(result.nparams)))
    first = exchange.statements.plan(query.request(), session, True, exchange)
    if first:
        if exchange.statements.must_try and not exchange.pipelined:
            yield from try_to_close_gen(session)
        try:
            yield from _ask_gen(session, first)
        except _KNOWN_NAME:  # of a pooler's other client; then it is there
            if session.pgconn.transaction_status != _IDLE:
                raise
    return result


def _ask_gen(session: Session, requests: Sequence[BoundQuery]) -> WaitGen[list[Pending]]:
    """Send requests and receive their results, in one round trip."""
    exchange, encoding = session._exchange, words_encoding(session.pgconn)
    if opened := not exchange.pipelined:
        exchange.enter(own=True)
    sent = []
    for request in requests:
        sent.append(exchange.send(request))
        if request.name:
            exchange.statements.note_sent(request, sent[-1], exchange)
    if opened:
        yield from exchange.leave_gen()
    else:
        yield from exchange.receive_gen(sent[-1])
    for pending in sent:
        check_pending(exchange, pending, encoding)
    return sent


def is_fault(session: Session, request: BoundQuery, failed: Pending) -> bool:
    """Whether an execution failed since its statement isn't what or where it was; take note of it."""
    statements = session._exchange.statements
    if request.kind != RequestKind.PREPARED or not statements.learn_of_fault(request, failed):
        return False
    if statements.misses > _MOST_MISSES and session.prepare_threshold is not None:
        session.prepare_threshold = None
        session._log(
            "%r doesn't find its prepared statements again, as behind a pooler that keeps no account"
            " of them: it prepares none any more (prepare_threshold is None)",
            session,
        )
    return True


def repaired_gen(
    session: Session, request: BoundQuery, failed: Pending, has_begun: bool | None
) -> WaitGen[Pending]:
    """Execute a query again, as it is, if it failed because its statement is not what it was.

    That is done where it was all that there is to be lost: in autocommit, and as the first statement
    of a transaction that the driver has begun.

    Args:
        session: where.
        request: the execution of the statement.
        failed: what came of it.
        has_begun: what `_must_begin()` has said.

    Returns:
        What is owed for the second execution; or the first one's, if there was none.
    """
    exchange = session._exchange
    if has_begun is False and session.pgconn.transaction_status != _IDLE:
        return failed
    if not is_fault(session, request, failed):
        return failed
    if has_begun is not False:
        begin = (session._begin_command(),) if has_begun else session._beginning
        yield from session._command_gen(b"ROLLBACK", ending=Ending.UNDONE)
        yield from session._command_gen(*begin)
    request.kind = RequestKind.PARAMS
    pending = exchange.send(request)
    yield from exchange.receive_gen(pending)
    return pending
