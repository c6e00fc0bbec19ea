"""Connection strings: apart, together, and what is refused."""

from __future__ import annotations

import enum
import ipaddress
import socket
import threading
import traceback
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import psycopg3
from psycopg3 import OperationalError, ProgrammingError, pq
from psycopg3.conninfo import (
    KEEPALIVES,
    check_url,
    conninfo_attempts,
    conninfo_attempts_async,
    conninfo_to_dict,
    get_param,
    make_conninfo,
    rehearse,
    scram_limit_from_conninfo,
    timeout_from_conninfo,
    with_keepalives,
    with_service,
    with_ssl,
)
from psycopg3.pq.messages import NEWER_KEYWORDS
from psycopg3.testing import Cluster, certificates

KEYWORDS = sorted(option.keyword.decode() for option in pq.Conninfo.parse(b""))

# Any text but what libpq can't take: NUL ends its strings, and a lone surrogate has no bytes.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
awkward = st.text(st.sampled_from(" '\"\\=\t\n\r\v\f%/?&#@:,[]\N{NO-BREAK SPACE}éa1"))
params = st.dictionaries(
    st.sampled_from(sorted({*KEYWORDS, "load_balance_hosts"})), texts | awkward, max_size=6
)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGCONNECT_TIMEOUT", raising=False)


@pytest.mark.parametrize(
    ("conninfo", "expected"),
    [
        ("", {}),
        ("dbname=foo", {"dbname": "foo"}),
        ("dbname = foo  user='a b' ", {"dbname": "foo", "user": "a b"}),
        (r"password='it\'s \\'", {"password": r"it's \ ".strip()}),
        ("host=''", {"host": ""}),
        ("postgresql://", {}),
        (
            "postgres://u:p%40w@h1:1,h2/db?application_name=a%20b",
            {
                "user": "u",
                "password": "p@w",
                "host": "h1,h2",
                "port": "1,",
                "dbname": "db",
                "application_name": "a b",
            },
        ),
        ("postgresql://[::1]:5433/", {"host": "::1", "port": "5433"}),
    ],
)
def test_apart(conninfo: str, expected: dict[str, str]) -> None:
    assert conninfo_to_dict(conninfo) == expected


def test_keywords_override() -> None:
    merged = conninfo_to_dict("dbname=foo user=bar port=1", port=5433, user=None, host="h")
    assert merged == {"dbname": "foo", "user": "bar", "port": 5433, "host": "h"}


@pytest.mark.parametrize(
    ("conninfo", "kwargs", "expected"),
    [
        ("", {}, ""),
        ("", {"dbname": "foo"}, "dbname=foo"),
        ("dbname=foo", {}, "dbname=foo"),
        ("dbname = foo", {"user": None}, "dbname = foo"),
        ("dbname=foo user=x", {"user": "y", "host": "h"}, "user=y dbname=foo host=h"),
        ("postgres:///foo", {"port": 5433}, "dbname=foo port=5433"),
        ("", {"host": ""}, "host=''"),
        ("", {"user": "a b"}, "user='a b'"),
        ("", {"password": "it's \\"}, r"password='it\'s \\'"),
        ("", {"user": "é"}, "user='é'"),
        ("", {"host": ["a", "b"], "port": [1, 2]}, "host=a,b port=1,2"),
        ("", {"host": ("a", "b"), "port": (5433, None)}, "host=a,b port=5433,"),
        ("", {"database": "foo"}, "dbname=foo"),
        ("dbname=bar", {"database": "foo"}, "dbname=foo"),
        ("", {"sslsni": True, "keepalives": False}, "sslsni=1 keepalives=0"),
        ("", {"sslrootcert": Path("/ca.pem")}, "sslrootcert=/ca.pem"),
        ("", {"password": b"s3"}, "password=s3"),
        ("", {"hostaddr": ipaddress.ip_address("::1")}, "hostaddr=::1"),
        ("", {"connect_timeout": 2.5}, "connect_timeout=2.5"),
    ],
)
def test_together(conninfo: str, kwargs: dict[str, Any], expected: str) -> None:
    assert make_conninfo(conninfo, **kwargs) == expected


