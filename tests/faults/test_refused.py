"""What the system refuses: threads and descriptors of the driver's own. And that nothing is left behind."""

from __future__ import annotations

import gc
import os
import resource
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.testing import Cluster
from tests.faults.running import ASYNCIO, THREADS, TRIO, UVLOOP, World, settled
from tests.settling import eventually

every_world = pytest.mark.parametrize("world", [THREADS, ASYNCIO, UVLOOP, TRIO], ids=repr)
needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="it tells descriptors")


@contextmanager
def no_threads() -> Iterator[None]:
    """None can be started, as in a container at its limit."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        yield


@contextmanager
def no_descriptors(but: int = 0) -> Iterator[None]:
    """So many are left to this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors() + 100, before[1]))
    taken: list[int] = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(but):
            os.close(taken.pop())
        yield
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def at_most(count: int) -> bool:
    return descriptors() <= count


def by_name(cluster: Cluster) -> dict[str, Any]:
    """By the name of a host, and a password: a thread for each."""
    place = {"host": "localhost", "port": cluster.port, "user": "postgres", "dbname": "postgres"}
    return {**place, "password": cluster.password, "sslmode": "disable", "autocommit": True}


@every_world
def test_a_connection_without_threads(world: World, scram: Cluster) -> None:
    async def body() -> None:
        with no_threads():
            if world.has_tasks:
                with pytest.raises(psycopg3.OperationalError, match="no thread .* can't start new"):
                    await settled(world.connect(**by_name(scram)))
                return
            conn = world.connect(**by_name(scram))
        assert conn.execute("select 1").fetchone() == (1,)
        with no_threads(), pytest.raises(errors.QueryTimeout):
            conn.execute("select pg_sleep(10)", timeout=0.1)
        assert conn.execute("select 1").fetchone() == (1,)
        conn.close()

    world.run(body)


def test_what_a_call_raises_that_is_made_at_once(scram: Cluster) -> None:
    with (
        no_threads(),
        pytest.raises(psycopg3.OperationalError, match="no address of the host 'no.in"),
    ):
        psycopg3.connect(host="no.invalid")


class Relayed:
    """A link that needs a relay."""

    def __init__(self, sock: socket.socket):
        self.recv, self.sendall, self.close = sock.recv, sock.sendall, sock.close


def test_a_relay_without_threads(scram: Cluster) -> None:
    def connect(host: str, port: int, *, ssl: object) -> Any:
        return Relayed(socket.create_connection((host, port)))

    before = descriptors()
    with (
        no_threads(),
        pytest.raises(psycopg3.OperationalError, match="no thread .* can't start new"),
    ):
        psycopg3.connect(connector_factory=connect, **by_name(scram))
    gc.collect()
    assert descriptors() <= before + 1  # the address that is reserved for connectors


@needs_proc
@every_world
def test_a_connection_without_descriptors(world: World, scram: Cluster) -> None:
    """However many are left, it fails by an error of ours, or goes on."""

    async def body() -> None:
        await settled((await settled(world.connect(**by_name(scram)))).close())  # imports
        made = 0
        for left in range(8):
            gc.collect()
            before = descriptors()
            try:
                with no_descriptors(but=left):
                    conn = await settled(world.connect(**by_name(scram)))
            except psycopg3.OperationalError as ex:
                assert "open files" in str(ex)
            else:
                made += 1
                with no_descriptors(), suppress(psycopg3.OperationalError):
                    await settled(conn.execute("select 1"))
                    await settled(conn.execute("select length(%s)", ["x" * 5_000_000]))
                    iterator = conn.notifies(timeout=0.01)
                    await settled(
                        next(iterator, None) if world is THREADS else anext(iterator, None)
                    )
                assert await settled((await settled(conn.execute("select 1"))).fetchone()) == (1,)
                await settled(conn.close())
            gc.collect()
            eventually(partial(at_most, before))  # calls that were left end by themselves
        assert made

    world.run(body)


def test_in_a_function_of_atexit(scram: Cluster) -> None:
    """Python 3.12 starts no thread there any more."""
    code = f"""
        import atexit
        import psycopg3

        def late():
            with psycopg3.connect(**{by_name(scram)!r}) as conn:
                print(conn.execute("select 'well'").fetchone()[0])

        atexit.register(late)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path))),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "well\n"), done.stderr
