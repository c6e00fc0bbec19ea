"""Forked children disown every connection of their parent, whatever fails with one of them."""

from __future__ import annotations

import weakref

import pytest

from psycopg3.concurrency import forks


class Inherited:
    def __init__(self, failure=None):
        self.failure, self.disowned = failure, False

    def _forget(self):
        self.disowned = True
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def others(monkeypatch):
    """Nothing that this process really has open is disowned."""
    monkeypatch.setattr(forks, "_open", weakref.WeakSet())


def test_a_failure_stops_nobody(others):
    failures = [ValueError("one"), OSError("two")]
    sessions = [Inherited(), *map(Inherited, failures), Inherited()]
    for session in sessions:
        forks.register(session)
    with pytest.raises(ExceptionGroup) as raised:
        forks._forget_all()
    assert all(session.disowned for session in sessions)
    assert set(raised.value.exceptions) == set(failures)
    forks._forget_all()


def test_nothing_is_raised_if_nothing_failed(others):
    session = Inherited()
    forks.register(session)
    forks._forget_all()
    assert session.disowned
