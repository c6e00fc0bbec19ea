"""Programs as users write them, of which type checkers must have nothing to say; never run."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import Any, assert_type

import psycopg3
from psycopg3 import AsyncConnection, AsyncCursor, Connection, Cursor, IsolationLevel, Rollback
from psycopg3.rows import DictRow, Row, TupleRow, dict_row, namedtuple_row, scalar_row, tuple_row


class Plain(Connection):
    """A subclass that says nothing of its rows: they are tuples."""

    def more(self) -> int:
        return 1


class Dicts(Connection[DictRow]):
    def more(self) -> int:
        return 1


class Whatever(Connection[Any]):
    def more(self) -> int:
        return 1


class Mine(Connection[Row]):
    def more(self) -> int:
        return 1


class AsyncDicts(AsyncConnection[DictRow]): ...


class AsyncMine(AsyncConnection[Row]): ...


class MyCursor(Cursor[Row]):
    def first(self) -> Row | None:
        return self.fetchone()


class DictCursor(Cursor[DictRow]): ...


class Counting(Connection[DictRow]):
    cursor_factory = DictCursor

    @classmethod
    def _get_connection_params(cls, conninfo: str, **kwargs: Any) -> dict[str, Any]:
        return {"application_name": "shop", **super()._get_connection_params(conninfo, **kwargs)}


class MyAsyncCursor(AsyncCursor[Row]): ...


def connecting(dsn: str) -> None:
    assert_type(Connection.connect(dsn), Connection[TupleRow])
    assert_type(psycopg3.connect(dsn), Connection[TupleRow])
    assert_type(psycopg3.connect(), Connection)
    assert_type(Connection.connect(dsn, row_factory=dict_row), Connection[dict[str, Any]])
    assert_type(psycopg3.connect(dsn, row_factory=dict_row, port=5432), Connection[dict[str, Any]])
    assert_type(Connection[DictRow].connect(dsn, row_factory=dict_row), Connection[DictRow])
    assert_type(psycopg3.connect(dsn, row_factory=scalar_row), Connection[Any])
    assert_type(psycopg3.connect(dsn, cursor_factory=MyCursor), Connection[TupleRow])
    conn: Connection[DictRow] = psycopg3.connect(dsn, row_factory=dict_row, autocommit=True)
    conn.close()


def subclasses(dsn: str) -> None:
    assert_type(Plain.connect(dsn), Plain)
    assert_type(Plain.connect(dsn, row_factory=tuple_row), Plain)
    assert_type(Dicts.connect(dsn, row_factory=dict_row), Dicts)
    assert_type(Whatever.connect(dsn, row_factory=dict_row), Whatever)
    assert_type(Mine.connect(dsn), Mine[TupleRow])
    assert_type(Mine[DictRow].connect(dsn, row_factory=dict_row), Mine[DictRow])
    assert_type(psycopg3.connect(dsn, connection_class=Dicts, row_factory=dict_row), Dicts)
    assert_type(Whatever.connect(dsn, row_factory=scalar_row), Whatever)
    # Rows that the class doesn't have.
    Plain.connect(dsn, row_factory=dict_row)  # type: ignore[arg-type]
    with Dicts.connect(dsn, row_factory=dict_row) as conn:
        assert_type(conn, Dicts)
        assert_type(conn.execute("select 1").fetchone(), DictRow | None)
        assert_type(conn.more(), int)


async def async_subclasses(dsn: str) -> None:
    assert_type(await AsyncDicts.connect(dsn, row_factory=dict_row), AsyncDicts)
    assert_type(await AsyncMine[DictRow].connect(row_factory=dict_row), AsyncMine[DictRow])
    assert_type(await AsyncMine.connect(dsn), AsyncMine[TupleRow])
    conn = await AsyncConnection.connect(dsn, row_factory=dict_row)
    assert_type(MyAsyncCursor(conn), MyAsyncCursor[DictRow])
    async with await psycopg3.connect_async(dsn, row_factory=scalar_row) as scalars:
        assert_type(scalars, AsyncConnection[Any])


def cursors(conn: Connection, dicts: Connection[DictRow]) -> None:
    assert_type(Cursor(conn), Cursor[TupleRow])
    assert_type(MyCursor(conn), MyCursor[TupleRow])
    assert_type(MyCursor(dicts), MyCursor[DictRow])
    assert_type(MyCursor(dicts).first(), DictRow | None)
    assert_type(MyCursor(conn, row_factory=dict_row), MyCursor[DictRow])
    assert_type(DictCursor(conn, row_factory=dict_row), DictCursor)
    assert_type(conn.cursor(row_factory=dict_row), Cursor[dict[str, Any]])
    assert_type(dicts.cursor(), Cursor[DictRow])
    assert_type(dicts.cursor(row_factory=tuple_row), Cursor[TupleRow])
    with conn.cursor(row_factory=namedtuple_row) as cur:
        for row in cur.execute("select 1 as a"):
            assert_type(row._asdict(), dict[str, Any])
    conn.cursor_factory = MyCursor
    Counting.connect(row_factory=dict_row).cursor().close()


def around(cur: Cursor[DictRow], acur: AsyncCursor[DictRow]) -> None:
    """What a cursor and a block know of their connection."""
    assert_type(cur.connection, Connection[Any])
    assert_type(cur.connection.cursor(row_factory=dict_row), Cursor[DictRow])
    assert_type(cur.connection.info.server_version, int)
    assert_type(acur.connection, AsyncConnection[Any])
    with cur.connection.transaction() as tx:
        assert_type(tx.connection, Connection[Any])
    assert_type(acur.connection.transaction().connection, AsyncConnection[Any])


def returned(conn: Connection) -> int:
    with conn.transaction():
        return conn.execute("select 1").rowcount


async def returned_async(conn: AsyncConnection) -> TupleRow | None:
    async with conn.transaction(), conn.cursor() as cur:
        await cur.execute("select 1")
        return await cur.fetchone()


def rolled_back(conn: Connection, fail: bool) -> bool:
    with conn.transaction() as tx:
        if fail:
            raise Rollback(tx)
    return fail


def levels(conn: Connection) -> None:
    conn.isolation_level = IsolationLevel.SERIALIZABLE
    conn.isolation_level = None
    conn.isolation_level = 2  # type: ignore[assignment]
    conn.set_isolation_level(IsolationLevel(2))
    with conn.transaction(isolation=IsolationLevel.REPEATABLE_READ):
        pass
    conn.transaction(isolation=2)  # type: ignore[arg-type]


def columns(cur: Cursor[TupleRow]) -> list[str]:
    return [column.name for column in cur.description or ()]


def total(cur: Cursor[DictRow]) -> int:
    return sum(row["n"] for row in cur.execute("select n from t where a = %(a)s", {"a": 1}))
