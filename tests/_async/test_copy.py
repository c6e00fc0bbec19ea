"""AsyncCopy: data in blocks and rows, from and to the client; and what ends it."""

from __future__ import annotations

import gc
import weakref

import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.copy import AsyncWriter
from psycopg3.pq import TransactionStatus
from tests.marks import counts_references

pytestmark = pytest.mark.anyio

FORMATS = ["text", "binary"]
MANY = "copy (select repeat('x', 1000) from generate_series(1, 1000000)) to stdout"
HEADER = b"PGCOPY\n\xff\r\n" + bytes(9)
ROWS = [(1, "a\tb\\c\n\r\v\f\b"), (None, None), (-3, r"\N"), (4, r"\."), (5, "")]


@pytest.fixture
async def table(conn):
    await conn.execute("create temp table copied (a int, b text)")
    await conn.commit()
    return "copied"


async def found(conn):
    return await (await conn.execute("select * from copied order by ctid")).fetchall()


def status(conn):
    return conn.pgconn.transaction_status


class TestIn:
    @pytest.mark.parametrize("format", FORMATS)
    async def test_rows(self, conn, table, format):
        cur = conn.cursor()
        async with cur.copy(f"copy copied from stdin (format {format})") as copy:
            copy.set_types(["int4", "text"])
            for row in ROWS:
                await copy.write_row(row)
        assert (cur.rowcount, cur.statusmessage) == (5, "COPY 5")
        assert await found(conn) == ROWS

    async def test_blocks(self, conn, table):
        cur = conn.cursor()
        async with cur.copy("copy copied from stdin") as copy:
            for block in ("1\tü\n2", b"\ty\n", bytearray(b""), memoryview(b"3\tz\n")):
                await copy.write(block)
            await copy.write_row((4, "w"))
        assert await found(conn) == [(1, "ü"), (2, "y"), (3, "z"), (4, "w")]

    @pytest.mark.parametrize("format", FORMATS)
    async def test_nothing(self, conn, table, format):
        cur = conn.cursor()
        async with cur.copy(f"copy copied from stdin (format {format})"):
            pass
        assert cur.rowcount == 0

    async def test_an_exception_undoes_it(self, conn, table):
        with pytest.raises(ZeroDivisionError):
            async with conn.cursor().copy("copy copied from stdin") as copy:
                await copy.write_row((1, "a"))
                raise ZeroDivisionError
        assert status(conn) == TransactionStatus.INERROR
        await conn.rollback()
        assert await found(conn) == []

    async def test_the_servers_error(self, conn, table):
        with pytest.raises(errors.InvalidTextRepresentation):
            async with conn.cursor().copy("copy copied from stdin") as copy:
                await copy.write_row(("x", "a"))
        assert status(conn) == TransactionStatus.INERROR

    async def test_a_bad_row_leaves_nothing_behind(self, conn, table):
        async with conn.cursor().copy("copy copied from stdin (format binary)") as copy:
            copy.set_types(["int4", "text"])
            await copy.write_row((1, "a"))
            with pytest.raises(psycopg3.DataError):
                await copy.write_row((2**40, "b"))
            with pytest.raises(psycopg3.DataError):
                await copy.write_row((2,))
            await copy.write_row((3, "c"))
        assert await found(conn) == [(1, "a"), (3, "c")]


