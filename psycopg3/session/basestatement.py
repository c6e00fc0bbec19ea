"""The half of a `Statement` that never waits: what it is, and what its EXPLAIN is."""

from __future__ import annotations

import re
from typing import Any, Generic, NamedTuple

from .. import errors as e
from ..abc import Query
from ..pq import PGresult
from ..rows import Row
from ..styles import TypedQuery
from ..waiting import WaitGen
from .preparing import close_gen, described_gen
from .results import Column
from .session import Session

_OPTION = re.compile(r"[a-z_]+", re.IGNORECASE)


class Parameter(NamedTuple):
    """A parameter of a prepared statement."""

    type_code: int
    """The oid of its type."""
    type_display: str
    """The type as SQL writes it; its oid if it isn't known."""


class BaseStatement(Generic[Row]):
    """What `Statement` and `AsyncStatement` have in common."""

    _description: PGresult

    def __init__(self, connection: Session, query: Query, raw: bool):
        self._session: Any = connection
        self._finder = connection._transformer_of()
        self._typed = TypedQuery(query, self._finder, raw=raw)
        self._is_closed = False
        self.statusmessage: str | None = None
        """The tag of what was executed last, such as "INSERT 0 1"."""

    def __repr__(self) -> str:
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        state = "closed" if self._is_closed else self.name or "not prepared"
        return f"<{name} [{state}] on {self._session!r} at 0x{id(self):x}>"

    @property
    def query(self) -> str:
        """The SQL as the server has it, with $1, $2 ... for parameters."""
        return self._typed.sql.decode(self._finder.text_encoding)

    @property
    def name(self) -> str:
        """The name at the server; empty while it isn't there: it is prepared again when it is executed.

        It isn't after others have taken its room (`prepared_max`), and never if the connection's
        `prepare_threshold` is None: then it is executed as other queries are.
        """
        if self._is_closed:
            return ""
        request = self._typed.request()
        name: bytes = self._session._exchange.statements.name_of(request)
        return name.decode()

    @property
    def parameters(self) -> list[Parameter]:
        """The types of the parameters, as the server has found them out."""
        types = self._finder.adapters.types
        known = [(oid, types.get(oid)) for oid in self._typed.types]
        return [
            Parameter(oid, str(oid) if info is None else info.get_type_display(oid))
            for oid, info in known
        ]

    @property
    def columns(self) -> list[Column]:
        """The columns of its rows, when it was prepared; none if it returns no rows."""
        encoding, types = self._finder.words_encoding, self._finder.adapters.types
        result = self._description
        return [Column.of(result, n, encoding, types) for n in range(result.nfields)]

    def _prepare_gen(self) -> WaitGen[None]:
        self._description = yield from described_gen(self._session, self._typed)

    def _close_gen(self) -> WaitGen[None]:
        yield from close_gen(self._session, self._typed.request())

    def _explained(self, options: dict[str, bool | str]) -> TypedQuery:
        """The EXPLAIN of the query.

        Raises:
            ProgrammingError: an option is none.
        """
        written = []
        for name, value in options.items():
            given = ("off", "on")[value] if isinstance(value, bool) else value
            if not (
                isinstance(given, str) and _OPTION.fullmatch(given) and _OPTION.fullmatch(name)
            ):
                raise e.ProgrammingError(
                    f"got the option {name}={value!r} for EXPLAIN: expected a bool or a word"
                )
            written.append(f"{name} {given}")
        return self._typed.behind(f"EXPLAIN ({', '.join(written)}) ".encode())

    def _check_open(self) -> TypedQuery:
        if self._is_closed:
            raise e.InterfaceError("the statement is closed: make another with prepare()")
        return self._typed
