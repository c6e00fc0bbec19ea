"""cancel() and cancel_safe(), and the cancel requests of recoveries: from anywhere, over anything."""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import anyio
import pytest
import trio

import psycopg3
from psycopg3 import errors, pq
from psycopg3.concurrency import threads
from psycopg3.concurrency.calls import BlockingCall
from psycopg3.testing import Cluster
from tests.clocks import OwnClock
from tests.faults.cells import Script, alarm
from tests.faults.proxy import Proxy, Target
from tests.faults.running import ASYNCIO, THREADS, TRIO, UVLOOP, World, counted, settled
from tests.listeners import SSL_REQUEST

WORLDS = [THREADS, ASYNCIO, pytest.param(UVLOOP, marks=pytest.mark.slow), TRIO]
every_world = pytest.mark.parametrize("world", WORLDS, ids=repr)
every_call = pytest.mark.parametrize("name", ["cancel", "cancel_safe"])

CANCEL_REQUEST = 80877102


async def during(world: World, conn: Any, body: Callable[[], Any]) -> None:
    """Run `body` during a query of somebody else's, which is to be cancelled."""

    async def ask() -> None:
        with pytest.raises(errors.QueryCanceled) as caught:
            await settled(conn.execute("select pg_sleep(30)"))
        assert type(caught.value) is errors.QueryCanceled

    if world.has_tasks:

        async def we() -> None:
            await world.sleep(0.1)
            await body()

        await world.together(ask, we)
        return

    failures: list[BaseException] = []

    def we_do() -> None:
        time.sleep(0.1)
        try:
            world.run(body)
        except BaseException as ex:
            failures.append(ex)

    thread = threading.Thread(target=we_do)
    thread.start()
    await ask()
    thread.join()
    assert failures == []


async def cancelled_repeatedly(world: World, coroutine: Any) -> None:
    """Cancel a query ten times, 0.02 seconds apart."""
    if world is TRIO:
        with trio.move_on_after(0.05), trio.move_on_after(0.07), trio.move_on_after(0.09):
            await coroutine
        return
    task = asyncio.ensure_future(coroutine)
    for _ in range(10):
        await asyncio.sleep(0.02)
        task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def is_well(conn: Any) -> bool:
    cur = await settled(conn.execute("select 7"))
    return bool(await settled(cur.fetchone()) == (7,))


@every_world
@every_call
def test_from_a_task_or_thread(world: World, name: str, dsn: str) -> None:
    async def body() -> None:
        conn = await settled(world.connect(dsn, autocommit=True))

        async def cancel() -> None:
            await settled(getattr(conn, name)())

        await during(world, conn, cancel)
        assert await is_well(conn)
        await settled(conn.close())

    world.run(body)


@every_world
def test_from_a_thread_of_its_own(world: World, dsn: str) -> None:
    async def body() -> None:
        conn = await settled(world.connect(dsn, autocommit=True))
        with Script((0.1, conn.cancel)), pytest.raises(errors.QueryCanceled):
            await settled(conn.execute("select pg_sleep(30)"))
        assert await is_well(conn)
        await settled(conn.close())

    world.run(body)


