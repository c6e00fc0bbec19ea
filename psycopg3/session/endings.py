"""What the text of a query ends: told by going over it once, as the server's own parser would.

Looked at after an interruption only: no query pays for it. Most texts need no more than a look for
the words that count. The others are scanned from left to right, each byte once, past all that is no
command: texts, quoted names, comments, and bodies of functions, which have ENDs of their own.
"""

from __future__ import annotations

import re
from enum import IntEnum


class Ending(IntEnum):
    """What a query brings to an end; whatever it is, such a query isn't cancelled."""

    NOTHING = 0
    """It may be cancelled."""
    SESSION = 1
    """What the session had, as DISCARD does."""
    UNDONE = 2
    """A transaction, which is rolled back."""
    COMMITTED = 3
    """A transaction, which is committed, or prepared; if the answer is lost, nobody knows."""


LIMIT = 200_000
"""So many strings, comments and statements are looked at; the scan takes a fifth of a second then.

What is beyond may be a COMMIT as well: it counts as one.
"""

# The manual's section "Lexical Structure": letters, the underscore, anything beyond ASCII; then
# digits and dollars too.
_IN_WORD = rb"[\w$\x80-\xff]"
_WORD = re.compile(rb"[A-Za-z_\x80-\xff][\w$\x80-\xff]*")
_SPACE = re.compile(rb"\s*")
_LINE = re.compile(rb"[^\r\n]*")
_TAG = re.compile(rb"\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$")
_COMMENT_EDGE = re.compile(rb"/\*|\*/")
_ESCAPE = re.compile(rb"\\.|'", re.DOTALL)

# What is not to be read as it stands, and the end of a statement. All alternatives begin with a plain
# byte: the search for them is three times as fast. A `$1` is none of them.
_MARK = rb""";|'|"|--|/\*|\$(?![0-9])"""
_MARKS = re.compile(_MARK)
_MARKS_IN_ROUTINE = re.compile(
    rb"%b|(?<!%b)begin(?!%b)" % (_MARK, _IN_WORD, _IN_WORD), re.IGNORECASE
)

# A statement can begin after these, white space apart: no text without such a word ends anything.
_ENDS = rb"[ \t\f\v]*+(?:commit|end|prepare|rollback|abort|discard)"
_FIRST = re.compile(_ENDS, re.IGNORECASE)
_LATER = re.compile(rb"[;\n\r/]" + _ENDS, re.IGNORECASE)

# In these a character beyond ASCII may have a byte that is a letter or a backslash elsewhere.
_MISLEADING = frozenset({"big5", "cp932", "cp949", "gb18030", "gbk", "johab"})


def ending_of(query: bytes, *, backslashes: bool = False, encoding: str = "utf-8") -> Ending:
    """What a query ends; of several statements, what weighs most.

    Args:
        query: one statement or several.
        backslashes: whether a backslash escapes in plain strings too, as it does where
            `standard_conforming_strings` is off.
        encoding: the codec of the query, as `encodings` names it.
    """
    if not (_FIRST.match(query) or _LATER.search(query)):
        return Ending.NOTHING
    if encoding in _MISLEADING:
        query = query.decode(encoding, "replace").encode()
    try:
        return _Scanner(query, backslashes).ending()
    except _TooLong:
        return Ending.COMMITTED


class _TooLong(Exception):
    """There is more to look at than the time allows."""


