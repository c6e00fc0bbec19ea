"""Exceptions of signal handlers at random moments: between any two bytecodes, in generators too."""

from __future__ import annotations

import itertools
import random
import signal
import subprocess
import sys
import time
import types
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.pq import TransactionStatus
from tests.faults import record

PACKAGE = Path(psycopg3.__file__).parent


# Seconds after which a second signal ends what hangs: pytest's own timeout needs the same timer.
HANGS = 15.0


class Bell(BaseException):
    """What the handler raises."""


@contextmanager
def bell(on: dict[str, bool]) -> Iterator[None]:
    """Have SIGALRM raise a Bell, while `on["on"]`."""

    def handler(signum: int, frame: types.FrameType | None) -> None:
        if on["on"]:
            raise Bell

    before = signal.signal(signal.SIGALRM, handler)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception raised while a __del__ runs is dropped by Python itself: leave it at that.

    Not by a function of Python's, which would be struck as well.
    """
    monkeypatch.setattr(sys, "unraisablehook", id)


def struck(ex: BaseException) -> str:
    """The file of the driver that was running when the signal came."""
    tb = ex.__traceback__
    found = "elsewhere"
    while tb is not None:
        path = Path(tb.tb_frame.f_code.co_filename)
        if path.is_relative_to(PACKAGE):
            found = path.relative_to(PACKAGE).as_posix()
        tb = tb.tb_next
    return found


def strike(
    rng: random.Random, longest: float, again: float, work: Callable[[], None]
) -> BaseException | None:
    """Do some work, and have a signal come meanwhile, again and again after that if so wished."""
    on = {"on": True}
    with bell(on):
        try:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.00002, longest), again or HANGS)
            work()
            on["on"] = False
            return None
        except Bell as ex:
            on["on"] = False
            return ex


class Works:
    """What is interrupted, and checks its own answers."""

    def __init__(self, conn: psycopg3.Connection[Any], rng: random.Random):
        self.conn, self.rng = conn, rng
        self.number = 0

    def select(self) -> None:
        """One query, with a parameter."""
        row = self.conn.execute("select %s::int, pg_sleep(0.0003)", [self.number]).fetchone()
        assert row is not None and row[0] == self.number

    def under_a_timeout(self) -> None:
        """One query with a deadline: the lock and the generator are then wrapped."""
        row = self.conn.execute("select %s::int", [self.number], timeout=5).fetchone()
        assert row == (self.number,)

    def overdue(self) -> None:
        """One whose deadline passes; the signal may be the second interruption, which closes."""
        with suppress(errors.QueryTimeout):
            self.conn.execute("select pg_sleep(1)", timeout=0.001)

    def many(self) -> None:
        """A pipeline."""
        cur = self.conn.cursor()
        expected = [(n,) for n in range(self.number, self.number + 10)]
        cur.executemany("select %s::int", expected, returning=True)
        assert [c.fetchone() for c in cur.results()] == expected

    def few(self) -> None:
        """A short pipeline."""
        self.conn.cursor().executemany("select %s::int", [(1,), (2,)])

    def piped(self) -> None:
        """A pipeline that is one transaction: both rows are there, or none."""
        with self.conn.pipeline() as pipeline:
            self.conn.execute("insert into struck values (%s)", [self.number])
            cur = self.conn.execute("select %s::int", [self.number])
            assert cur.fetchone() == (self.number,)
            self.conn.execute("insert into struck values (%s)", [self.number])
            pipeline.sync()
            cur = self.conn.execute("select 1")
        assert cur.fetchone() == (1,)

    def block(self) -> None:
        """A transaction with another inside: both rows are there, or none."""
        with self.conn.transaction():
            self.conn.execute("insert into struck values (%s)", [self.number])
            with self.conn.transaction():
                self.conn.execute("insert into struck values (%s)", [self.number])

    def copy_in(self) -> None:
        """Both rows are there, or none."""
        with self.conn.cursor().copy("copy struck from stdin") as copy:
            copy.write_row([self.number])
            copy.write(f"{self.number}\n")

    def copy_out(self) -> None:
        """All rows, in order."""
        query = "copy (select generate_series(1, 300)) to stdout (format binary)"
        with self.conn.cursor().copy(query) as copy:
            copy.set_types(["int4"])
            assert [n for (n,) in copy.rows()] == list(range(1, 301))

    def left_stream(self) -> None:
        """A stream that is left in the middle, and the next query, which ends it."""
        for _ in self.conn.cursor().stream("select generate_series(1, 30)"):
            break
        assert self.conn.execute("select %s::int", [self.number]).fetchone() == (self.number,)

    def pipeline(self) -> None:
        """A pipeline of the user's."""
        with self.conn.pipeline():
            self.conn.execute("select 1")

    def notifies(self) -> None:
        """Wait for what doesn't come."""
        assert list(self.conn.notifies(timeout=0.001)) == []


