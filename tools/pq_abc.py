"""Writes psycopg3/pq/abc.py: the public members of libpq's classes, as Protocols.

python tools/regenerate.py            write it, and all other generated files
python tools/regenerate.py --check    fail when it is not what would be written
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tools.unasync import formatted

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "psycopg3" / "pq"
MODULE = FOLDER / "abc.py"
CLASSES = ("PGresult", "PGcancel", "PGcancelConn", "PGconn", "Conninfo", "Escaping")

BEGINNING = '''\
"""The interface of libpq as Protocols: what every binding offers, and what it is asked for."""

# Generated from the classes in psycopg3/pq by `python tools/regenerate.py`: edit those, not this.
# pyright: reportReturnType=false
# The bodies of these functions are their docstrings.

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self

from .enums import (
    ConnStatus, ExecStatus, Format, Ping, PipelineStatus, PollingStatus, Trace, TransactionStatus
)
from .records import Buffer as Buffer
from .records import ConninfoOption, PGnotify, PGresAttDesc
from .records import Pointer as Pointer
'''


class _OfAnything(ast.NodeTransformer):
    """Puts Any for our classes: what may be set to an attribute must be the same for all bindings."""

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name("Any") if node.id in CLASSES else node


def outputs() -> dict[Path, str]:
    """The text of the file."""
    classes = {
        node.name: node
        for file in sorted(FOLDER.glob("*.py"))
        if file != MODULE
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }
    protocols = [ast.unparse(protocol(classes[name], classes)) for name in CLASSES]
    (text,) = formatted(["\n\n".join([BEGINNING, *protocols])])
    return {MODULE: text}


def protocol(cls: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> ast.ClassDef:
    """The Protocol of a class: its docstring and its members, without what they do."""
    body = [*docstring(cls), *members(cls, classes)]
    return ast.ClassDef(cls.name, [ast.Name("Protocol")], [], body, [])


def members(cls: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> Iterator[ast.stmt]:
    """The public members of a class and its bases, each with its docstring for a body."""
    for node in cls.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            node.body = docstring(node) or [ast.Expr(ast.Constant(...))]
            yield node
        elif isinstance(node, ast.AnnAssign) and not ast.unparse(node.target).startswith("_"):
            yield _OfAnything().visit(node)
    for base in cls.bases:
        if (known := classes.get(ast.unparse(base))) is not None:
            yield from members(known, classes)


def docstring(node: ast.ClassDef | ast.FunctionDef) -> list[ast.stmt]:
    """The statement that is the docstring; none where there is none."""
    return node.body[:1] if ast.get_docstring(node) is not None else []
