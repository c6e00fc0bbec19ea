"""Point, Line, LineSegment, Box, Path, Polygon, Circle: the geometric types of the server itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from math import frexp, ulp
from struct import Struct
from typing import Any, NamedTuple, TypeAlias

from .. import _oids
from ..abc import AdaptContext, Buffer
from ..adapt import Dumper, Format, Loader
from ..adapt.base import BinaryDumper, subclass
from ..adapt.loading import shown
from ..errors import DataError
from .rendered import RenderedLoader

_POINTS = Struct("!i")  # how many
_POINTS_OF_PATH = Struct("!Bi")  # whether it is closed, how many
_POINT_SIZE = 16


# -- values --------------------------------------------------------------------------------------


class Point(NamedTuple):
    """A point."""

    x: float
    y: float

    def __str__(self) -> str:
        return _text(Point, *_shape(Point, self))


class Line(NamedTuple):
    """An endless line: `a * x + b * y + c = 0`."""

    a: float
    b: float
    c: float

    def __str__(self) -> str:
        return _text(Line, *_shape(Line, self))


class LineSegment(NamedTuple):
    """A line from one point to another."""

    p1: Point
    p2: Point

    def __str__(self) -> str:
        return _text(LineSegment, *_shape(LineSegment, self))


class Box(NamedTuple):
    """A rectangle; the server puts the upper right corner first, whatever it is given."""

    high: Point
    low: Point

    def __str__(self) -> str:
        return _text(Box, *_shape(Box, self))


class Path(NamedTuple):
    """Points and the lines between them; where it is closed, between the last and the first, too."""

    points: tuple[Point, ...]
    is_closed: bool = False

    def __str__(self) -> str:
        return _text(Path, *_shape(Path, self))


class Polygon(NamedTuple):
    """An area, by its corners."""

    points: tuple[Point, ...]

    def __str__(self) -> str:
        return _text(Polygon, *_shape(Polygon, self))


class Circle(NamedTuple):
    """An area, by its centre and its radius."""

    center: Point
    radius: float

    def __str__(self) -> str:
        return _text(Circle, *_shape(Circle, self))


Geometric: TypeAlias = Point | Line | LineSegment | Box | Path | Polygon | Circle

_CLASSES: dict[int, type[Any]] = {
    _oids.POINT_OID: Point,
    _oids.LINE_OID: Line,
    _oids.LSEG_OID: LineSegment,
    _oids.BOX_OID: Box,
    _oids.PATH_OID: Path,
    _oids.POLYGON_OID: Polygon,
    _oids.CIRCLE_OID: Circle,
}

# How the server writes those of which each has as many numbers as the others.
_TEXTS: dict[type[Any], str] = {
    Point: "({},{})",
    Line: "{{{},{},{}}}",
    LineSegment: "[({},{}),({},{})]",
    Box: "({},{}),({},{})",
    Circle: "<({},{}),{}>",
}
_COUNTS = {cls: text.replace("{{", "").count("{") for cls, text in _TEXTS.items()}
_DOUBLES = {cls: Struct(f"!{count}d") for cls, count in _COUNTS.items()}


# -- from values to numbers, and back ------------------------------------------------------------


def _shape(cls: type[Any], obj: Any) -> tuple[list[float], bool]:
    """Return the numbers of a value, or of the text of one, in a row; and whether it is closed.

    Raises:
        DataError: it isn't made of numbers as its class has it.
    """
    try:
        if isinstance(obj, str):
            return _parse(cls, obj.encode())
        if cls is Path:
            points, is_closed = obj
            return [float(number) for x, y in points for number in (x, y)], bool(is_closed)
        if cls is Polygon:
            return [float(number) for x, y in obj[0] for number in (x, y)], True
        numbers = list(map(float, _flat(obj)))
        if len(numbers) != _COUNTS[cls]:
            raise ValueError(f"{len(numbers)} numbers instead of {_COUNTS[cls]}")
    except (TypeError, ValueError, LookupError, OverflowError) as ex:
        raise DataError(
            f"got {shown(obj)}: expected numbers as a {cls.__name__} has ({ex})"
        ) from ex
    return numbers, True


def _flat(parts: Iterable[Any]) -> list[Any]:
    numbers: list[Any] = []
    for part in parts:
        numbers += part if isinstance(part, tuple | list) else (part,)
    return numbers


def _made(cls: type[Any], numbers: Sequence[float], is_closed: bool) -> Any:
    if cls is Point or cls is Line:
        return cls(*numbers)
    if cls is Circle:
        return Circle(Point(*numbers[:2]), numbers[2])
    points = tuple(map(Point, numbers[::2], numbers[1::2]))
    if cls is Path:
        return Path(points, is_closed)
    return Polygon(points) if cls is Polygon else cls(*points)


# -- text ----------------------------------------------------------------------------------------


def _text(cls: type[Any], numbers: Sequence[float], is_closed: bool) -> str:
    shown = list(map(_float_text, numbers))
    if cls in _TEXTS:
        return _TEXTS[cls].format(*shown)
    points = ",".join(f"({x},{y})" for x, y in zip(shown[::2], shown[1::2], strict=True))
    return f"({points})" if is_closed else f"[{points}]"


def _parse(cls: type[Any], data: bytes) -> tuple[list[float], bool]:
    numbers = list(map(float, data.translate(None, b"()[]{}<>").split(b",")))
    count = _COUNTS.get(cls)
    if len(numbers) != count and (count is not None or len(numbers) % 2):
        raise ValueError(f"{len(numbers)} numbers")
    return numbers, not data.startswith(b"[")


def _float_text(number: float) -> str:
    """Write a number as the server does with `extra_float_digits` above 0."""
    text = repr(number)
    if number - number != 0:  # infinite, or no number
        return text.replace("inf", "Infinity").replace("nan", "NaN")
    if abs(number) < 1e15:
        return text.removesuffix(".0")
    texts = (f"{number:.{length}e}" for length in range(17))
    candidates = chain((text,) if "e" in text else (), texts)
    return next(t for t in candidates if float(t) == number and not _is_midway(t, number))


def _is_midway(text: str, number: float) -> bool:
    """Whether the digits of a large number stand just between it and the next one.

    The server then shows more of them: 4.9999999999999996e+22. Python, and others, read 5e+22 as
    the same number, since it is the even one of both.
    """
    gap = ulp(number)
    below = gap / 2 if frexp(number)[0] in (0.5, -0.5) else gap
    mantissa, exponent = text.lstrip("-").split("e")
    whole, _, fraction = mantissa.partition(".")
    digits = int(whole + fraction) * 10 ** int(exponent) // 10 ** len(fraction)
    # Up to 2**53 there are no such digits.
    return gap >= 2 and 2 * (digits - int(abs(number))) in (gap, -below)


# -- binary --------------------------------------------------------------------------------------


def _packed(cls: type[Any], numbers: Sequence[float], is_closed: bool) -> bytes:
    if cls in _DOUBLES:
        return _DOUBLES[cls].pack(*numbers)
    points = len(numbers) // 2
    head = _POINTS_OF_PATH.pack(is_closed, points) if cls is Path else _POINTS.pack(points)
    return head + Struct(f"!{len(numbers)}d").pack(*numbers)


def _unpacked(cls: type[Any], data: bytes) -> tuple[tuple[float, ...], bool]:
    if cls in _DOUBLES:
        return _DOUBLES[cls].unpack(data), True
    is_closed, offset = 1, _POINTS.size
    if cls is Path:
        is_closed, points = _POINTS_OF_PATH.unpack_from(data)
        offset = _POINTS_OF_PATH.size
    else:
        (points,) = _POINTS.unpack_from(data)
    if is_closed > 1 or points < 1 or len(data) != offset + points * _POINT_SIZE:
        raise ValueError(f"{points} points in {len(data)} bytes")
    return Struct(f"!{points * 2}d").unpack(data[offset:]), bool(is_closed)


# -- dumpers -------------------------------------------------------------------------------------


class GeometricDumper(Dumper):
    """Writes a value in text, or the text of one."""

    def dump(self, obj: Geometric | str) -> bytes:
        """Write it as the server does.

        Raises:
            DataError: it isn't made of numbers.
        """
        cls = _CLASSES[self.oid]
        return _text(cls, *_shape(cls, obj)).encode()


class GeometricBinaryDumper(BinaryDumper):
    """Writes a value, or the text of one, in binary."""

    def dump(self, obj: Geometric | str) -> bytes:
        """Write its numbers.

        Raises:
            DataError: it isn't made of numbers.
        """
        cls = _CLASSES[self.oid]
        return _packed(cls, *_shape(cls, obj))


# -- loaders -------------------------------------------------------------------------------------


class GeometricLoader(Loader):
    """Reads text as a value."""

    contextual = False

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._cls = _CLASSES[oid]

    def load(self, data: Buffer) -> Any:
        """Read a value."""
        return _made(self._cls, *_parse(self._cls, bytes(data)))


class GeometricBinaryLoader(GeometricLoader):
    """Reads binary as a value."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Any:
        """Read a value."""
        return _made(self._cls, *_unpacked(self._cls, bytes(data)))


class GeometricTextBinaryLoader(RenderedLoader):
    """Reads binary as the text of a value."""

    def _render(self, data: bytes) -> bytes:
        cls = _CLASSES[self.oid]
        return _text(cls, *_unpacked(cls, data)).encode()


DUMPERS = tuple(
    (cls, *(subclass(base, oid=oid) for base in (GeometricDumper, GeometricBinaryDumper)))
    for oid, cls in _CLASSES.items()
)
LOADERS = tuple((oid, GeometricTextBinaryLoader) for oid in _CLASSES)
VALUE_LOADERS = tuple((oid, GeometricLoader, GeometricBinaryLoader) for oid in _CLASSES)
