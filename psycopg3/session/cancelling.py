"""Asking the server to cancel where libpq has no connection for it: a call that blocks, or a packet.

libpq 17 and newer have connections for that, which go where the connection itself went, and are as
encrypted. Older ones have a call that blocks, and connects only to the address they know. Of a
connection that has a connector that is the reserved address: there the driver sends the request by
itself, over a link of the connector's.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

from .. import errors as e
from ..concurrency.calls import ImmediateCall, native
from ..generators import undelivered
from ..pq import PGconn
from ..waiting import Wait, WaitGen, call_gen

_REQUEST = struct.Struct("!iiii")
_REQUEST_CODE = 80877102
_KEY = struct.Struct("ii")
_KEY_AT = 128 + struct.calcsize("P")


def blocking_cancel_gen(pgconn: PGconn) -> WaitGen[None]:
    """Have libpq deliver a request by its call that blocks; in a thread, which goes on if left.

    Raises:
        OperationalError: it could not be delivered.
    """
    deliver = native(pgconn.get_cancel().cancel)
    try:
        call = ImmediateCall(deliver)
    except e.OperationalError:
        deliver()  # no thread or descriptor is to be had, and the query must not go on
        return
    yield from call_gen(call)


def send_gen(sock: socket.socket, packet: bytes) -> WaitGen[None]:
    """Send a request, and wait until the server has closed: it has taken it then."""
    sock.setblocking(False)
    try:
        while packet:
            yield sock.fileno(), Wait.W
            with suppress(BlockingIOError):
                packet = packet[sock.send(packet) :]
    except OSError as ex:
        raise undelivered(ex) from ex
    with suppress(ConnectionError):
        while True:
            yield sock.fileno(), Wait.R
            with suppress(BlockingIOError):
                if not sock.recv(64):
                    return


def request_of(pgconn: PGconn) -> bytes:
    """Return the request to cancel a connection's command that libpq before 17 would send.

    libpq tells the key to nobody, and keeps it in memory: its `struct pg_cancel` holds the server's
    address (a sockaddr_storage and its length), the PID and the key. These releases are finished,
    and the PID, which is known, shows that it is what is meant.

    Raises:
        OperationalError: this libpq's struct is another one.
    """
    import ctypes

    cancel = pgconn.get_cancel()
    held = ctypes.string_at(cancel.pgcancel_ptr or 0, _KEY_AT + _KEY.size)
    pid, key = _KEY.unpack_from(held, _KEY_AT)
    if pid != pgconn.backend_pid:
        raise undelivered("this libpq keeps the key elsewhere; use libpq 17 or newer")
    return _REQUEST.pack(_REQUEST.size, _REQUEST_CODE, pid, key)
