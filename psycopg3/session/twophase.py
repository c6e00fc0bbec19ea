"""Two-phase commit: the ids of transactions, and the commands that prepare and end them."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .. import errors as e
from ..sql import Literal
from ..waiting import WaitGen
from .endings import Ending
from .session import Session
from .states import Operation

if TYPE_CHECKING:
    from datetime import datetime

_LONGEST = 64
_LARGEST = 0x7FFFFFFF
_CODED = re.compile(r"(\d{1,10})_([^_]*)_([^_]*)")


class Xid:
    """The id of a two-phase transaction: a sequence of three parts, as PEP 249 has them.

    An id that another program has given, and that is not made of three parts, is `gtrid` alone.
    """

    __module__ = "psycopg3"

    def __init__(self, format_id: int | None, gtrid: str, bqual: str | None, *told: Any) -> None:
        """Take the parts as they are, and what `tpc_recover()` tells; see `from_parts()`."""
        prepared, owner, database = told or (None, None, None)
        self.format_id = format_id
        """The number of the format, which the transaction manager chooses; None for another program's."""
        self.gtrid = gtrid
        """The id of the global transaction."""
        self.bqual = bqual
        """The id of its branch; None for another program's id."""
        self.prepared: datetime | None = prepared
        """When it was prepared; from `tpc_recover()`, as what follows."""
        self.owner: str | None = owner
        """Who has prepared it."""
        self.database: str | None = database
        """In which database."""

    @classmethod
    def from_parts(cls, format_id: int, gtrid: str, bqual: str) -> Xid:
        """Make an id of its parts.

        Raises:
            ProgrammingError: the number isn't within 0 and 2147483647, or a part isn't a str of 64
                printable characters at the most.
        """
        if not (isinstance(format_id, int) and 0 <= format_id <= _LARGEST):
            raise e.ProgrammingError(f"got format_id={format_id!r}: expected 0 to {_LARGEST}")
        for name, part in (("gtrid", gtrid), ("bqual", bqual)):
            if not (isinstance(part, str) and len(part) <= _LONGEST and part.isprintable()):
                raise e.ProgrammingError(
                    f"got {name}={part!r}: expected a str of {_LONGEST} printable characters at the most"
                )
        return cls(format_id, gtrid, bqual)

    @classmethod
    def from_string(cls, s: str) -> Xid:
        """Read an id as the server has it: of three parts, or another program's as it is."""
        if match := _CODED.fullmatch(s):
            with suppress(ValueError, e.ProgrammingError):
                parts = (b64decode(part, validate=True).decode() for part in match.groups()[1:])
                found = cls.from_parts(int(match[1]), *parts)
                if str(found) == s:
                    return found
        return cls(None, s, None)

    @classmethod
    def of(cls, xid: Xid | str) -> Xid:
        """An id that may be given as text."""
        if isinstance(xid, Xid):
            return xid
        if not isinstance(xid, str):
            raise e.ProgrammingError(
                f"the xid is of type {type(xid).__name__}: expected Xid or str"
            )
        return cls.from_string(xid)

    def __str__(self) -> str:
        if self.format_id is None or self.bqual is None:
            return self.gtrid
        coded = (b64encode(part.encode()).decode() for part in (self.gtrid, self.bqual))
        return "_".join([str(self.format_id), *coded])

    def __repr__(self) -> str:
        return f"Xid({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if isinstance(other, Xid) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[Any]:
        return iter((self.format_id, self.gtrid, self.bqual))

    def __getitem__(self, index: int) -> Any:
        return (self.format_id, self.gtrid, self.bqual)[index]


class TwoPhaseSession(Session):
    """A session that takes part in two-phase commit."""

    _xid: Xid | None = None
    """The id of the two-phase transaction in progress."""
    _is_prepared = False
    """Whether that was prepared."""

    def _check_cancel(self) -> None:
        """Refuse to cancel when the transaction was prepared: nothing of it can be stopped then."""
        if self._is_prepared:
            raise e.ProgrammingError(
                "can't cancel after tpc_prepare(): the transaction is prepared; end it by tpc_commit()"
                " or tpc_rollback()"
            )


