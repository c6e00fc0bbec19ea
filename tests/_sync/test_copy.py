# Generated from tests/_async/test_copy.py by `python tools/unasync.py`: edit that file, not this one.
"""Copy: data in blocks and rows, from and to the client; and what ends it."""

from __future__ import annotations

import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.copy import Writer
from psycopg3.pq import TransactionStatus

pytestmark = pytest.mark.anyio

FORMATS = ["text", "binary"]
MANY = "copy (select repeat('x', 1000) from generate_series(1, 1000000)) to stdout"
ROWS = [(1, "a\tb\\c\n\r\v\f\b"), (None, None), (-3, r"\N"), (4, r"\."), (5, "")]


@pytest.fixture
def table(conn):
    conn.execute("create temp table copied (a int, b text)")
    conn.commit()
    return "copied"


def found(conn):
    return conn.execute("select * from copied order by ctid").fetchall()


def status(conn):
    return conn.pgconn.transaction_status


class TestIn:
    @pytest.mark.parametrize("format", FORMATS)
    def test_rows(self, conn, table, format):
        cur = conn.cursor()
        with cur.copy(f"copy copied from stdin (format {format})") as copy:
            copy.set_types(["int4", "text"])
            for row in ROWS:
                copy.write_row(row)
        assert (cur.rowcount, cur.statusmessage) == (5, "COPY 5")
        assert found(conn) == ROWS

    def test_blocks(self, conn, table):
        cur = conn.cursor()
        with cur.copy("copy copied from stdin") as copy:
            for block in ("1\tü\n2", b"\ty\n", bytearray(b""), memoryview(b"3\tz\n")):
                copy.write(block)
            copy.write_row((4, "w"))
        assert found(conn) == [(1, "ü"), (2, "y"), (3, "z"), (4, "w")]

    @pytest.mark.parametrize("format", FORMATS)
    def test_nothing(self, conn, table, format):
        cur = conn.cursor()
        with cur.copy(f"copy copied from stdin (format {format})"):
            pass
        assert cur.rowcount == 0

    def test_an_exception_undoes_it(self, conn, table):
        with pytest.raises(ZeroDivisionError):
            with conn.cursor().copy("copy copied from stdin") as copy:
                copy.write_row((1, "a"))
                raise ZeroDivisionError
        assert status(conn) == TransactionStatus.INERROR
        conn.rollback()
        assert found(conn) == []

    def test_the_servers_error(self, conn, table):
        with pytest.raises(errors.InvalidTextRepresentation):
            with conn.cursor().copy("copy copied from stdin") as copy:
                copy.write_row(("x", "a"))
        assert status(conn) == TransactionStatus.INERROR

    def test_a_bad_row_leaves_nothing_behind(self, conn, table):
        with conn.cursor().copy("copy copied from stdin (format binary)") as copy:
            copy.set_types(["int4", "text"])
            copy.write_row((1, "a"))
            with pytest.raises(psycopg3.DataError):
                copy.write_row((2**40, "b"))
            with pytest.raises(psycopg3.DataError):
                copy.write_row((2,))
            copy.write_row((3, "c"))
        assert found(conn) == [(1, "a"), (3, "c")]


