"""libpq called through ctypes: its records, and a callable for each function, under libpq's names.

Generated from libpq.h by tools/libpq_bindings.py: edit those, not this.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint, c_void_p
from typing import Any, TypeAlias

from . import library
from .records import Pointer

# A C string: given, it lasts for the call; returned, it is a copy; None is NULL.
Text: TypeAlias = bytes | None


def _opened(path: str) -> tuple[ctypes.CDLL, int]:
    dll = ctypes.CDLL(path)
    try:
        return dll, int(dll["PQlibVersion"]())
    except AttributeError:
        raise OSError(f"{path} is no libpq") from None


LIBRARY = library.load(_opened)

# The same library twice: functions taken from `_waiting` let other threads run while they are
# called, those from `_quick` keep the GIL, where there is CPython's.
_waiting = _quick = LIBRARY.handle
if sys.implementation.name == "cpython":
    _quick = ctypes.PyDLL(LIBRARY.path, handle=_waiting._handle)


def _function(
    dll: ctypes.CDLL, name: str, since: int, returns: Any, arguments: list[Any] | None
) -> Any:
    try:
        # By subscription every caller gets a function object of its own, with its own signature.
        function = dll[name]
    except AttributeError:
        return library.missing(name, since, LIBRARY)
    function.restype = returns
    if arguments is not None:
        function.argtypes = arguments
    return function


class PGconnPointer(c_void_p):
    """A pointer to libpq's PGconn; false when NULL."""


class PGresultPointer(c_void_p):
    """A pointer to libpq's PGresult; false when NULL."""


class PGcancelPointer(c_void_p):
    """A pointer to libpq's PGcancel; false when NULL."""


class PGcancelConnPointer(c_void_p):
    """A pointer to libpq's PGcancelConn; false when NULL."""


class STREAMPointer(c_void_p):
    """A pointer to a stream of C (FILE); false when NULL."""


class MemoryPointer(c_void_p):
    """A pointer to memory that is ours to free with PQfreemem; false when NULL."""


class PGnotify(ctypes.Structure):
    """libpq's PGnotify."""

    _fields_ = [
        ("relname", c_char_p),
        ("be_pid", c_int),
        ("extra", c_char_p),
        ("next", c_void_p),
    ]


class PQconninfoOption(ctypes.Structure):
    """libpq's PQconninfoOption."""

    _fields_ = [
        ("keyword", c_char_p),
        ("envvar", c_char_p),
        ("compiled", c_char_p),
        ("val", c_char_p),
        ("label", c_char_p),
        ("dispchar", c_char_p),
        ("dispsize", c_int),
    ]


class PGresAttDesc(ctypes.Structure):
    """libpq's PGresAttDesc."""

    _fields_ = [
        ("name", c_char_p),
        ("tableid", c_uint),
        ("columnid", c_int),
        ("format", c_int),
        ("typid", c_uint),
        ("typlen", c_int),
        ("atttypmod", c_int),
    ]


PQnoticeReceiver = ctypes.CFUNCTYPE(None, ctypes.py_object, PGresultPointer)

# The library
PQlibVersion: Callable[[], int] = _function(_quick, "PQlibVersion", 14, c_int, [])
PQfreemem: Callable[[Pointer], None] = _function(_quick, "PQfreemem", 14, None, [c_void_p])

# Connecting
PQconnectdb: Callable[[Text], Pointer] = _function(
    _waiting, "PQconnectdb", 14, PGconnPointer, [c_char_p]
)
PQconnectStart: Callable[[Text], Pointer] = _function(
    _waiting, "PQconnectStart", 14, PGconnPointer, [c_char_p]
)
PQconnectPoll: Callable[[Pointer], int] = _function(
    _waiting, "PQconnectPoll", 14, c_int, [PGconnPointer]
)
PQfinish: Callable[[Pointer], None] = _function(_waiting, "PQfinish", 14, None, [PGconnPointer])
PQreset: Callable[[Pointer], None] = _function(_waiting, "PQreset", 14, None, [PGconnPointer])
PQresetStart: Callable[[Pointer], int] = _function(
    _waiting, "PQresetStart", 14, c_int, [PGconnPointer]
)
PQresetPoll: Callable[[Pointer], int] = _function(
    _waiting, "PQresetPoll", 14, c_int, [PGconnPointer]
)
PQping: Callable[[Text], int] = _function(_waiting, "PQping", 14, c_int, [c_char_p])

