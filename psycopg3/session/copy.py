"""The half of a COPY that never waits: its rows and blocks, its types, and what the server answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from .. import errors as e
from ..abc import Buffer, Params, PyFormat, Query
from ..adapt import AdaptersMap, Transformer
from ..encodings import OVERLAPPING
from ..generators import receive
from ..pq import ConnStatus, ExecStatus, Format, PGconn
from ..query import BoundQuery
from ..styles import bind_literals
from ..waiting import Wait, WaitGen
from .copyrows import BinaryFraming, BinaryRows, Record, TextRows
from .copystatement import CopyStatement, copy_statement
from .copytypes import ColumnDumpers, column_types, columns_query
from .cursor import BaseCursor
from .results import check_results

if TYPE_CHECKING:
    from .exchange import Pending
    from .session import Session

# Rows are collected until they are so many bytes: what is sent costs by the piece.
_BUFFER = 1 << 15
# How many bytes there are between two calls of `progress`.
_PROGRESS_EACH = 1 << 20
_TAIL = 64

Progress = Callable[[int, int], object]
"""Is called with the rows and the bytes so far."""

_USES = {
    ExecStatus.COPY_IN: "writes to the server (COPY ... FROM STDIN): use write() or write_row()",
    ExecStatus.COPY_OUT: "reads from the server (COPY ... TO STDOUT): use read() or rows()",
}
# Options of the text format that rows aren't written and read by, but for these values.
_PLAIN = {
    "delimiter": (b"\t", rb"\t"),
    "null": (rb"\N", rb"\\N"),
    "header": (b"false", b"off", b"0"),
    "quote": (),
    "escape": (),
    "default": (),
}


class BaseCopy:
    """What `Copy` and `AsyncCopy` have in common."""

    cursor: Any
    _turn: Any = None
    _direction: int | None = None
    _pending: Pending | None = None
    _is_entered = _is_over = _has_ended = False
    _timeout: float | None = None
    _types: Sequence[int] | None = None
    _known_types: list[int] | None = None
    """The types of the table's columns, if they are known."""
    _by_column: ColumnDumpers | None = None
    """How rows are written if `set_types()` hasn't said it."""
    _otherwise: bytes | None = None
    """The statement in place of the first if types of the table can't be written in binary."""

    def __init__(
        self,
        cursor: BaseCursor[Any],
        *,
        binary: bool | None = None,
        writer: Any = None,
        progress: Progress | None = None,
    ):
        self.cursor = cursor
        self.writer = writer
        self._asked: tuple[Query, Params | None] | None = None
        self._statement = CopyStatement()
        self._progress = progress
        self._buffer: list[bytes] = []
        self._size = self._bytes = self._told = self._rows_done = 0
        self._columns = 0
        self._set_format(bool(binary), cursor._transformer)
        if writer is not None:
            self._direction = ExecStatus.COPY_IN

    def __repr__(self) -> str:
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        state = "over" if self._is_over else "under way" if self._is_entered else "not begun"
        return f"<{name} [{state}] on {self.cursor!r} at 0x{id(self):x}>"

    # -- the statement ---------------------------------------------------------------------

    def _enter(self) -> None:
        if self._is_entered:
            raise TypeError(
                "this COPY was begun before: it is good for one 'with' block, make another"
            )
        self._is_entered = True

    def _bind(self) -> BoundQuery:
        """Bind the statement, and read what it says.

        Raises:
            NotSupportedError: in a pipeline.
        """
        cursor: BaseCursor[Any] = self.cursor
        cursor._check_open("copy()")
        if cursor._session._exchange.pipelined:
            raise e.NotSupportedError("COPY can't be done in a pipeline: leave the pipeline first")
        cursor._reset()
        assert self._asked is not None
        bound = bind_literals(*self._asked, cursor._transformer)
        cursor._query = bound
        self._statement = copy_statement(bound.query)
        return bound

    @property
    def _asks_types(self) -> bool:
        """Whether the types of the table's columns are to be asked for.

        In binary, where a value of another type is an error or, by chance, another value.
        """
        statement = self._statement
        return statement.is_from and statement.format == b"binary" and bool(statement.table)

    def _take_types(self, pending: Pending, bound: BoundQuery) -> BoundQuery:
        """Take the types of the table's columns; returns the statement to be sent."""
        cursor: BaseCursor[Any] = self.cursor
        check_results(pending.results, cursor._words_encoding)
        self._known_types = column_types(self._statement, pending.results[0])
        types, otherwise = self._known_types, self._otherwise
        if types is None or otherwise is None:
            return bound
        if ColumnDumpers(cursor._transformer, types, Format.BINARY).are_all_known:
            return bound
        cursor._query = bound = BoundQuery(otherwise)
        self._statement = copy_statement(otherwise)
        return bound

    def _take_answer(self, pending: Pending) -> None:
        """Take what the server has answered to the statement.

        Raises:
            Error: the server's.
            ProgrammingError: it is no COPY from or to the client, or more than that.
        """
        cursor: BaseCursor[Any] = self.cursor
        check_results(pending.results, cursor._words_encoding)
        status = pending.status
        if status not in _USES or len(pending.results) != 1:
            came = ", ".join(ExecStatus(result.status).name for result in pending.results)
            raise e.ProgrammingError(
                "copy() takes one statement, COPY ... FROM STDIN or COPY ... TO STDOUT: this one was"
                f" answered by {came or 'nothing'}"
            )
        result = pending.results[0]
        self._direction, self._pending, cursor._pending = status, pending, pending
        self._columns = result.nfields
        transformer = cursor._transformer
        encoding = self._statement.options.get("encoding")
        if encoding is not None and not result.binary_tuples:
            adapters = cast("AdaptersMap", transformer.adapters)
            transformer = Transformer(cursor._session, adapters, encoding)
        self._set_format(bool(result.binary_tuples), transformer)
        if self._known_types is not None:
            self._by_column = ColumnDumpers(self._transformer, self._known_types, self._format)
        cursor._select(0, cursor._transformer)

    def _set_format(self, binary: bool, known: Transformer) -> None:
        # Its own: the types of its rows are nobody else's.
        session = self.cursor._session
        self._transformer = Transformer(session, known.adapters, known.reported)
        self._format = Format.BINARY if binary else Format.TEXT
        self._asks = PyFormat.from_pq(self._format)
        self._rows: Any = BinaryRows() if binary else TextRows(self._transformer.encoding)
        self._blocks: BinaryFraming | TextEnd | None = None
        self._has_rows = self._has_blocks = False

    def set_types(self, types: Iterable[int | str]) -> None:
        """Say what types the columns have.

        What is written by `write_row()` is then dumped as these, whatever its classes; what is read
        by `rows()` and `read_row()` loaded as these.

        Args:
            types: an oid or a name a column, such as "int4", "text[]".

        Raises:
            KeyError: there is no type of that name.
            ProgrammingError: no dumper is registered for one.
        """
        known = self._transformer.adapters.types
        oids = [known.get_oid(t) if isinstance(t, str) else t for t in types]
        self._types = oids
        if self._direction != ExecStatus.COPY_OUT:
            self._transformer.set_dumper_types(oids, self._format)
        if self._direction != ExecStatus.COPY_IN:
            self._transformer.set_loader_types(oids, self._format)

    # -- writing ---------------------------------------------------------------------------

    def _add_row(self, row: Sequence[Any]) -> None:
        """Add a row to what is to be sent."""
        if not self._has_rows:
            self._begin_rows("write_row()")
        record: Record
        if self._types is not None:
            record = self._transformer.dump_sequence(row, ())
        elif self._by_column is not None:
            record = self._by_column.dump(row)
        else:
            record = self._transformer.dump_sequence(row, [self._asks] * len(row))
        self._add(self._rows.format(record))
        self._rows_done += 1

    def _begin_rows(self, method: str) -> None:
        self._check(ExecStatus.COPY_IN, method)
        self._check_plain(method)
        if self._has_blocks and self._format:
            raise e.ProgrammingError(
                "write_row() and write() can't be mixed in a binary COPY: a block may end anywhere"
            )
        self._add(self._rows.header)
        self._has_rows = True

    def _add_block(self, data: Buffer | str) -> None:
        """Add a block to what is to be sent."""
        if not self._has_blocks:
            self._begin_blocks()
        if isinstance(data, str):
            if self._format:
                raise TypeError("got a str for a binary COPY: expected bytes")
            data = data.encode(self._transformer.text_encoding)
        elif not isinstance(data, bytes):
            try:
                data = memoryview(data).tobytes()
            except TypeError:
                kind = type(data).__name__
                raise TypeError(f"got a {kind} as COPY data: expected bytes or str") from None
        if self._blocks is not None:
            self._blocks.feed(data)
        self._add(data)
        if self._progress is not None:
            self._rows_done = getattr(self._blocks, "rows", 0) or self._rows_done + data.count(
                b"\n"
            )

    def _begin_blocks(self) -> None:
        self._check(ExecStatus.COPY_IN, "write()")
        self._has_blocks = True
        if self._format:
            if self._has_rows:
                raise e.ProgrammingError(
                    "write() and write_row() can't be mixed in a binary COPY: use one of them"
                )
            self._blocks = BinaryFraming()
        else:
            self._blocks = self._text_end()

    def _text_end(self) -> TextEnd | None:
        options = self._statement.options
        if self._statement.format != b"csv":
            return TextEnd(whole_lines=self._transformer.encoding in OVERLAPPING)
        if self.cursor._session.pgconn.server_version >= 180000:
            return None  # it is a value like others
        quote = options.get("quote", b'"')
        return TextEnd(whole_lines=True, quote=(quote, options.get("escape", quote)))

    def _add(self, data: bytes) -> None:
        self._buffer.append(data)
        self._size += len(data)

    @property
    def _is_read(self) -> bool:
        """Whether the server has said all."""
        return self._pending is not None and len(self._pending.results) > 1

    @property
    def _is_full(self) -> bool:
        """Whether what was added should be sent."""
        return self._size >= _BUFFER

    def _taken(self) -> bytes:
        """What is to be sent."""
        data = b"".join(self._buffer)
        self._buffer.clear()
        self._bytes += self._size
        self._size = 0
        if self._progress is not None and self._bytes - self._told >= _PROGRESS_EACH:
            self._tell()
        return data

    def _add_end(self) -> None:
        """Add what ends the data.

        Raises:
            DataError: the blocks of a binary COPY are no whole stream.
        """
        if self._has_rows or (self._format and not self._has_blocks):
            if not self._has_rows:
                self._add(self._rows.header)
            self._add(self._rows.trailer)
        elif isinstance(self._blocks, BinaryFraming) and not self._blocks.is_whole:
            raise e.DataError(
                "the blocks of the binary COPY end without its trailer, ff ff: they were cut off, so"
                " none of the rows is kept; write the whole stream"
            )

    def _tell(self) -> None:
        self._told = self._bytes
        if self._progress is not None:
            self._progress(self._rows_done, self._bytes)

    # -- reading ---------------------------------------------------------------------------

    def _at_hand(self) -> Buffer | None:
        """The next of the server's blocks if it has come; None if it is to be waited for."""
        if self._direction != ExecStatus.COPY_OUT or self._is_over:
            self._check(ExecStatus.COPY_OUT, "read()")
        if self._is_read:
            return b""
        size, data = self.cursor._session.pgconn.get_copy_data(1)
        if size <= 0:
            self._has_ended = size < 0
            return None
        self._bytes += size
        self._rows_done += 1
        if self._progress is not None and self._bytes - self._told >= _PROGRESS_EACH:
            self._tell()
        return cast("Buffer", data)

    def _read_gen(self) -> WaitGen[Buffer]:
        """Wait for the next of the server's blocks; b"" at the end."""
        pgconn: PGconn = self.cursor._session.pgconn
        while not self._has_ended:
            size, data = pgconn.get_copy_data(1)
            if size > 0:
                self._bytes += size
                self._rows_done += 1
                return data
            if size < 0:
                self._has_ended = True
                break
            if (yield pgconn.socket, Wait.R) or pgconn.ssl_in_use:
                receive(pgconn)
        yield from self._end_gen()
        return b""

    def _begin_reading(self) -> None:
        self._check(ExecStatus.COPY_OUT, "rows()")
        self._check_plain("rows()")
        self._has_rows = True
        if self._types is None:
            self._transformer.set_loader_types([0] * self._columns, self._format)

    def _parse(self, data: Buffer) -> tuple[Any, ...] | None:
        """The values of a row; None for what a binary COPY ends with."""
        record = self._rows.parse(data, self._columns)
        return None if record is None else self._transformer.load_sequence(record)

    # -- the end ---------------------------------------------------------------------------

    def _give_up(self, exc: BaseException) -> None:
        """Tell the server that no more data comes, and why; its answer is for others to wait for."""
        if self._direction == ExecStatus.COPY_IN and self._turn is not None:
            with suppress(e.Error):  # the link is lost, or the server has ended the COPY
                self.cursor._session.pgconn.put_copy_end(reason(exc))

    def _end_gen(self) -> WaitGen[None]:
        """Receive what the server says when the data is over.

        Raises:
            Error: the server's.
            ProgrammingError: the text had another statement behind this one.
        """
        cursor: BaseCursor[Any] = self.cursor
        exchange, pending = cursor._session._exchange, self._pending
        assert pending is not None
        if self._direction == ExecStatus.COPY_IN:
            while not exchange.pgconn.put_copy_end():
                yield from flush_gen(exchange.pgconn, wholly=True)
        exchange.reopen(pending)
        yield from exchange.receive_gen(pending)
        check_results(pending.results, cursor._words_encoding)
        if len(pending.results) != 2:
            raise e.ProgrammingError("copy() takes one statement: behind the COPY came another")
        cursor._select(1, cursor._transformer)
        self._rows_done = max(cursor.rowcount, 0)
        self._tell()

    def _check(self, direction: int, method: str) -> None:
        """Refuse a method that the COPY isn't for.

        Raises:
            ProgrammingError: wrong direction, or wrong moment.
        """
        if self._is_over or self._direction is None:
            when = "is over" if self._is_over else "has not begun: enter its 'with' block first"
            raise e.ProgrammingError(f"can't do {method}: the COPY {when}")
        if self._direction != direction:
            raise e.ProgrammingError(
                f"can't do {method}: this COPY {_USES[ExecStatus(self._direction)]}"
            )

    def _check_plain(self, method: str) -> None:
        """Refuse rows of a format that they aren't written and read by.

        Raises:
            NotSupportedError: CSV, or an option that changes how rows look.
        """
        options = self._statement.options
        odd = [
            name
            for name, value in options.items()
            if name in _PLAIN and value.lower() not in map(bytes.lower, _PLAIN[name])
        ]
        if self._statement.format == b"csv":
            odd = ["csv"]
        if odd and not self._format:
            raise e.NotSupportedError(
                f"can't do {method} in a COPY with the option {odd[0].upper()}: rows are written and"
                " read in COPY's own text format and in binary; leave the option out, or use write()"
                " and read()"
            )


