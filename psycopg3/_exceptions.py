"""The exceptions of PEP 249, and what the server tells in them: the ground `errors` stands on.

Public as names of `psycopg3` and of `psycopg3.errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self, overload


class ErrorResult(Protocol):
    """What is asked of a libpq result that carries an error or a notice."""

    @property
    def error_message(self) -> bytes:
        """The whole message, as libpq puts it together."""
        ...

    def error_field(self, fieldcode: int, /) -> bytes | None:
        """One field of the message; None if the server didn't send it."""
        ...


def readable(raw: bytes, encoding: str) -> str:
    """`raw` as text, whatever is in it: an error message must not be lost to an error in it."""
    if encoding == "ascii":  # SQL_ASCII: not even the server knows what the bytes mean
        encoding = "utf-8"
    try:
        return str(raw, encoding, "replace")
    except LookupError:
        return str(raw, "utf-8", "replace")


class _Field:
    """A field of what the server told, decoded when it is read. A subclass may set it itself."""

    def __init__(self, code: str, doc: str) -> None:
        self.code = ord(code)
        self.__doc__ = doc

    @overload
    def __get__(self, told: None, owner: type) -> Self: ...
    @overload
    def __get__(self, told: Diagnostic | Error, owner: type) -> str | None: ...
    def __get__(self, told: Diagnostic | Error | None, owner: type) -> Self | str | None:
        if told is None:
            return self
        return (told.diag if isinstance(told, Error) else told).field(self.code)


class Diagnostic:
    """What the server told about an error or a notice, field by field; None for what it didn't say.

    It owns its data: it stays valid after the result, the cursor and the connection are gone, and
    can be pickled. PostgreSQL's manual describes the fields, "Error and Notice Message Fields".
    """

    __module__ = "psycopg3.errors"

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
        return None if raw is None else readable(raw, self._encoding)

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


class Error(Exception):
    """Base of all the errors of psycopg3.

    Attributes:
        sqlstate: the SQLSTATE; None if the error is not the server's. A class that stands for one
            has it too.
        pgconn: for a failed attempt to connect, the `pq.PGconn` that failed: it tells whether a
            password was needed. Not pickled.
        pgresult: the libpq result that carried the error. Not pickled.

    What the server told is in `diag`, and field by field in attributes of the error itself: `detail`,
    `hint`, `constraint_name` and so on, None for what it didn't tell.
    """

    sqlstate: str | None = None
    pgconn: Any = None
    pgresult: Any = None
    _diagnostic = Diagnostic()

    severity = Diagnostic.severity
    message = Diagnostic.message_primary
    detail = Diagnostic.message_detail
    hint = Diagnostic.message_hint
    position = Diagnostic.statement_position
    internal_position = Diagnostic.internal_position
    internal_query = Diagnostic.internal_query
    context = Diagnostic.context
    schema_name = Diagnostic.schema_name
    table_name = Diagnostic.table_name
    column_name = Diagnostic.column_name
    datatype_name = Diagnostic.datatype_name
    constraint_name = Diagnostic.constraint_name
    source_file = Diagnostic.source_file
    source_line = Diagnostic.source_line
    source_function = Diagnostic.source_function

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

    def as_dict(self) -> dict[str, str]:
        """What the server told, by the names of the error's attributes, and the SQLSTATE if there is one.

        For logs and answers to clients: it holds text only.
        """
        fields = {name: self.diag.field(field.code) for name, field in _TOLD.items()}
        told = {"sqlstate": self.sqlstate, **fields}
        return {name: text for name, text in told.items() if text is not None}

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


_TOLD = {name: field for name, field in vars(Error).items() if isinstance(field, _Field)}


class InterfaceError(Error):
    """The driver is used wrongly, or something is wrong with the driver itself."""


class DatabaseError(Error):
    """Something is wrong with the database, or what was asked of it."""


class DataError(DatabaseError):
    """A value can't be processed: out of range, malformed, of the wrong length."""


class OperationalError(DatabaseError):
    """The database can't do it now, maybe by nobody's fault: a lost connection, a full disk."""


class IntegrityError(DatabaseError):
    """A constraint of the database forbids it: a foreign key, a unique index."""


class InternalError(DatabaseError):
    """The database is in no state for this: a failed transaction, an invalid cursor."""


class ProgrammingError(DatabaseError):
    """What is asked for is wrong: a syntax error, a table that isn't there, a wrong argument."""


class NotSupportedError(DatabaseError):
    """The server, this libpq or psycopg3 doesn't offer this."""
