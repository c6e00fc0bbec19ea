"""Placeholders, and the binding of parameters to them."""

from __future__ import annotations

import re
from collections import UserDict, UserList

import pytest
from hypothesis import given
from hypothesis import strategies as st

import psycopg3
from psycopg3.abc import PyFormat
from psycopg3.adapt import Transformer
from psycopg3.query import bind, parse

S, T, B = PyFormat.AUTO, PyFormat.TEXT, PyFormat.BINARY


@pytest.mark.parametrize(
    "query, text, formats, names",
    [
        ("select 1", "select 1", (), None),
        ("select %s", "select $1", (S,), None),
        ("%s%t%b", "$1$2$3", (S, T, B), None),
        ("%%s %%%s%%", "%s %$1%", (S,), None),
        ("%(a)s, %(b)t, %(a)s", "$1, $2, $1", (S, T), ("a", "b")),
        ("%(a b-c)s", "$1", (S,), ("a b-c",)),
        ("%(é)s", "$1", (S,), ("é",)),
        ("a\n%s\nb", "a\n$1\nb", (S,), None),
    ],
)
def test_parse(query, text, formats, names):
    assert parse(query) == (text, formats, names)


@pytest.mark.parametrize(
    "query, says",
    [
        ("select %x", "'%x'"),
        ("select %", "write %%"),
        ("like 'a% b'", "'% '"),
        ("%(a)x", "'%(a)x'"),
        ("%(a)", "'%(a)'"),
        ("%()s", "'%()s'"),
        ("%(a", "not closed"),
        ("%s %(a)s", "mixes"),
        ("%(a)s %s", "mixes"),
        ("%(a)s %(a)b", "same format"),
    ],
)
def test_malformed(query, says):
    with pytest.raises(psycopg3.ProgrammingError, match=re.escape(says)):
        parse(query)


_pieces = st.one_of(
    st.text(alphabet=st.characters(exclude_characters="%", codec="utf-8"), max_size=8),
    st.just("%%"),
)
_names = st.text(
    alphabet=st.characters(exclude_characters=")%", codec="utf-8"), min_size=1, max_size=5
)


@given(st.lists(st.tuples(_pieces, st.sampled_from("stb")), max_size=12), _pieces)
def test_positional_by_composition(parts, tail):
    """A query made of literal pieces and placeholders parses into just these."""
    parsed = parse("".join(f"{piece}%{letter}" for piece, letter in parts) + tail)
    unescaped = [piece.replace("%%", "%") for piece, _ in parts]
    assert parsed.text == "".join(
        f"{piece}${i}" for i, piece in enumerate(unescaped, 1)
    ) + tail.replace("%%", "%")
    assert parsed.formats == tuple(PyFormat(letter) for _, letter in parts)
    assert parsed.names is None


@given(st.lists(st.tuples(_pieces, _names), min_size=1, max_size=12))
def test_named_by_composition(parts):
    """A repeated name keeps its first number; names come in the order of their numbers."""
    parsed = parse("".join(f"{piece}%({name})s" for piece, name in parts))
    order = list(dict.fromkeys(name for _, name in parts))
    assert list(parsed.names) == order
    assert parsed.text == "".join(
        piece.replace("%%", "%") + f"${order.index(name) + 1}" for piece, name in parts
    )


@given(st.text(alphabet="%()stbx a", max_size=20))
def test_any_text_parses_or_is_refused(query):
    try:
        parsed = parse(query)
    except psycopg3.ProgrammingError:
        return
    if parsed.names is None:
        assert len(parsed.formats) == len(re.findall("%[stb]", query.replace("%%", "")))


def test_long_queries_are_not_kept():
    from psycopg3.query import _parse_cached

    before = _parse_cached.cache_info().currsize
    parse("select %s" + " " * 5000)
    assert _parse_cached.cache_info().currsize == before


def test_too_many_placeholders():
    with pytest.raises(psycopg3.ProgrammingError, match="65535"):
        parse("%s" * 65536)


def test_without_parameters_a_percent_sign_is_itself():
    bound = bind("select '%s' % 1", None, Transformer())
    assert bound.query == b"select '%s' % 1"
    assert bound.values is None


def test_with_empty_parameters_a_percent_sign_is_doubled():
    assert bind("select '%%'", (), Transformer()).query == b"select '%'"


def test_bytes_pass_whatever_their_encoding():
    bound = bind(b"select '\xe8\xff', %s", ["x"], Transformer())
    assert bound.query == b"select '\xe8\xff', $1"


@pytest.mark.parametrize("params", [[1, 2], (1, 2), UserList([1, 2]), range(1, 3)])
def test_sequences(params):
    bound = bind("%s, %s", params, Transformer())
    assert bound.query == b"$1, $2"
    assert len(bound.values) == len(bound.types) == len(bound.formats) == 2


@pytest.mark.parametrize("kind", [dict, UserDict])
def test_mappings(kind):
    bound = bind("%(b)t, %(a)t", kind(a="1", b="2", unused="3"), Transformer())
    assert [bytes(v) for v in bound.values] == [b"2", b"1"]


def test_a_mapping_may_make_up_its_values():
    class Inventive(dict):
        def __missing__(self, key):
            return key * 2

    assert bind("%(ab)t", Inventive(), Transformer()).values == [b"abab"]


@pytest.mark.parametrize(
    "query, params, says",
    [
        ("select %s", [], "1 placeholders but 0"),
        ("select %s", [1, 2], "1 placeholders but 2"),
        ("select 1", [1], "0 placeholders but 1"),
        ("select %(a)s, %(b)s", {"b": 1}, "lack a value for a"),
        ("select %(a)s", [1], "pass a mapping"),
        ("select %s", {"a": 1}, "pass a sequence"),
        ("select %s", "x", "[value]"),
        ("select %s", b"x", "[value]"),
        ("select %s", 1, "[value]"),
        ("select %s", {1}, "[value]"),
        (None, None, "NoneType"),
        (42, [1], "int"),
    ],
)
def test_misfits(query, params, says):
    with pytest.raises(psycopg3.ProgrammingError, match=re.escape(says)):
        bind(query, params, Transformer())


def test_what_cannot_be_encoded_is_refused():
    with pytest.raises(psycopg3.DataError, match="encoding"):
        bind("select '\ud800'", None, Transformer())


def test_none_is_null():
    bound = bind("%s, %b", [None, None], Transformer())
    assert bound.values == [None, None]
    assert list(bound.types) == [0, 0]
