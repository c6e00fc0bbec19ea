"""SCRAM's work is bounded: what a server asks for, before a connection is made, is looked at first.

To sign in by SCRAM, libpq hashes the password as often as the server says, inside one call of
PQconnectPoll, which nothing can interrupt: some ms for PostgreSQL's 4,096 iterations, half an hour
for the 2,147,483,647 of a server that means ill. So every message that may ask for it is looked at
before libpq gets it. A count above the limit ends the attempt; below it the call may still take
longer than an event loop should stand still, and is to be made aside, in a thread.

A server that has proved by TLS who it is (sslmode=verify-full) may ask for what it likes: then libpq's
TLS is not looked into, and all but the first message is handled aside.

All rests on libpq knowing no more than was looked at. Under TLS it never does. On a plain link more
may come between our look and libpq's read. So there libpq gets nothing before the message has come
as a whole; and once it has got one, what makes no sense is refused, not handed on.
"""

from __future__ import annotations

import re
from enum import Enum

from .conninfo import SCRAM_MAX_ITERATIONS
from .errors import OperationalError
from .pq import ConnStatus, PGconn, views

# What libpq accepts, before a connection is made, as messages: by kind the longest.
_LONGEST = {b"R": 2000, b"v": 2000, b"E": 30000}
# So much at least libpq reads at once: up to it, what was looked at is what it has afterwards.
_READ_AT_ONCE = 8192

# What an AuthenticationRequest asks for: the manual's section "Message Formats".
_OK, _GSS, _SASL, _SASL_CONTINUE, _LAST = 0, (7, 8, 9), 10, 11, 12

# RFC 5802, the server's first message. libpq, too, takes its parts in this order only.
_SERVER_FIRST = re.compile(rb"r=[^,]*,s=[^,]*,i=([^,]*)", re.DOTALL)


class Step(Enum):
    """What is to be done next."""

    POLL = "call PQconnectPoll: it returns at once"
    ASIDE = "call PQconnectPoll in a thread: it may work for long"
    WAIT = "wait until there is something to read"
    PAUSE = "wait a moment: there is a part of a message to read"


class _Stage(Enum):
    FIRST = "libpq has got no message yet, and so has nothing to work on"
    SCRAM = "libpq has got one message, which asks for SCRAM"
    OTHER = "libpq has got other messages"
    PAST = "libpq has nothing more to work on"


class _NonsenseError(Exception):
    """What the server sent is no message that belongs here."""


