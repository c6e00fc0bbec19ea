# Generated from tests/_async/test_copy.py by `python tools/unasync.py`: edit that file, not this one.
"""Copy: data in blocks and rows, from and to the client; and what ends it."""

from __future__ import annotations

import gc
import weakref

import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.copy import Writer
from psycopg3.pq import TransactionStatus
from tests.marks import counts_references

pytestmark = pytest.mark.anyio

FORMATS = ["text", "binary"]
MANY = "copy (select repeat('x', 1000) from generate_series(1, 1000000)) to stdout"
HEADER = b"PGCOPY\n\xff\r\n" + bytes(9)
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


BINARY = "copy copied from stdin (format binary)"


def whole(conn):
    """A binary stream of two rows, the last value of which is NULL: it is ff ff ff ff."""
    query = "copy (values (1, 'a'::text), (2, null)) to stdout (format binary)"
    with conn.cursor().copy(query) as copy:
        return b"".join([bytes(block) for block in copy])


class TestNothingIsLostWithoutAWord:
    @pytest.mark.parametrize("size", [1, 3, 1000])
    def test_a_binary_stream_in_pieces(self, conn, table, size):
        data = whole(conn)
        with conn.cursor().copy(BINARY) as copy:
            for at in range(0, len(data), size):
                copy.write(data[at : at + size])
        assert found(conn) == [(1, "a"), (2, None)]

    @pytest.mark.parametrize("size", [1, 3, 1000])
    def test_one_that_was_cut_between_two_rows(self, conn, table, size):
        data = whole(conn).removesuffix(b"\xff\xff")
        with pytest.raises(psycopg3.DataError, match="trailer"):
            with conn.cursor().copy(BINARY) as copy:
                for at in range(0, len(data), size):
                    copy.write(data[at : at + size])
        conn.rollback()
        assert found(conn) == []

    def test_one_of_a_header_alone(self, conn, table):
        with pytest.raises(psycopg3.DataError, match="trailer"):
            with conn.cursor().copy(BINARY) as copy:
                copy.write(HEADER)
        conn.rollback()

    def test_one_behind_another(self, conn, table):
        data = whole(conn)
        with pytest.raises(psycopg3.DataError, match="trailer"):
            with conn.cursor().copy(BINARY) as copy:
                copy.write(data)
                copy.write(data)
        conn.rollback()

    def test_text_in_a_binary_one(self, conn, table):
        with pytest.raises(psycopg3.DataError, match="no binary COPY"):
            with conn.cursor().copy(BINARY) as copy:
                copy.write(b"1\ta\n" * 10)
        conn.rollback()
        with pytest.raises(TypeError):
            with conn.cursor().copy(BINARY) as copy:
                copy.write("1\ta\n")
        conn.rollback()

    def test_rows_and_blocks_of_a_binary_one(self, conn, table):
        with pytest.raises(psycopg3.ProgrammingError, match="mixed"):
            with conn.cursor().copy(BINARY) as copy:
                copy.write_row((1, "a"))
                copy.write(HEADER)
        conn.rollback()

    @pytest.mark.parametrize("mark", ["\\.\n", "\\.\r\n"])
    @pytest.mark.parametrize("size", [1, 2, 1000])
    def test_a_line_that_ends_the_text(self, conn, table, mark, size):
        end = mark.removeprefix("\\.")
        rows = f"1\ta{end}"
        data = rows + mark + rows
        with pytest.raises(psycopg3.DataError, match="would be lost"):
            with conn.cursor().copy("copy copied from stdin") as copy:
                for at in range(0, len(data), size):
                    copy.write(data[at : at + size])
        conn.rollback()
        with conn.cursor().copy("copy copied from stdin") as copy:
            copy.write(rows + mark)
        assert found(conn) == [(1, "a")]

    def test_what_looks_like_it(self, conn, table):
        data = "1\t\\\\.\n2\t\\\\\\\\.\n3\t.\n"
        with conn.cursor().copy("copy copied from stdin") as copy:
            for character in data:
                copy.write(character)
        assert found(conn) == [(1, "\\."), (2, "\\\\."), (3, ".")]

    @pytest.mark.parametrize("size", [1, 2, 3, 1000])
    def test_a_line_that_ends_csv(self, conn, table, size):
        def write(data, options="csv"):
            conn.execute("truncate copied")
            with conn.cursor().copy(f"copy copied (b) from stdin {options}") as copy:
                for at in range(0, len(data), size):
                    copy.write(data[at : at + size])
            return [b for _, b in found(conn)]

        assert write('"x\n\\.\ny"\n"a""\n\\.\n"\n') == ["x\n\\.\ny", 'a"\n\\.\n']
        assert write("!\n\\.\n!\n", "csv quote '!'") == ["\n\\.\n"]
        if conn.info.server_version >= 180000:
            assert write('"a"\n\\.\nb\n') == ["a", "\\.", "b"]
        else:
            with pytest.raises(psycopg3.DataError, match="would be lost"):
                write('"a"\n\\.\nb\n')
            conn.rollback()
            assert write('"a"\n\\.\n') == ["a"]

    @pytest.mark.parametrize(
        "options",
        [
            "csv",
            "(format csv)",
            "(delimiter ',')",
            "with null 'x'",
            "(header)",
            "(null '', header)",
        ],
    )
    def test_rows_of_another_format(self, conn, table, options):
        with pytest.raises(psycopg3.NotSupportedError, match="option"):
            with conn.cursor().copy(f"copy copied from stdin {options}") as copy:
                copy.write_row((1, "a"))
        conn.rollback()
        with pytest.raises(psycopg3.NotSupportedError, match="option"):
            with conn.cursor().copy(f"copy copied to stdout {options}") as copy:
                copy.read_row()
        conn.rollback()

    def test_options_that_change_nothing(self, conn, table):
        options = "(format 'text', delimiter E'\\t', null '\\N', header false)"
        with conn.cursor().copy(f"copy copied from stdin {options}") as copy:
            copy.write_row((1, None))
        assert found(conn) == [(1, None)]

    @pytest.mark.parametrize("options", ["(encoding 'LATIN1')", "encoding 'iso-8859-1'"])
    def test_an_encoding_of_its_own(self, conn, table, options):
        with conn.cursor().copy(f"copy copied from stdin {options}") as copy:
            copy.write_row((1, "é"))
            copy.write("2\tè\n")
        assert found(conn) == [(1, "é"), (2, "è")]
        with conn.cursor().copy(f"copy copied to stdout {options}") as copy:
            assert bytes(copy.read()) == b"1\t\xe9\n"
            assert copy.read_row() == ("2", "è")

    @pytest.mark.parametrize("encoding", ["SJIS", "BIG5", "GBK", "EUC_JP", "UTF8"])
    def test_bytes_that_look_like_backslashes(self, conn, table, encoding):
        text = {"SJIS": "表\\ソ\t", "BIG5": "功\\許\t", "GBK": "乗\\\t"}.get(encoding, "表\\\t")
        conn.execute(f"set client_encoding to {encoding}")
        with conn.cursor().copy("copy copied from stdin") as copy:
            copy.write_row((1, text))
        with conn.cursor().copy("copy copied to stdout") as copy:
            assert [row for row in copy.rows()] == [("1", text)]
        conn.execute("set client_encoding to UTF8")
        assert found(conn) == [(1, text)]

    def test_characters_that_the_encoding_lacks(self, conn, table):
        with pytest.raises(psycopg3.DataError):
            with conn.cursor().copy("copy copied from stdin (encoding 'LATIN1')") as copy:
                copy.write_row((1, "表"))
        conn.rollback()

    def test_in_a_pipeline(self, conn):
        with conn._turn():
            conn._exchange.enter()
        with pytest.raises(psycopg3.NotSupportedError, match="pipeline"):
            with conn.cursor().copy("copy (select 1) to stdout"):
                pytest.fail("entered")


