"""The laws of the house: floors, circles, sizes, captions, generated files, and a lean import."""

from __future__ import annotations

import ast
import importlib
import inspect
import io
import os
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import psycopg3
from psycopg3.pq.binding import lib
from tools import regenerate
from tools.floors import House, room

ROOT = Path(__file__).resolve().parent.parent

FILE, CLASS, FUNCTION, PARAMETERS = 400, 300, 40, 6
SLACK = 30  # lines that an exception may have to spare

# Exceptions, in code lines or parameters. The list may only shrink: a number that is within the
# law, or far above what it stands for, fails too.
EXCEPTIONS: dict[str, int] = {}
GENERATED = {"_sqlstates", "_oids"}

# What a program that only connects by threads has no use for.
NOT_AT_IMPORT = {
    *("asyncio", "trio", "anyio", "sniffio", "outcome", "uvloop", "gevent", "concurrent.futures"),
    *("logging", "uuid", "json", "dataclasses", "ipaddress", "inspect", "ast", "ssl", "subprocess"),
    *("argparse", "unittest", "email", "http", "urllib.request", "multiprocessing", "tempfile"),
    *("psycopg3.testing", "psycopg3.__main__", "typing_extensions"),
}

HOUSE = House()


def sources() -> dict[str, str]:
    """Every source of the package and the tools, by its name in the repository."""
    files = [*(ROOT / "psycopg3").rglob("*.py"), *(ROOT / "tools").glob("*.py")]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in files}


def code_lines(source: str, tree: ast.Module) -> set[int]:
    """The numbers of the lines that hold code: no blank ones, no comments, no docstrings."""
    blank = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in blank and token.type != tokenize.ENDMARKER:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                lines.difference_update(range(first.lineno, (first.end_lineno or 0) + 1))
    return lines


def sizes() -> Iterator[tuple[str, int, int]]:
    """Name, size and limit of every file, class and function."""
    for name, source in sources().items():
        tree = ast.parse(source)
        lines = code_lines(source, tree)
        if Path(name).stem not in GENERATED:
            yield name, len(lines), FILE
        for node in ast.walk(tree):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                size = sum(node.lineno <= line <= (node.end_lineno or 0) for line in lines)
                limit = CLASS if isinstance(node, ast.ClassDef) else FUNCTION
                yield f"{name} {node.name}", size, limit


def public_names() -> set[str]:
    """Every name in an `__all__`: what users call may take as many parameters as it needs."""
    names: set[str] = set()
    for tree in HOUSE.trees.values():
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                assert isinstance(node.value, (ast.List, ast.Tuple))
                names.update(ast.literal_eval(node.value))
    return names


def parameters() -> Iterator[tuple[str, int, int]]:
    """Name, number and limit of the parameters of what isn't public API."""
    public = public_names()
    for name, source in sources().items():
        scopes: list[tuple[ast.AST, bool]] = [(ast.parse(source), False)]
        while scopes:
            scope, is_public = scopes.pop()
            for node in ast.iter_child_nodes(scope):
                known = is_public or getattr(node, "name", "") in public
                scopes.append((node, known))
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not known:
                    taken = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                    own = [arg for arg in taken if arg.arg not in ("self", "cls")]
                    yield f"{name} {node.name}()", len(own), PARAMETERS


def over(measured: Iterator[tuple[str, int, int]]) -> list[str]:
    """What is larger than its limit, or than its exception."""
    return [
        f"{name}: {size}, the law says {limit}"
        for name, size, limit in measured
        if size > EXCEPTIONS.get(name, limit)
    ]


def test_no_import_climbs_and_none_goes_in_a_circle() -> None:
    assert HOUSE.problems() == []


def test_files_classes_and_functions_are_small() -> None:
    assert over(sizes()) == []


def test_functions_take_few_parameters() -> None:
    assert over(parameters()) == []


def test_every_exception_is_needed() -> None:
    largest: dict[str, tuple[int, int]] = {}
    for name, size, limit in [*sizes(), *parameters()]:
        largest[name] = max(largest.get(name, (0, limit)), (size, limit))
    assert [
        name
        for name, allowed in EXCEPTIONS.items()
        if largest.get(name, (0, 0))[0] <= max(largest.get(name, (0, 0))[1], allowed - SLACK)
    ] == []


def test_generated_files_are_what_their_generators_give() -> None:
    pytest.importorskip("ruff", reason="it lays out the twins, and is in the extra 'dev'")
    assert regenerate.problems() == []


def modules() -> Iterator[ModuleType]:
    """Every module of the package, imported."""
    for name in HOUSE.files:
        if name.endswith(".__main__"):
            continue
        try:
            yield importlib.import_module(name)
        except ImportError:
            if not name.endswith("_cffi"):  # there only where its extension was built
                raise


def undocumented(module: ModuleType) -> Iterator[str]:
    """The public classes, functions and methods that `module` defines without a docstring."""
    for node in HOUSE.trees[module.__name__].body:
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        thing = getattr(module, node.name, None)
        if node.name.startswith("_") or thing is None:
            continue
        if not thing.__doc__:
            yield f"{module.__name__}.{node.name}"
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                if not isinstance(member, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    continue
                # What overrides a method says more only where it promises more.
                if member.name[0] != "_" and not inspect.getdoc(getattr(thing, member.name)):
                    yield f"{module.__name__}.{node.name}.{member.name}"


@pytest.mark.parametrize("floor", sorted({room(name) for name in HOUSE.files}))
def test_every_public_name_has_a_docstring(floor: str) -> None:
    found = [module for module in modules() if room(module.__name__) == floor]
    assert [name for module in found for name in undocumented(module)] == []


def test_import_is_lean() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); before = set(sys.modules); "
        "import psycopg3; print(*sorted(set(sys.modules) - before))"
    )
    # Named, so that nothing is loaded to search for it.
    env = {**os.environ, "PSYCOPG3_LIBPQ": lib.LIBRARY.path}
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], env=env, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "psycopg3.pq" in loaded
    # Since 3.14 typing loads it for a NamedTuple.
    allowed = {"ast"} if sys.version_info >= (3, 14) else set()
    assert loaded & NOT_AT_IMPORT - allowed == set()


def test_the_architecture_names_every_room() -> None:
    text = (ROOT / "docs" / "explain" / "architecture.rst").read_text(encoding="utf-8")
    assert [name for name in sorted({*map(room, HOUSE.files)}) if f"``{name}``" not in text] == []


def test_the_version_is_said_once_and_again() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert psycopg3.__version__ == project["version"]
