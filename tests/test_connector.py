"""Connectors, where the worlds differ: interruptions, contracts, forks, the end of a program."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from contextvars import ContextVar
from pathlib import Path

import anyio
import pytest
import trio

import psycopg3
from psycopg3 import errors
from psycopg3.concurrency.calls import BlockingCall
from psycopg3.dialing.adoption import shared_reservation
from psycopg3.session import cancelling, routes
from psycopg3.waiting import wait_select
from tests.connectors import Opens, tasks, threads, upgrading

ROOT = Path(__file__).parent.parent


@pytest.fixture
def path(cluster, dsn):
    """The server's Unix socket."""
    if not cluster.owned:
        pytest.skip("needs a server of our own")
    return f"{cluster.socket_dir}/.s.PGSQL.{cluster.port}"


@pytest.fixture
def opens(path):
    def opens(host, port):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        return sock

    return opens


PARAMS = {"host": "somewhere", "user": "postgres", "dbname": "postgres", "autocommit": True}


class TestThreads:
    def test_ctrl_c_while_it_hangs(self):
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        begin = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            psycopg3.connect(**PARAMS, connector_factory=threads.hanging(2))
        assert time.monotonic() - begin < 1
        timer.join()

    def test_those_that_hang_keep_nobody_waiting(self, cluster, opens, monkeypatch):
        """Neither who looks up a name, nor an old libpq's request to cancel."""
        monkeypatch.setattr(BlockingCall, "LIMIT", 2)
        monkeypatch.setattr(routes, "version", lambda: 160000)
        for _ in range(4):
            with pytest.raises(errors.ConnectionTimeout):
                psycopg3.connect(**PARAMS, timeout=0.05, connector_factory=threads.hanging(1.5))
        begin = time.monotonic()
        with psycopg3.connect(
            **PARAMS | {"host": "localhost"}, port=cluster.port, timeout=1
        ) as conn:
            lookups = [BlockingCall(time.sleep, 1.5) for _ in range(3)]
            with pytest.raises(errors.QueryTimeout):
                conn.execute("select pg_sleep(20)", timeout=0.2)
            assert conn.execute("select 1").fetchone() == (1,)
            for lookup in lookups:
                lookup.leave()
        with psycopg3.connect(**PARAMS, connector_factory=threads.connector(opens)) as conn:
            assert conn.execute("select 1").fetchone() == (1,)
        assert time.monotonic() - begin < 1.2

    def test_the_caller_s_context(self, opens):
        variable = ContextVar("variable", default="nothing")
        seen = []

        def open(host, port):
            seen.append(variable.get())
            variable.set("the connector's")
            return opens(host, port)

        variable.set("the caller's")
        with psycopg3.connect(**PARAMS, connector_factory=threads.connector(open)) as conn:
            variable.set("another's")
            conn.cancel_safe()
            assert seen == ["the caller's", "another's"]
            assert variable.get() == "another's"

    def test_a_coroutine_function(self):
        with pytest.raises(psycopg3.InterfaceError, match="plain function"):
            psycopg3.connect(**PARAMS, connector_factory=tasks.returning(None))

    def test_it_sees_the_context_s_ssl(self, opens):
        seen = []

        def connector(host, port, *, ssl):
            seen.append(ssl)
            return opens(host, port)

        psycopg3.connect(**PARAMS, connector_factory=connector).close()
        assert seen == [None]

    @pytest.mark.parametrize("kind", ["socket", "object"])
    def test_cancel_from_a_thread(self, opens, kind):
        with psycopg3.connect(**PARAMS, connector_factory=threads.connector(opens, kind)) as conn:
            timer = threading.Timer(0.2, conn.cancel)
            timer.start()
            with pytest.raises(errors.QueryCanceled):
                conn.execute("select pg_sleep(20)")
            timer.join()
            assert conn.execute("select 1").fetchone() == (1,)

    @pytest.mark.parametrize("pause", [0.3, 0])
    def test_libpq_is_slow_to_ask(self, opens, monkeypatch, pause):
        """It has connected, and its thread isn't heard of for longer than an interval."""
        with psycopg3.connect(**PARAMS, connector_factory=threads.connector(opens)) as conn:
            place = conn._route.reservation
            packet = struct.pack("!iiii", 16, 80877102, conn.pgconn.backend_pid, 7)

            def ask():
                with socket.create_connection((place.ip, place.port)) as sock:
                    for piece in (packet[:4], packet[4:]):
                        time.sleep(pause)
                        sock.sendall(piece)
                    assert sock.recv(1) == b""

            monkeypatch.setattr(cancelling, "native", lambda call: ask)
            assert (
                wait_select(cancelling.captured_gen(conn.pgconn, conn._route.reservation)) == packet
            )

    def test_libpq_asks_elsewhere(self, opens, monkeypatch):
        with psycopg3.connect(**PARAMS, connector_factory=threads.connector(opens)) as conn:
            monkeypatch.setattr(cancelling, "native", lambda call: int)
            with pytest.raises(psycopg3.OperationalError, match="elsewhere"):
                wait_select(cancelling.captured_gen(conn.pgconn, conn._route.reservation))

    def test_cancel_from_a_signal_s_handler(self, opens):
        with psycopg3.connect(**PARAMS, connector_factory=threads.connector(opens)) as conn:
            before = signal.signal(signal.SIGALRM, lambda *_: conn.cancel())
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            try:
                with pytest.raises(errors.QueryCanceled):
                    conn.execute("select pg_sleep(20)")
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)
            assert conn.execute("select 1").fetchone() == (1,)

    def test_cancel_of_a_closed_connection(self, opens):
        conn = psycopg3.connect(**PARAMS, connector_factory=threads.connector(opens))
        conn.close()
        conn.cancel()
        conn.cancel_safe()

    @pytest.mark.slow
    def test_many(self, opens):
        def work():
            for _ in range(10):
                with psycopg3.connect(**PARAMS, connector_factory=connector) as conn:
                    pid = conn.execute("select pg_backend_pid()").fetchone()[0]
                    assert pid == conn.info.backend_pid
                    pids.append(pid)

        for kind in ("socket", "subclass"):
            connector = threads.connector(opens, kind)
            pids: list[int] = []
            workers = [threading.Thread(target=work) for _ in range(8)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            assert len(pids) == 80

    @pytest.mark.parametrize("kind", ["socket", "subclass", "object"])
    def test_a_forked_child_leaves_it_alone(self, opens, kind):
        with psycopg3.connect(**PARAMS, connector_factory=threads.connector(opens, kind)) as conn:
            child = os.fork()
            if not child:
                try:
                    assert conn.closed
                    mine = shared_reservation()
                    assert (
                        mine is shared_reservation() and mine.port != conn._route.reservation.port
                    )
                    del conn
                    gc.collect()
                    os._exit(0)
                finally:
                    os._exit(1)
            assert os.waitpid(child, 0)[1] == 0
            assert conn.execute("select 1").fetchone() == (1,)

    @pytest.mark.parametrize("kind", ["subclass", "object"])
    def test_a_child_that_lives_on_keeps_no_end_open(self, opens, kind):
        conn = psycopg3.connect(**PARAMS, connector_factory=threads.connector(opens, kind))
        with psycopg3.connect(**PARAMS, connector_factory=threads.connector(opens)) as other:
            child = os.fork()
            if not child:
                time.sleep(20)
                os._exit(0)
            try:
                other.execute("select pg_terminate_backend(%s, 5000)", [conn.info.backend_pid])
                begin = time.monotonic()
                with pytest.raises(errors.AdminShutdown):
                    conn.execute("select pg_sleep(10)")
                assert time.monotonic() - begin < 3
                conn.close()
            finally:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)

    @pytest.mark.parametrize("kind", ["subclass", "object"])
    def test_the_end_of_a_program(self, path, kind):
        code = f"""
import socket, psycopg3
from tests.connectors import threads
def opens(host, port):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect({path!r})
    return sock
conn = psycopg3.connect(**{PARAMS!r}, connector_factory=threads.connector(opens, {kind!r}))
print(conn.execute("select 7").fetchone())
"""
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "(7,)\n", "")

    @pytest.mark.parametrize("kind", ["socket", "subclass", "object"])
    def test_under_gevent(self, path, kind):
        pytest.importorskip("gevent")
        code = f"""
from gevent import monkey
monkey.patch_all()
import gevent, socket, time, psycopg3
from tests.connectors import threads
def opens(host, port):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect({path!r})
    return sock
turns = 0
def turn():
    global turns
    while True:
        turns += 1
        gevent.sleep(0.01)
gevent.spawn(turn)
with psycopg3.connect(**{PARAMS!r}, connector_factory=threads.connector(opens, {kind!r})) as conn:
    conn.execute("select pg_sleep(0.3)")
    begin = time.monotonic()
    try:
        conn.execute("select pg_sleep(20)", timeout=0.3)
    except psycopg3.errors.QueryTimeout:
        assert time.monotonic() - begin < 2
        print(conn.execute("select 7").fetchone(), turns > 30)
"""
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30
        )
        assert (done.returncode, done.stdout) == (0, "(7,) True\n"), done.stderr


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    if request.param == "asyncio":
        return lambda main: asyncio.run(main(), debug=True)
    return lambda main: pytest.importorskip("uvloop").run(main())


