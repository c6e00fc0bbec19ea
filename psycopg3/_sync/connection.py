# Generated from psycopg3/_async/connection.py by `python tools/unasync.py`: edit that file, not this one.
"""Connection: the connection as users have it."""

from __future__ import annotations

import warnings
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar, cast, overload

from ..abc import AdaptContext, Connector, Params, Query, SSLContext
from ..concurrency import threads
from ..conninfo import check_url, with_ssl
from ..deadlines import ANY, PATIENCE, check_seconds
from ..dialing.records import LINGER, Dialer
from ..dialing.threads import rest
from ..errors import ProgrammingError
from ..pq import Format, PGconn
from ..rows import Row, RowFactory, tuple_row
from ..session.attempts import warn_of_environment, warn_of_gssapi
from ..session.characteristics import Characteristics, IsolationLevel
from ..session.listening import listen_gen, unlisten_gen
from ..session.notices import NoticeHandler, NotifyHandler
from ..session.reset import reset_gen
from ..session.routes import Route
from ..session.sharing import Sharing
from ..session.states import Operation
from ..waiting import WaitFunc
from . import cursor, pipeline, statement, transaction
from .connector import connecting_within, connection_params, open_connection
from .copying import Copying
from .cursor import Cursor
from .cursors import ServerCursor
from .fetching import Fetching
from .notifies import Notifies
from .pipeline import Pipeline
from .runner import CANCEL_TIMEOUT, running_library
from .transaction import Transaction
from .twophase import TwoPhase

NewRow = TypeVar("NewRow")
Made = TypeVar("Made", bound="Connection[Any]")


class _NoSubclass(Protocol):
    """For type checkers: `Connection` itself, whose `_same` alone takes any connection."""

    def _same(self, other: Connection[Any], /) -> None: ...


