"""Runs what may need a link of the user's connector: goes on with each until it is done."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from ..dialing import tasks
from ..dialing.records import Dial, Link
from ..errors import ConnectionTimeout
from ..generators import until_gen
from ..waiting import TICK, tick_within

if TYPE_CHECKING:
    from ..dialing.records import Dialer
    from ..session.session import Session
    from ..waiting import AsyncWaitFunc, WaitGen

T_co = TypeVar("T_co", covariant=True)


class Steps(Protocol[T_co]):
    """What is done step by step, with links in between: attempts, cancel requests, recoveries."""

    def advance_gen(self, answer: Link | Exception | None) -> WaitGen[Dial | T_co]:
        """Go on until a link is needed, or to the end."""
        ...


class Limit(NamedTuple):
    """When all is to be over, by `time.monotonic()`, and the error if it isn't."""

    deadline: float
    expired: Callable[[], Exception]


async def advance(
    steps: Steps[T_co], wait: AsyncWaitFunc, dialer: Dialer | None, limit: Limit | None = None
) -> T_co:
    """Run steps to their end, having the links dialled that they ask for.

    Args:
        steps: what is to be done.
        wait: a waiter.
        dialer: who makes the links; None if none will be needed.
        limit: the time for all steps together.
    """
    answer: Link | Exception | None = None
    is_kept = False  # whether the last link is the connection's own from here on
    try:
        while isinstance(step := await _step(steps, answer, wait, limit), Dial):
            assert dialer is not None
            _release(answer)
            answer, is_kept = None, step.purpose == "connect"
            answer = await _dialled(dialer, step, wait, limit)
    except BaseException:
        _release(answer)
        raise
    if not is_kept:
        _release(answer)
    return step


async def _step(
    steps: Steps[T_co], answer: Link | Exception | None, wait: AsyncWaitFunc, limit: Limit | None
) -> Dial | T_co:
    gen, interval = steps.advance_gen(answer), TICK
    if limit is not None:
        gen = until_gen(gen, *limit)
        interval = tick_within(limit.deadline - monotonic())
    try:
        return await wait(gen, interval)
    finally:
        # A waiter that is interrupted leaves everything where it is: sockets would stay open for
        # as long as the exception lives. One that runs it elsewhere may still be at it.
        with suppress(ValueError):
            gen.close()


def _release(answer: Link | Exception | None) -> None:
    """End a link that has served."""
    if isinstance(answer, Link):
        answer.close()
        if answer.relay is not None:
            answer.relay.abort()


async def _dialled(
    dialer: Dialer, wish: Dial, wait: AsyncWaitFunc, limit: Limit | None
) -> Link | Exception:
    if limit is not None:
        wish = wish._replace(deadline=min(wish.deadline, limit.deadline))
        if monotonic() >= limit.deadline:
            raise limit.expired()
    try:
        answer = await tasks.dial(dialer, wish, wait)
    except Exception as ex:
        if wish.purpose != "cancel":
            raise
        return ex  # whoever recovers has another exception to raise
    if isinstance(answer, Exception) and limit is not None:
        # An event loop's clock may go off a moment before the deadline.
        waited = isinstance(answer, ConnectionTimeout) and wish.deadline == limit.deadline
        if waited or monotonic() >= limit.deadline:
            raise limit.expired() from (None if waited else answer)
    return answer


def cancel_at_once(cancel: Callable[[], Any]) -> None:
    """Call `cancel`, which needs the connector, where that can be waited for without awaiting."""
    tasks.at_once(cancel)


async def ended(session: Session, seconds: float) -> None:
    """Wait, for so many seconds at most, until the last bytes of a connection are through its relay."""
    if session._route is not None:
        await tasks.rest(session._route.relay, seconds)
