"""Addresses and networks through a real server, and what broken ones do."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv6Address,
    IPv6Interface,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from psycopg3._oids import CIDR_OID, INET_OID
from psycopg3.adapt import Format, PyFormat, Transformer
from psycopg3.errors import DataError

if TYPE_CHECKING:
    from tests.types.conftest import Bare

FORMATS = [(format, result) for format in PyFormat for result in Format]

addresses = st.ip_addresses()
interfaces = st.builds(
    lambda address, bits: ip_interface((address, bits % address.max_prefixlen)),
    addresses,
    st.integers(0, 127),
)
networks = st.builds(
    lambda address, bits: ip_network((address, bits % (address.max_prefixlen + 1)), strict=False),
    addresses,
    st.integers(0, 128),
)


def loaded(oid: int, data: bytes, format: Format) -> Any:
    transformer = Transformer()
    transformer.set_loader_types([oid], format)
    return transformer.load_sequence([data])[0]


@settings(max_examples=200, deadline=None)
@given(value=addresses | interfaces, format=st.sampled_from(FORMATS))
@example(value=ip_interface("0.0.0.0/0"), format=FORMATS[0])
@example(value=ip_address("::ffff:1.2.3.4"), format=FORMATS[-1])
def test_inet_round_trip(shared: Bare, value: Any, format: tuple[PyFormat, Format]) -> None:
    query = "select $1, pg_typeof($1)::text, host($1)::inet, $2"
    values = [value, None, value]
    got, name, host, array = shared.row(query, (value, values), format=format[0], result=format[1])
    assert (got, type(got), name) == (value, type(value), "inet")
    assert host == getattr(value, "ip", value)
    assert array == values


@settings(max_examples=100, deadline=None)
@given(value=networks, format=st.sampled_from(FORMATS))
@example(value=ip_network("0.0.0.0/0"), format=FORMATS[0])
@example(value=ip_network("::1/128"), format=FORMATS[-1])
def test_cidr_round_trip(shared: Bare, value: Any, format: tuple[PyFormat, Format]) -> None:
    query = "select $1, pg_typeof($1)::text, $1::text, $2"
    values = [value, None, value]
    got, name, text, array = shared.row(query, (value, values), format=format[0], result=format[1])
    assert (got, name, array) == (value, "cidr", values)
    assert ip_network(text) == value


@pytest.mark.parametrize("result", Format)
@pytest.mark.parametrize("text", ["1.2.3.4", "1.2.3.4/32", "::1/128", "1.2.3.4/0", "::2/127"])
def test_what_comes_of_inet_is_the_same_in_both_formats(
    shared: Bare, text: str, result: Format
) -> None:
    value = ip_interface(text)
    alone = value.network.num_addresses == 1
    assert shared.row(f"select '{text}'::inet", result=result) == (value.ip if alone else value,)


@pytest.mark.parametrize("format", FORMATS)
def test_lists_of_several_kinds_of_addresses(shared: Bare, format: tuple[PyFormat, Format]) -> None:
    values = [ip_address("1.2.3.4"), ip_address("::1"), None, ip_interface("1.2.3.4/8")]
    got, name = shared.row(
        "select $1, pg_typeof($1)::text", (values,), format=format[0], result=format[1]
    )
    assert (got, name) == (values, "inet[]")
    with pytest.raises(DataError, match="mixed"):
        shared.row("select $1", ([ip_address("1.2.3.4"), ip_network("1.0.0.0/8")],))


def test_auto_is_binary() -> None:
    for value, oid in (
        (ip_address("::1"), INET_OID),
        (ip_interface("1.2.3.4/5"), INET_OID),
        (ip_network("0.0.0.0/0"), CIDR_OID),
    ):
        dumper = Transformer().get_dumper(value, PyFormat.AUTO)
        assert (dumper.format, dumper.oid) == (Format.BINARY, oid)


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("value", [ip_address("::1"), ip_interface("1.2.3.4/5")])
def test_one_dumper_writes_what_inet_holds(value: Any, format: Format) -> None:
    transformer = Transformer()
    transformer.set_dumper_types([INET_OID], format)
    (data,) = transformer.dump_sequence([value], [PyFormat.from_pq(format)])
    assert loaded(INET_OID, bytes(data or b""), format) == value


@pytest.mark.parametrize("format", PyFormat)
@pytest.mark.parametrize("value", [IPv6Address("fe80::1%eth0"), IPv6Interface("fe80::1%eth0/64")])
def test_a_scope_is_refused(shared: Bare, value: Any, format: PyFormat) -> None:
    with pytest.raises(DataError, match="scope"):
        shared.row("select $1", (value,), format=format)
    assert shared.row("select 1") == (1,)


@pytest.mark.parametrize("format", PyFormat)
def test_subclasses_are_addresses(shared: Bare, format: PyFormat) -> None:
    class Tagged(IPv4Interface):
        pass

    query = "select $1"
    assert shared.row(query, (Tagged("1.2.3.4/8"),), format=format) == (ip_interface("1.2.3.4/8"),)


def test_literals(shared: Bare) -> None:
    for value in (ip_address("::1"), ip_interface("1.2.3.4/5"), ip_network("0.0.0.0/0")):
        assert shared.row(f"select {shared.literal(value)}") == (value,)


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("oid", [INET_OID, CIDR_OID])
@settings(max_examples=300)
@given(
    data=st.binary(max_size=24)
    | st.tuples(st.binary(min_size=4, max_size=4), st.binary(max_size=16)).map(b"".join)
    | st.sampled_from([b"\x02\x20\x00\x04", b"\x03\x80\x01\x10", b"\x02\x21\x00\x04"]).flatmap(
        lambda head: st.binary(min_size=head[3], max_size=head[3]).map(lambda rest: head + rest)
    )
    | st.text("0123456789abcdef:./%-", max_size=40).map(str.encode)
)
def test_any_bytes_are_a_value_or_a_data_error(oid: int, format: Format, data: bytes) -> None:
    try:
        value = loaded(oid, data, format)
    except DataError as ex:
        assert ("inet" if oid == INET_OID else "cidr") in str(ex)
    else:
        assert isinstance(value, IPv4Address | IPv6Address) is (oid == INET_OID)


BROKEN = [
    b"",
    b"\x02\x20\x00",
    b"\x02\x20\x00\x04",
    b"\x04\x20\x00\x04\x01\x02\x03\x04",
    b"\x02\x21\x00\x04\x01\x02\x03\x04",
    b"\x02\x20\x02\x04\x01\x02\x03\x04",
    b"\x02\x20\x00\x05\x01\x02\x03\x04",
    b"\x02\x20\x00\x04\x01\x02\x03\x04\x05",
    b"\x03\x80\x00\x04\x01\x02\x03\x04",
]


@pytest.mark.parametrize("data", BROKEN)
def test_broken_ones_are_data_errors(data: bytes) -> None:
    for oid in (INET_OID, CIDR_OID):
        with pytest.raises(DataError, match="inet|cidr"):
            loaded(oid, data, Format.BINARY)


def test_a_network_with_bits_of_a_host_is_none() -> None:
    with pytest.raises(DataError, match="cidr"):
        loaded(CIDR_OID, b"\x02\x08\x01\x04\x01\x02\x03\x04", Format.BINARY)


def test_the_module_waits_until_there_is_an_address() -> None:
    code = """if 1:
        import sys
        sys.modules.pop("ipaddress", None)  # what finds editable installations has imported it
        import psycopg3.postgres
        from psycopg3.adapt import Transformer
        assert "ipaddress" not in sys.modules
        Transformer().get_loader(869, 0)
        assert "ipaddress" in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)
