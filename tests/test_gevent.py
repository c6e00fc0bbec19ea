"""Where gevent has patched Python, greenlets share the driver as threads do, and nothing blocks them all.

Python can't be unpatched: each of these tests runs in a process of its own, which loads this file after
the patch, and before or after that psycopg3.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

gevent = pytest.importorskip("gevent")

Body = Callable[[str], None]
BODIES: dict[str, Body] = {}

# How a process begins.
STARTS = {
    "patched_first": "from gevent import monkey; monkey.patch_all(); import psycopg3",
    "imported_first": "import psycopg3; from gevent import monkey; monkey.patch_all()",
    "not_patched": "import psycopg3",
}
RUN = "import sys, runpy; runpy.run_path(sys.argv[1])['BODIES'][sys.argv[2]](sys.argv[3])"


def in_process(*starts: str) -> Callable[[Body], Callable[[str, str], None]]:
    """Make a test of a function: a process that began so calls it with a connection string."""

    def make(body: Body) -> Callable[[str, str], None]:
        BODIES[body.__name__] = body

        # The second way is slow only by being one more process.
        first, *others = starts
        slow = [pytest.param(start, marks=pytest.mark.slow) for start in others]

        @pytest.mark.parametrize("start", [first, *slow])
        def test(start: str, dsn: str) -> None:
            done = subprocess.run(
                [sys.executable, "-c", f"{STARTS[start]}; {RUN}", __file__, body.__name__, dsn],
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
                capture_output=True,
                text=True,
                timeout=50,
            )
            assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr

        test.__name__ = test.__qualname__ = body.__name__
        test.__doc__ = body.__doc__
        return test

    return make


def connect(conninfo: str, **kwargs: Any) -> Any:
    import psycopg3

    return psycopg3.connect(conninfo, autocommit=True, **kwargs)


@contextmanager
def others_go_on(at_least: int) -> Iterator[None]:
    """Meanwhile another greenlet gets to run, at least so many times a hundredth of a second."""
    turns = 0

    def turn() -> None:
        nonlocal turns
        while True:
            gevent.sleep(0.01)
            turns += 1

    ticker = gevent.spawn(turn)
    yield
    ticker.kill()
    assert turns >= at_least, turns


def is_running(dsn: str, conn: Any) -> bool:
    """Does the server run a query for this connection?"""
    query = "select state = 'active' from pg_stat_activity where pid = %s"
    with connect(dsn) as observer:
        row = observer.execute(query, [conn.pgconn.backend_pid]).fetchone()
        return bool(row[0])


def socket_to(dsn: str) -> Any:
    """A socket that is connected to the server."""
    import socket

    with connect(dsn) as conn:
        host, port = conn.info.host, conn.info.port
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(f"{host}/.s.PGSQL.{port}")
    return sock


@contextmanager
def proxy(dsn: str, answers: int) -> Iterator[str]:
    """A way to the server on which, after so many connections, nobody answers any more."""
    from gevent.server import StreamServer

    left = answers

    def relay(source: Any, target: Any) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)

    def handle(client: Any, _: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            gevent.sleep(60)
        with socket_to(dsn) as server:
            ends = [gevent.spawn(relay, client, server), gevent.spawn(relay, server, client)]
            gevent.joinall(ends, count=1)

    with StreamServer(("127.0.0.1", 0), handle) as server:
        server.start()
        yield (f"{dsn} host=127.0.0.1 port={server.server_port} sslmode=disable gssencmode=disable")


# ---- waiting ----


@in_process("patched_first")
def test_connections_wait_in_parallel(dsn: str) -> None:
    def sleep() -> None:
        with connect(dsn) as conn:
            conn.execute("select pg_sleep(0.4)")

    begin = time.monotonic()
    gevent.joinall([gevent.spawn(sleep) for _ in range(4)], raise_error=True)
    assert time.monotonic() - begin < 1.2


@in_process("patched_first", "imported_first")
def test_others_go_on_during_a_query(dsn: str) -> None:
    with connect(dsn) as conn, others_go_on(5):
        conn.execute("select pg_sleep(0.3)")


@in_process("patched_first")
def test_others_go_on_while_a_large_query_is_sent(dsn: str) -> None:
    with connect(dsn) as conn, others_go_on(1):
        text = "x" * 30_000_000
        assert conn.execute("select length(%s)", [text]).fetchone() == (len(text),)


@in_process("patched_first")
def test_others_go_on_while_notifications_are_awaited(dsn: str) -> None:
    def notify() -> None:
        with connect(dsn) as conn:
            conn.execute("notify gevent_news, 'here'")

    with connect(dsn) as conn, others_go_on(5):
        conn.execute("listen gevent_news")
        gevent.spawn_later(0.3, notify)
        assert [n.payload for n in conn.notifies(timeout=10, stop_after=1)] == ["here"]


@in_process("patched_first")
def test_others_go_on_while_the_server_is_silent(dsn: str) -> None:
    with proxy(dsn, answers=0) as conninfo, others_go_on(5):
        with gevent.Timeout(0.3, False):
            connect(conninfo)
            raise AssertionError


@in_process("patched_first")
def test_others_go_on_while_a_name_is_looked_up(dsn: str) -> None:
    import socket

    looked_up = []

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> Any:
        looked_up.append(host)
        gevent.sleep(0.3)
        return original("127.0.0.1", *args, **kwargs)

    original, socket.getaddrinfo = socket.getaddrinfo, getaddrinfo
    with proxy(dsn, answers=9) as conninfo, others_go_on(5):
        conninfo = conninfo.replace("host=127.0.0.1", "host=db.example.test")
        with connect(conninfo) as conn:
            assert conn.execute("select 1").fetchone() == (1,)
    assert looked_up == ["db.example.test"]


@in_process("patched_first", "imported_first")
def test_a_real_name_is_found(dsn: str) -> None:
    with proxy(dsn, answers=9) as conninfo:
        with connect(conninfo.replace("host=127.0.0.1", "host=localhost")) as conn:
            assert conn.execute("select 1").fetchone() == (1,)


@in_process("patched_first", "imported_first")
def test_connectors(dsn: str) -> None:
    """What a connector returns may be a socket of gevent's, or need a relay."""
    import socket

    class Subclass(socket.socket):
        pass

    class Channel:
        def __init__(self) -> None:
            sock = socket_to(dsn)
            self.recv, self.sendall, self.close = sock.recv, sock.sendall, sock.close

    def connector_of(make: Callable[[], Any]) -> Any:
        def connector(host: str, port: int, *, ssl: object) -> Any:
            gevent.sleep(0.1)
            return make()

        return connector

    makers = [lambda: socket_to(dsn), lambda: Subclass(fileno=socket_to(dsn).detach()), Channel]
    for make in makers:
        with others_go_on(5), connect(dsn, connector_factory=connector_of(make)) as conn:
            text = "x" * 5_000_000
            assert conn.execute("select %s", [text]).fetchone() == (text,)
            with gevent.Timeout(0.2, False):
                conn.execute("select pg_sleep(30)")
                raise AssertionError
            assert conn.execute("select 1").fetchone() == (1,)


