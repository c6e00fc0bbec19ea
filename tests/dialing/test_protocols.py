"""The two sides of a relay on asyncio: what comes, comes whole, once and in its order."""

from __future__ import annotations

import asyncio
import socket
import struct
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from psycopg3.dialing.offers import ScramFilter
from psycopg3.dialing.protocols import TransportRelay


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


OFFER = message(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")
FILTERED = message(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0")
REST = message(b"R", struct.pack("!i", 0)) + message(b"S", b"a\0b\0") + b"Z\0\0\0\5I"
WHOLE = message(b"v", b"\0\3\0\0\0\0\0\0") + OFFER + REST
PASSED = message(b"v", b"\0\3\0\0\0\0\0\0") + FILTERED + REST


async def relayed(pieces: list[bytes], early: int) -> bytes:
    """What libpq gets of these pieces, of which so many come before there is a side for it."""
    loop = asyncio.get_running_loop()
    relay = TransportRelay(loop)
    libpq, ours = socket.socketpair()
    with libpq:
        libpq.setblocking(False)
        for piece in pieces[:early]:
            relay.data_received(piece)
        relay.relay(ours, ScramFilter())
        for piece in pieces[early:]:
            relay.data_received(piece)
        relay.connection_lost(None)
        got = b""
        while piece := await loop.sock_recv(libpq, 65536):
            got += piece
    await asyncio.sleep(0)
    return got


@given(st.lists(st.integers(0, len(WHOLE)), max_size=8), st.integers(0, 10))
def test_bytes_that_come_before_the_other_side(cuts: list[int], early: int) -> None:
    places = sorted({0, len(WHOLE), *cuts})
    pieces = [WHOLE[a:b] for a, b in pairwise(places)]
    assert asyncio.run(relayed(pieces, early)) == PASSED
