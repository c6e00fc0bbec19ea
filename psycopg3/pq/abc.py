"""The interface of libpq as Protocols: what every binding offers, and what it is asked for."""

# Generated from the classes in psycopg3/pq by `python tools/regenerate.py`: edit those, not this.
# pyright: reportReturnType=false
# The bodies of these functions are their docstrings.

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self

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
from .records import Buffer as Buffer
from .records import ConninfoOption, PGnotify, PGresAttDesc
from .records import Pointer as Pointer


class PGresult(Protocol):
    """A result of libpq's: its status, its rows, or its error.

    Values are copies: they stay good when the result is cleared. A cleared result has no rows, no
    columns and no error.

    The pointer owns libpq's result. Whoever reads holds the pointer, so that nothing is freed that
    is being read, whichever thread clears or drops this.
    """

    def clear(self) -> None:
        """Free the memory of the result. A second time does nothing.

        Where Python counts no references (PyPy) it is freed a little later.
        """

    @property
    def pgresult_ptr(self) -> int | None:
        """The address of libpq's PGresult, None when cleared."""

    @property
    def status(self) -> ExecStatus:
        """What the result is. FATAL_ERROR when cleared."""

    @property
    def error_message(self) -> bytes:
        """libpq's message, severity included; empty when there is no error."""

    def get_error_message(self, encoding: str = "utf-8") -> str:
        """The message as text, without the severity and blanks around it."""

    def error_field(self, fieldcode: int) -> bytes | None:
        """A field of the error or notice (see DiagnosticField); None when it has no such field."""

    @property
    def ntuples(self) -> int:
        """The number of rows."""

    @property
    def nfields(self) -> int:
        """The number of columns."""

    def fname(self, column_number: int) -> bytes | None:
        """The name of a column, from 0; None when there is no such column."""

    def ftable(self, column_number: int) -> int:
        """The oid of the table that a column comes from; 0 when it is computed."""

    def ftablecol(self, column_number: int) -> int:
        """The number, from 1, of the column in its table; 0 when it is computed."""

    def fformat(self, column_number: int) -> int:
        """The format of a column's values: 0 text, 1 binary."""

    def ftype(self, column_number: int) -> int:
        """The oid of a column's type."""

    def fmod(self, column_number: int) -> int:
        """The type modifier of a column; -1 when it has none."""

    def fsize(self, column_number: int) -> int:
        """The size of a column's type in the server's memory, in bytes; negative when it varies."""

    @property
    def binary_tuples(self) -> int:
        """1 when all columns are binary, else 0. In COPY: the format of the whole."""

    def get_value(self, row_number: int, column_number: int) -> bytes | None:
        """A value, as a copy; None for SQL's NULL, and for a row or column that isn't there."""

    def get_column(self, column_number: int, row0: int, row1: int) -> list[bytes | None]:
        """The values of a column from `row0` to before `row1`, each as `get_value` gives it.

        Where there are many, one costs a tenth (cffi) to a half (ctypes) of what it costs alone.
        """

    def get_ints(self, column_number: int, row0: int, row1: int) -> list[int] | None:
        """The values of a column of text as integers, without making bytes of them first.

        None if they aren't all plain integers of 18 digits at most, or one is NULL; always with
        ctypes. By cffi it takes a tenth of what ``map(int, column)`` takes.
        """

    def column(self, column_number: int, row0: int, row1: int) -> tuple[list[bytes | None], bool]:
        """What `get_column()` gives, and whether there may be a None among it."""

    @property
    def nparams(self) -> int:
        """The number of parameters, in the description of a prepared statement."""

    def param_type(self, param_number: int) -> int:
        """The oid of a parameter's type, from 0, in the description of a prepared statement."""

    @property
    def command_status(self) -> bytes | None:
        """The command tag, such as b"INSERT 0 1"; None when cleared."""

    @property
    def command_tuples(self) -> int | None:
        """How many rows the command touched; None when it isn't one that does."""

    @property
    def oid_value(self) -> int:
        """The oid of the row inserted, where rows have oids; else 0."""

    def set_attributes(self, descriptions: Sequence[PGresAttDesc]) -> None:
        """Describe the columns of a result made by `make_empty_result`.

        Raises:
            OperationalError: libpq refuses: the result has columns already, or is cleared.
        """


