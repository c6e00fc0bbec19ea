"""What the text of a query says of itself: its first word, and whether it may end a transaction."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum
from functools import lru_cache, wraps
from typing import Any, TypeVar, cast

from ..errors import NotSupportedError

F = TypeVar("F", bound=Callable[..., Any])


class Ending(IntEnum):
    """What a request brings to an end; unless it is nothing, the request isn't cancelled."""

    NOTHING = 0
    """It may be cancelled."""
    SESSION = 1
    """What the session had, as reset() does: half of it would be of no use."""
    UNDONE = 2
    """A transaction, which is rolled back."""
    COMMITTED = 3
    """A transaction, which is committed, or prepared."""


_BLANKS = re.compile(rb"(?:\s|--[^\n\r]*+)*+")
_COMMENT_EDGE = re.compile(rb"/\*|\*/")
_COPY = re.compile(rb"copy\b", re.IGNORECASE)
_ENDINGS = (
    (Ending.COMMITTED, re.compile(rb"(?:commit|end|prepare\s+transaction)\b", re.IGNORECASE)),
    (Ending.UNDONE, re.compile(rb"(?:rollback|abort)\b", re.IGNORECASE)),
    (Ending.SESSION, re.compile(rb"discard\b", re.IGNORECASE)),
)
_CONTROL = re.compile(
    rb"(?:(begin|start\s+transaction)|(?:commit|end|rollback|abort|prepare\s+transaction))\b"
    rb"(?!.*\b(?:and\s+chain|to|prepared)\b)",
    re.IGNORECASE | re.DOTALL,
)
_PLANNABLE = re.compile(
    rb"(?:select|insert|update|delete|merge|values|table|with)\b|\(", re.IGNORECASE
)
_MAY_COMMIT = re.compile(rb"\b(?:commit|end|prepare)\b", re.IGNORECASE)


def start_of(query: bytes, at: int = 0) -> int:
    """Where the next word of a query stands, behind blanks and comments; those of /* */ nest."""
    while True:
        at = _BLANKS.match(query, at).end()  # type: ignore[union-attr]  # it matches anything
        if not query.startswith(b"/*", at):
            return at
        depth = 0
        for edge in _COMMENT_EDGE.finditer(query, at):
            depth += 1 if edge[0] == b"/*" else -1
            at = edge.end()
            if not depth:
                break
        else:
            return len(query)


def is_copy(query: bytes) -> bool:
    """Whether a query is a COPY, which transfers data besides its result."""
    return _COPY.match(query, start_of(query)) is not None


# Longer texts are rarely repeated, and a cache mustn't hold memory that nobody expects.
_CACHED_LENGTH = 4096


def _cached(function: F) -> F:
    """Remember what a function tells of short texts."""
    known = lru_cache(function)

    @wraps(function)
    def told(query: bytes, *args: Any) -> Any:
        return (known if len(query) <= _CACHED_LENGTH else function)(query, *args)

    return cast("F", told)


@_cached
def rides(query: bytes, alone: bool) -> bool:
    """Whether a query may go in one round trip with the BEGIN before it, by the extended protocol.

    That takes one statement, infers the type of a $1 without parameters, and lists its own cursor.

    Args:
        query: the SQL.
        alone: whether it would go by that protocol anyway.
    """
    differs = b"pg_cursors" in query or (not alone and b"$" in query)
    return is_plannable(query, alone=alone) and not differs


@_cached
def in_pipeline(query: bytes) -> bool | None:
    """Whether a user's query opens (True) or ends (False) a transaction, by its first word; None: neither.

    libpq knows only when the answer has come.

    Raises:
        NotSupportedError: it is a COPY, which a pipeline can't have.
    """
    at = start_of(query)
    if _COPY.match(query, at):
        raise NotSupportedError("COPY can't be done in a pipeline: leave the pipeline first")
    found = _CONTROL.match(query, at)
    return None if found is None else found[1] is not None


def is_plannable(query: bytes, *, alone: bool) -> bool:
    """Whether a query is one statement that the server makes a plan for.

    Args:
        query: the SQL.
        alone: whether it is known to be one; else a semicolon may make it several, in a literal too.
    """
    if not _PLANNABLE.match(query, start_of(query)):
        return False
    at = len(query) if alone else query.find(b";") + 1 or len(query)
    return start_of(query, at) == len(query)


def ending_of(query: bytes) -> Ending:
    """What a user's query ends, by its first word.

    Of several statements the first counts: a COMMIT behind others may be cancelled with them, and
    the server's answer then tells what became of the transaction.
    """
    at = start_of(query)
    return next((ends for ends, words in _ENDINGS if words.match(query, at)), Ending.NOTHING)


def may_commit(query: bytes) -> bool:
    """Whether a query may hold a COMMIT, for all that its text tells.

    A false alarm does little harm: it only matters for a query in the middle of which the link is lost.
    """
    return _MAY_COMMIT.search(query) is not None
