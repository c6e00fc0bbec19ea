"""Event loops that aren't as asyncio's own, and asyncio and trio one around the other.

Loops of others are tried in `tests/loops`; here subclasses of asyncio's behave as they do.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time

import pytest
import trio

import psycopg3
from psycopg3 import errors
from psycopg3.concurrency import tasks
from psycopg3.conninfo import make_conninfo
from psycopg3.waiting import Wait, wait_async
from tests.loops import cases
from tests.loops.worlds import WORLDS
from tests.test_watching import descriptors

INSIDE = ["run_in_a_trio_task", "host_of_trio"]


def run(main, factory=asyncio.SelectorEventLoop):
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


# ---- both in one thread ----


class TestTheInnermostCounts:
    """The task that runs here is the innermost one's."""

    @staticmethod
    async def name():
        return tasks.current().name

    def test_asyncio_in_a_trio_task(self):
        async def outer():
            inner = asyncio.run(self.name())
            return tasks.current().name, inner

        assert trio.run(outer) == ("trio", "asyncio")

    def test_trio_in_an_asyncio_task(self):
        """A notebook's cells are run so."""

        async def outer():
            inner = trio.run(self.name)
            return tasks.current().name, inner

        assert asyncio.run(outer()) == ("asyncio", "trio")

    def test_below_other_calls(self):
        """It is told from a coroutine that is awaited, too, and a function that is called."""

        async def outer():
            async def awaited():
                return sorted([tasks.current().name], key=lambda _: tasks.current().name)

            return asyncio.run(asyncio.wait_for(awaited(), 5))

        assert trio.run(outer) == ["asyncio"]


@pytest.mark.parametrize(
    "case", ["queries", "cancelled", "notifications", "handlers", "transports"]
)
@pytest.mark.parametrize("world", INSIDE)
def test_battery_where_both_run(dsn, world, case):
    WORLDS[world].run(lambda: cases.CASES[case](dsn))


def test_trio_in_a_notebook(dsn):
    async def cell():
        async with await psycopg3.connect_async(dsn) as conn:
            with trio.move_on_after(0.05) as scope:
                await conn.execute("select pg_sleep(5)")
            assert scope.cancelled_caught
            await conn.rollback()
            return await (await conn.execute("select 1")).fetchone()

    async def main():
        return trio.run(cell)

    assert asyncio.run(main()) == (1,)


def host(guest):
    """Run a coroutine function in trio, as the guest of an asyncio loop; returns its value."""

    async def main():
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        trio.lowlevel.start_guest_run(
            guest,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=ended.set_result,
        )
        return (await ended).unwrap()

    return main


class TestUsedFromTheOtherSide:
    """It is refused, where it ended the program by a TrioInternalError."""

    def test_of_asyncio_by_the_guest(self, dsn):
        async def main():
            async with await psycopg3.connect_async(dsn) as conn:

                async def guest():
                    with pytest.raises(psycopg3.InterfaceError, match="no task of asyncio's"):
                        await conn.execute("select 1")

                await host(guest)()
                cur = await conn.execute("select 1")
                return await cur.fetchone()

        assert asyncio.run(main()) == (1,)

    def test_of_the_guest_by_asyncio(self, dsn):
        made, done = [], []

        async def guest():
            async with await psycopg3.connect_async(dsn) as conn:
                made.append(conn)
                while not done:
                    await trio.sleep(0.01)
                cur = await conn.execute("select 1")
                return await cur.fetchone()

        async def main():
            running = asyncio.create_task(host(guest)())
            while not made:
                await asyncio.sleep(0.01)
            with pytest.raises(psycopg3.InterfaceError, match="made on trio"):
                await made[0].execute("select 1")
            done.append(True)
            return await running

        assert asyncio.run(main()) == (1,)

    def test_of_a_trio_task_by_asyncio_inside_of_it(self, dsn):
        async def outer():
            async with await psycopg3.connect_async(dsn) as conn:

                async def inner():
                    with pytest.raises(psycopg3.InterfaceError, match="made on trio"):
                        await conn.execute("select 1")

                asyncio.run(inner())

        trio.run(outer)


def test_outside_of_a_task(dsn):
    """As in a coroutine that Twisted runs: nothing of asyncio's could be awaited there."""

    async def main():
        async with await psycopg3.connect_async(dsn) as conn:
            errors = []

            def call():
                try:
                    conn.execute("select 1").send(None)
                except psycopg3.InterfaceError as ex:
                    errors.append(str(ex))

            asyncio.get_running_loop().call_soon(call)
            await asyncio.sleep(0.01)
            cur = await conn.execute("select 1")
            assert await cur.fetchone() == (1,)
            return errors

    (error,) = asyncio.run(main())
    assert "no task of asyncio's" in error and "ensure_future" in error


