"""Texts: without severity, without passwords."""

from __future__ import annotations

import pytest

from psycopg3.pq.messages import redact, severity_stripped, strip_severity, version_pretty


@pytest.mark.parametrize(
    ("version", "text"),
    [(180004, "18.4"), (140000, "14.0"), (100012, "10.12"), (90603, "9.6.3"), (0, "0.0.0")],
)
def test_version(version: int, text: str) -> None:
    assert version_pretty(version) == text


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("ERROR:  no\nLINE 1\n", "no\nLINE 1"),
        ("FATAL:  no", "no"),
        ("NOTICE:  yes\n", "yes"),
        ("ERROR: one blank", "ERROR: one blank"),
        ("connection failed: FATAL:  x\n", "connection failed: FATAL:  x"),
        ("", ""),
    ],
)
def test_severity(message: str, text: str) -> None:
    assert strip_severity(message) == text


def test_decoding() -> None:
    assert severity_stripped("ERROR:  é\n".encode("latin1"), "latin1") == "é"
    assert severity_stripped(b"ERROR:  \xe9", "utf-8") == "\ufffd"
    assert severity_stripped(b"\n", "utf-8") == "no details available"


@pytest.mark.parametrize(
    ("message", "conninfo", "shown"),
    [
        ('missing "=" after "cret"', "password=se cret", 'missing "=" after "***"'),
        ('missing "=" after "cret"', "user=me cret", 'missing "=" after "cret"'),
        ('no option "cret"', "password=se cret=1", 'no option "***"'),
        ('no option "colour"', "host=h colour=blue", 'no option "colour"'),
        ('no option "sslnegotiation"', "password=x sslnegotiation=direct", None),
        ('no option "sslnegotiation"', "password=x y=1 sslnegotiation=direct", None),
        ('missing "=" after "a"="b c"', 'password=a"="b c', 'missing "=" after "***"'),
        ('missing "=" after "me:se@h/db"', "me:se@h/db", 'missing "=" after "***"'),
        ('no option "x+y://me:se@h/db?a"', "x+y://me:se@h/db?a=b", 'no option "***"'),
        ('missing "=" after "postgres:/me:se@h"', "postgres:/me:se@h", 'missing "=" after "***"'),
        ('invalid token: "se%cret"', "postgres://u:se%cret@h", 'invalid token: "***"'),
        ('no host "se/cret@h"', "postgres://u:x@se%2Fcret@h", 'no host "***"'),
        ('no host "a@h"', "postgres://u:secret@a@h", 'no host "***"'),
        ('bad value "secret" for "port"', "postgres://u:secret", 'bad value "***"'),
        ('bad value "se" for "port"', "postgres://u:se/cret@h", 'bad value "***"'),
        ('no database "cret@h"', "postgres://u:1/cret@h", 'no database "***"'),
        ('no option "x"', "postgres://u:secret@h?x=y", 'no option "***"'),
        ("option « foo » invalide", "foo=bar", None),
        ("„secret“ is no port", "postgres://u:secret", "libpq's reason is withheld"),
        # What was read right is nowhere but in its place.
        ('no user "same"', "user=same password=same", None),
        ('no user "same"', "password = 'sa\\'me' user='same'", None),
        ('no user "same"', "postgres://same:same@h", None),
        ('no host "h"', "postgres://u:secret@h/d?options=a@b", None),
        ('no host "h"', "postgres://h:5432/d?user=me@srv", None),
        ('no host "h"', "postgres://h:5432,[::1]:5433/d?user=me", None),
        ('no host "h"', "postgres://u:p@[fe80::1%25eth0]/d", None),
        ('no host "h"', "postgresql:///d%20b?host=h&password=x", None),
        ('no host "h"', "postgresql://u:se%2Fcret:@h:1", None),
    ],
)
def test_passwords(message: str, conninfo: str, shown: str | None) -> None:
    assert redact(message, conninfo.encode()).startswith(shown or message)


def test_a_very_long_connection_string() -> None:
    conninfo = b"postgresql://u:" + b"se/cret" * 100_000
    message = f'bad "{conninfo.decode()}" in "it" here'
    assert redact(message, conninfo) == 'bad "***" here'
