"""`conn.info`: what the server and libpq tell about a connection."""

from __future__ import annotations

import datetime as dt
import struct
from zoneinfo import ZoneInfo

import pytest

import psycopg3
from psycopg3 import AsyncConnection
from psycopg3.conninfo import conninfo_to_dict
from psycopg3.pq import ConnStatus, PipelineStatus, TransactionStatus
from tests import listeners
from tests.listeners import Listener

pytestmark = pytest.mark.anyio


@pytest.fixture
async def conn(dsn):
    async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
        yield conn


async def one(conn, query):
    return (await (await conn.execute(query)).fetchone())[0]


class TestPlace:
    async def test_where_it_goes(self, conn, dsn):
        given = conninfo_to_dict(dsn)
        info = conn.info
        assert info.vendor == "PostgreSQL"
        assert info.host == given["host"]
        assert info.port == int(given["port"])
        assert info.user == given["user"] == await one(conn, "select session_user")
        assert info.dbname == given["dbname"] == await one(conn, "select current_database()")
        # "" over a Unix socket, where the server sees no address either
        client = await one(conn, "select inet_client_addr()")
        assert bool(info.hostaddr) is (client is not None)

    async def test_tcp(self, dsn):
        async with await AsyncConnection.connect(dsn, host="127.0.0.1", password="x") as conn:
            assert conn.info.host == "127.0.0.1"
            assert conn.info.hostaddr == "127.0.0.1"

    async def test_password_and_options(self, dsn):
        options = "-c work_mem=5MB"
        async with await AsyncConnection.connect(dsn, password="s3cret", options=options) as conn:
            assert conn.info.password == "s3cret"
            assert conn.info.options == options
            assert await one(conn, "show work_mem") == "5MB"

    async def test_none_given(self, conn):
        assert conn.info.password == ""
        assert conn.info.options == ""

    async def test_parameters(self, dsn):
        given = {"application_name": "it's me", "connect_timeout": 7, "keepalives_idle": 30}
        async with await AsyncConnection.connect(dsn, **given) as conn:
            parameters = conn.info.get_parameters()
            assert parameters == {
                **conninfo_to_dict(dsn),
                "application_name": "it's me",
                "connect_timeout": "7",
                "keepalives_idle": "30",
            }
            assert conninfo_to_dict(conn.info.dsn) == parameters

    async def test_defaults_are_left_out(self, dsn):
        given = {"target_session_attrs": "any", "connect_timeout": 130}
        async with await AsyncConnection.connect(dsn, **given) as conn:
            assert conn.info.get_parameters() == conninfo_to_dict(dsn)

    async def test_another_password_file(self, dsn):
        async with await AsyncConnection.connect(dsn, passfile="/no/such/file") as conn:
            assert conn.info.get_parameters()["passfile"] == "/no/such/file"

    async def test_from_the_environment(self, dsn, monkeypatch):
        monkeypatch.setenv("PGAPPNAME", "of the environment")
        async with await AsyncConnection.connect(dsn) as conn:
            assert conn.info.get_parameters()["application_name"] == "of the environment"
            assert "of the environment" in conn.info.dsn

    async def test_no_secrets(self, dsn):
        async with await AsyncConnection.connect(
            dsn, password="s3cret", sslpassword="s3cret"
        ) as conn:
            assert "s3cret" not in str(conn.info.get_parameters())
            assert "s3cret" not in conn.info.dsn
            assert "s3cret" not in repr(conn.info)

    async def test_the_dsn_connects(self, conn):
        async with await AsyncConnection.connect(conn.info.dsn) as other:
            assert other.info.dsn == conn.info.dsn


