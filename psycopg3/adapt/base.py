"""Dumper and Loader: what every adapter is built from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, cast

from ..abc import AdaptContext, Buffer, ConnectionLike, DumperKey, PyFormat
from ..abc import Dumper as DumperLike
from ..pq import Escaping, Format

T = TypeVar("T")
A = TypeVar("A", bound="_Adapter")

_WRITING = {"dump", "get_key", "upgrade"}
_PACKAGE = __name__.partition(".")[0]


class _Adapter(ABC):
    format: Format = Format.TEXT
    """The format that is written or read."""

    contextual: ClassVar[bool] = True
    """Whether an instance depends on the connection it was made for: its encoding, its time zone.

    A `Transformer` makes a contextual adapter anew for each query, since settings change. An
    adapter that asks nothing of its context says False, and is made once for all of them.
    """

    by_encoding: ClassVar[bool] = False
    """Of a contextual adapter: whether it depends on the encoding alone."""

    is_common: ClassVar[bool] = False
    """Whether one instance, which has no connection, serves all contexts of the same encoding."""

    is_lasting: ClassVar[bool] = False
    """Whether an instance that depends on its context asks it anew each time it writes."""

    oid: int
    connection: ConnectionLike | None
    """The connection the adapter works for, if any."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Methods of one's own may look at the connection, whatever the base class did: only what
        # a class says itself counts. Ours are known: they look if they have an `__init__`.
        own = cls.__dict__
        is_ours = cls.__module__.partition(".")[0] == _PACKAGE
        stated = "contextual" in own
        if not stated and ("__init__" in own or (is_ours and cls.__base__ in (Dumper, Loader))):
            cls.contextual = "__init__" in own
        if not is_ours or "__init__" in own:
            cls.by_encoding = own.get("by_encoding", False)
        cls.is_common = (stated or is_ours) and (not cls.contextual or cls.by_encoding)
        cls.is_lasting = own.get("is_lasting", False)

    def __repr__(self) -> str:
        cls = type(self)
        return f"<{cls.__module__}.{cls.__qualname__} (oid={self.oid}) at 0x{id(self):x}>"


class Dumper(_Adapter):
    """Turns Python objects of one class into what PostgreSQL reads.

    Subclasses write `dump()`, and set `oid` and `format` where text of a type for the server
    to choose won't do.

    Args:
        cls: the class of the objects.
        context: where they are dumped.
    """

    oid: int = 0
    """The type to tell the server; 0 lets it choose."""

    write: Any = None
    """A method ``write(obj)`` that does what `get_key()`, `upgrade()` and `dump()` do together.

    It returns what was written, its oid and its format. It is for types where to choose the dumper
    takes as long as to dump: a list is then looked through once. None: there is no such method, as
    in subclasses that have one of the three of their own.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "write" not in cls.__dict__ and not _WRITING.isdisjoint(cls.__dict__):
            cls.write = None

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None:
        self.cls = cls
        self.connection = context.connection if context is not None else None

    @abstractmethod
    def dump(self, obj: Any, /) -> Buffer | None:
        """Write `obj` in the dumper's format; None is NULL.

        Raises:
            DataError: `obj` has no such form.
        """

    def quote(self, obj: Any) -> Buffer:
        """Write `obj` as a literal for the text of a query.

        This default quotes what `dump()` gives, as it suits the connection. Without a connection
        the literal reads the same under every setting of ``standard_conforming_strings``.
        """
        data = self.dump(obj)
        if data is None:
            return b"NULL"
        if self.connection is not None:
            return Escaping(self.connection.pgconn).escape_literal(data)
        return quote_unconnected(data)

    def get_key(self, obj: Any, format: PyFormat) -> DumperKey:
        """Tell which dumper `obj` needs.

        This default is content with the class. Where the value has a say, too (an int takes the
        smallest type that holds it), return a class or a tuple of keys that stands for the right
        dumper, and let `upgrade()` make it.
        """
        return self.cls

    def upgrade(self, obj: Any, format: PyFormat) -> DumperLike:
        """Make the dumper that `get_key()` asked for, to be used wherever the key is the same."""
        return self


class Loader(_Adapter):
    """Turns what PostgreSQL writes for one type into Python objects.

    Subclasses write `load()`, and set `format`.

    Args:
        oid: the type of the values.
        context: where they are loaded.
    """

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        self.oid = oid
        self.connection = context.connection if context is not None else None

    @abstractmethod
    def load(self, data: Any, /) -> Any:
        """Make a Python object of `data` (bytes, bytearray or memoryview); never called for NULL.

        A loader of ours may let ValueError, LookupError, OverflowError, TypeError or struct.error
        escape on data that is no value of its type: the `Transformer` makes a DataError of it,
        which costs nothing as long as all goes well.
        """


class BinaryDumper(Dumper):
    """A dumper that writes the binary format."""

    format = Format.BINARY


class BinaryLoader(Loader):
    """A loader that reads the binary format."""

    format = Format.BINARY


def subclass(base: type[A], **values: Any) -> type[A]:
    """A subclass of an adapter that has these attributes."""
    namespace = {**values, "__module__": base.__module__, "__doc__": base.__doc__}
    metaclass: Any = type(base)
    return cast("type[A]", metaclass(base.__name__, (base,), namespace))


def frameless(function: Callable[[Any], T]) -> Callable[[Any, Any], T]:
    """Let a function of one argument stand as a method, where it is called without `self`.

    A C function that does all of the work, as `Struct.pack` does, so runs without a Python frame.
    """
    return staticmethod(function)  # type: ignore[return-value]


def quote_unconnected(data: Buffer) -> bytes:
    """Quote text for a query of a connection not known yet.

    A backslash is doubled within an ``E''`` string, which reads the same whatever
    ``standard_conforming_strings`` says; the blank keeps the E off a word before it.
    """
    literal = bytes(data).replace(b"'", b"''")
    if b"\\" in literal:
        return b" E'%b'" % literal.replace(b"\\", b"\\\\")
    return b"'%b'" % literal
