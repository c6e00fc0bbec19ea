"""cffi's binding: its extension belongs to its sources; and what text is made of, in a column."""

from __future__ import annotations

import importlib
import sys
from types import SimpleNamespace

import pytest

from psycopg3 import pq

pytestmark = pytest.mark.skipif(pq.__impl__ != "cffi", reason="another binding runs")


def test_an_extension_of_other_sources_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    extension = SimpleNamespace(ffi=None, lib=SimpleNamespace(PSYCOPG3_BINDING=1))
    monkeypatch.setitem(sys.modules, "psycopg3.pq._libpq_cffi", extension)
    monkeypatch.delitem(sys.modules, "psycopg3.pq.libpq_cffi")
    with pytest.raises(ImportError, match="the extension was built from other sources"):
        importlib.import_module("psycopg3.pq.libpq_cffi")


def test_a_zero_byte_in_text_splits_no_value(
    pgconn: pq.PGconn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No server sends one in text; binary data is taken for text here."""
    from psycopg3.pq.binding import lib

    values = [b"a\0b", None, b"", b"\0", b"c", b"d"]
    query = b"values " + b",".join(b"($%d::bytea)" % (i + 1) for i in range(len(values)))
    result = pgconn.exec_params(query, values, [17] * 6, [1] * 6, 1)
    monkeypatch.setattr(lib, "PQfformat", lambda *_: 0)
    assert result.get_column(0, 0, 6) == values
