"""PGconn against a server: connecting, commands, pipelines, COPY, notices, lifetime."""

from __future__ import annotations

import gc
import hashlib
import os
import select
import signal
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from psycopg3 import pq
from psycopg3.errors import DataError, NotSupportedError, OperationalError, ProgrammingError
from psycopg3.pq import ConnStatus, ExecStatus, Format, PollingStatus, TransactionStatus
from tests.marks import counts_references

Since = Callable[[int], bool]

# What is refused on a closed connection; the rest answers as libpq does for no connection.
CLOSED_PROPERTIES = [
    *("info", "db", "user", "password", "host", "hostaddr", "port", "tty", "options", "socket"),
    *("protocol_version", "server_version", "backend_pid", "ssl_in_use", "gss_encrypted"),
]
CLOSED_METHODS: list[tuple[str, tuple[Any, ...]]] = [
    ("connect_poll", ()),
    ("reset", ()),
    ("reset_start", ()),
    ("reset_poll", ()),
    ("parameter_status", (b"server_version",)),
    ("ssl_attribute", (b"library",)),
    ("exec_", (b"select 1",)),
    ("exec_params", (b"select $1", [b"1"])),
    ("prepare", (b"a", b"select 1")),
    ("exec_prepared", (b"a", [])),
    ("describe_prepared", (b"a",)),
    ("describe_portal", (b"a",)),
    ("send_query", (b"select 1",)),
    ("send_query_params", (b"select $1", [b"1"])),
    ("send_prepare", (b"a", b"select 1")),
    ("send_query_prepared", (b"a", [])),
    ("send_query_unchecked", (b"select 1",)),
    ("send_query_params_unchecked", (b"select $1", [b"1"], None, None, None, 0)),
    ("send_prepare_unchecked", (b"a", b"select 1", None)),
    ("send_query_prepared_unchecked", (b"a", [], None, None, 0)),
    ("advance", ([], 2)),
    ("send_describe_prepared", (b"a",)),
    ("send_describe_portal", (b"a",)),
    ("get_result", ()),
    ("consume_input", ()),
    ("is_busy", ()),
    ("flush", ()),
    ("set_single_row_mode", ()),
    ("enter_pipeline_mode", ()),
    ("exit_pipeline_mode", ()),
    ("pipeline_sync", ()),
    ("send_flush_request", ()),
    ("put_copy_data", (b"1\n",)),
    ("put_copy_end", ()),
    ("get_copy_data", (1,)),
    ("get_cancel", ()),
    ("notifies", ()),
    ("trace", (1,)),
    ("set_trace_flags", (pq.Trace.REGRESS_MODE,)),
    ("encrypt_password", (b"a", b"b", b"md5")),
]


def wait(conn: pq.PGconn, events: int = select.POLLIN) -> None:
    poll = select.poll()
    poll.register(conn.socket, events)
    assert poll.poll(5000)


def results(conn: pq.PGconn) -> list[pq.PGresult]:
    """The results of one command, never blocking inside libpq."""
    found = []
    while True:
        while conn.is_busy():
            wait(conn)
            conn.consume_input()
        result = conn.get_result()
        if result is None:
            return found
        found.append(result)


def values(result: pq.PGresult) -> list[list[bytes | None]]:
    columns = range(result.nfields)
    return [[result.get_value(row, column) for column in columns] for row in range(result.ntuples)]


def finish_polling(conn: pq.PGconn, poll: Callable[[], PollingStatus]) -> PollingStatus:
    want = {PollingStatus.READING: select.POLLIN, PollingStatus.WRITING: select.POLLOUT}
    while (status := poll()) in want:
        wait(conn, want[status])
    return status


# --- Connecting and closing ---------------------------------------------------------------------


def test_connect(dsn: str) -> None:
    conn = pq.PGconn.connect(dsn.encode())
    assert conn.status is ConnStatus.OK
    assert conn.error_message == b""
    conn.finish()
    assert conn.status is ConnStatus.BAD


def test_a_failure_to_connect_does_not_raise() -> None:
    conn = pq.PGconn.connect(b"host=/nowhere/at/all dbname=x")
    assert conn.status is ConnStatus.BAD
    assert b"/nowhere/at/all" in conn.error_message
    assert "/nowhere/at/all" in conn.get_error_message()
    with pytest.raises(OperationalError, match="lost"):
        _ = conn.socket
    with pytest.raises(OperationalError):
        conn.exec_(b"select 1")


def test_connect_step_by_step(dsn: str) -> None:
    conn = pq.PGconn.connect_start(dsn.encode())
    assert conn.status not in (ConnStatus.OK, ConnStatus.BAD)
    wait(conn, select.POLLOUT)
    assert finish_polling(conn, conn.connect_poll) is PollingStatus.OK
    assert conn.status is ConnStatus.OK
    assert values(conn.exec_(b"select 1")) == [[b"1"]]


def test_connect_step_by_step_to_nowhere() -> None:
    conn = pq.PGconn.connect_start(b"host=/nowhere dbname=x")
    assert conn.connect_poll() is PollingStatus.FAILED


@pytest.mark.parametrize("method", ["connect", "connect_start", "ping"])
def test_connection_strings_are_checked(method: str) -> None:
    call = getattr(pq.PGconn, method)
    with pytest.raises(TypeError, match="connection string: got str"):
        call("dbname=x")
    with pytest.raises(ProgrammingError, match="NUL"):
        call(b"dbname=x\0 user=root")


def test_reset(pgconn: pq.PGconn) -> None:
    before = pgconn.backend_pid
    pgconn.reset()
    assert pgconn.status is ConnStatus.OK
    assert pgconn.backend_pid != before


