"""The samples of the guide's page on connectors, against a bastion and proxies that run."""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.testing import Cluster
from tests import listeners, proxies
from tests.test_docs import samples

PAGE = Path(__file__).parent.parent / "docs" / "guide" / "connectors.rst"
ASKED = ("db.example", 5432)

pytest.importorskip("asyncssh")


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def sample() -> SimpleNamespace:
    """What the samples of the page define."""
    names: dict[str, Any] = {"__name__": "sample"}
    for block in samples(PAGE):
        if "PGHOST" not in block.code:  # tests/test_docs.py runs that one
            exec(compile(block.code, str(PAGE), "exec"), names)
    return SimpleNamespace(**names)


@pytest.fixture
def resolve(cluster: Cluster) -> Callable[[str, int], tuple[str, int]]:
    """How a proxy finds the server: by a name that only it knows."""
    if not cluster.owned:
        pytest.skip("needs a server of our own")

    def resolve(host: str, port: int) -> tuple[str, int]:
        if (host, port) != ASKED:
            raise ConnectionRefusedError(f"no such place: {host}:{port}")
        return cluster.host, cluster.port

    return resolve


@pytest.fixture
def bastion(resolve: Any) -> Iterator[proxies.Bastion]:
    with proxies.bastion(resolve) as bastion:
        yield bastion


def used(conn: psycopg3.Connection[Any]) -> None:
    """Query, cancel, query again; with much data both ways."""
    with conn:
        assert conn.execute("select 1").fetchone() == (1,)
        assert conn.execute("select length(%s)", ["x" * 3_000_000]).fetchone() == (3_000_000,)
        assert len(conn.execute("select repeat('x', 3000000)").fetchone()[0]) == 3_000_000
        conn.rollback()
        with pytest.raises(errors.QueryTimeout):
            conn.execute("select pg_sleep(20)", timeout=0.3)
        conn.rollback()
        assert conn.execute("select 2").fetchone() == (2,)
        assert conn.info.host == ASKED[0]


async def used_async(connecting: Awaitable[psycopg3.AsyncConnection[Any]]) -> None:
    """The same on asyncio."""
    async with await connecting as conn:
        assert await (await conn.execute("select length(%s)", ["x" * 3_000_000])).fetchone()
        cur = await conn.execute("select repeat('x', 3000000)")
        assert len((await cur.fetchone())[0]) == 3_000_000
        await conn.rollback()
        with pytest.raises(errors.QueryTimeout):
            await conn.execute("select pg_sleep(20)", timeout=0.3)
        await conn.rollback()
        assert await (await conn.execute("select 2")).fetchone() == (2,)


def run(coroutine: Any, loop: str) -> None:
    if loop == "uvloop":
        uvloop = pytest.importorskip("uvloop")
        uvloop.run(coroutine)
    else:
        asyncio.run(coroutine, debug=True)


def test_an_http_proxy(sample, resolve, monkeypatch):
    with proxies.http(resolve) as proxy:
        at = sample.HttpProxy(proxy.host, proxy.port)
        used(
            psycopg3.connect(
                "host=db.example port=5432 user=postgres dbname=postgres", connector_factory=at
            )
        )
        assert proxy.asked == [ASKED] * 2
        with pytest.raises(psycopg3.OperationalError, match="502") as caught:
            psycopg3.connect("host=elsewhere user=postgres", connector_factory=at)
        assert isinstance(caught.value.__cause__, ConnectionRefusedError)


def test_an_http_proxy_to_an_ipv6_address(sample, cluster):
    with proxies.http(lambda *_: (cluster.host, cluster.port)) as proxy:
        at = sample.HttpProxy(proxy.host, proxy.port)
        psycopg3.connect("host=2001:db8::7 user=postgres", connector_factory=at).close()
        assert proxy.asked == [("2001:db8::7", 5432)]


def test_an_http_proxy_that_hangs_up(sample):
    """Its socket is closed: else there would be a ResourceWarning."""

    def leave(sock):
        listeners.reset(sock)

    with listeners.Listener(leave) as listener:
        at = sample.HttpProxy("127.0.0.1", listener.port)
        for _ in range(3):
            with pytest.raises(psycopg3.OperationalError):
                psycopg3.connect("host=db.example user=postgres", connector_factory=at)
    gc.collect()


@pytest.mark.parametrize(
    "bound",
    [b"\1\x7f\0\0\1", b"\4" + bytes(15) + b"\1", b"\3\x0dproxy.example", b"\3\1x"],
    ids=["IPv4", "IPv6", "name", "short"],
)
def test_a_socks_proxy_s_own_end(sample, resolve, bound):
    async def main(proxy: proxies.Proxy) -> None:
        at = sample.SocksProxy(proxy.host, proxy.port)
        async with await psycopg3.connect_async(
            "host=db.example user=postgres", connector_factory=at
        ) as conn:
            assert await (await conn.execute("select 1")).fetchone() == (1,)

    with proxies.socks5(resolve, bound) as proxy:
        run(main(proxy), "asyncio")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_socks_proxy(sample, resolve, loop):
    async def main(proxy: proxies.Proxy) -> None:
        at = sample.SocksProxy(proxy.host, proxy.port)
        await used_async(
            psycopg3.connect_async("host=db.example user=postgres", connector_factory=at)
        )
        with pytest.raises(psycopg3.OperationalError, match="code 5"):
            await psycopg3.connect_async("host=elsewhere user=postgres", connector_factory=at)

    with proxies.socks5(resolve) as proxy:
        run(main(proxy), loop)
        assert proxy.asked[:2] == [ASKED] * 2


def test_an_ssh_bastion(sample, bastion):
    paramiko = pytest.importorskip("paramiko")
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(
            bastion.host,
            bastion.port,
            bastion.username,
            bastion.password,
            allow_agent=False,
            look_for_keys=False,
        )
        used(sample.by_ssh(client))
        assert bastion.asked == [("db1.example", 5432), ASKED, ASKED]
        with pytest.raises(psycopg3.OperationalError, match="the bastion said"):
            psycopg3.connect("host=elsewhere", connector_factory=sample.SshTunnel(client))


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_ssh_bastion_on_asyncio(sample, bastion, loop):
    import asyncssh

    async def main() -> None:
        async with asyncssh.connect(
            bastion.host,
            bastion.port,
            username=bastion.username,
            password=bastion.password,
            known_hosts=None,
            config=None,
            client_keys=None,
        ) as client:
            await used_async(sample.by_asyncssh(client))

    run(main(), loop)
    assert bastion.asked == [ASKED] * 2


def test_trio(sample, cluster):
    trio = pytest.importorskip("trio")

    async def main() -> None:
        async with await psycopg3.connect_async(
            host="127.0.0.1", port=cluster.port, user="postgres", connector_factory=sample.by_trio
        ) as conn:
            assert await (await conn.execute("select 2")).fetchone() == (2,)

    trio.run(main)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_cloud(sample, cluster, secure, loop):
    folder = secure.ca_file.parent
    context = ssl.create_default_context(cafile=str(secure.ca_file))
    target = (cluster.host, cluster.port)

    class Api:
        async def describe(self, name: str) -> SimpleNamespace:
            assert name == "project:region:instance"
            return SimpleNamespace(
                address=proxy.host, port=proxy.port, context=context, name="db.example.test"
            )

    with proxies.terminating(target, folder / "server.crt", folder / "server.key") as proxy:
        run(used_async(sample.by_cloud(Api())), loop)
        assert len(proxy.asked) == 2