def check(conn: psycopg3.Connection[Any]) -> None:
    """The connection is at rest, and its next query has its own answer."""
    assert not conn.closed
    assert not conn.lock.locked()
    assert conn.execute("select 7").fetchone() == (7,)
    assert not conn._exchange.needs_drain
    assert conn.pgconn.transaction_status == TransactionStatus.IDLE


def salvo(dsn: str, count: int, kinds: Sequence[str], longest: float, seed: int) -> Counter[str]:
    """Strike `count` times; count where."""
    rng = random.Random(seed)
    places: Counter[str] = Counter()
    with psycopg3.connect(dsn, autocommit=True) as conn:
        conn.execute("create temp table struck (n int)")
        works = Works(conn, rng)
        deadline = time.monotonic() + 100
        while places.total() < count:
            works.number += 1
            ex = strike(rng, longest, 0, getattr(works, rng.choice(kinds)))
            if ex is not None:
                places[struck(ex)] += 1
            if conn._open_blocks:
                # It struck right between the block and its __exit__, which then never ran. Nobody
                # can end the block; when it is gone, the transaction can be.
                ex = None
                places["a block left open"] += 1
                conn.rollback()
            elif conn.lock.locked() or conn._exchange.blocks:
                # So with a COPY, or a pipeline: it is let go of when its block is gone, with the exception.
                ex = None
                places["a block left open"] += 1
            check(conn)
            assert time.monotonic() < deadline, f"only {places} in time"
        query = "select count(*) from (select from struck group by n having count(*) <> 2) x"
        assert conn.execute(query).fetchone() == (0,)
    return places


ALL = ["select", "under_a_timeout", "many", "piped", "block", "copy_in", "copy_out", "notifies"]


@pytest.mark.parametrize("name", ALL)
def test_signals(dsn: str, name: str) -> None:
    longest = 0.012 if name == "block" else 0.002
    places = salvo(dsn, 40, [name], longest, 1)
    assert places.total() == 40


class Ordinary(Exception):
    """What the handler raises, too."""


