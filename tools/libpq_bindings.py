"""Writes the bindings to libpq from psycopg3/pq/libpq.h, the one list of the functions we call.

python tools/libpq_bindings.py            write the generated files
python tools/libpq_bindings.py --check    fail when one of them is not what would be written
"""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = ROOT / "psycopg3" / "pq" / "libpq.h"
CTYPES = ROOT / "psycopg3" / "pq" / "libpq_ctypes.py"
CFFI = ROOT / "psycopg3" / "pq" / "libpq_cffi.py"
CFFI_C = ROOT / "psycopg3" / "pq" / "libpq_cffi.c"
# What else cffi's extension is made of: an extension made of other text is out of date.
CFFI_BY_HAND = (HEADER, HEADER.with_name("memory_cffi.h"), HEADER.with_name("memory_cffi.c"))
OLDEST = 14
WIDTH = 100

_DECLARATION = re.compile(
    r"^(?P<returns>[\w ]+?[ *]+)(?P<name>(?:PQ|pg_)\w+)\((?P<arguments>[^)]*)\);"
    r"(?:[ \t]*/\*(?P<notes>[^*]*)\*/)?",
    re.MULTILINE,
)
_STRUCT = re.compile(r"^typedef struct \w+ \{(?P<fields>[^}]*)\} (?P<name>\w+);", re.MULTILINE)
_OPAQUE = re.compile(r"^typedef struct \w+ (?P<name>\w+);", re.MULTILINE)
_TYPES = re.compile(r"^typedef .*?(?=^/\*)", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^/\* (?P<text>[^\n]*) \*/$", re.MULTILINE)


@dataclass(frozen=True)
class Function:
    """A C function: name, C types of result and arguments, and the header's notes on it."""

    name: str
    returns: str
    arguments: tuple[str, ...]
    names: tuple[str, ...]
    since: int
    waits: bool
    hot: bool


@dataclass(frozen=True)
class Header:
    """What libpq.h says: opaque structs, structs with their fields, functions by heading.

    `types` is the text of all types, as it stands there.
    """

    types: str

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
    source = cffi_source(header)
    by_hand = [path.read_text(encoding="utf-8") for path in CFFI_BY_HAND]
    number = zlib.crc32("\0".join([source, *by_hand]).encode()) >> 1
    return {
        CTYPES: ctypes_module(header),
        CFFI: cffi_module(header).replace("NUMBER", str(number)),
        CFFI_C: source.replace("NUMBER", str(number)),
    }


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
    types = _TYPES.search(text)
    return Header(types[0].strip() if types else "", opaque, structs, sections)


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
    typed = [] if arguments == "void" else [_typed_name(a) for a in arguments.split(",")]
    return Function(
        name=match["name"],
        returns=_spelled(match["returns"]),
        arguments=tuple(ctype for _, ctype in typed),
        names=tuple(name for name, _ in typed),
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
from .records import Pointer

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
    parts.append("\nPQnoticeReceiver = ctypes.CFUNCTYPE(None, ctypes.py_object, PGresultPointer)\n")
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


# --- cffi --------------------------------------------------------------------------------------

CFFI_SOURCE_PROLOGUE = """\
/* libpq for cffi: a table of its functions, filled when they have been found, and each of them under
 * its own name, which calls what the table has. Nothing of libpq is needed to compile this.
 * memory_cffi.c, which includes it, says what WAITING does.
 *
 * Generated from libpq.h by tools/libpq_bindings.py: edit those, not this.
 */

/* What the extension is made of, in a number that is in libpq_cffi.py too. */
#define PSYCOPG3_BINDING NUMBER
"""

CFFI_PROLOGUE = '''\
"""libpq called through cffi: a callable for each function, under libpq's names.

Generated from libpq.h by tools/libpq_bindings.py: edit those, not this.
"""

from __future__ import annotations

from collections.abc import Callable
from os import fsencode
from typing import Any, TypeAlias

from . import library
from ._libpq_cffi import ffi, lib
from .records import Pointer

# A C string: given, it lasts for the call; returned, it is a copy; None is NULL.
Text: TypeAlias = bytes | None

if getattr(lib, "PSYCOPG3_BINDING", None) != NUMBER:
    raise ImportError("the extension was built from other sources than these: build it again")


def _opened(path: str) -> tuple[Any, int]:
    handle = lib.library_open(fsencode(path))
    if not handle:
        raise OSError(ffi.string(lib.library_error()).decode("utf-8", "replace"))
    if not lib.library_find(handle, b"PQlibVersion"):
        raise OSError(f"{path} is no libpq")
    return handle, lib.PQlibVersion()


LIBRARY = library.load(_opened)


def _function(name: str, since: int) -> Any:
    if not lib.library_find(LIBRARY.handle, name.encode()):
        return library.missing(name, since, LIBRARY)
    return getattr(lib, name)


def _text(name: str, since: int) -> Any:
    function, string = _function(name, since), ffi.string

    def text(*arguments: object) -> Any:
        pointer = function(*arguments)
        return string(pointer) if pointer else None

    return text


def _copied_text(name: str, since: int) -> Any:
    function, string, free = _function(name, since), ffi.string, lib.text_free

    def text(*arguments: object) -> Any:
        pointer = function(*arguments)
        if not pointer:
            return None
        try:
            return string(pointer)
        finally:
            free(pointer)

    return text

'''


def cffi_source(header: Header) -> str:
    """The text of libpq_cffi.c."""
    functions = header.functions
    slots = [f"    {_declared(f, f'(*{f.name})')};\n" for f in functions]
    names = [f'    "{function.name}",\n' for function in functions]
    return "".join(
        [
            CFFI_SOURCE_PROLOGUE,
            f"\n{header.types}\n",
            f"\nstatic struct {{\n{''.join(slots)}}} libpq;\n",
            "\n/* Their names, in the same order. */\n",
            f"static const char *const libpq_names[] = {{\n{''.join(names)}}};\n",
            *map(_cffi_wrapper, functions),
        ]
    )


def _declared(function: Function, name: str) -> str:
    pairs = zip(function.arguments, function.names, strict=True)
    arguments = ", ".join(_joined(ctype, argument) for ctype, argument in pairs)
    return f"{_joined(function.returns, name)}({arguments or 'void'})"


def _joined(ctype: str, name: str) -> str:
    return ctype.replace("* ", "*") + ("" if ctype.endswith("*") else " ") + name


def _cffi_wrapper(function: Function) -> str:
    call = f"libpq.{function.name}({', '.join(function.names)})"
    value = function.returns != "void"
    if _of_connection(function) and function.returns == "const char *":
        lines = [f"return text_copy({call});"]
    elif not function.waits:
        lines = [f"return {call};" if value else f"{call};"]
    elif value:
        declared = _joined(function.returns, "result")
        lines = [f"{declared};", f"WAITING(result = {call});", "return result;"]
    else:
        lines = [f"WAITING({call});"]
    body = "".join(f"    {line}\n" for line in lines)
    return f"\nstatic {_declared(function, function.name)}\n{{\n{body}}}\n"


def _of_connection(function: Function) -> bool:
    """Whether it takes an object that another thread may free between the call and what follows."""
    return "PGresult" not in "".join(function.arguments[:1])


def cffi_module(header: Header) -> str:
    """The text of libpq_cffi.py."""
    python = {ctype: names[2] for ctype, names in SCALARS.items()}
    for name in [*header.opaque, *header.structs]:
        python[f"{name} *"] = python[f"const {name} *"] = "Pointer"
    parts = [CFFI_PROLOGUE]
    for heading, functions in header.sections.items():
        parts.append(f"\n# {heading}\n")
        for function in functions:
            arguments = ", ".join(python[argument] for argument in function.arguments)
            target = f"{function.name}: Callable[[{arguments}], {python[function.returns]}]"
            kind = "_function"
            if function.returns == "const char *":
                kind = "_copied_text" if _of_connection(function) else "_text"
            parts.append(_assignment(target, kind, [f'"{function.name}"', str(function.since)]))
    return "".join(parts)


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
