"""Session: one server session, all that a connection decides without waiting.

`Session` is the lowest storey of a connection: the runner adds waiting to it, the shell the
verbs that users call. Its public name is `BaseConnection`. Everything that needs the server
is a generator, `x_gen`, that yields `(fd, Wait)`.
"""

from __future__ import annotations

import os
import sys
import warnings
import weakref
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, cast

from .. import errors as e
from ..adapt import AdaptersMap
from ..encodings import conn_encoding
from ..generators import arrived_notifies, notifies_gen, receive
from ..pq import ConnStatus, Escaping, PGconn, TransactionStatus
from ..waiting import WaitGen
from . import states
from .characteristics import Characteristics
from .endings import Ending
from .exchange import Exchange, Pending
from .info import ConnectionInfo
from .notices import Notices, check_channel, decoded, remove_handler
from .results import check_results
from .routes import Route
from .states import Operation, Phase

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from ..abc import AdaptContext, AdaptersMapLike
    from ..pq import PGresult
    from ..query import BoundQuery
    from ..rows import RowFactory
    from .notices import NoticeHandler, NotifyHandler


_AT_REST = frozenset({TransactionStatus.IDLE, TransactionStatus.INTRANS, TransactionStatus.INERROR})


class Session:
    """One server session: what `Connection` and `AsyncConnection` have in common."""

    # PEP 249's optional extension: the exceptions as attributes of a connection
    Warning: ClassVar = e.Warning
    Error: ClassVar = e.Error
    InterfaceError: ClassVar = e.InterfaceError
    DatabaseError: ClassVar = e.DatabaseError
    DataError: ClassVar = e.DataError
    OperationalError: ClassVar = e.OperationalError
    IntegrityError: ClassVar = e.IntegrityError
    InternalError: ClassVar = e.InternalError
    ProgrammingError: ClassVar = e.ProgrammingError
    NotSupportedError: ClassVar = e.NotSupportedError

    row_factory: RowFactory[Any]
    """What makes the rows of cursors that aren't told otherwise."""
    _route: Route = Route()
    """How the connection's links go: libpq's own, or a connector's."""

    def __init__(self, pgconn: PGconn):
        self.pgconn = pgconn
        """The libpq connection; use it for what this class doesn't offer."""
        self._exchange = Exchange(pgconn)
        self._blocks: list[weakref.ref[Any]] = []
        self._autocommit = False
        self._characteristics = Characteristics()
        """What BEGIN asks of the transactions to come."""
        self._adapters: AdaptersMap | None = None
        self._template: AdaptersMapLike | None = None
        self._closed = False
        self._lost = False
        self._lost_while: TransactionStatus | None = None
        self._loss_told = False
        self._notices = Notices()
        self._pid = os.getpid()
        self._close_handlers: list[Callable[[Self], object]] = []
        pgconn.notice_handler = _notice_receiver(weakref.ref(self._notices), weakref.ref(pgconn))

    def __del__(self, _finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        # A half-built object, or one inherited by fork, has nothing to warn of.
        try:
            if getattr(self, "_closed", True) or self._pid != os.getpid():
                return
            if getattr(self.pgconn, "status", ConnStatus.BAD) == ConnStatus.BAD:
                return
            warnings.warn(
                f"{self!r} was deleted while still open: call close(), or use it in a 'with' block",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )
        except (AttributeError, TypeError):
            if not _finalizing():  # the end of the program takes the modules away bit by bit
                raise

    def __repr__(self) -> str:
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        return f"<{name} {self._route.summary(self.pgconn)} at 0x{id(self):x}>"

    # -- what it is ------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether the connection can't be used any more, closed by either side."""
        return self._closed or self.pgconn.status == ConnStatus.BAD

    @property
    def broken(self) -> bool:
        """Whether the connection ended without `close()` being called."""
        return self._lost or (not self._closed and self.pgconn.status == ConnStatus.BAD)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, be it a failed one; also that of a command under way."""
        at_rest = (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)
        return self.pgconn.transaction_status not in at_rest

    @property
    def info(self) -> ConnectionInfo:
        """What the server and libpq tell about the connection."""
        return ConnectionInfo(self.pgconn, self._route)

    @property
    def adapters(self) -> AdaptersMap:
        """How this connection turns Python values into PostgreSQL's and back."""
        if self._adapters is None:
            from ..postgres import adapters

            self._adapters = AdaptersMap(cast("AdaptersMap", self._template or adapters))
        return self._adapters

    @property
    def connection(self) -> Session:
        """The connection itself: it is an adaptation context."""
        return self

    def _use_template(self, context: AdaptContext | None) -> None:
        """Start from another context's adapters instead of the global ones."""
        if context is None:
            return
        self._template = getattr(context, "adapters", None)
        if self._template is None:
            raise e.ProgrammingError(
                f"the context is of type {type(context).__name__}: expected something with adapters,"
                " such as a connection or an AdaptersMap"
            )

    def fileno(self) -> int:
        """The descriptor of the connection's socket, to wait on it.

        Raises:
            OperationalError: the connection is closed.
        """
        self._check(Operation.REFER, "fileno()")
        return self.pgconn.socket

    @property
    def encoding(self) -> str:
        """The Python codec of the connection's client_encoding."""
        return conn_encoding(self.pgconn)

    @property
    def _error_encoding(self) -> str:
        """The codec to read the server's errors by: an encoding that Python lacks is no obstacle."""
        try:
            return conn_encoding(self.pgconn)
        except e.NotSupportedError:
            return "utf-8"

    @property
    def _phase(self) -> Phase:
        """Where the session stands: what may be done now is in `states.ALLOWED`."""
        if self._closed:
            return Phase.CLOSED if self._pid == os.getpid() else Phase.INHERITED
        phase = states.phase_of(self.pgconn)
        between = phase in (Phase.IDLE, Phase.IN_TRANSACTION, Phase.FAILED_TRANSACTION)
        if self._blocks and between and self._open_blocks:
            return Phase.BLOCK
        return phase

    @property
    def _open_blocks(self) -> list[Any]:
        """The transaction() blocks that are open, the innermost last.

        One that was dropped without being left is open no more: nobody could end it.
        """
        return [block for known in self._blocks if (block := known()) is not None]

    def _open_block(self, block: object) -> None:
        """Take note that a block was entered."""
        self._blocks.append(weakref.ref(block))

    def _close_block(self, block: object) -> None:
        """Take note that a block is open no more."""
        self._blocks = [known for known in self._blocks if known() not in (None, block)]

    def _check(self, operation: Operation, what: str) -> None:
        """Refuse an operation that the session's phase doesn't allow.

        Raises:
            ProgrammingError: wrong moment.
            Error: the connection is closed or lost; in the latter case the server's own
                reason, if it told one.
        """
        phase = self._phase
        if operation in states.ALLOWED[phase]:
            return
        if phase is Phase.LOST:
            self._loss_told = True
            self._notices.raise_reason(self._exchange)
        states.check(phase, operation, what)

    def _quote_identifier(self, name: str) -> bytes:
        """Quote a name for use in SQL.

        Raises:
            ProgrammingError: it has characters that the connection's encoding lacks.
        """
        encoding = self.encoding
        try:
            return Escaping(self.pgconn).escape_identifier(name.encode(encoding))
        except UnicodeEncodeError as ex:
            raise e.ProgrammingError(
                f"the name {name!r} can't be sent in the connection's client_encoding, which is"
                f" {encoding} to Python: {ex.reason}; change the name or the encoding"
            ) from None

    # -- handlers --------------------------------------------------------------------------

    def add_notice_handler(self, callback: NoticeHandler) -> None:
        """Have `callback` called with the Diagnostic of each notice that the server sends.

        It is called while the connection reads: during its operations, on asyncio also in between.
        The connection can't be used in it. Here and in what else takes a callback: if it returns
        something to be awaited, as a coroutine function does, that runs as a task of its own,
        which may use the connection; what fails in it is told to the log.

        Raises:
            ProgrammingError: it is no function; or a coroutine function, on a synchronous connection.
        """
        self._notices.add(callback)

    def remove_notice_handler(self, callback: NoticeHandler) -> None:
        """Stop calling `callback`; ValueError if it wasn't added."""
        self._notices.remove(callback)

    def add_notify_handler(self, callback: NotifyHandler) -> None:
        """Have `callback` called with each Notify, of whatever channel.

        When it is called, and what it may be, is told at `listen()` and `add_notice_handler()`.
        """
        self._notices.add_notify(callback)

    def remove_notify_handler(self, callback: NotifyHandler) -> None:
        """Stop calling `callback`; ValueError if it wasn't added."""
        self._notices.remove_notify(callback)

    def add_close_handler(self, callback: Callable[[Self], object]) -> None:
        """Have `callback` called with the connection when it ends, closed by either side.

        On asyncio a lost server is noticed at once, elsewhere by the next operation; so too on
        asyncio if you gave `connect()` a waiter of your own by `wait`. What the callback may be is
        told at `add_notice_handler()`.

        Raises:
            OperationalError: it has ended already; the server's own reason, if it told one.
        """
        self._check(Operation.REFER, "add_close_handler()")
        self._close_handlers.append(self._notices.checked(callback, "the connection"))

    def remove_close_handler(self, callback: Callable[[Self], object]) -> None:
        """Stop calling `callback`; ValueError if it wasn't added."""
        remove_handler(self._close_handlers, callback, "close")

    def _tell_closed(self) -> None:
        """Call the close handlers, once: several threads may come to tell it."""
        with suppress(IndexError):
            while True:
                self._notices.call(self._close_handlers.pop(0), self, "close")

    def _deliver(self) -> bool:
        """Hand the notifications that have come to their handlers; whether there were any."""
        try:
            arrived = arrived_notifies(self.pgconn)
        except e.OperationalError:  # libpq has forgotten them with the connection
            return False
        if arrived:
            self._notices.deliver(decoded(arrived, self._error_encoding))
        return bool(arrived)

    def _hear(self) -> bool:
        """Take what the server says while nothing is under way: notices, notifications, its end.

        Returns:
            Whether notifications have been delivered.
        """
        before = self.pgconn.transaction_status
        try:
            receive(self.pgconn)
            self.pgconn.is_busy()  # PQconsumeInput reads, PQisBusy parses
        except e.OperationalError:
            if self.pgconn.status != ConnStatus.BAD:
                raise
            self._lost_while = TransactionStatus(before)
            self._note_loss()
            return False
        return self._notices.wants_notifies and self._deliver()

    def _note_loss(self) -> None:
        """Take note that the server has left, unless that was our wish."""
        self._lost |= not self._closed
        self._deliver()  # what it said before, also what nobody has asked for so far
        self._tell_closed()

    def _check_kept(self) -> None:
        """At the end of a `with` block, raise the reason of a loss that undid a transaction.

        It happened while nothing was under way, and no operation has told of it since.
        """
        if self._lost_while == TransactionStatus.INTRANS and not (self._loss_told or self._closed):
            self._check(Operation.COMMIT, "the commit at the end of the 'with' block")

    def _hear_farewell(self) -> None:
        """Refuse to go on if the server has said goodbye: what is not sent, it surely hasn't done.

        Raises:
            OperationalError: the connection is lost; the server's own reason, if it told one.
        """
        try:
            self.pgconn.consume_input()
            self.pgconn.is_busy()
            if self._notices.last_words is None:
                return
        except e.OperationalError:
            pass
        self._notices.look_for_reason(self._exchange)
        self._deliver()
        self.pgconn.finish()
        self._check(Operation.REFER, "commit()")

    # -- commands --------------------------------------------------------------------------

    def _query_gen(self, bound: BoundQuery) -> WaitGen[Pending]:
        """Run a bound query, in a transaction unless in autocommit."""
        # One question to libpq tells all that a query needs to know: it is UNKNOWN if the link is lost.
        status = self.pgconn.transaction_status
        if self._closed or status not in _AT_REST:
            self._check(Operation.EXECUTE, "execute()")
        elif status == TransactionStatus.IDLE and not self._autocommit:
            yield from self._begin_gen(bound)
        return (yield from self._request_gen(bound))

    def _request_gen(self, bound: BoundQuery) -> WaitGen[Pending]:
        """Send a bound query as it is; its results come now, or are owed in a pipeline."""

        def send(pgconn: PGconn) -> None:
            # Without parameters by the simple protocol, which takes several statements at once.
            if not (bound.values or bound.result_format or self._exchange.pipelined):
                pgconn.send_query(bound.query)
            else:
                pgconn.send_query_params(
                    bound.query,
                    bound.values,
                    param_types=bound.types,
                    param_formats=bound.formats,
                    result_format=bound.result_format,
                )

        try:
            pending = yield from self._exchange.request_gen(send, bound.query)
        except e.OperationalError as ex:
            raise self._explain(ex) from ex.__cause__
        return pending

    def _command_gen(self, command: bytes, ending: Ending | None = None) -> WaitGen[list[PGresult]]:
        """Run a command of the driver's own and return its results, or raise the server's error.

        Args:
            command: the SQL.
            ending: what it brings to an end, where its text doesn't tell.
        """
        encoding = self._error_encoding
        try:
            pending = yield from self._exchange.request_gen(
                lambda pgconn: pgconn.send_query(command), command, ending
            )
        except e.OperationalError as ex:
            raise self._explain(ex) from ex.__cause__
        check_results(pending.results, encoding)
        return pending.results

    def _explain(self, ex: e.Error) -> e.Error:
        """Give the best reason for a lost connection: ours, or what the server said while idle."""
        if self._closed:
            return e.OperationalError("the connection was closed while the operation was under way")
        if self.pgconn.status == ConnStatus.BAD or self._exchange.farewell is not None:
            return self._notices.reason(self._exchange) or ex
        return ex

    @property
    def _must_begin(self) -> bool:
        """Whether the next statement needs a transaction to be opened first."""
        return not self._autocommit and self.pgconn.transaction_status == TransactionStatus.IDLE

    def _begin_command(self, own: Characteristics | None = None) -> bytes:
        """The statement that opens a transaction, whose `own` characteristics go first."""
        asked = self._characteristics if own is None else own.over(self._characteristics)
        return asked.begin_command()

    def _begin_gen(self, bound: BoundQuery) -> WaitGen[None]:
        """Open a transaction for a query; one that can't be sent opens none."""
        bound.check()
        yield from self._command_gen(self._begin_command())

    def _commit_gen(self) -> WaitGen[None]:
        """End the transaction, if there is one.

        Raises:
            InFailedSqlTransaction: a statement had failed, so the server has rolled back.
        """
        if self.pgconn.transaction_status == TransactionStatus.IDLE:
            return
        self._hear_farewell()
        results = yield from self._command_gen(b"COMMIT")
        # The manual on COMMIT: of a failed transaction it makes a ROLLBACK, without an error.
        if results[-1].command_status == b"ROLLBACK":
            raise e.lookup("25P02")(
                "the transaction was rolled back, not committed: a statement in it had failed;"
                " let the error through, or call rollback() where you expect it"
            )

    def _rollback_gen(self) -> WaitGen[None]:
        """Undo the transaction, if there is one."""
        if self.pgconn.transaction_status != TransactionStatus.IDLE:
            yield from self._command_gen(b"ROLLBACK")

    def _user_commit_gen(self) -> WaitGen[None]:
        """`commit()`, refused inside a transaction() block."""
        self._check(Operation.COMMIT, "commit()")
        yield from self._commit_gen()

    def _user_rollback_gen(self) -> WaitGen[None]:
        """`rollback()`, refused inside a transaction() block."""
        self._check(Operation.ROLLBACK, "rollback()")
        yield from self._rollback_gen()

    def _set_autocommit_gen(self, value: bool) -> WaitGen[None]:
        """Change autocommit, between two transactions only."""
        self._check(Operation.CHARACTERISTICS, "autocommit")
        self._autocommit = bool(value)
        yield from ()  # a generator like its sisters, though nothing is sent

    def _set_characteristic_gen(self, name: str, value: object) -> WaitGen[None]:
        """Change one of what BEGIN asks for, between two transactions only."""
        self._check(Operation.CHARACTERISTICS, name)
        self._characteristics = self._characteristics.changed(name, value)
        yield from ()

    def _notifies_gen(self, deadline: float | None) -> WaitGen[None]:
        """Wait for notifications: they are in the backlog then, and the handlers get them too.

        If some came while it waited for its turn, it doesn't wait for more.
        """
        if self._notices.backlog:
            return
        self._check(Operation.NOTIFIES, "notifies()")
        timeout = None if deadline is None else max(0.0, deadline - monotonic())
        try:
            raw = yield from notifies_gen(self.pgconn, timeout=timeout)
        except e.OperationalError as ex:
            raise self._explain(ex) from ex.__cause__
        # Not returned: whoever waits for them may be cancelled at this very moment.
        self._notices.deliver(decoded(raw, self._error_encoding), wanted=True)

    def _listen_gen(self, channel: str, callback: NotifyHandler) -> WaitGen[None]:
        """LISTEN to a channel, and have its notifications delivered."""
        self._check(Operation.EXECUTE, "listen()")
        check_channel(channel, self.pgconn)
        self._notices.checked(callback, "a Notify")
        # At the server first: a channel that it refuses has no listeners.
        yield from self._command_gen(b"LISTEN " + self._quote_identifier(channel))
        self._notices.add_listener(channel, callback)

    def _unlisten_gen(self, channel: str, callback: NotifyHandler | None) -> WaitGen[None]:
        """Stop delivering, and UNLISTEN when nobody is left."""
        self._check(Operation.EXECUTE, "unlisten()")
        if not self._notices.listeners_but(channel, callback):
            # At the server first: if it refuses, the listener stays.
            yield from self._command_gen(b"UNLISTEN " + self._quote_identifier(channel))
        self._notices.remove_listener(channel, callback)

    # -- the end ---------------------------------------------------------------------------

    def _shutdown(self) -> None:
        """End the link without freeing it: whoever waits on it wakes and finds it closed."""
        import socket

        try:
            fd = self.pgconn.socket
            # The family is of no matter here.
            with socket.fromfd(fd, socket.AF_INET, socket.SOCK_STREAM) as link:
                # Another thread may have freed the connection since, and the number be reused:
                # if it is still ours now, it was when it was duplicated.
                if self.pgconn.socket == fd:
                    link.shutdown(socket.SHUT_RDWR)
        except (OSError, e.OperationalError):
            pass  # it has ended by itself

    def _disown(self) -> None:
        """In a forked child: let go of the parent's connection, which lives on."""
        self._closed = True
        self._close_handlers.clear()
        # Closing the child's copy of the descriptor tells the server nothing.
        with suppress(OSError, e.OperationalError):
            os.close(self.pgconn.socket)
        self.pgconn.finish()

    def _log(self, message: str, *args: object) -> None:
        """Tell the log of something that no exception can tell."""
        import logging

        logging.getLogger("psycopg3").warning(message, *args)

    def _give_up(self) -> None:
        """Close the socket now, whatever is under way; the session counts as broken."""
        self.pgconn.finish()


def _notice_receiver(
    notices: weakref.ref[Notices], pgconn: weakref.ref[PGconn]
) -> Any:  # libpq's handler must not keep the session alive
    def receive(result: PGresult) -> None:
        heard_by, of = notices(), pgconn()
        if heard_by is not None and of is not None:
            heard_by.receive(of, result)

    return receive