class TestTypesOfTheTable:
    def test_numbers(self, conn):
        conn.execute("create temp table wide (a int8, b int2, c float8, d numeric, e text)")
        cur = conn.cursor()
        with cur.copy("copy wide from stdin (format binary)") as copy:
            copy.write_row((1, 2, 3, 4, "e"))
        with cur.copy('copy pg_temp.wide (e, "a") from stdin (format binary)') as copy:
            copy.write_row(("f", 2**40))
        cur.execute("select * from wide")
        assert cur.fetchall() == [(1, 2, 3.0, 4, "e"), (2**40, None, None, None, "f")]

    def test_a_wrong_value(self, conn, table):
        with pytest.raises(psycopg3.DataError, match="column 1: 'x' of type str .* int4"):
            with conn.cursor().copy(BINARY) as copy:
                copy.write_row(("x", "a"))
        conn.rollback()

    def test_text_where_the_binary_form_is_another(self, conn):
        # Of as many bytes as the type's, it would be another value.
        conn.execute("create temp table sums (a money, b regclass)")
        conn.commit()
        for values in ("12345.67", None), (None, "abcd"), (None, 1259), (None, ["x"]):
            with pytest.raises(psycopg3.ProgrammingError, match="in binary format: send text"):
                with conn.cursor().copy("copy sums from stdin (format binary)") as copy:
                    copy.write_row(values)
            conn.rollback()
        with conn.cursor().copy("copy sums from stdin (format binary)") as copy:
            copy.write_row((b"\0\0\0\0\0\0\0\1", None))
        cur = conn.execute("select a::numeric * 100 from sums")
        assert cur.fetchone() == (1,)

    def test_a_dumper_of_ones_own(self, conn, table):
        class Celsius(int):
            pass

        class CelsiusDumper(psycopg3.adapt.Dumper):
            format, oid = psycopg3.pq.Format.BINARY, 23

            def dump(self, obj):
                return (obj + 273).to_bytes(4, "big") if obj > -273 else None

        conn.adapters.register_dumper(Celsius, CelsiusDumper)
        with conn.cursor().copy(BINARY) as copy:
            copy.write_rows([(Celsius(1), "a"), (Celsius(-300), "b")])
        assert found(conn) == [(274, "a"), (None, "b")]


