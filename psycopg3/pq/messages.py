"""Text made of what libpq says: without severity, without passwords; version numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SEVERITIES = tuple(
    f"{severity}:  "
    for severity in ("ERROR", "FATAL", "PANIC", "WARNING", "NOTICE", "INFO", "LOG", "DEBUG")
)

_HIDDEN = "***"
_SCHEME = r"postgres(?:ql)?://"
# `password = it` and its kin, in both kinds of connection strings.
_KEYWORD = re.compile(
    r"(\b\w*(?:password|secret)\s*=\s*)('(?:[^'\\]|\\.)*'?|[^\s&\"]+)", re.IGNORECASE | re.DOTALL
)
# The part of a URI between the user's colon and the at sign: the last one, should there be several.
_USERINFO = re.compile(rf"({_SCHEME}[^:@/?\s]*:)(.*)(?=@)", re.IGNORECASE | re.DOTALL)
# The same where the at sign was forgotten: what libpq takes for a port, if it is no number.
_PORT = re.compile(
    rf"({_SCHEME}[^:@/?\[\s]*:)(?!\d*(?:[/?\"]|$)|[^/?\"]*@)([^/?\"]*)", re.IGNORECASE
)
_QUOTED = re.compile(r'"([^"]*)"')
# A value up to the next keyword: as far as a password may have been meant to go.
_REGION = re.compile(
    r"\b\w*(?:password|secret)\s*=\s*(.*?)(?=\s+\w+\s*=|&\w+=|$)", re.IGNORECASE | re.DOTALL
)


def version_pretty(version: int) -> str:
    """libpq's or a server's version number as text: 180004 is "18.4", 90603 is "9.6.3"."""
    major, rest = divmod(version, 10000)
    if major >= 10:
        return f"{major}.{rest}"
    return f"{major}.{rest // 100}.{rest % 100}"


def strip_severity(message: str) -> str:
    """The message without the severity before it ("ERROR:  ...") and blanks around it."""
    for severity in _SEVERITIES:
        if message.startswith(severity):
            return message[len(severity) :].strip()
    return message.strip()


def severity_stripped(message: bytes, encoding: str) -> str:
    """libpq's message as text, without the severity before it and the blanks around it."""
    return strip_severity(message.decode(encoding, "replace")) or "no details available"


def redact(message: str, conninfo: bytes = b"") -> str:
    """The message without the passwords that libpq quotes when a connection string is malformed.

    Args:
        conninfo: the connection string that the message is about. With it, pieces are found too of
            a password that libpq read wrong since it should have been quoted or percent-encoded.
    """
    message = _USERINFO.sub(rf"\g<1>{_HIDDEN}", message)
    message = _PORT.sub(rf"\g<1>{_HIDDEN}", message)
    message = _KEYWORD.sub(rf"\g<1>{_HIDDEN}", message)
    misread = list(_misread(conninfo.decode("utf-8", "replace")))
    if not misread:
        return message

    def hide(quoted: re.Match[str]) -> str:
        piece = quoted[1]
        # Signs alone, as in `missing "="`, are libpq's words.
        leaks = any(c.isalnum() for c in piece) and any(piece in m or m in piece for m in misread)
        return f'"{_HIDDEN}"' if leaks else quoted[0]

    return _QUOTED.sub(hide, message)


def _misread(conninfo: str) -> Iterator[str]:
    """The passwords of which libpq may have taken pieces for something else."""
    uri = re.match(_SCHEME, conninfo, re.IGNORECASE)
    if uri:
        for pattern in (_USERINFO, _PORT):
            match = pattern.search(conninfo)
            if match and (pattern is _PORT or re.search(r"[@/?#%\[\]\s]", match[2])):
                # Which of its signs ended what libpq took for the password isn't known here.
                for piece in [match[2], *re.split("[@/?#]", match[2])]:
                    yield from {piece, _percent_decoded(piece)} - {""}
    for match in _REGION.finditer(conninfo):
        region = match[1].strip()
        if re.search(r"[%&]" if uri else r"[\s'\\]", region):
            yield region


def _percent_decoded(text: str) -> str:
    decoded = re.sub(rb"%([0-9a-fA-F]{2})", lambda m: bytes([int(m[1], 16)]), text.encode())
    return decoded.decode("utf-8", "replace")
