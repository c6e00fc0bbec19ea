"""AsyncDialect: `postgresql+psycopg3_async`."""

# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

from sqlalchemy.connectors.asyncio import (
    AsyncAdapt_dbapi_connection,
    AsyncAdapt_dbapi_cursor,
    AsyncAdapt_dbapi_module,
    AsyncAdapt_dbapi_ss_cursor,
    AsyncAdapt_terminate,
)
from sqlalchemy.util.concurrency import await_

from .._async.connection import AsyncConnection
from ..adapt.typeinfo import TypeInfo
from .dialect import Dialect

_PEP_249 = (
    *("Warning", "Error", "InterfaceError", "DatabaseError", "DataError", "OperationalError"),
    *("IntegrityError", "InternalError", "ProgrammingError", "NotSupportedError"),
    *(
        "Binary",
        "Date",
        "DateFromTicks",
        "Time",
        "TimeFromTicks",
        "Timestamp",
        "TimestampFromTicks",
    ),
    *("STRING", "BINARY", "NUMBER", "DATETIME", "ROWID", "apilevel", "threadsafety", "paramstyle"),
    *("__version__", "adapters", "pq"),
)


class Cursor(AsyncAdapt_dbapi_cursor):
    """A cursor of an asynchronous connection, for SQLAlchemy's synchronous half."""

    __slots__ = ("_last_rowcount",)

    def __init__(self, adapt_connection: AsyncAdapt_dbapi_connection):
        self._last_rowcount = -1
        super().__init__(adapt_connection)

    @property
    def rowcount(self) -> int:
        """Rows returned or affected, after `close()` too: SQLAlchemy closes a cursor at once."""
        cursor: Any = self._cursor
        return self._last_rowcount if cursor.closed else int(cursor.rowcount)

    def close(self) -> None:
        """Free the results; it does no I/O."""
        cursor: Any = self._cursor
        self._last_rowcount = self.rowcount
        self._rows.clear()
        cursor._close()

    async def _async_soft_close(self) -> None:
        """Leave it to `close()`, which may be called anywhere."""

    def setinputsizes(self, *inputsizes: Any) -> None:
        """Do nothing."""


class ServerCursor(AsyncAdapt_dbapi_ss_cursor):
    """A cursor at the server."""

    __slots__ = ("_name",)

    def __init__(self, connection: Connection, name: str):
        self._name = name
        super().__init__(connection)

    def _make_new_cursor(self, connection: Any) -> Any:
        return connection.cursor(self._name)

    def fetchmany(self, size: int | None = None) -> Any:
        """Fetch the next `size` rows."""
        return await_(self._cursor.fetchmany(size or 0))


def _told(name: str) -> property:
    """An attribute of the driver's connection."""
    return property(lambda self: getattr(self._connection, name))


def _setting(name: str) -> property:
    """A setting of the driver's connection, which is changed by a coroutine."""

    def change(self: Any, value: Any) -> None:
        self.await_call(f"set_{name}", value)

    return property(lambda self: getattr(self._connection, name), change)


class Connection(AsyncAdapt_terminate, AsyncAdapt_dbapi_connection):
    """An asynchronous connection, for SQLAlchemy's synchronous half.

    The driver's own is `driver_connection`.
    """

    __slots__ = ()
    _cursor_cls = Cursor
    adapters, connection, closed, broken = map(
        _told, ("adapters", "connection", "closed", "broken")
    )
    info, pgconn = _told("info"), _told("pgconn")
    autocommit, isolation_level = _setting("autocommit"), _setting("isolation_level")
    read_only, deferrable = _setting("read_only"), _setting("deferrable")

    def await_call(self, method: str, *args: Any) -> Any:
        """Await a method of the driver's connection."""
        return await_(getattr(self._connection, method)(*args))

    def cursor(self, name: Any = "") -> Any:
        """Make a cursor; with a name, one at the server."""
        return ServerCursor(self, name) if name else Cursor(self)

    def tpc_begin(self, xid: Any) -> None:
        """Begin a two-phase transaction."""
        self.await_call("tpc_begin", xid)

    def tpc_prepare(self) -> None:
        """Do the first phase."""
        self.await_call("tpc_prepare")

    def tpc_commit(self, xid: Any = None) -> None:
        """Do the second phase."""
        self.await_call("tpc_commit", xid)

    def tpc_rollback(self, xid: Any = None) -> None:
        """Undo it."""
        self.await_call("tpc_rollback", xid)

    def tpc_recover(self) -> Any:
        """List the transactions that are prepared."""
        return self.await_call("tpc_recover")

    async def _terminate_graceful_close(self) -> None:
        await self._connection.close()

    def _terminate_force_close(self) -> None:
        self._connection.abort()


class Module(AsyncAdapt_dbapi_module):
    """The driver as PEP 249 has it, with connections for SQLAlchemy's synchronous half."""

    def __init__(self, driver: Any) -> None:
        super().__init__(driver)
        for name in _PEP_249:
            setattr(self, name, getattr(driver, name))

    def connect(self, *args: Any, **kwargs: Any) -> Connection:
        """Make a connection."""
        create = kwargs.pop("async_creator_fn", AsyncConnection.connect)
        return await_(Connection.create(self, create(*args, **kwargs)))


class AsyncDialect(Dialect):
    """PostgreSQL through `psycopg3.AsyncConnection`, for `create_async_engine()`."""

    driver = "psycopg3_async"
    is_async = True
    supports_statement_cache = True
    has_terminate = True

    @classmethod
    def import_dbapi(cls) -> Any:
        """The module that the dialect is for."""
        return Module(super().import_dbapi())

    def _fetch_type(self, conn: Any, name: str) -> TypeInfo | None:
        info: TypeInfo | None = await_(TypeInfo.fetch(conn, name))
        return info

    def do_terminate(self, dbapi_connection: Any) -> None:
        """End a connection that is of no use any more."""
        dbapi_connection.terminate()

    def get_driver_connection(self, connection: Any) -> Any:
        """The driver's connection of SQLAlchemy's."""
        return connection.driver_connection


Dialect._async_dialect = AsyncDialect