# ---- sharing ----


@in_process("patched_first", "imported_first")
def test_greenlets_share_a_connection(dsn: str) -> None:
    with connect(dsn) as conn:
        answers = []

        def ask(base: int) -> None:
            for number in range(base, base + 20):
                cur = conn.execute("select %s::int from pg_sleep(0.0005)", [number])
                answers.append(cur.fetchone() == (number,))

        with others_go_on(1):
            jobs = [gevent.spawn(ask, 1000 * i) for i in range(20)]
            gevent.joinall(jobs, raise_error=True)
        assert answers == [True] * 400
        assert not conn.lock.locked()


@in_process("patched_first", "imported_first")
def test_the_lock_knows_its_greenlet(dsn: str) -> None:
    with connect(dsn) as conn:
        with conn.lock:
            assert conn.lock.owned()
            assert gevent.spawn(conn.lock.owned).get() is False
            assert gevent.spawn(conn.lock.locked).get() is True
        assert not conn.lock.locked()


@in_process("patched_first", "imported_first")
def test_use_from_its_own_handler_is_refused(dsn: str) -> None:
    import psycopg3

    refused = []

    def handler(_: object) -> None:
        try:
            conn.execute("select 1")
        except psycopg3.ProgrammingError as ex:
            refused.append(str(ex))

    with connect(dsn) as conn:
        conn.add_notice_handler(handler)
        conn.execute("do $$begin raise notice 'hello'; end$$")
    assert len(refused) == 1 and "already in use" in refused[0]


@in_process("patched_first", "imported_first")
def test_deadlines(dsn: str) -> None:
    """They hold in a query, and while another greenlet has the connection."""
    from psycopg3 import errors

    with connect(dsn) as conn, others_go_on(5):
        first = gevent.spawn(lambda: conn.execute("select 7 from pg_sleep(0.3)").fetchone())
        gevent.sleep(0.05)
        for query in ("select 8", "select pg_sleep(30)"):
            try:
                conn.execute(query, timeout=0.15)
            except errors.QueryTimeout:
                pass
            else:
                raise AssertionError
            assert first.dead == (query != "select 8")
            gevent.joinall([first])
        assert first.value == (7,)
        assert conn.execute("select 9").fetchone() == (9,)