# ---- loops that are a little different ----


class CarelessLoop(asyncio.SelectorEventLoop):
    """Takes numbers only, and any, open or not; as rloop, qasync and PyGObject do."""

    def add_reader(self, fd, callback, *args):
        assert isinstance(fd, int)
        with contextlib.suppress(OSError, ValueError):
            super().add_reader(fd, callback, *args)

    def add_writer(self, fd, callback, *args):
        assert isinstance(fd, int)
        with contextlib.suppress(OSError, ValueError):
            super().add_writer(fd, callback, *args)


@pytest.mark.parametrize("want", Wait)
def test_a_closed_descriptor_that_the_loop_takes(want):
    async def main():
        read, write = os.pipe()
        os.close(read)
        os.close(write)

        def gen():
            yield read, want

        with pytest.raises(errors.OperationalError, match="not open"):
            await asyncio.wait_for(wait_async(gen(), None), 5)

    run(main(), CarelessLoop)


class HastyLoop(asyncio.SelectorEventLoop):
    """Its timers come early by 5 %, as Qt's coarse ones do."""

    def call_later(self, delay, callback, *args, context=None):
        return super().call_later(delay * 0.95, callback, *args, context=context)


def test_timers_that_come_early(dsn):
    run(cases.timeouts(dsn), HastyLoop)


def test_ticks_that_come_early():
    """A waiter's, too."""

    async def main():
        read, write = os.pipe()
        begin, ticks = time.monotonic(), []

        def gen():
            for _ in range(5):
                yield read, Wait.R
                ticks.append(time.monotonic() - begin)

        await wait_async(gen(), 0.1)
        os.close(read)
        os.close(write)
        return ticks

    ticks = run(main(), HastyLoop)
    assert all(tick >= 0.1 * i for i, tick in enumerate(ticks, 1)), ticks


class LeakyTransport:
    """One whose close() and abort() leave the socket open, as rloop's."""

    lost_is_told = True

    def __init__(self, loop, sock, protocol):
        self.loop, self.sock, self.protocol, self.closing = loop, sock, protocol, False
        self.fd = sock.detach()
        loop.add_reader(self.fd, self.read)

    def get_extra_info(self, name, default=None):
        return self if name == "socket" else default

    family = socket.AF_INET

    def fileno(self):
        return self.fd

    def read(self):
        data = os.read(self.fd, 65536)
        if data:
            self.protocol.data_received(data)
        else:
            self.protocol.eof_received()
            self.close()

    def write(self, data):
        while data:
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self.fd, data) :]

    def is_closing(self):
        return self.closing

    def pause_reading(self):
        self.loop.remove_reader(self.fd)

    def resume_reading(self):
        if not self.closing:
            self.loop.add_reader(self.fd, self.read)

    def close(self):
        if not self.closing:
            self.closing = True
            self.loop.remove_reader(self.fd)
            if self.lost_is_told:
                self.loop.call_soon(self.protocol.connection_lost, None)

    abort = close


class MuteTransport(LeakyTransport):
    """It never calls connection_lost() besides, as uringcore's."""

    lost_is_told = False


class Channel(LeakyTransport):
    """One of several on a socket: the channel is closed, the socket stays. No event loop's transport."""

    __module__ = "channels"


class LeakyLoop(CarelessLoop):
    """Its transports leave their sockets open, and know no TLS: `ssl` is ignored."""

    transport = LeakyTransport

    async def create_connection(self, protocol_factory, host=None, port=None, **kwargs):
        sock = socket.create_connection((host, port))
        sock.setblocking(False)
        protocol = protocol_factory()
        transport = self.transport(self, sock, protocol)
        protocol.connection_made(transport)
        return transport, protocol


class MuteLoop(LeakyLoop):
    transport = MuteTransport


async def by_the_loop(factory, host, port, *, loop, ssl):
    return await loop.create_connection(factory, host, port, ssl=ssl)


