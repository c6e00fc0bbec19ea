"""What a query ends: told from its text, whatever else is in it, and in no time."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import psycopg3
from psycopg3.encodings import pg2py
from psycopg3.session import endings
from psycopg3.session.endings import Ending, ending_of

COMMITS = [
    "commit",
    "COMMIT;",
    "  Commit work",
    "commit and chain",
    "commit prepared 'x'",
    "end",
    "END TRANSACTION",
    "prepare transaction 'x'",
    "prepare\n\ttransaction 'x'",
    "prepare /* a /* b */ c */ transaction -- d\n 'x'",
    "rollback prepared 'x'",
    "rollback--\rprepared 'x'",
    "rollback; commit",
    "-- ready\ncommit",
    "-- ready\rcommit",
    "-- ready\r\n\r\n commit",
    "/* ready */ commit",
    "/* ready */-- go\n\n  end",
    "/* a /* b */ c */ commit",
    "/*/**/*/commit",
    "/***/commit",
    "select 1; commit",
    "select 1;commit;select 2",
    "select 1;;\f\v\r\n;commit",
    "begin; insert into t values ('it''s'); commit",
    "insert into t values (E'it\\'s'); commit",
    "insert into t values (e'\\\\'); commit",
    "insert into t values (E'a''\\'b'); commit",
    "insert into t values (E'a'\n'\\'b'); commit",
    "insert into t values (E'a' -- x\n -- y\r '\\'b'); commit",
    "insert into t values (E'a', '\\'); commit",
    "insert into t values ('\\'); commit",
    "insert into t values (name'\\'); commit",
    "insert into t values (U&'\\'); commit",
    'select U&"\\" from t; commit',
    "insert into t values ('a'); /* ; */ -- ;\n commit",
    'select 1 as "a""b"; end',
    "select $$a$$; commit",
    "select $x$a$$b$x$; commit",
    "select $x$a$X$ $x$; commit",
    "select $$a$b$$; commit",
    "do $$begin null; end$$; commit",
    "create function f() returns int begin atomic select 1; end; commit",
    "create function f() returns int begin atomic select case when 1 = 1 then 2 end; end; end",
    "select begin atomic from t; end",
    "create table t (n int); end",
    "select $1; commit",
    "select $1::text; commit",
    "select a$b$ from t; commit; select c$b$",
    "select a$$ from t; commit; select c$$",
    "select 1 -/* a */- 2; commit",
]
UNDOES = [
    "rollback",
    "ROLLBACK TO x",
    "abort",
    "select 'a'; rollback",
    "rollback /* prepared */",
    "discard all; rollback",
]
DISCARDS = ["discard all", "select 1; DISCARD temp"]
OTHERS = [
    "",
    ";",
    "select 1",
    "commits",
    "commit$",
    "commité",
    "end_of_time",
    "select commit",
    "prepare x as select 1",
    "prepare transactions as select 1",
    "release x",
    "select ';commit'",
    "select ' ; ; commit ; ' ",
    "select E'\\'; commit'",
    "select e'\\\\\\'; commit'",
    "select E''';commit'",
    "select E'a'\n'\\'; commit'",
    "select E'a' -- x\n'\\'; commit'",
    'select 1 as "; commit"',
    "select $$; commit$$",
    "select $x$; $$; commit$x$",
    "select $é$; $e$; commit$é$",
    "do $$begin null; end$$",
    "do $body$begin perform 1; end; $body$",
    "-- ; commit",
    "-- ' \n select 1 -- ; commit",
    "/* ; commit */ select 1",
    "/* /* */ ; commit */ select 1",
    "/* /*/ ; commit */",
    "select 1 /* ; end */ + 1",
    "select 1 --; commit",
    "create function f() returns int begin atomic select 1; end",
    "create function f() returns int begin atomic end",
    "create or replace function f() returns int /* a */ begin -- b\n atomic select ';'; end",
    "create procedure p() BEGIN ATOMIC insert into t values (1);\n  END;",
    "select 'never closed; commit",
    'select "never closed; commit',
    "select $x$ never closed; commit",
    "select 1 /* never closed; commit",
]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        *((query, Ending.COMMITTED) for query in COMMITS),
        *((query, Ending.UNDONE) for query in UNDOES),
        *((query, Ending.SESSION) for query in DISCARDS),
        *((query, Ending.NOTHING) for query in OTHERS),
    ],
)
def test_endings(query: str, expected: Ending) -> None:
    assert ending_of(query.encode()) is expected


@pytest.mark.parametrize(
    ("query", "plain", "escaping"),
    [
        ("select 'it\\'; commit", Ending.COMMITTED, Ending.NOTHING),
        ("select 'it\\'; commit '", Ending.COMMITTED, Ending.NOTHING),
        ("select '\\', '; commit'", Ending.NOTHING, Ending.COMMITTED),
        ("select '\\\\'; commit", Ending.COMMITTED, Ending.COMMITTED),
        ("select 'a'\n'\\'; commit'", Ending.COMMITTED, Ending.NOTHING),
        ('select "\\"; commit', Ending.COMMITTED, Ending.COMMITTED),
        ("select $$\\$$; commit", Ending.COMMITTED, Ending.COMMITTED),
    ],
)
def test_backslashes_in_plain_strings(query: str, plain: Ending, escaping: Ending) -> None:
    assert ending_of(query.encode()) is plain
    assert ending_of(query.encode(), backslashes=True) is escaping


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_bytes_of_any_encoding(encoding: str) -> None:
    assert ending_of("select 'é' as é; commit".encode(encoding)) is Ending.COMMITTED
    assert ending_of("select $é$; commit$é$".encode(encoding)) is Ending.NOTHING


@pytest.mark.parametrize("name", ["BIG5", "GB18030", "GBK", "JOHAB", "SJIS", "UHC"])
def test_bytes_that_look_like_others(name: str) -> None:
    """In these encodings the second byte of a character may be that of a backslash, or a letter."""
    encoding = pg2py(name.encode())
    found = 0
    for second in (b"\\", b"e", b"E"):
        for first in range(0x81, 0xFF):
            try:
                char = (bytes([first]) + second).decode(encoding)
            except UnicodeDecodeError:
                continue
            if len(char) != 1 or not char.isalpha():
                continue
            found += 1
            for text in (f"select E'{char}'; commit", f"select 1 as {char}; commit"):
                assert ending_of(text.encode(encoding), encoding=encoding) is Ending.COMMITTED
            text = f"select E'{char}\\'; commit'"
            assert ending_of(text.encode(encoding), encoding=encoding) is Ending.NOTHING
    assert found


TEMPTATIONS = [
    "; commit",
    ";end",
    "commit",
    "'",
    '"',
    "\\",
    "$$",
    "$x$",
    "--",
    "/*",
    "*/",
    "\n",
    "é",
]
texts = st.lists(st.sampled_from(TEMPTATIONS) | st.text(max_size=3), max_size=6).map("".join)


opaque = st.one_of(
    texts.map(lambda text: "'" + text.replace("'", "''") + "'"),
    texts.map(lambda text: " e'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"),
    texts.map(lambda text: '"' + text.replace('"', '""') + '"'),
    texts.map(lambda text: " $tag$" + text.replace("$tag$", "").rstrip("$") + "$tag$"),
    texts.map(lambda text: " /*" + text.replace("*/", "").replace("/*", "").rstrip("*/") + "*/ "),
    texts.map(lambda text: " --" + text.replace("\n", " ").replace("\r", " ") + "\n"),
)
blanks = st.sampled_from(["", " ", "\n", "/* a */", "/*/* a */*/", "-- a\n", "-- a\r"])
ordinary = st.tuples(blanks, st.sampled_from(["select ", "values (", "call "]), st.lists(opaque))
statements = ordinary.map(lambda parts: parts[0] + parts[1] + " ".join(parts[2]))
ends = st.tuples(blanks, st.sampled_from(["commit", "END", "Prepare  Transaction 'a'"])).map(
    "".join
)


@given(st.lists(statements, max_size=4))
def test_nothing_in_texts_ends_a_transaction(queries: list[str]) -> None:
    assert ending_of(";".join(queries).encode()) is Ending.NOTHING


@given(st.lists(statements, max_size=3), ends, st.lists(statements, max_size=3))
def test_nothing_in_texts_hides_an_end(before: list[str], end: str, after: list[str]) -> None:
    assert ending_of(";".join([*before, end, *after]).encode()) is Ending.COMMITTED


# ---- what the server says ----

PIECES = [
    *("select 1", "select ", "commit", "end", "rollback", "; ", ";", " as ", "1", "'a'", "e'a'"),
    *("'", "''", "e'", "E'", " u&'", "n'", "\\", "\\'", '"', '"a"', "$$", "$x$", "$", "a"),
    *("--", "/*", "*/", "/", "*", "\n", "\r", " ", "-", "/* ; commit */", "-- ; commit\n"),
    *("; commit", "; end", ";rollback ", "'; commit; select '", "$$; end; select $$"),
]


@pytest.fixture(scope="module")
def conn(dsn: str) -> Iterator[psycopg3.Connection]:
    with psycopg3.connect(dsn, autocommit=True) as conn:
        conn.execute("set escape_string_warning = off")
        yield conn


def tags_of(conn: psycopg3.Connection, query: bytes) -> list[bytes] | None:
    """What the server did, statement by statement; None if it could not parse all of it."""
    pgconn = conn.pgconn
    pgconn.send_query(b"begin;" + query)
    pgconn.flush()
    tags = []
    while (result := pgconn.get_result()) is not None:
        tags.append(result.command_status or b"")
    pgconn.exec_(b"rollback")
    # All of it is parsed before the first statement is run.
    return tags[1:] if tags[0] == b"BEGIN" else None


@pytest.mark.parametrize("conforming", ["on", "off"])
@settings(deadline=None, max_examples=400, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("select 1/* a /* b */ c */; commit")
@example("select e'a'\n'\\'; commit; select '")
@example("select 'a\\'; commit; select '")
@example("select 1 -- \r; commit")
@example("select n'\\'; commit; select '")
def test_it_is_as_the_server_has_it(conn: psycopg3.Connection, conforming: str, query: str) -> None:
    conn.execute(f"set standard_conforming_strings = {conforming}")
    tags = tags_of(conn, query.encode())
    if tags is None:
        return
    found = ending_of(query.encode(), backslashes=conforming == "off")
    if b"COMMIT" in tags:
        assert found is Ending.COMMITTED
    elif b"ROLLBACK" in tags:
        # The COMMIT of a transaction that has failed is answered so too.
        assert found >= Ending.UNDONE
    elif all(tags):  # else a statement failed, and those after it were not tried
        assert found is Ending.NOTHING


# ---- time ----

HOSTILE = {
    "a long INSERT": b"insert into t values " + b",".join([b"('" + b"x" * 200 + b"')"] * 117_000),
    "the same, and more": b"select '" + b"x" * 24_000_000 + b"'; select 1",
    "quotes by dollars, none closed": b"".join(b"$a%d$ " % n for n in range(20_000)),
    "bodies, none closed": b"begin atomic " * 20_000 + b"; end_of",
    "comments, none closed": b"; /* end" * 20_000,
    "white space": b"; " + b" " * 1_000_000 + b"end_of",
    "lines": b"\n" * 1_000_000 + b"end_of",
    "backslashes": b";end_of e'" + b"\\" * 300_000,
    "statements": b";end_of" * 50_000,
    "prepared": b"; prepare /* a */" * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_takes_no_time(name: str) -> None:
    """Some of these once took 13 and 19 seconds; the others might have."""
    begin = time.process_time()
    assert ending_of(HOSTILE[name]) is Ending.NOTHING
    assert time.process_time() - begin < 1


@pytest.mark.parametrize("piece", ["('a'),", ";", "/* a */", "e'\\\\' ", "\n--", "(/*", "$$ $$"])
def test_what_is_longer_may_be_a_commit(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "LIMIT", 1000)
    text = piece.encode()
    assert ending_of(b"select 1 " + text * 300 + b"; end_of") is Ending.NOTHING
    assert ending_of(b"select 1 " + text * 3000 + b"; end_of") is Ending.COMMITTED
    assert ending_of(b"select 1 " + text * 3000) is Ending.NOTHING
