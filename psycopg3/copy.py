"""COPY, under the path where clients of this field look for it."""

from __future__ import annotations

from typing import IO

from ._async.copy import AsyncCopy, AsyncLibpqWriter, AsyncQueuedLibpqWriter, AsyncWriter
from ._sync.copy import Copy, LibpqWriter, QueuedLibpqWriter, Writer
from .abc import Buffer


class FileWriter(Writer):
    """Writes the data to a file: `Copy(cursor, writer=FileWriter(file))` needs no COPY of a server's.

    Args:
        file: open for writing bytes; it stays open.
    """

    def __init__(self, file: IO[bytes]):
        self.file = file

    def write(self, data: Buffer) -> None:
        """Write a block."""
        self.file.write(data)


__all__ = [
    "AsyncCopy",
    "AsyncLibpqWriter",
    "AsyncQueuedLibpqWriter",
    "AsyncWriter",
    "Copy",
    "FileWriter",
    "LibpqWriter",
    "QueuedLibpqWriter",
    "Writer",
]
