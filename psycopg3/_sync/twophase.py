# Generated from psycopg3/_async/twophase.py by `python tools/unasync.py`: edit that file, not this one.
"""TwoPhase: transactions that a transaction manager commits in two phases."""

from __future__ import annotations

from ..session.twophase import (
    TwoPhaseSession,
    Xid,
    begin_gen,
    end_gen,
    prepare_gen,
    recover_gen,
    refuse_in_two_phase,
)
from ..waiting import WaitGen
from .settings import Settings


class TwoPhase(Settings, TwoPhaseSession):
    """PEP 249's optional extension: two-phase commit."""

    def xid(self, format_id: int, gtrid: str, bqual: str) -> Xid:
        """Make the id of a two-phase transaction; see `Xid.from_parts()`."""
        return Xid.from_parts(format_id, gtrid, bqual)

    def tpc_begin(self, xid: Xid | str) -> None:
        """Begin a two-phase transaction.

        Args:
            xid: its id; text is taken as another program's id.

        Raises:
            ProgrammingError: in a transaction, or in autocommit.
        """
        self._run(begin_gen(self, xid))

    def tpc_prepare(self) -> None:
        """Do the first phase: after it the transaction can be committed, by any connection.

        Raises:
            InFailedSqlTransaction: a statement had failed, so it was rolled back.
            ProgrammingError: there is no transaction of `tpc_begin()`.
            TransactionOutcomeUnknown: the connection was lost before the server answered.
        """
        self._run(prepare_gen(self))

    def tpc_commit(self, xid: Xid | str | None = None) -> None:
        """Commit the transaction of `tpc_begin()`, prepared or not; or one that was prepared.

        Args:
            xid: the id of one that was prepared, such as of `tpc_recover()`; outside a transaction.
        """
        self._run(end_gen(self, xid, commit=True))

    def tpc_rollback(self, xid: Xid | str | None = None) -> None:
        """Undo the transaction of `tpc_begin()`, prepared or not; or one that was prepared.

        Args:
            xid: the id of one that was prepared, such as of `tpc_recover()`; outside a transaction.
        """
        self._run(end_gen(self, xid, commit=False))

    def tpc_recover(self) -> list[Xid]:
        """List the transactions of the server that are prepared; other programs' ids as they are."""
        xids: list[Xid] = self._run(recover_gen(self))
        return xids

    def _user_commit_gen(self) -> WaitGen[None]:
        refuse_in_two_phase(self, "commit()")
        return super()._user_commit_gen()

    def _user_rollback_gen(self) -> WaitGen[None]:
        refuse_in_two_phase(self, "rollback()")
        return super()._user_rollback_gen()
