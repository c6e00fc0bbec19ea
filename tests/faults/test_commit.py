"""A COMMIT that is interrupted or cut off: never cancelled, and its outcome told or said to be unknown."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio

import psycopg3
from psycopg3 import errors
from psycopg3.pq import TransactionStatus
from tests import listeners
from tests.faults.cells import alarm, enter, leave
from tests.faults.proxy import Proxy
from tests.faults.running import ASYNCIO, THREADS, TRIO, UVLOOP, World, settled
from tests.listeners import Listener, send
from tests.marks import conform

SLOW = 0.25
"""Seconds that a COMMIT takes here."""
WORLDS = [THREADS, ASYNCIO, pytest.param(UVLOOP, marks=pytest.mark.slow), TRIO]
every_world = pytest.mark.parametrize("world", WORLDS, ids=repr)


@pytest.fixture(scope="module", autouse=True)
def table(dsn: str) -> Iterator[None]:
    """A table whose rows make COMMIT slow, or, if they are negative, fail."""
    with psycopg3.connect(dsn, autocommit=True) as conn:
        conn.execute(f"""
            create table slow (n int);
            create function slow() returns trigger language plpgsql as $$
            begin
                perform pg_sleep({SLOW});
                if new.n < 0 then raise exception using errcode = '23514'; end if;
                return null;
            end $$;
            create constraint trigger slow after insert on slow
                deferrable initially deferred for each row execute function slow();
        """)
        yield
        conn.execute("drop table slow; drop function slow")


def rows(eye: psycopg3.Connection[Any], seconds: float = 0) -> int:
    """How many rows have been committed, after some time; they are taken away."""
    time.sleep(seconds)
    return eye.execute("delete from slow").rowcount


async def interrupted(world: World, call: Callable[[], Any], after: float = 0.08) -> BaseException:
    """Call, interrupt it meanwhile, and return what it raised."""
    caught: list[BaseException] = []

    async def catching() -> None:
        try:
            await settled(call())
        except BaseException as ex:
            caught.append(ex)
            raise

    if world is THREADS:
        with alarm(after, KeyboardInterrupt()), pytest.raises(BaseException):  # noqa: B017
            await catching()
    elif world is TRIO:
        try:
            with trio.move_on_after(after):
                await catching()
        except psycopg3.Error:
            pass
    else:
        try:
            async with asyncio.timeout(after):
                await catching()
        except (TimeoutError, psycopg3.Error):
            pass
    return caught[0]


def is_interruption(world: World, ex: BaseException | None) -> bool:
    kinds = {"threads": KeyboardInterrupt, "trio": trio.Cancelled}
    return type(ex) is kinds.get(world.name, asyncio.CancelledError)


def notes(ex: BaseException) -> str:
    return " ".join(getattr(ex, "__notes__", []))


class Way:
    """A way to commit."""

    def __init__(self, name: str, begin: Callable[[Any], Any], end: Callable[[Any], Any]):
        self.name, self._begin, self._end = name, begin, end
        self._block: Any = None

    def __repr__(self) -> str:
        return self.name

    async def begin(self, conn: Any, number: int = 1) -> None:
        """Do what is to be committed."""
        self._block = await settled(self._begin(conn))
        if self.name != "at_once":
            await settled(conn.execute(f"insert into slow values ({number})"))

    def end(self, conn: Any) -> Any:
        """Commit."""
        return self._end(self._block if self.name == "block" else conn)


WAYS = [
    Way("commit", lambda conn: None, lambda conn: conn.commit()),
    Way("block", lambda conn: enter(conn.transaction()), leave),
    Way("typed", lambda conn: None, lambda conn: conn.execute("commit")),
    Way("typed_end", lambda conn: None, lambda conn: conn.execute("END")),
    Way(
        "typed_behind_comments",
        lambda conn: None,
        lambda conn: conn.execute("/* a /* b */ c */ -- d \r commit"),
    ),
    Way(
        "typed_behind", lambda conn: None, lambda conn: conn.execute("-- a\n/**/ commit; select 1")
    ),
]
LATER = [
    Way("typed_later", lambda conn: None, lambda conn: conn.execute("select 'a;'; commit")),
    Way(
        "at_once",
        lambda conn: None,
        lambda conn: conn.execute("insert into slow values (1); commit"),
    ),
]
some_ways = pytest.mark.parametrize("way", WAYS[:3], ids=repr)


def grid(*quick: str) -> Any:
    """Each way in each world: in threads all are quick tests, elsewhere those of these names."""
    return pytest.mark.parametrize(
        ("world", "way"),
        [
            pytest.param(
                world,
                way,
                id=f"{world}-{way}",
                marks=[] if world is THREADS or way.name in quick else pytest.mark.slow,
            )
            for world in (THREADS, ASYNCIO, UVLOOP, TRIO)
            for way in WAYS
        ],
    )


@grid("commit", "block")
def test_interrupted(world: World, way: Way, dsn: str, eye: psycopg3.Connection[Any]) -> None:
    async def body() -> None:
        conn = await settled(world.connect(dsn))
        await way.begin(conn)
        begin = time.monotonic()
        ex = await interrupted(world, lambda: way.end(conn))
        assert time.monotonic() - begin < SLOW + 0.4
        assert is_interruption(world, ex)
        assert "was committed all the same" in notes(ex)
        assert ex.__cause__ is None
        assert not conn.closed
        assert conn.pgconn.transaction_status == TransactionStatus.IDLE
        cur = await settled(conn.execute("select 7"))
        assert await settled(cur.fetchone()) == (7,)
        await settled(conn.close())

    world.run(body)
    assert rows(eye) == 1


@every_world
@pytest.mark.parametrize("way", LATER, ids=repr)
def test_interrupted_behind_others(world: World, way: Way, dsn: str, eye: Any) -> None:
    """A COMMIT that doesn't come first in a text is cancelled with the others, and that is told."""

    async def body() -> None:
        conn = await settled(world.connect(dsn))
        await way.begin(conn)
        ex = await interrupted(world, lambda: way.end(conn))
        assert is_interruption(world, ex)
        assert "was not committed" in notes(ex)
        assert conn.pgconn.transaction_status == TransactionStatus.IDLE
        cur = await settled(conn.execute("select 7"))
        assert await settled(cur.fetchone()) == (7,)
        await settled(conn.close())

    world.run(body)
    assert rows(eye) == 0


