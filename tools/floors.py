"""Checks that no import climbs: floors, circles and forbidden pairs of psycopg3, from its code.

Every import counts: at the top, inside functions, and for type checkers only, in stubs too, since
a reader follows all of them. In a shell's own folder those for type checkers may go anywhere. A room
is a file or folder of the package; a file imports its own floor or a lower one.

    python tools/floors.py           what is wrong, if anything
    python tools/floors.py --list    the house, floor by floor, with the caption of each file
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "psycopg3"

# From the ground up. The front door, `__init__`, and what people plug in are on top.
FLOORS: dict[str, int] = {
    **dict.fromkeys(["_exceptions", "_sqlstates", "_oids", "_impl", "concurrency", "deadlines"], 0),
    **dict.fromkeys(["errors", "dbapi20"], 1),
    **dict.fromkeys(["pq", "waiting", "watching", "dialing"], 2),
    **dict.fromkeys(["abc", "places", "servicefile", "conninfo", "passfile", "_capabilities"], 3),
    **dict.fromkeys(["encodings", "scram", "names"], 3),
    **dict.fromkeys(["generators", "adapt", "rows"], 4),
    **dict.fromkeys(["types", "sql"], 5),
    **dict.fromkeys(["query", "styles", "postgres"], 6),
    **dict.fromkeys(["session"], 7),
    **dict.fromkeys(["_async", "_sync"], 8),
    **dict.fromkeys(["__init__", "__main__", "testing", "transaction", "copy"], 9),
    **dict.fromkeys(["as_psycopg", "client_cursor", "sqlalchemy"], 9),
}
NEVER = {
    ("_async", "_sync"),
    ("_sync", "_async"),
    ("types", "sql"),
    ("pq", "waiting"),
    ("waiting", "pq"),
}

SHELLS = ("_async", "_sync")

Graph = Mapping[str, Iterable[str]]


class House:
    """The modules of the package below `root`, and what each imports."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.trees: dict[str, ast.Module] = {}
        self.files: dict[str, Path] = {}
        self._parse("*.py", self.trees, self.files)
        # What type checkers read in place of a module, or beside it: its imports count too.
        self.stubs: dict[str, ast.Module] = {}
        self._parse("*.pyi", self.stubs, {})

    def _parse(self, pattern: str, trees: dict[str, ast.Module], files: dict[str, Path]) -> None:
        for file in sorted((self.root / PACKAGE).rglob(pattern)):
            name = ".".join(file.relative_to(self.root).with_suffix("").parts)
            name = name.removesuffix(".__init__")
            files[name] = file
            trees[name] = ast.parse(file.read_text(encoding="utf-8"), str(file))

    def problems(self) -> list[str]:
        """Everything that is against the laws; empty when all is well."""
        found = [*self._without_floor(), *self._without_caption()]
        if not found:
            found += self._climbing()
        return found + [f"import circle: {' -> '.join(circle)}" for circle in circles(self.graph())]

    def graph(self) -> dict[str, set[str]]:
        """For each module those it imports itself, without the packages that Python adds."""
        names = {*self.trees, *self.stubs}
        return {name: {target for _, target in self.imports(name)} for name in names}

    def imports(self, module: str) -> Iterator[tuple[int, str]]:
        """Line and module of every import of the package's own modules.

        Not of those for type checkers alone within the folder of a shell: what a connection makes
        names the class of the connection, which users see.
        """
        package = module.split(".")
        if module not in self.files or self.files[module].name != "__init__.py":
            package.pop()
        trees = [trees[module] for trees in (self.trees, self.stubs) if module in trees]
        for node, for_checkers in (pair for tree in trees for pair in _walk(tree)):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                start = ".".join([*base, *([node.module] if node.module else [])])
                targets = [f"{start}.{alias.name}" for alias in node.names]
            else:
                continue
            for target in targets:
                within = room(module) in SHELLS and room(self._module_of(target)) == room(module)
                if target.split(".")[0] == PACKAGE and not (for_checkers and within):
                    yield node.lineno, self._module_of(target)

    def caption(self, module: str) -> str:
        """The first line of the module's docstring."""
        return (ast.get_docstring(self.trees[module]) or "").partition("\n")[0]

    def _module_of(self, target: str) -> str:
        # `from .x import y`: y may be a module or a name of x.
        return target if target in self.files else target.rpartition(".")[0]

    def _without_floor(self) -> list[str]:
        rooms = {room(name) for name in self.files}
        return [f"{name}: has no floor in tools/floors.py" for name in sorted(rooms - {*FLOORS})]

    def _without_caption(self) -> list[str]:
        return [
            f"{self._place(name)}: the docstring's first line, the caption, is missing"
            for name in self.files
            if not self.caption(name)
        ]

    def _climbing(self) -> Iterator[str]:
        for name in {**self.trees, **self.stubs}:
            here = room(name)
            for line, target in self.imports(name):
                there = room(target)
                if FLOORS[there] > FLOORS[here] or (here, there) in NEVER:
                    yield f"{self._place(name)}:{line}: {here} may not import {there}"

    def _place(self, module: str) -> str:
        stub = Path(*module.split(".")).with_suffix(".pyi").as_posix()
        return (
            self.files[module].relative_to(self.root).as_posix() if module in self.files else stub
        )


def _walk(node: ast.AST, for_checkers: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Every node, and whether it is for type checkers alone."""
    yield node, for_checkers
    checked = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    body = node.body if isinstance(node, ast.If) and checked else []
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, for_checkers or child in body)


def room(module: str) -> str:
    """The room of a module: its name below the package; the package itself is its front door."""
    _, _, below = module.partition(".")
    return below.partition(".")[0] or "__init__"


def circles(graph: Graph) -> list[list[str]]:
    """The groups of modules that import each other, by any way round."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen, todo = set[str](), [start]
        while todo:
            for target in graph.get(todo.pop(), ()):
                if target not in seen:
                    seen.add(target)
                    todo.append(target)
        reach[start] = seen
    groups = {
        tuple(sorted(other for other in reach[name] if name in reach.get(other, ())))
        for name in graph
        if name in reach[name]
    }
    return [list(group) for group in sorted(groups)]


def main(args: list[str]) -> int:
    """Print what is wrong, or with `--list` the house."""
    house = House()
    if args == ["--list"]:
        for name in sorted(house.files, key=lambda name: (-FLOORS[room(name)], name)):
            print(f"{FLOORS[room(name)]}  {name:<32}  {house.caption(name)}")
        return 0
    found = house.problems()
    print("\n".join(found) or f"{len(house.files)} modules, no import climbs, no circles")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
