"""The filter on what a server offers before it lets a client in."""

from __future__ import annotations

import struct
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from psycopg3.dialing.offers import ScramFilter

OK = b"R" + struct.pack("!ii", 8, 0)


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def sasl(*names: bytes) -> bytes:
    body = struct.pack("!i", 10) + b"".join(name + b"\0" for name in names) + b"\0"
    return message(b"R", body)


def fed(pieces: list[bytes]) -> tuple[bytes, ScramFilter]:
    filter = ScramFilter()
    return b"".join(map(filter.feed, pieces)), filter


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(at % (len(data) + 1) for at in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


PLUS, SCRAM = b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256"


def test_the_one_name_goes():
    assert fed([sasl(PLUS, SCRAM)])[0] == sasl(SCRAM)
    assert fed([sasl(SCRAM, b"OAUTHBEARER")])[0] == sasl(SCRAM, b"OAUTHBEARER")
    assert fed([sasl(PLUS)])[0] == sasl()


@given(st.lists(st.integers(0, 1000)), st.binary())
def test_however_it_is_cut(cuts: list[int], rest: bytes):
    before = message(b"v", b"\0\3\0\0\0\0\0\0") + message(b"N", b"SNOTICE\0\0")
    challenge = message(b"R", struct.pack("!i", 11) + b"r=x,s=y,i=4096")
    given = before + sasl(PLUS, SCRAM) + challenge + OK + sasl(PLUS, SCRAM) + rest
    passed, filter = fed(cut(given, cuts))
    # After the client is in, nothing is looked at any more.
    assert passed == before + sasl(SCRAM) + challenge + OK + sasl(PLUS, SCRAM) + rest
    assert filter.done


@given(st.binary(), st.lists(st.integers(0, 1000)))
def test_what_else_comes_stays_as_it_is(data: bytes, cuts: list[int]):
    data = message(b"E", b"SFATAL\0\0") + data
    assert fed(cut(data, cuts))[0] == data


@given(st.binary(max_size=40), st.lists(st.integers(0, 40)))
def test_nothing_is_made_up(data: bytes, cuts: list[int]):
    passed, _ = fed(cut(data, cuts))
    assert len(passed) <= len(data)


def test_what_is_no_protocol_passes_at_once():
    for data in (b"HTTP/1.1 400 Bad Request\r\n", b"\0" * 5, b"\xff" * 9):
        passed, filter = fed([data])
        assert passed == data and filter.done


def test_an_answer_about_gss_encryption():
    """It is one letter; after a refusal the talk begins, after a consent it can't be read."""
    passed, filter = fed([b"N", sasl(PLUS, SCRAM), OK])
    assert passed == b"N" + sasl(SCRAM) + OK and filter.done
    passed, filter = fed([b"G", sasl(PLUS, SCRAM)])
    assert passed == b"G" + sasl(PLUS, SCRAM) and filter.done
