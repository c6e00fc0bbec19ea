"""The interface of libpq as Protocols: what every binding offers, and what it is asked for."""

# pyright: reportReturnType=false
# The bodies of these functions are their docstrings.

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self, TypeAlias

from .enums import (
    ConnStatus,
    ExecStatus,
    Format,
    Ping,
    PipelineStatus,
    PollingStatus,
    Trace,
    TransactionStatus,
)
from .records import ConninfoOption, PGnotify, PGresAttDesc

Buffer: TypeAlias = bytes | bytearray | memoryview
"""What may be given for bytes. Never str: libpq knows no encodings."""

Pointer: TypeAlias = Any
"""A pointer as the binding has it: false when NULL, and nothing to look into."""


class PGresult(Protocol):
    """A result: its status, its rows, or its error."""

    def clear(self) -> None:
        """Free the memory of the result."""

    @property
    def pgresult_ptr(self) -> int | None:
        """The address of libpq's PGresult, None when cleared."""

    @property
    def status(self) -> ExecStatus:
        """What the result is."""

    @property
    def error_message(self) -> bytes:
        """libpq's message, severity included."""

    def get_error_message(self, encoding: str = "utf-8") -> str:
        """The message as text, without the severity."""

    def error_field(self, fieldcode: int) -> bytes | None:
        """A field of the error or notice."""

    @property
    def ntuples(self) -> int:
        """The number of rows."""

    @property
    def nfields(self) -> int:
        """The number of columns."""

    def fname(self, column_number: int) -> bytes | None:
        """The name of a column."""

    def ftable(self, column_number: int) -> int:
        """The oid of a column's table."""

    def ftablecol(self, column_number: int) -> int:
        """The number of the column in its table."""

    def fformat(self, column_number: int) -> int:
        """The format of a column."""

    def ftype(self, column_number: int) -> int:
        """The oid of a column's type."""

    def fmod(self, column_number: int) -> int:
        """The type modifier of a column."""

    def fsize(self, column_number: int) -> int:
        """The size of a column's type."""

    @property
    def binary_tuples(self) -> int:
        """Whether all columns are binary."""

    def get_value(self, row_number: int, column_number: int) -> bytes | None:
        """A value, None for SQL's NULL."""

    def get_column(self, column_number: int, row0: int, row1: int) -> list[bytes | None]:
        """The values of a column from `row0` to before `row1`, None for SQL's NULL."""

    def column(self, column_number: int, row0: int, row1: int) -> tuple[list[bytes | None], bool]:
        """The same, and whether there may be a None among it."""

    @property
    def nparams(self) -> int:
        """The number of parameters."""

    def param_type(self, param_number: int) -> int:
        """The oid of a parameter's type."""

    @property
    def command_status(self) -> bytes | None:
        """The command tag."""

    @property
    def command_tuples(self) -> int | None:
        """How many rows the command touched."""

    @property
    def oid_value(self) -> int:
        """The oid of the row inserted."""

    def set_attributes(self, descriptions: Sequence[PGresAttDesc]) -> None:
        """Describe the columns of an empty result."""


class PGcancel(Protocol):
    """What cancels a command, waiting."""

    @property
    def pgcancel_ptr(self) -> int | None:
        """The address of libpq's PGcancel, None when freed."""

    def free(self) -> None:
        """Free the memory of the object."""

    def cancel(self) -> None:
        """Send the request."""


class PGcancelConn(Protocol):
    """What cancels a command, encrypted and without waiting."""

    @property
    def pgcancelconn_ptr(self) -> int | None:
        """The address of libpq's PGcancelConn, None when finished."""

    def start(self) -> None:
        """Begin to send the request."""

    def blocking(self) -> None:
        """Send the request, waiting."""

    def poll(self) -> PollingStatus:
        """Take the next step."""

    @property
    def status(self) -> ConnStatus:
        """What the cancel connection is at."""

    @property
    def socket(self) -> int:
        """The file descriptor."""

    @property
    def error_message(self) -> bytes:
        """libpq's last message."""

    def get_error_message(self, encoding: str = "utf-8") -> str:
        """The last message as text."""

    def reset(self) -> None:
        """Make the object ready for another request."""

    def finish(self) -> None:
        """Close the cancel connection."""


