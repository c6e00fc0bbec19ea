"""What libpq may be given: kinds, NULs, lengths, each refused before libpq sees it, and fast."""

from __future__ import annotations

import array
import mmap
import time
from collections.abc import Callable, Iterator

import pytest

from psycopg3 import pq
from psycopg3.errors import DataError
from psycopg3.pq import arguments

LIMIT = 1 << 30


@pytest.fixture(scope="module")
def huge() -> Iterator[memoryview]:
    """1 GiB of which no byte is ever touched."""
    with mmap.mmap(-1, LIMIT) as memory, memoryview(memory) as view:
        yield view


@pytest.fixture(scope="module")
def huge_bytes() -> bytes:
    """1 GiB of bytes, of which the system gives no page until it is read."""
    return bytes(LIMIT)


Call = Callable[[pq.PGconn, "memoryview | bytes"], object]
CALLS: list[Call] = [
    lambda conn, data: conn.exec_(data),
    lambda conn, data: conn.send_query(data),
    lambda conn, data: conn.exec_params(data, None),
    lambda conn, data: conn.exec_params(b"select $1", [data]),
    lambda conn, data: conn.exec_params(b"select $1, $2", [b"", data], None, [0, 1]),
    lambda conn, data: conn.prepare(b"", data),
    lambda conn, data: conn.exec_prepared(b"", [data]),
    lambda conn, data: conn.put_copy_data(data),
    lambda conn, data: conn.put_copy_end(data),
    lambda conn, data: pq.Escaping(conn).escape_literal(data),
    lambda conn, data: pq.Escaping(conn).escape_bytea(data),
    lambda conn, data: pq.Conninfo.parse(data),
]


@pytest.mark.parametrize("call", CALLS)
def test_a_gibibyte_is_refused(
    pgconn: pq.PGconn, huge: memoryview, huge_bytes: bytes, call: Call
) -> None:
    for data in (huge, huge_bytes):
        start = time.monotonic()
        with pytest.raises(DataError, match="got 1073741824 bytes.*1073741823"):
            call(pgconn, data)
        assert time.monotonic() - start < 0.1


def test_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert arguments.LONGEST == LIMIT - 1
    monkeypatch.setattr(arguments, "LONGEST", 10)
    assert arguments.data(b"x" * 10, "it") == b"x" * 10
    for data in (b"x" * 11, bytearray(11), memoryview(array.array("q", [1, 2]))):
        with pytest.raises(DataError, match=r"^it: got 1\d bytes, PostgreSQL takes 10 "):
            arguments.data(data, "it")
    with pytest.raises(DataError, match=r"\$2: got 11 bytes"):
        arguments.parameters([b"x", b"y" * 11], None, None)
    with pytest.raises(DataError, match="parameters of 12 bytes together"):
        arguments.parameters([b"x" * 6, None, b"y" * 6], None, None)
    assert arguments.parameters([b"x" * 5, None, b"y" * 5], None, None)


def test_any_memory_will_do() -> None:
    numbers = array.array("i", [1, 2, 3])
    assert arguments.data(memoryview(numbers), "it") == numbers.tobytes()
    assert arguments.data(memoryview(b"abcdef")[::2], "it") == b"ace"
    assert arguments.data(bytearray(b"abc"), "it") == b"abc"
    same = b"abc"
    assert arguments.data(same, "it") is same


def test_subclasses_of_bytes() -> None:
    class Bytes(bytes):
        pass

    assert type(arguments.data(Bytes(b"abc"), "it")) is bytes
    assert arguments.parameters([Bytes(b"abc")], None, None) == ([b"abc"], None)


@pytest.mark.parametrize("wrong", ["text", 5, None, [b"x"], object()])
def test_other_kinds(wrong: object) -> None:
    with pytest.raises(TypeError, match=f"^it: got {type(wrong).__name__}, expected bytes"):
        arguments.data(wrong, "it")  # type: ignore[arg-type]


def test_nul() -> None:
    with pytest.raises(DataError, match="^it: got a NUL byte at offset 2"):
        arguments.text(b"ab\0c", "it")
    with pytest.raises(DataError, match=r"^parameter \$2: got a NUL byte at offset 0"):
        arguments.parameters([b"", b"\0"], None, None)
    with pytest.raises(DataError, match=r"^parameter \$2: got a NUL byte"):
        arguments.parameters([b"\0", b"\0"], None, [1, 0])
    assert arguments.parameters([b"\0", None, b"ab"], None, [1, 0, 0]) == (
        [b"\0", None, b"ab"],
        [1, 0, 2],
    )


def test_lengths_only_where_libpq_wants_them() -> None:
    assert arguments.parameters([b"a", None], [25, 25], [0, 0]) == ([b"a", None], None)
    assert arguments.parameters([], None, None) == ([], None)