class TestOut:
    async def test_rows(self, conn):
        cur = conn.cursor()
        async with cur.copy("copy (values (1, 'a\\b'), (2, null)) to stdout") as copy:
            assert [len(column) for column in cur.description] == [7, 7]
            assert [row async for row in copy.rows()] == [("1", "a\\b"), ("2", None)]
            assert await copy.read_row() is None
            assert await copy.read() == b""
        assert (cur.rowcount, cur.statusmessage) == (2, "COPY 2")

    async def test_rows_in_binary(self, conn):
        cur = conn.cursor()
        async with cur.copy("copy (values (1, null)) to stdout (format binary)") as copy:
            assert [row async for row in copy.rows()] == [(b"\0\0\0\1", None)]
        assert cur.rowcount == 1

    @pytest.mark.parametrize("format", FORMATS)
    async def test_types(self, conn, format):
        query = f"copy (select 1, 'ü'::text, array[1, 2]) to stdout (format {format})"
        async with conn.cursor().copy(query) as copy:
            copy.set_types([23, "text", "int4[]"])
            assert [row async for row in copy.rows()] == [(1, "ü", [1, 2])]

    async def test_blocks(self, conn):
        async with conn.cursor().copy("copy (values (1), (2)) to stdout") as copy:
            assert [bytes(block) async for block in copy] == [b"1\n", b"2\n"]

    @pytest.mark.parametrize("query", ["select from generate_series(1, 2)", "select 1 where false"])
    @pytest.mark.parametrize("format", FORMATS)
    async def test_no_columns_and_no_rows(self, conn, query, format):
        async with conn.cursor().copy(f"copy ({query}) to stdout (format {format})") as copy:
            rows = [row async for row in copy.rows()]
        assert rows == ([(), ()] if "from" in query else [])

    async def test_half_of_a_short_one(self, conn):
        async with conn.cursor().copy("copy (select generate_series(1, 100)) to stdout") as copy:
            await copy.read()
        assert status(conn) == TransactionStatus.INTRANS

    @pytest.mark.parametrize("raises", [False, True])
    async def test_half_of_a_long_one(self, conn, raises):
        await conn.set_autocommit(True)
        try:
            async with conn.cursor().copy(MANY) as copy:
                await copy.read()
                if raises:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            assert raises
        assert status(conn) == TransactionStatus.IDLE
        assert await (await conn.execute("select 7")).fetchone() == (7,)

    async def test_an_error_in_the_middle(self, conn):
        query = "copy (select 1 / (1000 - n) from generate_series(1, 1000) n) to stdout"
        count = 0
        with pytest.raises(errors.DivisionByZero):
            async with conn.cursor().copy(query) as copy:
                async for _ in copy:
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
    async def test_refused(self, conn, table, statement):
        with pytest.raises(psycopg3.ProgrammingError, match="one statement"):
            async with conn.cursor().copy(statement) as copy:
                if "to stdout" in statement:
                    assert [bytes(block) async for block in copy] == [b"1\n"]
        assert not conn.lock.locked()
        await conn.rollback()

    async def test_the_servers_error(self, conn):
        with pytest.raises(errors.UndefinedTable):
            async with conn.cursor().copy("copy missing from stdin"):
                pytest.fail("entered")
        await conn.rollback()

    async def test_parameters(self, conn):
        query = "copy (select %s, %s::text, '%%') to stdout"
        async with conn.cursor().copy(query, [1, "it's $1 and %s"]) as copy:
            assert await copy.read_row() == ("1", "it's $1 and %s", "%")
        query = "copy (select %(b)s::text, %(a)s, %(b)s::text) to stdout"
        async with conn.cursor().copy(query, {"a": -1, "b": "\\"}) as copy:
            assert await copy.read_row() == ("\\", "-1", "\\")

    async def test_used_once(self, conn):
        copy = conn.cursor().copy("copy (select 1) to stdout")
        with pytest.raises(psycopg3.ProgrammingError, match="not begun"):
            await copy.read()
        async with copy:
            pass
        with pytest.raises(TypeError):
            async with copy:
                pass
        with pytest.raises(psycopg3.ProgrammingError, match="over"):
            await copy.read()

    async def test_the_other_direction(self, conn, table):
        async with conn.cursor().copy("copy (select 1) to stdout") as copy:
            with pytest.raises(psycopg3.ProgrammingError, match="reads from the server"):
                await copy.write("1\n")
            with pytest.raises(psycopg3.ProgrammingError, match="reads from the server"):
                await copy.write_row([1])
        async with conn.cursor().copy("copy copied from stdin") as copy:
            with pytest.raises(psycopg3.ProgrammingError, match="writes to the server"):
                await copy.read()

    async def test_the_connection_is_held(self, conn):
        async with conn.cursor().copy("copy (select 1) to stdout"):
            with pytest.raises(psycopg3.ProgrammingError, match="COPY"):
                await conn.execute("select 1")
        assert await (await conn.execute("select 7")).fetchone() == (7,)


class TestWriter:
    async def test_one_of_ones_own(self, conn):
        class Kept(AsyncWriter):
            data, ended = b"", []

            async def write(self, data):
                self.data += data

            async def finish(self, exc=None):
                self.ended.append(exc)

        kept = Kept()
        async with psycopg3.AsyncCopy(conn.cursor(), writer=kept) as copy:
            await copy.write_row((1, "a\t", None))
        assert (kept.data, kept.ended) == (b"1\ta\\t\t\\N\n", [None])


