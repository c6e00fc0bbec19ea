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
from psycopg3.query import BoundQuery, RequestKind, bind, command, known_query
from psycopg3.styles import bind_literals, bind_raw


def parse(query):
    return known_query(query, True)


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
    known = parse(query)
    assert (known.text, known.formats, known.names) == (text, formats, names)


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
    st.text(alphabet=st.characters(exclude_characters="%\0", codec="utf-8"), max_size=8),
    st.just("%%"),
)
_names = st.text(
    alphabet=st.characters(exclude_characters=")%\0", codec="utf-8"), min_size=1, max_size=5
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


def test_what_is_known_is_found_out_once():
    assert parse("select %s, 'kept'") is parse("select %s, 'kept'")
    assert parse("select 'kept'") is not known_query("select 'kept'", False)
    assert parse(b"select 'kept'") is not parse("select 'kept'")


def test_long_queries_are_not_kept():
    query = "select %s" + " " * 5000
    assert parse(query) is not parse(query)


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


def test_the_kind_of_a_request():
    tx = Transformer()
    assert bind("select 1", None, tx).kind is RequestKind.SIMPLE
    assert bind("select 1", (), tx).kind is RequestKind.SIMPLE
    assert bind("select 1", None, tx, result_format=1).kind is RequestKind.PARAMS
    assert bind("select %s", (1,), tx).kind is RequestKind.PARAMS


def test_a_command_of_the_driver():
    bound = command(b"COMMIT")
    assert (bound.kind, bound.query, bound.values) == (RequestKind.SIMPLE, b"COMMIT", None)
    assert (bound.name, bound.result_format, bound.lengths) == (b"", 0, None)


def test_lengths_are_for_binary_values_only():
    tx = Transformer()
    assert bind("%t, %s", (1, None), tx).lengths is None
    bound = bind("%s, %s, %b", ("abc", None, b"\0\1"), tx)
    assert (bound.values, bound.lengths) == ([b"abc", None, b"\0\1"], [3, 0, 2])
    assert list(bound.formats) == [0, 0, 1]


@pytest.mark.parametrize("params", [None, ()])
@pytest.mark.parametrize("query", ["select '\0'", b"select '\0'", "select '\xe9\0'"])
def test_a_nul_in_a_query_is_refused(query, params):
    with pytest.raises(psycopg3.DataError, match="query.*NUL"):
        bind(query, params, Transformer())


def _written(made, format=0):
    """A context in which ints are dumped as `made`."""
    from psycopg3.adapt import AdaptersMap, Dumper, Format

    class Given(Dumper):
        def dump(self, obj):
            return made

    Given.format = Format(format)
    adapters = AdaptersMap(psycopg3.adapters)
    adapters.register_dumper(int, Given)
    return Transformer(adapters)


@pytest.mark.parametrize("made", [bytearray(b"abc"), memoryview(b"abc"), memoryview(b"abc")[:]])
@pytest.mark.parametrize("format", [0, 1])
def test_values_are_bytes_whatever_the_dumper_makes(made, format):
    bound = bind("%s", [1], _written(made, format))
    assert (bound.values, type(bound.values[0])) == ([b"abc"], bytes)
    assert bound.lengths == ([3] if format else None)


def test_a_nul_in_a_text_value_is_refused():
    with pytest.raises(psycopg3.DataError, match=r"parameter \$1.*NUL"):
        bind("%s", [1], _written(b"a\0"))
    with pytest.raises(psycopg3.DataError, match=r"parameter \$2.*NUL"):
        bind("%s, %s", [b"\0", 1], _written(b"a\0"))
    assert bind("%s", [1], _written(b"a\0", 1)).values == [b"a\0"]


def test_what_is_no_bytes_is_refused():
    with pytest.raises(TypeError, match=r"parameter \$1.*str"):
        bind("%s", [1], _written("abc"))


@pytest.mark.parametrize(
    "query, params, which",
    [
        ("%s, %s", [1, object()], r"\$2"),
        ("%s, %t", [1, "a\0"], r"\$2"),
        ("%s", [[1, "a"]], r"\$1"),
        ("%(a)s, %(b)s, %(a)s", {"a": 1, "b": object()}, r"%\(b\)s"),
        ("%(a)s, %(b)t", {"b": "a\0", "a": 1}, r"%\(b\)s"),
    ],
)
@pytest.mark.parametrize("bind", [bind, bind_literals])
def test_errors_name_the_parameter(bind, query, params, which):
    with pytest.raises(psycopg3.Error, match=rf"^parameter {which}: [^p]"):
        bind(query, params, Transformer())


def test_errors_name_the_parameter_of_a_raw_query():
    with pytest.raises(psycopg3.Error, match=r"^parameter \$2: cannot"):
        bind_raw("$2, $1", [1, object()], Transformer(), 0)


@pytest.mark.parametrize("names", [False, True])
def test_errors_of_others_have_a_note(names):
    def broken(obj):
        raise LookupError("not this")

    class Broken(psycopg3.adapt.Dumper):
        def dump(self, obj):
            return broken(obj)

    adapters = psycopg3.adapt.AdaptersMap(psycopg3.adapters)
    adapters.register_dumper(complex, Broken)
    query, params, which = "%s, %s", [1, 1j], "$2"
    if names:
        query, params, which = "%(a)s, %(b)s", {"a": 1, "b": 1j}, "%(b)s"
    with pytest.raises(LookupError) as info:
        bind(query, params, Transformer(adapters))
    assert info.value.args == ("not this",)
    assert info.value.__notes__ == [f"raised by parameter {which} of the query"]


def test_values_have_a_greatest_length(monkeypatch):
    monkeypatch.setattr("psycopg3.pq.arguments.LONGEST", 100_000)
    bind("%s", [1], _written(b"a" * 60_000))
    with pytest.raises(psycopg3.DataError, match="parameters of 120000 bytes together"):
        bind("%s,%s", [1, 1], _written(b"a" * 60_000))
    with pytest.raises(psycopg3.DataError, match=r"parameter \$1"):
        bind("%s", [1], _written(b"a" * 100_001))
    with pytest.raises(psycopg3.DataError, match="query"):
        bind("select 'long'" + " " * 100_000, None, Transformer())


def test_every_encoding_writes_ascii_as_it_is():
    """What `KnownQuery` builds upon; PostgreSQL reads bytes below 128 so in all of them."""
    from psycopg3 import encodings

    ascii = "".join(map(chr, range(128)))
    for codec in encodings._PYTHON_CODECS.values():
        # Python's differ in two characters, which the server doesn't take for others.
        exempt = "\\~" if codec in ("shift_jis_2004", "euc_jis_2004") else ""
        text = "".join(c for c in ascii if c not in exempt)
        assert text.encode(codec) == text.encode("ascii"), codec


def test_a_query_of_a_connection_with_another_encoding(conn):
    conn.execute("set client_encoding to latin1")
    bound = bind("select '\xe9', %s", [1], Transformer(conn))
    assert bound.query == b"select '\xe9', $1"
    conn.execute("set client_encoding to utf8")
    assert bind("select '\xe9', %s", [1], Transformer(conn)).query == "select '\xe9', $1".encode()


def test_requests_are_made_without_parameters_too():
    assert BoundQuery(b"select 1").kind is RequestKind.SIMPLE
