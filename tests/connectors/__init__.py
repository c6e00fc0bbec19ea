"""Connectors for tests, one kind under one name in each world: `threads` and `tasks`."""

from __future__ import annotations

import socket
import struct

from tests.listeners import SSL_REQUEST


class Opens:
    """Opens sockets to a server, whatever host and port are asked for, and counts."""

    def __init__(self, target):
        self.target = target
        self.asked = []
        self.sockets = []

    def __call__(self, host, port):
        self.asked.append((host, port))
        if isinstance(self.target, str):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(self.target)
        else:
            sock = socket.create_connection(self.target)
        # Not kept: an observer that holds no descriptor.
        self.sockets.append(sock.fileno())
        return sock


def upgrading(opens):
    """Opens sockets on which the server has agreed to TLS: what is said next is the handshake."""

    def open(host, port):
        sock = opens(host, port)
        sock.sendall(struct.pack("!ii", 8, SSL_REQUEST))
        assert sock.recv(1) == b"S"
        return sock

    return open
