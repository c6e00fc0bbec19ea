"""A connection that could not be made: it is closed for good, and still tells why."""

from __future__ import annotations

from .binding import memory
from .pgconn import PGconn


class FailedPGconn(PGconn):
    """What is left of a connection that libpq could not make, for the exception to hold.

    libpq leaves the socket of a failed attempt open until it is told to finish; the server would
    keep its end for as long as the exception lives. This has no socket any more.

    Args:
        failed: the connection; it is finished.
    """

    _closed_message = "the connection could not be made"

    def __init__(self, failed: PGconn) -> None:
        super().__init__(memory.NULL, failed._conninfo, [])
        self._needs_password = failed.needs_password
        self._used_password = failed.used_password
        self._error_message = failed.error_message
        failed.finish()

    @property
    def needs_password(self) -> bool:
        """Whether the server asked for a password and there was none."""
        return self._needs_password

    @property
    def used_password(self) -> bool:
        """Whether the server asked for a password and got one."""
        return self._used_password

    @property
    def error_message(self) -> bytes:
        """libpq's last message about the connection; `get_error_message` shows no password."""
        return self._error_message
