"""Values of the server's own types, and void, refcursor, "char" and names of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from psycopg3._oids import CHAR_OID, OID8_OID, REGCLASS_OID, REGDATABASE_OID, VOID_OID
from psycopg3.adapt import Format, PyFormat, Transformer
from psycopg3.errors import DataError, ProgrammingError
from psycopg3.postgres import types
from psycopg3.types.system import Lsn, Tid, Xid8

if TYPE_CHECKING:
    from tests.types.conftest import Bare


@pytest.mark.parametrize("result", Format)
def test_void_is_none(shared: Bare, result: Format) -> None:
    assert shared.row("select pg_sleep(0), 1", result=result) == (None, 1)
    transformer = Transformer()
    transformer.set_loader_types([VOID_OID], result)
    with pytest.raises(DataError, match="void"):
        transformer.load_sequence([b"x"])


def test_names_of_objects_are_their_oids_in_binary(shared: Bare) -> None:
    query = "select 'pg_class'::regclass, 'int4'::regtype, 0::regclass, '{pg_class}'::regclass[]"
    assert shared.row(query) == ("pg_class", "integer", "-", ["pg_class"])
    assert shared.row(query, result=Format.BINARY) == ("1259", "23", "-", ["1259"])
    # What was read in either format is the same object to the server.
    assert shared.row("select $1::regclass = 'pg_class'::regclass", ("1259",)) == (True,)
    transformer = Transformer()
    transformer.set_loader_types([REGCLASS_OID], Format.BINARY)
    with pytest.raises(DataError, match="regclass"):
        transformer.load_sequence([b"abc"])


def test_types_of_servers_since_19() -> None:
    transformer = Transformer()
    transformer.set_loader_types([OID8_OID, REGDATABASE_OID], Format.TEXT)
    assert transformer.load_sequence([b"18446744073709551615", b"mine"]) == (2**64 - 1, "mine")
    transformer.set_loader_types([OID8_OID, REGDATABASE_OID], Format.BINARY)
    assert transformer.load_sequence([b"\xff" * 8, b"\0\0\0\5"]) == (2**64 - 1, "5")
    for format, written in (Format.TEXT, b"18446744073709551615"), (Format.BINARY, b"\xff" * 8):
        transformer.set_dumper_types([OID8_OID], format)
        assert transformer.dump_sequence([2**64 - 1], []) == [written]
    for value in (-1, 2**64, "x"):
        with pytest.raises(DataError, match="oid8"):
            transformer.dump_sequence([value], [])


def test_types_without_dumpers_are_written_as_the_text_of_the_class() -> None:
    transformer = Transformer()
    names = ["tsvector", "regclass", "regclass", "money", "macaddr[]", "point"]
    transformer.set_dumper_types([*map(types.get_oid, names)], Format.TEXT)
    values = ["'a'", "pg_class", 1259, "$1.00", ["08:00:2b:01:02:03", None], "(1,2)"]
    written = [b"'a'", b"pg_class", b"1259", b"$1.00", b"{08:00:2b:01:02:03,NULL}", b"(1,2)"]
    assert transformer.dump_sequence(values, []) == written
    for name in ("tsvector", "money", "regclass", "pg_snapshot"):
        with pytest.raises(ProgrammingError, match=f"{name} .* in binary format: send text, or"):
            transformer.set_dumper_types([types[name].oid], Format.BINARY)


@pytest.mark.parametrize("format", PyFormat)
def test_what_values_are_for(valued: Bare, format: PyFormat) -> None:
    lsn, before = Lsn((0x16 << 32) + 0xB374D848), Lsn(0)
    row = valued.row("select $1 - $2, $1 > $2, $1::text", (lsn, before), format=format)
    assert row == (lsn - before, True, "16/B374D848")
    assert (str(lsn), repr(before)) == ("16/B374D848", "Lsn(0)")
    query = "select ctid, xmin from pg_class where ctid = $1"
    (ctid,) = valued.row("select ctid from pg_class limit 1")
    assert valued.row(query, (ctid,), format=format)[0] == ctid
    assert isinstance(ctid, Tid)
    assert valued.row("select $1 = '5'::xid8", (Xid8(5),), format=format) == (True,)


@pytest.mark.parametrize("value", [Lsn(2**64), Lsn(-1), Tid(-1, 0), Tid(0, 65536), Xid8(2**64)])
def test_what_does_not_fit_is_a_data_error(value: object) -> None:
    with pytest.raises(DataError, match=r"parameter \$1"):
        Transformer().dump_sequence([value], [PyFormat.BINARY])


def test_a_char_of_older_servers_is_the_bare_byte() -> None:
    transformer = Transformer()
    transformer.set_loader_types([CHAR_OID], Format.TEXT)
    assert transformer.load_sequence([b"\xff"]) == ("\\377",)
    transformer.set_loader_types([CHAR_OID], Format.BINARY)
    for data in (b"", b"ab"):
        with pytest.raises(DataError, match="char"):
            transformer.load_sequence([data])
