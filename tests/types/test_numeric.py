"""Numbers through a real server, and what broken ones do."""

from __future__ import annotations

import decimal
import enum
import math
import struct
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from psycopg3 import _oids
from psycopg3.adapt import Format, PyFormat, Transformer
from psycopg3.errors import DataError
from psycopg3.types import numeric
from psycopg3.types.numeric import Float4, Float8, Int2, Int4, Int8, IntNumeric, Oid

if TYPE_CHECKING:
    from tests.types.conftest import Bare

FORMATS = [(format, result) for format in PyFormat for result in Format]
formats = st.sampled_from(FORMATS)
# As many as the server takes. PyPy's decimals are ints, which take no more from text.
DIGITS = 131072 if sys.implementation.name == "cpython" else sys.get_int_max_str_digits()
any_length = pytest.mark.skipif(DIGITS < 131072, reason="PyPy's decimals are ints")
on_server = settings(max_examples=100, deadline=None)


def dumped(value: Any, format: PyFormat) -> bytes:
    (data,) = Transformer().dump_sequence([value], [format])
    assert data is not None
    return bytes(data)


def loaded(oid: int, data: bytes, format: Format) -> Any:
    transformer = Transformer()
    transformer.set_loader_types([oid], format)
    return transformer.load_sequence([data])[0]


# -- int -----------------------------------------------------------------------------------------

POWERS = [sign * 2**bits for bits in (15, 31, 63) for sign in (1, -1)]
EDGES = [0, 10**40, -(10**40), *(power + step for power in POWERS for step in (-1, 0, 1))]


def type_of(value: int) -> str:
    for name, bits in (("integer", 31), ("bigint", 63)):
        if -(2**bits) <= value < 2**bits:
            return name
    return "numeric"


@pytest.mark.parametrize(("format", "result"), FORMATS)
@pytest.mark.parametrize("value", EDGES)
def test_int_takes_integer_or_the_next_larger_type(
    shared: Bare, value: int, format: PyFormat, result: Format
) -> None:
    query = "select $1, pg_typeof($1)::text"
    assert shared.row(query, (value,), format=format, result=result) == (value, type_of(value))


@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("$1 + $1", "60000"),
        ("int4range(1, 40000) @> $1", "true"),
        ("(select max(n) from generate_series(29998, $1) n)", "30000"),
        ("date '2020-01-01' + $1", "2102-02-20"),
        ("json '[1]' -> $1", None),
        ("left('abc', $1)", "abc"),
        ("30000::smallint = $1", "true"),
    ],
)
def test_what_smallint_and_bigint_would_break(
    shared: Bare, format: PyFormat, expression: str, result: str | None
) -> None:
    assert shared.row(f"select ({expression})::text", (30_000,), format=format) == (result,)


@on_server
@given(value=st.integers() | st.integers(-(2**70), 2**70), format=formats)
def test_int_round_trip(shared: Bare, value: int, format: tuple[PyFormat, Format]) -> None:
    (got,) = shared.row("select $1", (value,), format=format[0], result=format[1])
    assert got == value
    assert type(got) is (Decimal if type_of(value) == "numeric" else int)


@any_length
@pytest.mark.parametrize("format", PyFormat)
def test_int_beyond_the_digits_that_python_writes(shared: Bare, format: PyFormat) -> None:
    value = -(10**5000)
    (got,) = shared.row("select $1", (value,), format=format)
    assert got == value


class Colour(enum.IntEnum):
    RED = 70_000

    def __str__(self) -> str:
        return "red"


class Shouting(int):
    def __repr__(self) -> str:
        return "AAH"

    __str__ = __repr__


@pytest.mark.parametrize(("format", "result"), FORMATS)
@pytest.mark.parametrize("value", [Colour.RED, Shouting(-3)])
def test_subclasses_of_int_are_their_value(
    shared: Bare, value: int, format: PyFormat, result: Format
) -> None:
    (got,) = shared.row("select $1", (value,), format=format, result=result)
    assert got == int(value)
    assert type(got) is int


