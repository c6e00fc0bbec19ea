"""JSON through a real server, with functions of one's own, and what broken JSON does."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from psycopg3._oids import JSON_OID, JSONB_OID
from psycopg3.adapt import AdaptersMap, Format, PyFormat, Transformer
from psycopg3.errors import DataError, ProgrammingError
from psycopg3.postgres import adapters
from psycopg3.types import json as family
from psycopg3.types.json import (
    Json,
    Jsonb,
    JsonbBinaryDumper,
    JsonbDumper,
    set_json_dumps,
    set_json_loads,
)

if TYPE_CHECKING:
    from tests.types.conftest import Bare

FORMATS = [(format, result) for format in PyFormat for result in Format]
WRAPPERS = [Json, Jsonb]

# jsonb refuses a NUL; json keeps the digits of a number, jsonb its value.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(-1e9, 1e9) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def dumped(value: Any, format: PyFormat, context: Any = None) -> bytes:
    (data,) = Transformer(context).dump_sequence([value], [format])
    assert data is not None
    return bytes(data)


def loaded(oid: int, data: bytes, format: Format, context: Any = None) -> Any:
    transformer = Transformer(context)
    transformer.set_loader_types([oid], format)
    return transformer.load_sequence([data])[0]


@pytest.fixture
def everywhere() -> Iterator[None]:
    """Let a test set the functions of every connection."""
    yield
    family._custom_dumps = family._custom_loads = None


# -- round trips ---------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(value=values, wrapper=st.sampled_from(WRAPPERS), format=st.sampled_from(FORMATS))
@example(value=None, wrapper=Jsonb, format=FORMATS[0])
@example(value="\U0001f600 \\ \" '", wrapper=Json, format=FORMATS[-1])
def test_round_trip(
    shared: Bare, value: Any, wrapper: type, format: tuple[PyFormat, Format]
) -> None:
    query = "select $1, pg_typeof($1)::text"
    row = shared.row(query, (wrapper(value),), format=format[0], result=format[1])
    assert row == (value, wrapper.__name__.lower())


@pytest.mark.parametrize("result", Format)
def test_blanks_around_are_no_matter(shared: Bare, result: Format) -> None:
    assert shared.row("select E' \\n[1, 2]\\t'::json", result=result) == ([1, 2],)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_auto_is_text(wrapper: type) -> None:
    assert Transformer().get_dumper(wrapper(1), PyFormat.AUTO).format == Format.TEXT


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_literal(shared: Bare, wrapper: type) -> None:
    value = {"it's": ["\\", '"']}
    assert shared.row(f"select {shared.literal(wrapper(value))}") == (value,)


def test_wrappers_show_what_they_wrap() -> None:
    assert repr(Json({"a": 1})) == "Json({'a': 1})"
    text = repr(Jsonb(list(range(1000))))
    assert text.startswith("Jsonb([0, 1, 2")
    assert text.endswith("(4890 characters))")
    assert len(text) < 80


@pytest.mark.parametrize("dumper", [JsonbDumper, JsonbBinaryDumper])
def test_any_class_may_be_sent_as_json(bare: Bare, dumper: type) -> None:
    bare.adapters.register_dumper(dict, dumper)
    query = "select $1 -> 'a', pg_typeof($1)::text"
    assert bare.row(query, ({"a": [1]},)) == ([1], "jsonb")


# -- encodings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("format", "result"), FORMATS)
@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1", "SJIS", "SQL_ASCII"])
def test_encodings(
    bare: Bare, encoding: str, wrapper: type, format: PyFormat, result: Format
) -> None:
    bare.command(f"set client_encoding to '{encoding}'")
    value = {"ascii": "a"} | ({"ソ": "表"} if encoding in ("SJIS", "UTF8") else {"\xe8": "\xe0"})

    def as_str(obj: Any) -> str:
        return json.dumps(obj, ensure_ascii=False)

    def as_bytes(obj: Any) -> bytes:
        return as_str(obj).encode()

    for dumps in (json.dumps, as_str, as_bytes):
        row = bare.row("select $1", (wrapper(value, dumps),), format=format, result=result)
        assert row == (value,)
    set_json_loads(lambda data: json.loads(bytes(data).decode("utf-8")), bare)  # type: ignore[arg-type]
    assert bare.row("select $1", (wrapper(value),), format=format, result=result) == (value,)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_character_that_the_encoding_has_not_is_a_data_error(bare: Bare, wrapper: type) -> None:
    bare.command("set client_encoding to 'LATIN1'")
    with pytest.raises(DataError, match="client encoding iso8859-1 can't write"):
        bare.row("select $1", (wrapper("€", partial(json.dumps, ensure_ascii=False)),))


# -- what can't be JSON --------------------------------------------------------------------------


@pytest.mark.parametrize("format", PyFormat)
def test_a_nul_is_a_data_error(format: PyFormat) -> None:
    with pytest.raises(DataError, match="NUL"):
        dumped(Json(1, lambda _: '"a\0"'), format)
    with pytest.raises(DataError, match="NUL"):
        dumped(Json(1, lambda _: b'"a\0"'), format)


def test_what_contains_itself_is_a_data_error() -> None:
    looped: list[Any] = []
    looped.append(looped)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (looped, deep):
        with pytest.raises(DataError, match="list that can't be JSON"):
            dumped(Jsonb(value), PyFormat.TEXT)


def test_what_json_has_not_is_the_type_error_of_the_function() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        dumped(Json(object()), PyFormat.TEXT)


def test_a_function_that_writes_something_else() -> None:
    with pytest.raises(ProgrammingError, match="got a dict .*expected str or bytes"):
        dumped(Json({}, lambda obj: obj), PyFormat.TEXT)


# -- functions of one's own ----------------------------------------------------------------------


def loud(obj: Any) -> str:
    return json.dumps({"loud": obj})


def louder(obj: Any) -> bytes:
    return json.dumps({"louder": obj}).encode()


@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_dumps_by_wrapper_context_and_everywhere(
    bare: Bare, everywhere: None, wrapper: type, format: PyFormat
) -> None:
    def got(value: Any, *dumps: Any) -> Any:
        return bare.row("select $1", (wrapper(value, *dumps),), format=format)[0]

    assert got(1) == 1
    assert got(1, loud) == {"loud": 1}
    set_json_dumps(louder)
    assert got(1) == {"louder": 1}
    set_json_dumps(loud, bare)
    assert got(1) == {"loud": 1}
    assert got(1, louder) == {"louder": 1}
    assert b"louder" in dumped(wrapper(1), format)


@pytest.mark.parametrize("result", Format)
@pytest.mark.parametrize("name", ["json", "jsonb"])
def test_loads_by_context_and_everywhere(
    bare: Bare, everywhere: None, name: str, result: Format
) -> None:
    query = f"select '[1.5]'::{name}"
    given_data = []

    def spy(data: str | bytes) -> Any:
        given_data.append(data)
        return "spied"

    set_json_loads(spy)
    assert bare.row(query, result=result) == ("spied",)
    assert given_data == [b"[1.5]"]
    set_json_loads(partial(json.loads, parse_float=Decimal), bare)
    (got,) = bare.row(query, result=result)
    assert (got, type(got[0])) == ([Decimal("1.5")], Decimal)
    assert loaded(JSON_OID, b"[1.5]", Format.TEXT) == "spied"


def test_a_context_may_change_its_mind() -> None:
    context = AdaptersMap(adapters)
    for dumps in (loud, louder, loud):
        set_json_dumps(dumps, context)
        assert dumped(Json(1), PyFormat.AUTO, context) == json.dumps(json.loads(dumps(1))).encode()
    assert len(context.get_dumper(Json, PyFormat.TEXT).__mro__) == 1 + len(
        adapters.get_dumper(Json, PyFormat.TEXT).__mro__
    )
    assert dumped(Json(1), PyFormat.AUTO) == b"1"


def test_the_format_chosen_for_auto_is_kept() -> None:
    context = AdaptersMap(adapters)
    context.register_dumper(Jsonb, JsonbBinaryDumper)
    set_json_dumps(loud, context)
    assert dumped(Jsonb(1), PyFormat.AUTO, context) == b'\x01{"loud": 1}'


def test_a_dumper_of_the_users_stays_underneath() -> None:
    class Sorted(JsonbDumper):
        def dump(self, obj: Any) -> bytes:
            return super().dump(obj) + b" "

    context = AdaptersMap(adapters)
    context.register_dumper(Jsonb, Sorted)
    set_json_dumps(loud, context)
    assert dumped(Jsonb(1), PyFormat.TEXT, context) == b'{"loud": 1} '


def test_functions_are_forgotten_with_their_context() -> None:
    class Function:
        def __call__(self, obj: Any) -> str:
            return json.dumps(obj)

    dumps, loads = Function(), Function()
    alive = weakref.ref(dumps), weakref.ref(loads)
    context = AdaptersMap(adapters)
    set_json_dumps(dumps, context)
    set_json_loads(loads, context)
    assert dumped(Json(1), PyFormat.TEXT, context) == b"1"
    del context, dumps, loads
    gc.collect()
    assert [ref() for ref in alive] == [None, None]


# -- broken values -------------------------------------------------------------------------------

JSON_LIKE = st.binary(max_size=30) | st.text('[]{}",:0123456789.eE-truefalsn \\u', max_size=30).map(
    str.encode
)


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("oid", [JSON_OID, JSONB_OID])
@settings(max_examples=300)
@given(data=JSON_LIKE | JSON_LIKE.map(lambda data: b"\1" + data))
def test_any_bytes_are_a_value_or_a_data_error(oid: int, format: Format, data: bytes) -> None:
    try:
        value = loaded(oid, data, format)
    except DataError as ex:
        assert "json" in str(ex)
    else:
        assert value is None or isinstance(value, bool | int | float | str | list | dict)


@pytest.mark.parametrize("data", [b"", b"1", b"\x001", b"\x021"])
def test_the_version_of_jsonb_is_checked(data: bytes) -> None:
    with pytest.raises(DataError, match="version 1"):
        loaded(JSONB_OID, data, Format.BINARY)


@pytest.mark.parametrize("mark", [b"[", b'{"a":'])
def test_nesting_without_end_is_a_data_error(mark: bytes) -> None:
    with pytest.raises(DataError, match="nested too deeply"):
        loaded(JSON_OID, mark * 200_000, Format.TEXT)
    with pytest.raises(DataError, match="nested too deeply"):
        loaded(JSONB_OID, b"\1" + mark * 200_000, Format.BINARY)
