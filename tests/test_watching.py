"""A connection that nobody asks anything: heard on asyncio, and nobody's descriptor is disturbed."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import selectors
import socket
import sys
import threading
import time
import weakref

import anyio
import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.watching import AsyncioWatcher
from tests.marks import counts_references, needs_uvloop
from tests.settling import until

anyio_mark = pytest.mark.anyio

ASYNCIO = [
    ("asyncio", {"use_uvloop": False}),
    pytest.param(("asyncio", {"use_uvloop": True}), marks=needs_uvloop),
]
# Only asyncio has a standing reader: on trio a connection hears while something waits for it.
asyncio_only = pytest.mark.parametrize("anyio_backend", ASYNCIO, ids=["asyncio", "uvloop"])
LOOPS = [asyncio.new_event_loop]
with contextlib.suppress(ImportError):
    import uvloop

    LOOPS.append(uvloop.new_event_loop)
trio_only = pytest.mark.parametrize("anyio_backend", [("trio", {})], ids=["trio"])


@pytest.fixture
def other(dsn):
    with psycopg3.connect(dsn, autocommit=True) as conn:
        yield conn


def terminate(other, conn):
    other.execute("select pg_terminate_backend(%s, 5000)", [conn.pgconn.backend_pid])


def tasks():
    """How many tasks there are, those that handlers and recoveries have begun among them."""
    if (trio := sys.modules.get("trio")) is not None and trio.lowlevel.in_trio_run():
        return trio.lowlevel.current_statistics().tasks_living
    return len(asyncio.all_tasks())


def descriptors():
    gc.collect()  # what earlier tests have left must not go in the middle of one
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


class TestIdle:
    @anyio_mark
    @asyncio_only
    async def test_notifications_are_delivered(self, aconn, other):
        told = []
        await aconn.listen("ears", told.append)
        other.execute("notify ears, 'one'")
        await until(lambda: told)
        other.execute("notify ears, 'two'")
        await until(lambda: len(told) == 2)
        assert [n.payload for n in told] == ["one", "two"]

    @anyio_mark
    async def test_coroutine_functions_become_tasks(self, aconn, other):
        told = []

        async def callback(notify):
            await anyio.sleep(0)
            cur = await aconn.execute("select %s", [notify.payload])
            told.append(await cur.fetchone())

        await aconn.listen("ears", callback)
        other.execute("notify ears, 'one'")
        await aconn.execute("select 1")
        await until(lambda: told)
        assert told == [("one",)]

    def test_coroutine_functions_need_a_loop(self, dsn):
        async def callback(notify):
            raise AssertionError

        with psycopg3.connect(dsn) as conn:
            with pytest.raises(psycopg3.ProgrammingError, match="coroutine"):
                conn.listen("ears", callback)

    @anyio_mark
    @asyncio_only
    async def test_a_lost_server_is_noticed(self, aconn, other):
        told = []
        aconn.add_close_handler(told.append)
        terminate(other, aconn)
        await until(lambda: told)
        assert told == [aconn]
        assert aconn.closed and aconn.broken
        with pytest.raises(errors.AdminShutdown):
            await aconn.execute("select 1")

    @anyio_mark
    @asyncio_only
    async def test_after_a_user_had_the_lock(self, aconn, other):
        """What he did with libpq's connection is his affair; then it is heard again."""
        told = []
        await aconn.listen("ears", lambda news: told.append(news.payload))
        async with aconn.lock:
            other.execute("notify ears, 'one'")
            await anyio.sleep(0.2)
            assert told == []
        await until(lambda: told == ["one"])
        other.execute("notify ears, 'two'")
        await until(lambda: told == ["one", "two"])

    @anyio_mark
    @asyncio_only
    async def test_it_rests_once_at_a_time(self, aconn, monkeypatch):
        watcher, rests = aconn._watcher, []

        class Loop:
            def call_later(self, seconds, call):
                rests.append((seconds, call))

            def __getattr__(self, name):
                return getattr(loop, name)

        loop = watcher._loop
        monkeypatch.setattr(watcher, "_loop", Loop())
        async with aconn.lock:
            for _ in range(2):
                for _ in range(10):
                    watcher._readable()
                    watcher.resume()
                rests[-1][1]()
        assert len(rests) == 2

    @anyio_mark
    @asyncio_only
    async def test_a_handler_cancels_whoever_waits(self, aconn):
        """The answer has come all the same: the loop has nothing to complain of."""
        complaints = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))

        async def work():
            await aconn.execute("do $$ begin raise notice 'now'; end $$")

        task = asyncio.create_task(work())
        aconn.add_notice_handler(lambda _: task.cancel())
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await (await aconn.execute("select 1")).fetchone() == (1,)
        await anyio.sleep(0.01)
        assert complaints == []

    @anyio_mark
    @asyncio_only
    async def test_a_busy_connection_does_not_spin(self, aconn, other):
        """What arrives while an operation is under way and nobody waits must not wake the loop."""
        calls = 0
        attend = type(aconn)._read_idle

        def counting(self):
            nonlocal calls
            calls += 1
            return attend(self)

        await aconn.execute("listen ears")
        type(aconn)._read_idle = counting
        try:
            async with aconn.lock:  # as a stream or a COPY that nobody reads
                other.execute("notify ears, 'one'")
                await anyio.sleep(0.2)
            assert 0 < calls < 5
            assert await (await aconn.execute("select 1")).fetchone() == (1,)
        finally:
            type(aconn)._read_idle = attend
        assert [n.payload async for n in aconn.notifies(timeout=0)] == ["one"]