class Strike:
    """A profile function that raises once, where a signal's handler may: at the beginning of a
    function of the driver's, or when one of C's has returned to it.

    Args:
        number: which of these places.
        exception: what to raise.
    """

    def __init__(self, number: int, exception: type[BaseException] = Bell):
        self.left, self.place, self.exception = number, "", exception

    def __call__(self, frame: types.FrameType, event: str, arg: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event in ("call", "c_return") and path.is_relative_to(PACKAGE):
            self.left -= 1
            if self.left == 0:
                name = getattr(arg, "__name__", frame.f_code.co_name)
                self.place = f"{path.name}:{frame.f_lineno}, {event} {name}"
                raise self.exception  # after which Python forgets the function


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="signals strike elsewhere")
@pytest.mark.parametrize(
    "name", ["few", "select", "under_a_timeout", "block", "copy_in", "piped", "left_stream"]
)
def test_a_signal_at_each_place(dsn: str, name: str) -> None:
    conn = psycopg3.connect(dsn, autocommit=True, cancel_timeout=5)
    with conn, bell({"on": True}):
        conn.execute("create temp table struck (n int)")
        work = getattr(Works(conn, random.Random(1)), name)
        work()
        for number in itertools.count(1):
            strike = Strike(number)
            signal.setitimer(signal.ITIMER_REAL, HANGS)
            sys.setprofile(strike)
            try:
                work()
            except Bell:
                pass
            finally:
                sys.setprofile(None)
            if not strike.place:
                break
            if name == "left_stream" and conn.closed:
                # Struck where the next operation stops it: a cancel request may be on its way.
                conn = psycopg3.connect(dsn, autocommit=True, cancel_timeout=5)
                work = getattr(Works(conn, random.Random(1)), name)
            assert not (conn.closed or conn.lock.locked()), strike.place
            if strike.place.endswith("call __exit__"):  # it never ran: nothing ends the block
                conn.rollback()
            check(conn)
    assert number > 50


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="signals strike elsewhere")
def test_what_is_written_after_a_pipeline_was_struck(dsn: str) -> None:
    conn, eye = (psycopg3.connect(dsn, autocommit=True) for _ in range(2))
    with conn, eye, bell({"on": True}):
        conn.execute("create table after_a_strike (n int)")
        work = Works(conn, random.Random(1)).pipeline
        work()
        for number in itertools.count(1):
            strike = Strike(number)
            sys.setprofile(strike)
            try:
                work()
            except Bell:
                pass
            finally:
                sys.setprofile(None)
            if not strike.place:
                break
            rows = [(number,), (number,)]
            conn.cursor().executemany("insert into after_a_strike values (%s)", rows)
            cur = eye.execute("select count(*) from after_a_strike where n = %s", [number])
            assert cur.fetchone() == (2,), strike.place
            with conn.pipeline():
                conn.execute("select 1")
        eye.execute("drop table after_a_strike")
    assert number > 50


NOTICES = "do $$ begin for i in 1..{} loop raise notice 'number %', i; end loop; end $$"


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="signals strike elsewhere")
@pytest.mark.parametrize("exception", [Bell, Ordinary])
@pytest.mark.parametrize("has_handler", [False, True])
def test_none_is_lost_among_notices(
    dsn: str, exception: type[BaseException], has_handler: bool
) -> None:
    with psycopg3.connect(dsn, autocommit=True) as conn:
        if has_handler:
            conn.add_notice_handler(id)
        for number in itertools.count(1):
            strike = Strike(number, exception)
            sys.setprofile(strike)
            try:
                conn.execute(NOTICES.format(2))
                raised = False
            except exception:
                raised = True
            finally:
                sys.setprofile(None)
            if not strike.place:
                break
            # An ordinary exception inside of a handler counts as the handler's.
            assert raised or (exception is Ordinary and strike.place.endswith("c_return id"))
            check(conn)
    assert number > 50


@pytest.mark.slow
@pytest.mark.parametrize("exception", [Bell, Ordinary])
def test_none_is_lost_among_many_notices(dsn: str, exception: type[BaseException]) -> None:
    rng = random.Random(7)
    came: list[None] = []

    def handler(signum: int, frame: object) -> None:
        came.append(None)
        raise exception

    before = signal.signal(signal.SIGALRM, handler)
    raised = 0
    try:
        with psycopg3.connect(dsn, autocommit=True) as conn:
            conn.add_notice_handler(id)
            while len(came) < 100:
                try:
                    signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.001, 0.1))
                    conn.execute(NOTICES.format(20_000))
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except exception:
                    raised += 1
                check(conn)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    # The one that is left struck while the handler returned: it counts as the handler's.
    assert raised >= len(came) - (exception is Ordinary)


@pytest.mark.slow
def test_many_signals(dsn: str) -> None:
    places = salvo(dsn, 2500, ALL, 0.003, random.randrange(1 << 30))
    assert places["a block left open"] < 10
    inside = sum(places[f] for f in places if f not in ("waiting.py", "elsewhere"))
    record.write("signals, one each, all kinds of work", places.total(), places=dict(places))
    assert inside > 100