def test_without_a_thread(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the end of a program, where none may be started."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def cancel() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            conn.cancel()

    with psycopg3.connect(dsn, autocommit=True) as conn:
        with Script((0.1, cancel)), pytest.raises(errors.QueryCanceled):
            conn.execute("select pg_sleep(30)")


@pytest.mark.parametrize("name", ["cancel", "cancel_safe"])
def test_from_a_signal_s_handler(name: str, dsn: str) -> None:
    with psycopg3.connect(dsn, autocommit=True) as conn:
        before = signal.signal(signal.SIGALRM, lambda *_: getattr(conn, name)())
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(errors.QueryCanceled):
                conn.execute("select pg_sleep(30)")
        finally:
            signal.signal(signal.SIGALRM, before)
        assert conn.execute("select 7").fetchone() == (7,)


@every_world
@every_call
def test_of_nothing(world: World, name: str, dsn: str) -> None:
    async def body() -> None:
        conn = await settled(world.connect(dsn, autocommit=True))
        await settled(getattr(conn, name)())
        assert await is_well(conn)
        await settled(conn.close())
        await settled(getattr(conn, name)())

    world.run(body)


@every_world
@every_call
def test_of_a_lost_connection(world: World, name: str, dsn: str, proxy: Proxy) -> None:
    async def body() -> None:
        conn = await settled(world.connect(proxy.dsn(dsn), autocommit=True))
        proxy.reset()
        with pytest.raises(psycopg3.OperationalError):
            await settled(conn.execute("select 1"))
        taken = proxy.taken
        await settled(getattr(conn, name)())
        assert proxy.taken == taken
        await settled(conn.close())

    world.run(body)


@every_world
@pytest.mark.parametrize("newcomers", ["mute", "frozen"])
def test_no_answer(world: World, newcomers: str, dsn: str, proxy: Proxy) -> None:
    async def body() -> None:
        conn = await settled(world.connect(proxy.dsn(dsn), autocommit=True))
        if newcomers == "mute":
            proxy.newcomers("mute")
        else:
            proxy.freeze()
        begin = time.monotonic()
        with pytest.raises(errors.CancellationTimeout):
            await settled(conn.cancel_safe(timeout=0.3))
        assert 0.28 <= time.monotonic() - begin < 0.6
        await settled(conn.close())

    world.run(body)


@every_world
@pytest.mark.parametrize("newcomers", ["refuse", "reset"])
@every_call
def test_not_delivered(world: World, newcomers: Any, name: str, dsn: str, proxy: Proxy) -> None:
    async def body() -> None:
        conn = await settled(world.connect(proxy.dsn(dsn), autocommit=True))
        proxy.newcomers(newcomers)
        # libpq's PQcancel takes a reset that follows its request for the server's answer.
        may_pass = newcomers == "reset" and (name == "cancel" or pq.version() < 170000)
        try:
            await settled(getattr(conn, name)())
            assert may_pass
        except psycopg3.OperationalError as ex:
            assert not isinstance(ex, errors.CancellationTimeout)
        assert await is_well(conn)
        await settled(conn.close())

    world.run(body)


@every_world
@every_call
def test_over_tls(world: World, name: str, tls_cluster: Cluster) -> None:
    """With libpq 17 and newer cancel_safe() is as encrypted as the connection, with all recoveries."""
    if not tls_cluster.ca_file:
        pytest.skip("the server has no TLS")

    async def body() -> None:
        with Proxy((tls_cluster.host, tls_cluster.port)) as proxy:
            # By its name: before libpq 15 certificates don't tell of addresses.
            verified = {"sslmode": "verify-full", "sslrootcert": tls_cluster.ca_file}
            dsn = proxy.dsn(tls_cluster.dsn, host="localhost", hostaddr="127.0.0.1", **verified)
            conn = await settled(world.connect(dsn, autocommit=True))
            assert conn.pgconn.ssl_in_use

            async def cancel() -> None:
                await settled(getattr(conn, name)())

            await during(world, conn, cancel)
            assert await is_well(conn)
            with pytest.raises(errors.QueryTimeout):
                await settled(conn.execute("select pg_sleep(30)", timeout=0.1))
            assert await is_well(conn)
            openings = [struct.unpack("!ii", opening)[1] for opening in proxy.openings]
            can_encrypt = pq.version() >= 170000
            by_recovery = SSL_REQUEST if can_encrypt else CANCEL_REQUEST
            by_call = by_recovery if name == "cancel_safe" else CANCEL_REQUEST
            assert openings == [SSL_REQUEST, by_call, by_recovery]
            await settled(conn.close())

    world.run(body)


class TestBounded:
    """cancel() blocks nobody for long, though libpq's call for it knows no limit."""

    @pytest.fixture(autouse=True)
    def little_patience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert threads.PATIENCE == 30
        monkeypatch.setattr(threads, "PATIENCE", 0.6)

    @every_world
    def test_no_answer(self, world: World, dsn: str, proxy: Proxy) -> None:
        """In the thread of an event loop it is for less than half a second."""
        limit = 0.4 if world.has_tasks else 0.6

        async def body() -> None:
            conn = await settled(world.connect(proxy.dsn(dsn), autocommit=True))
            proxy.newcomers("mute")
            begin = time.monotonic()
            with pytest.raises(errors.CancellationTimeout, match="goes on by itself"):
                conn.cancel()
            assert limit <= time.monotonic() - begin < limit + 0.09
            assert await is_well(conn)
            proxy.reset()
            conn.abort()

        world.run(body)

    @every_world
    def test_from_another_thread(self, world: World, dsn: str, proxy: Proxy) -> None:
        """It may take longer there, and the loop goes on meanwhile."""

        async def body() -> None:
            conn = await settled(world.connect(proxy.dsn(dsn), autocommit=True))
            proxy.newcomers("mute")
            ended: list[float | type[BaseException]] = []

            def cancel() -> None:
                begin = time.monotonic()
                try:
                    conn.cancel()
                except psycopg3.Error as ex:
                    ended.extend([time.monotonic() - begin, type(ex)])

            with Script((0, cancel)):
                assert await is_well(conn)
                assert ended == []
            seconds, kind = ended
            assert 0.6 <= float(seconds) < 0.9 and kind is errors.CancellationTimeout
            proxy.reset()
            conn.abort()

        world.run(body)

    @every_world
    def test_it_goes_on_by_itself(self, world: World, dsn: str, proxy: Proxy) -> None:
        async def body() -> None:
            conn = await settled(world.connect(proxy.dsn(dsn), autocommit=True))

            async def cancel() -> None:
                proxy.freeze()
                with pytest.raises(errors.CancellationTimeout):
                    conn.cancel()
                proxy.thaw()

            await during(world, conn, cancel)
            assert await is_well(conn)
            await settled(conn.close())

        world.run(body)

    def test_in_a_signal_s_handler(self, dsn: str, proxy: Proxy) -> None:
        with psycopg3.connect(proxy.dsn(dsn), autocommit=True) as conn:
            proxy.newcomers("mute")
            seconds: list[float] = []

            def handler(*_: object) -> None:
                begin = time.monotonic()
                with pytest.raises(errors.CancellationTimeout):
                    conn.cancel()
                seconds.append(time.monotonic() - begin)

            before = signal.signal(signal.SIGALRM, handler)
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.1)
                conn.execute("select pg_sleep(0.3)")
            finally:
                signal.signal(signal.SIGALRM, before)
            assert 0.6 <= seconds[0] < 0.9
            proxy.reset()

    def test_however_many_calls_hang(self, dsn: str) -> None:
        """It doesn't queue behind look-ups of names."""
        over = threading.Event()
        hanging = [BlockingCall(over.wait) for _ in range(BlockingCall.LIMIT + 2)]  # type: ignore[call-overload]
        try:
            with psycopg3.connect(dsn, autocommit=True) as conn:
                with Script((0.1, conn.cancel)), pytest.raises(errors.QueryCanceled):
                    conn.execute("select pg_sleep(30)")
        finally:
            over.set()
            for call in hanging:
                call.leave()


