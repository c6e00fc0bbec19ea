"""Characteristics: the statement that opens a transaction; their properties in both worlds."""

from __future__ import annotations

import pickle

import pytest

import psycopg3
from psycopg3 import IsolationLevel
from psycopg3.session.characteristics import Characteristics


def begin(*given):
    return Characteristics.of(*given).begin_command()


def test_begin():
    assert begin(None, None, None) == b"BEGIN"
    assert begin(1, None, None) == b"BEGIN ISOLATION LEVEL READ UNCOMMITTED"
    assert begin(3, False, None) == b"BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE"
    assert begin(None, True, False) == b"BEGIN READ ONLY NOT DEFERRABLE"
    assert begin(4, 1, "yes") == b"BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE"


def test_over():
    base = Characteristics.of(4, True, None)
    assert Characteristics().over(base) == base
    assert Characteristics.of(None, False, True).over(base) == Characteristics.of(4, False, True)


def test_false_is_said():
    assert not Characteristics().given
    assert Characteristics.of(None, False, None).given


def test_levels():
    assert [int(level) for level in IsolationLevel] == [1, 2, 3, 4]
    assert IsolationLevel.SERIALIZABLE == 4
    assert IsolationLevel.__module__ == "psycopg3"
    level = IsolationLevel.REPEATABLE_READ
    assert pickle.loads(pickle.dumps(level)) is level


NEW = [("isolation_level", 4), ("read_only", True), ("deferrable", True)]


@pytest.mark.parametrize("name, value", NEW)
def test_properties_are_assigned(dsn, name, value):
    with psycopg3.connect(dsn) as conn:
        setattr(conn, name, value)
        assert getattr(conn, name) == value
        conn.execute("select 1")
        with pytest.raises(psycopg3.ProgrammingError, match=f"can't change {name} now"):
            setattr(conn, name, None)
        conn.rollback()
        setattr(conn, name, None)
        assert getattr(conn, name) is None


@pytest.mark.anyio
@pytest.mark.parametrize("name, value", NEW)
async def test_properties_are_not_assigned(dsn, name, value):
    async with await psycopg3.connect_async(dsn) as conn:
        with pytest.raises(AttributeError, match=rf"await conn\.set_{name}\("):
            setattr(conn, name, value)
        assert getattr(conn, name) is None
