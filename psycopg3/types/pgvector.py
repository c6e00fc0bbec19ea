"""Vector, HalfVector, SparseVector: the types of the extension pgvector."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from struct import Struct, error
from typing import Any, ClassVar, Self, overload

from ..abc import AsyncRunning, Buffer, Running
from ..adapt import Dumper, Format, Loader
from ..adapt.base import subclass
from ..adapt.typeinfo import TypeInfo
from ..errors import ProgrammingError
from ..waiting import WaitGen

_HEADER = Struct("!HH")  # dimensions, 0
_SPARSE_HEADER = Struct("!iii")  # dimensions, elements, 0


# -- values --------------------------------------------------------------------------------------


class Vector(tuple[float, ...]):
    """A vector of numbers, rounded to those of 32 bits that the server stores: vector.

    Args:
        numbers: the numbers, at least one.

    Raises:
        ValueError: they are none, or what is no number of that size.
    """

    __slots__ = ()
    _code: ClassVar[str] = "f"

    def __new__(cls, numbers: Iterable[float]) -> Self:
        numbers = tuple(numbers)
        return cls._unpack(_packed(cls._code, numbers), len(numbers))

    @classmethod
    def _unpack(cls, data: Buffer, count: int) -> Self:
        if not count:
            raise ValueError("a vector of no dimensions")
        return super().__new__(cls, Struct(f"!{count}{cls._code}").unpack(data))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)})"

    def __str__(self) -> str:
        return f"[{','.join(map(repr, self))}]"


class HalfVector(Vector):
    """A vector of numbers, rounded to those of 16 bits that the server stores: halfvec.

    Args:
        numbers: the numbers, at least one.

    Raises:
        ValueError: they are none, or what is no number of that size.
    """

    __slots__ = ()
    _code = "e"


class SparseVector:
    """A vector of which most numbers are 0: sparsevec.

    Args:
        dimensions: how many numbers it has.
        elements: those that aren't 0, by their position from 0.

    Raises:
        ValueError: a position is outside, or a value is no number of 32 bits.
    """

    __slots__ = ("dimensions", "elements")

    def __init__(self, dimensions: int, elements: Mapping[int, float]) -> None:
        items = sorted(elements.items())
        rounded = Struct(f"!{len(items)}f").unpack(_packed("f", [number for _, number in items]))
        self.dimensions = dimensions
        self.elements = {
            position: number for (position, _), number in zip(items, rounded, strict=True) if number
        }
        if dimensions < 1 or any(not 0 <= position < dimensions for position in self.elements):
            raise ValueError(f"positions {list(self.elements)[:10]} in {dimensions} dimensions")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SparseVector):
            return NotImplemented
        return (self.dimensions, self.elements) == (other.dimensions, other.elements)

    def __hash__(self) -> int:
        return hash((self.dimensions, tuple(self.elements.items())))

    def __repr__(self) -> str:
        return f"SparseVector({self.dimensions}, {self.elements})"

    def __str__(self) -> str:
        """The text of the server, where positions are counted from 1."""
        items = ",".join(f"{position + 1}:{number!r}" for position, number in self.elements.items())
        return f"{{{items}}}/{self.dimensions}"


def _packed(code: str, numbers: Iterable[float]) -> bytes:
    numbers = tuple(numbers)
    try:
        return Struct(f"!{len(numbers)}{code}").pack(*numbers)
    except (error, OverflowError, TypeError) as ex:
        raise ValueError(
            f"got what a vector can't hold ({ex}): expected numbers of its size"
        ) from ex


# -- dumpers -------------------------------------------------------------------------------------


class VectorDumper(Dumper):
    """Writes a vector of any kind, or what one can be made of, in text."""

    _cls: ClassVar[type[Any]] = Vector

    def dump(self, obj: Any) -> bytes:
        """Write it as the server does."""
        return str(obj if isinstance(obj, self._cls) else self._cls(obj)).encode()


class VectorBinaryDumper(VectorDumper):
    """Writes a vector or halfvec, or what one can be made of, in binary."""

    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        """Write how many numbers it has, and the numbers."""
        vector = obj if isinstance(obj, self._cls) else self._cls(obj)
        return _HEADER.pack(len(vector), 0) + _packed(self._cls._code, vector)


class SparseVectorBinaryDumper(Dumper):
    """Writes a sparsevec in binary."""

    format = Format.BINARY

    def dump(self, obj: SparseVector) -> bytes:
        """Write how many numbers it has, the positions of those that aren't 0, and these."""
        count = len(obj.elements)
        header = _SPARSE_HEADER.pack(obj.dimensions, count, 0)
        return header + Struct(f"!{count}i{count}f").pack(*obj.elements, *obj.elements.values())


