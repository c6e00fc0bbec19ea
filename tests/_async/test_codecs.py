"""set_type_codec() and its like."""

from __future__ import annotations

import pytest

from psycopg3.errors import DataError, Error, ProgrammingError

pytestmark = pytest.mark.anyio


class Tagged:
    def __init__(self, text):
        self.text = text


async def fetch(conn, query, *params, binary=False):
    cur = await conn.execute(query, params, binary=binary)
    return (await cur.fetchone())[0]


async def test_text(conn):
    await conn.set_type_codec(
        "json",
        schema="pg_catalog",
        encoder=lambda obj: f'"{obj.text}"',
        decoder=lambda text: ("decoded", text),
        classes=Tagged,
    )
    assert await fetch(conn, "select '[\"\xe9\"]'::json") == ("decoded", '["\xe9"]')
    assert await fetch(conn, "select array['1'::json, null]") == [("decoded", "1"), None]
    assert await fetch(conn, "select %s", Tagged("\xe9")) == ("decoded", '"\xe9"')
    assert await fetch(conn, "select %s", [Tagged("a")]) == [("decoded", '"a"')]
    assert await fetch(conn, "select pg_typeof(%s)::text", Tagged("a")) == "json"


async def test_other_connections_and_types_keep_theirs(conn, other):
    await conn.set_type_codec("json", schema="pg_catalog", encoder=str, decoder=str)
    assert await fetch(conn, "select '[1]'::json") == "[1]"
    assert await fetch(conn, "select '[1]'::jsonb") == [1]
    assert await fetch(other, "select '[1]'::json") == [1]


async def test_binary(conn):
    await conn.set_type_codec(
        "uuid",
        schema="pg_catalog",
        encoder=lambda obj: obj.text.encode() * 16,
        decoder=bytes.hex,
        format="binary",
        classes=[Tagged],
    )
    got = await fetch(conn, "select %s", Tagged("a"), binary=True)
    assert got == "61" * 16


@pytest.mark.parametrize(
    ("type", "literal", "value"),
    [
        ("date", "2000-01-02", (1,)),
        ("date", "infinity", (2**31 - 1,)),
        ("time", "24:00", (86_400_000_000,)),
        ("timetz", "00:00:01+02", (1_000_000, -7200)),
        ("timestamp", "-infinity", (-(2**63),)),
        ("timestamptz", "2000-01-01 00:00:01+00", (1_000_000,)),
        ("interval", "1 year 2 days 3 sec", (12, 2, 3_000_000)),
    ],
)
async def test_tuple(conn, type, literal, value):
    await conn.set_type_codec(
        type,
        schema="pg_catalog",
        encoder=lambda obj: obj.text,
        decoder=lambda fields: fields,
        format="tuple",
        classes=Tagged,
    )
    assert await fetch(conn, f"select '{literal}'::{type}", binary=True) == value
    assert await fetch(conn, f"select %s = '{literal}'::{type}", Tagged(value)) is True


async def test_reset(conn):
    await conn.set_type_codec("json", schema="pg_catalog", encoder=str, decoder=str, classes=Tagged)
    await conn.reset_type_codec("json", schema="pg_catalog")
    assert await fetch(conn, "select '[1]'::json") == [1]
    with pytest.raises(ProgrammingError, match="cannot adapt type"):
        await conn.execute("select %s", [Tagged("1")])


async def test_built_in(conn):
    await conn.execute("create type pg_temp.reading as (n int)")
    await conn.execute("create domain pg_temp.weight as int")
    schema = await fetch(conn, "select nspname from pg_namespace where oid = pg_my_temp_schema()")
    await conn.set_builtin_type_codec("weight", schema=schema, codec_name="int4")
    for binary in False, True:
        got = await fetch(conn, "select array[1::pg_temp.weight, 2]", binary=binary)
        assert got == [1, 2]
    with pytest.raises(ProgrammingError, match="codec_name='nothing'"):
        await conn.set_builtin_type_codec("weight", schema=schema, codec_name="nothing")


async def test_hstore(conn):
    try:
        await conn.execute("create extension if not exists hstore")
    except Error:
        pytest.skip("the server has no hstore")
    await conn.set_builtin_type_codec("hstore", codec_name="pg_contrib.hstore")
    value = {"a": "1", "\xe9": None}
    for binary in False, True:
        got = await fetch(conn, "select %s || hstore('a', '1')", {"\xe9": None}, binary=binary)
        assert got == value
        assert await fetch(conn, "select array[%s]", value, binary=binary) == [value]
    await conn.reset_type_codec("hstore")
    assert await fetch(conn, "select 'a=>1'::hstore") == '"a"=>"1"'
    with pytest.raises(ProgrammingError, match="cannot adapt type"):
        await conn.execute("select %s", [value])


async def test_what_is_refused(conn):
    keywords = {"encoder": str, "decoder": str}
    with pytest.raises(ProgrammingError, match='no type "public"."no""such"'):
        await conn.set_type_codec('no"such', **keywords)
    for format, message in ("tuple", "'tuple' for type int4"), ("x", "expected 'text'"):
        with pytest.raises(ProgrammingError, match=message):
            await conn.set_type_codec("int4", schema="pg_catalog", format=format, **keywords)
    await conn.set_type_codec(
        "int4", schema="pg_catalog", encoder=lambda _: 1, decoder=dict.__getitem__, classes=Tagged
    )
    with pytest.raises(DataError, match="returned an object of type int: expected str"):
        await conn.execute("select %s", [Tagged("1")])
    # What a function of the user's raises is the user's.
    with pytest.raises(TypeError):
        await fetch(conn, "select 1")
