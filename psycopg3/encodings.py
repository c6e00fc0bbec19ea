"""PostgreSQL's encodings by Python's names.

Where several codecs of Python claim to be an encoding of PostgreSQL, the one in the table is that
which agrees with the server's own conversion: SJIS is cp932 to the last character, while shift_jis
can't decode 845 of its 15,915. For EUC_TW and MULE_INTERNAL Python has no codec; that it has for
SHIFT_JIS_2004 reads and writes another character for the backslash, so it isn't used.
"""

from __future__ import annotations

from codecs import lookup

from .errors import NotSupportedError, OperationalError
from .pq import PGconn

_LATINS = dict(enumerate((1, 2, 3, 4, 9, 10, 13, 14, 15, 16), 1))  # LATIN5 is ISO 8859-9
_CODE_PAGES = (866, 874, *range(1250, 1259))  # of Windows
_EASTERN_PAGES = {932: "SJIS", 936: "GBK", 949: "UHC", 950: "BIG5"}

_PYTHON_CODECS = {
    "BIG5": "big5",
    "EUC_CN": "gb2312",
    "EUC_JIS_2004": "euc_jis_2004",
    "EUC_JP": "euc_jp",
    "EUC_KR": "euc_kr",
    "GB18030": "gb18030",
    "GBK": "gbk",
    "JOHAB": "johab",
    "KOI8R": "koi8-r",
    "KOI8U": "koi8-u",
    "SJIS": "cp932",
    "SQL_ASCII": "ascii",
    "UHC": "cp949",
    "UTF8": "utf-8",
    **{f"ISO_8859_{n}": f"iso8859-{n}" for n in (5, 6, 7, 8)},
    **{f"LATIN{i}": f"iso8859-{n}" for i, n in _LATINS.items()},
    **{f"WIN{n}": f"cp{n}" for n in _CODE_PAGES},
}

# Other names that the server takes, as it compares them: lower case, letters and digits alone. It
# reports its own names, but a pooler between may report what the client asked for.
_ALIASES = {
    "abc": "WIN1258",
    "alt": "WIN866",
    "koi8": "KOI8R",
    "mskanji": "SJIS",
    "shiftjis": "SJIS",
    "tcvn": "WIN1258",
    "tcvn5712": "WIN1258",
    "unicode": "UTF8",
    "vscii": "WIN1258",
    "win": "WIN1251",
    **{f"win{n}": name for n, name in _EASTERN_PAGES.items()},
    **{f"windows{n}": name for n, name in _EASTERN_PAGES.items()},
    **{f"windows{n}": f"WIN{n}" for n in _CODE_PAGES},
    **{f"iso8859{n}": f"LATIN{i}" for i, n in _LATINS.items()},
}


def _folded(name: str) -> str:
    """An encoding's name as the server compares it."""
    return "".join(filter(str.isalnum, name.lower()))


_SERVER_NAMES = {_folded(name): name for name in _PYTHON_CODECS} | _ALIASES
_BY_CODEC = {codec: name.encode() for name, codec in _PYTHON_CODECS.items()} | {
    "shift_jis": b"SJIS",
    "cp950": b"BIG5",
}

OVERLAPPING = frozenset({"big5", "cp932", "cp949", "gb18030", "gbk", "johab", "shift_jis_2004"})
"""Codecs of which a character may have a byte that is an ASCII character by itself.

A backslash, a brace, a comma: text of several values isn't taken apart by bytes in these. All are
encodings of clients only: the server has them converted before it looks.
"""

# The answers so far, by what the server reported: this is asked once a query.
_known: dict[bytes, str] = {b"UTF8": "utf-8"}


def conn_encoding(pgconn: PGconn | None) -> str:
    """The Python codec of a connection's `client_encoding`.

    Returns:
        "utf-8" without a connection, or if it is closed; "ascii" if it is SQL_ASCII: the server
        then doesn't know the meaning of its bytes, and text loads as bytes.

    Raises:
        NotSupportedError: Python has no right codec for it.
    """
    reported = reported_encoding(pgconn) if pgconn is not None else None
    return pg2py(reported or b"UTF8")


def reported_encoding(pgconn: PGconn) -> bytes | None:
    """A connection's `client_encoding` as the server reported it last; None if it is closed."""
    try:
        return pgconn.parameter_status(b"client_encoding")
    except OperationalError:
        return None


def words_encoding(pgconn: PGconn) -> str:
    """The codec for the server's words: always one, be there no right one for its data."""
    try:
        codec = conn_encoding(pgconn)
    except NotSupportedError:
        return "utf-8"
    return "utf-8" if codec == "ascii" else codec


def pg2py(name: bytes) -> str:
    """The Python codec for an encoding of PostgreSQL, by any of the names that the server knows.

    Raises:
        NotSupportedError: Python has no right codec for it.
    """
    if (known := _known.get(name)) is not None:
        return known
    text = name.decode("ascii", "backslashreplace")
    server_name = _SERVER_NAMES.get(_folded(text))
    if server_name is None:
        raise NotSupportedError(
            f"got the encoding {text!r} of PostgreSQL: Python has no right codec for it;"
            " set another client_encoding, preferably UTF8"
        )
    codec = _known[name] = _PYTHON_CODECS[server_name]
    return codec


def py2pg(name: str) -> bytes:
    """The encoding of PostgreSQL for a codec of Python, by any of the codec's names.

    Raises:
        NotSupportedError: Python has no such codec, or PostgreSQL no such encoding.
    """
    try:
        codec = lookup(name).name
    except (LookupError, ValueError):
        raise NotSupportedError(f"got the codec {name!r}: Python has none of that name") from None
    try:
        return _BY_CODEC[codec]
    except KeyError:
        raise NotSupportedError(
            f"got the codec {name!r}: PostgreSQL has no such encoding; utf-8 holds every text"
        ) from None