class PGcancel(Protocol):
    """What cancels a connection's command, from any thread. The request isn't encrypted."""

    @property
    def pgcancel_ptr(self) -> int | None:
        """The address of libpq's PGcancel, None when freed."""

    def free(self) -> None:
        """Free the memory of the object. A second time does nothing."""

    def cancel(self) -> None:
        """Send the request, and wait until the server has it: not until the command has stopped."""


class PGcancelConn(Protocol):
    """A connection that carries a cancel request, encrypted as the one it cancels. libpq 17."""

    @property
    def pgcancelconn_ptr(self) -> int | None:
        """The address of libpq's PGcancelConn, None when finished."""

    def start(self) -> None:
        """Begin to send the request: go on with `poll`."""

    def blocking(self) -> None:
        """Send the request, and wait until the server has it."""

    def poll(self) -> PollingStatus:
        """Take the next step; says what to wait for before the one after."""

    @property
    def status(self) -> ConnStatus:
        """What the cancel connection is at; BAD when finished."""

    @property
    def socket(self) -> int:
        """The file descriptor of the cancel connection. It may change while connecting.

        Raises:
            OperationalError: there is none.
        """

    @property
    def error_message(self) -> bytes:
        """libpq's last message about the cancel connection."""

    def get_error_message(self, encoding: str = "utf-8") -> str:
        """The last message as text, without the severity and blanks around it."""

    def reset(self) -> None:
        """Make the object ready for another request."""

    def finish(self) -> None:
        """Close the cancel connection. A second time does nothing."""