def test_reset_step_by_step(pgconn: pq.PGconn) -> None:
    before = pgconn.backend_pid
    pgconn.reset_start()
    wait(pgconn, select.POLLOUT)
    assert finish_polling(pgconn, pgconn.reset_poll) is PollingStatus.OK
    assert pgconn.backend_pid != before


def test_ping(dsn: str) -> None:
    assert pq.PGconn.ping(dsn.encode()) is pq.Ping.OK
    assert pq.PGconn.ping(b"host=/nowhere") is pq.Ping.NO_RESPONSE
    assert pq.PGconn.ping(b"nonsense") is pq.Ping.NO_ATTEMPT


def test_finish_twice(pgconn: pq.PGconn) -> None:
    assert pgconn.pgconn_ptr
    pgconn.finish()
    pgconn.finish()
    assert pgconn.pgconn_ptr is None


@pytest.mark.parametrize("name", CLOSED_PROPERTIES)
def test_a_closed_connection_has_no(pgconn: pq.PGconn, name: str) -> None:
    getattr(pgconn, name)
    pgconn.finish()
    with pytest.raises(OperationalError, match="the connection is closed"):
        getattr(pgconn, name)


@pytest.mark.parametrize(("name", "given"), CLOSED_METHODS)
def test_a_closed_connection_refuses(pgconn: pq.PGconn, name: str, given: tuple[Any, ...]) -> None:
    pgconn.finish()
    with pytest.raises(OperationalError, match="the connection is closed"):
        getattr(pgconn, name)(*given)


def test_a_closed_connection_still_tells(pgconn: pq.PGconn) -> None:
    pgconn.finish()
    assert pgconn.status is ConnStatus.BAD
    assert pgconn.transaction_status is TransactionStatus.UNKNOWN
    assert pgconn.pipeline_status is pq.PipelineStatus.OFF
    assert pgconn.nonblocking == 0
    assert not pgconn.needs_password
    assert not pgconn.used_password
    assert b"NULL" in pgconn.error_message
    assert pgconn.get_error_message()
    assert pgconn.untrace() is None  # type: ignore[func-returns-value]
    with pytest.raises(OperationalError, match="closed"):
        pgconn.nonblocking = 1


def test_every_method_is_tested_on_a_closed_connection() -> None:
    tested = {name for name, _ in CLOSED_METHODS} | set(CLOSED_PROPERTIES)
    elsewhere = {
        # class methods, and what test_a_closed_connection_still_tells asks
        *("connect", "connect_start", "ping", "finish", "pgconn_ptr", "status", "needs_password"),
        *("transaction_status", "pipeline_status", "nonblocking", "used_password", "untrace"),
        *("error_message", "get_error_message"),
        # what isn't in every libpq: test_what_this_libpq_has_not; and works without a connection
        *("full_protocol_version", "used_gssapi", "set_chunked_rows_mode", "send_pipeline_sync"),
        *("close_prepared", "close_portal", "send_close_prepared", "send_close_portal"),
        *("cancel_conn", "change_password", "make_empty_result"),
    }
    public = {name for name in dir(pq.PGconn) if not name.startswith("_")}
    assert public == tested | elsewhere


def test_repr(pgconn: pq.PGconn) -> None:
    assert f"PGconn {pq.misc.connection_summary(pgconn)} at 0x" in repr(pgconn)
    pgconn.exec_(b"begin")
    assert "[INTRANS]" in repr(pgconn)
    pgconn.finish()
    assert "[BAD]" in repr(pgconn)
    assert "database" not in repr(pgconn)


def test_what_this_libpq_has_not(pgconn: pq.PGconn, since: Since) -> None:
    calls: list[tuple[int, Callable[[], object]]] = [
        (16, lambda: pgconn.used_gssapi),
        (18, lambda: pgconn.full_protocol_version),
        (17, lambda: pgconn.close_prepared(b"x")),
        (17, lambda: pgconn.close_portal(b"x")),
        (17, lambda: pgconn.cancel_conn()),
    ]
    for major, call in calls:
        if since(major):
            call()
            continue
        with pytest.raises(NotSupportedError) as caught:
            call()
        message = str(caught.value)
        assert f"needs libpq {major} or newer" in message
        assert pq.version_pretty(pq.version()) in message
        assert "PQ" in message


# --- What the connection is ---------------------------------------------------------------------


def test_attributes(pgconn: pq.PGconn) -> None:
    assert values(pgconn.exec_(b"select current_database(), session_user")) == [
        [pgconn.db, pgconn.user]
    ]
    assert values(pgconn.exec_(b"select pg_backend_pid()::text")) == [
        [str(pgconn.backend_pid).encode()]
    ]
    assert pgconn.port.isdigit()
    assert pgconn.host
    assert pgconn.tty == b""
    assert pgconn.options == b""
    assert pgconn.protocol_version == 3
    assert isinstance(pgconn.used_password, bool)
    assert pgconn.needs_password is False
    assert pgconn.gss_encrypted is False
    assert os.fstat(pgconn.socket)


def test_server_version(pgconn: pq.PGconn) -> None:
    shown = pgconn.exec_(b"show server_version_num").get_value(0, 0)
    assert str(pgconn.server_version).encode() == shown


def test_full_protocol_version(pgconn: pq.PGconn, since: Since) -> None:
    if since(18):
        assert pgconn.full_protocol_version in (30000, 30002)


def test_options_are_sent(dsn: str) -> None:
    conn = pq.PGconn.connect(f"{dsn} options='-c work_mem=7MB' application_name=it".encode())
    assert conn.options == b"-c work_mem=7MB"
    assert values(conn.exec_(b"show work_mem")) == [[b"7MB"]]
    assert conn.parameter_status(b"application_name") == b"it"


