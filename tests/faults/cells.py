"""One cell of the matrix of interruptions: an operation, what interrupts it, what ails the link.

In each cell an operation begins, and what ails the link comes upon it (`CONDITION`); then it is
interrupted (`INTERRUPTION`). Operations that the server does at once are held up: the link is
frozen before they begin, and thawed after the interruption.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
import trio

import psycopg3
from psycopg3 import errors
from psycopg3.pq import TransactionStatus
from tests.faults.proxy import Proxy, Target
from tests.faults.running import World, settled

# Seconds from the beginning of an operation.
AILING, INTERRUPTED, RELIEVED = 0.05, 0.1, 0.25
BUDGET = 0.5
"""The `cancel_timeout` of the cells."""
NAME = "faults"
"""The `application_name` of the cells' connections."""
SLACK = 0.6
"""Seconds that a busy machine may add."""

Kind = Literal["query", "wait", "begin", "commit", "rollback", "connect", "close"]


@dataclass(frozen=True)
class Operation:
    """Something that a program waits for."""

    name: str
    kind: Kind
    call: Callable[[Cell], Any] = field(repr=False)
    stalled: bool = False
    """Whether the link is to be frozen before it begins."""
    has_timeout: bool = True
    """Whether it takes `timeout`."""
    has_command_timeout: bool = True
    """Whether the connection's `command_timeout` is for it."""
    link: str = ""
    """What a connector makes the connection of, "plain" or "relayed" links; "" if libpq makes it."""


OPERATIONS = {
    operation.name: operation
    for operation in [
        Operation("execute", "query", lambda c: c.conn.execute("select pg_sleep(30)", **c.timeout)),
        Operation("executemany", "query", lambda c: many(c)),
        Operation("copy out", "query", lambda c: reads(c) if c.world.has_tasks else read(c)),
        Operation("copy in", "query", lambda c: writes(c) if c.world.has_tasks else write(c)),
        Operation("stream", "query", lambda c: streamed(c)),
        Operation("server cursor", "query", lambda c: fetched(c)),
        Operation("owed", "query", lambda c: owed(c), has_timeout=False),
        Operation("sync", "query", lambda c: owed(c, "sync"), has_timeout=False),
        Operation("end", "query", lambda c: owed(c, "end"), has_timeout=False),
        Operation("body", "query", lambda c: owed(c, "body"), False, False, False),
        Operation("notifies", "wait", lambda c: notified(c), has_command_timeout=False),
        Operation("enter", "begin", lambda c: enter(c.conn.transaction()), True, False),
        Operation("exit", "commit", lambda c: leave(c.block), True, False),
        Operation("undo", "rollback", lambda c: leave(c.block, ZeroDivisionError()), True, False),
        Operation("commit", "commit", lambda c: c.conn.commit(**c.timeout), True),
        Operation("rollback", "rollback", lambda c: c.conn.rollback(**c.timeout), True),
        Operation("connect", "connect", lambda c: c.connect(), True, True, False),
        Operation("tls", "connect", lambda c: c.connect(), False, True, False),
        Operation("close", "close", lambda c: c.conn.close(), True, False, False),
        *(
            Operation(
                f"{link} link",
                "query",
                lambda c: c.conn.execute("select 1 from pg_sleep(30)"),
                has_timeout=False,
                link=link,
            )
            for link in ("plain", "relayed")
        ),
        Operation("connector", "connect", lambda c: c.connect(), True, True, False, link="plain"),
        Operation("dialling", "connect", lambda c: c.connect(), False, True, False, link="hanging"),
    ]
}
CONDITIONS = ["healthy", "frozen", "reset", "slow", "refused"]
OF_TASKS = ["once", "thrice", "scope", "deadline", "timeout", "command_timeout"]
OF_LOOPS = ["ctrl-c", "exit"]
"""What ends a whole event loop: of cells that go through these, one is run at a time."""
OF_THREADS = ["ctrl-c", "exit", "ordinary", "timeout", "command_timeout"]