@pytest.fixture
def wakings(monkeypatch):
    """How often the loop has called the reader of a connection, while the test runs."""
    calls = []
    readable = AsyncioWatcher._readable

    def counting(self):
        calls.append(self)
        readable(self)

    monkeypatch.setattr(AsyncioWatcher, "_readable", counting)
    return calls


@anyio_mark
@asyncio_only
class TestUnread:
    """Answers that nobody reads stay with the server: the loop neither spins nor fetches them."""

    COPY = b"copy (select repeat('x', 1000) from generate_series(1, 120000)) to stdout"

    async def test_copy(self, aconn, other, wakings):
        told = []
        await aconn.listen("ears", told.append)
        del wakings[:]
        aconn.pgconn.send_query(self.COPY)
        aconn.pgconn.flush()
        await anyio.sleep(0.5)
        assert len(wakings) < 5
        # The server has still most of it: it waits for somebody to read.
        waits = "select wait_event from pg_stat_activity where pid = %s"
        cur = other.execute(waits, [aconn.info.backend_pid])
        assert cur.fetchone() == ("ClientWrite",)

        # The user reads the rest: after the next operation the connection hears again.
        aconn.pgconn.get_result()
        size = 0
        while (got := aconn.pgconn.get_copy_data(0))[0] > 0:
            size += got[0]
        assert size == 120_000 * 1_001
        while aconn.pgconn.get_result() is not None:
            pass
        cur = await aconn.execute("select 1")
        assert await cur.fetchone() == (1,)
        other.execute("notify ears, 'x'")
        await until(lambda: told)

    async def test_a_query(self, aconn, wakings):
        await aconn.execute("select 1")
        del wakings[:]
        aconn.pgconn.send_query(b"select repeat('x', 1000) from generate_series(1, 20000)")
        aconn.pgconn.flush()
        await anyio.sleep(0.3)
        assert len(wakings) < 5
        while aconn.pgconn.get_result() is not None:
            pass

    async def test_a_pipeline(self, aconn, wakings):
        aconn._exchange.enter()
        aconn.pgconn.send_query_params(b"select repeat('x', 20000000)", None)
        aconn.pgconn.pipeline_sync()
        aconn.pgconn.flush()
        del wakings[:]
        await anyio.sleep(0.3)
        assert len(wakings) < 5
        await aconn._run(aconn._exchange.drain_gen())
        cur = await aconn.execute("select 1")
        assert await cur.fetchone() == (1,)


class TestOthersOnTheSameDescriptor:
    def test_selectors(self, dsn, other):
        """The second seed's example: a selector waits on the connection itself."""
        with psycopg3.connect(dsn, autocommit=True) as conn, selectors.DefaultSelector() as sel:
            sel.register(conn, selectors.EVENT_READ)
            assert not sel.select(timeout=0.05)
            terminate(other, conn)
            assert sel.select(timeout=5)
            with pytest.raises(psycopg3.OperationalError) as ex:
                conn.execute("select 1")
            assert ex.value.sqlstate == "57P01"

    @anyio_mark
    @asyncio_only
    async def test_add_reader(self, aconn, other):
        """The second seed's example for asyncio: add_reader on the connection's descriptor."""
        ev = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(aconn.fileno(), ev.set)
        try:
            cur = await aconn.execute("select 1")  # beside it, the connection works
            assert await cur.fetchone() == (1,)
            ev.clear()
            terminate(other, aconn)
            async with asyncio.timeout(5):
                await ev.wait()
        finally:
            loop.remove_reader(aconn.fileno())
        with pytest.raises(psycopg3.OperationalError) as ex:
            await aconn.execute("select 1")
        assert ex.value.sqlstate == "57P01"

    @anyio_mark
    @trio_only
    async def test_trio_wait(self, aconn, other):
        import trio

        heard = []

        async def wait():
            await trio.lowlevel.wait_readable(aconn.fileno())
            heard.append(True)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.sleep(0.01)
            await aconn.execute("select pg_sleep(0.05)")
            terminate(other, aconn)
            with trio.fail_after(5):
                while not heard:
                    await trio.sleep(0.01)

    @anyio_mark
    @trio_only
    async def test_trio_is_told_of_the_end(self, dsn):
        import trio

        conn = await psycopg3.connect_async(dsn)
        told = []

        async def wait(fd):
            try:
                await trio.lowlevel.wait_readable(fd)
            except trio.ClosedResourceError:
                told.append(True)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait, conn.fileno())
            await trio.sleep(0.01)
            await conn.close()
        assert told == [True]