class TestWholeCopies:
    def test_records(self, conn):
        conn.execute(
            "create type pg_temp.mood as enum ('sad'); create domain pg_temp.tall as int4;"
            'create temp table "odd, Name" (id int generated always as identity, "a b" pg_temp.tall,'
            " m pg_temp.mood, j jsonb, twice int generated always as (1) stored)"
        )
        told = []
        records = [(n, "sad", {"n": n}) for n in range(3)]
        count = conn.copy_records(
            "odd, Name",
            records,
            columns=["a b", "m", "j"],
            where='"a b" > 0',
            progress=lambda *args: told.append(args),
        )
        assert (count, told[-1][0]) == (2, 2)
        cur = conn.execute('select "a b", m::text, j from "odd, Name"')
        assert cur.fetchall() == records[1:]

    def test_records_that_come_one_by_one(self, conn, table):
        def come():
            for n in range(3):
                yield n, None

        assert conn.copy_records(("pg_temp", "copied"), come()) == 3

    def test_types_that_are_written_in_text_alone(self, conn):
        values = ["'a'", ["'a'"], "$5.00", "pg_class", "1:2:"]
        conn.execute(
            "create temp table copied (a tsvector, b tsvector[], c money, d regclass, e pg_snapshot)"
        )
        conn.copy_records("copied", [values])
        cur = conn.execute("select a, b, c::numeric, d, e from copied")
        assert cur.fetchall() == [("'a'", ["'a'"], 5, "pg_class", "1:2:")]

    def test_to_and_from_files(self, conn, table, tmp_path):
        conn.copy_records("copied", ROWS)
        path = tmp_path / "data"
        for options in ({}, {"format": "csv", "header": True}, {"format": "binary"}):
            assert conn.copy_to("copied", path, **options) == 5
            conn.execute("truncate copied")
            assert conn.copy_from("copied", str(path), **options) == 5
            with path.open("rb") as file:
                assert conn.copy_from("copied", file, where="a = 1", **options) == 1
            assert found(conn) == [*ROWS, ROWS[0]]
            conn.execute("delete from copied where ctid = '(0,6)'")

    def test_a_query(self, conn):
        blocks = []
        count = conn.copy_to(
            "select %s, 'a;b'", blocks.append, [1], format="csv", delimiter=";", force_quote=True
        )
        assert (count, blocks) == (1, [b'"1";"a;b"\n'])

    def test_iterables(self, conn, table):
        def come():
            yield "1\ta\n"
            yield b"2\tb\n"

        assert conn.copy_from("copied", come()) == 2
        assert conn.copy_from("copied", ["3\tc", "\n"], columns=["a", "b"]) == 1
        assert conn.copy_from("copied", b"", columns=["a"]) == 0
        assert found(conn) == [(1, "a"), (2, "b"), (3, "c")]

    def test_from_one_connection_to_another(self, conn, other, table):
        conn.copy_records("copied", ROWS)
        other.execute("create temp table copied (a int, b text)")
        for format in FORMATS:
            with (
                conn.cursor().copy(f"copy copied to stdout (format {format})") as source,
                other.cursor().copy(f"copy copied from stdin (format {format})") as target,
            ):
                for block in source:
                    target.write(block)
        assert found(other) == ROWS * 2

    @pytest.mark.parametrize(
        ("target", "options"),
        [("copied", {"x y": 1}), ("copied", {"columns": "ab"}), ("select 1", {"columns": ["a"]})],
    )
    def test_refused(self, conn, table, target, options):
        with pytest.raises(psycopg3.ProgrammingError):
            conn.copy_to(target, [].append, **options)
        with pytest.raises(psycopg3.ProgrammingError):
            conn.copy_from("copied", 7)
        with pytest.raises(psycopg3.ProgrammingError):
            conn.copy_to("copied", 7)

    def test_names_and_values_are_quoted(self, conn):
        with pytest.raises(errors.UndefinedTable, match='t" from x'):
            conn.copy_from('t" from x', b"")
        conn.rollback()
        with pytest.raises(errors.DatabaseError, match="x'y"):
            conn.copy_to("pg_class", [].append, format="x'y")
        conn.rollback()


