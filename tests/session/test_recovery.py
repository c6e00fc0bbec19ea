"""Interruptions and what they need."""

from __future__ import annotations

from psycopg3 import errors
from psycopg3.session.recovery import needs_cancel


def test_what_needs_a_cancel_request() -> None:
    assert needs_cancel(KeyboardInterrupt())
    assert needs_cancel(ZeroDivisionError())
    assert needs_cancel(errors.QueryTimeout("too late"))
    assert needs_cancel(errors.DataError("a parameter of executemany()"))
    assert not needs_cancel(errors.lookup("23505")("a duplicate"))
