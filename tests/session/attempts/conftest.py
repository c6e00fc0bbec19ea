"""Fixtures of the tests of attempts: listeners, names."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import ExitStack

import pytest

from tests import listeners
from tests.listeners import Listener
from tests.session.attempts.places import (
    Names,
)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """No variables of libpq's: but the tests' user can't be found out by each."""
    for name in list(os.environ):
        if name.startswith("PG"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PGUSER", "me")


@pytest.fixture
def listen():
    """Makes listeners; all end with the test."""
    with ExitStack() as stack:
        yield lambda *args: stack.enter_context(Listener(*args))


@pytest.fixture
def refused():
    """A port that refuses connections."""
    with listeners.refusing() as port:
        yield port


@pytest.fixture
def names(monkeypatch):
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    yield names
    names.hangs.set()
    # Their descriptors must not go in the middle of the next test.
    for thread in names.threads - {threading.current_thread()}:
        thread.join(5)
