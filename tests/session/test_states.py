"""The tables are whole: every phase, operation and status has its row."""

from __future__ import annotations

import pytest

import psycopg3
from psycopg3.pq import ExecStatus, TransactionStatus
from psycopg3.session import states
from psycopg3.session.states import ALLOWED, MEANING, Operation, Phase


def test_every_phase_is_ruled():
    assert set(ALLOWED) == set(Phase)


def test_every_status_has_a_meaning():
    assert set(MEANING) == set(ExecStatus)


def test_every_transaction_status_is_a_phase():
    assert set(states._PHASE) == set(TransactionStatus)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("operation", Operation)
def test_what_is_not_allowed_is_refused_in_a_sentence(phase, operation):
    if operation in ALLOWED[phase]:
        states.check(phase, operation, "it")
        return
    expected = (
        psycopg3.OperationalError
        if phase in (Phase.CLOSED, Phase.LOST, Phase.INHERITED)
        else psycopg3.ProgrammingError
    )
    with pytest.raises(expected, match=r"\bit\b"):
        states.check(phase, operation, "it")


def test_no_sentence_without_use():
    for phase, operation in states.REFUSAL:
        assert operation not in ALLOWED[phase]


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (Operation.CHARACTERISTICS, "can't change it"),
        (Operation.BLOCK, "can't start it"),
        (Operation.EXECUTE, "can't do it"),
    ],
)
@pytest.mark.parametrize("phase", [Phase.ACTIVE, Phase.CLOSED, Phase.LOST, Phase.INHERITED])
def test_the_sentence_has_the_verb_of_the_operation(phase, operation, said):
    with pytest.raises(psycopg3.Error, match=f"^{said}"):
        states.check(phase, operation, "it")
