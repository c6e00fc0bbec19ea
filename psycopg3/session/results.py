"""ResultSet: the rows, columns and position of one statement's result; errors made of results."""

from __future__ import annotations

from operator import index
from typing import Any, Generic, NamedTuple

from .. import errors as e
from ..abc import TypesLike
from ..adapt import Transformer
from ..adapt.loading import Rows
from ..pq import ExecStatus, Format, PGresult
from ..rows import Row, RowMaker
from .exchange import Exchange, Pending
from .states import Meaning, meaning_of

ABORTED = "not executed: an earlier command of the pipeline failed; execute it again"


def check_results(results: list[PGresult], encoding: str) -> None:
    """Raise the server's error if a statement failed; the first one is the cause.

    Args:
        encoding: the connection's when the statements were sent: the end of a failed
            transaction may have changed it since.

    Raises:
        Error: of the class of its SQLSTATE.
    """
    for result in results:
        meaning = meaning_of(result.status)
        if meaning is Meaning.ERROR:
            raise e.error_from_result(result, encoding)
        if meaning is Meaning.ABORTED:
            raise e.PipelineAborted(ABORTED)


def check_pending(exchange: Exchange, pending: Pending, encoding: str) -> None:
    """Raise what a request of a pipeline failed by; whoever looks for untold errors finds it no more.

    Raises:
        PipelineAborted: an earlier one failed, which is the cause.
        Error: the server's; also where it was the BEGIN, or the preparation, sent for the request.
    """
    exchange.tell(pending)
    cause = pending.cause
    if cause is not None:
        exchange.tell(cause)
        before = pending.before
        while before not in (None, cause):
            before = before.before
        if before is cause or cause.query.startswith(b"BEGIN"):
            check_results(cause.results, encoding)
        raise e.PipelineAborted(ABORTED) from e.error_from_result(cause.results[-1], encoding)
    check_results(pending.results, encoding)


def check_untold(exchange: Exchange, encoding: str) -> None:
    """Raise the first error of a pipeline that nobody has raised so far; the others are forgotten.

    Raises:
        Error: the server's.
    """
    if exchange.untold:
        pending = exchange.untold[0]
        exchange.untold.clear()
        check_results(pending.results, encoding)


_TUPLES_OK = ExecStatus.TUPLES_OK

# How many rows are loaded at once for those who take them one by one: more each time, so that few
# are loaded in vain; no more than are worth it, or take so many bytes.
_MOST_AHEAD, _BYTES_AHEAD = 512, 1 << 20


