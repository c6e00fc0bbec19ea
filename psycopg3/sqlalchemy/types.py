"""Types of SQLAlchemy as psycopg3 sends and returns them."""

# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false
# pyright: reportArgumentType=false

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias

from sqlalchemy import types as generic
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import pg_catalog
from sqlalchemy.dialects.postgresql.ranges import (
    AbstractMultiRange,
    AbstractMultiRangeImpl,
    AbstractSingleRange,
    AbstractSingleRangeImpl,
    MultiRange,
    Range,
)
from sqlalchemy.engine.processors import to_decimal_processor_factory, to_float

from .._oids import FLOAT4_OID, FLOAT8_OID
from ..types.multirange import Multirange
from ..types.range import Range as DriverRange

Processor: TypeAlias = Callable[[Any], Any] | None

_FLOATS = (FLOAT4_OID, FLOAT8_OID)


def _cast(of: type[Any]) -> type[Any]:
    """The type whose parameters are written `$1::type`: what is sent would else have another, or none."""
    return type(of.__name__, (of,), {"render_bind_cast": True})


class _Decimals:
    """Decimals of numeric, floats of the others: made what the type asks for."""

    asdecimal: Any
    _effective_decimal_return_scale: Any

    def bind_processor(self, dialect: Any) -> Processor:
        return None

    def result_processor(self, dialect: Any, coltype: Any) -> Processor:
        is_float = coltype in _FLOATS
        if not self.asdecimal:
            return None if is_float else to_float
        if is_float:
            return to_decimal_processor_factory(Decimal, self._effective_decimal_return_scale)
        return None


class _Numeric(_Decimals, generic.Numeric[Any]):
    pass


class _Float(_Decimals, generic.Float[Any]):
    pass


class _Json(postgresql.JSON[Any]):
    """What has been read by the driver already, by the function that the engine was given."""

    def result_processor(self, dialect: Any, coltype: Any) -> Processor:
        return None


class _Jsonb(postgresql.JSONB[Any]):
    def result_processor(self, dialect: Any, coltype: Any) -> Processor:
        return None


def _to_driver(value: Any) -> Any:
    """A range as the driver sends it."""
    if isinstance(value, Range):
        return DriverRange(value.lower, value.upper, value.bounds, value.empty)
    return value


def _from_driver(value: Any) -> Any:
    """A range as SQLAlchemy has it."""
    if value.isempty:
        return Range(empty=True)
    return Range(value.lower, value.upper, bounds=value.bounds)


class _Range(AbstractSingleRangeImpl[Any]):
    def bind_processor(self, dialect: Any) -> Processor:
        return _to_driver

    def result_processor(self, dialect: Any, coltype: Any) -> Processor:
        return lambda value: None if value is None else _from_driver(value)


class _MultiRange(AbstractMultiRangeImpl[Any]):
    def bind_processor(self, dialect: Any) -> Processor:
        def process(value: Any) -> Any:
            if value is None or isinstance(value, (str, Multirange)):
                return value
            return Multirange(map(_to_driver, value))

        return process

    def result_processor(self, dialect: Any, coltype: Any) -> Processor:
        return lambda value: None if value is None else MultiRange(map(_from_driver, value))


class _Hstore(postgresql.HSTORE):
    """A dict, written and read by the driver where it knows the type."""

    render_bind_cast = True

    def bind_processor(self, dialect: Any) -> Processor:
        known: Processor = super().bind_processor(dialect)
        return None if dialect._hstore is not None else known

    def result_processor(self, dialect: Any, coltype: Any) -> Processor:
        known: Processor = super().result_processor(dialect, coltype)
        return None if dialect._hstore is not None else known


class _Int2Vector(pg_catalog._SpaceVector, pg_catalog.INT2VECTOR):
    cache_ok = True


class _OidVector(pg_catalog._SpaceVector, pg_catalog.OIDVECTOR):
    cache_ok = True


COLSPECS: dict[type[Any], type[Any]] = {
    **{
        of: _cast(of)
        for of in (
            generic.String,
            generic.Integer,
            generic.SmallInteger,
            generic.BigInteger,
            generic.Date,
            generic.DateTime,
            generic.Time,
            postgresql.ARRAY,
            postgresql.CITEXT,
            postgresql.INTERVAL,
            postgresql.REGCONFIG,
        )
    },
    generic.Numeric: _Numeric,
    generic.Float: _Float,
    postgresql.HSTORE: _Hstore,
    postgresql.JSON: _Json,
    postgresql.JSONB: _Jsonb,
    AbstractSingleRange: _Range,
    AbstractMultiRange: _MultiRange,
    pg_catalog.INT2VECTOR: _Int2Vector,
    pg_catalog.OIDVECTOR: _OidVector,
}
COLSPECS[generic.ARRAY] = COLSPECS[postgresql.ARRAY]
COLSPECS[generic.Interval] = COLSPECS[postgresql.INTERVAL]
COLSPECS[generic.JSON] = _Json
