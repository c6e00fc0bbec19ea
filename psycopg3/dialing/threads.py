"""Connectors called in threads, for the synchronous world; `tasks` has the same names."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from functools import partial
from typing import Any

from ..concurrency.calls import Call, ImmediateCall
from .pumps import ThreadRelay
from .records import LINGER, Dial, Dialer, Link, Relay, Target, discard
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

__all__ = ["at_once", "dialling", "rest"]


def dialling(dialer: Dialer | None) -> AbstractContextManager[Dial]:
    """What has the connector make links for one operation: a function of their targets.

    The connector runs in a thread of its own, however many others hang: so a deadline ends the
    wait, and Ctrl-C, wherever it hangs. It has the caller's context variables.
    What it returns too late is closed.
    """
    return nullcontext(partial(_begin, dialer))


def _begin(dialer: Dialer | None, target: Target) -> Call[Link]:
    assert dialer is not None  # libpq's own links need no dialer
    make = _maker(dialer, target)
    return ImmediateCall(lambda: _link_of(make(), dialer, target), discard=Link.close)


def _maker(dialer: Dialer, target: Target) -> Callable[[], Any]:
    connector, ssl = dialer.connector, dialer.ssl
    if connector is not None:
        return partial(copy_context().run, connector, target.host, target.port, ssl=ssl)
    sock = dialer.take(target)
    if ssl is None:
        check_given(sock, False, (OBJECT,), EXPECTED)
        return lambda: sock
    check_given(sock, True, (), FOR_TLS)

    def secure() -> Any:
        try:
            wait_connected(sock, target.deadline.left)
            check_socket(sock, GIVEN)
            sock.settimeout(max(0.1, target.deadline.left))
            return ssl.wrap_socket(sock, server_hostname=target.name)
        except BaseException:
            discard(sock)
            raise

    return secure


def _link_of(made: Any, dialer: Dialer, target: Target) -> Link:
    link = link_of(made, dialer, target)
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
