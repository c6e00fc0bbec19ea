"""What the floors ask of each other, as protocols; and the words that all of them use."""

# pyright: reportReturnType=false
# The bodies of these functions are their docstrings.

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import (
    TYPE_CHECKING,
    Any,
    LiteralString,
    Protocol,
    TypeAlias,
    TypeVar,
    runtime_checkable,
)

from .pq import Format, PGconn, PGresult
from .waiting import WaitGen

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, BaseProtocol
    from asyncio import Protocol as AsyncioProtocol
    from ssl import SSLContext as SSLContext
else:  # these take long to import; `typing.get_type_hints()` wants the names
    AbstractEventLoop = BaseProtocol = AsyncioProtocol = SSLContext = Any

T = TypeVar("T")

Buffer: TypeAlias = bytes | bytearray | memoryview
"""What travels to and from libpq."""

Params: TypeAlias = Sequence[Any] | Mapping[str, Any]
"""What a query's placeholders are filled from."""

DumperKey: TypeAlias = "type | tuple[DumperKey, ...]"
"""What tells one dumper of a class from another: a class, or a tuple of keys."""

RowMaker: TypeAlias = Callable[[Sequence[Any]], T]
"""Makes a row of the values of its columns."""


class PyFormat(StrEnum):
    """The format asked for a parameter: the letter after ``%`` in its placeholder."""

    AUTO = "s"
    """Whatever the last registered dumper of the value's class writes."""
    TEXT = "t"
    """Text."""
    BINARY = "b"
    """Binary."""

    # Enum's own is a Python function, and formats are looked up once a parameter.
    __hash__ = str.__hash__

    @classmethod
    def from_pq(cls, format: Format) -> PyFormat:
        """The member for a libpq format."""
        return cls.BINARY if format == Format.BINARY else cls.TEXT

    @classmethod
    def as_pq(cls, format: PyFormat) -> Format:
        """The libpq format of a member; AUTO is text, as it is for a server that is not told."""
        return Format.BINARY if format == cls.BINARY else Format.TEXT


class Dumper(Protocol):
    """Turns Python objects of one class into what PostgreSQL reads."""

    format: Format
    """The format that `dump()` writes."""
    oid: int
    """The type to tell the server; 0 lets it choose."""

    def __init__(self, cls: type, context: AdaptContext | None = None) -> None: ...

    def dump(self, obj: Any, /) -> Buffer | None:
        """Write `obj`; None is NULL."""

    def quote(self, obj: Any) -> Buffer:
        """Write `obj` as a literal for the text of a query."""

    def get_key(self, obj: Any, format: PyFormat) -> DumperKey:
        """Tell which dumper `obj` needs: the class this one was made for, if itself will do."""

    def upgrade(self, obj: Any, format: PyFormat) -> Dumper:
        """Make the dumper that `get_key()` asked for."""


class Loader(Protocol):
    """Turns what PostgreSQL writes for one type into Python objects."""

    format: Format
    """The format that `load()` reads."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None: ...

    def load(self, data: Any, /) -> Any:
        """Make a Python object of a value (a `Buffer`) of the server; never called for NULL."""


class TypesLike(Protocol):
    """A collection of PostgreSQL types."""

    def add(self, info: Any) -> None:
        """Take in a type."""

    def __getitem__(self, key: str | int) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...

    def get(self, key: str | int) -> Any | None:
        """The type of a name or oid, None if unknown."""

    def get_oid(self, name: str) -> int:
        """The oid of a name."""


class AdaptersMapLike(Protocol):
    """Which dumper writes a class, which loader reads a type."""

    array_hook: Callable[[Any, AdaptContext], None] | None
    """Registers the adapters for arrays of a type."""
    generation: int
    """Counts registrations."""
    made: dict[str, Any]
    """What `Transformer` made of the adapters."""

    def snapshot(self) -> AdaptersMapLike:
        """A copy that nobody registers in."""

    @property
    def types(self) -> TypesLike:
        """The types known by name."""

    @property
    def adapters(self) -> AdaptersMapLike:
        """Itself: a map is a context, too."""

    @property
    def connection(self) -> ConnectionLike | None:
        """None: a map has no connection."""

    def register_dumper(self, cls: type | str | None, dumper: type[Dumper]) -> None:
        """Let `dumper` write the objects of a class."""

    def register_loader(self, oid: int | str, loader: type[Loader]) -> None:
        """Let `loader` read the values of a type."""

    def get_dumper(self, cls: type, format: PyFormat) -> type[Dumper]:
        """The dumper for a class."""

    def get_dumper_by_oid(self, oid: int, format: Format) -> type[Dumper]:
        """The dumper for a type."""

    def get_loader(self, oid: int, format: Format) -> type[Loader] | None:
        """The loader for a type, None if it has none of its own."""


class AdaptContext(Protocol):
    """Where adaptation happens: a connection, a cursor, a map of adapters, a transformer."""

    @property
    def adapters(self) -> AdaptersMapLike:
        """The adapters to use."""

    @property
    def connection(self) -> ConnectionLike | None:
        """The connection they work for, if any."""


class ConnectionLike(Protocol):
    """What lower floors know of a connection."""

    @property
    def pgconn(self) -> PGconn:
        """libpq's connection."""

    @property
    def adapters(self) -> AdaptersMapLike:
        """The connection's own adapters."""

    @property
    def connection(self) -> ConnectionLike:
        """Itself: a connection is a context, too."""

    @property
    def closed(self) -> bool:
        """True once the connection can't be used any more."""


