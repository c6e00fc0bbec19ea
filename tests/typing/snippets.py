"""What type checkers must understand of psycopg3; never run, only checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_type

import psycopg3
from psycopg3 import AsyncConnection, AsyncCursor, Connection, Cursor, rows
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


def refused(conn: Connection[TupleRow], user_input: str) -> None:
    # Not a literal, so it may be an injection. mypy takes LiteralString for str, and is silent.
    conn.execute(user_input)  # pyright: ignore[reportArgumentType]
    conn.execute("select 1", 1)  # type: ignore[arg-type]
    conn.cursor().fetchmany("2")  # type: ignore[arg-type]