_WHOLE_LINE = re.compile(rb"(?<=[\r\n])\\\.[\r\n]")
_AT_LINE_END = re.compile(rb"(?<!\\)(?:\\\\)*\\\.[\r\n]")


class TextEnd:
    r"""Looks for a line ``\.`` in blocks of text: the server drops what comes behind it.

    Args:
        whole_lines: whether it counts alone on its line only; else also behind a value.
        quote: in CSV what begins and ends a value in which it doesn't count, and what is before one
            that is meant.
    """

    def __init__(self, *, whole_lines: bool, quote: tuple[bytes, bytes] | None = None):
        self._pattern = _WHOLE_LINE if whole_lines else _AT_LINE_END
        self._quote = quote
        self._tail = b"\n"
        self._is_over = self._is_quoted = False

    def feed(self, data: bytes) -> None:
        r"""Take the next block.

        Raises:
            DataError: something comes behind a line ``\.``.
        """
        if not data:
            return
        rest = data if self._is_over else self._behind_end(data)
        if rest.removeprefix(b"\n"):
            raise e.DataError(
                "the COPY's text goes on behind a line '\\.', where the server takes it to end: what"
                " follows would be lost; write a value that looks like it as '\\\\.', in CSV in quotes"
            )

    def _behind_end(self, data: bytes) -> bytes:
        """What comes behind the end of the text."""
        rest, tail = b"", self._tail
        block = tail + data
        for found in self._pattern.finditer(block) if b"\\." in block else ():
            # No quote is in what was found, so there is none in what the tail has of it.
            before = data[: max(found.start() - len(tail), 0)]
            is_new = found.end() > len(tail)
            if is_new and not self._is_quoted ^ self._quotes(before):
                self._is_over, rest = True, block[found.end() :]
                break
        self._is_quoted ^= self._quotes(data)
        self._tail = block[-_TAIL:]
        return rest

    def _quotes(self, data: bytes) -> bool:
        """Whether an odd number of quotes is there."""
        if self._quote is None:
            return False
        quote, escape = self._quote
        return bool((data.count(quote) - (escape != quote and data.count(escape + quote))) % 2)


def flush_gen(pgconn: PGconn, *, wholly: bool) -> WaitGen[None]:
    """Send what libpq holds; it lets others have a turn even if there is nothing to wait for.

    Args:
        wholly: whether to wait until all of it is sent.
    """
    is_left = pgconn.flush()
    while True:
        if (yield pgconn.socket, Wait.RW) & Wait.R:
            receive(pgconn)  # the server may wait for us to take its notices
        is_left = is_left and pgconn.flush()
        if not (is_left and wholly):
            return


def explained(session: Session, ex: e.OperationalError) -> e.Error:
    """The best reason for an error of libpq's while a COPY is written.

    As long as libpq takes data it looks at nothing that the server says, be it why it left.
    """
    if session.pgconn.status == ConnStatus.BAD:
        with suppress(e.Error):
            session.pgconn.put_copy_end()
    return session._explain(ex)


def reason(exc: BaseException) -> bytes:
    """What the server is told of an exception that ends a COPY to it."""
    text = f"the client's program raised {exc!r}"
    return text.encode("utf-8", "replace").replace(b"\0", b"")[:1000]


__all__ = ["BaseCopy", "Progress", "columns_query", "explained", "flush_gen"]