BINARY = "copy copied from stdin (format binary)"


async def whole(conn):
    """A binary stream of two rows, the last value of which is NULL: it is ff ff ff ff."""
    query = "copy (values (1, 'a'::text), (2, null)) to stdout (format binary)"
    async with conn.cursor().copy(query) as copy:
        return b"".join([bytes(block) async for block in copy])


class TestNothingIsLostWithoutAWord:
    @pytest.mark.parametrize("size", [1, 3, 1000])
    async def test_a_binary_stream_in_pieces(self, conn, table, size):
        data = await whole(conn)
        async with conn.cursor().copy(BINARY) as copy:
            for at in range(0, len(data), size):
                await copy.write(data[at : at + size])
        assert await found(conn) == [(1, "a"), (2, None)]

    @pytest.mark.parametrize("size", [1, 3, 1000])
    async def test_one_that_was_cut_between_two_rows(self, conn, table, size):
        data = (await whole(conn)).removesuffix(b"\xff\xff")
        with pytest.raises(psycopg3.DataError, match="trailer"):
            async with conn.cursor().copy(BINARY) as copy:
                for at in range(0, len(data), size):
                    await copy.write(data[at : at + size])
        await conn.rollback()
        assert await found(conn) == []

    async def test_one_of_a_header_alone(self, conn, table):
        with pytest.raises(psycopg3.DataError, match="trailer"):
            async with conn.cursor().copy(BINARY) as copy:
                await copy.write(HEADER)
        await conn.rollback()

    async def test_one_behind_another(self, conn, table):
        data = await whole(conn)
        with pytest.raises(psycopg3.DataError, match="trailer"):
            async with conn.cursor().copy(BINARY) as copy:
                await copy.write(data)
                await copy.write(data)
        await conn.rollback()

    async def test_text_in_a_binary_one(self, conn, table):
        with pytest.raises(psycopg3.DataError, match="no binary COPY"):
            async with conn.cursor().copy(BINARY) as copy:
                await copy.write(b"1\ta\n" * 10)
        await conn.rollback()
        with pytest.raises(TypeError):
            async with conn.cursor().copy(BINARY) as copy:
                await copy.write("1\ta\n")
        await conn.rollback()

    async def test_rows_and_blocks_of_a_binary_one(self, conn, table):
        with pytest.raises(psycopg3.ProgrammingError, match="mixed"):
            async with conn.cursor().copy(BINARY) as copy:
                await copy.write_row((1, "a"))
                await copy.write(HEADER)
        await conn.rollback()

    @pytest.mark.parametrize("mark", ["\\.\n", "\\.\r\n"])
    @pytest.mark.parametrize("size", [1, 2, 1000])
    async def test_a_line_that_ends_the_text(self, conn, table, mark, size):
        end = mark.removeprefix("\\.")
        rows = f"1\ta{end}"
        data = rows + mark + rows
        with pytest.raises(psycopg3.DataError, match="would be lost"):
            async with conn.cursor().copy("copy copied from stdin") as copy:
                for at in range(0, len(data), size):
                    await copy.write(data[at : at + size])
        await conn.rollback()
        async with conn.cursor().copy("copy copied from stdin") as copy:
            await copy.write(rows + mark)
        assert await found(conn) == [(1, "a")]

    async def test_what_looks_like_it(self, conn, table):
        data = "1\t\\\\.\n2\t\\\\\\\\.\n3\t.\n"
        async with conn.cursor().copy("copy copied from stdin") as copy:
            for character in data:
                await copy.write(character)
        assert await found(conn) == [(1, "\\."), (2, "\\\\."), (3, ".")]

    @pytest.mark.parametrize("size", [1, 2, 3, 1000])
    async def test_a_line_that_ends_csv(self, conn, table, size):
        async def write(data, options="csv"):
            await conn.execute("truncate copied")
            async with conn.cursor().copy(f"copy copied (b) from stdin {options}") as copy:
                for at in range(0, len(data), size):
                    await copy.write(data[at : at + size])
            return [b for _, b in await found(conn)]

        assert await write('"x\n\\.\ny"\n"a""\n\\.\n"\n') == ["x\n\\.\ny", 'a"\n\\.\n']
        assert await write("!\n\\.\n!\n", "csv quote '!'") == ["\n\\.\n"]
        if conn.info.server_version >= 180000:
            assert await write('"a"\n\\.\nb\n') == ["a", "\\.", "b"]
        else:
            with pytest.raises(psycopg3.DataError, match="would be lost"):
                await write('"a"\n\\.\nb\n')
            await conn.rollback()
            assert await write('"a"\n\\.\n') == ["a"]

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
    async def test_rows_of_another_format(self, conn, table, options):
        with pytest.raises(psycopg3.NotSupportedError, match="option"):
            async with conn.cursor().copy(f"copy copied from stdin {options}") as copy:
                await copy.write_row((1, "a"))
        await conn.rollback()
        with pytest.raises(psycopg3.NotSupportedError, match="option"):
            async with conn.cursor().copy(f"copy copied to stdout {options}") as copy:
                await copy.read_row()
        await conn.rollback()

    async def test_options_that_change_nothing(self, conn, table):
        options = "(format 'text', delimiter E'\\t', null '\\N', header false)"
        async with conn.cursor().copy(f"copy copied from stdin {options}") as copy:
            await copy.write_row((1, None))
        assert await found(conn) == [(1, None)]

    @pytest.mark.parametrize("options", ["(encoding 'LATIN1')", "encoding 'iso-8859-1'"])
    async def test_an_encoding_of_its_own(self, conn, table, options):
        async with conn.cursor().copy(f"copy copied from stdin {options}") as copy:
            await copy.write_row((1, "é"))
            await copy.write("2\tè\n")
        assert await found(conn) == [(1, "é"), (2, "è")]
        async with conn.cursor().copy(f"copy copied to stdout {options}") as copy:
            assert bytes(await copy.read()) == b"1\t\xe9\n"
            assert await copy.read_row() == ("2", "è")

    @pytest.mark.parametrize("encoding", ["SJIS", "BIG5", "GBK", "EUC_JP", "UTF8"])
    async def test_bytes_that_look_like_backslashes(self, conn, table, encoding):
        text = {"SJIS": "表\\ソ\t", "BIG5": "功\\許\t", "GBK": "乗\\\t"}.get(encoding, "表\\\t")
        await conn.execute(f"set client_encoding to {encoding}")
        async with conn.cursor().copy("copy copied from stdin") as copy:
            await copy.write_row((1, text))
        async with conn.cursor().copy("copy copied to stdout") as copy:
            assert [row async for row in copy.rows()] == [("1", text)]
        await conn.execute("set client_encoding to UTF8")
        assert await found(conn) == [(1, text)]

    async def test_characters_that_the_encoding_lacks(self, conn, table):
        with pytest.raises(psycopg3.DataError):
            async with conn.cursor().copy("copy copied from stdin (encoding 'LATIN1')") as copy:
                await copy.write_row((1, "表"))
        await conn.rollback()

    async def test_in_a_pipeline(self, conn):
        async with conn._turn():
            conn._exchange.enter()
        with pytest.raises(psycopg3.NotSupportedError, match="pipeline"):
            async with conn.cursor().copy("copy (select 1) to stdout"):
                pytest.fail("entered")


