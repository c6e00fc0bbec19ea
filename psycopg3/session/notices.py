"""Notices and notifications, to their handlers."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from functools import partial
from typing import Any, NamedTuple

from .. import errors as e
from .._exceptions import readable
from ..encodings import conn_encoding, pg2py, words_encoding
from ..pq import PGconn, PGresult
from ..pq.misc import PGnotify
from .loss import Loss

# What the handlers of each kind are called with.
_NEWS = {
    "notice": "a Diagnostic",
    "notify": "a Notify",
    "close": "the connection",
    "query": "a LoggedQuery",
}

_CHANNEL_LENGTH = 63  # NAMEDATALEN - 1: bytes in the server's encoding


class Notify(NamedTuple):
    """A notification: what `NOTIFY channel, 'payload'` sent, and the process that sent it."""

    channel: str
    """The name of the channel."""
    payload: str
    """The text, empty if there was none."""
    pid: int
    """The process id of the sending session."""


# A user's function, and the context it was registered in.
_Handler = tuple[Callable[..., object], Context]

NoticeHandler = Callable[[e.Diagnostic], object]
NotifyHandler = Callable[[Notify], object]


def decoded(notifies: list[PGnotify], encoding: str) -> list[Notify]:
    """Notifications as libpq gives them, made into text; what doesn't decode is replaced."""
    return [
        Notify(readable(raw.relname, encoding), readable(raw.extra, encoding), raw.be_pid)
        for raw in notifies
    ]


