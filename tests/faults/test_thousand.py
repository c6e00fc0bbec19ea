"""Faults, again and again: descriptors, threads and memory are afterwards where they were."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.conninfo import make_conninfo
from psycopg3.transaction import OutOfOrderTransactionNesting
from psycopg3.waiting import Wait, WaitGen, wait_select
from tests import listeners
from tests.faults.test_refused import Relayed, descriptors, needs_proc, no_descriptors, no_threads
from tests.listeners import Listener
from tests.marks import counts_references
from tests.settling import eventually, until
from tests.test_event_loops import HastyLoop, LeakyLoop, MuteLoop, by_the_loop
from tests.test_interruptions import striking

pytestmark = [needs_proc, counts_references, pytest.mark.slow, pytest.mark.timeout(600)]


def memory() -> float:
    """That of this process, in MB, without what the C library keeps for later."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def crossed(conn: Any, dsn: str) -> None:
    first, second = conn.transaction(), conn.transaction()
    first.__enter__()
    second.__enter__()
    for block in (first, second):
        with pytest.raises(OutOfOrderTransactionNesting):
            block.__exit__(None, None, None)


def an_encoding_that_changes(conn: Any, dsn: str) -> None:
    cur = conn.execute("set client_encoding to latin1; select 'é'")
    assert cur.nextset() and cur.fetchone() == ("é",)
    conn.execute("set client_encoding to utf8")


