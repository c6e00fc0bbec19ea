"""Capabilities: what each version of libpq allows."""

from __future__ import annotations

import importlib

import pytest

import psycopg3
from psycopg3 import pq

# The package's attribute of that name is the instance.
module = importlib.import_module("psycopg3._capabilities")

SINCE = {
    "has_encrypt_password": 10,
    "has_hostaddr": 12,
    "has_pipeline": 14,
    "has_set_trace_flags": 14,
    "has_used_gssapi": 16,
    "has_cancel_safe": 17,
    "has_change_password": 17,
    "has_send_close_prepared": 17,
    "has_stream_chunked": 17,
    "has_full_protocol_version": 18,
}


def test_all_are_listed() -> None:
    assert {n for n in dir(module.Capabilities) if n.startswith("has_")} == set(SINCE)


@pytest.mark.parametrize("name", SINCE)
def test_this_libpq(name: str) -> None:
    assert getattr(psycopg3.capabilities, name)() is (pq.version() >= SINCE[name] * 10000)


@pytest.mark.parametrize("name", SINCE)
def test_by_version(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    has = getattr(module.Capabilities(), name)
    since = SINCE[name]
    monkeypatch.setattr(module, "version", lambda: since * 10000)
    assert has() is True
    assert has(check=True) is True
    monkeypatch.setattr(module, "version", lambda: since * 10000 - 1)
    assert has() is False
    with pytest.raises(psycopg3.NotSupportedError, match=f"needs libpq {since} or newer"):
        has(check=True)


def test_the_reason_names_what_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "version", lambda: 160004)
    with pytest.raises(psycopg3.NotSupportedError, match=r"the one loaded is 16\.4"):
        psycopg3.capabilities.has_cancel_safe(check=True)


def test_exported() -> None:
    assert isinstance(psycopg3.capabilities, psycopg3.Capabilities)
    assert repr(psycopg3.Capabilities) == "<class 'psycopg3.Capabilities'>"
