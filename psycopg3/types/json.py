"""Json, Jsonb: json, jsonb."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar, TypeAlias, cast

from .._oids import JSON_OID, JSONB_OID
from ..abc import AdaptContext, Buffer
from ..adapt import Dumper, Format, Loader, PyFormat, Transformer
from ..errors import DataError, ProgrammingError

JsonDumpsFunction: TypeAlias = Callable[[Any], str | bytes]
"""Writes an object as JSON: str, or bytes in UTF-8."""

JsonLoadsFunction: TypeAlias = Callable[[str | bytes], Any]
"""Makes an object of JSON: it is given bytes in UTF-8."""

_JSONB_VERSION = b"\x01"
_SHOWN = 40  # characters of an object in a wrapper's repr


# -- wrappers ------------------------------------------------------------------------------------


class _JsonWrapper:
    __slots__ = ("dumps", "obj")

    def __init__(self, obj: Any, dumps: JsonDumpsFunction | None = None) -> None:
        self.obj = obj
        self.dumps = dumps

    def __repr__(self) -> str:
        text = repr(self.obj)
        if len(text) > _SHOWN:
            text = f"{text[:_SHOWN]} ... ({len(text)} characters)"
        return f"{type(self).__name__}({text})"


class Json(_JsonWrapper):
    """An object to be sent as json.

    Args:
        obj: the object.
        dumps: what writes it; None: what `set_json_dumps()` says.
    """

    __slots__ = ()


class Jsonb(_JsonWrapper):
    """An object to be sent as jsonb.

    Args:
        obj: the object.
        dumps: what writes it; None: what `set_json_dumps()` says.
    """

    __slots__ = ()


# -- dumpers -------------------------------------------------------------------------------------


class _JsonDumper(Dumper):
    by_encoding = True
    _dumps: ClassVar[Any] = None  # a function of `set_json_dumps()` for one context

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self._encoding = Transformer.from_context(context).text_encoding

    def dump(self, obj: Any) -> bytes:
        """The JSON of an object, wrapped or not, in the connection's encoding.

        Raises:
            DataError: the object contains itself, or something that JSON or the encoding has not.
        """
        dumps = self._dumps
        if isinstance(obj, _JsonWrapper):
            dumps = obj.dumps or dumps
            obj = obj.obj
        return self._encoded((dumps or _default_dumps)(obj))

    def _encoded(self, json: str | bytes) -> bytes:
        if isinstance(json, bytes) and self._encoding != "utf-8":
            json = json.decode()
        if isinstance(json, str):
            try:
                json = json.encode(self._encoding)
            except UnicodeEncodeError as ex:
                raise DataError(
                    f"got JSON that the client encoding {self._encoding} can't write"
                    f" ({ex.reason}, {ex.object[ex.start]!a} at {ex.start}): let the function that"
                    " dumps it escape what is not ASCII, or set client_encoding to UTF8"
                ) from ex
        elif not isinstance(json, bytes):
            raise ProgrammingError(
                f"got a {type(json).__qualname__} from the function that dumps JSON:"
                " expected str or bytes"
            )
        if 0 in json:  # much faster than b"\0" in json
            raise DataError(
                "got JSON with a NUL character, which PostgreSQL can't store: take it out"
            )
        return json


class JsonDumper(_JsonDumper):
    """Any object as json in text."""

    oid = JSON_OID


class JsonBinaryDumper(JsonDumper):
    """Any object as json in binary, which has the same bytes."""

    format = Format.BINARY


class JsonbDumper(_JsonDumper):
    """Any object as jsonb in text."""

    oid = JSONB_OID


class JsonbBinaryDumper(JsonbDumper):
    """Any object as jsonb in binary: a version, then the text."""

    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        """The version, and the JSON."""
        return _JSONB_VERSION + super().dump(obj)


# -- loaders -------------------------------------------------------------------------------------


class JsonLoader(Loader):
    """json, jsonb in text."""

    by_encoding = True
    _loads: ClassVar[Any] = None  # a function of `set_json_loads()` for one context

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._encoding = Transformer.from_context(context).text_encoding

    def load(self, data: Buffer) -> Any:
        """The object that the JSON means.

        Raises:
            DataError: it is nested too deeply for Python.
        """
        loads = self._loads or _custom_loads
        try:
            if loads is None:
                # Of a str: given bytes, the standard library would guess their encoding first.
                return _stdlib_loads()(str(data, self._encoding))
            if self._encoding != "utf-8":
                return loads(str(data, self._encoding).encode())
            return loads(bytes(data))
        except RecursionError:
            raise DataError(f"got JSON of {len(data)} bytes, nested too deeply to load") from None


class JsonBinaryLoader(JsonLoader):
    """json in binary, which has the same bytes."""

    format = Format.BINARY


class JsonbLoader(JsonLoader):
    """jsonb in text."""


class JsonbBinaryLoader(JsonLoader):
    """jsonb in binary: a version, then the text."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Any:
        """The object that the JSON means."""
        if data[:1] != _JSONB_VERSION:
            raise ValueError("expected version 1 of jsonb's binary form")
        return super().load(data[1:])


