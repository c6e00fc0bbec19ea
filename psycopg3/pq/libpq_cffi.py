"""libpq called through cffi: a callable for each function, under libpq's names.

Generated from libpq.h by tools/libpq_bindings.py: edit those, not this.
"""

from __future__ import annotations

from collections.abc import Callable
from os import fsencode
from typing import Any, TypeAlias

from . import library
from ._libpq_cffi import ffi, lib
from .records import Pointer

# A C string: given, it lasts for the call; returned, it is a copy; None is NULL.
Text: TypeAlias = bytes | None

if getattr(lib, "PSYCOPG3_BINDING", None) != 2047226426:
    raise ImportError("the extension was built from other sources than these: build it again")


def _opened(path: str) -> tuple[Any, int]:
    handle = lib.library_open(fsencode(path))
    if not handle:
        raise OSError(ffi.string(lib.library_error()).decode("utf-8", "replace"))
    if not lib.library_find(handle, b"PQlibVersion"):
        raise OSError(f"{path} is no libpq")
    return handle, lib.PQlibVersion()


LIBRARY = library.load(_opened)


def _function(name: str, since: int) -> Any:
    if not lib.library_find(LIBRARY.handle, name.encode()):
        return library.missing(name, since, LIBRARY)
    return getattr(lib, name)


def _text(name: str, since: int) -> Any:
    function, string = _function(name, since), ffi.string

    def text(*arguments: object) -> Any:
        pointer = function(*arguments)
        return string(pointer) if pointer else None

    return text


def _copied_text(name: str, since: int) -> Any:
    function, string, free = _function(name, since), ffi.string, lib.text_free

    def text(*arguments: object) -> Any:
        pointer = function(*arguments)
        if not pointer:
            return None
        try:
            return string(pointer)
        finally:
            free(pointer)

    return text


# The library
PQlibVersion: Callable[[], int] = _function("PQlibVersion", 14)
PQfreemem: Callable[[Pointer], None] = _function("PQfreemem", 14)

# Connecting
PQconnectdb: Callable[[Text], Pointer] = _function("PQconnectdb", 14)
PQconnectStart: Callable[[Text], Pointer] = _function("PQconnectStart", 14)
PQconnectPoll: Callable[[Pointer], int] = _function("PQconnectPoll", 14)
PQfinish: Callable[[Pointer], None] = _function("PQfinish", 14)
PQreset: Callable[[Pointer], None] = _function("PQreset", 14)
PQresetStart: Callable[[Pointer], int] = _function("PQresetStart", 14)
PQresetPoll: Callable[[Pointer], int] = _function("PQresetPoll", 14)
PQping: Callable[[Text], int] = _function("PQping", 14)

# Connection strings
PQconninfo: Callable[[Pointer], Pointer] = _function("PQconninfo", 14)
PQconndefaults: Callable[[], Pointer] = _function("PQconndefaults", 14)
PQconninfoParse: Callable[[Text, Pointer], Pointer] = _function("PQconninfoParse", 14)
PQconninfoFree: Callable[[Pointer], None] = _function("PQconninfoFree", 14)

# What a connection is
PQdb: Callable[[Pointer], Text] = _copied_text("PQdb", 14)
PQuser: Callable[[Pointer], Text] = _copied_text("PQuser", 14)
PQpass: Callable[[Pointer], Text] = _copied_text("PQpass", 14)
PQhost: Callable[[Pointer], Text] = _copied_text("PQhost", 14)
PQhostaddr: Callable[[Pointer], Text] = _copied_text("PQhostaddr", 14)
PQport: Callable[[Pointer], Text] = _copied_text("PQport", 14)
PQtty: Callable[[Pointer], Text] = _copied_text("PQtty", 14)
PQoptions: Callable[[Pointer], Text] = _copied_text("PQoptions", 14)
PQstatus: Callable[[Pointer], int] = _function("PQstatus", 14)
PQtransactionStatus: Callable[[Pointer], int] = _function("PQtransactionStatus", 14)
PQparameterStatus: Callable[[Pointer, Text], Text] = _copied_text("PQparameterStatus", 14)
PQprotocolVersion: Callable[[Pointer], int] = _function("PQprotocolVersion", 14)
PQfullProtocolVersion: Callable[[Pointer], int] = _function("PQfullProtocolVersion", 18)
PQserverVersion: Callable[[Pointer], int] = _function("PQserverVersion", 14)
PQerrorMessage: Callable[[Pointer], Text] = _copied_text("PQerrorMessage", 14)
PQsocket: Callable[[Pointer], int] = _function("PQsocket", 14)
PQbackendPID: Callable[[Pointer], int] = _function("PQbackendPID", 14)
PQconnectionNeedsPassword: Callable[[Pointer], int] = _function("PQconnectionNeedsPassword", 14)
PQconnectionUsedPassword: Callable[[Pointer], int] = _function("PQconnectionUsedPassword", 14)
PQconnectionUsedGSSAPI: Callable[[Pointer], int] = _function("PQconnectionUsedGSSAPI", 16)
PQsslInUse: Callable[[Pointer], int] = _function("PQsslInUse", 14)
PQsslAttribute: Callable[[Pointer, Text], Text] = _copied_text("PQsslAttribute", 14)
PQgssEncInUse: Callable[[Pointer], int] = _function("PQgssEncInUse", 14)

