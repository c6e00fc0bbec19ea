"""Calls that are made in threads: what comes of them, who waits, and what is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest
import trio

from psycopg3 import OperationalError
from psycopg3.concurrency.calls import BlockingCall, CpuCall, ImmediateCall, native
from psycopg3.waiting import call_gen, wait_async, wait_select, wait_trio
from tests.marks import counts_references
from tests.settling import eventually


def run_script(code: str) -> subprocess.CompletedProcess[str]:
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_threads_are_native_where_nobody_patched_them() -> None:
    """tests/test_gevent.py has the other case."""
    assert native(time.sleep) is time.sleep


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
def test_call_under_any_waiter(drive: Any, interval: float | None) -> None:
    def work(a: int, b: int) -> tuple[int, str]:
        time.sleep(0.05)
        return a + b, threading.current_thread().name

    value, name = drive(call_gen(BlockingCall(work, 1, 2)), interval)
    assert value == 3
    assert name != threading.current_thread().name
    with pytest.raises(ZeroDivisionError):
        drive(call_gen(BlockingCall(lambda: 1 / 0)), interval)


def test_call_has_no_result_before_its_end() -> None:
    go = threading.Event()
    with BlockingCall(go.wait, 10) as call:
        assert not call.done()
        with pytest.raises(RuntimeError, match="still running"):
            call.result()
        go.set()
        eventually(call.done)
        assert call.result() is True
        assert call.result() is True
    assert call.fileno() == -1


def test_call_keeps_what_ends_a_thread() -> None:
    def leave() -> None:
        raise SystemExit(3)

    with BlockingCall(leave) as call:
        eventually(call.done)
        with pytest.raises(SystemExit):
            call.result()


@counts_references
def test_call_left_goes_on_to_its_end() -> None:
    go, done = threading.Event(), threading.Event()

    class Thing:
        def work(self) -> None:
            go.wait(10)
            done.set()

    thing = Thing()
    gone = weakref.ref(thing)
    call = BlockingCall(thing.work)
    call.leave()
    call.leave()
    del thing, call
    assert gone() is not None  # the thread works on it
    go.set()
    assert done.wait(5)
    eventually(lambda: gone() is None)


def test_calls_leave_nothing_behind() -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    # Threads of other tests may end meanwhile.
    before = descriptors(), threading.active_count()
    for number in range(200):
        call = BlockingCall(time.sleep, number % 3 / 1000)
        if number % 2:
            eventually(call.done)
        call.leave()
    eventually(lambda: descriptors() <= before[0] and threading.active_count() <= before[1])


@pytest.mark.parametrize("limit", [1, 2])
def test_calls_are_bounded(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BlockingCall, "LIMIT", limit)
    go = threading.Event()
    order: list[int] = []

    def work(name: int) -> int:
        go.wait(10)
        order.append(name)
        return name

    before = threading.active_count()
    calls = [BlockingCall(work, name) for name in range(6)]
    assert threading.active_count() == before + limit
    calls[3].leave()  # in the queue: it never runs
    go.set()
    for name in (0, 1, 2, 4, 5):
        eventually(calls[name].done)
        assert calls[name].result() == name
        calls[name].leave()
    assert (order if limit == 1 else sorted(order)) == [0, 1, 2, 4, 5]
    eventually(lambda: threading.active_count() == before)


def test_cpu_calls_do_not_queue_behind_calls_that_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BlockingCall, "LIMIT", 1)
    go = threading.Event()
    hanging = [BlockingCall(go.wait, 10) for _ in range(3)]
    with CpuCall(lambda: 7) as call:
        eventually(call.done)
        assert call.result() == 7
    assert not any(call.done() for call in hanging)
    go.set()
    for call in hanging:
        call.leave()
    eventually(lambda: "psycopg3-call" not in {thread.name for thread in threading.enumerate()})


def test_immediate_calls_queue_behind_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BlockingCall, "LIMIT", 1)
    go = threading.Event()
    hanging = [
        kind(go.wait, 10)
        for kind in (BlockingCall, BlockingCall, ImmediateCall, ImmediateCall, ImmediateCall)
    ]
    with ImmediateCall(lambda: 7) as call:
        eventually(call.done)
        assert call.result() == 7
    # Nor does anybody else queue behind those.
    hanging[0].leave()
    hanging[1].leave()
    assert not any(call.done() for call in hanging)
    go.set()
    with BlockingCall(lambda: 8) as call:
        eventually(call.done)
    for call in hanging[2:]:
        eventually(call.done)
        call.leave()


def test_call_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for number in range(BlockingCall.LIMIT + 1):
            assert wait_select(call_gen(BlockingCall(lambda number: number, number))) == number
            with pytest.raises(ZeroDivisionError):
                wait_select(call_gen(BlockingCall(lambda: 1 // 0)))

        async def on_a_loop() -> None:
            with pytest.raises(OperationalError, match="new thread; raise the limits"):
                BlockingCall(time.sleep, 0)

        asyncio.run(on_a_loop())
        trio.run(on_a_loop)
    assert len(os.listdir("/proc/self/fd")) == before
    assert wait_select(call_gen(BlockingCall(lambda: 5))) == 5


def test_program_waits_for_calls_at_its_end(tmp_path: Path) -> None:
    note = tmp_path / "note"
    done = run_script(
        f"""
        import pathlib, time
        from psycopg3.concurrency.calls import BlockingCall

        def work():
            time.sleep(0.3)
            pathlib.Path({str(note)!r}).write_text("done")

        BlockingCall(work).leave()
        """
    )
    assert done.returncode == 0, done.stderr
    assert note.read_text() == "done"


def test_program_does_not_wait_for_ever() -> None:
    start = time.monotonic()
    done = run_script(
        """
        import time
        from psycopg3.concurrency.calls import BlockingCall
        BlockingCall.EXIT_GRACE = 0.3
        for _ in range(40):
            BlockingCall(time.sleep, 50).leave()
        """
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 5


def test_calls_after_a_fork() -> None:
    done = run_script(
        """
        import os, time
        from psycopg3.concurrency.calls import BlockingCall
        from psycopg3.waiting import Wait, wait_select

        def gen(func, *args):
            with BlockingCall(func, *args) as call:
                while not call.done():
                    yield call.fileno(), Wait.R
                return call.result()

        BlockingCall.LIMIT = 1
        running = BlockingCall(time.sleep, 0.4)
        queued = BlockingCall(time.sleep, 0)
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


