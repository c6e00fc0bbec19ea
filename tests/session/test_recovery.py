"""What ends a transaction: told from the text of a query, whatever else is in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psycopg3 import errors
from psycopg3.session.recovery import ends_transaction, may_commit, needs_cancel

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
    "rollback prepared 'x'",
    "-- ready\ncommit",
    "/* ready */ commit",
    "/* ready */-- go\n\n  end",
    "select 1; commit",
    "select 1;commit;select 2",
    "begin; insert into t values ('it''s'); commit",
    "insert into t values (E'it\\'s'); commit",
    "insert into t values ('a'); /* ; */ -- ;\n commit",
    'select 1 as "a""b"; end',
    "select $$a$$; commit",
    "select $x$a$$b$x$; commit",
    "do $$begin null; end$$; commit",
    "create function f() returns int begin atomic select 1; end; commit",
    "select $1; commit",
    "select a$b$ from t; commit; select c$b$",
]
UNDOES = ["rollback", "ROLLBACK TO x", "abort", "discard all", "select 'a'; rollback"]
OTHERS = [
    "",
    ";",
    "select 1",
    "commits",
    "select commit",
    "prepare x as select 1",
    "release x",
    "select ';commit'",
    "select ' ; ; commit ; ' ",
    "select E'\\'; commit'",
    'select 1 as "; commit"',
    "select $$; commit$$",
    "select $x$; $$; commit$x$",
    "do $$begin null; end$$",
    "do $body$begin perform 1; end; $body$",
    "-- ; commit",
    "/* ; commit */ select 1",
    "select 1 /* ; end */ + 1",
    "create function f() returns int begin atomic select 1; end",
    "create procedure p() BEGIN ATOMIC insert into t values (1);\n  END;",
]


@pytest.mark.parametrize("query", COMMITS)
def test_commits(query: str) -> None:
    assert may_commit(query.encode())
    assert ends_transaction(query.encode())


@pytest.mark.parametrize("query", UNDOES)
def test_undoes(query: str) -> None:
    assert ends_transaction(query.encode())
    assert not may_commit(query.encode())


@pytest.mark.parametrize("query", OTHERS)
def test_goes_on(query: str) -> None:
    assert not ends_transaction(query.encode())
    assert not may_commit(query.encode())


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_bytes_of_any_encoding(encoding: str) -> None:
    assert ends_transaction("select 'é' as é; commit".encode(encoding))
    assert not ends_transaction("select $é$; commit$é$".encode(encoding))


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


def commented(text: str) -> str:
    return text.replace("*/", "").replace("/*", "").rstrip("*/")


opaque = st.one_of(
    texts.map(lambda text: "'" + text.replace("'", "''") + "'"),
    texts.map(lambda text: " e'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"),
    texts.map(lambda text: '"' + text.replace('"', '""') + '"'),
    texts.map(lambda text: " $tag$" + text.replace("$tag$", "").rstrip("$") + "$tag$"),
    texts.map(lambda text: f" /*{commented(text)}*/ "),
    texts.map(lambda text: " --" + text.replace("\n", " ") + "\n"),
)
blanks = st.sampled_from(["", " ", "\n", "/* a */", "-- a\n"])
ordinary = st.tuples(blanks, st.sampled_from(["select ", "values (", "call "]), st.lists(opaque))
statements = ordinary.map(lambda parts: parts[0] + parts[1] + " ".join(parts[2]))
endings = st.tuples(blanks, st.sampled_from(["commit", "END", "Prepare  Transaction 'a'"])).map(
    "".join
)


@given(st.lists(statements, max_size=4))
def test_nothing_in_texts_ends_a_transaction(queries: list[str]) -> None:
    assert not ends_transaction(";".join(queries).encode())


@given(st.lists(statements, max_size=3), endings, st.lists(statements, max_size=3))
def test_nothing_in_texts_hides_an_end(before: list[str], end: str, after: list[str]) -> None:
    assert may_commit(";".join([*before, end, *after]).encode())


def test_what_needs_a_cancel_request() -> None:
    assert needs_cancel(KeyboardInterrupt())
    assert needs_cancel(ZeroDivisionError())
    assert needs_cancel(errors.QueryTimeout("too late"))
    assert needs_cancel(errors.DataError("a parameter of executemany()"))
    assert not needs_cancel(errors.lookup("23505")("a duplicate"))
