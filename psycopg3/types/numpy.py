"""NumPy: scalars as numbers and bool, arrays as arrays of them."""

from __future__ import annotations

from math import prod
from struct import Struct
from typing import TYPE_CHECKING, Any

from .. import _oids
from ..abc import AdaptContext, Buffer, DumperKey, PyFormat
from ..adapt import Dumper, Format
from ..adapt.registry import adapters as global_adapters
from ..errors import DataError
from . import bool as boolean
from . import numeric
from .array import ArrayBinaryLoader, ArrayLoader

if TYPE_CHECKING:
    from numpy import dtype, ndarray
else:  # not everybody has it; `typing.get_type_hints()` wants the names
    dtype = ndarray = Any

_HEADER = Struct("!iiI")  # number of dimensions, whether there are NULLs, oid of the elements
_DIMENSION = Struct("!ii")  # length, lower bound
_LENGTH = Struct("!i")
_MOST_DIMENSIONS = 6
_TO_BRACES = str.maketrans("[]", "{}")


# -- scalars -------------------------------------------------------------------------------------


class NPNumericDumper(numeric.IntNumericDumper):
    """Writes an unsigned integer as numeric in text."""


class NPNumericBinaryDumper(numeric.IntNumericBinaryDumper):
    """Writes an unsigned integer as numeric in binary."""

    def dump(self, obj: Any) -> bytes:
        """Write its digits in groups of four."""
        return super().dump(int(obj))


class NPFloat4Dumper(numeric.Float4Dumper):
    """Writes a float of 16 or 32 bits, which is no float of Python, as real in text."""

    def dump(self, obj: Any) -> bytes:
        """Write the digits of the float that is the same number."""
        return super().dump(float(obj))


class NPFloat4BinaryDumper(numeric.Float4BinaryDumper):
    """Writes a float of 16 or 32 bits as real in binary."""

    def dump(self, obj: Any) -> bytes:
        """Write four bytes."""
        return super().dump(float(obj))


_INT2 = (numeric.Int2Dumper, numeric.Int2BinaryDumper)
_INT4 = (numeric.Int4Dumper, numeric.Int4BinaryDumper)
_INT8 = (numeric.Int8Dumper, numeric.Int8BinaryDumper)
_NUMERIC = (NPNumericDumper, NPNumericBinaryDumper)
_FLOAT4 = (NPFloat4Dumper, NPFloat4BinaryDumper)
_FLOAT8 = (numeric.FloatDumper, numeric.FloatBinaryDumper)
_BOOL = (boolean.BoolDumper, boolean.BoolBinaryDumper)

# Some names are those of older versions, or of other systems.
_SCALARS = {
    "int8": _INT2,
    "uint8": _INT2,
    "int16": _INT2,
    "uint16": _INT4,
    "int32": _INT4,
    "intc": _INT4,
    "uint32": _INT8,
    "uintc": _INT8,
    "int64": _INT8,
    "longlong": _INT8,
    "uint64": _NUMERIC,
    "ulonglong": _NUMERIC,
    "float16": _FLOAT4,
    "float32": _FLOAT4,
    "float64": _FLOAT8,
    "bool": _BOOL,
    "bool_": _BOOL,
}


# -- arrays --------------------------------------------------------------------------------------


class _Kind:
    """The type of an array's elements, and of the array; NumPy's code of what is sent of an element.

    The code is None where that isn't of one length.
    """

    __slots__ = ("array_oid", "code", "oid")

    def __init__(self, oid: int, array_oid: int, code: str | None) -> None:
        self.oid, self.array_oid, self.code = oid, array_oid, code


_INT2_ARRAY = _Kind(_oids.INT2_OID, _oids.INT2_ARRAY_OID, ">i2")
_INT4_ARRAY = _Kind(_oids.INT4_OID, _oids.INT4_ARRAY_OID, ">i4")
_INT8_ARRAY = _Kind(_oids.INT8_OID, _oids.INT8_ARRAY_OID, ">i8")
_FLOAT4_ARRAY = _Kind(_oids.FLOAT4_OID, _oids.FLOAT4_ARRAY_OID, ">f4")
_FLOAT8_ARRAY = _Kind(_oids.FLOAT8_OID, _oids.FLOAT8_ARRAY_OID, ">f8")
_BOOL_ARRAY = _Kind(_oids.BOOL_OID, _oids.BOOL_ARRAY_OID, "?")
_NUMERIC_ARRAY = _Kind(_oids.NUMERIC_OID, _oids.NUMERIC_ARRAY_OID, None)
_LOADED = (_INT2_ARRAY, _INT4_ARRAY, _INT8_ARRAY, _FLOAT4_ARRAY, _FLOAT8_ARRAY, _BOOL_ARRAY)

_KINDS = {  # by the kind and size of a dtype
    "i1": _INT2_ARRAY,
    "u1": _INT2_ARRAY,
    "i2": _INT2_ARRAY,
    "u2": _INT4_ARRAY,
    "i4": _INT4_ARRAY,
    "u4": _INT8_ARRAY,
    "i8": _INT8_ARRAY,
    "u8": _NUMERIC_ARRAY,
    "f2": _FLOAT4_ARRAY,
    "f4": _FLOAT4_ARRAY,
    "f8": _FLOAT8_ARRAY,
    "b1": _BOOL_ARRAY,
}


