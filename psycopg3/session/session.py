"""Session: one server session, all that a connection decides without waiting.

`Session` is the lowest layer of a connection: the runner adds waiting to it, the shell the
verbs that users call. Its public name is `BaseConnection`. Everything that needs the server
is a generator, `x_gen`, that yields `(fd, Wait)`.
"""

from __future__ import annotations

import os
import sys
import warnings
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from types import GenericAlias
from typing import Any, ClassVar, Self, cast

from .. import errors as e
from ..abc import AdaptContext, AdaptersMapLike
from ..adapt import AdaptersMap, Transformer
from ..encodings import conn_encoding, words_encoding
from ..generators import arrived_notifies, receive
from ..pq import ConnStatus, Escaping, PGconn, PGresult, TransactionStatus
from ..query import command
from ..rows import RowFactory
from ..waiting import WaitGen
from . import states
from .characteristics import Characteristics
from .endings import Ending
from .exchange import Exchange
from .info import ConnectionInfo
from .loss import Loss, cut
from .notices import NoticeHandler, Notices, NotifyHandler, decoded
from .results import check_results, check_untold
from .routes import Route
from .statements import Preparing
from .states import Operation, Phase

_IDLE = frozenset({TransactionStatus.IDLE})
_AT_REST = _IDLE | {TransactionStatus.INTRANS, TransactionStatus.INERROR}
_INTRANS = TransactionStatus.INTRANS
_FRESH = frozenset({TransactionStatus.IDLE, TransactionStatus.INERROR})


class _Exceptions:
    """PEP 249's optional extension: the exceptions as attributes of a connection."""

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


class _Beginning:
    """What is known of a transaction before its first statement."""

    pgconn: PGconn
    _closed: bool
    _quiet = _AT_REST
    """The transaction statuses in which nothing is to be looked at before a statement.

    So what is seldom costs nothing: that a block was dropped, or has had no statement so far.
    """
    _beginning: Sequence[bytes] = ()
    """What has begun the transaction() block that has had no statement so far."""

    def _begin_afresh(self, commands: Sequence[bytes]) -> None:
        """Take note that a transaction() block has opened a transaction, in which nothing was done so far."""
        self._beginning, self._quiet = commands, _FRESH

    def _is_first(self) -> bool:
        """Whether nothing was done so far in the transaction that a block has opened; now it will be."""
        is_fresh = self._quiet is _FRESH
        if is_fresh:
            self._quiet = _AT_REST
        return is_fresh and not self._closed and self.pgconn.transaction_status == _INTRANS


