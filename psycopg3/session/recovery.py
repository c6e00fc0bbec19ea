"""What an interruption does to a session: the server's work is stopped, and the fate of a COMMIT told.

An interruption is whatever ends a wait from outside: a cancelled task, Ctrl-C, an exception of a
signal handler, a deadline. The command under way is cancelled at the server and what it still
sends is dropped. A command that ends a transaction is never cancelled: its answer is waited for,
since who asked for a COMMIT must learn what became of it.
"""

from __future__ import annotations

import re
from time import monotonic
from typing import TYPE_CHECKING

from .. import errors as e
from ..generators import until_gen
from ..pq import TransactionStatus
from ..waiting import WaitGen
from .states import MEANING, Meaning

if TYPE_CHECKING:
    from .exchange import Pending
    from .session import Session

# What ends a transaction, as the first word of a query, and after a semicolon where no quote can
# make a text of it. Looked for after an interruption only: no query pays for it.
_BLANK = rb"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_FLAGS = re.IGNORECASE | re.DOTALL
_ENDS = re.compile(
    _BLANK + rb"(?:commit|end|rollback|abort|discard|prepare\s+transaction)\b", _FLAGS
)
_ENDS_LATER = re.compile(rb";" + _BLANK + rb"(?:commit|rollback|prepare\s+transaction)\b", _FLAGS)
_QUOTES = re.compile(rb"['\"$]")

_COMMITTED = frozenset({b"COMMIT", b"COMMIT PREPARED", b"PREPARE TRANSACTION"})
_UNDONE = frozenset({b"ROLLBACK", b"ROLLBACK PREPARED"})

# A cancel request that overtakes its query finds the server idle, and is lost: it is sent again
# if the query goes on for so long, then for twice as long, and so on.
_FIRST_PATIENCE = 0.1


class _Overdue(Exception):
    """A step of a recovery has had its time."""


def ends_transaction(query: bytes) -> bool:
    """Whether a query must come to its end, since it ends a transaction."""
    if _ENDS.match(query):
        return True
    return not _QUOTES.search(query) and bool(_ENDS_LATER.search(query))


def recover_gen(session: Session, seconds: float, *, cancel: bool) -> WaitGen[None]:
    """Bring an interrupted session back to rest.

    Args:
        seconds: what the whole may take: half of it at most goes into cancel requests, for a
            query may end by itself where no second connection is to be had.
        cancel: whether to stop the server's work first.

    Raises:
        OperationalError: the connection was lost.
    """
    exchange = session.exchange
    last = exchange.last
    if last is not None and last in exchange.owed and ends_transaction(last.query):
        cancel = False
    enough = monotonic() + seconds / 2
    patience = _FIRST_PATIENCE
    while cancel and session.pgconn.transaction_status == TransactionStatus.ACTIVE:
        try:
            yield from until_gen(session.cancel_request_gen(), enough, _Overdue)
        except (e.Error, _Overdue) as ex:
            session.log("the cancel request for %r failed: %s", session, ex or "no answer in time")
            break
        try:
            yield from until_gen(exchange.drain_gen(), monotonic() + patience, _Overdue)
        except _Overdue:
            patience *= 2
    yield from exchange.drain_gen()


def fate(session: Session, ex: BaseException) -> e.Error | None:
    """Tell what became of a transaction whose end was interrupted, or the link lost.

    If it is known, `ex` gets a note that says so.

    Returns:
        The error to raise instead of `ex`, if it isn't known.
    """
    exchange = session.exchange
    pending = exchange.last
    if pending is None or not ends_transaction(pending.query):
        return None
    if not session.closed and not isinstance(ex, e.Error):
        for note in _told(pending):
            ex.add_note(note)
        return None
    if not session.closed or _told(pending):
        return None
    exchange.last = None
    return e.TransactionOutcomeUnknown(
        "the connection was lost before the server answered the end of the transaction: it may have"
        " been committed or not; look at the data before you repeat it"
    ).explained_by(ex)


def _told(pending: Pending) -> list[str]:
    """What the server's answers tell of the transaction."""
    for result in reversed(pending.results):
        tag = result.command_status
        if tag in _COMMITTED:
            return ["the transaction was committed all the same: its end had been sent"]
        if tag in _UNDONE:
            return ["the transaction was rolled back"]
        lost = result.error_field(e.SEVERITY_NONLOCALIZED_FIELD) in (b"FATAL", b"PANIC", None)
        if MEANING[result.status] is Meaning.ERROR and not lost:
            return ["the transaction was not committed: the server answered with an error"]
    return []
