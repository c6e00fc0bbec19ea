"""What libpq is asked to compute is looked at first: against a libpq and a server that are played."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import psycopg3
from psycopg3.pq import ConninfoOption, ConnStatus
from psycopg3.scram import Guard, Step

LIMIT = 1000
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj"


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def request(code: int, body: bytes = b"") -> bytes:
    return message(b"R", struct.pack("!i", code) + body)


def challenge(iterations: object, nonce: str = NONCE) -> bytes:
    return request(11, f"r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i={iterations}".encode())


OK = request(0)
REST = message(b"S", b"server_version\x0016.0\0") + message(b"Z", b"I")
SASL = request(10, b"SCRAM-SHA-256\0\0")
FINAL = request(12, b"v=abc")
MD5 = request(5, b"salt")
NEGOTIATION = message(b"v", struct.pack("!ii", 0, 0))
ERROR = message(b"E", b"SFATAL\0C28P01\0Mno\0\0")


class Libpq:
    """Plays libpq, and the view into what it will read.

    What comes is a list of pieces: packets, or records of TLS. A piece that begins with None comes
    between a look and the read that follows it.
    """

    def __init__(self, *flights: list[bytes], exact: bool = False, races: int = 0) -> None:
        self.flights = list(flights)  # the next is sent when libpq has answered
        self.exact = exact
        self.races = races  # so many pieces come between a look and the read that follows it
        self.status = ConnStatus.AWAITING_RESPONSE
        self.there: list[bytes] = []  # to be read
        self.buffer = b""
        self.asked = False
        self.computed: list[bytes] = []
        self.failed = False
        self.host, self.hostaddr, self.port, self.info = b"db.example", b"", b"5432", []
        self.gss_encrypted, self.ssl_in_use = False, False

    def arrive(self) -> bool:
        """The next piece comes, if there is one."""
        if not self.flights or not self.flights[0]:
            return False
        self.there.append(self.flights[0].pop(0))
        return True

    def peek(self) -> bytes | None:
        if not self.there:
            return None
        return self.there[0] if self.exact else b"".join(self.there)

    def ended(self) -> bool:
        return False

    def poll(self) -> None:
        """PQconnectPoll: read once, and heed all messages that have come as a whole."""
        for _ in range(self.races):
            self.arrive()
        taken = 1 if self.exact else len(self.there)
        self.buffer += b"".join(self.there[:taken])
        del self.there[:taken]
        while self.status == ConnStatus.AWAITING_RESPONSE and not self.failed:
            if len(self.buffer) < 5:
                return
            length = int.from_bytes(self.buffer[1:5])
            if self.buffer[:1] not in (b"R", b"v", b"E") or not 8 <= length <= 2000:
                self.failed = True
                return
            if len(self.buffer) <= length:
                return
            kind, body = self.buffer[:1], self.buffer[5 : length + 1]
            self.buffer = self.buffer[length + 1 :]
            self.heed(kind, body)

    def heed(self, kind: bytes, body: bytes) -> None:
        code = int.from_bytes(body[:4])
        if kind == b"E" or (kind == b"R" and code > 12):
            self.failed = True
        elif kind == b"R" and code == 0:
            self.status = ConnStatus.AUTH_OK
        elif kind == b"R" and code == 11:
            # It goes on only by its own nonce, which nobody knows before, and once.
            if self.asked and NONCE.encode() in body and not self.computed:
                self.computed.append(body.rpartition(b"i=")[2])
            else:
                self.failed = True
        elif kind == b"R":
            self.asked |= code == 10
        if kind == b"R" and self.flights and not self.flights[0]:
            self.flights.pop(0)  # it has answered


class Run:
    """What became of a conversation."""

    def __init__(self, libpq: Libpq) -> None:
        self.libpq = libpq
        self.steps: list[Step] = []
        self.error: str | None = None
        self.computed_at: list[Step] = []
        guard = guarded(libpq)
        while libpq.status == ConnStatus.AWAITING_RESPONSE and not libpq.failed:
            if not libpq.there and not libpq.arrive():
                return  # it waits, until the deadline
            try:
                step = guard.next_step()
            except psycopg3.OperationalError as ex:
                self.error = str(ex)
                return
            self.steps.append(step)
            assert len(self.steps) < 1000
            if step in (Step.POLL, Step.ASIDE):
                before = len(libpq.computed)
                libpq.poll()
                self.computed_at += [step] * (len(libpq.computed) - before)
            elif not libpq.arrive():
                return

    @property
    def connected(self) -> bool:
        return self.libpq.status == ConnStatus.AUTH_OK


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut it up at these places."""
    ends = sorted({place for place in places if 0 < place < len(data)} | {len(data)})
    return [data[a:b] for a, b in zip([0, *ends], ends)]  # noqa: B905


