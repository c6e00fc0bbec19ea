"""Requests to cancel over links of connectors."""

from __future__ import annotations

import time

import pytest

import psycopg3
from psycopg3 import AsyncConnection, errors
from psycopg3.dialing import adoption
from tests._async.connector.checks import (
    is_cancelled,
    one,
)
from tests.connectors import tasks

pytestmark = pytest.mark.anyio


class TestCancel:
    @pytest.mark.parametrize("sort", ["plain", "relayed"])
    async def test_by_somebody_else(self, opens, params, sort):
        for kind in tasks.kinds(sort):
            connector = tasks.connector(opens, kind)
            async with await AsyncConnection.connect(**params, connector_factory=connector) as conn:

                async def cancel(conn=conn):
                    await tasks.pause(0.2)
                    await conn.cancel_safe()

                join = await tasks.start(cancel)
                begin = time.monotonic()
                with pytest.raises(errors.QueryCanceled):
                    await conn.execute("select pg_sleep(20)")
                assert time.monotonic() - begin < 3
                await join()
                assert await one(conn, "select 1") == 1

    async def test_after_the_reserved_address_is_given_up(self, opens, params, monkeypatch):
        monkeypatch.setattr(adoption, "_shared", None)
        async with await AsyncConnection.connect(
            **params, connector_factory=tasks.connector(opens)
        ) as conn:
            conn._route.reservation.close()
            assert await is_cancelled(conn)

    async def test_a_connector_that_fails_at_it(self, opens, params, caplog):
        def open(host, port):
            if len(opens.asked) > 0:
                raise RuntimeError("no more")
            return opens(host, port)

        connector = tasks.connector(open)
        params["sslmode"] = "disable"
        async with await AsyncConnection.connect(
            **params, cancel_timeout=0.6, connector_factory=connector
        ) as conn:
            with pytest.raises(RuntimeError, match="no more"):
                await conn.cancel_safe()
            # It ends by itself in time: the connection lives on.
            with pytest.raises(errors.QueryTimeout):
                await conn.execute("select pg_sleep(0.5)", timeout=0.2)
            assert await one(conn, "select 1") == 1
            with pytest.raises(errors.QueryTimeout):
                await conn.execute("select pg_sleep(20)", timeout=0.2)
            assert conn.broken
        assert "no more" in caplog.text

    async def test_a_connector_that_is_slow_at_it(self, opens, params):
        quick, slow = tasks.connector(opens), tasks.hanging(1.5)

        async def connector(*args, **kwargs):
            if opens.asked:
                return await slow(*args, **kwargs)
            return await quick(*args, **kwargs)

        params["sslmode"] = "disable"
        async with await AsyncConnection.connect(
            **params, cancel_timeout=0.4, connector_factory=connector
        ) as conn:
            with pytest.raises(errors.CancellationTimeout):
                await conn.cancel_safe(timeout=0.2)
            begin = time.monotonic()
            with pytest.raises(errors.QueryTimeout):
                await conn.execute("select pg_sleep(20)", timeout=0.2)
            assert time.monotonic() - begin < 1.2
            assert conn.broken

    async def test_an_os_error(self, opens, params):
        def open(host, port):
            if opens.asked:
                raise ConnectionRefusedError("gone")
            return opens(host, port)

        params["sslmode"] = "disable"
        async with await AsyncConnection.connect(
            **params, connector_factory=tasks.connector(open)
        ) as conn:
            with pytest.raises(psycopg3.OperationalError, match="could not be delivered: gone"):
                await conn.cancel_safe()
