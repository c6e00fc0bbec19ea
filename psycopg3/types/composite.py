"""tuple, and classes of one's own: records and composites of every type."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Any, ClassVar, TypeAlias, TypeVar

from .._oids import RECORD_OID, TEXT_OID
from ..abc import AdaptContext, Buffer
from ..adapt import Format, RecursiveDumper, RecursiveLoader
from ..adapt.base import subclass
from ..adapt.registry import adapters as global_adapters
from ..adapt.typeinfo import TypeInfo, base_type
from ..errors import DataError
from ..names import named_tuple
from .parts import FIELD, pack, quoted, read, unpack

T = TypeVar("T")

_COUNT = Struct("!i")
_OID = Struct("!I")


# -- which types are composites ------------------------------------------------------------------


class CompositeInfo(TypeInfo):
    """A PostgreSQL composite type: one of its own, or that of a table's rows.

    Args:
        name: its name, as in ``pg_type.typname``.
        oid: its oid.
        array_oid: the oid of the type of its arrays.
        regtype: its name as ``regtype`` prints it; the same as `name` if empty.
        field_names: the names of its fields, in their order.
        field_types: the oids of their types.
    """

    __module__ = "psycopg3.types.composite"

    python_type: Callable[..., Any] | None = None
    """What makes its values, once it is registered."""

    def __init__(
        self,
        name: str,
        oid: int,
        array_oid: int,
        *,
        regtype: str = "",
        field_names: Sequence[str],
        field_types: Sequence[int],
    ) -> None:
        super().__init__(name, oid, array_oid, regtype=regtype)
        self.field_names = tuple(field_names)
        self.field_types = tuple(field_types)

    # A type without fields has one row, without a number.
    _DETAILS = (
        b", a.attnum, a.attname, a.atttypid, "
        + base_type(b"a.atttypid")
        + b" FROM (SELECT * FROM pg_catalog.pg_type WHERE typtype = 'c') t"
        b" LEFT JOIN pg_catalog.pg_attribute a"
        b" ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped"
    )

    @classmethod
    def _get_details(cls, rows: list[list[str]]) -> dict[str, Any]:
        fields = sorted(
            (int(number), name, int(oid), int(base)) for number, name, oid, base in rows if number
        )
        return {
            "field_names": [name for _, name, _, _ in fields],
            "field_types": [oid for _, _, oid, _ in fields],
            "base_oids": {oid: base for _, _, oid, base in fields},
        }


ObjectMaker: TypeAlias = Callable[[Sequence[Any], CompositeInfo], T]
"""Makes an object of the values of a composite's fields."""

SequenceMaker: TypeAlias = Callable[[T, CompositeInfo], Sequence[Any]]
"""Tells the values of a composite's fields of an object."""


def register_composite(
    info: CompositeInfo,
    context: AdaptContext | None = None,
    factory: Callable[..., T] | None = None,
    *,
    make_object: ObjectMaker[T] | None = None,
    make_sequence: SequenceMaker[T] | None = None,
) -> None:
    """Let a context adapt a composite type of the database's own.

    Its values are made by `factory`, which is from then on `info.python_type`. If that is a class
    of sequences, or there is a `make_sequence`, its objects are sent as the type.

    Args:
        info: the type, by ``CompositeInfo.fetch(conn, name)``.
        context: a connection, cursor or map of adapters; None: every connection to come.
        factory: called with the values of the fields, as positional arguments; None makes a class
            of named tuples.
        make_object: called with the values and `info` instead of `factory`, where positional
            arguments won't do.
        make_sequence: given an object of the class `factory` and `info`, returns the values.

    Raises:
        TypeError: `info` is None, as of a type that the server doesn't know.
        DataError: two fields have the same name in Python: give a factory.
    """
    if info is None:
        raise TypeError(
            "got None instead of a CompositeInfo: has the database a composite type of that name?"
        )
    maker = _made_by(info, factory, make_object)
    adapters = (context or global_adapters).adapters
    info.register(adapters)
    for loader in (CompositeLoader, CompositeBinaryLoader):
        adapters.register_loader(info.oid, subclass(loader, _info=info, _make=staticmethod(maker)))
    cls = info.python_type
    is_class = isinstance(cls, type) and (make_sequence or issubclass(cls, Sequence))
    for base in (CompositeBinaryDumper, CompositeDumper):
        dumper = subclass(
            base,
            oid=info.oid,
            _info=info,
            _class=cls,
            _make_sequence=make_sequence and staticmethod(make_sequence),
        )
        # By the type, where that is given, each of them takes any sequence.
        adapters.register_dumper(cls if is_class else None, dumper)  # type: ignore[arg-type]


def _made_by(
    info: CompositeInfo,
    factory: Callable[..., Any] | None,
    make_object: ObjectMaker[Any] | None,
) -> Callable[[Sequence[Any]], Any]:
    """What makes an object of a list of values; `info` is told the class."""
    if make_object is not None:
        info.python_type = factory or _named_tuple(info)
        return lambda values: make_object(values, info)
    if factory is not None:
        info.python_type = factory
        return lambda values: factory(*values)
    info.python_type = made = _named_tuple(info)
    return made._make  # type: ignore[no-any-return]


def _named_tuple(info: CompositeInfo) -> Any:
    try:
        return named_tuple(info.name, info.field_names, __name__, info.regtype)
    except ValueError as ex:
        raise DataError(
            f"can't make fields of a named tuple of those of {info.name},"
            f" {', '.join(info.field_names)}: {ex}; register a factory"
        ) from None


