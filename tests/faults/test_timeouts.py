"""Deadlines: `timeout`, `command_timeout`, `cancel_timeout`: kept, refused, one before the other."""

from __future__ import annotations

import math
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.conninfo import conninfo_to_dict
from psycopg3.pq import TransactionStatus
from psycopg3.waiting import STOCK
from tests import listeners
from tests.faults.cells import enter, leave
from tests.faults.proxy import Proxy
from tests.faults.running import ASYNCIO, THREADS, TRIO, UVLOOP, World, settled
from tests.listeners import ADDRESS, Listener

WORLDS = [THREADS, ASYNCIO, pytest.param(UVLOOP, marks=pytest.mark.slow), TRIO]
every_world = pytest.mark.parametrize("world", WORLDS, ids=repr)
EXACT = 0.3


@contextmanager
def takes(seconds: float, late: float = EXACT) -> Iterator[None]:
    """Check that the block takes so long, or not much longer."""
    begin = time.monotonic()
    yield
    assert seconds - 0.02 <= time.monotonic() - begin < seconds + late


async def busy(world: World, conn: Any, seconds: float, body: Callable[[], Any]) -> None:
    """Run `body` while somebody else has the connection for so long."""

    async def others() -> None:
        cur = await settled(conn.execute(f"select 7 from pg_sleep({seconds})"))
        assert await settled(cur.fetchone()) == (7,)

    if world.has_tasks:

        async def we() -> None:
            await world.sleep(0.05)
            await body()

        await world.together(others, we)
        return
    thread = threading.Thread(target=world.run, args=(others,))
    thread.start()
    time.sleep(0.05)
    await body()
    thread.join()


class TestQueryTimeout:
    def test_it_is_both(self) -> None:
        ex = errors.QueryTimeout("too late")
        assert isinstance(ex, TimeoutError)
        assert isinstance(ex, errors.QueryCanceled)
        assert isinstance(ex, psycopg3.OperationalError)
        assert ex.sqlstate == "57014"
        assert ex.diag.sqlstate is None

    @pytest.mark.parametrize("args", [(), ("too late",), ("too", "late"), (1, "two")])
    def test_its_text(self, args: tuple[object, ...]) -> None:
        assert str(errors.QueryTimeout(*args)) == " ".join(map(str, args))

    def test_pickled(self) -> None:
        ex = errors.QueryTimeout("too late")
        ex.add_note("a note")
        again = pickle.loads(pickle.dumps(ex))
        assert type(again) is errors.QueryTimeout
        assert (str(again), again.args, again.sqlstate) == ("too late", ("too late",), "57014")
        assert again.__notes__ == ["a note"]

    def test_unknown_outcome_pickled(self) -> None:
        again = pickle.loads(pickle.dumps(errors.TransactionOutcomeUnknown("who knows")))
        assert type(again) is errors.TransactionOutcomeUnknown
        assert str(again) == "who knows"

    def test_of_a_query(self, dsn: str) -> None:
        with psycopg3.connect(dsn, autocommit=True) as conn:
            with pytest.raises(errors.QueryTimeout, match=r"longer than 0\.2 seconds") as caught:
                conn.execute("select pg_sleep(30)", timeout=0.2)
            assert caught.value.__cause__ is None
            assert pickle.loads(pickle.dumps(caught.value)).args == caught.value.args


