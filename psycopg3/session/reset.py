"""reset(): makes a session as good as new, for whoever uses the connection next."""

from __future__ import annotations

from .. import errors as e
from ..generators import arrived_notifies
from ..waiting import WaitGen
from .session import Session
from .states import Operation

# Like the manual's DISCARD ALL, but prepared statements, plans and temporary tables stay.
# RESET ALL leaves the role; with the schema named, no function of a user's is called.
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

    Raises:
        ProgrammingError: inside a transaction() block or a pipeline.
    """
    session.check(Operation.ROLLBACK, "reset()")
    yield from session.rollback_gen()
    try:
        yield from session.command_gen(b"; ".join(COMMANDS))
    except _UNKNOWN:
        yield from _one_by_one_gen(session)
    if not session.notices.wants_notifies:
        arrived_notifies(session.pgconn)  # the next user has not listened to these


def _one_by_one_gen(session: Session) -> WaitGen[None]:
    """Run what this server knows of COMMANDS: what it doesn't know, it has nothing to undo of."""
    for command in COMMANDS:
        try:
            yield from session.command_gen(command)
        except _UNKNOWN:
            pass
