"""str: tsvector, tsquery."""

from __future__ import annotations

from struct import Struct

from .._oids import TSQUERY_OID, TSVECTOR_OID
from .rendered import RenderedLoader

_COUNT = Struct("!i")
_POSITIONS = Struct("!H")  # a number of them, or one: the highest two bits are its weight
_DISTANCE = Struct("!H")
_VALUE, _OPERATOR = 1, 2
_NOT, _AND, _OR, _PHRASE = 1, 2, 3, 4
_BINDING = {_OR: 1, _AND: 2, _PHRASE: 3, _NOT: 4}  # the larger, the closer
_OUTERMOST = 0
_WEIGHTS = ("", "C", "B", "A")
_WEIGHT_BITS = ((8, "A"), (4, "B"), (2, "C"), (1, "D"))


class TsvectorBinaryLoader(RenderedLoader):
    """Reads tsvector in binary."""

    def _render(self, data: bytes) -> bytes:
        (count,) = _COUNT.unpack_from(data)
        offset = _COUNT.size
        lexemes = []
        # The end of the data ends the loop, whatever the count says.
        for _ in range(count):
            lexeme, offset = _terminated(data, offset)
            (length,) = _POSITIONS.unpack_from(data, offset)
            offset += _POSITIONS.size
            places = []
            for _ in range(length):
                (place,) = _POSITIONS.unpack_from(data, offset)
                offset += _POSITIONS.size
                places.append(f"{place & 0x3FFF}{_WEIGHTS[place >> 14]}".encode())
            lexemes.append(_quoted(lexeme) + (b":" + b",".join(places) if places else b""))
        if count < 0 or offset != len(data):
            raise ValueError(f"{count} lexemes in {len(data)} bytes, of which {offset} are used")
        return b" ".join(lexemes)


class TsqueryBinaryLoader(RenderedLoader):
    """Reads tsquery in binary: operators before their operands, of which the right one comes first."""

    def _render(self, data: bytes) -> bytes:
        (count,) = _COUNT.unpack_from(data)
        if count == 0:
            text, offset = b"", _COUNT.size
        else:
            text, offset = self._expression(data, _COUNT.size, _OUTERMOST, False)
        if count < 0 or offset != len(data):
            raise ValueError(f"{count} items in {len(data)} bytes, of which {offset} are used")
        return text

    def _expression(
        self, data: bytes, offset: int, outer: int, is_right_of_phrase: bool
    ) -> tuple[bytes, int]:
        kind = data[offset]
        if kind == _VALUE:
            return _value(data, offset + 1)
        operator = data[offset + 1]
        binding = _BINDING[operator] if kind == _OPERATOR else 0
        if not binding:
            raise ValueError(f"an item of kind {kind}")
        offset += 2
        if operator == _NOT:
            operand, offset = self._expression(data, offset, binding, False)
            text = b"!" + operand
        else:
            mark = b" & " if operator == _AND else b" | "
            if operator == _PHRASE:
                (distance,) = _DISTANCE.unpack_from(data, offset)
                offset += _DISTANCE.size
                mark = b" <%d> " % distance if distance != 1 else b" <-> "
            right, offset = self._expression(data, offset, binding, operator == _PHRASE)
            left, offset = self._expression(data, offset, binding, False)
            text = left + mark + right
        if binding < outer or (operator == _PHRASE and is_right_of_phrase):
            text = b"( %b )" % text
        return text, offset


def _value(data: bytes, offset: int) -> tuple[bytes, int]:
    weights, is_prefix = data[offset : offset + 2]
    lexeme, offset = _terminated(data, offset + 2)
    marks = "*" * bool(is_prefix) + "".join(mark for bit, mark in _WEIGHT_BITS if weights & bit)
    return _quoted(lexeme) + (b":" + marks.encode() if marks else b""), offset


def _terminated(data: bytes, offset: int) -> tuple[bytes, int]:
    """Return the bytes up to a NUL, and the offset after it."""
    end = data.index(0, offset)
    return data[offset:end], end + 1


def _quoted(lexeme: bytes) -> bytes:
    return b"'%b'" % lexeme.replace(b"\\", b"\\\\").replace(b"'", b"''")


DUMPERS = ()
LOADERS = ((TSVECTOR_OID, TsvectorBinaryLoader), (TSQUERY_OID, TsqueryBinaryLoader))