def test_text_that_is_more_than_a_str() -> None:
    class Text(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "not this"

    class Name(str, enum.Enum):  # noqa: UP042
        ONE = "one"

    assert conninfo_to_dict(Text("dbname=foo")) == {"dbname": "foo"}
    assert make_conninfo(Text(""), user=Text("me"), dbname=Name.ONE) == "user=me dbname=one"


@given(params)
@example({"password": "\N{NO-BREAK SPACE}"})
@example({"password": ""})
def test_round_trip(given: dict[str, str]) -> None:
    assert conninfo_to_dict(make_conninfo("", **given)) == given


@given(params, params)
def test_round_trip_merged(given: dict[str, str], more: dict[str, str]) -> None:
    conninfo = make_conninfo("", **given)
    assert conninfo_to_dict(conninfo, **more) == given | more
    assert conninfo_to_dict(make_conninfo(conninfo, **more)) == given | more


@given(
    texts
    | awkward
    | st.builds("{}={}".format, st.sampled_from(KEYWORDS), awkward)
    | st.builds("postgresql://{}".format, awkward)
)
def test_libpq_has_the_last_word(conninfo: str) -> None:
    """What libpq understands is understood, and the same; what it doesn't is a clear error."""
    try:
        options = pq.Conninfo.parse(conninfo.encode())
    except (OperationalError, ProgrammingError):
        with pytest.raises(ProgrammingError):
            conninfo_to_dict(conninfo)
        return
    expected = {o.keyword: o.val for o in options if o.val is not None}
    try:
        found = {k.encode(): v.encode() for k, v in conninfo_to_dict(conninfo).items()}
    except ProgrammingError:
        assert b"%" in conninfo.encode()  # percent-encoded bytes may be no text
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("conninfo", "expected"),
    [
        ("load_balance_hosts=random", {}),
        ("load_balance_hosts = 'random' host=h", {"host": "h"}),
        ("host=h load_balance_hosts=disable load_balance_hosts=rand\\om ", {"host": "h"}),
        (
            r"host=h\ load_balance_hosts=x password='\'load_balance_hosts=y' load_balance_hosts=random",
            {"host": "h load_balance_hosts=x", "password": "'load_balance_hosts=y"},
        ),
        ("postgresql://h/?load_balance_hosts=random", {"host": "h"}),
        ("postgresql://h?load_balance_hosts=r%61ndom&user=u", {"host": "h", "user": "u"}),
        (
            "postgresql://u:?load_balance_hosts=x@h/d?user=@x&load_balance_hosts=random&port=1",
            {
                "user": "@x",
                "password": "?load_balance_hosts=x",
                "host": "h",
                "dbname": "d",
                "port": "1",
            },
        ),
    ],
)
def test_load_balance_hosts_is_known_whatever_libpq(
    conninfo: str, expected: dict[str, str]
) -> None:
    assert conninfo_to_dict(conninfo) == {**expected, "load_balance_hosts": "random"}
    assert make_conninfo(conninfo) == conninfo
    again = make_conninfo(conninfo, application_name="me")
    assert conninfo_to_dict(again)["load_balance_hosts"] == "random"


@pytest.mark.parametrize(
    "conninfo",
    ["database=x user=me", "postgresql://me@/?database=x", "postgresql://?user=me&database=%78"],
)
def test_database_is_dbname(conninfo: str) -> None:
    assert conninfo_to_dict(conninfo) == {"dbname": "x", "user": "me"}
    assert conninfo_to_dict(conninfo, dbname="y")["dbname"] == "y"
    assert conninfo_to_dict(make_conninfo(conninfo, user="you")) == {"dbname": "x", "user": "you"}


@pytest.mark.parametrize("conninfo", ["dbname=x database=y", "postgresql:///x?database=y"])
def test_database_and_dbname(conninfo: str) -> None:
    with pytest.raises(ProgrammingError, match="got both 'dbname' and its other name"):
        conninfo_to_dict(conninfo)