class NdarrayDumper(Dumper):
    """Writes an ndarray of numbers or bools as array in text."""

    contextual = True  # one for all contexts is made anew to be quoted, and forgets its type
    _kind: _Kind | None = None

    def get_key(self, obj: ndarray, format: PyFormat) -> DumperKey:
        """Tell the types of elements apart."""
        return (self.cls, obj.dtype.type)

    def upgrade(self, obj: ndarray, format: PyFormat) -> Dumper:
        """Return a dumper for arrays of the type of the elements.

        Raises:
            DataError: there is no such type.
        """
        made = type(self)(self.cls)
        kind = _KINDS.get(obj.dtype.str[1:])
        if kind is None:
            raise DataError(
                f"got a numpy array of dtype {obj.dtype}: expected integers, floats or bools;"
                " send array.tolist()"
            )
        made._kind, made.oid, made.connection = kind, kind.array_oid, self.connection
        return made

    def dump(self, obj: ndarray) -> bytes:
        """Write the elements in braces.

        Raises:
            DataError: the array has no dimension, or too many.
        """
        _check_dimensions(obj)
        if not obj.size:
            return b"{}"
        # The server reads nan, inf and True, and blanks after commas.
        return repr(obj.tolist()).translate(_TO_BRACES).replace("None", "NULL").encode()


class NdarrayBinaryDumper(NdarrayDumper):
    """Writes an ndarray of numbers or bools as array in binary."""

    format = Format.BINARY

    def dump(self, obj: ndarray) -> bytes:
        """Write the lengths of the dimensions, and the elements, which NumPy copies.

        Raises:
            DataError: the array has no dimension, or too many.
        """
        import numpy as np

        _check_dimensions(obj)
        kind = self._kind or _KINDS[obj.dtype.str[1:]]
        if not obj.size:
            return _HEADER.pack(0, 0, kind.oid)
        has_nulls = bool(np.ma.is_masked(obj))
        header = _HEADER.pack(obj.ndim, has_nulls, kind.oid)
        header += b"".join(_DIMENSION.pack(length, 1) for length in obj.shape)
        if kind.code is None or has_nulls:
            return header + b"".join(_elements(kind, obj.ravel().tolist()))
        dtype = _element_dtype(kind.code)
        elements = np.empty(obj.size, dtype)
        elements["length"] = dtype["value"].itemsize
        elements["value"] = obj.ravel()
        return header + elements.tobytes()


def _check_dimensions(array: ndarray) -> None:
    if not 1 <= array.ndim <= _MOST_DIMENSIONS:
        raise DataError(
            f"got a numpy array of {array.ndim} dimensions: expected 1 to {_MOST_DIMENSIONS};"
            " send array.item() or reshape it"
        )


def _elements(kind: _Kind, values: list[Any]) -> list[bytes]:
    """Write elements one by one: masked ones are NULL."""
    dump = _BINARY_DUMPERS[kind.oid](type(None)).dump
    parts = []
    for value in values:
        data = None if value is None else bytes(dump(value))
        parts += [_LENGTH.pack(-1)] if data is None else [_LENGTH.pack(len(data)), data]
    return parts


def _element_dtype(code: str) -> dtype:
    """Return the dtype of an element of an array in binary: its length, then itself."""
    import numpy as np

    return np.dtype([("length", ">i4"), ("value", code)])


_BINARY_DUMPERS: dict[int, Any] = {binary.oid: binary for _, binary in _SCALARS.values()}


# -- loaders -------------------------------------------------------------------------------------


class NdarrayLoader(ArrayLoader):
    """Reads an array of numbers or bools in text as ndarray."""

    def load(self, data: Buffer) -> Any:
        """Read an ndarray; of Python's objects if an element is NULL."""
        return _from_list(self.oid, super().load(data))


class NdarrayBinaryLoader(ArrayBinaryLoader):
    """Reads an array of numbers or bools in binary as ndarray."""

    def load(self, data: Buffer) -> Any:
        """Read an ndarray; of Python's objects if an element is NULL."""
        import numpy as np

        kind = _BY_ARRAY[self.oid]
        dtype = _element_dtype(kind.code or "")
        depth, _, oid = _HEADER.unpack_from(data)
        start = _HEADER.size + depth * _DIMENSION.size
        if oid == kind.oid and 1 <= depth <= _MOST_DIMENSIONS:
            lengths = [n for n, _ in _DIMENSION.iter_unpack(data[_HEADER.size : start])]
            if min(lengths) >= 0 and len(data) == start + prod(lengths) * dtype.itemsize:
                elements = np.frombuffer(data, dtype, offset=start)
                if (elements["length"] == dtype["value"].itemsize).all():
                    values = elements["value"]
                    return values.astype(values.dtype.newbyteorder("=")).reshape(lengths)
        # Elements are NULL, or there are none, or it is broken.
        return _from_list(self.oid, super().load(data))


def _from_list(array_oid: int, elements: list[Any]) -> Any:
    import numpy as np

    dtype = np.dtype(_BY_ARRAY[array_oid].code).newbyteorder("=")
    if not elements:
        return np.empty(0, dtype)
    array = np.array(elements, object)
    # A NULL would be nan among floats, False among bools.
    return array if (array == None).any() else array.astype(dtype)  # noqa: E711


_BY_ARRAY = {kind.array_oid: kind for kind in _LOADED}


def register_numpy(context: AdaptContext | None = None) -> None:
    """Let a context read arrays of integers, floats and bools as ndarrays.

    Args:
        context: a connection, cursor or map of adapters; None: every connection to come.
    """
    adapters = (context or global_adapters).adapters
    for array_oid in _BY_ARRAY:
        adapters.register_loader(array_oid, NdarrayLoader)
        adapters.register_loader(array_oid, NdarrayBinaryLoader)


DUMPERS = (
    *((f"numpy.{name}", *dumpers) for name, dumpers in _SCALARS.items()),
    ("numpy.ndarray", NdarrayDumper, NdarrayBinaryDumper),
)
LOADERS = ()
