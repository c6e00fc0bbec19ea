"""Which adapters a context has for classes and types; those that were made are kept."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from ..abc import (
    AdaptContext,
    AdaptersMapLike,
    Buffer,
    ConnectionLike,
    Dumper,
    DumperKey,
    Loader,
    PyFormat,
)
from ..encodings import pg2py, reported_encoding
from ..errors import InterfaceError, NotSupportedError
from ..pq import Format, PGconn
from .base import Dumper as BaseDumper
from .registry import adapters as global_adapters

if TYPE_CHECKING:
    # What a dumper wrote, the oid, the format.
    Written: TypeAlias = tuple[Buffer | None, int, Format]
    # What writes, the oid, the format, and the choice of the dumper. Where the oid is None what
    # writes returns a `Written`, since the type depends on the value.
    Entry: TypeAlias = "tuple[Callable[[Any], Any], int | None, Format, Choice]"

T = TypeVar("T")

_MOST_KEPT = 1000
_NONE = type(None)
# None needs no dumper: `get` returns None for it, by C alone.
_NULL: Any = ({}.get, 0, Format.TEXT, None)
_ANY_TYPE = 0  # types without a loader of their own have the one of "no type"


def kept(table: dict[Any, Any], key: Any, entry: T) -> T:
    """Put an entry into a table, in which classes or types of the moment must not gather for ever."""
    if len(table) >= _MOST_KEPT:
        table.clear()
    table[key] = entry
    return entry


def _is_common(adapter: Any) -> bool:
    return getattr(adapter, "is_common", False)  # who wrote their own have no such attribute


class Choice:
    """A dumper, and those that it was upgraded to: the value may have a say."""

    __slots__ = ("_dumper", "_format", "_upgraded")

    def __init__(self, dumper: Dumper, format: PyFormat):
        self._dumper, self._format = dumper, format
        self._upgraded: dict[DumperKey, Dumper] = {}

    def choose(self, obj: Any) -> Dumper:
        """The dumper for `obj`."""
        key = self._dumper.get_key(obj, self._format)
        if key is type(obj):
            return self._dumper
        if getattr(self._dumper, "is_lasting", False):  # but those that it makes are not
            return self._dumper.upgrade(obj, self._format)
        found = self._upgraded.get(key)
        if found is None:
            found = self._upgraded[key] = self._dumper.upgrade(obj, self._format)
        return found

    def write(self, obj: Any) -> Written:
        """Dump `obj`."""
        dumper = self.choose(obj)
        return dumper.dump(obj), dumper.oid, dumper.format

    def entry(self) -> Entry:
        """How what the dumper is for is written: by its `dump()` alone where that does."""
        dumper: Any = self._dumper
        write = getattr(dumper, "write", None)
        # What others' dumpers say of themselves may change while they dump.
        if write or not _is_common(dumper) or type(dumper).get_key is not BaseDumper.get_key:
            return write or self.write, None, dumper.format, self
        return dumper.dump, dumper.oid, dumper.format, self


class Made:
    """Adapters that were made: dumpers by format and class, loaders by format and oid."""

    def __init__(self, maker: AdaptContext | None = None):
        self.maker = maker
        """The context they are made with, if they are for all of an encoding."""
        self.dumpers: dict[PyFormat, dict[type, Entry]] = {format: {} for format in PyFormat}
        self.loaders: tuple[dict[int, Loader], dict[int, Loader]] = ({}, {})
        self.rows: dict[tuple[int, tuple[int, ...]], list[Callable[[Any], Any]]] = {}
        """What loads the values of rows: by format and types."""


class AdapterFinder:
    """Finds the adapters of one context, and keeps those that it made.

    Those that depend on the encoding alone are the same for all finders of a map and an encoding,
    as are those that depend on nothing; the others are this one's own.

    Args:
        context: where the adapters come from; None: the global map, and no connection.
        adapters: the map, where it isn't the context's.
        reported: the client_encoding, as the server reports it, where it isn't the connection's of now.
    """

    depth: int = 0
    """How many values are around those that are adapted: the elements of a list are at 1."""
    _encoding: str | None = None
    _common: Made | None = None
    contextual: Made | None = None
    """Adapters that depend on more than the encoding. Settings may change: None forgets them."""
    _lasting: Made | None = None
    """Those of them that needn't be forgotten."""
    reported: bytes | None = None
    """The client_encoding worked for, as the server reports it."""
    _connection: Callable[[], ConnectionLike | None] | None = None

    def __init__(
        self,
        context: AdaptContext | None = None,
        adapters: AdaptersMapLike | None = None,
        reported: bytes | None = None,
    ) -> None:
        self._adapters = adapters or (global_adapters if context is None else context.adapters)
        self._generation = self._adapters.generation
        connection = None if context is None else context.connection
        if connection is not None:
            # A connection keeps the one for its cursors: both would wait for the garbage collector.
            self._connection = weakref.ref(connection)
            self.reported = reported or reported_encoding(connection.pgconn)

    @property
    def connection(self) -> ConnectionLike | None:
        """The connection worked for, if any; it isn't kept alive."""
        return self._connection() if self._connection is not None else None

    @property
    def adapters(self) -> AdaptersMapLike:
        """The adapters in use."""
        return self._adapters

    @property
    def encoding(self) -> str:
        """The connection's encoding by Python's name, as it was when this was made."""
        if self._encoding is None:
            self._encoding = pg2py(self.reported or b"UTF8")
        return self._encoding

    @property
    def text_encoding(self) -> str:
        """The encoding to write text in: `encoding`, or UTF-8 where that is SQL_ASCII's "ascii"."""
        encoding = self.encoding
        return "utf-8" if encoding == "ascii" else encoding

    @property
    def words_encoding(self) -> str:
        """The codec for the server's words, as `encodings.words_encoding()` of a connection."""
        try:
            return self.text_encoding
        except NotSupportedError:
            return "utf-8"

    def is_current(self, pgconn: PGconn) -> bool:
        """Whether another one made now would find the same adapters, for the same encoding."""
        reported = pgconn.parameter_status(b"client_encoding")
        return reported == self.reported and self._generation == self._adapters.generation

    @property
    def is_outdated(self) -> bool:
        """Whether adapters were registered since this was made."""
        return self._generation != self._adapters.generation

    def _find_common(self) -> Made:
        """The adapters that all transformers of this map and this encoding have in common."""
        try:
            encoding = self.encoding
        except NotSupportedError:
            # Python has no codec for it. Many adapters need none; the others ask, and it is raised.
            self._common = own = Made(type(self)(self))
            return own
        made = self._adapters.made
        found: Made | None = made.get(encoding)
        if found is None:
            # Without a connection, and by a map that stays as it is.
            maker = type(self)(adapters=self._adapters.snapshot())
            maker._encoding = encoding
            found = made[encoding] = Made(maker)
        self._common = found
        return found

    def _place(self, adapter: type[Any]) -> tuple[Made, AdaptContext | None]:
        """Where an adapter of a class is kept, and the context that it is made with."""
        common = self._common or self._find_common()
        if _is_common(adapter):
            return common, common.maker
        if getattr(adapter, "is_lasting", False):
            self._lasting = lasting = self._lasting or Made()
            return lasting, self
        own = self.contextual
        if own is None:
            own = self.contextual = Made()
        return own, self

    def _entry(self, cls: type, format: PyFormat) -> Entry:
        """How objects of a class are written."""
        common = self._common or self._find_common()
        if cls is _NONE:
            return cast("Entry", kept(common.dumpers[format], cls, _NULL))
        for made in (common, self._lasting, self.contextual):
            if made is not None and cls in made.dumpers[format]:
                return made.dumpers[format][cls]
        dumper = self._adapters.get_dumper(cls, format)
        made, context = self._place(dumper)
        return kept(made.dumpers[format], cls, Choice(dumper(cls, context), format).entry())

    def get_dumper(self, obj: Any, format: PyFormat) -> Dumper:
        """The dumper for `obj`: of its class, or of its value if the class isn't all.

        Raises:
            ProgrammingError: no dumper is registered for the class.
        """
        if obj is None:
            return self._adapters.get_dumper(_NONE, format)(_NONE, self)
        return self._entry(type(obj), format)[3].choose(obj)

    def get_loader(self, oid: int, format: Format) -> Loader:
        """The loader for a type; the one for any type if it has none of its own."""
        for made in (self._common or self._find_common(), self.contextual):
            if made is not None and oid in made.loaders[format]:
                return made.loaders[format][oid]
        get_loader = self._adapters.get_loader
        loader = get_loader(oid, format)
        if loader is None:
            info = self._adapters.types.get(oid)
            if info is not None and oid == info.oid and info.base_oid:
                return self.get_loader(info.base_oid, format)
            loader = get_loader(_ANY_TYPE, format)
        if loader is None:
            raise InterfaceError(
                f"no loader reads type {self.type_name(oid)}, and none is registered for"
                " any type (oid 0): make the map of adapters from psycopg3.adapters"
            )
        made, context = self._place(loader)
        return kept(made.loaders[format], oid, loader(oid, context))

    def type_name(self, oid: int) -> str:
        """A type by its name and oid, for messages."""
        info = self._adapters.types.get(oid)
        if info is None:
            return f"with oid {oid}"
        return f"{info.name}{'[]' if oid == info.array_oid else ''} (oid {oid})"