class Session(_Exceptions, _Beginning, Preparing):
    """One server session: what `Connection` and `AsyncConnection` have in common."""

    row_factory: RowFactory[Any]
    """What makes the rows of cursors that aren't told otherwise."""
    discover_types = False
    """Whether `connect()` discovers the types of the database's users if it isn't told; set it on a class."""
    _discovery: Any = None  # its `Discovery`, if it discovers types
    _pool: Any = None  # a pool that lends the connection sets it: psycopg_pool does
    _sharing: Any = None  # its `Sharing`, if statements are shared
    _route: Route = Route()
    """How the connection's links go: libpq's own, or a connector's."""

    def __class_getitem__(cls, row: Any) -> Any:
        """Be written `BaseConnection[Row]`, as hints of other packages do."""
        generic: Any = getattr(super(), "__class_getitem__", None)  # in subclasses that are generic
        return GenericAlias(cls, row) if generic is None else generic(row)

    def __init__(self, pgconn: PGconn):
        self.pgconn = pgconn
        """The libpq connection; use it for what this class doesn't offer."""
        self._exchange = Exchange(pgconn)
        self._blocks: list[weakref.ref[Any]] = []
        self._autocommit = False
        self._characteristics = Characteristics()
        """What BEGIN asks of the transactions to come."""
        self._adapters: AdaptersMap | None = None
        self._transformer: Transformer | None = None
        self._template: AdaptersMapLike | None = None
        self._closed = False
        self._loss = Loss()
        self._notices = Notices(self._loss)
        self._pid = os.getpid()
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
        return self._loss.has_happened or (
            not self._closed and self.pgconn.status == ConnStatus.BAD
        )

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

    def _transformer_of(self, adapters: AdaptersMap | None = None) -> Transformer:
        """What writes and reads by these adapters; all cursors without their own have the same one.

        Args:
            adapters: a cursor's; by default the connection's as they are now.
        """
        known, snapshot = self._transformer, self.adapters.snapshot()
        if adapters is None:
            adapters = snapshot
        if known is None or known.adapters is not adapters or not known.is_current(self.pgconn):
            known = Transformer(self, adapters)
            if adapters is snapshot:
                self._transformer = known
        return known

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
    def _phase(self) -> Phase:
        """Where the session stands: what may be done now is in `states.ALLOWED`."""
        if self._closed:
            return Phase.CLOSED if self._pid == os.getpid() else Phase.INHERITED
        phase = states.phase_of(self.pgconn)
        if self._exchange.pipelined and phase is not Phase.LOST:
            if not self._blocks or self._is_idle():
                return Phase.PIPELINE
            phase = Phase.IN_TRANSACTION  # in a pipeline libpq doesn't tell
        if self._blocks and phase in (Phase.IN_TRANSACTION, Phase.FAILED_TRANSACTION, Phase.IDLE):
            dropped = self._quiet is _IDLE and phase is not Phase.IDLE
            return Phase.DROPPED if dropped else Phase.BLOCK if self._open_blocks else phase
        return phase

    @property
    def _open_blocks(self) -> list[Any]:
        """The transaction() blocks that are open, the innermost last.

        One that was dropped without being left is open no more: nobody could end it.
        """
        return [block for known in self._blocks if (block := known()) is not None]

    def _open_block(self, block: object) -> None:
        """Take note that a block was entered."""
        self._blocks.append(weakref.ref(block, self._note_dropped))

    def _close_block(self, block: object) -> None:
        """Take note that a block is open no more; with it go those inside of it that were dropped."""
        at = next(
            (n for n, known in enumerate(self._blocks) if known() is block), len(self._blocks)
        )
        self._keep_blocks(self._blocks[:at] + _alive(self._blocks[at + 1 :]))

    def _keep_blocks(self, blocks: list[weakref.ref[Any]]) -> None:
        self._blocks = blocks
        self._quiet = _AT_REST if len(_alive(blocks)) == len(blocks) else _IDLE

    def _note_dropped(self, known: weakref.ref[Any]) -> None:
        """Take note that a block is gone that wasn't left, so that its transaction can't be kept.

        Python calls no `__exit__` where a signal's exception strikes at its first instruction.
        """
        if not self._is_idle():
            self._quiet = _IDLE
        elif known in self._blocks:  # the server had ended it
            self._blocks.remove(known)

    def _check_cancel(self) -> None:
        """Refuse to cancel where that makes no sense."""

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
            self._loss.is_told = True
            self._find_reason()
            if self._loss.reason is not None:
                # In no local: the error would know this frame, and the frame it, a cycle.
                raise self._loss.reason()
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
        self._notices.add("notice", callback)

    def remove_notice_handler(self, callback: NoticeHandler) -> None:
        """Stop calling `callback`; ValueError if it wasn't added."""
        self._notices.remove("notice", callback)

    def add_notify_handler(self, callback: NotifyHandler) -> None:
        """Have `callback` called with each Notify, of whatever channel.

        When it is called, and what it may be, is told at `listen()` and `add_notice_handler()`.
        """
        self._notices.add("notify", callback)

    def remove_notify_handler(self, callback: NotifyHandler) -> None:
        """Stop calling `callback`; ValueError if it wasn't added."""
        self._notices.remove("notify", callback)

    def add_close_handler(self, callback: Callable[[Self], object]) -> None:
        """Have `callback` called with the connection when it ends, closed by either side.

        On asyncio a lost server is noticed at once, elsewhere by the next operation; so too on
        asyncio if you gave `connect()` a waiter of your own by `wait`. What the callback may be is
        told at `add_notice_handler()`.

        Raises:
            OperationalError: it has ended already; the server's own reason, if it told one.
        """
        self._check(Operation.REFER, "add_close_handler()")
        self._notices.add("close", callback)

    def remove_close_handler(self, callback: Callable[[Self], object]) -> None:
        """Stop calling `callback`; ValueError if it wasn't added."""
        self._notices.remove("close", callback)

    def _call_close_handlers(self) -> None:
        """Call the close handlers, once: several threads may come to tell it."""
        with suppress(IndexError):
            while True:
                self._notices.call(self._notices.handlers["close"].pop(0), self, "close")

    def _deliver(self) -> bool:
        """Hand the notifications that have come to their handlers; whether there were any."""
        try:
            arrived = arrived_notifies(self.pgconn)
        except e.OperationalError:  # libpq has forgotten them with the connection
            return False
        if arrived:
            self._notices.deliver(decoded(arrived, words_encoding(self.pgconn)))
        return bool(arrived)

    def _receive_idle(self) -> bool:
        """Take what the server says while nothing is under way: notices, notifications, its end.

        Returns:
            Whether notifications have been delivered.
        """
        before, notices = self.pgconn.transaction_status, self._notices
        notices.is_idle = True
        try:
            receive(self.pgconn)
            self.pgconn.is_busy()  # PQconsumeInput reads, PQisBusy parses
            return notices.wants_notifies and self._deliver()
        except e.OperationalError as ex:
            if self.pgconn.status != ConnStatus.BAD:  # its descriptor was closed underneath
                self._loss.reason = self._loss.reason or partial(e.OperationalError, str(ex))
                self.pgconn.finish()
            self._loss.while_in = TransactionStatus(before)
            self._note_loss()
            return False
        finally:
            notices.is_idle = False

    def _find_reason(self) -> None:
        """Look for the server's reason for a loss in all that it has sent."""
        self._loss.find_reason(self.pgconn, self._exchange.fatal_result)

    def _note_loss(self) -> None:
        """Take note that the server has left, unless that was our wish."""
        self._loss.has_happened |= not self._closed
        self._deliver()  # what it said before, also what nobody has asked for so far
        self._call_close_handlers()

    def _check_kept(self) -> None:
        """At the end of a `with` block, raise the reason of a loss that undid a transaction.

        It happened while nothing was under way, and no operation has told of it since.
        """
        loss = self._loss
        if loss.while_in == TransactionStatus.INTRANS and not (loss.is_told or self._closed):
            self._check(Operation.COMMIT, "the commit at the end of the 'with' block")

    def _check_link(self) -> None:
        """Refuse to go on if the server has left by now: what is not sent, it surely hasn't done.

        Raises:
            OperationalError: the connection is lost; the server's own reason, if it told one.
        """
        try:
            self.pgconn.consume_input()
            self.pgconn.is_busy()
            if self._loss.reason is None:
                return
        except e.OperationalError:
            pass
        self._find_reason()
        self._deliver()
        self.pgconn.finish()
        self._check(Operation.REFER, "commit()")

    # -- commands --------------------------------------------------------------------------

    def _must_begin(self) -> bool | None:
        """Whether a transaction is to be opened for a user's statement, which is the next to be sent.

        None: it isn't, but the statement is the first since a transaction() block has opened one.

        Raises:
            Error: no statement can be sent now.
        """
        # One question to libpq tells all that a query needs to know: it is UNKNOWN if the link is lost.
        status = self.pgconn.transaction_status
        if self._closed or status not in self._quiet:
            if self._is_first():
                return None
            self._check(Operation.EXECUTE, "execute()")
        return not self._autocommit and self._is_idle(status)

    def _is_idle(self, status: int | None = None) -> bool:
        """Whether no transaction is open for what is sent next."""
        if self._exchange.pipelined:
            return not self._exchange.has_begun
        return (status or self.pgconn.transaction_status) == TransactionStatus.IDLE

    def _command_gen(
        self, *commands: bytes, ending: Ending = Ending.NOTHING
    ) -> WaitGen[list[PGresult]]:
        """Run commands of the driver's own, in one round trip.

        Args:
            commands: the SQL of each, one statement.
            ending: what the last one brings to an end.

        Returns:
            Their results.

        Raises:
            Error: the server's, of the first that failed; those after it weren't executed.
        """
        encoding = words_encoding(self.pgconn)
        exchange = self._exchange
        self._is_first()
        opened = len(commands) > 1 and not exchange.pipelined
        if opened:
            exchange.enter(own=True)
        elif ending and exchange.is_unsynced:
            exchange.sync()  # what failed before in a pipeline mustn't abort these
        sent = [exchange.send(command(sql), ending) for sql in commands]
        if opened:
            yield from exchange.leave_gen()
        else:
            syncs = ending and exchange.pipelined
            yield from exchange.receive_gen(exchange.sync() if syncs else sent[-1])
        for pending in sent:
            exchange.tell(pending)
            check_results(pending.results, encoding)
        return [pending.results[-1] for pending in sent]

    def _explain(self, ex: e.OperationalError) -> e.Error:
        """Give the best reason for an error of libpq's: ours, or what the server said."""
        if not self._exchange.is_used:  # then it isn't libpq's
            return ex
        if self._closed:
            return e.OperationalError("the connection was closed while the operation was under way")
        if self.pgconn.status == ConnStatus.BAD or self._exchange.fatal_result is not None:
            self._find_reason()
            if self._loss.reason is not None:
                return self._loss.reason()
        return ex

    def _begin_command(self, own: Characteristics | None = None) -> bytes:
        """The statement that opens a transaction, whose `own` characteristics go first."""
        asked = self._characteristics if own is None else own.over(self._characteristics)
        return asked.begin_command()

    def _commit_gen(self) -> WaitGen[None]:
        """End the transaction, if there is one.

        Raises:
            InFailedSqlTransaction: a statement had failed, so the server has rolled back.
        """
        exchange = self._exchange
        if exchange.is_unsynced and not exchange.has_begun:
            # A statement of the user's may have begun one.
            yield from exchange.receive_gen(exchange.sync())
        if self._is_idle():
            check_untold(exchange, words_encoding(self.pgconn))
            return
        self._check_link()
        (result,) = yield from self._command_gen(b"COMMIT", ending=Ending.COMMITTED)
        check_untold(exchange, words_encoding(self.pgconn))
        # The manual on COMMIT: of a failed transaction it makes a ROLLBACK, without an error.
        if result.command_status == b"ROLLBACK":
            raise e.lookup("25P02")(
                "the transaction was rolled back, not committed: a statement or a block in it had"
                " failed; let the error through, or call rollback() where you expect it"
            )

    def _rollback_gen(self) -> WaitGen[None]:
        """Undo the transaction, if there is one."""
        exchange = self._exchange
        if exchange.is_unsynced and not exchange.has_begun:
            yield from exchange.receive_gen(exchange.sync())
        if not self._is_idle():
            yield from self._command_gen(b"ROLLBACK", ending=Ending.UNDONE)
            exchange.untold.clear()  # what failed is undone
            self._keep_blocks(_alive(self._blocks))

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
        yield from ()  # a generator like the others, though nothing is sent

    def _set_characteristic_gen(self, name: str, value: object) -> WaitGen[None]:
        """Change one of what BEGIN asks for, between two transactions only."""
        self._check(Operation.CHARACTERISTICS, name)
        self._characteristics = self._characteristics.changed(name, value)
        yield from ()

    # -- the end ---------------------------------------------------------------------------

    _cut = cut

    def _log(self, message: str, *args: object) -> None:
        """Tell the log of something that no exception can tell."""
        import logging

        logging.getLogger("psycopg3").warning(message, *args)


def _alive(blocks: list[weakref.ref[Any]]) -> list[weakref.ref[Any]]:
    return [known for known in blocks if known() is not None]


def _notice_receiver(
    notices: weakref.ref[Notices], pgconn: weakref.ref[PGconn]
) -> Any:  # libpq's handler must not keep the session alive
    def receive(result: PGresult) -> None:
        receiver, of = notices(), pgconn()
        if receiver is not None and of is not None:
            receiver.receive(of, result)

    return receive
