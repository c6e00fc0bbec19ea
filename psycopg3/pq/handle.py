"""A libpq object tied to a Python object: freed once, at the right time, in the right process."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, ClassVar

from ..errors import OperationalError, ProgrammingError
from .binding import memory
from .records import Pointer

NULL: Pointer = memory.NULL


class Handle:
    """Owns a pointer of libpq's that one thread may be waiting on while another closes it.

    Calls that let go of the GIL go through `_call`. Closing makes every later call fail at once;
    the memory is freed when no call is under way any more: by whoever comes last, once. So neither
    another thread nor a notice handler that closes its own connection, inside libpq, frees what
    libpq is using.

    Calls that keep the GIL (see libpq.h) pass `self._ptr` themselves: CPython lets no other thread
    in between reading it and the call. Without a GIL that is no longer so: there, an object that
    one thread closes may not be read by another at the same time.

    A forked child has the pointer too, but may not end the session: it forgets it.
    """

    _release: ClassVar[staticmethod[[Pointer], None]]
    _closed_message: ClassVar[str]

    # Held by the class, since a module may be empty when the interpreter exits.
    _getpid = staticmethod(os.getpid)
    _null: ClassVar[Pointer] = NULL

    def __init__(self, pointer: Pointer, owned: list[Pointer] | None = None) -> None:
        # NULL when closed.
        self._ptr: Pointer = pointer
        # The pointer until it is freed, and a None for each call under way: lists, since appending
        # and popping are atomic with or without a GIL. Whoever made the pointer may have it too, in
        # the same list, and free it if this object comes to nothing.
        self._owned: list[Pointer] = [pointer] if owned is None else owned
        self._calls: list[None] = []
        # Exceptions that may not unwind through libpq: each is raised by a later call.
        self._interruptions: list[BaseException] = []
        self._pid = self._getpid()

    def _open(self) -> Pointer:
        """The pointer, or the error that it is closed."""
        if not self._ptr:
            raise OperationalError(self._closed_message)
        return self._ptr

    def _call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Call a C function that lets go of the GIL, with the pointer before the arguments."""
        calls = self._calls
        if calls:
            self._open()
            raise ProgrammingError(
                "a call is under way already, in another thread, or in this one, which a notice"
                " or a signal interrupted: libpq allows one at a time"
            )
        try:
            # Before the pointer is read: closing sees the call, or the call sees the NULL. Inside
            # the try: a signal may raise right after it.
            calls.append(None)
            pointer = self._ptr
            if pointer is NULL:
                raise OperationalError(self._closed_message)
            if self._interruptions:
                try:
                    raise self._interruptions[0]
                finally:
                    del self._interruptions[0]
            # Without a list of arguments a call costs a tenth less.
            return function(pointer, *arguments) if arguments else function(pointer)
        finally:
            if calls:
                calls.pop()
            if self._ptr is NULL and not calls:
                self._free()

    def _close(self) -> None:
        """Refuse further calls, and free the object, or leave that to the last call under way."""
        self._ptr = self._null
        if not self._calls:
            self._free()

    def _free(self) -> bool:
        """Free the object unless that is done; says whether it was done now."""
        if self._pid != self._getpid():
            self._owned.clear()
        try:
            # One step of C: a signal's handler that raises right after the pop would leave the
            # object to nobody, socket and all.
            next(map(self._release, map(list.pop, (self._owned,))))
        except IndexError:
            return False
        return True

    def __del__(self) -> None:
        # An object whose __init__ didn't get far has nothing to free.
        if "_pid" in self.__dict__:
            self._close()
