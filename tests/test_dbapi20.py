"""PEP 249's constructors and type objects."""

from __future__ import annotations

import array
import copy
import datetime as dt
import os
import pickle
import time

import pytest

import psycopg3
from psycopg3 import _oids, dbapi20


@pytest.mark.parametrize(
    ("name", "oids"),
    [
        ("STRING", [_oids.TEXT_OID, _oids.VARCHAR_OID, _oids.BPCHAR_OID, _oids.NAME_OID]),
        ("BINARY", [_oids.BYTEA_OID]),
        ("NUMBER", [_oids.INT2_OID, _oids.INT8_OID, _oids.FLOAT8_OID, _oids.NUMERIC_OID]),
        ("DATETIME", [_oids.DATE_OID, _oids.TIMESTAMPTZ_OID, _oids.INTERVAL_OID]),
        ("ROWID", [_oids.OID_OID]),
    ],
)
def test_type_objects(name: str, oids: list[int]) -> None:
    kind = getattr(psycopg3, name)
    for oid in oids:
        assert kind == oid
        assert oid == kind
        others = [n for n in ("STRING", "BINARY", "NUMBER", "DATETIME", "ROWID") if n != name]
        assert all(getattr(psycopg3, other) != oid for other in others)
    assert kind != 0
    assert kind != "text"
    assert kind == kind
    assert repr(kind) == f"psycopg3.{name}"


def test_type_objects_are_not_hashable() -> None:
    with pytest.raises(TypeError):
        hash(psycopg3.NUMBER)


def test_type_objects_are_unique() -> None:
    assert pickle.loads(pickle.dumps(psycopg3.NUMBER)) is psycopg3.NUMBER
    assert copy.deepcopy(psycopg3.NUMBER) is psycopg3.NUMBER
    assert psycopg3.NUMBER != psycopg3.STRING


def test_constructors() -> None:
    assert psycopg3.Date(2024, 2, 29) == dt.date(2024, 2, 29)
    assert psycopg3.Time(23, 59, 58) == dt.time(23, 59, 58)
    assert psycopg3.Timestamp(2024, 2, 29, 1, 2, 3) == dt.datetime(2024, 2, 29, 1, 2, 3)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
def test_ticks_are_utc(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone can't be set here")
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        ticks = 1_700_000_000.5
        assert psycopg3.DateFromTicks(ticks) == dt.date(2023, 11, 14)
        assert psycopg3.TimeFromTicks(ticks) == dt.time(22, 13, 20, 500_000)
        expected = dt.datetime(2023, 11, 14, 22, 13, 20, 500_000, dt.UTC)
        assert psycopg3.TimestampFromTicks(ticks) == expected
        assert psycopg3.TimestampFromTicks(ticks).tzinfo is dt.UTC
    finally:
        if before is None:
            monkeypatch.delenv("TZ")
        else:
            monkeypatch.setenv("TZ", before)
        time.tzset()


@pytest.mark.parametrize(
    "obj", [b"a\0b", bytearray(b"a\0b"), memoryview(b"a\0b"), array.array("b", [97, 0, 98])]
)
def test_binary(obj: object) -> None:
    binary = psycopg3.Binary(obj)
    assert binary.obj is obj
    assert bytes(binary) == b"a\0b"


def test_binary_shows_little() -> None:
    assert repr(psycopg3.Binary(b"abc")) == "Binary(b'abc')"
    assert len(repr(psycopg3.Binary(bytes(1000)))) < 60


@pytest.mark.parametrize("obj", ["text", 3, None, [1]])
def test_binary_takes_bytes_alone(obj: object) -> None:
    with pytest.raises(TypeError, match=f"got {type(obj).__name__}"):
        psycopg3.Binary(obj)


def test_classes_show_their_public_place() -> None:
    assert repr(dbapi20.Binary) == "<class 'psycopg3.Binary'>"
