"""`discover_types`: the types that a database's users have made."""

from __future__ import annotations

import logging
from uuid import uuid4

import pytest

from psycopg3 import AsyncConnection, adapters
from psycopg3.errors import UniqueViolation
from psycopg3.types.range import Range

pytestmark = pytest.mark.anyio


@pytest.fixture
async def schema(dsn):
    """A schema of one's own with a type of each kind; its name."""
    name = f'Discovered"{uuid4().hex[:8]}'
    quoted = '"' + name.replace('"', '""') + '"'
    async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
        await conn.execute(f"create schema {quoted}")
        await conn.execute(
            f"""set search_path to {quoted};
            create type mood as enum ('sad', 'o"k', 'a,b', '', 'é');
            create domain weight as int check (value > 0);
            create domain heavy as weight;
            create domain weights as int[];
            create type span as range (subtype = int, multirange_type_name = "Odd M");
            create type part as (n int, "Label" mood, gone text);
            alter type part drop attribute gone;
            create type whole as (parts part[], span span);
            create table kept (id int, m mood)"""
        )
        try:
            yield quoted
        finally:
            await conn.execute(f"set client_min_messages to error; drop schema {quoted} cascade")


async def discovering(dsn, schema, **kwargs):
    options = f"-c search_path={schema}".replace(" ", "\\ ").replace("-c\\ ", "-c ")
    return await AsyncConnection.connect(
        dsn, options=options, discover_types=True, autocommit=True, **kwargs
    )


async def values(conn, query, params=None):
    """The row of a query, that must be the same in both formats."""
    cur = await conn.execute(query, params)
    row = await cur.fetchone()
    cur = await conn.execute(query, params, binary=True)
    assert await cur.fetchone() == row
    return row


async def test_each_kind(dsn, schema):
    async with await discovering(dsn, schema) as conn:
        assert await values(conn, "select 'o\"k'::mood, array['a,b', '', null, 'é']::mood[]") == (
            'o"k',
            ["a,b", "", None, "é"],
        )
        assert await values(conn, "select 1::heavy, '{1,2}'::heavy[], '{3}'::weights") == (
            1,
            [1, 2],
            [3],
        )
        assert await values(conn, "select '[1,3]'::span, '{\"[1,3]\"}'::span[]") == (
            Range(1, 3, "[]"),
            [Range(1, 3, "[]")],
        )
        (multi,) = await values(conn, "select '{[1,3],[7,9]}'::\"Odd M\"")
        assert list(multi) == [Range(1, 3, "[]"), Range(7, 9, "[]")]


async def test_composites(dsn, schema):
    async with await discovering(dsn, schema) as conn:
        (part,) = await values(conn, "select row(1, 'sad')::part")
        assert part == (1, "sad")
        assert part._fields == ("n", "Label")
        (whole,) = await values(conn, "select row(array[row(1, 'é')::part, null], '[1,2)')::whole")
        assert whole.parts == [(1, "é"), None]
        assert whole.span == Range(1, 2)
        await conn.execute("insert into kept values (1, 'sad')")
        (row,) = await values(conn, "select kept from kept")
        assert (row.id, row.m) == (1, "sad")


async def test_without_it_they_are_str(dsn, schema):
    async with await AsyncConnection.connect(dsn) as conn:
        cur = await conn.execute(f"select '{{sad}}'::{schema}.mood[], '[1,3]'::{schema}.span")
        assert await cur.fetchone() == ("{sad}", "[1,3]")


async def test_one_database_is_asked_once(dsn, schema):
    async with await discovering(dsn, schema) as first, await discovering(dsn, schema) as second:
        info = first.adapters.types["mood"]
        assert second.adapters.types["mood"] is info
        assert adapters.types.get("mood") is None
        second.adapters.register_loader("mood", adapters.get_loader(17, 0))
        assert (await values(first, "select 'sad'::mood")) == ("sad",)


