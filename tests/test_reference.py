"""The reference of the documentation leaves no public name out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

import pytest

import psycopg3
from psycopg3 import adapt, copy, errors, pq, rows, sql, transaction, types, waiting

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"

# Modules are pages, and names that two modules have are on the page of one.
ELSEWHERE = {"adapt": {"Buffer", "Format"}, "pq": {"abc", "misc"}}


def words(pattern: str = "*.rst") -> set[str]:
    """The words of some pages."""
    return {
        word
        for path in REFERENCE.glob(pattern)
        for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))
    }


def public(thing: object) -> set[str]:
    """The names that a module says are public; else those of a class, or of what a module defines."""
    if (told := getattr(thing, "__all__", None)) is not None:
        return {name for name in told if not name.startswith("_")}
    names = {
        name
        for name in dir(thing)
        if not (name.startswith("_") or isinstance(getattr(thing, name), TypeVar))
    }
    if isinstance(thing, type):
        return names
    own = thing.__name__
    return {name for name in names if getattr(getattr(thing, name), "__module__", None) == own}


@pytest.mark.parametrize(
    "module",
    [adapt, copy, pq, psycopg3, rows, sql, transaction, types, waiting],
    ids=lambda m: m.__name__,
)
def test_modules(module):
    elsewhere = ELSEWHERE.get(module.__name__.rpartition(".")[2], set())
    assert public(module) - words() - elsewhere == set()


def test_members_of_connections():
    text = (REFERENCE / "connections.rst").read_text(encoding="utf-8")
    listed = set(re.findall(r":: Connection\.(\w+)$", text, re.MULTILINE))
    exceptions = {name for name in public(psycopg3.Connection) if name in dir(errors)}
    assert public(psycopg3.Connection) - exceptions - listed == set()


def test_functions_of_connection_strings():
    told = words("conninfo.rst")
    assert {"conninfo_to_dict", "make_conninfo", "conninfo_attempts"} <= told


def test_errors_of_our_own():
    own = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type)
        and issubclass(value, errors.Error)
        and "sqlstate" not in vars(value)
    }
    assert own - words("errors.rst") == set()
