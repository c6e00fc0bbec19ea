"""SQLAlchemy's dialects `postgresql+psycopg3` and `postgresql+psycopg3_async`, for SQLAlchemy 2.1."""

from __future__ import annotations

from .asynchronous import AsyncDialect
from .dialect import Dialect

__all__ = ["AsyncDialect", "Dialect"]
