"""Writes every `_sync` twin from its `_async` source, token by token.

Law: a file or folder named `_async` has a generated twin named `_sync`. What changes on the way:

- the keywords `async` and `await` go, and parentheses that only held an `await`;
- names lose what made them asynchronous: `AsyncX` is `X`, `_AsyncX` is `_X`, `__aenter__` is
  `__enter__`, `_async` is `_sync`, and NAMES lists the few that follow no rule;
- comments and docstrings follow the same rules, so that the twin's documentation reads right;
- what is shorter now is laid out anew, by `ruff format`.

There is no "if async" in a source. Where the worlds truly differ, the difference is a function in
`concurrency/`, under one name in both of its files.

    python tools/unasync.py            write the twins, remove those whose source has gone
    python tools/unasync.py --check    fail on a twin that differs or is missing, or an unused name
"""

from __future__ import annotations

import io
import keyword
import re
import subprocess
import sys
import tempfile
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("psycopg3", "tests")
STYLE = ROOT / "pyproject.toml"
COMMAND = "python tools/unasync.py"

# Names that follow no rule. An entry that no source uses is an error of --check.
NAMES = {
    "tasks": "threads",
    "StopAsyncIteration": "StopIteration",
    "aclose": "close",
}

_DUNDER = re.compile(r"__a(enter|exit|iter|next)__")
_PREFIX = re.compile(r"^(_*)Async(?=[A-Z])")
# In comments and docstrings `await` is also English: it goes only before what looks like a call.
_KEYWORDS_IN_TEXT = re.compile(r"\basync (?=(?:with|for|def)\b)|\bawait (?=[\w.]+\()")
_KEYWORDS = frozenset({"async", "await"})
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


def rename(name: str, used: set[str] | None = None) -> str:
    """The name in the synchronous world; an entry of NAMES that it needed is added to `used`."""
    if name in NAMES:
        if used is not None:
            used.add(name)
        return NAMES[name]
    if name == "_async":
        return "_sync"
    if _DUNDER.fullmatch(name):
        return "__" + name[3:]
    return _PREFIX.sub(r"\1", name)


def translate(source: str, used: set[str] | None = None) -> str:
    """The synchronous text of one asynchronous source file, in the layout of the source."""
    pieces = list(_translated(source, used))
    _unwrap(pieces)
    return "".join(piece.gap + piece.text for piece in pieces)


@dataclass(slots=True)
class _Piece:
    """One token with the white space before it; a string with fields is one token."""

    kind: int
    text: str
    gap: str
    awaited: bool = False  # an `await` stood right before it


def _pieces(source: str) -> Iterator[_Piece]:
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def offset(place: tuple[int, int]) -> int:
        return min(starts[min(place[0] - 1, len(lines))] + place[1], len(source))

    last, depth, begin = 0, 0, 0
    for tok in tokenize.generate_tokens(io.StringIO(source).readline):
        name = tokenize.tok_name[tok.type]
        # From Python 3.12 a string with fields is many tokens; one text is alike for each version.
        if name in ("FSTRING_START", "TSTRING_START"):
            begin = begin if depth else offset(tok.start)
            depth += 1
            continue
        if name in ("FSTRING_END", "TSTRING_END"):
            depth -= 1
            if not depth:
                end = offset(tok.end)
                yield _Piece(tokenize.STRING, source[begin:end], source[last:begin])
                last = end
            continue
        if depth or tok.type == tokenize.ENDMARKER:
            continue
        start, end = offset(tok.start), offset(tok.end)
        if start < last or (tok.type == tokenize.DEDENT):
            continue
        yield _Piece(tok.type, source[start:end], source[last:start])
        last = end


def _translated(source: str, used: set[str] | None) -> Iterator[_Piece]:
    dropped: _Piece | None = None
    for piece in _pieces(source):
        if piece.kind == tokenize.NAME and piece.text in _KEYWORDS:
            dropped = piece
            continue
        if dropped is not None:
            piece.gap, piece.awaited = dropped.gap, dropped.text == "await"
            dropped = None
        if piece.kind == tokenize.NAME:
            piece.text = rename(piece.text, used)
        elif piece.kind in (tokenize.STRING, tokenize.COMMENT):
            text = _KEYWORDS_IN_TEXT.sub("", piece.text)
            piece.text = re.sub(r"\w+", lambda m: rename(m[0], used), text)
        yield piece