def enter(block: Any) -> Any:
    """Enter a transaction() block."""
    return block.__aenter__() if hasattr(block, "__aenter__") else block.__enter__()


def leave(block: Any, ex: BaseException | None = None) -> Any:
    """Leave a transaction() block, by an exception."""
    exit = block.__aexit__ if hasattr(block, "__aexit__") else block.__exit__
    return exit(type(ex) if ex else None, ex, None)


def many(cell: Cell) -> Any:
    """Run executemany() with executions that take long."""
    return cell.conn.cursor().executemany("select pg_sleep(%s)", [(30,)] * 3, **cell.timeout)


TARDY = "create temp table tardy (n int, slept text default pg_sleep(30)::text)"
READ, WRITE = "copy (select pg_sleep(30)) to stdout", "copy tardy (n) from stdin"
LINES = "1\n" * 100_000
"""More of them than are on their way while the server sleeps."""


async def reads(cell: Cell) -> None:
    """Read a row that takes long."""
    async with cell.conn.cursor().copy(READ, **cell.timeout) as copy:
        await copy.read()


def read(cell: Cell) -> None:
    """Read a row that takes long."""
    with cell.conn.cursor().copy(READ, **cell.timeout) as copy:
        copy.read()


async def writes(cell: Cell) -> None:
    """Write more rows than the server takes."""
    async with cell.conn.cursor().copy(WRITE, **cell.timeout) as copy:
        while True:
            await copy.write(LINES)


def write(cell: Cell) -> None:
    """Write more rows than the server takes."""
    with cell.conn.cursor().copy(WRITE, **cell.timeout) as copy:
        while True:
            copy.write(LINES)


def streamed(cell: Cell) -> Any:
    """Stream rows that come late."""
    rows = cell.conn.cursor().stream("select pg_sleep(30)", **cell.timeout)
    return anext(rows, None) if cell.world.has_tasks else next(rows, None)


async def fetched(cell: Cell) -> None:
    """Fetch from a server cursor rows that come late."""
    cur = cell.conn.cursor("late", withhold=True)
    await settled(cur.execute("select pg_sleep(30)", **cell.timeout))
    await settled(cur.fetchone())


async def owes(cell: Cell, what: str) -> None:
    """Wait for a statement in a pipeline."""
    async with cell.conn.pipeline() as pipeline:
        await cell.conn.execute("select 1")
        cur = await cell.conn.execute("select pg_sleep(30)")
        await cell.conn.execute("select 2")
        if what == "fetch":
            await cur.fetchone()
        elif what == "sync":
            await pipeline.sync()
        elif what == "body":
            await cell.world.sleep(30)


def owed(cell: Cell, what: str = "fetch") -> Any:
    """Wait for a statement in a pipeline: by a fetch, a sync, the end of the block, or elsewhere."""
    if cell.world.has_tasks:
        return owes(cell, what)
    with cell.conn.pipeline() as pipeline:
        cell.conn.execute("select 1")
        cur = cell.conn.execute("select pg_sleep(30)")
        cell.conn.execute("select 2")
        if what == "fetch":
            cur.fetchone()
        elif what == "sync":
            pipeline.sync()
        elif what == "body":
            time.sleep(30)


def notified(cell: Cell) -> Any:
    """Wait for a notification."""
    notifies = cell.conn.notifies(**cell.timeout)
    return anext(notifies, None) if cell.world.has_tasks else next(notifies, None)