@pytest.mark.parametrize(
    "conninfo",
    ["load_balance_hosts", "load_balance_hosts=random foo", "postgresql://h?load_balance_hosts"],
)
def test_load_balance_hosts_malformed(conninfo: str) -> None:
    with pytest.raises(ProgrammingError):
        conninfo_to_dict(conninfo)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("foo", "key words"), ("sslmod", "'sslmode'"), ("pasword", "'password'"), ("a=b", "words")],
)
def test_unknown_keyword(name: str, hint: str) -> None:
    for function in (conninfo_to_dict, make_conninfo):
        with pytest.raises(ProgrammingError, match=hint) as caught:
            function("", **{name: "secret"})
        assert name in str(caught.value)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("conninfo", "shown"),
    [
        ("foo=bar", '"foo"'),
        ("user=me foo=bar", '"foo"'),
        ("user=me foo=bar password=x", 'invalid connection option "***"'),
        ("password=x dbnam=bar", "did you mean 'dbname'?"),
        ("host=h nonsense", 'missing "=" after "nonsense"'),
        ("postgresql:///db?foo=bar", '"foo"'),
        ("postgresql://u:p@h/db?foo=bar", 'invalid URI query parameter: "***"'),
        ("postgresql://u:p@h/db?sslpassword=x&ssl_mode=y", "did you mean 'sslmode'?"),
        ("postgresql://[::1", 'matching "]" in IPv6 host address'),
        ("password='x", "unterminated quoted string"),
    ],
)
def test_the_reason_is_told(conninfo: str, shown: str) -> None:
    with pytest.raises(ProgrammingError) as caught:
        conninfo_to_dict(conninfo)
    assert str(caught.value).startswith("can't read the connection string: ")
    assert shown in str(caught.value)


@pytest.mark.parametrize("conninfo", ["dbname", "host='", "postgresql://[", "postgres://h?x"])
def test_malformed(conninfo: str) -> None:
    for function in (conninfo_to_dict, make_conninfo):
        with pytest.raises(ProgrammingError):
            function(conninfo)


def test_both_names_of_one() -> None:
    with pytest.raises(ProgrammingError, match="'dbname' and its other name"):
        make_conninfo(dbname="a", database="b")


def test_not_a_string() -> None:
    with pytest.raises(TypeError, match="expected str"):
        conninfo_to_dict({"dbname": "x"})  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        conninfo_to_dict("dbname=a", "user=b")  # type: ignore[call-arg]


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_nul_is_refused(keyword: str) -> None:
    """libpq would stop reading there, and log in as somebody else."""
    for value in ("a\0b", ["a", "b\0"], b"\0"):
        with pytest.raises(ProgrammingError, match=f"{keyword} with a NUL"):
            make_conninfo("", **{keyword: value})
    with pytest.raises(ProgrammingError, match="NUL"):
        conninfo_to_dict(f"{keyword}=a\0 user=b")


@pytest.mark.parametrize("value", [lambda: "secret", {"secret": 1}, {"secret"}])
def test_what_is_no_value(value: object) -> None:
    with pytest.raises(ProgrammingError, match="got password of type") as caught:
        make_conninfo(password=value)
    assert "secret" not in str(caught.value)


def test_surrogates_are_refused() -> None:
    for kwargs in ({"conninfo": "user=\ud800"}, {"password": "secret\udcff"}):
        with pytest.raises(ProgrammingError, match="surrogate") as caught:
            conninfo_to_dict(**kwargs)
        assert "secret" not in str(caught.value)
        assert caught.value.__context__ is None


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(ProgrammingError, match="password that is no UTF-8") as caught:
        conninfo_to_dict("postgresql://user:secret%ff@/")
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


# -- passwords -----------------------------------------------------------------------------

SECRET = "s3cr3tw0rd"