def test_parameter_status(pgconn: pq.PGconn) -> None:
    assert pgconn.parameter_status(b"server_encoding")
    assert pgconn.parameter_status(b"work_mem") is None
    with pytest.raises(TypeError):
        pgconn.parameter_status("server_encoding")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="NUL"):
        pgconn.parameter_status(b"server\0encoding")


def test_info(dsn: str) -> None:
    conn = pq.PGconn.connect(f"{dsn} password=sesame".encode())
    options = {option.keyword: option for option in conn.info}
    assert options[b"dbname"].val == conn.db
    assert options[b"password"].val == b"sesame"
    assert conn.password == b"sesame"
    assert "sesame" not in repr(conn.info)


def test_transaction_status(pgconn: pq.PGconn) -> None:
    seen = [pgconn.transaction_status]
    pgconn.exec_(b"begin")
    seen.append(pgconn.transaction_status)
    pgconn.send_query(b"select 1")
    seen.append(pgconn.transaction_status)
    results(pgconn)
    pgconn.exec_(b"wrong")
    seen.append(pgconn.transaction_status)
    pgconn.exec_(b"rollback")
    seen.append(pgconn.transaction_status)
    assert [status.name for status in seen] == ["IDLE", "INTRANS", "ACTIVE", "INERROR", "IDLE"]


def test_messages_of_a_failed_connection_show_no_password() -> None:
    conn = pq.PGconn.connect(b"postgresql://u:se@same@/x:y")
    assert b"same" in conn.error_message
    assert "same" not in conn.get_error_message()


# --- Commands that wait -------------------------------------------------------------------------


def test_exec(pgconn: pq.PGconn) -> None:
    result = pgconn.exec_(b"select 1 as a; select 2 as b, null")
    assert result.status is ExecStatus.TUPLES_OK
    assert result.fname(0) == b"b"
    assert values(result) == [[b"2", None]]
    assert pgconn.exec_(b"").status is ExecStatus.EMPTY_QUERY
    assert pgconn.exec_(bytearray(b"set work_mem = '5MB'")).status is ExecStatus.COMMAND_OK
    assert values(pgconn.exec_(memoryview(b"show work_mem"))) == [[b"5MB"]]


def test_exec_of_what_is_wrong(pgconn: pq.PGconn) -> None:
    result = pgconn.exec_(b"select * from nowhere")
    assert result.status is ExecStatus.FATAL_ERROR
    assert result.error_field(pq.DiagnosticField.SQLSTATE) == b"42P01"
    assert pgconn.error_message.startswith(b"ERROR:")
    assert pgconn.get_error_message().startswith('relation "nowhere"')


def test_exec_when_the_server_is_gone(dsn: str, pgconn: pq.PGconn) -> None:
    other = pq.PGconn.connect(dsn.encode())
    other.exec_(b"select pg_terminate_backend(%d, 5000)" % pgconn.backend_pid)
    result = pgconn.exec_(b"select 1")
    assert result.status is ExecStatus.FATAL_ERROR
    assert pgconn.status is ConnStatus.BAD
    with pytest.raises(OperationalError) as caught:
        pgconn.send_query(b"select 1")
    assert str(caught.value).startswith("sending the query failed: ")
    assert caught.value.pgconn is not None
    with pytest.raises(OperationalError):
        pgconn.exec_params(b"select 1", None)


@pytest.mark.parametrize("binary", [Format.TEXT, Format.BINARY])
def test_exec_params(pgconn: pq.PGconn, binary: Format) -> None:
    result = pgconn.exec_params(
        b"select $1::int4, $2::bytea, $3::text, $4::text, $5::bytea",
        [b"258", b"a\0b", None, b"", memoryview(bytearray(b"\\x00ff"))],
        [23, 17, 0, 25, 17],
        [0, 1, 0, 0, 0],
        binary,
    )
    assert [result.fformat(i) for i in range(5)] == [binary] * 5
    assert values(result) == [
        [b"258", rb"\x610062", None, b"", rb"\x00ff"]
        if binary == Format.TEXT
        else [b"\0\0\1\2", b"a\0b", None, b"", b"\0\xff"]
    ]


def test_exec_params_with_few_arguments(pgconn: pq.PGconn) -> None:
    assert values(pgconn.exec_params(b"select 1", None)) == [[b"1"]]
    assert values(pgconn.exec_params(b"select 1", [], [], [])) == [[b"1"]]
    assert values(pgconn.exec_params(b"select $1 || $2", (b"a", b"b"))) == [[b"ab"]]


@pytest.mark.parametrize("count", [1, 64, 65, 1600])
def test_exec_params_by_the_number(pgconn: pq.PGconn, count: int) -> None:
    numbers = [str(i).encode() for i in range(count)]
    query = b"select " + b",".join(b"$%d::int" % (i + 1) for i in range(count))
    assert values(pgconn.exec_params(query, numbers)) == [numbers]
    kinds = [i % 2 for i in range(count)]
    mixed = [i.to_bytes(4, "big") if kind else b"%d" % i for i, kind in enumerate(kinds)]
    assert values(pgconn.exec_params(query, mixed, [23] * count, kinds)) == [numbers]


def test_as_many_parameters_as_there_may_be(pgconn: pq.PGconn) -> None:
    most = [b"1"] * 65535
    query = b"select cardinality(array[%s])" % b",".join(b"$%d" % i for i in range(1, 65536))
    assert values(pgconn.exec_params(query, most)) == [[b"65535"]]
    with pytest.raises(DataError, match="65536 parameters.*65535"):
        pgconn.exec_params(query, [*most, b"1"])
    with pytest.raises(DataError, match="65536 parameter types"):
        pgconn.prepare(b"", b"select 1", [23] * 65536)