class PGconn(Protocol):
    """A connection of libpq's.

    After `finish()` whatever needs the connection raises OperationalError; `status`,
    `transaction_status`, `pipeline_status`, `error_message`, `nonblocking` and the questions about
    passwords still answer, as libpq does without a connection.

    Attributes:
        notice_handler: called with a PGresult for each notice, inside the libpq call that received
            it; the result is good until it returns. What it, or a signal's handler meanwhile, raises
            is raised by the next call on the connection. None: notices are dropped.
        notify_handler: called by `generators.notifies_gen` with each PGnotify; libpq never calls it.
    """

    notice_handler: Callable[[Any], object] | None
    notify_handler: Callable[[PGnotify], object] | None

    @classmethod
    def connect(cls, conninfo: Buffer) -> Self:
        """Connect, and wait for it. Look at `status` then: a failure doesn't raise."""

    @classmethod
    def connect_start(cls, conninfo: Buffer) -> Self:
        """Begin to connect: go on with `connect_poll`, unless `status` is BAD."""

    def connect_poll(self) -> PollingStatus:
        """Take the next step of connecting; says what to wait for before the one after."""

    def finish(self) -> None:
        """Close the connection. A second time does nothing.

        From another thread, or from a notice handler, while a call is under way: every later call
        fails at once, and libpq's connection closes when the call returns.
        """

    @property
    def pgconn_ptr(self) -> int | None:
        """The address of libpq's PGconn, None when closed."""

    def reset(self) -> None:
        """Close the connection and make it anew, and wait for it."""

    def reset_start(self) -> None:
        """Close the connection and begin to make it anew: go on with `reset_poll`."""

    def reset_poll(self) -> PollingStatus:
        """Take the next step of connecting anew."""

    @classmethod
    def ping(cls, conninfo: Buffer) -> Ping:
        """Whether the server can be reached; no name or password need be right."""

    @property
    def info(self) -> list[ConninfoOption]:
        """The options in force, the password among them."""

    @property
    def db(self) -> bytes:
        """The name of the database."""

    @property
    def user(self) -> bytes:
        """The name of the user."""

    @property
    def password(self) -> bytes:
        """The password used."""

    @property
    def host(self) -> bytes:
        """The host connected to, or the directory of the socket."""

    @property
    def hostaddr(self) -> bytes:
        """The address of the host connected to; empty for a Unix socket."""

    @property
    def port(self) -> bytes:
        """The port connected to."""

    @property
    def tty(self) -> bytes:
        """Empty: servers no longer have it."""

    @property
    def options(self) -> bytes:
        """The command-line options sent to the server at the start."""

    @property
    def status(self) -> ConnStatus:
        """What the connection is at; BAD when closed."""

    @property
    def transaction_status(self) -> TransactionStatus:
        """What transaction the session is in; UNKNOWN when closed."""

    def parameter_status(self, name: Buffer) -> bytes | None:
        """A setting that the server reports, such as b"client_encoding"; None for others."""

    @property
    def error_message(self) -> bytes:
        """libpq's last message about the connection, severity included.

        It may quote the connection string, password and all: `get_error_message` doesn't.
        """

    def get_error_message(self, encoding: str = "utf-8") -> str:
        """The last message as text, without the severity, blanks around it, and passwords."""

    @property
    def protocol_version(self) -> int:
        """The major version of the protocol: 3, or 0 before the connection is made."""

    @property
    def full_protocol_version(self) -> int:
        """The version of the protocol: 30000 for 3.0, 30002 for 3.2. libpq 18."""

    @property
    def server_version(self) -> int:
        """The version of the server: 180004 for 18.4; 0 when the connection is bad."""

    @property
    def socket(self) -> int:
        """The file descriptor of the connection. It may change while connecting.

        Raises:
            OperationalError: there is none: the connection is closed, failed, or lost.
        """

    @property
    def backend_pid(self) -> int:
        """The process id of the server's backend."""

    @property
    def needs_password(self) -> bool:
        """Whether the server asked for a password and there was none."""

    @property
    def used_password(self) -> bool:
        """Whether the server asked for a password and got one."""

    @property
    def used_gssapi(self) -> bool:
        """Whether the user was authenticated by GSSAPI. libpq 16."""

    @property
    def ssl_in_use(self) -> bool:
        """Whether the connection goes through TLS."""

    def ssl_attribute(self, name: Buffer) -> bytes | None:
        """A fact of the TLS in use: b"protocol", b"cipher", b"library"; None if there is none."""

    @property
    def gss_encrypted(self) -> bool:
        """Whether the connection is encrypted by GSSAPI."""

    def make_empty_result(self, exec_status: int) -> PGresult:
        """A result of our own, with the connection's message if the status is an error."""

    @property
    def pipeline_status(self) -> PipelineStatus:
        """Whether the connection is in pipeline mode; OFF when closed."""

    def enter_pipeline_mode(self) -> None:
        """Send commands from now on without waiting for each one's answer."""

    def exit_pipeline_mode(self) -> None:
        """Leave pipeline mode, all its results having been read."""

    def pipeline_sync(self) -> None:
        """Send a sync: the commands since the last are one transaction; then flush."""

    def send_pipeline_sync(self) -> None:
        """As `pipeline_sync`, without flushing. libpq 17."""

    def send_flush_request(self) -> None:
        """Ask the server to send the results it has, without a sync."""

    def put_copy_data(self, buffer: Buffer) -> int:
        """Send some of COPY's data: 1, or 0 when it has to wait for `flush`."""

    def put_copy_end(self, error: Buffer | None = None) -> int:
        """Send that COPY's data is complete, or why it never will be; as `put_copy_data`."""

    def get_copy_data(self, async_: int) -> tuple[int, memoryview]:
        """Receive a row of COPY's data: its length and itself.

        The length is 0 when there is no row yet (with `async_`), -1 after the last: go on with
        `get_result` then.
        """

    def get_cancel(self) -> PGcancel:
        """What cancels, in any thread, the command under way."""

    def cancel_conn(self) -> PGcancelConn:
        """A connection that cancels the command under way, safely and without waiting. libpq 17."""

    def notifies(self) -> PGnotify | None:
        """The next notification that `consume_input` has read, if any."""

    def trace(self, fileno: int) -> None:
        """Write what is sent and received to a file descriptor, which stays yours.

        Raises:
            NotSupportedError: on Windows, where libpq's streams aren't ours.
        """

    def set_trace_flags(self, flags: Trace) -> None:
        """Leave some things out of the trace; after `trace`."""

    def untrace(self) -> None:
        """Stop tracing; what was written is flushed."""

    def encrypt_password(
        self, passwd: Buffer, user: Buffer, algorithm: Buffer | None = None
    ) -> bytes:
        """A password as ALTER USER may be given it, so that the server never sees it.

        Args:
            algorithm: b"scram-sha-256" or b"md5"; None for the server's choice, which asks it.
        """

    def change_password(self, user: Buffer, passwd: Buffer) -> None:
        """Change a user's password; the server gets it encrypted. libpq 17."""

    def exec_(self, command: Buffer) -> PGresult:
        """Run a query, or several separated by semicolons, whose last result is returned."""

    def exec_params(
        self,
        command: Buffer,
        param_values: Sequence[Buffer | None] | None,
        param_types: Sequence[int] | None = None,
        param_formats: Sequence[int] | None = None,
        result_format: int = Format.TEXT,
    ) -> PGresult:
        """Run a query with parameters ($1, $2...); see `send_query_params`."""

    def prepare(
        self, name: Buffer, command: Buffer, param_types: Sequence[int] | None = None
    ) -> PGresult:
        """Prepare a statement; see `send_prepare`."""

    def exec_prepared(
        self,
        name: Buffer,
        param_values: Sequence[Buffer | None] | None,
        param_formats: Sequence[int] | None = None,
        result_format: int = Format.TEXT,
    ) -> PGresult:
        """Run a prepared statement; see `send_query_prepared`."""

    def describe_prepared(self, name: Buffer) -> PGresult:
        """Ask for the parameters and columns of a prepared statement."""

    def describe_portal(self, name: Buffer) -> PGresult:
        """Ask for the columns of a portal, which a cursor of SQL is."""

    def close_prepared(self, name: Buffer) -> PGresult:
        """Close a prepared statement; one that isn't there is no error. libpq 17."""

    def close_portal(self, name: Buffer) -> PGresult:
        """Close a portal; one that isn't there is no error. libpq 17."""

    def send_query(self, command: Buffer) -> None:
        """Send a query, or several separated by semicolons."""

    def send_query_params(
        self,
        command: Buffer,
        param_values: Sequence[Buffer | None] | None,
        param_types: Sequence[int] | None = None,
        param_formats: Sequence[int] | None = None,
        result_format: int = Format.TEXT,
    ) -> None:
        """Send one query, with parameters ($1, $2...).

        Args:
            param_values: a value for each parameter, None for SQL's NULL.
            param_types: an oid for each; 0, or no list, leaves it to the server.
            param_formats: a Format for each; no list means text.
            result_format: the Format of all columns.
        """

    def send_prepare(
        self, name: Buffer, command: Buffer, param_types: Sequence[int] | None = None
    ) -> None:
        """Send a statement to prepare.

        Args:
            name: the statement's; empty for the unnamed one.
            param_types: the oids of the first parameters; 0, or none, leaves it to the server.
        """

    def send_query_prepared(
        self,
        name: Buffer,
        param_values: Sequence[Buffer | None] | None,
        param_formats: Sequence[int] | None = None,
        result_format: int = Format.TEXT,
    ) -> None:
        """Send a prepared statement's name and parameters, to run it."""

    def send_query_unchecked(self, query: bytes) -> int:
        """Send a query that has been checked; returns what to wait for before `advance`."""

    def send_query_params_unchecked(
        self,
        query: bytes,
        values: Sequence[bytes | None],
        types: Sequence[int] | None,
        lengths: Sequence[int] | None,
        formats: Sequence[int] | None,
        result_format: int,
    ) -> int:
        """Send a query with parameters that have been checked; returns what to wait for.

        Args:
            types: as many oids as there are values, in a tuple best; empty or None leaves all to
                the server.
            lengths: of each value, any int for None; None when all values are text.
            formats: of each value; not looked at when `lengths` is None.
        """

    def send_prepare_unchecked(self, name: bytes, query: bytes, types: Sequence[int] | None) -> int:
        """Send a statement to prepare that has been checked; returns what to wait for."""

    def send_query_prepared_unchecked(
        self,
        name: bytes,
        values: Sequence[bytes | None],
        lengths: Sequence[int] | None,
        formats: Sequence[int] | None,
        result_format: int,
    ) -> int:
        """Send a prepared statement's name and parameters that have been checked, as above."""

    def send_describe_prepared(self, name: Buffer) -> None:
        """Send the question for a prepared statement's parameters and columns."""

    def send_describe_portal(self, name: Buffer) -> None:
        """Send the question for a portal's columns."""

    def send_close_prepared(self, name: Buffer) -> None:
        """Send that a prepared statement is to be closed. libpq 17."""

    def send_close_portal(self, name: Buffer) -> None:
        """Send that a portal is to be closed. libpq 17."""

    def advance(self, results: list[Any], ready: int) -> int:
        """Take a conversation's next step: send, read, append the complete results to `results`.

        Never waits on a non-blocking connection. The server's errors are results.

        Args:
            results: the command's. What has arrived is there even if this raises.
            ready: the `Ready` bits that the descriptor was waited for with: 1 readable, 2 writable;
                0 if an interval passed in silence, in which TLS may hold back what it has read.
                Pass 2 at first, when nothing has been waited for yet.

        Returns:
            The `Wait` bits of what to wait for next: 1 to read, 3 to read and write. 0 when the
            command is answered: libpq gave NULL, or a result after which it has none of this
            command for now (PIPELINE_SYNC, COPY_IN, COPY_OUT, COPY_BOTH). In a pipeline there may
            be something left to send then.

        Raises:
            OperationalError: the link is lost.
        """

    def get_result(self) -> PGresult | None:
        """The next result, None after a command's last. Waits unless `is_busy` said 0."""

    def consume_input(self) -> None:
        """Read what the server has sent, without waiting for it."""

    def is_busy(self) -> int:
        """1 when `get_result` would wait, else 0."""

    @property
    def nonblocking(self) -> int:
        """1 when sending never waits, else 0: then see `flush`."""

    @nonblocking.setter
    def nonblocking(self, on: int) -> None: ...

    def flush(self) -> int:
        """Send what waits to be sent: 0 when all of it went, 1 when some is left."""

    def set_single_row_mode(self) -> None:
        """Ask, right after sending a query, for a result of its own for each row."""

    def set_chunked_rows_mode(self, size: int) -> None:
        """Ask, right after sending a query, for a result for each `size` rows. libpq 17."""


