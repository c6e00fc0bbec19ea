"""libpq as it is: its objects, its constants, through the binding that loaded first."""

from __future__ import annotations

from sys import modules as _modules

from . import abc, misc
from .binding import IMPL, lib
from .cancel import PGcancel, PGcancelConn
from .conninfo import Conninfo
from .enums import (
    ConnStatus,
    DiagnosticField,
    ExecStatus,
    Format,
    Ping,
    PipelineStatus,
    PollingStatus,
    Trace,
    TransactionStatus,
)
from .escaping import Escaping
from .messages import version_pretty
from .misc import error_message
from .pgconn import PGconn
from .pgresult import PGresult
from .records import ConninfoOption, PGnotify, PGresAttDesc

__impl__ = IMPL
"""The binding in use: "cffi" or "ctypes"."""

__build_version__: int = lib.LIBRARY.version
"""The version of libpq that the binding was built for: of the one loaded, since none is linked."""


def version() -> int:
    """The version of the libpq that is loaded: 180004 for 18.4."""
    return lib.PQlibVersion()


__all__ = [
    "ConnStatus",
    "Conninfo",
    "ConninfoOption",
    "DiagnosticField",
    "Escaping",
    "ExecStatus",
    "Format",
    "PGcancel",
    "PGcancelConn",
    "PGconn",
    "PGnotify",
    "PGresAttDesc",
    "PGresult",
    "Ping",
    "PipelineStatus",
    "PollingStatus",
    "Trace",
    "TransactionStatus",
    "__build_version__",
    "__impl__",
    "abc",
    "error_message",
    "misc",
    "version",
    "version_pretty",
]

# As in `psycopg3/__init__.py`.
for _name in __all__:
    if callable(_thing := getattr(_modules[__name__], _name)):
        _thing.__module__ = __name__
