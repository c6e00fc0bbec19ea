"""Transformer: what it dumps, loads, remembers, forgets, and how it fails."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psycopg3 import _oids, pq
from psycopg3.adapt import AdaptersMap, Dumper, Format, Loader, PyFormat, Transformer
from psycopg3.errors import DataError, InterfaceError, ProgrammingError
from psycopg3.postgres import adapters
from psycopg3.types.numeric import Int2, Int4Dumper
from tests.marks import conform

AUTO, TEXT, BINARY = PyFormat.AUTO, PyFormat.TEXT, PyFormat.BINARY


class Result:
    """What a transformer asks of a PGresult, for results that no server sends."""

    def __init__(
        self, oids: Sequence[int], rows: Sequence[Sequence[bytes | None]], format: int = 0
    ) -> None:
        self._oids, self._rows, self._format = oids, rows, format
        self.ntuples, self.nfields = len(rows), len(oids)

    def ftype(self, column: int) -> int:
        return self._oids[column]

    def fformat(self, column: int) -> int:
        return self._format

    def fname(self, column: int) -> bytes:
        return b"c%d" % column

    def get_value(self, row: int, column: int) -> bytes | None:
        return self._rows[row][column]

    def get_ints(self, column: int, row0: int, row1: int) -> list[int] | None:
        return None

    def get_column(self, column: int, row0: int, row1: int) -> list[bytes | None]:
        return self.column(column, row0, row1)[0]

    def column(self, column: int, row0: int, row1: int) -> tuple[list[bytes | None], bool]:
        return [row[column] for row in self._rows[row0:row1]], True


def reading(
    oids: Sequence[int], rows: Sequence[Sequence[bytes | None]], format: int = 0
) -> Transformer:
    transformer = Transformer()
    result: Any = Result(oids, rows, format)
    transformer.set_pgresult(result)
    return transformer


# -- out -----------------------------------------------------------------------------------------


def test_dump_sequence_leaves_types_and_formats() -> None:
    transformer = Transformer()
    assert (transformer.types, transformer.formats) == (None, None)
    dumped = transformer.dump_sequence(
        [1, None, "x", 2.5, None], [AUTO, AUTO, BINARY, TEXT, BINARY]
    )
    assert dumped == [b"\0\0\0\1", None, b"x", b"2.5", None]
    assert transformer.types == (_oids.INT4_OID, 0, _oids.TEXT_OID, _oids.FLOAT8_OID, 0)
    assert transformer.formats == [
        Format.BINARY,
        Format.TEXT,
        Format.BINARY,
        Format.TEXT,
        Format.TEXT,
    ]


def test_dump_sequence_of_nothing() -> None:
    transformer = Transformer()
    assert transformer.dump_sequence([], []) == []
    assert (transformer.types, transformer.formats) == ((), [])


def test_dump_sequence_wants_a_format_each() -> None:
    with pytest.raises(ProgrammingError, match="got 2 parameters for 1 placeholders"):
        Transformer().dump_sequence([1, 2], [AUTO])


def test_none_needs_no_dumper() -> None:
    assert Transformer(AdaptersMap()).dump_sequence([None], [BINARY]) == [None]


def test_a_dumper_may_dump_null() -> None:
    class EmptyIsNull(Dumper):
        oid = _oids.TEXT_OID

        def dump(self, obj: str) -> bytes | None:
            return obj.encode() or None

    own = AdaptersMap(adapters)
    own.register_dumper(str, EmptyIsNull)
    transformer = Transformer(own)
    assert transformer.dump_sequence(["", "a"], [AUTO, AUTO]) == [None, b"a"]
    assert transformer.types == (_oids.TEXT_OID, _oids.TEXT_OID)


def test_a_value_too_large_names_the_parameter() -> None:
    with pytest.raises(DataError, match=r"parameter \$2: Int2\(70000\) of type Int2"):
        Transformer().dump_sequence([1, Int2(70_000)], [AUTO, AUTO])


def test_a_dumpers_own_exception_is_left_alone() -> None:
    class Failing(Dumper):
        def dump(self, obj: object) -> bytes:
            raise ValueError("mine")

    own = AdaptersMap(adapters)
    own.register_dumper(complex, Failing)
    with pytest.raises(ValueError, match="mine"):
        Transformer(own).dump_sequence([1j], [AUTO])


def test_dumpers_are_remembered() -> None:
    transformer = Transformer()
    assert transformer.get_dumper(1.5, AUTO) is transformer.get_dumper(2.5, AUTO)
    assert transformer.get_dumper(1.5, AUTO) is not transformer.get_dumper(1.5, TEXT)
    assert transformer.get_dumper(1, AUTO) is transformer.get_dumper(2, AUTO)
    assert transformer.get_dumper(1, AUTO) is not transformer.get_dumper(2**40, AUTO)


def test_upgrades_are_asked_once_a_key() -> None:
    upgraded: list[Any] = []

    class ByLength(Dumper):
        def dump(self, obj: str) -> bytes:
            return obj.encode()

        def get_key(self, obj: str, format: PyFormat) -> Any:
            return (self.cls, Int2) if len(obj) > 1 else self.cls

        def upgrade(self, obj: str, format: PyFormat) -> Dumper:
            upgraded.append((obj, format))
            return ByLength(self.cls)

    own = AdaptersMap(adapters)
    own.register_dumper(str, ByLength)
    transformer = Transformer(own)
    short = transformer.get_dumper("a", AUTO)
    long = transformer.get_dumper("ab", AUTO)
    assert short is transformer.get_dumper("b", AUTO)
    assert long is transformer.get_dumper("abc", AUTO)
    assert short is not long
    assert upgraded == [("ab", AUTO)]
    transformer.get_dumper("abc", TEXT)
    assert upgraded == [("ab", AUTO), ("abc", TEXT)]


def test_an_upgraded_int_is_not_a_wrapper_registered_otherwise() -> None:
    class Loud(Dumper):
        def dump(self, obj: int) -> bytes:
            return b"LOUD"

    own = AdaptersMap(adapters)
    own.register_dumper(Int2, Loud)
    for params in ([1, Int2(1)], [Int2(1), 1]):
        dumped = Transformer(own).dump_sequence(params, [AUTO, AUTO])
        assert dict(zip(map(type, params), dumped, strict=True)) == {
            int: b"\0\0\0\1",
            Int2: b"LOUD",
        }


def test_records_by_type() -> None:
    transformer = Transformer()
    transformer.set_dumper_types([_oids.INT4_OID, _oids.TEXT_OID], Format.BINARY)
    assert transformer.dump_sequence([1, "x"], [TEXT, TEXT]) == [b"\0\0\0\1", b"x"]
    assert transformer.dump_sequence((None, None), [TEXT, TEXT]) == [None, None]
    assert transformer.types == (_oids.INT4_OID, _oids.TEXT_OID)
    assert transformer.formats == [Format.BINARY, Format.BINARY]
    with pytest.raises(DataError, match="got 1 values for a record of 2 columns"):
        transformer.dump_sequence([1], [TEXT])
    for first in (2**31, "1", 1.5, [1]):
        with pytest.raises(DataError, match=r"column 1: .* can't be written as type int4 \(oid 23"):
            transformer.dump_sequence([first, "x"], [TEXT, TEXT])
    for second in (7, b"x", None.__class__):
        with pytest.raises(DataError, match=r"column 2: .* can't be written as type text"):
            transformer.dump_sequence([1, second], [TEXT, TEXT])


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (None, b"NULL"),
        (1, b"1"),
        (-1, b" -1"),
        ("x", b"'x'"),
        (b"x", b" E'\\\\x78'::bytea"),
        (True, b"true"),
    ],
)
def test_as_literal(value: object, literal: bytes) -> None:
    assert Transformer().as_literal(value) == literal


class Whole(Dumper):
    oid = _oids.INT4_OID

    def dump(self, obj: complex) -> bytes:
        return b"%d" % int(obj.real)


@pytest.mark.parametrize(
    ("oid", "literal"),
    [
        (_oids.INT4_OID, b"'1'::integer"),
        (_oids.TIMESTAMPTZ_OID, b"'1'::timestamp with time zone"),
        (_oids.INT4_ARRAY_OID, b"'1'::integer[]"),
        (0, b"'1'"),
        (99_999, b"'1'"),
    ],
)
def test_literals_say_their_type(oid: int, literal: bytes) -> None:
    own = AdaptersMap(adapters)
    own.register_dumper(complex, type("Typed", (Whole,), {"oid": oid}))
    assert Transformer(own).as_literal(1 + 0j) == literal


# -- in ------------------------------------------------------------------------------------------

ROWS: list[list[bytes | None]] = [[b"1", b"a"], [None, b"b"], [b"3", None]]
COLUMNS = [_oids.INT4_OID, _oids.TEXT_OID]


def test_load_rows() -> None:
    transformer = reading(COLUMNS, ROWS)
    assert transformer.load_rows(0, 3, tuple) == [(1, "a"), (None, "b"), (3, None)]
    assert transformer.load_rows(1, 2, list) == [[None, "b"]]
    assert transformer.load_rows(3, 3, tuple) == []


def test_load_row() -> None:
    transformer = reading(COLUMNS, ROWS)
    assert transformer.load_row(2, tuple) == (3, None)
    assert transformer.load_row(0, list) == [1, "a"]
    assert transformer.load_row(3, tuple) is None
    assert transformer.load_row(-1, tuple) is None


def test_rows_without_columns() -> None:
    transformer = reading([], [[], []])
    assert transformer.load_rows(0, 2, tuple) == [(), ()]
    assert transformer.load_row(1, list) == []


def test_no_result() -> None:
    transformer = Transformer()
    assert transformer.pgresult is None
    assert transformer.load_row(0, tuple) is None
    with pytest.raises(InterfaceError, match="execute a query first"):
        transformer.load_rows(0, 0, tuple)
    transformer = reading(COLUMNS, ROWS)
    transformer.set_pgresult(None)
    assert transformer.load_row(0, tuple) is None
    assert transformer.load_sequence([]) == ()


@pytest.mark.parametrize(("row0", "row1"), [(0, 4), (-1, 1), (2, 1), (4, 4)])
def test_rows_that_are_not_there(row0: int, row1: int) -> None:
    with pytest.raises(InterfaceError, match="the result has 3"):
        reading(COLUMNS, ROWS).load_rows(row0, row1, tuple)


def test_loaders_may_be_kept_for_the_next_result() -> None:
    transformer = reading(COLUMNS, ROWS)
    loader = transformer.get_loader(_oids.INT4_OID, Format.TEXT)
    following: Any = Result([0, 0], ROWS)
    transformer.set_pgresult(following, set_loaders=False)
    assert transformer.load_rows(0, 1, tuple) == [(1, "a")]
    assert transformer.get_loader(_oids.INT4_OID, Format.TEXT) is loader


def test_the_format_may_be_told() -> None:
    transformer = Transformer()
    result: Any = Result([_oids.INT2_OID], [[b"\0\7"]])
    transformer.set_pgresult(result, format=Format.BINARY)
    assert transformer.load_row(0, tuple) == (7,)


def test_load_sequence() -> None:
    transformer = Transformer()
    transformer.set_loader_types(COLUMNS, Format.TEXT)
    assert transformer.load_sequence([b"1", memoryview(b"a")]) == (1, "a")
    assert transformer.load_sequence([None, None]) == (None, None)
    with pytest.raises(DataError, match="got a record of 1 values: expected 2"):
        transformer.load_sequence([b"1"])


def test_types_unknown_load_as_str_and_bytes() -> None:
    assert reading([99_999], [[b"x"]]).load_row(0, tuple) == ("x",)
    assert reading([99_999], [[b"x"]], 1).load_row(0, tuple) == (b"x",)


def test_an_empty_map_has_no_loader() -> None:
    with pytest.raises(InterfaceError, match="make the map of adapters from psycopg3.adapters"):
        Transformer(AdaptersMap()).get_loader(_oids.INT4_OID, Format.TEXT)


BROKEN: list[list[bytes | None]] = [[b"1", b"a"], [None, b"b"], [b"x3", b"c"], [b"y", b"d"]]


@pytest.mark.parametrize(
    "load",
    [
        lambda transformer: transformer.load_rows(0, 4, tuple),
        lambda transformer: transformer.load_rows(2, 3, tuple),
        lambda transformer: transformer.load_row(2, tuple),
    ],
)
def test_a_broken_value_is_a_data_error_that_shows_it(load: Callable[[Transformer], Any]) -> None:
    with pytest.raises(DataError) as info:
        load(reading(COLUMNS, BROKEN))
    message = str(info.value)
    assert message.startswith("column \"c0\" of row 2: b'x3' is no value of type int4 (oid 23)")
    assert isinstance(info.value.__cause__, ValueError)


def test_a_broken_value_is_shown_shortened() -> None:
    with pytest.raises(DataError) as info:
        reading(COLUMNS, [[b"x" * 100_000, None]]).load_row(0, tuple)
    assert len(str(info.value)) < 1000


@pytest.mark.parametrize("exception", [ValueError, KeyError, ZeroDivisionError, AttributeError])
def test_a_users_loader_raises_what_it_likes(exception: type[Exception]) -> None:
    class Mine(Loader):
        def load(self, data: Any) -> Any:
            raise exception("mine")

    own = AdaptersMap(adapters)
    own.register_loader("int4", Mine)
    transformer = Transformer(own)
    result: Any = Result(COLUMNS, ROWS)
    transformer.set_pgresult(result)
    for load in (
        lambda: transformer.load_row(0, tuple),
        lambda: transformer.load_rows(0, 1, tuple),
        lambda: transformer.load_sequence([b"1", b"a"]),
    ):
        with pytest.raises(exception, match="mine"):
            load()


@pytest.mark.parametrize("exception", [ValueError, TypeError, KeyError])
def test_a_row_factorys_exception_is_left_alone(exception: type[Exception]) -> None:
    def make_row(values: Sequence[Any]) -> Any:
        raise exception("mine")

    transformer = reading(COLUMNS, ROWS)
    with pytest.raises(exception, match="mine"):
        transformer.load_rows(0, 1, make_row)
    with pytest.raises(exception, match="mine"):
        transformer.load_row(0, make_row)


@given(rows=st.lists(st.tuples(*[st.none() | st.integers(0, 99)] * 3), max_size=20), data=st.data())
def test_any_slice_of_rows_is_as_one_by_one(
    rows: list[tuple[int | None, ...]], data: st.DataObject
) -> None:
    sent = [[None if v is None else b"%d" % v for v in row] for row in rows]
    transformer = reading([_oids.INT4_OID] * 3, sent)
    row1 = data.draw(st.integers(0, len(rows)))
    row0 = data.draw(st.integers(0, row1))
    assert transformer.load_rows(row0, row1, tuple) == rows[row0:row1]
    assert [transformer.load_row(i, tuple) for i in range(row0, row1)] == rows[row0:row1]


# -- context -------------------------------------------------------------------------------------


def test_from_context() -> None:
    transformer = Transformer()
    assert Transformer.from_context(transformer) is transformer
    own = AdaptersMap(adapters)
    assert Transformer.from_context(own).adapters is own
    assert Transformer.from_context(None).adapters is adapters
    assert Transformer(transformer).adapters is adapters


def test_without_a_connection() -> None:
    transformer = Transformer()
    assert transformer.connection is None
    assert transformer.encoding == transformer.text_encoding == "utf-8"


class Context:
    def __init__(self, dsn: str) -> None:
        self.pgconn = pq.PGconn.connect(dsn.encode())
        self.adapters = AdaptersMap(adapters)

    @property
    def connection(self) -> Any:
        return self


def test_encoding_is_that_of_the_connection(dsn: str) -> None:
    context: Any = Context(dsn)
    try:
        transformer = Transformer(context)
        assert transformer.encoding == "utf-8"
        context.pgconn.exec_(b"set client_encoding to sql_ascii")
        assert transformer.encoding == "utf-8"  # as it was
        assert not transformer.is_current(context.pgconn)
        transformer = Transformer(context)
        assert transformer.is_current(context.pgconn)
        assert (transformer.encoding, transformer.text_encoding) == ("ascii", "utf-8")
    finally:
        context.pgconn.finish()


class Seen(Loader):
    """A loader that looks at its connection, as it may unless it says otherwise."""

    def load(self, data: Any) -> Any:
        return self.connection


def test_contextual_adapters_alone_are_forgotten() -> None:
    own = AdaptersMap(adapters)
    own.register_loader(90_000, Seen)
    transformer = Transformer(own)

    def made() -> list[Any]:
        return [
            transformer.get_dumper(1.5, AUTO),
            transformer.get_dumper(1, AUTO),
            transformer.get_dumper("x", AUTO),
            transformer.get_loader(_oids.INT4_OID, Format.TEXT),
            transformer.get_loader(_oids.TEXT_OID, Format.TEXT),
        ]

    kept, forgotten = made(), transformer.get_loader(90_000, Format.TEXT)
    assert transformer.get_loader(90_000, Format.TEXT) is forgotten
    transformer.contextual = None
    assert made() == kept
    assert transformer.get_loader(90_000, Format.TEXT) is not forgotten


def test_what_depends_on_no_context_is_made_once_a_map() -> None:
    made: list[type] = []

    class Counted(Loader):
        contextual = False

        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)
            made.append(type(self))

        def load(self, data: Any) -> bytes:
            return bytes(data)

    own = AdaptersMap(adapters)
    own.register_loader("int4", Counted)
    for _ in range(3):
        for context in (own, AdaptersMap(own)):
            transformer = Transformer(context)
            transformer.set_loader_types([_oids.INT4_OID], Format.TEXT)
            assert transformer.load_sequence([b"1"]) == (b"1",)
    assert made == [Counted]
    copy = AdaptersMap(own)
    copy.register_loader("int4", Seen)
    transformer = Transformer(copy)
    assert isinstance(transformer.get_loader(_oids.INT4_OID, Format.TEXT), Seen)
    assert isinstance(Transformer(own).get_loader(_oids.INT4_OID, Format.TEXT), Counted)


def test_adapters_by_encoding_follow_it(dsn: str) -> None:
    context: Any = Context(dsn)
    try:
        for encoding, data in ((b"latin1", b"\xe9"), (b"utf8", b"\xc3\xa9"), (b"latin1", b"\xe9")):
            context.pgconn.exec_(b"set client_encoding to " + encoding)
            transformer = Transformer(context)
            assert transformer.dump_sequence(["\xe9"], [AUTO]) == [data]
            transformer.set_loader_types([_oids.TEXT_OID], Format.TEXT)
            assert transformer.load_sequence([data]) == ("\xe9",)
    finally:
        context.pgconn.finish()


@pytest.mark.parametrize(
    "base", [Loader, *(adapters.get_loader(oid, Format.TEXT) for oid in (25, 23))]
)
def test_a_users_subclass_has_its_connection(dsn: str, base: Any) -> None:
    class Looking(base):
        def load(self, data: Any) -> Any:
            return self.connection

    context: Any = Context(dsn)
    try:
        context.adapters.register_loader("text", Looking)
        transformer = Transformer(context)
        transformer.set_loader_types([_oids.TEXT_OID], Format.TEXT)
        assert transformer.load_sequence([b"x"]) == (context,)
    finally:
        context.pgconn.finish()


def test_literals_are_quoted_as_the_connection_wants_them(dsn: str) -> None:
    context: Any = Context(dsn)
    try:
        for setting, literal in (("on", b"'\\x78'::bytea"), ("off", b" E'\\\\x78'::bytea")):
            conform(context.pgconn, setting)
            assert Transformer(context).as_literal(b"x") == literal
    finally:
        context.pgconn.finish()


def test_classes_of_the_moment_do_not_gather() -> None:
    transformer = Transformer(AdaptersMap(adapters))
    gone = []
    for _ in range(2100):
        cls = type("Momentary", (float,), {})
        transformer.dump_sequence([cls(1.5)], [AUTO])
        gone.append(weakref.ref(cls))
    del cls
    gc.collect()
    assert sum(ref() is not None for ref in gone) <= 1000


def test_it_is_outdated_by_what_is_registered() -> None:
    own = AdaptersMap(adapters)
    transformer = Transformer(own)
    assert transformer.dump_sequence([1], [AUTO]) == [b"\0\0\0\1"]
    assert not transformer.is_outdated
    own.register_dumper(int, Int4Dumper)
    assert transformer.is_outdated
    assert transformer.dump_sequence([1], [AUTO]) == [b"\0\0\0\1"]
    assert Transformer(own).dump_sequence([1], [AUTO]) == [b"1"]
