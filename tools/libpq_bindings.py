"""Writes the bindings to libpq from psycopg3/pq/libpq.h, the one list of the functions we call.

python tools/libpq_bindings.py            write the generated files
python tools/libpq_bindings.py --check    fail when one of them is not what would be written
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = ROOT / "psycopg3" / "pq" / "libpq.h"
CTYPES = ROOT / "psycopg3" / "pq" / "libpq_ctypes.py"
OLDEST = 14
WIDTH = 100

_DECLARATION = re.compile(
    r"^(?P<returns>[\w ]+?[ *]+)(?P<name>(?:PQ|pg_)\w+)\((?P<arguments>[^)]*)\);"
    r"(?:[ \t]*/\*(?P<notes>[^*]*)\*/)?",
    re.MULTILINE,
)
_STRUCT = re.compile(r"^typedef struct \w+ \{(?P<fields>[^}]*)\} (?P<name>\w+);", re.MULTILINE)
_OPAQUE = re.compile(r"^typedef struct \w+ (?P<name>\w+);", re.MULTILINE)
_HEADING = re.compile(r"^/\* (?P<text>[^\n]*) \*/$", re.MULTILINE)


@dataclass(frozen=True)
class Function:
    """A C function: name, C types of result and arguments, and the header's notes on it."""

    name: str
    returns: str
    arguments: tuple[str, ...]
    since: int
    waits: bool
    hot: bool


@dataclass(frozen=True)
class Header:
    """What libpq.h says: opaque structs, structs with their fields, functions by heading."""

    opaque: tuple[str, ...]
    structs: dict[str, tuple[tuple[str, str], ...]]
    sections: dict[str, list[Function]]

    @property
    def functions(self) -> list[Function]:
        """Every function, in the header's order."""
        return [function for section in self.sections.values() for function in section]


def outputs() -> dict[Path, str]:
    """The text of each generated file."""
    header = parse(HEADER.read_text(encoding="utf-8"))
    return {CTYPES: ctypes_module(header)}


def parse(text: str) -> Header:
    """Read the header.

    Raises:
        ValueError: a line is not of the few forms that the header keeps to.
    """
    structs = {m["name"]: tuple(_fields(m["fields"])) for m in _STRUCT.finditer(text)}
    opaque = tuple(m["name"] for m in _OPAQUE.finditer(text))
    sections: dict[str, list[Function]] = {}
    marks = [*_HEADING.finditer(text), *_DECLARATION.finditer(text)]
    heading = ""
    for mark in sorted(marks, key=re.Match[str].start):
        if mark.re is _HEADING:
            heading = mark["text"]
        else:
            sections.setdefault(heading, []).append(_function(mark))
    found = sum(map(len, sections.values()))
    calls = len(re.findall(r"^\w[^\n]*\b(?:PQ|pg_)\w+\(", text, re.MULTILINE))
    if found != calls:
        raise ValueError(f"{HEADER.name}: {calls} declarations, of which {found} were understood")
    return Header(opaque, structs, sections)


def _fields(body: str) -> Iterator[tuple[str, str]]:
    for line in filter(None, map(str.strip, body.split(";"))):
        yield _typed_name(line)


def _typed_name(declaration: str) -> tuple[str, str]:
    """Split `const char *name` in its name and type, in one spelling: "name", "const char *"."""
    match = re.fullmatch(r"\s*(.*?[\s*])(\w+)\s*", declaration, re.DOTALL)
    if match is None:
        raise ValueError(f"no name and type in {declaration!r}")
    return match[2], _spelled(match[1])


def _spelled(ctype: str) -> str:
    words = " ".join(ctype.replace("*", " * ").split()).replace("struct ", "")
    return words.replace("* *", "**")


def _function(match: re.Match[str]) -> Function:
    notes = (match["notes"] or "").split()
    unknown = [n for n in notes if n not in ("waits", "hot") and not n.isdigit()]
    if unknown:
        raise ValueError(f"{match['name']}: a note may be a version, waits or hot: got {unknown}")
    arguments = match["arguments"].strip()
    return Function(
        name=match["name"],
        returns=_spelled(match["returns"]),
        arguments=()
        if arguments == "void"
        else tuple(_typed_name(a)[1] for a in arguments.split(",")),
        since=max((int(n) for n in notes if n.isdigit()), default=OLDEST),
        waits="waits" in notes,
        hot="hot" in notes,
    )


# --- ctypes ------------------------------------------------------------------------------------

CTYPES_PROLOGUE = '''\
"""libpq called through ctypes: its records, and a callable for each function, under libpq's names.

Generated from libpq.h by tools/libpq_bindings.py: edit those, not this.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint, c_void_p
from typing import Any, TypeAlias

from . import library
from .abc import Pointer

# A C string: given, it lasts for the call; returned, it is a copy; None is NULL.
Text: TypeAlias = bytes | None


def _opened(path: str) -> tuple[ctypes.CDLL, int]:
    dll = ctypes.CDLL(path)
    try:
        return dll, int(dll["PQlibVersion"]())
    except AttributeError:
        raise OSError(f"{path} is no libpq") from None


LIBRARY = library.load(_opened)

# The same library twice: functions taken from `_waiting` let other threads run while they are
# called, those from `_quick` keep the GIL, where there is CPython's.
_waiting = _quick = LIBRARY.handle
if sys.implementation.name == "cpython":
    _quick = ctypes.PyDLL(LIBRARY.path, handle=_waiting._handle)


def _function(
    dll: ctypes.CDLL, name: str, since: int, returns: Any, arguments: list[Any] | None
) -> Any:
    try:
        # By subscription every caller gets a function object of its own, with its own signature.
        function = dll[name]
    except AttributeError:
        return library.missing(name, since, LIBRARY)
    function.restype = returns
    if arguments is not None:
        function.argtypes = arguments
    return function

'''

