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
    ("message", "shown"),
    [
        ('in URI: "postgresql://u:se:cret@h/[x"', 'in URI: "postgresql://u:***@h/[x"'),
        ('in URI: "postgres://u:se@cret@[h"', 'in URI: "postgres://u:***@[h"'),
        ('in URI: "postgresql://u:secret"', 'in URI: "postgresql://u:***"'),
        ('in URI: "postgresql://h:5432/d"', 'in URI: "postgresql://h:5432/d"'),
        ("bad: password=secret port=1", "bad: password=*** port=1"),
        ("bad: PASSWORD = 'se cret\\'s' x", "bad: PASSWORD = *** x"),
        ("sslpassword='secret", "sslpassword=***"),
        ("u?password=secret&port=1", "u?password=***&port=1"),
        ("oauth_client_secret=secret", "oauth_client_secret=***"),
        ('password authentication failed for user "u"',) * 2,
        ('missing "=" after "password"',) * 2,
    ],
)
def test_passwords_in_the_message(message: str, shown: str) -> None:
    assert redact(message) == shown


def test_a_very_long_connection_string() -> None:
    conninfo = b"postgresql://u:" + b"se/cret" * 100_000
    message = f'bad "{conninfo.decode()}" in "it" here'
    assert redact(message, conninfo) == 'bad "***" here'


@pytest.mark.parametrize(
    ("message", "conninfo", "shown"),
    [
        ('missing "=" after "cret"', "password=se cret", 'missing "=" after "***"'),
        ('missing "=" after "cret"', "password=secret cret", 'missing "=" after "***"'),
        ('missing "=" after "cret"', "password=se port=1 cret", 'missing "=" after "cret"'),
        ('invalid token: "se%cret"', "postgres://u:se%cret@h", 'invalid token: "***"'),
        ('no host "se/cret@h"', "postgres://u:x@se%2Fcret@h", 'no host "***@h"'),
        ('no host "a@h"', "postgres://u:secret@a@h", 'no host "***"'),
        ("„secret“ is no port", "postgres://u:secret", "„***“ is no port"),
        ('no host "h"', "postgres://u:secret@h/d?options=a@b", 'no host "h"'),
        ('no host "h"', "postgres://h:5432/d?user=me@srv", 'no host "h"'),
        ('no host "h"', "postgres://h:5432,g:5433/d?user=me", 'no host "h"'),
        ('bad value "secret" for "port"', "postgres://u:secret", 'bad value "***" for "port"'),
        ('bad value "se" for "port"', "postgres://u:se/cret@h", 'bad value "***" for "port"'),
        # A password that was read right is nowhere but in its place.
        ('no user "same"', "user=same password=same", 'no user "same"'),
        ('no user "same"', "postgres://same:same@h", 'no user "same"'),
        ('no option "colour"', "password=se cret colour=blue", 'no option "colour"'),
    ],
)
def test_pieces_of_a_password_that_was_misread(message: str, conninfo: str, shown: str) -> None:
    assert redact(message, conninfo.encode()) == shown
