"""Transactions, under the path where clients of this field look for them."""

from __future__ import annotations

from ._async.transaction import AsyncTransaction
from ._sync.transaction import Transaction
from .session.transaction import OutOfOrderTransactionNesting, Rollback

__all__ = ["AsyncTransaction", "OutOfOrderTransactionNesting", "Rollback", "Transaction"]
