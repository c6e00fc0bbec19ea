"""NumPy's scalars and arrays through a real server."""

from __future__ import annotations

import random
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psycopg3.adapt import AdaptersMap, Dumper, Format, PyFormat, Transformer
from psycopg3.errors import DataError
from psycopg3.postgres import adapters, types
from psycopg3.types.numpy import register_numpy

if TYPE_CHECKING:
    from tests.types.conftest import Bare

np: Any = pytest.importorskip("numpy")

FORMATS = [(format, result) for format in PyFormat for result in Format]
INTEGERS = {
    "int8": "smallint",
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "longlong": "bigint",
    "uint8": "smallint",
    "uint16": "integer",
    "uint32": "bigint",
    "uint64": "numeric",
    "ulonglong": "numeric",
}
FLOATS = {"float16": "real", "float32": "real", "float64": "double precision"}


def loading_context() -> AdaptersMap:
    context = AdaptersMap(adapters)
    register_numpy(context)
    return context


@pytest.fixture
def loading(bare: Bare) -> Bare:
    """A connection that reads arrays as ndarrays."""
    register_numpy(bare)
    return bare


@pytest.mark.parametrize(("name", "sent_as"), INTEGERS.items())
@pytest.mark.parametrize("format", PyFormat)
def test_integers(shared: Bare, name: str, sent_as: str, format: PyFormat) -> None:
    limits = np.iinfo(getattr(np, name))
    for value in (limits.min, limits.max, 1):
        scalar = getattr(np, name)(value)
        row = shared.row("select $1, pg_typeof($1)::text, $2", (scalar, [scalar]), format=format)
        assert row == (value, sent_as, [value])
        assert shared.row(
            f"select {shared.literal(scalar)}, 1 -{shared.literal(scalar)}::numeric"
        ) == (
            value,
            1 - Decimal(value),
        )


@pytest.mark.parametrize(("name", "sent_as"), FLOATS.items())
@pytest.mark.parametrize("format", PyFormat)
def test_floats(shared: Bare, name: str, sent_as: str, format: PyFormat) -> None:
    cls = getattr(np, name)
    for number in (0.1, -0.0, np.finfo(cls).max, np.finfo(cls).smallest_subnormal, "inf", "nan"):
        value = cls(number)
        query = "select $1, pg_typeof($1)::text, $2, $1::text"
        got, shown, array, text = shared.row(query, (value, [value]), format=format)
        np.testing.assert_array_equal([cls(got), cls(array[0]), cls(text)], [value] * 3)
        assert shown == sent_as
        np.testing.assert_array_equal(cls(shared.row(f"select {shared.literal(value)}")[0]), value)


@pytest.mark.parametrize("format", PyFormat)
def test_bool(shared: Bare, format: PyFormat) -> None:
    query = "select $1, $2, pg_typeof($1)::text"
    params = (np.bool_(True), [np.bool_(False), None])
    assert shared.row(query, params, format=format) == (True, [False, None], "boolean")


# -- arrays --------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(data=st.data(), format=st.sampled_from(FORMATS))
def test_arrays(shared: Bare, data: st.DataObject, format: tuple[PyFormat, Format]) -> None:
    name = data.draw(st.sampled_from([*INTEGERS, *FLOATS, "bool"]))
    dtype = np.dtype(name)
    size = data.draw(st.integers(0, 30))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    array = np.frombuffer(rng.bytes(size * dtype.itemsize), dtype)
    if name == "bool":
        array = rng.integers(0, 2, size).astype(bool)
    if data.draw(st.booleans()):
        array = array.astype(dtype.newbyteorder())[::-2]  # of foreign order, and not in a row
    row = shared.row("select $1, pg_typeof($1)::text", (array,), format=format[0], result=format[1])
    np.testing.assert_array_equal(np.array(row[0], dtype), array)
    assert row[1] == {**INTEGERS, **FLOATS, "bool": "boolean"}[name] + "[]"


@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize("shape", [(2, 3), (1, 1, 1), (2, 0), (1,) * 6])
def test_dimensions(shared: Bare, shape: tuple[int, ...], format: PyFormat) -> None:
    array = np.arange(np.prod(shape)).reshape(shape)
    (got,) = shared.row("select $1", (array,), format=format)
    assert got == (array.tolist() if array.size else [])


@pytest.mark.parametrize("format", PyFormat)
def test_masked_elements_are_null(shared: Bare, format: PyFormat) -> None:
    for dtype in ("int32", "float32", "bool"):
        array = np.ma.array([1, 0, 1], mask=[False, True, False], dtype=dtype)
        assert shared.row("select $1", (array,), format=format) == ([1, None, 1],)


