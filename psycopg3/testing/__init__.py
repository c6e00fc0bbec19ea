"""A throw-away PostgreSQL server for tests and demos."""

from __future__ import annotations

from .cluster import Cluster

__all__ = ["Cluster"]
