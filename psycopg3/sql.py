"""SQL composed of parts: names, literals and placeholders put into a query's text safely.

What is known only when the program runs, and can be no parameter of a query, such as the name of a
table, goes into its text by these objects. They know how to quote themselves, as the connection that
the query will go through needs it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from string import Formatter
from typing import Any, LiteralString, cast, overload

from .abc import AdaptContext, PyFormat, Template
from .adapt import Transformer
from .errors import DataError, ProgrammingError
from .pq import arguments

__all__ = [
    "DEFAULT",
    "NULL",
    "SQL",
    "Composable",
    "Composed",
    "Identifier",
    "Literal",
    "Placeholder",
    "as_bytes",
    "as_string",
    "quote",
]

_FORMATTER = Formatter()
_FORMATS = {
    "": PyFormat.AUTO, "s": PyFormat.AUTO, "t": PyFormat.TEXT, "b": PyFormat.BINARY
}  # fmt: skip


class Composable(ABC):
    """A part of a query; the base of the classes of this module.

    Parts are put together by `+`, repeated by `*`, compared by `==`, and can be executed.
    """

    __slots__ = ("_obj",)

    def __init__(self, obj: Any) -> None:
        self._obj = obj

    @abstractmethod
    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        """The part as it is sent.

        Args:
            context: the connection or cursor that it will go through, by whose encoding, settings and
                adapters it is written; None: UTF-8, and literals that read the same in every setting.

        Raises:
            DataError: the connection's encoding lacks a character, or there is a NUL.
        """

    def as_string(self, context: AdaptContext | None = None) -> str:
        """The part as text; arguments and errors are those of `as_bytes()`."""
        known = Transformer.from_context(context)
        return self.as_bytes(known).decode(known.text_encoding)

    def _in_query(self, context: AdaptContext) -> bytes:
        """The part in a query with parameters: a percent sign in a name or literal is no placeholder."""
        return self.as_bytes(context)

    def __add__(self, other: Composable) -> Composed:
        if not isinstance(other, Composable):
            return NotImplemented
        return Composed([*_parts(self), *_parts(other)])

    def __mul__(self, n: int) -> Composed:
        return Composed(_parts(self) * n)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Composable) or type(self) is not type(other):
            return False
        return bool(self._obj == other._obj)

    __hash__ = None  # type: ignore[assignment]  # a literal's value may have none

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._obj!r})"


class SQL(Composable):
    """Text of a query, which the program itself wrote: never what came from elsewhere.

    Raises:
        TypeError: it is no str.
    """

    __slots__ = ()

    _obj: LiteralString

    def __init__(self, obj: LiteralString) -> None:
        if not isinstance(obj, str):
            raise TypeError(f"SQL takes a str, got {type(obj).__name__}")
        super().__init__(obj)

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        """The text in the connection's encoding."""
        return encoded(self._obj, Transformer.from_context(context).text_encoding)

    def format(self, *args: Any, **kwargs: Any) -> Composed:
        """Put parts in the places of `{}`, `{0}` or `{name}`, as `str.format` does; `{{` is a brace.

        Args:
            args: what is no `Composable` is written as a `Literal`.
            kwargs: the same, by name.

        Raises:
            ValueError: a place has a format or conversion; or some are numbered and some not.
            IndexError, KeyError: there is no argument for a place.
        """
        parts: list[Any] = []
        counted: int | None = None
        for text, field, spec, conversion in _FORMATTER.parse(self._obj):
            if text:
                parts.append(SQL(cast("Any", text)))
            if field is None:
                continue
            if spec or conversion:
                raise ValueError(
                    f"the place {{{field}}} has a format or a conversion: SQL takes only"
                    " {}, {0} and {name}; the argument says by its class how it is written"
                )
            if field and not field.isdigit():
                parts.append(kwargs[field])
                continue
            if counted is not None and (counted < 0) is (not field):
                raise ValueError("SQL got places with numbers and without: number all or none")
            counted = -1 if field else (counted or 0) + 1
            parts.append(args[int(field) if field else counted - 1])
        return Composed(parts)

    @overload
    def join(self, seq: Iterable[Template]) -> Template: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def join(self, seq: Iterable[Any]) -> Composed: ...
    def join(self, seq: Iterable[Any]) -> Composed | Template:
        """Put this text between the parts of `seq`.

        Args:
            seq: what is no `Composable` is written as a `Literal`. Template strings make one.

        Raises:
            TypeError: only some of them are template strings.
        """
        joined: list[Any] = []
        for part in seq:
            joined += [self, part] if joined else [part]
        given = joined[::2]
        if not any(map(is_template, given)):
            return Composed(joined)
        if not all(map(is_template, given)):
            raise TypeError("SQL.join() got template strings and other parts: give one kind")
        pieces: list[Any] = []
        for part in joined:
            pieces += [self._obj] if part is self else part
        return cast("Template", type(given[0])(*pieces))