@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize(
    "array",
    [
        np.array(["a"]),
        np.array([1, None]),
        np.array([1j]),
        np.array(["2020-01-01"], "datetime64[D]"),
        np.array([(1, 2)], "i4,i4"),
        np.array(5),
        np.zeros((1,) * 7),
    ],
)
def test_what_is_no_array_of_the_server_is_a_data_error(
    shared: Bare, array: Any, format: PyFormat
) -> None:
    with pytest.raises(DataError, match="numpy array"):
        shared.row("select $1", (array,), format=format)
    assert shared.row("select 1") == (1,)


def test_literal(shared: Bare) -> None:
    array = np.array([1.5, np.nan, -np.inf])
    query = f"select {shared.literal(array)}, pg_typeof({shared.literal(array)})::text"
    got, name = shared.row(query)
    np.testing.assert_array_equal(got, array)
    assert name == "double precision[]"


def test_a_dumper_of_somebody_else_is_taken_instead(bare: Bare) -> None:
    """As of pgvector, which registers one by name."""

    class VectorDumper(Dumper):
        def dump(self, obj: Any) -> bytes:
            return str(obj.tolist()).encode()

    class VectorBinaryDumper(VectorDumper):
        format = Format.BINARY

    for dumper in (VectorDumper, VectorBinaryDumper):
        bare.adapters.register_dumper("numpy.ndarray", dumper)
    transformer = Transformer(bare)
    found = [type(transformer.get_dumper(np.array([1]), format)) for format in PyFormat]
    assert found == [VectorBinaryDumper, VectorDumper, VectorBinaryDumper]


# -- loaded --------------------------------------------------------------------------------------


@pytest.mark.parametrize("result", Format)
@pytest.mark.parametrize(
    ("name", "elements"),
    [
        ("int2", [-32768, 32767]),
        ("int4", [-(2**31), 2**31 - 1]),
        ("int8", [-(2**63), 2**63 - 1]),
        ("float4", [0.5, float("nan"), float("inf")]),
        ("float8", [0.1, -0.0, 5e-324]),
        ("bool", [True, False]),
    ],
)
def test_loaded(loading: Bare, name: str, elements: list[Any], result: Format) -> None:
    dtype = {"int2": "i2", "int4": "i4", "int8": "i8", "float4": "f4", "float8": "f8"}.get(
        name, "?"
    )
    for shape in ((-1,), (1, -1), (-1, 1)):
        nested = np.array(elements).reshape(shape).tolist()
        (got,) = loading.row(f"select $1::{name}[]", (nested,), result=result)
        np.testing.assert_array_equal(got, np.array(nested, dtype))
        assert (got.dtype, got.shape) == (np.dtype(dtype), np.array(nested).shape)
        assert got.flags.writeable
    (empty,) = loading.row(f"select '{{}}'::{name}[]", result=result)
    assert (empty.dtype, empty.shape) == (np.dtype(dtype), (0,))
    row = loading.row(
        f"select ($1::{name}[] || null::{name}) , '[0:0]={{1}}'::{name}[]",
        (elements,),
        result=result,
    )
    assert row[0].tolist()[-1] is None
    assert (row[1].tolist(), row[1].dtype) == ([1], np.dtype(dtype))


@pytest.mark.parametrize("name", ["int4", "float8", "bool"])
@pytest.mark.parametrize("format", Format)
def test_broken_payloads(shared: Bare, name: str, format: Format) -> None:
    rng = random.Random(name)
    transformer = Transformer(loading_context())
    transformer.set_loader_types([types[name].array_oid], format)
    got = shared.pgconn.exec_params(f"select '{{1,0,1,0}}'::{name}[]".encode(), [], (), (), format)
    payload = bytes(got.get_value(0, 0) or b"")
    for _ in range(500):
        place = rng.randrange(len(payload) + 1)
        end = place + rng.randrange(5)
        mutant = payload[:place] + rng.randbytes(rng.randrange(5)) + payload[end:]
        try:
            (value,) = transformer.load_sequence([mutant])
        except DataError as ex:
            assert name in str(ex)
        else:
            assert isinstance(value, np.ndarray)


def test_the_module_waits_until_it_is_there() -> None:
    code = """if 1:
        import sys, psycopg3
        psycopg3.types.numpy.register_numpy(psycopg3.adapters)
        assert "numpy" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)
