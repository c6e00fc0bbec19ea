"""Other styles of parameters: written into the text by the client, and PostgreSQL's own $1, $2 ..."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any

from . import errors as e
from . import sql as parts
from .abc import PyFormat
from .query import (
    PLACEHOLDER,
    BoundQuery,
    KnownQuery,
    as_sequence,
    check_count,
    composed,
    dump_one,
    dumped,
    in_order,
    known_query,
    refuse_params,
    tell_parameter,
)

if TYPE_CHECKING:
    from .abc import Params, Query
    from .adapt import Transformer


def bind_literals(query: Query, params: Params | None, transformer: Transformer) -> BoundQuery:
    """Write parameters as literals into the places of the placeholders of `query`.

    Args and errors are those of `psycopg3.query.bind()`.
    """
    if parts.is_template(query):
        refuse_params(params)
        return BoundQuery(parts.as_bytes(query, transformer))
    has_placeholders = params is not None
    given: Any = query
    if not isinstance(query, (str, bytes)):
        given = composed(query, transformer, has_placeholders)
    known = known_query(given, has_placeholders)
    codec = transformer.text_encoding if isinstance(given, str) else "latin-1"
    text = given if isinstance(given, str) else given.decode(codec)
    if params is None:
        return BoundQuery(parts.encoded(text, codec))
    values = in_order(known, params)
    try:
        literals = [transformer.as_literal(value) for value in values]
    except Exception as ex:
        tell_parameter(ex, lambda at: transformer.as_literal(values[at]), known)
        raise
    numbers = {name: number for number, name in enumerate(known.names or ())}
    written: list[bytes] = []
    last = count = 0
    for match in PLACEHOLDER.finditer(text):
        written.append(parts.encoded(text[last : match.start()], codec))
        last = match.end()
        if match["percent"]:
            written.append(b"%")
            continue
        written.append(literals[count if match["name"] is None else numbers[match["name"]]])
        count += 1
    written.append(parts.encoded(text[last:], codec))
    return BoundQuery(b"".join(written))


def bind_raw(
    query: Query, params: Params | None, transformer: Transformer, result_format: int
) -> BoundQuery:
    """Dump the parameters of a query whose placeholders are $1, $2 ...

    Args:
        query: text, which is sent as it is.
        params: a sequence.

    Raises:
        ProgrammingError: the parameters are no sequence.
        DataError: a value can't be represented in PostgreSQL.
        NotSupportedError: the query is a template string.
    """
    if parts.is_template(query):
        raise e.NotSupportedError(
            "a template string can't be executed with $1 for placeholders: use a Cursor"
        )
    given: Any = query
    if not isinstance(query, (str, bytes)):
        given = composed(query, transformer, False)
    known = known_query(given, False)
    sql = known.sql
    if sql is None:
        sql = parts.encoded(known.text, transformer.text_encoding)
    if params is None:
        return BoundQuery(sql, result_format)
    if isinstance(params, Mapping):
        raise e.ProgrammingError(
            "the placeholders are $1, $2 ... but the parameters are a mapping: pass a sequence"
        )
    values = as_sequence(params)
    check_count(len(values))
    if not values:
        return BoundQuery(sql, result_format, [])
    try:
        return BoundQuery(sql, result_format, *transformer.dump_parameters(values))
    except Exception as ex:
        tell_parameter(ex, lambda at: transformer.dump_parameters(values[at : at + 1]))
        raise


class TypedQuery:
    """A query whose parameters are of types that the server knows, whatever their values' classes are.

    It goes where a query goes. A value whose class has another type in binary format is sent as text.

    Args:
        query: SQL with placeholders; no template string.
        transformer: what writes it.
        raw: whether the placeholders are $1, $2 ...

    Raises:
        NotSupportedError: it is a template string.
    """

    def __init__(self, query: Query, transformer: Transformer, *, raw: bool):
        if parts.is_template(query):
            raise e.NotSupportedError(
                "a template string has its values in it, and can't be prepared for others: write the"
                " query with placeholders"
            )
        given: Any = query
        if not isinstance(query, (str, bytes)):
            given = composed(query, transformer, not raw)
        self._known = known = KnownQuery(given, not raw)
        self.sql = known.sql or parts.encoded(known.text, transformer.text_encoding)
        """The text as it is sent."""
        self.types: tuple[int, ...] = ()
        """The oids of the parameters."""

    def set_types(self, types: tuple[int, ...]) -> None:
        """Take note of the types of the parameters."""
        self.types, self._unknown = types, (0,) * len(types)
        if len(self._known.formats) != len(types):  # they are $1, $2 ...
            self._known.formats = (PyFormat.AUTO,) * len(types)
        self._formats = list(self._known.formats)

    def request(self) -> BoundQuery:
        """An execution without values: what there is to prepare."""
        return BoundQuery(self.sql, types=self._unknown)

    def behind(self, prefix: bytes) -> TypedQuery:
        """The same with SQL before it."""
        other = copy(self)
        other.sql = prefix + self.sql
        return other

    def _bound(
        self, params: Params | None, transformer: Transformer, result_format: int
    ) -> BoundQuery:
        given: Any = in_order(self._known, () if params is None else params)
        if not given:
            return BoundQuery(self.sql, result_format, [])
        formats = self._formats
        while True:
            try:
                values, types, written, lengths = dumped(transformer, given, formats)
            except Exception as ex:
                tell_parameter(ex, partial(dump_one, transformer, given, formats), self._known)
                raise
            misfits = [
                index
                for index, oid in enumerate(types)
                if written[index] and oid != self.types[index] and formats[index] is PyFormat.AUTO
            ]
            if not misfits:
                return BoundQuery(self.sql, result_format, values, self._unknown, written, lengths)
            for index in misfits:
                formats[index] = PyFormat.TEXT