# Connection strings
PQconninfo: Callable[[Pointer], Pointer] = _function(
    _quick, "PQconninfo", 14, POINTER(PQconninfoOption), [PGconnPointer]
)
PQconndefaults: Callable[[], Pointer] = _function(
    _waiting, "PQconndefaults", 14, POINTER(PQconninfoOption), []
)
PQconninfoParse: Callable[[Text, Pointer], Pointer] = _function(
    _quick, "PQconninfoParse", 14, POINTER(PQconninfoOption), [c_char_p, POINTER(MemoryPointer)]
)
PQconninfoFree: Callable[[Pointer], None] = _function(
    _quick, "PQconninfoFree", 14, None, [POINTER(PQconninfoOption)]
)

# What a connection is
PQdb: Callable[[Pointer], Text] = _function(_quick, "PQdb", 14, c_char_p, [PGconnPointer])
PQuser: Callable[[Pointer], Text] = _function(_quick, "PQuser", 14, c_char_p, [PGconnPointer])
PQpass: Callable[[Pointer], Text] = _function(_quick, "PQpass", 14, c_char_p, [PGconnPointer])
PQhost: Callable[[Pointer], Text] = _function(_quick, "PQhost", 14, c_char_p, [PGconnPointer])
PQhostaddr: Callable[[Pointer], Text] = _function(
    _quick, "PQhostaddr", 14, c_char_p, [PGconnPointer]
)
PQport: Callable[[Pointer], Text] = _function(_quick, "PQport", 14, c_char_p, [PGconnPointer])
PQtty: Callable[[Pointer], Text] = _function(_quick, "PQtty", 14, c_char_p, [PGconnPointer])
PQoptions: Callable[[Pointer], Text] = _function(_quick, "PQoptions", 14, c_char_p, [PGconnPointer])
PQstatus: Callable[[Pointer], int] = _function(_quick, "PQstatus", 14, c_int, None)
PQtransactionStatus: Callable[[Pointer], int] = _function(
    _quick, "PQtransactionStatus", 14, c_int, None
)
PQparameterStatus: Callable[[Pointer, Text], Text] = _function(
    _quick, "PQparameterStatus", 14, c_char_p, [PGconnPointer, c_char_p]
)
PQprotocolVersion: Callable[[Pointer], int] = _function(
    _quick, "PQprotocolVersion", 14, c_int, [PGconnPointer]
)
PQfullProtocolVersion: Callable[[Pointer], int] = _function(
    _quick, "PQfullProtocolVersion", 18, c_int, [PGconnPointer]
)
PQserverVersion: Callable[[Pointer], int] = _function(
    _quick, "PQserverVersion", 14, c_int, [PGconnPointer]
)
PQerrorMessage: Callable[[Pointer], Text] = _function(
    _quick, "PQerrorMessage", 14, c_char_p, [PGconnPointer]
)
PQsocket: Callable[[Pointer], int] = _function(_quick, "PQsocket", 14, c_int, None)
PQbackendPID: Callable[[Pointer], int] = _function(
    _quick, "PQbackendPID", 14, c_int, [PGconnPointer]
)
PQconnectionNeedsPassword: Callable[[Pointer], int] = _function(
    _quick, "PQconnectionNeedsPassword", 14, c_int, [PGconnPointer]
)
PQconnectionUsedPassword: Callable[[Pointer], int] = _function(
    _quick, "PQconnectionUsedPassword", 14, c_int, [PGconnPointer]
)
PQconnectionUsedGSSAPI: Callable[[Pointer], int] = _function(
    _quick, "PQconnectionUsedGSSAPI", 16, c_int, [PGconnPointer]
)
PQsslInUse: Callable[[Pointer], int] = _function(_quick, "PQsslInUse", 14, c_int, [PGconnPointer])
PQsslAttribute: Callable[[Pointer, Text], Text] = _function(
    _quick, "PQsslAttribute", 14, c_char_p, [PGconnPointer, c_char_p]
)
PQgssEncInUse: Callable[[Pointer], int] = _function(
    _quick, "PQgssEncInUse", 14, c_int, [PGconnPointer]
)

