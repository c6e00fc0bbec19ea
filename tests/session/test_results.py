"""The rows of a result as a cursor gives them: one by one, in part, all; and what may come between."""

from __future__ import annotations

import tracemalloc

import pytest

import psycopg3
from psycopg3 import rows
from psycopg3.adapt import Loader
from psycopg3.pq.binding import lib
from psycopg3.types.string import TextLoader


class TestOneByOne:
    """Rows are loaded some at a time: nobody may notice."""

    @pytest.mark.parametrize("count", [0, 1, 2, 3, 18, 19, 20, 1000, 1300])
    def test_all_come_in_order(self, conn, count):
        cur = conn.execute("select n, null from generate_series(1, %s) n", [count])
        seen = []
        for row in cur:
            seen.append(row)
            assert cur.rownumber == len(seen)
        assert seen == [(n, None) for n in range(1, count + 1)]
        assert cur.fetchone() is None and cur.rownumber == count

    def test_mixed_with_the_others(self, conn):
        cur = conn.execute("select generate_series(0, 99)")
        assert [next(cur), next(cur), cur.fetchone()] == [(0,), (1,), (2,)]
        assert cur.fetchmany(3) == [(3,), (4,), (5,)]
        assert next(cur) == (6,)
        cur.scroll(-4)
        assert [next(cur), next(cur)] == [(3,), (4,)]
        cur.scroll(90, mode="absolute")
        assert [row[0] for row in cur] == list(range(90, 100))
        cur.scroll(0, mode="absolute")
        for n, _ in enumerate(cur):
            if n == 50:
                break
        assert cur.fetchall() == [(n,) for n in range(51, 100)]

    def test_a_row_that_was_changed_is_loaded_anew(self, conn):
        cur = conn.execute("select array[n] from generate_series(0, 99) n")
        for _ in range(2):
            for n, (array,) in enumerate(cur):
                assert array == [n]
                array.append("mine")
            cur.scroll(0, mode="absolute")

    def test_a_value_that_cannot_be_loaded_fails_at_its_turn(self, conn):
        cur = conn.execute(
            "select case n when 30 then 'infinity' else '2026-01-01' end::date"
            " from generate_series(0, 99) n"
        )
        for _ in range(30):
            next(cur)
        for _ in range(2):
            with pytest.raises(psycopg3.DataError, match="infinity"):
                next(cur)
            assert cur.rownumber == 30
        cur.scroll(1)
        assert len(list(cur)) == 69

    def test_what_a_users_loader_raises_comes_at_its_turn(self, conn):
        class Odd(Loader):
            def load(self, data):
                if data == b"30":
                    raise KeyError("mine")
                return int(data)

        conn.adapters.register_loader("int4", Odd)
        cur = conn.execute("select generate_series(0, 99)")
        seen = []
        with pytest.raises(KeyError, match="mine"):
            for row in cur:
                seen.append(row)
        assert seen == [(n,) for n in range(30)]

    def test_a_row_factory_between(self, conn):
        cur = conn.execute("select n from generate_series(0, 99) n")
        for n in range(60):
            cur.row_factory = (rows.dict_row, rows.tuple_row, rows.scalar_row)[n % 3]
            assert next(cur) == ({"n": n}, (n,), n)[n % 3]

    def test_a_loader_between(self, conn):
        cur = conn.execute("select n from generate_series(0, 99) n")
        assert [next(cur) for _ in range(5)][-1] == (4,)
        cur.adapters.register_loader("int4", TextLoader)
        assert [next(cur), *cur.fetchmany(1)] == [("5",), ("6",)]
        assert list(cur) == [(str(n),) for n in range(7, 100)]

    def test_a_row_that_cannot_be_made_stays(self, conn):
        def make(values):
            if fails and values[0] == 20:
                raise ZeroDivisionError
            return values[0]

        fails = True
        cur = conn.cursor(row_factory=lambda cursor: make)
        cur.execute("select generate_series(0, 99)")
        for _ in range(20):
            next(cur)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                next(cur)
            assert cur.rownumber == 20
        fails = False
        assert list(cur) == list(range(20, 100))

    def test_a_cursor_closed_between(self, conn):
        cur = conn.execute("select generate_series(0, 99)")
        for _ in range(5):
            next(cur)
        cur.close()
        with pytest.raises(psycopg3.InterfaceError, match="closed"):
            next(cur)

    def test_large_rows_are_not_copied_many_at_once(self, conn):
        cur = conn.execute("select repeat('a', 1000000) from generate_series(1, 150)")
        tracemalloc.start()
        try:
            for _ in cur:
                pass
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 20e6


