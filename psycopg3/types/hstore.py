"""dict: hstore."""

from __future__ import annotations

import re
from struct import Struct
from typing import Any, TypeAlias

from ..abc import AdaptContext, Buffer
from ..adapt import Format
from ..adapt.base import subclass
from ..adapt.registry import adapters as global_adapters
from ..adapt.typeinfo import TypeInfo
from ..errors import DataError
from .parts import pack, unpack
from .string import StrDumper, TextLoader

Hstore: TypeAlias = dict[str, str | None]
"""What an hstore is loaded as."""

_COUNT = Struct("!i")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_PAIR = re.compile(rf"{_QUOTED}=>(?:NULL|{_QUOTED})", re.DOTALL)
_COMMA = ", "


def register_hstore(info: TypeInfo, context: AdaptContext | None = None) -> None:
    """Let a context adapt hstore, a type of an extension.

    Its values are loaded as dicts of str, in which a value may be None; a dict is sent as it.

    Args:
        info: the type, by ``TypeInfo.fetch(conn, "hstore")``.
        context: a connection, cursor or map of adapters; None: every connection to come.

    Raises:
        TypeError: `info` is None, as where the extension isn't there.
    """
    if info is None:
        raise TypeError(
            "got None instead of the TypeInfo of hstore: has the database the extension,"
            " and is its schema in the search_path?"
        )
    adapters = (context or global_adapters).adapters
    info.register(adapters)
    for loader in (HstoreLoader, HstoreBinaryLoader):
        adapters.register_loader(info.oid, loader)
    # For %s the last one is taken, which is binary.
    for dumper in (HstoreDumper, HstoreBinaryDumper):
        adapters.register_dumper(dict, subclass(dumper, oid=info.oid))


# -- dumpers -------------------------------------------------------------------------------------


class HstoreDumper(StrDumper):
    """dict as hstore in text: quoted keys and values, with arrows between."""

    def dump(self, obj: Any) -> bytes:
        """The pairs.

        Raises:
            DataError: a key is no str, or a value neither str nor None.
        """
        pairs = [f"{_quoted(key)}=>{_quoted(value)}" for key, value in _checked(obj)]
        return super().dump(_COMMA.join(pairs))


class HstoreBinaryDumper(StrDumper):
    """dict as hstore in binary: the number of pairs; keys and values after their length."""

    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        """The pairs.

        Raises:
            DataError: a key is no str, or a value neither str nor None.
        """
        dump = super().dump
        parts = [_COUNT.pack(len(obj))]
        for key, value in _checked(obj):
            parts += pack(dump(key)), pack(None if value is None else dump(value))
        return b"".join(parts)


def _quoted(text: str | None) -> str:
    if text is None:
        return "NULL"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _checked(obj: dict[Any, Any]) -> Any:
    for key, value in obj.items():
        if not isinstance(key, str):
            raise DataError(f"got a key of type {type(key).__qualname__} for hstore: expected str")
        if not isinstance(value, str | None):
            raise DataError(
                f"got a value of type {type(value).__qualname__} for hstore, at the key {key!r}:"
                " expected str or None"
            )
    return obj.items()


# -- loaders -------------------------------------------------------------------------------------


class HstoreLoader(TextLoader):
    """hstore in text, as dict."""

    def load(self, data: Any) -> Any:
        """The dict; of bytes where the encoding is SQL_ASCII."""
        text = str(data, self._encoding or "latin-1")
        made: dict[Any, Any] = {}
        end = 0
        while end < len(text):
            pair = _PAIR.match(text, end + len(_COMMA) if end else 0)
            if pair is None or (end and not text.startswith(_COMMA, end)):
                raise ValueError(f"expected a key and a value at {end}")
            key, value = [self._unescaped(part) for part in pair.groups()]
            made[key] = value
            end = pair.end()
        return made

    def _unescaped(self, text: str | None) -> str | bytes | None:
        if text is None:
            return None
        text = _ESCAPED.sub(r"\1", text) if "\\" in text else text
        return text if self._encoding else text.encode("latin-1")


class HstoreBinaryLoader(TextLoader):
    """hstore in binary, as dict."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Any:
        """The dict; of bytes where the encoding is SQL_ASCII.

        Raises:
            DataError: the server has sent texts in another encoding than its own.
        """
        try:
            return self._load(data)
        except ValueError as ex:
            if self._encoding in ("utf-8", None):
                raise
            # The server counts the bytes before it converts them.
            raise ValueError(
                f"{ex}: the binary form has wrong lengths where client_encoding isn't the server's"
                " encoding; set it so, or ask for text"
            ) from ex

    def _load(self, data: Buffer) -> dict[Any, Any]:
        load = super().load
        count: int = _COUNT.unpack_from(data)[0]
        # Each pair has two lengths: what is counted is there before it is believed.
        if not 0 <= count <= len(data) // (2 * _COUNT.size):
            raise ValueError(f"{count} pairs in {len(data)} bytes")
        made: dict[Any, Any] = {}
        end = _COUNT.size
        for _ in range(count):
            key, end = unpack(data, end)
            value, end = unpack(data, end)
            if key is None or 0 in key or (value and 0 in value):
                raise ValueError("a key that is NULL, or a text with a NUL character")
            made[load(key)] = None if value is None else load(value)
        if end != len(data):
            raise ValueError(f"{len(data) - end} bytes after the last pair")
        return made


DUMPERS = ()  # `register_hstore()` registers them
LOADERS = ()