class TestOut:
    def test_rows(self, conn):
        cur = conn.cursor()
        with cur.copy("copy (values (1, 'a\\b'), (2, null)) to stdout") as copy:
            assert [len(column) for column in cur.description] == [7, 7]
            assert [row for row in copy.rows()] == [("1", "a\\b"), ("2", None)]
            assert copy.read_row() is None
            assert copy.read() == b""
        assert (cur.rowcount, cur.statusmessage) == (2, "COPY 2")

    def test_rows_in_binary(self, conn):
        cur = conn.cursor()
        with cur.copy("copy (values (1, null)) to stdout (format binary)") as copy:
            assert [row for row in copy.rows()] == [(b"\0\0\0\1", None)]
        assert cur.rowcount == 1

    @pytest.mark.parametrize("format", FORMATS)
    def test_types(self, conn, format):
        query = f"copy (select 1, 'ü'::text, array[1, 2]) to stdout (format {format})"
        with conn.cursor().copy(query) as copy:
            copy.set_types([23, "text", "int4[]"])
            assert [row for row in copy.rows()] == [(1, "ü", [1, 2])]

    def test_blocks(self, conn):
        with conn.cursor().copy("copy (values (1), (2)) to stdout") as copy:
            assert [bytes(block) for block in copy] == [b"1\n", b"2\n"]

    @pytest.mark.parametrize("query", ["select from generate_series(1, 2)", "select 1 where false"])
    @pytest.mark.parametrize("format", FORMATS)
    def test_no_columns_and_no_rows(self, conn, query, format):
        with conn.cursor().copy(f"copy ({query}) to stdout (format {format})") as copy:
            rows = [row for row in copy.rows()]
        assert rows == ([(), ()] if "from" in query else [])

    def test_half_of_a_short_one(self, conn):
        with conn.cursor().copy("copy (select generate_series(1, 100)) to stdout") as copy:
            copy.read()
        assert status(conn) == TransactionStatus.INTRANS

    @pytest.mark.parametrize("raises", [False, True])
    def test_half_of_a_long_one(self, conn, raises):
        conn.set_autocommit(True)
        try:
            with conn.cursor().copy(MANY) as copy:
                copy.read()
                if raises:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            assert raises
        assert status(conn) == TransactionStatus.IDLE
        assert conn.execute("select 7").fetchone() == (7,)

    def test_an_error_in_the_middle(self, conn):
        query = "copy (select 1 / (1000 - n) from generate_series(1, 1000) n) to stdout"
        count = 0
        with pytest.raises(errors.DivisionByZero):
            with conn.cursor().copy(query) as copy:
                for _ in copy:
                    count += 1
        assert count == 999


class TestStatement:
    @pytest.mark.parametrize(
        "statement",
        [
            "select 1",
            "",
            "select 1; copy (select 1) to stdout",
            "copy (select 1) to stdout; select 1",
            "copy copied from stdin; select 1",
            "copy copied from stdin; copy copied from stdin",
        ],
    )
    def test_refused(self, conn, table, statement):
        with pytest.raises(psycopg3.ProgrammingError, match="one statement"):
            with conn.cursor().copy(statement) as copy:
                if "to stdout" in statement:
                    assert [bytes(block) for block in copy] == [b"1\n"]
        assert not conn.lock.locked()
        conn.rollback()

    def test_the_servers_error(self, conn):
        with pytest.raises(errors.UndefinedTable):
            with conn.cursor().copy("copy missing from stdin"):
                pytest.fail("entered")
        conn.rollback()

    def test_parameters(self, conn):
        query = "copy (select %s, %s::text, '%%') to stdout"
        with conn.cursor().copy(query, [1, "it's $1 and %s"]) as copy:
            assert copy.read_row() == ("1", "it's $1 and %s", "%")
        query = "copy (select %(b)s::text, %(a)s, %(b)s::text) to stdout"
        with conn.cursor().copy(query, {"a": -1, "b": "\\"}) as copy:
            assert copy.read_row() == ("\\", "-1", "\\")

    def test_used_once(self, conn):
        copy = conn.cursor().copy("copy (select 1) to stdout")
        with pytest.raises(psycopg3.ProgrammingError, match="not begun"):
            copy.read()
        with copy:
            pass
        with pytest.raises(TypeError):
            with copy:
                pass
        with pytest.raises(psycopg3.ProgrammingError, match="over"):
            copy.read()

    def test_the_other_direction(self, conn, table):
        with conn.cursor().copy("copy (select 1) to stdout") as copy:
            with pytest.raises(psycopg3.ProgrammingError, match="reads from the server"):
                copy.write("1\n")
            with pytest.raises(psycopg3.ProgrammingError, match="reads from the server"):
                copy.write_row([1])
        with conn.cursor().copy("copy copied from stdin") as copy:
            with pytest.raises(psycopg3.ProgrammingError, match="writes to the server"):
                copy.read()

    def test_the_connection_is_held(self, conn):
        with conn.cursor().copy("copy (select 1) to stdout"):
            with pytest.raises(psycopg3.ProgrammingError, match="COPY"):
                conn.execute("select 1")
        assert conn.execute("select 7").fetchone() == (7,)


class TestWriter:
    def test_one_of_ones_own(self, conn):
        class Kept(Writer):
            data, ended = b"", []

            def write(self, data):
                self.data += data

            def finish(self, exc=None):
                self.ended.append(exc)

        kept = Kept()
        with psycopg3.Copy(conn.cursor(), writer=kept) as copy:
            copy.write_row((1, "a\t", None))
        assert (kept.data, kept.ended) == (b"1\ta\\t\t\\N\n", [None])