class TestRowFactories:
    def test_one_that_failed_is_asked_again(self, conn):
        def factory(cursor):
            if fails:
                raise ZeroDivisionError
            return list

        fails = True
        cur = conn.cursor(row_factory=factory)
        with pytest.raises(ZeroDivisionError):
            cur.execute("select generate_series(1, 3)")
        for fetch in (cur.fetchone, cur.fetchall, cur.fetchmany, lambda: next(cur)):
            with pytest.raises(ZeroDivisionError):
                fetch()
        fails = False
        assert cur.fetchone() == [1]
        assert cur.fetchall() == [[2], [3]]

    @pytest.mark.parametrize("attempts", [1, 2])
    def test_one_that_fetches_is_refused(self, conn, attempts):
        cur = conn.cursor(row_factory=lambda cursor: cursor.fetchall())
        with pytest.raises(psycopg3.InterfaceError, match="must not fetch"):
            cur.execute("select 1")
        with pytest.raises(psycopg3.InterfaceError, match="must not fetch"):
            cur.fetchone()


class TestAdapters:
    def test_a_cursor_has_those_of_when_it_was_made(self, conn):
        before = conn.cursor()
        conn.adapters.register_loader("int4", TextLoader)
        after = conn.cursor()
        assert before.execute("select 1").fetchone() == (1,)
        assert after.execute("select 1").fetchone() == ("1",)

    def test_a_cursors_own_concern_no_other(self, conn):
        first, second = conn.cursor(), conn.cursor()
        first.adapters.register_loader("int4", TextLoader)
        assert first.execute("select 1").fetchone() == ("1",)
        assert second.execute("select 1").fetchone() == (1,)
        assert conn.execute("select 1").fetchone() == (1,)

    def test_a_type_added_to_the_connection_is_known_to_later_cursors(self, conn):
        conn.cursor()
        info = psycopg3.types.TypeInfo("mine", 999_999, 0)
        conn.adapters.types.add(info)
        assert conn.cursor().adapters.types["mine"] is info

    def test_the_encoding_may_change_between_queries(self, conn):
        cur = conn.cursor()
        for encoding in ("latin1", "utf8", "latin1", "sql_ascii", "utf8"):
            cur.execute(f"set client_encoding to {encoding}")
            cur.execute(
                "select %s::text, 'é', %s", ["é", "x"] if encoding != "sql_ascii" else ["e", "x"]
            )
            expected = ("é", "é", "x") if encoding != "sql_ascii" else (b"e", "é".encode(), b"x")
            assert cur.fetchone() == expected


@pytest.fixture(scope="module")
def ascii_dsn(dsn):
    with psycopg3.connect(dsn, autocommit=True) as conn:
        conn.execute("create database bytes encoding sql_ascii template template0 locale 'C'")
        yield psycopg3.conninfo.make_conninfo(dsn, dbname="bytes")
        conn.execute("drop database bytes")