places = st.lists(st.integers(1, 200), max_size=8)


def test_trust_never_leaves_the_thread():
    run = Run(Libpq([OK + REST]))
    assert run.connected
    assert run.steps == [Step.POLL]


def test_password_never_leaves_the_thread():
    run = Run(Libpq([MD5], [OK + REST]))
    assert run.connected
    assert Step.ASIDE not in run.steps


def test_scram_leaves_it_once():
    run = Run(Libpq([SASL], [challenge(LIMIT)], [FINAL + OK + REST]))
    assert run.connected
    assert run.libpq.computed == [b"1000"]
    assert run.steps.count(Step.ASIDE) == 1
    assert run.computed_at == [Step.ASIDE]


@pytest.mark.parametrize("count", [LIMIT + 1, 2**31 - 1, 2**32 + 1, 10**9])
def test_too_many_iterations(count):
    run = Run(Libpq([SASL], [challenge(count)]))
    assert f"asks for {count} iterations" in run.error
    assert "1000 that scram_max_iterations allows" in run.error
    assert run.error.startswith('connection to server at "db.example", port 5432 failed: ')
    assert run.libpq.computed == []


@pytest.mark.parametrize(
    "count",
    ["", " 5", "+5", "-5", "5 ", "0x7fffffff", "1e9", "5\0", "00000000004096", "5_0", "\u0665"],
)
def test_count_that_is_none(count):
    run = Run(Libpq([SASL], [challenge(count)]))
    assert "makes no sense" in run.error
    assert run.libpq.computed == []


@given(places, places, places, st.booleans(), st.integers(0, 2))
def test_an_honest_server_in_pieces(first, second, third, exact, races):
    flights = cut(SASL, first), cut(challenge(LIMIT), second), cut(FINAL + OK + REST, third)
    run = Run(Libpq(*flights, exact=exact, races=races))
    assert run.error is None
    assert run.connected
    assert run.computed_at == [Step.ASIDE]


@given(places, places, st.booleans(), st.sampled_from([b"", NEGOTIATION]))
def test_an_honest_server_with_trust_in_pieces(first, second, exact, before):
    run = Run(Libpq(cut(before + OK + REST, first), exact=exact))
    assert run.error is None
    assert run.connected
    assert Step.ASIDE not in run.steps


@given(places, st.booleans())
def test_an_honest_error_in_pieces(where, exact):
    for flights in ([cut(ERROR, where)], [[MD5], cut(ERROR, where)], [[SASL], cut(ERROR, where)]):
        run = Run(Libpq(*flights, exact=exact))
        assert run.error is None
        assert run.libpq.failed


def guarded(libpq: Libpq) -> Guard:
    guard = Guard(libpq, LIMIT)  # type: ignore[arg-type]
    guard._view = libpq  # type: ignore[assignment]
    return guard


def test_a_message_of_which_a_part_is_missing():
    libpq = Libpq([challenge(LIMIT)[:20]])
    guard = guarded(libpq)
    assert guard.next_step() is Step.WAIT
    libpq.arrive()
    assert [guard.next_step() for _ in range(3)] == [Step.PAUSE] * 3


def test_a_message_of_which_a_part_will_never_come(monkeypatch):
    libpq = Libpq([SASL[:7]])
    libpq.arrive()
    guard = guarded(libpq)
    monkeypatch.setattr(libpq, "ended", lambda: True)
    assert [guard.next_step() for _ in range(2)] == [Step.PAUSE, Step.POLL]


