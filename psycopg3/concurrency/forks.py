"""Connections and relays inherited by fork: the child forgets them, the parent goes on using them."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Inherited(Protocol):
    """What a forked child has to let go of."""

    def _forget(self) -> None:
        """Give up what belongs to the parent process, without a word to the server."""


_open: weakref.WeakSet[Inherited] = weakref.WeakSet()


def register(one: Inherited) -> None:
    """Have it forgotten in processes that are forked while it lives."""
    _open.add(one)


def _forget_all() -> None:
    failures = []
    for one in tuple(_open):
        try:
            one._forget()
        except Exception as ex:
            failures.append(ex)
    _open.clear()
    if failures:  # Python tells of it on the standard error; to log may deadlock here
        raise ExceptionGroup("the child could not let go of connections of its parent", failures)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