# Commands: one call that sends and waits
PQexec: Callable[[Pointer, Text], Pointer] = _function(
    _waiting, "PQexec", 14, PGresultPointer, [PGconnPointer, c_char_p]
)
PQexecParams: Callable[[Pointer, Text, int, Pointer, Pointer, Pointer, Pointer, int], Pointer] = (
    _function(_waiting, "PQexecParams", 14, PGresultPointer, None)
)
PQprepare: Callable[[Pointer, Text, Text, int, Pointer], Pointer] = _function(
    _waiting,
    "PQprepare",
    14,
    PGresultPointer,
    [PGconnPointer, c_char_p, c_char_p, c_int, POINTER(c_uint)],
)
PQexecPrepared: Callable[[Pointer, Text, int, Pointer, Pointer, Pointer, int], Pointer] = _function(
    _waiting, "PQexecPrepared", 14, PGresultPointer, None
)
PQdescribePrepared: Callable[[Pointer, Text], Pointer] = _function(
    _waiting, "PQdescribePrepared", 14, PGresultPointer, [PGconnPointer, c_char_p]
)
PQdescribePortal: Callable[[Pointer, Text], Pointer] = _function(
    _waiting, "PQdescribePortal", 14, PGresultPointer, [PGconnPointer, c_char_p]
)
PQclosePrepared: Callable[[Pointer, Text], Pointer] = _function(
    _waiting, "PQclosePrepared", 17, PGresultPointer, [PGconnPointer, c_char_p]
)
PQclosePortal: Callable[[Pointer, Text], Pointer] = _function(
    _waiting, "PQclosePortal", 17, PGresultPointer, [PGconnPointer, c_char_p]
)

# Commands: sent now, answered later
PQsendQuery: Callable[[Pointer, Text], int] = _function(
    _waiting, "PQsendQuery", 14, c_int, [PGconnPointer, c_char_p]
)
PQsendQueryParams: Callable[[Pointer, Text, int, Pointer, Pointer, Pointer, Pointer, int], int] = (
    _function(_waiting, "PQsendQueryParams", 14, c_int, None)
)
PQsendPrepare: Callable[[Pointer, Text, Text, int, Pointer], int] = _function(
    _waiting,
    "PQsendPrepare",
    14,
    c_int,
    [PGconnPointer, c_char_p, c_char_p, c_int, POINTER(c_uint)],
)
PQsendQueryPrepared: Callable[[Pointer, Text, int, Pointer, Pointer, Pointer, int], int] = (
    _function(_waiting, "PQsendQueryPrepared", 14, c_int, None)
)
PQsendDescribePrepared: Callable[[Pointer, Text], int] = _function(
    _waiting, "PQsendDescribePrepared", 14, c_int, [PGconnPointer, c_char_p]
)
PQsendDescribePortal: Callable[[Pointer, Text], int] = _function(
    _waiting, "PQsendDescribePortal", 14, c_int, [PGconnPointer, c_char_p]
)
PQsendClosePrepared: Callable[[Pointer, Text], int] = _function(
    _waiting, "PQsendClosePrepared", 17, c_int, [PGconnPointer, c_char_p]
)
PQsendClosePortal: Callable[[Pointer, Text], int] = _function(
    _waiting, "PQsendClosePortal", 17, c_int, [PGconnPointer, c_char_p]
)
PQgetResult: Callable[[Pointer], Pointer] = _function(
    _waiting, "PQgetResult", 14, PGresultPointer, None
)
PQconsumeInput: Callable[[Pointer], int] = _function(_waiting, "PQconsumeInput", 14, c_int, None)
PQisBusy: Callable[[Pointer], int] = _function(_waiting, "PQisBusy", 14, c_int, None)
PQsetnonblocking: Callable[[Pointer, int], int] = _function(
    _waiting, "PQsetnonblocking", 14, c_int, [PGconnPointer, c_int]
)
PQisnonblocking: Callable[[Pointer], int] = _function(
    _quick, "PQisnonblocking", 14, c_int, [PGconnPointer]
)
PQflush: Callable[[Pointer], int] = _function(_waiting, "PQflush", 14, c_int, None)
PQsetSingleRowMode: Callable[[Pointer], int] = _function(
    _quick, "PQsetSingleRowMode", 14, c_int, [PGconnPointer]
)
PQsetChunkedRowsMode: Callable[[Pointer, int], int] = _function(
    _quick, "PQsetChunkedRowsMode", 17, c_int, [PGconnPointer, c_int]
)

# Pipeline mode
PQpipelineStatus: Callable[[Pointer], int] = _function(_quick, "PQpipelineStatus", 14, c_int, None)
PQenterPipelineMode: Callable[[Pointer], int] = _function(
    _quick, "PQenterPipelineMode", 14, c_int, [PGconnPointer]
)
PQexitPipelineMode: Callable[[Pointer], int] = _function(
    _waiting, "PQexitPipelineMode", 14, c_int, [PGconnPointer]
)
PQpipelineSync: Callable[[Pointer], int] = _function(
    _waiting, "PQpipelineSync", 14, c_int, [PGconnPointer]
)
PQsendPipelineSync: Callable[[Pointer], int] = _function(
    _waiting, "PQsendPipelineSync", 17, c_int, [PGconnPointer]
)
PQsendFlushRequest: Callable[[Pointer], int] = _function(
    _waiting, "PQsendFlushRequest", 14, c_int, [PGconnPointer]
)