@pytest.mark.parametrize(
    "conninfo",
    [
        "postgresql://user:{}@[::1",
        "postgresql://user:{}@[",
        "postgresql://user:{}@[]/",
        "postgresql://user:{}@[::1]x/db",
        "postgresql://user:{}%zz@host/db",
        "postgresql://user:%zz{}@host/db",
        "postgresql://user:{}%00@host/db",
        "postgresql://user:{}@host/db?foo=bar",
        "postgresql://user:{}@host/db?foo",
        "postgresql://user:pass?{}@host/db",
        "postgresql://user:pass?{}=x@host/db",
        "postgresql://user:a/b?{}=x&y=z@host/db",
        "postgresql://host/db?password={}%zz",
        "postgresql://host/db?password={}=x",
        "postgresql://host/db?sslpassword={}%zz",
        "postgresql://host/db?password=a&{}=b",
        "postgresql://user:{}@host/d b",
        "password={} foo=bar",
        "password=a {}",
        "password=a {} user=x",
        "password=a {}=x",
        "password='{}",
        "password='a'{} user=x",
        "password = {} nonsense",
        "sslpassword=a {}",
        "user=x password=it's {} host=y",
        "user:{}@host/db",
        "postgres:/user:{}@host/db",
        "postgresql+psycopg://user:{}@host/db",
        "postgresql+psycopg://user:{}@host/db?a=b",
        "jdbc:postgresql://host/db?user=me&pwd={}",
        "cockroachdb://user:{}@host/db",
        "POSTGRESQL://user:{}@host/db",
        "postgresql%3A%2F%2Fuser%3A{}%40host%2Fdb",
        "Server=host;Uid=user;Pw={}",
        "host=host pw = a {}",
        "token=a {}",
    ],
)
def test_no_password_is_shown(conninfo: str) -> None:
    for secret in (SECRET, SECRET + "'", "a " + SECRET):
        try:
            conninfo_to_dict(conninfo.format(secret))
        except ProgrammingError as ex:
            error: BaseException | None = ex
        else:
            continue
        while error is not None:
            assert SECRET not in str(error)
            assert SECRET not in repr(error)
            error = error.__context__