def _unwrap(pieces: list[_Piece]) -> None:
    """Remove parentheses that stood only for an `await`: `(await x.y())[0]` becomes `x.y()[0]`."""
    for at, (piece, inner) in enumerate(pairwise(pieces)):
        if piece.text != "(" or not inner.awaited or _ends_operand(pieces[at - 1].text):
            continue  # none, or those of a call
        end = _end_of_operand(pieces, at + 1)
        if pieces[end].text == ")":
            inner.gap = piece.gap
            piece.text = piece.gap = pieces[end].text = ""


def _end_of_operand(pieces: list[_Piece], at: int) -> int:
    """The index of what comes after names, dots, calls and subscripts."""
    depth = 0
    for index in range(at, len(pieces)):
        text = pieces[index].text
        depth += (text in _OPEN) - (text in _CLOSE)
        if depth < 0 or not (depth or text == "." or _ends_operand(text)):
            return index
    raise SyntaxError("a bracket is never closed")


def _ends_operand(text: str) -> bool:
    return text in _CLOSE or (text.isidentifier() and not keyword.iskeyword(text))


def formatted(texts: list[str]) -> list[str]:
    """Sources laid out by `ruff format`: one process for all, since starting it takes longest."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"{number}.py") for number in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text, encoding="utf-8")
        ruff = [sys.executable, "-m", "ruff", "format", "--quiet", "--no-cache"]
        subprocess.run([*ruff, "--config", str(STYLE), *files], check=True)
        return [file.read_text(encoding="utf-8") for file in files]


def sources() -> list[Path]:
    """Every asynchronous source file below SOURCES."""
    files = {
        file
        for folder in SOURCES
        for place in (ROOT / folder).rglob("_async*")
        if place.name in ("_async", "_async.py")
        for file in ([place] if place.suffix else place.rglob("*.py"))
    }
    return sorted(files)


def twin(source: Path) -> Path:
    """The path of the synchronous twin of `source`."""
    parts = source.relative_to(ROOT).parts
    names = {"_async": "_sync", "_async.py": "_sync.py"}
    return ROOT.joinpath(*(names.get(part, part) for part in parts))


def outputs(used: set[str] | None = None) -> dict[Path, str]:
    """Every twin with the text it must have."""
    made = {}
    for source in sources():
        name = source.relative_to(ROOT).as_posix()
        note = f"# Generated from {name} by `{COMMAND}`: edit that file, not this one.\n"
        made[twin(source)] = note + translate(source.read_text(encoding="utf-8"), used)
    return dict(zip(made, formatted([*made.values()]), strict=True))


def strays() -> list[Path]:
    """Files in the place of a twin that have no source."""
    wanted = {twin(source) for source in sources()}
    found = {
        file
        for folder in SOURCES
        for place in (ROOT / folder).rglob("_sync*")
        if place.name in ("_sync", "_sync.py")
        for file in ([place] if place.suffix else place.rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    }
    return sorted(found - wanted)


def problems() -> list[str]:
    """What `--check` has against the twins; empty when all is well."""
    used: set[str] = set()
    found = []
    for path, text in outputs(used).items():
        name = path.relative_to(ROOT).as_posix()
        if not path.exists():
            found.append(f"{name}: missing; run `{COMMAND}`")
        elif path.read_text(encoding="utf-8") != text:
            found.append(f"{name}: differs from what its source gives; run `{COMMAND}`")
    found += [f"{path.relative_to(ROOT).as_posix()}: has no source" for path in strays()]
    unused = [name for name in NAMES if name not in used]
    return found + [f"tools/unasync.py: no source uses {name!r} of NAMES" for name in unused]


def main(args: list[str]) -> int:
    """Write the twins, or with `--check` compare them."""
    if args not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    if args:
        found = problems()
        print("\n".join(found) or "the twins are alike")
        return bool(found)
    for path, text in outputs().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print("wrote", path.relative_to(ROOT).as_posix())
    for path in strays():
        if path.read_bytes().startswith(b"# Generated from "):
            path.unlink()
            print("removed", path.relative_to(ROOT).as_posix())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
