"""Isolation level, read only, deferrable: what BEGIN asks of a transaction."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

from .. import errors as e


class IsolationLevel(IntEnum):
    """What a transaction sees of others; the manual's chapter "Transaction Isolation"."""

    READ_UNCOMMITTED = 1
    """In PostgreSQL the same as READ_COMMITTED."""
    READ_COMMITTED = 2
    """Each statement sees what was committed before it began."""
    REPEATABLE_READ = 3
    """Each statement sees what was committed before the first one of the transaction began."""
    SERIALIZABLE = 4
    """As if transactions ran one after the other; those that could not have, fail."""


class Characteristics(NamedTuple):
    """What a transaction is to be; None leaves it to the server's default."""

    isolation_level: IsolationLevel | None = None
    read_only: bool | None = None
    deferrable: bool | None = None

    @classmethod
    def of(cls, isolation_level: Any, read_only: Any, deferrable: Any) -> Characteristics:
        """Check and coerce what users gave; ProgrammingError for an isolation level that is none."""
        return cls(_level(isolation_level), _flag(read_only), _flag(deferrable))

    def changed(self, name: str, value: Any) -> Characteristics:
        """These with another value for `name`, coerced; ProgrammingError as in `of()`."""
        return self.of(**{**self._asdict(), name: value})

    def over(self, default: Characteristics) -> Characteristics:
        """These, and where they say nothing, those of `default`."""
        pairs = zip(self, default, strict=True)
        return Characteristics._make(theirs if mine is None else mine for mine, theirs in pairs)

    @property
    def given(self) -> bool:
        """Whether they say anything."""
        return self != _NOTHING

    def begin_command(self) -> bytes:
        """The statement that opens such a transaction."""
        words = ["BEGIN"]
        if self.isolation_level is not None:
            words.append("ISOLATION LEVEL " + self.isolation_level.name.replace("_", " "))
        if self.read_only is not None:
            words.append("READ ONLY" if self.read_only else "READ WRITE")
        if self.deferrable is not None:
            words.append("DEFERRABLE" if self.deferrable else "NOT DEFERRABLE")
        return " ".join(words).encode()


_NOTHING = Characteristics()


def _level(value: Any) -> IsolationLevel | None:
    if value is None:
        return None
    try:
        return IsolationLevel(value)
    except ValueError:
        raise e.ProgrammingError(
            f"got the isolation level {value!r}: expected a member of psycopg3.IsolationLevel, its"
            " number from 1 to 4, or None for the server's default"
        ) from None


def _flag(value: Any) -> bool | None:
    return None if value is None else bool(value)
