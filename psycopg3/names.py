"""Names of PostgreSQL made names of Python."""

from __future__ import annotations

from collections import namedtuple
from functools import lru_cache
from keyword import iskeyword
from typing import Any


@lru_cache(512)
def named_tuple(
    name: str, fields: tuple[str, ...], module: str | None = None, regtype: str = ""
) -> Any:
    """A class of named tuples: the same one for the same names, and the same type if there is one.

    Raises:
        ValueError: two fields have the same name, as identifiers.
    """
    del regtype  # tells classes of the same names apart
    return namedtuple(_identifier(name), map(_identifier, fields), module=module)  # noqa: PYI024


def _identifier(name: str) -> str:
    """`name` made an identifier that a named tuple takes."""
    if not name.isascii():
        from unicodedata import normalize

        name = normalize("NFKC", name)  # as Python does with the identifiers of a source
    name = "".join(c if f"_{c}".isidentifier() else "_" for c in name)
    if not name.isidentifier() or name.startswith("_"):
        name = f"f{name}"
    return f"{name}_" if iskeyword(name) else name
