"""Connection strings: taken apart, merged, put together. libpq itself reads them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from ._capabilities import needs_newer
from .concurrency import tasks
from .errors import NotSupportedError, OperationalError, ProgrammingError
from .places import Place, check, check_resolvable, look_up_gen, matched, ordered
from .pq import Conninfo, ConninfoOption, PGconn, version
from .pq.messages import quoted
from .servicefile import read_service
from .waiting import STOCK, WaitGen, wait_select

DEFAULT_CONNECT_TIMEOUT = 130
"""Seconds for one attempt to connect, if nobody says otherwise: a bit more than Linux tries."""

MIN_CONNECT_TIMEOUT = 2
"""The fewest seconds for one attempt, as in libpq."""

SCRAM_MAX_ITERATIONS = 1_000_000
"""How often a server may have the password hashed, if nobody says otherwise: for 0.6 s or so."""

KEEPALIVES = {"keepalives_idle": "60", "keepalives_interval": "10", "keepalives_count": "6"}
"""What TCP does on a silent connection, if nobody says otherwise: a dead server is noticed in 2 min.

Systems begin after two hours, when what lies between, NAT or a balancer, has long forgotten the
connection. Nothing like it for `tcp_user_timeout`: by it, Linux also cuts connections to servers
that are well but for so long have no time to read.
"""

# Names that users of other drivers type.
_ALIASES = {"database": "dbname"}

_HAS_SYSTEM_ROOTS = 160000

# What the driver sees to itself, so that an older libpq needn't know it: keyword to environment
# variable and built-in value.
_EMULATED: dict[str, tuple[str | None, str | None]] = {
    "load_balance_hosts": ("PGLOADBALANCEHOSTS", "disable"),
    "scram_max_iterations": (None, str(SCRAM_MAX_ITERATIONS)),
    "servicefile": ("PGSERVICEFILE", None),
}

_SCHEME = re.compile("postgres(ql)?://", re.IGNORECASE)
_PREFIXES = ("postgresql://", "postgres://")
_OTHER_SCHEME = re.compile(r"\s*[\w+.-]+:(?:[\w+.-]+:)*/")
_EXPECTED = "a URL that begins with postgresql://, or pairs such as dbname=app user=me"

# A user and a password, as in a URL, where one of these should be.
_CREDENTIALS = re.compile(r"(?:^|//)[^:/@]+:[^@]+@")
_NAMES = ("host", "hostaddr", "dbname", "user", "service")

# The two kinds of connection strings: a URL up to its query, and one `keyword = value`.
_BEFORE_QUERY = re.compile(r"postgres(?:ql)?://(?:[^@/]*@)?[^/?]*(?:/[^?]*)?\?", re.IGNORECASE)
_PAIR = re.compile(
    r"\s*([^=\s]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s\\]|\\.)*))", re.ASCII | re.DOTALL
)

# Looked for, not found by a UnicodeError: that would carry the value, which may be a password.
_SURROGATE = re.compile("[\ud800-\udfff]")

# Values that need no quotes: what libpq takes for a space depends on the locale, letters don't.
_PLAIN = re.compile(r"[A-Za-z0-9_./:,@%+-]+")


def make_conninfo(conninfo: str = "", **kwargs: Any) -> str:
    """Put a connection string together.

    Args:
        conninfo: a connection string, key=value pairs or a URL.
        kwargs: parameters that override those of `conninfo`; None leaves `conninfo`'s. A list of
            hosts or ports is joined by commas; `database` is taken for `dbname`.

    Returns:
        `conninfo` as it is if nothing is to be merged, else key=value pairs.

    Raises:
        ProgrammingError: libpq doesn't understand it, or knows no such parameter.
    """
    params = conninfo_to_dict(conninfo, **kwargs)
    if all(value is None for value in kwargs.values()):
        return conninfo
    return " ".join(f"{name}={_quoted(_text(name, value))}" for name, value in params.items())


def conninfo_to_dict(conninfo: str = "", **kwargs: Any) -> dict[str, Any]:
    """Take a connection string apart.

    Args:
        conninfo: a connection string, key=value pairs or a URL.
        kwargs: parameters that override those of `conninfo`; see `make_conninfo`.

    Returns:
        the parameters given, by libpq's keyword; those of `conninfo` as str, others as they came.

    Raises:
        ProgrammingError: libpq doesn't understand it, or knows no such parameter.
    """
    params: dict[str, Any] = _parsed(conninfo)
    params.update(_given(kwargs))
    return params


def get_param(params: Mapping[str, Any], keyword: str) -> str | None:
    """A parameter's value as libpq would find it: given, in the environment, or built in.

    A service file is not looked at: see `with_service`.

    Args:
        params: what `conninfo_to_dict` returned.
        keyword: libpq's keyword of the parameter.

    Returns:
        None if it has no value, or if this libpq doesn't know it.
    """
    value = params.get(keyword)
    if value is not None:
        return _text(keyword, value)
    envvar, compiled = _known_options().get(keyword, (None, None))
    return os.environ.get(envvar, compiled) if envvar else compiled


def places_of(params: Mapping[str, Any]) -> list[Place]:
    """The places that `host`, `hostaddr` and `port` of `params` name, matched as libpq does.

    Raises:
        ProgrammingError: the lists don't match, or a port is no port.
    """
    return matched(*(_items(get_param(params, name)) for name in ("host", "hostaddr", "port")))


def _items(value: str | None) -> list[str]:
    return value.split(",") if value else []


def check_url(conninfo: str, overridden: Iterable[str] = ()) -> None:
    """Refuse a URL of which libpq takes a piece of the password for a host or port.

    Args:
        conninfo: a connection string; one that is no URL passes.
        overridden: parameters of it that won't be used.

    Raises:
        ProgrammingError: it can't be meant so; the message says what to write.
    """
    if not _SCHEME.match(conninfo):
        return
    params = conninfo_to_dict(conninfo)
    hosts, ports = (
        [] if name in overridden else _items(params.get(name)) for name in ("host", "port")
    )
    try:
        check(hosts, ports)
    except ProgrammingError as ex:
        raise ProgrammingError(
            f"{ex}; in the user and the password of a URL, percent-encode '@' as %40, ':' as %3A and"
            " '/' as %2F"
        ) from None


def check_names(params: Mapping[str, Any]) -> None:
    """Refuse a connection string, or a key, in the place of a name, given or in the environment.

    libpq and the server would take it for one, and quote it with the secret in it.

    Raises:
        ProgrammingError: there is one.
    """
    for keyword in _NAMES:
        if _CREDENTIALS.search(get_param(params, keyword) or ""):
            raise ProgrammingError(
                f"got {keyword} with a user and a password in it: give a connection string as the"
                " first argument of connect(), and passwords as password"
            )
    if "PRIVATE KEY" in (get_param(params, "sslkey") or ""):
        raise ProgrammingError("got sslkey with a key itself in it: expected the name of its file")


def conninfo_attempts(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The attempts that connecting takes, in their order: each host, at each of its addresses.

    Blocks while it looks names up.

    Args:
        params: what `conninfo_to_dict` returned.

    Returns:
        for each attempt its parameters, with one `host`, `hostaddr` and `port`, where there is one.
        A name that isn't found is left out, if others are.

    Raises:
        ProgrammingError: the lists of hosts and ports don't match.
        OperationalError: no name was found; the message says why.
    """
    return wait_select(_attempts_gen(params))


