"""Transformer: parameters out, rows in; the adapters found once are remembered."""

from __future__ import annotations

import reprlib
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TypeAlias, TypeVar

from ..abc import AdaptContext, Buffer, ConnectionLike, Dumper, PyFormat, RowMaker
from ..errors import DataError, InterfaceError, OperationalError, ProgrammingError
from ..pq import Format, PGresult, arguments
from .finder import AdapterFinder, kept

# As a query has them: values, oids, formats, and lengths if one is binary.
Parameters: TypeAlias = tuple[list[bytes | None], Sequence[int], Sequence[int], list[int] | None]

T = TypeVar("T")

# Members of an Enum cost a look-up in Python code on 3.11; these are read once a parameter.
_AUTO, _TEXT = PyFormat.AUTO, PyFormat.TEXT
_PQ_TEXT = Format.TEXT
_FORMATS = (Format.TEXT, Format.BINARY)

# What adapters of ours let escape when a value is none of their type (`Loader.load`).
_BROKEN = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    AssertionError,  # what PyPy's datetime.fromisoformat raises of some malformed text
    struct.error,
)
_new = object.__new__
_SHOWN = 100  # characters or bytes of a value in an error's message
_PACKAGE = __name__.partition(".")[0]


class Transformer(AdapterFinder):
    """Writes parameters and reads rows for one context: a connection, a cursor, or none.

    Adapters are made once and kept. Those that depend on the encoding alone are the same for all
    transformers of a map and an encoding, as are those that depend on nothing; the others are
    forgotten by `reset()`, which is called before each query.

    Args:
        context: where the adapters come from; None: the global map, and no connection.
        adapters: the map, where it isn't the context's.
    """

    __module__ = "psycopg3.adapt"

    types: tuple[int, ...] | None = None
    """The oids of the parameters dumped last."""
    formats: list[Format] | None = None
    """The formats of the parameters dumped last."""
    _record_dumpers: list[Dumper] | None = None
    _pgresult: PGresult | None = None
    _row_loaders: Sequence[Callable[[Any], Any]] = ()
    _row_types: Sequence[int] | None = None

    @classmethod
    def from_context(cls, context: AdaptContext | None) -> Transformer:
        """The transformer of a context: the context itself if it is one, else a new one."""
        return context if isinstance(context, Transformer) else cls(context)

    def used_by(self, connection: ConnectionLike) -> Transformer | None:
        """Another one for a connection, which begins with what this one knows of its adapters.

        None if the connection's adapters have changed since.
        """
        known: Any = self._adapters
        if not connection.adapters.is_still(known):  # type: ignore[attr-defined]
            return None
        made = _new(Transformer)
        # One by one: an instance that is given a whole dict is slow to use.
        made._connection = connection
        made._adapters = known
        made._generation = self._generation
        made._reported = self._reported
        made._common = self._common
        return made

    @property
    def pgresult(self) -> PGresult | None:
        """The result that rows are read from."""
        return self._pgresult

    def reset(self) -> None:
        """Get ready for another query: forget the encoding, and adapters that depend on the like.

        Those registered since are found, and parameters are no record any more. The current result
        and the loaders of its rows stay.
        """
        conn, reported = self._connection, None
        if conn is not None:
            try:
                reported = conn.pgconn.parameter_status(b"client_encoding")
            except OperationalError:
                reported = None  # it is closed, which others tell
        if reported != self._reported or self._generation != self._adapters.generation:
            self._reported, self._encoding, self._common = reported, None, None
            self._generation = self._adapters.generation
        self._own = self._record_dumpers = None

    # -- out -----------------------------------------------------------------------------------

    def dump_sequence(
        self, params: Sequence[Any], formats: Sequence[PyFormat]
    ) -> list[Buffer | None]:
        """Write parameters, and leave their oids in `types`, their formats in `formats`.

        After `set_dumper_types()` the sequence is written as a record of those types, whatever
        formats are asked.

        Returns:
            One buffer a parameter, None for NULL.
        """
        if self._record_dumpers is not None:
            return self._dump_record(params, self._record_dumpers)
        if len(params) != len(formats):
            raise ProgrammingError(f"got {len(params)} parameters for {len(formats)} placeholders")
        values: list[Buffer | None] = []
        types: list[int] = []
        written: list[Format] = []
        dumpers = (self._common or self._find_common()).dumpers
        try:
            # zip's strict= costs more than the check above.
            for param, asked in zip(params, formats):  # noqa: B905
                cls = type(param)
                write, oid, format, _ = dumpers[asked].get(cls) or self._entry(cls, asked)
                value = write(param)
                if oid is None:
                    value, oid, format = value
                values.append(value)
                types.append(oid)
                written.append(format)
        except struct.error as ex:
            raise _too_large(ex, len(values), params) from ex
        self.types, self.formats = tuple(types), written
        return values

    def dump_parameters(self, params: Sequence[Any]) -> Parameters:
        """Write parameters in the format that is theirs, so that nothing is left to check.

        Returns:
            The values, their oids, their formats; and their lengths, if one is binary.

        Raises:
            DataError: one doesn't fit its type, or is text with a NUL; they are too long.
            TypeError: a dumper made something that is no bytes.
        """
        values: list[Any] = []
        types: list[int] = []
        formats: list[Format] = []
        lengths: list[int] = []
        total = binary = 0
        is_sound = True
        find = (self._common or self._find_common()).dumpers[_AUTO].get
        try:
            for param in params:
                write, oid, format, _ = find(type(param)) or self._entry(type(param), _AUTO)
                value = write(param)
                if oid is None:
                    value, oid, format = value
                values.append(value)
                types.append(oid)
                formats.append(format)
                if format:
                    binary = 1
                if type(value) is bytes:
                    length = len(value)
                    lengths.append(length)
                    total += length
                    # 0, since for b"\0" Python makes an exception first: ten times as long.
                    if not format and 0 in value:
                        is_sound = False
                elif value is None:
                    lengths.append(0)
                else:
                    is_sound = False
        except struct.error as ex:
            raise _too_large(ex, len(values), params) from ex
        if not is_sound or total > arguments.LONGEST:
            values, needed = arguments.parameters(values, types, formats)
            return values, tuple(types), formats, needed
        return values, tuple(types), formats, lengths if binary else None

    def _dump_record(self, params: Sequence[Any], dumpers: Sequence[Dumper]) -> list[Buffer | None]:
        if len(params) != len(dumpers):
            raise DataError(
                f"got {len(params)} values for a record of {len(dumpers)} columns:"
                " give one value a column"
            )
        dumped: list[Buffer | None] = []
        try:
            for param, dumper in zip(params, dumpers, strict=True):
                dumped.append(dumper.dump(param) if param is not None else None)
        except _BROKEN as ex:
            # The types were chosen without a look at the values.
            col = len(dumped)
            if not _is_ours(dumpers[col].dump):
                raise
            raise DataError(
                f"column {col + 1}: {_shown(params[col])} can't be written as type"
                f" {self._type_name(dumpers[col].oid)} ({type(ex).__name__}: {ex})"
            ) from ex
        return dumped

    def as_literal(self, obj: Any) -> bytes:
        """Write `obj` as a literal for the text of a query.

        The literal of a quoted value says its type (``'2020-01-01'::date``), unless the server
        is to choose it. A negative number starts with a blank, since ``--1`` is a comment.
        """
        if obj is None:
            return b"NULL"
        dumper = self.get_dumper(obj, _TEXT)
        if self._connection is not None and getattr(dumper, "is_common", False):
            dumper = type(dumper)(type(obj), self)  # quoting depends on the connection
        literal = bytes(dumper.quote(obj))
        oid = dumper.oid
        # The last byte tells: the first one may be the E of E'...'.
        if oid and literal.endswith(b"'"):
            info = self._adapters.types.get(oid)
            if info is not None:
                array = b"[]" if oid == info.array_oid else b""
                return b"%b::%b%b" % (literal, info.regtype.encode(self.text_encoding), array)
        return literal

    def set_dumper_types(self, types: Sequence[int], format: Format) -> None:
        """Let `dump_sequence()` write records of these types.

        Args:
            types: an oid a column.
            format: the format of all columns.
        """
        get_dumper = self._adapters.get_dumper_by_oid
        self._record_dumpers = [get_dumper(oid, format)(type(None), self) for oid in types]
        self.types = tuple(types)
        self.formats = [format] * len(types)

    # -- in ------------------------------------------------------------------------------------

    def set_pgresult(
        self, result: PGresult | None, *, set_loaders: bool = True, format: Format | None = None
    ) -> None:
        """Read rows from `result` from now on.

        Args:
            result: the result; None: there is none.
            set_loaders: whether to choose loaders for its columns; False keeps those in use,
                for one more result of the same columns.
            format: the format of the columns; None: as the result says.
        """
        self._pgresult = result
        if result is not None and not set_loaders:
            return
        columns = result.nfields if result is not None else 0
        if result is None or not columns:
            self._row_loaders, self._row_types = (), None
            return
        if format is None:
            # One for all columns: libpq asks for it by one number.
            format = _FORMATS[result.fformat(0)]
        ftype = result.ftype
        types = (ftype(0),) if columns == 1 else tuple(map(ftype, range(columns)))
        common = self._common or self._find_common()
        loaders = common.rows.get((format, types))
        if loaders is None:
            self.set_loader_types(types, format)
        else:
            self._row_types, self._row_loaders = types, loaders

    def set_loader_types(self, types: Sequence[int], format: Format) -> None:
        """Let `load_sequence()` read records of these types.

        Args:
            types: an oid a column.
            format: the format of all columns.
        """
        self._row_types = types = tuple(types)
        loaders = self._row_loaders = [self.get_loader(oid, format).load for oid in types]
        common = self._common or self._find_common()
        if all(oid in common.loaders[format] for oid in types):
            kept(common.rows, (format, types), loaders)

    def load_rows(self, row0: int, row1: int, make_row: RowMaker[T]) -> list[T]:
        """Read the rows from `row0` to before `row1`.

        Raises:
            DataError: a value is none of its column's type.
            InterfaceError: there is no result, or there are no such rows.
        """
        result = self._pgresult
        if result is None:
            raise InterfaceError("there is no result to load rows from: execute a query first")
        count = result.ntuples
        if not 0 <= row0 <= row1 <= count:
            raise InterfaceError(
                f"got the rows {row0} to {row1} to load: the result has {count}, counted from 0"
            )
        records, _ = self.load_records(row0, row1)
        if make_row is tuple:
            return records  # type: ignore[return-value]
        return [make_row(record) for record in records]

    def load_records(
        self, row0: int, row1: int, *, measure: bool = False
    ) -> tuple[list[tuple[Any, ...]], int]:
        """Read the values of rows that are known to be there.

        Returns:
            A tuple a row; and if `measure`, how many bytes they have in the result.

        Raises:
            DataError: a value is none of its column's type.
        """
        result: Any = self._pgresult
        get_column = result.column
        columns: list[Iterable[Any]] = []
        column: list[bytes | None] = []
        size, col, last = 0, 0, len(self._row_loaders) - 1
        try:
            # By columns: what a column needs is looked up once, not once a value.
            for col, load in enumerate(self._row_loaders):
                if load is int and (numbers := result.get_ints(col, row0, row1)) is not None:
                    columns.append(numbers)
                    continue
                column, may_be_null = get_column(col, row0, row1)
                if measure:
                    size += sum(map(len, filter(None, column)))
                if may_be_null:
                    columns.append([load(data) if data is not None else None for data in column])
                else:  # zip takes the last one's values as they are made
                    loaded = map(load, column)
                    columns.append(loaded if col == last else list(loaded))
            rows = list(zip(*columns, strict=True)) if columns else [()] * (row1 - row0)
        except _BROKEN as ex:
            self._explain(ex, col, list(enumerate(column, row0)))
        return rows, size

    def load_row(self, row: int, make_row: RowMaker[T]) -> T | None:
        """Read one row; None if there is no such row, or no result.

        Raises:
            DataError: a value is none of its column's type.
        """
        result = self._pgresult
        if result is None or not 0 <= row < result.ntuples:
            return None
        return make_row(self.load_record(row))

    def load_record(self, row: int) -> tuple[Any, ...]:
        """Read the values of a row that is known to be there.

        Raises:
            DataError: a value is none of its column's type.
        """
        get_value = self._pgresult.get_value  # type: ignore[union-attr]
        values: list[Any] = []
        data: Buffer | None = None
        try:
            for col, load in enumerate(self._row_loaders):
                data = get_value(row, col)
                values.append(load(data) if data is not None else None)
        except _BROKEN as ex:
            self._explain(ex, len(values), [(row, data)])
        return tuple(values)

    def load_sequence(self, record: Sequence[Buffer | None]) -> tuple[Any, ...]:
        """Read the values of one record, by the loaders of the result or of `set_loader_types()`.

        Raises:
            DataError: a value is none of its column's type, or they are too few or too many.
        """
        loaders = self._row_loaders
        if len(record) != len(loaders):
            raise DataError(f"got a record of {len(record)} values: expected {len(loaders)}")
        values: list[Any] = []
        data: Buffer | None = None
        try:
            for load, data in zip(loaders, record, strict=True):
                values.append(load(data) if data is not None else None)
        except _BROKEN as ex:
            self._explain(ex, len(values), [(None, data)])
        return tuple(values)

    # -- the rare --------------------------------------------------------------------------------

    def _explain(
        self, ex: Exception, col: int, cells: Sequence[tuple[int | None, Buffer | None]]
    ) -> NoReturn:
        """Raise what a loader's exception means: for ours a DataError that shows the value.

        The loop that was left doesn't know which of its values was to blame (that is why it
        costs nothing): here they are loaded again, one by one.
        """
        load = self._row_loaders[col]
        if not _is_ours(load):
            raise ex
        for row, data in cells:
            if data is None:
                continue
            try:
                load(data)
            except _BROKEN as again:
                where = f"column {self._column_name(col)}"
                if row is not None:
                    where += f" of row {row}"
                oid = self._row_types[col] if self._row_types else 0
                raise DataError(
                    f"{where}: {_shown_data(data)} is no value of type"
                    f" {self._type_name(oid)} ({type(again).__name__}: {again})"
                ) from ex
        raise ex

    def _column_name(self, col: int) -> str:
        name = self._pgresult.fname(col) if self._pgresult is not None else None
        return f'"{name.decode(self.text_encoding, "replace")}"' if name else str(col + 1)


def _is_ours(function: Callable[..., Any]) -> bool:
    """Whether a method is one of the driver's; those that users write may raise what they like."""
    module = getattr(function, "__module__", None)
    return module is None or module.partition(".")[0] in (_PACKAGE, "builtins")


def _too_large(ex: Exception, index: int, params: Sequence[Any]) -> DataError:
    return DataError(
        f"parameter {index + 1}: {_shown(params[index])} does not fit the PostgreSQL type it is sent"
        f" as ({ex}): send it as a wider type"
    )


def _shown(param: object) -> str:
    is_data = isinstance(param, str | bytes | bytearray)
    text = _shown_data(param) if is_data else reprlib.repr(param)
    return f"{text} of type {type(param).__qualname__}"


def _shown_data(data: Any) -> str:
    # Cut before it is written out: it may be as large as memory.
    head = data if len(data) <= _SHOWN else data[:_SHOWN]
    text = repr(head if isinstance(head, str) else bytes(head))
    return text if head is data else f"{text}... (of {len(data)})"