class TestTypesOfTheTable:
    async def test_numbers(self, conn):
        await conn.execute("create temp table wide (a int8, b int2, c float8, d numeric, e text)")
        cur = conn.cursor()
        async with cur.copy("copy wide from stdin (format binary)") as copy:
            await copy.write_row((1, 2, 3, 4, "e"))
        async with cur.copy('copy pg_temp.wide (e, "a") from stdin (format binary)') as copy:
            await copy.write_row(("f", 2**40))
        await cur.execute("select * from wide")
        assert await cur.fetchall() == [(1, 2, 3.0, 4, "e"), (2**40, None, None, None, "f")]

    async def test_a_wrong_value(self, conn, table):
        with pytest.raises(psycopg3.DataError, match="column 1: 'x' of type str .* int4"):
            async with conn.cursor().copy(BINARY) as copy:
                await copy.write_row(("x", "a"))
        await conn.rollback()

    async def test_text_where_the_binary_form_is_another(self, conn):
        # Of as many bytes as the type's, it would be another value.
        await conn.execute("create temp table sums (a money, b regclass)")
        await conn.commit()
        for values in ("12345.67", None), (None, "abcd"), (None, 1259), (None, ["x"]):
            with pytest.raises(psycopg3.ProgrammingError, match="in binary format: send text"):
                async with conn.cursor().copy("copy sums from stdin (format binary)") as copy:
                    await copy.write_row(values)
            await conn.rollback()
        async with conn.cursor().copy("copy sums from stdin (format binary)") as copy:
            await copy.write_row((b"\0\0\0\0\0\0\0\1", None))
        cur = await conn.execute("select a::numeric * 100 from sums")
        assert await cur.fetchone() == (1,)

    async def test_a_dumper_of_ones_own(self, conn, table):
        class Celsius(int):
            pass

        class CelsiusDumper(psycopg3.adapt.Dumper):
            format, oid = psycopg3.pq.Format.BINARY, 23

            def dump(self, obj):
                return (obj + 273).to_bytes(4, "big") if obj > -273 else None

        conn.adapters.register_dumper(Celsius, CelsiusDumper)
        async with conn.cursor().copy(BINARY) as copy:
            await copy.write_rows([(Celsius(1), "a"), (Celsius(-300), "b")])
        assert await found(conn) == [(274, "a"), (None, "b")]


