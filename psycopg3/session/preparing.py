"""Statements that can't be used any more: they are ended, or executed again as they are."""

from __future__ import annotations

from .. import errors as e
from ..pq import TransactionStatus
from ..query import BoundQuery, RequestKind
from ..waiting import WaitGen
from .endings import Ending
from .exchange import Pending
from .session import Session
from .statements import end_of

_IDLE = TransactionStatus.IDLE
_UNKNOWN_NAME = e.lookup("26000")

# So often a statement may be missing, or be there unexpectedly, before it is believed that a pooler
# gives other server connections to each transaction and keeps no account of statements.
_MOST_MISSES = 3
_SAVEPOINT = b"_pg3_close"


def try_to_close_gen(session: Session) -> WaitGen[None]:
    """Find out whether statements can be ended by SQL, without harm to the transaction."""
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
    except e.InternalError:  # the transaction has failed: the query itself will tell
        pass
    else:
        statements.can_close = True
        del statements.closing[name]


def repaired_gen(
    session: Session, request: BoundQuery, failed: Pending, has_begun: bool
) -> WaitGen[Pending]:
    """Execute a query again, as it is, if it failed because its statement is not what it was.

    That is done where it was all that there is to be lost: in autocommit, and as the first statement
    of a transaction that was begun for it.

    Args:
        session: where.
        request: the execution of the statement.
        failed: what came of it.
        has_begun: whether the driver has begun a transaction for it.

    Returns:
        What is owed for the second execution; or the first one's, if there was none.
    """
    exchange = session._exchange
    if not (has_begun or session.pgconn.transaction_status == _IDLE):
        return failed
    if not exchange.statements.learn_of_fault(request, failed):
        return failed
    if exchange.statements.misses > _MOST_MISSES and session.prepare_threshold is not None:
        session.prepare_threshold = None
        session._log(
            "%r doesn't find its prepared statements again, as behind a pooler that keeps no account"
            " of them: it prepares none any more (prepare_threshold is None)",
            session,
        )
    if has_begun:
        yield from session._rollback_gen()
        yield from session._command_gen(session._begin_command())
    request.kind = RequestKind.PARAMS
    pending = exchange.send(request)
    yield from exchange.receive_gen(pending)
    return pending
