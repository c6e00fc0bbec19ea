"""Tables of random types, nested too, through every way in and out, and compared with the server's text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from ipaddress import IPv6Network
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import psycopg3
from psycopg3 import rows
from psycopg3.postgres import register_values
from psycopg3.types.bits import Bits
from psycopg3.types.composite import CompositeInfo, register_composite
from psycopg3.types.geometric import Circle, Point
from psycopg3.types.json import Json, Jsonb
from psycopg3.types.multirange import Multirange
from psycopg3.types.range import Range
from psycopg3.types.system import Lsn, Tid

EXAMPLES = 50
SHAPES: list[Any] = [
    *(rows.dict_row, rows.namedtuple_row, rows.record_row, rows.args_row(lambda *values: values)),
    rows.kwargs_row(dict),
]


def unfolded(moment: Any) -> Any:
    return moment.replace(fold=0)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=63)
NUMERIC = st.decimals(allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12)
FLOATS = st.floats(-1e6, 1e6)
DATETIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(unfolded)
DATES = st.dates(date(1, 1, 2), date(9999, 12, 30))
OFFSETS = st.integers(-57_599, 57_599).map(lambda seconds: timezone(timedelta(seconds=seconds)))
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def integers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def ranges(bounds: st.SearchStrategy[Any]) -> st.SearchStrategy[Range[Any]]:
    pairs = st.lists(bounds, min_size=2, max_size=2, unique=True).map(sorted)
    return pairs.map(lambda pair: Range(*pair)) | st.just(Range(empty=True)) | st.just(Range())


class Kind(NamedTuple):
    """A type, and what values of it are like when they are read."""

    name: str
    values: st.SearchStrategy[Any]
    sent: Callable[[Any], Any] = lambda value: value
    """Makes what is sent of a value."""


BASIC = [
    Kind("bool", st.booleans()),
    *(Kind(f"int{bits // 8}", integers(bits)) for bits in (16, 32, 64)),
    Kind("numeric", NUMERIC),
    Kind("float4", st.floats(width=32)),
    Kind("float8", st.floats()),
    Kind("text", TEXT),
    Kind("varchar", TEXT),
    Kind("name", ASCII),
    Kind("bytea", st.binary(max_size=20)),
    Kind("date", DATES),
    Kind("time", st.times().map(unfolded)),
    Kind("timetz", st.times(timezones=OFFSETS).map(unfolded)),
    Kind("timestamp", DATETIMES),
    Kind("timestamptz", DATETIMES.map(lambda value: value.replace(tzinfo=UTC))),
    Kind("interval", st.timedeltas(timedelta(-(10**6)), timedelta(10**6))),
    Kind("uuid", st.uuids()),
    Kind("json", DOCUMENTS, Json),
    Kind("jsonb", DOCUMENTS, Jsonb),
    Kind("inet", st.ip_addresses()),
    Kind("cidr", st.integers(0, 2**32).map(lambda number: IPv6Network((number << 96, 32)))),
    Kind("macaddr", st.just("08:00:2b:01:02:03")),
    Kind("varbit", st.text("01", max_size=20).map(Bits)),
    Kind("point", st.builds(Point, FLOATS, FLOATS)),
    Kind("circle", st.builds(Circle, st.builds(Point, FLOATS, FLOATS), st.floats(0, 10))),
    Kind("pg_lsn", st.integers(0, 2**64 - 1).map(Lsn)),
    Kind("tid", st.builds(Tid, st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1))),
    Kind("int4range", ranges(integers(32))),
    Kind("numrange", ranges(NUMERIC.filter(lambda number: not number.is_nan()))),
    Kind("daterange", ranges(DATES)),
    Kind("tsrange", ranges(DATETIMES)),
    Kind(
        "int8multirange",
        ranges(integers(64)).map(lambda one: Multirange([one] * (not one.isempty))),
    ),
]


def array_of(kind: Kind) -> Kind:
    items = st.lists(st.none() | kind.values, min_size=1, max_size=3)
    values = st.just([]) | items | items.map(lambda line: [line, line])

    def sent(value: Any) -> Any:
        if isinstance(value, list):
            return [sent(item) for item in value]
        return None if value is None else kind.sent(value)

    return Kind(f"{kind.name}[]", values, sent)


class Composite:
    """A composite type of random fields; its values are tuples until they are sent."""

    def __init__(self, name: str, fields: list[Kind]):
        self.name, self.fields = name, fields
        self.python_type: Any = None

    def make(self, cur: psycopg3.Cursor[Any]) -> None:
        fields = ", ".join(f"f{i} {kind.name}" for i, kind in enumerate(self.fields))
        cur.execute(f"create type pg_temp.{self.name} as ({fields})".encode())
        info = CompositeInfo.fetch(cur.connection, f"pg_temp.{self.name}")
        assert info is not None
        register_composite(info, cur)
        self.python_type = info.python_type

    @property
    def kind(self) -> Kind:
        values = st.tuples(*(st.none() | kind.values for kind in self.fields))
        return Kind(f"pg_temp.{self.name}", values, self._sent)

    def _sent(self, value: tuple[Any, ...]) -> Any:
        fields = zip(self.fields, value, strict=True)
        return self.python_type(*(None if v is None else kind.sent(v) for kind, v in fields))


@st.composite
def schemas(draw: st.DrawFn) -> tuple[list[Kind], list[Composite], list[tuple[Any, ...]]]:
    """Kinds of columns, the composites among them, and rows."""
    composites: list[Composite] = []

    def kind(depth: int) -> Kind:
        shape = draw(st.integers(0, 5)) if depth else 0
        if shape == 5:
            fields = [kind(depth - 1) for _ in range(draw(st.integers(1, 3)))]
            composites.append(Composite(f"made{len(composites)}", fields))
            return composites[-1].kind
        if shape == 4:
            inner = kind(depth - 1)
            return inner if inner.name.endswith("[]") else array_of(inner)
        return draw(st.sampled_from(BASIC))

    kinds = [kind(3) for _ in range(draw(st.integers(1, 4)))]
    row = st.tuples(*(st.none() | kind.values for kind in kinds))
    return kinds, composites, draw(st.lists(row, min_size=1, max_size=3))


def plain(value: Any) -> Any:
    """The value, its named tuples of composites as tuples; jsonb has an order of its own."""
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if type(value) is tuple or type(value).__name__.startswith("made"):
        return tuple(plain(item) for item in value)
    return value


@pytest.fixture(scope="module")
def conn(dsn: str) -> Iterator[psycopg3.Connection[Any]]:
    with psycopg3.connect(dsn, options="-c timezone=UTC") as made:
        register_values(made)
        yield made
        made.rollback()


def write(cur: psycopg3.Cursor[Any], way: str, sent: list[list[Any]]) -> None:
    """Write rows into the table `made`."""
    marks = ", ".join([way if way.startswith("%") else "%s"] * len(sent[0]))
    insert = f"insert into made values ({marks})".encode()
    if way == "executemany":
        cur.executemany(insert, sent)
    elif way.startswith("%"):
        for row in sent:
            cur.execute(insert, row)
    else:
        with cur.copy(f"copy made from stdin (format {way})".encode()) as copy:
            copy.write_rows(sent)


def read(cur: psycopg3.Cursor[Any], way: str, types: list[int]) -> list[tuple[Any, ...]]:
    """Read the rows of the table `made`."""
    if way in ("text", "binary"):
        with cur.copy(f"copy made to stdout (format {way})".encode()) as copy:
            copy.set_types(types)
            return [tuple(row) for row in copy.rows()]
    return cur.execute("table made", binary=way == "select binary").fetchall()


@pytest.mark.slow
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(schema=schemas())
def test_every_way_in_and_out(
    conn: psycopg3.Connection[Any],
    schema: tuple[list[Kind], list[Composite], list[tuple[Any, ...]]],
) -> None:
    kinds, composites, records = schema
    conn.rollback()
    cur = conn.cursor()
    for composite in composites:
        composite.make(cur)
    columns = ", ".join(f"c{i} {kind.name}" for i, kind in enumerate(kinds))
    cur.execute(f"create temp table made ({columns})".encode())
    sent = [
        [None if v is None else kind.sent(v) for kind, v in zip(kinds, row, strict=True)]
        for row in records
    ]
    cur.execute("table made")
    types = [column.type_code for column in cur.description or ()]
    expected, texts = repr([*map(plain, records)]), set()
    for way in ("%s", "%t", "executemany", "text", "binary"):
        cur.execute("truncate made")
        write(cur, way, sent)
        for out in ("select text", "select binary", "text", "binary"):
            assert repr([*map(plain, read(cur, out, types))]) == expected, (way, out)
        texts.add(str(cur.execute("select made::text from made").fetchall()))
    assert len(texts) == 1
    cur.execute("table made")
    for factory in SHAPES:
        cur.row_factory = factory
        cur.scroll(0, mode="absolute")
        shaped: list[Any] = cur.fetchall()
        values = [row.values() if isinstance(row, Mapping) else row for row in shaped]
        assert repr([plain(tuple(row)) for row in values]) == expected
