"""Enum: enums of every type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import Enum
from functools import lru_cache
from typing import Any, ClassVar, TypeAlias, TypeVar, cast

from .._oids import INVALID_OID
from ..abc import AdaptContext, Buffer
from ..adapt import Format, Loader, Transformer
from ..adapt.base import subclass
from ..adapt.registry import adapters as global_adapters
from ..adapt.typeinfo import TypeInfo
from ..errors import DataError
from .string import StrDumper

E = TypeVar("E", bound=Enum)

EnumMapping: TypeAlias = Mapping[E, str] | Sequence[tuple[E, str]] | None
"""The labels of members, where they aren't their names."""


# -- which types are enums -----------------------------------------------------------------------


class EnumInfo(TypeInfo):
    """A PostgreSQL enum type.

    Args:
        name: its name, as in ``pg_type.typname``.
        oid: its oid.
        array_oid: the oid of the type of its arrays.
        labels: its labels, in their order.
        regtype: its name as ``regtype`` prints it; the same as `name` if empty.
    """

    __module__ = "psycopg3.types.enum"

    enum: type[Enum] | None = None
    """The class of its values, once it is registered."""

    def __init__(
        self, name: str, oid: int, array_oid: int, labels: Sequence[str], *, regtype: str = ""
    ) -> None:
        super().__init__(name, oid, array_oid, regtype=regtype)
        self.labels = labels

    # A type without labels has one row, of number 0.
    _DETAILS = (
        b", e.enumlabel,"
        b" CASE WHEN e.oid IS NULL THEN 0 ELSE row_number() OVER (ORDER BY e.enumsortorder) END"
        b" FROM (SELECT * FROM pg_catalog.pg_type WHERE typtype = 'e') t"
        b" LEFT JOIN pg_catalog.pg_enum e ON e.enumtypid = t.oid"
    )

    @classmethod
    def _get_details(cls, rows: list[list[str]]) -> dict[str, Any]:
        numbered = sorted((int(number), label) for label, number in rows)
        return {"labels": [label for number, label in numbered if number]}


def register_enum(
    info: EnumInfo,
    context: AdaptContext | None = None,
    enum: type[E] | None = None,
    *,
    mapping: EnumMapping[E] = None,
) -> None:
    """Let a context adapt an enum type of the database's own.

    Its values are loaded as members of the class, which is from then on `info.enum`; members are
    sent as the type. A member stands for the label that is its name, or that `mapping` says.

    Args:
        info: the type, by ``EnumInfo.fetch(conn, name)``.
        context: a connection, cursor or map of adapters; None: every connection to come.
        enum: the class; None makes one, whose members have the names of the labels.
        mapping: the labels of members that aren't called like them.

    Raises:
        TypeError: `info` is None, as of a type that the server doesn't know.
        DataError: Python has no member of a label's name: give a class, and a mapping.
    """
    if info is None:
        raise TypeError("got None instead of an EnumInfo: has the database an enum of that name?")
    cls: type[Enum] = enum or _made_enum(info.name, tuple(info.labels))
    labels: dict[Any, str] = dict(mapping or ())
    members = {**cls.__members__, **{label: member for member, label in labels.items()}}
    adapters = (context or global_adapters).adapters
    info.enum = cls
    info.register(adapters)
    for loader in (EnumLoader, EnumBinaryLoader):
        adapters.register_loader(info.oid, subclass(loader, _members=members))
    for dumper in (EnumDumper, EnumBinaryDumper):
        adapters.register_dumper(cls, subclass(dumper, oid=info.oid, _labels=labels))


@lru_cache(maxsize=256)
def _made_enum(name: str, labels: tuple[str, ...]) -> type[Enum]:
    try:
        make: Any = Enum
        made = make(name.title(), labels, module=__name__)
    except (ValueError, TypeError, AttributeError) as ex:
        raise DataError(
            f"can't make an Enum of the labels of {name} ({ex}):"
            " register a class of your own, with a mapping of its members to the labels"
        ) from ex
    return cast("type[Enum]", made)


# -- dumpers -------------------------------------------------------------------------------------


class EnumDumper(StrDumper):
    """Members of an Enum in text, by their names."""

    oid = INVALID_OID
    _labels: ClassVar[dict[Any, str]] = {}

    def dump(self, obj: Any) -> bytes:
        """The label.

        Raises:
            DataError: a combination of flags, which has no name.
        """
        label = self._labels.get(obj)
        if label is None:
            label = obj.name if isinstance(obj, Enum) else obj
            if label is None:
                raise DataError(f"got {obj!r}, which has no name to be sent by: send its value")
        return super().dump(label)


class EnumBinaryDumper(EnumDumper):
    """Members of an Enum in binary, which has the same bytes."""

    format = Format.BINARY


# -- loaders -------------------------------------------------------------------------------------


class EnumLoader(Loader):
    """Enums of one type in text."""

    by_encoding = True
    _members: ClassVar[dict[str, Enum]] = {}

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        encoding = Transformer.from_context(context).text_encoding
        self._by_text: dict[bytes, Enum] = {}
        for label, member in self._members.items():
            # What the encoding can't write doesn't come: the server can't write it either.
            with suppress(UnicodeEncodeError):
                self._by_text[label.encode(encoding)] = member

    def load(self, data: Buffer) -> Enum:
        """The member."""
        try:
            return self._by_text[bytes(data)]
        except KeyError:
            raise ValueError("the Enum has no member for this label: give a mapping") from None


class EnumBinaryLoader(EnumLoader):
    """Enums of one type in binary, which has the same bytes."""

    format = Format.BINARY


# The binary one comes first: for %s the last one is taken, which is text.
DUMPERS = ((Enum, EnumBinaryDumper, EnumDumper),)
LOADERS = ()  # `register_enum()` registers them
