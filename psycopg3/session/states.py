"""Tables: what may be done when, and what each result status means."""

from __future__ import annotations

from enum import Enum, auto

from .. import errors as e
from ..pq import ConnStatus, ExecStatus, PGconn, TransactionStatus


class Phase(Enum):
    """Where a session stands between two operations."""

    IDLE = "idle"
    IN_TRANSACTION = "in a transaction"
    FAILED_TRANSACTION = "in a failed transaction"
    BLOCK = "inside a transaction() block"
    DROPPED = "in a transaction whose block was dropped"
    PIPELINE = "in a pipeline"
    ACTIVE = "executing a command"
    CLOSED = "closed"
    LOST = "lost"
    INHERITED = "inherited by fork"


class Operation(Enum):
    """What a user may ask of a session."""

    REFER = auto()  # needs the connection to be there, and nothing of its state
    EXECUTE = auto()
    NOTIFIES = auto()
    COMMIT = auto()
    ROLLBACK = auto()
    CHARACTERISTICS = auto()
    BLOCK = auto()


class Meaning(Enum):
    """What a result tells whoever waits for it."""

    ROWS = auto()
    DONE = auto()
    ERROR = auto()
    ABORTED = auto()
    SYNC = auto()
    COPY = auto()


_ALL = frozenset(Operation)
_GONE = (Phase.CLOSED, Phase.LOST, Phase.INHERITED)

ALLOWED: dict[Phase, frozenset[Operation]] = {
    Phase.IDLE: _ALL,
    Phase.IN_TRANSACTION: _ALL - {Operation.CHARACTERISTICS},
    Phase.FAILED_TRANSACTION: _ALL - {Operation.CHARACTERISTICS, Operation.BLOCK},
    Phase.BLOCK: _ALL - {Operation.CHARACTERISTICS, Operation.COMMIT, Operation.ROLLBACK},
    Phase.DROPPED: frozenset({Operation.REFER, Operation.NOTIFIES, Operation.ROLLBACK}),
    Phase.PIPELINE: _ALL - {Operation.CHARACTERISTICS, Operation.NOTIFIES},
    Phase.ACTIVE: frozenset({Operation.REFER}),
    **dict.fromkeys(_GONE, frozenset[Operation]()),
}

_IN_TRANSACTION = "can't change {what} now: a transaction is in progress; commit or roll back first"
_IN_BLOCK = (
    "{what} is not allowed inside a transaction() block: leave the block to end the transaction,"
    " or raise Rollback to undo it"
)

REFUSAL: dict[tuple[Phase, Operation], str] = {
    (Phase.IN_TRANSACTION, Operation.CHARACTERISTICS): _IN_TRANSACTION,
    (Phase.FAILED_TRANSACTION, Operation.CHARACTERISTICS): _IN_TRANSACTION,
    (Phase.BLOCK, Operation.CHARACTERISTICS): _IN_TRANSACTION,
    (Phase.FAILED_TRANSACTION, Operation.BLOCK): (
        "can't start {what}: the transaction has failed; roll back first"
    ),
    (Phase.BLOCK, Operation.COMMIT): _IN_BLOCK,
    (Phase.BLOCK, Operation.ROLLBACK): _IN_BLOCK,
}

_ANYTIME: dict[Phase, str] = {
    Phase.DROPPED: (
        "can't {do} {what}: a transaction() block was dropped without its end, as where a signal's"
        " exception strikes right there; so its transaction is still open, and all that was done since"
        " it began is to be undone: call rollback(), or leave the block around it"
    ),
    Phase.PIPELINE: "can't {do} {what} in a pipeline: leave the pipeline first",
    Phase.ACTIVE: (
        "can't {do} {what} now: the connection is busy with a command that was not finished; close it"
    ),
    Phase.CLOSED: "can't {do} {what}: the connection is closed; open a new one",
    Phase.LOST: "can't {do} {what}: the connection to the server was lost; open a new one",
    Phase.INHERITED: (
        "can't {do} {what}: the connection belongs to the parent process; open one in this process"
    ),
}

_PHASE: dict[int, Phase] = {
    TransactionStatus.IDLE: Phase.IDLE,
    TransactionStatus.ACTIVE: Phase.ACTIVE,
    TransactionStatus.INTRANS: Phase.IN_TRANSACTION,
    TransactionStatus.INERROR: Phase.FAILED_TRANSACTION,
    TransactionStatus.UNKNOWN: Phase.LOST,
}

MEANING: dict[int, Meaning] = {
    ExecStatus.EMPTY_QUERY: Meaning.DONE,
    ExecStatus.COMMAND_OK: Meaning.DONE,
    ExecStatus.TUPLES_OK: Meaning.ROWS,
    ExecStatus.COPY_OUT: Meaning.COPY,
    ExecStatus.COPY_IN: Meaning.COPY,
    ExecStatus.COPY_BOTH: Meaning.COPY,
    ExecStatus.BAD_RESPONSE: Meaning.ERROR,
    ExecStatus.NONFATAL_ERROR: Meaning.ERROR,
    ExecStatus.FATAL_ERROR: Meaning.ERROR,
    ExecStatus.SINGLE_TUPLE: Meaning.ROWS,
    ExecStatus.TUPLES_CHUNK: Meaning.ROWS,
    ExecStatus.PIPELINE_SYNC: Meaning.SYNC,
    ExecStatus.PIPELINE_ABORTED: Meaning.ABORTED,
}


def meaning_of(status: int) -> Meaning:
    """What a result's status tells; one that a newer libpq brings counts as an error."""
    return MEANING.get(status, Meaning.ERROR)


_VERB = {Operation.CHARACTERISTICS: "change", Operation.BLOCK: "start"}


def phase_of(pgconn: PGconn) -> Phase:
    """Tell from libpq's own state where a session stands; blocks are the session's to know."""
    if pgconn.status == ConnStatus.BAD:
        return Phase.LOST
    return _PHASE.get(pgconn.transaction_status, Phase.ACTIVE)


def check(phase: Phase, operation: Operation, what: str) -> None:
    """Refuse `operation` if `phase` doesn't allow it.

    Args:
        what: the operation in the user's words, as the message shows it: "commit()", or what it
            would change: "autocommit".

    Raises:
        ProgrammingError: wrong moment.
        OperationalError: the connection is closed or lost.
    """
    if operation not in ALLOWED[phase]:
        sentence = REFUSAL.get((phase, operation)) or _ANYTIME[phase]
        error = e.OperationalError if phase in _GONE else e.ProgrammingError
        raise error(sentence.format(do=_VERB.get(operation, "do"), what=what))