@pytest.mark.parametrize(("format", "result"), FORMATS)
@pytest.mark.parametrize(
    ("wrapper", "type"),
    [
        (Int2, "smallint"),
        (Int4, "integer"),
        (Int8, "bigint"),
        (IntNumeric, "numeric"),
        (Oid, "oid"),
        (Float4, "real"),
        (Float8, "double precision"),
    ],
)
def test_wrappers_choose_the_type(
    shared: Bare, wrapper: type, type: str, format: PyFormat, result: Format
) -> None:
    query = "select $1, pg_typeof($1)::text"
    assert shared.row(query, (wrapper(42),), format=format, result=result) == (42, type)


def test_wrappers_are_numbers_that_show_what_they_are() -> None:
    assert (repr(Int2(-5)), str(Int2(-5)), Int2(-5) + 1) == ("Int2(-5)", "-5", -4)
    assert (repr(Float4(1.5)), str(Float4(1.5)), Float4(1.5) * 2) == ("Float4(1.5)", "1.5", 3.0)


@pytest.mark.parametrize("format", [PyFormat.AUTO, PyFormat.BINARY])
@pytest.mark.parametrize(
    "value", [Int2(2**15), Int4(-(2**31) - 1), Int8(2**63), Oid(-1), Oid(2**32), Float4(1e39)]
)
def test_a_wrapper_too_small_is_a_data_error(value: object, format: PyFormat) -> None:
    with pytest.raises(DataError, match=r"does not fit|got 1e\+39"):
        dumped(value, format)


def test_oid_is_unsigned(shared: Bare) -> None:
    for format, result in FORMATS:
        row = shared.row("select $1", (Oid(2**32 - 1),), format=format, result=result)
        assert row == (2**32 - 1,)


# -- float ---------------------------------------------------------------------------------------


@on_server
@given(value=st.floats(), format=formats)
@example(value=5e-324, format=FORMATS[0])
@example(value=-0.0, format=FORMATS[-1])
def test_float_round_trip(shared: Bare, value: float, format: tuple[PyFormat, Format]) -> None:
    query = "select $1, pg_typeof($1)::text"
    got, type = shared.row(query, (value,), format=format[0], result=format[1])
    assert type == "double precision"
    if math.isnan(value):
        assert math.isnan(got)
    else:
        assert struct.pack("!d", got) == struct.pack("!d", value)


@on_server
@given(value=st.floats(width=32, allow_nan=False), format=formats)
def test_float4_round_trip(shared: Bare, value: float, format: tuple[PyFormat, Format]) -> None:
    (got,) = shared.row("select $1", (Float4(value),), format=format[0], result=format[1])
    assert struct.pack("!d", got) == struct.pack("!d", value)  # not only the same real


class Scalar(float):
    def __repr__(self) -> str:
        return f"library.Scalar({float(self)})"

    __str__ = __repr__


@pytest.mark.parametrize("format", PyFormat)
def test_subclasses_of_float_are_their_value(shared: Bare, format: PyFormat) -> None:
    assert shared.row("select $1", (Scalar(1.5),), format=format) == (1.5,)


def test_numeric_may_be_loaded_as_float(bare: Bare) -> None:
    bare.adapters.register_loader("numeric", numeric.FloatLoader)
    (got,) = bare.row("select 1.25::numeric")
    assert (got, type(got)) == (1.25, float)


# -- Decimal -------------------------------------------------------------------------------------

decimals = st.builds(
    lambda sign, digits, exponent: Decimal((sign, tuple(map(int, str(digits))), exponent)),
    st.integers(0, 1),
    st.integers(0, 10**60),
    st.integers(-60, 60) | st.integers(-min(16_383, DIGITS - 1072), DIGITS - 1072),
)


