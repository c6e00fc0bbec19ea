"""LISTEN, UNLISTEN, and the taking of notifications: generators for one session."""

from __future__ import annotations

from ..generators import receive
from ..waiting import WaitGen
from .notices import NotifyHandler, check_channel
from .session import Session
from .states import Operation


def notifies_gen(session: Session) -> WaitGen[None]:
    """Take the notifications that have come: they are in the backlog then, for `notifies()`."""
    if session._notices.backlog:
        return
    session._check(Operation.NOTIFIES, "notifies()")
    session._exchange.is_used = True
    receive(session.pgconn)
    session._deliver()
    yield from ()


def listen_gen(session: Session, channel: str, callback: NotifyHandler) -> WaitGen[None]:
    """LISTEN to a channel, and have its notifications delivered."""
    session._check(Operation.EXECUTE, "listen()")
    check_channel(channel, session.pgconn)
    session._notices.checked(callback, "a Notify")
    # At the server first: a channel that it refuses has no listeners.
    yield from session._command_gen(b"LISTEN " + session._quote_identifier(channel))
    session._notices.add_listener(channel, callback)


def unlisten_gen(session: Session, channel: str, callback: NotifyHandler | None) -> WaitGen[None]:
    """Stop delivering, and UNLISTEN when nobody is left."""
    session._check(Operation.EXECUTE, "unlisten()")
    if not session._notices.listeners_but(channel, callback):
        # At the server first: if it refuses, the listener stays.
        yield from session._command_gen(b"UNLISTEN " + session._quote_identifier(channel))
    session._notices.remove_listener(channel, callback)
