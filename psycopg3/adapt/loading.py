"""Rows: the values of a result's rows, loaded a record or a column at once."""

from __future__ import annotations

import reprlib
import struct
from collections.abc import Callable, Iterable, Sequence
from types import FunctionType, MethodType
from typing import Any, NoReturn, TypeAlias

from ..abc import Buffer
from ..errors import DataError
from ..pq import PGresult
from .finder import AdapterFinder

Load: TypeAlias = Callable[[Any], Any]
"""What makes a value of the bytes of a field."""

# What adapters of ours let escape when a value is none of their type (`Loader.load`).
BROKEN = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    AssertionError,  # what PyPy's datetime.fromisoformat raises of some malformed text
    struct.error,
)
# A list comprehension calls these by a fifth fewer instructions than map() does (CPython 3.11).
_IN_PYTHON = (MethodType, FunctionType)
_SHOWN = 100  # characters or bytes of a value in an error's message
_PACKAGE = __name__.partition(".")[0]


class Rows:
    """The rows of a result.

    Args:
        result: the result; None: there is none, and only `explain()` may be called.
        types: the oids of its columns.
        loaders: what loads the values of each column.
        finder: where the loaders come from; it knows the names of types and the encoding.
    """

    __slots__ = ("_finder", "_loaders", "_types", "result")

    result: PGresult

    def __init__(
        self,
        result: PGresult | None,
        types: tuple[int, ...],
        loaders: Sequence[Load],
        finder: AdapterFinder,
    ):
        self.result = result  # type: ignore[assignment]
        self._types, self._loaders, self._finder = types, loaders, finder

    def load_records(
        self, row0: int, row1: int, *, measure: bool = False
    ) -> tuple[list[tuple[Any, ...]], int]:
        """Read the values of rows that are known to be there.

        Returns:
            A tuple a row; and if `measure`, how many bytes they have in the result.

        Raises:
            DataError: a value is none of its column's type.
        """
        result: Any = self.result
        get_column = result.column
        columns: list[Iterable[Any]] = []
        column: list[bytes | None] = []
        size, col, last = 0, 0, len(self._loaders) - 1
        try:
            # By columns: what a column needs is looked up once, not once a value.
            for col, load in enumerate(self._loaders):
                if load is int and (numbers := result.get_ints(col, row0, row1)) is not None:
                    columns.append(numbers)
                    continue
                column, may_be_null = get_column(col, row0, row1)
                if measure:
                    size += sum(map(len, filter(None, column)))
                if may_be_null:
                    columns.append([load(data) if data is not None else None for data in column])
                elif type(load) in _IN_PYTHON:
                    columns.append([load(data) for data in column])
                else:  # zip takes the last one's values as they are made
                    loaded = map(load, column)
                    columns.append(loaded if col == last else list(loaded))
            rows = list(zip(*columns, strict=True)) if columns else [()] * (row1 - row0)
        except BROKEN as ex:
            self.explain(ex, col, list(enumerate(column, row0)))
        return rows, size

    def load_record(self, row: int) -> tuple[Any, ...]:
        """Read the values of a row that is known to be there.

        Raises:
            DataError: a value is none of its column's type.
        """
        get_value = self.result.get_value
        values: list[Any] = []
        data: Buffer | None = None
        try:
            for col, load in enumerate(self._loaders):
                data = get_value(row, col)
                values.append(load(data) if data is not None else None)
        except BROKEN as ex:
            self.explain(ex, len(values), [(row, data)])
        return tuple(values)

    def explain(
        self, ex: Exception, col: int, cells: Sequence[tuple[int | None, Buffer | None]]
    ) -> NoReturn:
        """Raise what a loader's exception means: for ours a DataError that shows the value.

        The loop that was left doesn't know which of its values was to blame (that is why it
        costs nothing): here they are loaded again, one by one.
        """
        load = self._loaders[col]
        if not is_ours(load):
            raise ex
        for row, data in cells:
            if data is None:
                continue
            try:
                load(data)
            except BROKEN as again:
                where = f"column {self._column_name(col)}"
                if row is not None:
                    where += f" of row {row}"
                oid = self._types[col] if self._types else 0
                raise DataError(
                    f"{where}: {_shown_data(data)} is no value of type"
                    f" {self._finder.type_name(oid)} ({type(again).__name__}: {again})"
                ) from ex
        raise ex

    def _column_name(self, col: int) -> str:
        name = self.result.fname(col) if self.result is not None else None
        return f'"{name.decode(self._finder.words_encoding, "replace")}"' if name else str(col + 1)


def is_ours(function: Callable[..., Any]) -> bool:
    """Whether a method is one of the driver's; those that users write may raise what they like."""
    module = getattr(function, "__module__", None)
    return module is None or module.partition(".")[0] in (_PACKAGE, "builtins")


def unwritable(ex: Exception, obj: object, type_name: str) -> DataError:
    """What an exception of a dumper of ours means that was chosen without a look at the value."""
    return DataError(
        f"{shown(obj)} can't be written as type {type_name} ({type(ex).__name__}: {ex})"
    )


def shown(param: object) -> str:
    """A parameter and its type, for messages; a long one is cut."""
    is_data = isinstance(param, str | bytes | bytearray)
    text = _shown_data(param) if is_data else reprlib.repr(param)
    return f"{text} of type {type(param).__qualname__}"


def _shown_data(data: Any) -> str:
    # Cut before it is written out: it may be as large as memory.
    head = data if len(data) <= _SHOWN else data[:_SHOWN]
    text = repr(head if isinstance(head, str) else bytes(head))
    return text if head is data else f"{text}... (of {len(data)})"
