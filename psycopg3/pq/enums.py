"""libpq's constants, as enums with libpq's numbers."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Generic, Self, TypeVar


class _OpenEnum(IntEnum):
    """An enum that libpq may lengthen: a number not known here is a member UNKNOWN_<number>."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member


E = TypeVar("E", bound=_OpenEnum)


class Members(dict[int, E], Generic[E]):
    """An enum's members by number: `members[number]` costs a sixth of calling the enum."""

    def __init__(self, enum: type[E]) -> None:
        super().__init__({int(member): member for member in enum})
        self._enum = enum

    def __missing__(self, number: int) -> E:
        return self._enum(number)


class ConnStatus(_OpenEnum):
    """What a connection is at. Between OK and BAD lie the steps of connecting, for display only.

    libpq: ConnStatusType, PQstatus.
    """

    OK = 0
    """The connection is ready."""
    BAD = 1
    """The connection failed, was lost, or is closed."""
    STARTED = 2
    """Waiting for the connection to be made."""
    MADE = 3
    """Connected; waiting to send."""
    AWAITING_RESPONSE = 4
    """Waiting for the server's answer."""
    AUTH_OK = 5
    """Authenticated; waiting for the backend to start."""
    SETENV = 6
    """No longer used."""
    SSL_STARTUP = 7
    """Negotiating TLS."""
    NEEDED = 8
    """Inside libpq: connect() is needed."""
    CHECK_WRITABLE = 9
    """Asking whether the session can write."""
    CONSUME = 10
    """Reading what is left of an answer."""
    GSS_STARTUP = 11
    """Negotiating GSSAPI."""
    CHECK_TARGET = 12
    """Looking at what kind of server this is."""
    CHECK_STANDBY = 13
    """Asking whether the server is a standby."""
    ALLOCATED = 14
    """Made, and not yet started: a `PGcancelConn` before `start()`."""
    AUTHENTICATING = 15
    """Waiting for an external system to authenticate the user."""


class PollingStatus(_OpenEnum):
    """What a connection attempt waits for next.

    libpq: PostgresPollingStatusType, PQconnectPoll.
    """

    FAILED = 0
    """The attempt failed: see `error_message`."""
    READING = 1
    """Poll again when the socket is readable."""
    WRITING = 2
    """Poll again when the socket is writable."""
    OK = 3
    """The attempt succeeded."""
    ACTIVE = 4
    """No longer used."""


class ExecStatus(_OpenEnum):
    """What a result is.

    libpq: ExecStatusType, PQresultStatus.
    """

    EMPTY_QUERY = 0
    """The query was empty."""
    COMMAND_OK = 1
    """A command that returns no rows is done."""
    TUPLES_OK = 2
    """Rows, all that there are (none, perhaps); after single rows or chunks, their end."""
    COPY_OUT = 3
    """COPY from the server has begun."""
    COPY_IN = 4
    """COPY to the server has begun."""
    BAD_RESPONSE = 5
    """libpq didn't understand the server's answer."""
    NONFATAL_ERROR = 6
    """A notice or warning."""
    FATAL_ERROR = 7
    """The command failed."""
    COPY_BOTH = 8
    """Streaming replication has begun."""
    SINGLE_TUPLE = 9
    """One row, in single-row mode."""
    PIPELINE_SYNC = 10
    """The point of a `pipeline_sync`."""
    PIPELINE_ABORTED = 11
    """Not run, since a command before it in the pipeline failed."""
    TUPLES_CHUNK = 12
    """Some of the rows, in chunked-rows mode (libpq 17)."""


class TransactionStatus(_OpenEnum):
    """What transaction the session is in.

    libpq: PGTransactionStatusType, PQtransactionStatus.
    """

    IDLE = 0
    """Idle, in no transaction."""
    ACTIVE = 1
    """A command is under way."""
    INTRANS = 2
    """Idle, in a transaction."""
    INERROR = 3
    """Idle, in a transaction that has failed."""
    UNKNOWN = 4
    """The connection is bad or closed."""


class Ping(_OpenEnum):
    """Whether a server can be reached.

    libpq: PGPing, PQping.
    """

    OK = 0
    """The server accepts connections."""
    REJECT = 1
    """The server runs, and accepts no connections now."""
    NO_RESPONSE = 2
    """The server could not be reached."""
    NO_ATTEMPT = 3
    """Nothing was tried: the connection string is wrong, or memory ran out."""


class PipelineStatus(_OpenEnum):
    """Whether the connection is in pipeline mode.

    libpq: PGpipelineStatus, PQpipelineStatus.
    """

    OFF = 0
    """Not in pipeline mode."""
    ON = 1
    """In pipeline mode."""
    ABORTED = 2
    """In pipeline mode, after an error: nothing runs until the next sync."""


class DiagnosticField(_OpenEnum):
    """A field of an error or notice.

    libpq: PQresultErrorField, which says more of each.
    """

    SEVERITY = ord("S")
    """ERROR, FATAL, PANIC, WARNING, NOTICE... in the server's language."""
    SEVERITY_NONLOCALIZED = ord("V")
    """The same, never translated."""
    SQLSTATE = ord("C")
    """The error's code."""
    MESSAGE_PRIMARY = ord("M")
    """The message: one line as a rule."""
    MESSAGE_DETAIL = ord("D")
    """More on the problem."""
    MESSAGE_HINT = ord("H")
    """What to do about it."""
    STATEMENT_POSITION = ord("P")
    """Where in the query: the number of the character, from 1."""
    INTERNAL_POSITION = ord("p")
    """Where in the query that the server made itself."""
    INTERNAL_QUERY = ord("q")
    """The query that the server made itself."""
    CONTEXT = ord("W")
    """Where it happened: the stack of functions and queries."""
    SCHEMA_NAME = ord("s")
    """The schema of what the error is about."""
    TABLE_NAME = ord("t")
    """The table that the error is about."""
    COLUMN_NAME = ord("c")
    """The column that the error is about."""
    DATATYPE_NAME = ord("d")
    """The type that the error is about."""
    CONSTRAINT_NAME = ord("n")
    """The constraint that was violated."""
    SOURCE_FILE = ord("F")
    """The file of the server's source."""
    SOURCE_LINE = ord("L")
    """The line of the server's source."""
    SOURCE_FUNCTION = ord("R")
    """The function of the server's source."""


class Format(_OpenEnum):
    """How a value travels."""

    TEXT = 0
    """As text."""
    BINARY = 1
    """As the type's send and receive functions write it."""


class Trace(IntFlag):
    """What to leave out of a trace.

    libpq: PQsetTraceFlags.
    """

    SUPPRESS_TIMESTAMPS = 1
    """No time on each line."""
    REGRESS_MODE = 2
    """Nothing that differs between installations: OIDs, backend pids..."""
