# Generated from tests/_async/test_discovery.py by `python tools/unasync.py`: edit that file, not this one.
"""`discover_types`: the types that a database's users have made."""

from __future__ import annotations

import logging
from uuid import uuid4

import pytest

from psycopg3 import Connection, adapters
from psycopg3.errors import UniqueViolation
from psycopg3.types.range import Range

pytestmark = pytest.mark.anyio


@pytest.fixture
def schema(dsn):
    """A schema of one's own with a type of each kind; its name."""
    name = f'Discovered"{uuid4().hex[:8]}'
    quoted = '"' + name.replace('"', '""') + '"'
    with Connection.connect(dsn, autocommit=True) as conn:
        conn.execute(f"create schema {quoted}")
        conn.execute(
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
            conn.execute(f"set client_min_messages to error; drop schema {quoted} cascade")


def discovering(dsn, schema, **kwargs):
    options = f"-c search_path={schema}".replace(" ", "\\ ").replace("-c\\ ", "-c ")
    return Connection.connect(dsn, options=options, discover_types=True, autocommit=True, **kwargs)


def values(conn, query, params=None):
    """The row of a query, that must be the same in both formats."""
    cur = conn.execute(query, params)
    row = cur.fetchone()
    cur = conn.execute(query, params, binary=True)
    assert cur.fetchone() == row
    return row


def test_each_kind(dsn, schema):
    with discovering(dsn, schema) as conn:
        assert values(conn, "select 'o\"k'::mood, array['a,b', '', null, 'é']::mood[]") == (
            'o"k',
            ["a,b", "", None, "é"],
        )
        assert values(conn, "select 1::heavy, '{1,2}'::heavy[], '{3}'::weights") == (
            1,
            [1, 2],
            [3],
        )
        assert values(conn, "select '[1,3]'::span, '{\"[1,3]\"}'::span[]") == (
            Range(1, 3, "[]"),
            [Range(1, 3, "[]")],
        )
        (multi,) = values(conn, "select '{[1,3],[7,9]}'::\"Odd M\"")
        assert list(multi) == [Range(1, 3, "[]"), Range(7, 9, "[]")]


def test_composites(dsn, schema):
    with discovering(dsn, schema) as conn:
        (part,) = values(conn, "select row(1, 'sad')::part")
        assert part == (1, "sad")
        assert part._fields == ("n", "Label")
        (whole,) = values(conn, "select row(array[row(1, 'é')::part, null], '[1,2)')::whole")
        assert whole.parts == [(1, "é"), None]
        assert whole.span == Range(1, 2)
        conn.execute("insert into kept values (1, 'sad')")
        (row,) = values(conn, "select kept from kept")
        assert (row.id, row.m) == (1, "sad")


def test_without_it_they_are_str(dsn, schema):
    with Connection.connect(dsn) as conn:
        cur = conn.execute(f"select '{{sad}}'::{schema}.mood[], '[1,3]'::{schema}.span")
        assert cur.fetchone() == ("{sad}", "[1,3]")


def test_one_database_is_asked_once(dsn, schema):
    with discovering(dsn, schema) as first, discovering(dsn, schema) as second:
        info = first.adapters.types["mood"]
        assert second.adapters.types["mood"] is info
        assert adapters.types.get("mood") is None
        second.adapters.register_loader("mood", adapters.get_loader(17, 0))
        assert values(first, "select 'sad'::mood") == ("sad",)


@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_type_that_is_met_later(dsn, schema, in_transaction):
    with discovering(dsn, schema) as conn:
        conn.execute("create type later as range (subtype = text)")
        conn.set_autocommit(not in_transaction)
        cur = conn.execute("select '[a,c]'::later, '{}'::later[]; select '[b,d]'::later")
        assert cur.fetchone() == (Range("a", "c", "[]"), [])
        cur.nextset()
        assert cur.fetchone() == (Range("b", "d", "[]"),)
        assert conn.info.transaction_status == (2 if in_transaction else 0)


def test_in_a_pipeline(dsn, schema):
    with discovering(dsn, schema) as conn:
        conn.execute("create type latest as (a int, b text)")
        with conn.pipeline():
            cur = conn.execute("select row(1, 'x')::latest")
            later = conn.execute("select 2")
            assert cur.fetchone() == ((1, "x"),)
            assert later.fetchone() == (2,)


def test_the_look_up_leaves_a_transaction_as_it_is(dsn, schema):
    with discovering(dsn, schema) as conn:
        with conn.transaction():
            conn.execute("create table t (id int primary key)")
            conn.execute("create type later as enum ('x')")
            conn.execute("insert into t values (1)")
            cur = conn.execute("select array['x']::later[]")
            assert cur.fetchone() == (["x"],)
            with pytest.raises(UniqueViolation):
                with conn.transaction():
                    conn.execute("insert into t values (1)")
        cur = conn.execute("select count(*) from t")
        assert cur.fetchone() == (1,)


def test_cursors_with_adapters_of_their_own(dsn, schema):
    with discovering(dsn, schema) as conn:
        conn.execute("create type later as range (subtype = int)")
        cur = conn.cursor()
        cur.adapters.register_loader("bool", adapters.get_loader(25, 0))
        cur.execute("select '[1,2)'::later, true")
        assert cur.fetchone() == (Range(1, 2), "t")


def test_reload_types(dsn, schema):
    with discovering(dsn, schema) as conn:
        conn.execute("alter type part add attribute more int")
        conn.reload_types()
        (part,) = values(conn, "select row(1, 'sad', 2)::part")
        assert part._fields == ("n", "Label", "more")
    with discovering(dsn, schema) as conn:
        (part,) = values(conn, "select row(1, 'sad', 2)::part")
        assert part.more == 2


def test_a_class_may_always_discover(dsn, schema):
    class Discovering(Connection):
        discover_types = True

    with Discovering.connect(dsn) as conn:
        cur = conn.execute(f"select '[1,3]'::{schema}.span")
        assert cur.fetchone() == (Range(1, 3, "[]"),)
    with Discovering.connect(dsn, discover_types=False) as conn:
        cur = conn.execute(f"select '[1,3]'::{schema}.span")
        assert cur.fetchone() == ("[1,3]",)


def test_a_look_up_that_fails(dsn, schema, caplog):
    with discovering(dsn, schema) as conn, discovering(dsn, schema) as other:
        conn.execute("create type later as range (subtype = int)")
        conn.execute("set lock_timeout to 50")
        query = "select '[1,3]'::later, 1"
        with other.transaction():
            other.execute("lock table pg_catalog.pg_enum")
            with caplog.at_level(logging.WARNING, logger="psycopg3"):
                cur = conn.execute(query)
            assert cur.fetchone() == ("[1,3]", 1)
        (record,) = caplog.records
        assert "lock timeout" in record.getMessage()
        # It isn't tried again, until somebody asks for it.
        cur = conn.execute(query)
        assert cur.fetchone() == ("[1,3]", 1)
        conn.reload_types()
        cur = conn.execute(query)
        assert cur.fetchone() == (Range(1, 3, "[]"), 1)