async def conninfo_attempts_async(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """As `conninfo_attempts`, but names are looked up while the event loop goes on."""
    attempts: list[dict[str, Any]] = await STOCK[tasks.current().name](_attempts_gen(params))
    return attempts


def _attempts_gen(params: Mapping[str, Any]) -> WaitGen[list[dict[str, Any]]]:
    given = with_service(params)
    at_random = get_param(given, "load_balance_hosts") == "random"
    found: list[Place] = []
    reasons = []
    places = places_of(given)
    check_resolvable(places)
    for place in ordered(places, at_random):
        if not place.unresolved:
            found.append(place)
            continue
        try:
            found += ordered((yield from look_up_gen(place)), at_random)
        except OperationalError as ex:
            reasons.append(str(ex))
    if not found:
        raise OperationalError("\n".join(reasons))
    common = {name: value for name, value in given.items() if name not in Place._fields}
    return [
        {**common, **{name: value for name, value in place._asdict().items() if value}}
        for place in found
    ]


def timeout_from_conninfo(params: Mapping[str, Any]) -> int:
    """The seconds that one attempt to connect may take, by `connect_timeout` of `params`.

    Returns:
        130 if there is none, or none above 0; else 2 at least.

    Raises:
        ProgrammingError: it is not a number.
    """
    value = get_param(params, "connect_timeout")
    if value is None or not value.strip():
        return DEFAULT_CONNECT_TIMEOUT
    try:
        seconds = int(float(value))
    except (ValueError, OverflowError):
        raise ProgrammingError(
            f"got connect_timeout={quoted(value)}: expected a number of seconds"
        ) from None
    return max(seconds, MIN_CONNECT_TIMEOUT) if seconds > 0 else DEFAULT_CONNECT_TIMEOUT


# The parameters that the driver itself goes by: hosts, time, options, keepalives.
_DRIVERS = frozenset({
    *("host", "hostaddr", "port", "target_session_attrs", "load_balance_hosts"),
    *("connect_timeout", "options", "sslrootcert", "keepalives", *KEEPALIVES),
})  # fmt: skip


def scram_limit_from_conninfo(params: Mapping[str, Any]) -> int:
    """How often a server may have the password hashed, by `scram_max_iterations` of `params`.

    Raises:
        ProgrammingError: it is not a whole number above 0.
    """
    value = get_param(params, "scram_max_iterations") or str(SCRAM_MAX_ITERATIONS)
    if value.isascii() and value.isdigit() and int(value) > 0:
        return int(value)
    raise ProgrammingError(f"got scram_max_iterations={value!r}: expected a whole number above 0")


def with_ssl(params: Mapping[str, Any], ssl: object) -> dict[str, Any]:
    """`params`, and in their `sslmode` what `ssl` asks for, in the words of Python's libraries.

    Args:
        params: what `conninfo_to_dict` returned.
        ssl: an sslmode; False for none; True for a certificate that the system's authorities, or
            those that `sslrootcert` names, vouch for. None changes nothing.

    Raises:
        ProgrammingError: it is something else. An `ssl.SSLContext` is for connectors.
    """
    if ssl is None:
        return dict(params)
    if isinstance(ssl, str):
        return {**params, "sslmode": ssl}
    if not isinstance(ssl, bool):
        raise ProgrammingError(
            f"got ssl of type {type(ssl).__name__} without connector_factory or sock: expected True,"
            " False or an sslmode; libpq makes the TLS of its own connections, say how by sslmode,"
            " sslrootcert and so on"
        )
    if not ssl:
        return {**params, "sslmode": "disable"}
    found = {**params, "sslmode": "verify-full"}
    # An older libpq has no name for the system's: it looks into its own file.
    of_service = with_service(params)
    if not get_param(of_service, "sslrootcert") and version() >= _HAS_SYSTEM_ROOTS:
        found["sslrootcert"] = "system"
    return found


def with_keepalives(params: Mapping[str, Any]) -> dict[str, Any]:
    """`params`, and `KEEPALIVES` where they say nothing of it."""
    missing = {key: text for key, text in KEEPALIVES.items() if get_param(params, key) is None}
    return {**params, **missing} if get_param(params, "keepalives") != "0" else dict(params)


def with_service(params: Mapping[str, Any]) -> dict[str, Any]:
    """`params`, and what the service that they, or PGSERVICE, name says of what the driver goes by.

    What is given comes before the service file's, and that before the environment's, as in libpq.
    All else that is in the file libpq finds there itself; but a file named by `servicefile` the
    driver reads, and there is no `service` for libpq then.

    Raises:
        OperationalError: there is no such service, or its file can't be read.
        NotSupportedError: `servicefile` is given, and PGSERVICE set.
    """
    found = dict(params)
    if file := found.pop("servicefile", None):
        return _with_servicefile(found, _text("servicefile", file))
    if get_param(params, "service"):
        pgconn = rehearse(params)
        for option in pgconn.info:
            keyword = option.keyword.decode()
            if keyword in _DRIVERS and option.val is not None and params.get(keyword) is None:
                value = _decoded(option)
                if value != get_param(params, keyword):
                    found[keyword] = value
        pgconn.finish()
    return found


def _with_servicefile(params: dict[str, Any], file: str) -> dict[str, Any]:
    if "PGSERVICE" in os.environ:
        raise NotSupportedError(
            "got servicefile while PGSERVICE is set: libpq would look for that service in its own"
            " file; unset PGSERVICE and give service, or set PGSERVICEFILE in place of servicefile"
        )
    service = params.pop("service", None)
    if not service:
        return params
    return {**read_service(file, _text("service", service), _known_options()), **params}


_CHECKED_LAST, _REFUSED = "gssencmode", "only a rehearsal"


def rehearse(params: Mapping[str, Any]) -> PGconn:
    """Have libpq prepare a connection by `params`, and stop before it connects anywhere.

    It has then read service file, environment and password file, and tells what it would use: by
    `info`, `password`, `host` and so on. libpq offers no other way to ask. What stops it is the
    last but few of the checks that it makes beforehand (libpq 14 to 18).

    Raises:
        OperationalError: libpq would refuse.
    """
    asked = {**params, _CHECKED_LAST: _REFUSED}
    pgconn = PGconn.connect_start(make_conninfo("", **libpq_params(asked)).encode())
    reason = pgconn.get_error_message()
    if _REFUSED not in reason:
        pgconn.finish()
        raise OperationalError(reason)
    return pgconn


def libpq_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """`params` without those that the driver sees to itself."""
    return {keyword: value for keyword, value in params.items() if keyword not in _EMULATED}


# Settings that libpq sends in a place of their own: there they'd win over those in `options`.
_OWN_PLACE = ("application_name", "client_encoding")
_SETTING_NAME = re.compile(r"[^\W\d][\w$]*(?:\.[^\W\d][\w$]*)*")


def with_server_settings(params: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """`params`, and the server's `settings` for the session, in its `options`.

    Args:
        params: what `conninfo_to_dict` returned; `options` in them, or in PGOPTIONS, stay.
        settings: name to value: text, a number or a bool.

    Raises:
        ProgrammingError: a name that no setting can have, or a value that is none of these.
    """
    if not isinstance(settings, Mapping):
        raise ProgrammingError(
            f"got server_settings of type {type(settings).__name__}: expected a dict of names and"
            " values"
        )
    found = dict(params)
    options = [get_param(params, "options") or ""]
    for name, value in settings.items():
        if not isinstance(name, str) or not _SETTING_NAME.fullmatch(name):
            raise ProgrammingError(
                f"got {name!r} in server_settings: expected the name of a setting, such as"
                " 'search_path'"
            )
        text = _setting(name, value)
        if name.lower() in _OWN_PLACE:
            found[name.lower()] = text
        else:
            # The server splits its options at spaces that have no backslash before them.
            escaped = re.sub(r"([\s\\])", r"\\\1", text, flags=re.ASCII)
            options.append(f"-c {name}={escaped}")
    found["options"] = " ".join(filter(None, options))
    return found


def _setting(name: str, value: Any) -> str:
    """A setting's value as text."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if not isinstance(value, str | int | float):
        raise ProgrammingError(
            f"got the server setting {name!r} of type {type(value).__name__}: expected text, a"
            " number or a bool"
        )
    return _text(f"the server setting {name!r}", value)


def _parsed(conninfo: str) -> dict[str, Any]:
    """The parameters in a connection string."""
    if not isinstance(conninfo, str):
        raise TypeError(f"got a connection string of type {type(conninfo).__name__}: expected str")
    if not conninfo:
        return {}
    if _OTHER_SCHEME.match(conninfo) and not conninfo.startswith(_PREFIXES):
        if conninfo.lstrip().startswith(_PREFIXES):
            raise ProgrammingError(
                "got a URL with a blank or a line's end before it: take that away, as by strip()"
            )
        driver = ", without the name of a driver such as '+asyncpg'"
        raise ProgrammingError(
            "got a URL of another scheme than postgresql:// or postgres://: begin it with one of these"
            f" as they are{driver if '+' in conninfo.partition(':')[0] else ''}"
        )
    known, emulated = _parted(_text("the connection string", conninfo))
    try:
        options = Conninfo.parse(known.encode())
    except OperationalError as ex:
        reason = str(ex)
    else:
        params = {o.keyword.decode(): _decoded(o) for o in options if o.val is not None}
        return _merged(params, emulated)
    # Raised here, this error has not even a hidden `__context__` that knows the password.
    raise ProgrammingError(f"can't read the connection string: {reason}{_meant(conninfo)}")


def _merged(params: dict[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """`params`, to which are added others, by libpq's keywords in place of other names."""
    for name, value in others.items():
        keyword = _ALIASES.get(name, name)
        if keyword in params:
            raise ProgrammingError(f"got both {keyword!r} and its other name: give one of them")
        params[keyword] = value
    return params


def _decoded(option: ConninfoOption) -> str:
    text = (option.val or b"").decode("utf-8", "surrogateescape")
    if _SURROGATE.search(text):
        raise ProgrammingError(f"got {option.keyword.decode()} that is no UTF-8 text")
    return text


def _parted(conninfo: str) -> tuple[str, dict[str, Any]]:
    """A connection string without the parameters that this libpq doesn't know, and these."""
    if not any(keyword in conninfo for keyword in _foreign()):
        return conninfo, {}
    if not _SCHEME.match(conninfo):
        return _parted_pairs(conninfo)
    if (start := _BEFORE_QUERY.match(conninfo)) is None:
        return conninfo, {}
    from urllib.parse import unquote

    kept, emulated = [], {}
    for pair in conninfo[start.end() :].split("&"):
        keyword, equals, value = pair.partition("=")
        if equals and keyword in _foreign():
            emulated[keyword] = unquote(value)
        else:
            kept.append(pair)
    return start[0] + "&".join(kept), emulated


def _parted_pairs(conninfo: str) -> tuple[str, dict[str, Any]]:
    kept, emulated, end = [], {}, 0
    while (pair := _PAIR.match(conninfo, end)) is not None:
        keyword, quoted, bare = pair.groups()
        if keyword in _foreign():
            emulated[keyword] = re.sub(r"\\(.)", r"\1", bare if quoted is None else quoted)
        else:
            kept.append(pair[0])
        end = pair.end()
    return "".join([*kept, conninfo[end:]]), emulated


def _meant(conninfo: str) -> str:
    """What the first unknown keyword of a connection string may have been meant to be."""
    names = re.findall(r"(\w+)\s*=", conninfo)
    advice = (_advice(name) for name in names if name not in _known_options())
    if found := next(filter(None, advice), ""):
        return found
    return "" if conninfo.startswith(_PREFIXES) else f"; expected {_EXPECTED}"


def _given(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments that say something, by libpq's keywords."""
    given = {name: value for name, value in kwargs.items() if value is not None}
    for name, value in given.items():
        if _ALIASES.get(name, name) not in _known_options():
            raise ProgrammingError(_unknown(name))
        _text(name, value)
    return _merged({}, given)


@cache
def _known_options() -> dict[str, tuple[str | None, str | None]]:
    """What the driver and libpq know: keyword to environment variable and built-in value."""
    return _EMULATED | _libpq_options()


@cache
def _foreign() -> frozenset[str]:
    """What the driver takes in a connection string and libpq wouldn't."""
    return frozenset({*_EMULATED, *_ALIASES} - _libpq_options().keys())


@cache
def _libpq_options() -> dict[str, tuple[str | None, str | None]]:
    return {
        option.keyword.decode(): (
            option.envvar.decode() if option.envvar else None,
            option.compiled.decode() if option.compiled else None,
        )
        for option in Conninfo.parse(b"")
    }


def _unknown(name: str) -> str:
    advice = _advice(name) or "; see libpq's parameter key words"
    return f"got the connection parameter {name!r}: this libpq doesn't know it{advice}"


def _advice(name: str) -> str:
    """What may be done about a keyword that this libpq doesn't know, as the end of a sentence."""
    if advice := needs_newer(name):
        return advice
    from difflib import get_close_matches

    similar = get_close_matches(name, _known_options(), 1)
    return f"; did you mean {similar[0]!r}?" if similar else ""


def _text(name: str, value: Any) -> str:
    """A parameter's value as libpq is to read it.

    Raises:
        ProgrammingError: it can't be one. The message doesn't show it: it may be a password.
    """
    if isinstance(value, str):
        text = str.__str__(value)  # of a str subclass or enum, the text itself
    elif isinstance(value, bool):
        text = str(int(value))
    elif isinstance(value, list | tuple):
        text = ",".join("" if item is None else _text(name, item) for item in value)
    elif isinstance(value, bytes):
        text = value.decode("utf-8", "surrogateescape")
    elif isinstance(value, os.PathLike):
        text = os.fsdecode(value)
    elif callable(value) or isinstance(value, Mapping | set | frozenset):
        raise ProgrammingError(
            f"got {name} of type {type(value).__name__}: expected text, a number or a list of them"
        )
    else:
        text = str(value)
    if "\0" in text:
        raise ProgrammingError(f"got {name} with a NUL character in it: libpq can't take one")
    if _SURROGATE.search(text):
        raise ProgrammingError(f"got {name} with a lone surrogate in it: it has no UTF-8 encoding")
    return text


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
