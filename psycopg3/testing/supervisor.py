"""The process that owns a throw-away server: it ends server and files when its user is gone.

`server.py` runs it as a script of its own, with nothing but the standard library, sends one request
a line and reads one answer a line, both JSON:

    {"run": argv}                    run a command to its end     {"status": int, "output": str}
    {"start": argv, "timeout": s}    start the server             {"pid": int} or {"status": int?}
    {"stop": mode}                   smart, fast or immediate     {"status": int?}

The end of the requests is the user's end, however it came: the kernel closes a pipe after a SIGKILL
too. So is a new parent, looked for by a timer, since a forked child of the user may hold the pipe
open, and a command may be running. Either way the server is stopped and the directory removed.
Commands run as the account given on the command line, because PostgreSQL refuses to run as root.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

StopMode = Literal["smart", "fast", "immediate"]

PREFIX = "psycopg3-"
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
LEAVE = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
STOP_TIMEOUT = 30.0  # seconds a shutdown may take before it is made a harder one
POLL = 0.005
HEARTBEAT = 0.5  # seconds between two looks at who the parent is


class Supervisor:
    """Starts and stops what runs in one directory, and removes it in the end."""

    def __init__(self, parent: str, account: tuple[int, int] | None) -> None:
        self.account = account
        self.owner = os.getppid()
        self.directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        self.process: subprocess.Popen[Any] | None = None  # the server, or a command before it
        self.spawning = False
        if account is not None:
            os.chown(self.directory, *account)

    def serve(self) -> None:
        """Answer requests until there is nobody left to make any."""
        signal.signal(signal.SIGALRM, lambda *_: self.look())
        signal.setitimer(signal.ITIMER_REAL, HEARTBEAT, HEARTBEAT)
        for line in sys.stdin.buffer:
            say(self.answer(json.loads(line)))

    def look(self) -> None:
        """Leave if the user is gone; but not while a process is started that nobody would know."""
        if os.getppid() != self.owner and not self.spawning:
            sys.exit(1)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what `request` asks; how it went."""
        try:
            if "run" in request:
                return self.run(request["run"])
            if "start" in request:
                return self.start(request["start"], request["timeout"])
            return {"status": self.stop(request["stop"])}
        except Exception as ex:
            return {"error": f"{type(ex).__name__}: {ex}"}

    def run(self, argv: list[str]) -> dict[str, Any]:
        """Run a command to its end."""
        command = self.spawn(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        output = command.communicate()[0]
        return {"status": command.returncode, "output": output}

    def start(self, argv: list[str], timeout: float) -> dict[str, Any]:
        """Start the server and wait until it says that it takes connections."""
        with open(self.directory / "log", "ab") as log:
            server = self.spawn(argv, stdout=log, stderr=log)
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
        """Stop what runs, by `mode` first and harder when that takes too long; its exit status."""
        process = self.process
        if process is None:
            return None
        harder = [STOP_SIGNALS[mode], signal.SIGQUIT, signal.SIGKILL]
        for number in harder:
            if process.poll() is not None:
                break
            # A stopped server gets no signal; and a command may have processes of its own.
            os.killpg(process.pid, signal.SIGCONT)
            os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT)
        return process.returncode

    def end(self) -> None:
        """Stop what runs, remove the directory; nothing interrupts this."""
        for number in (*LEAVE, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
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
        self.spawning = True
        try:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, **options)
        finally:
            self.spawning = False
        return self.process


def say(message: dict[str, Any]) -> None:
    """Send one answer; a user that has gone needs none."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(message).encode() + b"\n")


def main(parent: str, uid: str = "", gid: str = "") -> None:
    """Make a directory below `parent`, serve, and remove it again."""
    for number in LEAVE:
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
