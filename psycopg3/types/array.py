"""list: arrays of every type."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from itertools import chain
from math import prod
from struct import Struct, iter_unpack
from typing import Any, ClassVar, NamedTuple

from .. import _oids
from .._oids import ANYARRAY_OID, INVALID_OID, TEXT_OID
from ..abc import AdaptContext, AdaptersMapLike, Buffer, DumperKey
from ..abc import Dumper as DumperLike
from ..adapt import Dumper, Format, PyFormat, RecursiveDumper, RecursiveLoader
from ..adapt.registry import adapters as global_adapters
from ..adapt.typeinfo import TypeInfo
from ..encodings import OVERLAPPING
from ..errors import DataError, InterfaceError, ProgrammingError

_HEADER = Struct("!iiI")  # number of dimensions, whether there are NULLs, oid of the elements
_DIMENSION = Struct("!ii")  # length, lower bound
_LENGTH = Struct("!i")
_NULL = _LENGTH.pack(-1)
_NONE = type(None)

# PostgreSQL's own limits.
_MAX_DIMENSIONS = 6
_MAX_ELEMENTS = 0x7FFFFFF

# Types of which each holds the values of those before it.
_WIDENING = (
    (_oids.INT2_OID, _oids.INT4_OID, _oids.INT8_OID, _oids.NUMERIC_OID),
    (_oids.INT4RANGE_OID, _oids.INT8RANGE_OID, _oids.NUMRANGE_OID),
    (_oids.INT4MULTIRANGE_OID, _oids.INT8MULTIRANGE_OID, _oids.NUMMULTIRANGE_OID),
)


# -- lists as arrays -----------------------------------------------------------------------------


def _flatten(obj: list[Any]) -> tuple[list[int], list[Any]]:
    """Return the lengths of a list's dimensions, and its elements in a row.

    Raises:
        DataError: the list is no array: lists beside other elements, of different lengths,
            nested too deeply, or in themselves.
    """
    lengths, elements = [len(obj)], obj
    if not elements or not isinstance(elements[0], list):
        return lengths, elements
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


def _mixed(classes: Iterable[type]) -> DataError:
    names = ", ".join(sorted(cls.__qualname__ for cls in classes))
    return DataError(
        f"got a list of mixed elements ({names}): an array has elements of one type;"
        " convert them, None may be among them"
    )


# -- dumpers -------------------------------------------------------------------------------------


class _Kind(NamedTuple):
    oid: int  # of arrays
    element_oid: int
    delimiter: bytes  # between elements


class _ListDumper(RecursiveDumper):
    """Chooses the dumper of a list's elements, and with it the type of the array."""

    element_oid: int = INVALID_OID
    """The type of the elements."""

    _element_format: ClassVar[PyFormat]
    _delimiter: bytes = b","
    _element: DumperLike | None = None
    """What dumps the elements, if that isn't to be chosen by them."""
    _text: ListDumper | None = None
    """What dumps elements that have no binary form."""

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self._kinds: dict[int, _Kind] = {}
        if self.element_oid:  # a subclass for arrays of this type alone
            get_dumper = self._tx.adapters.get_dumper_by_oid
            self._element = get_dumper(self.element_oid, self.format)(type(None), self._tx)

    def get_key(self, obj: list[Any], format: PyFormat) -> DumperKey:
        """That of the elements."""
        if self._element is not None:
            return self.cls
        element, example, _ = self._choose(_flatten(obj)[1])
        if element is not None:
            return (self.cls, type(element), element.get_key(example, self._element_format))
        # Binary arrays are of some type; text ones of what the query needs.
        return self.cls if self.format == Format.TEXT else (self.cls, type(None))

    def upgrade(self, obj: list[Any], format: PyFormat) -> Dumper:
        """A dumper for arrays of what the elements are sent as."""
        if self._element is not None:
            return self
        element = self._choose(_flatten(obj)[1])[0]
        if element is None or element.format != self.format:
            return self._beside(ListDumper)
        made = self._beside(type(self))
        made._element = element
        made.oid, made.element_oid, made._delimiter = self._array_of(element.oid)
        return made

    def dump(self, obj: list[Any]) -> bytes:
        """The array.

        Raises:
            DataError: the list is no array.
        """
        lengths, elements = _flatten(obj)
        element = self._element
        if element is None:
            element = self._choose(elements)[0]
        elif any(isinstance(item, list) for item in elements):
            raise _mixed(set(map(type, elements)))
        dumped: list[Buffer | None] = [None] * len(elements)
        if element is not None:
            dumped = _dump_all(elements, element.dump, has_none=True)
        return self._joined(lengths, dumped, _Kind(self.oid, self.element_oid, self._delimiter))

    def write(self, obj: list[Any]) -> tuple[bytes, int, Format]:
        """The array, its type, and the format, with one look through the list."""
        if self._element is not None:
            return self.dump(obj), self.oid, self.format
        self._tx.contextual = None  # settings may have changed since
        lengths, elements = _flatten(obj)
        element, _, has_none = self._choose(elements)
        if element is None or element.format != self.format:
            if self._text is None:
                self._text = self._beside(ListDumper)
            return self._text.dump(obj), INVALID_OID, self._text.format
        kind = self._kinds.get(element.oid) or self._kinds.setdefault(
            element.oid, self._array_of(element.oid)
        )
        dumped = _dump_all(elements, element.dump, has_none)
        return self._joined(lengths, dumped, kind), kind.oid, self.format

    def _array_of(self, oid: int) -> _Kind:
        """The kind of the arrays of a type."""
        info = self._tx.adapters.types.get(oid)
        if info is None:
            return _Kind(self.oid, self.element_oid, self._delimiter)
        return _Kind(info.array_oid, info.oid, info.delimiter.encode())

    @abstractmethod
    def _joined(self, lengths: list[int], elements: list[Buffer | None], kind: _Kind) -> bytes:
        """The array of these dimensions and elements."""

    def _choose(self, elements: list[Any]) -> tuple[DumperLike | None, Any, bool]:
        """Return a dumper that writes all the elements, and a value that has this dumper.

        Both are None if all elements are. The third tells whether one of them is.
        """
        classes = set(map(type, elements))
        has_none = _NONE in classes
        if has_none:
            classes.remove(_NONE)
        if not classes:
            return None, None, has_none
        cls, *others = classes
        if others or issubclass(cls, list):
            self._check_mixed(classes)
        present = [item for item in elements if item is not None] if has_none else elements
        format, get_dumper = self._element_format, self._tx.get_dumper
        if cls is int:
            # The widest type is that of the largest, or of the smallest: of which ~ is as wide.
            least, most = min(present), max(present)
            widest = max(~least, most)
            return get_dumper(widest, format), widest, has_none
        if self._tx.adapters.get_dumper(cls, format).get_key is Dumper.get_key:
            return get_dumper(present[0], format), present[0], has_none
        return *self._common([(get_dumper(item, format), item) for item in present]), has_none

    def _check_mixed(self, classes: set[type]) -> None:
        """Refuse elements of several classes, unless one dumper writes them all as one type.

        Addresses are such: those of IPv4 and of IPv6 are inet.
        """
        find = self._tx.adapters.get_dumper
        try:
            dumpers = {find(cls, self._element_format) for cls in classes}
        except ProgrammingError:  # there is none for one of them
            dumpers = set()
        if len(dumpers) != 1 or not dumpers.pop().oid:
            raise _mixed(classes)

    def _common(self, dumpers: list[tuple[DumperLike, Any]]) -> tuple[DumperLike, Any]:
        """Return the one of several dumpers that writes what all of them do."""
        by_oid = {dumper.oid: (dumper, item) for dumper, item in dumpers}
        if len(by_oid) > 1:
            by_oid.pop(INVALID_OID, None)  # these go with any type
        if len(by_oid) == 1:
            return by_oid.popitem()[1]
        for oids in _WIDENING:
            if by_oid.keys() <= set(oids):
                return by_oid[max(by_oid, key=oids.index)]
        types = self._tx.adapters.types
        names = sorted(info.name if (info := types.get(oid)) else f"oid {oid}" for oid in by_oid)
        raise DataError(
            f"got a list whose elements are of several types of PostgreSQL ({', '.join(names)}):"
            " an array has elements of one type"
        )