@every_world
class TestTimeout:
    def test_execute(self, world: World, dsn: str, eye: psycopg3.Connection[Any]) -> None:
        async def body() -> None:
            conn = await settled(world.connect(dsn))
            with takes(0.2), pytest.raises(errors.QueryTimeout):
                await settled(conn.execute("select pg_sleep(30)", timeout=0.2))
            assert conn.pgconn.transaction_status == TransactionStatus.INERROR
            query = "select count(*) from pg_stat_activity where pid = %s and state = 'active'"
            assert eye.execute(query, [conn.pgconn.backend_pid]).fetchone() == (0,)
            await settled(conn.rollback())
            cur = await settled(conn.execute("select 7", timeout=5))
            assert await settled(cur.fetchone()) == (7,)
            await settled(conn.close())

        world.run(body)

    def test_executemany(self, world: World, dsn: str) -> None:
        async def body() -> None:
            conn = await settled(world.connect(dsn, autocommit=True))
            cur = conn.cursor()
            with takes(0.2), pytest.raises(errors.QueryTimeout):
                await settled(cur.executemany("select pg_sleep(%s)", [(0.01,)] * 1000, timeout=0.2))
            await settled(cur.execute("select 7"))
            assert await settled(cur.fetchone()) == (7,)
            await settled(conn.close())

        world.run(body)

    def test_its_turn_does_not_come(self, world: World, dsn: str) -> None:
        async def body() -> None:
            conn = await settled(world.connect(dsn, autocommit=True))

            async def we() -> None:
                with takes(0.2), pytest.raises(errors.QueryTimeout):
                    await settled(conn.execute("select 8", timeout=0.2))

            await busy(world, conn, 0.6, we)
            assert not conn.lock.locked()
            cur = await settled(conn.execute("select 9"))
            assert await settled(cur.fetchone()) == (9,)
            await settled(conn.close())

        world.run(body)

    def test_calls_that_take_one(self, world: World, dsn: str) -> None:
        """All that take a timeout keep it."""

        async def body() -> None:
            conn = await settled(world.connect(dsn, autocommit=True))
            await settled(conn.listen("heard", print))

            async def we() -> None:
                for call in (
                    lambda: conn.listen("another", print, timeout=0.05),
                    lambda: conn.unlisten("heard", timeout=0.05),
                    lambda: conn.set_autocommit(False, timeout=0.05),
                    lambda: conn.set_read_only(True, timeout=0.05),
                ):
                    with pytest.raises(errors.QueryTimeout):
                        await settled(call())

            await busy(world, conn, 0.6, we)
            assert conn.autocommit
            assert conn.read_only is None
            await settled(conn.unlisten("heard"))
            with pytest.raises(psycopg3.ProgrammingError, match="no listener"):
                await settled(conn.unlisten("another"))
            await settled(conn.close())

        world.run(body)

    def test_its_turn_counts(self, world: World, dsn: str) -> None:
        async def body() -> None:
            conn = await settled(world.connect(dsn, autocommit=True))

            async def we() -> None:
                with takes(0.5), pytest.raises(errors.QueryTimeout):
                    await settled(conn.execute("select pg_sleep(30)", timeout=0.5))

            await busy(world, conn, 0.3, we)
            await settled(conn.close())

        world.run(body)

    def test_the_next_in_line(self, world: World, dsn: str) -> None:
        """Who gives up waiting is passed over, and nobody else is."""
        if not world.has_tasks:
            pytest.skip("threads have no line")

        async def body() -> None:
            conn = await world.connect(dsn, autocommit=True)
            asked, answers = [], []  # trio starts tasks in any order

            async def ask(number: int, **timeout: float) -> None:
                asked.append(number)
                try:
                    cur = await conn.execute("select %s", [number], **timeout)
                    answers.append(*await cur.fetchone())
                except errors.QueryTimeout:
                    answers.append(-number)

            async def we() -> None:
                await world.together(
                    lambda: ask(1), lambda: ask(2, timeout=0.1), lambda: ask(3), lambda: ask(4)
                )

            await busy(world, conn, 0.3, we)
            assert answers == [-2, *(number for number in asked if number != 2)]
            await conn.close()

        world.run(body)

    def test_before_the_command_timeout(self, world: World, dsn: str) -> None:
        async def body() -> None:
            conn = await settled(world.connect(dsn, autocommit=True, command_timeout=0.1))
            await settled(conn.execute("select pg_sleep(0.3)", timeout=5))
            await settled(conn.execute("select pg_sleep(0.3)", timeout=math.inf))
            conn.command_timeout = 30
            with takes(0.2), pytest.raises(errors.QueryTimeout):
                await settled(conn.execute("select pg_sleep(30)", timeout=0.2))
            conn.command_timeout = None
            await settled(conn.execute("select pg_sleep(0.1)"))
            conn.command_timeout = 0.2
            with takes(0.2), pytest.raises(errors.QueryTimeout):
                await settled(conn.execute("select pg_sleep(30)", timeout=None))
            await settled(conn.close())

        world.run(body)

    def test_in_a_block(self, world: World, dsn: str) -> None:
        async def body() -> None:
            conn = await settled(world.connect(dsn, autocommit=True, command_timeout=0.2))
            block = conn.transaction()
            await settled(enter(block))
            with takes(0.2), pytest.raises(errors.QueryTimeout) as caught:
                await settled(conn.execute("select pg_sleep(30)"))
            await settled(leave(block, caught.value))
            assert conn.pgconn.transaction_status == TransactionStatus.IDLE
            await settled(conn.close())

        world.run(body)

    def test_a_very_long_one(self, world: World, dsn: str) -> None:
        async def body() -> None:
            conn = await settled(world.connect(dsn, autocommit=True, timeout=1e10))
            cur = await settled(conn.execute("select 7", timeout=1e10))
            assert await settled(cur.fetchone()) == (7,)
            await settled(conn.close())

        world.run(body)

    def test_listening_is_not_under_the_command_timeout(self, world: World, dsn: str) -> None:
        async def body() -> None:
            conn = await settled(world.connect(dsn, autocommit=True, command_timeout=0.1))
            notifies = conn.notifies(timeout=0.4)
            with takes(0.4):
                await settled(anext(notifies, None) if world.has_tasks else next(notifies, None))
            await settled(conn.close())

        world.run(body)


