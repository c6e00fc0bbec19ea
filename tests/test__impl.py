"""The choice of a binding: the first that loads, or the one asked for, or a clear error."""

from __future__ import annotations

import pytest

from psycopg3 import _impl


def good() -> str:
    return "loaded"


def bad() -> str:
    raise ImportError("no such extension")


def worse() -> str:
    raise ImportError("no such compiler")


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(_impl.VARIABLE, raising=False)


def test_the_first_that_loads() -> None:
    assert _impl.choose({"c": bad, "ctypes": good}) == ("ctypes", "loaded")
    assert _impl.choose({"c": good, "ctypes": bad}) == ("c", "loaded")


def test_the_one_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_impl.VARIABLE, " CTypes ")
    assert _impl.choose({"c": good, "ctypes": good}) == ("ctypes", "loaded")


def test_none_loads() -> None:
    with pytest.raises(ImportError) as caught:
        _impl.choose({"c": bad, "cffi": worse, "ctypes": bad})
    assert "- c, ctypes: no such extension\n- cffi: no such compiler" in str(caught.value)


def test_the_one_asked_for_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_impl.VARIABLE, "c")
    with pytest.raises(ImportError, match=r"PSYCOPG3_IMPL=c\):\n- c: no such extension$"):
        _impl.choose({"c": bad, "ctypes": good})


def test_the_one_asked_for_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_impl.VARIABLE, "cffi")
    with pytest.raises(ImportError, match="no such binding here; there is: ctypes"):
        _impl.choose({"ctypes": good})
    monkeypatch.setenv(_impl.VARIABLE, "rust")
    with pytest.raises(ImportError, match="PSYCOPG3_IMPL=rust: it may be one of c, cffi, ctypes"):
        _impl.choose({"ctypes": good})
