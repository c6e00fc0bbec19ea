"""Exceptions: those of PEP 249, and one for each SQLSTATE of PostgreSQL.

`except errors.UniqueViolation` catches the server's error 23505. The classes of the SQLSTATEs are
made when they are first asked for: all 254 at once would cost every program 2.5 ms at import, where
this module and its table take 0.9 (CPython 3.11).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from ._exceptions import FIELD_CODES as FIELD_CODES
from ._exceptions import SEVERITY_NONLOCALIZED_FIELD as SEVERITY_NONLOCALIZED_FIELD
from ._exceptions import SQLSTATE_FIELD as SQLSTATE_FIELD
from ._exceptions import DatabaseError as DatabaseError
from ._exceptions import DataError as DataError
from ._exceptions import Diagnostic as Diagnostic
from ._exceptions import Error as Error
from ._exceptions import ErrorResult as ErrorResult
from ._exceptions import IntegrityError as IntegrityError
from ._exceptions import InterfaceError as InterfaceError
from ._exceptions import InternalError as InternalError
from ._exceptions import NotSupportedError as NotSupportedError
from ._exceptions import OperationalError as OperationalError
from ._exceptions import ProgrammingError as ProgrammingError
from ._exceptions import Warning as Warning  # noqa: A004 - its name by PEP 249
from ._exceptions import readable as _readable
from ._sqlstates import BASES, NAMES

if TYPE_CHECKING:
    from ._sqlstates import *  # noqa: F403

_CODES = {name: code for code, name in NAMES.items()}


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


# Functions of the server's that raise undefined_function for nothing but this.
_UNDEFINED_FUNCTION = "42883"
_ASKING_FOR_BINARY = (
    *("getTypeBinaryOutputInfo", "getTypeBinaryInputInfo", "array_send", "array_recv"),
    *("get_range_io_data", "get_multirange_io_data"),
)
_NO_BINARY_FORM = (
    "the server has no binary form of this type: ask for text instead (binary=False, COPY in text),"
    " or cast it to text in the query"
)


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
    error = cls(text or "no error message was given", info=info, encoding=encoding, pgconn=pgconn)
    if sqlstate == _UNDEFINED_FUNCTION and diagnostic.source_function in _ASKING_FOR_BINARY:
        error.add_note(_NO_BINARY_FORM)
    return error


def error_from_result(result: ErrorResult, encoding: str = "utf-8", pgconn: Any = None) -> Error:
    """The exception for a libpq result that carries an error; see `error_from_fields`."""
    fields = {code: result.error_field(code) for code in FIELD_CODES}
    error = error_from_fields(fields, encoding, pgconn, message=result.error_message)
    error.pgresult = result
    return error


def ends_session(result: ErrorResult) -> bool:
    """Whether an error is the server's reason for ending the session: FATAL or PANIC."""
    severity = result.error_field(SEVERITY_NONLOCALIZED_FIELD)
    if severity is None:  # servers before 9.6, and what speaks like them
        severity = result.error_field(Diagnostic.severity.code)
    return severity in (b"FATAL", b"PANIC")


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
