"""Connectors called in tasks of trio."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar

import pytest
import trio

import psycopg3
from psycopg3 import errors
from tests.connectors import tasks
from tests.connectors.checks import PARAMS, forked
from tests.marks import may_fork


class TestTrio:
    @may_fork
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

    def test_the_caller_s_context(self, opens):
        variable = ContextVar("variable", default="nothing")
        seen = []

        def open(host, port):
            seen.append(variable.get())
            return opens(host, port)

        async def main():
            variable.set("the caller's")
            connector = tasks.connector(open)
            async with await psycopg3.connect_async(**PARAMS, connector_factory=connector) as conn:
                with pytest.raises(errors.QueryTimeout):
                    await conn.execute("select pg_sleep(20)", timeout=0.1)
            assert {*seen} == {"the caller's"} and len(seen) > 1

        trio.run(main)

    def test_a_nursery_that_it_leaves_open(self, opens):
        """An error like others: in a system task it would end the program."""

        async def main():
            async with contextlib.AsyncExitStack() as stack:

                async def connector(host, port, *, ssl):
                    await stack.enter_async_context(trio.open_nursery())
                    return opens(host, port)

                with pytest.raises(RuntimeError, match="corrupted"):
                    await psycopg3.connect_async(**PARAMS, connector_factory=connector)
                stack.pop_all()
            await trio.sleep(0.05)

        trio.run(main)

    def test_it_has_some_time_to_take_note(self):
        ended = []

        async def connector(host, port, *, ssl):
            try:
                await trio.sleep(20)
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(0.2)
                ended.append(True)

        async def main():
            with trio.move_on_after(0.1):
                await psycopg3.connect_async(**PARAMS, connector_factory=connector)
            assert ended == [True]

        trio.run(main)