@in_process("patched_first", "imported_first")
def test_turns_are_fair(dsn: str) -> None:
    """A greenlet that asks in a loop starves no other: gevent's own lock would let it."""
    with connect(dsn) as conn, gevent.Timeout(10):
        served: list[str] = []

        def ask(name: str) -> None:
            conn.execute("select 1")
            served.append(name)

        def greedy() -> None:
            while served.count("other") < 5:
                ask("greedy")

        loop = gevent.spawn(greedy)
        others = [gevent.spawn(ask, "other") for _ in range(5)]
        gevent.joinall([loop, *others], raise_error=True)
        assert served.count("greedy") <= 10


@in_process("not_patched")
def test_a_connection_made_before_the_patch_serves_one_greenlet_at_a_time(dsn: str) -> None:
    import psycopg3

    with connect(dsn) as conn:
        from gevent import monkey

        monkey.patch_all()
        first = gevent.spawn(lambda: conn.execute("select 7 from pg_sleep(0.2)").fetchone())
        gevent.sleep(0.1)
        try:
            conn.execute("select 8")
        except psycopg3.ProgrammingError:
            pass
        else:
            raise AssertionError
        assert first.get() == (7,)
        assert conn.execute("select 9").fetchone() == (9,)


# ---- interruptions ----


@in_process("patched_first")
def test_timeout_in_a_query(dsn: str) -> None:
    with connect(dsn) as conn:
        begin = time.monotonic()
        with gevent.Timeout(0.2, False), others_go_on(0):
            conn.execute("select pg_sleep(30)")
            raise AssertionError
        assert 0.2 <= time.monotonic() - begin < 2
        assert not is_running(dsn, conn)
        assert conn.execute("select 1").fetchone() == (1,)


