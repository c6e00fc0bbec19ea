"""The asynchronous worlds: fair locks that know their task, and shields that hold."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
import trio

from psycopg3.concurrency import tasks
from psycopg3.concurrency.threads import PATIENCE, PATIENCE_ON_LOOP
from psycopg3.deadlines import Deadline

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def group() -> AsyncIterator[anyio.abc.TaskGroup]:
    async with anyio.create_task_group() as made:
        yield made


async def others_run() -> None:
    await anyio.wait_all_tasks_blocked()


def run_script(code: str) -> str:
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- which library runs ----


async def test_current(anyio_backend_name: str) -> None:
    library = tasks.current()
    assert library.name == anyio_backend_name
    assert library is tasks.current()


def test_none_runs() -> None:
    with pytest.raises(RuntimeError, match="no event loop"):
        tasks.current()


def test_trio_as_a_guest_of_asyncio() -> None:
    async def guest() -> str:
        await trio.sleep(0)
        return tasks.current().name

    async def host() -> tuple[str, str]:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Any] = loop.create_future()
        trio.lowlevel.start_guest_run(
            guest,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=ended.set_result,
        )
        inside = (await ended).unwrap()
        return inside, tasks.current().name

    assert asyncio.run(host()) == ("trio", "asyncio")


def test_the_place_of_asyncio_beside_trio_outlives_trio() -> None:
    async def host() -> None:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Any] = loop.create_future()
        trio.lowlevel.start_guest_run(
            trio.sleep,
            0.01,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=ended.set_result,
        )
        library = tasks.current()
        assert library.place() is loop
        await ended
        assert library.place() is loop

    asyncio.run(host())


def test_nothing_is_imported_to_find_out() -> None:
    out = run_script(
        """
        import sys
        from psycopg3.concurrency import tasks
        assert "asyncio" not in sys.modules
        try:
            tasks.current()
        except RuntimeError:
            pass
        assert "asyncio" not in sys.modules

        import asyncio

        async def main():
            library = tasks.current()
            async with library.Lock():
                pass
            await library.shield(asyncio.sleep, 0)
            return library.name

        print(asyncio.run(main()), "trio" in sys.modules, "anyio" in sys.modules)
        """
    )
    assert out == "asyncio False False\n"


async def test_assign_refuses() -> None:
    class Thing:
        async def set_colour(self, value: str) -> None: ...

    with pytest.raises(AttributeError, match="await conn.set_colour"):
        tasks.assign(Thing().set_colour, "red")


async def test_settled() -> None:
    async def callback() -> int:
        await anyio.sleep(0)
        return 5

    made: Any = callback()
    assert await tasks.awaited(5) == 5
    assert await tasks.awaited(made) == 5


async def test_settled_in_time() -> None:
    async def callback(seconds: float) -> int:
        await anyio.sleep(seconds)
        return 5

    async def failing() -> None:
        raise TimeoutError("of its own")

    def soon() -> Deadline:
        return Deadline.after(0.1, ZeroDivisionError)

    over = Deadline.after(-1, ZeroDivisionError)

    assert await tasks.awaited(5, soon()) == 5
    assert await tasks.awaited(callback(0), soon()) == 5
    with pytest.raises(ZeroDivisionError):
        await tasks.awaited(callback(30), soon())
    with pytest.raises(ZeroDivisionError):
        await tasks.awaited(callback(0), over)
    with pytest.raises(ZeroDivisionError):
        await tasks.awaited(5, over)
    with pytest.raises(TimeoutError, match="of its own"):
        await tasks.awaited(failing(), soon())


async def test_patience_on_a_loop() -> None:
    heard = []
    thread = threading.Thread(target=lambda: heard.append(tasks.patience()))
    thread.start()
    thread.join()
    assert (tasks.patience(), *heard) == (PATIENCE_ON_LOOP, PATIENCE)


@pytest.mark.parametrize("run", [lambda func: asyncio.run(func()), trio.run])
def test_places(run: Any) -> None:
    async def main() -> tuple[tasks.Library, object]:
        library = tasks.current()
        place = library.place()
        assert library.place() is place
        assert not library.deserted(place)
        return library, place

    library, first = run(main)
    assert library.deserted(first)
    _, second = run(main)
    assert second is not first
    with pytest.raises(RuntimeError):
        library.place()


async def test_spawned_on_its_own(caplog: pytest.LogCaptureFixture) -> None:
    spawn = tasks.current().spawn
    assert spawn is not None
    done = anyio.Event()

    async def work() -> None:
        await anyio.sleep(0.01)
        gc.collect()
        await anyio.sleep(0.01)
        done.set()

    async def fail() -> None:
        await anyio.sleep(0)
        raise ZeroDivisionError

    spawn(fail())
    spawn(work())
    with anyio.fail_after(5):
        await done.wait()
    assert [record.exc_info and record.exc_info[0] for record in caplog.records] == [
        ZeroDivisionError
    ]


# ---- locks ----


async def test_lock_knows_its_owner() -> None:
    lock = tasks.current().Lock()
    seen: list[tuple[bool, bool]] = []

    async def other() -> None:
        seen.append((lock.owned(), lock.locked()))

    assert (lock.owned(), lock.locked()) == (False, False)
    async with lock:
        assert (lock.owned(), lock.locked()) == (True, True)
        async with group() as tg:
            tg.start_soon(other)
    assert (lock.owned(), lock.locked()) == (False, False)
    assert seen == [(False, True)]


def test_nobody_owns_it_outside_of_tasks() -> None:
    async def make() -> Any:
        lock = tasks.current().Lock()
        await lock.acquire()
        return lock

    for lock in (asyncio.run(make()), trio.run(make)):
        assert lock.locked()
        assert not lock.owned()


async def test_lock_passes_in_order() -> None:
    lock = tasks.current().Lock()
    order: list[int] = []

    async def wait(number: int) -> None:
        async with lock:
            assert lock.owned()
            order.append(number)
            await others_run()

    async with group() as tg:
        async with lock:
            for number in range(5):
                tg.start_soon(wait, number)
                await others_run()
            assert order == []
        # Released, but passed on at once: whoever comes now comes last.
        assert lock.locked()
        assert not lock.owned()
        await wait(99)
    assert order == [0, 1, 2, 3, 4, 99]
    assert not lock.locked()


async def test_free_lock_is_taken_at_once() -> None:
    lock = tasks.current().Lock()
    ran = []

    async def other() -> None:
        ran.append(1)

    async with group() as tg:
        tg.start_soon(other)
        async with lock:
            assert not ran
        assert not ran


async def test_cancelled_while_it_waits() -> None:
    lock = tasks.current().Lock()
    got: list[int] = []

    async def wait(number: int, scope: anyio.CancelScope) -> None:
        with scope:
            async with lock:
                got.append(number)

    scopes = [anyio.CancelScope() for _ in range(3)]
    async with group() as tg:
        async with lock:
            for number, scope in enumerate(scopes):
                tg.start_soon(wait, number, scope)
                await others_run()
            scopes[1].cancel()
            await others_run()
        # The first has it now, in its hand or on its way to it.
        assert lock.locked()
    assert got == [0, 2]
    assert not lock.locked()


async def test_cancelled_when_its_turn_comes() -> None:
    """The lock was passed to a task that was cancelled in the same turn: nobody else may starve."""
    lock = tasks.current().Lock()
    got: list[int] = []

    async def wait(number: int, scope: anyio.CancelScope) -> None:
        with scope:
            async with lock:
                await anyio.sleep(0)
                got.append(number)

    for first_cancel in (True, False):
        got.clear()
        scopes = [anyio.CancelScope() for _ in range(2)]
        async with group() as tg:
            await lock.acquire()
            for number, scope in enumerate(scopes):
                tg.start_soon(wait, number, scope)
                await others_run()
            if first_cancel:
                scopes[0].cancel()
                lock.release()
            else:
                lock.release()
                scopes[0].cancel()
        assert got == [1]
        assert not lock.locked()


async def test_cancelled_at_random() -> None:
    lock = tasks.current().Lock()
    inside = entered = 0

    async def work() -> None:
        nonlocal inside, entered
        for _ in range(30):
            with anyio.move_on_after(random.choice([0, 0.0001, 0.001, 1])):
                async with lock:
                    inside += 1
                    entered += 1
                    try:
                        assert inside == 1
                        await anyio.sleep(random.choice([0, 0.0001]))
                    finally:
                        inside -= 1
            await anyio.sleep(0)

    async with group() as tg:
        for _ in range(8):
            tg.start_soon(work)
    assert entered > 30
    assert not lock.locked()


async def test_lock_released_by_another_task() -> None:
    lock = tasks.current().Lock()
    await lock.acquire()

    async def other() -> None:
        lock.release()

    async with group() as tg:
        tg.start_soon(other)
    assert not lock.locked()


async def test_lock_misused() -> None:
    lock = tasks.current().Lock()
    with pytest.raises(RuntimeError, match="nobody holds"):
        lock.release()
    async with lock:
        with pytest.raises(RuntimeError, match="holds it"):
            await lock.acquire()
        assert lock.owned()
    assert not lock.locked()


def test_trio_lock_survives_ctrl_c() -> None:
    """Whatever line Ctrl-C hits, nobody is left holding the lock."""
    locks: list[Any] = []
    lost: list[Any] = []

    async def main() -> None:
        lock = tasks.current().Lock()
        locks.append(lock)
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, 0.002))
        end = time.monotonic() + 1
        while time.monotonic() < end:
            async with lock:
                pass
            await trio.lowlevel.checkpoint()  # here Ctrl-C comes that hit the lock's own lines
        # Python had it raised where it raises nothing, in a finalizer for instance.
        lost.append(lock)

    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        for _ in range(150):
            with contextlib.suppress(KeyboardInterrupt):
                trio.run(main)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not any(lock.locked() for lock in locks)
    assert len(lost) < 5


# ---- shields ----


async def test_shield_passes_what_comes_of_it() -> None:
    async def add(a: int, *, b: int) -> int:
        await anyio.sleep(0)
        return a + b

    async def fail() -> None:
        await anyio.sleep(0)
        raise ZeroDivisionError

    assert await tasks.current().shield(add, 1, b=2) == 3
    with pytest.raises(ZeroDivisionError):
        await tasks.current().shield(fail)


async def test_shield_outlasts_a_scope() -> None:
    done = after = False

    async def cleanup() -> None:
        nonlocal done
        await anyio.sleep(0.1)
        done = True

    with anyio.move_on_after(0.02) as scope:
        await tasks.current().shield(cleanup)
        await anyio.sleep(0)
        after = True
    assert done
    assert not after
    assert scope.cancelled_caught


async def test_shield_while_a_cancellation_is_handled() -> None:
    done = False
    raised: list[BaseException] = []

    async def cleanup() -> None:
        nonlocal done
        await anyio.sleep(0.1)
        done = True

    with anyio.move_on_after(0.02) as scope:
        try:
            await anyio.sleep(10)
        except BaseException as ex:
            raised.append(ex)
            try:
                await tasks.current().shield(cleanup)
                raise
            except BaseException as again:
                raised.append(again)
                raise
    assert done
    assert scope.cancelled_caught
    assert raised[0] is raised[1]


async def test_shield_does_not_spin(anyio_backend_name: str) -> None:
    """anyio repeats a cancellation in each turn of the loop; a shield of ours must not hear it."""
    if anyio_backend_name != "asyncio":
        pytest.skip("only on asyncio does anyio repeat")
    turns = 0

    async def cleanup() -> None:
        nonlocal turns
        loop = asyncio.get_running_loop()

        def count() -> None:
            nonlocal turns
            turns += 1

        end = loop.time() + 0.3
        cpu = time.process_time()
        while loop.time() < end:
            await asyncio.sleep(0.02)
            count()
        assert time.process_time() - cpu < 0.1

    with anyio.CancelScope() as scope:
        try:
            scope.cancel()
            await anyio.sleep(1)
        except BaseException:
            await tasks.current().shield(cleanup)
            raise
    assert 5 < turns < 20


class Selected:
    """Counts how often the selector of a loop is asked: once in each turn."""

    def __init__(self, loop: Any) -> None:
        self.count = 0
        select = loop._selector.select

        def counted(timeout: float | None = None) -> Any:
            self.count += 1
            return select(timeout)

        loop._selector.select = counted


def test_shield_wakes_up_rarely() -> None:
    async def main() -> int:
        selected = Selected(asyncio.get_running_loop())
        with anyio.CancelScope() as scope:
            try:
                scope.cancel()
                await anyio.sleep(1)
            except BaseException:
                await tasks.current().shield(asyncio.sleep, 0.3)
                raise
        return selected.count

    assert asyncio.run(main()) < 100


@pytest.mark.parametrize("times", [1, 3])
def test_shield_cancelled_natively(times: int) -> None:
    async def main() -> None:
        done = False

        async def cleanup() -> str:
            nonlocal done
            await asyncio.sleep(0.1)
            done = True
            return "value"

        async def work() -> None:
            await tasks.current().shield(cleanup)

        task = asyncio.create_task(work())
        for number in range(times):
            await asyncio.sleep(0.02)
            task.cancel(str(number))
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert caught.value.args == (str(times - 1),)
        assert done
        assert task.cancelling() == times

    asyncio.run(main())


def test_shield_leaves_the_first_cancellation_as_it_was() -> None:
    async def main() -> None:
        passed: list[BaseException] = []

        async def work() -> None:
            try:
                await asyncio.sleep(10)
            except BaseException as ex:
                passed.append(ex)
                assert await tasks.current().shield(asyncio.sleep, 0.1, "value") == "value"
                raise

        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel("first")
        for _ in range(3):
            await asyncio.sleep(0.02)
            task.cancel("again")
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert caught.value is passed[0]
        assert caught.value.args == ("first",)
        assert task.cancelling() == 4

    asyncio.run(main())


def test_shield_keeps_the_counts_of_timeouts() -> None:
    """Two timeouts fire, one of them during the recovery: each takes its own cancellation back."""

    async def work() -> None:
        try:
            await asyncio.sleep(10)
        except BaseException:
            await tasks.current().shield(asyncio.sleep, 0.15)
            raise

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1) as outer:
                async with asyncio.timeout(0.05) as inner:
                    await work()
        assert inner.expired()
        assert outer.expired()
        assert task.cancelling() == 0
        await asyncio.sleep(0)  # nothing is left to be delivered

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await tasks.current().shield(asyncio.sleep, 0.05)
        assert task.cancelling() == 0
        await asyncio.sleep(0)

    asyncio.run(main())


def test_shield_in_a_task_group() -> None:
    async def main() -> None:
        done = False

        async def cleanup() -> None:
            nonlocal done
            await asyncio.sleep(0.05)
            done = True

        async def work() -> None:
            try:
                await asyncio.sleep(10)
            finally:
                await tasks.current().shield(cleanup)

        async def fail() -> None:
            await asyncio.sleep(0.02)
            raise ZeroDivisionError

        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as tg:
                worker = tg.create_task(work())
                tg.create_task(fail())
        assert [type(ex) for ex in caught.value.exceptions] == [ZeroDivisionError]
        assert done
        assert worker.cancelled()

    asyncio.run(main())


def test_shield_cancelled_and_failed() -> None:
    """The cancellation goes first, the failure is its cause, and nothing is left unretrieved."""

    async def main() -> None:
        complaints: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))

        async def cleanup() -> None:
            await asyncio.sleep(0.05)
            raise ZeroDivisionError

        async def work() -> None:
            await tasks.current().shield(cleanup)

        task = asyncio.create_task(work())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert complaints == []

    asyncio.run(main())


def test_shield_ends_with_the_loop() -> None:
    """At its end a loop cancels every task, that of the cleanup too: nobody waits for ever."""

    async def main() -> None:
        task = asyncio.create_task(tasks.current().shield(asyncio.sleep, 30))
        await asyncio.sleep(0.02)
        assert not task.done()

    start = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - start < 5


def test_shield_without_anyio() -> None:
    out = run_script(
        """
        import asyncio, sys
        from psycopg3.concurrency import tasks

        async def main():
            task = asyncio.create_task(tasks.current().shield(asyncio.sleep, 0.2, "value"))
            for _ in range(3):
                await asyncio.sleep(0.02)
                task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                return "anyio" in sys.modules

        print(asyncio.run(main()))
        """
    )
    assert out == "False\n"


def test_shield_in_trio_holds_under_a_deadline() -> None:
    async def main() -> None:
        done = 0

        async def cleanup() -> None:
            nonlocal done
            for _ in range(5):
                await trio.sleep(0.02)
                done += 1

        with trio.move_on_after(0.01) as scope:
            try:
                await trio.sleep_forever()
            except BaseException:
                await tasks.current().shield(cleanup)
                raise
        assert done == 5
        assert scope.cancelled_caught

    trio.run(main)


async def test_what_is_spawned_begins_though_it_is_cancelled_at_once() -> None:
    done = []

    async def work() -> None:
        try:
            await anyio.sleep(10)
        finally:
            done.append("end")

    spawn = tasks.current().spawn
    assert spawn is not None
    spawn(work())()
    with anyio.fail_after(5):
        while not done:
            await anyio.sleep(0)
