"""BEGIN, SAVEPOINT, COMMIT and their nesting: what a transaction() block sends, and when."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from .. import errors as e
from ..pq import TransactionStatus
from ..waiting import WaitGen
from .characteristics import Characteristics
from .states import Operation

if TYPE_CHECKING:
    from .session import Session


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
    def status(self) -> Status:
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
        session.check(Operation.BLOCK, "transaction()")
        self._outermost = session.pgconn.transaction_status == TransactionStatus.IDLE
        if self._characteristics.given and not self._outermost:
            raise e.ProgrammingError(
                "isolation, read_only and deferrable are of a whole transaction, and one is in"
                " progress: give them to its outermost transaction() block, or end it first"
            )
        commands = [session.begin_command(self._characteristics)] if self._outermost else []
        if not self._outermost and not self._savepoint:
            self._savepoint = f"_pg3_{len(session.blocks) + 1}"
        if self._savepoint:
            commands.append(b"SAVEPOINT " + session.quote_identifier(self._savepoint))
        yield from session.command_gen(b"; ".join(commands))
        session.blocks.append(self)
        self._status = self.Status.ACTIVE

    def _exit_gen(self, exc: BaseException | None) -> WaitGen[bool]:
        """End the block; True if `exc` is a Rollback meant for it."""
        if self._session.closed:
            return self._fail_with_session(exc)
        if exc is None and not self.force_rollback:
            yield from self._commit_gen()
            return False
        yield from self._rollback_gen(exc)
        return isinstance(exc, Rollback) and exc.transaction in (None, self)

    def _fail_with_session(self, exc: BaseException | None) -> bool:
        self._status = self.Status.FAILED
        if self in self._session.blocks:
            self._session.blocks.remove(self)
        if exc is None:
            self._session.check(Operation.EXECUTE, "the end of the transaction() block")
        return False

    def _leave(self) -> None:
        """Take the block off the pile; a block below the top is an error of the program."""
        blocks = self._session.blocks
        if blocks and blocks[-1] is self:
            blocks.pop()
            return
        self._status = self.Status.FAILED
        if self in blocks:
            blocks.remove(self)
        raise OutOfOrderTransactionNesting(
            f"{self!r} is being left while blocks entered after it are still open: leave blocks in"
            " the reverse order of entering them, and don't share a connection between tasks or"
            " threads that use transaction()"
        )

    def _commit_gen(self) -> WaitGen[None]:
        self._leave()
        self._status = self.Status.FAILED
        if self._outermost:
            yield from self._session.commit_gen()
        else:
            name = self._session.quote_identifier(self._savepoint or "")
            yield from self._session.command_gen(b"RELEASE " + name)
        self._status = self.Status.COMMITTED

    def _rollback_gen(self, exc: BaseException | None) -> WaitGen[None]:
        self._leave()
        commands = []
        if self._outermost:
            commands.append(b"ROLLBACK")
        elif self._savepoint:
            name = self._session.quote_identifier(self._savepoint)
            commands += [b"ROLLBACK TO " + name, b"RELEASE " + name]
        self._status = self.Status.FAILED
        yield from self._session.command_gen(b"; ".join(commands))
        by_choice = exc is None or isinstance(exc, Rollback)
        self._status = (
            self.Status.ROLLED_BACK_EXPLICITLY if by_choice else self.Status.ROLLED_BACK_WITH_ERROR
        )
