"""Exceptions: those of PEP 249, and one for each SQLSTATE of PostgreSQL.

`except errors.UniqueViolation` catches the server's error 23505. The classes of the SQLSTATEs are
made when they are first asked for: all 254 at once would cost every program 2.5 ms at import, where
this module and its table take 0.9 (CPython 3.11).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast, overload

from ._sqlstates import BASES, NAMES

if TYPE_CHECKING:
    from typing import Self

    from ._sqlstates import *  # noqa: F403

_CODES = {name: code for code, name in NAMES.items()}


class ErrorResult(Protocol):
    """What is asked of a libpq result that carries an error or a notice."""

    @property
    def error_message(self) -> bytes:
        """The whole message, as libpq puts it together."""
        ...

    def error_field(self, fieldcode: int, /) -> bytes | None:
        """One field of the message; None if the server didn't send it."""
        ...


class _Field:
    """A field of a Diagnostic, decoded when it is read."""

    def __init__(self, code: str, doc: str) -> None:
        self.code = ord(code)
        self.__doc__ = doc

    @overload
    def __get__(self, diagnostic: None, owner: type[Diagnostic]) -> Self: ...
    @overload
    def __get__(self, diagnostic: Diagnostic, owner: type[Diagnostic]) -> str | None: ...
    def __get__(self, diagnostic: Diagnostic | None, owner: type[Diagnostic]) -> Self | str | None:
        return self if diagnostic is None else diagnostic.field(self.code)


class Diagnostic:
    """What the server told about an error or a notice, field by field; None for what it didn't say.

    It owns its data: it stays valid after the result, the cursor and the connection are gone, and
    can be pickled. PostgreSQL's manual describes the fields, "Error and Notice Message Fields".
    """

    severity = _Field("S", "ERROR, FATAL, PANIC, WARNING, NOTICE ..., in the server's language.")
    severity_nonlocalized = _Field("V", "The severity, always in English.")
    sqlstate = _Field("C", "The SQLSTATE, five characters.")
    message_primary = _Field("M", "The message, typically one line.")
    message_detail = _Field("D", "More about the problem; may be several lines.")
    message_hint = _Field("H", "What may be done about it.")
    statement_position = _Field("P", "Where in the query, in characters from 1.")
    internal_position = _Field("p", "Where in `internal_query`, in characters from 1.")
    internal_query = _Field("q", "The query that failed, if the server itself made it.")
    context = _Field("W", "The functions and queries under way, one a line, innermost first.")
    schema_name = _Field("s", "The schema of the object that the error is about.")
    table_name = _Field("t", "The table that the error is about.")
    column_name = _Field("c", "The column that the error is about.")
    datatype_name = _Field("d", "The data type that the error is about.")
    constraint_name = _Field("n", "The constraint that the error is about.")
    source_file = _Field("F", "The file of the server's source that reported it.")
    source_line = _Field("L", "The line in `source_file`.")
    source_function = _Field("R", "The function in `source_file`.")

    def __init__(
        self, info: Mapping[int, bytes | None] | None = None, encoding: str = "utf-8"
    ) -> None:
        """Hold the fields of `info`, by libpq's codes (`ord("C")` is the SQLSTATE's)."""
        self._fields = {code: raw for code, raw in (info or {}).items() if raw is not None}
        self._encoding = encoding

    @classmethod
    def from_result(cls, result: ErrorResult, encoding: str = "utf-8") -> Diagnostic:
        """Read the fields of a libpq result, which may be cleared afterwards."""
        return cls({code: result.error_field(code) for code in FIELD_CODES}, encoding)

    def field(self, code: int) -> str | None:
        """The field that has libpq's `code`."""
        raw = self._fields.get(code)
        return None if raw is None else _readable(raw, self._encoding)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Diagnostic):
            return NotImplemented
        return (self._fields, self._encoding) == (other._fields, other._encoding)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        told = f"{self.severity or '?'} {self.sqlstate or '?'}: {self.message_primary or ''}"
        return f"<{type(self).__name__} {told.strip()}>"


FIELD_CODES = tuple(field.code for field in vars(Diagnostic).values() if isinstance(field, _Field))
SQLSTATE_FIELD = Diagnostic.sqlstate.code
SEVERITY_NONLOCALIZED_FIELD = Diagnostic.severity_nonlocalized.code


