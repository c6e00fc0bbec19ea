"""Query loggers: what was sent, how long it took, what came of it; and traces of the protocol."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from time import monotonic
from typing import Any, NamedTuple, Protocol

from .. import errors as e
from ..pq import Format, Trace
from ..query import BoundQuery, RequestKind
from .endings import Ending
from .exchange import Exchange, Pending
from .results import check_results
from .session import Session

_TOLD = (RequestKind.SIMPLE, RequestKind.PARAMS, RequestKind.PREPARED)


class LoggedQuery(NamedTuple):
    """What a query logger is called with: one statement that was sent, and what came of it."""

    query: str
    """The SQL as the server got it, with $1, $2 ... for parameters."""
    parameters: list[Any] | None
    """The parameters as the server got them, read back by the connection's loaders; None without any."""
    elapsed: float
    """Seconds from its sending until its results were there."""
    exception: BaseException | None
    """The server's error, or what interrupted it; None if it succeeded."""
    statusmessage: str | None
    """The tag of its last result, such as "INSERT 0 1"; None without one."""


class SupportsFileno(Protocol):
    """An open file."""

    def fileno(self) -> int:
        """Its descriptor."""
        ...


QueryLogger = Callable[[LoggedQuery], object]


class _LoggingExchange(Exchange):
    """An exchange that takes note of what is sent. Others have nothing to do for loggers."""

    sent: list[tuple[Pending, BoundQuery, float]]

    def send(self, request: BoundQuery, ending: Ending = Ending.NOTHING) -> Pending:
        begin = monotonic()
        pending = super().send(request, ending)
        if request.kind in _TOLD:
            self.sent.append((pending, request, begin))
        return pending

    def take_settled(self) -> list[tuple[Pending, BoundQuery, float]]:
        """What was sent and is not owed any more, be it done or given up."""
        sent, self.sent = self.sent, []
        settled: list[tuple[Pending, BoundQuery, float]] = []
        for one in sent:
            is_settled = one[0].done or one[0] not in self.owed
            (settled if is_settled else self.sent).append(one)
        return settled


class LoggedSession(Session):
    """A session that tells loggers of its queries."""

    def add_query_logger(self, callback: QueryLogger) -> None:
        """Have `callback` called with a `LoggedQuery` for each statement that was sent.

        The driver's own are among them, such as BEGIN and COMMIT, and each execution of an
        `executemany()`. It is called when the operation ends that has received the results, and
        can't use the connection; what it may be is told at `add_notice_handler()`.

        Raises:
            ProgrammingError: it is no function; or a coroutine function, on a synchronous connection.
        """
        self._notices.add("query", callback)
        if not isinstance(self._exchange, _LoggingExchange):
            self._exchange.__class__ = _LoggingExchange
            self._exchange.sent = []  # type: ignore[attr-defined]

    def remove_query_logger(self, callback: QueryLogger) -> None:
        """Stop calling `callback`; ValueError if it wasn't added."""
        self._notices.remove("query", callback)
        if not self._notices.handlers["query"]:
            self._exchange.__class__ = Exchange

    @contextmanager
    def query_logger(self, callback: QueryLogger) -> Iterator[None]:
        """Have `callback` called as by `add_query_logger()`, in a block: `with conn.query_logger(...)`."""
        self.add_query_logger(callback)
        try:
            yield
        finally:
            self.remove_query_logger(callback)

    @contextmanager
    def trace(
        self, file: str | os.PathLike[str] | SupportsFileno, *, timestamps: bool = True
    ) -> Iterator[None]:
        """Have libpq write each message of the protocol to a file, in a block: `with conn.trace(...)`.

        The file has all that is sent and received: the values of parameters and of rows, and passwords that
        are set.

        Args:
            file: the path of a file that is written anew, or an open file.
            timestamps: whether each line begins with the time.

        Raises:
            NotSupportedError: on Windows.
        """
        is_path = isinstance(file, (str, os.PathLike))
        given: Any = file
        with open(given, "wb") if is_path else nullcontext(given) as opened:
            self.pgconn.trace(opened.fileno())
            try:
                if not timestamps:
                    self.pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)
                yield
            finally:
                self.pgconn.untrace()

    def _deliver(self) -> bool:
        if isinstance(self._exchange, _LoggingExchange):
            self._tell_loggers(self._exchange)
        return super()._deliver()

    def _tell_loggers(self, exchange: _LoggingExchange) -> None:
        now = monotonic()
        for pending, request, begin in exchange.take_settled():
            logged = self._logged(pending, request, now - begin)
            for handler in tuple(self._notices.handlers["query"]):
                self._notices.call(handler, logged, "query")

    def _logged(self, pending: Pending, request: BoundQuery, elapsed: float) -> LoggedQuery:
        known = self._transformer_of()
        exception: BaseException | None = None
        if not pending.done:
            exception = sys.exception()
        try:
            check_results(pending.results, known.words_encoding)
        except e.Error as ex:
            exception = exception or ex.with_traceback(None)
        tag = pending.results[-1].command_status if pending.results else None
        return LoggedQuery(
            request.query.decode(known.words_encoding, "replace"),
            None if request.values is None else self._read_back(request),
            elapsed,
            exception,
            tag.decode("utf-8", "replace") if tag else None,
        )

    def _read_back(self, request: BoundQuery) -> list[Any]:
        """The parameters of a request; one that has no loader is the bytes that were sent."""
        known, read = self._transformer_of(), []
        for value, oid, format in zip(
            request.values or (), request.types, request.formats, strict=True
        ):
            loaded: Any = value
            if value is not None:
                with suppress(Exception):  # a date that Python has not, text in another encoding
                    loaded = known.get_loader(oid, Format(format)).load(value)
            read.append(loaded)
        known.contextual = None
        return read
