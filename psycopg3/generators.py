"""Talks with libpq that yield (fd, Wait) where they would block: connect, execute, listen, cancel.

Nothing here waits and nothing decides what a result means: a generator asks for the
descriptor to become ready, is sent the `Ready` bits, and goes on. `Ready.NONE` tells that
an interval passed in silence, which is when the clocks of `connect_gen` are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic, sleep
from typing import TypeVar

from . import errors as e
from . import scram
from .concurrency.calls import CpuCall, native
from .conninfo import SCRAM_MAX_ITERATIONS
from .deadlines import Deadline
from .dialing.adoption import negotiate_gen
from .dialing.records import Link
from .pq import (
    ConnStatus,
    ExecStatus,
    PGcancelConn,
    PGconn,
    PGresult,
    PipelineStatus,
    PollingStatus,
)
from .pq.failed import FailedPGconn
from .pq.misc import PGnotify
from .pq.records import Buffer
from .waiting import Ready, Wait, WaitGen, call_gen

T = TypeVar("T")

# Between two looks at a message of which a part is missing. Few servers ever send one so.
_PAUSE = 0.02

# What `PGconn.advance` is told before anything was waited for.
_NOT_WAITED: int = Ready.W

# What it returns, as waiters want it.
_WAITS = (Wait.R, Wait.R, Wait.W, Wait.RW)


def connect_gen(
    conninfo: str | bytes,
    *,
    timeout: float = 0,
    scram_max_iterations: int = SCRAM_MAX_ITERATIONS,
) -> WaitGen[PGconn]:
    """Open a libpq connection without blocking (libpq itself resolves the host names).

    Args:
        conninfo: a connection string, as in the manual's section "Connection Strings".
        timeout: seconds for the whole attempt; 0 means no limit.
        scram_max_iterations: how often a server may have the password hashed.

    Returns:
        A `pq.PGconn` in non-blocking mode, ready for commands.

    Raises:
        ConnectionTimeout: the time passed; the server may be unreachable or mute.
        OperationalError: the connection was refused; the message is libpq's, and the
            exception's `pgconn` tells whether a password was needed or used.
    """
    if isinstance(conninfo, str):
        conninfo = conninfo.encode()
    too_late = partial(
        e.ConnectionTimeout,
        f"no connection within {timeout:g} seconds: the server did not answer in"
        " time; check host and port, or raise connect_timeout",
    )
    deadline = Deadline.after(timeout, too_late)
    gen = started_gen(PGconn.connect_start(conninfo), scram_max_iterations)
    return (yield from (until_gen(gen, deadline) if timeout > 0 else gen))


def started_gen(
    pgconn: PGconn,
    scram_max_iterations: int,
    link_gen: Callable[[], WaitGen[Link]] | None = None,
) -> WaitGen[PGconn]:
    """Bring a connection that was started to its end: ready for commands, or finished.

    Args:
        pgconn: what libpq has begun to connect.
        scram_max_iterations: how often a server may have the password hashed.
        link_gen: as in `negotiate_gen()`.

    Returns:
        `pgconn`, in non-blocking mode.

    Raises:
        OperationalError: as `connect_gen()`.
    """
    pgconn.notice_handler = EarlyNotices()
    try:
        poll_gen = partial(_connect_poll_gen, pgconn, scram.Guard(pgconn, scram_max_iterations))
        if (yield from negotiate_gen(pgconn, poll_gen, link_gen)) == PollingStatus.FAILED:
            # What stays with the exception tells `needs_password` and `used_password` to whoever
            # wants to ask the user for one.
            raise e.OperationalError(pgconn.get_error_message(), pgconn=FailedPGconn(pgconn))
    except BaseException:
        pgconn.finish()
        raise
    pgconn.nonblocking = 1
    return pgconn


class EarlyNotices(list[dict[int, "bytes | None"]]):
    """The notices that come while connecting, field by field, kept for handlers that are added later."""

    def __call__(self, result: PGresult) -> None:
        self.append({code: result.error_field(code) for code in e.FIELD_CODES})


def _connect_poll_gen(pgconn: PGconn, guard: scram.Guard) -> WaitGen[PollingStatus]:
    """Take the next step of connecting: PQconnectPoll, but nobody waits while libpq computes.

    Raises:
        OperationalError: the server asks libpq to compute for too long.
    """
    step = guard.next_step()
    if step is scram.Step.POLL:
        return pgconn.connect_poll()
    if step is scram.Step.ASIDE:
        # If the caller leaves, libpq's connection closes when the call returns: see `pq.handle`.
        polled: PollingStatus = yield from call_gen(CpuCall(native(pgconn.connect_poll)))
        return polled
    if step is scram.Step.PAUSE:
        # The descriptor stays readable: waiting for it would be no waiting.
        yield from call_gen(CpuCall(sleep, _PAUSE))
    return PollingStatus.READING


def receive(pgconn: PGconn) -> None:
    """Read what the server has sent, so that it can be waited for more.

    A TLS record may be longer than the room that libpq has to read it. The rest waits decrypted in
    OpenSSL, and never makes the socket readable: a second read takes it. If the second read itself
    finds a record that has come just now, there may again be a rest, of which nobody can tell: so
    those who wait for the end of a message read after a silent interval as well (`Watcher.tick`).

    Raises:
        OperationalError: the connection was lost.
    """
    pgconn.consume_input()
    if pgconn.ssl_in_use:
        pgconn.consume_input()


def lost_with_reason(pgconn: PGconn, results: list[PGresult]) -> bool:
    """Whether a connection is lost and the server's reason is among the results, at the latest now."""
    if pgconn.status != ConnStatus.BAD:
        return False
    if _may_hold_errors(pgconn):
        while (result := pgconn.get_result()) is not None:
            results.append(result)
            if result.status == ExecStatus.FATAL_ERROR:
                break
    return any(r.error_field(e.SQLSTATE_FIELD) for r in results)