class Conninfo(Protocol):
    """Connection strings as libpq reads them."""

    @classmethod
    def get_defaults(cls) -> list[ConninfoOption]:
        """Every option, with the value it has when a connection string doesn't mention it."""

    @classmethod
    def parse(cls, conninfo: Buffer) -> list[ConninfoOption]:
        """Every option, with the value that the connection string gives it, or None.

        Raises:
            OperationalError: libpq doesn't understand it. The message shows no password.
            ProgrammingError: there is a NUL byte in it.
        """


class Escaping(Protocol):
    """libpq's escaping functions.

    Args:
        conn: the connection that the query will go through: the result depends on its encoding and
            settings. `escape_literal` and `escape_identifier` need one.
    """

    def escape_literal(self, data: Buffer) -> bytes:
        """A string as an SQL literal, quotes included.

        Raises:
            DataError: it isn't text of the connection's encoding, or there is a NUL byte.
        """

    def escape_identifier(self, data: Buffer) -> bytes:
        """A string as an SQL identifier, quotes included.

        Raises:
            DataError: as `escape_literal`.
        """

    def escape_string(self, data: Buffer) -> bytes:
        """A string as the inside of an SQL literal, without the quotes.

        Without a connection libpq uses the settings of the connection made last, or its defaults.

        Raises:
            DataError: as `escape_literal`.
        """

    def escape_bytea(self, data: Buffer) -> bytes:
        """Binary data as the inside of an SQL literal of type bytea, without the quotes."""

    def unescape_bytea(self, data: Buffer) -> bytes:
        """The binary data that the server's text for a bytea means."""
