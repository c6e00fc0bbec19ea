"""Attempts: settings of the server, services, keepalives, GSSAPI."""

from __future__ import annotations

import socket
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

import psycopg3
from psycopg3 import OperationalError, ProgrammingError, conninfo
from psycopg3.pq import PGconn
from psycopg3.session import attempts
from psycopg3.session.attempts import Attempts
from tests import listeners
from tests.listeners import Listener
from tests.session.attempts.places import (
    LOCAL,
    descriptors,
    new_since,
    open_port,
    settles,
)


class TestSettings:
    def shown(self, dsn, name, **params):
        with psycopg3.connect(dsn, **params) as conn:
            return conn.execute(f"show {name}").fetchone()[0]

    @pytest.mark.parametrize(
        ("name", "value", "shown"),
        [
            ("search_path", "a, b", "a, b"),
            ("search_path", "", ""),
            ("work_mem", "8MB", "8MB"),
            ("statement_timeout", 5000, "5s"),
            ("seq_page_cost", 1.5, "1.5"),
            ("jit", False, "off"),
            ("mine.text", "it's \\ a \\\\ 'b' -c x=y\t\n\r\v\f é", None),
            ("application_name", "me too", "me too"),
            ("APPLICATION_NAME", "me too", "me too"),
            ("client_encoding", "LATIN1", "LATIN1"),
        ],
    )
    def test_values(self, dsn, name, value, shown):
        found = self.shown(dsn, name, server_settings={name: value})
        assert found == (value if shown is None else shown)

    @given(st.text(st.characters(min_codepoint=1, codec="utf-8"), max_size=20))
    def test_any_text(self, dsn, value):
        assert self.shown(dsn, "mine.text", server_settings={"mine.text": value}) == value

    def test_with_options(self, dsn, monkeypatch):
        settings = {"work_mem": "8MB"}
        options = "-c work_mem=4MB -c mine.text=a\\ b"
        for name, shown in [("work_mem", "8MB"), ("mine.text", "a b")]:
            assert self.shown(dsn, name, options=options, server_settings=settings) == shown
        monkeypatch.setenv("PGOPTIONS", options)
        for name, shown in [("work_mem", "8MB"), ("mine.text", "a b")]:
            assert self.shown(dsn, name, server_settings=settings) == shown

    def test_application_name_of_the_environment(self, dsn, monkeypatch):
        monkeypatch.setenv("PGAPPNAME", "not this")
        settings = {"application_name": "this"}
        assert self.shown(dsn, "application_name", server_settings=settings) == "this"

    @pytest.mark.parametrize("name", ["", "a b", "a=b", "a-b", "-c", "1a", "a..b", "é\\", 1, None])
    def test_names_that_are_none(self, name):
        with pytest.raises(ProgrammingError, match="expected the name of a setting"):
            Attempts({"server_settings": {name: "x"}})

    @pytest.mark.parametrize("value", [None, b"x", ["x"], object()])
    def test_values_that_are_none(self, value):
        with pytest.raises(ProgrammingError, match="server setting 'work_mem' of type"):
            Attempts({"server_settings": {"work_mem": value}})

    def test_nul(self):
        with pytest.raises(ProgrammingError, match="NUL"):
            Attempts({"server_settings": {"work_mem": "1\0"}})

    def test_no_dict(self):
        with pytest.raises(ProgrammingError, match="expected a dict"):
            Attempts({"server_settings": "work_mem=1"})


class TestService:
    @pytest.fixture
    def service(self, tmp_path, monkeypatch):
        def write(**params):
            lines = [f"{name}={value}" for name, value in params.items()]
            (tmp_path / "services").write_text("\n".join(["[mine]", *lines, ""]))
            monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))

        return write

    def test_lists(self, service, listen, refused):
        primary, standby = listen(listeners.primary), listen(listeners.standby)
        service(
            host=f"{LOCAL},{LOCAL},{LOCAL}",
            port=f"{refused},{primary.port},{standby.port}",
            target_session_attrs="prefer-standby",
        )
        assert open_port(service="mine") == standby.port
        assert open_port(service="mine", target_session_attrs="any") == primary.port
        with pytest.raises(OperationalError):
            open_port(service="mine", port=refused)

    def test_by_the_environment(self, service, listen, monkeypatch):
        port = listen(listeners.primary).port
        service(host=LOCAL, port=port)
        monkeypatch.setenv("PGSERVICE", "mine")
        monkeypatch.setenv("PGPORT", "1")
        assert open_port() == port

    def test_timeout_and_options(self, service):
        service(host="a,b", connect_timeout=7, options="-c work_mem=4MB")
        settings = {"server_settings": {"jit": "off"}}
        tries = Attempts({"service": "mine", **settings})
        assert tries._timeout == 7
        assert tries._params["options"] == "-c work_mem=4MB -c jit=off"

    def test_of_none(self, service):
        service(host="a")
        with pytest.raises(OperationalError, match='"other" not found'):
            Attempts({"service": "other"})


