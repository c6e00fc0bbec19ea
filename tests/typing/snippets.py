"""What type checkers must understand of psycopg3; never run, only checked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, assert_type

import psycopg3
from psycopg3 import AsyncConnection, AsyncCursor, Connection, Cursor, abc, rows
from psycopg3.rows import TupleRow


@dataclass
class Person:
    name: str
    age: int


def connections(dsn: str) -> None:
    conn = psycopg3.connect(dsn)
    assert_type(conn, Connection[TupleRow])
    assert_type(Connection.connect(dsn, autocommit=True), Connection[TupleRow])
    dicts = psycopg3.connect(dsn, row_factory=rows.dict_row)
    assert_type(dicts, Connection[dict[str, Any]])
    with conn as same:
        assert_type(same, Connection[TupleRow])


class Mine(Connection[TupleRow]):
    def more(self) -> None: ...


def subclasses(dsn: str) -> None:
    Mine.connect(dsn).more()
    assert_type(psycopg3.connect(dsn, connection_class=Mine), Mine)


def cursors(conn: Connection[TupleRow]) -> None:
    cur = conn.cursor()
    assert_type(cur, Cursor[TupleRow])
    assert_type(cur.execute("select 1"), Cursor[TupleRow])
    assert_type(cur.fetchone(), TupleRow | None)
    assert_type(cur.fetchmany(2), list[TupleRow])
    for row in cur:
        assert_type(row, TupleRow)
    cur.connection.commit()
    people = conn.cursor(row_factory=rows.class_row(Person))
    assert_type(people, Cursor[Person])
    assert_type(people.execute("select 1", [1]).fetchall(), list[Person])
    assert_type(conn.execute("select %(a)s", {"a": 1}).fetchone(), TupleRow | None)


def fetching(conn: Connection[TupleRow], dicts: Connection[rows.DictRow]) -> None:
    assert_type(conn.fetch("select 1"), list[TupleRow])
    assert_type(dicts.fetchrow("select $1", [1], raw=True), rows.DictRow | None)
    assert_type(conn.fetchval("select 1", column=0), Any)
    records = conn.cursor(row_factory=rows.record_row)
    assert_type(records, Cursor[rows.Record])
    assert_type(conn.cursor("name"), psycopg3.ServerCursor[TupleRow])
    named = conn.cursor("name", row_factory=rows.dict_row)
    assert_type(named, psycopg3.ServerCursor[dict[str, Any]])
    assert_type(psycopg3.ClientCursor(conn), psycopg3.ClientCursor[TupleRow])
    clients = psycopg3.ClientCursor(conn, row_factory=rows.dict_row)
    assert_type(clients, psycopg3.ClientCursor[dict[str, Any]])
    for row in conn.cursor(row_factory=rows.dict_row).stream("select 1"):
        assert_type(row, dict[str, Any])
    with conn.query_logger(print), conn.trace("file"):
        conn.add_query_logger(lambda query: query.elapsed)


async def asynchronous_fetching(conn: AsyncConnection[rows.DictRow]) -> None:
    assert_type(await conn.fetch("select 1"), list[rows.DictRow])
    assert_type(await conn.fetchrow("select 1"), rows.DictRow | None)
    assert_type(await conn.fetchval("select 1"), Any)
    async for row in conn.cursor().stream("select 1"):
        assert_type(row, rows.DictRow)


async def asynchronous(dsn: str) -> None:
    conn = await psycopg3.connect_async(dsn)
    assert_type(conn, AsyncConnection[TupleRow])
    dicts = await AsyncConnection.connect(dsn, row_factory=rows.dict_row)
    assert_type(dicts, AsyncConnection[dict[str, Any]])
    async with conn, conn.cursor() as cur:
        assert_type(cur, AsyncCursor[TupleRow])
        assert_type(await cur.fetchone(), TupleRow | None)
        async for row in cur:
            assert_type(row, TupleRow)
    async with conn.transaction() as tx:
        await tx.connection.rollback()
        assert_type(tx, psycopg3.AsyncTransaction)


def by_socket(host: str, port: int, *, ssl: SSLContext | None) -> socket.socket:
    return socket.create_connection((host, port))


async def by_transport(
    proto_factory: Callable[[], asyncio.Protocol],
    host: str,
    port: int,
    *,
    loop: asyncio.AbstractEventLoop,
    ssl: SSLContext | None,
) -> tuple[asyncio.Transport, asyncio.Protocol]:
    return await loop.create_connection(proto_factory, host, port, ssl=ssl)


class Stream:
    """As anyio has them."""

    async def receive(self, max_bytes: int = 65536) -> bytes:
        return b""

    async def send(self, item: bytes) -> None: ...

    async def aclose(self) -> None: ...


class Channel:
    """A stream as trio has them."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return b""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None: ...

    async def aclose(self) -> None: ...


class ByChannel:
    async def __call__(self, host: str, port: int, *, ssl: SSLContext | None) -> Channel:
        return Channel()


async def by_stream(host: str, port: int, *, ssl: SSLContext | None) -> Stream:
    return Stream()


def nameless(host: str, port: int) -> socket.socket:
    return socket.create_connection((host, port))


async def connectors(dsn: str) -> None:
    conn = psycopg3.connect(dsn, connector_factory=by_socket)
    assert_type(conn, Connection[TupleRow])
    connector: abc.Connector = by_socket
    connectors: list[abc.AsyncConnector] = [by_transport, ByChannel(), by_stream]
    for each in connectors:
        await AsyncConnection.connect(dsn, connector_factory=each)
    psycopg3.connect(dsn, connector_factory=connector, sock=None)
    psycopg3.connect(dsn, connector_factory=nameless)  # type: ignore[call-overload]
    psycopg3.connect(dsn, connector_factory=by_stream)  # type: ignore[call-overload]
    await psycopg3.connect_async(dsn, connector_factory=by_socket)  # type: ignore[call-overload]


def refused(conn: Connection[TupleRow], user_input: str) -> None:
    # Not a literal, so it may be an injection. mypy takes LiteralString for str, and is silent.
    conn.execute(user_input)  # pyright: ignore[reportArgumentType]
    conn.execute("select 1", 1)  # type: ignore[arg-type]
    conn.cursor().fetchmany("2")  # type: ignore[arg-type]