@on_server
@given(value=decimals, format=formats)
@example(value=Decimal("0.00"), format=FORMATS[-1])
@example(value=Decimal("-0"), format=FORMATS[-1])
@example(value=Decimal(f"1E-{min(16383, DIGITS - 1)}"), format=FORMATS[-1])
@example(value=Decimal("9" * DIGITS), format=FORMATS[-1])
@example(value=Decimal(f"1E+{DIGITS - 1}"), format=FORMATS[-1])
@example(value=Decimal("10000.00010000"), format=FORMATS[-1])
@example(value=Decimal("0.00010"), format=FORMATS[-1])
def test_decimal_round_trip(shared: Bare, value: Decimal, format: tuple[PyFormat, Format]) -> None:
    query = "select $1, pg_typeof($1)::text"
    got, type = shared.row(query, (value,), format=format[0], result=format[1])
    assert type == "numeric"
    assert got == value
    # The decimals shown are part of the value; the server knows no others, and no minus zero.
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    assert got.as_tuple().exponent == min(exponent, 0)
    assert not (got.is_zero() and got.is_signed())


@on_server
@given(value=decimals)
def test_decimal_in_binary_is_what_the_server_itself_writes(shared: Bare, value: Decimal) -> None:
    (sent,) = shared.row("select numeric_send($1::text::numeric)", (f"{value:f}",))
    assert dumped(value, PyFormat.BINARY) == sent


@pytest.mark.parametrize(("format", "result"), FORMATS)
@pytest.mark.parametrize("value", ["NaN", "-NaN", "sNaN", "NaN123", "Infinity", "-Infinity"])
def test_decimal_specials(shared: Bare, value: str, format: PyFormat, result: Format) -> None:
    (got,) = shared.row("select $1", (Decimal(value),), format=format, result=result)
    assert str(got) == ("NaN" if "NaN" in value else value)


@pytest.mark.parametrize("value", ["1E+131072", "1E-16384", "0E-16384", "1E+999999999"])
def test_decimal_that_no_numeric_holds_is_a_data_error(value: str) -> None:
    with pytest.raises(DataError, match="numeric holds up to"):
        dumped(Decimal(value), PyFormat.BINARY)


def test_loading_is_exact_whatever_the_context(shared: Bare) -> None:
    with decimal.localcontext() as context:
        context.prec = 3
        for result in Format:
            row = shared.row("select 123456789.123456789::numeric", result=result)
            assert row == (Decimal("123456789.123456789"),)


# -- literals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (0, "0"),
        (42, "42"),
        (-42, " -42"),
        (-(2**70), f" {-(2**70)}"),
        (Int2(-5), " -5"),
        (Oid(4), "4"),
        (Colour.RED, "70000"),
        (1.5, "1.5"),
        (-1.5, " -1.5"),
        (-0.0, " -0.0"),
        (1e300, "1e+300"),
        (math.nan, "'NaN'::float8"),
        (math.inf, "'Infinity'::float8"),
        (-math.inf, "'-Infinity'::float8"),
        (Float4(-math.inf), "'-Infinity'::float4"),
        (Decimal("1.50"), "1.50"),
        (Decimal("-1.50"), " -1.50"),
        (Decimal("1E+2"), "1E+2"),
        (Decimal("-NaN"), "'NaN'::numeric"),
        (Decimal("Infinity"), "'Infinity'::numeric"),
        (Decimal("-Infinity"), "'-Infinity'::numeric"),
    ],
)
def test_literal(shared: Bare, value: Any, literal: str) -> None:
    assert shared.literal(value) == literal


@pytest.mark.parametrize("value", [-1, -1.5, Decimal("-1.5"), Int8(-1)])
def test_minus_a_negative_literal_is_no_comment(shared: Bare, value: Any) -> None:
    (got,) = shared.row(f"select 1 -{shared.literal(value)}")
    assert got == 1 - value


# -- broken values -------------------------------------------------------------------------------

LOADED = [
    (_oids.INT2_OID, "int2"),
    (_oids.INT4_OID, "int4"),
    (_oids.INT8_OID, "int8"),
    (_oids.OID_OID, "oid"),
    (_oids.FLOAT4_OID, "float4"),
    (_oids.FLOAT8_OID, "float8"),
    (_oids.NUMERIC_OID, "numeric"),
]