class TestAsyncio:
    def test_cancelled_in_the_connector(self, run):
        told = []

        async def connector(*args, **kwargs):
            try:
                await asyncio.sleep(20)
            except asyncio.CancelledError as ex:
                told.append(ex)
                raise

        async def main():
            task = asyncio.create_task(
                psycopg3.connect_async(**PARAMS, connector_factory=connector)
            )
            await asyncio.sleep(0.1)
            task.cancel("enough")
            with pytest.raises(asyncio.CancelledError, match="enough"):
                await task
            assert len(told) == 1 and asyncio.all_tasks() == {asyncio.current_task()}
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await psycopg3.connect_async(**PARAMS, connector_factory=connector)
            with anyio.move_on_after(0.1) as scope:
                await psycopg3.connect_async(**PARAMS, connector_factory=connector)
            assert scope.cancelled_caught

        run(main)

    def test_cancelled_with_a_link_half_made(self, run, opens):
        transports = []

        async def connector(factory, host, port, *, loop, ssl):
            sock = opens(host, port)
            sock.setblocking(False)
            transports.append((await loop.create_connection(factory, sock=sock))[0])
            await asyncio.sleep(20)

        async def main():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await psycopg3.connect_async(**PARAMS, connector_factory=connector)
            assert transports[0].is_closing()
            await asyncio.sleep(0.05)

        run(main)

    def test_a_foreign_protocol(self, run, opens):
        made = []

        async def connector(factory, host, port, *, loop, ssl):
            sock = opens(host, port)
            sock.setblocking(False)
            made.append(await loop.create_connection(asyncio.Protocol, sock=sock))
            return made[0]

        async def main():
            with pytest.raises(psycopg3.InterfaceError, match="proto_factory made"):
                await psycopg3.connect_async(**PARAMS, connector_factory=connector)
            assert made[0][0].is_closing()
            await asyncio.sleep(0.05)

        run(main)

    def test_the_protocol_made_twice(self, run, opens):
        async def connector(factory, host, port, *, loop, ssl):
            factory()
            return await tasks.connector(opens)(factory, host, port, loop=loop, ssl=ssl)

        async def main():
            async with await psycopg3.connect_async(**PARAMS, connector_factory=connector) as conn:
                assert await (await conn.execute("select 1")).fetchone() == (1,)
                assert conn._route.relay is None

        run(main)

    def test_a_connector_that_returns_no_awaitable(self, run, opens):
        async def main():
            for value in (None, opens("", 0)):
                with pytest.raises(psycopg3.InterfaceError, match="async def"):
                    await psycopg3.connect_async(
                        **PARAMS, connector_factory=threads.returning(value)
                    )

        run(main)

    def test_a_transport_that_is_closed(self, run, opens):
        async def connector(*args, **kwargs):
            transport, protocol = await tasks.connector(opens)(*args, **kwargs)
            transport.close()
            return transport, protocol

        async def main():
            with pytest.raises(psycopg3.OperationalError, match="closed before"):
                await psycopg3.connect_async(**PARAMS, connector_factory=connector)

        run(main)

    @pytest.mark.slow
    def test_the_loop_lives_while_a_link_is_closed(self, run, opens):
        """An object's close() may take its time: nobody else's."""

        async def main():
            gaps = []

            async def tick():
                while True:
                    last = time.monotonic()
                    await asyncio.sleep(0.01)
                    gaps.append(time.monotonic() - last)

            ticking = asyncio.create_task(tick())

            def make(host, port):
                link = threads.SlowToClose(opens(host, port))
                link.SECONDS = 1.5
                return link

            conn = await psycopg3.connect_async(**PARAMS, connector_factory=tasks.making(make))
            with pytest.raises(errors.QueryTimeout):
                await conn.execute("select pg_sleep(20)", timeout=0.1)
            await conn.close()
            with pytest.raises(psycopg3.InterfaceError, match="awaited"):
                await psycopg3.connect_async(
                    **PARAMS, connector_factory=lambda *_, **__: make("", 0)
                )
            assert max(gaps) < 0.5
            ticking.cancel()

        run(main)
        for _ in range(3):
            assert threads.SlowToClose.ended.acquire(timeout=3)

    def test_tls_that_a_transport_does_not_tell_of(self, run, secure):
        opens = upgrading(Opens((secure.host, secure.port)))
        context = ssl.create_default_context(cafile=str(secure.ca_file))
        connector = tasks.connector(opens, "wrapped")
        params = {"host": "db.example.test", "user": "postgres", "password": secure.password}

        async def own(*args, **kwargs):
            return await connector(*args, **kwargs | {"ssl": context})

        async def main():
            async with await psycopg3.connect_async(
                **params, dbname="postgres", sslmode="disable", connector_factory=own
            ) as conn:
                query = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
                assert await (await conn.execute(query)).fetchone() == (True,)

        run(main)

    @pytest.mark.parametrize("kind", ["wrapped", "anyio"])
    def test_a_forked_child_leaves_it_alone(self, run, opens, kind):
        async def main():
            async with await psycopg3.connect_async(
                **PARAMS, connector_factory=tasks.connector(opens, kind)
            ) as conn:
                forked(conn)
                for _ in range(3):
                    assert await (await conn.execute("select 1")).fetchone() == (1,)

        run(main)

    def test_bytes_that_come_early(self, run):
        # Such a server is none; but what it says must reach libpq, in order.
        listener = socket.create_server(("127.0.0.1", 0))

        def talk():
            sock, _ = listener.accept()
            with sock:
                sock.sendall(b"E\0\0\0\x19SFATAL\0C08P01\0Mearly\0\0")
                sock.recv(1000)

        async def connector(factory, host, port, *, loop, ssl):
            made = await loop.create_connection(factory, *listener.getsockname())
            await asyncio.sleep(0.2)
            return made

        async def main():
            with pytest.raises(psycopg3.OperationalError, match="early"):
                await psycopg3.connect_async(
                    **PARAMS, sslmode="disable", gssencmode="disable", connector_factory=connector
                )
            await asyncio.sleep(0.05)

        server = threading.Thread(target=talk)
        server.start()
        with contextlib.closing(listener):
            run(main)
            server.join()

    def test_cancel_cannot_await(self, run, opens):
        async def main():
            async with await psycopg3.connect_async(
                **PARAMS, connector_factory=tasks.connector(opens)
            ) as conn:
                with pytest.raises(psycopg3.NotSupportedError, match="cancel_safe"):
                    conn.cancel()
                await conn.cancel_safe()

        run(main)

    def test_no_task_is_left(self, run, opens):
        async def main():
            for kind in [*tasks.PLAIN["asyncio"], *tasks.RELAYED["asyncio"]]:
                async with await psycopg3.connect_async(
                    **PARAMS, connector_factory=tasks.connector(opens, kind)
                ) as conn:
                    await conn.execute("select 1")
                    await conn.cancel_safe()
                await asyncio.sleep(0.05)
                assert asyncio.all_tasks() == {asyncio.current_task()}, kind

        run(main)

    @pytest.mark.parametrize("kind", ["transport", "socket"])
    def test_a_plain_link_moves_to_another_loop(self, opens, kind):
        connector = tasks.connector(opens, kind)
        conn = asyncio.run(psycopg3.connect_async(**PARAMS, connector_factory=connector))

        async def main():
            async with conn:
                assert await (await conn.execute("select 1")).fetchone() == (1,)

        asyncio.run(main())

    @pytest.mark.parametrize("kind", ["wrapped", "anyio"])
    @pytest.mark.filterwarnings("ignore::ResourceWarning")
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_a_relay_ends_with_its_loop(self, opens, kind):
        connector = tasks.connector(opens, kind)
        conn = asyncio.run(psycopg3.connect_async(**PARAMS, connector_factory=connector))

        async def main():
            with pytest.raises(psycopg3.OperationalError):
                await conn.execute("select 1")
            assert conn.closed
            await conn.close()

        asyncio.run(main())
        gc.collect()

    @pytest.mark.slow
    def test_many_at_once(self, run, opens):
        async def work(kind):
            async with await psycopg3.connect_async(
                **PARAMS, connector_factory=tasks.connector(opens, kind)
            ) as conn:
                cur = await conn.execute("select pg_backend_pid()")
                pid = (await cur.fetchone())[0]
                assert pid == conn.info.backend_pid
                return pid

        async def main():
            for kind in ("transport", "wrapped"):
                pids = await asyncio.gather(*(work(kind) for _ in range(40)))
                assert len({*pids}) == 40

        run(main)


