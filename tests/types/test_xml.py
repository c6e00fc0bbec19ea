"""xml, which has a declaration in binary that it has not in text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from psycopg3.adapt import Format

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


@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1"])
def test_both_formats_give_the_text_of_the_server(bare: Bare, encoding: str) -> None:
    got = bare.pgconn.exec_(b"select '<a/>'::xml")
    if got.error_message:
        pytest.skip("the server was built without xml")
    bare.command("set xmloption = content")
    bare.command(f"set client_encoding = {encoding}")
    for text in TEXTS:
        shown = bare.row("select $1::xml", (text,))
        for result in Format:
            cast = bare.literal(text) + "::xml"
            assert bare.row(f"select {cast}", result=result) == shown
            assert bare.row(f"select array[{cast}]", result=result) == ([*shown],)
            assert bare.row("select $1::xml", shown, result=result) == shown