class ResultSet(Rows, Generic[Row]):
    """One statement's result as a cursor sees it, and the position in its rows."""

    __slots__ = (
        "_ahead",
        "_columns",
        "_next",
        "_size",
        "count",
        "has_rows",
        "make_row",
        "position",
    )

    def __init__(
        self,
        result: PGresult,
        transformer: Transformer,
        make_row: RowMaker[Row],
        format: Format | None = None,
        status: int | None = None,
    ):
        # As `Rows` does, but for a call: it is on the way of each query.
        self.result, self._finder = result, transformer
        self._types, self._loaders = transformer.find_loaders(result, format)
        # Each question to libpq costs as much as to load a value: the status may be known.
        status = result.status if status is None else status
        self.has_rows = status == _TUPLES_OK or meaning_of(status) is Meaning.ROWS
        """Whether the statement returns rows, be they none."""
        self.count = result.ntuples if self.has_rows else 0
        self.position = 0
        self.make_row = make_row
        self._columns: list[Column] | None = None
        # The values of rows that were loaded and not yet fetched, the last one first; where the
        # first of them is; how many to load next.
        self._ahead: list[tuple[Any, ...]] = []
        self._next, self._size = 0, 1

    @property
    def rowcount(self) -> int:
        """Rows returned or affected; -1 if the statement has no such number."""
        affected = self.result.command_tuples
        if affected is None:  # SHOW and EXPLAIN have no number in their tags
            return self.count if self.has_rows else -1
        return affected

    def one(self) -> Row | None:
        """The next row, None at the end."""
        position = self.position
        if position >= self.count:
            return None
        if self._next != position or not self._ahead:
            self._load_ahead(position)
        record: Any = self._ahead.pop()
        self._next = position + 1
        # The position stays where it is if the row can't be made.
        row: Row = record if self.make_row is tuple else self.make_row(record)
        self.position += 1
        return row

    def _load_ahead(self, position: int) -> None:
        size = self._size if self._next == position else 1  # after a leap anew
        self._next, self._size = position, 2
        if size > 1:
            try:
                records, taken = self.load_records(
                    position, min(position + size, self.count), measure=True
                )
            except Exception:  # it is raised when the turn comes to its row
                pass
            else:
                self._size = max(1, min(8 * size, _MOST_AHEAD, size * _BYTES_AHEAD // (taken + 1)))
                records.reverse()
                self._ahead = records
                return
        self._ahead = [self.load_record(position)]

    @property
    def reported(self) -> bytes | None:
        """The client_encoding that it was sent in, as the server reports it."""
        return self._finder.reported

    @property
    def words_encoding(self) -> str:
        """The codec for the names in it."""
        return self._finder.words_encoding

    def load_by(self, transformer: Transformer) -> None:
        """Have the rows that weren't fetched yet loaded by another transformer's loaders."""
        self._finder, self._ahead = transformer, []
        self._types, self._loaders = transformer.find_loaders(self.result)

    def many(self, size: int) -> list[Row]:
        """The next `size` rows, fewer at the end."""
        if size < 0:
            raise e.ProgrammingError(f"got {size} rows to fetch: expected 0 or more")
        return self._until(min(self.position + size, self.count))

    def all(self) -> list[Row]:
        """The rows that are left."""
        return self._until(self.count)

    def _until(self, end: int) -> list[Row]:
        position, make_row = self.position, self.make_row
        rows: list[Any]
        if end - position == 1:
            rows = [self.load_record(position)]
        else:
            rows, _ = self.load_records(position, end)
        if make_row is not tuple:
            rows = list(map(make_row, rows))
        # The position stays where it is if a value can't be loaded.
        self.position = end
        return rows  # type: ignore[return-value]

    def scroll(self, value: int, mode: str) -> None:
        """Move within the rows.

        Raises:
            ValueError: a mode other than "relative" and "absolute".
            IndexError: the place is outside the rows; the position stays.
        """
        if mode == "relative":
            position = self.position + index(value)
        elif mode == "absolute":
            position = index(value)
        else:
            raise ValueError(f"got the scroll mode {mode!r}: expected 'relative' or 'absolute'")
        if not 0 <= position < self.count:
            raise IndexError(
                f"position {position} is outside the result: it has {self.count} rows, counted from 0"
            )
        self.position = position

    def columns(self) -> list[Column]:
        """What the result's columns are, one record each."""
        if self._columns is None:
            encoding, types = self.words_encoding, self._finder.adapters.types
            count = self.result.nfields
            self._columns = [Column.of(self.result, i, encoding, types) for i in range(count)]
        return self._columns.copy()


class _Seven(NamedTuple):
    name: str
    """The column's name."""
    type_code: int
    """The oid of the type; compares with `psycopg3.STRING` and its like."""
    display_size: int | None
    """The declared length in characters or bits, None if the type has none."""
    internal_size: int | None
    """The size in bytes, None for types of variable size."""
    precision: int | None
    """The digits of a numeric, or of the seconds of a time; None if not declared."""
    scale: int | None
    """The digits behind the point of a numeric, None if not declared."""
    null_ok: bool | None = None
    """Always None: a result doesn't tell."""


class Column(_Seven):
    """A column of a result: PEP 249's sequence of seven, with names."""

    type_display: str
    """The type as SQL writes it: "numeric(10,2)[]"."""

    @classmethod
    def of(cls, result: PGresult, index: int, encoding: str, types: TypesLike) -> Column:
        """Read a column's description out of a result; a type that isn't known shows as its oid."""
        oid, modifier, size = result.ftype(index), result.fmod(index), result.fsize(index)
        raw = result.fname(index)  # a COPY's have none
        name = f"column_{index + 1}" if raw is None else raw.decode(encoding, "replace")
        internal = size if size >= 0 else None
        info = types.get(oid)
        if info is None:
            column = cls(name, oid, None, internal, None, None)
            column.type_display = str(oid)
        else:
            length = info.get_display_size(modifier)
            precision, scale = info.get_precision(modifier), info.get_scale(modifier)
            column = cls(name, oid, length, internal, precision, scale)
            column.type_display = info.get_type_display(oid, modifier)
        return column

    def __repr__(self) -> str:
        return f"<Column {self.name!r}, type: {self.type_display} (oid: {self.type_code})>"
