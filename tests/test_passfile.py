"""Passwords from the password file: for the server that is meant, by libpq's own rules."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psycopg3 import OperationalError, pq
from psycopg3.conninfo import conninfo_to_dict
from psycopg3.passfile import find_password
from psycopg3.session.attempts import Attempts
from psycopg3.waiting import wait_select
from tests import listeners

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variables of libpq's, and a home without files."""
    for name in list(os.environ):
        if name.startswith("PG"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    if pq.version() < 150000:  # which asks the system, not the variable, where the home is
        monkeypatch.setenv("PGPASSFILE", str(tmp_path / ".pgpass"))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(*lines: str, name: str = ".pgpass", mode: int = 0o600) -> Path:
        path = tmp_path / name
        path.write_bytes("".join(f"{line}\n" for line in lines).encode())
        path.chmod(mode)
        return path

    return write


def found(host: str = "db.example", port: int | str = 5433, **params: Any) -> str | None:
    params = {"user": "me", "dbname": "app", **params}
    return find_password(params, host, port)


@pytest.mark.parametrize(
    ("line", "password"),
    [
        ("db.example:5433:app:me:secret", "secret"),
        ("*:*:*:*:secret", "secret"),
        ("db.example:*:app:*:secret", "secret"),
        ("db.example:5433:app:me:", None),
        ("db.example:5432:app:me:secret", None),
        ("db:5433:app:me:secret", None),
        ("db.example:5433:other:me:secret", None),
        ("db.example:5433:app:you:secret", None),
        ("#db.example:5433:app:me:secret", None),
        ("db.example:5433:app:me", None),
        (r"db.example:5433:app:me:a\:b\\c", r"a:b\c"),
        ("db.example:5433:app:me: é b ", " é b "),
        ("*.example:5433:app:me:secret", None),
    ],
)
def test_lines(write: Write, line: str, password: str | None) -> None:
    write(line)
    assert found() == password


def test_the_first_line_that_matches(write: Write) -> None:
    write("", "# passwords", "*:5432:*:*:no", "*:5433:*:*:this", "*:*:*:*:no")
    assert found() == "this"


def test_names_with_signs(write: Write) -> None:
    write(r"\:\:1:5433:a\:b:m\\e:this", "*:*:*:*:no")
    assert found("::1", dbname="a:b", user="m\\e") == "this"


def test_default_database_and_user(write: Write) -> None:
    write("*:*:me:me:this")
    assert find_password({"user": "me"}, "db.example", 5433) == "this"


def test_sockets(write: Write) -> None:
    write("/run/mine:5433:*:*:mine", "localhost:5433:*:*:this")
    assert found("/run/mine") == "mine"
    assert found("") == "this"
    assert found("localhost") == "this"
    assert found("/run/other") is None


def test_no_file() -> None:
    assert found() is None


def test_which_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("*:*:*:*:home")
    assert found() == "home"
    monkeypatch.setenv("PGPASSFILE", str(write("*:*:*:*:variable", name="two")))
    assert found() == "variable"
    assert found(passfile=write("*:*:*:*:parameter", name="three")) == "parameter"
    assert found(passfile="/no/such/file") is None


def test_what_comes_before_the_file(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write("*:*:*:*:file")
    monkeypatch.setenv("PGSERVICEFILE", str(write("[mine]", "password=service", name="services")))
    assert found() == "file"
    monkeypatch.setenv("PGPASSWORD", "variable")
    assert found() == "variable"
    assert found(service="mine") == "service"
    assert found(service="mine", password="given") == "given"


@pytest.mark.skipif(os.name == "nt", reason="files have no modes there")
def test_a_file_that_others_may_read(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    path = write("*:*:*:*:secret", mode=0o640)
    assert found() is None
    warning = capfd.readouterr().err
    assert str(path) in warning and "permissions" in warning
    assert "secret" not in warning


def test_other_hosts_do_not_count(write: Write) -> None:
    write("db.example:5433:*:*:this", "*:*:*:*:no")
    assert found(hostaddr="127.0.0.1", port=5433) == "this"


def test_of_no_text(tmp_path: Path) -> None:
    path = tmp_path / ".pgpass"
    path.write_bytes(b"*:*:*:*:secret\xff\n")
    path.chmod(0o600)
    with pytest.raises(OperationalError, match="no UTF-8") as caught:
        found()
    assert "secret" not in str(caught.value)


fields = st.text(st.sampled_from("ab:\\*#é "), min_size=1, max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(fields, min_size=4, max_size=4), fields)
def test_escaped_fields_are_found(tmp_path: Path, names: list[str], password: str) -> None:
    """Whatever signs are in a name or password: escaped by a backslash, it is found again."""
    host, port, dbname, user = names
    path = tmp_path / ".pgpass"
    escaped = [s.replace("\\", "\\\\").replace(":", "\\:") for s in [*names, password]]
    path.write_text(":".join(escaped) + "\n")
    path.chmod(0o600)
    if host[0] == "#":
        return
    assert find_password({"user": user, "dbname": dbname}, host, port) == password


def test_a_resolved_attempt_finds_it_by_name(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """libpq looks up by the name, not by the address that the driver gives it besides."""
    import socket

    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", (listeners.ADDRESS, 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [address])
    told: list[str] = []
    with listeners.Listener(listeners.asking_password(told)) as server:
        write(f"{listeners.ADDRESS}:*:*:*:no", f"db.example:{server.port}:*:me:secret")
        params = {"host": "db.example", "port": server.port, "user": "me", "sslmode": "disable"}
        params["gssencmode"] = "disable"
        pgconn = wait_select(Attempts(conninfo_to_dict("", **params)).connect_gen())
        assert pgconn.used_password
        pgconn.finish()
    assert told == ["secret"]
    assert find_password({"user": "me"}, "db.example", server.port) == "secret"
    assert pgconn.status == pq.ConnStatus.BAD