@every_world
@some_ways
def test_timeout(world: World, way: Way, dsn: str, eye: psycopg3.Connection[Any]) -> None:
    async def body() -> None:
        conn = await settled(world.connect(dsn))
        await way.begin(conn)
        conn.command_timeout = 0.1
        with pytest.raises(errors.QueryTimeout) as caught:
            await settled(way.end(conn))
        assert "was committed all the same" in notes(caught.value)
        assert not conn.closed
        await settled(conn.close())

    world.run(body)
    assert rows(eye) == 1


@every_world
@some_ways
def test_interrupted_and_failed(world: World, way: Way, dsn: str, eye: Any) -> None:
    async def body() -> None:
        conn = await settled(world.connect(dsn))
        await way.begin(conn, -1)
        ex = await interrupted(world, lambda: way.end(conn))
        assert is_interruption(world, ex)
        assert "was not committed" in notes(ex)
        assert conn.pgconn.transaction_status == TransactionStatus.IDLE
        await settled(conn.close())

    world.run(body)
    assert rows(eye) == 0


@some_ways
def test_failed(way: Way, dsn: str, eye: Any) -> None:
    async def body() -> None:
        conn = psycopg3.connect(dsn)
        await way.begin(conn, -1)
        with pytest.raises(errors.CheckViolation) as caught:
            way.end(conn)
        assert notes(caught.value) == ""
        conn.close()

    THREADS.run(body)
    assert rows(eye) == 0


