"""One call, after which a program that imports psycopg runs on psycopg3."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .adapt import Dumper, Loader
from .errors import InterfaceError

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

_OURS, _NAME = __name__.partition(".")[0], "psycopg"


def install_as_psycopg() -> None:
    """Have `import psycopg` give psycopg3, and `import psycopg.x` its module x.

    They are the same objects under both names, so it doesn't matter who imports which. The classes of
    values, such as `Range`, say that they are psycopg's: so what is written down, pickles and Django's
    migrations, has the name that both drivers are found by. Call it at the start of a program, before
    anything imports psycopg; calling it again does nothing. `psycopg_pool` is a package of its own, and isn't
    replaced.

    Raises:
        InterfaceError: psycopg is already imported: what was imported from it would stay what it is.
    """
    known = sys.modules.get(_NAME)
    if known is sys.modules[_OURS]:
        return
    if known is not None:
        raise InterfaceError(
            f"psycopg is already imported, from {getattr(known, '__file__', None)}: call"
            " install_as_psycopg() before anything imports it"
        )
    for name, module in list(sys.modules.items()):
        if name == _OURS or name.startswith(f"{_OURS}."):
            sys.modules[_NAME + name.removeprefix(_OURS)] = module
            _rename_values(module)
    sys.meta_path.insert(0, _Finder())


install_as_psycopg.__module__ = _OURS  # where users find it


def _rename_values(module: ModuleType) -> None:
    """Have the classes of a module of types say that it is psycopg's; adapters are written down nowhere."""
    if module.__name__.startswith(f"{_OURS}.types."):
        for thing in list(vars(module).values()):
            is_own = isinstance(thing, type) and thing.__module__ == module.__name__
            if is_own and not issubclass(thing, (Dumper, Loader)):
                thing.__module__ = _NAME + module.__name__.removeprefix(_OURS)


class _Finder:
    """Finds the modules of psycopg3 by psycopg's names for them; a finder and a loader of importlib's."""

    def __init__(self) -> None:
        self._specs: dict[str, ModuleSpec | None] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Tell how a module is imported; None for those of others, and those that aren't there."""
        if not fullname.startswith(f"{_NAME}."):
            return None
        from importlib.machinery import ModuleSpec
        from importlib.util import find_spec

        found = find_spec(_OURS + fullname.removeprefix(_NAME))
        loader: Any = self
        return None if found is None else ModuleSpec(fullname, loader, origin=found.origin)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Import the module by its own name."""
        module = import_module(_OURS + spec.name.removeprefix(_NAME))
        self._specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Have the module be what it was: importlib has given it the spec of the other name."""
        name = _NAME + module.__name__.removeprefix(_OURS)
        module.__spec__ = self._specs.pop(name)
        _rename_values(module)
