"""What the guide says of Twisted and eventlet, which the ordinary tests don't have."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from psycopg3.testing import Cluster

pytestmark = pytest.mark.slow
GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "waiting.rst"


def place(cluster: Cluster) -> dict[str, str]:
    """libpq's variables for a server."""
    if cluster.owned:
        named = {"PGHOST": str(cluster.socket_dir), "PGPORT": str(cluster.port)}
        return {**named, "PGUSER": "postgres", "PGDATABASE": "postgres"}
    return {}


def run(code: str, **env: str) -> str:
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    return done.stdout


def test_twisted(cluster: Cluster) -> None:
    pytest.importorskip("twisted")
    ((code,),) = [
        re.findall(r":caption: reactor.py\n\n(.*?)\n\n\n\w", GUIDE.read_text(), re.DOTALL)
    ]
    assert run(textwrap.dedent(code), **place(cluster)) == "('from Twisted',)\n"


def test_in_a_coroutine_of_twisted(cluster: Cluster) -> None:
    pytest.importorskip("twisted")
    code = """
        import asyncio
        from twisted.internet import asyncioreactor
        loop = asyncio.new_event_loop()
        asyncioreactor.install(loop)
        from twisted.internet import reactor
        from twisted.internet.defer import Deferred
        import psycopg3

        async def query(conn):
            try:
                await conn.execute("select 1")
            except psycopg3.InterfaceError as ex:
                print("no task of asyncio's" in str(ex))

        def begin():
            connecting = asyncio.ensure_future(psycopg3.connect_async(), loop=loop)
            deferred = Deferred.fromFuture(connecting)
            deferred.addCallback(lambda conn: Deferred.fromCoroutine(query(conn)))
            deferred.addBoth(lambda _: connecting.result().abort())
            deferred.addBoth(lambda _: reactor.stop())

        reactor.callWhenRunning(begin)
        reactor.run()
    """
    assert run(textwrap.dedent(code), **place(cluster)) == "True\n"


@pytest.mark.parametrize("hub", ["epolls", "poll", "asyncio"])
def test_eventlet(cluster: Cluster, hub: str) -> None:
    pytest.importorskip("eventlet")
    code = """
        import warnings
        warnings.simplefilter("ignore")
        import eventlet
        eventlet.monkey_patch()
        import time
        import psycopg3

        def query(conn=None):
            with psycopg3.connect(autocommit=True) as conn:
                conn.execute("select pg_sleep(0.5)")
                try:
                    with eventlet.Timeout(0.1):
                        conn.execute("select pg_sleep(10)")
                except eventlet.Timeout:
                    pass
                return conn.execute("select 1").fetchone()

        begin = time.monotonic()
        threads = [eventlet.spawn(query) for _ in range(5)]
        assert [thread.wait() for thread in threads] == [(1,)] * 5
        assert time.monotonic() - begin < 2
    """
    run(textwrap.dedent(code), EVENTLET_HUB=hub, **place(cluster))
