"""What the text of a COPY says: its table, its direction, its options.

The server alone knows what a statement means. This reads enough of it to refuse what would go wrong
without a word; what it can't read it leaves to the server.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .endings import start_of

_TOKEN = re.compile(
    rb"""
      (?P<name>   " (?:[^"]|"")* " )
    | (?P<text>   [eE] ' (?:[^'\\]|''|\\.)* ' | ' (?:[^']|'')* ' )
    | (?P<dollar> \$ (?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)? \$ )
    | (?P<word>   [A-Za-z_\x80-\xff][\w$\x80-\xff]* )
    | (?P<other>  [0-9.]+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    text: bytes
    start: int

    @property
    def word(self) -> str:
        """In lower case, if it is a word; else ""."""
        return self.text.decode("latin-1").lower() if self.kind == "word" else ""

    @property
    def value(self) -> bytes:
        """What is meant by a word, a name or a text: without quotes."""
        if self.kind == "word":
            return self.text.lower()
        if self.kind in ("name", "text"):
            mark = self.text[-1:]
            return self.text[self.text.index(mark) + 1 : -1].replace(mark * 2, mark)
        return self.text


class CopyStatement(NamedTuple):
    """What is known of a COPY's text."""

    table: bytes = b""
    """The table, as it is written; empty if it copies a query, or that isn't known."""
    columns: tuple[bytes, ...] = ()
    """The names of the columns that are listed."""
    is_from: bool = False
    """Whether the client writes."""
    options: dict[str, bytes] = {}  # noqa: RUF012  # nobody changes it
    """The options by their names, in lower case: those that are given, "format" always if known."""

    @property
    def format(self) -> bytes:
        """The format that is asked for: text, csv or binary."""
        return self.options.get("format", b"text")


def copy_statement(sql: bytes) -> CopyStatement:
    """Read what the text of a COPY says."""
    tokens = list(_tokens(sql))
    if not tokens or tokens[0].word != "copy":
        return CopyStatement()
    at, binary = 1, False
    if len(tokens) > 2 and tokens[1].word == "binary" and tokens[2].kind in ("word", "name"):
        at, binary = 2, True
    turn = _turn(tokens, at)
    if turn is None:
        return CopyStatement()
    table, columns = _target(sql, tokens[at:turn], tokens[turn].start)
    options = _options(tokens[turn + 2 :])
    if binary:
        options["format"] = b"binary"
    return CopyStatement(table, columns, tokens[turn].word == "from", options)


def _turn(tokens: list[_Token], at: int) -> int | None:
    """Where the FROM STDIN or TO STDOUT is."""
    depth = 0
    for i in range(at, len(tokens) - 1):
        text = tokens[i].text
        depth += (text == b"(") - (text == b")")
        pair = (tokens[i].word, tokens[i + 1].word)
        if not depth and pair in (("from", "stdin"), ("to", "stdout")):
            return i
    return None


def _target(sql: bytes, tokens: list[_Token], end: int) -> tuple[bytes, tuple[bytes, ...]]:
    """The table and its columns."""
    if not tokens or tokens[0].text == b"(":
        return b"", ()
    parts = [token.text for token in tokens]
    if b"(" not in parts:
        return sql[tokens[0].start : end].strip(), ()
    opened = parts.index(b"(")
    names = [token for token in tokens[opened + 1 : -1] if token.text != b","]
    return (
        sql[tokens[0].start : tokens[opened].start].strip(),
        tuple(token.value for token in names),
    )


def _options(tokens: list[_Token]) -> dict[str, bytes]:
    """The options, of either syntax."""
    words = [token.word for token in tokens]
    if "where" in words:
        tokens = tokens[: words.index("where")]
    if tokens and tokens[0].word == "with":
        tokens = tokens[1:]
    if tokens and tokens[0].text == b"(":
        return _listed(tokens[1:])
    return _old(tokens)


def _listed(tokens: list[_Token]) -> dict[str, bytes]:
    """Options in parentheses: each is a name, and perhaps a value."""
    options: dict[str, bytes] = {}
    depth, name = 0, ""
    for token in tokens:
        if token.text in (b"(", b")"):
            depth += 1 if token.text == b"(" else -1
        elif token.text == b"," and not depth:
            name = ""
        elif not name:
            name = token.word
            options[name] = b"true"
        elif not depth:
            options[name] = token.value
    if "format" in options:
        options["format"] = options["format"].lower()
    return options


def _old(tokens: list[_Token]) -> dict[str, bytes]:
    """Options of the old syntax: words, and texts after some of them."""
    options: dict[str, bytes] = {}
    name = ""
    for token in tokens:
        word = token.word
        if word in ("csv", "binary"):
            options["format"] = word.encode()
        elif word in ("delimiter", "delimiters", "null", "header", "quote", "escape", "encoding"):
            name = word.removesuffix("s") if word == "delimiters" else word
            options[name] = b"true"
        elif token.kind == "text" and name:
            options[name] = token.value
    return options


def _tokens(sql: bytes) -> list[_Token]:
    """The tokens, without blanks and comments."""
    found: list[_Token] = []
    at = start_of(sql)
    while at < len(sql):
        match = _TOKEN.match(sql, at)
        assert match is not None  # the last alternative matches anything
        kind, end = str(match.lastgroup), match.end()
        if kind == "dollar":
            closed = sql.find(match[0], end)
            end = len(sql) if closed < 0 else closed + len(match[0])
        found.append(_Token(kind, sql[at:end], at))
        at = start_of(sql, end)
    return found
