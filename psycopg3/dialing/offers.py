"""Takes SCRAM-SHA-256-PLUS out of what a server offers to a client that doesn't see the TLS.

Where a connector has done TLS with the server itself, the server knows of it and offers channel
binding, while libpq sees a plain socket, takes that for an attack, and gives up: whatever its
channel_binding says. With the one name taken out it goes on without. Who asks for
channel_binding=require is still refused, by libpq.
"""

from __future__ import annotations

import struct

_AUTHENTICATION, _ERROR = b"R", b"E"
_OK, _SASL = 0, 10
_BOUND = b"SCRAM-SHA-256-PLUS"
_LONGEST = 65536


class ScramFilter:
    """Passes on what a server says, less the offer of channel binding.

    It goes by whole messages until the server has let the client in or refused it, then it is `done`
    and all passes unseen.
    """

    def __init__(self) -> None:
        self._held = b""
        self._begun = False
        self.done = False

    def feed(self, data: bytes) -> bytes:
        """Take what has come, and return what may go on."""
        if self.done:
            return data
        held, passed = self._held + data, []
        if not self._begun and held:
            # A server that was asked for GSS encryption answers by one letter, and waits.
            if held == b"N":
                return held
            self._begun, self.done = True, held[:1] == b"G"
        while not self.done and len(held) >= 5:
            length = 1 + int(struct.unpack_from("!i", held, 1)[0])
            if not 5 <= length <= _LONGEST:  # not the protocol: libpq finds that out
                self.done = True
            elif len(held) < length:
                break
            else:
                passed.append(self._passed(held[:length]))
                held = held[length:]
        if self.done:
            passed.append(held)
            held = b""
        self._held = held
        return b"".join(passed)

    def _passed(self, message: bytes) -> bytes:
        kind = message[:1]
        if kind == _ERROR:
            self.done = True
        elif kind == _AUTHENTICATION and len(message) >= 9:
            code = struct.unpack_from("!i", message, 5)[0]
            self.done = code == _OK
            if code == _SASL:
                names = [name for name in message[9:].split(b"\0") if name and name != _BOUND]
                body = message[5:9] + b"".join(name + b"\0" for name in names) + b"\0"
                return kind + struct.pack("!i", len(body) + 4) + body
        return message