class TestLife:
    @anyio_mark
    async def test_descriptors(self, dsn, anyio_backend):
        before = descriptors()
        conn = await psycopg3.connect_async(dsn)
        assert descriptors() == before + 2
        await conn.close()
        assert descriptors() == before

    def test_descriptors_of_threads(self, dsn):
        before = descriptors()
        with psycopg3.connect(dsn) as conn:
            conn.execute("select 1")
            assert descriptors() == before + 1
        assert descriptors() == before

    @counts_references
    @anyio_mark
    async def test_an_unclosed_connection_is_collected(self, dsn):
        gc.collect()  # what earlier tests have left
        before = descriptors()
        conn = await psycopg3.connect_async(dsn)
        await conn.execute("select 1")
        freed = weakref.ref(conn)
        gc.disable()
        try:
            with pytest.warns(ResourceWarning, match="still open"):
                del conn
            assert freed() is None
        finally:
            gc.enable()
        await anyio.sleep(0)
        assert descriptors() == before

    @anyio_mark
    async def test_closed_from_another_thread(self, dsn):
        before = descriptors()
        conn = await psycopg3.connect_async(dsn)
        thread = threading.Thread(target=conn._end)
        thread.start()
        thread.join()
        await anyio.sleep(0.05)
        assert conn.closed
        assert descriptors() == before

    @pytest.mark.slow
    @pytest.mark.parametrize("factory", LOOPS)
    @pytest.mark.parametrize(
        "how", ["close", "terminate", pytest.param("del", marks=counts_references)]
    )
    def test_closed_by_a_thread_while_its_loop_is_stopped(self, dsn, factory, how):
        """Nobody is left to call what would be queued: it is done at once."""
        before = descriptors()
        loop = factory()
        at_rest = descriptors()
        conns = [loop.run_until_complete(psycopg3.connect_async(dsn))]
        assert descriptors() == at_rest + 2

        def end():
            if how == "del":
                with pytest.warns(ResourceWarning):
                    del conns[0]
            else:
                getattr(conns[0], "_end" if how == "close" else how)()

        thread = threading.Thread(target=end)
        thread.start()
        thread.join()
        assert descriptors() == at_rest
        loop.close()
        assert descriptors() == before

    @pytest.mark.parametrize("factory", LOOPS)
    def test_closed_by_a_thread_while_its_loop_stops(self, dsn, factory):
        """The loop was running, but comes no more to call what was queued."""
        before = descriptors()
        loop = factory()
        conn = loop.run_until_complete(psycopg3.connect_async(dsn))

        def stop():
            loop.stop()
            thread = threading.Thread(target=conn.terminate)
            thread.start()
            thread.join()

        loop.call_soon(stop)
        loop.run_forever()
        loop.close()
        gc.collect()
        assert descriptors() == before

    @pytest.mark.parametrize("factory", LOOPS)
    def test_closed_by_a_thread_while_its_loop_goes_on(self, dsn, factory):
        before = descriptors()
        loop = factory()
        conn = loop.run_until_complete(psycopg3.connect_async(dsn))
        errors_of_the_loop = []
        loop.set_exception_handler(lambda loop, context: errors_of_the_loop.append(context))

        async def go_on():
            thread = threading.Thread(target=conn.terminate)
            thread.start()
            at_rest = descriptors()
            thread.join()
            await asyncio.sleep(0.05)
            assert descriptors() < at_rest

        loop.run_until_complete(go_on())
        loop.close()
        assert errors_of_the_loop == []
        assert descriptors() == before

    @anyio_mark
    async def test_lost_and_then_closed(self, aconn, other):
        before = descriptors()
        terminate(other, aconn)
        with pytest.raises(errors.AdminShutdown):
            await aconn.execute("select 1")
        await aconn.close()
        assert descriptors() == before - 2

    def test_another_loop(self, dsn):
        """A connection outlives its loop."""
        told = []

        async def begin():
            conn = await psycopg3.connect_async(dsn, autocommit=True)
            await conn.listen("ears", told.append)
            return conn

        async def go_on(conn):
            cur = await conn.execute("select 1")
            assert await cur.fetchone() == (1,)
            await conn.execute("notify ears")
            await conn.close()

        conn = asyncio.run(begin())
        asyncio.run(go_on(conn))
        assert len(told) == 1

    def test_another_loop_after_an_interruption(self, dsn):
        async def begin():
            conn = await psycopg3.connect_async(dsn, autocommit=True)
            conn.pgconn.send_query(b"select pg_sleep(30)")
            return conn

        async def go_on(conn):
            async with conn:
                return await (await conn.execute("select 1")).fetchone()

        begin_ = time.monotonic()
        assert asyncio.run(go_on(asyncio.run(begin()))) == (1,)
        assert time.monotonic() - begin_ < 5

    def test_a_loop_that_still_runs(self, dsn):
        async def main():
            conn = await psycopg3.connect_async(dsn)
            refused = []

            def elsewhere():
                async def use():
                    with pytest.raises(psycopg3.InterfaceError, match="another event loop"):
                        await conn.execute("select 1")
                    refused.append(True)

                asyncio.run(use())

            thread = threading.Thread(target=elsewhere)
            thread.start()
            while thread.is_alive():
                await asyncio.sleep(0.01)
            await conn.close()
            assert refused == [True]

        asyncio.run(main())

    def test_trio_after_trio(self, dsn):
        import trio

        conn = trio.run(psycopg3.connect_async, dsn)

        async def go_on():
            async with conn:
                return await (await conn.execute("select 1")).fetchone()

        assert trio.run(go_on) == (1,)

    def test_trio_after_asyncio(self, dsn):
        import trio

        conn = asyncio.run(psycopg3.connect_async(dsn))

        async def use():
            with pytest.raises(psycopg3.InterfaceError):
                await conn.execute("select 1")

        trio.run(use)
        asyncio.run(conn.close())