def _dump_all(
    elements: list[Any], dump: Callable[[Any], Buffer | None], has_none: bool
) -> list[Buffer | None]:
    if has_none:
        return [dump(item) if item is not None else None for item in elements]
    return list(map(dump, elements))


class ListDumper(_ListDumper):
    """list as array in text: the elements in braces, quoted where needed."""

    is_lasting = True
    _element_format = PyFormat.TEXT

    def _joined(self, lengths: list[int], elements: list[Buffer | None], kind: _Kind) -> bytes:
        if not elements:
            return b"{}"
        encoding = self._tx.text_encoding
        if encoding not in OVERLAPPING:
            return _in_braces(elements, lengths, kind.delimiter)
        utf8 = [str(text, encoding).encode() if text is not None else None for text in elements]
        return _in_braces(utf8, lengths, kind.delimiter).decode().encode(encoding)


class ListBinaryDumper(_ListDumper):
    """list as array in binary: the lengths of the dimensions, and the elements."""

    is_lasting = True
    format = Format.BINARY
    _element_format = PyFormat.BINARY

    def _array_of(self, oid: int) -> _Kind:
        found = super()._array_of(oid or TEXT_OID)
        if not found.oid:
            raise ProgrammingError(
                f"got a list of elements of the type with oid {oid}, whose arrays are unknown:"
                " register its TypeInfo, or send the list as text (%t)"
            )
        return found

    def _joined(self, lengths: list[int], elements: list[Buffer | None], kind: _Kind) -> bytes:
        if not elements:
            return _HEADER.pack(0, 0, kind.element_oid)
        parts: list[Buffer] = [_HEADER.pack(len(lengths), None in elements, kind.element_oid)]
        parts += [_DIMENSION.pack(length, 1) for length in lengths]
        for data in elements:
            parts += (_NULL,) if data is None else (_LENGTH.pack(len(data)), data)
        return b"".join(parts)