class Connection(Fetching[Row], Copying, TwoPhase, Generic[Row]):
    """A connection to a PostgreSQL database; make one with `connect()`.

    It may be shared: the operations of those who use it take turns.

    Args:
        pgconn: an open libpq connection in non-blocking mode.
        row_factory: what makes the rows of its cursors, by default tuples.
        wait: a waiter of your own; by default the one of the running library.
    """

    cursor_factory: type[Cursor[Row]] = cast("Any", Cursor)
    """The class of the cursors that `cursor()` makes: set it on a subclass, or on a connection.

    It is called with the connection and the keyword `row_factory`.
    """
    server_cursor_factory: type[ServerCursor[Row]] = cast("Any", ServerCursor)
    """The class of the cursors that `cursor()` makes with a name.

    It is called with the connection and the name, and the keywords `row_factory`, `scrollable` and
    `withhold`.
    """
    row_factory: RowFactory[Row]

    def __init__(
        self,
        pgconn: PGconn,
        row_factory: RowFactory[Row] | None = None,
        *,
        wait: WaitFunc | None = None,
    ):
        super().__init__(pgconn, wait=wait)
        self.row_factory = row_factory or cast("RowFactory[Row]", tuple_row)

    if TYPE_CHECKING:

        def _same(self, other: Self, /) -> None: ...

    # The rows of Connection are the factory's. A subclass says itself what its rows are, and a
    # factory of others is refused; pyright wants to be told a generic one's: `Mine[DictRow].connect()`.
    @overload
    @classmethod
    def connect(
        cls, conninfo: str = "", *, connection_class: type[Made], **kwargs: Any
    ) -> Made: ...
    @overload
    @classmethod
    def connect(
        cls: type[_NoSubclass],
        conninfo: str = "",
        *,
        connection_class: None = None,
        autocommit: bool = False,
        share: bool = False,
        row_factory: RowFactory[NewRow],
        cursor_factory: type[Cursor[Any]] | None = None,
        context: AdaptContext | None = None,
        discover_types: bool | None = None,
        prepare_threshold: int | None = -1,
        timeout: float | None = None,
        command_timeout: float | None = None,
        cancel_timeout: float = CANCEL_TIMEOUT,
        wait: WaitFunc | None = None,
        connector_factory: Connector | None = None,
        sock: Any = None,
        ssl: SSLContext | str | bool | None = None,
        notice_handler: NoticeHandler | None = None,
        **kwargs: Any,
    ) -> Connection[NewRow]: ...
    @overload
    @classmethod
    def connect(
        cls,
        conninfo: str = "",
        *,
        connection_class: None = None,
        autocommit: bool = False,
        share: bool = False,
        row_factory: RowFactory[Row] | None = None,
        cursor_factory: type[Cursor[Any]] | None = None,
        context: AdaptContext | None = None,
        discover_types: bool | None = None,
        prepare_threshold: int | None = -1,
        timeout: float | None = None,
        command_timeout: float | None = None,
        cancel_timeout: float = CANCEL_TIMEOUT,
        wait: WaitFunc | None = None,
        connector_factory: Connector | None = None,
        sock: Any = None,
        ssl: SSLContext | str | bool | None = None,
        notice_handler: NoticeHandler | None = None,
        **kwargs: Any,
    ) -> Self: ...
    @classmethod
    def connect(
        cls,
        conninfo: str = "",
        *,
        connection_class: type[Connection[Any]] | None = None,
        autocommit: bool = False,
        share: bool = False,
        row_factory: RowFactory[Any] | None = None,
        cursor_factory: type[Cursor[Any]] | None = None,
        context: AdaptContext | None = None,
        discover_types: bool | None = None,
        prepare_threshold: int | None = -1,
        timeout: float | None = None,
        command_timeout: float | None = None,
        cancel_timeout: float = CANCEL_TIMEOUT,
        wait: WaitFunc | None = None,
        connector_factory: Connector | None = None,
        sock: Any = None,
        ssl: SSLContext | str | bool | None = None,
        notice_handler: NoticeHandler | None = None,
        **kwargs: Any,
    ) -> Connection[Any]:
        """Connect to a server.

        Args:
            conninfo: a connection string, `key=value` pairs or a URL: see the manual's
                section "Connection Strings".
            connection_class: the class of the connection, by default that whose `connect()` this is.
            autocommit: if True, every statement is a transaction of its own.
            share: whether the statements of threads or threads that use the connection at the same time
                go together, in one round trip, if they are in autocommit; else they take turns.
            row_factory: what makes rows, such as `psycopg3.rows.dict_row`.
            cursor_factory: the class of the connection's cursors.
            context: where to take adapters from, by default `psycopg3.adapters`.
            discover_types: whether to ask the server for the types that its users have made, and
                adapt them: see "Types of your own" in the manual. By default as the class has it.
            prepare_threshold: how often a query is executed before it is prepared; None for never. By
                default (-1) as the class has it, which is 5.
            timeout: seconds for all attempts together (`connect_timeout` is for each of them).
            command_timeout: seconds that each operation may take if it isn't told otherwise.
            cancel_timeout: seconds in which an interrupted operation must come to rest, or the
                connection is closed; 0 closes it at once.
            wait: a waiter of your own: `wait(gen, interval)`, see `psycopg3.waiting`.
            connector_factory: makes the links to the server in place of libpq: a tunnel, a proxy.
                Called as `connector(host, port, ssl=ssl)`. An asynchronous connection awaits it, and on
                asyncio calls it as `connector(proto_factory, host, port, loop=loop, ssl=ssl)`. It
                returns a connected socket, what has its methods, a stream, or on asyncio what
                `loop.create_connection()` returns. Whenever a link is needed it is called: for each
                host, for each request to cancel.
            sock: one link that is connected already, instead; the connection owns it from here on.
            ssl: True asks for TLS with a certificate that the system's authorities vouch for, or those
                that `sslrootcert` names; False for none; a str is an `sslmode`. It overrides that of
                the parameters. With `connector_factory` or `sock` it is an `ssl.SSLContext`, to have
                the connector do TLS; by default libpq does it over the link, by `sslmode`.
            notice_handler: as `add_notice_handler()` takes it; it gets those, too, that come while
                connecting. The log tells of these in any case.
            **kwargs: connection parameters; they override those of `conninfo`. `host` and `port`
                may be lists. `password` may be a function that returns it, for an asynchronous
                connection also a coroutine function: it is called once for each connection.
                `servicefile` is a file to look `service` up in. `server_settings` is a dict
                of the server's settings for this session. `scram_max_iterations` is how often
                a server may have the password hashed, by default 1,000,000 times.

        Raises:
            ProgrammingError: a parameter that libpq doesn't know, or that is malformed, or that
                doesn't go with another.
            InterfaceError: the connector returned something that is no link.
            ConnectionTimeout: no answer within `connect_timeout` seconds; it holds for each
                address of each host, the look-up of the name included, and is 130 by default. Or
                `timeout` has passed: the message tells of all attempts until then.
            OperationalError: no connection; the message says why, for each address that was tried.
        """
        given = connector_factory is not None or sock is not None
        links = Dialer(connector_factory, sock, cast("Any", ssl)) if given else None
        try:
            cls = _class_of(cls, connection_class)
            timeouts = _checked(command_timeout, cancel_timeout)
            limit = connecting_within(timeout)
            params = threads.awaited(cls._get_connection_params(conninfo, **kwargs), limit)
            params = params if given else with_ssl(params, ssl)
            pgconn, route = open_connection(params, wait, limit, links)
        except BaseException:
            if links is not None:
                links.discard()
            raise
        conn = cls._made(pgconn, route, params, row_factory, wait, context)
        own = autocommit, share, prepare_threshold
        _set_up(conn, notice_handler, own, timeouts, cursor_factory)
        conn._discover_types(discover_types, limit)
        return conn

    @classmethod
    def _made(
        cls,
        pgconn: PGconn,
        route: Route,
        params: dict[str, Any],
        row_factory: Any,
        wait: WaitFunc | None,
        context: AdaptContext | None,
    ) -> Connection[Any]:
        """Make the connection of what libpq has connected."""
        try:
            # Only what was given: the constructor of a subclass may take less, and know better.
            conn: Connection[Any] = cls(pgconn) if wait is None else cls(pgconn, wait=wait)
            if row_factory is not None:
                conn.row_factory = row_factory
            conn._route = route
            conn._use_template(context)
            warn_of_gssapi(pgconn, params)
        except BaseException:
            pgconn.finish()
            raise
        return conn

    @classmethod
    def _get_connection_params(cls, conninfo: str, **kwargs: Any) -> dict[str, Any]:
        """Make the parameters to connect with: a hook for subclasses, called once by `connect()`.

        Override it to add or change parameters: look up a server, fetch a password that is good
        for some minutes; call it of `super()` to have the arguments parsed.

        Args:
            conninfo: what `connect()` was given.
            **kwargs: the connection parameters that `connect()` was given as keywords.

        Returns:
            libpq's parameters by keyword; `password` may be a function, and `server_settings` be
            among them.
        """
        params = connection_params(conninfo, **kwargs)
        check_url(conninfo, overridden=kwargs)
        return params

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self.closed:
            if exc is None:
                self._check_kept()
            return
        try:
            if exc is None:
                self.commit()
            else:
                self._undo(self._rollback_gen(), exc)
        finally:
            # If it is broken each use tells the reason, as after any loss.
            if self._pool is None and not self.broken:
                self.close()

    def close(self, *, timeout: float | None = None) -> None:
        """Close the connection; closing again does nothing.

        An operation that somebody else has under way is cancelled at the server, and raises
        OperationalError.

        Args:
            timeout: seconds for that, and for the last bytes to get through a connector's link;
                then it is cut off. 0 cuts it off at once; by default it is `cancel_timeout`.

        Raises:
            ProgrammingError: the timeout is negative.
        """
        if self._closed:
            return
        if getattr(self._pool, "close_returns", False):
            self._pool.putconn(self)
            return
        patience = self.cancel_timeout if timeout is None else timeout
        check_seconds(patience, PATIENCE)
        begin = monotonic()
        self._closed = True
        try:
            self._cancel_for_close(patience)
        finally:
            self._end()
        left = LINGER if timeout is None else max(0.0, begin + patience - monotonic())
        rest(self._route.relay, min(left, LINGER))

    def abort(self) -> None:
        """Cut the connection off, without the protocol's Terminate; call it from any thread or task.

        What is under way raises OperationalError, and the server undoes the transaction when it
        notices. Aborting a closed connection does nothing.
        """
        if not self._closed:
            self._closed = True
            self._cut()
            self._end()

    def terminate(self) -> None:
        """Do what `abort()` does: it is asyncpg's name for it."""
        self.abort()

    @overload
    def cursor(self, *, binary: bool = False, row_factory: None = None) -> Cursor[Row]: ...
    @overload
    def cursor(
        self, *, binary: bool = False, row_factory: RowFactory[NewRow]
    ) -> Cursor[NewRow]: ...
    @overload
    def cursor(
        self,
        name: str,
        *,
        binary: bool = False,
        row_factory: None = None,
        scrollable: bool | None = None,
        withhold: bool = False,
    ) -> ServerCursor[Row]: ...
    @overload
    def cursor(
        self,
        name: str,
        *,
        binary: bool = False,
        row_factory: RowFactory[NewRow],
        scrollable: bool | None = None,
        withhold: bool = False,
    ) -> ServerCursor[NewRow]: ...
    def cursor(
        self,
        name: str = "",
        *,
        binary: bool = False,
        row_factory: RowFactory[Any] | None = None,
        scrollable: bool | None = None,
        withhold: bool = False,
    ) -> Cursor[Any]:
        """Make a cursor; it does no I/O.

        Args:
            name: the name of a cursor at the server, see `ServerCursor`; by default the rows
                come to the client.
            binary: whether its queries ask for results in binary format.
            row_factory: what makes its rows, by default as the connection's.
            scrollable: of one with a name: whether it can go backwards, which may cost the server
                a copy of the rows; None leaves it to the server, by the query.
            withhold: of one with a name: whether it stays open when its transaction is committed.

        Raises:
            OperationalError: the connection is closed.
        """
        if self.closed:
            self._check(Operation.REFER, "cursor()")
        cursor: Cursor[Any]
        if name:
            cursor = self.server_cursor_factory(
                self, name, row_factory=row_factory, scrollable=scrollable, withhold=withhold
            )
        else:
            cursor = self.cursor_factory(self, row_factory=row_factory)
        if binary:
            cursor.format = Format.BINARY
        return cursor

    def execute(
        self,
        query: Query,
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool = False,
        timeout: float | None = None,
    ) -> Cursor[Row]:
        """Run a query on a new cursor, and return the cursor; see `Cursor.execute()`."""
        cursor = self.cursor_factory(self)
        if binary:
            cursor.format = Format.BINARY
        return cursor.execute(query, params, prepare=prepare, timeout=timeout)

    def transaction(
        self,
        savepoint_name: str | None = None,
        force_rollback: bool = False,
        *,
        isolation: IsolationLevel | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
    ) -> Transaction:
        """Make a block that commits at its end, and rolls back if an exception leaves it.

        Inside a transaction it is a savepoint.

        Args:
            savepoint_name: a name for the savepoint, by default made up if one is needed.
            force_rollback: roll back in any case, as tests like to.
            isolation: the isolation level of this transaction, by default as the connection's
                `isolation_level`. This and what follows is for outermost blocks: inside a
                transaction that has begun, entering the block is a ProgrammingError.
            read_only: whether it may only read, by default as the connection's `read_only`.
            deferrable: whether it waits for a snapshot that can't fail it, by default as the
                connection's `deferrable`.

        Raises:
            ProgrammingError: there is no such isolation level.
        """
        own = Characteristics.of(isolation, read_only, deferrable)
        return Transaction(self, savepoint_name, force_rollback, own)

    def pipeline(self) -> Pipeline:
        """Make a block in which statements are sent without waiting for their results.

        A fetch receives what is needed for it; the end of the block receives all that is left, and
        raises the first error that nobody has seen. In autocommit what is sent between two syncs is
        one transaction. Blocks may be nested: the inner one syncs at both ends.

        Raises:
            NotSupportedError: entering it: libpq is too old.
        """
        return Pipeline(self)

    def notifies(self, *, timeout: float | None = None, stop_after: int | None = None) -> Notifies:
        """Iterate over notifications as they come, those first that came before.

        Use it in autocommit mode: inside a transaction the server holds them back. On a channel with
        callbacks of `listen()`, what comes while nobody waits here is theirs alone.

        Args:
            timeout: seconds from the first wait to the end of the iteration; 0 takes what is
                there, None goes on for ever.
            stop_after: end when so many have come; what came with the last one is given too.

        Raises:
            ProgrammingError: the timeout is no number, or `stop_after` no whole one.
        """
        if not self._notices.backlog:  # what came before a loss is still to be had
            self._check(Operation.REFER, "notifies()")
        check_seconds(timeout, ANY)
        if not (stop_after is None or isinstance(stop_after, int)):
            raise ProgrammingError(
                f"got stop_after={stop_after!r}: expected a whole number, or None for no end"
            )
        if self._notices.takes_all:
            warnings.warn(
                "notifies() is used on a connection with handlers: they take what comes while"
                " notifies() isn't waiting; use one or the other",
                RuntimeWarning,
                stacklevel=2,
            )
        return Notifies(self, timeout, stop_after)

    def listen(
        self, channel: str, callback: NotifyHandler, *, timeout: float | None = None
    ) -> None:
        """LISTEN to a channel and have `callback` called with each of its notifications.

        On asyncio they are delivered as they come, unless you gave `connect()` a waiter of your own
        by `wait`. Elsewhere they are delivered during operations of the connection (`notifies()` is
        one). The callback can't use the connection, but what it returns to be awaited can.

        In a transaction it takes effect when that is committed. If it is rolled back, the server
        forgets about it, while the callback stays: call `listen()` again, or `unlisten()`.

        Args:
            channel: the name of the channel, quoted by the driver; at most 63 bytes in the server's
                encoding.
            callback: a function of one `Notify`. On an asynchronous connection it may be a
                coroutine function, which then runs as a task. Given twice, it is called once.
            timeout: seconds that the command may take.

        Raises:
            ProgrammingError: the channel or the callback can't be one.
        """
        self._run(listen_gen(self, channel, callback), timeout)

    def unlisten(
        self, channel: str, callback: NotifyHandler | None = None, *, timeout: float | None = None
    ) -> None:
        """Stop calling `callback`, or all of the channel's; UNLISTEN when none is left.

        If the server refuses, as in a failed transaction, or the `timeout` is over, the callbacks stay.

        Raises:
            ProgrammingError: it doesn't listen to this channel.
        """
        self._run(unlisten_gen(self, channel, callback), timeout)

    def commit(self, *, timeout: float | None = None) -> None:
        """Commit the transaction, if there is one.

        An interruption doesn't cancel it: the server's answer is waited for within the
        connection's `cancel_timeout`, and what interrupted it gets a note of what happened.

        Args:
            timeout: seconds; by default the connection's `command_timeout`.

        Raises:
            ProgrammingError: inside a `transaction()` block.
            InFailedSqlTransaction: a statement of it had failed, so it was rolled back.
            TransactionOutcomeUnknown: the connection was lost before the server answered.
        """
        self._run(self._user_commit_gen(), timeout)

    def rollback(self, *, timeout: float | None = None) -> None:
        """Undo the transaction, if there is one; ProgrammingError inside a `transaction()` block."""
        self._run(self._user_rollback_gen(), timeout)

    def reset(self, *, timeout: float | None = None) -> None:
        """Make the server's session as good as new: for whoever uses the connection next.

        Undoes the transaction if there is one, and the session's settings, role, locks, cursors
        and subscriptions to channels; prepared statements and temporary tables stay. So do
        `autocommit`, `isolation_level` and what else you set on this object, except for the
        callbacks of `listen()`.

        Args:
            timeout: seconds; by default the connection's `command_timeout`.

        Raises:
            ProgrammingError: inside a `transaction()` block or a pipeline.
        """
        self._run(reset_gen(self), timeout)


