"""The binding: it has what libpq.h lists, every bit of which is used, and what abc.py promises."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from psycopg3 import pq
from psycopg3.pq import abc, copies
from psycopg3.pq.binding import lib, memory
from tools import libpq_bindings

FOLDER = Path(pq.__file__).parent
FUNCTIONS = libpq_bindings.parse((FOLDER / "libpq.h").read_text()).functions


def public(cls: type) -> dict[str, Any]:
    return {n: inspect.getattr_static(cls, n) for n in dir(cls) if not n.startswith("_")}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.name)
def test_every_function_is_there_and_used(function: libpq_bindings.Function) -> None:
    assert callable(getattr(lib, function.name))
    users = [
        file.name
        for file in FOLDER.glob("*.py")
        if not file.name.startswith("libpq_")
        and re.search(rf"\blib\.{function.name}\b", file.read_text())
    ]
    assert users


def test_no_function_is_used_that_is_not_listed() -> None:
    used = {
        name
        for file in FOLDER.glob("*.py")
        for name in re.findall(r"\blib\.(PQ\w+)", file.read_text())
    }
    listed = {function.name for function in FUNCTIONS} | {"PQnoticeReceiver"}
    assert used - listed == set()


@pytest.mark.parametrize(
    "name", ["PGconn", "PGresult", "PGcancel", "PGcancelConn", "Conninfo", "Escaping"]
)
def test_classes_are_what_their_protocols_say(name: str) -> None:
    promised, real = public(getattr(abc, name)), public(getattr(pq, name))
    assert set(real) - set(promised) == set()
    for member, definition in promised.items():
        found = real[member]
        assert type(found) is type(definition), member
        if isinstance(definition, property):
            assert (found.fset is None) == (definition.fset is None), member
        elif not isinstance(definition, classmethod):
            assert inspect.signature(found).parameters == (
                inspect.signature(definition).parameters
            ), member


def parameters(path: Path) -> dict[str, list[str] | None]:
    """The public functions of a module, with their parameters; None for one that is C's own."""
    found: dict[str, list[str] | None] = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = [argument.arg for argument in node.args.args]
        elif isinstance(node, ast.Assign):
            names = [n for target in node.targets for n in ast.walk(target)]
            found.update({n.id: None for n in names if isinstance(n, ast.Name) and n.id.islower()})
    return {name: given for name, given in found.items() if not name.startswith("_")}


def test_memory_is_the_same_in_every_binding() -> None:
    ctypes = parameters(FOLDER / "memory_ctypes.py")
    cffi = parameters(FOLDER / "memory_cffi.py")
    assert set(ctypes) == set(cffi)
    assert {name: given for name, given in cffi.items() if given not in (None, ctypes[name])} == {}
    assert not memory.NULL
    assert memory.address(memory.NULL) is None


def test_every_public_name_has_a_docstring() -> None:
    classes = (pq.PGconn, pq.PGresult, pq.PGcancel, pq.PGcancelConn, pq.Conninfo, pq.Escaping)
    for cls in classes:
        assert cls.__doc__
        for name in public(cls):
            assert getattr(inspect.getattr_static(cls, name), "__doc__", None), name


def test_null_is_harmless() -> None:
    assert memory.string(memory.NULL) is None
    assert copies.take(memory.NULL) == b""
    assert copies.options(memory.NULL) == []
    assert memory.value(memory.NULL, 0, 0) is None
    values, may_be_null = memory.column(memory.NULL, 0, 0, 2)
    assert len(values) == 2
    assert may_be_null
    assert pq.PGresult(memory.NULL).get_column(0, 0, 10) == [None] * 10


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="CPython's GIL")
def test_quick_calls_let_no_other_thread_run(pgconn: pq.PGconn) -> None:
    """It could free the object between our check and the call."""
    turns = 0
    stop = threading.Event()

    def take_turns() -> None:
        nonlocal turns
        while not stop.is_set():
            turns += 1
            time.sleep(0)

    result = pgconn.exec_(b"select 1")
    thread = threading.Thread(target=take_turns)
    interval = sys.getswitchinterval()
    thread.start()
    sys.setswitchinterval(60)
    try:
        time.sleep(0.01)
        before = turns
        for _ in range(20_000):
            assert result.ntuples == 1
            assert pgconn.status == pq.ConnStatus.OK
        assert turns == before
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        thread.join()


def test_calls_that_wait_let_other_threads_run(pgconn: pq.PGconn) -> None:
    times: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.01):
            times.append(time.perf_counter())

    thread = threading.Thread(target=tick)
    thread.start()
    begin = time.perf_counter()
    pgconn.exec_(b"select pg_sleep(0.3)")
    end = time.perf_counter()
    done.set()
    thread.join()
    assert len([t for t in times if begin < t < end]) > 5
