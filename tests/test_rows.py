"""Row factories, on results of a real server."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psycopg3 import DataError, InterfaceError, ProgrammingError, pq, rows

FACTORIES = [
    rows.tuple_row,
    rows.dict_row,
    rows.namedtuple_row,
    rows.record_row,
    rows.scalar_row,
    rows.args_row(lambda *args: args),
    rows.kwargs_row(lambda **kwargs: kwargs),
    rows.class_row(dict),
]


class FakeConnection:
    """A connection, as far as row factories look at it."""

    def __init__(self, pgconn: pq.PGconn) -> None:
        self.pgconn = pgconn


class FakeCursor:
    """A cursor, as far as row factories look at it."""

    def __init__(self, pgconn: pq.PGconn, pgresult: pq.PGresult | None) -> None:
        self.connection = FakeConnection(pgconn)
        self.pgresult = pgresult


class FakeResult:
    """A result with columns of any names."""

    def __init__(self, *names: str, status: pq.ExecStatus = pq.ExecStatus.TUPLES_OK) -> None:
        self.names = names
        self.nfields = len(names)
        self.status = status

    def fname(self, column: int) -> bytes:
        return self.names[column].encode()


class FakePGconn:
    """A libpq connection that reports an encoding."""

    def __init__(self, encoding: bytes = b"UTF8") -> None:
        self.encoding = encoding

    def parameter_status(self, name: bytes, /) -> bytes:
        return self.encoding


@pytest.fixture
def conn(dsn: str) -> Iterator[pq.PGconn]:
    conn = pq.PGconn.connect(dsn.encode())
    assert conn.status == pq.ConnStatus.OK, conn.error_message
    yield conn
    conn.finish()


def cursor(conn: pq.PGconn, query: str) -> Any:
    result = conn.exec_(query.encode())
    assert result.status != pq.ExecStatus.FATAL_ERROR, result.error_message
    return FakeCursor(conn, result)


def named(*names: str) -> Any:
    return FakeCursor(FakePGconn(), FakeResult(*names))  # type: ignore[arg-type]


QUERY = "select 1 as one, 2 as two"


def test_tuple_row(conn: pq.PGconn) -> None:
    assert rows.tuple_row(cursor(conn, QUERY)) is tuple
    assert rows.tuple_row(cursor(conn, "select")) is tuple


def test_dict_row(conn: pq.PGconn) -> None:
    make = rows.dict_row(cursor(conn, QUERY))
    assert make((1, 2)) == {"one": 1, "two": 2}
    assert list(make([3, None])) == ["one", "two"]
    assert make([3, None]) is not make([3, None])


def test_dict_row_of_the_same_names(conn: pq.PGconn) -> None:
    assert rows.dict_row(cursor(conn, "select 1 as a, 2 as a"))((1, 2)) == {"a": 2}


def test_namedtuple_row(conn: pq.PGconn) -> None:
    make = rows.namedtuple_row(cursor(conn, QUERY))
    row: Any = make((1, 2))
    assert (row.one, row.two) == (1, 2)
    assert row == (1, 2)
    assert row._fields == ("one", "two")
    assert repr(row) == "Row(one=1, two=2)"
    other: Any = rows.namedtuple_row(cursor(conn, QUERY))((1, 2))
    assert type(other) is type(row)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("?column?", "f_column_"),
        ("a b", "a_b"),
        ("_x", "f_x"),
        ("1a", "f1a"),
        ("class", "class_"),
        ("None", "None_"),
        ("é", "é"),
        ("日本", "日本"),
        ("x²", "x2"),
        ("\N{LATIN SMALL LIGATURE FI}", "fi"),
        ("a\N{COMBINING ACUTE ACCENT}", "á"),
        ("\N{COMBINING ACUTE ACCENT}", "f\N{COMBINING ACUTE ACCENT}"),
        ("€", "f_"),
        ("", "f"),
    ],
)
def test_namedtuple_fields(name: str, field: str) -> None:
    row: Any = rows.namedtuple_row(named(name))([1])
    assert row._fields == (field,)
    assert getattr(row, field) == 1


@given(st.text(max_size=8))
def test_namedtuple_takes_any_name(name: str) -> None:
    row: Any = rows.namedtuple_row(named(name.encode("utf-8", "replace").decode()))([1])
    assert row[0] == 1
    namespace = {"row": row}
    assert eval(f"row.{row._fields[0]}", namespace) == 1


def test_namedtuple_of_the_same_names(conn: pq.PGconn) -> None:
    for query in ("select 1 as a, 2 as a", "select 1, 2", 'select 1 as "a b", 2 as "a-b"'):
        with pytest.raises(DataError, match="name them apart, with AS"):
            rows.namedtuple_row(cursor(conn, query))


def test_scalar_row(conn: pq.PGconn) -> None:
    make = rows.scalar_row(cursor(conn, QUERY))
    assert make((1, 2)) == 1
    assert make((None, 2)) is None
    with pytest.raises(ProgrammingError, match="at least one is needed"):
        rows.scalar_row(cursor(conn, "select"))


@dataclasses.dataclass
class Pair:
    one: int
    two: int = 0


def test_class_row(conn: pq.PGconn) -> None:
    assert rows.class_row(Pair)(cursor(conn, QUERY))((1, 2)) == Pair(1, 2)
    assert rows.class_row(Pair)(cursor(conn, "select 1 as one"))([1]) == Pair(1)
    make = rows.class_row(Pair)(cursor(conn, "select 1 as three"))
    with pytest.raises(TypeError, match="three"):
        make([1])


@pytest.mark.parametrize("no_class", [lambda: None, 1, "Pair", Pair(1)])
def test_class_row_takes_a_class(no_class: Any) -> None:
    with pytest.raises(TypeError, match="class_row takes a class"):
        rows.class_row(no_class)


def test_args_row(conn: pq.PGconn) -> None:
    make = rows.args_row(max)(cursor(conn, QUERY))
    assert make((1, 2)) == 2


def test_kwargs_row(conn: pq.PGconn) -> None:
    make = rows.kwargs_row(lambda one, two: (two, one))(cursor(conn, QUERY))
    assert make((1, 2)) == (2, 1)
    assert rows.kwargs_row(dict)(cursor(conn, 'select 1 as "a b"'))([1]) == {"a b": 1}


def test_rows_without_columns(conn: pq.PGconn) -> None:
    empty = cursor(conn, "select")
    assert rows.tuple_row(empty)([]) == ()
    assert rows.dict_row(empty)([]) == {}
    assert rows.namedtuple_row(empty)([]) == ()
    assert rows.args_row(lambda: 7)(empty)([]) == 7
    assert rows.kwargs_row(lambda: 7)(empty)([]) == 7


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("query", ["set timezone to 'UTC'", "", "create temp table rows_t ()"])
def test_no_rows(conn: pq.PGconn, factory: Any, query: str) -> None:
    assert factory(cursor(conn, query)) is rows.no_result


@pytest.mark.parametrize("factory", FACTORIES)
def test_no_result(conn: pq.PGconn, factory: Any) -> None:
    make = factory(FakeCursor(conn, None))
    assert make is rows.no_result
    with pytest.raises(InterfaceError, match="no result"):
        make([])


@pytest.mark.parametrize("factory", FACTORIES)
def test_described_portal(conn: pq.PGconn, factory: Any) -> None:
    """A description has columns, though its status is that of a command."""
    conn.exec_(b"begin")
    conn.exec_(b"declare rows_c cursor for select 1 as one")
    result = conn.describe_portal(b"rows_c")
    assert result.status == pq.ExecStatus.COMMAND_OK
    row = factory(FakeCursor(conn, result))([1])
    assert row in ((1,), 1, {"one": 1})


@pytest.mark.parametrize("factory", FACTORIES)
def test_single_rows(conn: pq.PGconn, factory: Any) -> None:
    conn.send_query(b"select 1 as one")
    conn.set_single_row_mode()
    result = conn.get_result()
    assert result is not None
    assert result.status == pq.ExecStatus.SINGLE_TUPLE
    assert factory(FakeCursor(conn, result))([1]) in ((1,), 1, {"one": 1})


def test_names_in_the_connections_encoding(conn: pq.PGconn) -> None:
    conn.exec_(b"set client_encoding to latin9")
    result = conn.exec_('select 1 as "prix_€"'.encode("iso8859-15"))
    described: Any = FakeCursor(conn, result)
    assert rows.dict_row(described)([1]) == {"prix_€": 1}
    row: Any = rows.namedtuple_row(described)([1])
    assert row._fields == ("prix__",)


@pytest.mark.parametrize("raw", ["é".encode(), b"\xe9"])
def test_names_of_unknown_encoding(raw: bytes) -> None:
    result = FakeResult("x")
    result.fname = lambda column: raw  # type: ignore[method-assign]
    described: Any = FakeCursor(FakePGconn(b"SQL_ASCII"), result)  # type: ignore[arg-type]
    assert rows.dict_row(described)([1]) == {raw.decode("utf-8", "replace"): 1}


def record(conn: pq.PGconn, query: bytes, *values: Any) -> rows.Record:
    made: rows.Record = rows.record_row(cursor(conn, query.decode()))(values)  # type: ignore[arg-type]
    return made


def test_records(conn: pq.PGconn) -> None:
    row = record(conn, b"select 1 as one, 'b' as \"two words\"", 1, "b")
    assert (row[0], row["one"], row[-1], row["two words"]) == (1, 1, "b", "b")
    assert row == (1, "b")
    assert (row[:1], hash(row), len(row), list(row)) == ((1,), hash((1, "b")), 2, [1, "b"])
    assert dict(row) == dict(row.items()) == {"one": 1, "two words": "b"}
    assert list(row.keys()) == ["one", "two words"]
    assert list(row.values()) == [1, "b"]
    assert "one" in row
    assert 1 not in row
    assert (row.get("one"), row.get("three"), row.get("three", 3)) == (1, None, 3)
    assert repr(row) == "<Record one=1 two words='b'>"
    with pytest.raises(KeyError, match="three"):
        row["three"]
    with pytest.raises(IndexError):
        row[2]
    one, two = row
    assert (one, two) == (1, "b")


def test_records_of_columns_of_one_name(conn: pq.PGconn) -> None:
    row = record(conn, b"select 1 as a, 2 as a", 1, 2)
    assert (row["a"], list(row.items())) == (2, [("a", 1), ("a", 2)])


def test_records_of_the_same_columns_have_one_class(conn: pq.PGconn) -> None:
    row = record(conn, b"select 1 as a", 1)
    assert type(row) is type(record(conn, b"select 2 as a", 2))
    assert type(row) is not type(record(conn, b"select 2 as b", 2))
    copied = pickle.loads(pickle.dumps(row))
    assert (type(copied), copied, copied["a"]) == (type(row), row, 1)


def test_rows_pickle() -> None:
    assert pickle.loads(pickle.dumps(rows.dict_row)) is rows.dict_row


def test_factories_are_generic() -> None:
    assert rows.RowMaker[rows.DictRow]
    assert rows.BaseRowFactory[rows.DictRow]
    assert rows.RowFactory[rows.DictRow]
    assert rows.AsyncRowFactory[rows.DictRow]
