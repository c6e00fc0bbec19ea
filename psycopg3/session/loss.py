"""Loss: that the server left, when, and why: its own words become the next error."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from .. import errors as e
from ..encodings import words_encoding
from ..generators import unread_error
from ..pq import PGconn, PGresult, TransactionStatus


class Loss:
    """How a session ended that nobody closed, as far as it is known.

    A FATAL or PANIC is the server's reason. It comes as the answer to a command, or, if none is under
    way, as a notice; libpq may hold it unread, too.
    """

    __slots__ = ("has_happened", "is_told", "reason", "while_in")

    def __init__(self) -> None:
        self.has_happened = False
        """Whether the server has left, and that was not our wish."""
        self.reason: Callable[[], e.Error] | None = None
        """Makes an error of what the server said; None if it has said nothing."""
        self.while_in: TransactionStatus | None = None
        """The transaction status in which it was noticed, if nothing was under way then."""
        self.is_told = False
        """Whether an operation has raised it."""

    def keep(self, result: PGresult, pgconn: PGconn) -> bool:
        """Keep an error of the server's as the reason, if it is one that ends sessions."""
        if not e.ends_session(result):
            return False
        fields = {code: result.error_field(code) for code in e.FIELD_CODES}
        self.reason = partial(e.error_from_fields, fields, words_encoding(pgconn))
        return True

    def find_reason(self, pgconn: PGconn, answered: PGresult | None) -> None:
        """Look for the reason in what the server has sent.

        Args:
            pgconn: where it may lie unread.
            answered: the answer to a command that ended the session, if there was one.
        """
        if self.reason is None and answered is not None:
            self.keep(answered, pgconn)
        if self.reason is None:
            with suppress(e.OperationalError):  # it was freed, and libpq has forgotten all
                # An ordinary error may come before; one without a SQLSTATE is of libpq's own.
                while (result := unread_error(pgconn)) is not None:
                    if self.keep(result, pgconn) or not result.error_field(e.SQLSTATE_FIELD):
                        break


def cut(session: Any) -> None:
    """End a session's link without freeing it: whoever waits on it wakes and finds it closed."""
    import socket

    try:
        fd = session.pgconn.socket
        # The family is of no matter here.
        with socket.fromfd(fd, socket.AF_INET, socket.SOCK_STREAM) as link:
            # Another thread may have freed the connection since, and the number be reused:
            # if it is still ours now, it was when it was duplicated.
            if session.pgconn.socket == fd:
                link.shutdown(socket.SHUT_RDWR)
    except (OSError, e.OperationalError):
        pass  # it has ended by itself
