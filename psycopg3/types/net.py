"""Addresses, interfaces and networks of ipaddress: inet, cidr."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from .._oids import CIDR_OID, INET_OID
from ..abc import AdaptContext, Buffer
from ..adapt import Dumper, Format, Loader
from ..adapt.base import BinaryDumper
from ..errors import DataError

if TYPE_CHECKING:
    from ipaddress import (
        IPv4Address,
        IPv4Interface,
        IPv4Network,
        IPv6Address,
        IPv6Interface,
        IPv6Network,
    )
else:  # it takes 2 ms to import; `typing.get_type_hints()` wants the names
    IPv4Address = IPv4Interface = IPv4Network = Any
    IPv6Address = IPv6Interface = IPv6Network = Any

_Address: TypeAlias = IPv4Address | IPv6Address
_Interface: TypeAlias = IPv4Interface | IPv6Interface
_Network: TypeAlias = IPv4Network | IPv6Network

_T = TypeVar("_T")
_Classes: TypeAlias = "dict[int, Callable[[Any], _T]]"  # by family

_IPV4, _IPV6 = 2, 3  # PostgreSQL's own numbers: those of systems differ
_FAMILIES = {4: _IPV4, 6: _IPV6}  # by version
_BITS = {_IPV4: 32, _IPV6: 128}
_HEADER = 4  # bytes: family, bits, whether it is a cidr, bytes of the address


def _written(obj: Any) -> bytes:
    text = str(obj)
    if "%" in text:
        raise DataError(
            f"got {text}, but PostgreSQL's addresses have no scope: leave out the % part"
        )
    return text.encode()


def _packed(address: _Address, bits: int, is_cidr: bool) -> bytes:
    if getattr(address, "scope_id", None):
        _written(address)
    data = address.packed
    return bytes((_FAMILIES[address.version], bits, is_cidr, len(data))) + data


# -- dumpers -------------------------------------------------------------------------------------


class InterfaceDumper(Dumper):
    """Writes an address or interface as inet in text."""

    oid = INET_OID

    def dump(self, obj: _Address | _Interface) -> bytes:
        """Write `192.168.0.1`, or `192.168.0.1/24` for an interface.

        Raises:
            DataError: the address has a scope.
        """
        return _written(obj)


class InetBinaryDumper(BinaryDumper):
    """Writes an address or interface as inet in binary."""

    oid = INET_OID

    def dump(self, obj: _Address | _Interface) -> bytes:
        """Write a header of 4 bytes, then the 4 or 16 bytes of the address.

        Raises:
            DataError: the address has a scope.
        """
        network = getattr(obj, "network", None)
        return _packed(obj, network.prefixlen if network else obj.max_prefixlen, False)


AddressBinaryDumper = InterfaceBinaryDumper = InetBinaryDumper


class NetworkDumper(Dumper):
    """Writes a network as cidr in text."""

    oid = CIDR_OID

    def dump(self, obj: _Network) -> bytes:
        """Write `192.168.0.0/24`."""
        return _written(obj)


class NetworkBinaryDumper(BinaryDumper):
    """Writes a network as cidr in binary."""

    oid = CIDR_OID

    def dump(self, obj: _Network) -> bytes:
        """Write a header of 4 bytes, then the 4 or 16 bytes of the first address."""
        return _packed(obj.network_address, obj.prefixlen, True)


# -- loaders -------------------------------------------------------------------------------------


class _NetLoader(Loader):
    """Imports ipaddress when there is a value to read."""

    contextual = False

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        import ipaddress as made

        self._address: _Classes[_Address] = {_IPV4: made.IPv4Address, _IPV6: made.IPv6Address}
        self._interface: _Classes[_Interface] = {
            _IPV4: made.IPv4Interface,
            _IPV6: made.IPv6Interface,
        }
        self._network: _Classes[_Network] = {_IPV4: made.IPv4Network, _IPV6: made.IPv6Network}


class InetLoader(_NetLoader):
    """Reads inet in text."""

    def load(self, data: Buffer) -> _Address | _Interface:
        """Read an interface if there is a `/`, else an address."""
        text = str(data, "ascii")
        family = _IPV6 if ":" in text else _IPV4
        return self._interface[family](text) if "/" in text else self._address[family](text)


class InetBinaryLoader(_NetLoader):
    """Reads inet in binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> _Address | _Interface:
        """Read an address if its network is itself alone, else an interface."""
        family, bits, address = _unpacked(data)
        if bits == _BITS[family]:
            return self._address[family](address)
        return self._interface[family]((address, bits))


class CidrLoader(_NetLoader):
    """Reads cidr in text."""

    def load(self, data: Buffer) -> _Network:
        """Read a network."""
        text = str(data, "ascii")
        return self._network[_IPV6 if ":" in text else _IPV4](text)


class CidrBinaryLoader(_NetLoader):
    """Reads cidr in binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> _Network:
        """Read a network."""
        family, bits, address = _unpacked(data)
        return self._network[family]((address, bits))


def _unpacked(data: Buffer) -> tuple[int, int, bytes]:
    """Return the family, the bits of the network, and the address."""
    family, bits, is_cidr, length = data[:_HEADER]
    address = bytes(data[_HEADER:])
    if family not in _BITS:
        raise ValueError(f"expected family {_IPV4} or {_IPV6}, not {family}")
    if bits > _BITS[family] or is_cidr > 1 or not length * 8 == len(address) * 8 == _BITS[family]:
        raise ValueError(
            f"an address of {len(address)} bytes, said to be {length}, and {bits} bits"
        )
    return family, bits, address


DUMPERS = (
    *((f"ipaddress.IPv{v}Address", InterfaceDumper, InetBinaryDumper) for v in _FAMILIES),
    *((f"ipaddress.IPv{v}Interface", InterfaceDumper, InetBinaryDumper) for v in _FAMILIES),
    *((f"ipaddress.IPv{v}Network", NetworkDumper, NetworkBinaryDumper) for v in _FAMILIES),
)
LOADERS = ((INET_OID, InetLoader, InetBinaryLoader), (CIDR_OID, CidrLoader, CidrBinaryLoader))
