"""The process that owns a throw-away server: it ends server and files when its user is gone.

`server.py` runs it as a script of its own, with nothing but the standard library, sends one request
a line and reads one answer a line, both JSON:

    {"run": argv}                    run a command to its end     {"status": int, "output": str}
    {"start": argv, "timeout": s}    start the server             {"pid": int} or {"status": int?}
    {"stop": mode}                   smart, fast or immediate     {"status": int?}

The end of the requests is the user's end, however it came: the kernel closes a pipe after a SIGKILL
too. So is a new parent, since a forked child of the user may hold the pipe open. Either way the
server is stopped and the directory removed. Commands run as the account given on the command line,
because PostgreSQL refuses to run as root.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Literal

StopMode = Literal["smart", "fast", "immediate"]

PREFIX = "psycopg3-"
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
STOP_TIMEOUT = 30.0  # seconds a shutdown may take before it is made a harder one
POLL = 0.005
HEARTBEAT = 0.5  # seconds between two looks at who the parent is


class Supervisor:
    """Starts and stops what runs in one directory, and removes it in the end."""

    def __init__(self, parent: str, account: tuple[int, int] | None) -> None:
        self.account = account
        self.directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        self.server: subprocess.Popen[bytes] | None = None
        self.command: subprocess.Popen[str] | None = None
        self.ending = False
        self.lock = threading.Lock()  # nothing starts once the end has begun
        if account is not None:
            os.chown(self.directory, *account)

    def serve(self) -> None:
        """Answer requests until there is nobody left to make any."""
        owner, buffer = os.getppid(), b""
        while os.getppid() == owner:
            if not select.select([0], [], [], HEARTBEAT)[0]:
                continue
            chunk = os.read(0, 65536)
            if not chunk:
                return
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                # In a thread, so that the end of the user is noticed while a command still runs.
                threading.Thread(target=self.answer, args=(json.loads(line),), daemon=True).start()

    def answer(self, request: dict[str, Any]) -> None:
        """Do what `request` asks and say how it went."""
        try:
            if "run" in request:
                reply = self.run(request["run"])
            elif "start" in request:
                reply = self.start(request["start"], request["timeout"])
            else:
                reply = {"status": self.stop(request["stop"])}
        except Exception as ex:
            reply = {"error": f"{type(ex).__name__}: {ex}"}
        if not self.ending:
            say(reply)

    def run(self, argv: list[str]) -> dict[str, Any]:
        """Run a command to its end."""
        command = self.command = self.spawn(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        output = command.communicate()[0]
        return {"status": command.returncode, "output": output}

    def start(self, argv: list[str], timeout: float) -> dict[str, Any]:
        """Start the server and wait until it says that it takes connections."""
        with open(self.directory / "log", "ab") as log:
            server = self.server = self.spawn(argv, stdout=log, stderr=log)
        deadline = time.monotonic() + timeout
        while not self.is_ready(server.pid):
            if server.poll() is not None:
                return {"status": server.returncode}
            if time.monotonic() > deadline:
                self.stop("immediate")
                return {"status": None}
            time.sleep(POLL)
        return {"pid": server.pid}

    def is_ready(self, pid: int) -> bool:
        """True once the server has written its state, the eighth line of its file, as good."""
        try:
            lines = (self.directory / "data" / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() in ("ready", "standby")

    def stop(self, mode: str) -> int | None:
        """Stop the server, by `mode` first and harder when that takes too long; its exit status."""
        server = self.server
        if server is None:
            return None
        harder = [STOP_SIGNALS[mode], signal.SIGQUIT, signal.SIGKILL]
        for number in harder:
            if server.poll() is not None:
                break
            # A stopped server hears nothing.
            server.send_signal(signal.SIGCONT)
            server.send_signal(number)
            try:
                server.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                continue
        return server.returncode

    def end(self) -> None:
        """Stop all that runs, remove the directory."""
        with self.lock:
            self.ending = True
        if self.command is not None and self.command.poll() is None:
            os.killpg(self.command.pid, signal.SIGKILL)
            self.command.wait()
        self.stop("immediate")
        for _ in range(50):
            shutil.rmtree(self.directory, ignore_errors=True)
            if not self.directory.exists():
                break
            time.sleep(0.1)  # a last process of the server may still have been writing

    def spawn(self, argv: list[str], **options: Any) -> subprocess.Popen[Any]:
        """Start a process as the account, in the directory, with an environment of its own."""
        env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(self.directory)}
        env |= {k: v for k, v in os.environ.items() if k.endswith("LIBRARY_PATH")}
        options |= {"cwd": self.directory, "env": env, "start_new_session": True}
        if self.account is not None:
            options |= {"user": self.account[0], "group": self.account[1], "extra_groups": []}
        with self.lock:
            if self.ending:
                raise RuntimeError("the supervisor is ending")
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, **options)


def say(message: dict[str, Any]) -> None:
    """Send one answer; a user that has gone needs none."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(message).encode() + b"\n")


def main(parent: str, uid: str = "", gid: str = "") -> None:
    """Make a directory below `parent`, serve, and remove it again."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(1))
    try:
        supervisor = Supervisor(parent, (int(uid), int(gid)) if uid else None)
    except OSError as ex:
        say({"error": f"{type(ex).__name__}: {ex}"})
        return
    try:
        say({"directory": str(supervisor.directory)})
        supervisor.serve()
    finally:
        supervisor.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
