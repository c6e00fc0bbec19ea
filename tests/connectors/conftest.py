"""Fixtures of the tests of connectors: a way to the server."""

from __future__ import annotations

import socket

import pytest


@pytest.fixture
def path(cluster, dsn):
    """The server's Unix socket."""
    if not cluster.owned:
        pytest.skip("needs a server of our own")
    return f"{cluster.socket_dir}/.s.PGSQL.{cluster.port}"


@pytest.fixture
def opens(path):
    def opens(host, port):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        return sock

    return opens
