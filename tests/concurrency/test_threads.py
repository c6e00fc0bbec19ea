"""The synchronous world: a lock that knows its thread, and calls that block elsewhere."""

from __future__ import annotations

import asyncio
import os
import random
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
import types
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from psycopg3.concurrency import tasks, threads
from psycopg3.concurrency.threads import Chore, Errand, Lock, Solo
from psycopg3.waiting import Wait, WaitGen, wait_async, wait_select, wait_trio
from tests.marks import counts_references
from tests.settling import eventually

T = Any


def run_script(code: str) -> subprocess.CompletedProcess[str]:
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )


def in_thread(func: Callable[[], T]) -> T:
    """The value of a call made in another thread."""
    box: list[T] = []
    thread = threading.Thread(target=lambda: box.append(func()))
    thread.start()
    thread.join()
    return box[0]


# ---- the same names ----


def test_same_names() -> None:
    assert set(tasks.__all__) <= set(threads.__all__)
    for name in tasks.__all__:
        assert getattr(tasks, name).__doc__
        assert getattr(threads, name).__doc__


def test_current() -> None:
    library = threads.current()
    assert library is threads.current()
    assert library.name == "threads"
    assert library.Lock is Lock
    assert library.shield is threads.shield


def test_threads_are_native_where_nobody_patched_them() -> None:
    """tests/test_gevent.py has the other case."""
    assert threads.native(time.sleep) is time.sleep


def test_shield_calls() -> None:
    assert threads.shield(int, "11", base=2) == 3
    with pytest.raises(ZeroDivisionError):
        threads.shield(divmod, 1, 0)


def test_assign_sets() -> None:
    got: list[int] = []
    threads.assign(got.append, 5)
    assert got == [5]


def test_settled() -> None:
    async def callback() -> int:
        return 5

    made: Any = callback()
    assert threads.settled(5) == 5
    with pytest.raises(threads.Unawaitable, match="AsyncConnection"):
        threads.settled(made)


def test_settled_too_late() -> None:
    assert threads.settled(5, time.monotonic() + 10, ZeroDivisionError) == 5
    with pytest.raises(ZeroDivisionError):
        threads.settled(5, time.monotonic() - 0.001, ZeroDivisionError)


def test_patience_in_threads() -> None:
    assert threads.patience() == threads.PATIENCE