def test_a_call_of_a_handler_that_strikes_while_another_starts() -> None:
    """A signal's handler runs in the thread that holds the lock: it must not wait for it."""
    sent: list[BlockingCall[int]] = []

    def send() -> None:
        with BlockingCall._threads._lock:
            sent.append(BlockingCall(int))

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    with sent[0] as call:
        select.select([call.fileno()], [], [], 5)
        assert call.result() == 0


def test_what_comes_too_late_is_discarded() -> None:
    go, discarded = threading.Event(), list[int]()

    def work() -> int:
        go.wait(10)
        return 7

    early, late = (BlockingCall(work, discard=discarded.append) for _ in range(2))
    late.leave()
    go.set()
    eventually(early.done)
    assert early.result() == 7
    early.leave()
    eventually(lambda: discarded == [7])
    done = BlockingCall(lambda: 8, discard=discarded.append)
    eventually(done.done)
    done.leave()
    done.leave()
    assert discarded == [7, 8]


class Struck(Exception):
    pass


def test_signals_handlers_that_raise_leave_threads_free() -> None:
    """Wherever one strikes: the lock that calls share is free for their threads."""

    def strike(*_: object) -> None:
        raise Struck

    with BlockingCall(pow, 2, 3) as call:
        select.select([call], [], [], 10)
    before = signal.signal(signal.SIGALRM, strike)
    try:
        for _ in range(300):
            end = time.monotonic() + 1
            with contextlib.suppress(Struck):
                signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, 0.001))
                while time.monotonic() < end:
                    call.leave()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    with BlockingCall(threading.current_thread) as last:
        select.select([last], [], [], 10)
        thread = last.result()
    thread.join(10)
    assert not thread.is_alive()
