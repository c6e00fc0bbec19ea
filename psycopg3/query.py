"""From a query with placeholders and its parameters to what libpq is sent.

`bind` is the whole door: it parses the query (once: the result is cached), puts the
parameters in the order of $1, $2 ... and has them dumped. A bad parameter stops here, with
nothing sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from . import errors as e
from .abc import Composable, PyFormat
from .pq import arguments

if TYPE_CHECKING:
    from .abc import Buffer, Params, Query
    from .adapt import Transformer

# Texts longer than this are parsed each time: they are rarely repeated, and a cache of 128
# of them must not hold memory that nobody expects (128 x 4 KiB at the most).
_CACHED_LENGTH = 4096
_CACHED_QUERIES = 128
_MAX_PARAMS = 65535  # the protocol counts them in 16 bits

_PLACEHOLDER = re.compile(
    r"""%(?:
        (?P<percent>%)
      | \( (?P<name>[^)]*) \) (?P<named>.?)
      | (?P<bare>.?)
    )""",
    re.VERBOSE | re.DOTALL,
)
_FORMATS = {"s": PyFormat.AUTO, "t": PyFormat.TEXT, "b": PyFormat.BINARY}


class BoundQuery:
    """A query ready to be sent: text, values, their types and formats."""

    __slots__ = ("formats", "query", "result_format", "types", "values")

    def __init__(self, query: bytes, result_format: int = 0):
        if b"\0" in query:
            # libpq takes a C string: what follows would be dropped without a word
            raise e.DataError(
                f"the query has a NUL character at byte {query.index(0)}: PostgreSQL takes none;"
                " remove it, or pass binary data as a parameter of type bytes"
            )
        self.query = query
        """SQL with $1, $2 ... in the connection's encoding."""
        self.values: list[Buffer | None] | None = None
        """One value a placeholder, None for NULL; None if the query was given no parameters."""
        self.types: tuple[int, ...] = ()
        """The oids of the values' types, 0 where the server is to find out."""
        self.formats: Sequence[int] = ()
        """The format of each value: 0 text, 1 binary."""
        self.result_format = result_format
        """The format asked for the results: 0 text, 1 binary."""

    def check(self) -> None:
        """Refuse what libpq would be spared: before a transaction is opened for it.

        Raises:
            DataError: too long, or a NUL in text.
            TypeError: a dumper made something that is no bytes.
        """
        arguments.text(self.query, "query")
        if self.values:
            arguments.parameters(self.values, self.types, self.formats)

    @property
    def params(self) -> list[Buffer | None] | None:
        """The values, under the name that logging tools look for."""
        return self.values


class ParsedQuery(NamedTuple):
    """What parsing finds in a query's text."""

    text: str
    """The query with $1, $2 ... in place of its placeholders."""
    formats: tuple[PyFormat, ...]
    """The format asked by each $n."""
    names: tuple[str, ...] | None
    """The name of each $n if the placeholders are named, else None."""


def bind(
    query: Query, params: Params | None, transformer: Transformer, *, result_format: int = 0
) -> BoundQuery:
    """Parse the placeholders of `query` and dump `params` into their places.

    Args:
        query: text or bytes, with placeholders `%s`, `%t`, `%b` or `%(name)s` ...; a percent
            sign is written `%%`. Without `params` the text is taken as it is.
        params: a sequence, or a mapping for named placeholders.

    Raises:
        ProgrammingError: placeholders and parameters don't fit; the message says how.
        DataError: a value can't be represented in PostgreSQL.
    """
    if not isinstance(query, (str, bytes)):
        query = _composed(query, transformer)
    if params is None:
        return BoundQuery(_encoded(query, transformer), result_format)
    # Latin 1 maps every byte to one character and back: the parser is written once, for str.
    if isinstance(query, bytes):
        parsed = parse(query.decode("latin-1"))
        bound = BoundQuery(parsed.text.encode("latin-1"), result_format)
    else:
        parsed = parse(query)
        bound = BoundQuery(_encoded(parsed.text, transformer), result_format)
    values = _in_order(parsed, params)
    bound.values = transformer.dump_sequence(values, parsed.formats)
    bound.types = transformer.types or ()
    bound.formats = transformer.formats or ()
    return bound


def _composed(query: object, transformer: Transformer) -> bytes:
    if isinstance(query, Composable):
        return query.as_bytes(transformer)
    raise e.ProgrammingError(
        f"the query is of type {type(query).__name__}: expected str or bytes; pass the SQL as text"
    )