# Commands: one call that sends and waits
PQexec: Callable[[Pointer, Text], Pointer] = _function("PQexec", 14)
PQexecParams: Callable[[Pointer, Text, int, Pointer, Pointer, Pointer, Pointer, int], Pointer] = (
    _function("PQexecParams", 14)
)
PQprepare: Callable[[Pointer, Text, Text, int, Pointer], Pointer] = _function("PQprepare", 14)
PQexecPrepared: Callable[[Pointer, Text, int, Pointer, Pointer, Pointer, int], Pointer] = _function(
    "PQexecPrepared", 14
)
PQdescribePrepared: Callable[[Pointer, Text], Pointer] = _function("PQdescribePrepared", 14)
PQdescribePortal: Callable[[Pointer, Text], Pointer] = _function("PQdescribePortal", 14)
PQclosePrepared: Callable[[Pointer, Text], Pointer] = _function("PQclosePrepared", 17)
PQclosePortal: Callable[[Pointer, Text], Pointer] = _function("PQclosePortal", 17)

# Commands: sent now, answered later
PQsendQuery: Callable[[Pointer, Text], int] = _function("PQsendQuery", 14)
PQsendQueryParams: Callable[[Pointer, Text, int, Pointer, Pointer, Pointer, Pointer, int], int] = (
    _function("PQsendQueryParams", 14)
)
PQsendPrepare: Callable[[Pointer, Text, Text, int, Pointer], int] = _function("PQsendPrepare", 14)
PQsendQueryPrepared: Callable[[Pointer, Text, int, Pointer, Pointer, Pointer, int], int] = (
    _function("PQsendQueryPrepared", 14)
)
PQsendDescribePrepared: Callable[[Pointer, Text], int] = _function("PQsendDescribePrepared", 14)
PQsendDescribePortal: Callable[[Pointer, Text], int] = _function("PQsendDescribePortal", 14)
PQsendClosePrepared: Callable[[Pointer, Text], int] = _function("PQsendClosePrepared", 17)
PQsendClosePortal: Callable[[Pointer, Text], int] = _function("PQsendClosePortal", 17)
PQgetResult: Callable[[Pointer], Pointer] = _function("PQgetResult", 14)
PQconsumeInput: Callable[[Pointer], int] = _function("PQconsumeInput", 14)
PQisBusy: Callable[[Pointer], int] = _function("PQisBusy", 14)
PQsetnonblocking: Callable[[Pointer, int], int] = _function("PQsetnonblocking", 14)
PQisnonblocking: Callable[[Pointer], int] = _function("PQisnonblocking", 14)
PQflush: Callable[[Pointer], int] = _function("PQflush", 14)
PQsetSingleRowMode: Callable[[Pointer], int] = _function("PQsetSingleRowMode", 14)
PQsetChunkedRowsMode: Callable[[Pointer, int], int] = _function("PQsetChunkedRowsMode", 17)

# Pipeline mode
PQpipelineStatus: Callable[[Pointer], int] = _function("PQpipelineStatus", 14)
PQenterPipelineMode: Callable[[Pointer], int] = _function("PQenterPipelineMode", 14)
PQexitPipelineMode: Callable[[Pointer], int] = _function("PQexitPipelineMode", 14)
PQpipelineSync: Callable[[Pointer], int] = _function("PQpipelineSync", 14)
PQsendPipelineSync: Callable[[Pointer], int] = _function("PQsendPipelineSync", 17)
PQsendFlushRequest: Callable[[Pointer], int] = _function("PQsendFlushRequest", 14)

