"""Records: plain tuples, of which one hides secrets."""

from __future__ import annotations

import pickle

from psycopg3.pq import ConninfoOption, PGnotify, PGresAttDesc


def test_fields() -> None:
    assert PGnotify._fields == ("relname", "be_pid", "extra")
    assert PGresAttDesc._fields == (
        *("name", "tableid", "columnid", "format", "typid", "typlen", "atttypmod"),
    )


def test_a_secret_is_not_shown() -> None:
    secret = ConninfoOption(b"password", b"PGPASSWORD", None, b"sesame", b"", b"*", 20)
    assert "sesame" not in repr(secret)
    assert "val=b'***'" in repr(secret)
    assert secret.val == b"sesame"
    assert "val=None" in repr(secret._replace(val=None))
    assert "val=b'me'" in repr(ConninfoOption(b"user", None, None, b"me", b"", b"", 20))
    assert pickle.loads(pickle.dumps(secret)) == secret
