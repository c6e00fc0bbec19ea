"""Cursors that write parameters into the query, under the path where clients of this field look for them."""

from __future__ import annotations

from ._async.cursors import AsyncClientCursor
from ._sync.cursors import ClientCursor
from .session.binding import ClientBinding as ClientCursorMixin

__all__ = ["AsyncClientCursor", "ClientCursor", "ClientCursorMixin"]