def begin_gen(session: TwoPhaseSession, xid: Xid | str) -> WaitGen[None]:
    """Begin a two-phase transaction."""
    session._check(Operation.CHARACTERISTICS, "the transaction to a two-phase one")
    if session._xid is not None:
        raise e.ProgrammingError("a two-phase transaction is in progress: end it first")
    if session._autocommit:
        raise e.ProgrammingError(
            "a two-phase transaction can't be begun in autocommit: set autocommit to False"
        )
    known = Xid.of(xid)
    yield from session._command_gen(session._begin_command())
    session._xid, session._is_prepared = known, False


def prepare_gen(session: TwoPhaseSession) -> WaitGen[None]:
    """Prepare the transaction, so that it can be committed, come what may.

    Raises:
        InFailedSqlTransaction: a statement had failed, so the server has rolled back.
    """
    session._check(Operation.EXECUTE, "tpc_prepare()")
    xid = session._xid
    if xid is None or session._is_prepared:
        raise e.ProgrammingError("tpc_prepare() is for a transaction that tpc_begin() has begun")
    _check_there(session)
    (result,) = yield from session._command_gen(
        b"PREPARE TRANSACTION" + _literal(session, xid), ending=Ending.COMMITTED
    )
    # Of a failed transaction the server makes a ROLLBACK, without an error.
    if result.command_status == b"ROLLBACK":
        raise e.lookup("25P02")(
            "the transaction was rolled back, not prepared: a statement in it had failed"
        )
    session._is_prepared = True


def end_gen(session: TwoPhaseSession, xid: Xid | str | None, *, commit: bool) -> WaitGen[None]:
    """Commit or roll back: the transaction in progress, or one that was prepared before.

    Args:
        xid: the one that was prepared; None for that in progress.
    """
    what = "tpc_commit()" if commit else "tpc_rollback()"
    session._check(Operation.EXECUTE, what)
    own = session._xid
    if xid is not None and (own is not None or session.in_transaction):
        raise e.ProgrammingError(f"{what} of a given xid can't be in a transaction: end that first")
    if xid is None and own is None:
        raise e.ProgrammingError(f"{what} without a xid is for a transaction of tpc_begin()")
    if xid is None and not session._is_prepared:
        session._xid = None
        if commit:
            _check_there(session)
        yield from session._commit_gen() if commit else session._rollback_gen()
        return
    if session.in_transaction:
        raise e.ProgrammingError(
            f"{what} can't be in a transaction, and one was begun since tpc_prepare(): roll it back"
        )
    known = Xid.of(xid or own or "")
    verb, ending = (b"COMMIT", Ending.COMMITTED) if commit else (b"ROLLBACK", Ending.UNDONE)
    # Its end may fail, or be done by others: who wants to try again names it.
    session._xid, session._is_prepared = None, False
    yield from session._command_gen(verb + b" PREPARED" + _literal(session, known), ending=ending)


def recover_gen(session: Session) -> WaitGen[list[Xid]]:
    """List the transactions that are prepared."""
    session._check(Operation.EXECUTE, "tpc_recover()")
    (result,) = yield from session._command_gen(
        b"SELECT gid, prepared, owner, database FROM pg_catalog.pg_prepared_xacts"
    )
    transformer = session._transformer_of()
    transformer.set_pgresult(result)
    rows = transformer.load_rows(0, result.ntuples, tuple)
    return [Xid(*Xid.from_string(gid), at, owner, database) for gid, at, owner, database in rows]


def refuse_in_two_phase(session: TwoPhaseSession, what: str) -> None:
    """Refuse to end a two-phase transaction by other means.

    Raises:
        ProgrammingError: one is in progress.
    """
    if session._xid is not None:
        raise e.ProgrammingError(
            f"can't do {what} in a two-phase transaction: use tpc_commit() or tpc_rollback()"
        )


def _check_there(session: Session) -> None:
    if not session.in_transaction:
        raise e.lookup("25P01")(
            "the two-phase transaction is not there any more: it has failed, or something else has"
            " ended it; call tpc_rollback()"
        )


def _literal(session: TwoPhaseSession, xid: Xid) -> bytes:
    return b" " + Literal(str(xid)).as_bytes(session)
