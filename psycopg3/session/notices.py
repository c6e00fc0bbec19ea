"""Notices and notifications to their handlers, and the server's last words."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from .. import errors as e
from ..encodings import conn_encoding

if TYPE_CHECKING:
    from ..pq import PGconn, PGresult
    from ..pq.misc import PGnotify

_LOST_FOR_GOOD = frozenset({b"FATAL", b"PANIC"})


class Notify(NamedTuple):
    """A notification: what `NOTIFY channel, 'payload'` sent, and the process that sent it."""

    channel: str
    """The name of the channel."""
    payload: str
    """The text, empty if there was none."""
    pid: int
    """The process id of the sending session."""


NoticeHandler = Callable[["e.Diagnostic"], object]
NotifyHandler = Callable[[Notify], object]


def decoded(notifies: list[PGnotify], encoding: str) -> list[Notify]:
    """Notifications as libpq gives them, made into text; what doesn't decode is replaced."""
    if encoding == "ascii":  # SQL_ASCII: not even the server knows what the bytes mean
        encoding = "utf-8"
    return [
        Notify(
            raw.relname.decode(encoding, "replace"),
            raw.extra.decode(encoding, "replace"),
            raw.be_pid,
        )
        for raw in notifies
    ]


class Notices:
    """The handlers of one session, called while its operations run.

    A FATAL or PANIC that arrives while no command is under way comes as a notice too
    (libpq knows no better place for it): it is kept as the reason of the loss, for the next
    operation to raise, and no handler sees it.
    """

    def __init__(self) -> None:
        self.backlog: deque[Notify] = deque()
        """Notifications that `notifies()` has still to give."""
        self._last_words: Callable[[], e.Error] | None = None
        self._handlers: list[NoticeHandler] = []
        self._notify_handlers: list[NotifyHandler] = []
        self._listeners: dict[str, list[tuple[NotifyHandler, Callable[[Notify], object]]]] = {}

    def add(self, handler: NoticeHandler) -> None:
        """Have `handler` called with the Diagnostic of each notice."""
        self._handlers.append(handler)

    def remove(self, handler: NoticeHandler) -> None:
        """Stop calling `handler`; ValueError if it wasn't added."""
        self._handlers.remove(handler)

    def add_notify(self, handler: NotifyHandler) -> None:
        """Have `handler` called with each Notify."""
        self._notify_handlers.append(handler)

    def remove_notify(self, handler: NotifyHandler) -> None:
        """Stop calling `handler`; ValueError if it wasn't added."""
        self._notify_handlers.remove(handler)

    def add_listener(
        self, channel: str, callback: NotifyHandler, call: Callable[[Notify], object]
    ) -> None:
        """Have `call` called with each Notify of a channel; `callback` is its name for removal."""
        self._listeners.setdefault(channel, []).append((callback, call))

    def remove_listener(self, channel: str, callback: NotifyHandler | None) -> bool:
        """Forget a listener of a channel, or all of them; True if none is left.

        Raises:
            ValueError: it wasn't added.
        """
        listeners = self._listeners.get(channel, [])
        left = [pair for pair in listeners if callback is not None and pair[0] != callback]
        if len(left) == len(listeners):
            raise ValueError(f"{callback!r} is no listener of the channel {channel!r}")
        self._listeners[channel] = left
        if not left:
            del self._listeners[channel]
        return not left

    def forget_listeners(self) -> None:
        """Forget all listeners, as `UNLISTEN *` does."""
        self._listeners.clear()

    @property
    def reason(self) -> e.Error | None:
        """A new error of what the server said when it ended the session while idle, if it did."""
        return self._last_words() if self._last_words is not None else None

    def remember(self, ex: BaseException) -> None:
        """Keep the server's error that ended the session as its reason, for later operations."""
        if isinstance(ex, e.Error) and ex.sqlstate is not None and self._last_words is None:
            self._last_words = partial(_again, type(ex), ex.args, vars(ex))

    @property
    def wants_notifies(self) -> bool:
        """Whether somebody is to be called."""
        return bool(self._notify_handlers or self._listeners)

    def receive(self, pgconn: PGconn, result: PGresult) -> None:
        """Take a notice from libpq."""
        severity = result.error_field(e.SEVERITY_NONLOCALIZED_FIELD)
        encoding = conn_encoding(pgconn)
        if severity in _LOST_FOR_GOOD:
            fields = {code: result.error_field(code) for code in e.FIELD_CODES}
            self._last_words = partial(e.error_from_fields, fields, encoding)
            return
        if self._handlers:
            diag = e.Diagnostic.from_result(result, encoding)
            for handler in tuple(self._handlers):
                call_handler(handler, diag, "notice")

    def deliver(self, notifies: list[Notify]) -> None:
        """Hand notifications to the handlers and listeners, in the order of arrival."""
        for notify in notifies:
            for handler in tuple(self._notify_handlers):
                call_handler(handler, notify, "notification")
            for _, call in tuple(self._listeners.get(notify.channel, ())):
                call_handler(call, notify, "notification")


def call_handler(handler: Callable[..., object], news: object, kind: str) -> None:
    """Call a user's handler; an exception of it goes to the log."""
    try:
        handler(news)
    except Exception:
        # Nobody waits for a handler: its failure is told, and the session goes on.
        import logging

        logging.getLogger("psycopg3").exception("error in the %s handler %r", kind, handler)


def _again(cls: type[e.Error], args: tuple[object, ...], state: dict[str, object]) -> e.Error:
    """Make an error anew: one that was raised before carries the traceback of its first use."""
    error = cls(*args)
    vars(error).update(state)
    return error
