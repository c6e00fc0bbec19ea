"""Session: what it refuses, in words that fit what was asked."""

from __future__ import annotations

import pytest

import psycopg3


@pytest.fixture
def closed(dsn):
    conn = psycopg3.connect(dsn)
    conn.close()
    return conn


@pytest.mark.parametrize("name", ["autocommit", "isolation_level", "read_only", "deferrable"])
def test_setters_of_a_closed_connection(closed, name):
    with pytest.raises(psycopg3.OperationalError, match=f"^can't change {name}: the connection is"):
        setattr(closed, name, True)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda conn: conn.execute("select 1"), r"do execute\(\)"),
        (lambda conn: conn.cursor(), r"do cursor\(\)"),
        (lambda conn: conn.commit(), r"do commit\(\)"),
        (lambda conn: conn.notifies(), r"do notifies\(\)"),
        (lambda conn: conn.listen("ears", print), r"do listen\(\)"),
        (lambda conn: conn.unlisten("ears"), r"do unlisten\(\)"),
        (lambda conn: conn.fileno(), r"do fileno\(\)"),
        (lambda conn: conn.transaction().__enter__(), r"start transaction\(\)"),
    ],
)
def test_verbs_of_a_closed_connection(closed, call, said):
    with pytest.raises(psycopg3.OperationalError, match=f"^can't {said}: the connection is closed"):
        call(closed)


def test_verbs_of_a_lost_connection(dsn):
    with psycopg3.connect(dsn, autocommit=True) as other, psycopg3.connect(dsn) as conn:
        other.execute("select pg_terminate_backend(%s, 5000)", [conn.info.backend_pid])
        for _ in range(2):
            with pytest.raises(psycopg3.errors.AdminShutdown):
                conn.execute("select 1")


def test_the_settings_show_their_public_name(dsn):
    with psycopg3.connect(dsn) as conn:
        assert type(conn.info.settings) is psycopg3.ServerSettings
        assert repr(conn.info.settings).startswith("<psycopg3.ServerSettings")