@grid("block")
def test_too_slow(world: World, way: Way, dsn: str, eye: psycopg3.Connection[Any]) -> None:
    """The answer does not come within the budget."""

    async def body() -> None:
        conn = await settled(world.connect(dsn, cancel_timeout=0.1))
        await way.begin(conn)
        begin = time.monotonic()
        ex = await interrupted(world, lambda: way.end(conn))
        assert time.monotonic() - begin < 0.18 + 0.4
        assert type(ex) is errors.TransactionOutcomeUnknown
        assert is_interruption(world, ex.__cause__)
        assert conn.closed and conn.broken
        await settled(conn.close())

    world.run(body)
    assert rows(eye, SLOW) == 1  # the server had heard it


@every_world
@some_ways
def test_cut_before_it_was_heard(
    world: World, way: Way, dsn: str, proxy: Proxy, eye: psycopg3.Connection[Any]
) -> None:
    async def body() -> None:
        conn = await settled(world.connect(proxy.dsn(dsn)))
        await way.begin(conn)
        proxy.reset(after=0, to="server")
        with pytest.raises(errors.TransactionOutcomeUnknown) as caught:
            await settled(way.end(conn))
        assert isinstance(caught.value.__cause__, psycopg3.OperationalError)
        assert conn.broken
        await settled(conn.close())

    world.run(body)
    assert rows(eye) == 0


@every_world
@some_ways
@pytest.mark.parametrize("end", ["reset", "finish"])
def test_cut_before_the_answer(
    world: World, way: Way, end: str, dsn: str, proxy: Proxy, eye: psycopg3.Connection[Any]
) -> None:
    async def body() -> None:
        conn = await settled(world.connect(proxy.dsn(dsn)))
        await way.begin(conn)
        getattr(proxy, end)(after=0, to="client")
        with pytest.raises(errors.TransactionOutcomeUnknown) as caught:
            await settled(way.end(conn))
        assert isinstance(caught.value.__cause__, psycopg3.OperationalError)
        assert conn.broken
        await settled(conn.close())

    world.run(body)
    assert rows(eye) == 1


@some_ways
def test_cut_in_the_middle_of_the_answer(
    way: Way, dsn: str, proxy: Proxy, eye: psycopg3.Connection[Any]
) -> None:
    """What the server said is known, although it did not say all."""

    async def body() -> None:
        conn = psycopg3.connect(proxy.dsn(dsn))
        await way.begin(conn)
        proxy.reset(after=12, to="client")  # CommandComplete, but no ReadyForQuery
        with pytest.raises(psycopg3.OperationalError) as caught:
            way.end(conn)
        assert type(caught.value) is not errors.TransactionOutcomeUnknown
        assert "was committed" in notes(caught.value)
        assert conn.broken
        conn.close()

    THREADS.run(body)
    assert rows(eye) == 1


def cut(sock: socket.socket) -> None:
    """Say so, and hang up, as Odyssey does when the link to its server breaks."""
    listeners.error(sock, "08006", "failed to wait for more data")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def cut_after_another(sock: socket.socket) -> None:
    listeners.error(sock, "57014", "query timeout")
    sock.close()


def stay(sock: socket.socket) -> None:
    listeners.error(sock, "08006", "server connection was lost")
    send(sock, b"Z", b"I")


@every_world
@some_ways
@pytest.mark.parametrize("end", [cut, cut_after_another, stay])
def test_a_pooler_s_error(world: World, way: Way, end: Callable[[socket.socket], None]) -> None:
    """It is no answer of the server's, which may have committed."""

    async def body() -> None:
        with Listener(listeners.pooler(end)) as server:
            place = {"host": "127.0.0.1", "port": server.port, "sslmode": "disable", "user": "me"}
            conn = await settled(world.connect(**place))
            await way.begin(conn)
            with pytest.raises(errors.TransactionOutcomeUnknown) as caught:
                await settled(way.end(conn))
            assert caught.value.sqlstate == ("57014" if end is cut_after_another else "08006")
            assert "look at the data" in str(caught.value)
            assert conn.closed is (end is not stay)
            await settled(conn.close())

    world.run(body)