class TestWholeCopies:
    async def test_records(self, conn):
        await conn.execute(
            "create type pg_temp.mood as enum ('sad'); create domain pg_temp.tall as int4;"
            'create temp table "odd, Name" (id int generated always as identity, "a b" pg_temp.tall,'
            " m pg_temp.mood, j jsonb, twice int generated always as (1) stored)"
        )
        told = []
        records = [(n, "sad", {"n": n}) for n in range(3)]
        count = await conn.copy_records(
            "odd, Name",
            records,
            columns=["a b", "m", "j"],
            where='"a b" > 0',
            progress=lambda *args: told.append(args),
        )
        assert (count, told[-1][0]) == (2, 2)
        cur = await conn.execute('select "a b", m::text, j from "odd, Name"')
        assert await cur.fetchall() == records[1:]

    async def test_records_that_come_one_by_one(self, conn, table):
        async def come():
            for n in range(3):
                yield n, None

        assert await conn.copy_records(("pg_temp", "copied"), come()) == 3

    async def test_types_that_are_written_in_text_alone(self, conn):
        values = ["'a'", ["'a'"], "$5.00", "pg_class", "1:2:"]
        await conn.execute(
            "create temp table copied (a tsvector, b tsvector[], c money, d regclass, e pg_snapshot)"
        )
        await conn.copy_records("copied", [values])
        cur = await conn.execute("select a, b, c::numeric, d, e from copied")
        assert await cur.fetchall() == [("'a'", ["'a'"], 5, "pg_class", "1:2:")]

    async def test_to_and_from_files(self, conn, table, tmp_path):
        await conn.copy_records("copied", ROWS)
        path = tmp_path / "data"
        for options in ({}, {"format": "csv", "header": True}, {"format": "binary"}):
            assert await conn.copy_to("copied", path, **options) == 5
            await conn.execute("truncate copied")
            assert await conn.copy_from("copied", str(path), **options) == 5
            with path.open("rb") as file:
                assert await conn.copy_from("copied", file, where="a = 1", **options) == 1
            assert await found(conn) == [*ROWS, ROWS[0]]
            await conn.execute("delete from copied where ctid = '(0,6)'")

    async def test_a_query(self, conn):
        blocks = []
        count = await conn.copy_to(
            "select %s, 'a;b'", blocks.append, [1], format="csv", delimiter=";", force_quote=True
        )
        assert (count, blocks) == (1, [b'"1";"a;b"\n'])

    async def test_iterables(self, conn, table):
        async def come():
            yield "1\ta\n"
            yield b"2\tb\n"

        assert await conn.copy_from("copied", come()) == 2
        assert await conn.copy_from("copied", ["3\tc", "\n"], columns=["a", "b"]) == 1
        assert await conn.copy_from("copied", b"", columns=["a"]) == 0
        assert await found(conn) == [(1, "a"), (2, "b"), (3, "c")]

    async def test_from_one_connection_to_another(self, conn, other, table):
        await conn.copy_records("copied", ROWS)
        await other.execute("create temp table copied (a int, b text)")
        for format in FORMATS:
            async with (
                conn.cursor().copy(f"copy copied to stdout (format {format})") as source,
                other.cursor().copy(f"copy copied from stdin (format {format})") as target,
            ):
                async for block in source:
                    await target.write(block)
        assert await found(other) == ROWS * 2

    @pytest.mark.parametrize(
        ("target", "options"),
        [("copied", {"x y": 1}), ("copied", {"columns": "ab"}), ("select 1", {"columns": ["a"]})],
    )
    async def test_refused(self, conn, table, target, options):
        with pytest.raises(psycopg3.ProgrammingError):
            await conn.copy_to(target, [].append, **options)
        with pytest.raises(psycopg3.ProgrammingError):
            await conn.copy_from("copied", 7)
        with pytest.raises(psycopg3.ProgrammingError):
            await conn.copy_to("copied", 7)

    async def test_names_and_values_are_quoted(self, conn):
        with pytest.raises(errors.UndefinedTable, match='t" from x'):
            await conn.copy_from('t" from x', b"")
        await conn.rollback()
        with pytest.raises(errors.DatabaseError, match="x'y"):
            await conn.copy_to("pg_class", [].append, format="x'y")
        await conn.rollback()


