"""A clock for upper bounds of time, which a busy machine doesn't break."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

TASKS = Path("/proc/self/task")


class OwnClock:
    """Seconds, less those in which threads of this process were to run and the machine had no processor.

    What blocks, waits for an answer or computes counts in full; so an event loop that is kept from its turn
    by a call of ours is late by this clock too. Read it often: between two readings it takes away what all
    threads together have waited, but never goes backwards. Where the system doesn't tell (Linux does, by the
    second number of schedstat), it is `time.monotonic()`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waited: dict[str, int] = {}
        self._now = self._seen = time.monotonic()
        self()

    def __call__(self) -> float:
        """The time now; only differences mean something."""
        with self._lock:
            seen, before = time.monotonic(), self._waited
            self._waited = _waited()
            new = sum(ns - before.get(task, 0) for task, ns in self._waited.items()) / 1e9
            elapsed, self._seen = seen - self._seen, seen
            self._now += max(0.0, elapsed - new)
            return self._now


def _waited() -> dict[str, int]:
    """For each thread the nanoseconds that it was ready to run and didn't run."""
    found = {}
    for task in os.listdir(TASKS) if TASKS.exists() else ():
        with suppress(OSError, IndexError):  # it has ended; a kernel without it
            found[task] = int((TASKS / task / "schedstat").read_text().split()[1])
    return found
