"""Geometries of shapely: PostGIS's geometry and geography."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from struct import Struct
from typing import TYPE_CHECKING, Any, overload

from ..abc import AdaptContext, AsyncRunning, Buffer, Running
from ..adapt import Dumper, Format, Loader
from ..adapt.base import subclass
from ..adapt.registry import adapters as global_adapters
from ..adapt.typeinfo import TypeInfo
from ..errors import ProgrammingError
from ..waiting import WaitGen

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry
else:  # not everybody has it; `typing.get_type_hints()` wants the name
    BaseGeometry = Any

_HAS_SRID, _HAS_M, _HAS_Z = 0x20000000, 0x40000000, 0x80000000
_POINT, _LINE, _POLYGON, *_COLLECTIONS = range(1, 8)
_HEAD = 9  # bytes of a geometry at least, with an SRID: byte order, kind, SRID or length
_DEEPEST = 200  # collections in each other, as the server has it
# What the kind of a collection may look like, in either byte order; and numbers, by chance.
_NESTING = re.compile(
    rb"[\x04-\x07\xec-\xef\xd4-\xd7\xbc-\xbf][\0\x03\x07\x0b]\0"
    rb"|\0[\0\x03\x07\x0b][\x04-\x07\xec-\xef\xd4-\xd7\xbc-\xbf]"
)


class GeometryDumper(Dumper):
    """Writes a geometry as EWKB, WKB with the SRID, in hexadecimal."""

    def dump(self, obj: BaseGeometry) -> bytes:
        """Write the geometry, and its SRID if it has one."""
        return _ewkb(obj).hex().encode()


class GeometryBinaryDumper(Dumper):
    """Writes a geometry as EWKB."""

    format = Format.BINARY

    def dump(self, obj: BaseGeometry) -> bytes:
        """Write the geometry, and its SRID if it has one."""
        return _ewkb(obj)


class GeometryLoader(Loader):
    """Reads geometry and geography in text, EWKB in hexadecimal."""

    def load(self, data: Buffer) -> BaseGeometry:
        """Read a geometry; `shapely.get_srid()` tells its SRID."""
        return _geometry(bytes.fromhex(str(data, "ascii")))


class GeometryBinaryLoader(Loader):
    """Reads geometry and geography in binary, EWKB."""

    format = Format.BINARY

    def load(self, data: Buffer) -> BaseGeometry:
        """Read a geometry; `shapely.get_srid()` tells its SRID."""
        return _geometry(bytes(data))


def _ewkb(geometry: BaseGeometry) -> bytes:
    import shapely

    data: bytes = shapely.to_wkb(geometry, include_srid=True)
    return data


def _geometry(ewkb: bytes) -> BaseGeometry:
    import numpy as np
    import shapely

    if len(ewkb) > _DEEPEST * _HEAD and len(_NESTING.findall(ewkb)) > _DEEPEST:
        _check_depth(ewkb)
    try:
        with np.errstate(invalid="ignore"):  # a NaN of a broken one would be a warning
            return shapely.from_wkb(ewkb)
    except (shapely.errors.ShapelyError, NotImplementedError) as ex:  # the latter: of curves
        raise ValueError(str(ex)) from ex


def _check_depth(ewkb: bytes) -> None:
    """Refuse collections in collections without end, of which 20000 crash shapely's library."""
    position = 0
    to_come = [1]  # geometries that the open collections still have
    while to_come:
        if not to_come[-1]:
            to_come.pop()
            continue
        to_come[-1] -= 1
        read = Struct("<I" if ewkb[position] else ">I").unpack_from
        (flags,) = read(ewkb, position + 1)
        position += _HEAD if flags & _HAS_SRID else _HEAD - 4
        iso, kind = divmod(flags & 0xFFFF, 1000)
        more = bool(flags & _HAS_Z) + bool(flags & _HAS_M) or (0, 1, 1, 2)[iso & 3]
        size = 8 * (2 + more)
        if kind == _POINT:
            position += size
            continue
        (count,) = read(ewkb, position)
        position += 4
        if kind == _LINE:
            position += count * size
        elif kind == _POLYGON:
            for _ in range(count):
                (points,) = read(ewkb, position)
                position += 4 + points * size
        elif kind not in _COLLECTIONS:
            return  # shapely refuses it
        elif len(to_come) > _DEEPEST:
            raise ValueError(f"collections nested deeper than {_DEEPEST}")
        else:
            to_come.append(count)


def register_shapely(info: TypeInfo, context: AdaptContext | None = None) -> None:
    """Let a context read a type of PostGIS as shapely's geometries, and send geometries as it.

    The type that is registered last is the one that geometries are sent as.

    Args:
        info: the type, by ``TypeInfo.fetch(conn, "geometry")``.
        context: a connection, cursor or map of adapters; None: every connection to come.

    Raises:
        TypeError: `info` is None, as of a type that the server doesn't know.
        ImportError: there is no shapely.
    """
    if info is None:
        raise TypeError("got None instead of a TypeInfo: has the database the extension postgis?")
    from shapely.geometry import base

    adapters = (context or global_adapters).adapters
    info.register(adapters)
    for loader in (GeometryLoader, GeometryBinaryLoader):
        adapters.register_loader(info.oid, loader)
    for dumper in (GeometryDumper, GeometryBinaryDumper):
        adapters.register_dumper(base.BaseGeometry, subclass(dumper, oid=info.oid))


@overload
def register_postgis(conn: AsyncRunning) -> Awaitable[None]: ...
@overload
def register_postgis(conn: Running) -> None: ...
def register_postgis(conn: Any) -> Any:
    """Let a connection adapt PostGIS's geometry and geography, which are asked for.

    Args:
        conn: a connection; the result of an async one is to be awaited.

    Raises:
        ProgrammingError: the database has no such types.
        ImportError: there is no shapely.
    """
    return conn._run(_register_gen(conn))


def _register_gen(conn: Any) -> WaitGen[None]:
    geography = yield from TypeInfo._fetch_gen(conn, "geography")
    geometry = yield from TypeInfo._fetch_gen(conn, "geometry")
    if geography is None or geometry is None:
        raise ProgrammingError(
            "found no types geometry and geography: create the extension postgis, or put its schema"
            " into search_path"
        )
    register_shapely(geography, conn)
    register_shapely(geometry, conn)