class Guard:
    """Says what is to be done before each call of PQconnectPoll.

    Args:
        pgconn: a connection that is being made.
        max_iterations: the most iterations of SCRAM that the server may ask for.
    """

    def __init__(self, pgconn: PGconn, max_iterations: int = SCRAM_MAX_ITERATIONS) -> None:
        self._pgconn = pgconn
        self._max_iterations = max_iterations
        self._start()

    def _start(self) -> None:
        self._stage = _Stage.FIRST
        self._view: views.PlainView | views.TlsView | None = None
        self._held = b""  # what libpq has already of a message, from an exact link
        self._ended = False

    def next_step(self) -> Step:
        """Say what is to be done now that the descriptor is ready.

        Raises:
            OperationalError: the server asks for more than the limit, or sends nonsense; or the
                link failed in a way that libpq won't find out any more.
        """
        status = self._pgconn.status
        if status != ConnStatus.AWAITING_RESPONSE:
            if status == ConnStatus.MADE:
                # libpq passes here on each link, before it sends the startup message.
                self._start()
            return Step.POLL
        if self._stage is _Stage.PAST:
            return Step.POLL
        if self._view is None and not _is_authenticated(self._pgconn):
            self._view = views.view_of(self._pgconn)
        try:
            return self._look(self._view) if self._view else self._blind()
        except OperationalError as ex:
            raise OperationalError(f"{_place(self._pgconn)} failed: {ex}") from None

    def _blind(self) -> Step:
        """Where one can't look, only the first message is harmless whatever it is."""
        if self._stage is not _Stage.FIRST:
            return Step.ASIDE
        self._stage = _Stage.OTHER
        return Step.POLL

    def _look(self, view: views.PlainView | views.TlsView) -> Step:
        """Look at what libpq would read."""
        seen = view.peek()
        if seen is None:
            return Step.WAIT
        if not seen:
            return Step.POLL  # to find the end, or the error
        try:
            step, stage, rest = self._judge(self._held + seen)
            if rest and not view.exact:
                return self._incomplete(view)
            if rest and len(seen) > _READ_AT_ONCE:
                raise _NonsenseError
        except _NonsenseError:
            raise OperationalError(
                "the server sent something that makes no sense while a user signs in: expected a"
                " request for authentication or an error; is it PostgreSQL?"
            ) from None
        self._stage, self._held = stage, rest
        return step

    def _incomplete(self, view: views.PlainView | views.TlsView) -> Step:
        """Wait for the rest of a message, as long as it can come."""
        if self._ended:
            return Step.POLL
        # What came before the end may be the rest: there is another look before libpq gets it.
        self._ended = view.ended()
        return Step.PAUSE

    def _judge(self, data: bytes) -> tuple[Step, _Stage, bytes]:
        """Look at the messages in `data`.

        Returns:
            what is to be done, how far libpq will then have come, and what is there of a message
            that has not come as a whole.

        Raises:
            OperationalError: one asks for more iterations than the limit.
        """
        step, stage = Step.POLL, self._stage
        while data:
            kind = data[:1]
            if stage is _Stage.FIRST and kind not in (b"R", b"v"):
                # An error, or no PostgreSQL: libpq says so, and goes no further.
                return step, _Stage.PAST, b""
            body, data = _split(data)
            if body is None:
                break
            # What an AuthenticationRequest asks for; -1 for other messages.
            code = int.from_bytes(body[:4]) if kind == b"R" else -1
            if code == _OK:
                return step, _Stage.PAST if stage is _Stage.FIRST else stage, b""
            if stage is not _Stage.FIRST or code in _GSS:
                step = Step.ASIDE
            stage = self._stage_after(code, body, stage)
            if kind == b"E" and data:
                raise _NonsenseError
        return step, stage, data

    def _stage_after(self, code: int, body: bytes, stage: _Stage) -> _Stage:
        """How far libpq has come when it has got a message; looks at the count of iterations."""
        if code == _SASL_CONTINUE:
            self._check_iterations(body[4:])
            return _Stage.PAST if stage is _Stage.SCRAM else _Stage.OTHER
        if stage is _Stage.FIRST:
            return _Stage.SCRAM if code == _SASL else _Stage.OTHER
        if code > _LAST:
            raise _NonsenseError
        return stage

    def _check_iterations(self, challenge: bytes) -> None:
        if not (match := _SERVER_FIRST.match(challenge)):
            return  # another mechanism's, or one that libpq doesn't take for SCRAM's
        if not re.fullmatch(rb"\d{1,10}", match[1]):
            raise _NonsenseError
        if int(match[1]) > self._max_iterations:
            raise OperationalError(
                f"the server asks for {int(match[1])} iterations of SCRAM, more than the"
                f" {self._max_iterations} that scram_max_iterations allows: make sure that it is"
                " the right server, and allow it more if it is"
            )


def _split(data: bytes) -> tuple[bytes | None, bytes]:
    """The body of the first message in `data`, None if a part of it is missing, and what is left."""
    kind, length = data[:1], int.from_bytes(data[1:5])
    if kind not in _LONGEST:
        raise _NonsenseError
    if len(data) < 5:
        return None, data
    if not 8 <= length <= _LONGEST[kind]:
        raise _NonsenseError
    if len(data) <= length:
        return None, data
    return data[5 : length + 1], data[length + 1 :]


def _is_authenticated(pgconn: PGconn) -> bool:
    """Whether the server has proved that it is the one that is meant."""
    return bool(pgconn.ssl_in_use) and any(
        option.keyword == b"sslmode" and option.val == b"verify-full" for option in pgconn.info
    )


def _place(pgconn: PGconn) -> str:
    """The connection's server, in the words that libpq's own messages begin with."""
    by_address = any(option.keyword == b"hostaddr" and option.val for option in pgconn.info)
    host = (pgconn.hostaddr if by_address else pgconn.host).decode("utf-8", "replace")
    address, port = pgconn.hostaddr.decode(), pgconn.port.decode()
    if host[:1] in ("/", "@"):
        return f'connection to server on socket "{host}/.s.PGSQL.{port}"'
    at = f'"{host}"' if address in ("", host) else f'"{host}" ({address})'
    return f"connection to server at {at}, port {port}"