def a_factory_that_raises(conn: Any, dsn: str) -> None:
    with pytest.raises(ZeroDivisionError):
        conn.cursor(row_factory=lambda cursor: 1 // 0).execute("select repeat('x', 100000)")


def a_refused_string(conn: Any, dsn: str) -> None:
    for text in ("postgresql+asyncpg://ann:s3cr3t@h/d", "ann:s3cr3t@h/d", "host=h sslnegotiaton=x"):
        with pytest.raises(psycopg3.ProgrammingError):
            psycopg3.connect(text)


def a_pooler_s_error(conn: Any, dsn: str) -> None:
    def end(sock: socket.socket) -> None:
        listeners.error(sock, "08006", "failed to wait for more data")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    with Listener(listeners.pooler(end)) as server:
        place = {"host": "127.0.0.1", "port": server.port, "sslmode": "disable", "user": "me"}
        lost = psycopg3.connect(**place)
        lost.execute("select 1")
        with pytest.raises(errors.TransactionOutcomeUnknown):
            lost.commit()
        lost.close()
        server.ended.acquire()


def a_loss_in_its_block(conn: Any, dsn: str) -> None:
    setting = "set idle_in_transaction_session_timeout = 1"
    with pytest.raises(errors.IdleInTransactionSessionTimeout):
        with psycopg3.connect(dsn) as lost:
            cur = lost.execute(f"{setting}; select 1")
            wait_select(until_closing(lost.fileno()))
    with pytest.raises(errors.IdleInTransactionSessionTimeout):
        cur.execute("select 1")


def until_closing(fd: int) -> WaitGen[None]:
    while not (yield fd, Wait.R):
        pass


def a_fetch_after_its_block(conn: Any, dsn: str) -> None:
    with psycopg3.connect(dsn) as gone:
        cur = gone.execute("select repeat('x', 100000)")
    with pytest.raises(psycopg3.OperationalError):
        cur.fetchone()


def threads_refused(conn: Any, dsn: str) -> None:
    with no_threads(), pytest.raises(psycopg3.OperationalError, match="no address"):
        psycopg3.connect(host="fe80::1%nosuch")


def descriptors_refused(conn: Any, dsn: str) -> None:
    with no_descriptors(), pytest.raises(psycopg3.OperationalError, match="open files"):
        psycopg3.connect(dsn)


class Interrupt(BaseException):
    """What a signal's handler raises: no Exception, which would be the notice handler's own error."""


def a_block_without_its_end(conn: Any, dsn: str) -> None:
    with striking(psycopg3.Transaction.__exit__) as struck:
        try:
            with conn.transaction():
                conn.execute("select 1")
        except struck:
            pass
    with pytest.raises(psycopg3.ProgrammingError, match="dropped without its end"):
        conn.execute("select 1")
    conn.rollback()


def a_block_that_was_left(conn: Any, dsn: str) -> None:
    with pytest.raises(Interrupt), interrupting(conn), conn.transaction():
        conn.execute(NOTICES)
    assert not conn.in_transaction


def an_exception_among_notices(conn: Any, dsn: str) -> None:
    with pytest.raises(Interrupt), interrupting(conn):
        conn.execute(NOTICES)


NOTICES = "do $$ begin for i in 1..50 loop raise notice '%', i; end loop; end $$"


@contextmanager
def interrupting(conn: Any) -> Iterator[None]:
    """A signal comes while a notice's handler runs; its own handler raises."""

    def interrupt(signum: int, frame: object) -> None:
        raise Interrupt

    def handler(diag: object) -> None:
        conn.remove_notice_handler(handler)
        signal.raise_signal(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    conn.add_notice_handler(handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def a_relay_refused(conn: Any, dsn: str) -> None:
    def connect(host: str, port: int, *, ssl: object) -> Any:
        return Relayed(socket.create_connection((host, port)))

    where = make_conninfo(dsn, host="127.0.0.1")
    with no_threads(), pytest.raises(psycopg3.OperationalError, match="no thread"):
        psycopg3.connect(where, sslmode="disable", connector_factory=connect)


@pytest.mark.parametrize(
    "fault",
    [
        crossed,
        an_encoding_that_changes,
        a_factory_that_raises,
        a_refused_string,
        a_pooler_s_error,
        a_loss_in_its_block,
        a_fetch_after_its_block,
        threads_refused,
        descriptors_refused,
        a_block_without_its_end,
        a_block_that_was_left,
        an_exception_among_notices,
        a_relay_refused,
    ],
)
def test_a_thousand_times(fault: Callable[[Any, str], None], conn: Any, dsn: str) -> None:
    for _ in range(100):
        fault(conn, dsn)
    gc.collect()
    before, count, used = descriptors(), threading.active_count(), memory()
    for _ in range(1000):
        fault(conn, dsn)
    gc.collect()
    eventually(lambda: threading.active_count() <= count)
    assert descriptors() <= before
    assert memory() < used + 2
    assert conn.execute("select 1").fetchone() == (1,)


# -- in event loops ------------------------------------------------------------------------------

who = ContextVar("who", default="nobody")


async def handlers_in_contexts(conn: Any, dsn: str) -> None:
    seen = []

    async def handler(diag: Any) -> None:
        seen.append((diag.message_primary, who.get()))

    async def ask(name: str) -> None:
        who.set(name)
        await conn.execute(f"do $$ begin raise notice '{name}'; end $$")

    conn.add_notice_handler(handler)
    await asyncio.gather(ask("ann"), ask("bob"))
    while len(seen) < 2:
        await asyncio.sleep(0)
    conn.remove_notice_handler(handler)
    assert seen == [("ann", "ann"), ("bob", "bob")]


async def timers_that_come_early(conn: Any, dsn: str) -> None:
    with pytest.raises(errors.QueryTimeout):
        await conn.execute("select pg_sleep(30)", timeout=0.01)


async def a_descriptor_closed_underneath(conn: Any, dsn: str) -> None:
    lost = await psycopg3.connect_async(dsn, autocommit=True)
    os.close(lost.fileno())
    with pytest.raises(psycopg3.OperationalError, match="not open"):
        await lost.execute("select 1")
    await lost.close()


async def a_socket_left_open(conn: Any, dsn: str) -> None:
    async with await psycopg3.connect_async(
        make_conninfo(dsn, host="127.0.0.1"), autocommit=True, connector_factory=by_the_loop
    ) as leaky:
        with pytest.raises(errors.QueryTimeout):
            await leaky.execute("select pg_sleep(30)", timeout=0.01)


@pytest.mark.parametrize(
    "fault, times, factory",
    [
        (handlers_in_contexts, 1000, asyncio.SelectorEventLoop),
        (timers_that_come_early, 200, HastyLoop),
        (a_descriptor_closed_underneath, 1000, asyncio.SelectorEventLoop),
        (a_socket_left_open, 200, LeakyLoop),
        (a_socket_left_open, 40, MuteLoop),
    ],
)
def test_in_an_event_loop(
    fault: Callable[[Any, str], Awaitable[None]],
    times: int,
    factory: Callable[[], asyncio.AbstractEventLoop],
    dsn: str,
) -> None:
    async def main() -> None:
        async with await psycopg3.connect_async(dsn, autocommit=True) as conn:
            for _ in range(times // 5):
                await fault(conn, dsn)
            await asyncio.sleep(1.5)  # the last links linger for a second
            before, count, used = descriptors(), threading.active_count(), memory()
            for _ in range(times):
                await fault(conn, dsn)
            await until(lambda: descriptors() <= before)
            await until(lambda: threading.active_count() <= count)
            assert len(asyncio.all_tasks()) == 1
            assert memory() < used + 2
            cur = await conn.execute("select 1")
            assert await cur.fetchone() == (1,)

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
