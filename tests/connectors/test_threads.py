"""Connectors called in threads: interruptions, forks, the end of a program."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from contextvars import ContextVar

import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.concurrency.calls import BlockingCall
from psycopg3.dialing.adoption import shared_reservation
from psycopg3.pq import version
from psycopg3.session import cancelling, routes
from tests.connectors import tasks, threads
from tests.connectors.checks import PARAMS, ROOT
from tests.marks import may_fork


class TestThreads:
    def test_ctrl_c_while_it_hangs(self):
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        begin = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            psycopg3.connect(**PARAMS, connector_factory=threads.hanging(2))
        assert time.monotonic() - begin < 1
        timer.join()

    def test_those_that_hang_keep_nobody_waiting(self, cluster, opens, monkeypatch):
        """Neither who looks up a name, nor an old libpq's request to cancel."""
        monkeypatch.setattr(BlockingCall, "LIMIT", 2)
        monkeypatch.setattr(routes, "version", lambda: 160000)
        for _ in range(4):
            with pytest.raises(errors.ConnectionTimeout):
                psycopg3.connect(**PARAMS, timeout=0.05, connector_factory=threads.hanging(1.5))
        begin = time.monotonic()
        with psycopg3.connect(
            **PARAMS | {"host": "localhost"}, port=cluster.port, timeout=1
        ) as conn:
            lookups = [BlockingCall(time.sleep, 1.5) for _ in range(3)]
            with pytest.raises(errors.QueryTimeout):
                conn.execute("select pg_sleep(20)", timeout=0.2)
            assert conn.execute("select 1").fetchone() == (1,)
            for lookup in lookups:
                lookup.leave()
        with psycopg3.connect(**PARAMS, connector_factory=threads.connector(opens)) as conn:
            assert conn.execute("select 1").fetchone() == (1,)
        assert time.monotonic() - begin < 1.2

    def test_the_caller_s_context(self, opens):
        variable = ContextVar("variable", default="nothing")
        seen = []

        def open(host, port):
            seen.append(variable.get())
            variable.set("the connector's")
            return opens(host, port)

        variable.set("the caller's")
        with psycopg3.connect(**PARAMS, connector_factory=threads.connector(open)) as conn:
            variable.set("another's")
            conn.cancel_safe()
            assert seen == ["the caller's", "another's"]
            assert variable.get() == "another's"

    def test_a_coroutine_function(self):
        with pytest.raises(psycopg3.InterfaceError, match="plain function"):
            psycopg3.connect(**PARAMS, connector_factory=tasks.returning(None))

    def test_it_sees_the_context_s_ssl(self, opens):
        seen = []

        def connector(host, port, *, ssl):
            seen.append(ssl)
            return opens(host, port)

        psycopg3.connect(**PARAMS, connector_factory=connector).close()
        assert seen == [None]

    @pytest.mark.parametrize("kind", ["socket", "object"])
    def test_cancel_from_a_thread(self, opens, kind):
        with psycopg3.connect(**PARAMS, connector_factory=threads.connector(opens, kind)) as conn:
            timer = threading.Timer(0.2, conn.cancel)
            timer.start()
            with pytest.raises(errors.QueryCanceled):
                conn.execute("select pg_sleep(20)")
            timer.join()
            assert conn.execute("select 1").fetchone() == (1,)

    @pytest.mark.skipif(version() >= 170000, reason="newer ones take another way")
    def test_another_libpq_keeps_its_key_elsewhere(self, opens, monkeypatch):
        with psycopg3.connect(**PARAMS, connector_factory=threads.connector(opens)) as conn:
            monkeypatch.setattr(cancelling, "_KEY_AT", 0)
            with pytest.raises(psycopg3.OperationalError, match="libpq 17 or newer"):
                conn.cancel()
            assert conn.execute("select 1").fetchone() == (1,)

    def test_cancel_from_a_signal_s_handler(self, opens):
        with psycopg3.connect(**PARAMS, connector_factory=threads.connector(opens)) as conn:
            before = signal.signal(signal.SIGALRM, lambda *_: conn.cancel())
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            try:
                with pytest.raises(errors.QueryCanceled):
                    conn.execute("select pg_sleep(20)")
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)
            assert conn.execute("select 1").fetchone() == (1,)

    def test_cancel_of_a_closed_connection(self, opens):
        conn = psycopg3.connect(**PARAMS, connector_factory=threads.connector(opens))
        conn.close()
        conn.cancel()
        conn.cancel_safe()

    @pytest.mark.slow
    def test_many(self, opens):
        def work():
            for _ in range(10):
                with psycopg3.connect(**PARAMS, connector_factory=connector) as conn:
                    pid = conn.execute("select pg_backend_pid()").fetchone()[0]
                    assert pid == conn.info.backend_pid
                    pids.append(pid)

        for kind in ("socket", "subclass"):
            connector = threads.connector(opens, kind)
            pids: list[int] = []
            workers = [threading.Thread(target=work) for _ in range(8)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            assert len(pids) == 80

    @may_fork
    @pytest.mark.parametrize("kind", ["socket", "subclass", "object"])
    def test_a_forked_child_leaves_it_alone(self, opens, kind):
        with psycopg3.connect(**PARAMS, connector_factory=threads.connector(opens, kind)) as conn:
            child = os.fork()
            if not child:
                try:
                    assert conn.closed
                    assert shared_reservation().port != conn._route.reservation.port
                    del conn
                    gc.collect()
                    os._exit(0)
                finally:
                    os._exit(1)
            assert os.waitpid(child, 0)[1] == 0
            assert conn.execute("select 1").fetchone() == (1,)

    @may_fork
    @pytest.mark.parametrize("kind", ["subclass", "object"])
    def test_a_child_that_lives_on_keeps_no_end_open(self, opens, kind):
        conn = psycopg3.connect(**PARAMS, connector_factory=threads.connector(opens, kind))
        with psycopg3.connect(**PARAMS, connector_factory=threads.connector(opens)) as other:
            child = os.fork()
            if not child:
                time.sleep(20)
                os._exit(0)
            try:
                other.execute("select pg_terminate_backend(%s, 5000)", [conn.info.backend_pid])
                begin = time.monotonic()
                with pytest.raises(errors.AdminShutdown):
                    conn.execute("select pg_sleep(10)")
                assert time.monotonic() - begin < 3
                conn.close()
            finally:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)

    @pytest.mark.parametrize("kind", ["subclass", "object"])
    def test_the_end_of_a_program(self, path, kind):
        code = f"""
import socket, psycopg3
from tests.connectors import threads
def opens(host, port):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect({path!r})
    return sock
conn = psycopg3.connect(**{PARAMS!r}, connector_factory=threads.connector(opens, {kind!r}))
print(conn.execute("select 7").fetchone())
"""
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "(7,)\n", "")

    @pytest.mark.parametrize("kind", ["socket", "subclass", "object"])
    def test_under_gevent(self, path, kind):
        pytest.importorskip("gevent")
        code = f"""
from gevent import monkey
monkey.patch_all()
import gevent, socket, time, psycopg3
from tests.connectors import threads
def opens(host, port):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect({path!r})
    return sock
turns = 0
def turn():
    global turns
    while True:
        turns += 1
        gevent.sleep(0.01)
gevent.spawn(turn)
with psycopg3.connect(**{PARAMS!r}, connector_factory=threads.connector(opens, {kind!r})) as conn:
    conn.execute("select pg_sleep(0.3)")
    begin = time.monotonic()
    try:
        conn.execute("select pg_sleep(20)", timeout=0.3)
    except psycopg3.errors.QueryTimeout:
        assert time.monotonic() - begin < 2
        print(conn.execute("select 7").fetchone(), turns > 30)
"""
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30
        )
        assert (done.returncode, done.stdout) == (0, "(7,) True\n"), done.stderr