def test_large_values(pgconn: pq.PGconn) -> None:
    large = os.urandom(3_000_000)
    result = pgconn.exec_params(b"select $1", [large], [17], [1], 1)
    assert result.get_value(0, 0) == large
    assert pgconn.exec_params(b"select $1", [b"x" * 3_000_000], [25]).get_value(0, 0) == (
        b"x" * 3_000_000
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda conn, text: conn.exec_(text),
        lambda conn, text: conn.exec_params(text, None),
        lambda conn, text: conn.exec_params(b"select $1", [text]),
        lambda conn, text: conn.exec_params(b"select $1, $2", [b"1", text], None, [1, 0]),
        lambda conn, text: conn.prepare(text, b"select 1"),
        lambda conn, text: conn.prepare(b"", text),
        lambda conn, text: conn.exec_prepared(text, []),
        lambda conn, text: conn.exec_prepared(b"", [text]),
        lambda conn, text: conn.describe_prepared(text),
        lambda conn, text: conn.describe_portal(text),
        lambda conn, text: conn.close_prepared(text),
        lambda conn, text: conn.close_portal(text),
        lambda conn, text: conn.send_query(text),
        lambda conn, text: conn.send_query_params(text, None),
        lambda conn, text: conn.send_query_params(b"select $1", [text]),
        lambda conn, text: conn.send_prepare(text, b"select 1"),
        lambda conn, text: conn.send_prepare(b"", text),
        lambda conn, text: conn.send_query_prepared(text, []),
        lambda conn, text: conn.send_query_prepared(b"", [text]),
        lambda conn, text: conn.send_describe_prepared(text),
        lambda conn, text: conn.send_describe_portal(text),
        lambda conn, text: conn.send_close_prepared(text),
        lambda conn, text: conn.send_close_portal(text),
        lambda conn, text: conn.put_copy_end(text),
        lambda conn, text: conn.encrypt_password(text, b"a"),
        lambda conn, text: conn.encrypt_password(b"a", text),
        lambda conn, text: conn.encrypt_password(b"a", b"a", text),
        lambda conn, text: conn.change_password(text, b"a"),
        lambda conn, text: conn.change_password(b"a", text),
        lambda conn, text: conn.ssl_attribute(text),
    ],
)
def test_text_is_checked(pgconn: pq.PGconn, call: Callable[[pq.PGconn, Any], object]) -> None:
    with pytest.raises(DataError, match="NUL"):
        call(pgconn, b"sel\0ect")
    with pytest.raises(TypeError, match="got str, expected bytes"):
        call(pgconn, "select")
    with pytest.raises(TypeError, match="got int, expected bytes"):
        call(pgconn, 5)
    assert pgconn.transaction_status is TransactionStatus.IDLE


def test_lists_must_be_as_long_as_the_values(pgconn: pq.PGconn) -> None:
    with pytest.raises(ValueError, match="1 parameter values but 2 parameter types"):
        pgconn.exec_params(b"select $1", [b"1"], [23, 23])
    with pytest.raises(ValueError, match="1 parameter values but 0 parameter formats"):
        pgconn.exec_prepared(b"", [b"1"], [])
    with pytest.raises(ValueError, match="0 parameter values but 1 parameter types"):
        pgconn.exec_params(b"select $1", None, [23])


