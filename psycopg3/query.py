"""From a query with placeholders and its parameters to what libpq is sent.

`bind` is all that others call: it parses the query (once: the result is cached), puts the
parameters in the order of $1, $2 ... and has them dumped. A bad parameter stops here, with
nothing sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from functools import partial
from typing import Any

from . import errors as e
from . import sql as parts
from .abc import Composable, Params, PyFormat, Query
from .adapt import Transformer
from .adapt.transformer import Parameters
from .pq import arguments

# Texts longer than this are parsed each time: they are rarely repeated, and a cache of 128
# of them must not hold memory that nobody expects (128 x 4 KiB at the most).
_CACHED_LENGTH = 4096
_CACHED_QUERIES = 128
_MAX_PARAMS = arguments.MOST_PARAMETERS

PLACEHOLDER = re.compile(
    r"""%(?:
        (?P<percent>%)
      | \( (?P<name>[^)]*) \) (?P<named>.?)
      | (?P<bare>.?)
    )""",
    re.VERBOSE | re.DOTALL,
)
_WHICH = re.compile(r"parameter \$\d+: ")
_FORMATS = {"s": PyFormat.AUTO, "t": PyFormat.TEXT, "b": PyFormat.BINARY}


class RequestKind(IntEnum):
    """What the server is asked to do, and so which of libpq's functions sends it."""

    SIMPLE = 0
    """Run the statements of a text, by the simple protocol."""
    PARAMS = 1
    """Run one statement with its parameters."""
    PREPARE = 2
    """Prepare a statement under a name."""
    PREPARED = 3
    """Run a statement that was prepared."""
    DESCRIBE = 4
    """Describe a statement that was prepared."""
    CLOSE = 5
    """Forget a statement that was prepared."""


_PLAIN = (tuple, list)
# Read once a query, and a member of an Enum is slow to look up on 3.11.
_SIMPLE, _PARAMS = RequestKind.SIMPLE, RequestKind.PARAMS


class BoundQuery:
    """A request ready to be sent. What libpq would refuse or cut short was refused when it was made."""

    __slots__ = (
        "formats",
        "kind",
        "lengths",
        "name",
        "query",
        "result_format",
        "types",
        "values",
    )

    def __init__(
        self,
        query: bytes,
        result_format: int = 0,
        values: list[bytes | None] | None = None,
        types: Sequence[int] = (),
        formats: Sequence[int] = (),
        lengths: list[int] | None = None,
    ):
        self.kind: RequestKind = _PARAMS if values or result_format else _SIMPLE
        """What is asked of the server."""
        self.query = query
        """SQL with $1, $2 ... in the connection's encoding."""
        self.values = values
        """One value a placeholder, None for NULL; None if the query was given no parameters."""
        self.types = types
        """The oids of the values' types, 0 where the server is to find out."""
        self.formats = formats
        """The format of each value: 0 text, 1 binary."""
        self.lengths = lengths
        """The length of each value if one is binary, else None: libpq finds the ends of texts."""
        self.result_format = result_format
        """The format asked for the results: 0 text, 1 binary."""
        self.name = b""
        """The name of the prepared statement, where the kind has one."""

    @property
    def params(self) -> list[bytes | None] | None:
        """The values, under the name that logging tools look for."""
        return self.values


class KnownQuery:
    """What is known about the text of a query.

    Raises:
        ProgrammingError: a malformed placeholder, or named and positional ones mixed.
        DataError: a NUL character, or too long.
    """

    def __init__(self, query: str | bytes, has_placeholders: bool):
        # Latin 1 maps every byte to one character and back: the parser is written once, for str.
        text = query.decode("latin-1") if isinstance(query, bytes) else query
        parsed = _parse(text) if has_placeholders else (text, (), None)
        # The query with $1, $2 ... in place of its placeholders (one in bytes as Latin 1 reads it),
        # the format asked by each $n, and their names if they are named, else None.
        self.text, self.formats, self.names = parsed
        self.is_auto = all(format is PyFormat.AUTO for format in self.formats)
        """Whether no $n asks for a format."""
        self.sql: bytes | None = None
        """The text as it is sent; None if that depends on the connection's encoding."""
        # Every encoding that a client of PostgreSQL may have writes ASCII as it is.
        if isinstance(query, bytes) or self.text.isascii():
            self.sql = arguments.text(self.text.encode("latin-1"), "query")