class PGconn(Protocol):
    """A connection."""

    notice_handler: Callable[[Any], object] | None
    notify_handler: Callable[[PGnotify], object] | None

    @classmethod
    def connect(cls, conninfo: Buffer) -> Self:
        """Connect, waiting."""

    @classmethod
    def connect_start(cls, conninfo: Buffer) -> Self:
        """Begin to connect."""

    def connect_poll(self) -> PollingStatus:
        """Take the next step of connecting."""

    def finish(self) -> None:
        """Close the connection."""

    @property
    def pgconn_ptr(self) -> int | None:
        """The address of libpq's PGconn, None when closed."""

    def reset(self) -> None:
        """Connect anew, waiting."""

    def reset_start(self) -> None:
        """Begin to connect anew."""

    def reset_poll(self) -> PollingStatus:
        """Take the next step of connecting anew."""

    @classmethod
    def ping(cls, conninfo: Buffer) -> Ping:
        """Whether the server can be reached."""

    @property
    def info(self) -> list[ConninfoOption]:
        """The options in force."""

    @property
    def db(self) -> bytes:
        """The name of the database."""

    @property
    def user(self) -> bytes:
        """The name of the user."""

    @property
    def password(self) -> bytes:
        """The password."""

    @property
    def host(self) -> bytes:
        """The host."""

    @property
    def hostaddr(self) -> bytes:
        """The host's address."""

    @property
    def port(self) -> bytes:
        """The port."""

    @property
    def tty(self) -> bytes:
        """Nothing, since long."""

    @property
    def options(self) -> bytes:
        """The command-line options for the server."""

    @property
    def status(self) -> ConnStatus:
        """What the connection is at."""

    @property
    def transaction_status(self) -> TransactionStatus:
        """What transaction the session is in."""

    def parameter_status(self, name: Buffer) -> bytes | None:
        """A setting that the server reports."""

    @property
    def error_message(self) -> bytes:
        """libpq's last message, severity included."""

    def get_error_message(self, encoding: str = "utf-8") -> str:
        """The last message as text, without the severity."""

    @property
    def protocol_version(self) -> int:
        """The protocol's major version."""

    @property
    def full_protocol_version(self) -> int:
        """The protocol's version."""

    @property
    def server_version(self) -> int:
        """The server's version."""

    @property
    def socket(self) -> int:
        """The file descriptor."""

    @property
    def backend_pid(self) -> int:
        """The backend's process id."""

    @property
    def needs_password(self) -> bool:
        """Whether a password was asked for and missing."""

    @property
    def used_password(self) -> bool:
        """Whether a password was asked for and given."""

    @property
    def used_gssapi(self) -> bool:
        """Whether GSSAPI authenticated the user."""

    @property
    def ssl_in_use(self) -> bool:
        """Whether TLS is in use."""

    def ssl_attribute(self, name: Buffer) -> bytes | None:
        """A fact of the TLS in use."""

    @property
    def gss_encrypted(self) -> bool:
        """Whether GSSAPI encrypts the connection."""

    def exec_(self, command: Buffer) -> PGresult:
        """Run a query."""

    def exec_params(
        self,
        command: Buffer,
        param_values: Sequence[Buffer | None] | None,
        param_types: Sequence[int] | None = None,
        param_formats: Sequence[int] | None = None,
        result_format: int = Format.TEXT,
    ) -> PGresult:
        """Run a query with parameters."""

    def prepare(
        self, name: Buffer, command: Buffer, param_types: Sequence[int] | None = None
    ) -> PGresult:
        """Prepare a statement."""

    def exec_prepared(
        self,
        name: Buffer,
        param_values: Sequence[Buffer | None] | None,
        param_formats: Sequence[int] | None = None,
        result_format: int = Format.TEXT,
    ) -> PGresult:
        """Run a prepared statement."""

    def describe_prepared(self, name: Buffer) -> PGresult:
        """Describe a prepared statement."""

    def describe_portal(self, name: Buffer) -> PGresult:
        """Describe a portal."""

    def close_prepared(self, name: Buffer) -> PGresult:
        """Close a prepared statement."""

    def close_portal(self, name: Buffer) -> PGresult:
        """Close a portal."""

    def send_query(self, command: Buffer) -> None:
        """Send a query."""

    def send_query_params(
        self,
        command: Buffer,
        param_values: Sequence[Buffer | None] | None,
        param_types: Sequence[int] | None = None,
        param_formats: Sequence[int] | None = None,
        result_format: int = Format.TEXT,
    ) -> None:
        """Send a query with parameters."""

    def send_prepare(
        self, name: Buffer, command: Buffer, param_types: Sequence[int] | None = None
    ) -> None:
        """Send a statement to prepare."""

    def send_query_prepared(
        self,
        name: Buffer,
        param_values: Sequence[Buffer | None] | None,
        param_formats: Sequence[int] | None = None,
        result_format: int = Format.TEXT,
    ) -> None:
        """Send a prepared statement's parameters."""

    def send_query_unchecked(self, query: bytes) -> int:
        """Send a query that has been checked."""

    def send_query_params_unchecked(
        self,
        query: bytes,
        values: Sequence[bytes | None],
        types: Sequence[int] | None,
        lengths: Sequence[int] | None,
        formats: Sequence[int] | None,
        result_format: int,
    ) -> int:
        """Send a query with parameters that have been checked."""

    def send_prepare_unchecked(self, name: bytes, query: bytes, types: Sequence[int] | None) -> int:
        """Send a statement to prepare that has been checked."""

    def send_query_prepared_unchecked(
        self,
        name: bytes,
        values: Sequence[bytes | None],
        lengths: Sequence[int] | None,
        formats: Sequence[int] | None,
        result_format: int,
    ) -> int:
        """Send a prepared statement's parameters that have been checked."""

    def advance(self, results: list[Any], ready: int) -> int:
        """Send, read, and append the results that are complete; what to wait for next."""

    def send_describe_prepared(self, name: Buffer) -> None:
        """Ask for a prepared statement's description."""

    def send_describe_portal(self, name: Buffer) -> None:
        """Ask for a portal's description."""

    def send_close_prepared(self, name: Buffer) -> None:
        """Ask for a prepared statement to be closed."""

    def send_close_portal(self, name: Buffer) -> None:
        """Ask for a portal to be closed."""

    def get_result(self) -> PGresult | None:
        """The next result, None after the last."""

    def consume_input(self) -> None:
        """Read what the server has sent."""

    def is_busy(self) -> int:
        """Whether `get_result` would wait."""

    @property
    def nonblocking(self) -> int:
        """Whether sending never waits."""

    @nonblocking.setter
    def nonblocking(self, on: int) -> None: ...

    def flush(self) -> int:
        """Send what waits to be sent; 1 when some is left."""

    def set_single_row_mode(self) -> None:
        """Ask for a result for each row."""

    def set_chunked_rows_mode(self, size: int) -> None:
        """Ask for a result for each `size` rows."""

    def make_empty_result(self, exec_status: int) -> PGresult:
        """A result of our own."""

    @property
    def pipeline_status(self) -> PipelineStatus:
        """Whether the connection is in pipeline mode."""

    def enter_pipeline_mode(self) -> None:
        """Enter pipeline mode."""

    def exit_pipeline_mode(self) -> None:
        """Leave pipeline mode."""

    def pipeline_sync(self) -> None:
        """Send a sync, and flush."""

    def send_pipeline_sync(self) -> None:
        """Send a sync."""

    def send_flush_request(self) -> None:
        """Ask for the results so far."""

    def put_copy_data(self, buffer: Buffer) -> int:
        """Send some of COPY's data."""

    def put_copy_end(self, error: Buffer | None = None) -> int:
        """End COPY's data."""

    def get_copy_data(self, async_: int) -> tuple[int, memoryview]:
        """Receive a row of COPY's data."""

    def get_cancel(self) -> PGcancel:
        """What cancels the command under way, waiting."""

    def cancel_conn(self) -> PGcancelConn:
        """What cancels the command under way, without waiting."""

    def notifies(self) -> PGnotify | None:
        """The next notification."""

    def trace(self, fileno: int) -> None:
        """Write what is sent and received to a file descriptor."""

    def set_trace_flags(self, flags: Trace) -> None:
        """Leave some things out of the trace."""

    def untrace(self) -> None:
        """Stop tracing."""

    def encrypt_password(
        self, passwd: Buffer, user: Buffer, algorithm: Buffer | None = None
    ) -> bytes:
        """A password as ALTER USER may be given it."""

    def change_password(self, user: Buffer, passwd: Buffer) -> None:
        """Change a user's password."""


class Conninfo(Protocol):
    """Connection strings as libpq reads them."""

    @classmethod
    def get_defaults(cls) -> list[ConninfoOption]:
        """Every option with its default."""

    @classmethod
    def parse(cls, conninfo: Buffer) -> list[ConninfoOption]:
        """Every option with the value that the connection string gives it."""


class Escaping(Protocol):
    """Text and bytes made safe to be part of a query."""

    def escape_literal(self, data: Buffer) -> bytes:
        """A string as an SQL literal."""

    def escape_identifier(self, data: Buffer) -> bytes:
        """A string as an SQL identifier."""

    def escape_string(self, data: Buffer) -> bytes:
        """A string as the inside of an SQL literal."""

    def escape_bytea(self, data: Buffer) -> bytes:
        """Binary data as the inside of an SQL literal."""

    def unescape_bytea(self, data: Buffer) -> bytes:
        """The binary data that the server's text means."""