def test_a_format_is_a_number(pgconn: pq.PGconn) -> None:
    for wrong in ("1", 1.0, None):
        with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
            pgconn.exec_params(b"select 1", None, None, None, wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
            pgconn.send_query_prepared(b"", None, None, wrong)  # type: ignore[arg-type]


def test_prepared_statements(pgconn: pq.PGconn) -> None:
    prepared = pgconn.prepare(b"double", b"select $1 * 2 as twice, $2", [23])
    assert prepared.status is ExecStatus.COMMAND_OK
    described = pgconn.describe_prepared(b"double")
    assert described.status is ExecStatus.COMMAND_OK
    assert [described.param_type(i) for i in range(described.nparams)] == [23, 25]
    assert [described.fname(i) for i in range(described.nfields)] == [b"twice", b"?column?"]
    assert [described.ftype(i) for i in range(described.nfields)] == [23, 25]
    assert values(pgconn.exec_prepared(b"double", [b"21", None])) == [[b"42", None]]
    done = pgconn.exec_prepared(b"double", [b"\0\0\0\5", b"x"], [1, 0], Format.BINARY)
    assert values(done) == [[b"\0\0\0\x0a", b"x"]]
    assert pgconn.exec_prepared(b"nothing", None).status is ExecStatus.FATAL_ERROR


def test_portals(pgconn: pq.PGconn) -> None:
    pgconn.exec_(b"begin; declare c cursor for select 1::int8 as n")
    described = pgconn.describe_portal(b"c")
    assert (described.nfields, described.fname(0), described.ftype(0)) == (1, b"n", 20)


def test_closing_statements_and_portals(pgconn: pq.PGconn, since: Since) -> None:
    if not since(17):
        pytest.skip("libpq 17")
    pgconn.exec_(b"begin; declare c cursor for select 1")
    pgconn.prepare(b"s", b"select 1")
    assert pgconn.close_portal(b"c").status is ExecStatus.COMMAND_OK
    assert pgconn.close_prepared(b"s").status is ExecStatus.COMMAND_OK
    assert values(pgconn.exec_(b"select name from pg_prepared_statements")) == []
    assert values(pgconn.exec_(b"select name from pg_cursors where name = 'c'")) == []
    pgconn.exec_(b"declare c cursor for select 1")
    pgconn.prepare(b"s", b"select 1")
    for send in (pgconn.send_close_portal, pgconn.send_close_prepared):
        send(b"c" if send == pgconn.send_close_portal else b"s")
        assert [result.status for result in results(pgconn)] == [ExecStatus.COMMAND_OK]
    assert values(pgconn.exec_(b"select name from pg_prepared_statements")) == []


# --- Commands sent now, answered later ----------------------------------------------------------


def test_send_query(pgconn: pq.PGconn) -> None:
    pgconn.nonblocking = 1
    assert pgconn.nonblocking == 1
    pgconn.send_query(b"select 1; select pg_sleep(0.01); select 'x' || repeat('y', 100000)")
    while pgconn.flush():
        wait(pgconn, select.POLLOUT)
    found = results(pgconn)
    assert [result.status for result in found] == [ExecStatus.TUPLES_OK] * 3
    assert found[2].get_value(0, 0) == b"x" + b"y" * 100000
    pgconn.nonblocking = 0
    assert pgconn.nonblocking == 0


def test_send_everything_else(pgconn: pq.PGconn) -> None:
    pgconn.send_prepare(b"s", b"select $1::int8", [20])
    assert [r.status for r in results(pgconn)] == [ExecStatus.COMMAND_OK]
    pgconn.send_query_prepared(b"s", [b"7"], [0], Format.BINARY)
    assert [values(r) for r in results(pgconn)] == [[[b"\0" * 7 + b"\7"]]]
    pgconn.send_describe_prepared(b"s")
    assert [r.nparams for r in results(pgconn)] == [1]
    pgconn.send_query_params(b"select $1 || '!'", [b"hey"], [25])
    assert [values(r) for r in results(pgconn)] == [[[b"hey!"]]]
    pgconn.exec_(b"begin; declare c cursor for select 1, 2")
    pgconn.send_describe_portal(b"c")
    assert [r.nfields for r in results(pgconn)] == [2]


def test_sending_while_a_command_is_under_way(pgconn: pq.PGconn) -> None:
    pgconn.send_query(b"select 1")
    with pytest.raises(OperationalError, match="another command is already in progress"):
        pgconn.send_query(b"select 2")
    assert [values(r) for r in results(pgconn)] == [[[b"1"]]]


def test_flush_says_what_is_left(pgconn: pq.PGconn) -> None:
    pgconn.nonblocking = 1
    pgconn.send_query_params(b"select length($1)", [b"x" * 20_000_000])
    lefts = []
    while left := pgconn.flush():
        lefts.append(left)
        wait(pgconn, select.POLLOUT)
    assert set(lefts) == {1}
    assert [values(r) for r in results(pgconn)] == [[[b"20000000"]]]


def test_single_rows(pgconn: pq.PGconn) -> None:
    pgconn.send_query(b"select generate_series(1, 3)")
    pgconn.set_single_row_mode()
    found = results(pgconn)
    assert [r.status for r in found] == [ExecStatus.SINGLE_TUPLE] * 3 + [ExecStatus.TUPLES_OK]
    assert [values(r) for r in found] == [[[b"1"]], [[b"2"]], [[b"3"]], []]
    with pytest.raises(OperationalError, match="only right after sending"):
        pgconn.set_single_row_mode()


def test_chunks_of_rows(pgconn: pq.PGconn, since: Since) -> None:
    pgconn.send_query(b"select generate_series(1, 5)")
    if not since(17):
        with pytest.raises(NotSupportedError, match="PQsetChunkedRowsMode needs libpq 17"):
            pgconn.set_chunked_rows_mode(2)
        return
    pgconn.set_chunked_rows_mode(2)
    found = results(pgconn)
    assert [r.status for r in found] == [ExecStatus.TUPLES_CHUNK] * 3 + [ExecStatus.TUPLES_OK]
    assert [r.ntuples for r in found] == [2, 2, 1, 0]
    with pytest.raises(OperationalError, match="chunked-rows mode of 2 rows"):
        pgconn.set_chunked_rows_mode(2)


def test_make_empty_result(pgconn: pq.PGconn) -> None:
    assert pgconn.make_empty_result(ExecStatus.COMMAND_OK).status is ExecStatus.COMMAND_OK
    pgconn.exec_(b"wrong")
    result = pgconn.make_empty_result(ExecStatus.FATAL_ERROR)
    assert result.error_message == pgconn.error_message
    pgconn.finish()
    assert pgconn.make_empty_result(ExecStatus.FATAL_ERROR).status is ExecStatus.FATAL_ERROR


# --- Pipeline mode ------------------------------------------------------------------------------


def test_pipeline(pgconn: pq.PGconn) -> None:
    assert pgconn.pipeline_status is pq.PipelineStatus.OFF
    pgconn.enter_pipeline_mode()
    assert pgconn.pipeline_status is pq.PipelineStatus.ON
    pgconn.send_query_params(b"select $1", [b"1"])
    pgconn.send_query_params(b"select $1", [b"2"])
    pgconn.send_flush_request()
    pgconn.flush()
    assert [values(r) for r in results(pgconn)] == [[[b"1"]]]
    assert [values(r) for r in results(pgconn)] == [[[b"2"]]]
    with pytest.raises(OperationalError, match="leaving pipeline mode failed"):
        pgconn.send_query_params(b"select 1", None)
        pgconn.exit_pipeline_mode()
    pgconn.pipeline_sync()
    assert len(results(pgconn)) == 1
    sync = pgconn.get_result()
    assert sync is not None
    assert sync.status is ExecStatus.PIPELINE_SYNC
    pgconn.exit_pipeline_mode()
    assert pgconn.pipeline_status is pq.PipelineStatus.OFF


def test_an_error_in_a_pipeline(pgconn: pq.PGconn) -> None:
    pgconn.enter_pipeline_mode()
    for query in (b"select 1", b"wrong", b"select 2"):
        pgconn.send_query_params(query, None)
    pgconn.pipeline_sync()
    statuses = [result.status for _ in range(3) for result in results(pgconn)]
    assert statuses == [
        ExecStatus.TUPLES_OK,
        ExecStatus.FATAL_ERROR,
        ExecStatus.PIPELINE_ABORTED,
    ]
    assert pgconn.pipeline_status is pq.PipelineStatus.ABORTED
    assert [pgconn.get_result().status] == [ExecStatus.PIPELINE_SYNC]  # type: ignore[union-attr]
    assert pgconn.pipeline_status is pq.PipelineStatus.ON


def test_entering_pipeline_mode_at_the_wrong_time(pgconn: pq.PGconn) -> None:
    pgconn.send_query(b"select 1")
    with pytest.raises(OperationalError, match="entering pipeline mode failed"):
        pgconn.enter_pipeline_mode()


def test_a_sync_without_a_flush(pgconn: pq.PGconn, since: Since) -> None:
    pgconn.enter_pipeline_mode()
    if not since(17):
        with pytest.raises(NotSupportedError, match="PQsendPipelineSync"):
            pgconn.send_pipeline_sync()
        return
    pgconn.send_pipeline_sync()
    pgconn.flush()
    assert pgconn.get_result().status is ExecStatus.PIPELINE_SYNC  # type: ignore[union-attr]


# --- COPY ---------------------------------------------------------------------------------------


def test_copy_in(pgconn: pq.PGconn) -> None:
    pgconn.exec_(b"create temp table t (a int, b text)")
    assert pgconn.exec_(b"copy t from stdin").status is ExecStatus.COPY_IN
    for data in (b"1\tone\n", bytearray(b"2\t"), memoryview(b"two\n"), b""):
        assert pgconn.put_copy_data(data) == 1
    assert pgconn.put_copy_end() == 1
    (result,) = results(pgconn)
    assert result.command_status == b"COPY 2"
    assert values(pgconn.exec_(b"table t")) == [[b"1", b"one"], [b"2", b"two"]]


def test_copy_in_that_is_given_up(pgconn: pq.PGconn) -> None:
    pgconn.exec_(b"create temp table t (a int)")
    pgconn.exec_(b"copy t from stdin")
    pgconn.put_copy_data(b"1\n")
    assert pgconn.put_copy_end(b"changed my mind") == 1
    (result,) = results(pgconn)
    assert result.error_field(pq.DiagnosticField.SQLSTATE) == b"57014"
    assert b"changed my mind" in result.error_message
    assert values(pgconn.exec_(b"table t")) == []


def test_copy_out(pgconn: pq.PGconn) -> None:
    result = pgconn.exec_(b"copy (select generate_series(1, 3)) to stdout")
    assert result.status is ExecStatus.COPY_OUT
    rows = []
    while True:
        length, row = pgconn.get_copy_data(1)
        if length == 0:
            wait(pgconn)
            pgconn.consume_input()
            continue
        if length < 0:
            break
        assert isinstance(row, memoryview)
        assert len(row) == length
        rows.append(bytes(row))
    assert rows == [b"1\n", b"2\n", b"3\n"]
    assert (length, bytes(row)) == (-1, b"")
    assert [r.status for r in results(pgconn)] == [ExecStatus.COMMAND_OK]


def test_copy_out_in_binary_and_waiting(pgconn: pq.PGconn) -> None:
    result = pgconn.exec_(b"copy (select 1::int2) to stdout (format binary)")
    assert result.binary_tuples == 1
    data = b""
    while (got := pgconn.get_copy_data(0))[0] > 0:
        data += got[1]
    assert data.startswith(b"PGCOPY\n\xff\r\n\0")
    assert data.endswith(b"\0\1\0\0\0\2\0\1\xff\xff")


def test_copy_without_copy(pgconn: pq.PGconn) -> None:
    with pytest.raises(OperationalError, match="sending COPY data failed: no COPY in progress"):
        pgconn.put_copy_data(b"1\n")
    with pytest.raises(OperationalError, match="ending COPY failed: no COPY in progress"):
        pgconn.put_copy_end()
    with pytest.raises(OperationalError, match="receiving COPY data failed: no COPY in progress"):
        pgconn.get_copy_data(1)
    with pytest.raises(TypeError, match="COPY data: got str"):
        pgconn.put_copy_data("1\n")  # type: ignore[arg-type]


# --- Notices and notifications ------------------------------------------------------------------

NOTICE = b"do $$ begin raise notice 'hello' using hint = 'be kind'; end $$"


def test_notices(pgconn: pq.PGconn) -> None:
    assert pgconn.notice_handler is None
    pgconn.exec_(NOTICE)
    seen: list[Any] = []
    kept: list[pq.PGresult] = []

    def handler(result: pq.PGresult) -> None:
        kept.append(result)
        seen.append(result.status)
        seen.append(result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY))
        seen.append(result.error_field(pq.DiagnosticField.MESSAGE_HINT))
        seen.append(result.get_error_message())

    pgconn.notice_handler = handler
    pgconn.exec_(NOTICE)
    assert seen[:3] == [ExecStatus.NONFATAL_ERROR, b"hello", b"be kind"]
    assert seen[3].startswith("hello\n")
    # What libpq has freed meanwhile can't be reached any more.
    assert kept[0].pgresult_ptr is None
    assert kept[0].error_message == b""
    pgconn.notice_handler = None
    pgconn.exec_(NOTICE)
    assert len(kept) == 1


