"""Escaping: text and bytes made safe to be part of a query."""

from __future__ import annotations

from ..errors import DataError, OperationalError
from . import arguments, copies
from .binding import lib, memory
from .pgconn import PGconn
from .records import Buffer


class Escaping:
    """libpq's escaping functions.

    Args:
        conn: the connection that the query will go through: the result depends on its encoding and
            settings. `escape_literal` and `escape_identifier` need one.
    """

    def __init__(self, conn: PGconn | None = None) -> None:
        self.conn = conn

    def escape_literal(self, data: Buffer) -> bytes:
        """A string as an SQL literal, quotes included.

        Raises:
            DataError: it isn't text of the connection's encoding, or there is a NUL byte.
        """
        return self._quoted("escape_literal", lib.PQescapeLiteral, data)

    def escape_identifier(self, data: Buffer) -> bytes:
        """A string as an SQL identifier, quotes included.

        Raises:
            DataError: as `escape_literal`.
        """
        return self._quoted("escape_identifier", lib.PQescapeIdentifier, data)

    def escape_string(self, data: Buffer) -> bytes:
        """A string as the inside of an SQL literal, without the quotes.

        Without a connection libpq uses the settings of the connection made last, or its defaults.

        Raises:
            DataError: as `escape_literal`.
        """
        text = arguments.text(data, "text to escape")
        room = memory.room(2 * len(text) + 1)
        if self.conn is None:
            return memory.copy(room, lib.PQescapeString(room, text, len(text)))
        faulty = memory.cell("int")
        size = self.conn._call(lib.PQescapeStringConn, room, text, len(text), faulty)
        if faulty[0]:
            raise DataError(f"escape_string failed: {self.conn.get_error_message()}")
        return memory.copy(room, size)

    def escape_bytea(self, data: Buffer) -> bytes:
        """Binary data as the inside of an SQL literal of type bytea, without the quotes."""
        plain = arguments.data(data, "bytes to escape")
        given = plain, len(plain), memory.cell("size_t")
        if self.conn is None:
            escaped = lib.PQescapeBytea(*given)
        else:
            escaped = self.conn._call(lib.PQescapeByteaConn, *given)
        return copies.take(copies.allocated(escaped, "the escaped bytes"))

    def unescape_bytea(self, data: Buffer) -> bytes:
        """The binary data that the server's text for a bytea means."""
        size = memory.cell("size_t")
        plain = lib.PQunescapeBytea(arguments.text(data, "escaped bytes"), size)
        return copies.take(copies.allocated(plain, "the bytes"), size[0])

    def _quoted(self, name: str, function: object, data: Buffer) -> bytes:
        text = arguments.text(data, "text to escape")
        if self.conn is None:
            raise OperationalError(f"{name} needs a connection, got none: use Escaping(pgconn)")
        pointer = self.conn._call(function, text, len(text))  # type: ignore[arg-type]
        if not pointer:
            raise DataError(f"{name} failed: {self.conn.get_error_message()}")
        return copies.take(pointer)
