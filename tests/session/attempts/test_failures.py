"""Attempts: what is told of those that fail, and for how long they are made."""

from __future__ import annotations

import gc
import logging
import weakref

import pytest

import psycopg3
from psycopg3 import OperationalError, errors
from psycopg3.conninfo import make_conninfo
from psycopg3.session.attempts import Attempts
from psycopg3.waiting import wait_select
from tests import listeners
from tests.marks import counts_references
from tests.session.attempts.places import (
    LOCAL,
    descriptors,
    hurried,
    new_since,
    open_place,
    open_port,
    settles,
)


class TestFailure:
    def test_of_one_is_libpq_s_own_word(self, refused):
        params = {"host": LOCAL, "port": refused}
        theirs = psycopg3.pq.PGconn.connect(make_conninfo(**params).encode())
        with pytest.raises(OperationalError) as caught:
            open_place(**params)
        assert str(caught.value) == theirs.get_error_message()
        assert "no connection after" not in str(caught.value)

    def test_of_a_name_is_libpq_s_own_word(self, refused, names):
        names.addresses["db.example"] = ["127.0.0.1"]
        with pytest.raises(OperationalError) as caught:
            open_place(host="db.example", port=refused)
        # As where libpq looks up the name itself.
        assert f'server at "db.example" (127.0.0.1), port {refused} failed' in str(caught.value)

    def test_of_several(self, listen, names, refused, monkeypatch):
        hurried(monkeypatch)
        names.addresses["db.example"] = ["127.0.0.1", "127.0.0.2"]
        full = listen(listeners.failing("53300", "sorry, too many clients already")).port
        silent = listen(listeners.mute).port
        with pytest.raises(errors.ConnectionTimeout) as caught:
            open_place(
                host=["db.example", "nowhere.example", "", LOCAL, LOCAL],
                hostaddr=["", "", LOCAL, "", ""],
                port=[refused, 5432, refused, full, silent],
                password="s3cret",
            )
        head, *rest = str(caught.value).split("\n- ")
        assert head == "no connection after 6 attempts:"
        places, reasons = zip(*(item.split(": ", 1) for item in rest), strict=True)
        assert list(places) == [
            f"host=db.example hostaddr=127.0.0.1 port={refused}",
            f"host=db.example hostaddr=127.0.0.2 port={refused}",
            "host=nowhere.example port=5432",
            f"hostaddr=127.0.0.1 port={refused}",
            f"host=127.0.0.1 port={full}",
            f"host=127.0.0.1 port={silent}",
        ]
        assert "Connection refused" in reasons[0]
        assert "Connection refused" in reasons[1]
        assert "Name or service not known" in reasons[2]
        assert "Connection refused" in reasons[3]
        assert "too many clients" in reasons[4]
        assert "did not answer in time" in reasons[5]
        assert "s3cret" not in str(caught.value)

    def test_of_a_host_listed_twice(self, listen, refused):
        full = listen(listeners.failing("53300", "sorry, too many clients already"))
        with pytest.raises(OperationalError) as caught:
            open_place(host=[LOCAL] * 3, port=[refused, full.port, refused])
        head, *rest = str(caught.value).split("\n- ")
        assert head == "no connection after 3 attempts:"
        ports = [item.split(": ", 1)[0] for item in rest]
        assert ports == [f"host={LOCAL} port={port}" for port in (refused, full.port, refused)]
        with pytest.raises(OperationalError, match="after 2 attempts"):
            open_place(host=[LOCAL] * 2, port=full.port)
        assert full.taken == 3

    def test_of_a_second_pass(self, listen, names, refused):
        """What is asked again is told once, in its place, by the second answer."""
        turns = iter([listeners.primary, listeners.failing("53300", "too many clients")])
        changing = listen(lambda sock: next(turns)(sock))
        names.addresses["db.example"] = [LOCAL, "127.0.0.2"]
        with pytest.raises(OperationalError) as caught:
            open_place(
                host=["nowhere.example", "db.example", LOCAL],
                port=[refused, refused, changing.port],
                target_session_attrs="prefer-standby",
            )
        head, *rest = str(caught.value).split("\n- ")
        assert head == "no connection after 4 attempts:"
        assert rest[0].startswith("host=nowhere.example")
        for text, address in zip(rest[1:3], [LOCAL, "127.0.0.2"], strict=True):
            assert text.startswith(f"host=db.example hostaddr={address} port={refused}: ")
        assert rest[3].startswith(f"host={LOCAL} port={changing.port}: ")
        assert "too many clients" in rest[3]
        assert "hot standby" not in rest[3]

    def test_class_is_that_of_the_last(self, listen, refused, monkeypatch):
        hurried(monkeypatch)
        silent = listen(listeners.mute).port
        with pytest.raises(OperationalError) as caught:
            open_place(host=[LOCAL] * 2, port=[silent, refused])
        assert type(caught.value) is OperationalError
        with pytest.raises(errors.ConnectionTimeout):
            open_place(host=[LOCAL] * 2, port=[refused, silent])

    def test_pgconn_tells_of_the_password(self, listen):
        told = []
        port = listen(listeners.asking_password(told)).port
        with pytest.raises(OperationalError) as caught:
            open_place(host=LOCAL, port=port)
        assert caught.value.pgconn.needs_password
        with pytest.raises(OperationalError) as caught:
            open_place(host=[LOCAL] * 2, port=port)
        assert caught.value.pgconn.needs_password

    @counts_references
    @pytest.mark.parametrize("count", [1, 2])
    def test_is_freed_without_the_collector(self, refused, count):
        gc.collect()
        gc.disable()
        try:
            try:
                open_place(host=[LOCAL] * count, port=refused)
            except OperationalError as ex:
                pgconn = weakref.ref(ex.pgconn)
            assert pgconn() is None
        finally:
            gc.enable()

    def test_it_ends(self, refused):
        gen = Attempts({"host": f"{LOCAL},{LOCAL}", "port": refused}).connect_gen()
        with pytest.raises(OperationalError):
            wait_select(gen)
        with pytest.raises(StopIteration):
            next(gen)

    def test_descriptors(self, listen, refused, names, monkeypatch):
        hurried(monkeypatch, 0.2)
        names.addresses["slow.example"] = "hangs"
        silent, broken = listen(listeners.mute), listen(listeners.reset)
        places = {
            "host": [LOCAL, "slow.example", LOCAL, LOCAL, "nowhere.example"],
            "port": [refused, refused, silent.port, broken.port, refused],
        }
        before = descriptors()
        with pytest.raises(OperationalError) as caught:
            open_place(**places)
        for listener in (silent, broken):
            assert listener.ended.acquire(timeout=5)
        names.hangs.set()
        assert settles(new_since(before), 0), caught.value


