"""UUIDs through a real server, and what broken ones do."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import TYPE_CHECKING
from uuid import UUID, SafeUUID, uuid4

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from psycopg3._oids import UUID_OID
from psycopg3.adapt import Format, PyFormat, Transformer
from psycopg3.errors import DataError

if TYPE_CHECKING:
    from tests.types.conftest import Bare

FORMATS = [(format, result) for format in PyFormat for result in Format]


def loaded(data: bytes, format: Format) -> object:
    transformer = Transformer()
    transformer.set_loader_types([UUID_OID], format)
    return transformer.load_sequence([data])[0]


@settings(max_examples=100, deadline=None)
@given(value=st.uuids(allow_nil=True), format=st.sampled_from(FORMATS))
@example(value=UUID(int=2**128 - 1), format=FORMATS[0])
@example(value=UUID(int=1), format=FORMATS[2])
def test_round_trip(shared: Bare, value: UUID, format: tuple[PyFormat, Format]) -> None:
    query = "select $1, pg_typeof($1)::text, $1::text"
    row = shared.row(query, (value,), format=format[0], result=format[1])
    assert row == (value, "uuid", str(value))


def test_auto_is_binary() -> None:
    dumper = Transformer().get_dumper(uuid4(), PyFormat.AUTO)
    assert (dumper.format, dumper.oid) == (Format.BINARY, UUID_OID)


@pytest.mark.parametrize("result", Format)
def test_what_is_loaded_is_a_whole_uuid(shared: Bare, result: Format) -> None:
    value = uuid4()
    (got,) = shared.row("select $1", (value,), result=result)
    assert type(got) is UUID
    assert got.is_safe is SafeUUID.unknown
    assert (hash(got), got.hex, got.version) == (hash(value), value.hex, 4)
    assert pickle.loads(pickle.dumps(got)) == value


class Tagged(UUID):
    def __str__(self) -> str:
        return "tag"


@pytest.mark.parametrize("format", PyFormat)
def test_subclasses_are_uuids(shared: Bare, format: PyFormat) -> None:
    value = Tagged(int=5)
    assert shared.row("select $1", (value,), format=format) == (UUID(int=5),)


def test_literal(shared: Bare) -> None:
    value = uuid4()
    assert shared.row(f"select {shared.literal(value)}") == (value,)


@pytest.mark.parametrize("format", Format)
@settings(max_examples=300)
@given(
    data=st.binary(max_size=40)
    | st.binary(min_size=16, max_size=16)
    | st.text("0123456789abcdefABCDEF-x_ +", max_size=40).map(str.encode)
    | st.from_regex(rb"\w{8}-\w{4}-\w{4}-\w{4}-\w{12}", fullmatch=True)
)
def test_any_bytes_are_a_value_or_a_data_error(format: Format, data: bytes) -> None:
    try:
        value = loaded(data, format)
    except DataError as ex:
        assert "uuid" in str(ex)
    else:
        assert isinstance(value, UUID)
        assert 0 <= value.int < 2**128


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("data", [b"", b"0" * 31, b"0" * 33, b"g" * 32, b"\xff" * 17])
def test_broken_ones_are_data_errors(format: Format, data: bytes) -> None:
    with pytest.raises(DataError, match="uuid"):
        loaded(data, format)


def test_the_module_waits_until_there_is_a_uuid() -> None:
    code = """if 1:
        import sys, psycopg3.postgres
        from psycopg3.adapt import Transformer
        assert not {"json", "logging", "uuid", "zoneinfo"} & set(sys.modules)
        Transformer().get_loader(2950, 0)
        assert "uuid" in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)
