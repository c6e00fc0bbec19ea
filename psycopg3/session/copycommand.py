"""The text of a COPY, made of the names, options and values that a program has; they are quoted here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..abc import Params, Query
from ..errors import ProgrammingError
from ..pq import Escaping
from ..styles import bind_literals

if TYPE_CHECKING:
    from .session import Session

Table = str | Sequence[str]
"""A table's name; one with its schema as "schema.name", or as a tuple of the two."""

_QUERY = re.compile(
    r"\s*(?:\(|(?:select|with|values|table|insert|update|delete|merge)\b\s*\S)", re.IGNORECASE
)
_OPTION = re.compile(r"[a-z_]+")


class CopyCommand:
    """Writes the text of COPYs for a session.

    Args:
        session: has the encoding, and quotes.
    """

    def __init__(self, session: Session):
        self._session = session

    def to(
        self,
        source: Table | Query,
        params: Params | None,
        columns: Iterable[str] | None,
        options: Mapping[str, Any],
    ) -> bytes:
        """COPY ... TO STDOUT of a table, or of a query with parameters."""
        is_name = isinstance(source, (str, tuple, list))
        if not is_name or (isinstance(source, str) and _QUERY.match(source)):
            if columns is not None:
                raise ProgrammingError("got columns for a query: select them in the query")
            query: Any = source
            what = b"(%b)" % bind_literals(query, params, self._session._transformer_of()).query
        elif params is not None:
            raise ProgrammingError(f"got parameters for the table {source!r}: they are for a query")
        else:
            what = self._table(source, columns)
        return b"COPY %b TO STDOUT%b" % (what, self._options(options))

    def from_(
        self,
        table: Table,
        columns: Iterable[str] | None,
        where: Query | None,
        options: Mapping[str, Any],
    ) -> bytes:
        """COPY ... FROM STDIN into a table."""
        command = b"COPY %b FROM STDIN%b" % (self._table(table, columns), self._options(options))
        if where is not None:
            condition = bind_literals(where, None, self._session._transformer_of())
            command += b" WHERE " + condition.query
        return command

    def _table(self, table: Any, columns: Iterable[str] | None) -> bytes:
        names = table.split(".") if isinstance(table, str) else table
        quoted = b".".join(map(self._session._quote_identifier, names))
        return quoted if columns is None else quoted + b" " + self._names(columns)

    def _names(self, names: Iterable[str]) -> bytes:
        if isinstance(names, str):
            raise ProgrammingError(f"got {names!r} as columns: expected a list of names")
        return b"(%b)" % b", ".join(map(self._session._quote_identifier, names))

    def _options(self, options: Mapping[str, Any]) -> bytes:
        """Options in parentheses; those that are None aren't given, nor is a FORCE_... that is False."""
        given = [
            self._option(name, value)
            for name, value in options.items()
            if value is not None and not (value is False and name.startswith("force_"))
        ]
        return b" (%b)" % b", ".join(given) if given else b""

    def _option(self, name: str, value: Any) -> bytes:
        if not _OPTION.fullmatch(name):
            raise ProgrammingError(f"got the option {name!r}: expected one of COPY's")
        if value == "*" or (value is True and name.startswith("force_")):
            written = b"*"
        elif isinstance(value, int):
            written = str(value).encode()
        elif isinstance(value, str):
            session = self._session
            written = Escaping(session.pgconn).escape_literal(value.encode(session.encoding))
        else:
            written = self._names(value)
        return name.upper().encode() + b" " + written
