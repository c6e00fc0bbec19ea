"""The exchange: each answer goes to its own question, whatever was interrupted before."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

import psycopg3
from psycopg3.generators import connect_gen
from psycopg3.pq import ExecStatus, TransactionStatus
from psycopg3.query import command
from psycopg3.session.exchange import Exchange
from psycopg3.waiting import wait_select


def asking(number):
    return command(b"select %d" % number if number is not None else b"select 1/0")


def ask(exchange, request):
    """Send a request, and receive its results unless a pipeline owes them."""
    request = command(request) if isinstance(request, bytes) else request
    pending = exchange.send(request)
    if not exchange.pipelined:
        wait_select(exchange.receive_gen(pending))
    return pending


def step(gen, times):
    """Drive a generator through `times` waits, then abandon it where it is."""
    from select import POLLIN, POLLOUT, poll

    try:
        fd, want = next(gen)
        for _ in range(times):
            p = poll()
            p.register(fd, (POLLIN if want & 1 else 0) | (POLLOUT if want & 2 else 0))
            p.poll(5000)
            fd, want = gen.send(want)
    except StopIteration as stop:
        return stop.value
    return None


def answer_of(pending):
    (result,) = pending.results
    if result.status == ExecStatus.TUPLES_OK:
        return int(result.get_value(0, 0))
    return ExecStatus(result.status)


@pytest.fixture
def exchange(dsn):
    exchange = Exchange(wait_select(connect_gen(dsn)))
    yield exchange
    exchange.pgconn.finish()


def test_plain(exchange):
    pending = ask(exchange, asking(7))
    assert pending.done and answer_of(pending) == 7
    assert not exchange.needs_drain


def test_a_query_that_is_not_sent_is_not_owed(exchange):
    exchange.pgconn.send_query(b"select 1")
    with pytest.raises(psycopg3.OperationalError, match="another command"):
        exchange.send(asking(2))
    assert not exchange.owed
    wait_select(exchange.drain_gen())
    assert answer_of(ask(exchange, asking(8))) == 8


def test_results_stay_with_the_pending_when_the_generator_dies(exchange):
    slow = b"select 1; select pg_sleep(0.3), 2"
    pending = exchange.send(command(slow))
    gen = exchange.receive_gen(pending)
    step(gen, 0)
    gen.close()
    wait_select(exchange.drain_gen())
    assert not pending.done
    assert answer_of(ask(exchange, asking(9))) == 9


def test_a_pipeline_owes(exchange):
    exchange.enter()
    pendings = [ask(exchange, asking(i)) for i in range(3)]
    wait_select(exchange.receive_gen(pendings[1]))
    assert [p.done for p in pendings] == [True, True, False]
    wait_select(exchange.leave_gen())
    assert [answer_of(p) for p in pendings] == [0, 1, 2]
    assert exchange.pgconn.transaction_status == TransactionStatus.IDLE


def test_a_pipeline_given_up_commits_nothing(exchange):
    ask(exchange, b"create temp table half (n int)")
    exchange.enter()
    ask(exchange, b"insert into half values (1)")
    wait_select(exchange.drain_gen())
    assert answer_of(ask(exchange, b"select count(*) from half")) == 0


def test_a_pipeline_that_was_synced_is_not_made_to_fail(exchange):
    """What was to be done as a whole, and sent as a whole, is done."""
    ask(exchange, b"create temp table whole (n int)")
    exchange.enter()
    pending = ask(exchange, b"insert into whole values (1)")
    gen = exchange.leave_gen()
    step(gen, 0)
    gen.close()
    wait_select(exchange.drain_gen())
    assert pending.results[0].command_status == b"INSERT 0 1"
    assert answer_of(ask(exchange, b"select count(*) from whole")) == 1


def test_settling_what_was_given_up_is_an_error(exchange):
    exchange.enter()
    pending = ask(exchange, asking(1))
    wait_select(exchange.drain_gen())
    with pytest.raises(psycopg3.OperationalError, match="given up"):
        wait_select(exchange.receive_gen(pending))


@pytest.mark.parametrize(
    "copy", ["copy (select generate_series(1, 50000)) to stdout", "copy half from stdin"]
)
@pytest.mark.parametrize("interrupted", [False, True])
def test_drain_ends_a_copy(exchange, copy, interrupted):
    ask(exchange, b"create temp table half (n int)")
    gen = exchange.receive_gen(exchange.send(command(copy.encode())))
    if interrupted:
        step(gen, 1)
    else:
        wait_select(gen)
    wait_select(exchange.drain_gen())
    assert answer_of(ask(exchange, asking(5))) == 5


def test_drain_reports_a_lost_connection(exchange, dsn):
    other = Exchange(wait_select(connect_gen(dsn)))
    step(exchange.receive_gen(exchange.send(command(b"select pg_sleep(60)"))), 0)
    ask(other, b"select pg_terminate_backend(%d)" % exchange.pgconn.backend_pid)
    other.pgconn.finish()
    # Either the FATAL is the command's result, and the drain ends with it, or the loss is raised.
    try:
        wait_select(exchange.drain_gen())
    except psycopg3.OperationalError:
        pass
    assert not exchange.needs_drain
    with pytest.raises(psycopg3.OperationalError):
        ask(exchange, asking(1))


class ExchangeMachine(RuleBasedStateMachine):
    """Random questions, plain and piped, with interruptions at random waits."""

    dsn: str

    def __init__(self):
        super().__init__()
        self.exchange = Exchange(wait_select(connect_gen(self.dsn)))
        self.asked = []  # (pending, number or None) of the open pipeline
        self.number = 0

    def teardown(self):
        self.exchange.pgconn.finish()

    def new(self):
        self.number += 1
        return self.number

    def verify(self, upto):
        failed = False
        for pending, number in self.asked[:upto]:
            if number == "sync":
                failed = False
                continue
            assert pending.done
            if failed:
                assert answer_of(pending) == ExecStatus.PIPELINE_ABORTED
            elif number is None:
                assert answer_of(pending) == ExecStatus.FATAL_ERROR
                failed = True
            else:
                assert answer_of(pending) == number

    @precondition(lambda self: not self.exchange.pipelined)
    @rule()
    def ask(self):
        number = self.new()
        assert answer_of(ask(self.exchange, asking(number))) == number

    @precondition(lambda self: not self.exchange.pipelined)
    @rule()
    def fail(self):
        pending = ask(self.exchange, asking(None))
        assert answer_of(pending) == ExecStatus.FATAL_ERROR

    @precondition(lambda self: not self.exchange.pipelined)
    @rule(waits=st.integers(0, 2), again=st.integers(0, 2))
    def interrupt(self, waits, again):
        self.number += 1
        gen = self.exchange.receive_gen(self.exchange.send(asking(self.number)))
        step(gen, waits)
        gen.close()
        self.drain(again)

    @precondition(lambda self: not self.exchange.pipelined)
    @rule()
    def enter(self):
        self.exchange.enter()
        self.asked = []

    @precondition(lambda self: self.exchange.pipelined)
    @rule(bad=st.booleans())
    def pipe(self, bad):
        number = None if bad else self.new()
        self.asked.append((ask(self.exchange, asking(number)), number))

    @precondition(lambda self: self.exchange.pipelined and self.asked)
    @rule(data=st.data())
    def settle(self, data):
        index = data.draw(st.integers(0, len(self.asked) - 1))
        pending, number = self.asked[index]
        if number != "sync":
            wait_select(self.exchange.receive_gen(pending))
            self.verify(index + 1)

    @precondition(lambda self: self.exchange.pipelined)
    @rule()
    def sync(self):
        wait_select(self.exchange.receive_gen(self.exchange.sync()))
        self.asked.append((None, "sync"))
        self.verify(len(self.asked))

    @precondition(lambda self: self.exchange.pipelined)
    @rule()
    def leave(self):
        wait_select(self.exchange.leave_gen())
        self.verify(len(self.asked))

    @precondition(lambda self: self.exchange.pipelined)
    @rule(
        waits=st.integers(0, 2),
        how=st.sampled_from(["settle", "sync", "leave"]),
        again=st.integers(0, 2),
    )
    def interrupt_pipeline(self, waits, how, again):
        if how == "settle" and self.asked and self.asked[-1][1] != "sync":
            gen = self.exchange.receive_gen(self.asked[-1][0])
        else:
            leave, exchange = how == "leave", self.exchange
            gen = exchange.leave_gen() if leave else exchange.receive_gen(exchange.sync())
        step(gen, waits)
        gen.close()
        self.drain(again)
        self.asked = []

    def drain(self, again):
        """Drain, after interrupting the drain itself `again` times."""
        for waits in range(again):
            gen = self.exchange.drain_gen()
            step(gen, waits)
            gen.close()
        wait_select(self.exchange.drain_gen())
        assert not self.exchange.needs_drain
        assert self.exchange.pgconn.transaction_status == TransactionStatus.IDLE


def test_state_machine(dsn):
    class Machine(ExchangeMachine):
        pass

    Machine.dsn = dsn
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