@every_world
def test_a_reason_without_words(world: World, dsn: str, target: Target) -> None:
    """Exceptions of the system's often have no text: their names are better than nothing."""
    opened: list[socket.socket] = []

    def open(_host: str, _port: int) -> socket.socket:
        if opened:
            raise TimeoutError
        sock = socket.socket(socket.AF_UNIX if isinstance(target, str) else socket.AF_INET)
        sock.connect(target)
        opened.append(sock)
        return sock

    async def body() -> None:
        connector = world.connector(open, "plain")
        conn = await settled(world.connect(dsn, connector_factory=connector))
        with pytest.raises(psycopg3.OperationalError, match=r"not be delivered: TimeoutError\(\)"):
            await settled(conn.cancel_safe())
        await settled(conn.close())

    world.run(body)


@every_world
def test_a_reset_is_not_cancelled(world: World, dsn: str, proxy: Proxy) -> None:
    """Its answer is waited for, within the budget: half of a reset is of no use."""

    async def body() -> None:
        conn = await settled(world.connect(proxy.dsn(dsn), autocommit=True))
        await settled(conn.execute("set application_name = 'mine'"))
        proxy.stall()
        conn.command_timeout = 0.1
        with Script((0.3, proxy.thaw)), pytest.raises(errors.QueryTimeout) as caught:
            await settled(conn.reset())
        conn.command_timeout = None
        assert proxy.taken == 1
        assert getattr(caught.value, "__notes__", []) == []
        assert not conn.closed
        cur = await settled(conn.execute("show application_name"))
        assert await settled(cur.fetchone()) != ("mine",)
        await settled(conn.close())

    world.run(body)