number_like = st.binary(max_size=24) | st.text("0123456789+-.eE nafNi_", max_size=24).map(
    str.encode
)


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize(("oid", "name"), LOADED)
@settings(max_examples=300)
@given(data=number_like)
def test_any_bytes_are_a_value_or_a_data_error(
    oid: int, name: str, format: Format, data: bytes
) -> None:
    try:
        value = loaded(oid, data, format)
    except DataError as ex:
        assert name in str(ex)
    else:
        assert isinstance(value, int | float | Decimal)


@settings(max_examples=200)
@given(value=decimals, data=st.data())
def test_mutants_of_numeric_are_a_value_or_a_data_error(
    value: Decimal, data: st.DataObject
) -> None:
    mutant = bytearray(dumped(value, PyFormat.BINARY)[:400])
    for _ in range(data.draw(st.integers(1, 4))):
        mutant[data.draw(st.integers(0, len(mutant) - 1))] = data.draw(st.integers(0, 255))
    try:
        got = loaded(_oids.NUMERIC_OID, bytes(mutant), Format.BINARY)
    except DataError:
        return
    assert isinstance(got, Decimal)


@pytest.mark.parametrize(
    ("oid", "size"),
    [
        (_oids.INT2_OID, 2),
        (_oids.INT4_OID, 4),
        (_oids.INT8_OID, 8),
        (_oids.OID_OID, 4),
        (_oids.FLOAT4_OID, 4),
        (_oids.FLOAT8_OID, 8),
    ],
)
def test_binary_numbers_of_another_size_are_data_errors(oid: int, size: int) -> None:
    for wrong in (0, size - 1, size + 1, 100):
        with pytest.raises(DataError):
            loaded(oid, b"\0" * wrong, Format.BINARY)


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!HhHH", 1, 0, 0, 0),  # a group is announced, none follows
        struct.pack("!HhHHH", 0, 0, 0, 0, 7),  # none is announced, one follows
        struct.pack("!HhHH", 0, 0, 0x1234, 0),  # no such sign
        struct.pack("!HhH", 0, 0, 0),
    ],
)
def test_binary_numeric_that_lies_is_a_data_error(data: bytes) -> None:
    with pytest.raises(DataError, match="numeric"):
        loaded(_oids.NUMERIC_OID, data, Format.BINARY)


@any_length
def test_binary_numeric_of_extreme_weight_is_quick() -> None:
    # What a hostile server can announce at most, in eight bytes.
    for weight in (-0x8000, 0x7FFF):
        data = struct.pack("!HhHHH", 1, weight, 0x4000, 0xFFFF, 9999)
        assert isinstance(loaded(_oids.NUMERIC_OID, data, Format.BINARY), Decimal)


@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("wrapper", [Int2, Int4, Int8, IntNumeric, Oid, Float4, Float8])
def test_loaders_read_any_buffer(wrapper: type, format: Format, buffer: Any) -> None:
    transformer = Transformer()
    dumper = transformer.get_dumper(wrapper(7), PyFormat.from_pq(format))
    data = dumper.dump(wrapper(7))
    assert transformer.get_loader(dumper.oid, format).load(buffer(data)) == 7


@pytest.mark.parametrize("format", Format)
def test_a_numeric_asked_for_by_its_type_takes_every_number(format: Format) -> None:
    transformer = Transformer()
    transformer.set_dumper_types([_oids.NUMERIC_OID], format)
    transformer.set_loader_types([_oids.NUMERIC_OID], format)
    for value in (Decimal("2.50"), Decimal("-1e5"), 2, -(2**70), 0.1, True, IntNumeric(3)):
        expected = Decimal(repr(value)) if isinstance(value, float) else value
        dumped = [bytes(data) for data in transformer.dump_sequence([value], []) if data]
        assert transformer.load_sequence(dumped) == (expected,)
    for wrong in ("x", [1], None.__class__):
        with pytest.raises(DataError, match="numeric"):
            transformer.dump_sequence([wrong], [])