class Cell:
    """One cell, and how it went."""

    def __init__(
        self, world: World, operation: Operation, interruption: str, condition: str, place: Place
    ):
        self.world, self.operation = world, operation
        self.interruption, self.condition = interruption, condition
        self.place = place
        self.proxy = Proxy(place.tls_target if operation.name == "tls" else place.target)
        self.conn: Any = None
        self.block: Any = None
        self.xid = 0
        self.caught: BaseException | None = None
        self.given: BaseException | None = None
        self.problems: list[str] = []
        self.over = threading.Event()
        self.struck = threading.Event()
        """Whether it was interrupted, or needs to be no more."""
        self.late = 0.0
        """Seconds by which the loop came too late to that."""

    @property
    def timeout(self) -> dict[str, float]:
        """The argument `timeout`, if it is what interrupts."""
        return {"timeout": INTERRUPTED} if self.interruption == "timeout" else {}

    def connect(self, **kwargs: Any) -> Any:
        """Connect by way of the proxy."""
        dsn = self.proxy.dsn(self.place.dsn, application_name=NAME)
        if self.operation.name == "tls":
            dsn = self.proxy.dsn(self.place.tls_dsn, sslmode="require")
        if self.operation.link == "hanging":
            kwargs["connector_factory"] = self._hang
        elif self.operation.link:
            kwargs["connector_factory"] = self.world.connector(self._open, self.operation.link)
        budget = 10 * BUDGET if self._ends_well else BUDGET
        return self.world.connect(dsn, cancel_timeout=budget, **self.timeout, **kwargs)

    def _open(self, _host: str, _port: int) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.proxy.port))

    def _hang(self, *place: Any, **_kwargs: Any) -> Any:
        """A connector that doesn't return in time."""
        if self.world.has_tasks:
            return self.world.sleep(30)
        self.over.wait(30)
        return self._open(*place)

    async def run(self) -> None:
        """Go through the cell, and keep what was wrong."""
        with self.proxy:
            try:
                await self._go_through()
            finally:
                self.over.set()

    async def _go_through(self) -> None:
        await self._prepare()
        if self.operation.kind == "close":
            await self._with_a_query(self._interrupted)
        else:
            await self._interrupted()
        await self._check()

    async def _prepare(self) -> None:
        kind = self.operation.kind
        if kind == "connect":
            return
        autocommit = self.operation.name not in ("commit", "rollback")
        timeout, self.interruption = self.interruption, ""
        self.conn = await settled(self.connect(autocommit=autocommit))
        self.interruption = timeout
        if self.operation.name in ("exit", "undo"):
            self.block = self.conn.transaction()
            await settled(enter(self.block))
        if self.operation.name == "copy in":
            await settled(self.conn.execute(TARDY))
        if kind in ("commit", "rollback"):
            cur = await settled(self.conn.execute("select txid_current()"))
            (self.xid,) = await settled(cur.fetchone())
        if self.interruption == "command_timeout":
            self.conn.command_timeout = INTERRUPTED

    async def _with_a_query(self, body: Callable[[], Awaitable[None]]) -> None:
        """Have somebody else run a query on the connection meanwhile."""
        ended: list[BaseException] = []

        async def ask() -> None:
            try:
                await settled(self.conn.execute("select pg_sleep(30)"))
            except psycopg3.Error as ex:
                ended.append(ex)

        if self.world.has_tasks:

            async def wait_and_close() -> None:
                await self.world.sleep(0.05)
                await body()

            await self.world.together(ask, wait_and_close)
        else:
            thread = threading.Thread(target=self.world.run, args=(ask,), daemon=True)
            thread.start()
            time.sleep(0.05)
            await body()
            thread.join(2)
        if [type(ex) for ex in ended] != [psycopg3.OperationalError]:
            self.problems.append(f"the query that was closed upon ended by {ended}")

    async def _interrupted(self) -> None:
        """Begin the operation, and be interrupted in it."""
        if self.operation.stalled:
            self.proxy.freeze()
        elif self.operation.name == "tls":
            self.proxy.freeze(after=1, to="client")

        async def call() -> None:
            begin = time.monotonic()
            try:
                await settled(self.operation.call(self))
            except BaseException as ex:
                self.caught = ex
                raise
            finally:
                self.seconds = time.monotonic() - begin
                self.struck.set()

        async def interrupt() -> None:
            with contextlib.suppress(psycopg3.Error):
                await INTERRUPT[self.interruption](self, call)

        async def strike() -> None:
            # The loop has come to what was due before, and done what that asked for.
            await self.world.sleep(INTERRUPTED + 0.01)
            await self.world.sleep(0.01)
            self.late = time.monotonic() - begin - INTERRUPTED - 0.02
            self.struck.set()

        begin = time.monotonic()

        with Script((AILING, self._ail), (RELIEVED, self._relieve)):
            if self.interruption in OF_TASKS and self.world.has_tasks:
                async with self.world.beside(strike):
                    await interrupt()
            else:
                await interrupt()

    def _ail(self) -> None:
        """Have the link fall ill; a busy machine may connect late."""
        begins = self.operation.kind == "connect" and self.operation.link != "hanging"
        while begins and not (self.proxy.taken or self.struck.wait(0.01)):
            pass
        if self.condition in ("frozen", "reset"):
            self.proxy.freeze()
        elif self.condition == "slow":
            self.proxy.delay = 0.03
        elif self.condition == "refused":
            self.proxy.newcomers("refuse")

    def _relieve(self) -> None:
        # A busy machine may interrupt late: the operation mustn't have ended by itself then.
        if self.world.has_tasks or self.interruption not in ("timeout", "command_timeout"):
            self.struck.wait(5)
        if self.condition == "reset":
            self.proxy.reset()
            self.proxy.newcomers("reset")
        if self.condition != "frozen":
            self.proxy.thaw()

    # -- what is to be found afterwards ----------------------------------------------------

    async def _check(self) -> None:
        self._check_time()
        self._check_exception()
        if self.conn is not None:
            self._check_state()
            await self._check_next()
            self._check_server()
            await settled(self.conn.close())
        if self.world.library == "asyncio":
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                self.problems.append(f"{task.cancelling()} cancellations are left")

    @property
    def _heard(self) -> bool:
        """Whether the link carries the operation's end, sooner or later."""
        return self.condition in ("healthy", "slow", "refused")

    def _check_time(self) -> None:
        limit = INTERRUPTED + SLACK + self.late
        if self.operation.kind != "wait":
            limit += RELIEVED - INTERRUPTED if self._ends_well else BUDGET
        if self.seconds > limit:
            self.problems.append(f"it took {self.seconds:.2f} s: expected {limit:.2f} at most")

    @property
    def _ends_well(self) -> bool:
        """Whether the connection is expected to live on."""
        if self.operation.kind == "wait":
            return True
        if self.operation.kind == "query" and self.condition == "refused":
            return False
        return self._heard

    def _check_exception(self) -> None:
        expected = EXCEPTION[self.interruption](self)
        if self.given is not None and self.caught is self.given:
            expected = type(self.given)
        if self.operation.kind == "commit" and not self._heard:
            if type(self.caught) is not errors.TransactionOutcomeUnknown:
                self.problems.append(f"got {self.caught!r} for an unknown outcome")
                return
            self.caught = self.caught.__cause__
        if self.operation.kind == "close" and self.caught is None:
            return
        if type(self.caught) is not expected:
            self.problems.append(f"got {self.caught!r}: expected {expected.__name__}")
        elif isinstance(self.given, expected) and self.caught is not self.given:
            self.problems.append(f"got another {self.caught!r} than was given")
        elif expected is asyncio.CancelledError and not self._is_first(self.caught):
            self.problems.append(f"got {self.caught!r}: expected the first")
        if self.caught is not None and self.caught.__cause__ is not None:
            self.problems.append(f"{self.caught!r} has the cause {self.caught.__cause__!r}")
        notes = " ".join(getattr(self.caught, "__notes__", []))
        if self.operation.kind == "commit" and self._heard and "was committed" not in notes:
            self.problems.append(f"the notes of {self.caught!r} are {notes!r}")
        if self.operation.kind in ("query", "begin", "wait") and notes:
            self.problems.append(f"{self.caught!r} has notes: {notes!r}")

    def _is_first(self, ex: BaseException | None) -> bool:
        """Whether of several cancellations it is the first that was given."""
        given_by_us = self.interruption in ("once", "thrice") and self.operation.kind != "close"
        return not given_by_us or (ex is not None and ex.args == ("first",))

    def _check_state(self) -> None:
        conn = self.conn
        state = (conn.closed, conn.broken)
        if self.operation.kind == "wait" and not self._heard:
            return  # nothing needed an answer
        expected = (False, False) if self._ends_well else (True, True)
        if self.operation.kind == "close":
            expected = (True, False)
        if state != expected:
            self.problems.append(f"closed, broken are {state}: expected {expected}")
        if conn.lock.locked():
            self.problems.append("the lock is taken")
        if conn._open_blocks and not conn.closed:
            self.problems.append(f"the block {conn._open_blocks} was never left")

    async def _check_next(self) -> None:
        """The next query has its own answer."""
        conn = self.conn
        if conn.closed or not self._heard:
            return
        if conn.pgconn.transaction_status != TransactionStatus.IDLE:
            self.problems.append(f"left {conn.pgconn.transaction_status!r}")
        self.proxy.delay = 0
        conn.command_timeout = 2
        try:
            cur = await settled(conn.execute("select 7"))
            row = await settled(cur.fetchone())
            if row != (7,):
                self.problems.append(f"the next query got {row}")
        except psycopg3.Error as ex:
            self.problems.append(f"the next query got {ex!r}")

    def _check_server(self) -> None:
        """The server has no query of the connection under way, and did with the transaction as told."""
        eye = self.place.eye
        if self._ends_well and self.conn.pgconn.status == 0:
            query = "select count(*) from pg_stat_activity where pid = %s and state = 'active'"
            cur = eye.execute(query, [self.conn.pgconn.backend_pid])
            if cur.fetchone() != (0,):
                self.problems.append("the server still runs the query")
        if self.xid and self._heard:
            (status,) = eye.execute("select txid_status(%s)", [self.xid]).fetchone() or ("",)
            if status != {"commit": "committed", "rollback": "aborted"}[self.operation.kind]:
                self.problems.append(f"the transaction is {status}")


