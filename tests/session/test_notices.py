"""Handlers in every world: what they may be, and what becomes of what they return."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import socket
import threading

import anyio
import pytest

import psycopg3
from psycopg3.session.loss import Loss
from psycopg3.session.notices import Notices, Notify
from tests.settling import until

NEWS = Notify("ears", "x", 7)


async def coroutine_function(news):
    raise AssertionError


class Called:
    """An object whose call is a coroutine."""

    async def __call__(self, news):
        raise AssertionError

    async def method(self, news):
        raise AssertionError


ASYNC = [
    coroutine_function,
    Called(),
    Called().method,
    functools.partial(coroutine_function),
    functools.partial(functools.partial(Called().method)),
]


class TestThreads:
    @pytest.mark.parametrize("callback", ASYNC, ids=range(len(ASYNC)))
    def test_coroutine_functions_are_refused(self, conn, callback):
        adds = [conn.add_notice_handler, conn.add_notify_handler, conn.add_close_handler]
        for add in [*adds, functools.partial(conn.listen, "ears")]:
            with pytest.raises(psycopg3.ProgrammingError, match="is a coroutine function"):
                add(callback)
        assert conn.execute("select count(*) from pg_listening_channels()").fetchone() == (0,)

    def test_what_is_to_be_awaited_is_told(self, conn, caplog):
        """And closed: nothing warns of it later."""
        conn.add_notice_handler(lambda news: coroutine_function(news))
        conn.add_close_handler(lambda news: coroutine_function(news))
        conn.listen("ears", lambda news: coroutine_function(news))
        conn.execute("do $$ begin raise notice 'x'; end $$")
        conn.execute("notify ears")
        conn.close()
        gc.collect()
        assert [record.levelno for record in caplog.records] == [logging.ERROR] * 3
        for record, kind in zip(caplog.records, ("notice", "notification", "close"), strict=True):
            assert f"the {kind} handler" in record.message
            assert "nothing here runs coroutines" in record.message

    def test_anything_else_that_is_returned_is_ignored(self, conn, caplog):
        conn.add_notice_handler(lambda news: news)
        conn.execute("do $$ begin raise notice 'x'; end $$")
        assert caplog.text == ""


@pytest.mark.anyio
class TestTasks:
    @pytest.mark.parametrize("kind", ["function", "object", "lambda", "partial"])
    async def test_each_handler_may_be_a_coroutine_function(self, dsn, kind):
        told = []

        async def function(word, news):
            await anyio.sleep(0)
            told.append(word)

        def made(word):
            class Object:
                async def __call__(self, news):
                    await function(word, news)

            return {
                "function": lambda: Object().__call__,
                "object": Object,
                "lambda": lambda: lambda news: function(word, news),
                "partial": lambda: functools.partial(function, word),
            }[kind]()

        conn = await psycopg3.connect_async(dsn, autocommit=True)
        conn.add_notice_handler(made("notice"))
        conn.add_notify_handler(made("notify"))
        conn.add_close_handler(made("close"))
        await conn.listen("ears", made("listen"))
        await conn.execute("do $$ begin raise notice 'x'; end $$")
        await until(lambda: told == ["notice"])
        await conn.execute("notify ears")
        await until(lambda: sorted(told[1:]) == ["listen", "notify"])
        await conn.close()
        await until(lambda: told[3:] == ["close"])

    async def test_it_may_use_the_connection(self, aconn):
        told = []

        async def look(diag):
            cur = await aconn.execute("select %s", [diag.message_primary])
            told.append(await cur.fetchone())

        aconn.add_notice_handler(look)
        await aconn.execute("do $$ begin raise notice 'x'; end $$")
        await until(lambda: told == [("x",)])

    async def test_its_failure_is_logged(self, aconn, caplog):
        async def fail(news):
            raise ZeroDivisionError("of the handler")

        aconn.add_notice_handler(fail)
        await aconn.execute("do $$ begin raise notice 'x'; end $$")
        await until(lambda: "of the handler" in caplog.text)

    async def test_a_thread_that_closes_does_not_call_them(self, dsn):
        """They are called where the connection lives: by its event loop."""
        conn = await psycopg3.connect_async(dsn)
        told = []

        async def coroutine(_):
            told.append(threading.get_ident())

        conn.add_close_handler(lambda _: told.append(threading.get_ident()))
        conn.add_close_handler(coroutine)
        thread = threading.Thread(target=conn.terminate)
        thread.start()
        thread.join()
        assert conn.closed
        assert told == []
        await until(lambda: told == [threading.get_ident()] * 2)


def test_where_no_loop_runs_it_is_told(dsn, caplog):
    """The event loop has ended: whoever closes the connection calls its close handlers."""

    async def connected():
        return await psycopg3.connect_async(dsn)

    conn = asyncio.run(connected())
    conn.add_close_handler(coroutine_function)
    conn.terminate()
    gc.collect()
    assert "nothing here runs coroutines" in caplog.text


class TestDelivery:
    """What a session does with notifications, without one."""

    def test_what_nobody_takes_is_kept(self):
        notices, told = Notices(Loss()), []
        notices.add_listener("mouth", told.append)
        notices.deliver([NEWS])
        assert (list(notices.backlog), told) == ([NEWS], [])

    def test_what_is_taken_is_not_kept(self):
        notices, told = Notices(Loss()), []
        notices.add_listener("ears", told.append)
        notices.deliver([NEWS])
        assert (list(notices.backlog), told) == ([], [NEWS])

    def test_what_is_wanted_is_both(self):
        notices, told = Notices(Loss()), []
        notices.add_listener("ears", told.append)
        notices.consume(1)
        notices.deliver([NEWS])
        assert (list(notices.backlog), told) == ([NEWS], [NEWS])

    def test_an_interrupted_handler_loses_nothing(self):
        def interrupted(notify):
            raise KeyboardInterrupt

        notices = Notices(Loss())
        notices.add_listener("ears", interrupted)
        other = NEWS._replace(channel="mouth")
        with pytest.raises(KeyboardInterrupt):
            notices.deliver([NEWS, other])
        assert list(notices.backlog) == [other]

    def test_forgetting_forgets_all(self):
        notices = Notices(Loss())
        notices.add_listener("ears", print)
        notices.deliver([NEWS._replace(channel="mouth")])
        notices.forget_listeners()
        assert not notices.backlog
        assert not notices.wants_notifies

    def test_one_callback_of_several_is_removed(self):
        notices, told = Notices(Loss()), []
        notices.add_listener("ears", told.append)
        notices.add_listener("ears", print)
        assert [known for known, _ in notices.listeners_but("ears", print)] == [told.append]
        notices.remove_listener("ears", print)
        notices.deliver([NEWS])
        assert told == [NEWS]
        notices.remove_listener("ears", None)
        assert not notices.wants_notifies


# ---- while connecting ----


@pytest.fixture
def visitor(dsn, conn):
    """The connection string of a role of whom the server says something whenever it signs in."""
    for sql in (
        "create role ghost",
        "create role visitor login",
        "alter role visitor set role = ghost",
    ):
        conn.execute(sql)
    conn.execute("drop role ghost")
    yield psycopg3.conninfo.make_conninfo(dsn, user="visitor")
    conn.execute("drop role visitor")


class Listening(psycopg3.Connection):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.heard = []
        self.add_notice_handler(self.heard.append)


def test_what_comes_while_connecting(visitor, caplog):
    """The log has it, a handler that is given, and one of a subclass."""
    with psycopg3.connect(visitor):
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert 'role "ghost" does not exist' in caplog.text
    heard = []
    with psycopg3.connect(visitor, notice_handler=heard.append) as conn:
        assert [diag.message_primary for diag in heard] == ['role "ghost" does not exist']
        conn.execute("do $$ begin raise notice 'later' using errcode = '01001'; end $$")
    assert [diag.sqlstate for diag in heard][1:] == ["01001"]
    with Listening.connect(visitor) as conn:
        assert [diag.message_primary for diag in conn.heard] == ['role "ghost" does not exist']


@pytest.mark.anyio
async def test_what_comes_while_connecting_to_tasks(visitor):
    heard = []

    async def listen(diag):
        heard.append(diag.message_primary)

    async with await psycopg3.connect_async(visitor, notice_handler=listen):
        await until(lambda: heard)
    assert heard == ['role "ghost" does not exist']


def test_what_comes_while_connecting_over_a_socket(visitor, cluster):
    if not cluster.owned:
        pytest.skip("needs a server of our own")
    heard = []
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(f"{cluster.socket_dir}/.s.PGSQL.{cluster.port}")
        with psycopg3.connect(visitor, sock=sock.dup(), notice_handler=heard.append):
            assert len(heard) == 1


def test_a_handler_of_notices_is_checked(dsn):
    with pytest.raises(psycopg3.ProgrammingError, match="the callback is of type int"):
        psycopg3.connect(dsn, notice_handler=7)