class Identifier(Composable):
    """A name, quoted; several make a qualified one: `Identifier("schema", "table")`.

    Raises:
        TypeError: there is none, or one is no str.
    """

    __slots__ = ()

    _obj: tuple[str, ...]

    def __init__(self, *strings: str) -> None:
        if not strings or not all(isinstance(name, str) for name in strings):
            raise TypeError(f"Identifier takes one str or more, got {strings!r}")
        super().__init__(strings)

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        """The name, quoted."""
        # Quotes are doubled before it is encoded: a byte of a character is never taken for one.
        quoted = ('"' + name.replace('"', '""') + '"' for name in self._obj)
        return encoded(".".join(quoted), Transformer.from_context(context).text_encoding, "name")

    def _in_query(self, context: AdaptContext) -> bytes:
        return self.as_bytes(context).replace(b"%", b"%%")

    def __repr__(self) -> str:
        return f"Identifier({', '.join(map(repr, self._obj))})"


class Literal(Composable):
    """A value, written as a literal by the adapters of the connection.

    Prefer a parameter where there can be one.
    """

    __slots__ = ()

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        """The value as a literal, with the name of its type where the server can't tell it.

        Raises:
            ProgrammingError: no adapter is for it.
            DataError: it can't be a value of PostgreSQL.
        """
        return Transformer.from_context(context).as_literal(self._obj)

    def _in_query(self, context: AdaptContext) -> bytes:
        return self.as_bytes(context).replace(b"%", b"%%")


class Placeholder(Composable):
    """A place for a parameter: `%s`, or `%(name)s` with a name.

    Args:
        name: the key of the parameter; by default it goes by its position.
        format: in which format it is sent, a `PyFormat` or its letter.

    Raises:
        TypeError: the name is no str.
        ValueError: it holds a parenthesis, or there is no such format.
    """

    __slots__ = ("_format",)

    _obj: str

    def __init__(self, name: str = "", format: str | PyFormat = PyFormat.AUTO) -> None:
        if not isinstance(name, str):
            raise TypeError(f"the name of a Placeholder is a str, got {type(name).__name__}")
        if "(" in name or ")" in name:
            raise ValueError(f"the name of a Placeholder has no parentheses, got {name!r}")
        super().__init__(name)
        self._format = PyFormat(format)

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        """The placeholder."""
        text = f"%({self._obj})" if self._obj else "%"
        encoding = Transformer.from_context(context).text_encoding
        return encoded(text + self._format.value, encoding, "placeholder")

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and self._format == cast("Placeholder", other)._format

    __hash__ = None

    def __repr__(self) -> str:
        format = "" if self._format is PyFormat.AUTO else f"format={self._format.name}"
        name = repr(self._obj) if self._obj else ""
        return f"Placeholder({', '.join(filter(None, (name, format)))})"


class Composed(Composable):
    """Parts one after the other; what is no `Composable` is written as a `Literal`."""

    __slots__ = ()

    _obj: list[Composable]

    def __init__(self, seq: Iterable[Any]) -> None:
        super().__init__([part if isinstance(part, Composable) else Literal(part) for part in seq])

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        """The parts, one after the other."""
        known = Transformer.from_context(context)
        return b"".join([part.as_bytes(known) for part in self._obj])

    def _in_query(self, context: AdaptContext) -> bytes:
        return b"".join([part._in_query(context) for part in self._obj])

    def __iter__(self) -> Iterator[Composable]:
        return iter(self._obj)

    def join(self, joiner: SQL | LiteralString) -> Composed:
        """Put a text between the parts.

        Raises:
            TypeError: it is neither SQL nor a str.
        """
        return (joiner if isinstance(joiner, SQL) else SQL(joiner)).join(self._obj)


_KINDS: dict[str, tuple[type[Composable], ...]] = {
    "i": (Identifier,),
    "l": (Literal,),
    "q": (SQL, Composed),
}

