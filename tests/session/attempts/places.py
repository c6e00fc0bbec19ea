"""Places to connect to, and what is left open."""

from __future__ import annotations

import gc
import os
import socket
import sys
import threading
import time
from collections import Counter
from contextlib import suppress

from psycopg3.conninfo import conninfo_to_dict
from psycopg3.session import attempts
from psycopg3.session.attempts import Attempts
from psycopg3.waiting import wait_select
from tests import listeners

LOCAL = listeners.ADDRESS


def open_place(**params):
    """Go through the attempts, and return the (host, hostaddr, port) of the one that succeeded."""
    params = {"sslmode": "disable", "gssencmode": "disable", **params}
    pgconn = wait_select(Attempts(conninfo_to_dict("", **params)).connect_gen())
    try:
        assert pgconn.nonblocking
        return pgconn.host.decode(), pgconn.hostaddr.decode(), int(pgconn.port)
    finally:
        pgconn.finish()


def open_port(**params):
    return open_place(**params)[2]


def hurried(monkeypatch, seconds=0.3):
    """Have attempts give up after fractions of a second, which libpq's parameter can't say."""
    monkeypatch.setattr(attempts, "timeout_from_conninfo", lambda params: seconds)


class Names:
    """The names that can be looked up, in place of the system's; counts the look-ups."""

    def __init__(self):
        self.addresses = {}
        self.asked = Counter()
        self.hangs = threading.Event()
        self.threads = set()

    def getaddrinfo(self, host, port, *args, **kwargs):
        self.asked[host] += 1
        self.threads.add(threading.current_thread())
        found = self.addresses.get(host)
        if found is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if found == "hangs":
            self.hangs.wait(20)
            found = []
        families = {True: socket.AF_INET6, False: socket.AF_INET}
        return [
            (families[":" in a], socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (a, port))
            for a in found
        ]


def descriptors():
    """What is open, each by a name that never comes back."""
    gc.collect()
    folder = "/proc/self/fd" if os.path.exists("/proc/self/fd") else "/dev/fd"
    found = set()
    for number in os.listdir(folder):
        with suppress(OSError):  # that of the listing itself
            status = os.stat(int(number))
            found.add((number, status.st_dev, status.st_ino))
    return found


def new_since(before):
    """How many descriptors are open that weren't then; what others close meanwhile doesn't count."""
    return lambda: len(descriptors() - before)


def settles(function, value, seconds=3.0):
    """Whether `function` comes to return `value`; other threads may be at work."""
    deadline = time.monotonic() + seconds
    while function() != value and time.monotonic() < deadline:
        if sys.implementation.name != "cpython":
            gc.collect()
        time.sleep(0.02)
    return function() == value