def test_a_lost_link_inside_of_a_script() -> None:
    with Listener(listeners.pooler(stay)) as server:
        place = {"host": "127.0.0.1", "port": server.port, "sslmode": "disable", "user": "me"}
        with psycopg3.connect(autocommit=True, **place) as conn:
            with pytest.raises(errors.TransactionOutcomeUnknown):
                conn.execute("begin; insert into t values (1); commit")


@pytest.mark.parametrize("query", ["commit", "select dblink_exec('commit')"])
def test_a_lost_link_of_another_query(query: str) -> None:
    """Where the session goes on in its transaction, nothing has been committed."""

    def end(sock: socket.socket) -> None:
        listeners.error(sock, "08001", "could not establish connection")
        send(sock, b"Z", b"E")

    with Listener(listeners.pooler(end)) as server:
        conn = psycopg3.connect(host="127.0.0.1", port=server.port, sslmode="disable", user="me")
        conn.execute("select 1")
        with pytest.raises(errors.SqlclientUnableToEstablishSqlconnection):
            conn.execute(query)
        conn.close()


@every_world
def test_the_server_s_reason(world: World, dsn: str, eye: psycopg3.Connection[Any]) -> None:
    """The server is shut down while it commits."""

    async def body() -> None:
        conn = await settled(world.connect(dsn))
        await settled(conn.execute("insert into slow values (1)"))
        eye.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where pid = %s",
            [conn.pgconn.backend_pid],
        )
        with pytest.raises(psycopg3.OperationalError) as caught:
            await settled(conn.commit())
        assert caught.value.sqlstate == "57P01"
        await settled(conn.close())

    world.run(body)
    assert rows(eye) == 0


@every_world
@pytest.mark.parametrize("typed", [False, True])
def test_rollback_is_not_unknown(
    world: World, typed: bool, dsn: str, proxy: Proxy, eye: psycopg3.Connection[Any]
) -> None:
    """A lost connection is rolled back, whatever the server had heard."""

    async def body() -> None:
        conn = await settled(world.connect(proxy.dsn(dsn), cancel_timeout=0.2))
        await settled(conn.execute("insert into slow values (1)"))
        proxy.freeze()
        call = (lambda: conn.execute("rollback")) if typed else conn.rollback
        ex = await interrupted(world, call)
        assert is_interruption(world, ex)
        assert conn.broken
        await settled(conn.close())

    world.run(body)
    assert rows(eye) == 0


@every_world
@pytest.mark.parametrize(
    "query",
    [
        "do $$begin perform pg_sleep(30); end$$",
        "do $body$ begin perform pg_sleep(30); end; $body$",
        "select pg_sleep(30), '; commit'",
        "select pg_sleep(30) /* ; commit */",
        'select pg_sleep(30) as "; commit"',
    ],
)
def test_what_only_looks_like_it_is_cancelled(world: World, query: str, dsn: str) -> None:
    async def body() -> None:
        conn = await settled(world.connect(dsn, autocommit=True))
        begin = time.monotonic()
        ex = await interrupted(world, lambda: conn.execute(query))
        assert time.monotonic() - begin < 0.1 + 0.5
        assert is_interruption(world, ex)
        assert notes(ex) == ""
        assert not conn.closed
        await settled(conn.close())

    world.run(body)


def test_the_setting_of_strings_counts(dsn: str) -> None:
    """Where a backslash escapes a quote, this is one string; elsewhere it is none, and a COMMIT."""

    async def body() -> None:
        with psycopg3.connect(dsn, autocommit=True) as conn:
            conform(conn.pgconn, "off")
            begin = time.monotonic()
            ex = await interrupted(
                THREADS, lambda: conn.execute(r"select pg_sleep(30), 'it\'; commit'")
            )
            assert time.monotonic() - begin < 0.1 + 0.5
            assert is_interruption(THREADS, ex)
            assert not conn.closed

    THREADS.run(body)


