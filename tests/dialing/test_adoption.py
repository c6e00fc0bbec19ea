"""The reserved address, and a socket in the place of another."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from psycopg3.dialing import adoption
from psycopg3.dialing.adoption import Reservation, adopt, apply_tcp_options, identity
from psycopg3.dialing.records import Link
from psycopg3.errors import OperationalError

ROOT = Path(__file__).parent.parent.parent


def test_nobody_else_gets_the_address():
    place = Reservation()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((place.ip, place.port))
    for option in (None, socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        with socket.socket() as sock, pytest.raises(OSError, match="in use"):
            if option is not None:
                sock.setsockopt(socket.SOL_SOCKET, option, 1)
            sock.bind((place.ip, place.port))
    place.close()
    with socket.socket() as sock:
        sock.bind((place.ip, place.port))


def test_one_for_a_process():
    assert adoption.shared_reservation() is adoption.shared_reservation()


def test_by_ipv6_if_need_be(monkeypatch):
    monkeypatch.setattr(adoption, "_LOOPBACKS", adoption._LOOPBACKS[1:])
    try:
        place = Reservation()
    except OperationalError:
        pytest.skip("no IPv6 here")
    assert place.ip == "::1"


def test_without_a_loopback_interface():
    code = """
import psycopg3
try:
    psycopg3.connect("host=x", connector_factory=print)
except psycopg3.OperationalError as ex:
    print(ex)
"""
    command = ["unshare", "--net", "--map-root-user", sys.executable, "-c", code]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    except FileNotFoundError:
        pytest.skip("needs the program unshare")
    if done.returncode:
        pytest.skip(f"namespaces are not to be had here: {done.stderr}")
    assert "bring the interface 'lo' up" in done.stdout


def test_a_link_in_the_place_of_another():
    (one, other), (near, far) = socket.socketpair(), socket.socketpair()
    with one, other, far:
        os.set_inheritable(one.fileno(), True)
        new = adopt(one.fileno(), Link(near))
        assert new == identity(one.fileno()) and near.fileno() == -1
        far.send(b"here")
        assert os.read(one.fileno(), 10) == b"here"
        assert not os.get_inheritable(one.fileno()) and not os.get_blocking(one.fileno())
        assert other.recv(1) == b""


def test_tcp_options_on_what_has_none():
    with socket.socket(socket.AF_UNIX) as sock:
        apply_tcp_options(sock, {"keepalives_idle": "5", "keepalives_count": "x"})
    apply_tcp_options(object(), {})


def test_tcp_options():
    with socket.socket() as sock:
        apply_tcp_options(
            sock,
            {
                "keepalives": "1",
                "keepalives_idle": "11",
                "keepalives_interval": "12",
                "keepalives_count": "0",
            },
        )
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 11
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 12
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) > 0
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
