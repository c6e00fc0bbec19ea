# Generated from psycopg3/_async/runner.py by `python tools/unasync.py`: edit that file, not this one.
"""Runs a session's generators: lock, wait, deadline; cancels and drains when interrupted."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar, cast

from .. import errors as e
from ..concurrency import forks, threads
from ..deadlines import PATIENCE, Deadline, check_seconds
from ..dialing.threads import at_once
from ..generators import until_gen
from ..pq import PGconn, TransactionStatus
from ..session.cancelling import blocking_cancel_gen
from ..session.recovery import needs_cancel, recovery_gen, transaction_outcome
from ..session.session import Session
from ..session.states import Operation
from ..session.transaction import OutOfOrderTransactionNesting, Rollback
from ..waiting import STOCK, TICK, WaitFunc, WaitGen, is_open, tick_within, wait_select
from ..watching import watcher
from .dial import drive
from .turn import HeldTurn, Turn

T = TypeVar("T")

_AT_REST = (TransactionStatus.IDLE, TransactionStatus.INTRANS, TransactionStatus.INERROR)

CANCEL_TIMEOUT = 2.0
NO_TIMEOUT = float("inf")
"""The timeout of what waits for ever by nature, whatever `command_timeout` says."""


class Runner(Session):
    """A session that can wait: what `Connection` is built on."""

    command_timeout: float | None = None
    """Seconds that an operation may take if its own `timeout` isn't given; None: no limit."""
    _cancel_timeout: float = CANCEL_TIMEOUT

    def __init__(self, pgconn: PGconn, *, wait: WaitFunc | None = None):
        super().__init__(pgconn)
        self._own_wait = wait
        self._underway = False
        self._block_turn: Callable[[], object] = int
        self._library = running_library()
        self._notices.spawn = self._library.spawn
        self._settle_in(self._library.place())
        forks.register(self)

    def _settle_in(self, place: object) -> None:
        """Make what belongs to one event loop."""
        self._place = place
        self.lock = self._library.Lock()
        """Taken by each operation; whoever holds it is the connection's only user."""
        self._watcher = watcher(
            self._library.name,
            self.pgconn.socket,
            self,
            self._own_wait,
            tls=bool(self.pgconn.ssl_in_use),
        )

    @property
    def cancel_timeout(self) -> float:
        """Seconds in which an interrupted operation must come to rest, or the connection is closed.

        0 closes it at once.
        """
        return self._cancel_timeout

    @cancel_timeout.setter
    def cancel_timeout(self, value: float) -> None:
        check_seconds(value, PATIENCE, "cancel_timeout")
        self._cancel_timeout = value

    def wait(
        self, gen: WaitGen[T], interval: float | None = 0.1, *, timeout: float = NO_TIMEOUT
    ) -> T:
        """Run a generator over the connection's descriptor, when the connection's turn has come.

        Whatever exception ends it, the connection is afterwards at rest or closed.

        Args:
            gen: yields `(fd, Wait)` and is sent `Ready` bits; see `psycopg3.waiting`.
            interval: seconds of silence after which it is sent `Ready.NONE`; None if it has no
                clock.
            timeout: seconds until it is given up, which is a QueryTimeout.
        """
        value: T = self._in_turn(Turn.drive, timeout, gen, interval)
        return value

    def _run(self, gen: WaitGen[T], timeout: float | Deadline | None = None) -> T:
        """Run a generator of the session's as an operation; see `_in_turn()`."""
        try:
            value: T = self._in_turn(Turn.run, timeout, gen)
            return value
        finally:
            gen.close()  # or it would warn if its turn didn't come

    def _in_turn(
        self, operation: Callable[..., Any], timeout: float | Deadline | None, *args: Any
    ) -> Any:
        """Run an operation of this connection, when its turn has come.

        Whatever exception ends it, the connection is afterwards at rest or closed: the server's
        work is cancelled, and what it still sends is read and dropped.

        Args:
            operation: called with the turn and `args`.
            timeout: seconds until it is given up, its turn included; None is the connection's
                `command_timeout`.

        Raises:
            QueryTimeout: the time has passed; the operation was cancelled.
            ProgrammingError: the connection is used from inside one of its own operations.
            InterfaceError: it is used from an event loop that isn't its own.
        """
        deadline = None
        if timeout is not None or self.command_timeout is not None:
            deadline = _deadline(self, timeout)
        # Threads have no place of their own.
        if (self._place is not None and self._is_elsewhere()) or self.lock.owned():
            self._check_place()
        lock: Any = self.lock if deadline is None else self.lock.within(deadline)
        try:
            with lock:
                try:
                    if self._underway:
                        self._bring_to_rest(deadline)
                    self._underway = True
                    value = operation(Turn(self, deadline), *args)
                    self._underway = False
                    return value
                except BaseException as ex:
                    self._fail(ex)
                    raise
                finally:
                    self._end_operation()
        finally:
            # After the lock is free: a thread that closes meanwhile sees it free, or is seen here.
            if self._closed or self.lock.owned():
                self._leave()

    def _turn(self, timeout: float | None = None) -> HeldTurn:
        """The exclusive use of the connection for a block of several operations: `with`.

        Args and errors are those of `_in_turn()`.
        """
        return HeldTurn(self, _deadline(self, timeout))

    def _take_turn(self, turn: HeldTurn) -> None:
        """Begin a block that holds the connection."""
        self._check_place()
        try:
            self.lock.acquire(turn._deadline)
            turn.is_held, self._block_turn = True, weakref.ref(turn)
            if self._underway:
                self._bring_to_rest(turn._deadline)
            self._underway = True
        except BaseException:
            self._drop_turn(turn)
            raise

    def _leave_turn(self, turn: HeldTurn, exc: BaseException | None) -> None:
        """End a block that holds the connection, left by `exc`."""
        try:
            if exc is None:
                self._underway = False
            else:
                self._fail(exc)
        finally:
            try:
                self._end_operation()
            finally:
                self._drop_turn(turn)

    def _drop_turn(self, turn: HeldTurn) -> None:
        """Let others have the connection; what is under way the next of them brings to rest.

        A generator that was dropped is closed by another task than the one that it ran in.
        """
        if turn.is_held and not self.lock.owned():
            with suppress(RuntimeError):  # only a thread's own locks are its to release
                self.lock.release()
        self._leave()
        # In this order: a signal in between must not leave the lock taken.
        self._block_turn, turn.is_held = int, False

    def _is_elsewhere(self) -> bool:
        """Whether another event loop runs here than the connection lives in, or none."""
        try:
            return self._library.place() is not self._place
        except RuntimeError:
            return True

    def _check_place(self) -> None:
        """Refuse an operation from where the connection can't be used; move to another event loop."""
        try:
            here = self._library.place()
        except RuntimeError:
            raise e.InterfaceError(
                f"the connection was made on {self._library.name}, which doesn't run here: open"
                " another connection"
            ) from None
        if here is not self._place:
            self._move(here)
        if self.lock.owned() and self._block_turn() is None:
            # A signal's exception struck where the block's turn was dropped.
            self._block_turn = int
            self.lock.release()
        if self.lock.owned():
            raise e.ProgrammingError(
                "the connection is already in use by the operation that calls this (a handler, a"
                " signal handler, an iterator or a COPY of it): use another connection here"
            )

    def _bring_to_rest(self, deadline: Deadline | None) -> None:
        """Recover what an exception left that struck where another one was being handled.

        What is shared, and wanted by others than the one who was interrupted, is received.
        """
        if self._exchange.needs_drain:
            if self._sharing is not None and self._sharing.is_wanted:
                Turn(self, deadline).finish_shared()
            else:
                self._library.shield(self._recover, True)
        self._exchange.last, self._exchange.is_used = None, False

    def _end_operation(self) -> None:
        # Whoever holds a Pending is the one owner of its results.
        self._exchange.last, self._exchange.is_used = None, False
        if self._watcher.is_paused:
            self._watcher.resume()
        # What a signal's handler raised among the last notices is raised by a call, here.
        if (self._notices.wants_notifies or self.pgconn._interruptions) and not self._closed:
            self._deliver()

    def _leave(self) -> None:
        if self.lock.owned():  # an exception struck between taking it and the block it is for
            self.lock.release()
        if self._closed:
            self._free()

    def _fail(self, first: BaseException) -> None:
        """Bring the session to rest after an exception, or close it; raise what replaces it, if any."""
        ex = first
        shared = self._sharing is not None and self._sharing.is_wanted
        if not shared and self._needs_recovery(first):
            ex = self._rest_after(first)
        elif isinstance(first, e.OperationalError) and _has_no_socket(self.pgconn):
            self._give_up()
        self._underway = shared
        unknown = transaction_outcome(self, ex)
        if self.broken or self._exchange.fatal_result is not None:
            self._loss.is_told = True
            self._find_reason()
        if self.broken:
            self._note_loss()
        try:
            if unknown is not None:
                raise unknown from ex
            if self._closed and ex.__class__ is e.QueryCanceled:
                explained = self._explain(cast("e.OperationalError", ex))
                explained.__suppress_context__ = True
                raise explained
            if ex is not first:
                raise ex
        finally:
            del ex, first, unknown  # or they would know this frame, and the frame them: a cycle

    def _needs_recovery(self, ex: BaseException) -> bool:
        """Whether an exception has left the session in the middle of something."""
        exchange = self._exchange
        if not exchange.is_used or not exchange.needs_drain:
            return False
        # A pipeline that the user has entered goes on after errors; what interrupts it ends it.
        own = isinstance(ex, e.Error) and not isinstance(ex, e.QueryTimeout)
        return not (exchange.pipelined and not exchange.is_own and own)

    def _rest_after(self, ex: BaseException) -> BaseException:
        """Bring the session to rest, or close it; returns what is to be raised, `ex` if it may."""
        # A coroutine that is being closed can't wait; and for who had his time, none is left.
        over = isinstance(ex, (GeneratorExit, e.CancellationTimeout))
        if over or _has_no_socket(self.pgconn):
            self._give_up()
            return ex
        try:
            self._library.shield(self._recover, needs_cancel(ex))
        except BaseException as another:
            if self._exchange.needs_drain:
                self._give_up()
            return another
        return ex

    def _move(self, here: object) -> None:
        """Settle in another event loop, if the one that the connection lived in has gone.

        What was under way there is brought to rest first.
        """
        self._check(Operation.REFER, "this")
        if not self._library.deserted(self._place):
            raise e.InterfaceError(
                "the connection belongs to another event loop, which is still running: open a"
                " connection in each loop"
            )
        self._watcher.close()
        if self._route.relay and self._route.relay.deserted():
            self._give_up()
            raise e.OperationalError(
                "the connection was relayed by the event loop that it was made in, which has ended:"
                " open another connection"
            )
        self._settle_in(here)
        if self._exchange.needs_drain:
            self._recover(True)

    def _read_idle(self) -> bool | None:
        """Take what the server sends while idle.

        Returns:
            Whether notifications have been delivered. None if it isn't idle: an operation is under
            way, or there are answers that nobody has read, of a command that the user sent by
            `pgconn`, of a pipeline.
        """
        return None if self.lock.locked() or self._exchange.needs_drain else self._receive_idle()

    def _recover(self, cancel: bool) -> None:
        """Bring the session back to rest within its budget, or give it up; raises no driver's error."""
        seconds = self.cancel_timeout
        if not seconds:
            self._give_up()
            return
        deadline = Deadline.after(seconds, partial(_restless, seconds, self.pgconn))
        gen = partial(recovery_gen, self, seconds, cancel=cancel)
        try:
            drive(gen, self._route.dialer, self._watcher.wait, deadline)
        except BaseException as ex:
            # Interrupted, it may have left a cancel request on its way, which would strike a later query.
            self._log(
                "%r is closed, it could not be brought to rest: %s", self, str(ex) or repr(ex)
            )
            self._give_up()
            if not isinstance(ex, e.Error):
                raise

    def _undo(self, gen: WaitGen[T], exc: BaseException) -> T | None:
        """Run the rollback that `exc` makes necessary; its own failure goes to the log.

        An interruption must not be interrupted: then the rollback is shielded, and has the
        budget of a cancellation.
        """
        try:
            if isinstance(exc, Exception):
                return self._run(gen)
            seconds = self.cancel_timeout or TICK
            # The first to lose patience: after it, there is no second budget for a recovery.
            gen = until_gen(gen, Deadline.after(seconds, partial(_restless, seconds)))
            undone: T = self._library.shield(self._run, gen, seconds + TICK)
            return undone
        except OutOfOrderTransactionNesting:
            raise
        except e.Error as ex:
            if isinstance(exc, Rollback):  # which the block swallows: nobody else would tell
                raise
            self._log("error ignored in the rollback of %r: %s", self, ex)
            return None

    def cancel_safe(self, *, timeout: float = 30.0) -> None:
        """Ask the server to cancel the command under way, as `cancel()`, but without blocking.

        With libpq 17 and newer the request is encrypted as the connection is.

        Args:
            timeout: seconds that the request may take.

        Raises:
            CancellationTimeout: the server didn't take the request in time.
            OperationalError: the request could not be delivered.
            NotSupportedError: the connection is over `sock=`, and there is no second link.
            ProgrammingError: the transaction was prepared by `tpc_prepare()`.
        """
        if not self.closed:
            self._check_cancel()
            self._request_cancel(timeout)

    def _request_cancel(self, timeout: float) -> None:
        check_seconds(timeout)
        deadline = Deadline.after(timeout, partial(_not_taken, "in time"))
        gen = partial(self._route.cancel_request_gen, self.pgconn, deadline)
        # Not by the watcher: it is waiting for the operation that is to be cancelled.
        drive(gen, self._route.dialer, self._own_wait or STOCK[self._library.name], deadline)

    def cancel(self) -> None:
        """Ask the server to cancel the command under way; call it from any thread or task.

        It opens a connection of its own and blocks until the server has taken the request, but for
        30 seconds at most, and for 0.4 in a thread that runs an event loop: prefer `cancel_safe()`
        there. The cancelled operation raises `errors.QueryCanceled`. On a closed connection, or if
        nothing is under way, nothing happens.

        Raises:
            CancellationTimeout: the server didn't take the request in time. It may still do: if no
                connector makes the link, the request goes on by itself.
            OperationalError: the request could not be delivered.
            NotSupportedError: there is no second link (`sock=`), or none to be had from here:
                `cancel_safe()` may get one.
            ProgrammingError: the transaction was prepared by `tpc_prepare()`.
        """
        if self.closed:
            return
        self._check_cancel()
        seconds = threads.patience()
        if self._route.dialer is not None:
            at_once(partial(self.cancel_safe, timeout=seconds))
        else:
            late = (
                f"within {seconds:g} seconds, and may take it still: the request goes on by itself"
            )
            deadline = Deadline.after(seconds, partial(_not_taken, late))
            wait_select(until_gen(blocking_cancel_gen(self.pgconn), deadline), tick_within(seconds))

    def _cancel_for_close(self, seconds: float) -> None:
        """Stop the server's work for somebody else's operation before its link is cut."""
        if self.lock.locked() and not self.lock.owned() and seconds:
            self._library.shield(self._cancel_quietly, seconds)

    def _cancel_quietly(self, seconds: float) -> None:
        # Nothing is lost but the server's time. A connector may raise anything.
        with suppress(Exception):
            self._request_cancel(seconds)

    # How a connection ends. `_free` ends it, `_cut` has whoever uses it end it, `_forget` leaves it to
    # the parent process:
    #
    #   close(), a lost relay       _end: _free, or _cut while somebody else uses it
    #   abort()                     _cut, then _end
    #   a recovery that failed      _give_up: what has come is delivered, then libpq's part is freed
    #   a block not undone in time  _end
    #   the server left             _note_loss: nobody listens any more; freed when it is closed
    #   a fork                      _forget, in the child

    def _end(self) -> None:
        """End the connection now. If somebody else is using it, its link is cut: he wakes, and frees it."""
        if self.lock.locked() and not self.lock.owned():
            self._cut()
        elif self._closed:
            self._free()
        else:
            self._give_up()

    def _free(self) -> None:
        """Stop listening and free libpq's connection, in this order."""
        self._watcher.close()
        self.pgconn.finish()
        self._call_close_handlers()
        self._notices.wake()

    def _give_up(self) -> None:
        """Close the socket now, whatever is under way; the connection counts as broken."""
        try:
            self._deliver()
        finally:
            self.pgconn.finish()
        self._note_loss()

    def _forget(self) -> None:
        """In a forked child: let go of the parent's connection, which lives on, and of his event loop."""
        self.lock = self._library.Lock()  # who held the other may be a thread of the parent's
        self._watcher.forget()
        self._closed = True
        self._notices.handlers["close"].clear()
        # Closing the child's copy of the descriptor tells the server nothing.
        with suppress(OSError, e.OperationalError):
            os.close(self.pgconn.socket)
        self.pgconn.finish()

    def _note_loss(self) -> None:
        """Stop listening to a connection that the server has left."""
        self._watcher.close()
        super()._note_loss()
        self._notices.wake()

    def _call_close_handlers(self) -> None:
        """Call the close handlers, in the event loop that the connection lives in."""
        tell, handlers = super()._call_close_handlers, self._notices.handlers["close"]
        if handlers and not self._library.elsewhere(self._place, tell):
            tell()