@in_process("patched_first")
def test_timeout_in_a_transaction(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute("create temp table t (n int)")
        with gevent.Timeout(0.2, False):
            with conn.transaction():
                conn.execute("insert into t values (1)")
                conn.execute("select pg_sleep(30)")
        assert not conn.in_transaction
        assert conn.execute("select count(*) from t").fetchone() == (0,)


@in_process("patched_first", "imported_first")
def test_killed_in_a_query(dsn: str) -> None:
    with connect(dsn) as conn:
        job = gevent.spawn(conn.execute, "select pg_sleep(30)")
        gevent.sleep(0.2)
        assert is_running(dsn, conn)
        begin = time.monotonic()
        job.kill()
        assert time.monotonic() - begin < 2
        assert isinstance(job.value, gevent.GreenletExit)
        assert not conn.lock.locked()
        assert not is_running(dsn, conn)
        assert conn.execute("select 1").fetchone() == (1,)


@in_process("patched_first", "imported_first")
def test_killed_while_waiting_for_its_turn(dsn: str) -> None:
    with connect(dsn) as conn:
        first = gevent.spawn(lambda: conn.execute("select 7 from pg_sleep(0.4)").fetchone())
        gevent.sleep(0.1)
        second = gevent.spawn(conn.execute, "select 8")
        third = gevent.spawn(lambda: conn.execute("select 9").fetchone())
        gevent.sleep(0.1)
        second.kill()
        assert not first.dead
        assert first.get() == (7,)
        assert third.get() == (9,)
        assert not conn.lock.locked()


@in_process("patched_first", "imported_first")
def test_killed_at_any_point(dsn: str) -> None:
    """Every query still gets its own answer, and the lock is free."""
    import random

    rng = random.Random(0)
    killed = 0
    with connect(dsn) as conn:

        def ask(number: int) -> None:
            row = conn.execute("select %s::int from pg_sleep(0.001)", [number]).fetchone()
            assert row == (number,), row

        for number in range(100):
            jobs = [gevent.spawn(ask, 3 * number + i) for i in range(3)]
            gevent.sleep(rng.uniform(0, 0.004))
            victim = rng.choice(jobs)
            victim.kill()
            gevent.joinall(jobs, raise_error=True)
            killed += isinstance(victim.value, gevent.GreenletExit)
            assert not conn.lock.locked()
            assert not conn.closed
        assert conn.execute("select 1").fetchone() == (1,)
    assert killed > 10, killed


@in_process("patched_first", "imported_first")
def test_ctrl_c(dsn: str) -> None:
    import signal

    bell = f"import os, time; time.sleep(0.3); os.kill({os.getpid()}, {int(signal.SIGINT)})"
    with connect(dsn) as conn, subprocess.Popen([sys.executable, "-c", bell]):
        try:
            conn.execute("select pg_sleep(30)")
        except KeyboardInterrupt:
            pass
        else:
            raise AssertionError
        assert not is_running(dsn, conn)
        assert conn.execute("select 1").fetchone() == (1,)


@in_process("patched_first")
def test_cancelled_by_another(dsn: str) -> None:
    from psycopg3 import errors

    with connect(dsn) as conn:
        gevent.spawn_later(0.2, conn.cancel)
        try:
            conn.execute("select pg_sleep(30)")
        except errors.QueryCanceled:
            pass
        else:
            raise AssertionError
        assert conn.execute("select 1").fetchone() == (1,)


@in_process("patched_first")
def test_closed_by_another(dsn: str) -> None:
    import psycopg3

    with connect(dsn) as conn:
        gevent.spawn_later(0.2, conn.close)
        begin = time.monotonic()
        try:
            conn.execute("select pg_sleep(30)")
        except psycopg3.OperationalError as ex:
            assert "closed" in str(ex)
        else:
            raise AssertionError
        assert time.monotonic() - begin < 2
        assert conn.closed and not conn.broken


@in_process("patched_first")
def test_others_go_on_while_nobody_hears_a_cancel(dsn: str) -> None:
    """libpq before 17 cancels by a call that blocks, here without end."""
    with proxy(dsn, answers=1) as conninfo, connect(conninfo) as conn:
        query = gevent.spawn(lambda: conn.execute("select 7 from pg_sleep(0.6)").fetchone())
        gevent.sleep(0.1)
        with others_go_on(5):
            with gevent.Timeout(0.3, False):
                conn.cancel()
                raise AssertionError
        assert query.get() == (7,)


@pytest.mark.slow
@in_process("patched_first")
def test_a_query_that_cannot_be_cancelled_ends_its_connection(dsn: str) -> None:
    with proxy(dsn, answers=1) as conninfo, connect(conninfo) as conn:
        begin = time.monotonic()
        with others_go_on(20), gevent.Timeout(0.2, False):
            conn.execute("select pg_sleep(30)")
            raise AssertionError
        assert time.monotonic() - begin < 5
        assert conn.broken


# ---- blocking calls ----


@in_process("patched_first", "imported_first")
def test_blocking_calls_run_as_greenlets(dsn: str) -> None:
    from psycopg3.concurrency.calls import BlockingCall
    from psycopg3.waiting import call_gen, wait_select

    ran = []

    def work(number: int) -> int:
        gevent.sleep(0.1)
        ran.append(number)
        return number

    with others_go_on(2):
        assert wait_select(call_gen(BlockingCall(work, -1))) == -1
    # More than run at once; those who leave before their turn are never run.
    calls = [BlockingCall(work, number) for number in range(BlockingCall.LIMIT + 8)]
    for left in calls[-4:]:
        left.leave()
    while not all(call.done() for call in calls[:-4]):
        gevent.sleep(0.01)
    assert [call.result() for call in calls[:-4]] == list(range(BlockingCall.LIMIT + 4))
    assert len(ran) == 1 + BlockingCall.LIMIT + 4
    for done in calls:
        done.leave()


@in_process("patched_first", "imported_first")
def test_what_blocks_in_c_runs_in_a_native_thread(dsn: str) -> None:
    from gevent import monkey

    from psycopg3.concurrency.calls import BlockingCall, native
    from psycopg3.waiting import call_gen, wait_select

    block = monkey.get_original("time", "sleep")
    threads = count_threads()
    with others_go_on(5):
        wait_select(call_gen(BlockingCall(native(lambda: block(0.2)))))
        assert native(lambda: 7)() == 7
        with gevent.Timeout(0.1, False):
            native(lambda: block(0.3))()
            raise AssertionError
    try:
        native(lambda: 1 // 0)()
    except ZeroDivisionError:
        pass
    else:
        raise AssertionError
    # None of the threads stays, not even that which nobody waited for.
    gevent.sleep(0.5)
    assert count_threads() <= threads + 1  # gevent's own, which looks after the others


def count_threads() -> int:
    return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0


@pytest.mark.slow
@in_process("patched_first")
def test_the_end_of_the_program_does_not_wait_for_long(dsn: str) -> None:
    """If it did, the process would be killed."""
    from gevent import monkey

    from psycopg3.concurrency.calls import BlockingCall, native

    block = monkey.get_original("time", "sleep")
    BlockingCall(native(lambda: block(100)))
    gevent.sleep(0.05)
