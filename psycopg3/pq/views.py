"""What a connection has received and libpq not yet read: looked at, and left where it is."""

from __future__ import annotations

import select
import socket
import sys
from contextlib import closing
from functools import cache, partial
from typing import Any

from ..concurrency.calls import refused
from ..errors import OperationalError
from .binding import lib
from .pgconn import PGconn

# More than libpq reads at once, and than it takes for a message while it connects.
_SIZE = 32768

# PyPy has no name for it. Where it is no flag of the system's, POLLHUP tells, unasked.
_POLLRDHUP = getattr(select, "POLLRDHUP", 0x2000 if sys.platform == "linux" else 0)


def view_of(pgconn: PGconn) -> PlainView | TlsView | None:
    """The link of a connection; None where it can't be looked into.

    That is so where GSSAPI encrypts it, or another TLS library than OpenSSL, or one that is not to
    be found by way of libpq.
    """
    if pgconn.gss_encrypted:
        return None
    if not pgconn.ssl_in_use:
        return PlainView(pgconn)
    openssl = _openssl()
    pointer = openssl.PQsslStruct(pgconn.pgconn_ptr, b"OpenSSL") if openssl else None
    return TlsView(openssl, pointer) if pointer else None


class PlainView:
    """A socket that nothing encrypts."""

    exact = False
    """Whether libpq's next read takes what was seen, and no more. Here more may have come."""

    def __init__(self, pgconn: PGconn) -> None:
        self._pgconn = pgconn

    def peek(self) -> bytes | None:
        """What is there to read.

        Returns:
            None when there is nothing yet; b"" when there is an end or an error, which libpq finds
            out when it reads.
        """
        # By a duplicate: a signal's handler that raises here leaves libpq its own. Made in one step of
        # C, since it may raise between any two of Python's, and a descriptor that belongs to no object
        # yet would stay open: it did, in one of 500 signals while connecting.
        make = partial(socket.SocketType, socket.AF_INET, socket.SOCK_STREAM, 0)
        try:
            (sock,) = map(make, map(socket.dup, (self._pgconn.socket,)))
        except OSError as ex:
            raise refused(ex) from ex
        with closing(sock):
            sock.settimeout(0)
            try:
                return sock.recv(_SIZE, socket.MSG_PEEK)
            except BlockingIOError:
                return None
            except OSError:
                return b""

    def ended(self) -> bool:
        """Whether nothing more will come: Linux and macOS tell."""
        if not hasattr(select, "poll"):
            return False
        poller = select.poll()
        poller.register(self._pgconn.socket, _POLLRDHUP)
        return bool(poller.poll(0))


class TlsView:
    """A link that libpq's OpenSSL encrypts. What it has decrypted is what libpq reads next."""

    exact = True

    def __init__(self, openssl: Any, pointer: int) -> None:
        self._openssl = openssl
        self._pointer = pointer

    def peek(self) -> bytes | None:
        """What is there to read: the next record. None for nothing yet, b"" for an end.

        Raises:
            OperationalError: it can't be decrypted, or it is an alert. OpenSSL tells that once.
        """
        from ctypes import create_string_buffer, string_at

        openssl, buffer = self._openssl, create_string_buffer(_SIZE)
        openssl.ERR_clear_error()
        try:
            length = openssl.SSL_peek(self._pointer, buffer, _SIZE)
            if length > 0:
                return string_at(buffer, length)
            error = openssl.SSL_get_error(self._pointer, length)
            if error in (_WANT_READ, _WANT_WRITE):
                return None
            if error == _FAILED and (code := openssl.ERR_get_error()):
                reason = openssl.ERR_reason_error_string(code) or b"code %d" % code
                raise OperationalError(f"SSL error: {reason.decode()}")
            return b""
        finally:
            # The next call of OpenSSL in this thread would report our errors.
            openssl.ERR_clear_error()

    def ended(self) -> bool:
        """Not known."""
        return False


# From openssl/ssl.h.
_FAILED, _WANT_READ, _WANT_WRITE = 1, 2, 3


@cache
def _openssl() -> Any:
    """The functions of the OpenSSL that libpq uses; None where they can't be found.

    They are looked up in libpq's handle, where the system finds also those of the libraries that
    libpq is linked with: never in another OpenSSL, such as the one of Python's `ssl`.
    """
    try:
        import ctypes
        from ctypes import c_char_p, c_int, c_ulong, c_void_p

        # Held by CPython's lock they cost less, and none of them waits.
        openssl = getattr(ctypes, "PyDLL", ctypes.CDLL)(lib.LIBRARY.path)
        openssl.PQsslStruct.argtypes = c_void_p, c_char_p
        openssl.PQsslStruct.restype = c_void_p
        openssl.SSL_peek.argtypes = c_void_p, c_void_p, c_int
        openssl.SSL_get_error.argtypes = c_void_p, c_int
        openssl.ERR_get_error.restype = c_ulong
        openssl.ERR_clear_error.restype = None
        openssl.ERR_reason_error_string.argtypes = (c_ulong,)
        openssl.ERR_reason_error_string.restype = c_char_p
        return openssl
    except (ImportError, OSError, AttributeError):
        return None
