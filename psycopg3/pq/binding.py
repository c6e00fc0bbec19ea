"""The binding in use: `lib`, libpq's functions, and `memory`, what they point to."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from .. import _impl


def _load_cffi() -> tuple[ModuleType, ModuleType]:
    from . import libpq_cffi, memory_cffi

    return libpq_cffi, memory_cffi


def _load_ctypes() -> tuple[ModuleType, ModuleType]:
    from . import libpq_ctypes, memory_ctypes

    return libpq_ctypes, memory_ctypes


if TYPE_CHECKING:
    # Every binding has the names and signatures of this one.
    from . import libpq_ctypes as lib
    from . import memory_ctypes as memory

    IMPL: str
else:
    try:
        IMPL, (lib, memory) = _impl.choose({"cffi": _load_cffi, "ctypes": _load_ctypes})
    except ImportError as ex:
        _impl.refuse_command(ex)
        raise

__all__ = ["IMPL", "lib", "memory"]
