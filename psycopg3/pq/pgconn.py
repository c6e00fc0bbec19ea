"""PGconn: one connection of libpq, every call it offers. Bytes go in and come out."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Generator
from typing import Any, ClassVar, Self

from ..errors import NotSupportedError, OperationalError
from . import arguments, copies, misc
from .binding import lib, memory
from .cancel import PGcancel, PGcancelConn
from .commands import Commands
from .enums import (
    ConnStatus,
    ExecStatus,
    Members,
    Ping,
    PipelineStatus,
    PollingStatus,
    Trace,
    TransactionStatus,
)
from .messages import redact, severity_stripped
from .pgresult import PGresult
from .records import Buffer, ConninfoOption, PGnotify, Pointer

_CONN_STATUSES = Members(ConnStatus)
_POLLING_STATUSES = Members(PollingStatus)
_TRANSACTION_STATUSES = Members(TransactionStatus)
_PIPELINE_STATUSES = Members(PipelineStatus)
_PINGS = Members(Ping)


class PGconn(Commands):
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

    _release = staticmethod(lib.PQfinish)
    _closed_message = "the connection is closed"
    # Arguments of libpq's notice receiver that no connection has, with the list of whom they serve.
    _idle_receivers: ClassVar[list[tuple[Pointer, list[Any]]]] = []

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
        # Settings, as last told: to ask whether one is the same costs a fifth of copying it.
        self._reported: dict[bytes, bytes] = {}
        try:
            self._receiver = self._idle_receivers.pop()
        except IndexError:
            self._receiver = _made_receiver()
        self._receiver[1][:] = weakref.ref(self), self._interruptions
        lib.PQsetNoticeReceiver(pointer, memory.notice_receiver, self._receiver[0])

    def __repr__(self) -> str:
        return f"<psycopg3.pq.PGconn {misc.connection_summary(self)} at 0x{id(self):x}>"

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
            return cls(copies.allocated(owned[0], "a connection"), checked, owned)
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
        return copies.options(lib.PQconninfo(self._open()))

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
        if known is not None and memory.reports(self._ptr or self._open(), name, known):
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
        descriptor = lib.PQsocket(self._ptr or self._open())
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

    def make_empty_result(self, exec_status: int) -> PGresult:
        """A result of our own, with the connection's message if the status is an error."""
        pointer = lib.PQmakeEmptyPGresult(self._ptr, exec_status)
        return PGresult(memory.owned(copies.allocated(pointer, "a result")))

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
        return self._count("sending COPY data", lib.PQputCopyData, data, len(data))

    def put_copy_end(self, error: Buffer | None = None) -> int:
        """Send that COPY's data is complete, or why it never will be; as `put_copy_data`."""
        message = memory.NULL if error is None else arguments.text(error, "COPY error")
        return self._count("ending COPY", lib.PQputCopyEnd, message)

    def get_copy_data(self, async_: int) -> tuple[int, memoryview]:
        """Receive a row of COPY's data: its length and itself.

        The length is 0 when there is no row yet (with `async_`), -1 after the last: go on with
        `get_result` then.
        """
        row = memory.cell("char *")
        length = self._call(lib.PQgetCopyData, row, async_)
        if length == -2:
            raise self._failed("receiving COPY data failed")
        return length, memoryview(copies.take(row[0], length))

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
        return PGcancelConn(copies.allocated(pointer, "a cancel connection"))

    # Notices and notifications

    def notifies(self) -> PGnotify | None:
        """The next notification that `consume_input` has read, if any."""
        pointer = self._call(lib.PQnotifies)
        if not pointer:
            return None
        try:
            notify = pointer[0]
            channel, payload = memory.string(notify.relname), memory.string(notify.extra)
            return PGnotify(channel or b"", notify.be_pid, payload or b"")
        finally:
            lib.PQfreemem(pointer)

    def _receive_notice(self, pointer: Pointer) -> None:
        # Without a call under way it is the warning of a result, perhaps one of a former connection.
        if self.notice_handler is None or not self._calls:
            return
        result = PGresult(pointer)
        try:
            self.notice_handler(result)
        finally:
            # libpq's result is gone when this returns; whoever kept it holds a cleared one. Not by a
            # call, at whose beginning a signal's handler may raise.
            result._ptr = memory.NULL

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
        return copies.take(pointer)

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

    def _failed(self, what: str) -> OperationalError:
        return OperationalError(f"{what}: {self.get_error_message()}", pgconn=self)

    def _free(self) -> bool:
        # libpq may write to the trace to the last.
        freed = super()._free()
        if freed:
            self._idle_receivers.append(self._receiver)
            if self._stream:
                memory.close_stream(self._stream)
        return freed


def _made_receiver() -> tuple[Pointer, list[Any]]:
    """A new argument for libpq's notice receiver, and the list of whom it serves.

    libpq's results keep it beyond the end of their connection: so it is never freed, and serves one
    connection after the other.
    """
    serves: list[Any] = []
    receiver = _receive_notices(serves)
    next(receiver)
    return memory.notice_argument(receiver), serves


def _receive_notices(serves: list[Any]) -> Generator[None, Pointer, None]:
    """Take libpq's notices, and keep what is raised meanwhile, for C can't raise it.

    A signal's handler may raise wherever Python begins a function: there a generator is in its `try`
    already. The outer one is for a second signal, while the inner one ends.

    Args:
        serves: a weak reference to the connection, and its list of what is raised.
    """
    while True:
        try:
            while True:
                try:
                    _receive_notice((yield), serves[0])
                except GeneratorExit:
                    return
                except BaseException as ex:
                    serves[1].append(ex)
        except BaseException as ex:
            serves[1].append(ex)


def _receive_notice(pointer: Pointer, served: weakref.ref[PGconn]) -> None:
    conn = served()
    if conn is not None:
        conn._receive_notice(pointer)
