"""ConnectionInfo: what the server and libpq tell about a connection."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any, NamedTuple

from .._capabilities import capabilities
from .._exceptions import readable
from ..conninfo import DEFAULT_CONNECT_TIMEOUT, KEEPALIVES, make_conninfo
from ..encodings import conn_encoding, words_encoding
from ..errors import ProgrammingError
from ..pq import ConninfoOption, ConnStatus, PGconn, PipelineStatus, TransactionStatus
from ..types.timezone import session_timezone
from .routes import Route, decoded

# What servers of version 18 report, by the manual's section "Asynchronous Operations" of the
# protocol; older ones report less.
_REPORTED = (
    "application_name",
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "in_hot_standby",
    "integer_datetimes",
    "IntervalStyle",
    "is_superuser",
    "scram_iterations",
    "search_path",
    "server_encoding",
    "server_version",
    "session_authorization",
    "standard_conforming_strings",
    "TimeZone",
)

# Secrets that libpq doesn't mark as such.
_SECRETS = frozenset({b"oauth_client_secret", b"scram_client_key", b"scram_server_key"})


_UNLISTED = {
    "connect_timeout": str(DEFAULT_CONNECT_TIMEOUT),
    "sslcertmode": "allow",
    **KEEPALIVES,
}


class ConnectionInfo:
    """What the server and libpq tell about a connection; `Connection.info` is one.

    Of a connection that was lost it tells what libpq still knows. After `close()` only `vendor`,
    `status`, `transaction_status`, `pipeline_status`, `error_message` and `encoding` answer: the
    others raise OperationalError.

    Args:
        pgconn: libpq's connection.
        route: how its links go; by default they are libpq's own.
    """

    __slots__ = ("_route", "pgconn")

    def __init__(self, pgconn: PGconn, route: Route = Route()):  # it has no state
        self._route = route
        self.pgconn = pgconn
        """The libpq connection asked."""

    def __repr__(self) -> str:
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        return f"<{name} {self._route.summary(self.pgconn)} at 0x{id(self):x}>"

    # -- where it goes ---------------------------------------------------------------------

    @property
    def vendor(self) -> str:
        """The name of the database system: "PostgreSQL"."""
        return "PostgreSQL"

    @property
    def host(self) -> str:
        """The name of the host connected to, or the directory of its Unix socket (`PQhost`)."""
        return self._route.place(self.pgconn).host

    @property
    def hostaddr(self) -> str:
        """The IP address connected to, "" for a Unix socket (`PQhostaddr`, libpq 12).

        Of a connection over a connector's link it is that of the link's other side, be it a proxy's;
        "" if that isn't known.
        """
        return self._route.place(self.pgconn).hostaddr

    @property
    def port(self) -> int:
        """The port connected to (`PQport`)."""
        return int(self._route.place(self.pgconn).port)

    @property
    def dbname(self) -> str:
        """The name of the database (`PQdb`)."""
        return decoded(self.pgconn.db)

    @property
    def user(self) -> str:
        """The name of the user who connected (`PQuser`)."""
        return decoded(self.pgconn.user)

    @property
    def password(self) -> str:
        """The password that was given for connecting, "" without (`PQpass`)."""
        return decoded(self.pgconn.password)

    @property
    def options(self) -> str:
        """The command-line options sent to the server when connecting (`PQoptions`)."""
        return decoded(self.pgconn.options)

    def get_parameters(self) -> dict[str, str]:
        """The connection parameters that differ from libpq's defaults, without any password.

        They may come from `connect()`, from the environment or from a service file.
        """
        return self._route.parameters(
            {
                option.keyword.decode(): decoded(option.val)
                for option in self.pgconn.info
                if option.val is not None and not _is_default(option) and not _is_secret(option)
            }
        )

    @property
    def dsn(self) -> str:
        """A connection string (data source name) of `get_parameters()`, so without password."""
        return make_conninfo(**self.get_parameters())

    # -- how it stands ---------------------------------------------------------------------

    @property
    def status(self) -> ConnStatus:
        """The status of the connection: OK, or BAD if it was closed or lost (`PQstatus`)."""
        return self.pgconn.status

    @property
    def transaction_status(self) -> TransactionStatus:
        """The status of the session's transaction (`PQtransactionStatus`)."""
        return self.pgconn.transaction_status

    @property
    def pipeline_status(self) -> PipelineStatus:
        """The status of the pipeline mode (`PQpipelineStatus`)."""
        return self.pgconn.pipeline_status

    @property
    def error_message(self) -> str:
        """libpq's last message about the connection, "" without; it never shows the password."""
        if not self.pgconn.error_message:
            return ""
        return self.pgconn.get_error_message(words_encoding(self.pgconn))

    # -- the other side --------------------------------------------------------------------

    @property
    def backend_pid(self) -> int:
        """The process id (PID) of the server process on the other side (`PQbackendPID`)."""
        return self.pgconn.backend_pid

    @property
    def server_version(self) -> int:
        """The version of the server as a number: 180004 for 18.4 (`PQserverVersion`)."""
        return self.pgconn.server_version

    @property
    def server_version_info(self) -> ServerVersion:
        """The version of the server as a pair to compare: `(18, 4)`."""
        return ServerVersion(*divmod(self.server_version, 10000))

    @property
    def full_protocol_version(self) -> int:
        """The version of the protocol: 30000 for 3.0, 30002 for 3.2 (`PQfullProtocolVersion`).

        Before libpq 18 only the major version is known: see
        `Capabilities.has_full_protocol_version()`.
        """
        if capabilities.has_full_protocol_version():
            return self.pgconn.full_protocol_version
        return self.pgconn.protocol_version * 10000

    @property
    def encoding(self) -> str:
        """The Python codec of the connection's client_encoding.

        It is "ascii" if that is SQL_ASCII: then text loads as bytes.

        Raises:
            NotSupportedError: Python has no right codec for it.
        """
        return conn_encoding(self.pgconn)

    @property
    def timezone(self) -> tzinfo:
        """The session's TimeZone; UTC, with a warning in the log, if Python doesn't know it."""
        return session_timezone(self.pgconn)

    def parameter_status(self, name: str) -> str | None:
        """The value of a setting that the server reports (`PQparameterStatus`).

        Args:
            name: the setting, in upper and lower case as in the manual: "TimeZone".

        Returns:
            None if the server doesn't report it.

        Raises:
            ProgrammingError: the name is no str.
        """
        if not isinstance(name, str):
            raise ProgrammingError(
                f"got the name of a setting of type {type(name).__name__}: expected a str such as"
                " 'TimeZone'"
            )
        return self.settings.get(name)

    @property
    def settings(self) -> ServerSettings:
        """The settings that the server reports, by name; it stays up to date."""
        return ServerSettings(self.pgconn)