@pytest.mark.parametrize("count", [40, pytest.param(600, marks=pytest.mark.slow)])
def test_repeated_signals(dsn: str, count: int) -> None:
    """They strike the recovery too: the connection is then usable, or closed; never busy."""
    rng = random.Random(count)
    closed = heard = 0
    with psycopg3.connect(dsn, autocommit=True) as conn:
        conn.execute("create table if not exists struck (n int)")
    conn = psycopg3.connect(dsn, autocommit=True)
    try:
        for number in range(count):
            works = Works(conn, rng)
            works.number = number
            kind = rng.choice(["select", "under_a_timeout", "overdue", "many", "piped", "notifies"])
            ex = strike(rng, 0.002, rng.uniform(0.0003, 0.003), getattr(works, kind))
            heard += ex is not None
            ex = None  # with it goes a pipeline() block whose end never ran
            if conn.closed:
                assert conn.pgconn.pgconn_ptr is None
                conn.close()
                closed += 1
                conn = psycopg3.connect(dsn, autocommit=True)
            else:
                check(conn)
    finally:
        conn.close()
    record.write("signals, repeated until the end", heard, closed=closed)
    assert heard > count // 4


@pytest.mark.parametrize("count", [60, pytest.param(600, marks=pytest.mark.slow)])
def test_signals_while_connecting(dsn: str, count: int) -> None:
    """Nothing is left of an attempt: no descriptor, no backend."""
    import gc
    import os

    rng = random.Random(count)
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    heard = 0

    def work() -> None:
        conn = psycopg3.connect(dsn, application_name="struck")
        conn.close()

    for _ in range(count):
        # ResourceWarning: between the making of a connection and the name it is given lies a moment.
        heard += strike(rng, 0.004, 0, work) is not None
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before
    record.write("signals while connecting and closing", heard)
    assert heard > count // 4


@pytest.mark.parametrize("count", [40, pytest.param(400, marks=pytest.mark.slow)])
def test_signals_while_committing(dsn: str, count: int) -> None:
    """What the note says is what the table says."""
    rng = random.Random(count)
    told: Counter[str] = Counter()
    with psycopg3.connect(dsn) as conn, psycopg3.connect(dsn, autocommit=True) as eye:
        for _ in range(count):
            cur = conn.execute("select txid_current()")
            (xid,) = cur.fetchone() or (0,)
            ex = strike(rng, 0.0008, 0, conn.commit)
            assert not conn.closed
            conn.rollback()
            (status,) = eye.execute("select txid_status(%s)", [xid]).fetchone() or ("",)
            notes = " ".join(getattr(ex, "__notes__", []))
            if "was committed" in notes or ex is None:
                assert status == "committed"
            told[f"{status}, {'told' if notes else 'untold'}"] += ex is not None
    record.write("signals during COMMIT", told.total(), outcomes=dict(told))


def test_exit_under_trio(dsn: str) -> None:
    """It ends trio on the spot, which cleans up nothing: a connection that was in use is closed when
    what used it is collected; until then it is at home in another run. It isn't locked for ever.
    """
    program = f"""
import signal, sys, trio, psycopg3

kept = []

async def main():
    conn = await psycopg3.connect_async({dsn!r}, autocommit=True)
    kept.append(conn)
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(3))
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    await conn.execute("select pg_sleep(30)")

async def again():
    [conn] = kept
    try:
        assert await (await conn.execute("select 7")).fetchone() == (7,)
    except psycopg3.OperationalError:
        assert conn.closed
    print(conn.lock.locked())
    await conn.close()

try:
    trio.run(main)
except SystemExit as ex:
    print("exit", ex.code)
trio.run(again)
print(kept[0].closed)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.stdout.splitlines() == ["exit 3", "False", "True"], done.stderr
