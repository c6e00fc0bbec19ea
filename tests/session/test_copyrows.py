"""Rows and blocks of COPY as bytes: what goes in comes out, on a server and without one."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import psycopg3
from psycopg3 import sql
from psycopg3.session.copyrows import HEADER, TRAILER, BinaryFraming, BinaryRows, TextRows
from psycopg3.session.copystatement import copy_statement

FIELDS = st.one_of(
    st.none(), st.binary(max_size=20), st.sampled_from([rb"\N", rb"\.", b"\t", b"\n"])
)
RECORDS = st.lists(st.lists(FIELDS, min_size=2, max_size=2), max_size=5)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1)),
        st.one_of(st.none(), TEXT),
        st.one_of(st.none(), st.binary(max_size=20)),
        st.one_of(st.none(), st.lists(st.one_of(st.none(), TEXT), max_size=3)),
    ),
    max_size=5,
)


@given(RECORDS)
def test_rows(records: list[list[bytes | None]]) -> None:
    for writer, reader in ((TextRows("utf-8"), TextRows("utf-8")), (BinaryRows(), BinaryRows())):
        lines = [writer.format(record) for record in records]
        if isinstance(reader, BinaryRows):
            lines = [HEADER + line if not n else line for n, line in enumerate(lines)]
        assert [reader.parse(line, 2) for line in lines] == records


@pytest.mark.parametrize(
    "line", [b"a\tb", b"a\n", b"a\tb\tc\n", b"a\\\tb\n", b"", b"\ta\\"], ids=repr
)
def test_broken_text(line: bytes) -> None:
    with pytest.raises(psycopg3.DataError):
        TextRows("utf-8").parse(line, 2)


@given(st.data())
def test_broken_binary(data: st.DataObject) -> None:
    row = HEADER + BinaryRows().format([b"abc", None])
    with pytest.raises(psycopg3.DataError):
        BinaryRows().parse(row[: data.draw(st.integers(0, len(row) - 1))], 2)
    with pytest.raises(psycopg3.DataError):
        BinaryRows().parse(row + b"x", 2)
    with pytest.raises(psycopg3.DataError):
        BinaryRows().parse(row, 3)


def test_escapes_of_other_programs() -> None:
    record = TextRows("utf-8").parse(rb"\101\x42\q\\" + b"\t" + rb"\b\f\v\r" + b"\n", 2)
    assert record == [b"ABq\\", b"\b\f\v\r"]


@given(RECORDS, st.data())
def test_framing(records: list[list[bytes | None]], data: st.DataObject) -> None:
    """Cut into any pieces it is whole; without its end, or a part of it, it isn't."""
    extension = data.draw(st.binary(max_size=5))
    header = HEADER[:15] + struct.pack("!i", len(extension)) + extension
    stream = header + b"".join(map(BinaryRows().format, records)) + TRAILER
    cut = data.draw(st.integers(0, len(stream) - 1))
    for whole in (stream, stream[:cut]):
        framing = BinaryFraming()
        rest = whole
        while rest:
            size = data.draw(st.integers(1, len(rest)))
            framing.feed(rest[:size])
            rest = rest[size:]
        assert framing.is_whole == (whole is stream)
    with pytest.raises(psycopg3.DataError, match="behind its trailer"):
        framing = BinaryFraming()
        framing.feed(stream + b"x")


@pytest.mark.parametrize("format", ["text", "binary"])
def test_there_and_back(conn: psycopg3.Connection[Any], format: str) -> None:
    types = ["int4", "text", "bytea", "text[]"]
    conn.execute("create temp table there (a int, b text, c bytea, d text[])")
    cur = conn.cursor()

    @given(ROWS)
    def check(rows: list[tuple[Any, ...]]) -> None:
        cur.execute("truncate there")
        with cur.copy(f"copy there from stdin (format {format})") as copy:
            copy.write_rows(rows)
        assert cur.execute("select * from there order by ctid").fetchall() == rows
        with cur.copy(f"copy there to stdout (format {format})") as copy:
            copy.set_types(types)
            assert list(copy.rows()) == rows

    check()


@pytest.mark.parametrize(
    ("text", "table", "columns", "options"),
    [
        ("copy t from stdin", "t", [], {}),
        ('COPY a."B "(x,"Y""z") FROM STDIN', 'a."B "', ["x", 'Y"z'], {}),
        ("copy t from stdin csv header delimiter ';'", "t", [], "csv header delimiter"),
        ("copy t from stdin with (format CSV, force_null (a, b), header)", "t", [], "csv header"),
        ("copy t from stdin (encoding 'LATIN1') where a = 'csv' or csv", "t", [], "encoding"),
        ("/* /* */ copy */ copy -- x\n binary t to stdout", "t", [], "binary"),
        ("copy (select ' to stdout csv' from stdin) to stdout", "", [], {}),
        ("copy (select $a$ ) to stdout csv $$ $a$) to stdout (format binary)", "", [], "binary"),
        ("copy (select E'\\') to stdout csv' ) to stdout", "", [], {}),
        ("copy t from '/file' csv", "", [], {}),
        ("select 1", "", [], {}),
        ("", "", [], {}),
        ("copy", "", [], {}),
    ],
)
def test_statements(text: str, table: str, columns: list[str], options: Any) -> None:
    found = copy_statement(text.encode())
    assert (found.table.decode(), [name.decode() for name in found.columns]) == (table, columns)
    said = " ".join([found.format.decode(), *found.options])
    assert all(word in said for word in options and options.split())
    assert found.options or not options
    assert (found.format == b"text") == ("csv" not in options and "binary" not in options)


def test_composed_statements(conn: psycopg3.Connection[Any]) -> None:
    query = sql.SQL("copy (select {}) to stdout").format(sql.Literal("it's 100%"))
    with conn.cursor().copy(query) as copy:
        assert copy.read_row() == ("it's 100%",)