class TestWholeTime:
    """`timeout` of connect(): its error tells what was under way, and what had failed before."""

    @pytest.fixture(params=["threads", "tasks"])
    async def told(self, request, anyio_backend):
        """Connects within 0.3 seconds, which isn't to be done; returns the error's lines."""

        async def connect(**params):
            params |= {"sslmode": "disable", "gssencmode": "disable", "timeout": 0.3}
            with pytest.raises(errors.ConnectionTimeout) as caught:
                if request.param == "tasks":
                    await psycopg3.connect_async(**params)
                else:
                    psycopg3.connect(**params)
            return str(caught.value).splitlines()

        return connect

    @pytest.mark.anyio
    async def test_of_a_name(self, told, names):
        names.addresses["slow.example"] = "hangs"
        reason = (
            "no address of the host was found in time; check its name and the network, or raise the"
            " timeout"
        )
        assert await told(host="slow.example", port=1) == [
            f"no connection to host=slow.example port=1 within 0.3 seconds: {reason}"
        ]
        unknown = "no address of the host 'nowhere.example' was found: Name or service not known"
        assert await told(host="nowhere.example,slow.example", port=1) == [
            "no connection within 0.3 seconds, after 2 attempts:",
            f"- host=nowhere.example port=1: {unknown}",
            f"- host=slow.example port=1: {reason}",
        ]

    @pytest.mark.anyio
    async def test_of_an_address(self, told, names, listen):
        names.addresses["db.example"] = ["127.0.0.2", LOCAL]
        silent = listen(listeners.mute)
        head, *lines = await told(host="db.example", port=silent.port)
        assert head == "no connection within 0.3 seconds, after 2 attempts:"
        begin = f"- host=db.example hostaddr=127.0.0.2 port={silent.port}: connection to server"
        assert lines[0].startswith(begin)
        assert lines[-1] == (
            f"- host=db.example hostaddr={LOCAL} port={silent.port}: the server did not answer in"
            " time; check host and port, or raise the timeout"
        )

    @pytest.mark.anyio
    async def test_of_a_second_pass(self, told, listen, refused):
        turns = iter([listeners.primary, listeners.mute])
        changing = listen(lambda sock: next(turns)(sock))
        lines = await told(
            host=[LOCAL] * 2,
            port=[changing.port, refused],
            target_session_attrs="prefer-standby",
        )
        assert lines[0] == "no connection within 0.3 seconds, after 2 attempts:"
        assert lines[1].startswith(
            f"- host={LOCAL} port={changing.port}: the server did not answer"
        )
        assert lines[2].startswith(f"- host={LOCAL} port={refused}: connection to server")
        assert changing.taken == 2


class TestLog:
    def test_several(self, listen, refused, caplog):
        port = listen(listeners.primary).port
        with caplog.at_level(logging.DEBUG, "psycopg3"):
            open_port(host=[LOCAL] * 2, port=[refused, port], password="s3cret")
        records = [(r.levelname, r.getMessage().split(":")[0]) for r in caplog.records]
        assert records == [
            ("DEBUG", f"connecting to host=127.0.0.1 port={refused}"),
            ("INFO", f"no connection to host=127.0.0.1 port={refused}"),
            ("DEBUG", f"connecting to host=127.0.0.1 port={port}"),
        ]
        assert "s3cret" not in caplog.text

    def test_one(self, listen, caplog):
        with caplog.at_level(logging.DEBUG, "psycopg3"):
            open_port(host=LOCAL, port=listen(listeners.primary).port)
        assert caplog.records == []