# -- loaders -------------------------------------------------------------------------------------


class VectorLoader(Loader):
    """Reads vector in text."""

    _cls: ClassVar[type[Vector]] = Vector

    def load(self, data: Buffer) -> Vector:
        """Read a vector."""
        text = bytes(data)
        if not (text.startswith(b"[") and text.endswith(b"]")):
            raise ValueError("expected numbers in brackets")
        return self._cls(map(float, text[1:-1].split(b",")))


class VectorBinaryLoader(VectorLoader):
    """Reads vector in binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Vector:
        """Read a vector."""
        count, unused = _HEADER.unpack_from(data)
        if unused:
            raise ValueError(f"expected 0, not {unused}")
        return self._cls._unpack(data[_HEADER.size :], count)


class HalfVectorLoader(VectorLoader):
    """Reads halfvec in text."""

    _cls = HalfVector


class HalfVectorBinaryLoader(VectorBinaryLoader):
    """Reads halfvec in binary."""

    _cls = HalfVector


class SparseVectorLoader(Loader):
    """Reads sparsevec in text."""

    def load(self, data: Buffer) -> SparseVector:
        """Read a vector."""
        items, slash, dimensions = bytes(data).partition(b"/")
        if not (slash and items.startswith(b"{") and items.endswith(b"}")):
            raise ValueError("expected elements in braces, and how many dimensions")
        pairs = [item.split(b":") for item in items[1:-1].split(b",")] if len(items) > 2 else []
        elements = {int(position) - 1: float(number) for position, number in pairs}
        return SparseVector(int(dimensions), elements)


class SparseVectorBinaryLoader(Loader):
    """Reads sparsevec in binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> SparseVector:
        """Read a vector."""
        dimensions, count, unused = _SPARSE_HEADER.unpack_from(data)
        if unused or count < 0 or len(data) != _SPARSE_HEADER.size + count * 8:
            raise ValueError(f"{count} elements in {len(data)} bytes, and {unused} instead of 0")
        numbers = Struct(f"!{count}i{count}f").unpack(data[_SPARSE_HEADER.size :])
        return SparseVector(dimensions, dict(zip(numbers[:count], numbers[count:], strict=True)))


# -- which of them a server has ------------------------------------------------------------------

_TYPES: dict[str, tuple[type[Any], Any, Any, Any, Any]] = {
    "vector": (Vector, VectorDumper, VectorBinaryDumper, VectorLoader, VectorBinaryLoader),
    "halfvec": (
        *(HalfVector, VectorDumper, VectorBinaryDumper),
        *(HalfVectorLoader, HalfVectorBinaryLoader),
    ),
    "sparsevec": (
        *(SparseVector, VectorDumper, SparseVectorBinaryDumper),
        *(SparseVectorLoader, SparseVectorBinaryLoader),
    ),
}


@overload
def register_pgvector(conn: AsyncRunning) -> Awaitable[None]: ...
@overload
def register_pgvector(conn: Running) -> None: ...
def register_pgvector(conn: Any) -> Any:
    """Let a connection adapt vector, halfvec and sparsevec, those that the server has.

    Args:
        conn: a connection; the result of an async one is to be awaited.

    Raises:
        ProgrammingError: it has none.
    """
    return conn._run(_register_gen(conn))


def _register_gen(conn: Any) -> WaitGen[None]:
    is_there = False
    for name, (cls, *adapters) in _TYPES.items():
        info = yield from TypeInfo._fetch_gen(conn, name)
        if info is None:
            continue  # versions before 0.7 have vector alone
        is_there = True
        info.register(conn)
        for adapter in adapters:
            if issubclass(adapter, Dumper):
                conn.adapters.register_dumper(cls, subclass(adapter, oid=info.oid, _cls=cls))
            else:
                conn.adapters.register_loader(info.oid, adapter)
    if not is_there:
        raise ProgrammingError(
            "found no type vector: create the extension vector, or put its schema into search_path"
        )