# What a cursor and a block say of their connection: their files can't import this one, and
# `typing.get_type_hints()` wants the name.
for _module in (cursor, pipeline, statement, transaction):
    vars(_module)["Connection"] = Connection


def _checked(command_timeout: float | None, cancel_timeout: float) -> tuple[float | None, float]:
    """The timeouts of operations, which are numbers of seconds, or ProgrammingError.

    Where no library runs, nothing is begun.
    """
    running_library()
    warn_of_environment()
    check_seconds(command_timeout)
    check_seconds(cancel_timeout, PATIENCE, "cancel_timeout")
    return command_timeout, cancel_timeout


def _set_up(
    conn: Connection[Any],
    handler: NoticeHandler | None,
    own: tuple[bool, bool, int | None],
    timeouts: tuple[float | None, float],
    cursor_factory: type[Cursor[Any]] | None,
) -> None:
    """Set what was asked for, and hand out what the server said while connecting."""
    autocommit, share, prepare_threshold = own
    conn._autocommit, conn._sharing = bool(autocommit), Sharing() if share else None
    conn.command_timeout, conn.cancel_timeout = timeouts
    if prepare_threshold != -1:
        conn.prepare_threshold = prepare_threshold
    if cursor_factory is not None:
        conn.cursor_factory = cursor_factory
    try:
        if handler is not None:
            conn.add_notice_handler(handler)
        conn._notices.receive_early(conn._route.early, conn.pgconn)
    except BaseException:
        conn._end()
        raise


def _class_of(
    cls: type[Connection[Any]], chosen: type[Connection[Any]] | None
) -> type[Connection[Any]]:
    """The class to make a connection of.

    Raises:
        ProgrammingError: what was chosen is no class of connections like this one.
    """
    if chosen is None:
        return cls
    if not (isinstance(chosen, type) and issubclass(chosen, Connection)):
        raise ProgrammingError(
            f"got connection_class={chosen!r}: expected Connection or a subclass of it"
        )
    return chosen
