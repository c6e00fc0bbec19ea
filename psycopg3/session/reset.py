"""reset(): makes a session as good as new, for whoever uses the connection next."""

from __future__ import annotations

from contextlib import suppress

from .. import errors as e
from ..waiting import WaitGen
from .endings import Ending
from .session import Session
from .states import Operation

# Like the manual's DISCARD ALL, but prepared statements, plans and temporary tables stay.
# RESET ALL leaves the role; and with its schema named, no function of a user's is called.
COMMANDS = (
    b"SET SESSION AUTHORIZATION DEFAULT",
    b"RESET ROLE",
    b"RESET ALL",
    b"CLOSE ALL",
    b"UNLISTEN *",
    b"SELECT pg_catalog.pg_advisory_unlock_all()",
)

# What relatives of PostgreSQL answer to a command or function that they don't have.
_UNKNOWN = tuple(map(e.lookup, ("0A000", "42601", "42704", "42883")))


def reset_gen(session: Session) -> WaitGen[None]:
    """Undo the transaction if there is one, then all that COMMANDS undo, in one round trip.

    Interrupted, it is not cancelled: the server's answer is waited for, as to a ROLLBACK.

    Raises:
        ProgrammingError: inside a transaction() block or a pipeline.
    """
    session._check(Operation.ROLLBACK, "reset()")
    if session._exchange.pipelined:
        raise e.ProgrammingError("can't do reset() in a pipeline: leave the pipeline() block first")
    yield from session._rollback_gen()
    try:
        yield from session._command_gen(*COMMANDS, ending=Ending.SESSION)
    except _UNKNOWN:
        yield from _one_by_one_gen(session)
    # What came until here is for those who listened; whoever comes next has not.
    session._deliver()
    session._notices.forget_listeners()


def _one_by_one_gen(session: Session) -> WaitGen[None]:
    """Run what this server knows of COMMANDS: what it doesn't know, it has nothing to undo of."""
    for command in COMMANDS:
        with suppress(*_UNKNOWN):
            yield from session._command_gen(command, ending=Ending.SESSION)
