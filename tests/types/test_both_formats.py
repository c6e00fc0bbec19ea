"""Types that text and binary give the same str or value of: what a server writes, sent back, and broken."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any

import pytest

from psycopg3.adapt import Format, PyFormat, Transformer
from psycopg3.errors import DataError
from psycopg3.postgres import adapters, types
from psycopg3.types import geometric, system
from psycopg3.types.bits import Bits

if TYPE_CHECKING:
    from tests.types.conftest import Bare

MUTANTS = 40  # of each payload

EDGES = {
    "point": [
        *("(1,2)", "(1e300,-0)", "(nan,infinity)", "(-inf,1e-5)", "(1e15,999999999999999)"),
        *("(5e22,-123456789012345678)", "(9007199254740993,0.1)", "(5e-324,1.79e308)"),
    ],
    "line": ["{1,2,3}", "(0,0),(1,1)", "{-1,0,nan}"],
    "lseg": ["(1,2),(3,4)", "((0,0),(0,0))"],
    "box": ["(1,2),(3,4)", "(0,0),(0,0)"],
    "path": ["((1,2),(3,4))", "[(1,2),(3,4)]", "[(0,0)]"],
    "polygon": ["((1,2),(3,4),(5,6))", "((0,0))"],
    "circle": ["<(1,2),3>", "<(0,0),0>"],
    "varbit": ["", "1", "0", "01010101", "101010101", "0" * 100],
    "macaddr": ["08:00:2b:01:02:03", "ff-ff-ff-ff-ff-ff"],
    "macaddr8": ["08:00:2b:01:02:03", "00:00:00:00:00:00:00:00"],
    "pg_lsn": ["0/0", "16/B374D848", "ffffffff/ffffffff"],
    "tid": ["(0,1)", "(4294967295,65535)"],
    "xid": ["0", "4294967295"],
    "cid": ["0", "4294967295"],
    "xid8": ["0", "18446744073709551615"],
    "int2vector": ["", "1 2 3", "-32768 32767"],
    "oidvector": ["", "1 4294967295"],
    "pg_snapshot": ["10:20:10,14,15", "10:20:"],
    "txid_snapshot": ["10:20:10,14,15", "10:20:"],
    '"char"': ["", "a", "\\", "'", "\\200", "\\377"],
    "jsonpath": ["$", '$.a[*] ? (@ > 1 && @ like_regex "\u00e9")', "strict $"],
    "refcursor": ["", "\u00e9"],
    "tsvector": ["", "a b", "a:1A,2B,3C,4 b:16383", "'it''s' 'b c' 'back\\\\slash' '\u00e9'"],
    "tsquery": [
        *("", "a", "'it''s'", "'a\\\\b'", "a:*AB & b:D", "!a", "!!a", "!(a & b)", "a | b & c"),
        *("(a | b) & c", "a & (b & c)", "a <-> b <-> c", "a <-> (b <-> c)", "a <3> b"),
        *("(a | b) <-> c", "a <-> (b & c)", "!a <-> b", "!(a <-> b)", "a <0> b", "a <-> !(b|c)"),
    ],
}
VALUES = [
    name
    for name in EDGES
    if types[name].oid in {oid for oid, *_ in (*geometric.VALUE_LOADERS, *system.VALUE_LOADERS)}
]
TEXTS = ["macaddr", "macaddr8", '"char"', "jsonpath", "refcursor"]
ALL = [(name, text) for name, texts in EDGES.items() for text in texts]


def selected(bare: Bare, name: str, text: str, result: Format) -> Any:
    cast = bare.literal(text) + f"::{name}" + (f"({len(text)})" if name == "bit" else "")
    value, array = bare.row(f"select {cast}, array[{cast}, null]", result=result)
    assert repr(array) == repr([value, None])
    return value


@pytest.mark.parametrize(("name", "text"), ALL)
def test_both_formats_give_the_text_of_the_server(shared: Bare, name: str, text: str) -> None:
    (shown,) = shared.row(f"select {shared.literal(text)}::{name}::text")
    for result in Format:
        value = selected(shared, name, text, result)
        assert (value, type(value)) == (shown, Bits if name == "varbit" else str)


@pytest.mark.parametrize("result", Format)
@pytest.mark.parametrize(("name", "text"), ALL)
def test_what_was_read_can_be_sent(shared: Bare, name: str, text: str, result: Format) -> None:
    value = selected(shared, name, text, result)
    query = f"select $1::{name}::text, $2::{name}[]::text[]"
    assert shared.row(query, (value, [value])) == (value, [value])


@pytest.mark.parametrize(("name", "text"), [pair for pair in ALL if pair[0] in VALUES])
def test_values(valued: Bare, name: str, text: str) -> None:
    read = [selected(valued, name, text, result) for result in Format]
    assert repr(read[0]) == repr(read[1])
    assert type(read[0]) is type(read[1]) is not str
    (shown,) = valued.row(f"select {valued.literal(text)}::{name}::text")
    assert str(read[0]) == (shown if name != "pg_lsn" else re.sub("/0*(?=.)", "/", shown))
    for format in PyFormat:
        if format == PyFormat.BINARY and not shown:
            continue  # no server reads an empty vector in binary
        query = "select pg_typeof($1)::text, $1::text, $2::text[]"
        row = valued.row(query, (read[0], [read[0], None]), format=format)
        assert row == (name, shown, [shown, None])
    assert valued.row(f"select ({valued.literal(read[0])})::text") == (shown,)


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("name", [*VALUES, "bit", "varbit", *TEXTS])
def test_one_type_of_values_for_a_type(valued: Bare, name: str, format: Format) -> None:
    """As in a COPY of columns of known types: values, and str of them."""
    if name in TEXTS and format == Format.TEXT:
        return
    transformer = Transformer(valued)
    oid = types[name].oid
    for text in [*filter(None, EDGES["varbit"])] if name == "bit" else EDGES[name]:
        value = selected(valued, name, text, Format.TEXT)
        for sample in (value, str(value)):
            transformer.set_dumper_types([oid], format)
            (data,) = transformer.dump_sequence([sample], [])
            transformer.set_loader_types([oid], format)
            assert data is not None
            assert repr(transformer.load_sequence([data])) == repr((value,))


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Break a payload as a broken server or link might."""
    place = rng.randrange(len(data) + 1)
    kind = rng.randrange(6)
    if kind == 0:
        return data[:place]
    if kind == 1:
        return data + rng.randbytes(place + 1)
    if kind == 2:
        return data[:place] + rng.randbytes(1) + data[place + 1 :]
    if kind == 3:
        return data[:place] + data[place + 1 :]
    length = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\x80\0\0\0"])
    return data[:place] + length + data[place + 4 * (kind == 4) :]


@pytest.mark.parametrize("has_values", [False, True])
@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("name", EDGES)
def test_broken_payloads(
    shared: Bare, valued: Bare, name: str, format: Format, has_values: bool
) -> None:
    rng = random.Random(name)
    bare = valued if has_values else shared
    info = types[name]
    for text in EDGES[name]:
        cast = f"{bare.literal(text)}::{name}"
        query = f"select {cast}, array[{cast}]"
        got = bare.pgconn.exec_params(query.encode(), [], (), (), format)
        for column, oid in enumerate((info.oid, info.array_oid)):
            payload = bytes(got.get_value(0, column) or b"")
            transformer = Transformer(bare)
            transformer.set_loader_types([oid], format)
            for _ in range(MUTANTS):
                try:
                    transformer.load_sequence([mutated(payload, rng)])
                except DataError as ex:
                    assert info.name in str(ex)


def test_nesting_without_end_is_a_data_error() -> None:
    transformer = Transformer(adapters)
    transformer.set_loader_types([types["tsquery"].oid], Format.BINARY)
    with pytest.raises(DataError, match="tsquery"):
        transformer.load_sequence([b"\x00\x01\x00\x00" + b"\x02\x01" * 0x10000])