class Notices:
    """The handlers of one session, called while its operations run.

    A FATAL or PANIC that arrives while no command is under way comes as a notice too
    (libpq knows no better place for it): it is kept as the reason of the loss, for the next
    operation to raise, and no handler sees it.

    Args:
        loss: what keeps it.
    """

    def __init__(self, loss: Loss) -> None:
        self._loss = loss
        self.spawn: Callable[[Any], object] | None = None
        """Runs what a handler returned to be awaited; None where nothing can be."""
        self.backlog: deque[Notify] = deque()
        """Notifications that `notifies()` has still to give."""
        self.consumers = 0
        """How many iterations of `notifies()` are waiting."""
        self.wants_notifies = False
        """Whether somebody is to be told of what has come when an operation ends."""
        self.wakers: set[Callable[[], object]] = set()
        """What wakes them, where they wait for no descriptor of their own."""
        self.is_idle = False
        """Whether what comes now was asked for by nobody."""
        self.handlers: dict[str, list[_Handler]] = {kind: [] for kind in _NEWS}
        """The handlers of each kind."""
        self._listeners: dict[str, list[_Handler]] = {}

    def add(self, kind: str, handler: Callable[..., object]) -> None:
        """Have `handler` called with all news of a kind, a key of `_NEWS`."""
        self.handlers[kind].append((self.checked(handler, _NEWS[kind]), copy_context()))
        self._note_wants()

    def remove(self, kind: str, handler: Callable[..., object]) -> None:
        """Stop calling `handler`; ValueError if it wasn't added."""
        handlers = self.handlers[kind]
        if (found := _find(handlers, handler)) is None:
            role = "logger" if kind == "query" else "handler"
            raise ValueError(
                f"got {handler!r}, which is no {kind} {role} of this connection: pass what was"
                f" given to add_{kind}_{role}()"
            )
        handlers.remove(found)
        self._note_wants()

    def add_listener(self, channel: str, callback: NotifyHandler) -> None:
        """Have `callback` called with each Notify of a channel; once, however often it is added."""
        listeners = self._listeners.setdefault(channel, [])
        if _find(listeners, callback) is None:
            listeners.append((callback, copy_context()))
        self._note_wants()

    def listeners_but(self, channel: str, callback: NotifyHandler | None) -> list[_Handler]:
        """The listeners of a channel that are left without this one; without any, if it is None.

        Raises:
            ProgrammingError: it is no listener of the channel, or there is none.
        """
        listeners = self._listeners.get(channel, [])
        if callback is None and listeners:
            return []
        if callback is not None and (found := _find(listeners, callback)):
            return [other for other in listeners if other is not found]
        who = "there is no listener" if not listeners else f"{callback!r} is no listener"
        raise e.ProgrammingError(
            f"{who} on the channel {channel!r}: pass what was given to listen()"
        )

    def remove_listener(self, channel: str, callback: NotifyHandler | None) -> None:
        """Forget a listener of a channel, or all of them; it raises what `listeners_but` does."""
        self._listeners[channel] = self.listeners_but(channel, callback)
        if not self._listeners[channel]:
            del self._listeners[channel]
        self._note_wants()

    def forget_listeners(self) -> None:
        """Forget all listeners, as `UNLISTEN *` does, and what `notifies()` has still to give."""
        self._listeners.clear()
        self._note_wants()
        self.backlog.clear()

    def checked(self, handler: Callable[..., object], news: str) -> Any:
        """A handler that a user gave, if it can be called here.

        Raises:
            ProgrammingError: it is no function, or one that must be awaited where nothing is.
        """
        if not callable(handler):
            raise e.ProgrammingError(
                f"the callback is of type {type(handler).__name__}: expected a function of {news}"
            )
        if self.spawn is None and _is_coroutine_function(handler):
            raise e.ProgrammingError(
                f"the callback {handler!r} is a coroutine function, and nothing here runs"
                " coroutines: pass a plain function, or use an asynchronous connection"
            )
        return handler

    def _note_wants(self) -> None:
        wants = self.takes_all or self.handlers["query"] or self._listeners or self.consumers
        self.wants_notifies = bool(wants)

    def consume(self, more: int) -> None:
        """Take note that so many more iterations of `notifies()` are waiting."""
        self.consumers += more
        self._note_wants()

    @property
    def takes_all(self) -> bool:
        """Whether there are handlers, which take the notifications of all channels."""
        return bool(self.handlers["notify"])

    def receive(self, pgconn: PGconn, result: PGresult) -> None:
        """Take a notice from libpq."""
        if self._loss.keep(result, pgconn):
            return
        if handlers := tuple(self.handlers["notice"]):
            diag = e.Diagnostic.from_result(result, words_encoding(pgconn))
            for handler in handlers:
                self.call(handler, diag, "notice")

    def receive_early(self, early: Sequence[dict[int, bytes | None]], pgconn: PGconn) -> None:
        """Hand the notices that came while connecting to the log, and to the handlers there are now."""
        for fields in early:
            import logging

            diag = e.Diagnostic(fields, words_encoding(pgconn))
            level = logging.WARNING if diag.severity_nonlocalized == "WARNING" else logging.INFO
            logging.getLogger("psycopg3").log(
                level, "while connecting, the server said: %s", diag.message_primary
            )
            for handler in tuple(self.handlers["notice"]):
                self.call(handler, diag, "notice")

    def deliver(self, notifies: list[Notify]) -> None:
        """Hand notifications to the handlers and listeners, in the order of arrival.

        Those that nobody takes stay in the backlog, for `notifies()`; if it is waiting, all go there.
        """
        # First of all: what is kept is not lost if a handler is interrupted.
        for notify in notifies:
            taken = self.takes_all or notify.channel in self._listeners
            if self.consumers or not taken:
                self.backlog.append(notify)
        self.wake()
        for notify in notifies:
            for handler in (*self.handlers["notify"], *self._listeners.get(notify.channel, ())):
                self.call(handler, notify, "notification")

    def wake(self) -> None:
        """Have those who wait in `notifies()` look again."""
        for waker in tuple(self.wakers):
            waker()

    def call(self, handler: _Handler, news: object, kind: str) -> None:
        """Call a user's handler, and run what it returns if that is to be awaited.

        It runs in the context of who asked for what is under way; if nobody did, in that of who
        registered it. Nobody waits for a handler: its failure is told to the log, and the session
        goes on.
        """
        function, context = handler
        if self.is_idle:  # a copy, since a context can't be entered twice
            context.copy().run(self._call, function, news, kind)
        else:
            self._call(function, news, kind)

    def _call(self, handler: Callable[..., object], news: object, kind: str) -> None:
        try:
            returned = handler(news)
        except Exception:
            import logging

            logging.getLogger("psycopg3").exception("error in the %s handler %r", kind, handler)
            return
        if returned is not None and isinstance(returned, Awaitable):
            self._run(returned, handler, kind)

    def _run(self, returned: Awaitable[object], handler: object, kind: str) -> None:
        if self.spawn is not None:
            try:
                self.spawn(returned)
                return
            except RuntimeError:
                pass  # called in a thread where no event loop runs, as by one that closes
        if (close := getattr(returned, "close", None)) is None:
            return  # a task, which runs by itself
        close()  # or it would warn that nobody awaited it
        import logging

        logging.getLogger("psycopg3").error(
            "the %s handler %r returned %r, and nothing here runs coroutines: it was dropped",
            kind,
            handler,
            returned,
        )


def _find(handlers: list[_Handler], function: Callable[..., object]) -> _Handler | None:
    return next((known for known in handlers if known[0] == function), None)


def check_channel(channel: object, pgconn: PGconn) -> None:
    """Refuse what can't be the name of a channel, or what the server would cut.

    Raises:
        ProgrammingError: it is no str, or too long.
    """
    if not isinstance(channel, str):
        raise e.ProgrammingError(
            f"the channel is of type {type(channel).__name__}: expected its name, a str"
        )
    try:
        at_server = channel.encode(pg2py(pgconn.parameter_status(b"server_encoding") or b""))
    except (e.NotSupportedError, UnicodeEncodeError):  # SQL_ASCII: it takes any bytes as they are
        at_server = channel.encode(conn_encoding(pgconn), "replace")
    if len(at_server) > _CHANNEL_LENGTH:
        raise e.ProgrammingError(
            f"the channel {channel!r} has {len(at_server)} bytes: expected at most"
            f" {_CHANNEL_LENGTH}, since of a longer name the server takes the beginning only"
        )


def _is_coroutine_function(function: Any) -> bool:
    """Whether to call it gives a coroutine; also a method, a partial, an object with `__call__`."""
    from inspect import iscoroutinefunction  # 4 ms, where a synchronous connection has callbacks

    while isinstance(function, partial):
        function = function.func
    return iscoroutinefunction(function) or iscoroutinefunction(type(function).__call__)
