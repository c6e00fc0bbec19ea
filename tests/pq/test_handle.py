"""Handle: freed once, not while a call is under way, not in a forked child."""

from __future__ import annotations

import gc
import os
import threading
from typing import Any, ClassVar

import pytest

from psycopg3.errors import OperationalError, ProgrammingError
from psycopg3.pq.binding import memory
from psycopg3.pq.handle import Handle


class Recorded(Handle):
    """A handle of a number; what is freed is written down."""

    freed: ClassVar[list[Any]] = []
    _release = staticmethod(freed.append)
    _closed_message = "it is closed"


@pytest.fixture(autouse=True)
def freed() -> list[Any]:
    Recorded.freed.clear()
    return Recorded.freed


def test_freed_once(freed: list[Any]) -> None:
    handle = Recorded(7)
    handle._close()
    handle._close()
    del handle
    assert freed == [7]


def test_freed_when_collected(freed: list[Any]) -> None:
    Recorded(7)
    gc.collect()
    assert freed == [7]


def test_calls(freed: list[Any]) -> None:
    handle = Recorded(7)
    assert handle._call(lambda pointer, x: (pointer, x), "x") == (7, "x")
    handle._close()
    with pytest.raises(OperationalError, match="it is closed"):
        handle._call(lambda pointer: pointer)
    with pytest.raises(OperationalError, match="it is closed"):
        handle._open()
    assert handle._ptr == memory.NULL


def test_closed_inside_a_call(freed: list[Any]) -> None:
    handle = Recorded(7)

    def function(pointer: int) -> list[Any]:
        handle._close()
        return list(freed)

    assert handle._call(function) == []
    assert freed == [7]


def test_closed_inside_a_call_that_fails(freed: list[Any]) -> None:
    handle = Recorded(7)

    def function(pointer: int) -> None:
        handle._close()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        handle._call(function)
    assert freed == [7]


def test_one_call_at_a_time(freed: list[Any]) -> None:
    handle = Recorded(7)
    with pytest.raises(ProgrammingError, match="a call is under way already"):
        handle._call(lambda pointer: handle._call(lambda pointer: pointer))
    assert handle._call(lambda pointer: pointer) == 7


def test_an_interruption_waits_for_the_next_call() -> None:
    handle = Recorded(7)
    handle._interruptions.append(KeyboardInterrupt())
    called: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        handle._call(called.append)
    assert called == []
    handle._call(called.append)
    assert called == [7]


def test_closed_by_many_threads(freed: list[Any]) -> None:
    for pointer in range(1000, 1200):
        handle = Recorded(pointer)
        start = threading.Barrier(4)

        def close(handle: Recorded = handle, start: threading.Barrier = start) -> None:
            start.wait()
            handle._close()

        threads = [threading.Thread(target=close) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    # Other tests' handles may be collected meanwhile.
    assert [pointer for pointer in freed if pointer >= 1000] == list(range(1000, 1200))


def test_another_process_forgets(freed: list[Any]) -> None:
    handle = Recorded(7)
    handle._pid = os.getppid()
    handle._close()
    assert freed == []
    assert handle._ptr == memory.NULL