def _has_no_socket(pgconn: PGconn) -> bool:
    """Whether the socket was closed underneath: its number may be another's soon."""
    with suppress(e.OperationalError):
        return not is_open(pgconn.socket)
    return False


def running_library() -> threads.Library:
    """The library that runs here: asked once a connection.

    Raises:
        InterfaceError: none that we know does.
    """
    try:
        return threads.current()
    except RuntimeError as ex:
        raise e.InterfaceError(str(ex)) from None


def _deadline(session: Runner, timeout: float | Deadline | None) -> Deadline | None:
    if isinstance(timeout, Deadline):
        return timeout
    if timeout is None:
        timeout = session.command_timeout
    if timeout is None or timeout == NO_TIMEOUT:
        return None
    check_seconds(timeout)
    return Deadline.after(timeout, partial(_expired, timeout))


def _expired(timeout: float) -> e.QueryTimeout:
    return e.QueryTimeout(f"the operation was cancelled: it took longer than {timeout:g} seconds")


def _restless(seconds: float, pgconn: PGconn | None = None) -> e.CancellationTimeout:
    if pgconn is not None and pgconn.transaction_status in _AT_REST:
        return _not_taken(f"within {seconds:g} seconds, though the operation has ended")
    return e.CancellationTimeout(f"the server did not end the operation within {seconds:g} seconds")


def _not_taken(when: str) -> e.CancellationTimeout:
    return e.CancellationTimeout(f"the server did not take the cancel request {when}")