# For texts without and with placeholders; those in bytes apart: to compare "a" with b"a" is an
# error under `python -bb`.
_texts: tuple[dict[Any, KnownQuery], dict[Any, KnownQuery]] = ({}, {})
_bytes: tuple[dict[Any, KnownQuery], dict[Any, KnownQuery]] = ({}, {})


def known_query(query: str | bytes, has_placeholders: bool) -> KnownQuery:
    """What is known about a query's text; it is found out once, unless the text is long.

    Raises:
        ProgrammingError, DataError: as `KnownQuery`.
    """
    kept = (_bytes if isinstance(query, bytes) else _texts)[has_placeholders]
    known = kept.get(query)
    if known is None:
        known = KnownQuery(query, has_placeholders)
        if len(query) <= _CACHED_LENGTH:
            while len(kept) >= _CACHED_QUERIES:
                kept.pop(next(iter(kept)), None)
            kept[query] = known
    return known


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
    has_placeholders = params is not None
    # The same as `known_query`, without the call, for what is most common.
    known = _texts[has_placeholders].get(query) if type(query) is str else None
    if known is None:
        if not isinstance(query, (str, bytes)):
            if parts.is_template(query):
                return _bind_template(query, params, transformer, result_format)
            if (bound := getattr(query, "_bound", None)) is not None:  # a `styles.TypedQuery`
                return bound(params, transformer, result_format)  # type: ignore[no-any-return]
            query = composed(query, transformer, has_placeholders)
        known = known_query(query, has_placeholders)  # type: ignore[arg-type]
    sql = known.sql
    if sql is None:
        sql = parts.encoded(known.text, transformer.text_encoding)
    if params is None:
        return BoundQuery(sql, result_format)
    formats = known.formats
    given: Any = params
    if known.names is not None or type(params) not in _PLAIN or len(params) != len(formats):
        given = in_order(known, params)
    if not formats:
        return BoundQuery(sql, result_format, [])
    try:
        if known.is_auto:
            return BoundQuery(sql, result_format, *transformer.dump_parameters(given))
        return BoundQuery(sql, result_format, *dumped(transformer, given, formats))
    except Exception as ex:
        tell_parameter(ex, partial(dump_one, transformer, given, formats), known)
        raise


def dumped(
    transformer: Transformer, given: Sequence[Any], formats: Sequence[PyFormat]
) -> Parameters:
    """Dump parameters in the formats that are asked for, the check of what came included."""
    buffers = transformer.dump_sequence(given, formats)
    types, written = transformer.types or (), transformer.formats or ()
    values, lengths = arguments.parameters(buffers, types, written)
    return values, types, written, lengths


def dump_one(
    transformer: Transformer, given: Sequence[Any], formats: Sequence[PyFormat], index: int
) -> None:
    """Dump the parameter of an index, as `tell_parameter()` asks for it."""
    dumped(transformer, [given[index]], [formats[index]])


def tell_parameter(
    ex: Exception, dump: Callable[[int], object], known: KnownQuery | None = None
) -> None:
    """Have an error tell by which of the parameters it was raised: $2, %(name)s.

    It is the first that can't be dumped by itself either.

    Args:
        ex: what was raised. It gets a note if it is no error of the driver's.
        dump: dumps the parameter of an index; raises an IndexError behind the last.
        known: what is known about the query, if its parameters may have names.
    """
    index = 0
    try:
        while True:
            dump(index)
            index += 1
    except IndexError:
        return  # it is none by itself: they are too long together
    except Exception:
        pass
    names = None if known is None else known.names
    which = f"parameter ${index + 1}" if names is None else f"parameter %({names[index]})s"
    told = _WHICH.sub("", text := str(ex))
    if isinstance(ex, e.Error) or told != text:
        ex.args = (f"{which}: {told}", *ex.args[1:])
    else:
        ex.add_note(f"raised by {which} of the query")


