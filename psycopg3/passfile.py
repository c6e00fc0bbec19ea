"""The password file, asked about the server that is meant, when libpq would ask about another.

libpq looks a password up by the host and port that it is given. Where the driver gives it others, as
for a connection over a connector's link, the password must be found beforehand. libpq does that
too: it reads the file, so that its rules are kept, those about permissions among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .conninfo import rehearse
from .errors import OperationalError


def find_password(params: Mapping[str, Any], host: str, port: str | int) -> str | None:
    """The password that libpq would use for a server: given, or of a service, or of the file.

    The password file is `passfile` of `params`, PGPASSFILE, or the one in the user's home. If others
    may read it, libpq ignores it and says so on stderr.

    Args:
        params: what `conninfo_to_dict` returned; `host`, `hostaddr` and `port` don't count.
        host: name or address of the server, or the directory of its socket.
        port: its port.

    Returns:
        None if there is no password.

    Raises:
        OperationalError: libpq refuses the parameters, or the password is no UTF-8 text.
    """
    pgconn = rehearse({**params, "host": host, "hostaddr": "", "port": port})
    password = pgconn.password
    pgconn.finish()
    text = password.decode("utf-8", "replace")
    if text.encode() != password:  # a UnicodeDecodeError would show the password
        raise OperationalError("got a password, from the password file, that is no UTF-8 text")
    return text or None
