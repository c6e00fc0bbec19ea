"""The two sides of a relay on asyncio: what comes, comes whole, once and in its order."""

from __future__ import annotations

import asyncio
import socket
import struct
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from psycopg3.concurrency import tasks
from psycopg3.deadlines import Deadline
from psycopg3.dialing.records import Target
from psycopg3.dialing.relays import relayed as relay
from psycopg3.dialing.transports import TransportStream


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


OFFER = message(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")
FILTERED = message(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0")
REST = message(b"R", struct.pack("!i", 0)) + message(b"S", b"a\0b\0") + b"Z\0\0\0\5I"
WHOLE = message(b"v", b"\0\3\0\0\0\0\0\0") + OFFER + REST
PASSED = message(b"v", b"\0\3\0\0\0\0\0\0") + FILTERED + REST


async def relayed(pieces: list[bytes], early: int) -> bytes:
    """What libpq gets of these pieces, of which so many come before there is a side for it."""
    loop, far = asyncio.get_running_loop(), TransportStream()
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    ours.setblocking(False)
    await loop.create_connection(lambda: far, sock=ours)
    for piece in pieces[:early]:
        far.data_received(piece)
    target = Target("", 0, Deadline.after(10, TimeoutError), in_clear=True)
    link = await relay(far, None, False, target, tasks.current())
    for piece in pieces[early:]:
        far.data_received(piece)
        await asyncio.sleep(0)
    theirs.close()
    got = b""
    with link.socket as libpq:
        libpq.setblocking(False)
        while piece := await loop.sock_recv(libpq, 65536):
            got += piece
    while not link.relay.finished:
        await asyncio.sleep(0)
    return got


@given(st.lists(st.integers(0, len(WHOLE)), max_size=8), st.integers(0, 10))
def test_bytes_that_come_before_the_other_side(cuts: list[int], early: int) -> None:
    places = sorted({0, len(WHOLE), *cuts})
    pieces = [WHOLE[a:b] for a, b in pairwise(places)]
    assert asyncio.run(relayed(pieces, early)) == PASSED
