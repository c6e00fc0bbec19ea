"""AdaptersMap: which dumper writes a class, which loader reads a type; and the global map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._oids import UNKNOWN_OID
from ..abc import AdaptContext, ConnectionLike, Dumper, Loader, PyFormat
from ..errors import ProgrammingError
from ..pq import Format
from .typeinfo import TypesRegistry, set_default_context


class AdaptersMap:
    """The adapters of one context: of everybody (`psycopg3.adapters`), a connection, a cursor.

    A map made from a template has what the template has at that moment: what is registered
    later, in either, is not seen by the other.

    Args:
        template: the map to start as a copy of.
        types: the types to look names up in; None takes the template's.
    """

    # A cursor has a map of its own, so a copy must cost little: maps share their tables until
    # one of them is written to.
    _dumpers: dict[PyFormat, dict[type | str, type[Dumper]]]
    _dumpers_by_oid: tuple[dict[int, type[Dumper]], dict[int, type[Dumper]]]
    _loaders: tuple[dict[int, type[Loader]], dict[int, type[Loader]]]

    types: TypesRegistry
    """The types known by name."""

    array_hook: Callable[[Any, AdaptContext], None] | None
    """Called as ``array_hook(info, context)`` when a type is registered, to adapt its arrays."""

    generation: int
    """Counts registrations: whoever remembers adapters sees that they may not be the last ones."""

    made: dict[str, Any]
    """What `Transformer` made of the map's adapters, by encoding; of no use to others."""

    def __init__(
        self, template: AdaptersMap | None = None, types: TypesRegistry | None = None
    ) -> None:
        self.generation = 0
        self._snapshot: AdaptersMap | None = None
        self._template = template
        if template is None:
            self._dumpers = {format: {} for format in PyFormat}
            self._dumpers_by_oid = ({}, {})
            self._loaders = ({}, {})
            self.made = {}
            self._shared = False
            self.array_hook = None
            self.types = TypesRegistry(types)
        else:
            self._dumpers = template._dumpers
            self._dumpers_by_oid = template._dumpers_by_oid
            self._loaders = template._loaders
            self.made = template.made
            self._shared = template._shared = True
            self.array_hook = template.array_hook
            self.types = TypesRegistry(template.types if types is None else types)

    @property
    def adapters(self) -> AdaptersMap:
        """Itself: a map is a context, too."""
        return self

    @property
    def connection(self) -> ConnectionLike | None:
        """None: a map works for no connection in particular."""
        return None

    def snapshot(self) -> AdaptersMap:
        """A copy that nobody may register in: the same one as long as nothing changes here.

        It is for the many who want the map as it is, and seldom have anything to add: cursors.
        """
        if self._snapshot is None or not self.is_still(self._snapshot):
            self._snapshot = AdaptersMap(self)
            self._snapshot._template = self._template  # itself would be a cycle
        return self._snapshot

    def is_still(self, snapshot: object) -> bool:
        """Whether nothing has changed since `snapshot()` returned this."""
        last = self._snapshot
        return (
            last is not None
            and last is snapshot
            and last.types._by_key is self.types._by_key
            and last.array_hook is self.array_hook
        )

    def register_dumper(self, cls: type | str | None, dumper: type[Dumper]) -> None:
        """Let `dumper` write the objects of a class, and of its subclasses.

        For a placeholder that asks no format (``%s``) the dumper registered last is chosen,
        whatever its format. A dumper with an `oid` is chosen for that type, too, where types are
        given instead of objects.

        Args:
            cls: the class; or its dotted name, for a class of a module that need not be
                imported; None: the dumper is only found by its oid.
            dumper: the dumper.
        """
        if not (cls is None or isinstance(cls, type | str)):
            raise TypeError(
                f"got {cls!r} to register a dumper for: expected a class, its dotted name, or None"
            )
        self._write()
        format = dumper.format
        if cls is not None:
            for table in (self._dumpers[PyFormat.AUTO], self._dumpers[PyFormat.from_pq(format)]):
                # A class and its dotted name are one entry, or the last would not win.
                table.pop(_dotted(cls) if isinstance(cls, type) else _loaded(table, cls), None)
                table[cls] = dumper
        if dumper.oid:
            self._dumpers_by_oid[format][dumper.oid] = dumper

    def register_loader(self, oid: int | str, loader: type[Loader]) -> None:
        """Let `loader` read the values of a type in the format it is made for.

        Args:
            oid: the type's oid, or its name in `types`.
            loader: the loader.
        """
        if isinstance(oid, str):
            oid = self.types.get_oid(oid)
        elif not isinstance(oid, int):
            raise TypeError(f"got {oid!r} to register a loader for: expected a type's oid or name")
        self._write()
        self._loaders[loader.format][oid] = loader

    def restore(self, oid: int) -> None:
        """Adapt a type as the template of this map does, whatever was registered for it here."""
        template = self._template or AdaptersMap()
        self._write()
        pairs: list[tuple[Any, Any]] = [
            *zip(self._loaders, template._loaders, strict=True),
            *zip(self._dumpers_by_oid, template._dumpers_by_oid, strict=True),
        ]
        for own, theirs in pairs:
            _put_back(own, theirs, oid)
        for format, table in self._dumpers.items():
            for cls in [cls for cls, dumper in table.items() if dumper.oid == oid]:
                _put_back(table, template._dumpers[format], cls)

    def get_dumper(self, cls: type, format: PyFormat) -> type[Dumper]:
        """The dumper for a class: its own, else the nearest of its base classes.

        Raises:
            ProgrammingError: there is none.
        """
        table = self._dumpers[format]
        for base in cls.__mro__:
            dumper = table.get(base) or table.get(_dotted(base))
            if dumper is not None:
                return dumper
        raise ProgrammingError(_no_dumper(cls, PyFormat(format), self._dumpers))

    def get_dumper_by_oid(self, oid: int, format: Format) -> type[Dumper]:
        """The dumper that writes values of a type.

        Raises:
            ProgrammingError: there is none.
        """
        dumper = self._dumpers_by_oid[format].get(oid)
        if dumper is not None:
            return dumper
        info = self.types.get(oid)
        is_array = info is not None and oid == info.array_oid
        # Dumpers for arrays of one type are made when they are first wanted.
        if is_array and self.array_hook is not None:
            self.array_hook(info, self)
            if oid in self._dumpers_by_oid[format]:
                return self._dumpers_by_oid[format][oid]
        if info is not None and not is_array:
            dumper = info.get_dumper(format)
            if dumper is not None:
                return dumper
            if info.base_oid:
                return self.get_dumper_by_oid(info.base_oid, format)
            if UNKNOWN_OID in self._dumpers_by_oid[format]:  # in text, whatever a class says
                return self._dumpers_by_oid[format][UNKNOWN_OID]
        name = f"{info.name}[]" if info and is_array else info and info.name
        text = "send text, or " if format == Format.BINARY and info is not None else ""
        raise ProgrammingError(
            f"no dumper writes type {name or 'unknown to the driver'} (oid {oid})"
            f" in {Format(format).name.lower()} format: {text}register one that has this oid"
        )

    def get_loader(self, oid: int, format: Format) -> type[Loader] | None:
        """The loader that reads values of a type; None if it has none of its own."""
        return self._loaders[format].get(oid)

    def _write(self) -> None:
        self.generation += 1
        self.made, self._snapshot = {}, None
        if self._shared:
            self._shared = False  # first, so that a copy made meanwhile by another thread counts
            self._dumpers = {format: table.copy() for format, table in self._dumpers.items()}
            text, binary = self._dumpers_by_oid
            self._dumpers_by_oid = text.copy(), binary.copy()
            text_loaders, binary_loaders = self._loaders
            self._loaders = text_loaders.copy(), binary_loaders.copy()


def _put_back(table: dict[Any, Any], template: dict[Any, Any], key: object) -> None:
    if key in template:
        table[key] = template[key]
    else:
        table.pop(key, None)


def _dotted(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _loaded(table: dict[type | str, type[Dumper]], name: str) -> type | str:
    """The class that is registered itself where its name is being registered now."""
    return next((cls for cls in table if isinstance(cls, type) and _dotted(cls) == name), name)


def _no_dumper(
    cls: type, format: PyFormat, dumpers: dict[PyFormat, dict[type | str, type[Dumper]]]
) -> str:
    name = cls.__qualname__ if cls.__module__ == "builtins" else _dotted(cls)
    others = [
        other
        for other in (PyFormat.TEXT, PyFormat.BINARY)
        if any(base in dumpers[other] or _dotted(base) in dumpers[other] for base in cls.__mro__)
    ]
    advice = f"use %{others[0].value}, or " if others else "convert the value, or "
    return (
        f"cannot adapt type {name} for a placeholder %{format.value} (format {format.name}):"
        f" {advice}register a dumper for it with adapters.register_dumper()"
    )


adapters = AdaptersMap()
"""The global map, from which every connection's is copied. `psycopg3.postgres` fills it."""

set_default_context(adapters)
