"""PGcancel and PGcancelConn: two ways to ask the server to stop the command under way."""

from __future__ import annotations

from ..errors import OperationalError
from .binding import lib, memory
from .enums import ConnStatus, Members, PollingStatus
from .handle import Handle
from .messages import severity_stripped

_CONN_STATUSES = Members(ConnStatus)
_POLLING_STATUSES = Members(PollingStatus)


class PGcancel(Handle):
    """What cancels a connection's command, from any thread. The request isn't encrypted."""

    _release = staticmethod(lib.PQfreeCancel)
    _closed_message = "the cancel object is freed"

    @property
    def pgcancel_ptr(self) -> int | None:
        """The address of libpq's PGcancel, None when freed."""
        return memory.address(self._ptr)

    def free(self) -> None:
        """Free the memory of the object. A second time does nothing."""
        self._close()

    def cancel(self) -> None:
        """Send the request, and wait until the server has it: not until the command has stopped."""
        error = memory.room(256)  # as libpq's manual recommends
        if not self._call(lib.PQcancel, error, len(error)):
            message = (memory.string(error) or b"").decode("utf-8", "replace").strip()
            raise OperationalError(f"sending the cancel request failed: {message}")


class PGcancelConn(Handle):
    """A connection that carries a cancel request, encrypted as the one it cancels. libpq 17."""

    _release = staticmethod(lib.PQcancelFinish)
    _closed_message = "the cancel connection is closed"

    @property
    def pgcancelconn_ptr(self) -> int | None:
        """The address of libpq's PGcancelConn, None when finished."""
        return memory.address(self._ptr)

    def start(self) -> None:
        """Begin to send the request: go on with `poll`."""
        if not self._call(lib.PQcancelStart):
            raise self._failed("starting to cancel failed")

    def blocking(self) -> None:
        """Send the request, and wait until the server has it."""
        if not self._call(lib.PQcancelBlocking):
            raise self._failed("sending the cancel request failed")

    def poll(self) -> PollingStatus:
        """Take the next step; says what to wait for before the one after."""
        return _POLLING_STATUSES[self._call(lib.PQcancelPoll)]

    @property
    def status(self) -> ConnStatus:
        """What the cancel connection is at; BAD when finished."""
        return _CONN_STATUSES[lib.PQcancelStatus(self._ptr)] if self._ptr else ConnStatus.BAD

    @property
    def socket(self) -> int:
        """The file descriptor of the cancel connection. It may change while connecting.

        Raises:
            OperationalError: there is none.
        """
        descriptor = lib.PQcancelSocket(self._open())
        if descriptor < 0:
            raise OperationalError("the cancel connection has no socket: not started, or failed")
        return descriptor

    @property
    def error_message(self) -> bytes:
        """libpq's last message about the cancel connection."""
        return lib.PQcancelErrorMessage(self._open()) or b""

    def get_error_message(self, encoding: str = "utf-8") -> str:
        """The last message as text, without the severity and blanks around it."""
        return severity_stripped(self.error_message, encoding)

    def reset(self) -> None:
        """Make the object ready for another request."""
        self._call(lib.PQcancelReset)

    def finish(self) -> None:
        """Close the cancel connection. A second time does nothing."""
        self._close()

    def _failed(self, what: str) -> OperationalError:
        return OperationalError(f"{what}: {self.get_error_message()}")