class Warning(Exception):
    """Important warnings. PEP 249 asks for the class; psycopg3 doesn't raise it."""

    __module__ = "psycopg3"


class Error(Exception):
    """Base of all the errors of psycopg3.

    Attributes:
        sqlstate: the SQLSTATE; None if the error is not the server's. A class that stands for one
            has it too.
        pgconn: for a failed attempt to connect, the `pq.PGconn` that failed: it tells whether a
            password was needed. Not pickled.
        pgresult: the libpq result that carried the error. Not pickled.
    """

    __module__ = "psycopg3"

    sqlstate: str | None = None
    pgconn: Any = None
    pgresult: Any = None
    _diagnostic = Diagnostic()

    def __init__(
        self,
        *args: object,
        info: Mapping[int, bytes | None] | None = None,
        encoding: str = "utf-8",
        pgconn: Any = None,
    ) -> None:
        """Make an error.

        Args:
            args: the message, as for any exception.
            info: the fields that the server sent, by libpq's codes.
            encoding: the Python codec of the fields.
            pgconn: the `pq.PGconn` that failed to connect.
        """
        super().__init__(*args)
        if pgconn is not None:
            self.pgconn = pgconn
        if info is not None:
            self._diagnostic = Diagnostic(info, encoding)
            if self._diagnostic.sqlstate is not None:
                self.sqlstate = self._diagnostic.sqlstate

    @property
    def diag(self) -> Diagnostic:
        """What the server told; every field is None if the error is not the server's."""
        return self._diagnostic

    def explained_by(self, reason: BaseException) -> Self:
        """Take over what the server told in another error."""
        if isinstance(reason, Error) and reason.sqlstate is not None:
            self._diagnostic, self.sqlstate = reason.diag, reason.sqlstate
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        state = self.__dict__.copy()
        state.pop("pgconn", None)
        state.pop("pgresult", None)
        return type(self), self.args, state


class InterfaceError(Error):
    """The driver is used wrongly, or something is wrong with the driver itself."""

    __module__ = "psycopg3"


class DatabaseError(Error):
    """Something is wrong with the database, or what was asked of it."""

    __module__ = "psycopg3"


class DataError(DatabaseError):
    """A value can't be processed: out of range, malformed, of the wrong length."""

    __module__ = "psycopg3"


class OperationalError(DatabaseError):
    """The database can't do it now, maybe by nobody's fault: a lost connection, a full disk."""

    __module__ = "psycopg3"


class IntegrityError(DatabaseError):
    """A constraint of the database forbids it: a foreign key, a unique index."""

    __module__ = "psycopg3"


class InternalError(DatabaseError):
    """The database is in no state for this: a failed transaction, an invalid cursor."""

    __module__ = "psycopg3"


class ProgrammingError(DatabaseError):
    """What is asked for is wrong: a syntax error, a table that isn't there, a wrong argument."""

    __module__ = "psycopg3"


class NotSupportedError(DatabaseError):
    """The server, this libpq or psycopg3 doesn't offer this."""

    __module__ = "psycopg3"


class ConnectionTimeout(OperationalError):
    """The time given to make a connection has passed (`connect_timeout`)."""


class CancellationTimeout(OperationalError):
    """The time given to cancel a query has passed."""


class PipelineAborted(OperationalError):
    """The command wasn't run: an earlier one in the same pipeline failed."""


class TransactionOutcomeUnknown(OperationalError):
    """The connection was lost before the server answered a COMMIT: it may have been done or not.

    What interrupted it is the `__cause__`; `sqlstate` and `diag` are those of the server's own
    reason, if it told one.
    """


def lookup(sqlstate: str) -> type[Error]:
    """The exception of a SQLSTATE, given as its code or its name.

    Args:
        sqlstate: `"23505"`, `"UNIQUE_VIOLATION"`, `"unique_violation"` or `"UniqueViolation"`.

    Raises:
        KeyError: nothing has this code or name.
    """
    asked = sqlstate.upper()
    if asked in NAMES:
        return _made_class(asked)
    folded = asked.replace("_", "")
    for name, code in _CODES.items():
        if name.rstrip("_").upper() == folded:
            return _made_class(code)
    raise KeyError(sqlstate)