class TestStatus:
    async def test_states(self, conn):
        info = conn.info
        assert info.status is ConnStatus.OK
        assert info.pipeline_status is PipelineStatus.OFF
        assert info.transaction_status is TransactionStatus.IDLE
        async with conn.transaction():
            assert info.transaction_status is TransactionStatus.INTRANS

    async def test_error_message(self, conn):
        assert conn.info.error_message == ""
        with pytest.raises(psycopg3.errors.UndefinedTable):
            await conn.execute("select * from no_such_table")
        assert "no_such_table" in conn.info.error_message

    async def test_the_other_side(self, conn):
        info = conn.info
        assert info.backend_pid == await one(conn, "select pg_backend_pid()")
        assert info.server_version == int(await one(conn, "show server_version_num"))
        assert info.full_protocol_version >= 30000
        version = info.server_version_info
        assert version.major * 10000 + version.minor == info.server_version
        assert (14,) <= version < (version.major + 1,)
        assert str(version.major) in info.settings["server_version"]

    async def test_full_protocol_version_of_an_older_libpq(self, conn, monkeypatch):
        from psycopg3.session import info

        monkeypatch.setattr(info.capabilities, "has_full_protocol_version", lambda: False)
        assert conn.info.full_protocol_version == 30000

    async def test_closed(self, dsn):
        conn = await AsyncConnection.connect(dsn)
        info, settings = conn.info, conn.info.settings
        await conn.close()
        assert info.vendor == "PostgreSQL"
        assert info.status is ConnStatus.BAD
        assert info.transaction_status is TransactionStatus.UNKNOWN
        assert info.pipeline_status is PipelineStatus.OFF
        assert isinstance(info.error_message, str)
        assert info.encoding == "utf-8"
        for name in (
            *("host", "hostaddr", "port", "dbname", "user", "password", "options", "dsn"),
            *("backend_pid", "server_version", "full_protocol_version", "timezone"),
        ):
            with pytest.raises(psycopg3.OperationalError, match="closed"):
                getattr(info, name)
        for use in (info.get_parameters, lambda: info.parameter_status("TimeZone")):
            with pytest.raises(psycopg3.OperationalError, match="closed"):
                use()
        with pytest.raises(psycopg3.OperationalError, match="closed"):
            dict(settings)
        assert "closed" in repr(settings)

    async def test_lost(self, conn, dsn):
        with pytest.raises(psycopg3.errors.AdminShutdown):
            await conn.execute("select pg_terminate_backend(pg_backend_pid())")
        assert conn.info.status is ConnStatus.BAD
        assert "terminating connection" in conn.info.error_message
        assert conn.info.get_parameters() == conninfo_to_dict(dsn)

    @pytest.mark.parametrize("answered", [False, True])
    async def test_lost_without_a_reason(self, answered):
        """libpq isn't asked for more than it can still have: it would complain of its socket."""

        def leave(sock):
            listeners.startup(sock)
            for kind, body in [
                (b"R", struct.pack("!i", 0)),
                (b"S", b"client_encoding\0UTF8\0"),
                (b"K", struct.pack("!ii", 1, 2)),
                (b"Z", b"I"),
            ]:
                listeners.send(sock, kind, body)
            sock.recv(1000)
            if answered:
                listeners.send(sock, b"C", b"SELECT 0\0")
            listeners.send(sock, b"N", b"SNOTICE\0C00000\0Mbye\0\0")

        with Listener(leave) as server:
            place = {"host": "127.0.0.1", "port": server.port, "user": "me", "sslmode": "disable"}
            conn = await AsyncConnection.connect(**place, gssencmode="disable", autocommit=True)
            with pytest.raises(psycopg3.OperationalError, match="server closed the connection"):
                await conn.execute("select")
            assert conn.info.status is ConnStatus.BAD
            assert conn.info.error_message.startswith("server closed the connection")
            assert "invalid socket" not in conn.info.error_message
            await conn.close()

    async def test_terminated(self, conn, other):
        for begin in ("select", "begin"):
            async with await AsyncConnection.connect(conn.info.dsn, autocommit=True) as lost:
                await lost.execute(begin)
                await other.execute(
                    "select pg_terminate_backend(%s, 5000)", [lost.info.backend_pid]
                )
                with pytest.raises(psycopg3.errors.AdminShutdown):
                    await lost.execute("select 1")
                # Where the loss is noticed at once, libpq takes the server's reason for a notice.
                assert "server closed the connection" in lost.info.error_message
                assert "invalid socket" not in lost.info.error_message

    async def test_repr(self, conn):
        assert repr(conn.info).startswith("<psycopg3.ConnectionInfo [IDLE] (host=")
        await conn.close()
        assert "[BAD]" in repr(conn.info)