def _encoded(query: str | bytes, transformer: Transformer) -> bytes:
    if isinstance(query, bytes):
        return query
    encoding = transformer.encoding
    try:
        return query.encode("utf-8" if encoding == "ascii" else encoding)
    except UnicodeEncodeError as ex:
        raise e.DataError(
            f"the query can't be sent in the connection's encoding: {ex}; use characters that"
            f" {encoding} has, or set client_encoding to UTF8"
        ) from None


def parse(query: str) -> ParsedQuery:
    """Replace the placeholders of `query` by $1, $2 ...; a repeated name keeps its number.

    Raises:
        ProgrammingError: a malformed placeholder, or named and positional ones mixed.
    """
    return _parse_cached(query) if len(query) <= _CACHED_LENGTH else _parse(query)


def _parse(query: str) -> ParsedQuery:
    pieces: list[str] = []
    formats: list[PyFormat] = []
    numbers: dict[str, int] = {}
    positional = False
    last = 0
    for match in _PLACEHOLDER.finditer(query):
        pieces.append(query[last : match.start()])
        last = match.end()
        if match["percent"]:
            pieces.append("%")
            continue
        name = match["name"]
        format = _format_of(match, query)
        positional = positional or name is None
        if positional and (numbers or name is not None):
            raise e.ProgrammingError(
                f"the placeholder {match[0]!r} mixes positional and named placeholders:"
                " use one kind, %s or %(name)s, in a query"
            )
        if name is None:
            formats.append(format)
            pieces.append(f"${len(formats)}")
            continue
        number = numbers.setdefault(name, len(numbers) + 1)
        if number > len(formats):
            formats.append(format)
        elif formats[number - 1] != format:
            raise e.ProgrammingError(
                f"the placeholder {match[0]!r} is also used with the format"
                f" '%({name}){formats[number - 1].value}': use the same format everywhere"
            )
        pieces.append(f"${number}")
    pieces.append(query[last:])
    if len(formats) > _MAX_PARAMS:
        raise e.ProgrammingError(
            f"the query has {len(formats)} placeholders: PostgreSQL takes {_MAX_PARAMS} at the"
            " most; pass the values as arrays, or in several statements"
        )
    return ParsedQuery("".join(pieces), tuple(formats), tuple(numbers) or None)


_parse_cached = lru_cache(_CACHED_QUERIES)(_parse)


def _format_of(match: re.Match[str], query: str) -> PyFormat:
    letter = match["bare"] if match["name"] is None else match["named"]
    format = _FORMATS.get(letter)
    if format is not None and match["name"] != "":
        return format
    around = query[match.start() : match.start() + 20]
    if match["name"] is None and letter == "(":
        raise e.ProgrammingError(
            f"incomplete placeholder at {around!r}: the parenthesis is not closed; write %(name)s"
        )
    raise e.ProgrammingError(
        f"got the placeholder {match[0]!r} at {around!r}: expected %s, %t, %b or %(name)s;"
        " write %% for a percent sign"
    )


def _in_order(parsed: ParsedQuery, params: Params) -> Sequence[object]:
    """Put the parameters in the order of $1, $2 ..."""
    names = parsed.names
    if names is None:
        if not isinstance(params, (list, tuple)):
            params = _as_sequence(params, parsed)
        if len(params) != len(parsed.formats):
            raise e.ProgrammingError(
                f"the query has {len(parsed.formats)} placeholders but {len(params)} parameters"
                " were passed: pass one value for each"
            )
        return params
    if not isinstance(params, Mapping):
        raise e.ProgrammingError(
            f"the query has named placeholders (%({names[0]})s) but the parameters are of type"
            f" {type(params).__name__}: pass a mapping, such as a dict"
        )
    try:
        return [params[name] for name in names]
    except KeyError:
        missing = ", ".join(name for name in names if name not in params)
        raise e.ProgrammingError(
            f"the parameters lack a value for {missing}: the mapping must have a key for each"
            " named placeholder"
        ) from None


def _as_sequence(params: object, parsed: ParsedQuery) -> Sequence[object]:
    if isinstance(params, Mapping):
        if not parsed.formats:
            return ()
        raise e.ProgrammingError(
            "the query has positional placeholders (%s) but the parameters are a mapping:"
            " pass a sequence, or use placeholders such as %(name)s"
        )
    if isinstance(params, Sequence) and not isinstance(params, (str, bytes, bytearray, memoryview)):
        return params
    raise e.ProgrammingError(
        f"the parameters are of type {type(params).__name__}: expected a sequence or a mapping;"
        " write a single value as [value] or (value,)"
    )
