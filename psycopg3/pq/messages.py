"""Text made of what libpq says: without severity, without passwords; version numbers."""

from __future__ import annotations

import re

_SEVERITIES = tuple(
    f"{severity}:  "
    for severity in ("ERROR", "FATAL", "PANIC", "WARNING", "NOTICE", "INFO", "LOG", "DEBUG")
)

NEWER_KEYWORDS = {
    **dict.fromkeys(("gssdelegation", "load_balance_hosts", "require_auth", "sslcertmode"), 16),
    "sslnegotiation": 17,
    **dict.fromkeys(("max_protocol_version", "min_protocol_version"), 18),
    **dict.fromkeys(("oauth_client_id", "oauth_client_secret", "oauth_issuer", "oauth_scope"), 18),
    **dict.fromkeys(("scram_client_key", "scram_server_key", "sslkeylogfile"), 18),
    **dict.fromkeys(("oauth_ca_file", "servicefile"), 19),
}
"""The connection parameters that libpq has had since which version, if it is newer than 14."""

_KEYWORDS = NEWER_KEYWORDS.keys() | {
    "application_name", "channel_binding", "client_encoding", "connect_timeout", "dbname",
    "fallback_application_name", "gssencmode", "gsslib", "host", "hostaddr", "keepalives",
    "keepalives_count", "keepalives_idle", "keepalives_interval", "krbsrvname", "options", "passfile",
    "password", "port", "replication", "requirepeer", "requiressl", "service", "ssl",
    "ssl_max_protocol_version", "ssl_min_protocol_version", "sslcert", "sslcompression", "sslcrl",
    "sslcrldir", "sslkey", "sslmode", "sslpassword", "sslrootcert", "sslsni", "target_session_attrs",
    "tcp_user_timeout", "user",
}  # fmt: skip
# What may be, or be part of, a secret; the colon of a plain URL's scheme is none of it.
_SECRET = re.compile(r"pass|pwd?|secret|key|token|cred", re.IGNORECASE)
_SIGN = re.compile(rf"[:@%;]|{_SECRET.pattern}", re.IGNORECASE)
_WORD = re.compile(r"[\w.+ -]*")
_PAIR = re.compile(
    r"\s*(\w+)\s*=\s*(?:'(?:[^'\\]|\\.)*'|(?!')(?:[^\s\\]|\\.)*)(?!\S)", re.ASCII | re.DOTALL
)
_SCHEME = re.compile(r"postgres(?:ql)?://", re.ASCII | re.IGNORECASE)
_ENCODED = "%(?!00)[0-9a-f]{2}"
_HOST = rf"(?:(?:[\w.-]|{_ENCODED})*|\[[0-9a-f:.]+(?:%25[\w.-]+)?\])(?::\d*)?"
_BEFORE_QUERY = re.compile(
    rf"(?:(?:[^:@/?#\[\]\s%]|{_ENCODED})*(?::(?:[^@/?#\[\]\s%]|{_ENCODED})*)?@)?"
    rf"{_HOST}(?:,{_HOST})*(?:/(?:[^@/?#\s%]|{_ENCODED})*)?(?:\?|$)",
    re.ASCII | re.IGNORECASE,
)
_PARAMETER = re.compile(rf"(\w+)=(?:[^&=\s%]|{_ENCODED})*(?:&|$)", re.ASCII | re.IGNORECASE)

_HIDDEN = "***"
# What surely is libpq's own: a keyword as the only quotation, and some signs in what a message
# begins with.
_OF_KEYWORD = re.compile(rf'[^"]*"(?:{"|".join(_KEYWORDS)})"[^"]*')
_BEGINNING = re.compile(r'(?:[^"]*(?:missing|separator|matching) "[=\]]")?')


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


def quoted(value: str) -> str:
    """What a user gave for a word or a number, in quotes; not if it may hold a secret."""
    plain = _WORD.fullmatch(value) and not _SECRET.search(value)
    return repr(value) if plain else "a text that is not shown, since it may hold a password"


def redact(message: str, conninfo: bytes) -> str:
    """The message without what it quotes of a connection string, if that may hold a secret.

    A string that reads plainly is no danger: libpq takes nothing else in it for a password than
    who wrote it, and quotes no password. Of any other, every quotation may be a piece of one, but
    for libpq's own keywords.

    Args:
        message: libpq's, about the string or the connection that it asks for.
        conninfo: the connection string.
    """
    text = conninfo.decode("utf-8", "replace")
    scheme = _SCHEME.match(text)
    if not _SIGN.search(text, scheme.end() if scheme else 0):
        return message
    if _is_plain_url(text, scheme.end()) if scheme else _is_plain_list(text):
        return message
    if _OF_KEYWORD.fullmatch(message):
        return message
    # Quotation marks may be part of what is quoted: from the first to the last all goes.
    begin = len(_BEGINNING.match(message)[0])  # type: ignore[index]  # it matches nothing, too
    shown = message[:begin] + re.sub('".*"', f'"{_HIDDEN}"', message[begin:], flags=re.DOTALL)
    if not shown.isascii():  # other languages have other quotation marks
        return "libpq's reason is withheld, since it may show the password"
    return shown


def _is_plain_list(text: str) -> bool:
    """Whether a connection string is a list of `keyword=value` that can't be misunderstood."""
    end = 0
    while match := _PAIR.match(text, end):
        # Who forgot the beginning of a URL has what comes before the @ taken for a host.
        if match[1] not in _KEYWORDS or (match[1].startswith("host") and "@" in match[0]):
            return False
        end = match.end()
    return not text[end:].strip()


def _is_plain_url(text: str, start: int) -> bool:
    """Whether a connection string is a URL that can't be misunderstood."""
    match = _BEFORE_QUERY.match(text, start)
    while match is not None and match.end() < len(text):
        match = _PARAMETER.match(text, match.end())
        if match is None or match[1] not in _KEYWORDS:
            return False
    return match is not None