def test_a_notice_handler_that_fails(pgconn: pq.PGconn) -> None:
    def handler(result: pq.PGresult) -> None:
        raise ZeroDivisionError(result.error_field(pq.DiagnosticField.MESSAGE_HINT))

    pgconn.notice_handler = handler
    assert pgconn.exec_(NOTICE + b"; " + NOTICE).status is ExecStatus.COMMAND_OK
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="be kind"):
            pgconn.exec_(b"select 1")
    assert values(pgconn.exec_(b"select 1")) == [[b"1"]]


def test_an_interruption_in_a_notice_handler_is_not_lost(pgconn: pq.PGconn) -> None:
    def handler(result: pq.PGresult) -> None:
        raise KeyboardInterrupt

    pgconn.notice_handler = handler
    pgconn.send_query(NOTICE)
    wait(pgconn)
    with pytest.raises(KeyboardInterrupt):
        results(pgconn)
    assert [r.status for r in results(pgconn)] == [ExecStatus.COMMAND_OK]


def test_a_notice_handler_that_closes_the_connection(pgconn: pq.PGconn) -> None:
    pgconn.notice_handler = lambda result: pgconn.finish()
    assert pgconn.exec_(NOTICE).status is ExecStatus.COMMAND_OK
    assert pgconn.pgconn_ptr is None
    with pytest.raises(OperationalError, match="closed"):
        pgconn.exec_(b"select 1")