class TestTransportsThatLeaveTheSocketOpen:
    def test_nothing_is_left(self, dsn):
        run(cases.transports(dsn), LeakyLoop)

    def test_who_never_calls_connection_lost(self, dsn):
        async def main():
            where = make_conninfo(dsn, host="127.0.0.1")
            counts = []
            for _ in range(3):
                async with await psycopg3.connect_async(
                    where, autocommit=True, connector_factory=by_the_loop
                ) as conn:
                    for _ in range(2):
                        begin = time.monotonic()
                        with pytest.raises(TimeoutError):
                            async with asyncio.timeout(0.05):
                                await conn.execute("select pg_sleep(10)")
                        assert time.monotonic() - begin < 1
                await cases.until(lambda: not counts or descriptors() <= counts[0])
                await asyncio.sleep(0 if counts else 1.2)
                counts.append(descriptors())
            assert counts == counts[:1] * 3

        run(main(), MuteLoop)

    def test_one_that_is_refused(self, dsn):
        """It was to do TLS: the password would have gone out in clear."""
        import ssl

        async def main():
            where = make_conninfo(dsn, host="127.0.0.1")
            context = ssl.create_default_context()
            with pytest.raises(psycopg3.InterfaceError, match="without TLS"):
                await psycopg3.connect_async(where, connector_factory=by_the_loop, ssl=context)
            await asyncio.sleep(0.05)
            before = descriptors()
            with pytest.raises(psycopg3.InterfaceError, match="without TLS"):
                await psycopg3.connect_async(where, connector_factory=by_the_loop, ssl=context)
            await asyncio.sleep(0.05)
            assert descriptors() == before

        run(main(), LeakyLoop)

    def test_a_connector_that_is_left(self, dsn):
        """The transport is there, but the connector doesn't return."""

        async def connector(factory, host, port, *, loop, ssl):
            await loop.create_connection(factory, host, port)
            await asyncio.sleep(10)

        async def main():
            where = make_conninfo(dsn, host="127.0.0.1")
            counts = []
            for _ in range(3):
                with pytest.raises(psycopg3.OperationalError):
                    await psycopg3.connect_async(where, timeout=0.1, connector_factory=connector)
                await asyncio.sleep(0.05)
                counts.append(descriptors())
            assert counts == counts[:1] * 3

        run(main(), LeakyLoop)

    def test_one_that_others_use_is_left_alone(self, dsn):
        """As the channels of one SSH connection, which tell of its socket."""
        made = []

        async def connector(factory, host, port, *, loop, ssl):
            sock = socket.create_connection((host, port))
            sock.setblocking(False)
            protocol = factory()
            made.append((sock.fileno(), os.fstat(sock.fileno()).st_ino))
            return Channel(loop, sock, protocol), protocol

        async def main():
            where = make_conninfo(dsn, host="127.0.0.1")
            async with await psycopg3.connect_async(where, connector_factory=connector) as conn:
                await conn.execute("select 1")
            await asyncio.sleep(0.05)

        run(main(), LeakyLoop)
        ((fd, inode),) = made
        assert os.fstat(fd).st_ino == inode
        os.close(fd)


# ---- a descriptor closed underneath ----


@pytest.mark.anyio
class TestClosedUnderneath:
    async def test_while_idle(self, dsn):
        conn = await psycopg3.connect_async(dsn, autocommit=True)
        os.close(conn.fileno())
        begin = time.monotonic()
        with pytest.raises(errors.OperationalError, match="not open"):
            await conn.execute("select 1")
        assert time.monotonic() - begin < 1
        assert conn.closed and conn.broken
        await conn.close()

    async def test_by_a_socket_that_was_collected(self, dsn):
        before = descriptors()
        conn = await psycopg3.connect_async(dsn, autocommit=True)
        socket.socket(fileno=conn.fileno()).close()
        with pytest.raises(errors.OperationalError, match="not open"):
            await conn.execute("select 1")
        await conn.close()
        assert descriptors() == before

    async def test_notifies_finds_out(self, dsn):
        """The connection is done with the descriptor then: its number may be another's soon."""
        conn = await psycopg3.connect_async(dsn, autocommit=True)
        os.close(conn.fileno())
        with pytest.raises(errors.OperationalError):
            await anext(conn.notifies(timeout=1))
        assert conn.closed
        async with await psycopg3.connect_async(dsn, autocommit=True) as another:
            await conn.close()
            await another.execute("select 1")

    async def test_while_much_is_sent(self, dsn):
        """What is left can't be sent; the server waits for it."""
        conn = await psycopg3.connect_async(dsn, autocommit=True)

        def gen():
            conn.pgconn.send_query(b"select '" + b"x" * 50_000_000 + b"'")
            os.close(conn.fileno())
            while True:
                yield conn.pgconn.socket, Wait.RW
                conn.pgconn.flush()
                conn.pgconn.consume_input()

        with pytest.raises(errors.OperationalError):
            await conn.wait(gen())
        assert conn.closed
        await conn.close()


def test_closed_underneath_and_the_server_speaks(dsn, conn):
    """The loop's reader finds out, once; it raised an error in each turn of the loop."""
    reported, told = [], []

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reported.append(context))
        aconn = await psycopg3.connect_async(dsn, autocommit=True)
        aconn.add_close_handler(told.append)
        await aconn.execute("listen news")
        os.close(aconn.fileno())
        conn.execute("notify news")
        await cases.until(lambda: told)
        assert told == [aconn] and aconn.closed and aconn.broken
        with pytest.raises(errors.OperationalError, match=r"[Bb]ad file descriptor"):
            await aconn.execute("select 1")
        await aconn.close()

    asyncio.run(main())
    assert reported == []
