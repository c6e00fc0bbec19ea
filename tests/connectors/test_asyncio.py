"""Connectors called in tasks of asyncio and uvloop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
import threading
import time
from contextvars import ContextVar

import anyio
import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.waiting import wait_select
from tests.connectors import Opens, tasks, threads, upgrading
from tests.connectors.checks import PARAMS, forked
from tests.marks import may_fork


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

    @pytest.mark.parametrize("seconds", [0.2, pytest.param(20, marks=pytest.mark.slow)])
    def test_it_has_some_time_to_take_note(self, run, seconds):
        ended = []

        async def connector(*args, **kwargs):
            try:
                await asyncio.sleep(20)
            finally:
                await asyncio.sleep(seconds)
                ended.append(True)

        async def main():
            for timeout in (0.1, None):
                begin = time.monotonic()
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await psycopg3.connect_async(
                            **PARAMS, timeout=timeout, connector_factory=connector
                        )
                assert time.monotonic() - begin < 1.6
            assert len(ended) == (2 if seconds < 1 else 0)

        run(main)

    def test_the_caller_s_context(self, run, opens):
        variable = ContextVar("variable", default="nothing")
        seen = []

        def open(host, port):
            seen.append(variable.get())
            variable.set("the connector's")
            return opens(host, port)

        async def main():
            variable.set("the caller's")
            connector = tasks.connector(open)
            async with await psycopg3.connect_async(**PARAMS, connector_factory=connector) as conn:
                variable.set("another's")
                await conn.cancel_safe()
                with pytest.raises(errors.QueryTimeout):
                    await conn.execute("select pg_sleep(20)", timeout=0.1)
            assert {*seen[1:]} == {"another's"} and seen[0] == "the caller's"
            assert variable.get() == "another's"

        run(main)

    def test_a_waiter_in_another_thread(self, run, opens):
        async def wait(gen, interval=0.1):
            return await asyncio.to_thread(wait_select, gen, interval)

        async def main():
            for kind in ("transport", "wrapped"):
                async with await psycopg3.connect_async(
                    **PARAMS, wait=wait, connector_factory=tasks.connector(opens, kind)
                ) as conn:
                    with pytest.raises(errors.QueryTimeout):
                        await conn.execute("select pg_sleep(20)", timeout=0.1)
                    assert await (await conn.execute("select 1")).fetchone() == (1,)
            with pytest.raises(errors.ConnectionTimeout):
                await psycopg3.connect_async(
                    **PARAMS, wait=wait, timeout=0.1, connector_factory=tasks.hanging(20)
                )

        run(main)

    def test_a_link_that_comes_all_the_same_is_closed(self, run, opens):
        socks = []

        async def connector(factory, host, port, **kwargs):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(20)
            socks.append(opens(host, port))
            return socks[-1]

        async def main():
            with pytest.raises(errors.ConnectionTimeout):
                await psycopg3.connect_async(**PARAMS, timeout=0.1, connector_factory=connector)
            assert [sock.fileno() for sock in socks] == [-1]

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

    @may_fork
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
