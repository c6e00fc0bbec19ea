"""list: arrays of every type."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from itertools import chain
from math import prod
from struct import Struct
from typing import TYPE_CHECKING, Any, ClassVar

from .._oids import (
    INT2_OID,
    INT4_OID,
    INT4MULTIRANGE_OID,
    INT4RANGE_OID,
    INT8_OID,
    INT8MULTIRANGE_OID,
    INT8RANGE_OID,
    INVALID_OID,
    NUMERIC_OID,
    NUMMULTIRANGE_OID,
    NUMRANGE_OID,
    TEXT_OID,
)
from ..adapt import Dumper, Format, PyFormat, RecursiveDumper, RecursiveLoader
from ..adapt.registry import adapters as global_adapters
from ..errors import DataError, InterfaceError, ProgrammingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..abc import AdaptContext, AdaptersMapLike, Buffer, DumperKey, TypeInfoLike
    from ..abc import Dumper as DumperLike

_HEADER = Struct("!iiI")  # number of dimensions, whether there are NULLs, oid of the elements
_DIMENSION = Struct("!ii")  # length, lower bound
_LENGTH = Struct("!i")
_NULL = _LENGTH.pack(-1)

# PostgreSQL's own limits.
_MAX_DIMENSIONS = 6
_MAX_ELEMENTS = 0x7FFFFFF

# A character of theirs may have a byte that means something in an array's text: a backslash, a
# brace. (All are encodings of clients only: the server has them converted before it looks.)
_OVERLAPPING = {"big5", "cp932", "cp949", "gb18030", "gbk", "johab", "shift_jis_2004"}

# Types of which each holds the values of those before it.
_WIDENING = (
    (INT2_OID, INT4_OID, INT8_OID, NUMERIC_OID),
    (INT4RANGE_OID, INT8RANGE_OID, NUMRANGE_OID),
    (INT4MULTIRANGE_OID, INT8MULTIRANGE_OID, NUMMULTIRANGE_OID),
)


# -- lists as arrays -----------------------------------------------------------------------------


def _flatten(obj: list[Any]) -> tuple[list[int], list[Any]]:
    """Return the lengths of a list's dimensions, and its elements in a row.

    Raises:
        DataError: the list is no array: lists beside other elements, of different lengths,
            nested too deeply, or in themselves.
    """
    lengths, elements = [len(obj)], obj
    above = {id(obj)}
    while elements and isinstance(elements[0], list):
        length = len(elements[0])
        for inner in elements:
            if not isinstance(inner, list):
                raise _mixed({list, type(inner)})
            if len(inner) != length:
                raise DataError(
                    f"got a list of lists of lengths {length} and {len(inner)}:"
                    " in an array all are equal"
                )
        # In an array no list can be at two depths; in a list that contains itself one is.
        if not above.isdisjoint(map(id, elements)):
            raise DataError("got a list that contains itself, which no array does")
        above.update(map(id, elements))
        if len(lengths) == _MAX_DIMENSIONS:
            raise DataError(f"got a list nested deeper than the {_MAX_DIMENSIONS} of an array")
        if len(elements) * length > _MAX_ELEMENTS:
            raise DataError(
                f"got a list of {len(elements) * length} or more elements:"
                f" an array has {_MAX_ELEMENTS} at most"
            )
        lengths.append(length)
        elements = list(chain.from_iterable(elements))
    return lengths, elements


def _class_of(elements: Iterable[Any]) -> type | None:
    """Return the class of the elements, None if they are all None."""
    classes = set(map(type, elements))
    classes.discard(type(None))
    if len(classes) > 1 or any(issubclass(cls, list) for cls in classes):
        raise _mixed(classes)
    return classes.pop() if classes else None


def _mixed(classes: Iterable[type]) -> DataError:
    names = ", ".join(sorted(cls.__qualname__ for cls in classes))
    return DataError(
        f"got a list of mixed elements ({names}): an array has elements of one type;"
        " convert them, None may be among them"
    )


def _nested(elements: list[Any], lengths: list[int]) -> list[Any]:
    """Fold elements in a row into lists of the given lengths."""
    for length in reversed(lengths[1:]):
        elements = [elements[i : i + length] for i in range(0, len(elements), length)]
    return elements


# -- dumpers -------------------------------------------------------------------------------------


class _ListDumper(RecursiveDumper):
    element_oid: ClassVar[int] = INVALID_OID  # set in the subclass that serves one type of array
    _element_format: ClassVar[PyFormat]
    _delimiter = b","

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self._element: DumperLike | None = None

    def get_key(self, obj: list[Any], format: PyFormat) -> DumperKey:
        """The key of the elements."""
        if self.element_oid:
            return self.cls
        element = self._find_element_dumper(_flatten(obj)[1])
        if element is None:
            return self._key_of_nothing()
        example = next(item for item in _flatten(obj)[1] if item is not None)
        return (self.cls, type(element), element.get_key(example, format))

    def _key_of_nothing(self) -> DumperKey:
        return self.cls

    def _find_element_dumper(self, elements: list[Any]) -> DumperLike | None:
        """Return a dumper that writes all of them, None if they are all None."""
        cls = _class_of(elements)
        if cls is None:
            return None
        present = [item for item in elements if item is not None]
        format, get_dumper = self._element_format, self._tx.get_dumper
        if cls is int:
            # The widest type is needed by the largest, or the smallest: of which ~ is as wide.
            return get_dumper(max(max(present), ~min(present)), format)
        if self._tx.adapters.get_dumper(cls, format).get_key is Dumper.get_key:
            return get_dumper(present[0], format)
        return self._common(cls, [get_dumper(item, format) for item in present])

    def _common(self, cls: type, dumpers: list[DumperLike]) -> DumperLike:
        """Return the dumper, among those of the elements, that writes them all."""
        by_oid = {dumper.oid: dumper for dumper in reversed(dumpers)}
        if len(by_oid) > 1:
            by_oid.pop(INVALID_OID, None)  # any type will do for them
        if len(by_oid) == 1:
            return next(iter(by_oid.values()))
        for oids in _WIDENING:
            if by_oid.keys() <= set(oids):
                return by_oid[max(by_oid, key=oids.index)]
        types = self._tx.adapters.types
        names = sorted(info.name if (info := types.get(oid)) else f"oid {oid}" for oid in by_oid)
        raise DataError(
            f"got a list of {cls.__qualname__} objects of different PostgreSQL types"
            f" ({', '.join(names)}): an array has elements of one type"
        )
