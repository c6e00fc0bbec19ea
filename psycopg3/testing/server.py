"""A PostgreSQL server of our own: made in a temporary directory, started, stopped, removed."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import OperationalError
from . import binaries, certificates, supervisor

Setting = str | int | float | bool

HOST = "127.0.0.1"
USER = "postgres"
PASSWORD_METHODS = ("scram-sha-256", "md5", "password")
PORT_ATTEMPTS = 5
TAIL = 15  # lines of a log or an output in an error
STOP_TIMEOUT = 120.0

# Nothing here has to outlive the machine, but commits do outlive a crash of the server, which tests
# may want. Times read the same everywhere.
SETTINGS: dict[str, Setting] = {
    "listen_addresses": HOST,
    "fsync": False,
    "full_page_writes": False,
    "max_prepared_transactions": 16,  # two-phase commits are off without it
    "logging_collector": False,
    "log_destination": "stderr",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Options(NamedTuple):
    """How a server is to be made; `psycopg3.testing.Cluster` says what each means."""

    bindir: str | os.PathLike[str] | None
    settings: Mapping[str, Setting]
    hba: tuple[str, ...]
    auth: str
    tls: bool | None
    timeout: float


class Server:
    """A running server in a directory of its own, both owned by a supervisor process."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.installation = binaries.find(options.bindir)
        self.account = binaries.account()
        self.password = secrets.token_hex(8) if options.auth in PASSWORD_METHODS else None
        self.ca_file: Path | None = None
        self.pid: int | None = None
        self.port = 0
        self.process = _supervise(binaries.temporary(self.account), self.account)
        # At the end of this object or of the program; never in a forked child.
        self.release = weakref.finalize(self, _release, self.process, os.getpid())
        try:
            self.directory = Path(self._answer()["directory"])
            self.bindir = self.installation.bindir
            if not binaries.usable_by(self.bindir, self.account):
                self.bindir = binaries.copy(self.bindir, self.directory / "postgresql")
            self.data = self.directory / "data"
            self._initialise()
            self._start_on_a_free_port()
        except BaseException:
            self.release()
            raise

    @property
    def log(self) -> str:
        """What the server has logged until now."""
        path = self.directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start the server; it must be down."""
        argv = [str(self.bindir / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        reply = self._ask({"start": argv, "timeout": self.options.timeout})
        if "pid" not in reply:
            status = reply["status"]
            how = f"ended with status {status}" if status is not None else "was not ready in time"
            raise OperationalError(f"the server {how}. Its log ends with:\n{_tail(self.log)}")
        self.pid = reply["pid"]

    def stop(self, mode: supervisor.StopMode) -> None:
        """Stop the server and keep its data."""
        self._ask({"stop": mode})
        self.pid = None

    def _initialise(self) -> None:
        auth = ["--auth", self.options.auth]
        if self.password is not None:
            path = self.directory / "password"
            path.write_text(self.password)
            self._give(path)
            auth += ["--pwfile", str(path)]
        locale = ["--encoding", "UTF8", "--no-locale"]
        argv = ["-D", str(self.data), "--username", USER, *locale, *auth, "--no-sync"]
        self._run("initdb", *argv)
        settings = {**SETTINGS, "unix_socket_directories": str(self.directory)}
        if self.options.auth == "md5":
            settings["password_encryption"] = "md5"
        settings |= self._tls_settings()
        settings |= self.options.settings
        with open(self.data / "postgresql.conf", "a") as file:
            file.writelines(f"{name} = {_quoted(value)}\n" for name, value in settings.items())
        hba = self.data / "pg_hba.conf"
        hba.write_text("\n".join([*self.options.hba, hba.read_text()]))

    def _tls_settings(self) -> dict[str, Setting]:
        if self.options.tls is False:
            return {}
        library = self._run("postgres", "-D", str(self.data), "-C", "ssl_library")
        if "openssl" not in library.lower():
            lacks = f"a server built with TLS, unlike the one in {self.installation.bindir}"
        elif not certificates.can_make():
            lacks = "the program openssl, to make a certificate"
        else:
            return self._with_certificate()
        if self.options.tls:
            raise OperationalError(f"tls=True needs {lacks}")
        return {}

    def _with_certificate(self) -> dict[str, Setting]:
        folder = self.directory / "tls"
        folder.mkdir(mode=0o755)
        ca, key = certificates.make(folder)
        self._give(key)
        self.ca_file = ca
        return {"ssl": True, "ssl_cert_file": str(ca), "ssl_key_file": str(key)}

    def _start_on_a_free_port(self) -> None:
        for attempt in range(PORT_ATTEMPTS):
            self.port = _free_port()
            try:
                return self.start()
            except OperationalError:
                # Between our look and the server's own, somebody else may have taken the port.
                if "could not bind" not in self.log or attempt == PORT_ATTEMPTS - 1:
                    raise

    def _run(self, program: str, *args: str) -> str:
        reply = self._ask({"run": [str(self.bindir / program), *args]})
        if reply["status"]:
            raise OperationalError(
                f"{program} ended with status {reply['status']}:\n{_tail(reply['output'])}"
            )
        return str(reply["output"])

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        # Where nobody reads any more no answer comes either, and that is told below.
        with contextlib.suppress(OSError):
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise OperationalError("the process that watches over the server has ended")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise OperationalError(f"the server could not be run: {reply['error']}")
        return reply

    def _give(self, path: Path) -> None:
        if self.account is not None:
            os.chown(path, *self.account)


def _supervise(parent: Path, who: binaries.Account | None) -> subprocess.Popen[bytes]:
    # -I and -S: it needs the standard library only, and starts in half the time.
    argv = [sys.executable, "-I", "-S", supervisor.__file__, str(parent), *map(str, who or ())]
    return subprocess.Popen(
        argv,
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C in the user's terminal is not for the server
    )


def _release(process: subprocess.Popen[bytes], owner: int) -> None:
    """Let the supervisor clean up, by ending its requests, and wait until it has."""
    if os.getpid() != owner:
        return
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    process.wait(STOP_TIMEOUT)
    process.stdout.close()


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def _quoted(value: Setting) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-TAIL:]) or "(nothing)"
