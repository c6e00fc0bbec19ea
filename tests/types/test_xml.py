"""xml, which has a declaration in binary that it has not in text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from psycopg3._oids import XML_ARRAY_OID, XML_OID
from psycopg3.adapt import Format, Transformer
from psycopg3.errors import DataError

if TYPE_CHECKING:
    from tests.types.conftest import Bare

TEXTS = [
    "<a/>",
    "<a>\u00e9</a>",
    '<?xml version="1.0"?><a/>',
    '<?xml version="1.0"?>\n<a/>',
    '<?xml version="1.0" encoding="ISO-8859-15"?>\n<a>\u00e9</a>',
    '<?xml version="1.0" standalone="yes"?>\n<a/>',
    '<?xml version="1.0" encoding="UTF-8" standalone="no"?><a>\u00e9</a>',
    '<?xml version="1.1"?>\n<a/>',
    "text",
    "",
]


def skip_without_xml(bare: Bare) -> None:
    if bare.pgconn.exec_(b"select '<a/>'::xml").error_message:
        pytest.skip("the server was built without xml")
    bare.command("set xmloption = content")


@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1"])
def test_both_formats_give_the_text_of_the_server(bare: Bare, encoding: str) -> None:
    skip_without_xml(bare)
    bare.command(f"set client_encoding = {encoding}")
    for text in TEXTS:
        shown = bare.row("select $1::xml", (text,))
        for result in Format:
            cast = bare.literal(text) + "::xml"
            assert bare.row(f"select {cast}", result=result) == shown
            assert bare.row(f"select array[{cast}]", result=result) == ([*shown],)
            assert bare.row("select $1::xml", shown, result=result) == shown


@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1"])
def test_written_by_its_type(bare: Bare, encoding: str) -> None:
    """As in a COPY; that an encoding is declared counts in binary alone."""
    skip_without_xml(bare)
    bare.command(f"set client_encoding = {encoding}")
    for text in [*TEXTS, "<?xml version='1.0' encoding = 'KOI8-R' ?><a>\u00e9</a>"]:
        shown = bare.row("select $1::xml, array[$1::xml]", (text,))
        for format in Format:
            transformer = Transformer(bare)
            transformer.set_dumper_types([XML_OID, XML_ARRAY_OID], format)
            values = transformer.dump_sequence([text, [text]], [])
            got = bare.pgconn.exec_params(
                b"select $1, $2", values, [XML_OID, XML_ARRAY_OID], [format] * 2, Format.TEXT
            )
            transformer.set_pgresult(got)
            assert transformer.load_rows(0, got.ntuples, tuple) == [shown], got.error_message
    transformer.set_dumper_types([XML_OID], Format.BINARY)
    for text in ("\ud800", "<a>\0</a>"):
        with pytest.raises(DataError):
            transformer.dump_sequence([text], [])