@pytest.mark.parametrize("world", [ASYNCIO, TRIO], ids=repr)
def test_a_very_long_query(world: World, dsn: str, proxy: Proxy) -> None:
    """Whether its text may be cancelled is told at once, with a loop that lives."""
    text = "select " + ",".join(["'" + "x" * 200 + "'"] * 100_000) + " from pg_sleep(30)"

    async def body() -> None:
        conn = await world.connect(proxy.dsn(dsn), autocommit=True, cancel_timeout=0.5)
        proxy.freeze(after=3_000_000, to="server")
        clock, gaps, over = OwnClock(), [0.0], False

        async def tick() -> None:
            while not over:
                last = clock()
                await world.sleep(0.01)
                gaps.append(clock() - last)

        async def ask() -> None:
            nonlocal over
            begin = clock()
            with pytest.raises(errors.QueryTimeout):
                await conn.execute(text, timeout=0.2)
            over = True
            assert clock() - begin < 0.2 + 0.5 + 0.5
            assert conn.broken

        await world.together(tick, ask)
        assert max(gaps) < 0.5
        await conn.close()

    world.run(body)


class TestRecovery:
    """The cancel requests of interrupted queries."""

    @every_world
    def test_one_without_an_answer_is_never_left_behind(
        self, world: World, dsn: str, proxy: Proxy
    ) -> None:
        """It might strike any query to come: although this one ends by itself, there is none."""

        async def body() -> None:
            conn = await settled(world.connect(proxy.dsn(dsn), autocommit=True, cancel_timeout=0.5))
            proxy.newcomers("mute")
            begin = time.monotonic()
            with pytest.raises(errors.QueryTimeout):
                await settled(conn.execute("select pg_sleep(0.2)", timeout=0.1))
            assert 0.55 < time.monotonic() - begin < 1
            assert conn.closed and conn.broken
            await settled(conn.close())

        world.run(body)

    @every_world
    @pytest.mark.parametrize("many", [False, True])
    def test_a_link_that_stays_open(self, world: World, many: bool, dsn: str, proxy: Proxy) -> None:
        """As Pgpool-II's does: the answer tells that the request was taken."""

        async def body() -> None:
            conn = await settled(world.connect(proxy.dsn(dsn), autocommit=True, cancel_timeout=5))
            proxy.newcomers("hold")
            for _ in range(3):
                begin = time.monotonic()
                with pytest.raises(errors.QueryTimeout):
                    if many:
                        cur = conn.cursor()
                        await settled(
                            cur.executemany("select pg_sleep(%s)", [(30,)] * 3, timeout=0.1)
                        )
                    else:
                        await settled(conn.execute("select pg_sleep(30)", timeout=0.1))
                assert time.monotonic() - begin < 2
                assert not conn.closed
                assert await is_well(conn)
            await settled(conn.close())

        world.run(body)

    @every_world
    def test_a_link_that_stays_open_and_another_answer(
        self, world: World, dsn: str, proxy: Proxy, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It proves nothing: the request may still strike the next query."""

        async def body() -> None:
            conn = await settled(world.connect(proxy.dsn(dsn), autocommit=True, cancel_timeout=0.6))
            proxy.newcomers("mute")
            with pytest.raises(errors.QueryTimeout):
                await settled(
                    conn.execute(
                        "select 1 / (case when pg_sleep(0.2) is null then 1 else 0 end)",
                        timeout=0.1,
                    )
                )
            assert conn.closed and conn.broken
            await settled(conn.close())

        world.run(body)
        assert "did not take the cancel request within 0.6 seconds, though" in caplog.text

    @every_world
    def test_refused(self, world: World, dsn: str, proxy: Proxy) -> None:
        """No second connection is to be had: the query may still end by itself."""

        async def body() -> None:
            conn = await settled(world.connect(proxy.dsn(dsn), autocommit=True, cancel_timeout=0.8))
            proxy.newcomers("refuse")
            with pytest.raises(errors.QueryTimeout):
                await settled(conn.execute("select pg_sleep(0.3)", timeout=0.1))
            assert not conn.closed
            assert await is_well(conn)
            await settled(conn.close())

        world.run(body)

    @every_world
    def test_it_overtakes_its_query(self, world: World, dsn: str, proxy: Proxy) -> None:
        """The request finds the server idle, and is lost: there must be another."""

        async def body() -> None:
            conn = await settled(world.connect(proxy.dsn(dsn), autocommit=True))
            proxy.stall()
            with Script((0.3, proxy.thaw)), pytest.raises(errors.QueryTimeout):
                await settled(conn.execute("select pg_sleep(30)", timeout=0.1))
            assert proxy.taken > 2
            assert not conn.closed
            assert await is_well(conn)
            await settled(conn.close())

        world.run(body)

    @every_world
    def test_slow(self, world: World, dsn: str, proxy: Proxy) -> None:
        """The next query starts when the request has been heard, and not before."""

        async def body() -> None:
            conn = await settled(world.connect(proxy.dsn(dsn), autocommit=True))
            proxy.delay = 0.05
            for _ in range(3):
                with pytest.raises(errors.QueryTimeout):
                    await settled(conn.execute("select pg_sleep(30)", timeout=0.12))
                assert await is_well(conn)
            await settled(conn.close())

        world.run(body)

    @every_world
    def test_a_large_answer_is_dropped(self, world: World, dsn: str) -> None:
        async def body() -> None:
            conn = await settled(world.connect(dsn, autocommit=True))
            query = "select repeat('x', 1000), n from generate_series(1, 10000000) n"
            begin = time.monotonic()
            with pytest.raises(errors.QueryTimeout):
                await settled(conn.execute(query, timeout=0.1))
            assert time.monotonic() - begin < 1.5
            assert await is_well(conn)
            await settled(conn.close())

        world.run(body)

    @every_world
    def test_copies_are_ended(self, world: World, dsn: str) -> None:
        """execute() refuses them; what they had begun is over."""

        async def body() -> None:
            conn = await settled(world.connect(dsn, autocommit=True))
            for query in ("copy (select 1) to stdout", "copy pg_am from stdin"):
                with pytest.raises(psycopg3.ProgrammingError, match="COPY"):
                    await settled(conn.execute(query))
                assert await is_well(conn)
            await settled(conn.close())

        world.run(body)

    @every_world
    @pytest.mark.parametrize("by", ["scope", "repeated"])
    def test_nobody_spins(self, world: World, by: str, dsn: str, proxy: Proxy) -> None:
        """In a recovery of 0.8 seconds there are few wake-ups, also where cancellations rain."""
        if not world.has_tasks:
            pytest.skip("nobody cancels a thread")

        async def body() -> None:
            conn = await world.connect(proxy.dsn(dsn), autocommit=True, cancel_timeout=0.8)
            proxy.freeze()
            cpu = time.process_time()
            with counted(world) as turns:
                if by == "scope":
                    with anyio.move_on_after(0.05):
                        await conn.execute("select pg_sleep(30)")
                else:
                    await cancelled_repeatedly(world, conn.execute("select pg_sleep(30)"))
            assert 5 < len(turns) < 100
            assert time.process_time() - cpu < 0.4
            assert conn.closed
            await conn.close()

        world.run(body)

    def test_a_second_ctrl_c_closes_at_once(self, dsn: str, proxy: Proxy) -> None:
        first, second = KeyboardInterrupt("first"), KeyboardInterrupt("second")
        given = iter([first, second])

        def handler(*_: object) -> None:
            raise next(given)

        conn = psycopg3.connect(proxy.dsn(dsn), autocommit=True)
        before = signal.signal(signal.SIGALRM, handler)
        begin = time.monotonic()
        try:
            with Script((0.05, proxy.freeze)):
                signal.setitimer(signal.ITIMER_REAL, 0.1, 0.2)
                with pytest.raises(KeyboardInterrupt) as caught:
                    conn.execute("select pg_sleep(30)")
                signal.setitimer(signal.ITIMER_REAL, 0)
        finally:
            signal.signal(signal.SIGALRM, before)
        assert caught.value is second
        assert caught.value.__context__ is first
        assert 0.28 < time.monotonic() - begin < 0.6
        assert conn.closed and conn.broken
        assert not conn.lock.locked()
        conn.close()

    def test_an_exception_that_is_the_driver_s(self, dsn: str) -> None:
        """A handler may raise anything, also an error of ours: the query is cancelled all the same."""
        with psycopg3.connect(dsn, autocommit=True) as conn:
            given = psycopg3.InterfaceError("of a handler")
            with alarm(0.1, given), pytest.raises(psycopg3.InterfaceError) as caught:
                conn.execute("select pg_sleep(30)")
            assert caught.value is given
            assert conn.execute("select 7").fetchone() == (7,)

    def test_while_notices_are_handled(self, dsn: str) -> None:
        """An exception that strikes inside a handler, which libpq called, comes out as well."""
        with psycopg3.connect(dsn, autocommit=True) as conn:
            heard: list[str | None] = []
            conn.add_notice_handler(lambda diag: heard.append(diag.message_primary))
            with alarm(0.1, KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
                conn.execute(
                    "do $$begin loop raise notice 'x'; perform pg_sleep(0.0001); end loop; end$$"
                )
            assert heard
            assert conn.execute("select 7").fetchone() == (7,)