# Results
PQresultStatus: Callable[[Pointer], int] = _function(_quick, "PQresultStatus", 14, c_int, None)
PQresultErrorMessage: Callable[[Pointer], Text] = _function(
    _quick, "PQresultErrorMessage", 14, c_char_p, [PGresultPointer]
)
PQresultErrorField: Callable[[Pointer, int], Text] = _function(
    _quick, "PQresultErrorField", 14, c_char_p, [PGresultPointer, c_int]
)
PQclear: Callable[[Pointer], None] = _function(_waiting, "PQclear", 14, None, [PGresultPointer])
PQntuples: Callable[[Pointer], int] = _function(_quick, "PQntuples", 14, c_int, None)
PQnfields: Callable[[Pointer], int] = _function(_quick, "PQnfields", 14, c_int, None)
PQfname: Callable[[Pointer, int], Text] = _function(_quick, "PQfname", 14, c_char_p, None)
PQftable: Callable[[Pointer, int], int] = _function(_quick, "PQftable", 14, c_uint, None)
PQftablecol: Callable[[Pointer, int], int] = _function(_quick, "PQftablecol", 14, c_int, None)
PQfformat: Callable[[Pointer, int], int] = _function(_quick, "PQfformat", 14, c_int, None)
PQftype: Callable[[Pointer, int], int] = _function(_quick, "PQftype", 14, c_uint, None)
PQfmod: Callable[[Pointer, int], int] = _function(_quick, "PQfmod", 14, c_int, None)
PQfsize: Callable[[Pointer, int], int] = _function(_quick, "PQfsize", 14, c_int, None)
PQbinaryTuples: Callable[[Pointer], int] = _function(
    _quick, "PQbinaryTuples", 14, c_int, [PGresultPointer]
)
PQgetvalue: Callable[[Pointer, int, int], Text] = _function(
    _quick, "PQgetvalue", 14, c_char_p, None
)
PQgetisnull: Callable[[Pointer, int, int], int] = _function(_quick, "PQgetisnull", 14, c_int, None)
PQgetlength: Callable[[Pointer, int, int], int] = _function(_quick, "PQgetlength", 14, c_int, None)
PQnparams: Callable[[Pointer], int] = _function(_quick, "PQnparams", 14, c_int, [PGresultPointer])
PQparamtype: Callable[[Pointer, int], int] = _function(
    _quick, "PQparamtype", 14, c_uint, [PGresultPointer, c_int]
)
PQresultMemorySize: Callable[[Pointer], int] = _function(
    _quick, "PQresultMemorySize", 14, c_size_t, [PGresultPointer]
)
PQcmdStatus: Callable[[Pointer], Text] = _function(
    _quick, "PQcmdStatus", 14, c_char_p, [PGresultPointer]
)
PQcmdTuples: Callable[[Pointer], Text] = _function(
    _quick, "PQcmdTuples", 14, c_char_p, [PGresultPointer]
)
PQoidValue: Callable[[Pointer], int] = _function(
    _quick, "PQoidValue", 14, c_uint, [PGresultPointer]
)
PQmakeEmptyPGresult: Callable[[Pointer, int], Pointer] = _function(
    _quick, "PQmakeEmptyPGresult", 14, PGresultPointer, [PGconnPointer, c_int]
)
PQsetResultAttrs: Callable[[Pointer, int, Pointer], int] = _function(
    _quick, "PQsetResultAttrs", 14, c_int, [PGresultPointer, c_int, POINTER(PGresAttDesc)]
)

# Escaping: the work grows with the text, so other threads may run
PQescapeLiteral: Callable[[Pointer, Text, int], Pointer] = _function(
    _waiting, "PQescapeLiteral", 14, MemoryPointer, [PGconnPointer, c_char_p, c_size_t]
)
PQescapeIdentifier: Callable[[Pointer, Text, int], Pointer] = _function(
    _waiting, "PQescapeIdentifier", 14, MemoryPointer, [PGconnPointer, c_char_p, c_size_t]
)
PQescapeStringConn: Callable[[Pointer, Pointer, Text, int, Pointer], int] = _function(
    _waiting,
    "PQescapeStringConn",
    14,
    c_size_t,
    [PGconnPointer, c_void_p, c_char_p, c_size_t, POINTER(c_int)],
)
PQescapeString: Callable[[Pointer, Text, int], int] = _function(
    _waiting, "PQescapeString", 14, c_size_t, [c_void_p, c_char_p, c_size_t]
)
PQescapeByteaConn: Callable[[Pointer, Text, int, Pointer], Pointer] = _function(
    _waiting,
    "PQescapeByteaConn",
    14,
    MemoryPointer,
    [PGconnPointer, c_char_p, c_size_t, POINTER(c_size_t)],
)
PQescapeBytea: Callable[[Text, int, Pointer], Pointer] = _function(
    _waiting, "PQescapeBytea", 14, MemoryPointer, [c_char_p, c_size_t, POINTER(c_size_t)]
)
PQunescapeBytea: Callable[[Text, Pointer], Pointer] = _function(
    _waiting, "PQunescapeBytea", 14, MemoryPointer, [c_char_p, POINTER(c_size_t)]
)