def keepalives(conn):
    """What TCP does on a connection: whether anything, and idle, interval, count."""
    with socket.fromfd(conn.pgconn.socket, socket.AF_INET, socket.SOCK_STREAM) as sock:
        idle = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", 0))
        names = (idle, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        on = bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        return on, *(sock.getsockopt(socket.IPPROTO_TCP, name) for name in names)


class TestKeepalives:
    @pytest.fixture
    def place(self, listen):
        params = {"host": LOCAL, "port": listen(listeners.primary).port, "autocommit": True}
        return {**params, "sslmode": "disable", "gssencmode": "disable"}

    def test_by_default(self, place):
        with psycopg3.connect(**place) as conn:
            assert keepalives(conn) == (True, 60, 10, 6)

    def test_given(self, place):
        with psycopg3.connect(**place, keepalives_idle=7, keepalives_count=3) as conn:
            assert keepalives(conn) == (True, 7, 10, 3)
            given = {"keepalives_idle": "7", "keepalives_count": "3"}
            assert given.items() <= conn.info.get_parameters().items()

    def test_off(self, place):
        with psycopg3.connect(**place, keepalives=0) as conn:
            assert not keepalives(conn)[0]

    def test_by_a_service(self, place, tmp_path, monkeypatch):
        (tmp_path / "services").write_text("[mine]\nkeepalives_idle=9\n")
        monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
        with psycopg3.connect(**place, service="mine") as conn:
            assert keepalives(conn) == (True, 9, 10, 6)

    def test_dsn_does_not_speak_of_them(self, place):
        with psycopg3.connect(**place) as conn:
            assert "keepalives" not in conn.info.dsn

    def test_unix_socket(self, dsn):
        with psycopg3.connect(dsn) as conn:
            assert "keepalives" not in conn.info.dsn


def test_a_coroutine_function_can_not_tell_a_password_to_a_thread():
    async def password():
        return "s3cret"

    with pytest.raises(ProgrammingError, match="nothing can be awaited here"):
        psycopg3.connect(host=LOCAL, password=password)


class TestGssapi:
    """There is no Kerberos here: libpq is only made to say that it was used."""

    @pytest.fixture
    def used(self, monkeypatch):
        monkeypatch.setattr(attempts.capabilities, "has_used_gssapi", lambda: True)
        monkeypatch.setattr(PGconn, "used_gssapi", property(lambda self: True))
        # A libpq that was built without it prefers none.
        options = dict(conninfo._libpq_options()) | {"gssencmode": ("PGGSSENCMODE", "prefer")}
        monkeypatch.setattr(conninfo, "_libpq_options", lambda: options)
        conninfo._known_options.cache_clear()
        yield
        conninfo._known_options.cache_clear()

    def test_by_default(self, used, dsn):
        with pytest.warns(RuntimeWarning, match="GSSAPI") as told:
            psycopg3.connect(dsn).close()
        assert told[0].filename == __file__

    @pytest.mark.anyio
    async def test_by_default_of_a_task(self, used, dsn):
        with pytest.warns(RuntimeWarning, match="GSSAPI") as told:
            await (await psycopg3.connect_async(dsn)).close()
        assert told[0].filename == __file__

    def test_as_an_error_it_leaves_nothing_open(self, used, dsn):
        before = descriptors()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(RuntimeWarning):
                psycopg3.connect(dsn)
        assert settles(new_since(before), 0)

    def test_wanted(self, used, dsn, monkeypatch):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            psycopg3.connect(dsn, gssencmode="prefer").close()
            monkeypatch.setenv("PGGSSENCMODE", "prefer")
            psycopg3.connect(dsn).close()

    def test_not_used(self, dsn):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            psycopg3.connect(dsn).close()


@pytest.mark.parametrize(
    "told",
    ["unsupported startup parameter: options", "unsupported startup parameter in options: x"],
)
def test_a_pooler_that_takes_no_settings(told):
    """PgBouncer speaks of `options`, which the user never wrote."""
    told = f"unsupported startup {told}"
    with Listener(listeners.failing("08P01", told)) as pooler:
        kwargs = {"host": "127.0.0.1", "port": pooler.port, "user": "me", "sslmode": "disable"}
        with pytest.raises(
            psycopg3.OperationalError, match=f"{told}; it was sent for server_settings"
        ):
            psycopg3.connect(**kwargs, server_settings={"work_mem": "8MB"})
        with pytest.raises(psycopg3.OperationalError, match=f"{told}$"):
            psycopg3.connect(**kwargs, options="-c work_mem=8MB")