def unread_error(pgconn: PGconn) -> PGresult | None:
    """The next error that libpq has read of a lost connection, and holds as a result.

    What came while no command was under way goes to the notice handler, now at the latest.
    """
    if not _may_hold_errors(pgconn):
        return None
    # In a pipeline there is a None after the answer to each command.
    left = 1 if pgconn.pipeline_status == PipelineStatus.OFF else 2
    silence = 0
    while silence < left:
        result = pgconn.get_result()
        if result is not None and result.status == ExecStatus.FATAL_ERROR:
            return result
        silence = silence + 1 if result is None else 0
    return None


def _may_hold_errors(pgconn: PGconn) -> bool:
    """Whether to ask libpq for what it has read of a lost connection.

    Asked for a result that it hasn't got, it would wait on the socket that it has dropped, and put
    "invalid socket" under its message. That it has parsed an error shows there too; but not in a
    pipeline, where the answers to earlier commands come first.
    """
    message = pgconn.error_message
    pgconn.is_busy()  # PQconsumeInput reads, PQisBusy parses
    return pgconn.error_message != message or pgconn.pipeline_status != PipelineStatus.OFF


def execute_gen(
    pgconn: PGconn, query: bytes, params: Sequence[Buffer | None] | None = None
) -> WaitGen[list[PGresult]]:
    """Run one query: the bare conversation, with no transaction, types or errors raised.

    Args:
        query: SQL; several statements are allowed if there are no `params`.
        params: values for $1, $2 ... in text format, None for NULL.

    Returns:
        A list of results, one a statement; a failed statement's is the last.

    Raises:
        OperationalError: the connection was lost.
    """
    if params is None:
        pgconn.send_query(query)
    else:
        pgconn.send_query_params(query, params)
    results: list[PGresult] = []
    yield from results_gen(pgconn, results)
    return results


def results_gen(pgconn: PGconn, results: list[PGresult]) -> WaitGen[None]:
    """Receive what is left of the results of one request; they are put into `results`.

    Raises:
        OperationalError: the connection was lost, and the server's reason isn't among the results.
    """
    ready = _NOT_WAITED
    try:
        while wanted := pgconn.advance(results, ready):
            ready = yield pgconn.socket, _WAITS[wanted]
    except e.OperationalError:
        if not lost_with_reason(pgconn, results):
            raise


def notifies_gen(pgconn: PGconn, *, timeout: float | None = None) -> WaitGen[list[PGnotify]]:
    """Wait for notifications and return those that came, oldest first.

    Args:
        timeout: seconds; 0 takes what is there without waiting, None waits for ever.

    Returns:
        A list of `PGnotify`, empty only if the time passed without any.

    Raises:
        OperationalError: the connection was lost.
    """
    deadline = None if timeout is None else monotonic() + timeout
    ready: int = Ready.R
    while not (notifies := arrived_notifies(pgconn)):
        if ready or pgconn.ssl_in_use:
            receive(pgconn)
            notifies = arrived_notifies(pgconn)
        if notifies or (deadline is not None and monotonic() >= deadline):
            break
        ready = yield pgconn.socket, Wait.R
    return notifies


def arrived_notifies(pgconn: PGconn) -> list[PGnotify]:
    """Take the notifications that libpq has already received, oldest first.

    Each goes to the connection's `notify_handler` too.
    """
    notifies = []
    while (notify := pgconn.notifies()) is not None:
        notifies.append(notify)
        if pgconn.notify_handler is not None:
            pgconn.notify_handler(notify)
    return notifies


def cancel_gen(
    cancel_conn: PGcancelConn,
    *,
    timeout: float = 0,
    link_gen: Callable[[], WaitGen[Link]] | None = None,
) -> WaitGen[None]:
    """Ask the server to cancel, and wait until it has taken the request (libpq 17 and newer).

    Waiting for the end matters: a request that is only sent may strike the next query.

    Args:
        timeout: seconds; 0 means no limit.
        link_gen: as in `negotiate_gen()`.

    Raises:
        CancellationTimeout: the server did not take the request in time.
        OperationalError: the request could not be delivered.
    """
    too_late = partial(
        e.CancellationTimeout,
        f"the server did not take the cancel request within {timeout:g} seconds",
    )
    sent = False

    def poll_gen() -> WaitGen[PollingStatus]:
        nonlocal sent
        yield from ()
        sent = sent or cancel_conn.status == ConnStatus.AWAITING_RESPONSE
        return cancel_conn.poll()

    deadline = Deadline.after(timeout, too_late)
    cancel_conn.start()
    gen = negotiate_gen(cancel_conn, poll_gen, link_gen)
    status = yield from (until_gen(gen, deadline) if timeout > 0 else gen)
    # Over a connector's link any end will do once it is sent: TLS may end without a close_notify.
    if status == PollingStatus.FAILED and not (sent and link_gen):
        raise undelivered(cancel_conn.get_error_message())


def undelivered(reason: object) -> e.OperationalError:
    """The error for a request to cancel that didn't get to the server."""
    text = str(reason) or repr(reason)
    return e.OperationalError(f"the cancel request could not be delivered: {text}")


def until_gen(gen: WaitGen[T], deadline: Deadline) -> WaitGen[T]:
    """Pass `gen` through until the deadline, then raise its error.

    The clock is looked at whenever the generator is resumed; the waiter must give ticks. However
    it ends, `gen` is closed: what it held open would else live as long as the exception.
    """
    try:
        want = next(gen)
        while True:
            ready = yield want
            deadline.check()
            want = gen.send(ready)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    finally:
        gen.close()