class TestSettings:
    async def test_encoding(self, conn):
        assert conn.info.encoding == "utf-8"
        await conn.execute("set client_encoding to latin1")
        assert conn.info.encoding == "iso8859-1"
        await conn.execute("set client_encoding to sql_ascii")
        assert conn.info.encoding == "ascii"

    async def test_an_encoding_that_python_lacks(self, conn):
        await conn.execute("set client_encoding to euc_tw")
        with pytest.raises(psycopg3.NotSupportedError, match="EUC_TW"):
            _ = conn.info.encoding
        assert conn.info.parameter_status("client_encoding") == "EUC_TW"
        assert conn.info.error_message == ""

    @pytest.mark.parametrize(
        "name, zone",
        [
            ("UTC", dt.UTC),
            ("Europe/Rome", ZoneInfo("Europe/Rome")),
            ("<+03>-03", dt.timezone(dt.timedelta(hours=3))),
        ],
    )
    async def test_timezone(self, conn, name, zone):
        await conn.execute(f"set timezone to '{name}'")
        assert conn.info.timezone == zone

    async def test_parameter_status(self, conn):
        assert conn.info.parameter_status("integer_datetimes") == "on"
        assert conn.info.parameter_status("work_mem") is None
        assert conn.info.parameter_status("odd \udcff") is None
        with pytest.raises(psycopg3.Error, match="NUL"):
            conn.info.parameter_status("n\0l")

    @pytest.mark.parametrize("name", [None, 5, b"TimeZone"])
    async def test_names_that_are_none(self, conn, name):
        settings = conn.info.settings
        assert name not in settings
        assert settings.get(name) is None
        with pytest.raises(KeyError) as caught:
            settings[name]
        assert caught.value.args == (name,)
        kind = type(name).__name__
        with pytest.raises(psycopg3.ProgrammingError, match=f"type {kind}: expected a str"):
            conn.info.parameter_status(name)

    async def test_settings_are_live(self, conn):
        settings = conn.info.settings
        await conn.execute("set application_name to 'it''s me'")
        assert settings["application_name"] == "it's me"
        await conn.execute("set datestyle to 'SQL, DMY'")
        assert settings["DateStyle"] == "SQL, DMY"

    async def test_settings_are_a_mapping(self, conn):
        settings = conn.info.settings
        assert set(settings) >= {
            *("application_name", "client_encoding", "DateStyle", "integer_datetimes"),
            *("IntervalStyle", "is_superuser", "server_encoding", "server_version"),
            *("session_authorization", "standard_conforming_strings", "TimeZone"),
        }
        assert ("in_hot_standby" in settings) is (conn.info.server_version >= 140000)
        assert len(settings) == len(list(settings))
        for name, value in settings.items():
            assert await one(conn, f"show {name}") == value
        assert "work_mem" not in settings
        with pytest.raises(KeyError, match="work_mem"):
            settings["work_mem"]
        assert repr(dict(settings)) in repr(settings)

    async def test_in_the_clients_encoding(self, conn):
        await conn.execute('create role "rösti"')
        try:
            await conn.execute("set client_encoding to latin1")
            await conn.execute('set session authorization "rösti"')
            assert conn.info.settings["session_authorization"] == "rösti"
        finally:
            await conn.reset()
            await conn.execute('drop role "rösti"')