# -- dumpers -------------------------------------------------------------------------------------


class TupleDumper(RecursiveDumper):
    """tuple as a record in text, for the server to take as the composite that is wanted."""

    def dump(self, obj: Sequence[Any]) -> bytes:
        """The record: in parentheses its fields, quoted where needed; NULL is nothing."""
        fields = b",".join([quoted(self._dump_text(field)) for field in obj])
        return self._joined_text(b"(%b)" % fields)


class CompositeDumper(TupleDumper):
    """Objects as composites of one type in text."""

    _info: ClassVar[CompositeInfo]
    _class: ClassVar[Any] = None
    _make_sequence: ClassVar[Callable[[Any, CompositeInfo], Sequence[Any]] | None] = None

    def dump(self, obj: Any) -> bytes:
        """The composite.

        Raises:
            DataError: it has not as many fields.
        """
        return super().dump(self._fields(obj))

    def _fields(self, obj: Any) -> Sequence[Any]:
        info, make = self._info, type(self)._make_sequence
        fields = make(obj, info) if make and isinstance(obj, self._class) else obj
        is_sequence = isinstance(fields, Sequence) and not isinstance(fields, str | bytes)
        if not is_sequence or len(fields) != len(info.field_types):
            raise DataError(
                f"got {reprlib.repr(obj)} for the type {info.name}:"
                f" expected {len(info.field_types)} values ({', '.join(info.field_names)})"
            )
        return fields


class CompositeBinaryDumper(CompositeDumper):
    """Objects as composites of one type in binary: each field after its type and length."""

    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        """The composite.

        Raises:
            DataError: it has not as many fields, or one is no value of its type.
        """
        base_oids = self._info.base_oids
        parts = [_COUNT.pack(len(self._info.field_types))]
        for field, oid in zip(self._fields(obj), self._info.field_types, strict=True):
            parts += _OID.pack(oid), pack(self._dump_binary(field, base_oids.get(oid, oid)))
        return b"".join(parts)


# -- loaders -------------------------------------------------------------------------------------


class RecordLoader(RecursiveLoader):
    """Records in text."""

    def load(self, data: Buffer) -> Any:
        """A tuple of str: of the types of the fields the text says nothing."""
        load = self._part_loader(TEXT_OID)
        return tuple([read(field, load) for field in self._split(data)])

    def _split(self, data: Buffer) -> list[re.Match[bytes]]:
        text = self._plain(data)
        if text == b"()":
            return []
        fields: list[re.Match[bytes]] = []
        mark, end = b"(", 0
        while text.startswith(mark, end):
            field = FIELD.match(text, end + 1)
            if field is None:
                break
            fields.append(field)
            mark, end = b",", field.end()
        if not fields or text[end:] != b")":
            raise ValueError(f"expected fields in parentheses, which end at {end}")
        return fields


class RecordBinaryLoader(RecursiveLoader):
    """Records in binary: each field after its type and length."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Any:
        """A tuple of values of the types that the record says."""
        return tuple(self._load_fields(data, {}))

    def _load_fields(self, data: Buffer, base_oids: Mapping[int, int]) -> list[Any]:
        get_loader = self._tx.get_loader
        count: int = _COUNT.unpack_from(data)[0]
        # Each field has a type and a length: what is counted is there before it is believed.
        if not 0 <= count <= len(data) // (_OID.size + _COUNT.size):
            raise ValueError(f"{count} fields in {len(data)} bytes")
        end = _COUNT.size
        values: list[Any] = []
        for _ in range(count):
            oid: int = _OID.unpack_from(data, end)[0]
            part, end = unpack(data, end + _OID.size)
            if part is not None:
                part = get_loader(base_oids.get(oid, oid), Format.BINARY).load(part)
            values.append(part)
        if end != len(data):
            raise ValueError(f"{len(data) - end} bytes after the last field")
        return values


class CompositeLoader(RecordLoader):
    """Composites of one type in text."""

    _info: ClassVar[CompositeInfo]
    _make: Callable[[Sequence[Any]], Any]
    _loads: list[Callable[[Any], Any]] | None = None

    def load(self, data: Buffer) -> Any:
        """The object."""
        info = self._info
        loads = self._loads
        if loads is None:  # not made with this loader: a type may say that it is made of itself
            oids = [info.base_oids.get(oid, oid) for oid in info.field_types]
            loads = self._loads = [*map(self._part_loader, oids)]
        fields = self._split(data)
        if not fields and len(loads) == 1:  # one NULL has the text of no field
            return self._make([None])
        if len(fields) != len(loads):
            raise ValueError(f"{len(fields)} fields: expected {len(loads)}")
        return self._make([read(field, load) for field, load in zip(fields, loads, strict=True)])


class CompositeBinaryLoader(RecordBinaryLoader):
    """Composites of one type in binary."""

    _info: ClassVar[CompositeInfo]
    _make: Callable[[Sequence[Any]], Any]

    def load(self, data: Buffer) -> Any:
        """The object."""
        values = self._load_fields(data, self._info.base_oids)
        if len(values) != len(self._info.field_types):
            raise ValueError(f"{len(values)} fields: expected {len(self._info.field_types)}")
        return self._make(values)


DUMPERS = ((tuple, TupleDumper),)
LOADERS = ((RECORD_OID, RecordLoader, RecordBinaryLoader),)
