# Generated from tests/_async/test_turns.py by `python tools/unasync.py`: edit that file, not this one.
"""Turns: a connection held for several requests; and pipelines entered by hand."""

from __future__ import annotations

import ctypes
import itertools
import sys
from pathlib import Path

import pytest

import psycopg3
from psycopg3 import errors
from psycopg3.generators import execute_gen
from psycopg3.pq import TransactionStatus
from psycopg3.query import command
from psycopg3.waiting import Wait
from tests.marks import counts_references

pytestmark = pytest.mark.anyio

ORDERS = list(itertools.permutations(range(3)))


def value(pending):
    return pending.results[0].get_value(0, 0)


class TestHeld:
    def test_several_requests(self, conn):
        with conn._turn() as turn:
            turn.begin()
            first = turn.ask(command(b"select 1"))
            second = turn.ask(command(b"select 2"))
        assert (value(first), value(second)) == (b"1", b"2")
        assert conn.pgconn.transaction_status == TransactionStatus.INTRANS
        assert not conn.lock.locked()

    def test_its_holder_goes_on_by_it_alone(self, conn):
        with conn._turn() as turn:
            with pytest.raises(psycopg3.ProgrammingError, match="already in use"):
                conn.execute("select 1")
            assert value(turn.ask(command(b"select 1"))) == b"1"

    def test_an_error_of_the_body_costs_nothing(self, conn):
        with pytest.raises(ZeroDivisionError):
            with conn._turn() as turn:
                turn.ask(command(b"select 1"))
                raise ZeroDivisionError
        cur = conn.execute("select 2")
        assert cur.fetchone() == (2,)

    def test_left_in_the_middle_of_a_copy(self, conn):
        with pytest.raises(ZeroDivisionError):
            with conn._turn() as turn:
                turn.ask(command(b"copy (select generate_series(1, 50000)) to stdout"))
                raise ZeroDivisionError
        cur = conn.execute("select 2")
        assert cur.fetchone() == (2,)

    def test_its_timeout_is_of_all_together(self, conn):
        with pytest.raises(errors.QueryTimeout):
            with conn._turn(0.3) as turn:
                for _ in range(10):
                    turn.ask(command(b"select pg_sleep(0.1)"))
        cur = conn.execute("select 2")
        assert cur.fetchone() == (2,)


class TestWait:
    """`wait()`: generators of the user's own, over the connection's descriptor."""

    def test_value(self, conn):
        (result,) = conn.wait(execute_gen(conn.pgconn, b"select 7"))
        assert result.get_value(0, 0) == b"7"

    def test_interrupted(self, conn):
        def gen():
            conn.pgconn.flush()
            yield conn.fileno(), Wait.R
            raise ZeroDivisionError

        conn.pgconn.send_query(b"select 1 from pg_sleep(0.05); select pg_sleep(30)")
        with pytest.raises(ZeroDivisionError):
            conn.wait(gen())
        cur = conn.execute("select 2")
        assert cur.fetchone() == (2,)


