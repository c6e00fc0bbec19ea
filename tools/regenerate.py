"""Writes every generated file of the repository, or with `--check` compares them.

A generator is a file of this folder with a function `outputs()`: the text of each file it answers
for, by path. It may have `problems()` too, for what a comparison of texts can't see.

    python tools/regenerate.py            write what differs
    python tools/regenerate.py --check    fail when a generated file is not what its generator gives
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent


def generators() -> Iterator[ModuleType]:
    """The tools that write files."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    for file in sorted((ROOT / "tools").glob("*.py")):
        if file.stem not in ("__init__", Path(__file__).stem):
            tool = importlib.import_module(f"tools.{file.stem}")
            if hasattr(tool, "outputs"):
                yield tool


def stale() -> Iterator[tuple[Path, str, str]]:
    """Path, new text and generator of each file that is not what its generator gives."""
    for tool in generators():
        for path, text in tool.outputs().items():
            file = ROOT / path
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                yield file, text, tool.__name__.rpartition(".")[2]


def problems() -> list[str]:
    """What `--check` has to say; empty when all is well."""
    found = [
        f"{file.relative_to(ROOT).as_posix()}: not what tools/{name}.py gives; "
        "run `python tools/regenerate.py`"
        for file, _, name in stale()
    ]
    for tool in generators():
        if hasattr(tool, "problems"):
            found += tool.problems()
    return found


def main(args: list[str]) -> int:
    """Write what differs, or with `--check` say what does."""
    if args not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    if args:
        found = problems()
        print("\n".join(found) or "all generated files are what their generators give")
        return bool(found)
    for file, text, _ in stale():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        print("wrote", file.relative_to(ROOT).as_posix())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