class TestLimits:
    async def test_a_timeout(self, conn):
        await conn.set_autocommit(True)
        with pytest.raises(errors.QueryTimeout):
            async with conn.cursor().copy(MANY, timeout=0.1) as copy:
                while True:
                    await copy.read()
        assert status(conn) == TransactionStatus.IDLE

    async def test_a_timeout_of_what_never_waits(self, conn, table):
        with pytest.raises(errors.QueryTimeout):
            async with conn.cursor().copy("copy copied from stdin", timeout=0.1) as copy:
                while True:
                    await copy.write_row((1, "a"))
        await conn.rollback()
        assert await found(conn) == []

    async def test_progress_may_end_it(self, conn, table):
        def enough(rows, size):
            if size > 3_000_000:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            async with conn.cursor().copy("copy copied from stdin", progress=enough) as copy:
                while True:
                    await copy.write("1\ta\n" * 10000)
        await conn.rollback()

    async def test_large_values(self, conn, table):
        text = "x" * 10_000_000
        async with conn.cursor().copy("copy copied from stdin") as copy:
            await copy.write_row((1, text))
        async with conn.cursor().copy("copy copied to stdout") as copy:
            assert await copy.read_row() == ("1", text)


class TestHeld:
    async def test_by_a_generator_that_is_dropped(self, conn):
        """It is closed by another task than the one that it ran in, or when it is collected."""

        async def numbers():
            async with conn.cursor().copy(MANY) as copy:
                async for row in copy.rows():
                    yield row

        await conn.set_autocommit(True)
        dropped = numbers()
        async for row in dropped:
            assert len(row) == 1
            break
        await dropped.aclose()
        assert not conn.lock.locked()
        if not conn.closed:
            assert await (await conn.execute("select 7")).fetchone() == (7,)

    async def test_and_dropped_itself(self, conn):
        await conn.set_autocommit(True)
        copy = conn.cursor().copy(MANY)
        await copy.__aenter__()
        await copy.read()
        assert conn.lock.locked()
        del copy
        gc.collect()
        assert not conn.lock.locked()
        assert await (await conn.execute("select 7")).fetchone() == (7,)

    async def test_and_closed_inside(self, conn):
        with pytest.raises(psycopg3.OperationalError):
            async with conn.cursor().copy(MANY) as copy:
                await conn.close()
                await copy.read()
        assert conn.closed

    async def test_the_connection_is_lost(self, conn, other, table):
        pid = conn.info.backend_pid
        with pytest.raises(errors.AdminShutdown):
            async with conn.cursor().copy("copy copied from stdin") as copy:
                await other.execute("select pg_terminate_backend(%s)", [pid])
                while True:
                    await copy.write("1\ta\n" * 10000)
        assert conn.broken

    async def test_frees_its_cursor(self, conn, table):
        cur = conn.cursor()
        with pytest.raises(ZeroDivisionError):
            async with cur.copy("copy copied from stdin") as copy:
                raise ZeroDivisionError
        copied = weakref.ref(copy)
        del copy
        if counts_references:
            assert copied() is None
        await conn.rollback()
        await cur.execute("select 7")
        assert await cur.fetchone() == (7,)