@dataclass
class Place:
    """Where the servers are, and an eye on them."""

    dsn: str
    target: Target
    tls_dsn: str
    tls_target: Target
    eye: psycopg3.Connection[Any]


class Script:
    """Calls functions at set times, in a thread, while the block runs and to the end."""

    def __init__(self, *steps: tuple[float, Callable[[], None]]):
        self._steps = steps
        self._thread = threading.Thread(target=self._play)

    def __enter__(self) -> None:
        self._begin = time.monotonic()
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        self._thread.join()

    def _play(self) -> None:
        for moment, function in self._steps:
            time.sleep(max(0.0, self._begin + moment - time.monotonic()))
            function()


# ---- interruptions ----

Call = Callable[[], Awaitable[None]]


async def _by_cancel(cell: Cell, call: Call, times: int = 1) -> None:
    """Cancel the task."""
    if cell.world.library == "trio":
        await _by_trio_scopes(cell, call, times)
        return
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    given = 0
    handle: asyncio.TimerHandle

    def cancel() -> None:
        # Never two in one turn of the loop: the task would hear of the last only.
        nonlocal given, handle
        task.cancel(["first", "second", "third"][given])
        cell.struck.set()
        given += 1
        if given < times:
            handle = loop.call_later(0.003, cancel)

    handle = loop.call_later(INTERRUPTED, cancel)
    try:
        await call()
    except asyncio.CancelledError:
        pass
    finally:
        handle.cancel()
        if task.cancelling() != given:
            cell.problems.append(f"{given} cancellations were given, {task.cancelling()} are left")
        while task.cancelling():
            task.uncancel()


