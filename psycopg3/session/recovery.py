"""What an interruption does to a session: the server's work is stopped, and the outcome of a COMMIT is found.

An interruption is whatever ends a wait from outside: a cancelled task, Ctrl-C, an exception of a
signal handler, a deadline. The command under way is cancelled at the server and what it still
sends is dropped. A command that ends a transaction is never cancelled: its answer is waited for,
since who asked for a COMMIT must learn what became of it. Nor is what puts a session in order, such
as a reset(): half of it would be of no use.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from .. import errors as e
from ..deadlines import Deadline
from ..dialing.records import Dial
from ..generators import until_gen
from ..pq import PGresult, TransactionStatus
from ..waiting import Ready, WaitGen
from .endings import Ending, ending_of, may_commit
from .exchange import Exchange, Pending
from .session import Session
from .states import Meaning, meaning_of

_COMMITTED = frozenset({b"COMMIT", b"COMMIT PREPARED", b"PREPARE TRANSACTION"})
_UNDONE = frozenset({b"ROLLBACK", b"ROLLBACK PREPARED"})
_CANCELLED = b"57014"

# A cancel request that overtakes its query finds the server idle, and is lost: it is sent again
# if the query goes on for so long, then for twice as long, and so on.
_FIRST_PATIENCE = 0.1


class _Overdue(Exception):
    """A step of a recovery has had its time."""


def _ending(pending: Pending) -> Ending:
    return pending.ending or ending_of(pending.query)


def _may_end(pending: Pending) -> bool:
    return _ending(pending) >= Ending.UNDONE or may_commit(pending.query)


def needs_cancel(ex: BaseException) -> bool:
    """Whether the server may still be at work after this exception: it isn't an error of its own."""
    return not isinstance(ex, e.Error) or ex.sqlstate is None or isinstance(ex, e.QueryTimeout)


def recovery_gen(session: Session, seconds: float, dial: Dial, *, cancel: bool) -> WaitGen[None]:
    """Bring an interrupted session back to rest.

    A cancel request that was sent is waited for, to the end of all time there is: one that is
    left on its way may cancel any later query, so that there must be none. Either its link ends, or
    the server answers that it has cancelled.

    Args:
        session: what was interrupted.
        seconds: what the whole may take: half of it at most goes into links for cancel requests,
            for a query may end by itself where no second one is to be had.
        dial: has the connector make a link for a cancel request.
        cancel: whether to stop the server's work first.

    Raises:
        NotSupportedError: the server's work can't be cancelled.
        OperationalError: the connection was lost.
    """
    pgconn, exchange = session.pgconn, session._exchange
    no_link = "the connector gave no link for the cancel request in time"
    enough = Deadline.after(seconds / 2, partial(e.CancellationTimeout, no_link))
    patience = _FIRST_PATIENCE
    last = exchange.last
    if last is not None and last in exchange.owed and _ending(last):
        cancel = False
    while cancel and pgconn.transaction_status == TransactionStatus.ACTIVE:
        try:
            request = session._route.cancel_request_gen(pgconn, enough, dial)
            yield from _taken_gen(session, request)
        except e.NotSupportedError:
            raise
        except Exception as ex:  # a connector may raise anything
            session._log("the cancel request for %r failed: %s", session, str(ex) or repr(ex))
            break
        with suppress(_Overdue):
            yield from until_gen(exchange.drain_gen(), Deadline.after(patience, _Overdue))
        patience *= 2
    yield from exchange.drain_gen()


def ending_gen(exchange: Exchange) -> WaitGen[None]:
    """Drop what is under way, if it ends within a moment."""
    with suppress(_Overdue, e.OperationalError):
        yield from until_gen(exchange.drain_gen(), Deadline.after(_FIRST_PATIENCE, _Overdue))


def _taken_gen(session: Session, request: WaitGen[None]) -> WaitGen[None]:
    """Run a cancel request until its link has ended, or the answer shows that it was taken.

    Pgpool-II keeps the link open for a second a node: so what the server has answered is looked at
    after each interval in silence.
    """
    exchange = session._exchange
    owed, drain = list(exchange.owed), None
    try:
        want = next(request)
        while True:
            ready = yield want
            if not ready:
                with suppress(StopIteration):
                    if drain is None:
                        drain = exchange.drain_gen()
                        next(drain)
                    drain.send(Ready.R)
                if any(_is_cancelled(result) for pending in owed for result in pending.results):
                    return
            want = request.send(ready)
    except StopIteration:
        pass
    finally:
        request.close()


def _is_cancelled(result: PGresult) -> bool:
    return result.error_field(e.SQLSTATE_FIELD) == _CANCELLED


def transaction_outcome(session: Session, ex: BaseException) -> e.Error | None:
    """Tell what became of a transaction whose end was interrupted, or the link lost.

    If it is known, `ex` gets a note that says so.

    Returns:
        The error to raise instead of `ex`, if it isn't known.
    """
    pending = session._exchange.last
    is_of_link = not session.in_transaction and _is_of_link(getattr(ex, "sqlstate", None))
    is_lost = session.closed or is_of_link
    if pending is None or not (is_lost or needs_cancel(ex)):
        return None
    told = _known_outcome(session, pending)
    if told:
        if needs_cancel(ex):
            ex.add_note(told)
        return None
    if not is_lost or _ending(pending) is Ending.UNDONE:
        return None
    if not (_may_end(pending) if is_of_link else _was_end(session, pending)):
        return None
    return e.TransactionOutcomeUnknown(
        "the link to the server was lost before it answered the end of the transaction: it may have"
        " been committed or not; look at the data before you repeat it"
    ).explained_by(ex)


def _was_end(session: Session, pending: Pending) -> bool:
    """Whether what failed was the end of a transaction.

    If none is left, and it was not autocommit's, it was, wherever in the text it stood.
    """
    if session.closed or not (session.in_transaction or session._autocommit):
        return _may_end(pending)
    return _ending(pending) >= Ending.UNDONE


def _is_of_link(sqlstate: str | None) -> bool:
    """Whether an error tells of a lost link: a pooler's to its server, which may have gone on."""
    return sqlstate is not None and sqlstate.startswith("08")


def _known_outcome(session: Session, pending: Pending) -> str | None:
    """What the server's answers tell of the transaction."""
    for result in reversed(pending.results):
        tag = result.command_status
        if tag in _COMMITTED:
            return "the transaction was committed all the same: its end had been sent"
        if tag in _UNDONE:  # to a savepoint as well
            return None if session.in_transaction else "the transaction was rolled back"
        # Without a ReadyForQuery behind it an error doesn't tell: it may be a pooler's own.
        if meaning_of(result.status) is Meaning.ERROR and pending not in session._exchange.owed:
            state = result.error_field(e.SQLSTATE_FIELD)
            if state is None or _is_of_link(state.decode("ascii", "replace")):
                continue
            told = "the transaction was not committed: the server answered with an error"
            return told if _was_end(session, pending) else None
    return None
