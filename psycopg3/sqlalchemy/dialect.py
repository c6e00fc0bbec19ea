"""Dialect: `postgresql+psycopg3`."""

# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false
# pyright: reportArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.dialects.postgresql.base import PGDialect, PGExecutionContext
from sqlalchemy.engine.url import URL

from ..adapt.typeinfo import TypeInfo
from ..pq import TransactionStatus
from ..session.characteristics import IsolationLevel
from ..types.hstore import register_hstore
from ..types.json import set_json_loads
from ..types.string import TextLoader
from .types import COLSPECS

_AUTOCOMMIT = "AUTOCOMMIT"


class ExecutionContext(PGExecutionContext):
    """What runs one statement."""

    def create_server_side_cursor(self) -> Any:
        """A cursor at the server, for results that are streamed."""
        return self._dbapi_connection.cursor(f"sqlalchemy_{id(self):x}")


class Dialect(PGDialect):
    """PostgreSQL through `psycopg3.Connection`.

    `create_engine("postgresql+psycopg3://user@host/database")`: what is in the query of the URL are
    parameters of `psycopg3.connect()`.
    """

    driver = "psycopg3"
    supports_statement_cache = True
    supports_server_side_cursors = True
    supports_sane_multi_rowcount = True
    supports_native_decimal = True
    default_paramstyle = "pyformat"
    execution_ctx_cls = ExecutionContext
    colspecs = {**PGDialect.colspecs, **COLSPECS}  # noqa: RUF012  # it is none in the base either
    _async_dialect: Any = None

    def __init__(self, use_native_hstore: bool = True, **kwargs: Any):
        """Make a dialect; parameters of `create_engine()` come here.

        Args:
            use_native_hstore: whether the driver reads and writes hstore, where the database has it.
            **kwargs: those of all dialects of PostgreSQL.
        """
        super().__init__(**kwargs)
        self._use_native_hstore = use_native_hstore
        self._hstore: TypeInfo | None = None

    def initialize(self, connection: Any) -> None:
        """Ask the database what it has, by its first connection."""
        super().initialize(connection)
        if self._use_native_hstore:
            conn = connection.connection.driver_connection
            self._hstore = self._fetch_type(conn, "hstore")
            if self._hstore is not None:
                register_hstore(self._hstore, conn)

    def _fetch_type(self, conn: Any, name: str) -> TypeInfo | None:
        info: TypeInfo | None = TypeInfo.fetch(conn, name)
        return info

    @classmethod
    def import_dbapi(cls) -> Any:
        """The module that the dialect is for."""
        import psycopg3

        return psycopg3

    @classmethod
    def get_async_dialect_cls(cls, url: URL) -> Any:  # noqa: ARG003  # the other is for any URL
        """The dialect that `create_async_engine()` takes for the same URL."""
        return cls._async_dialect

    @classmethod
    def load_provisioning(cls) -> None:
        """Load what SQLAlchemy's own tests need to know of PostgreSQL."""
        PGDialect.load_provisioning()

    def create_connect_args(self, url: URL) -> tuple[Sequence[str], dict[str, Any]]:
        """What `connect()` is called with; several hosts may be in the query of the URL."""
        params = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
        hosts, ports = self._split_multihost_from_url(url)
        if hosts:
            params["host"] = ",".join(host or "" for host in hosts)
        if ports:
            params["port"] = ",".join(str(port or "") for port in ports)
        return (), params

    def on_connect(self) -> Callable[[Any], None]:
        """What is done with each new connection."""

        def set_up(conn: Any) -> None:
            loads: Any = self._json_deserializer
            if loads is not None:
                set_json_loads(loads, conn)
            if self._native_inet_types is False:
                for name in ("inet", "cidr"):
                    conn.adapters.register_loader(name, TextLoader)
            if self._hstore is not None:
                register_hstore(self._hstore, conn)

        return set_up

    def is_disconnect(self, ex: Any, connection: Any, cursor: Any) -> bool:
        """Whether the connection was lost, and not a statement alone."""
        return connection is not None and bool(connection.closed or connection.broken)

    def do_ping(self, conn: Any) -> bool:
        """Ask the server for a sign of life; it leaves no transaction open."""
        was_autocommit = conn.autocommit
        conn.autocommit = True
        try:
            return bool(super().do_ping(conn))
        finally:
            if not conn.closed:
                conn.autocommit = was_autocommit

    # -- transactions ----------------------------------------------------------------------

    def get_isolation_level_values(self, conn: Any) -> Any:
        """The levels that there are, and AUTOCOMMIT."""
        return (_AUTOCOMMIT, *(level.name.replace("_", " ") for level in IsolationLevel))

    def set_isolation_level(self, conn: Any, level: str) -> None:
        """Set that of the transactions to come."""
        is_autocommit = level == _AUTOCOMMIT
        conn.autocommit = is_autocommit
        if not is_autocommit:
            conn.isolation_level = IsolationLevel[level.replace(" ", "_")]

    def get_isolation_level(self, conn: Any) -> Any:
        """That of the transactions to come."""
        if conn.autocommit:
            return _AUTOCOMMIT
        if conn.isolation_level is not None:
            return conn.isolation_level.name.replace("_", " ")
        was_idle = conn.info.transaction_status == TransactionStatus.IDLE
        level = super().get_isolation_level(conn)
        if was_idle:
            conn.rollback()
        return level

    def get_default_isolation_level(self, conn: Any) -> Any:
        """That of the server: asked for once."""
        return super().get_isolation_level(conn)

    def detect_autocommit_setting(self, conn: Any) -> bool:
        """Whether the connection is in autocommit."""
        return bool(conn.autocommit)

    def set_readonly(self, conn: Any, value: bool | None) -> None:
        """Set whether the transactions to come may only read."""
        conn.read_only = value

    def get_readonly(self, conn: Any) -> bool | None:
        """Whether the transactions to come may only read."""
        value: bool | None = conn.read_only
        return value

    def set_deferrable(self, conn: Any, value: bool | None) -> None:
        """Set whether the transactions to come wait for a safe snapshot."""
        conn.deferrable = value

    def get_deferrable(self, conn: Any) -> bool | None:
        """Whether the transactions to come wait for a safe snapshot."""
        value: bool | None = conn.deferrable
        return value

    # -- two-phase commit ------------------------------------------------------------------

    def do_begin_twophase(self, connection: Any, xid: str) -> None:
        """Begin one."""
        connection.connection.tpc_begin(xid)

    def do_prepare_twophase(self, connection: Any, xid: str) -> None:
        """Do the first phase."""
        connection.connection.tpc_prepare()

    def do_commit_twophase(
        self, connection: Any, xid: str, is_prepared: bool = True, recover: bool = False
    ) -> None:
        """Do the second phase; of a transaction that somebody has left, with `recover`."""
        self._end_twophase(connection.connection, connection.connection.tpc_commit, xid, recover)

    def do_rollback_twophase(
        self, connection: Any, xid: str, is_prepared: bool = True, recover: bool = False
    ) -> None:
        """Undo it."""
        self._end_twophase(connection.connection, connection.connection.tpc_rollback, xid, recover)

    def _end_twophase(self, conn: Any, end: Callable[..., None], xid: str, recover: bool) -> None:
        if recover:
            if conn.info.transaction_status != TransactionStatus.IDLE:
                conn.rollback()  # that of SQLAlchemy's which is around
            end(xid)
        else:
            end()

    def do_recover_twophase(self, connection: Any) -> list[str]:
        """The ids of those that are prepared."""
        return [str(xid) for xid in connection.connection.tpc_recover()]
