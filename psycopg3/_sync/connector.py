# Generated from psycopg3/_async/connector.py by `python tools/unasync.py`: edit that file, not this one.
"""Settings in, ready libpq connections out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..conninfo import conninfo_to_dict, make_conninfo, timeout_from_conninfo
from ..generators import connect_gen
from ..waiting import STOCK
from .runner import running_library

if TYPE_CHECKING:
    from ..pq import PGconn
    from ..waiting import WaitFunc


def connection_params(conninfo: str, **kwargs: Any) -> dict[str, Any]:
    """Merge a connection string and keywords; the clock of connecting is the driver's own."""
    params = conninfo_to_dict(conninfo, **kwargs)
    params["connect_timeout"] = timeout_from_conninfo(params)
    return params


def open_connection(params: dict[str, Any], wait: WaitFunc | None) -> PGconn:
    """Connect by libpq with these parameters, waiting as the running library waits.

    Raises:
        OperationalError: no connection; the message says why.
    """
    wait = wait or STOCK[running_library().name]
    timeout = timeout_from_conninfo(params)
    return wait(connect_gen(make_conninfo("", **params), timeout=timeout), 0.1)
