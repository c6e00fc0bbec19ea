"""BEGIN, SAVEPOINT, COMMIT and their nesting: what a transaction() block sends, and when."""

from __future__ import annotations

from enum import StrEnum

from .. import errors as e
from ..waiting import WaitGen
from .characteristics import Characteristics
from .endings import Ending
from .session import Session
from .states import Operation


class Rollback(Exception):
    """Raise it inside a transaction() block to undo the block and go on after it.

    Args:
        transaction: the block to leave, by default the innermost; blocks inside it are
            undone on the way.
    """

    __module__ = "psycopg3"

    def __init__(self, transaction: BaseTransaction | None = None):
        super().__init__(transaction)
        self.transaction = transaction

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}({self.transaction!r})"


class OutOfOrderTransactionNesting(e.ProgrammingError):
    """Blocks were left in another order than the reverse of how they were entered."""

    __module__ = "psycopg3.transaction"


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
        self._check_order(exc)
        if exc is None and not self.force_rollback:
            yield from self._commit_gen()
            return False
        yield from self._rollback_gen(exc)
        return self._is_meant(exc)

    def _is_meant(self, exc: BaseException | None) -> bool:
        return isinstance(exc, Rollback) and exc.transaction in (None, self)

    def _close(self, status: Status) -> None:
        self._session._close_block(self)
        self._status = status

    def _fail_with_session(self, exc: BaseException | None) -> bool:
        self._close(self.Status.FAILED)
        if exc is None or self._is_meant(exc):
            # Nobody else tells that what was done in the block is lost.
            self._session._check(Operation.EXECUTE, "the end of the transaction() block")
        elif self._outermost:
            self._session._loss.is_told = True  # all that is lost was to be undone
        return False

    def _check_order(self, exc: BaseException | None) -> None:
        """Refuse to leave a block while blocks entered after it are open.

        If it is left by an exception, they were abandoned: their end was skipped, or was itself
        interrupted. They are undone with it, and the exception is what the user must see.
        """
        if self._status is self.Status.NOT_STARTED:
            raise e.ProgrammingError("the transaction() block was never entered: use it by 'with'")
        blocks = self._session._open_blocks
        inner = blocks[blocks.index(self) + 1 :] if self in blocks else None
        if inner == []:
            return
        if inner is not None and exc is not None:
            for block in inner:
                block._close(self.Status.FAILED)
            return
        self._close(self.Status.FAILED)
        raise OutOfOrderTransactionNesting(
            f"{self!r} is being left while blocks entered after it are still open: leave blocks in"
            " the reverse order of entering them, and don't share a connection between tasks or"
            " threads that use transaction()"
        )

    def _commit_gen(self) -> WaitGen[None]:
        session = self._session
        if self._outermost:
            gen: WaitGen[object] = session._commit_gen()
        else:
            name = session._quote_identifier(self._savepoint or "")
            gen = session._command_gen(b"RELEASE " + name)
        yield from self._end_gen(gen, self.Status.COMMITTED)

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

    def _end_gen(self, gen: WaitGen[object], status: Status | None = None) -> WaitGen[None]:
        """Run what begins or ends the block; if the server refuses, the block has failed."""
        try:
            yield from gen
        except e.Error:
            self._close(self.Status.FAILED)
            raise
        if status is not None:
            self._close(status)
