"""What users see of public names: the module that they are in, and hints that can be read."""

from __future__ import annotations

import importlib
import inspect
import os
import pickle
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any, get_args, get_origin, get_type_hints

import pytest

import psycopg3
from psycopg3 import types

NAMES = (
    *("abc", "adapt", "_capabilities", "conninfo", "dbapi20", "encodings", "errors", "generators"),
    *("postgres", "pq", "rows", "testing", "transaction", "types", "waiting"),
    *(f"types.{found.name}" for found in pkgutil.iter_modules(types.__path__)),
)
MODULES = [psycopg3, *(importlib.import_module(f"psycopg3.{name}") for name in NAMES)]


def public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The public classes and functions of a module: those it lists, or else makes itself."""
    listed = getattr(module, "__all__", None)
    for name in listed or vars(module):
        thing = getattr(module, name)
        own = listed is not None or getattr(thing, "__module__", "") == module.__name__
        if own and not name.startswith("_") and isinstance(thing, (type, FunctionType)):
            yield name, thing


def functions(thing: Any) -> Iterator[FunctionType]:
    """The public functions of a class and what it inherits of ours, properties too."""
    if isinstance(thing, FunctionType):
        yield thing
        return
    for base in thing.__mro__:
        # What a named tuple is made with is a function of Python's own.
        if not base.__module__.startswith("psycopg3") or (tuple in base.__bases__):
            continue
        for name, member in vars(base).items():
            if name.startswith("_") and not name.startswith("__"):
                continue
            if isinstance(member, property):
                yield from filter(None, (member.fget, member.fset))
            elif isinstance(found := getattr(member, "__func__", member), FunctionType):
                yield found


def test_no_object_hides_a_module_of_its_name() -> None:
    """Where imports are lazy, the module would take the place of the object."""
    for found in pkgutil.walk_packages(psycopg3.__path__, "psycopg3."):
        package, _, name = found.name.rpartition(".")
        hidden = getattr(importlib.import_module(package), name, None)
        assert hidden is None or isinstance(hidden, ModuleType), found.name


@pytest.mark.skipif(sys.version_info < (3, 15), reason="has no lazy imports")
def test_lazy_imports() -> None:
    code = "import psycopg3; psycopg3.Capabilities(); print(psycopg3.capabilities.has_pipeline())"
    argv = [sys.executable, "-X", "lazy_imports=all", "-c", code]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    assert subprocess.check_output(argv, env=env, text=True) == "True\n"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_module_of_a_public_name_is_one_that_users_know(module: ModuleType) -> None:
    known = {module.__name__ for module in MODULES}
    for name, thing in public(module):
        assert thing.__module__ in known, name
        # Under that name it is there: so pickle finds it, and who reads a traceback.
        there = sys.modules[thing.__module__]
        assert getattr(there, thing.__qualname__) is thing, name


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_hints_of_public_functions_can_be_read(module: ModuleType) -> None:
    for _, thing in public(module):
        for function in functions(thing):
            assert set(get_type_hints(function)) == set(function.__annotations__)


def test_hints_name_the_classes_that_users_know() -> None:
    hints = get_type_hints(psycopg3.Cursor.connection.fget)
    assert hints["return"].__origin__ is psycopg3.Connection
    hints = get_type_hints(psycopg3.AsyncTransaction.connection.fget)
    assert hints["return"].__origin__ is psycopg3.AsyncConnection
    hints = get_type_hints(psycopg3.connect)
    assert hints["conninfo"] is str
    assert hints["context"] == psycopg3.abc.AdaptContext | None


@pytest.mark.parametrize(
    "thing",
    [
        psycopg3.Notify("a", "b", 1),
        psycopg3.pq.Format.BINARY,
        psycopg3.pq.PGnotify(b"a", 1, b"b"),
        psycopg3.BaseConnection,
        psycopg3.Connection.connect,
        psycopg3.Date,
        psycopg3.IsolationLevel.SERIALIZABLE,
        psycopg3.STRING,
    ],
)
def test_what_is_pickled_comes_back(thing: object) -> None:
    pickled = pickle.dumps(thing)
    assert pickle.loads(pickled) == thing
    assert b"session" not in pickled and b"enums" not in pickled


def test_names_in_messages() -> None:
    assert repr(psycopg3.BaseConnection) == "<class 'psycopg3.BaseConnection'>"
    assert repr(psycopg3.pq.PGconn) == "<class 'psycopg3.pq.PGconn'>"
    assert inspect.signature(psycopg3.connect).parameters["row_factory"].default is None


def test_connections_are_generic_in_hints() -> None:
    """Packages such as pgvector write `BaseConnection[Any]`, and it is evaluated."""
    for cls in (psycopg3.BaseConnection, psycopg3.Connection, psycopg3.AsyncConnection):
        made: object = cls[int]
        assert get_origin(made) is cls
        assert get_args(made) == (int,)

    class Mine(psycopg3.Connection[tuple[int]]):
        pass

    assert Mine.__orig_bases__ == (psycopg3.Connection[tuple[int]],)
