"""Fixtures of the tests of connectors: a server, the way there, its TLS."""

from __future__ import annotations

import ssl

import pytest

from psycopg3.dialing.adoption import shared_reservation
from tests._async.connector.checks import (
    NAME,
)
from tests.connectors import Opens


@pytest.fixture
def opens(secure):
    return Opens((secure.host, secure.port))


@pytest.fixture
def params(secure):
    """How to sign in at `secure`, by a name that no resolver knows."""
    return {
        "host": NAME,
        "port": 5433,
        "user": "postgres",
        "dbname": "postgres",
        "password": secure.password,
        "sslrootcert": str(secure.ca_file),
        "autocommit": True,
    }


@pytest.fixture
def server_tls(secure):
    """A context that trusts the certificate of `secure`."""
    context = ssl.create_default_context(cafile=str(secure.ca_file))
    context.set_alpn_protocols(["postgresql"])
    return context


@pytest.fixture(autouse=True)
def one_reservation():
    """Have the descriptor that serves all connections opened before others are counted."""
    shared_reservation()
