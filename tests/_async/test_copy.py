"""AsyncCopy: data in blocks and rows, from and to the client; and what ends it."""

from __future__ import annotations

import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.copy import AsyncWriter
from psycopg3.pq import TransactionStatus

pytestmark = pytest.mark.anyio

FORMATS = ["text", "binary"]
MANY = "copy (select repeat('x', 1000) from generate_series(1, 1000000)) to stdout"
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