@pytest.mark.parametrize("keyword", ["host", "dbname", "user", "service", "options"])
@pytest.mark.parametrize("value", ["postgresql://ann:{}@host/db", "ann:{}@host/db", "ann:{}"])
@pytest.mark.parametrize("given", ["keyword", "environment"])
def test_no_password_is_shown_in_the_place_of_something_else(
    keyword: str, value: str, given: str, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = value.format(SECRET)
    if (keyword, value) in (("dbname", f"ann:{SECRET}"), ("service", f"ann:{SECRET}")):
        return  # it may be their name
    if keyword == "options":
        value = f"-c my.dsn={value}"  # the server takes it
    kwargs = {keyword: value} if given == "keyword" else {}
    monkeypatch.setenv({"dbname": "PGDATABASE"}.get(keyword, f"PG{keyword.upper()}"), value)
    params = conninfo_to_dict(dsn, **kwargs)
    for name in {"dbname", "user", "host"} & {keyword} if given == "environment" else ():
        del params[name]
    try:
        psycopg3.connect(**params).close()
    except psycopg3.Error as ex:
        assert SECRET not in "".join(traceback.format_exception_only(ex))
        assert keyword in ("user", "host", "dbname", "service")
    else:
        assert keyword == "options"


def test_no_key_is_shown(tmp_path: Path, secure: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    files = certificates.make(tmp_path)
    place = {"host": "127.0.0.1", "port": secure.port, "sslcert": files.certificate}
    monkeypatch.setenv("PGSSLKEY", files.key.read_text())
    for kwargs in ({"sslkey": files.key.read_text()}, {}):
        with pytest.raises(ProgrammingError, match="^got sslkey with a key itself in it: expected"):
            psycopg3.connect(**place, **kwargs)


SCHEMES = [
    "postgresql+asyncpg://",
    "postgres+psycopg2://",
    "cockroachdb://",
    "postgres:/",
    " pq://",
]


@pytest.mark.parametrize("scheme", [*SCHEMES, "jdbc:postgresql://", "Postgresql://"])
def test_the_scheme_of_a_url(scheme: str) -> None:
    for call in (conninfo_to_dict, make_conninfo, psycopg3.connect):
        with pytest.raises(
            ProgrammingError, match="another scheme than postgresql:// or "
        ) as caught:
            call(f"{scheme}ann:{SECRET}@h/db")
        assert ("asyncpg" in str(caught.value)) == ("+" in scheme)


@pytest.mark.parametrize("before", [" ", "\n"])
def test_a_url_behind_a_blank(before: str) -> None:
    with pytest.raises(ProgrammingError, match="a blank or a line's end before it") as caught:
        psycopg3.connect(f"{before}postgresql://ann:{SECRET}@h/db")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "conninfo",
    [
        f"host=h.invalid;password={SECRET}",
        f"host=h.invalid,password={SECRET} user=x",
        f"hostaddr={SECRET}@h",
        f"host=h connect_timeout=postgresql://ann:{SECRET}@h/db",
        f"host=h target_session_attrs=postgresql://ann:{SECRET}@h/db",
    ],
)
def test_no_password_is_shown_of_a_value(conninfo: str) -> None:
    with pytest.raises(psycopg3.Error) as caught:
        psycopg3.connect(conninfo)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("conninfo", ["mydb", "ann:x@h/db", "postgres//h/db"])
def test_what_is_no_connection_string(conninfo: str) -> None:
    with pytest.raises(
        ProgrammingError, match="; expected a URL that begins with postgresql://, or"
    ):
        conninfo_to_dict(conninfo)


NEWER = [keyword for keyword, major in NEWER_KEYWORDS.items() if major * 10000 > pq.version()]


@pytest.mark.parametrize(
    "keyword", [k for k in NEWER if k not in ("load_balance_hosts", "servicefile")]
)
def test_a_parameter_of_a_newer_libpq(keyword: str) -> None:
    """It has no typing error: which libpq knows it is told, and its name is no secret."""
    told = f"{keyword}[\"'].*: it needs libpq {NEWER_KEYWORDS[keyword]} or newer, the one loaded is"
    for call in (
        lambda: conninfo_to_dict(**{keyword: SECRET}),
        lambda: conninfo_to_dict(f"host=h password=x {keyword}={SECRET}"),
        lambda: conninfo_to_dict(f"postgresql://u:p@h/d?{keyword}={SECRET}"),
    ):
        with pytest.raises(ProgrammingError, match=told) as caught:
            call()
        assert SECRET not in str(caught.value)
        assert "did you mean" not in str(caught.value)


def test_newer_parameters_are_libpq_s() -> None:
    known = {option.keyword.decode() for option in pq.Conninfo.parse(b"")}
    older = {keyword for keyword, major in NEWER_KEYWORDS.items() if major * 10000 <= pq.version()}
    assert older == known & NEWER_KEYWORDS.keys()


@pytest.mark.anyio
@pytest.mark.skipif("require_auth" not in NEWER, reason="this libpq knows them")
async def test_a_variable_that_is_not_in_force(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLCERTMODE", "")
    with psycopg3.connect(dsn):
        pass
    monkeypatch.setenv("PGREQUIREAUTH", "scram-sha-256")
    told = "^PGREQUIREAUTH is set and not in force: it needs libpq 16 or newer, the one loaded is"
    with pytest.warns(RuntimeWarning, match=told) as caught:
        psycopg3.connect(dsn).close()
        await (await psycopg3.connect_async(dsn)).close()
    assert [warning.filename for warning in caught] == [__file__, __file__]


@given(awkward, awkward, awkward)
def test_no_password_is_shown_wherever_it_is(before: str, after: str, rest: str) -> None:
    for conninfo in (
        f"postgresql://user:{before}{SECRET}{after}@host{rest}",
        f"postgresql://host/db?password={before}{SECRET}{after}&{rest}",
        f"user=x password={before}{SECRET}{after} {rest}",
    ):
        try:
            conninfo_to_dict(conninfo)
        except ProgrammingError as ex:
            assert SECRET not in "".join(traceback.format_exception(ex))


# -- single parameters ---------------------------------------------------------------------


def test_get_param(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPORT", raising=False)
    monkeypatch.delenv("PGSSLMODE", raising=False)
    assert get_param({"port": 5433}, "port") == "5433"
    assert get_param({}, "port") == "5432"
    assert get_param({}, "passfile") is None
    assert get_param({}, "no_such_keyword") is None
    monkeypatch.setenv("PGPORT", "5434")
    assert get_param({}, "port") == "5434"
    assert get_param({"port": "5433"}, "port") == "5433"
    assert get_param({"port": None}, "port") == "5434"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 130),
        ("", 130),
        (" ", 130),
        ("0", 130),
        (0, 130),
        ("-1", 130),
        (0.5, 130),
        ("1", 2),
        (1, 2),
        ("2", 2),
        ("2.9", 2),
        (2.9, 2),
        ("10", 10),
        (" 10 ", 10),
        ("1e2", 100),
        (10_000, 10_000),
    ],
)
def test_timeout(value: object, seconds: int) -> None:
    assert timeout_from_conninfo({"connect_timeout": value}) == seconds


def test_timeout_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert timeout_from_conninfo({}) == 130
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "7")
    assert timeout_from_conninfo({}) == 7
    assert timeout_from_conninfo({"connect_timeout": "9"}) == 9