class TestPipeline:
    """A pipeline that was entered by hand: results and errors find their cursors."""

    @pytest.fixture
    def piped(self, conn):
        conn._exchange.enter()
        yield conn
        if not conn.closed and conn._exchange.pipelined:
            self.leave(conn)

    def leave(self, conn):
        conn._run(conn._exchange.leave_gen())

    @pytest.mark.parametrize("order", ORDERS)
    def test_results_in_any_order(self, piped, order):
        curs = [piped.execute("select %s::int, 'x'", [i]) for i in range(3)]
        assert piped.pgconn.transaction_status == TransactionStatus.ACTIVE
        for i in order:
            assert curs[i].fetchall() == [(i, "x")]

    @pytest.mark.parametrize("order", ORDERS)
    def test_errors_to_their_owners(self, piped, order):
        queries = ["select 1", "select 1/0", "select 3"]
        curs = [piped.execute(query) for query in queries]
        expected = [None, errors.DivisionByZero, errors.PipelineAborted]
        for i in order:
            if (error := expected[i]) is None:
                assert curs[i].fetchone() == (1,)
            else:
                with pytest.raises(error):
                    curs[i].fetchone()
        self.leave(piped)
        assert piped.pgconn.transaction_status == TransactionStatus.INERROR
        piped.rollback()

    def test_results_after_it_was_left(self, piped):
        curs = [piped.execute("select %s::int", [i]) for i in range(3)]
        self.leave(piped)
        assert [cur.fetchone() for cur in reversed(curs)] == [(2,), (1,), (0,)]

    def test_what_is_owed_is_received(self, piped):
        made = "select * from generate_series(1, 3)"
        cur = piped.execute(made)
        assert cur.description is cur.pgresult is cur.nextset() is None
        assert cur.rowcount == -1
        cur.scroll(1)
        assert cur.fetchone() == (2,)
        assert cur.rowcount == 3 and len(cur.description) == 1
        cur = piped.execute(made)
        assert [row for row in cur] == [(1,), (2,), (3,)]
        cur = piped.execute(made)
        assert cur.fetchmany(2) == [(1,), (2,)]
        cur = piped.execute(made).set_result(0)
        assert cur.fetchone() == (1,)
        cur = piped.execute(made)
        assert [each.fetchall() for each in cur.results()] == [[(1,), (2,), (3,)]]

    def test_one_begin(self, piped):
        """It is sent once, although libpq doesn't know of it until the pipeline ends."""
        told = []
        piped.add_notice_handler(told.append)
        first = piped.execute("select txid_current()")
        second = piped.execute("select txid_current()")
        assert second.fetchone() == first.fetchone()
        self.leave(piped)
        assert piped.pgconn.transaction_status == TransactionStatus.INTRANS
        third = piped.execute("select txid_current()")
        assert third.fetchone() == (first.set_result(0) and first.fetchone())
        assert told == []

    def test_a_transaction_that_was_begun_before(self, conn):
        conn.execute("select 1")
        told = []
        conn.add_notice_handler(told.append)
        conn._exchange.enter()
        cur = conn.execute("select 2")
        assert cur.fetchone() == (2,)
        self.leave(conn)
        assert told == []

    def test_commit_and_rollback(self, piped):
        piped.execute("create temp table t (n int) on commit preserve rows")
        piped.execute("insert into t values (1)")
        piped.commit()
        piped.execute("insert into t values (2)")
        piped.rollback()
        cur = piped.execute("select n from t")
        assert cur.fetchall() == [(1,)]

    def test_blocks(self, piped):
        piped.execute("create temp table t (n int) on commit preserve rows")
        piped.commit()
        with piped.transaction():
            piped.execute("insert into t values (1)")
            with pytest.raises(ZeroDivisionError):
                with piped.transaction():
                    piped.execute("insert into t values (2)")
                    raise ZeroDivisionError
        cur = piped.execute("select n from t")
        assert cur.fetchall() == [(1,)]

    @pytest.mark.parametrize("count", [3, 2000])
    def test_executemany_stays_inside(self, piped, count):
        before = piped.execute("select 1")
        cur = piped.cursor()
        cur.executemany("select %s::int", [(i,) for i in range(count)], returning=True)
        after = piped.execute("select 2")
        assert piped._exchange.pipelined
        assert [each.fetchone() for each in cur.results()] == [(i,) for i in range(count)]
        assert cur.rowcount == count
        assert after.fetchone() == (2,)
        assert before.fetchone() == (1,)

    def test_a_bad_parameter_leaves_it(self, piped):
        first = piped.execute("select 1")
        with pytest.raises(psycopg3.ProgrammingError):
            piped.execute("select %s", [object()])
        with pytest.raises(psycopg3.ProgrammingError):
            piped.cursor().executemany("select %s", [(1,), (object(),)])
        second = piped.execute("select 2")
        assert second.fetchone() == (2,)
        assert first.fetchone() == (1,)

    def test_an_interruption_ends_it(self, piped):
        slow = piped.execute("select pg_sleep(30)")
        later = piped.execute("select 1")
        piped.cursor().close()
        piped.command_timeout = 0.2
        with pytest.raises(errors.QueryTimeout):
            slow.fetchone()
        piped.command_timeout = None
        with pytest.raises(psycopg3.Error):
            later.fetchone()
        assert not piped._exchange.pipelined
        piped.rollback()
        cur = piped.execute("select 2")
        assert cur.fetchone() == (2,)

    def test_what_it_refuses(self, piped):
        for refused in (lambda: piped.set_autocommit(True), piped.reset):
            with pytest.raises(psycopg3.ProgrammingError, match="pipeline"):
                refused()
        with pytest.raises(psycopg3.ProgrammingError, match="pipeline"):
            piped.notifies(timeout=0).__next__()


@counts_references
@pytest.mark.skipif(sys.platform != "linux", reason="memory is told by Linux and its C library")
@pytest.mark.parametrize("how", ["close", "del", "another"])
def test_results_live_as_long_as_their_cursor(conn, how):
    """Nothing of the connection's holds them: 80 MB once outlived their cursor."""
    before = resident()
    cur = conn.execute("select repeat('x', 1000) from generate_series(1, 80000)")
    assert resident() > before + 60
    if how == "close":
        cur.close()
    elif how == "another":
        cur.execute("select 1")
    else:
        del cur
    assert resident() < before + 20


def resident():
    """The memory of this process, in MB, without what the C library keeps for later."""
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
