"""A forked child leaves the connections of its parent alone, however it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

ROOT = Path(__file__).resolve().parent.parent

# Each program forks and has the child do something; then the parent must still be able to work.
HEAD = """
import gc, os, signal, socket, sys, warnings
import psycopg3

dsn = sys.argv[1]
signal.alarm(30)


def is_told(*uses):
    for use in uses:
        try:
            use()
        except psycopg3.OperationalError as ex:
            assert "belongs to the parent process" in str(ex), ex
        else:
            raise AssertionError(use)


def wait_for(child):
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, f"the child ended with {status}"
"""


def run(dsn, program):
    """Run a program; whatever it writes to the standard error, warnings included, is a failure."""
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", HEAD + textwrap.dedent(program), dsn],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout.split()


def test_the_child_exits(dsn):
    run(
        dsn,
        """
        conn = psycopg3.connect(dsn)
        conn.execute("create temp table t as select 7 as n")
        if not (child := os.fork()):
            sys.exit()
        wait_for(child)
        assert conn.execute("select n from t").fetchone() == (7,)
        conn.close()
        """,
    )


def test_the_child_collects_the_connection(dsn):
    run(
        dsn,
        """
        conn = psycopg3.connect(dsn)
        conn.execute("create temp table t as select 7 as n")
        if not (child := os.fork()):
            del conn
            gc.collect()
            os._exit(0)
        wait_for(child)
        assert conn.execute("select n from t").fetchone() == (7,)
        conn.close()
        """,
    )


@pytest.mark.parametrize("how", ["close", "terminate", "_give_up", "_cut", "cancel"])
def test_the_child_closes(dsn, how):
    out = run(
        dsn,
        f"""
        conn = psycopg3.connect(dsn)
        conn.add_close_handler(lambda conn: print("told"))
        conn.execute("create temp table t as select 7 as n")
        if not (child := os.fork()):
            conn.{how}()
            sys.stdout.flush()
            os._exit(0)
        wait_for(child)
        assert conn.execute("select n from t").fetchone() == (7,)
        conn.close()
        """,
    )
    assert out == ["told"]  # by the parent


def test_the_child_leaves_the_blocks(dsn):
    run(
        dsn,
        """
        with psycopg3.connect(dsn) as conn:
            with conn.transaction(), conn.cursor() as cur:
                cur.execute("create temp table t as select 7 as n")
                if not (child := os.fork()):
                    sys.exit(0)
                wait_for(child)
                assert conn.in_transaction
                assert cur.execute("select n from t").fetchone() == (7,)
        """,
    )


def test_the_child_is_told(dsn):
    run(
        dsn,
        """
        conn = psycopg3.connect(dsn)
        cur = conn.execute("select 1")
        if not (child := os.fork()):
            assert conn.closed and not conn.broken
            is_told(lambda: conn.execute("select 1"), conn.commit, conn.cursor, conn.fileno,
                    lambda: cur.execute("select 1"), cur.fetchone)
            repr(conn)
            with psycopg3.connect(dsn) as own:
                assert own.execute("select 2").fetchone() == (2,)
            os._exit(0)
        wait_for(child)
        assert cur.fetchone() == (1,)
        conn.commit()
        conn.close()
        """,
    )


def test_the_child_keeps_no_descriptor(dsn):
    """Else the server would not notice the end of a parent that is killed."""
    run(
        dsn,
        """
        conn = psycopg3.connect(dsn)
        fd = conn.fileno()
        if not (child := os.fork()):
            try:
                os.fstat(fd)
            except OSError:
                os._exit(0)
            os._exit(1)
        wait_for(child)
        conn.close()
        """,
    )


def test_forked_in_a_thread_while_another_waits(dsn):
    run(
        dsn,
        """
        import threading, time

        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads, the point here
        conn = psycopg3.connect(dsn, autocommit=True)
        answers = []
        thread = threading.Thread(
            target=lambda: answers.append(conn.execute("select 7 from pg_sleep(1)").fetchone())
        )
        thread.start()
        time.sleep(0.3)
        if not (child := os.fork()):
            conn.close()
            del conn
            gc.collect()
            os._exit(0)
        wait_for(child)
        thread.join()
        assert answers == [(7,)]
        assert conn.execute("select 8").fetchone() == (8,)
        conn.close()
        """,
    )


def test_forked_while_another_thread_has_its_turn(dsn):
    """The lock that the child inherits is one that nobody there will release."""
    run(
        dsn,
        """
        import threading, time

        warnings.simplefilter("ignore", DeprecationWarning)
        conn = psycopg3.connect(dsn, autocommit=True)
        cur = conn.cursor()
        thread = threading.Thread(target=conn.execute, args=["select pg_sleep(1)"])
        thread.start()
        time.sleep(0.3)
        if not (child := os.fork()):
            signal.alarm(5)
            is_told(lambda: conn.execute("select 1"), conn.commit, conn.rollback, conn.reset,
                    lambda: cur.execute("select 1"), lambda: conn.listen("ears", print),
                    lambda: conn.set_autocommit(False), lambda: list(conn.notifies(timeout=0)),
                    lambda: conn.transaction().__enter__())
            os._exit(0)
        wait_for(child)
        thread.join()
        conn.close()
        """,
    )


def test_the_child_has_an_event_loop_of_its_own(dsn):
    run(
        dsn,
        """
        import asyncio

        async def main():
            return await psycopg3.connect_async(dsn)

        conn = asyncio.run(main())
        if not (child := os.fork()):
            is_told(lambda: asyncio.run(conn.commit()))
            os._exit(0)
        wait_for(child)
        asyncio.run(conn.close())
        """,
    )


def test_multiprocessing(dsn):
    out = run(
        dsn,
        """
        import multiprocessing

        def work(number):
            with psycopg3.connect(dsn) as conn:
                return conn.execute("select %s::int", [number]).fetchone()[0]

        with psycopg3.connect(dsn) as conn:
            conn.execute("create temp table t as select 7 as n")
            with multiprocessing.get_context("fork").Pool(2) as pool:
                print(*pool.map(work, range(4)))
            assert conn.execute("select n from t").fetchone() == (7,)
        """,
    )
    assert out == ["0", "1", "2", "3"]


ASYNC = """
async def main():
    conn = await psycopg3.connect_async(dsn, autocommit=True)
    heard = []
    await conn.listen("forked", heard.append)
    await conn.execute("create temp table t as select 7 as n")
    if not (child := os.fork()):
        {child}
        gc.collect()
        os._exit(0)
    wait_for(child)
    assert await (await conn.execute("select n from t")).fetchone() == (7,)
    # The loop still hears the connection, also while nothing is under way.
    async with await psycopg3.connect_async(dsn, autocommit=True) as other:
        await other.execute("notify forked")
    for _ in range(100):
        await sleep(0.05)
        if {asks}:
            await conn.execute("select 1")
        if heard:
            break
    assert len(heard) == 1
    await conn.close()
"""

START = {
    "asyncio": "from asyncio import run, sleep; run(main())",
    "uvloop": "from uvloop import run; from asyncio import sleep; run(main())",
    "trio": "from trio import run, sleep; run(main)",
}


@pytest.mark.parametrize("library", START)
@pytest.mark.parametrize("child", ["del conn", "conn.terminate()", "pass"])
def test_async(dsn, library, child):
    if library != "trio":
        pytest.importorskip(library)
    asks = library == "trio"
    run(dsn, ASYNC.format(child=child, asks=asks) + START[library])
