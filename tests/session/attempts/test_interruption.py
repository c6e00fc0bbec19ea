"""Attempts: who interrupts one ends all, and nothing stays open."""

from __future__ import annotations

import os
import random
import signal
import threading
import time

import anyio
import pytest

import psycopg3
from psycopg3 import OperationalError
from psycopg3.session.attempts import Attempts
from tests import listeners
from tests.session.attempts.places import (
    LOCAL,
    descriptors,
    hurried,
    new_since,
    settles,
)


class TestInterruption:
    """Whoever interrupts an attempt ends all of them, and nothing stays open."""

    @pytest.fixture
    def alarm(self):
        """Has an exception raised by a signal handler after 0.2 seconds."""

        def arrange(exception):
            def handler(signum, frame):
                raise exception

            signal.signal(signal.SIGALRM, handler)
            signal.setitimer(signal.ITIMER_REAL, 0.2)

        yield arrange
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    @pytest.fixture(params=["mute", "name"])
    def stuck(self, request, listen, names):
        """Parameters of a connection that gets stuck at its first host, and the second's listener."""
        silent, second = listen(listeners.mute), listen(listeners.primary)
        names.addresses["slow.example"] = "hangs"
        host = LOCAL if request.param == "mute" else "slow.example"
        params = {"host": [host, LOCAL], "port": [silent.port, second.port]}
        return {**params, "sslmode": "disable", "gssencmode": "disable"}, second

    @pytest.mark.parametrize("exception", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
    def test_a_signal(self, stuck, alarm, names, exception):
        params, second = stuck
        before = descriptors()
        alarm(exception)
        begin = time.monotonic()
        with pytest.raises(exception) as caught:
            psycopg3.connect(**params)
        assert time.monotonic() - begin < 1
        assert second.taken == 0
        # While the exception is alive: its traceback must not hold what was open. The thread that
        # hangs, if it was begun with by then, has its end of a pair of sockets.
        assert settles(lambda: new_since(before)() - names.asked["slow.example"], 0), caught

    def test_ctrl_c(self, stuck):
        params, second = stuck
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            psycopg3.connect(**params)
        timer.join()
        assert second.taken == 0

    @pytest.mark.anyio
    async def test_a_cancelled_task(self, stuck, names):
        params, second = stuck
        before = descriptors()
        begin = time.monotonic()
        with anyio.move_on_after(0.2) as scope:
            await psycopg3.connect_async(**params)
        assert scope.cancelled_caught
        assert time.monotonic() - begin < 1
        assert second.taken == 0
        assert settles(lambda: new_since(before)() - names.asked["slow.example"], 0)

    @pytest.mark.anyio
    async def test_the_loop_goes_on(self, stuck, monkeypatch):
        hurried(monkeypatch, 0.6)
        params, second = stuck
        pauses = []

        async def tick():
            while True:
                begin = time.monotonic()
                await anyio.sleep(0.01)
                pauses.append(time.monotonic() - begin)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tick)
            async with await psycopg3.connect_async(**params):
                tasks.cancel_scope.cancel()
        assert second.taken == 1
        assert len(pauses) > 5  # a busy machine gives it less than 60
        assert max(pauses) < 0.2

    def test_in_a_waiter_of_your_own(self, stuck):
        params, _ = stuck

        def wait(gen, interval=0.1):
            next(gen)
            raise ZeroDivisionError

        before = descriptors()
        with pytest.raises(ZeroDivisionError) as caught:
            psycopg3.connect(**params, wait=wait)
        assert settles(new_since(before), int(params["host"][0] != LOCAL)), caught

    def test_look_up_in_a_thread_that_ends_with_the_program(self, names):
        names.addresses["slow.example"] = "hangs"
        gen = Attempts({"host": "slow.example"}).connect_gen()
        next(gen)
        assert settles(lambda: names.asked["slow.example"], 1)
        gen.close()
        (thread,) = names.threads
        assert thread.daemon and thread is not threading.current_thread()

    # An exception raised while a __del__ runs is dropped by Python itself, after telling stderr.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_signals_at_random_points(self, refused):
        """An exception may be raised between any two bytecodes: sockets aren't lost by that."""

        class Bell(BaseException):
            pass

        armed = False

        def handler(signum, frame):
            if armed:
                raise Bell

        params = f"host={LOCAL},{LOCAL} port={refused} user=me"
        took = []
        for _ in range(5):
            begin = time.monotonic()
            with pytest.raises(OperationalError):
                psycopg3.connect(params)
            took.append(time.monotonic() - begin)
        rng = random.Random(0)
        before = descriptors()
        old = signal.signal(signal.SIGALRM, handler)
        heard = 0
        try:
            while heard < 150:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.00005, min(took)))
                try:
                    armed = True
                    psycopg3.connect(params)
                except Bell:
                    heard += 1
                except OperationalError:
                    pass
                armed = False
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)
        # Once in some hundred times it comes into the very freeing of a connection.
        assert new_since(before)() <= heard // 20
