"""Text made of what libpq says: without severity, without passwords; version numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SEVERITIES = tuple(
    f"{severity}:  "
    for severity in ("ERROR", "FATAL", "PANIC", "WARNING", "NOTICE", "INFO", "LOG", "DEBUG")
)

_HIDDEN = "***"
# The search for pieces of a password takes time by the square of its length.
_LONGEST_SEARCHED = 4096
_SCHEME = r"postgres(?:ql)?://"
# `password = it` and its kin, in both kinds of connection strings.
_KEYWORD = re.compile(
    r"(\b\w*(?:password|secret)\s*=\s*)('(?:[^'\\]|\\.)*'?|[^\s&\"]+)", re.IGNORECASE | re.DOTALL
)
# The part of a URI between the user's colon and the at sign: the last one, should there be several.
_USERINFO = re.compile(rf"({_SCHEME}[^:@/?\s]*:)(.*)(?=@)", re.IGNORECASE | re.DOTALL)
# The same where the at sign was forgotten: what libpq takes for a port, if it is no number.
_PORT = re.compile(
    rf"({_SCHEME}[^:@/?\[\s]*:)(?!\d*(?:[,/?\"]|$)|[^/?\"]*@)([^/?\"]*)", re.IGNORECASE
)
_QUOTED = re.compile(r'"([^"]*)"')

# In a connection string: what follows the user's colon, or the keyword, up to the next keyword.
_AFTER_USER = re.compile(rf"{_SCHEME}[^:@/?\[\s]*:(.*)", re.IGNORECASE | re.DOTALL)
_AFTER_KEYWORD = re.compile(
    r"\b\w*(?:password|secret)\s*=\s*(.*?)(?=\s+\w+\s*=|$)", re.IGNORECASE | re.DOTALL
)
_AFTER_PARAMETER = re.compile(
    r"\b\w*(?:password|secret)=(.*?)(?=&\w+=|$)", re.IGNORECASE | re.DOTALL
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
            a password that libpq read wrong since it should have been quoted or percent-encoded;
            all but those that read as a keyword, or as the host where no other is given.
    """
    if len(conninfo) > _LONGEST_SEARCHED:
        return re.sub('".*"', f'"{_HIDDEN}"', message, flags=re.DOTALL)
    message = _USERINFO.sub(rf"\g<1>{_HIDDEN}", message)
    message = _PORT.sub(rf"\g<1>{_HIDDEN}", message)
    message = _KEYWORD.sub(rf"\g<1>{_HIDDEN}", message)
    secrets = set(_misread(conninfo.decode("utf-8", "replace")))
    message = _without(message, secrets)

    def hide(quoted: re.Match[str]) -> str:
        # What is too short for _without, or begins in the password and goes on behind it. Signs
        # alone, as in `missing "="`, are libpq's words.
        piece = quoted[1]
        leaks = any(c.isalnum() for c in piece) and any(piece in s or s in piece for s in secrets)
        return f'"{_HIDDEN}"' if leaks else quoted[0]

    return _QUOTED.sub(hide, message) if secrets else message


def _without(message: str, secrets: set[str]) -> str:
    """The message without the words, of three characters or more, that come from a secret."""
    shown, at = "", 0
    while at < len(message):
        end = at
        if at == 0 or not message[at - 1].isalnum():
            while end < len(message) and any(message[at : end + 1] in s for s in secrets):
                end += 1
        if end - at < 3 or message[end : end + 1].isalnum():
            end = at
        shown += _HIDDEN if end > at else message[at]
        at = max(end, at + 1)
    return shown


def _misread(conninfo: str) -> Iterator[str]:
    """The passwords of which libpq may have taken pieces for something else, and such pieces."""
    uri = re.match(_SCHEME, conninfo, re.IGNORECASE)
    match = _AFTER_USER.match(conninfo)
    if match:
        region = _meant_as_password(match[1])
        # Which of these signs ended what libpq took for the password isn't known here.
        for piece in [region, *re.split("[@/?#]", region)] if region else []:
            yield from {piece, _percent_decoded(piece)} - {""}
    for match in (_AFTER_PARAMETER if uri else _AFTER_KEYWORD).finditer(conninfo):
        region = match[1].strip()
        if re.search(r"[%&=\s]" if uri else r"[\s'\\]", region):
            yield region


def _meant_as_password(rest: str) -> str:
    """The password before a URI's host, or what can't be told from one; empty if libpq reads it right.

    Args:
        rest: the URI from the colon after the user.
    """
    # libpq ends the password at the first at sign, if that comes before any slash.
    authority, path = rest.partition("/")[0], re.split(r"\?(?=\w+=)", rest)[0]
    region = max(authority.rpartition("@")[0], path.rpartition("@")[0], key=len)
    if "@" in rest and region:
        return region if re.search(r"[@/?#%\[\]\s]", region) else ""
    # Without one, this is a port, or several hosts with ports; or the host was forgotten.
    return "" if re.match(r"\d+([,/?]|$)", rest) or "@" in authority else rest


def _percent_decoded(text: str) -> str:
    decoded = re.sub(rb"%([0-9a-fA-F]{2})", lambda m: bytes([int(m[1], 16)]), text.encode())
    return decoded.decode("utf-8", "replace")
