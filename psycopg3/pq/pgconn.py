"""PGconn: one connection of libpq, every call it offers. Bytes go in and come out."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from operator import index
from typing import Any, Self
from weakref import WeakValueDictionary

from ..errors import NotSupportedError, OperationalError
from . import arguments
from .abc import Buffer, Pointer
from .binding import lib, memory
from .cancel import PGcancel, PGcancelConn
from .enums import (
    ConnStatus,
    ExecStatus,
    Format,
    Members,
    Ping,
    PipelineStatus,
    PollingStatus,
    Trace,
    TransactionStatus,
)
from .handle import Handle
from .messages import redact, severity_stripped
from .pgresult import PGresult
from .records import ConninfoOption, PGnotify

_advance = memory.advance

_CONN_STATUSES = Members(ConnStatus)
_POLLING_STATUSES = Members(PollingStatus)
_TRANSACTION_STATUSES = Members(TransactionStatus)
_PIPELINE_STATUSES = Members(PipelineStatus)
_PINGS = Members(Ping)


class PGconn(Handle):
    """A connection of libpq's.

    After `finish()` whatever needs the connection raises OperationalError; `status`,
    `transaction_status`, `pipeline_status`, `error_message`, `nonblocking` and the questions about
    passwords still answer, as libpq does without a connection.

    Attributes:
        notice_handler: called with a PGresult for each notice, inside the libpq call that received
            it; the result is good until it returns. What it raises is logged; KeyboardInterrupt and
            its like are raised by the next call on the connection. None: notices are dropped.
        notify_handler: called by `generators.notifies_gen` with each PGnotify; libpq never calls it.
    """

    _release = staticmethod(lib.PQfinish)
    _closed_message = "the connection is closed"

    notice_handler: Callable[[PGresult], object] | None
    notify_handler: Callable[[PGnotify], object] | None

    def __init__(
        self, pointer: Pointer, conninfo: bytes = b"", owned: list[Pointer] | None = None
    ) -> None:
        super().__init__(pointer, owned)
        # To know a password when libpq quotes it in a message.
        self._conninfo = conninfo
        self.notice_handler = None
        self.notify_handler = None
        self._stream: Pointer = memory.NULL
        self._found: Pointer = memory.found()
        # Settings, as last told: to ask whether one is the same costs a fifth of copying it.
        self._reported: dict[bytes, bytes] = {}
        # libpq gets a number, never a reference: a connection that is gone is just not found.
        key = next(_keys)
        _receivers[key] = self
        lib.PQsetNoticeReceiver(pointer, _notice_receiver, memory.notice_key(key))

    def __repr__(self) -> str:
        if not self._ptr or self.status != ConnStatus.OK:
            state, place = self.status.name, ""
        else:
            state = self.transaction_status.name
            place = f" (database={(self.db or b'').decode('utf-8', 'replace')})"
        return f"<psycopg3.pq.PGconn [{state}]{place} at 0x{id(self):x}>"

    # Connecting and closing

    @classmethod
    def connect(cls, conninfo: Buffer) -> Self:
        """Connect, and wait for it. Look at `status` then: a failure doesn't raise."""
        return cls._made(lib.PQconnectdb, conninfo)

    @classmethod
    def connect_start(cls, conninfo: Buffer) -> Self:
        """Begin to connect: go on with `connect_poll`, unless `status` is BAD."""
        return cls._made(lib.PQconnectStart, conninfo)

    @classmethod
    def _made(cls, function: Callable[[bytes], Pointer], conninfo: Buffer) -> Self:
        checked = arguments.conninfo(conninfo)
        owned: list[Pointer] = []
        try:
            # One step of C: a signal's handler may raise as soon as the call is over, which takes
            # much of an attempt, and its connection would be lost, socket and all.
            owned.extend(map(function, (checked,)))
            if not owned[0]:
                raise MemoryError("libpq couldn't allocate a connection")
            return cls(owned[0], checked, owned)
        except BaseException:
            while owned:
                lib.PQfinish(owned.pop())
            raise

    def connect_poll(self) -> PollingStatus:
        """Take the next step of connecting; says what to wait for before the one after."""
        return _POLLING_STATUSES[self._call(lib.PQconnectPoll)]

    def finish(self) -> None:
        """Close the connection. A second time does nothing.

        From another thread, or from a notice handler, while a call is under way: every later call
        fails at once, and libpq's connection closes when the call returns.
        """
        self._close()

    @property
    def pgconn_ptr(self) -> int | None:
        """The address of libpq's PGconn, None when closed."""
        return memory.address(self._ptr)

    def reset(self) -> None:
        """Close the connection and make it anew, and wait for it."""
        self._call(lib.PQreset)

    def reset_start(self) -> None:
        """Close the connection and begin to make it anew: go on with `reset_poll`."""
        if not self._call(lib.PQresetStart):
            raise self._failed("couldn't reset the connection")

    def reset_poll(self) -> PollingStatus:
        """Take the next step of connecting anew."""
        return _POLLING_STATUSES[self._call(lib.PQresetPoll)]

    @classmethod
    def ping(cls, conninfo: Buffer) -> Ping:
        """Whether the server can be reached; no name or password need be right."""
        return _PINGS[lib.PQping(arguments.conninfo(conninfo))]

    # What the connection is

    @property
    def info(self) -> list[ConninfoOption]:
        """The options in force, the password among them."""
        return memory.options(lib.PQconninfo(self._open()))

    @property
    def db(self) -> bytes:
        """The name of the database."""
        return self._text(lib.PQdb)

    @property
    def user(self) -> bytes:
        """The name of the user."""
        return self._text(lib.PQuser)

    @property
    def password(self) -> bytes:
        """The password used."""
        return self._text(lib.PQpass)

    @property
    def host(self) -> bytes:
        """The host connected to, or the directory of the socket."""
        return self._text(lib.PQhost)

    @property
    def hostaddr(self) -> bytes:
        """The address of the host connected to; empty for a Unix socket."""
        return self._text(lib.PQhostaddr)

    @property
    def port(self) -> bytes:
        """The port connected to."""
        return self._text(lib.PQport)

    @property
    def tty(self) -> bytes:
        """Empty: servers no longer have it."""
        return self._text(lib.PQtty)

    @property
    def options(self) -> bytes:
        """The command-line options sent to the server at the start."""
        return self._text(lib.PQoptions)

    @property
    def status(self) -> ConnStatus:
        """What the connection is at; BAD when closed."""
        return _CONN_STATUSES[lib.PQstatus(self._ptr)]

    @property
    def transaction_status(self) -> TransactionStatus:
        """What transaction the session is in; UNKNOWN when closed."""
        return _TRANSACTION_STATUSES[lib.PQtransactionStatus(self._ptr)]

    def parameter_status(self, name: Buffer) -> bytes | None:
        """A setting that the server reports, such as b"client_encoding"; None for others."""
        if type(name) is not bytes:
            name = arguments.text(name, "parameter name")
        known = self._reported.get(name)
        if known is not None and memory.reports(self._open(), name, known):
            return known
        checked = arguments.text(name, "parameter name")
        value = lib.PQparameterStatus(self._open(), checked)
        if value is not None:
            self._reported[checked] = value
        return value

    @property
    def error_message(self) -> bytes:
        """libpq's last message about the connection, severity included.

        It may quote the connection string, password and all: `get_error_message` doesn't.
        """
        return lib.PQerrorMessage(self._ptr) or b""

    def get_error_message(self, encoding: str = "utf-8") -> str:
        """The last message as text, without the severity, blanks around it, and passwords."""
        message = severity_stripped(self.error_message, encoding)
        # A connection that came up has no connection string to quote any more.
        return message if self.status == ConnStatus.OK else redact(message, self._conninfo)

    @property
    def protocol_version(self) -> int:
        """The major version of the protocol: 3, or 0 before the connection is made."""
        return lib.PQprotocolVersion(self._open())

    @property
    def full_protocol_version(self) -> int:
        """The version of the protocol: 30000 for 3.0, 30002 for 3.2. libpq 18."""
        return lib.PQfullProtocolVersion(self._open())

    @property
    def server_version(self) -> int:
        """The version of the server: 180004 for 18.4; 0 when the connection is bad."""
        return lib.PQserverVersion(self._open())

    @property
    def socket(self) -> int:
        """The file descriptor of the connection. It may change while connecting.

        Raises:
            OperationalError: there is none: the connection is closed, failed, or lost.
        """
        descriptor = lib.PQsocket(self._open())
        if descriptor < 0:
            raise OperationalError("the connection is lost", pgconn=self)
        return descriptor

    @property
    def backend_pid(self) -> int:
        """The process id of the server's backend."""
        return lib.PQbackendPID(self._open())

    @property
    def needs_password(self) -> bool:
        """Whether the server asked for a password and there was none."""
        return bool(lib.PQconnectionNeedsPassword(self._ptr))

    @property
    def used_password(self) -> bool:
        """Whether the server asked for a password and got one."""
        return bool(lib.PQconnectionUsedPassword(self._ptr))

    @property
    def used_gssapi(self) -> bool:
        """Whether the user was authenticated by GSSAPI. libpq 16."""
        return bool(lib.PQconnectionUsedGSSAPI(self._ptr))

    @property
    def ssl_in_use(self) -> bool:
        """Whether the connection goes through TLS."""
        return bool(lib.PQsslInUse(self._open()))

    def ssl_attribute(self, name: Buffer) -> bytes | None:
        """A fact of the TLS in use: b"protocol", b"cipher", b"library"; None if there is none."""
        return lib.PQsslAttribute(self._open(), arguments.text(name, "attribute name"))

    @property
    def gss_encrypted(self) -> bool:
        """Whether the connection is encrypted by GSSAPI."""
        return bool(lib.PQgssEncInUse(self._open()))

    # Commands that wait for their result

    def exec_(self, command: Buffer) -> PGresult:
        """Run a query, or several separated by semicolons, whose last result is returned."""
        return self._result("executing the query", lib.PQexec, arguments.text(command, "query"))

    def exec_params(
        self,
        command: Buffer,
        param_values: Sequence[Buffer | None] | None,
        param_types: Sequence[int] | None = None,
        param_formats: Sequence[int] | None = None,
        result_format: int = Format.TEXT,
    ) -> PGresult:
        """Run a query with parameters ($1, $2...); see `send_query_params`."""
        query = arguments.text(command, "query")
        given = _query_arguments(param_values, param_types, param_formats, result_format)
        return self._result("executing the query", lib.PQexecParams, query, *given)

    def prepare(
        self, name: Buffer, command: Buffer, param_types: Sequence[int] | None = None
    ) -> PGresult:
        """Prepare a statement; see `send_prepare`."""
        given = _prepare_arguments(name, command, param_types)
        return self._result("preparing the statement", lib.PQprepare, *given)

    def exec_prepared(
        self,
        name: Buffer,
        param_values: Sequence[Buffer | None] | None,
        param_formats: Sequence[int] | None = None,
        result_format: int = Format.TEXT,
    ) -> PGresult:
        """Run a prepared statement; see `send_query_prepared`."""
        statement = arguments.text(name, "statement name")
        given = _prepared_arguments(param_values, param_formats, result_format)
        return self._result("executing the statement", lib.PQexecPrepared, statement, *given)

    def describe_prepared(self, name: Buffer) -> PGresult:
        """Ask for the parameters and columns of a prepared statement."""
        statement = arguments.text(name, "statement name")
        return self._result("describing the statement", lib.PQdescribePrepared, statement)

    def describe_portal(self, name: Buffer) -> PGresult:
        """Ask for the columns of a portal, which a cursor of SQL is."""
        portal = arguments.text(name, "portal name")
        return self._result("describing the portal", lib.PQdescribePortal, portal)

    def close_prepared(self, name: Buffer) -> PGresult:
        """Close a prepared statement; one that isn't there is no error. libpq 17."""
        statement = arguments.text(name, "statement name")
        return self._result("closing the statement", lib.PQclosePrepared, statement)

    def close_portal(self, name: Buffer) -> PGresult:
        """Close a portal; one that isn't there is no error. libpq 17."""
        portal = arguments.text(name, "portal name")
        return self._result("closing the portal", lib.PQclosePortal, portal)

    # Commands sent now and answered by get_result

    def send_query(self, command: Buffer) -> None:
        """Send a query, or several separated by semicolons."""
        self.send_query_unchecked(arguments.text(command, "query"))

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
        query = arguments.text(command, "query")
        values, lengths = arguments.parameters(param_values or (), param_types, param_formats)
        form = index(result_format)
        self.send_query_params_unchecked(query, values, param_types, lengths, param_formats, form)

    def send_prepare(
        self, name: Buffer, command: Buffer, param_types: Sequence[int] | None = None
    ) -> None:
        """Send a statement to prepare.

        Args:
            name: the statement's; empty for the unnamed one.
            param_types: the oids of the first parameters; 0, or none, leaves it to the server.
        """
        statement, query = arguments.text(name, "statement name"), arguments.text(command, "query")
        arguments.counted(param_types)
        self.send_prepare_unchecked(statement, query, param_types)

    def send_query_prepared(
        self,
        name: Buffer,
        param_values: Sequence[Buffer | None] | None,
        param_formats: Sequence[int] | None = None,
        result_format: int = Format.TEXT,
    ) -> None:
        """Send a prepared statement's name and parameters, to run it."""
        statement = arguments.text(name, "statement name")
        values, lengths = arguments.parameters(param_values or (), None, param_formats)
        form = index(result_format)
        self.send_query_prepared_unchecked(statement, values, lengths, param_formats, form)

    # The same for requests whose parts have been checked, as in `arguments`, by whoever made them.
    # They return the `Wait` bits of what to wait for: 1 for the answer, 3 if there is something left
    # to send too, as there may be in a pipeline, where nothing is flushed.

    def send_query_unchecked(self, query: bytes) -> int:
        """Send a query that has been checked; returns what to wait for before `advance`."""
        return self._sent("query", self._call(memory.send_query, query))

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
            lengths: of each value, whatever for None; None when all values are text.
            formats: of each value; not looked at when `lengths` is None.
        """
        given = query, False, values, types, lengths, formats, result_format
        return self._sent("query", self._call(memory.send_parameters, *given))

    def send_prepare_unchecked(self, name: bytes, query: bytes, types: Sequence[int] | None) -> int:
        """Send a statement to prepare that has been checked; returns what to wait for: 3."""
        count = len(types) if types else 0
        self._send(
            "sending the statement", lib.PQsendPrepare, name, query, count, memory.oids(types)
        )
        return 3

    def send_query_prepared_unchecked(
        self,
        name: bytes,
        values: Sequence[bytes | None],
        lengths: Sequence[int] | None,
        formats: Sequence[int] | None,
        result_format: int,
    ) -> int:
        """Send a prepared statement's name and parameters that have been checked, as above."""
        given = name, True, values, None, lengths, formats, result_format
        return self._sent("statement", self._call(memory.send_parameters, *given))

    def _sent(self, what: str, wait: int) -> int:
        if not wait:
            raise self._failed(f"sending the {what} failed")
        return wait

    def send_describe_prepared(self, name: Buffer) -> None:
        """Send the question for a prepared statement's parameters and columns."""
        statement = arguments.text(name, "statement name")
        self._send("asking for the statement", lib.PQsendDescribePrepared, statement)

    def send_describe_portal(self, name: Buffer) -> None:
        """Send the question for a portal's columns."""
        portal = arguments.text(name, "portal name")
        self._send("asking for the portal", lib.PQsendDescribePortal, portal)

    def send_close_prepared(self, name: Buffer) -> None:
        """Send that a prepared statement is to be closed. libpq 17."""
        statement = arguments.text(name, "statement name")
        self._send("closing the statement", lib.PQsendClosePrepared, statement)

    def send_close_portal(self, name: Buffer) -> None:
        """Send that a portal is to be closed. libpq 17."""
        portal = arguments.text(name, "portal name")
        self._send("closing the portal", lib.PQsendClosePortal, portal)

    def advance(self, results: list[PGresult], ready: int) -> int:
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
        wanted: int = self._call(_advance, ready, self._found, results, PGresult)
        if wanted < 0:
            raise self._failed("flushing failed" if wanted == -1 else "consuming input failed")
        return wanted

    def get_result(self) -> PGresult | None:
        """The next result, None after a command's last. Waits unless `is_busy` said 0."""
        pointer = self._call(lib.PQgetResult)
        return PGresult(memory.owned(pointer)) if pointer else None

    def consume_input(self) -> None:
        """Read what the server has sent, without waiting for it."""
        if not self._call(lib.PQconsumeInput):
            raise self._failed("consuming input failed")

    def is_busy(self) -> int:
        """1 when `get_result` would wait, else 0."""
        busy: int = self._call(lib.PQisBusy)
        return busy

    @property
    def nonblocking(self) -> int:
        """1 when sending never waits, else 0: then see `flush`."""
        return lib.PQisnonblocking(self._ptr)

    @nonblocking.setter
    def nonblocking(self, on: int) -> None:
        if self._call(lib.PQsetnonblocking, int(on)) < 0:
            raise self._failed("setting the connection non-blocking failed")

    def flush(self) -> int:
        """Send what waits to be sent: 0 when all of it went, 1 when some is left."""
        left: int = self._call(lib.PQflush)
        if left < 0:
            raise self._failed("flushing failed")
        return left

    def set_single_row_mode(self) -> None:
        """Ask, right after sending a query, for a result of its own for each row."""
        if not lib.PQsetSingleRowMode(self._open()):
            raise OperationalError(
                "setting single-row mode failed: it is possible only right after sending a query",
                pgconn=self,
            )

    def set_chunked_rows_mode(self, size: int) -> None:
        """Ask, right after sending a query, for a result for each `size` rows. libpq 17."""
        if not lib.PQsetChunkedRowsMode(self._open(), size):
            raise OperationalError(
                f"setting chunked-rows mode of {size} rows failed: it is possible only right after"
                " sending a query, with 1 row or more",
                pgconn=self,
            )

    def make_empty_result(self, exec_status: int) -> PGresult:
        """A result of our own, with the connection's message if the status is an error."""
        pointer = lib.PQmakeEmptyPGresult(self._ptr, exec_status)
        if not pointer:
            raise MemoryError("libpq couldn't allocate a result")
        return PGresult(memory.owned(pointer))

    # Pipeline mode

    @property
    def pipeline_status(self) -> PipelineStatus:
        """Whether the connection is in pipeline mode; OFF when closed."""
        return _PIPELINE_STATUSES[lib.PQpipelineStatus(self._ptr)]

    def enter_pipeline_mode(self) -> None:
        """Send commands from now on without waiting for each one's answer."""
        if not lib.PQenterPipelineMode(self._open()):
            raise self._failed("entering pipeline mode failed")

    def exit_pipeline_mode(self) -> None:
        """Leave pipeline mode, all its results having been read."""
        self._send("leaving pipeline mode", lib.PQexitPipelineMode)

    def pipeline_sync(self) -> None:
        """Send a sync: the commands since the last are one transaction; then flush."""
        self._send("sending a pipeline sync", lib.PQpipelineSync)

    def send_pipeline_sync(self) -> None:
        """As `pipeline_sync`, without flushing. libpq 17."""
        self._send("sending a pipeline sync", lib.PQsendPipelineSync)

    def send_flush_request(self) -> None:
        """Ask the server to send the results it has, without a sync."""
        self._send("sending a flush request", lib.PQsendFlushRequest)

    # COPY

    def put_copy_data(self, buffer: Buffer) -> int:
        """Send some of COPY's data: 1, or 0 when it has to wait for `flush`."""
        data = arguments.data(buffer, "COPY data")
        sent: int = self._call(lib.PQputCopyData, data, len(data))
        if sent < 0:
            raise self._failed("sending COPY data failed")
        return sent

    def put_copy_end(self, error: Buffer | None = None) -> int:
        """Send that COPY's data is complete, or why it never will be; as `put_copy_data`."""
        message = memory.NULL if error is None else arguments.text(error, "COPY error")
        sent: int = self._call(lib.PQputCopyEnd, message)
        if sent < 0:
            raise self._failed("ending COPY failed")
        return sent

    def get_copy_data(self, async_: int) -> tuple[int, memoryview]:
        """Receive a row of COPY's data: its length and itself.

        The length is 0 when there is no row yet (with `async_`), -1 after the last: go on with
        `get_result` then.
        """
        length, row = self._call(memory.copy_data, async_)
        if length == -2:
            raise self._failed("receiving COPY data failed")
        return length, memoryview(row)

    # Cancelling

    def get_cancel(self) -> PGcancel:
        """What cancels, in any thread, the command under way."""
        pointer = lib.PQgetCancel(self._open())
        if not pointer:
            raise OperationalError("no cancel object could be made: the connection is bad")
        return PGcancel(pointer)

    def cancel_conn(self) -> PGcancelConn:
        """A connection that cancels the command under way, safely and without waiting. libpq 17."""
        pointer = lib.PQcancelCreate(self._open())
        if not pointer:
            raise MemoryError("libpq couldn't allocate a cancel connection")
        return PGcancelConn(pointer)

    # Notices and notifications

    def notifies(self) -> PGnotify | None:
        """The next notification that `consume_input` has read, if any."""
        return memory.notify(self._call(lib.PQnotifies))

    def _receive_notice(self, pointer: Pointer) -> None:
        handler = self.notice_handler
        if handler is None:
            return
        result = PGresult(pointer)
        try:
            handler(result)
        except Exception:
            import logging

            logging.getLogger("psycopg3").exception("the notice handler of %r failed", self)
        except BaseException as ex:
            self._interruption = ex
        finally:
            # libpq's result is gone when this returns; whoever kept it holds a cleared one.
            result.clear()

    # Tracing

    def trace(self, fileno: int) -> None:
        """Write what is sent and received to a file descriptor, which stays yours.

        Raises:
            NotSupportedError: on Windows, where libpq's streams aren't ours.
        """
        conn = self._open()
        if os.name == "nt":
            raise NotSupportedError("PGconn.trace() isn't available on Windows")
        self.untrace()
        self._stream = memory.open_stream(fileno)
        lib.PQtrace(conn, self._stream)

    def set_trace_flags(self, flags: Trace) -> None:
        """Leave some things out of the trace; after `trace`."""
        lib.PQsetTraceFlags(self._open(), int(flags))

    def untrace(self) -> None:
        """Stop tracing; what was written is flushed."""
        if not self._stream:
            return
        if self._ptr:
            self._call(lib.PQuntrace)
        stream, self._stream = self._stream, memory.NULL
        memory.close_stream(stream)

    # Passwords

    def encrypt_password(
        self, passwd: Buffer, user: Buffer, algorithm: Buffer | None = None
    ) -> bytes:
        """A password as ALTER USER may be given it, so that the server never sees it.

        Args:
            algorithm: b"scram-sha-256" or b"md5"; None for the server's choice, which asks it.
        """
        given = arguments.text(passwd, "password"), arguments.text(user, "user name")
        chosen = memory.NULL if algorithm is None else arguments.text(algorithm, "algorithm")
        pointer = self._call(lib.PQencryptPasswordConn, *given, chosen)
        if not pointer:
            raise self._failed("encrypting the password failed")
        return memory.take(pointer)

    def change_password(self, user: Buffer, passwd: Buffer) -> None:
        """Change a user's password; the server gets it encrypted. libpq 17."""
        given = arguments.text(user, "user name"), arguments.text(passwd, "password")
        result = self._result("changing the password", lib.PQchangePassword, *given)
        if result.status != ExecStatus.COMMAND_OK:
            raise OperationalError(
                f"changing the password failed: {result.get_error_message()}", pgconn=self
            )

    # The common part of the above

    def _text(self, function: Callable[[Pointer], bytes | None]) -> bytes:
        return function(self._open()) or b""

    def _send(self, doing: str, function: Callable[..., int], *given: Any) -> None:
        if not self._call(function, *given):
            raise self._failed(f"{doing} failed")

    def _result(self, doing: str, function: Callable[..., Pointer], *given: Any) -> PGresult:
        pointer = self._call(function, *given)
        if not pointer:
            raise self._failed(f"{doing} failed")
        return PGresult(memory.owned(pointer))

    def _failed(self, what: str) -> OperationalError:
        return OperationalError(f"{what}: {self.get_error_message()}", pgconn=self)

    def _free(self) -> bool:
        # libpq may write to the trace to the last.
        freed = super()._free()
        if freed and self._stream:
            memory.close_stream(self._stream)
        return freed