class _Scanner:
    """Goes over a query. What is never closed goes to the end: the server takes it for an error."""

    def __init__(self, text: bytes, backslashes: bool):
        self._text, self._backslashes = text, backslashes
        self._pos = self._steps = 0

    def ending(self) -> Ending:
        found = Ending.NOTHING
        in_body = False
        while self._pos < len(self._text):
            first = self._word()
            if in_body and first == b"end":
                in_body = False
            else:
                found = max(found, self._ended_by(first))
            if found is Ending.COMMITTED:
                break
            in_body |= self._pass_statement(in_routine=first == b"create" and self._is_routine())
        return found

    def _ended_by(self, first: bytes) -> Ending:
        """What the statement ends, of which the first word was read."""
        if first in (b"commit", b"end"):
            return Ending.COMMITTED
        if first == b"prepare":
            return Ending.COMMITTED if self._word() == b"transaction" else Ending.NOTHING
        if first == b"rollback":
            return Ending.COMMITTED if self._word() == b"prepared" else Ending.UNDONE
        if first == b"abort":
            return Ending.UNDONE
        return Ending.SESSION if first == b"discard" else Ending.NOTHING

    def _is_routine(self) -> bool:
        """Whether what is created may have a body of statements."""
        kind = self._word()
        if kind == b"or" and self._word() == b"replace":
            kind = self._word()
        return kind in (b"function", b"procedure")

    def _pass_statement(self, *, in_routine: bool) -> bool:
        """Go to the begin of the next statement; True if it is the first of a routine's body."""
        marks = _MARKS_IN_ROUTINE if in_routine else _MARKS
        while (mark := marks.search(self._text, self._pos)) is not None:
            self._count()
            kind, self._pos = mark[0], mark.end()
            if kind == b";":
                return False
            if kind.lower() == b"begin" and self._word() == b"atomic":
                return True
            self._pass(kind, mark.start())
        self._pos = len(self._text)
        return False

    def _word(self) -> bytes:
        """Read the word that comes next, in lower case; b"" if something else does."""
        while True:
            self._pos = _matched(_SPACE, self._text, self._pos)
            if (mark := self._text[self._pos : self._pos + 2]) not in (b"--", b"/*"):
                break
            self._count()
            self._pos += 2
            self._pass(mark, self._pos - 2)
        end = _matched(_WORD, self._text, self._pos)
        begin, self._pos = self._pos, end
        return self._text[begin:end].lower()

    def _count(self) -> None:
        self._steps += 1
        if self._steps > LIMIT:
            raise _TooLong

    def _pass(self, kind: bytes, begin: int) -> None:
        """Go past what was opened at `begin`."""
        if kind == b"'":
            if self._backslashes or self._is_escaped(begin):
                self._pass_escaped()
            else:
                self._pass_to(b"'")
        elif kind == b'"':
            self._pass_to(kind)
        elif kind == b"$":
            self._pass_dollars(begin)
        elif kind == b"--":
            self._pos = _matched(_LINE, self._text, self._pos)
        elif kind == b"/*":
            self._pass_comment()

    def _pass_to(self, closing: bytes) -> None:
        # A doubled quote is one string's end and another's begin, to the same effect.
        end = self._text.find(closing, self._pos)
        self._pos = len(self._text) if end < 0 else end + len(closing)

    def _is_escaped(self, quote: int) -> bool:
        """Whether it is the quote of an E'...'."""
        before = self._text[max(quote - 2, 0) : quote]
        return before[-1:] in (b"e", b"E") and not re.match(_IN_WORD, before[:-1])

    def _pass_escaped(self) -> None:
        while (edge := _ESCAPE.search(self._text, self._pos)) is not None:
            self._count()
            self._pos = edge.end()
            if edge[0] == b"'" and not self._goes_on():
                return
        self._pos = len(self._text)

    def _goes_on(self) -> bool:
        """Whether a string goes on: by a second quote, or by another one on a later line."""
        text, pos = self._text, self._pos
        while text[pos : pos + 1] != b"'":
            pos = _matched(_SPACE, text, pos)
            if text[pos : pos + 2] == b"--":
                self._count()
                pos = _matched(_LINE, text, pos)
            elif text[pos : pos + 1] != b"'" or not re.search(rb"[\r\n]", text[self._pos : pos]):
                return False
        self._pos = pos + 1
        return True

    def _pass_dollars(self, begin: int) -> None:
        if begin and re.match(_IN_WORD, self._text[begin - 1 : begin]):
            return  # it is part of a name
        if (tag := _TAG.match(self._text, begin)) is not None:
            self._pos = tag.end()
            self._pass_to(tag[0])

    def _pass_comment(self) -> None:
        depth = 1
        while depth and (edge := _COMMENT_EDGE.search(self._text, self._pos)) is not None:
            self._count()
            self._pos = edge.end()
            depth += 1 if edge[0] == b"/*" else -1
        if depth:
            self._pos = len(self._text)


def _matched(pattern: re.Pattern[bytes], text: bytes, pos: int) -> int:
    """Where a match that begins at `pos` ends; `pos` itself if there is none."""
    match = pattern.match(text, pos)
    return pos if match is None else match.end()