def forked(conn):
    """Have a child take note that the connection isn't his, and end."""
    child = os.fork()
    if not child:
        try:
            assert conn.closed
            conn.terminate()
            del conn
            gc.collect()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


class TestTrio:
    @pytest.mark.parametrize("kind", tasks.RELAYED["trio"])
    def test_a_forked_child_leaves_it_alone(self, opens, kind):
        async def main():
            async with await psycopg3.connect_async(
                **PARAMS, connector_factory=tasks.connector(opens, kind)
            ) as conn:
                forked(conn)
                for _ in range(3):
                    assert await (await conn.execute("select 1")).fetchone() == (1,)

        trio.run(main)

    @pytest.mark.parametrize("strict", [True, False])
    @pytest.mark.parametrize("kind", [*tasks.PLAIN["trio"], *tasks.RELAYED["trio"]])
    @pytest.mark.filterwarnings("ignore:.*strict_exception_groups=False")
    def test_exceptions_come_alone(self, opens, kind, strict):
        """No group of them leaves a connection, be trio strict or not."""

        async def main():
            connector = tasks.connector(opens, kind)
            async with await psycopg3.connect_async(**PARAMS, connector_factory=connector) as conn:
                with pytest.raises(errors.DivisionByZero):
                    await conn.execute("select 1/0")
                with pytest.raises(errors.QueryTimeout):
                    await conn.execute("select pg_sleep(20)", timeout=0.1)
                with trio.move_on_after(0.1) as scope:
                    await conn.execute("select pg_sleep(20)")
                assert scope.cancelled_caught
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(conn.execute, "select 1")
                with pytest.raises(psycopg3.OperationalError):
                    for _ in range(2):
                        await conn.execute("select pg_terminate_backend(pg_backend_pid())")
            with pytest.raises(psycopg3.OperationalError, match="no"):
                await psycopg3.connect_async(
                    **PARAMS, connector_factory=tasks.raising(OSError("no"))
                )

        trio.run(main, strict_exception_groups=strict)

    def test_cancelled_in_the_connector(self):
        told = []

        async def connector(host, port, *, ssl):
            try:
                await trio.sleep(20)
            except trio.Cancelled as ex:
                told.append(ex)
                raise

        async def main():
            with trio.move_on_after(0.1) as scope:
                await psycopg3.connect_async(**PARAMS, connector_factory=connector)
            assert scope.cancelled_caught and len(told) == 1

        trio.run(main, strict_exception_groups=True)

    def test_no_task_is_left(self, opens):
        async def main():
            root = trio.lowlevel.current_root_task()

            def running():
                return sum(len(nursery.child_tasks) for nursery in root.child_nurseries)

            before = running()
            for kind in [*tasks.PLAIN["trio"], *tasks.RELAYED["trio"]]:
                async with await psycopg3.connect_async(
                    **PARAMS, connector_factory=tasks.connector(opens, kind)
                ) as conn:
                    await conn.execute("select 1")
                    await conn.cancel_safe()
                await trio.sleep(0.1)
                assert running() == before, kind

        trio.run(main)

    def test_a_stream_that_raises_crashes_nobody(self, opens):
        class Broken:
            def __init__(self, stream):
                self.stream = stream
                self.aclose = stream.aclose
                self.send_all = stream.send_all
                self.calls = 0

            async def receive_some(self, size=None):
                self.calls += 1
                if self.calls > 3:
                    raise ZeroDivisionError
                return await self.stream.receive_some(size)

        async def connector(host, port, *, ssl):
            return Broken(await tasks.connector(opens)(host, port, ssl=ssl))

        async def main():
            with pytest.raises(psycopg3.OperationalError):
                async with await psycopg3.connect_async(
                    **PARAMS, connector_factory=connector
                ) as conn:
                    for _ in range(10):
                        await conn.execute("select 1")
            await trio.sleep(0.05)

        trio.run(main)

    @pytest.mark.filterwarnings("ignore::ResourceWarning")
    def test_the_end_of_the_program(self, opens):
        async def main():
            conn = await psycopg3.connect_async(
                **PARAMS, connector_factory=tasks.connector(opens, "stapled")
            )
            await conn.execute("select 1")
            return conn

        conn = trio.run(main)
        assert conn._route.relay.deserted()
        conn.terminate()