def test_the_end_is_for_libpq_to_find(monkeypatch):
    libpq = Libpq()
    monkeypatch.setattr(libpq, "peek", lambda: b"")
    assert guarded(libpq).next_step() is Step.POLL


def test_without_a_view(monkeypatch):
    monkeypatch.setattr("psycopg3.pq.views.view_of", lambda pgconn: None)
    guard = Guard(Libpq(), LIMIT)  # type: ignore[arg-type]
    assert [guard.next_step() for _ in range(3)] == [Step.POLL, Step.ASIDE, Step.ASIDE]


def test_another_link_begins_anew():
    libpq = Libpq([OK])
    guard = guarded(libpq)
    libpq.arrive()
    assert guard.next_step() is Step.POLL
    libpq.status = ConnStatus.MADE
    assert guard.next_step() is Step.POLL
    libpq.status = ConnStatus.AWAITING_RESPONSE
    guard._view = libpq  # type: ignore[assignment]
    libpq.there, libpq.flights = [SASL], []
    assert guard.next_step() is Step.POLL
    libpq.there = [challenge(LIMIT + 1)]
    with pytest.raises(psycopg3.OperationalError, match="1001 iterations"):
        guard.next_step()


def test_a_failure_of_the_link(monkeypatch):
    def peek():
        raise psycopg3.OperationalError("SSL error: alert")

    libpq = Libpq()
    monkeypatch.setattr(libpq, "peek", peek)
    with pytest.raises(psycopg3.OperationalError, match="failed: SSL error: alert$"):
        guarded(libpq).next_step()


@pytest.mark.parametrize(
    ("host", "hostaddr", "given", "told"),
    [
        ("db.example", "10.0.0.1", "", 'at "db.example" (10.0.0.1), port 5432 failed'),
        ("db.example", "10.0.0.1", "10.0.0.1", 'at "10.0.0.1", port 5432 failed'),
        ("10.0.0.1", "10.0.0.1", "", 'at "10.0.0.1", port 5432 failed'),
        ("/tmp", "", "", 'on socket "/tmp/.s.PGSQL.5432" failed'),
    ],
)
def test_the_place_in_libpq_s_words(host, hostaddr, given, told):
    libpq = Libpq([SASL], [challenge(2**31 - 1)])
    libpq.host, libpq.hostaddr = host.encode(), hostaddr.encode()
    libpq.info = [ConninfoOption(b"hostaddr", None, None, given.encode(), b"", b"", 0)]
    assert f"connection to server {told}: " in Run(libpq).error


# Whatever comes, at whatever time, libpq computes only what was looked at, and only aside.
hostile = st.lists(
    st.sampled_from(
        [SASL, MD5, OK, FINAL, NEGOTIATION, ERROR, challenge(5, "x"), request(7), request(99)]
    )
    | st.binary(max_size=12),
    max_size=3,
).map(b"".join)


@given(hostile, hostile, places, places, st.booleans(), st.integers(0, 3))
def test_a_server_that_means_ill(before, between, first, second, exact, races):
    flights = cut(before + SASL + between, first), cut(challenge(LIMIT + 1), second), [OK]
    run = Run(Libpq(*flights, exact=exact, races=races))
    assert Step.POLL not in run.computed_at
    assert b"1001" not in run.libpq.computed


@given(st.integers(1, 12), st.integers(45, 2000), places, st.integers(0, 2))
@example(4, 69, [7], 1)
@example(4, 82, [7], 1)
def test_a_message_begun_before_its_turn(stuffed, length, second, races):
    """What comes behind the first message, before libpq reads it, is the beginning of the next."""
    salt = "x" * max(0, length - len(challenge(LIMIT + 1)) + 25)
    whole = request(11, f"r={NONCE},s={salt},i={LIMIT + 1}".encode())
    flights = [SASL, whole[:stuffed]], cut(whole[stuffed:], second)
    run = Run(Libpq(*flights, races=races))
    assert run.computed_at == []
    assert not run.connected