NONSENSE = [0, -1, -0.5, math.nan, -math.inf, "3", b"3", Decimal(3), [3], 10**400]


def reads(value: object) -> str:
    """A value as it is shown in the name of a test."""
    return repr(value)[:10]


@pytest.mark.parametrize("seconds", NONSENSE, ids=reads)
@pytest.mark.parametrize("world", [THREADS, ASYNCIO, TRIO], ids=repr)
class TestNonsense:
    def test_in_a_call(self, world: World, seconds: float, dsn: str, proxy: Proxy) -> None:
        async def body() -> None:
            conn = await settled(world.connect(proxy.dsn(dsn)))
            sent = proxy.passed["server"]
            for call in (
                lambda: conn.execute("select 1", timeout=seconds),
                lambda: conn.cursor().executemany("select %s", [(1,)], timeout=seconds),
                lambda: conn.commit(timeout=seconds),
                lambda: conn.rollback(timeout=seconds),
                lambda: conn.cancel_safe(timeout=seconds),
            ):
                with pytest.raises(psycopg3.ProgrammingError, match="timeout"):
                    await settled(call())
            assert proxy.passed["server"] == sent
            assert proxy.taken == 1
            assert not conn.lock.locked()
            cur = await settled(conn.execute("select 7"))
            assert await settled(cur.fetchone()) == (7,)
            await settled(conn.close())

        world.run(body)

    @pytest.mark.parametrize("name", ["timeout", "command_timeout", "cancel_timeout"])
    def test_to_connect(
        self, world: World, name: str, seconds: float, dsn: str, proxy: Proxy
    ) -> None:
        if (name, seconds) == ("cancel_timeout", 0):
            pytest.skip("it means: at once")

        async def body() -> None:
            with pytest.raises(psycopg3.ProgrammingError, match="timeout"):
                await settled(world.connect(proxy.dsn(dsn), **{name: seconds}))
            assert proxy.taken == 0

        world.run(body)

    def test_for_all_commands(self, world: World, seconds: float, dsn: str) -> None:
        async def body() -> None:
            conn = await settled(world.connect(dsn))
            conn.command_timeout = seconds
            with pytest.raises(psycopg3.ProgrammingError, match="timeout"):
                await settled(conn.execute("select 1"))
            assert conn.pgconn.transaction_status == TransactionStatus.IDLE
            conn.command_timeout = None
            await settled(conn.close())

        world.run(body)


NO_NUMBERS = [math.nan, "3", b"3", Decimal(3), [3], 10**400]


@pytest.mark.parametrize("seconds", NO_NUMBERS, ids=reads)
@pytest.mark.parametrize("world", [THREADS, ASYNCIO], ids=repr)
def test_nonsense_for_notifies(world: World, seconds: Any, dsn: str) -> None:
    async def body() -> None:
        conn = await settled(world.connect(dsn))
        with pytest.raises(psycopg3.ProgrammingError, match="timeout"):
            conn.notifies(timeout=seconds)
        await settled(conn.close())

    world.run(body)


