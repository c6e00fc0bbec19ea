"""Dials in the synchronous world; `tasks` has the same names."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from time import monotonic
from typing import Any

from .. import errors as e
from ..concurrency.threads import Solo
from ..waiting import Wait, WaitFunc, WaitGen, tick_within
from .pumps import ThreadRelay
from .records import LINGER, Dial, Dialer, Link, Relay, discard
from .sockets import (
    EXPECTED,
    FOR_TLS,
    GIVEN,
    OBJECT,
    check_given,
    check_socket,
    link_of,
    refuse,
    wait_connected,
)

__all__ = ["at_once", "dial", "rest"]


def dial(dialer: Dialer, wish: Dial, wait: WaitFunc) -> Link | Exception:
    """Have the connector make a link, and wait for it no longer than the wish allows.

    The connector runs in a thread of its own, which nobody else's hang can keep it from: so a
    deadline ends the wait, and Ctrl-C, wherever it hangs. It has the caller's context variables.
    What it returns too late is closed.

    Returns:
        The link; or why there is none: the connector's OSError, or ConnectionTimeout.

    Raises:
        InterfaceError: it returned something that is no link.
        Exception: whatever else the connector raised.
    """
    try:
        make = _maker(dialer, wish)
    except (e.OperationalError, OSError) as ex:
        return ex
    call = _Call(make)
    gen = _outcome_gen(call, wish)
    try:
        failure = wait(gen, tick_within(wish.deadline - monotonic()))
        if failure is not None:
            return failure
        return _link_of(call.take(), dialer, wish)
    except OSError as ex:
        if call.taken:  # the socket's own error
            return ex
        raise
    finally:
        gen.close()
        call.leave()


def _maker(dialer: Dialer, wish: Dial) -> Callable[[], Any]:
    connector, ssl = dialer.connector, dialer.ssl
    if connector is not None:
        context = copy_context()
        return lambda: context.run(connector, wish.host, wish.port, ssl=ssl)
    sock = dialer.take(wish)
    if ssl is None:
        check_given(sock, False, (OBJECT,), EXPECTED)
        return lambda: sock
    check_given(sock, True, (), FOR_TLS)

    def secure() -> Any:
        try:
            wait_connected(sock, wish.deadline)
            check_socket(sock, GIVEN)
            sock.settimeout(max(0.1, wish.deadline - monotonic()))
            return ssl.wrap_socket(sock, server_hostname=wish.name)
        except BaseException:
            discard(sock)
            raise

    return secure


def _outcome_gen(call: _Call, wish: Dial) -> WaitGen[Exception | None]:
    with Solo(call) as errand:
        while not (yield errand.fileno(), Wait.R):
            if monotonic() >= wish.deadline:
                return wish.overdue()
        try:
            errand.result()
        except OSError as ex:
            return ex
        return None


class _Call:
    """A connector at work, whose caller may leave before it returns."""

    def __init__(self, make: Callable[[], Any]):
        self._make = make
        self._lock = threading.Lock()
        self._left = False
        self._made: Any = None
        self.taken = False

    def __call__(self) -> None:
        made = self._make()
        with self._lock:
            if not self._left:
                self._made = made
                return
        discard(made)

    def take(self) -> Any:
        """What it returned: it is the caller's now."""
        with self._lock:
            made, self._made = self._made, None
            self._left = self.taken = True
        return made

    def leave(self) -> None:
        """Have what it returned closed, be it now or later, unless it was taken."""
        made = self.take()
        if made is not None:
            discard(made)


def _link_of(made: Any, dialer: Dialer, wish: Dial) -> Link:
    link = link_of(made, dialer, wish)
    if link is None:
        discard(made)
        refuse(made, f"{EXPECTED}; on a synchronous connection the connector is a plain function")
    return link


def rest(relay: Relay | None, seconds: float = LINGER) -> None:
    """Wait until a relay has passed on its last bytes, but not for longer than so many seconds."""
    if isinstance(relay, ThreadRelay):
        relay.rest(seconds)


def at_once(func: Callable[[], object]) -> None:
    """Call a function that dials, now. A task must await it instead."""
    func()
