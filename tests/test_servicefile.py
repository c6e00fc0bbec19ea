"""`servicefile`: read as libpq reads the file that PGSERVICEFILE names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import psycopg3
from psycopg3 import OperationalError, ProgrammingError
from psycopg3.conninfo import conninfo_to_dict, make_conninfo, rehearse, with_service
from psycopg3.pq import version
from psycopg3.servicefile import read_service

KNOWN = {"host", "user", "dbname", "password", "options", "service", "servicefile"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variables of libpq's, and a home without files."""
    for name in list(os.environ):
        if name.startswith("PG"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_one_of_several(tmp_path: Path) -> None:
    path = tmp_path / "services"
    path.write_text(
        "# host=no\n\n[other]\nhost=no\n[mine]\n  # user=no\n host=a b \nuser=x=y\nuser=no\n"
        "password=\n[mine]\ndbname=no\n"
    )
    found = read_service(str(path), "mine", KNOWN)
    assert found == {"host": "a b", "user": "x=y", "password": ""}


def test_another_is_not_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "services"
    path.write_text("[other]\nnonsense\n[mine]\nhost=h\n[third]\nnonsense\n")
    assert read_service(str(path), "mine", KNOWN) == {"host": "h"}


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(OperationalError, match="can't read the service file .*: No such file"):
        read_service(str(tmp_path / "none"), "mine", KNOWN)


def test_no_such_service(tmp_path: Path) -> None:
    path = tmp_path / "services"
    path.write_text("[mine2]\nhost=h\n")
    with pytest.raises(OperationalError, match='"mine" not found in the service file'):
        read_service(str(path), "mine", KNOWN)


@pytest.mark.parametrize("line", ["s3cret", "s3cret=x", "service=s3cret", "password =s3cret"])
def test_a_line_that_is_malformed(tmp_path: Path, line: str) -> None:
    path = tmp_path / "services"
    path.write_text(f"[mine]\nhost=h\n{line}\n")
    with pytest.raises(OperationalError, match="line 3 of the service file") as caught:
        read_service(str(path), "mine", KNOWN)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("s3cret", "line 3 .* has no '=': expected keyword=value$"),
        ("s3cret=x", "has a keyword that this libpq doesn't know$"),
        ("password = s3cret", "has a blank before the '=': expected keyword=value$"),
        ("service=s3cret", "names another service, which a service can't: expected"),
        ("servicefile=s3cret", "names another service, which a service can't: expected"),
        pytest.param(
            "oauth_ca_file=x",
            "has a keyword that this libpq doesn't know: it needs libpq 19 or newer, the one",
            marks=pytest.mark.skipif(version() >= 190000, reason="it knows it"),
        ),
    ],
)
def test_what_is_wrong_with_a_line(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "services"
    path.write_text(f"[mine]\nhost=h\n{line}\n")
    with pytest.raises(OperationalError, match=told):
        read_service(str(path), "mine", KNOWN)


keywords = st.sampled_from(["host", "user", "dbname", "options", "#user", "nonsense", "service"])
values = st.text("ab =#[]'\\", max_size=6)
lines = st.one_of(
    st.builds("{}={}".format, keywords, values),
    st.builds(" {}={} ".format, keywords, values),
    st.sampled_from(["", "  ", "[mine]", "[other]", "[mine] x", "[", "# x", "nonsense"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(lines, max_size=8))
@example(["[mine]", "user=a", "[mine]", "user=b"])
def test_as_libpq_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: list[str]) -> None:
    """The parameters that libpq would connect with are those that it finds there itself."""
    path = tmp_path / "services"
    path.write_text("\n".join(["[first]", "user=first", *content, ""]))
    given = {"service": "mine", "user": None, "dbname": None, "host": None, "options": None}
    asked = {key: value for key, value in given.items() if value is not None}
    monkeypatch.setenv("PGSERVICEFILE", str(path))
    try:
        expected = facts(asked)
    except OperationalError:
        expected = None
    monkeypatch.delenv("PGSERVICEFILE")
    try:
        found = facts(with_service(asked | {"servicefile": path}))
    except OperationalError:
        found = None
    assert found == expected


def facts(params: dict[str, object]) -> tuple[bytes, ...]:
    pgconn = rehearse(params)
    try:
        return pgconn.user, pgconn.db, pgconn.host, pgconn.options
    finally:
        pgconn.finish()


def test_what_is_given_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "services"
    path.write_text("[mine]\nhost=a,b\nport=1\nuser=of the service\n")
    monkeypatch.setenv("PGPORT", "2")
    given = {"service": "mine", "servicefile": path, "user": "me"}
    assert with_service(given) == {"host": "a,b", "port": "1", "user": "me"}


def test_without_a_service_it_is_not_read(tmp_path: Path) -> None:
    assert with_service({"servicefile": tmp_path / "none", "user": "me"}) == {"user": "me"}


def test_a_service_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSERVICE", "mine")
    with pytest.raises(psycopg3.NotSupportedError, match="unset PGSERVICE"):
        with_service({"servicefile": tmp_path / "services"})


def test_in_a_connection_string() -> None:
    expected = {"service": "mine", "servicefile": "/a b"}
    assert conninfo_to_dict("service=mine servicefile='/a b'") == expected
    assert conninfo_to_dict("postgresql:///?servicefile=%2Fa%20b&service=mine") == expected
    assert conninfo_to_dict(make_conninfo("service=mine", servicefile="/a b")) == expected


def test_connecting(dsn: str, tmp_path: Path) -> None:
    path = tmp_path / "services"
    params = {**conninfo_to_dict(dsn), "application_name": "of the service"}
    content = "\n".join(f"{name}={value}" for name, value in params.items())
    path.write_text(f"[mine]\n{content}\n")
    with psycopg3.connect(service="mine", servicefile=path) as conn:
        assert conn.execute("show application_name").fetchone() == ("of the service",)
        assert params.items() <= conn.info.get_parameters().items()
        assert "service" not in conninfo_to_dict(conn.info.dsn)
    with pytest.raises(OperationalError, match='"other" not found'):
        psycopg3.connect(service="other", servicefile=path)
    with pytest.raises(ProgrammingError, match="servicefile of type dict"):
        psycopg3.connect(service="other", servicefile={})