def command(query: bytes) -> BoundQuery:
    """A command of the driver's own, which is known to be sound."""
    return BoundQuery(query)


def composed(query: object, transformer: Transformer, has_placeholders: bool) -> Any:
    """The text of a query that is neither str nor bytes.

    Raises:
        ProgrammingError: it is no query.
    """
    if has_placeholders and isinstance(query, parts.Composable):
        text = query._in_query(transformer)
    elif isinstance(query, Composable):
        text = query.as_bytes(transformer)
    else:
        raise e.ProgrammingError(
            f"the query is of type {type(query).__name__}: expected str or bytes, a part of"
            " psycopg3.sql, or a template string; pass the SQL as text"
        )
    # Names of placeholders are compared with str.
    return text if text.isascii() else text.decode(transformer.text_encoding)


def _bind_template(
    query: Any, params: Params | None, transformer: Transformer, result_format: int
) -> BoundQuery:
    """Make a request of a template string; its values are the parameters."""
    refuse_params(params)
    given: list[Any] = []
    formats: list[PyFormat] = []

    def parameter(value: Any, format: PyFormat) -> bytes:
        given.append(value)
        formats.append(format)
        return b"$%d" % len(given)

    sql = parts.write_template(query, transformer, parameter)
    check_count(len(formats))
    if not given:
        return BoundQuery(sql, result_format)
    try:
        return BoundQuery(sql, result_format, *dumped(transformer, given, formats))
    except Exception as ex:
        tell_parameter(ex, partial(dump_one, transformer, given, formats))
        raise


def refuse_params(params: Params | None) -> None:
    """Refuse parameters beside a template string.

    Raises:
        TypeError: there are any.
    """
    if params is not None:
        raise TypeError(
            "a template string has its parameters in it: execute it without others, and one by one"
        )


def check_count(count: int) -> None:
    """Refuse more parameters than a query can have."""
    if count > _MAX_PARAMS:
        raise e.ProgrammingError(
            f"the query has {count} placeholders: PostgreSQL takes {_MAX_PARAMS} at the"
            " most; pass the values as arrays, or in several statements"
        )


def _parse(query: str) -> tuple[str, tuple[PyFormat, ...], tuple[str, ...] | None]:
    """Replace the placeholders by $1, $2 ...; a repeated name keeps its number."""
    pieces: list[str] = []
    formats: list[PyFormat] = []
    numbers: dict[str, int] = {}
    positional = False
    last = 0
    for match in PLACEHOLDER.finditer(query):
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
    check_count(len(formats))
    return "".join(pieces), tuple(formats), tuple(numbers) or None


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


def in_order(known: KnownQuery, params: Params) -> Sequence[object]:
    """Put the parameters in the order of $1, $2 ..."""
    names = known.names
    if names is None:
        if not isinstance(params, (list, tuple)):
            params = _positional(params, known)
        if len(params) != len(known.formats):
            raise e.ProgrammingError(
                f"the query has {len(known.formats)} placeholders but {len(params)} parameters"
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


def _positional(params: object, known: KnownQuery) -> Sequence[object]:
    if isinstance(params, Mapping):
        if not known.formats:
            return ()
        raise e.ProgrammingError(
            "the query has positional placeholders (%s) but the parameters are a mapping:"
            " pass a sequence, or use placeholders such as %(name)s"
        )
    return as_sequence(params)


def as_sequence(params: object) -> Sequence[object]:
    """Positional parameters.

    Raises:
        ProgrammingError: they are no sequence.
    """
    if isinstance(params, Sequence) and not isinstance(params, (str, bytes, bytearray, memoryview)):
        return params
    raise e.ProgrammingError(
        f"the parameters are of type {type(params).__name__}: expected a sequence or a mapping;"
        " write a single value as [value] or (value,)"
    )