def test_patience_beside_half_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread is importing it, or it is an old one."""
    for name in ("trio", "asyncio"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    assert threads.patience() == threads.PATIENCE


def test_threads_are_at_home_everywhere() -> None:
    library = threads.current()
    assert library.place() is in_thread(library.place)
    assert not library.deserted(library.place())


# ---- locks ----


def test_lock_knows_its_owner() -> None:
    lock = Lock()
    assert not lock.owned()
    assert not lock.locked()
    with lock:
        assert lock.owned()
        assert lock.locked()
        assert in_thread(lock.owned) is False
        assert in_thread(lock.locked) is True
    assert not lock.owned()
    assert not lock.locked()


def test_lock_excludes() -> None:
    lock = Lock()
    inside = 0

    def work() -> None:
        nonlocal inside
        for _ in range(200):
            with lock:
                before, inside = inside, inside + 1
                assert before == 0
                inside = 0

    crew = [threading.Thread(target=work) for _ in range(4)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert not lock.locked()


def test_lock_is_freed_by_an_exception() -> None:
    lock = Lock()
    with pytest.raises(ZeroDivisionError), lock:
        _ = 1 / 0
    assert not lock.locked()


class Boom(Exception):
    pass


@pytest.fixture
def alarm() -> Iterator[None]:
    def handler(*_: object) -> None:
        raise Boom

    before = signal.signal(signal.SIGALRM, handler)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("alarm")
def test_lock_survives_handlers_that_raise() -> None:
    """Whatever line the signal hits, nobody is left holding the lock."""
    lock = Lock()
    for _ in range(400):
        # Python drops what is raised while a __del__ runs: then it isn't waited for.
        end = time.monotonic() + 1
        try:
            signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, 0.002))
            while time.monotonic() < end:
                with lock:
                    pass
        except Boom:
            pass
        assert not lock.owned()
    assert not lock.locked()


@pytest.mark.usefixtures("alarm")
def test_waiting_for_a_lock_hears_signals() -> None:
    lock = Lock()
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            free.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        start = time.monotonic()
        with pytest.raises(Boom), lock:
            pass
        assert time.monotonic() - start < 1
        assert not lock.owned()
    finally:
        free.set()
        thread.join()
    assert not lock.locked()


# ---- errands ----


def errand_gen(func: Callable[..., T], *args: Any) -> WaitGen[T]:
    with Errand(func, *args) as errand:
        while not errand.done():
            yield errand.fileno(), Wait.R
        return errand.result()


@pytest.mark.parametrize(
    "drive",
    [
        wait_select,
        lambda gen, tick: asyncio.run(wait_async(gen, tick)),
        lambda gen, tick: trio.run(wait_trio, gen, tick),
    ],
    ids=["threads", "asyncio", "trio"],
)
@pytest.mark.parametrize("interval", [0.1, None])
def test_errand_under_any_waiter(drive: Any, interval: float | None) -> None:
    def work(a: int, b: int) -> tuple[int, str]:
        time.sleep(0.05)
        return a + b, threading.current_thread().name

    value, name = drive(errand_gen(work, 1, 2), interval)
    assert value == 3
    assert name != threading.current_thread().name
    with pytest.raises(ZeroDivisionError):
        drive(errand_gen(lambda: 1 / 0), interval)


def test_errand_has_no_result_before_its_end() -> None:
    go = threading.Event()
    with Errand(go.wait, 10) as errand:
        assert not errand.done()
        with pytest.raises(RuntimeError, match="still running"):
            errand.result()
        go.set()
        eventually(errand.done)
        assert errand.result() is True
        assert errand.result() is True
    assert errand.fileno() == -1


def test_errand_keeps_what_ends_a_thread() -> None:
    def leave() -> None:
        raise SystemExit(3)

    with Errand(leave) as errand:
        eventually(errand.done)
        with pytest.raises(SystemExit):
            errand.result()


@counts_references
def test_errand_left_goes_on_to_its_end() -> None:
    go, done = threading.Event(), threading.Event()

    class Thing:
        def work(self) -> None:
            go.wait(10)
            done.set()

    thing = Thing()
    gone = weakref.ref(thing)
    errand = Errand(thing.work)
    errand.leave()
    errand.leave()
    del thing, errand
    assert gone() is not None  # the thread works on it
    go.set()
    assert done.wait(5)
    eventually(lambda: gone() is None)


def test_errands_leave_nothing_behind() -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    # Threads of other tests may end meanwhile.
    before = descriptors(), threading.active_count()
    for number in range(200):
        errand = Errand(time.sleep, number % 3 / 1000)
        if number % 2:
            eventually(errand.done)
        errand.leave()
    eventually(lambda: descriptors() <= before[0] and threading.active_count() <= before[1])


@pytest.mark.parametrize("limit", [1, 2])
def test_errands_are_bounded(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Errand, "LIMIT", limit)
    go = threading.Event()
    order: list[int] = []

    def work(name: int) -> int:
        go.wait(10)
        order.append(name)
        return name

    before = threading.active_count()
    errands = [Errand(work, name) for name in range(6)]
    assert threading.active_count() == before + limit
    errands[3].leave()  # in the queue: it never runs
    go.set()
    for name in (0, 1, 2, 4, 5):
        eventually(errands[name].done)
        assert errands[name].result() == name
        errands[name].leave()
    assert (order if limit == 1 else sorted(order)) == [0, 1, 2, 4, 5]
    eventually(lambda: threading.active_count() == before)


def test_chores_do_not_queue_behind_errands_that_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Errand, "LIMIT", 1)
    go = threading.Event()
    hanging = [Errand(go.wait, 10) for _ in range(3)]
    with Chore(lambda: 7) as chore:
        eventually(chore.done)
        assert chore.result() == 7
    assert not any(errand.done() for errand in hanging)
    go.set()
    for errand in hanging:
        errand.leave()
    eventually(lambda: "psycopg3-errand" not in {thread.name for thread in threading.enumerate()})


def test_who_goes_alone_queues_behind_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Errand, "LIMIT", 1)
    go = threading.Event()
    hanging = [kind(go.wait, 10) for kind in (Errand, Errand, Solo, Solo, Solo)]
    with Solo(lambda: 7) as solo:
        eventually(solo.done)
        assert solo.result() == 7
    # Nor does anybody else queue behind those.
    hanging[0].leave()
    hanging[1].leave()
    assert not any(errand.done() for errand in hanging)
    go.set()
    with Errand(lambda: 8) as errand:
        eventually(errand.done)
    for errand in hanging[2:]:
        eventually(errand.done)
        errand.leave()


def test_errand_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(Errand.LIMIT + 1):
            with pytest.raises(RuntimeError, match="new thread"):
                Errand(time.sleep, 0)
    assert len(os.listdir("/proc/self/fd")) == before
    assert wait_select(errand_gen(lambda: 5)) == 5


def test_program_waits_for_errands_at_its_end(tmp_path: Path) -> None:
    note = tmp_path / "note"
    done = run_script(
        f"""
        import pathlib, time
        from psycopg3.concurrency.threads import Errand

        def work():
            time.sleep(0.3)
            pathlib.Path({str(note)!r}).write_text("done")

        Errand(work).leave()
        """
    )
    assert done.returncode == 0, done.stderr
    assert note.read_text() == "done"


def test_program_does_not_wait_for_ever() -> None:
    start = time.monotonic()
    done = run_script(
        """
        import time
        from psycopg3.concurrency.threads import Errand
        Errand.EXIT_GRACE = 0.3
        for _ in range(40):
            Errand(time.sleep, 50).leave()
        """
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 5


def test_errands_after_a_fork() -> None:
    done = run_script(
        """
        import os, time
        from psycopg3.concurrency.threads import Errand
        from psycopg3.waiting import Wait, wait_select

        def gen(func, *args):
            with Errand(func, *args) as errand:
                while not errand.done():
                    yield errand.fileno(), Wait.R
                return errand.result()

        Errand.LIMIT = 1
        running = Errand(time.sleep, 0.4)
        queued = Errand(time.sleep, 0)
        child = os.fork()
        if child == 0:
            assert wait_select(gen(lambda: 7)) == 7
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert not running.done()
        # The child held the thread's end of the pair: the end is heard all the same.
        child = os.fork()
        if child == 0:
            time.sleep(1.2)
            os._exit(0)
        start = time.monotonic()
        with running:
            def listen():
                while not (yield running.fileno(), Wait.R):
                    pass
            wait_select(listen())
        assert time.monotonic() - start < 1
        os.waitpid(child, 0)
        """
    )
    assert done.returncode == 0, done.stderr


def test_an_errand_of_a_handler_that_strikes_while_another_is_sent_out() -> None:
    """A signal's handler runs in the thread that holds the crew's lock: it must not wait for it."""
    sent: list[Errand[int]] = []

    def send() -> None:
        with Errand._crew._lock:
            sent.append(Errand(int))

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    with sent[0] as errand:
        select.select([errand.fileno()], [], [], 5)
        assert errand.result() == 0