@pytest.mark.parametrize("seconds", [-1, math.inf, None, *NO_NUMBERS], ids=reads)
def test_nonsense_for_cancellation(seconds: float, dsn: str) -> None:
    with psycopg3.connect(dsn) as conn:
        with pytest.raises(psycopg3.ProgrammingError, match="cancel_timeout"):
            conn.cancel_timeout = seconds
        assert conn.cancel_timeout == 2.0


@every_world
class TestExact:
    """A deadline isn't put off to the next tick of a clock."""

    @pytest.mark.parametrize("seconds", [0.11, 0.21])
    @pytest.mark.parametrize("wait", [False, True])
    def test_execute(self, world: World, seconds: float, wait: bool, dsn: str) -> None:
        own = {"wait": STOCK[world.library]} if wait else {}

        async def body() -> None:
            conn = await settled(world.connect(dsn, autocommit=True, **own))
            with takes(seconds, 0.07), pytest.raises(errors.QueryTimeout):
                await settled(conn.execute("select pg_sleep(30)", timeout=seconds))
            await settled(conn.close())

        world.run(body)

    def test_its_turn_came_late(self, world: World, dsn: str) -> None:
        async def body() -> None:
            conn = await settled(world.connect(dsn, autocommit=True))

            async def we() -> None:
                with takes(0.29, 0.07), pytest.raises(errors.QueryTimeout):
                    await settled(conn.execute("select pg_sleep(30)", timeout=0.29))

            await busy(world, conn, 0.13, we)
            await settled(conn.close())

        world.run(body)

    @pytest.mark.parametrize("seconds", [0.11, 0.21])
    def test_connect(self, world: World, seconds: float) -> None:
        async def body() -> None:
            with takes(seconds, 0.07), pytest.raises(errors.ConnectionTimeout):
                await settled(
                    world.connect(host=ADDRESS, port=listener.port, user="me", timeout=seconds)
                )

        with Listener(listeners.mute) as listener:
            world.run(body)

    @pytest.mark.parametrize("seconds", [0.11, 0.21])
    def test_notifies(self, world: World, seconds: float, dsn: str) -> None:
        async def body() -> None:
            conn = await settled(world.connect(dsn, autocommit=True))
            notifies = conn.notifies(timeout=seconds)
            with takes(seconds, 0.07):
                await settled(anext(notifies, None) if world.has_tasks else next(notifies, None))
            await settled(conn.close())

        world.run(body)

    def test_cancel_safe(self, world: World, dsn: str, proxy: Proxy) -> None:
        async def body() -> None:
            conn = await settled(world.connect(proxy.dsn(dsn)))
            proxy.freeze()
            with takes(0.21, 0.07), pytest.raises(errors.CancellationTimeout):
                await settled(conn.cancel_safe(timeout=0.21))
            conn.abort()

        world.run(body)


