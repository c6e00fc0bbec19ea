"""Shared statements: those of several users go in one round trip, each with a Sync of its own."""

from __future__ import annotations

from collections import deque
from contextlib import suppress

from ..pq import TransactionStatus
from ..query import BoundQuery, RequestKind
from .endings import rides
from .exchange import Pending
from .session import Session

# How many go in one round trip, at most: the first of them waits for the last.
_MOST = 64
_IDLE, _SIMPLE = TransactionStatus.IDLE, RequestKind.SIMPLE


class SharedStatement:
    """A statement that waits to be sent, or was sent, beside others."""

    __slots__ = ("bound", "is_left", "pending", "prepare")

    def __init__(self, bound: BoundQuery, prepare: bool | None):
        self.bound, self.prepare = bound, prepare
        self.pending: Pending | None = None
        """What is owed for it, when it was sent."""
        self.is_left = False
        """Whether nobody waits for it any more."""


class Sharing:
    """The statements of those who use one connection at the same time.

    Whoever gets the connection's turn sends all that wait, and receives all. If he is interrupted, the
    next one goes on with that: the server's work is cancelled only if nobody wants it any more.
    """

    def __init__(self) -> None:
        self._waiting: deque[SharedStatement] = deque()
        self._sent: list[SharedStatement] = []
        self.sync: Pending | None = None
        """What comes after all that was sent; None if nothing is under way."""

    def add(self, statement: SharedStatement) -> None:
        """Have a statement sent by whoever sends next."""
        self._waiting.append(statement)

    def leave(self, statement: SharedStatement) -> None:
        """Wait for a statement no more; one that wasn't sent is not sent."""
        statement.is_left = True
        with suppress(ValueError, IndexError):  # another thread has sent it just now
            self._waiting.remove(statement)

    def send(self, session: Session) -> None:
        """Send what waits, in a pipeline that is open; `sync` comes after all of it."""
        exchange, waiting = session._exchange, self._waiting
        self._sent.clear()
        self.sync = None
        while waiting and len(self._sent) < _MOST:
            statement = waiting.popleft()
            if statement.is_left:
                continue
            bound = statement.bound
            first = exchange.statements.plan(bound, session, statement.prepare, exchange)
            statement.pending = exchange.send_after(first or (), bound)
            self._sent.append(statement)
            self.sync = exchange.sync(flush=False)
        if not self._sent:
            self.sync = exchange.sync()

    def end(self) -> None:
        """Take note that nothing is under way any more."""
        self.sync = None
        self._sent.clear()

    @property
    def is_wanted(self) -> bool:
        """Whether something is under way that somebody waits for."""
        return self.sync is not None and any(
            not (statement.is_left or statement.pending is None or statement.pending.done)
            for statement in self._sent
        )


def may_share(session: Session, bound: BoundQuery) -> bool:
    """Whether a statement is one that can go beside others, as things are."""
    is_alone = not session._autocommit or session._blocks or session._exchange.blocks
    return not is_alone and rides(bound.query, bound.kind != _SIMPLE)


def is_alone(session: Session) -> bool:
    """Whether a statement can't go beside others, now that its turn has come.

    Raises:
        Error: no statement can be sent now.
    """
    exchange = session._exchange
    must_begin = session._must_begin()
    return must_begin or exchange.pipelined or session.pgconn.transaction_status != _IDLE