@pytest.mark.parametrize("in_transaction", [False, True])
async def test_a_type_that_is_met_later(dsn, schema, in_transaction):
    async with await discovering(dsn, schema) as conn:
        await conn.execute("create type later as range (subtype = text)")
        await conn.set_autocommit(not in_transaction)
        cur = await conn.execute("select '[a,c]'::later, '{}'::later[]; select '[b,d]'::later")
        assert await cur.fetchone() == (Range("a", "c", "[]"), [])
        cur.nextset()
        assert await cur.fetchone() == (Range("b", "d", "[]"),)
        assert conn.info.transaction_status == (2 if in_transaction else 0)


async def test_in_a_pipeline(dsn, schema):
    async with await discovering(dsn, schema) as conn:
        await conn.execute("create type latest as (a int, b text)")
        async with conn.pipeline():
            cur = await conn.execute("select row(1, 'x')::latest")
            later = await conn.execute("select 2")
            assert await cur.fetchone() == ((1, "x"),)
            assert await later.fetchone() == (2,)


async def test_the_look_up_leaves_a_transaction_as_it_is(dsn, schema):
    async with await discovering(dsn, schema) as conn:
        async with conn.transaction():
            await conn.execute("create table t (id int primary key)")
            await conn.execute("create type later as enum ('x')")
            await conn.execute("insert into t values (1)")
            cur = await conn.execute("select array['x']::later[]")
            assert await cur.fetchone() == (["x"],)
            with pytest.raises(UniqueViolation):
                async with conn.transaction():
                    await conn.execute("insert into t values (1)")
        cur = await conn.execute("select count(*) from t")
        assert await cur.fetchone() == (1,)


async def test_cursors_with_adapters_of_their_own(dsn, schema):
    async with await discovering(dsn, schema) as conn:
        await conn.execute("create type later as range (subtype = int)")
        cur = conn.cursor()
        cur.adapters.register_loader("bool", adapters.get_loader(25, 0))
        await cur.execute("select '[1,2)'::later, true")
        assert await cur.fetchone() == (Range(1, 2), "t")


async def test_reload_types(dsn, schema):
    async with await discovering(dsn, schema) as conn:
        await conn.execute("alter type part add attribute more int")
        await conn.reload_types()
        (part,) = await values(conn, "select row(1, 'sad', 2)::part")
        assert part._fields == ("n", "Label", "more")
    async with await discovering(dsn, schema) as conn:
        (part,) = await values(conn, "select row(1, 'sad', 2)::part")
        assert part.more == 2


async def test_a_class_may_always_discover(dsn, schema):
    class Discovering(AsyncConnection):
        discover_types = True

    async with await Discovering.connect(dsn) as conn:
        cur = await conn.execute(f"select '[1,3]'::{schema}.span")
        assert await cur.fetchone() == (Range(1, 3, "[]"),)
    async with await Discovering.connect(dsn, discover_types=False) as conn:
        cur = await conn.execute(f"select '[1,3]'::{schema}.span")
        assert await cur.fetchone() == ("[1,3]",)


async def test_a_look_up_that_fails(dsn, schema, caplog):
    async with await discovering(dsn, schema) as conn, await discovering(dsn, schema) as other:
        await conn.execute("create type later as range (subtype = int)")
        await conn.execute("set lock_timeout to 50")
        query = "select '[1,3]'::later, 1"
        async with other.transaction():
            await other.execute("lock table pg_catalog.pg_enum")
            with caplog.at_level(logging.WARNING, logger="psycopg3"):
                cur = await conn.execute(query)
            assert await cur.fetchone() == ("[1,3]", 1)
        (record,) = caplog.records
        assert "lock timeout" in record.getMessage()
        # It isn't tried again, until somebody asks for it.
        cur = await conn.execute(query)
        assert await cur.fetchone() == ("[1,3]", 1)
        await conn.reload_types()
        cur = await conn.execute(query)
        assert await cur.fetchone() == (Range(1, 3, "[]"), 1)
