"""The synchronous world: a lock that knows its thread, and calls that block elsewhere."""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from psycopg3.concurrency import tasks, threads
from psycopg3.concurrency.threads import Lock
from psycopg3.deadlines import Deadline
from psycopg3.errors import ProgrammingError

T = Any


def in_thread(func: Callable[[], T]) -> T:
    """The value of a call made in another thread."""
    box: list[T] = []
    thread = threading.Thread(target=lambda: box.append(func()))
    thread.start()
    thread.join()
    return box[0]


# ---- the same names ----


def test_same_names() -> None:
    ours = (tasks.__name__, threads.__name__)
    names = {
        name
        for name, thing in vars(tasks).items()
        if getattr(thing, "__module__", "") in ours and not name.startswith("_")
    }
    assert {"Library", "Lock", "assign", "awaited", "current", "patience"} <= names
    for name in names - {"T"}:
        assert getattr(tasks, name).__doc__
        assert getattr(threads, name).__doc__


def test_current() -> None:
    library = threads.current()
    assert library is threads.current()
    assert library.name == "threads"
    assert library.Lock is Lock
    assert library.shield(pow, 2, exp=3) == 8


def test_shield_calls() -> None:
    assert threads.current().shield(int, "11", base=2) == 3
    with pytest.raises(ZeroDivisionError):
        threads.current().shield(divmod, 1, 0)


def test_assign_sets() -> None:
    got: list[int] = []
    threads.assign(got.append, 5)
    assert got == [5]


def test_settled() -> None:
    async def callback() -> int:
        return 5

    made: Any = callback()
    assert threads.awaited(5) == 5
    with pytest.raises(ProgrammingError, match="AsyncConnection"):
        threads.awaited(made)


def test_settled_too_late() -> None:
    assert threads.awaited(5, Deadline.after(10, ZeroDivisionError)) == 5
    with pytest.raises(ZeroDivisionError):
        threads.awaited(5, Deadline.after(-0.001, ZeroDivisionError))


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