NULL = SQL("NULL")
"""The value NULL."""

DEFAULT = SQL("DEFAULT")
"""The default value of a column, in INSERT and UPDATE."""


def quote(obj: Any, context: AdaptContext | None = None) -> str:
    """A value as a literal in text; see `Literal`, and `Composable.as_bytes()` for the context."""
    return Literal(obj).as_string(context)


def as_string(obj: Any, context: AdaptContext | None = None) -> str:
    """A part, a template string (its values as literals) or a value (as a literal) in text."""
    known = Transformer.from_context(context)
    return as_bytes(obj, known).decode(known.text_encoding)


def as_bytes(obj: Any, context: AdaptContext | None = None) -> bytes:
    """The same as `as_string()` as it is sent, in the connection's encoding."""
    known = Transformer.from_context(context)
    if is_template(obj):
        return write_template(obj, known, lambda value, _: known.as_literal(value))
    return (obj if isinstance(obj, Composable) else Literal(obj)).as_bytes(known)


def is_template(obj: object) -> bool:
    """Whether it is a template string of Python 3.14."""
    return type(obj).__module__ == "string.templatelib" and hasattr(obj, "interpolations")


def write_template(
    template: Template, transformer: Transformer, parameter: Callable[[Any, PyFormat], bytes]
) -> bytes:
    """The text of a query given as a template string.

    Args:
        template: the query. The format of a place says what is put there: `s`, `t`, `b` or none
            a parameter, `i` a name, `l` a literal, `q` a part of a query.
        transformer: what writes names and literals.
        parameter: is given the value and format of each parameter, and returns what stands for it.

    Raises:
        TypeError: a place has a conversion, such as `!r`.
        ProgrammingError: there is no such format, or the value is nothing for it.
    """
    written: list[bytes] = []
    for part in template:
        if isinstance(part, str):
            written.append(encoded(part, transformer.text_encoding))
            continue
        value, format = part.value, part.format_spec
        if part.conversion:
            raise TypeError(
                f"the place {_shown(part)} has a conversion, which queries can't have: convert the"
                " value before"
            )
        if format == "q" and is_template(value):
            written.append(write_template(value, transformer, parameter))
        elif format in _FORMATS and not (isinstance(value, Composable) or is_template(value)):
            written.append(parameter(value, _FORMATS[format]))
        else:
            written.append(_as_part(part).as_bytes(transformer))
    return b"".join(written)


def _as_part(place: Any) -> Composable:
    """The part of a query that a place of a template string is for."""
    value, format = place.value, place.format_spec
    if format == "l" and not (isinstance(value, Composable) or is_template(value)):
        return Literal(value)
    if format == "i" and isinstance(value, str):
        return Identifier(value)
    if isinstance(value, _KINDS.get(format, ())) and not _has_placeholder(value):
        return value
    if format not in ("i", "l", "q", *_FORMATS):
        raise ProgrammingError(
            f"the place {_shown(place)} has the format {format!r}: expected 's', 't', 'b' or none for a"
            " parameter, 'i' for a name, 'l' for a literal, 'q' for a part of a query"
        )
    raise ProgrammingError(
        f"the place {_shown(place)} has a value of type {type(value).__name__}: write a name, a str"
        " or Identifier, with the format 'i', a Literal with 'l', and SQL, Composed and other template"
        " strings with 'q'; a Placeholder can't be in one, since its values are in it themselves"
    )


def _has_placeholder(part: Composable) -> bool:
    if isinstance(part, Composed):
        return any(map(_has_placeholder, part))
    return isinstance(part, Placeholder)


def _shown(place: Any) -> str:
    conversion = f"!{place.conversion}" if place.conversion else ""
    format = f":{place.format_spec}" if place.format_spec else ""
    return f"{{{place.expression}{conversion}{format}}}"


def _parts(part: Composable) -> list[Composable]:
    return list(part) if isinstance(part, Composed) else [part]


def encoded(text: str, encoding: str, what: str = "query") -> bytes:
    """Text of a query as it is sent.

    Raises:
        DataError: the encoding lacks a character, or there is a NUL.
    """
    try:
        return arguments.text(text.encode(encoding), what)
    except UnicodeEncodeError as ex:
        raise DataError(
            f"the {what} can't be sent in the connection's encoding: {ex}; use characters that"
            f" {encoding} has, or set client_encoding to UTF8"
        ) from None