async def _by_trio_scopes(cell: Cell, call: Call, times: int) -> None:
    scopes = [trio.CancelScope() for _ in range(times)]

    async def cancel() -> None:
        await trio.sleep(INTERRUPTED)
        for scope in reversed(scopes):
            scope.cancel()
            cell.struck.set()
            await trio.sleep(0.003)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(cancel)
        with contextlib.ExitStack() as stack:
            # An error must not leave through the nursery, which would make a group of it.
            stack.enter_context(contextlib.suppress(psycopg3.Error))
            for scope in scopes:
                stack.enter_context(scope)
            await call()
        nursery.cancel_scope.cancel()


async def _by_scope(cell: Cell, call: Call) -> None:
    with anyio.move_on_after(INTERRUPTED):
        await call()


async def _by_deadline(cell: Cell, call: Call) -> None:
    if cell.world.library == "trio":
        with trio.move_on_after(INTERRUPTED):
            await call()
    else:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(INTERRUPTED):
                await call()


async def _by_itself(cell: Cell, call: Call) -> None:
    await call()


async def _by_ctrl_c(cell: Cell, call: Call) -> None:
    def press() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        cell.struck.set()

    with Script((INTERRUPTED, press)):
        await _struck(cell, call, KeyboardInterrupt)


def _raised(exception: type[BaseException]) -> Callable[[Cell, Call], Awaitable[None]]:
    async def interrupt(cell: Cell, call: Call) -> None:
        cell.given = exception("from the handler")
        with alarm(INTERRUPTED, cell.given, cell.struck.set):
            await _struck(cell, call, exception)

    return interrupt