def class_for_sqlstate(sqlstate: str) -> type[Error]:
    """The exception for any SQLSTATE that a server may send.

    An unknown one gets the exception of its class, the first two characters: DataError for `22ZZZ`.
    """
    if sqlstate in NAMES:
        return _made_class(sqlstate)
    return _base_class(sqlstate)


def error_from_fields(
    info: Mapping[int, bytes | None],
    encoding: str = "utf-8",
    pgconn: Any = None,
    *,
    message: bytes | None = None,
) -> Error:
    """The exception for an error of the server.

    Args:
        info: the fields that the server sent, by libpq's codes.
        encoding: the Python codec of the fields and of `message`.
        pgconn: the `pq.PGconn` that failed to connect.
        message: the text that libpq put together; None makes it from the fields.

    Returns:
        an exception of the class of its SQLSTATE, not raised yet; OperationalError if there is no
        SQLSTATE, since then the error is libpq's own: the conversation with the server broke down.
    """
    diagnostic = Diagnostic(info, encoding)
    sqlstate = diagnostic.sqlstate
    cls = OperationalError if sqlstate is None else class_for_sqlstate(sqlstate)
    text = _composed(diagnostic) if message is None else _readable(message, encoding)
    text = _without_severity(text, diagnostic.severity).strip()
    return cls(text or "no error message was given", info=info, encoding=encoding, pgconn=pgconn)


def error_from_result(result: ErrorResult, encoding: str = "utf-8", pgconn: Any = None) -> Error:
    """The exception for a libpq result that carries an error; see `error_from_fields`."""
    fields = {code: result.error_field(code) for code in FIELD_CODES}
    error = error_from_fields(fields, encoding, pgconn, message=result.error_message)
    error.pgresult = result
    return error


def _readable(raw: bytes, encoding: str) -> str:
    """`raw` as text, whatever is in it: an error message must not be lost to an error in it."""
    if encoding == "ascii":  # SQL_ASCII: not even the server knows what the bytes mean
        encoding = "utf-8"
    try:
        return str(raw, encoding, "replace")
    except LookupError:
        return str(raw, "utf-8", "replace")


def _without_severity(text: str, severity: str | None) -> str:
    """`text` without the "ERROR:  " that libpq puts first, in the language of the server."""
    return text.removeprefix(f"{severity}:") if severity else text


def _composed(diagnostic: Diagnostic) -> str:
    """The fields as one text, laid out as libpq would."""
    extras = {
        "DETAIL": diagnostic.message_detail,
        "HINT": diagnostic.message_hint,
        "QUERY": diagnostic.internal_query,
        "CONTEXT": diagnostic.context,
    }
    lines = [f"{label}:  {text}" for label, text in extras.items() if text]
    return "\n".join([diagnostic.message_primary or "", *lines])


def _base_class(sqlstate: str) -> type[Error]:
    base: type[Error] = globals()[BASES.get(sqlstate[:2], "DatabaseError")]
    return base


def _made_class(sqlstate: str) -> type[Error]:
    name = NAMES[sqlstate]
    cls: type[Error] | None = globals().get(name)
    if cls is None:
        made = {"__module__": __name__, "__doc__": f"SQLSTATE {sqlstate}.", "sqlstate": sqlstate}
        cls = type(name, (_base_class(sqlstate),), made)
        # Two threads may be here at once: one class must win, or an `except` would miss the other.
        cls = cast("type[Error]", globals().setdefault(name, cls))
    return cls


if TYPE_CHECKING:
    from ._sqlstates import QueryCanceled
else:
    QueryCanceled = _made_class("57014")


class QueryTimeout(QueryCanceled, TimeoutError):
    """The time given to an operation has passed (`timeout`, `command_timeout`); it was cancelled."""

    # That of TimeoutError, an OSError, would print two arguments as an errno and its text.
    def __str__(self) -> str:
        return " ".join(map(str, self.args))


if not TYPE_CHECKING:  # checkers see the classes in the stub, and would take any name for one here

    def __getattr__(name: str) -> type[Error]:
        if name in _CODES:
            return _made_class(_CODES[name])
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *_CODES})