# COPY
PQputCopyData: Callable[[Pointer, Text, int], int] = _function(
    _waiting, "PQputCopyData", 14, c_int, [PGconnPointer, c_char_p, c_int]
)
PQputCopyEnd: Callable[[Pointer, Text], int] = _function(
    _waiting, "PQputCopyEnd", 14, c_int, [PGconnPointer, c_char_p]
)
PQgetCopyData: Callable[[Pointer, Pointer, int], int] = _function(
    _waiting, "PQgetCopyData", 14, c_int, [PGconnPointer, POINTER(MemoryPointer), c_int]
)

# Cancelling
PQgetCancel: Callable[[Pointer], Pointer] = _function(
    _quick, "PQgetCancel", 14, PGcancelPointer, [PGconnPointer]
)
PQfreeCancel: Callable[[Pointer], None] = _function(
    _quick, "PQfreeCancel", 14, None, [PGcancelPointer]
)
PQcancel: Callable[[Pointer, Pointer, int], int] = _function(
    _waiting, "PQcancel", 14, c_int, [PGcancelPointer, c_void_p, c_int]
)
PQcancelCreate: Callable[[Pointer], Pointer] = _function(
    _quick, "PQcancelCreate", 17, PGcancelConnPointer, [PGconnPointer]
)
PQcancelStart: Callable[[Pointer], int] = _function(
    _waiting, "PQcancelStart", 17, c_int, [PGcancelConnPointer]
)
PQcancelBlocking: Callable[[Pointer], int] = _function(
    _waiting, "PQcancelBlocking", 17, c_int, [PGcancelConnPointer]
)
PQcancelPoll: Callable[[Pointer], int] = _function(
    _waiting, "PQcancelPoll", 17, c_int, [PGcancelConnPointer]
)
PQcancelStatus: Callable[[Pointer], int] = _function(
    _quick, "PQcancelStatus", 17, c_int, [PGcancelConnPointer]
)
PQcancelSocket: Callable[[Pointer], int] = _function(
    _quick, "PQcancelSocket", 17, c_int, [PGcancelConnPointer]
)
PQcancelErrorMessage: Callable[[Pointer], Text] = _function(
    _quick, "PQcancelErrorMessage", 17, c_char_p, [PGcancelConnPointer]
)
PQcancelReset: Callable[[Pointer], None] = _function(
    _waiting, "PQcancelReset", 17, None, [PGcancelConnPointer]
)
PQcancelFinish: Callable[[Pointer], None] = _function(
    _waiting, "PQcancelFinish", 17, None, [PGcancelConnPointer]
)

# Notices, notifications, tracing, passwords
PQsetNoticeReceiver: Callable[[Pointer, Pointer, Pointer], Pointer] = _function(
    _quick, "PQsetNoticeReceiver", 14, PQnoticeReceiver, [PGconnPointer, PQnoticeReceiver, c_void_p]
)
PQnotifies: Callable[[Pointer], Pointer] = _function(
    _waiting, "PQnotifies", 14, POINTER(PGnotify), [PGconnPointer]
)
PQtrace: Callable[[Pointer, Pointer], None] = _function(
    _quick, "PQtrace", 14, None, [PGconnPointer, STREAMPointer]
)
PQuntrace: Callable[[Pointer], None] = _function(_waiting, "PQuntrace", 14, None, [PGconnPointer])
PQsetTraceFlags: Callable[[Pointer, int], None] = _function(
    _quick, "PQsetTraceFlags", 14, None, [PGconnPointer, c_int]
)
PQencryptPasswordConn: Callable[[Pointer, Text, Text, Text], Pointer] = _function(
    _waiting,
    "PQencryptPasswordConn",
    14,
    MemoryPointer,
    [PGconnPointer, c_char_p, c_char_p, c_char_p],
)
PQchangePassword: Callable[[Pointer, Text, Text], Pointer] = _function(
    _waiting, "PQchangePassword", 17, PGresultPointer, [PGconnPointer, c_char_p, c_char_p]
)
