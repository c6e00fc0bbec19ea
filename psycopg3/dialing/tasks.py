"""Dials in the asynchronous worlds; `threads` has the same names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, NoReturn

from .. import errors as e
from ..concurrency.tasks import Library, current
from ..waiting import AsyncWaitFunc
from . import streams
from .records import LINGER, Dial, Dialer, Link, Relay, discard
from .sockets import FOR_TLS, GIVEN, OBJECT, check_given, check_socket

__all__ = ["at_once", "dial", "rest"]


async def dial(dialer: Dialer, wish: Dial, _wait: AsyncWaitFunc) -> Link | Exception:
    """Have the connector make a link, and wait for it no longer than the wish allows.

    The connector is awaited in the task that calls this: who cancels the task cancels it.

    Returns:
        The link; or why there is none: the connector's OSError, or ConnectionTimeout.

    Raises:
        InterfaceError: it returned something that is no link.
        Exception: whatever else the connector raised.
    """
    library = current()
    if dialer.connector is None:
        try:
            make = _maker(dialer, wish, library)
        except (e.OperationalError, OSError) as ex:
            return ex
    else:
        make = dialer.connector
    if library.name == "trio":
        return await _dial_trio(make, wish, dialer, library)
    from . import protocols  # its classes are asyncio's

    return await protocols.dial(make, wish, dialer, library)


async def _dial_trio(
    connector: Callable[..., Any], wish: Dial, dialer: Dialer, library: Library
) -> Link | Exception:
    import trio

    try:
        with trio.move_on_after(max(0.0, wish.deadline - monotonic())):
            made = await streams.awaitable(connector(wish.host, wish.port, ssl=dialer.ssl))
            return await streams.link_of(made, dialer, wish, library)
        return wish.overdue()
    except OSError as ex:
        return ex


def _maker(dialer: Dialer, wish: Dial, library: Library) -> Callable[..., Any]:
    """A connector that returns the one link that there is, with TLS if that was asked for."""
    sock = dialer.take(wish)
    ssl, on_trio = dialer.ssl, library.name == "trio"
    if ssl is not None:
        check_given(sock, True, (streams.TRIO,) if on_trio else (), FOR_TLS)
    else:
        kinds = (OBJECT, streams.ANYIO, *((streams.TRIO,) if on_trio else ()))
        check_given(sock, False, kinds, streams.EXPECTED)

    async def plain(*_args: Any, **_kwargs: Any) -> Any:
        return sock

    async def by_asyncio(factory: Any, *_place: Any, loop: Any, ssl: Any) -> Any:
        try:
            return await loop.create_connection(
                factory, sock=sock, ssl=ssl, server_hostname=wish.name
            )
        except BaseException:
            discard(sock)
            raise

    async def by_trio(*_place: Any, ssl: Any) -> Any:
        import trio

        try:
            stream = sock
            if hasattr(sock, "recv"):
                await trio.lowlevel.wait_writable(sock)
                check_socket(sock, GIVEN)
                stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
            return trio.SSLStream(stream, ssl, server_hostname=wish.name)
        except BaseException:
            discard(sock)
            raise

    if ssl is None:
        return plain
    return by_trio if on_trio else by_asyncio


async def rest(relay: Relay | None, seconds: float = LINGER) -> None:
    """Wait until a relay has passed on its last bytes, but not for longer than so many seconds."""
    if relay is None:
        return
    deadline = monotonic() + seconds
    pause = 0.0
    try:
        while not relay.finished and monotonic() < deadline and not relay.deserted():
            await streams.sleep(pause)
            pause = min(pause + 0.001, 0.02)
    finally:
        if not relay.finished:
            relay.abort()


def at_once(_func: Callable[[], Awaitable[object]]) -> NoReturn:
    """Refuse to dial where nothing can be awaited.

    Raises:
        NotSupportedError: always; it names the method to await.
    """
    raise e.NotSupportedError(
        "cancel() can't await this connection's connector: use 'await conn.cancel_safe()'"
    )
