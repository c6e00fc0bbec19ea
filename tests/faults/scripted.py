"""A server of a script: it speaks as much of the protocol as signing in takes, and lies as it is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from psycopg3.testing import certificates
from tests.listeners import GSS_REQUEST, SSL_REQUEST, exactly, send, startup, welcome

OK, CLEARTEXT, MD5, GSS, SASL, SASL_CONTINUE, SASL_FINAL = 0, 3, 5, 7, 10, 11, 12

PASSWORD = "s3cret"
"""What the client is to sign in with."""

Talk = Callable[[socket.socket], None]
"""What a server does with a connection, as `listeners.Listener` calls it."""

Transport = Callable[[socket.socket, bytes], None]
"""How a server sends some bytes."""


def at_once(sock: socket.socket, data: bytes) -> None:
    """Send all."""
    sock.sendall(data)


def context(folder: Path) -> ssl.SSLContext:
    """What a server needs for TLS, with a new certificate."""
    files = certificates.make(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(files.certificate, files.key)
    return tls


def encrypted(talk: Talk, tls: ssl.SSLContext) -> Talk:
    """`talk`, after the client has asked for TLS."""

    def talk_by_tls(sock: socket.socket) -> None:
        while code_of(sock) != SSL_REQUEST:
            sock.sendall(b"N")
        sock.sendall(b"S")
        with tls.wrap_socket(sock, server_side=True) as link:
            talk(link)

    return talk_by_tls


def code_of(sock: socket.socket) -> int:
    """Take a request for encryption."""
    length, code = struct.unpack("!ii", exactly(sock, 8))
    assert (length, code) in ((8, SSL_REQUEST), (8, GSS_REQUEST))
    return int(code)


def ask(sock: socket.socket, code: int, body: bytes = b"") -> None:
    """Ask for authentication."""
    send(sock, b"R", struct.pack("!i", code) + body)


def answer(sock: socket.socket) -> bytes:
    """Take an answer to that."""
    kind, length = struct.unpack("!ci", exactly(sock, 5))
    assert kind == b"p"
    return exactly(sock, length - 4)


def message(kind: bytes, body: bytes) -> bytes:
    """One message of the protocol."""
    return kind + struct.pack("!i", len(body) + 4) + body


class Scram:
    """Signs a client in by SCRAM-SHA-256, as RFC 5802 and RFC 7677 have it.

    Args:
        iterations: how often the client is to hash; text goes as it is, true or not.
        transport: how to send a message's bytes.
        before: what to send before the message that has the iterations.
        mechanisms: what to offer.
    """

    def __init__(
        self,
        iterations: int | str = 4096,
        *,
        transport: Transport = at_once,
        before: bytes = b"",
        mechanisms: Sequence[str] = ("SCRAM-SHA-256",),
    ) -> None:
        self.iterations = iterations
        self.transport = transport
        self.before = before
        self.mechanisms = mechanisms
        self.signed_in = 0

    def __call__(self, sock: socket.socket) -> None:
        """Sign one client in, and stay until it leaves."""
        startup(sock)
        offer = b"".join(f"{name}\0".encode() for name in self.mechanisms) + b"\0"
        self._ask(sock, SASL, offer)
        first = answer(sock)
        mechanism, _, rest = first.partition(b"\0")
        assert mechanism == b"SCRAM-SHA-256"
        header, client_first = rest[4:].decode().split(",,")
        nonce, salt = client_first.partition("r=")[2] + "server", os.urandom(16)
        server_first = f"r={nonce},s={_base64(salt)},i={self.iterations}"
        if self.before:
            sock.sendall(self.before)
        self._ask(sock, SASL_CONTINUE, server_first.encode())
        final = answer(sock).decode()
        without_proof, _, proof = final.rpartition(",p=")
        assert without_proof == f"c={_base64((header + ',,').encode())},r={nonce}"
        signed = ",".join([client_first, server_first, without_proof]).encode()
        salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, int(self.iterations))
        client_key = _hmac(salted, b"Client Key")
        signature = _hmac(hashlib.sha256(client_key).digest(), signed)
        expected = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        if not hmac.compare_digest(base64.b64decode(proof), expected):
            fields = "SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed\0\0"
            return send(sock, b"E", fields.encode())
        verifier = _hmac(_hmac(salted, b"Server Key"), signed)
        self._ask(sock, SASL_FINAL, b"v=" + _base64(verifier).encode())
        self.signed_in += 1
        welcome(sock)

    def _ask(self, sock: socket.socket, code: int, body: bytes) -> None:
        self.transport(sock, message(b"R", struct.pack("!i", code) + body))


def in_pieces(size: int, pause: float) -> Transport:
    """Sends so many bytes at once, with so many seconds in between."""

    def transport(sock: socket.socket, data: bytes) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), size):
            sock.sendall(data[start : start + size])
            time.sleep(pause)

    return transport


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
