# The extension that cffi makes of libpq.h, memory_cffi.h and memory_cffi.c.

from typing import Any

ffi: Any
lib: Any
