#!/usr/bin/env bash
# gevent 26.9.0: threading.RLock under monkey.patch_all() starves who waits. A greenlet that takes it again
# and again, and lets others run while it holds it, gets it each time: its release wakes the waiter, who
# runs later, when the lock has been taken anew.
# Seen (CPython 3.11): the waiter got its turn when the other had had 1,000, and wanted no more.
set -eu
VERSION=26.9.0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install "gevent==$VERSION"
"$folder/venv/bin/python" - <<'PY'
from gevent import monkey

monkey.patch_all()
import threading

import gevent

lock, turns = threading.RLock(), {"loop": 0}


def loop():
    while turns["loop"] < 1000:
        with lock:
            turns["loop"] += 1
            gevent.sleep(0)  # others run, and find it taken


def wait():
    with lock:
        turns["when the waiter had its turn"] = turns["loop"]


first = gevent.spawn(loop)
gevent.sleep(0)
gevent.joinall([first, gevent.spawn(wait)])
print(turns)
assert turns["when the waiter had its turn"] == 1000, "gevent's RLock starves nobody any more"
PY
