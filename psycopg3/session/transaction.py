"""BEGIN, SAVEPOINT, COMMIT and their nesting: what a transaction() block sends, and when."""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum

from .. import errors as e
from ..encodings import words_encoding
from ..waiting import WaitGen
from .characteristics import Characteristics
from .endings import Ending
from .pipeline import settle_gen
from .results import check_untold
from .session import Session
from .states import Operation


class Rollback(Exception):
    """Raise it inside a transaction() block to undo the block and go on after it.

    Args:
        transaction: the block to leave, by default the innermost; blocks inside it are
            undone on the way.
    """

    def __init__(self, transaction: BaseTransaction | None = None):
        super().__init__(transaction)
        self.transaction = transaction

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}({self.transaction!r})"


class OutOfOrderTransactionNesting(e.ProgrammingError):
    """Blocks were left in another order than the reverse of how they were entered."""

    __module__ = "psycopg3.transaction"


# The server parses it, and fails. Its text is what an administrator finds in the log.
_POISON = b"transaction() blocks of the client were left out of order"

_CROSSED = (
    "{!r} was left out of order, or another block was while it was open, so all that were open have"
    " failed and are undone: leave blocks in the reverse order of entering them, and don't share a"
    " connection between tasks or threads that use transaction()"
)


class BaseTransaction:
    """The half of a transaction() block that never waits."""

    class Status(StrEnum):
        """How far a transaction() block has come."""

        NOT_STARTED = "not started"
        ACTIVE = "active"
        COMMITTED = "committed"
        ROLLED_BACK_EXPLICITLY = "rolled back explicitly"
        ROLLED_BACK_WITH_ERROR = "rolled back with error"
        FAILED = "failed"

    def __init__(
        self,
        session: Session,
        savepoint_name: str | None = None,
        force_rollback: bool = False,
        characteristics: Characteristics | None = None,
    ):
        if not isinstance(savepoint_name, str | None):
            raise e.ProgrammingError(
                f"the savepoint's name is of type {type(savepoint_name).__name__}: expected str"
            )
        self._session = session
        self._savepoint = savepoint_name
        self._characteristics = characteristics or Characteristics()
        self.force_rollback = force_rollback
        """Whether to undo the block also when no exception is raised."""
        self._status = self.Status.NOT_STARTED
        self._outermost = False
        self._is_crossed = False
        """Whether another block was left out of order while this one was open."""

    @property
    def savepoint_name(self) -> str | None:
        """The savepoint that the block stands on; None if it is the transaction itself."""
        return self._savepoint

    @property
    def status(self) -> BaseTransaction.Status:
        """How far the block has come."""
        return self._status

    def __repr__(self) -> str:
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        savepoint = f"{self._savepoint!r} " if self._savepoint else ""
        return f"<{name} {savepoint}({self._status.value}) of {self._session!r} at 0x{id(self):x}>"

    def _enter_gen(self) -> WaitGen[None]:
        if self._status is not self.Status.NOT_STARTED:
            raise TypeError("a transaction() block can be entered only once: make a new one")
        session = self._session
        session._check(Operation.BLOCK, "transaction()")
        if session._exchange.pipelined:  # what was sent before isn't of this transaction
            yield from settle_gen(session)
        self._outermost = session._is_idle()
        if self._characteristics.given and not self._outermost:
            raise e.ProgrammingError(
                "isolation, read_only and deferrable are of a whole transaction, and one is in"
                " progress: give them to its outermost transaction() block, or end it first"
            )
        commands = [session._begin_command(self._characteristics)] if self._outermost else []
        if not self._outermost and not self._savepoint:
            self._savepoint = f"_pg3_{len(session._open_blocks) + 1}"
        if self._savepoint:
            commands.append(b"SAVEPOINT " + session._quote_identifier(self._savepoint))
        # Before the server is asked: if this is interrupted, it is known that there is something to
        # undo, whether or not the answer has come.
        session._open_block(self)
        self._status = self.Status.ACTIVE
        session._exchange.has_begun = True
        yield from self._end_gen(session._command_gen(*commands))
        if self._outermost and not session._exchange.pipelined:
            session._begin_afresh(commands)

    def _is_open(self) -> bool:
        """Whether the block has still to be ended at the server."""
        if self._status is not self.Status.ACTIVE or self._session.closed:
            return False
        if self._session._is_idle():
            # The server had ended it, or not begun, when it was interrupted.
            self._close(self.Status.FAILED)
            return False
        return True

    def _exit_gen(self, exc: BaseException | None) -> WaitGen[bool]:
        """End the block; True if `exc` is a Rollback meant for it.

        Interrupted, it leaves the block open, and can be run again with what interrupted it.
        """
        if self._session.closed:
            return self._fail_with_session(exc)
        if not (self._is_crossed or self._is_in_order(exc)):
            yield from self._cross_gen()
        if self._is_crossed:
            yield from self._give_up_gen()
            if exc is None or self._is_meant(exc):
                raise OutOfOrderTransactionNesting(_CROSSED.format(self))
            exc.add_note(_CROSSED.format(self))
            return False
        if exc is None and not self.force_rollback:
            yield from self._commit_gen()
            return False
        yield from self._rollback_gen(exc)
        return self._is_meant(exc)

    def _is_meant(self, exc: BaseException | None) -> bool:
        return isinstance(exc, Rollback) and exc.transaction in (None, self)

    def _close(self, status: Status) -> None:
        # In this order: a signal's exception in between must not find it open, yet nowhere.
        self._status = status
        self._session._close_block(self)

    def _fail_with_session(self, exc: BaseException | None) -> bool:
        self._close(self.Status.FAILED)
        if exc is None or self._is_meant(exc):
            # Nobody else tells that what was done in the block is lost.
            self._session._check(Operation.EXECUTE, "the end of the transaction() block")
        elif self._outermost:
            self._session._loss.is_told = True  # all that is lost was to be undone
        return False

    def _is_in_order(self, exc: BaseException | None) -> bool:
        """Whether the block is left after all that were entered after it.

        If it is left by an exception, those that are open were abandoned: their end was skipped, or
        was itself interrupted. They are undone with it, and the exception is what the user must see.
        """
        if self._status is self.Status.NOT_STARTED:
            raise e.ProgrammingError("the transaction() block was never entered: use it by 'with'")
        blocks = self._session._open_blocks
        if self not in blocks:  # it was abandoned, and is undone
            raise OutOfOrderTransactionNesting(_CROSSED.format(self))
        inner = blocks[blocks.index(self) + 1 :]
        if exc is None:
            return not inner
        for block in inner:
            block._close(self.Status.FAILED)
        return True

    def _cross_gen(self) -> WaitGen[None]:
        """Have all blocks that are open fail with this one, which is left out of order.

        What is done in them can't be told apart any more. So that nobody believes that it is kept,
        also nobody who is in no block, the transaction is made to fail at the server: until the last
        block rolls it back, statements are refused.
        """
        session = self._session
        blocks = session._open_blocks
        is_ours = any(block._outermost for block in blocks)
        for block in blocks:
            block._is_crossed, block._outermost = True, is_ours
        self._is_crossed = True
        if session.in_transaction:
            with suppress(e.Error):
                yield from session._command_gen(_POISON)

    def _give_up_gen(self) -> WaitGen[None]:
        """End a block that can't be kept; the last of them ends the transaction, if one began it."""
        session = self._session
        if self._outermost and session._open_blocks == [self]:
            yield from self._end_gen(session._rollback_gen(), self.Status.FAILED)
        self._close(self.Status.FAILED)

    def _commit_gen(self) -> WaitGen[None]:
        session = self._session
        session._check(Operation.EXECUTE, "the end of the transaction() block")
        if self._outermost:
            gen: WaitGen[object] = session._commit_gen()
        else:
            name = session._quote_identifier(self._savepoint or "")
            gen = self._release_gen(name)
        yield from self._end_gen(gen, self.Status.COMMITTED)

    def _release_gen(self, name: bytes) -> WaitGen[None]:
        """Keep the block's part of the transaction, unless something failed in it that nobody has seen."""
        session = self._session
        try:
            yield from session._command_gen(b"RELEASE " + name)
        except e.Error:
            if session._exchange.untold:
                commands = (b"ROLLBACK TO " + name, b"RELEASE " + name)
                yield from session._command_gen(*commands, ending=Ending.SESSION)
            check_untold(session._exchange, words_encoding(session.pgconn))
            raise

    def _rollback_gen(self, exc: BaseException | None) -> WaitGen[None]:
        by_choice = exc is None or isinstance(exc, Rollback)
        status = (
            self.Status.ROLLED_BACK_EXPLICITLY if by_choice else self.Status.ROLLED_BACK_WITH_ERROR
        )
        session = self._session
        if self._outermost or session._is_idle():
            # Idle, if its end was interrupted after the server had done it, or its beginning before.
            gen: WaitGen[object] = session._rollback_gen()
        else:
            name = session._quote_identifier(self._savepoint or "")
            # Not cancelled, like a ROLLBACK: it is what undoes an interrupted block.
            commands = (b"ROLLBACK TO " + name, b"RELEASE " + name)
            gen = session._command_gen(*commands, ending=Ending.SESSION)
        yield from self._end_gen(gen, status)
        session._exchange.untold.clear()  # what failed is undone

    def _end_gen(self, gen: WaitGen[object], status: Status | None = None) -> WaitGen[None]:
        """Run what begins or ends the block; if the server refuses, the block has failed."""
        try:
            yield from gen
        except e.Error:
            self._close(self.Status.FAILED)
            raise
        if status is not None:
            self._close(status)
