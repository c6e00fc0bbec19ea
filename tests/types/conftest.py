"""A bare connection to send values through, in every format there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import psycopg3
from psycopg3 import pq
from psycopg3.adapt import AdaptersMap, Format, PyFormat, Transformer
from psycopg3.postgres import adapters, register_values


class Bare:
    """As much of a connection as adaptation needs, over libpq's own."""

    def __init__(self, dsn: str) -> None:
        self.pgconn = pq.PGconn.connect(dsn.encode())
        assert self.pgconn.status == pq.ConnStatus.OK, self.pgconn.get_error_message()
        self.pgconn.notice_handler = None
        self.adapters = AdaptersMap(adapters)
        self.transformer = Transformer(self)

    @property
    def connection(self) -> Bare:
        return self

    @property
    def closed(self) -> bool:
        return self.pgconn.status == pq.ConnStatus.BAD

    def row(
        self,
        query: str,
        params: tuple[Any, ...] = (),
        *,
        format: PyFormat = PyFormat.AUTO,
        result: Format = Format.TEXT,
    ) -> tuple[Any, ...]:
        """Run a query of one row; its placeholders are $1, $2 ..."""
        transformer = self.transformer = Transformer(self)
        values = transformer.dump_sequence(params, [format] * len(params))
        got = self.pgconn.exec_params(
            query.encode(transformer.text_encoding),
            values,
            transformer.types or (),
            transformer.formats or (),
            result,
        )
        assert got.status == pq.ExecStatus.TUPLES_OK, got.get_error_message()
        transformer.set_pgresult(got)
        (row,) = transformer.load_rows(0, got.ntuples, tuple)
        return tuple(row)

    def literal(self, obj: Any) -> str:
        """What `obj` is as a literal of this connection."""
        return self.transformer.as_literal(obj).decode(self.transformer.text_encoding)

    def command(self, query: str) -> None:
        """Run a command."""
        got = self.pgconn.exec_(query.encode())
        assert got.status == pq.ExecStatus.COMMAND_OK, got.get_error_message()


@pytest.fixture(scope="module")
def shared(dsn: str) -> Iterator[Bare]:
    """A connection for the tests of a module that leave its settings alone."""
    bare = Bare(dsn)
    yield bare
    bare.pgconn.finish()


@pytest.fixture
def bare(dsn: str) -> Iterator[Bare]:
    """A connection of the test's own."""
    bare = Bare(dsn)
    yield bare
    bare.pgconn.finish()


FORMATS = [(format, binary) for format in PyFormat for binary in (False, True)]


class Types:
    """A connection with types of its own, which are gone with it."""

    def __init__(self, dsn: str, *commands: str) -> None:
        self.conn = psycopg3.connect(dsn, autocommit=True)
        self.conn.execute("set search_path to pg_temp, public")
        for command in commands:
            self.conn.execute(command.encode())

    def row(self, query: str, params: Any = None, *, binary: bool = False) -> tuple[Any, ...]:
        """The one row of a query."""
        (row,) = self.conn.execute(query.encode(), params, binary=binary).fetchall()
        return row

    def both(self, expression: str) -> Any:
        """An expression's value, which is the same in both formats."""
        (text,) = self.row(f"select {expression}")
        (binary,) = self.row(f"select {expression}", binary=True)
        assert text == binary
        assert type(text) is type(binary)
        return text

    def sent(self, value: Any, name: str) -> Iterator[Any]:
        """A value that went to the server and back as a type, in each format."""
        for format, binary in FORMATS:
            yield self.row(f"select %{format.value}::{name}", [value], binary=binary)[0]


@pytest.fixture(scope="module")
def valued(dsn: str) -> Iterator[Bare]:
    """A connection for the tests of a module that reads values where str is the default."""
    bare = Bare(dsn)
    register_values(bare)
    yield bare
    bare.pgconn.finish()
