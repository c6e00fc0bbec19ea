"""Row factories: what a row of a result is made into.

A row factory is called with the cursor once for each result, when the names of the columns are
known, and returns a row maker; that is called with the values of each row. Any function of this
shape is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn, Protocol, TypeAlias

from .abc import CursorLike
from .encodings import words_encoding
from .errors import DataError, InterfaceError, ProgrammingError
from .names import named_tuple
from .pq import ExecStatus

TupleRow: TypeAlias = tuple[Any, ...]
"""The rows of `tuple_row`."""

DictRow: TypeAlias = dict[str, Any]
"""The rows of `dict_row`."""

if TYPE_CHECKING:
    # Not at run time, where Python 3.11 has no default for type variables.
    from typing_extensions import TypeVar

    Row = TypeVar("Row", covariant=True, default=TupleRow)
else:
    from typing import TypeVar

    Row = TypeVar("Row", covariant=True)

T = TypeVar("T", covariant=True)


class RowMaker(Protocol[Row]):
    """Makes a row of the values of its columns."""

    def __call__(self, values: Sequence[Any], /) -> Row:
        """Make one row."""
        ...


class BaseRowFactory(Protocol[Row]):
    """Makes the row maker for the current result of a cursor."""

    # Any, so that a factory may ask for the class of cursors that it is made for.
    def __call__(self, cursor: Any, /) -> RowMaker[Row]:
        """Make a row maker."""
        ...


# All three ask for the same: a factory looks at the cursor's result, and never waits.
class RowFactory(BaseRowFactory[Row], Protocol[Row]):
    """Makes the row maker for the current result of a `Cursor`."""


class AsyncRowFactory(BaseRowFactory[Row], Protocol[Row]):
    """Makes the row maker for the current result of an `AsyncCursor`."""


_WITH_ROWS = frozenset({ExecStatus.TUPLES_OK, ExecStatus.SINGLE_TUPLE, ExecStatus.TUPLES_CHUNK})


def tuple_row(cursor: CursorLike) -> RowMaker[TupleRow]:
    """Make rows tuples: the default.

    The row maker is `tuple` itself: whoever makes rows may look for it, and spare the call.
    """
    return no_result if _nfields(cursor) is None else tuple


def dict_row(cursor: CursorLike) -> RowMaker[DictRow]:
    """Make rows dicts, by the names of the columns; of columns of one name, the last stays."""
    names = _names(cursor)
    if names is None:
        return no_result

    def dict_row_(values: Sequence[Any]) -> DictRow:
        return dict(zip(names, values))  # noqa: B905  # a check of lengths costs each row

    return dict_row_


def namedtuple_row(cursor: CursorLike) -> RowMaker[NamedTuple]:
    """Make rows named tuples, of one class for the same names.

    A name that is no identifier of Python is made one: `?column?` is `f_column_`, `class` is
    `class_`.

    Raises:
        DataError: two columns have the same name; name them apart, with AS.
    """
    names = _names(cursor)
    if names is None:
        return no_result
    try:
        make: RowMaker[NamedTuple] = named_tuple("Row", tuple(names))._make
    except ValueError as ex:
        raise DataError(
            f"namedtuple_row can't make fields of the columns {', '.join(names)}: {ex};"
            " name them apart, with AS"
        ) from None
    return make


class Record(tuple[Any, ...]):
    """A row of `record_row`: a tuple whose values are also found by the names of their columns.

    ``row[0]`` and ``row["name"]`` are values, ``"name" in row`` tells of a column, ``dict(row)`` makes
    a dict. It iterates over its values, and is equal to a tuple of them. Of columns of one name, the last
    is found.
    """

    __slots__ = ()
    _names: tuple[str, ...] = ()
    _places: ClassVar[dict[str, int]] = {}

    def __getitem__(self, key: Any) -> Any:
        """The value at an index, or of a column; a tuple for a slice. KeyError if there is no such column."""
        return tuple.__getitem__(self, self._places[key] if isinstance(key, str) else key)

    def __contains__(self, name: object) -> bool:
        """Whether there is a column of this name."""
        return name in self._places

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a column, `default` if there is none of this name."""
        return self[name] if name in self._places else default

    def keys(self) -> Iterator[str]:
        """The names of the columns."""
        return iter(self._names)

    def values(self) -> Iterator[Any]:
        """The values."""
        return iter(self)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Pairs of name and value."""
        return zip(self._names, self, strict=True)

    def __repr__(self) -> str:
        return f"<Record {' '.join(f'{name}={value!r}' for name, value in self.items())}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _record, (self._names, tuple(self))


def record_row(cursor: CursorLike) -> RowMaker[Record]:
    """Make rows records, as asyncpg has them: values by index and by name; see `Record`."""
    names = _names(cursor)
    return no_result if names is None else _record_class(tuple(names))


@lru_cache(512)
def _record_class(names: tuple[str, ...]) -> type[Record]:
    places = {name: place for place, name in enumerate(names)}
    return type("Record", (Record,), {"__slots__": (), "_names": names, "_places": places})


def _record(names: tuple[str, ...], values: tuple[Any, ...]) -> Record:
    return _record_class(names)(values)


def scalar_row(cursor: CursorLike) -> RowMaker[Any]:
    """Make a row the value of its first column.

    Raises:
        ProgrammingError: the result has no columns.
    """
    nfields = _nfields(cursor)
    if nfields is None:
        return no_result
    if nfields == 0:
        raise ProgrammingError("scalar_row got a result without columns: at least one is needed")
    return _first


def class_row(cls: type[T]) -> BaseRowFactory[T]:
    """Make rows objects of `cls`, called with the values as keyword arguments, by column name.

    Dataclasses and models of Pydantic and attrs are such classes.

    Raises:
        TypeError: `cls` is no class.
    """
    if not isinstance(cls, type):
        raise TypeError(f"class_row takes a class, got {cls!r}: kwargs_row takes any callable")
    return kwargs_row(cls)


def args_row(func: Callable[..., T]) -> BaseRowFactory[T]:
    """Make rows by calling `func` with the values in the order of the columns."""

    def args_row_(cursor: CursorLike) -> RowMaker[T]:
        if _nfields(cursor) is None:
            return no_result

        def make(values: Sequence[Any]) -> T:
            return func(*values)

        return make

    return args_row_


def kwargs_row(func: Callable[..., T]) -> BaseRowFactory[T]:
    """Make rows by calling `func` with the values as keyword arguments, by column name."""

    def kwargs_row_(cursor: CursorLike) -> RowMaker[T]:
        names = _names(cursor)
        if names is None:
            return no_result

        def make(values: Sequence[Any]) -> T:
            return func(**dict(zip(names, values)))  # noqa: B905

        return make

    return kwargs_row_


def no_result(_values: Sequence[Any], /) -> NoReturn:
    """Refuse to make a row: the row maker of a cursor that has no rows.

    Raises:
        InterfaceError: always.
    """
    raise InterfaceError("the cursor has no result to make rows of: execute a query first")


def _first(values: Sequence[Any]) -> Any:
    return values[0]


def _nfields(cursor: CursorLike) -> int | None:
    """How many columns the cursor's result has; None if it has no result, or one without rows.

    The number alone doesn't tell: a SELECT may have no columns, and its rows are empty; and the
    description of a portal has columns, but its status is a mere COMMAND_OK.
    """
    result = cursor.pgresult
    if result is None:
        return None
    nfields = result.nfields
    return nfields if nfields or result.status in _WITH_ROWS else None


def _names(cursor: CursorLike) -> list[str] | None:
    """The names of the columns; None if the cursor has no rows."""
    result = cursor.pgresult
    nfields = _nfields(cursor)
    if result is None or nfields is None:
        return None
    # That in which the result was sent, where the cursor is one of ours.
    encoding = getattr(cursor, "_words_encoding", None) or words_encoding(cursor.connection.pgconn)
    return [(result.fname(i) or b"").decode(encoding, "replace") for i in range(nfields)]