@pytest.mark.parametrize("value", ["soon", "nan", "inf", float("nan"), "1,2"])
def test_timeout_that_is_no_number(value: object) -> None:
    with pytest.raises(ProgrammingError, match="connect_timeout=.*expected a number of seconds"):
        timeout_from_conninfo({"connect_timeout": value})


@pytest.mark.parametrize(
    ("conninfo", "limit"),
    [("", 1_000_000), ("scram_max_iterations=4096", 4096), ("scram_max_iterations=''", 1_000_000)],
)
def test_scram_limit(conninfo: str, limit: int) -> None:
    assert scram_limit_from_conninfo(conninfo_to_dict(conninfo)) == limit


@pytest.mark.parametrize("value", [0, -1, "x", "1.5", 1e6, "\u0665"])
def test_scram_limit_that_is_none(value: object) -> None:
    with pytest.raises(ProgrammingError, match="scram_max_iterations=.*whole number above 0"):
        scram_limit_from_conninfo({"scram_max_iterations": value})


def test_keepalives() -> None:
    given = {"host": "h", "keepalives_idle": 5, "keepalives_count": "0"}
    assert with_keepalives({}) == KEEPALIVES
    assert with_keepalives(given) == {**given, "keepalives_interval": "10"}
    for off in (0, "0", False):
        assert with_keepalives({"keepalives": off}) == {"keepalives": off}
    assert with_keepalives({"keepalives": "1"}) == {"keepalives": "1", **KEEPALIVES}


# -- what libpq would use ------------------------------------------------------------------