class TestLimits:
    def test_a_timeout(self, conn):
        conn.set_autocommit(True)
        with pytest.raises(errors.QueryTimeout):
            with conn.cursor().copy(MANY, timeout=0.1) as copy:
                while True:
                    copy.read()
        assert status(conn) == TransactionStatus.IDLE

    def test_a_timeout_of_what_never_waits(self, conn, table):
        with pytest.raises(errors.QueryTimeout):
            with conn.cursor().copy("copy copied from stdin", timeout=0.1) as copy:
                while True:
                    copy.write_row((1, "a"))
        conn.rollback()
        assert found(conn) == []

    def test_progress_may_end_it(self, conn, table):
        def enough(rows, size):
            if size > 3_000_000:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            with conn.cursor().copy("copy copied from stdin", progress=enough) as copy:
                while True:
                    copy.write("1\ta\n" * 10000)
        conn.rollback()

    def test_large_values(self, conn, table):
        text = "x" * 10_000_000
        with conn.cursor().copy("copy copied from stdin") as copy:
            copy.write_row((1, text))
        with conn.cursor().copy("copy copied to stdout") as copy:
            assert copy.read_row() == ("1", text)


class TestHeld:
    def test_by_a_generator_that_is_dropped(self, conn):
        """It is closed by another task than the one that it ran in, or when it is collected."""

        def numbers():
            with conn.cursor().copy(MANY) as copy:
                for row in copy.rows():
                    yield row

        conn.set_autocommit(True)
        dropped = numbers()
        for row in dropped:
            assert len(row) == 1
            break
        dropped.close()
        assert not conn.lock.locked()
        if not conn.closed:
            assert conn.execute("select 7").fetchone() == (7,)

    def test_and_dropped_itself(self, conn):
        conn.set_autocommit(True)
        copy = conn.cursor().copy(MANY)
        copy.__enter__()
        copy.read()
        assert conn.lock.locked()
        del copy
        gc.collect()
        assert not conn.lock.locked()
        assert conn.execute("select 7").fetchone() == (7,)

    def test_and_closed_inside(self, conn):
        with pytest.raises(psycopg3.OperationalError):
            with conn.cursor().copy(MANY) as copy:
                conn.close()
                copy.read()
        assert conn.closed

    def test_the_connection_is_lost(self, conn, other, table):
        pid = conn.info.backend_pid
        with pytest.raises(errors.AdminShutdown):
            with conn.cursor().copy("copy copied from stdin") as copy:
                other.execute("select pg_terminate_backend(%s)", [pid])
                while True:
                    copy.write("1\ta\n" * 10000)
        assert conn.broken

    def test_frees_its_cursor(self, conn, table):
        cur = conn.cursor()
        with pytest.raises(ZeroDivisionError):
            with cur.copy("copy copied from stdin") as copy:
                raise ZeroDivisionError
        copied = weakref.ref(copy)
        del copy
        if counts_references:
            assert copied() is None
        conn.rollback()
        cur.execute("select 7")
        assert cur.fetchone() == (7,)