@every_world
def test_a_commit_of_the_past_is_no_news(world: World, dsn: str) -> None:
    async def body() -> None:
        conn = await settled(world.connect(dsn))
        for end in ("commit", "rollback"):
            await settled(conn.execute("select 1"))
            await settled(getattr(conn, end)())
            ex = await interrupted(world, lambda: first(world, conn.notifies()))
            assert is_interruption(world, ex)
            assert notes(ex) == ""
            with pytest.raises(psycopg3.ProgrammingError) as caught:
                await settled(conn.execute("select %s", [object()]))
            assert notes(caught.value) == ""
        await settled(conn.close())

    world.run(body)


def first(world: World, notifies: Any) -> Any:
    return anext(notifies) if world.has_tasks else next(notifies)


@every_world
@some_ways
def test_lost_after_a_commit(world: World, way: Way, dsn: str, proxy: Proxy, eye: Any) -> None:
    """The next operation fails as any does."""

    async def body() -> None:
        conn = await settled(world.connect(proxy.dsn(dsn)))
        await way.begin(conn)
        await settled(way.end(conn))
        proxy.reset()
        with pytest.raises(psycopg3.OperationalError) as caught:
            await settled(conn.execute("select 1"))
        assert type(caught.value) is not errors.TransactionOutcomeUnknown
        assert notes(caught.value) == ""
        await settled(conn.close())

    world.run(body)
    assert rows(eye) == 1


@pytest.mark.parametrize("world", [ASYNCIO, UVLOOP, TRIO], ids=repr)
@pytest.mark.parametrize("in_block", [False, True])
def test_a_commit_whose_turn_has_not_come(world: World, in_block: bool, dsn: str, eye: Any) -> None:
    """Cancelled before it is sent, it is not done; a block is undone."""

    async def body() -> None:
        conn = await world.connect(dsn)
        way = WAYS[1] if in_block else WAYS[0]
        await way.begin(conn)

        async def others() -> None:
            await conn.execute("select pg_sleep(0.4)")

        async def we() -> None:
            await world.sleep(0.05)
            ex = await interrupted(world, lambda: way.end(conn))
            assert is_interruption(world, ex)
            assert notes(ex) == ""

        await world.together(others, we)
        expected = TransactionStatus.IDLE if in_block else TransactionStatus.INTRANS
        assert conn.pgconn.transaction_status == expected
        assert conn._open_blocks == []
        await conn.rollback()
        await conn.close()

    world.run(body)
    assert rows(eye) == 0


def test_cancelled_before_its_checkpoint(dsn: str, eye: Any) -> None:
    """A task of trio's that is cancelled already does not commit."""

    async def body() -> None:
        conn = await psycopg3.connect_async(dsn, autocommit=True)
        with trio.CancelScope() as scope:
            async with conn.transaction():
                await conn.execute("insert into slow values (1)")
                scope.cancel()
        assert scope.cancelled_caught
        assert conn.pgconn.transaction_status == TransactionStatus.IDLE
        assert conn._open_blocks == []
        await conn.close()

    trio.run(body)
    assert rows(eye) == 0


@pytest.mark.parametrize("world", [ASYNCIO, UVLOOP, TRIO], ids=repr)
def test_interrupted_twice_and_unknown(world: World, dsn: str, proxy: Proxy) -> None:
    """A timeout, and then a cancellation, while the link stands still: the outcome is unknown."""

    async def body() -> None:
        conn = await world.connect(proxy.dsn(dsn), cancel_timeout=0.4, command_timeout=0.1)
        await conn.execute("select txid_current()")
        proxy.freeze()
        ex = await interrupted(world, conn.commit, 0.25)
        assert type(ex) is errors.TransactionOutcomeUnknown
        assert conn.broken
        await conn.close()

    world.run(body)
