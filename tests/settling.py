"""What becomes true after a while: other threads, tasks or the server are at work."""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio


def eventually(condition: Callable[[], object], seconds: float = 5) -> None:
    """Wait for it in this thread; AssertionError if it doesn't come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not come true within {seconds} s"
        time.sleep(0.005)


async def until(condition: Callable[[], object], seconds: float = 3) -> None:
    """Wait for it in a task; TimeoutError if it doesn't come true."""
    with anyio.fail_after(seconds):
        while not condition():
            await anyio.sleep(0.01)
