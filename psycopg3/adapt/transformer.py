"""Transformer: parameters out, rows in; the adapters found once are remembered."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

from ..abc import AdaptContext, Buffer, Dumper, PyFormat, RowMaker
from ..errors import DataError, InterfaceError, ProgrammingError
from ..pq import Format, PGresult, arguments
from .finder import AdapterFinder, kept
from .loading import BROKEN, Load, Rows, is_ours, shown, unwritable

# As a query has them: values, oids, formats, and lengths if one is binary.
Parameters: TypeAlias = tuple[list[bytes | None], Sequence[int], Sequence[int], list[int] | None]

T = TypeVar("T")

# Members of an Enum cost a look-up in Python code on 3.11; these are read once a parameter.
_AUTO, _TEXT = PyFormat.AUTO, PyFormat.TEXT
_PQ_TEXT = Format.TEXT
_FORMATS = (Format.TEXT, Format.BINARY)


class Transformer(AdapterFinder):
    """Writes parameters and reads rows for one context: a connection, a cursor, or none.

    Adapters are made once and kept. Those that depend on the encoding alone are the same for all
    transformers of a map and an encoding, as are those that depend on nothing; `contextual` has the
    others. One that isn't current any more (`is_current()`) is replaced by another.

    Args:
        context: where the adapters come from; None: the global map, and no connection.
        adapters: the map, where it isn't the context's.
    """

    types: tuple[int, ...] | None = None
    """The oids of the parameters dumped last."""
    formats: list[Format] | None = None
    """The formats of the parameters dumped last."""
    _record_dumpers: list[Dumper] | None = None
    _pgresult: PGresult | None = None
    _row_loaders: Sequence[Load] = ()
    _row_types: tuple[int, ...] = ()

    @classmethod
    def from_context(cls, context: AdaptContext | None) -> Transformer:
        """The transformer of a context: the context itself if it is one, else a new one."""
        return context if isinstance(context, Transformer) else cls(context)

    @property
    def pgresult(self) -> PGresult | None:
        """The result that rows are read from."""
        return self._pgresult

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
        except BROKEN as ex:
            # The types were chosen without a look at the values.
            col = len(dumped)
            if not is_ours(dumpers[col].dump):
                raise
            error = unwritable(ex, params[col], self.type_name(dumpers[col].oid))
            raise DataError(f"column {col + 1}: {error}") from ex
        return dumped

    def as_literal(self, obj: Any) -> bytes:
        """Write `obj` as a literal for the text of a query.

        The literal of a quoted value says its type (``'2020-01-01'::date``), unless the server
        is to choose it. A negative number starts with a blank, since ``--1`` is a comment.
        """
        if obj is None:
            return b"NULL"
        dumper = self.get_dumper(obj, _TEXT)
        if self.connection is not None and getattr(dumper, "is_common", False):
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
        if result is None:
            self._row_types, self._row_loaders = (), ()
        elif set_loaders:
            self._row_types, self._row_loaders = self.find_loaders(result, format)

    def find_loaders(
        self, result: PGresult, format: Format | None = None
    ) -> tuple[tuple[int, ...], Sequence[Load]]:
        """The types of a result's columns, and what loads their values.

        Args:
            result: the result.
            format: the format of the columns; None: as the result says.
        """
        columns = result.nfields
        if not columns:
            return (), ()
        if format is None:
            # One for all columns: libpq asks for it by one number.
            format = _FORMATS[result.fformat(0)]
        ftype = result.ftype
        types = (ftype(0),) if columns == 1 else tuple(map(ftype, range(columns)))
        common = self._common or self._find_common()
        return types, common.rows.get((format, types)) or self._make_loaders(types, format)

    def _make_loaders(self, types: tuple[int, ...], format: Format) -> Sequence[Load]:
        loaders = [self.get_loader(oid, format).load for oid in types]
        common = self._common or self._find_common()
        if all(oid in common.loaders[format] for oid in types):
            kept(common.rows, (format, types), loaders)
        return loaders

    def set_loader_types(self, types: Sequence[int], format: Format) -> None:
        """Let `load_sequence()` read records of these types.

        Args:
            types: an oid a column.
            format: the format of all columns.
        """
        self._row_types = tuple(types)
        self._row_loaders = self._make_loaders(self._row_types, format)

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
        records, _ = self._rows(result).load_records(row0, row1)
        return [make_row(record) for record in records]

    def load_row(self, row: int, make_row: RowMaker[T]) -> T | None:
        """Read one row; None if there is no such row, or no result.

        Raises:
            DataError: a value is none of its column's type.
        """
        result = self._pgresult
        if result is None or not 0 <= row < result.ntuples:
            return None
        return make_row(self._rows(result).load_record(row))

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
        except BROKEN as ex:
            self._rows(self._pgresult).explain(ex, len(values), [(None, data)])
        return tuple(values)

    def _rows(self, result: PGresult | None) -> Rows:
        return Rows(result, self._row_types, self._row_loaders, self)


def _too_large(ex: Exception, index: int, params: Sequence[Any]) -> DataError:
    return DataError(
        f"parameter ${index + 1}: {shown(params[index])} does not fit the PostgreSQL type it is sent"
        f" as ({ex}): send it as a wider type"
    )