async def _struck(cell: Cell, call: Call, exception: type[BaseException]) -> None:
    """Make the call, which a signal is about to interrupt.

    On asyncio the signal ends the loop, and the loop's end cancels the task, unless it is the task
    itself that is at work.
    """
    task = asyncio.current_task() if cell.world.library == "asyncio" else None
    try:
        await call()
        if cell.world.has_tasks:  # an operation that has ended hears of it here
            await cell.world.sleep(0.1)
        else:
            time.sleep(0.1)
    except asyncio.CancelledError:
        pass
    except exception:
        task = None
    finally:
        if task is not None and task.cancelling() != 1:
            cell.problems.append(f"{task.cancelling()} cancellations are left")
        while task is not None and task.cancelling():
            task.uncancel()


@contextmanager
def alarm(
    seconds: float, exception: BaseException, first: Callable[[], object] = bool
) -> Iterator[None]:
    """Have a signal's handler call a function and raise the exception, so many seconds later."""

    def handler(signum: int, frame: object) -> None:
        first()
        raise exception

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


INTERRUPT: dict[str, Callable[[Cell, Call], Awaitable[None]]] = {
    "once": _by_cancel,
    "thrice": lambda cell, call: _by_cancel(cell, call, 3),
    "scope": _by_scope,
    "deadline": _by_deadline,
    "timeout": _by_itself,
    "command_timeout": _by_itself,
    "ctrl-c": _by_ctrl_c,
    "exit": _raised(SystemExit),
    "ordinary": _raised(ZeroDivisionError),
}


def _cancelled(cell: Cell) -> type[BaseException]:
    return trio.Cancelled if cell.world.library == "trio" else asyncio.CancelledError


def _struck_by(cell: Cell, exception: type[BaseException]) -> type[BaseException]:
    return asyncio.CancelledError if cell.world.library == "asyncio" else exception


def _too_late(cell: Cell) -> type[BaseException | None]:
    if cell.operation.kind == "wait" or cell.operation.name == "undo":
        return type(None)  # a rollback that fails goes to the log: there is an exception already
    return errors.ConnectionTimeout if cell.operation.kind == "connect" else errors.QueryTimeout


EXCEPTION: dict[str, Callable[[Cell], type[BaseException | None]]] = {
    "once": _cancelled,
    "thrice": _cancelled,
    "scope": _cancelled,
    "deadline": _cancelled,
    "timeout": _too_late,
    "command_timeout": _too_late,
    "ctrl-c": lambda cell: _struck_by(cell, KeyboardInterrupt),
    "exit": lambda cell: _struck_by(cell, SystemExit),
    "ordinary": lambda cell: ZeroDivisionError,
}


def exists(world: World, operation: Operation, interruption: str) -> bool:
    """Whether there is such a cell."""
    if operation.name == "body" and interruption == "ordinary":
        return False  # an exception of the user's own, after which all is received
    if operation.kind == "close" and world.has_tasks and interruption in OF_LOOPS:
        return False  # it would end the query that is closed upon too
    if interruption == "timeout":
        return operation.has_timeout
    return interruption != "command_timeout" or operation.has_command_timeout