class ServerVersion(NamedTuple):
    """The version of a server: `conn.info.server_version_info >= (17,)`.

    The numbers alone: 19beta1 is (19, 0). The whole text is `settings["server_version"]`.
    """

    major: int
    minor: int


class ServerSettings(Mapping[str, str]):
    """The session's settings that the server reports on its own, a live view by name.

    Which these are is the server's choice: see `ConnectionInfo.parameter_status()`. Iteration
    gives those that PostgreSQL reports; others, of poolers or of its kin, are found by name.
    """

    __slots__ = ("_pgconn",)

    def __init__(self, pgconn: PGconn):
        self._pgconn = pgconn

    def __getitem__(self, name: str) -> str:
        if not isinstance(name, str):  # a mapping is asked for anything
            raise KeyError(name)
        value = self._pgconn.parameter_status(name.encode("utf-8", "backslashreplace"))
        if value is None:
            raise KeyError(name)
        return readable(value, words_encoding(self._pgconn))

    def __iter__(self) -> Iterator[str]:
        return (name for name in _REPORTED if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        closed = self._pgconn.status == ConnStatus.BAD
        content: Any = "closed" if closed else dict(self)
        return f"<{type(self).__module__}.{type(self).__qualname__} {content}>"


def _is_default(option: ConninfoOption) -> bool:
    # A libpq that was built without TLS can't use client certificates: that isn't the user's choice.
    if (option.keyword, option.val) == (b"sslcertmode", b"disable"):
        return True
    return option.val == option.compiled or decoded(option.val) == _unlisted_default(option.keyword)


def _unlisted_default(keyword: bytes) -> str | None:
    """A default that libpq fills in and its list of options doesn't tell, or one of ours."""
    if keyword != b"passfile":
        return _UNLISTED.get(keyword.decode())
    # the manual's section "The Password File"
    if os.name == "nt":
        return os.environ.get("APPDATA", "") + "/postgresql/pgpass.conf"
    return os.path.expanduser("~") + "/.pgpass"


def _is_secret(option: ConninfoOption) -> bool:
    return option.dispchar == b"*" or option.keyword in _SECRETS
