#!/usr/bin/env bash
# PySide6 6.12.0 on Python 3.11: each emit() of a signal gives up a reference to True that it doesn't own.
# A program that emits some thousand times ends by "Fatal Python error: bool_dealloc": on qtinter 0.11.0,
# which emits one in each turn of its loop, after a few hundred queries. From Python 3.12 on True is
# immortal, and nothing happens.
# Seen (CPython 3.11): 200 emits, and 200 references less.
set -eu
VERSION=6.12.0
PYTHON=${PYTHON:-python3.11}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$PYTHON" -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install "PySide6-Essentials==$VERSION"
"$folder/venv/bin/python" - <<'PY'
import os
import sys

from PySide6 import QtCore

app = QtCore.QCoreApplication([])
timer = QtCore.QTimer()
before = sys.getrefcount(True)
for _ in range(200):
    timer.timeout.emit()
lost = before - sys.getrefcount(True)
print(lost, "references to True were lost")
assert lost >= 200, "PySide6 keeps its references now"
sys.stdout.flush()
os._exit(0)  # Python's own end would be that error
PY
