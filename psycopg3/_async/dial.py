"""Drives generators that may need links of the user's connector, each within its deadline."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from ..deadlines import Deadline
from ..dialing import tasks
from ..dialing.records import Dial, Dialer
from ..generators import until_gen
from ..waiting import TICK, AsyncWaitFunc, WaitGen, tick_within

T = TypeVar("T")


async def drive(
    make_gen: Callable[[Dial], WaitGen[T]],
    dialer: Dialer | None,
    wait: AsyncWaitFunc,
    deadline: Deadline | None = None,
) -> T:
    """Run a generator that has links dialled, and return its value.

    Args:
        make_gen: makes it; given what has the connector make a link.
        dialer: who makes the links; None if none will be needed.
        wait: a waiter.
        deadline: when all must be over.
    """
    async with tasks.dialling(dialer) as dial:
        gen, interval = make_gen(dial), TICK
        if deadline is not None:
            gen, interval = until_gen(gen, deadline), tick_within(deadline.left)
        try:
            return await wait(gen, interval)
        finally:
            # A waiter that is interrupted leaves everything where it is: sockets would stay open for
            # as long as the exception lives. One that runs it elsewhere may still be at it.
            with suppress(ValueError):
                gen.close()