def test_a_notice_handler_that_uses_the_connection(pgconn: pq.PGconn) -> None:
    caught: list[Exception] = []

    def handler(result: pq.PGresult) -> None:
        assert pgconn.parameter_status(b"server_encoding")
        try:
            pgconn.exec_(b"select 1")
        except Exception as ex:
            caught.append(ex)

    pgconn.notice_handler = handler
    assert pgconn.exec_(NOTICE).status is ExecStatus.COMMAND_OK
    assert [type(ex) for ex in caught] == [ProgrammingError]
    assert "under way" in str(caught[0])
    assert values(pgconn.exec_(b"select 2")) == [[b"2"]]


def test_each_connection_hears_its_own_notices(dsn: str) -> None:
    heard: list[int] = []
    conns = [pq.PGconn.connect(dsn.encode()) for _ in range(3)]
    for i, conn in enumerate(conns):
        conn.notice_handler = lambda result, i=i: heard.append(i)  # type: ignore[misc]
    for i in (2, 0, 1):
        conns[i].exec_(NOTICE)
    assert heard == [2, 0, 1]


def test_twenty_thousand_notices(pgconn: pq.PGconn) -> None:
    count = 0

    def handler(result: pq.PGresult) -> None:
        nonlocal count
        count += len(result.error_message) > 0

    pgconn.notice_handler = handler
    pgconn.exec_(b"do $$ begin for i in 1..20000 loop raise notice '%', i; end loop; end $$")
    assert count == 20000


def test_notifications(pgconn: pq.PGconn) -> None:
    handler: list[pq.PGnotify] = []
    pgconn.notify_handler = handler.append
    pgconn.exec_(b"listen there")
    pgconn.exec_(b"notify there, 'it is'; notify there")
    pgconn.consume_input()
    first, second, none = pgconn.notifies(), pgconn.notifies(), pgconn.notifies()
    assert first == pq.PGnotify(b"there", pgconn.backend_pid, b"it is")
    assert second == pq.PGnotify(b"there", pgconn.backend_pid, b"")
    assert none is None
    assert handler == []


# --- Tracing and passwords ----------------------------------------------------------------------


def test_trace(pgconn: pq.PGconn, tmp_path: Path) -> None:
    file = tmp_path / "trace"
    with file.open("w") as stream:
        pgconn.trace(stream.fileno())
        pgconn.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS | pq.Trace.REGRESS_MODE)
        pgconn.exec_(b"select 'traced'")
        pgconn.untrace()
        pgconn.exec_(b"select 'unseen'")
        pgconn.untrace()
        stream.write("still mine")
    text = file.read_text()
    assert "select 'traced'" in text
    assert text.startswith("F\t")
    assert "unseen" not in text
    assert text.endswith("still mine")