def _in_braces(texts: Sequence[Buffer | None], lengths: list[int], delimiter: bytes) -> bytes:
    items: Sequence[Buffer] = texts  # type: ignore[assignment]
    special = _needing_quotes(delimiter)
    # One look at all of them: most arrays have no NULL and nothing to quote, least of all digits.
    if not all(texts) or not ((whole := b"".join(items)).isdigit() or not special.search(whole)):
        items = [
            b"NULL"
            if text is None
            else b'"%b"' % bytes(text).replace(b"\\", rb"\\").replace(b'"', rb"\"")
            if not text or special.search(text)
            else text
            for text in texts
        ]
    for length in reversed(lengths[1:]):
        items = [
            b"{%b}" % delimiter.join(items[i : i + length]) for i in range(0, len(items), length)
        ]
    return b"{%b}" % delimiter.join(items)


@cache
def _needing_quotes(delimiter: bytes) -> re.Pattern[bytes]:
    return re.compile(rb'[\s{}"\\%b]|null' % re.escape(delimiter), re.IGNORECASE)


# -- loaders -------------------------------------------------------------------------------------


class ArrayLoader(RecursiveLoader):
    """Arrays of any type in text."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        info = self._tx.adapters.types.get(oid)
        if info is None:
            raise InterfaceError(
                f"got an array of the unknown type with oid {oid}: register its TypeInfo"
            )
        self._delimiter = info.delimiter.encode()
        self._is_plain = self._tx.text_encoding not in OVERLAPPING
        self._load_element = self._part_loader(info.oid)

    def load(self, data: Buffer) -> list[Any]:
        """A list, of lists where the array has several dimensions; lower bounds are forgotten."""
        text = bytes(data) if self._is_plain else self._plain(data)
        return parse_array(text, self._delimiter, self._load_element)


class ArrayBinaryLoader(RecursiveLoader):
    """Arrays of any type in binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> list[Any]:
        """A list, of lists where the array has several dimensions; lower bounds are forgotten."""
        depth, _, oid = _HEADER.unpack_from(data)
        if not 0 <= depth <= _MAX_DIMENSIONS:
            raise ValueError(f"{depth} dimensions")
        offset = _HEADER.size + depth * _DIMENSION.size
        dimensions = _DIMENSION.iter_unpack(data[_HEADER.size : offset])
        lengths = [length for length, _ in dimensions]
        count = prod(lengths) if lengths else 0
        # Each element has a length at least: what is counted is there before it is believed.
        if min(lengths, default=0) < 0 or count > (len(data) - offset) // _LENGTH.size:
            raise ValueError(f"dimensions of {lengths} elements in {len(data)} bytes")
        elements = _load_elements(data[offset:], count, self._tx.get_loader(oid, self.format).load)
        if not count:
            return []
        for length in reversed(lengths[1:]):
            elements = [elements[i : i + length] for i in range(0, count, length)]
            count //= length
        return elements


def _load_elements(data: Buffer, count: int, load: Callable[[Any], Any]) -> list[Any]:
    """Load `count` elements, each after its length, that are all there is in `data`."""
    unpack = _LENGTH.unpack_from
    if count:
        # Elements of one length, as most are, none of them NULL: taken apart in one call.
        width: int = unpack(data)[0]
        if width >= 0 and len(data) == count * (_LENGTH.size + width):
            lengths, items = zip(*iter_unpack(f"!i{width}s", data), strict=True)
            if lengths.count(width) == count:
                return list(map(load, items))
    elements: list[Any] = []
    offset = 0
    for _ in range(count):
        length: int = unpack(data, offset)[0]
        offset += _LENGTH.size
        if length == -1:
            elements.append(None)
            continue
        end = offset + length
        if not offset <= end <= len(data):
            raise ValueError(f"an element of {length} bytes")
        elements.append(load(data[offset:end]))
        offset = end
    if offset != len(data):
        raise ValueError(f"{len(data) - offset} bytes after the last element")
    return elements