class TestEncodings:
    """One rule for all that the server sends: read in the encoding it was sent in, or replaced."""

    def test_names_in_sql_ascii(self, ascii_dsn):
        with psycopg3.connect(ascii_dsn) as conn:
            cur = conn.execute('select 1 as "caf\xe9", 2 as "é"'.encode("latin1"))
            names = ["caf\ufffd", "\ufffd"]
            assert [column.name for column in cur.description] == names
            cur.row_factory = rows.dict_row
            assert cur.fetchone() == dict(zip(names, (1, 2), strict=True))
            cur = conn.execute('select 2 as "é"')
            assert cur.description[0].name == "é"

    def test_names_in_an_encoding_that_python_lacks(self, conn):
        conn.execute("set client_encoding to euc_tw")
        cur = conn.cursor(row_factory=rows.dict_row)
        assert cur.execute("select 1 as one").fetchone() == {"one": 1}
        assert cur.description[0].name == "one"
        conn.execute("set client_encoding = utf8")
        assert conn.execute("select 'é'").fetchone() == ("é",)

    def test_notices_in_an_encoding_that_python_lacks(self, conn):
        told = []
        conn.add_notice_handler(told.append)
        conn.execute("set client_encoding to euc_tw")
        conn.execute(b"do $$ begin raise notice 'here'; end $$")
        assert [diag.message_primary for diag in told] == ["here"]

    def test_a_change_among_several_statements(self, conn):
        cur = conn.cursor(row_factory=rows.dict_row)
        cur.execute(
            "select 'é' as é; set client_encoding to latin1; select 'é' as é; select 'ü' as ü"
        )
        conn.execute("set client_encoding to utf8")
        for _ in range(2):
            for index, row in ((0, {"é": "é"}), (2, {"é": "é"}), (3, {"ü": "ü"})):
                cur.set_result(index)
                assert cur.fetchone() == row
                assert cur.description[0].name == next(iter(row))
        cur.set_result(0)
        assert cur.nextset() and cur.statusmessage == "SET"
        assert cur.nextset() and cur.fetchone() == {"é": "é"}

    def test_a_change_by_a_function(self, conn):
        cur = conn.execute("select set_config('client_encoding', 'LATIN1', false); select 'é'")
        assert cur.fetchone() == ("LATIN1",)
        assert cur.nextset() and cur.fetchone() == ("é",)

    def test_a_later_change(self, conn):
        """What was sent before is read as it was sent, also if loaders are looked up anew."""
        cur = conn.execute("select 'é' as é from generate_series(1, 2)")
        assert cur.adapters and cur.fetchone() == ("é",)
        conn.execute("set client_encoding to latin1")
        cur.adapters.register_loader("int4", TextLoader)
        cur.row_factory = rows.dict_row
        assert cur.fetchone() == {"é": "é"}


def test_a_status_of_a_newer_libpq(conn, monkeypatch):
    """It is an error of the driver's, not of Python's, and of that query alone."""
    with monkeypatch.context() as patch:
        patch.setattr(lib, "PQresultStatus", lambda pointer: 99)
        with pytest.raises(psycopg3.OperationalError):
            conn.execute("select 1")
        with pytest.raises(psycopg3.OperationalError):
            conn.cursor().executemany("select %s", [(1,), (2,)])
    assert conn.execute("select 1").fetchone() == (1,)


def test_a_row_factory_that_raises(conn):
    """It is asked again by the next fetch, and the result is still there."""
    asked = []

    def factory(cursor):
        asked.append(cursor.description[0].name)
        if len(asked) < 3:
            raise ZeroDivisionError
        return list

    cur = conn.cursor(row_factory=factory)
    with pytest.raises(ZeroDivisionError):
        cur.execute("select 1 as one; select 2 as two")
    with pytest.raises(ZeroDivisionError):
        cur.fetchone()
    assert cur.fetchone() == [1]
    assert cur.nextset() and cur.fetchall() == [[2]]
    assert asked == ["one", "one", "one", "two"]


def test_a_fetch_after_the_end(dsn):
    with psycopg3.connect(dsn) as conn:
        cur = conn.execute("select 1")
    for fetch in (cur.fetchone, cur.fetchall, cur.fetchmany, lambda: next(iter(cur))):
        with pytest.raises(
            psycopg3.OperationalError, match="^can't do a fetch: the connection is cl"
        ):
            fetch()
