"""Records and texts around libpq, under the names of the field."""

from __future__ import annotations

from .abc import PGcancelConn, PGconn, PGresult
from .binding import lib
from .conninfo import Conninfo
from .enums import ConnStatus, PipelineStatus, TransactionStatus
from .messages import redact, severity_stripped, strip_severity, version_pretty
from .records import ConninfoOption, PGnotify, PGresAttDesc


def error_message(obj: PGconn | PGresult | PGcancelConn, encoding: str = "utf-8") -> str:
    """The message of a connection, result or cancel connection, as `get_error_message` gives it."""
    return obj.get_error_message(encoding)


def connection_summary(pgconn: PGconn, place: tuple[bytes, bytes] | None = None) -> str:
    """The state of a connection and where it goes, as its `repr` shows it; never the password.

    "[INTRANS] (host=db.example user=alice database=app)", or "[BAD]".

    Args:
        pgconn: the connection.
        place: host and port, if libpq was told others.
    """
    if pgconn.status != ConnStatus.OK:
        return f"[{ConnStatus(pgconn.status).name}]"
    state = TransactionStatus(pgconn.transaction_status).name
    if pgconn.pipeline_status != PipelineStatus.OFF:
        state = f"{state}, pipeline={PipelineStatus(pgconn.pipeline_status).name}"
    host, port = place or (pgconn.host, pgconn.port)
    parts = [("host", host), ("port", port), ("user", pgconn.user)]
    defaults = {"host": b"", "port": get_compiled_port().encode(), "user": pgconn.db}
    shown = [(name, value) for name, value in parts if value and value != defaults[name]]
    shown.append(("database", pgconn.db))
    places = " ".join(f"{name}={value.decode('utf-8', 'replace')}" for name, value in shown)
    return f"[{state}] ({places})"


def find_libpq_full_path() -> str | None:
    """The path of the libpq that is loaded, or its name where the system looked it up."""
    return str(lib.LIBRARY.path)


def get_compiled_port() -> str:
    """The port that libpq tries when none is given."""
    return next(
        (option.compiled or b"").decode()
        for option in Conninfo.get_defaults()
        if option.keyword == b"port"
    )


__all__ = [
    "ConninfoOption",
    "PGnotify",
    "PGresAttDesc",
    "connection_summary",
    "error_message",
    "find_libpq_full_path",
    "get_compiled_port",
    "redact",
    "severity_stripped",
    "strip_severity",
    "version_pretty",
]
