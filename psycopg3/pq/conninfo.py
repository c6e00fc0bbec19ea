"""Conninfo: libpq's parser of connection strings, and its defaults."""

from __future__ import annotations

from ..errors import OperationalError
from . import arguments, copies
from .binding import lib, memory
from .messages import redact
from .records import Buffer, ConninfoOption


class Conninfo:
    """Connection strings as libpq reads them."""

    @classmethod
    def get_defaults(cls) -> list[ConninfoOption]:
        """Every option, with the value it has when a connection string doesn't mention it."""
        return copies.options(copies.allocated(lib.PQconndefaults(), "the default options"))

    @classmethod
    def parse(cls, conninfo: Buffer) -> list[ConninfoOption]:
        """Every option, with the value that the connection string gives it, or None.

        Raises:
            OperationalError: libpq doesn't understand it. The message shows no password.
            ProgrammingError: there is a NUL byte in it.
        """
        checked = arguments.conninfo(conninfo)
        reason = memory.cell("char *")
        pointer = lib.PQconninfoParse(checked, reason)
        if pointer:
            return copies.options(pointer)
        message = copies.take(copies.allocated(reason[0], "the options"))
        raise OperationalError(redact(message.decode("utf-8", "replace").strip(), checked))
