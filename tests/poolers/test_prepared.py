"""Prepared statements behind PgBouncer in transaction mode: right, or a clear error, never a wrong answer.

Several clients share two server connections, so that each statement of theirs may find any of them, with
what another client has prepared there, or without.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest

import psycopg3
from psycopg3 import errors
from tests.poolers.conftest import Pooler, running_pgbouncer

CLIENTS, ROUNDS = 6, 60
Client = Callable[[str, random.Random], int]


@pytest.fixture(scope="module", params=[0, 200], ids=["unsupported", "supported"])
def bouncer(root: Any, server: Any, request: pytest.FixtureRequest) -> Iterator[Pooler]:
    """PgBouncer without support for prepared statements, and with it, which came with 1.21."""
    with running_pgbouncer(root, server, "transaction", statements=request.param) as pooler:
        yield pooler


def query(number: int) -> str:
    """One of some queries, which differ in what they return."""
    return f"select {number % 7}, %s::int, %s::text"


def check(conn: psycopg3.Connection[Any], number: int) -> None:
    params = [number, f"x{number}"]
    row = conn.execute(query(number), params).fetchone()
    assert row == (number % 7, *params), f"wrong answer: {row}"


def eager(dsn: str, **kwargs: Any) -> psycopg3.Connection[Any]:
    conn = psycopg3.connect(dsn, **kwargs)
    conn.prepare_threshold = 1
    return conn


def autocommit(dsn: str, dice: random.Random) -> int:
    with eager(dsn, autocommit=True) as conn:
        for _ in range(ROUNDS):
            check(conn, dice.randrange(100))
            conn.prepare_threshold = 1  # also when it has given up
    return 0


def one_statement(dsn: str, dice: random.Random) -> int:
    with eager(dsn) as conn:
        for _ in range(ROUNDS):
            check(conn, dice.randrange(100))
            conn.commit()
            conn.prepare_threshold = 1
    return 0


def by_default(dsn: str, dice: random.Random) -> int:
    with psycopg3.connect(dsn, autocommit=True) as conn:
        for _ in range(ROUNDS):
            check(conn, dice.randrange(100))
    return 0


def one_in_a_block(dsn: str, dice: random.Random) -> int:
    with eager(dsn, autocommit=True) as conn:
        for _ in range(ROUNDS):
            with conn.transaction():
                check(conn, dice.randrange(100))
            conn.prepare_threshold = 1
    return 0


def many(dsn: str, dice: random.Random) -> int:
    with eager(dsn, autocommit=True) as conn, conn.cursor() as cur:
        for _ in range(ROUNDS // 6):
            numbers = [dice.randrange(100) for _ in range(20)]
            kind = dice.randrange(7)
            cur.executemany(query(kind), [[n, n] for n in numbers], returning=True)
            rows = [result.fetchone() for result in cur.results()]
            assert rows == [(kind, n, str(n)) for n in numbers], f"wrong answer: {rows}"
    return 0


def statements(dsn: str, dice: random.Random) -> int:
    with eager(dsn, autocommit=True) as conn:
        for kind in range(7):
            with conn.prepare(query(kind)) as statement:
                for _ in range(ROUNDS // 7):
                    number = dice.randrange(100)
                    row = statement.fetchrow([number, number])
                    assert row == (kind, number, str(number)), f"wrong answer: {row}"
            conn.prepare_threshold = 1
    return 0


def longer(dsn: str, dice: random.Random) -> int:
    """Transactions of several statements; how many of them failed."""
    failed = 0
    with eager(dsn) as conn:
        for _ in range(ROUNDS):
            try:
                for _ in range(3):
                    check(conn, dice.randrange(100))
                conn.commit()
            except (errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement) as ex:
                assert "pooler" in str(ex)
                failed += 1
                conn.rollback()
    return failed


def blocks(dsn: str, dice: random.Random) -> int:
    """The same in transaction() blocks."""
    failed = 0
    with eager(dsn, autocommit=True) as conn:
        for _ in range(ROUNDS):
            try:
                with conn.transaction():
                    for _ in range(3):
                        check(conn, dice.randrange(100))
            except (errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement) as ex:
                assert "pooler" in str(ex)
                failed += 1
    return failed


@pytest.mark.parametrize(
    "client",
    [autocommit, one_statement, one_in_a_block, by_default, many, statements, longer, blocks],
    ids=lambda client: client.__name__,
)
def test_clients(bouncer: Pooler, client: Client) -> None:
    with ThreadPoolExecutor(CLIENTS) as pool:
        dice = map(random.Random, range(CLIENTS))
        failed = list(pool.map(client, itertools.repeat(bouncer.dsn, CLIENTS), dice))
    # A connection that finds statements missing stops preparing.
    assert max(failed) <= 5


def test_tasks(bouncer: Pooler) -> None:
    async def client(seed: int) -> None:
        dice = random.Random(seed)
        async with await psycopg3.connect_async(bouncer.dsn, autocommit=True) as conn:
            for _ in range(ROUNDS):
                conn.prepare_threshold = 1
                number = dice.randrange(100)
                cur = await conn.execute(query(number), [number, number])
                assert await cur.fetchone() == (number % 7, number, str(number))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for seed in range(CLIENTS):
                group.start_soon(client, seed)

    anyio.run(main)


def test_eviction(bouncer: Pooler) -> None:
    """What can't be ended by its name costs no transaction."""
    with eager(bouncer.dsn) as conn:
        conn.prepared_max = 3
        for number in range(12):
            for _ in range(3):
                assert conn.execute(f"select {number}").fetchone() == (number,)
            conn.execute("select 'in the same transaction'")
        conn.commit()


def test_all_are_deallocated(bouncer: Pooler) -> None:
    """PgBouncer forgets the names with it, and would hang up on who uses one of them."""
    with eager(bouncer.dsn, autocommit=True) as conn:
        for command in ("deallocate all", "discard all"):
            for number in range(20):
                check(conn, number)
            conn.execute(command)
            for number in range(20):
                check(conn, number)
        conn.reset()
        check(conn, 7)


def test_a_table_is_changed(bouncer: Pooler, server: Any) -> None:
    with psycopg3.connect(server.dsn, autocommit=True) as other:
        other.execute("drop table if exists pooled_test")
        other.execute("create table pooled_test (a int)")
        try:
            with eager(bouncer.dsn, autocommit=True) as conn:
                for columns in range(1, 5):
                    for _ in range(4):
                        cur = conn.execute("select * from pooled_test")
                        assert len(cur.description or ()) == columns
                    other.execute(f"alter table pooled_test add c{columns} int")
        finally:
            other.execute("drop table pooled_test")
