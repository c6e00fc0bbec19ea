"""Cluster: a PostgreSQL server for the length of a `with` block, made where none is there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

from ..errors import OperationalError, ProgrammingError
from .server import HOST, USER, Options, Server, Setting
from .supervisor import StopMode


class Cluster:
    """A PostgreSQL server for tests and demos: one of our own, unless you name another for them.

    A server named by `dsn` or by PSYCOPG3_TEST_DSN is used as it is; what libpq's own variables
    (PGHOST and such) name may be a real database, and is not. Where none is named, or where an option
    asks for what a server that is there need not have, one is made from the first PostgreSQL found:
    in `bindir` or PSYCOPG3_TEST_BINDIR, by pg_config, where the system puts it, in PATH, in the
    wheel of `psycopg3[embedded]`.

    A server of our own listens on a Unix socket and on 127.0.0.1, has the superuser `postgres`, and
    leaves nothing behind, also when this process is killed. It works for root too: the server then
    runs as the account `postgres`, or as nobody. It needs a POSIX system.

        with Cluster(settings={"max_connections": 20}) as cluster:
            conn = psycopg3.connect(cluster.dsn)

    Args:
        dsn: connection string of a server to use as it is, "" for the one that libpq's variables name;
            excludes the options below.
        bindir: folder of the server's programs.
        settings: parameters of the server, as in postgresql.conf.
        hba: lines of pg_hba.conf, to come before those that `auth` gives.
        auth: how everybody signs in: `trust`, `scram-sha-256`, `md5` or `password`.
        tls: True: with TLS, or an error; False: without; None: with, where the programs can.
        own: make a server of our own even where one is named.
        timeout: seconds that each start of the server may take.
    """

    __module__ = "psycopg3.testing"

    def __init__(
        self,
        dsn: str | None = None,
        *,
        bindir: str | os.PathLike[str] | None = None,
        settings: Mapping[str, Setting] | None = None,
        hba: Sequence[str] = (),
        auth: str = "trust",
        tls: bool | None = None,
        own: bool = False,
        timeout: float = 60.0,
    ) -> None:
        wants_own = own or bool(bindir or settings or hba or tls) or auth != "trust"
        if dsn is not None and wants_own:
            raise ProgrammingError("a server named by its dsn is used as it is: drop the options")
        bindir = bindir or os.environ.get("PSYCOPG3_TEST_BINDIR")
        self._options = Options(bindir, settings or {}, tuple(hba), auth, tls, timeout)
        named = dsn if dsn is not None else os.environ.get("PSYCOPG3_TEST_DSN") or None
        self._named = None if wants_own else named
        self._server: Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        if self._named is not None:
            state = "a server that was there"
        elif self._server is None:
            state = "not started"
        else:
            state = f"in {self.socket_dir}, port {self.port}"
        return f"<psycopg3.testing.Cluster {state}>"

    @property
    def owned(self) -> bool:
        """True for a server of our own, which may be configured, stopped and restarted."""
        return self._named is None

    @property
    def dsn(self) -> str:
        """Connection string: the superuser's, by the Unix socket; or the one that was given."""
        if self._named is not None:
            return self._named
        password = f" password={self.password}" if self.password else ""
        place = f"host={_quoted(str(self.socket_dir))} port={self.port}"
        # libpq would take it from the environment or a service, and connect there.
        if "PGHOSTADDR" in os.environ or "PGSERVICE" in os.environ:
            place += " hostaddr=''"
        return f"{place} user={USER} dbname={USER}{password}"

    @property
    def host(self) -> str:
        """The address for TCP connections; of a server that was there, what its connections use."""
        return HOST if self.owned else self._facts[0]

    @property
    def port(self) -> int:
        """The port, of the socket and of TCP."""
        return self._own.port if self.owned else self._facts[1]

    @property
    def version(self) -> int:
        """The server's version as libpq gives it: 180004 is 18.4."""
        return self._own.installation.version if self.owned else self._facts[2]

    @property
    def bindir(self) -> Path:
        """The folder of the server's programs."""
        return self._own.bindir

    @property
    def socket_dir(self) -> Path:
        """The folder of the server's Unix socket."""
        return self._own.directory

    @property
    def ca_file(self) -> Path | None:
        """What clients check the server's certificate by, itself; None without TLS.

        It is good for localhost, 127.0.0.1, ::1 and db.example.test.
        """
        return self._own.ca_file

    @property
    def password(self) -> str | None:
        """The superuser's password; None where signing in needs none."""
        return self._own.password

    @property
    def pid(self) -> int | None:
        """The process id of the server; None while it is down."""
        return self._own.pid

    @property
    def log(self) -> str:
        """What the server has logged."""
        return self._own.log

    def start(self) -> None:
        """Make the server and start it, or start it again after `halt`; nothing where it runs."""
        if self._named is not None:
            return
        if self._server is None:
            self._server = Server(self._options)
        elif self._server.pid is None:
            self._server.start()

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server and remove all its files; a server that was there stays as it is."""
        server, self._server = self._server, None
        if server is not None:
            try:
                server.stop(mode)
            finally:
                server.release()

    def halt(self, mode: StopMode = "fast") -> None:
        """Stop the server, but keep its data for the next `start`."""
        self._own.stop(mode)

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop the server and start it again, with its data, on the same port."""
        self._own.stop(mode)
        self._own.start()

    @property
    def _own(self) -> Server:
        if self._named is not None:
            raise ProgrammingError(
                "the server was there before and is not ours: ask for one with Cluster(own=True)"
            )
        if self._server is None:
            raise ProgrammingError("the cluster is not started: use `with Cluster() as cluster:`")
        return self._server

    @cached_property
    def _facts(self) -> tuple[str, int, int]:
        """Host, port and version, as a server that was there says."""
        from .. import pq  # a server of our own is made without libpq

        conn = pq.PGconn.connect((self._named or "").encode())
        try:
            if conn.status != pq.ConnStatus.OK:
                reason = conn.get_error_message()
                raise OperationalError(f"no answer from the named server: {reason}")
            return conn.host.decode(), int(conn.port), conn.server_version
        finally:
            conn.finish()


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
