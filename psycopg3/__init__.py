"""psycopg3: PostgreSQL for Python, over libpq, in threads, on asyncio and on trio."""

from __future__ import annotations

from sys import modules as _modules

from . import adapt, client_cursor, errors, pq, rows, sql, types, waiting
from ._async.connection import AsyncConnection
from ._async.copy import AsyncCopy
from ._async.cursor import AsyncCursor
from ._async.cursors import (
    AsyncClientCursor,
    AsyncRawCursor,
    AsyncRawServerCursor,
    AsyncServerCursor,
)
from ._async.notifies import AsyncNotifies
from ._async.pipeline import AsyncPipeline
from ._async.statement import AsyncStatement
from ._async.stream import AsyncStream
from ._async.transaction import AsyncTransaction
from ._capabilities import Capabilities, capabilities
from ._sync.connection import Connection
from ._sync.copy import Copy
from ._sync.cursor import Cursor
from ._sync.cursors import ClientCursor, RawCursor, RawServerCursor, ServerCursor
from ._sync.notifies import Notifies
from ._sync.pipeline import Pipeline
from ._sync.statement import Statement
from ._sync.stream import Stream
from ._sync.transaction import Transaction
from .as_psycopg import install_as_psycopg
from .dbapi20 import (
    BINARY,
    DATETIME,
    NUMBER,
    ROWID,
    STRING,
    Binary,
    Date,
    DateFromTicks,
    Time,
    TimeFromTicks,
    Timestamp,
    TimestampFromTicks,
)
from .errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,
)
from .postgres import adapters
from .session.basestatement import Parameter
from .session.characteristics import IsolationLevel
from .session.info import ConnectionInfo, ServerSettings, ServerVersion
from .session.notices import Notify
from .session.querylog import LoggedQuery
from .session.results import Column
from .session.session import Session as BaseConnection
from .session.transaction import Rollback
from .session.twophase import Xid

__version__ = "3.4.0.dev1"

apilevel = "2.0"
threadsafety = 2
paramstyle = "pyformat"

connect = Connection.connect
connect_async = AsyncConnection.connect

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "AsyncClientCursor",
    "AsyncConnection",
    "AsyncCopy",
    "AsyncCursor",
    "AsyncNotifies",
    "AsyncPipeline",
    "AsyncRawCursor",
    "AsyncRawServerCursor",
    "AsyncServerCursor",
    "AsyncStatement",
    "AsyncStream",
    "AsyncTransaction",
    "BaseConnection",
    "Binary",
    "Capabilities",
    "ClientCursor",
    "Column",
    "Connection",
    "ConnectionInfo",
    "Copy",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "IsolationLevel",
    "LoggedQuery",
    "NotSupportedError",
    "Notifies",
    "Notify",
    "OperationalError",
    "Parameter",
    "Pipeline",
    "ProgrammingError",
    "RawCursor",
    "RawServerCursor",
    "Rollback",
    "ServerCursor",
    "ServerSettings",
    "ServerVersion",
    "Statement",
    "Stream",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Transaction",
    "Warning",
    "Xid",
    "__version__",
    "adapt",
    "adapters",
    "apilevel",
    "capabilities",
    "client_cursor",
    "connect",
    "connect_async",
    "errors",
    "install_as_psycopg",
    "paramstyle",
    "pq",
    "rows",
    "sql",
    "threadsafety",
    "types",
    "waiting",
]

# What users read in a traceback, and what pickle looks up, is where the names are for them.
for _name in __all__:
    if isinstance(_thing := getattr(_modules[__name__], _name), type):  # lazy imports are made here
        _thing.__module__, _thing.__qualname__ = __name__, _name