@every_world
class TestConnect:
    @pytest.fixture
    def mute(self) -> Iterator[int]:
        with Listener(listeners.mute) as listener:
            yield listener.port

    def test_the_timeout_is_for_the_password_too(self, world: World, mute: int) -> None:
        place = {"host": ADDRESS, "port": mute, "user": "me"}

        async def slowly() -> str:
            await world.sleep(30)
            return "s3cret"

        async def late() -> str:
            await world.sleep(0.2)
            return "s3cret"

        def blocking() -> str:
            time.sleep(0.4)
            return "s3cret"

        async def body() -> None:
            for password in (slowly, late, blocking) if world.has_tasks else (blocking,):
                with takes(0.4), pytest.raises(errors.ConnectionTimeout, match=r"0\.4 seconds"):
                    await settled(world.connect(**place, password=password, timeout=0.4))

        world.run(body)

    def test_a_password_that_raises_a_timeout_of_its_own(self, world: World, mute: int) -> None:
        def password() -> str:
            raise TimeoutError("of the vault")

        async def awaited() -> str:
            return password()

        async def body() -> None:
            for given in (password, awaited) if world.has_tasks else (password,):
                with pytest.raises(TimeoutError, match="of the vault"):
                    await settled(world.connect(host=ADDRESS, password=given, timeout=5))

        world.run(body)

    def test_the_timeout_is_for_the_parameters_too(self, world: World, mute: int) -> None:
        if not world.has_tasks:
            pytest.skip("nobody can interrupt a call")

        class Connection(psycopg3.AsyncConnection[Any]):
            @classmethod
            async def _get_connection_params(cls, conninfo: str, **kwargs: Any) -> dict[str, Any]:
                await world.sleep(30)
                return {}

        async def body() -> None:
            with takes(0.2), pytest.raises(errors.ConnectionTimeout):
                await Connection.connect(timeout=0.2)

        world.run(body)

    @pytest.mark.parametrize("hosts", [1, 3])
    def test_the_timeout_is_for_all_hosts(self, world: World, hosts: int, mute: int) -> None:
        async def body() -> None:
            with takes(0.4), pytest.raises(errors.ConnectionTimeout, match=r"0\.4 seconds"):
                await settled(
                    world.connect(host=["127.0.0.1"] * hosts, port=mute, user="me", timeout=0.4)
                )

        world.run(body)

    def test_the_next_host_in_time(self, world: World, dsn: str) -> None:
        params = conninfo_to_dict(dsn)

        async def body() -> None:
            with listeners.refusing() as port:
                hosts = {"host": ["127.0.0.1", params["host"]], "port": [port, params["port"]]}
                conn = await settled(world.connect(**{**params, **hosts}, timeout=5))
            await settled(conn.close())

        world.run(body)


@every_world
@pytest.mark.parametrize("seconds", [0, 0.3])
def test_the_budget_is_kept(world: World, seconds: float, dsn: str, proxy: Proxy) -> None:
    async def body() -> None:
        conn = await settled(world.connect(proxy.dsn(dsn), cancel_timeout=seconds))
        proxy.freeze()
        with takes(0.1 + seconds), pytest.raises(errors.QueryTimeout):
            await settled(conn.execute("select pg_sleep(30)", timeout=0.1))
        assert conn.closed and conn.broken
        await settled(conn.close())

    world.run(body)


@pytest.mark.slow
@every_world
def test_the_default_budget(world: World, dsn: str, proxy: Proxy) -> None:
    async def body() -> None:
        conn = await settled(world.connect(proxy.dsn(dsn)))
        proxy.freeze()
        with takes(2.2), pytest.raises(errors.QueryTimeout):
            await settled(conn.execute("select pg_sleep(30)", timeout=0.2))
        assert conn.closed and conn.broken
        await settled(conn.close())

    world.run(body)


@every_world
def test_half_a_message(world: World, dsn: str, proxy: Proxy) -> None:
    """What is too large to be sent at once stands still in the middle: nothing can follow it."""

    async def body() -> None:
        conn = await settled(world.connect(proxy.dsn(dsn), cancel_timeout=0.3))
        proxy.freeze(after=1_000_000, to="server")
        with takes(0.5), pytest.raises(errors.QueryTimeout):
            await settled(conn.execute("select %s::bytea", [b"x" * 30_000_000], timeout=0.2))
        assert conn.closed and conn.broken
        await settled(conn.close())

    world.run(body)


@every_world
@pytest.mark.parametrize("timeout", [None, 0.2])
def test_a_parameter_that_is_refused_in_the_middle(
    world: World, dsn: str, timeout: float | None
) -> None:
    """What executemany() has sent before is waited for, since the server has done nothing wrong.

    It is undone; its timeout counts, and then there is something to cancel.
    """

    async def body() -> None:
        conn = await settled(world.connect(dsn, autocommit=True, cancel_timeout=1))
        await settled(conn.execute("create temp table t (n int, pause text)"))
        params = [(number, "0.1") for number in range(5)] + [(object(), "0")]
        insert = "insert into t select %s, pg_sleep(%s::float8)::text"
        with takes(timeout or 0.5), pytest.raises(psycopg3.Error) as ex:
            await settled(conn.cursor().executemany(insert, params, timeout=timeout))
        assert type(ex.value) is (errors.QueryTimeout if timeout else psycopg3.ProgrammingError)
        assert not conn.closed
        cur = await settled(conn.execute("select count(*) from t"))
        assert await settled(cur.fetchone()) == (0,)
        await settled(conn.close())

    world.run(body)