# Results
PQresultStatus: Callable[[Pointer], int] = _function("PQresultStatus", 14)
PQresultErrorMessage: Callable[[Pointer], Text] = _text("PQresultErrorMessage", 14)
PQresultErrorField: Callable[[Pointer, int], Text] = _text("PQresultErrorField", 14)
PQclear: Callable[[Pointer], None] = _function("PQclear", 14)
PQntuples: Callable[[Pointer], int] = _function("PQntuples", 14)
PQnfields: Callable[[Pointer], int] = _function("PQnfields", 14)
PQfname: Callable[[Pointer, int], Text] = _text("PQfname", 14)
PQftable: Callable[[Pointer, int], int] = _function("PQftable", 14)
PQftablecol: Callable[[Pointer, int], int] = _function("PQftablecol", 14)
PQfformat: Callable[[Pointer, int], int] = _function("PQfformat", 14)
PQftype: Callable[[Pointer, int], int] = _function("PQftype", 14)
PQfmod: Callable[[Pointer, int], int] = _function("PQfmod", 14)
PQfsize: Callable[[Pointer, int], int] = _function("PQfsize", 14)
PQbinaryTuples: Callable[[Pointer], int] = _function("PQbinaryTuples", 14)
PQgetvalue: Callable[[Pointer, int, int], Text] = _text("PQgetvalue", 14)
PQgetisnull: Callable[[Pointer, int, int], int] = _function("PQgetisnull", 14)
PQgetlength: Callable[[Pointer, int, int], int] = _function("PQgetlength", 14)
PQnparams: Callable[[Pointer], int] = _function("PQnparams", 14)
PQparamtype: Callable[[Pointer, int], int] = _function("PQparamtype", 14)
PQresultMemorySize: Callable[[Pointer], int] = _function("PQresultMemorySize", 14)
PQcmdStatus: Callable[[Pointer], Text] = _text("PQcmdStatus", 14)
PQcmdTuples: Callable[[Pointer], Text] = _text("PQcmdTuples", 14)
PQoidValue: Callable[[Pointer], int] = _function("PQoidValue", 14)
PQmakeEmptyPGresult: Callable[[Pointer, int], Pointer] = _function("PQmakeEmptyPGresult", 14)
PQsetResultAttrs: Callable[[Pointer, int, Pointer], int] = _function("PQsetResultAttrs", 14)

# Escaping: the work grows with the text, so other threads may run
PQescapeLiteral: Callable[[Pointer, Text, int], Pointer] = _function("PQescapeLiteral", 14)
PQescapeIdentifier: Callable[[Pointer, Text, int], Pointer] = _function("PQescapeIdentifier", 14)
PQescapeStringConn: Callable[[Pointer, Pointer, Text, int, Pointer], int] = _function(
    "PQescapeStringConn", 14
)
PQescapeString: Callable[[Pointer, Text, int], int] = _function("PQescapeString", 14)
PQescapeByteaConn: Callable[[Pointer, Text, int, Pointer], Pointer] = _function(
    "PQescapeByteaConn", 14
)
PQescapeBytea: Callable[[Text, int, Pointer], Pointer] = _function("PQescapeBytea", 14)
PQunescapeBytea: Callable[[Text, Pointer], Pointer] = _function("PQunescapeBytea", 14)

# COPY
PQputCopyData: Callable[[Pointer, Text, int], int] = _function("PQputCopyData", 14)
PQputCopyEnd: Callable[[Pointer, Text], int] = _function("PQputCopyEnd", 14)
PQgetCopyData: Callable[[Pointer, Pointer, int], int] = _function("PQgetCopyData", 14)

# Cancelling
PQgetCancel: Callable[[Pointer], Pointer] = _function("PQgetCancel", 14)
PQfreeCancel: Callable[[Pointer], None] = _function("PQfreeCancel", 14)
PQcancel: Callable[[Pointer, Pointer, int], int] = _function("PQcancel", 14)
PQcancelCreate: Callable[[Pointer], Pointer] = _function("PQcancelCreate", 17)
PQcancelStart: Callable[[Pointer], int] = _function("PQcancelStart", 17)
PQcancelBlocking: Callable[[Pointer], int] = _function("PQcancelBlocking", 17)
PQcancelPoll: Callable[[Pointer], int] = _function("PQcancelPoll", 17)
PQcancelStatus: Callable[[Pointer], int] = _function("PQcancelStatus", 17)
PQcancelSocket: Callable[[Pointer], int] = _function("PQcancelSocket", 17)
PQcancelErrorMessage: Callable[[Pointer], Text] = _copied_text("PQcancelErrorMessage", 17)
PQcancelReset: Callable[[Pointer], None] = _function("PQcancelReset", 17)
PQcancelFinish: Callable[[Pointer], None] = _function("PQcancelFinish", 17)

# Notices, notifications, tracing, passwords
PQsetNoticeReceiver: Callable[[Pointer, Pointer, Pointer], Pointer] = _function(
    "PQsetNoticeReceiver", 14
)
PQnotifies: Callable[[Pointer], Pointer] = _function("PQnotifies", 14)
PQtrace: Callable[[Pointer, Pointer], None] = _function("PQtrace", 14)
PQuntrace: Callable[[Pointer], None] = _function("PQuntrace", 14)
PQsetTraceFlags: Callable[[Pointer, int], None] = _function("PQsetTraceFlags", 14)
PQencryptPasswordConn: Callable[[Pointer, Text, Text, Text], Pointer] = _function(
    "PQencryptPasswordConn", 14
)
PQchangePassword: Callable[[Pointer, Text, Text], Pointer] = _function("PQchangePassword", 17)