@pytest.mark.slow
@counts_references
@anyio_mark
async def test_many_dropped_connections(dsn, other):
    """Dropped without close: backends, descriptors, objects and tasks are back where they were."""
    count = "select count(*) from pg_stat_activity where application_name = 'dropped'"

    async def drop(times):
        for _ in range(times):
            conn = await psycopg3.connect_async(dsn, application_name="dropped")
            await conn.execute("select 1")
            with pytest.warns(ResourceWarning):
                del conn

    await drop(20)
    gc.collect()
    await anyio.sleep(0.1)
    fds, objects, living = descriptors(), len(gc.get_objects()), tasks()
    await drop(1000)
    gc.collect()
    await until(lambda: other.execute(count).fetchone()[0] == 0, seconds=10)
    assert descriptors() == fds
    assert tasks() == living
    assert len(gc.get_objects()) < objects + 300


@pytest.mark.slow
def test_many_dropped_connections_of_threads(dsn, other):
    """Dropped without close: backends, descriptors, objects and threads are back where they were."""
    count = "select count(*) from pg_stat_activity where application_name = 'dropped'"

    def drop(times):
        for _ in range(times):
            conn = psycopg3.connect(dsn, application_name="dropped")
            conn.execute("select 1")
            with pytest.warns(ResourceWarning):
                del conn

    drop(20)
    gc.collect()
    fds, objects, living = descriptors(), len(gc.get_objects()), threading.active_count()
    drop(1000)
    gc.collect()
    deadline = time.monotonic() + 10
    while other.execute(count).fetchone()[0]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert descriptors() == fds
    assert threading.active_count() <= living
    assert len(gc.get_objects()) < objects + 300


@pytest.mark.skipif(sys.platform == "win32", reason="pairs of sockets differ there")
@anyio_mark
async def test_no_descriptor_left(dsn, monkeypatch):
    """If there is no descriptor for the duplicate, the error says what to do."""
    from psycopg3 import watching

    def dup(fd):
        raise OSError(24, "Too many open files")

    gc.collect()  # what earlier tests have left must not go in the middle of this one
    before = descriptors()
    monkeypatch.setattr(watching.os, "dup", dup)
    with pytest.raises(psycopg3.OperationalError, match="ulimit"):
        await psycopg3.connect_async(dsn)
    monkeypatch.undo()
    gc.collect()
    assert descriptors() == before


def test_socket_of_a_closed_connection(dsn):
    conn = psycopg3.connect(dsn)
    fd = conn.fileno()
    conn.close()
    with pytest.raises(OSError):
        socket.socket(fileno=fd).getsockname()