def parse_array(data: bytes, delimiter: bytes, load: Callable[[bytes], Any]) -> list[Any]:
    """Read the text of an array, giving each element to `load`.

    Raises:
        ValueError: it is no array.
    """
    if data.startswith(b"["):  # lower bounds other than 1: [0:2]={...}
        data = data.partition(b"=")[2]
    if not (data.startswith(b"{") and data.endswith(b"}")):
        raise ValueError("expected elements in braces")
    flat = data[1:-1]
    if b'"' in flat or b"{" in flat or b"\\" in flat or b"}" in flat:
        return _parse_tokens(data, delimiter, load)
    if not flat:
        return []
    return [load(item) if item != b"NULL" else None for item in flat.split(delimiter)]


def _parse_tokens(data: bytes, delimiter: bytes, load: Callable[[bytes], Any]) -> list[Any]:
    outermost: list[Any] = []
    path = [outermost]  # the lists that are open
    position = 0
    before = delimiter  # the mark before a token; b"" after an element
    for token in _tokens(delimiter).finditer(data):
        quoted, bare, mark = token.groups(default=b"")
        expects_value = before == delimiter or before == b"{"
        if mark == delimiter:
            fits = not expects_value
        elif mark == b"}":
            fits = before != delimiter
        else:
            fits = expects_value and not (mark and len(path) > _MAX_DIMENSIONS)
        if token.start() != position or not fits or (mark != b"{" and len(path) == 1):
            break
        position = token.end()
        before = mark
        if mark == b"{":
            path[-1].append([])
            path.append(path[-1][-1])
        elif mark == b"}":
            path.pop()
        elif not mark:
            if bare == b"NULL":
                path[-1].append(None)
            else:
                path[-1].append(load(bare or _ESCAPE.sub(rb"\1", quoted)))
    if position != len(data) or len(path) > 1 or len(outermost) != 1:
        raise ValueError(f"unexpected at {position}: {data[position : position + 10]!r}")
    return outermost[0]  # type: ignore[no-any-return]


_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)


@cache
def _tokens(delimiter: bytes) -> re.Pattern[bytes]:
    quoted = rb'"([^"\\]*(?:\\.[^"\\]*)*)"'
    mark = b"[{}%b]" % re.escape(delimiter)
    bare = rb'[^\s{}"\\%b][^{}"\\%b]*' % (re.escape(delimiter), re.escape(delimiter))
    return re.compile(b"%b|(%b)|(%b)" % (quoted, bare, mark), re.DOTALL)


# -- which types have arrays ---------------------------------------------------------------------


def register_array(info: TypeInfo, context: AdaptContext | None = None) -> None:
    """Let a context adapt the arrays of a type. `TypeInfo.register()` does so by itself.

    Args:
        info: the type; one without arrays is let be.
        context: a connection, cursor or map of adapters; None: every connection to come.
    """
    if not info.array_oid:
        return
    adapters = (context or global_adapters).adapters
    if adapters.types.get(info.array_oid) is None:
        adapters.types.add(info)
    _register_loaders(info.array_oid, adapters)
    for dumper in _dumpers_of(info.oid, info.array_oid, info.delimiter):
        adapters.register_dumper(None, dumper)


def register_all_arrays(context: AdaptContext | None = None) -> None:
    """Let a context adapt the arrays of all the types it knows.

    Args:
        context: a connection, cursor or map of adapters; None: every connection to come.
    """
    # Dumpers for one type of array, of which few are ever wanted, wait until they are: the map
    # asks `register_array()` then. 160 classes would add 2 ms to the import.
    adapters = (context or global_adapters).adapters
    for info in adapters.types:
        if info.array_oid:
            _register_loaders(info.array_oid, adapters)


def _register_loaders(array_oid: int, adapters: AdaptersMapLike) -> None:
    adapters.register_loader(array_oid, ArrayLoader)
    adapters.register_loader(array_oid, ArrayBinaryLoader)


@lru_cache(maxsize=256)
def _dumpers_of(
    oid: int, array_oid: int, delimiter: str
) -> tuple[type[ListDumper], type[ListBinaryDumper]]:
    """Make dumpers for arrays of one type, for where types are given instead of objects."""

    class OneTypeListDumper(ListDumper):
        element_oid = oid
        _delimiter = delimiter.encode()

    class OneTypeListBinaryDumper(ListBinaryDumper):
        element_oid = oid

    OneTypeListDumper.oid = OneTypeListBinaryDumper.oid = array_oid
    return OneTypeListDumper, OneTypeListBinaryDumper


DUMPERS = ((list, ListBinaryDumper, ListDumper),)
# Arrays say the type of their elements in binary. `register_all_arrays()` has the others.
LOADERS = ((ANYARRAY_OID, ArrayBinaryLoader),)
