"""Misc: the field's names for records and texts around libpq."""

from __future__ import annotations

import os

from psycopg3 import pq
from psycopg3.pq import misc


def test_summary(dsn: str) -> None:
    conn = pq.PGconn.connect(f"{dsn} password=sesame".encode())
    shown = misc.connection_summary(conn)
    assert shown.startswith("[IDLE] (host=")
    assert shown.endswith(f"database={conn.db.decode()})")
    assert "sesame" not in shown
    conn.exec_(b"begin")
    assert misc.connection_summary(conn).startswith("[INTRANS] (")
    conn.enter_pipeline_mode()
    assert misc.connection_summary(conn).startswith("[INTRANS, pipeline=ON] (")
    conn.finish()
    assert misc.connection_summary(conn) == "[BAD]"


def test_error_message(pgconn: pq.PGconn) -> None:
    result = pgconn.exec_(b"wrong")
    assert pq.error_message(result).startswith('syntax error at or near "wrong"')
    assert pq.error_message(pgconn) == pq.error_message(result)
    if pq.version() >= 170000:
        assert pq.error_message(pgconn.cancel_conn())


def test_error_message_in_another_encoding(pgconn: pq.PGconn) -> None:
    pgconn.exec_(b"set client_encoding to latin1")
    result = pgconn.exec_("é".encode("latin1"))
    assert "é" in pq.error_message(result, "latin1")
    assert "é" in pq.error_message(pgconn, encoding="latin1")


def test_libpq_itself() -> None:
    assert misc.get_compiled_port().isdigit()
    path = misc.find_libpq_full_path()
    assert path
    assert "libpq" in os.path.basename(path)