def test_trace_to_the_end(pgconn: pq.PGconn, tmp_path: Path) -> None:
    files = [tmp_path / "first", tmp_path / "second"]
    before = set(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else set()
    for file in files:
        with file.open("w") as stream:
            pgconn.trace(stream.fileno())
        pgconn.exec_(f"select '{file.name}'".encode())
    pgconn.finish()
    for file in files:
        assert f"select '{file.name}'" in file.read_text()
    assert "Terminate" in files[1].read_text()
    if before:
        assert len(set(os.listdir("/proc/self/fd")) - before) == 0


def test_trace_to_no_file(pgconn: pq.PGconn) -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        pgconn.trace(10_000)
    assert values(pgconn.exec_(b"select 1")) == [[b"1"]]


def test_encrypt_password(pgconn: pq.PGconn) -> None:
    md5 = b"md5" + hashlib.md5(b"foo" + b"bar").hexdigest().encode()
    assert pgconn.encrypt_password(b"foo", b"bar", b"md5") == md5
    scram = pgconn.encrypt_password(b"foo", b"bar", b"scram-sha-256")
    assert scram.startswith(b"SCRAM-SHA-256$4096:")
    pgconn.exec_(b"set password_encryption = 'md5'")
    assert pgconn.encrypt_password(b"foo", b"bar") == md5
    with pytest.raises(OperationalError, match="encrypting the password failed"):
        pgconn.encrypt_password(b"foo", b"bar", b"rot13")


def test_change_password(pgconn: pq.PGconn, since: Since) -> None:
    if not since(17):
        with pytest.raises(NotSupportedError, match="PQchangePassword needs libpq 17"):
            pgconn.change_password(b"a", b"b")
        return
    pgconn.exec_(b"begin; create role psycopg3_pq_role")
    pgconn.change_password(b"psycopg3_pq_role", b"sesame")
    found = pgconn.exec_(b"select rolpassword from pg_authid where rolname = 'psycopg3_pq_role'")
    assert (found.get_value(0, 0) or b"").startswith((b"SCRAM", b"md5"))
    with pytest.raises(OperationalError, match="changing the password failed: .*no_such_role"):
        pgconn.change_password(b"no_such_role", b"sesame")
    pgconn.exec_(b"rollback")


# --- Lifetime: threads, processes, the end ------------------------------------------------------


def backends(conn: pq.PGconn, pid: int) -> list[list[bytes | None]]:
    return values(conn.exec_(b"select pid from pg_stat_activity where pid = %d" % pid))


def gone(conn: pq.PGconn, pid: int) -> bool:
    deadline = time.monotonic() + 5
    while backends(conn, pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@counts_references
def test_an_unused_connection_is_freed_at_once(dsn: str, pgconn: pq.PGconn) -> None:
    gc.disable()
    try:
        conn = pq.PGconn.connect(dsn.encode())
        conn.notice_handler = lambda result: None
        pid, ref = conn.backend_pid, weakref.ref(conn)
        conn.exec_(NOTICE)
        del conn
        assert ref() is None
    finally:
        gc.enable()
    assert gone(pgconn, pid)


def test_a_connection_half_built_is_no_trouble() -> None:
    for cls in (pq.PGconn, pq.PGresult, pq.PGcancel, pq.PGcancelConn):
        made = cls.__new__(cls)
        del made


def test_closing_while_another_thread_waits(dsn: str, pgconn: pq.PGconn) -> None:
    conn = pq.PGconn.connect(dsn.encode())
    pid = conn.backend_pid
    outcome: list[object] = []
    thread = threading.Thread(
        target=lambda: outcome.append(values(conn.exec_(b"select 1 from pg_sleep(0.3)")))
    )
    thread.start()
    while conn.transaction_status is not TransactionStatus.ACTIVE:
        time.sleep(0.001)
    conn.finish()
    with pytest.raises(OperationalError, match="closed"):
        conn.consume_input()
    assert backends(pgconn, pid)
    thread.join()
    assert outcome == [[[b"1"]]]
    assert gone(pgconn, pid)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers here")
def test_exceptions_from_signals_leave_no_trace(dsn: str, pgconn: pq.PGconn) -> None:
    class AlarmError(Exception):
        pass

    def interrupt(number: int, frame: object) -> None:
        raise AlarmError

    before = signal.signal(signal.SIGVTALRM, interrupt)
    interrupted = 0
    try:
        while interrupted < 100:
            try:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0.0001)
                while True:
                    pgconn.is_busy()
            except AlarmError:
                interrupted += 1
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    assert values(pgconn.exec_(b"select 1")) == [[b"1"]]
    pid, other = pgconn.backend_pid, pq.PGconn.connect(dsn.encode())
    pgconn.finish()
    assert gone(other, pid)


def test_two_threads_are_refused_one_connection(dsn: str) -> None:
    conn = pq.PGconn.connect(dsn.encode())
    thread = threading.Thread(target=lambda: conn.exec_(b"select pg_sleep(0.2)"))
    thread.start()
    while conn.transaction_status is not TransactionStatus.ACTIVE:
        time.sleep(0.001)
    with pytest.raises(ProgrammingError, match="under way"):
        conn.exec_(b"select 1")
    thread.join()
    assert values(conn.exec_(b"select 1")) == [[b"1"]]


def test_many_threads_close_many_connections(dsn: str) -> None:
    for _ in range(20):
        conn = pq.PGconn.connect(dsn.encode())
        start = threading.Barrier(4)

        def use(conn: pq.PGconn = conn, start: threading.Barrier = start) -> None:
            start.wait()
            for _ in range(50):
                try:
                    conn.is_busy()
                    _ = conn.status, conn.transaction_status, conn.error_message
                except (OperationalError, ProgrammingError):
                    pass

        def close(conn: pq.PGconn = conn, start: threading.Barrier = start) -> None:
            start.wait()
            conn.finish()

        threads = [threading.Thread(target=t) for t in (use, use, close, close)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert conn.pgconn_ptr is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("end", ["finish", "collect", "exit"])
def test_a_forked_child_leaves_the_connection_alone(
    run_python: Callable[..., Any], end: str
) -> None:
    run_python(
        """
import gc, os, sys
from psycopg3 import pq
conn = pq.PGconn.connect(os.environ["DSN"].encode())
result = conn.exec_(b"select 1")
cancel = conn.get_cancel()
child = os.fork()
if not child:
    end = os.environ["END"]
    if end == "finish":
        conn.finish(), result.clear(), cancel.free()
        assert conn.pgconn_ptr is None
        os._exit(0)
    if end == "collect":
        del conn, result, cancel
        gc.collect()
        os._exit(0)
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert conn.exec_(b"select 2").get_value(0, 0) == b"2", conn.error_message
assert result.get_value(0, 0) == b"1"
""",
        END=end,
    )


def test_the_interpreter_exits_with_everything_open(run_python: Callable[..., Any]) -> None:
    run_python(
        """
import os
from psycopg3 import pq
conn = pq.PGconn.connect(os.environ["DSN"].encode())
conn.notice_handler = lambda result: print(conn)
conn.trace(os.open(os.devnull, os.O_WRONLY))
conn.exec_(b"do $$ begin raise notice 'x'; end $$")
kept = [conn, conn.exec_(b"select 1"), conn.get_cancel()]
if pq.version() >= 170000:
    kept.append(conn.cancel_conn())
kept.append(kept)
conn.send_query(b"select pg_sleep(0.1)")
class Late:
    def __del__(self):
        conn.status, conn.error_message
        conn.finish()
late = Late()
"""
    )