class SessionLike(ConnectionLike, Protocol):
    """A connection that knows how commands are sent, and leaves the waiting to who runs it."""

    def _command_gen(self, *commands: bytes) -> WaitGen[list[PGresult]]:
        """Run commands in one round trip and return their results, or raise the server's error."""


class Running(SessionLike, Protocol):
    """A connection that waits itself."""

    def _run(self, gen: WaitGen[T]) -> T:
        """Run a generator to its end."""


class AsyncRunning(SessionLike, Protocol):
    """A connection that is awaited."""

    def _run(self, gen: WaitGen[T]) -> Awaitable[T]:
        """Run a generator to its end."""


class CursorLike(Protocol):
    """What lower floors, and row factories, know of a cursor."""

    @property
    def connection(self) -> ConnectionLike:
        """The connection the cursor works on."""

    @property
    def adapters(self) -> AdaptersMapLike:
        """The cursor's own adapters."""

    @property
    def description(self) -> Sequence[Any] | None:
        """The columns of the current result, None if it has none."""

    @property
    def pgresult(self) -> PGresult | None:
        """The current result."""


@runtime_checkable
class Composable(Protocol):
    """A piece of a query that knows how to write itself."""

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:
        """The piece in the encoding of the connection."""

    def as_string(self, context: AdaptContext | None = None) -> str:
        """The piece as a str."""


class Template(Protocol):
    """What is asked of a template string of Python 3.14, `t"select {value}"`."""

    @property
    def strings(self) -> tuple[str, ...]:
        """The texts around the places."""

    @property
    def interpolations(self) -> tuple[Any, ...]:
        """The places."""

    def __iter__(self) -> Iterator[Any]:
        """The texts that aren't empty, and the places, in their order."""


Query: TypeAlias = LiteralString | bytes | Composable | Template
"""What is executed: text that the program itself wrote, or composed, or a template string."""


# ---- links that somebody else makes ----


class BlockingLink(Protocol):
    """What carries bytes to a server: a connected socket, or anything like one."""

    def recv(self, size: int, /) -> bytes:
        """Wait for bytes, so many at most; b"" means that there will be no more."""

    def sendall(self, data: bytes, /) -> object:
        """Send all of it."""

    def close(self) -> object:
        """End the link; who waits in the other methods is woken."""


class TrioStream(Protocol):
    """A stream of bytes, as trio has them."""

    def receive_some(self, max_bytes: int | None = None, /) -> Awaitable[bytes | bytearray]:
        """Wait for bytes; b"" means that there will be no more."""

    def send_all(self, data: bytes, /) -> Awaitable[object]:
        """Send all of it."""

    def aclose(self) -> Awaitable[object]:
        """End the link."""


class AnyioStream(Protocol):
    """A stream of bytes, as anyio has them."""

    def receive(self, max_bytes: int = ..., /) -> Awaitable[bytes]:
        """Wait for bytes."""

    def send(self, item: bytes, /) -> Awaitable[object]:
        """Send all of it."""

    def aclose(self) -> Awaitable[object]:
        """End the link."""


class Connector(Protocol):
    """What the `connector_factory` of a synchronous connection is: a function that makes links."""

    def __call__(self, host: str, port: int, /, *, ssl: SSLContext | None) -> BlockingLink:
        """Connect to a server, with TLS by `ssl` if that isn't None."""


class AsyncioConnector(Protocol):
    """What the `connector_factory` of an asynchronous connection is on asyncio."""

    def __call__(
        self,
        proto_factory: Callable[[], AsyncioProtocol],
        host: str,
        port: int,
        /,
        *,
        loop: AbstractEventLoop,
        ssl: SSLContext | None,
    ) -> Awaitable[tuple[Any, BaseProtocol] | BlockingLink | AnyioStream]:
        """Connect to a server, with TLS by `ssl` if that isn't None.

        Returns:
            What `loop.create_connection()` returns: a transport, and the protocol that
            `proto_factory` made; or a connected socket, or a stream.
        """


class TrioConnector(Protocol):
    """What the `connector_factory` of an asynchronous connection is on trio."""

    def __call__(
        self, host: str, port: int, /, *, ssl: SSLContext | None
    ) -> Awaitable[TrioStream | AnyioStream | BlockingLink]:
        """Connect to a server, with TLS by `ssl` if that isn't None."""


AsyncConnector: TypeAlias = AsyncioConnector | TrioConnector
"""What the `connector_factory` of an asynchronous connection is."""