# C type: (how ctypes passes it as an argument, how as a result, the Python type)
SCALARS = {
    "int": ("c_int", "c_int", "int"),
    "Oid": ("c_uint", "c_uint", "int"),
    "size_t": ("c_size_t", "c_size_t", "int"),
    "void": ("", "None", "None"),
    "const char *": ("c_char_p", "c_char_p", "Text"),
    "char *": ("c_void_p", "MemoryPointer", "Pointer"),
    "void *": ("c_void_p", "c_void_p", "Pointer"),
    "char **": ("POINTER(MemoryPointer)", "", "Pointer"),
    "size_t *": ("POINTER(c_size_t)", "", "Pointer"),
    "int *": ("POINTER(c_int)", "", "Pointer"),
    "const int *": ("POINTER(c_int)", "", "Pointer"),
    "const Oid *": ("POINTER(c_uint)", "", "Pointer"),
    "const char * const *": ("POINTER(c_char_p)", "", "Pointer"),
    "PQnoticeReceiver": ("PQnoticeReceiver", "PQnoticeReceiver", "Pointer"),
}


def ctypes_module(header: Header) -> str:
    """The text of libpq_ctypes.py."""
    types = dict(SCALARS)
    for name in header.opaque:
        pointer = f"{name}Pointer"
        types[f"{name} *"] = types[f"const {name} *"] = (pointer, pointer, "Pointer")
    for name in header.structs:
        types[f"{name} *"] = (f"POINTER({name})", f"POINTER({name})", "Pointer")
    parts = [CTYPES_PROLOGUE, *_opaque_classes(header.opaque)]
    for name, fields in header.structs.items():
        parts.append(_structure(name, fields))
    parts.append("\nPQnoticeReceiver = ctypes.CFUNCTYPE(None, c_void_p, PGresultPointer)\n")
    for heading, functions in header.sections.items():
        parts.append(f"\n# {heading}\n")
        parts.extend(_ctypes_function(function, types) for function in functions)
    return "".join(parts)


def _opaque_classes(names: tuple[str, ...]) -> Iterator[str]:
    described = {name: f"A pointer to libpq's {name}; false when NULL." for name in names}
    described["STREAM"] = "A pointer to a stream of C (FILE); false when NULL."
    for name, text in described.items():
        yield f'\nclass {name}Pointer(c_void_p):\n    """{text}"""\n\n'
    text = "A pointer to memory that is ours to free with PQfreemem; false when NULL."
    yield f'\nclass MemoryPointer(c_void_p):\n    """{text}"""\n\n'


def _structure(name: str, fields: tuple[tuple[str, str], ...]) -> str:
    ctypes_of = {"char *": "c_char_p", "int": "c_int", "Oid": "c_uint"}
    # What is none of these is libpq's own link to the next record.
    pairs = [(field, ctypes_of.get(ctype, "c_void_p")) for field, ctype in fields]
    lines = [f'        ("{field}", {ctype}),\n' for field, ctype in pairs]
    return (
        f'\nclass {name}(ctypes.Structure):\n    """libpq\'s {name}."""\n\n'
        f"    _fields_ = [\n{''.join(lines)}    ]\n\n"
    )


def _ctypes_function(function: Function, types: dict[str, tuple[str, str, str]]) -> str:
    arguments = [types[a] for a in function.arguments]
    python = ", ".join(argument[2] for argument in arguments)
    returns = types[function.returns]
    dll = "_waiting" if function.waits else "_quick"
    declared = "None" if function.hot else "[" + ", ".join(a[0] for a in arguments) + "]"
    given = [dll, f'"{function.name}"', str(function.since), returns[1], declared]
    return _assignment(f"{function.name}: Callable[[{python}], {returns[2]}]", "_function", given)


def _assignment(target: str, function: str, arguments: list[str]) -> str:
    """`target = function(arguments)`, broken over lines as the formatter would."""
    call = f"{function}({', '.join(arguments)})"
    if len(f"{target} = {call}") <= WIDTH:
        return f"{target} = {call}\n"
    wraps = len(f"{target} = {function}(") > WIDTH
    margin = " " * 4 if wraps else ""
    if wraps and len(margin + call) <= WIDTH:
        lines = margin + call
    else:
        inner = f"{margin}    {', '.join(arguments)}"
        if len(inner) > WIDTH:
            inner = "\n".join(f"{margin}    {argument}," for argument in arguments)
        lines = f"{margin}{function}(\n{inner}\n{margin})"
    return f"{target} = (\n{lines}\n)\n" if wraps else f"{target} = {lines}\n"


# --- the command -------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """Write the files, or compare them under `--check`; returns the process's exit status."""
    if arguments not in ([], ["--check"]):
        print(__doc__)
        return 2
    stale = [
        path
        for path, text in outputs().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        if arguments:
            print(f"{path.relative_to(ROOT)} is out of date: run tools/{Path(__file__).name}")
        else:
            path.write_text(outputs()[path], encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if arguments and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
