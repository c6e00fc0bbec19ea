"""Codecs: a type written and read by two functions, as users of asyncpg know them."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any, NamedTuple, TypeAlias, cast

from .. import _oids
from ..abc import Buffer, SessionLike
from ..adapt import AdaptersMap, Dumper, Format, Loader
from ..adapt.base import BinaryDumper, BinaryLoader
from ..adapt.typeinfo import TypeInfo
from ..errors import DataError, ProgrammingError
from ..waiting import WaitGen
from .hstore import register_hstore
from .string import StrDumper, TextLoader

HSTORE = "pg_contrib.hstore"
"""What asyncpg calls the codec of the extension's type."""

Function: TypeAlias = Callable[[Any], Any]

# The integers that values of a type are sent as, and whether the tuple has them in reverse.
_TUPLES: dict[int, tuple[Struct, bool]] = {
    _oids.DATE_OID: (Struct("!i"), False),
    _oids.TIME_OID: (Struct("!q"), False),
    _oids.TIMETZ_OID: (Struct("!qi"), False),
    _oids.TIMESTAMP_OID: (Struct("!q"), False),
    _oids.TIMESTAMPTZ_OID: (Struct("!q"), False),
    _oids.INTERVAL_OID: (Struct("!qii"), True),
}


# What a user's function raises passes as it is: no method of ours is to blame.
_USERS = "codec"


class Codec(NamedTuple):
    """How the values of a type are written and read.

    Args:
        encoder: makes what is sent of a value.
        decoder: makes a value of what has come.
        format: what the functions make and take: "text" is str; "binary" bytes; "tuple" integers,
            for dates, times and intervals: days, microseconds (and seconds west of UTC) since
            2000-01-01; months, days and microseconds of an interval.
    """

    encoder: Function
    decoder: Function
    format: str = "text"

    def register(self, info: TypeInfo, adapters: AdaptersMap, *classes: type) -> None:
        """Let a map adapt a type so: what it reads, and the objects of `classes`.

        Raises:
            ProgrammingError: there is no such format, or the type hasn't it.
        """
        dumper, loader = self._functions(info)
        for cls in classes or (None,):
            adapters.register_dumper(cls, dumper)
        adapters.register_loader(info.oid, loader)

    def _functions(self, info: TypeInfo) -> tuple[type[Dumper], type[Loader]]:
        encoder, decoder, format = self
        if format == "text":
            return _text_adapters(info.oid, encoder, decoder)
        if format == "binary":
            return _binary_adapters(info.oid, encoder, decoder)
        if format != "tuple":
            raise ProgrammingError(
                f"got the codec format {format!r}: expected 'text', 'binary' or 'tuple'"
            )
        if info.oid not in _TUPLES:
            raise ProgrammingError(
                f"got the codec format 'tuple' for type {info.name}: dates, times and intervals have"
                " one; use 'text' or 'binary'"
            )
        struct, backwards = _TUPLES[info.oid]
        step = -1 if backwards else 1

        def pack(obj: Any) -> bytes:
            return struct.pack(*tuple(encoder(obj))[::step])

        def unpack(data: bytes) -> Any:
            if len(data) != struct.size:
                raise DataError(f"got {data[:100]!r} as {info.name}: expected {struct.size} bytes")
            return decoder(struct.unpack(data)[::step])

        return _binary_adapters(info.oid, pack, unpack)


def _text_adapters(
    type_oid: int, encoder: Function, decoder: Function
) -> tuple[type[Dumper], type[Loader]]:
    class CodecDumper(StrDumper):
        oid = type_oid
        contextual, by_encoding = True, True

        def dump(self, obj: Any) -> bytes:
            """What the codec makes of it, in the connection's encoding."""
            return super().dump(_checked(encoder(obj), str, encoder))

    class CodecLoader(TextLoader):
        contextual, by_encoding = True, True

        def load(self, data: Buffer) -> Any:
            """What the codec makes of the text."""
            return decoder(super().load(data))

    CodecLoader.load.__module__ = _USERS
    return CodecDumper, CodecLoader


def _binary_adapters(
    type_oid: int, encoder: Function, decoder: Function
) -> tuple[type[Dumper], type[Loader]]:
    class CodecDumper(BinaryDumper):
        oid = type_oid
        contextual = False

        def dump(self, obj: Any) -> Buffer:
            """What the codec makes of it."""
            data: Buffer = _checked(encoder(obj), bytes | bytearray | memoryview, encoder)
            return data

    class CodecLoader(BinaryLoader):
        contextual = False

        def load(self, data: Buffer) -> Any:
            """What the codec makes of the bytes."""
            return decoder(bytes(data))

    CodecLoader.load.__module__ = _USERS
    return CodecDumper, CodecLoader


def _checked(made: Any, expected: Any, encoder: Function) -> Any:
    if isinstance(made, expected):
        return made
    raise DataError(
        f"the codec's encoder {encoder!r} returned an object of type {type(made).__name__}:"
        f" expected {getattr(expected, '__name__', 'bytes')}"
    )


def adapt_like(info: TypeInfo, base: int, adapters: AdaptersMap) -> None:
    """Let a map adapt a type as it adapts another one, whose oid is `base`, in both formats."""
    for format in Format:
        loader = adapters.get_loader(base, format)
        if loader is not None:
            adapters.register_loader(info.oid, loader)
        try:
            dumper = adapters.get_dumper_by_oid(base, format)
        except ProgrammingError:
            continue
        adapters.register_dumper(None, type(dumper.__name__, (dumper,), {"oid": info.oid}))


def set_codec_gen(
    conn: SessionLike, typename: str, schema: str, codec: Codec, *classes: type
) -> WaitGen[None]:
    """`set_type_codec()`: look the type up, and adapt it by a codec."""
    info = yield from _type_gen(conn, typename, schema)
    info.register(conn)
    codec.register(info, _map_of(conn), *classes)


def set_builtin_codec_gen(
    conn: SessionLike, typename: str, schema: str, codec_name: str
) -> WaitGen[None]:
    """`set_builtin_type_codec()`: look the type up, and adapt it as another one."""
    info = yield from _type_gen(conn, typename, schema)
    adapters = _map_of(conn)
    if codec_name == HSTORE:
        return register_hstore(info, adapters)
    base = adapters.types.get(codec_name)
    if base is None:
        raise ProgrammingError(
            f"got codec_name={codec_name!r}: expected {HSTORE!r}, or the name of a type that the"
            " connection knows"
        )
    info.register(conn)
    adapt_like(info, base.oid, adapters)


def reset_codec_gen(conn: SessionLike, typename: str, schema: str) -> WaitGen[None]:
    """`reset_type_codec()`: look the type up, and adapt it as others do."""
    info = yield from _type_gen(conn, typename, schema)
    _map_of(conn).restore(info.oid)


def _type_gen(conn: SessionLike, typename: str, schema: str) -> WaitGen[TypeInfo]:
    quoted = ".".join('"{}"'.format(name.replace('"', '""')) for name in (schema, typename))
    info = yield from TypeInfo._fetch_gen(conn, quoted)
    if info is None:
        raise ProgrammingError(f"there is no type {quoted}: give its name and schema")
    return info


def _map_of(conn: SessionLike) -> AdaptersMap:
    return cast("AdaptersMap", conn.adapters)
