"""Places: where a server may be, by the lists in host, hostaddr and port; and names looked up."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from .concurrency.calls import BlockingCall
from .errors import OperationalError, ProgrammingError
from .waiting import WaitGen, call_gen


class Place(NamedTuple):
    """Where a server may be, in libpq's terms; what is empty is left to libpq."""

    host: str
    hostaddr: str
    port: str

    @property
    def unresolved(self) -> bool:
        """Whether its host is a name whose addresses aren't known yet."""
        if self.hostaddr or not self.host:
            return False
        is_socket = self.host.startswith("@") or os.path.isabs(self.host)
        return not is_socket and not _is_address(self.host)

    def named_in(self, message: str) -> str:
        """A message of libpq's with the name too of this place, as where libpq looked it up itself."""
        if not (self.host and self.hostaddr):
            return message
        return message.replace(f'"{self.hostaddr}"', f'"{self.host}" ({self.hostaddr})', 1)

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self._asdict().items() if value)


def matched(hosts: list[str], addresses: list[str], ports: list[str]) -> list[Place]:
    """The places that three lists name together, matched as libpq does.

    Raises:
        ProgrammingError: the lists don't match, or hold what is no host or no port.
    """
    count = len(addresses or hosts) or 1
    if hosts and len(hosts) != count:
        raise ProgrammingError(
            f"got {len(hosts)} hosts and {count} addresses in hostaddr: expected an address for"
            " each host; an empty one is looked up"
        )
    if len(ports) > 1 and len(ports) != count:
        raise ProgrammingError(
            f"got {len(ports)} ports for {count} hosts: expected one port for all, or one for each"
        )
    check(hosts, ports)
    hosts, addresses = hosts or [""] * count, addresses or [""] * count
    ports = [port.strip() for port in ports or [""]]
    ports = ports if len(ports) == count else ports * count
    return [Place(*items) for items in zip(hosts, addresses, ports, strict=True)]


def check(hosts: Sequence[str], ports: Sequence[str]) -> None:
    """Refuse hosts and ports that can't be any; they may be pieces of a password, so aren't shown.

    Raises:
        ProgrammingError: there is one.
    """
    names = [host.removeprefix("@") for host in hosts if not os.path.isabs(host)]
    if found := {sign for name in names for sign in "@;=" if sign in name}:
        raise ProgrammingError(
            f"got a host with {' and '.join(map(repr, sorted(found)))} in it: expected a name, an"
            " address, or the directory of a socket; a blank separates parameters"
        )
    if not all(map(_is_port, ports)):
        raise ProgrammingError("got a port that is none: expected a number from 1 to 65535")


def check_resolvable(places: Sequence[Place]) -> None:
    """Refuse hosts that no system finds, and that may be pieces of a password, so aren't shown.

    A connector may have names of its own, as ``project:region:instance``: these aren't for here.

    Raises:
        ProgrammingError: there is one.
    """
    names = [place.host.removeprefix("@") for place in places if not os.path.isabs(place.host)]
    if any(":" in name and not _is_address(name.partition("%")[0]) for name in names):
        raise ProgrammingError(
            "got a host with a ':' in it that is no IPv6 address: expected a name, an address, or the"
            " directory of a socket; a port goes into port"
        )


def ordered(places: list[Place], at_random: bool) -> list[Place]:
    """The places in the order in which to try them."""
    if at_random and len(places) > 1:
        from random import SystemRandom

        # Not seeded: forked processes would else all take the same order.
        SystemRandom().shuffle(places)
    return places


def _is_port(text: str) -> bool:
    port = text.strip()
    if not port:
        return True
    return port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536


def _is_address(host: str) -> bool:
    from socket import AF_INET, AF_INET6, inet_pton

    for family in (AF_INET, AF_INET6):
        try:
            inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return True
    return False


def addresses_of(host: str, port: str) -> list[str]:
    """All addresses of a host, in the order in which the system would try them; blocks."""
    import socket

    from .dialing.records import address_of

    found = socket.getaddrinfo(host, int(port or 0) or None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(address_of(entry[4]) for entry in found))


def look_up_gen(place: Place) -> WaitGen[list[Place]]:
    """The place at each address of its host, looked up in a thread of its own.

    Raises:
        OperationalError: the host is unknown, or has no address.
    """
    host = place.host
    try:
        found = yield from call_gen(BlockingCall(addresses_of, host, place.port))
    except (OSError, UnicodeError) as ex:
        reason = getattr(ex, "strerror", None) or ex
        raise OperationalError(
            f"no address of the host {host!r} was found: {reason}"
        ) from ex.with_traceback(None)
    if not found:
        raise OperationalError(f"the host {host!r} has no address")
    return [place._replace(hostaddr=address) for address in found]