def test_a_rehearsal_connects_nowhere() -> None:
    """Nothing in libpq's manual promises it: this test does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            pgconn = rehearse({"host": host, "port": port, "user": "me", "password": "p"})
            assert pgconn.status == pq.ConnStatus.BAD
            assert (pgconn.host.decode(), pgconn.port.decode()) == (host, str(port))
            assert (pgconn.user, pgconn.password) == (b"me", b"p")
            pgconn.finish()
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_rehearsal_refused() -> None:
    with pytest.raises(OperationalError, match="sslmode") as caught:
        rehearse({"user": "me", "sslmode": "nonsense", "password": "secret"})
    assert "secret" not in str(caught.value)


def test_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "services"
    path.write_text("[mine]\nhost=a,b\nport=1\nuser=of the service\nconnect_timeout=7\n")
    monkeypatch.setenv("PGSERVICEFILE", str(path))
    monkeypatch.setenv("PGPORT", "2")
    monkeypatch.setenv("PGOPTIONS", "-c jit=off")
    for name in ("PGSERVICE", "PGHOST", "PGUSER"):
        monkeypatch.delenv(name, raising=False)
    assert with_service({"user": "me"}) == {"user": "me"}
    expected = {"host": "a,b", "port": "1", "connect_timeout": "7"}
    given = {"service": "mine", "user": "me"}
    assert with_service(given) == given | expected
    assert with_service(with_service(given)) == given | expected
    monkeypatch.setenv("PGSERVICE", "mine")
    assert with_service({"port": 3}) == expected | {"port": 3}
    assert rehearse({}).user == b"of the service"
    monkeypatch.setenv("PGSERVICE", "other")
    with pytest.raises(OperationalError, match='"other" not found'):
        with_service({})


def test_it_connects(dsn: str) -> None:
    conninfo = make_conninfo(dsn, application_name='it\'s \\ "é"')
    conn = pq.PGconn.connect(conninfo.encode())
    assert conn.status == pq.ConnStatus.OK, conn.error_message
    result = conn.exec_(b"show application_name")
    assert (result.get_value(0, 0) or b"").startswith(b"it's \\ \"")


# -- attempts ------------------------------------------------------------------------------


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The names that can be looked up, with their addresses."""
    known: dict[str, list[str]] = {}

    def getaddrinfo(host: str, port: int, **kwargs: Any) -> list[Any]:
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(0, 0, 0, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


def test_attempts(names: dict[str, list[str]]) -> None:
    names["db.example"] = ["::1", "127.0.0.1"]
    params = {"host": "db.example,/tmp,none.example,::1", "port": [1, 2, 3, 4], "user": "me"}
    assert conninfo_attempts(params) == [
        {"host": "db.example", "hostaddr": "::1", "port": "1", "user": "me"},
        {"host": "db.example", "hostaddr": "127.0.0.1", "port": "1", "user": "me"},
        {"host": "/tmp", "port": "2", "user": "me"},
        {"host": "::1", "port": "4", "user": "me"},
    ]
    assert params["host"] == "db.example,/tmp,none.example,::1"
    found = conninfo_attempts({"hostaddr": "::1,::2", "host": "a,b"})
    assert [(place["host"], place["hostaddr"]) for place in found] == [("a", "::1"), ("b", "::2")]


def test_attempts_without_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGPORT"):
        monkeypatch.delenv(name, raising=False)
    (attempt,) = conninfo_attempts({"dbname": "x"})
    assert attempt.pop("port") in ("5432", pq.misc.get_compiled_port())
    assert attempt == {"dbname": "x"}


def test_attempts_at_random(names: dict[str, list[str]]) -> None:
    names["db.example"] = [f"10.0.0.{n}" for n in range(20)]
    params = {"host": "db.example", "load_balance_hosts": "random"}
    found = [attempt["hostaddr"] for attempt in conninfo_attempts(params)]
    assert found != names["db.example"] and sorted(found) == sorted(names["db.example"])


def test_no_attempts(names: dict[str, list[str]]) -> None:
    with pytest.raises(OperationalError) as caught:
        conninfo_attempts({"host": "a.example,b.example"})
    for name in ("a.example", "b.example"):
        assert f"no address of the host '{name}' was found" in str(caught.value)


@pytest.mark.anyio
async def test_attempts_while_the_loop_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    turn = threading.Event()

    def getaddrinfo(host: str, port: int, **kwargs: Any) -> list[Any]:
        assert turn.wait(10)
        return [(0, 0, 0, "", ("::1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    async with anyio.create_task_group() as tasks:

        async def others() -> None:
            await anyio.sleep(0.05)
            turn.set()

        tasks.start_soon(others)
        found = await conninfo_attempts_async({"host": "db.example", "port": 1})
    assert found == [{"host": "db.example", "hostaddr": "::1", "port": "1"}]


# -- URLs and TLS --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "conninfo", ["postgresql://me:s3cret/x@host/db", "postgres://me:p@s3cret@host/db"]
)
def test_a_url_with_a_password_that_is_not_encoded(conninfo: str) -> None:
    with pytest.raises(ProgrammingError, match="percent-encode '@' as %40") as caught:
        check_url(conninfo)
    assert "s3cret" not in str(caught.value)


def test_other_strings_pass() -> None:
    for conninfo in ("", "port=abc", "postgresql://me:a%2Fb@h:1,h2/db", "postgresql:///?host=/a@b"):
        check_url(conninfo)
    check_url("postgresql://h:abc/", overridden={"port": 1})


@pytest.mark.parametrize(
    ("ssl", "expected"),
    [
        (None, {}),
        (False, {"sslmode": "disable"}),
        ("require", {"sslmode": "require"}),
        ("verify-ca", {"sslmode": "verify-ca"}),
    ],
)
def test_ssl(ssl: object, expected: dict[str, str]) -> None:
    assert with_ssl({}, ssl) == expected
    assert with_ssl({"sslmode": "allow", "user": "me"}, ssl) == {
        "user": "me",
        "sslmode": "allow",
        **expected,
    }


def test_ssl_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)
    roots = {"sslrootcert": "system"} if pq.version() >= 160000 else {}
    assert with_ssl({}, True) == {"sslmode": "verify-full", **roots}
    own = {"sslrootcert": "/ca.pem"}
    assert with_ssl(own, True) == {"sslmode": "verify-full", **own}
    monkeypatch.setenv("PGSSLROOTCERT", "/ca.pem")
    assert with_ssl({}, True) == {"sslmode": "verify-full"}


def test_ssl_with_a_service_of_its_own_roots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)
    path = tmp_path / "services"
    path.write_text("[mine]\nsslrootcert=/ca.pem\n")
    monkeypatch.setenv("PGSERVICEFILE", str(path))
    assert with_ssl({"service": "mine"}, True) == {"service": "mine", "sslmode": "verify-full"}


@pytest.mark.parametrize("value", [1, b"require", object()])
def test_ssl_that_is_none(value: object) -> None:
    with pytest.raises(ProgrammingError, match="expected True, False or an sslmode"):
        with_ssl({}, value)
