"""What a query ends: told by its first word, behind blanks and comments, and in no time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psycopg3.session.endings import Ending, ending_of, is_copy, may_commit

COMMENTS = ["", "  ", "\n\t", "-- go\n", "/* go */", "/* a /* b */ c */ -- d\n ", "/**/ /***/\n"]
ENDINGS = {
    "commit": Ending.COMMITTED,
    "COMMIT and chain;": Ending.COMMITTED,
    "end": Ending.COMMITTED,
    "END TRANSACTION": Ending.COMMITTED,
    "prepare transaction 'x'": Ending.COMMITTED,
    "commit prepared 'x'": Ending.COMMITTED,
    "rollback": Ending.UNDONE,
    "Abort": Ending.UNDONE,
    "rollback to savepoint x": Ending.UNDONE,
    "discard all": Ending.SESSION,
    "select 1": Ending.NOTHING,
    "prepare q as select 1": Ending.NOTHING,
    "commits": Ending.NOTHING,
    "insert into t values ('commit')": Ending.NOTHING,
    "select 1; commit": Ending.NOTHING,
    "": Ending.NOTHING,
}


@pytest.mark.parametrize("before", COMMENTS)
@pytest.mark.parametrize(("query", "ending"), ENDINGS.items())
def test_endings(before, query, ending):
    assert ending_of(before.encode() + query.encode()) is ending


@pytest.mark.parametrize("query", ["-- commit", "/* commit", "/* /* */ commit", "--\n/*"])
def test_an_open_comment_hides_the_rest(query):
    assert ending_of(query.encode()) is Ending.NOTHING


@pytest.mark.parametrize(
    ("query", "may"),
    [
        ("insert into t values (1); commit", True),
        ("do $$ begin commit; end $$", True),
        ("select case when true then 1 end", True),  # a false alarm, which does no harm
        ("select * from commits", False),
        ("update t set n = 1", False),
    ],
)
def test_may_commit(query, may):
    assert may_commit(query.encode()) is may


@pytest.mark.parametrize("before", COMMENTS)
def test_copy(before):
    assert is_copy(before.encode() + b"COPY t to stdout")
    assert not is_copy(before.encode() + b"select 1 /* copy */ returning copy")
    assert not is_copy(before.encode() + b"copying")


@pytest.mark.parametrize("piece", [b"/**/", b"--\n", b" ", b"/* ", b"/*/", b"-", b"--x"])
@pytest.mark.timeout(60)
def test_no_text_takes_long(piece):
    """One expression for all took four times as long for each two more comments; this takes 0.1 s."""
    query = piece * 200_000 + b"insert"
    assert ending_of(query) is Ending.NOTHING
    assert not is_copy(query)


@given(st.text(alphabet="/*- \ncomit;'x").map(str.encode))
def test_any_text_is_told(query):
    assert ending_of(query) in Ending
