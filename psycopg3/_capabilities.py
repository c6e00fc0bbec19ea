"""What the loaded libpq can do."""

from __future__ import annotations

from .errors import NotSupportedError
from .pq import version, version_pretty
from .pq.messages import NEWER_KEYWORDS


class Capabilities:
    """Tells which of psycopg3's features the libpq that was loaded allows.

    Its version at run time decides alone: psycopg3 looks its functions up when it is loaded, so
    that of the build is of no matter.
    """

    def has_encrypt_password(self, check: bool = False) -> bool:
        """Whether `PGconn.encrypt_password()` works.

        Args:
            check: instead of False, raise NotSupportedError with the reason.
        """
        return self._has("PGconn.encrypt_password()", 10, check)

    def has_hostaddr(self, check: bool = False) -> bool:
        """Whether `ConnectionInfo.hostaddr` works; `check` as in `has_encrypt_password`."""
        return self._has("ConnectionInfo.hostaddr", 12, check)

    def has_pipeline(self, check: bool = False) -> bool:
        """Whether the pipeline mode works; `check` as in `has_encrypt_password`."""
        return self._has("Connection.pipeline()", 14, check)

    def has_set_trace_flags(self, check: bool = False) -> bool:
        """Whether `PGconn.set_trace_flags()` works; `check` as in `has_encrypt_password`."""
        return self._has("PGconn.set_trace_flags()", 14, check)

    def has_used_gssapi(self, check: bool = False) -> bool:
        """Whether `PGconn.used_gssapi` works; `check` as in `has_encrypt_password`."""
        return self._has("PGconn.used_gssapi", 16, check)

    def has_cancel_safe(self, check: bool = False) -> bool:
        """Whether `Connection.cancel_safe()` asks encrypted, without blocking.

        With an older libpq it works too, in a thread and unencrypted. `check` as in
        `has_encrypt_password`.
        """
        return self._has("Connection.cancel_safe()", 17, check)

    def has_stream_chunked(self, check: bool = False) -> bool:
        """Whether results can come in chunks of several rows; `check` as in `has_encrypt_password`."""
        return self._has("Cursor.stream() with size greater than 1", 17, check)

    def has_send_close_prepared(self, check: bool = False) -> bool:
        """Whether statements are closed by the protocol, without SQL, as poolers need.

        `check` as in `has_encrypt_password`.
        """
        return self._has("PGconn.send_close_prepared()", 17, check)

    def has_change_password(self, check: bool = False) -> bool:
        """Whether `PGconn.change_password()` works; `check` as in `has_encrypt_password`."""
        return self._has("PGconn.change_password()", 17, check)

    def has_full_protocol_version(self, check: bool = False) -> bool:
        """Whether `full_protocol_version` works; `check` as in `has_encrypt_password`."""
        return self._has("ConnectionInfo.full_protocol_version", 18, check)

    def _has(self, feature: str, major: int, check: bool) -> bool:
        """Whether libpq is of version `major` at least."""
        loaded = version()
        if loaded >= major * 10000:
            return True
        if check:
            raise NotSupportedError(
                f"{feature} needs libpq {major} or newer, the one loaded is"
                f" {version_pretty(loaded)}: install a newer one, or name one in PSYCOPG3_LIBPQ"
            )
        return False


capabilities = Capabilities()
"""What the loaded libpq can do."""


def needs_newer(keyword: str) -> str:
    """Which libpq knows a connection parameter that this one doesn't, as the end of a sentence."""
    major = NEWER_KEYWORDS.get(keyword, 0)
    if version() >= major * 10000:
        return ""
    return f": it needs libpq {major} or newer, the one loaded is {version_pretty(version())}"