def _query_arguments(
    values: Sequence[Buffer | None] | None,
    types: Sequence[int] | None,
    formats: Sequence[int] | None,
    result_format: int,
) -> tuple[Any, ...]:
    checked, lengths = arguments.parameters(values or (), types, formats)
    given = memory.parameters(checked, lengths, formats)
    return (len(checked), memory.oids(types), *given, index(result_format))


def _prepared_arguments(
    values: Sequence[Buffer | None] | None, formats: Sequence[int] | None, result_format: int
) -> tuple[Any, ...]:
    checked, lengths = arguments.parameters(values or (), None, formats)
    return (len(checked), *memory.parameters(checked, lengths, formats), index(result_format))


def _prepare_arguments(
    name: Buffer, command: Buffer, types: Sequence[int] | None
) -> tuple[Any, ...]:
    statement, query = arguments.text(name, "statement name"), arguments.text(command, "query")
    return (statement, query, *arguments.counted(types), memory.oids(types))


# Connections by the number that libpq's notices come with.
_receivers: WeakValueDictionary[int, PGconn] = WeakValueDictionary()
_keys = itertools.count(1)


def _receive_notice(key: int, pointer: Pointer) -> None:
    conn = _receivers.get(key)
    if conn is not None:
        conn._receive_notice(pointer)


_notice_receiver = memory.notice_receiver(_receive_notice)
