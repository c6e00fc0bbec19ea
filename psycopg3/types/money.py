"""Decimal: money, whose decimals are a setting that the server doesn't report."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, ClassVar

from .._oids import MONEY_OID
from ..abc import AdaptContext, Buffer
from ..adapt import Format, Loader
from ..adapt.base import subclass
from ..adapt.registry import adapters as global_adapters

if TYPE_CHECKING:
    from decimal import Decimal
else:  # it takes 4 ms to import; `typing.get_type_hints()` wants the name
    Decimal = Any

_INT8 = Struct("!q")
_DIGITS = b"0123456789"
_OTHERS = bytes(set(range(256)) - set(_DIGITS))


class MoneyLoader(Loader):
    """Reads money in text as Decimal, whatever the language it is written in."""

    contextual = False
    _scale: ClassVar[int] = 0

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        from decimal import Decimal

        self._decimal = Decimal

    def load(self, data: Buffer) -> Decimal:
        """Read a Decimal."""
        data = bytes(data)
        units = int(data.translate(None, _OTHERS))
        return self._made(-units if b"-" in data or b"(" in data else units)

    def _made(self, units: int) -> Decimal:
        digits = tuple(map(int, str(abs(units))))
        return self._decimal((units < 0, digits, -self._scale))


class MoneyBinaryLoader(MoneyLoader):
    """Reads money in binary as Decimal."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Decimal:
        """Read a Decimal."""
        return self._made(_INT8.unpack(data)[0])


def register_money(scale: int, context: AdaptContext | None = None) -> None:
    """Let a context read money as Decimal.

    Args:
        scale: how many decimals amounts have under the server's `lc_monetary`, as
            `select 1::money::numeric` shows.
        context: a connection, cursor or map of adapters; None: every connection to come.
    """
    adapters = (context or global_adapters).adapters
    for loader in (MoneyLoader, MoneyBinaryLoader):
        adapters.register_loader(MONEY_OID, subclass(loader, _scale=scale, contextual=False))


DUMPERS = ()
LOADERS = ()
