"""Connections closed by another thread or task than the one that uses them; what exit leaves."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import anyio
import pytest

import psycopg3
from tests import listeners
from tests.marks import counts_references

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def eager_threads():
    """Have threads change places as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(*functions):
    """Call the functions at the same time, each in a thread; what they raised."""
    start = threading.Barrier(len(functions))
    raised = []

    def call(function):
        start.wait()
        try:
            function()
        except BaseException as ex:
            raised.append(ex)

    threads = [threading.Thread(target=call, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    return raised


@pytest.mark.parametrize("names", [("close", "close"), ("close", "terminate")])
def test_two_threads_close(dsn, eager_threads, names):
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else None
    with psycopg3.connect(dsn, autocommit=True) as bystander:
        for _ in range(50):
            conn = psycopg3.connect(dsn)
            told = []
            conn.add_close_handler(told.append)
            assert together(*(getattr(conn, name) for name in names)) == []
            assert conn.closed and not conn.broken
            assert conn.pgconn.pgconn_ptr is None
            assert told == [conn]
            assert bystander.execute("select 1").fetchone() == (1,)
    if descriptors is not None:
        assert len(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.parametrize("names", [("close", "close"), ("close", "terminate")])
def test_two_threads_close_while_a_third_uses_it(dsn, eager_threads, names):
    for _ in range(50):
        conn = psycopg3.connect(dsn, autocommit=True)
        told = []
        conn.add_close_handler(told.append)

        def use(conn=conn):
            while True:
                assert conn.execute("select 1").fetchone() == (1,)

        (error,) = together(use, *(getattr(conn, name) for name in names))
        assert isinstance(error, psycopg3.OperationalError)
        assert conn.closed and not conn.broken
        assert conn.pgconn.pgconn_ptr is None
        assert told == [conn]


def test_a_descriptor_freed_and_used_anew_is_left_alone(dsn, monkeypatch):
    conn = psycopg3.connect(dsn)
    ours, theirs = socket.socketpair()
    fromfd = socket.fromfd

    def overtaken(fd, *args):
        conn.pgconn.finish()  # as another thread may right here
        os.dup2(ours.fileno(), fd)
        return fromfd(fd, *args)

    fd = conn.fileno()
    with monkeypatch.context() as patched:
        patched.setattr(socket, "fromfd", overtaken)
        conn._cut()
    os.close(fd)
    conn.close()
    with ours, theirs:
        theirs.send(b"?")
        assert ours.recv(1) == b"?"


@pytest.mark.parametrize("name", ["close", "terminate"])
def test_a_thread_ends_a_query(dsn, name):
    conn = psycopg3.connect(dsn, autocommit=True)
    timer = threading.Timer(0.2, getattr(conn, name))
    timer.start()
    begin = time.monotonic()
    with pytest.raises(psycopg3.OperationalError, match="closed while"):
        conn.execute("select pg_sleep(30)")
    timer.join()
    assert time.monotonic() - begin < 2
    assert conn.closed and not conn.broken


@pytest.mark.anyio
@pytest.mark.parametrize("by", ["task", "thread"])
async def test_a_query_of_a_task_is_ended(dsn, by):
    conn = await psycopg3.connect_async(dsn, autocommit=True)

    async def end():
        await anyio.sleep(0.2)
        if by == "task":
            conn.terminate()
        else:
            await anyio.to_thread.run_sync(conn.terminate)

    begin = time.monotonic()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end)
        with pytest.raises(psycopg3.OperationalError, match="closed while"):
            await conn.execute("select pg_sleep(30)")
    assert time.monotonic() - begin < 2
    assert conn.closed and not conn.broken


@pytest.fixture
def unheeding():
    """Parameters of a server that answers no query, and lets nobody tell it to cancel one."""

    def talk(sock):
        if listener.taken == 1:
            listeners.primary(sock)
        listeners.mute(sock)

    with listeners.Listener(talk) as listener:
        params = {"host": listener.address, "port": listener.port, "user": "me", "autocommit": True}
        yield {**params, "sslmode": "disable", "gssencmode": "disable", "cancel_timeout": 30}


@pytest.mark.parametrize("timeout", [0, 0.3])
def test_the_time_to_close(unheeding, timeout):
    conn = psycopg3.connect(**unheeding)
    took = []

    def close():
        begin = time.monotonic()
        conn.close(timeout=timeout)
        took.append(time.monotonic() - begin)

    timer = threading.Timer(0.2, close)
    timer.start()
    with pytest.raises(psycopg3.OperationalError, match="closed while"):
        conn.execute("select pg_sleep(30)")
    timer.join()
    assert timeout <= took[0] < timeout + 1


@pytest.mark.anyio
@pytest.mark.parametrize("timeout", [0, 0.3])
async def test_the_time_to_close_for_tasks(unheeding, timeout):
    conn = await psycopg3.connect_async(**unheeding)
    took = []

    async def close():
        await anyio.sleep(0.2)
        begin = time.monotonic()
        await conn.close(timeout=timeout)
        took.append(time.monotonic() - begin)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(close)
        with pytest.raises(psycopg3.OperationalError, match="closed while"):
            await conn.execute("select pg_sleep(30)")
    assert timeout <= took[0] < timeout + 1


@pytest.mark.anyio
async def test_a_thread_terminates_an_idle_connection_of_a_loop(dsn):
    conn = await psycopg3.connect_async(dsn, autocommit=True)
    told = []
    conn.add_close_handler(told.append)
    await anyio.to_thread.run_sync(conn.terminate)
    await anyio.sleep(0.05)
    assert conn.closed and not conn.broken
    assert told == [conn]
    with pytest.raises(psycopg3.OperationalError, match="closed"):
        await conn.execute("select 1")


@counts_references  # elsewhere nothing is freed at the end of a program
def test_left_open_at_exit(dsn):
    code = "import sys, psycopg3; conn = psycopg3.connect(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", code, dsn],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert "ResourceWarning: <psycopg3.Connection [IDLE]" in done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
