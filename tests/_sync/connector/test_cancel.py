# Generated from tests/_async/connector/test_cancel.py by `python tools/unasync.py`: edit that file, not this one.
"""Requests to cancel over links of connectors."""

from __future__ import annotations

import time

import pytest

import psycopg3
from psycopg3 import Connection, errors
from psycopg3.dialing import adoption
from tests._sync.connector.checks import (
    is_cancelled,
    one,
)
from tests.connectors import threads

pytestmark = pytest.mark.anyio


class TestCancel:
    @pytest.mark.parametrize("sort", ["plain", "relayed"])
    def test_by_somebody_else(self, opens, params, sort):
        for kind in threads.kinds(sort):
            connector = threads.connector(opens, kind)
            with Connection.connect(**params, connector_factory=connector) as conn:

                def cancel(conn=conn):
                    threads.pause(0.2)
                    conn.cancel_safe()

                join = threads.start(cancel)
                begin = time.monotonic()
                with pytest.raises(errors.QueryCanceled):
                    conn.execute("select pg_sleep(20)")
                assert time.monotonic() - begin < 3
                join()
                assert one(conn, "select 1") == 1

    def test_after_the_reserved_address_is_given_up(self, opens, params, monkeypatch):
        monkeypatch.setattr(adoption, "_shared", None)
        with Connection.connect(**params, connector_factory=threads.connector(opens)) as conn:
            conn._route.reservation.close()
            assert is_cancelled(conn)

    def test_a_connector_that_fails_at_it(self, opens, params, caplog):
        def open(host, port):
            if len(opens.asked) > 0:
                raise RuntimeError("no more")
            return opens(host, port)

        connector = threads.connector(open)
        params["sslmode"] = "disable"
        with Connection.connect(**params, cancel_timeout=0.6, connector_factory=connector) as conn:
            with pytest.raises(RuntimeError, match="no more"):
                conn.cancel_safe()
            # It ends by itself in time: the connection lives on.
            with pytest.raises(errors.QueryTimeout):
                conn.execute("select pg_sleep(0.5)", timeout=0.2)
            assert one(conn, "select 1") == 1
            with pytest.raises(errors.QueryTimeout):
                conn.execute("select pg_sleep(20)", timeout=0.2)
            assert conn.broken
        assert "no more" in caplog.text

    def test_a_connector_that_is_slow_at_it(self, opens, params):
        quick, slow = threads.connector(opens), threads.hanging(1.5)

        def connector(*args, **kwargs):
            if opens.asked:
                return slow(*args, **kwargs)
            return quick(*args, **kwargs)

        params["sslmode"] = "disable"
        with Connection.connect(**params, cancel_timeout=0.4, connector_factory=connector) as conn:
            with pytest.raises(errors.CancellationTimeout):
                conn.cancel_safe(timeout=0.2)
            begin = time.monotonic()
            with pytest.raises(errors.QueryTimeout):
                conn.execute("select pg_sleep(20)", timeout=0.2)
            assert time.monotonic() - begin < 1.2
            assert conn.broken

    def test_an_os_error(self, opens, params):
        def open(host, port):
            if opens.asked:
                raise ConnectionRefusedError("gone")
            return opens(host, port)

        params["sslmode"] = "disable"
        with Connection.connect(**params, connector_factory=threads.connector(open)) as conn:
            with pytest.raises(psycopg3.OperationalError, match="could not be delivered: gone"):
                conn.cancel_safe()