# -- which functions write and read --------------------------------------------------------------

_custom_dumps: JsonDumpsFunction | None = None
_custom_loads: JsonLoadsFunction | None = None


def set_json_dumps(dumps: JsonDumpsFunction, context: AdaptContext | None = None) -> None:
    """Say how objects are written as JSON, unless their wrapper has a function of its own.

    Args:
        dumps: given an object, returns its JSON: str, or bytes in UTF-8.
        context: the connection, cursor or map of adapters it is for; None: all, at once.
    """
    if context is None:
        global _custom_dumps
        _custom_dumps = dumps
        return
    adapters = context.adapters
    for cls in (Json, Jsonb):
        auto = adapters.get_dumper(cls, PyFormat.AUTO)
        is_text = auto.format == Format.TEXT
        other = adapters.get_dumper(cls, PyFormat.BINARY if is_text else PyFormat.TEXT)
        # The one registered last is the one for %s.
        for dumper in (other, auto):
            adapters.register_dumper(cls, _with_function(dumper, "_dumps", dumps))


def set_json_loads(loads: JsonLoadsFunction, context: AdaptContext | None = None) -> None:
    """Say how JSON becomes an object.

    Args:
        loads: given bytes in UTF-8, returns the object.
        context: the connection, cursor or map of adapters it is for; None: all, at once.
    """
    if context is None:
        global _custom_loads
        _custom_loads = loads
        return
    adapters = context.adapters
    for oid, *defaults in LOADERS:
        for default in defaults:
            loader = adapters.get_loader(oid, default.format) or default
            adapters.register_loader(oid, _with_function(loader, "_loads", loads))


def _with_function(adapter: type[Any], name: str, function: Callable[..., Any]) -> type[Any]:
    """Return a subclass of an adapter that uses `function`, instead of another given before."""
    base = adapter if vars(adapter).get(name) is None else adapter.__bases__[0]
    namespace = {name: staticmethod(function), "__module__": base.__module__}
    metaclass: Any = type(base)
    return cast("type[Any]", metaclass(base.__name__, (base,), namespace))


def _default_dumps(obj: Any) -> str | bytes:
    if _custom_dumps is not None:
        return _custom_dumps(obj)

    from json import dumps

    try:
        return dumps(obj)
    except (ValueError, RecursionError) as ex:
        raise DataError(f"got a {type(obj).__qualname__} that can't be JSON: {ex}") from ex


@cache
def _stdlib_loads() -> Callable[[str], Any]:
    from json import JSONDecoder

    decoder = JSONDecoder()
    raw_decode = decoder.raw_decode

    def loads(json: str) -> Any:
        # jsonb has no blanks around, and json seldom: not to look for them saves 0.7 us a value.
        try:
            obj, end = raw_decode(json)
        except ValueError:
            return decoder.decode(json)
        return obj if end == len(json) else decoder.decode(json)

    return loads


# The binary ones come first: for %s the last one is taken, which is text.
DUMPERS = ((Json, JsonBinaryDumper, JsonDumper), (Jsonb, JsonbBinaryDumper, JsonbDumper))
LOADERS = ((JSON_OID, JsonBinaryLoader, JsonLoader), (JSONB_OID, JsonbBinaryLoader, JsonbLoader))
