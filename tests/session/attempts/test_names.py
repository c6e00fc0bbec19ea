"""Attempts: how names are looked up."""

from __future__ import annotations

import socket
import time

import pytest

from psycopg3 import OperationalError, errors
from psycopg3.conninfo import conninfo_to_dict, rehearse
from psycopg3.session.attempts import Attempts
from psycopg3.testing import Cluster
from psycopg3.waiting import wait_select
from tests import listeners
from tests.listeners import Listener
from tests.session.attempts.places import (
    LOCAL,
    Names,
    hurried,
    open_place,
)


class TestNames:
    def test_every_address(self, listen, names):
        names.addresses["db.example"] = ["127.0.0.2", "127.0.0.1"]
        port = listen(listeners.primary).port
        assert open_place(host="db.example", port=port) == ("db.example", "127.0.0.1", port)

    def test_both_families(self, listen, names):
        if not socket.has_ipv6:
            pytest.skip("no IPv6 here")
        names.addresses["db.example"] = ["::1", "127.0.0.1"]
        try:
            port = listen(listeners.primary, "::1").port
        except OSError:
            pytest.skip("no IPv6 here")
        assert open_place(host="db.example", port=port) == ("db.example", "::1", port)
        with listeners.refusing() as other, Listener(listeners.primary, "::1", other):
            names.addresses["db.example"] = ["127.0.0.1", "::1"]
            assert open_place(host="db.example", port=other)[1] == "::1"
        assert open_place(host="::1", port=port) == ("::1", "::1", port)

    def test_the_next_name(self, listen, names):
        names.addresses["db.example"] = ["127.0.0.1"]
        port = listen(listeners.primary).port
        hosts = ["nowhere.example", "a..b", "empty.example", "db.example"]
        names.addresses["empty.example"] = []
        assert open_place(host=hosts, port=port)[0] == "db.example"

    def test_only_when_its_turn_comes(self, listen, names):
        names.addresses["db.example"] = ["127.0.0.1", "127.0.0.1"]
        port = listen(listeners.primary).port
        open_place(host="db.example,other.example", port=port)
        assert names.asked == {"db.example": 1}

    def test_no_name_no_look_up(self, listen, names, dsn):
        port = listen(listeners.primary).port
        open_place(host=LOCAL, port=port)
        open_place(hostaddr=LOCAL, port=port)
        assert open_place(host="db.example", hostaddr=LOCAL, port=port)[0] == "db.example"
        wait_select(Attempts(conninfo_to_dict(dsn)).connect_gen()).finish()
        assert names.asked == {}

    def test_unknown(self, names):
        with pytest.raises(OperationalError) as caught:
            open_place(host="nowhere.example")
        assert "'nowhere.example' was found: Name or service not known" in str(caught.value)
        assert isinstance(caught.value.__cause__, socket.gaierror)

    def test_impossible(self):
        with pytest.raises(OperationalError, match="'a..b' was found"):
            open_place(host="a..b")

    def test_without_addresses(self, names):
        names.addresses["db.example"] = []
        with pytest.raises(OperationalError, match="'db.example' has no address"):
            open_place(host="db.example")

    def test_look_up_that_hangs(self, names, monkeypatch):
        hurried(monkeypatch)
        names.addresses["slow.example"] = "hangs"
        begin = time.monotonic()
        with pytest.raises(
            errors.ConnectionTimeout, match="host=slow.example .*within 0.3 .*: no address"
        ):
            open_place(host="slow.example")
        assert 0.3 <= time.monotonic() - begin < 1.5

    def test_look_up_and_connecting_share_the_time(self, names, listen, monkeypatch):
        hurried(monkeypatch, 1.0)
        slow = names.getaddrinfo

        def getaddrinfo(*args, **kwargs):
            time.sleep(0.7)
            return slow(*args, **kwargs)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        names.addresses["db.example"] = ["127.0.0.1"]
        begin = time.monotonic()
        with pytest.raises(errors.ConnectionTimeout):
            open_place(host="db.example", port=listen(listeners.mute).port)
        assert 1.0 <= time.monotonic() - begin < 1.5

    def test_the_system_s_own(self, listen):
        port = listen(listeners.primary).port
        assert open_place(host="localhost", port=port)[0] == "localhost"

    @pytest.mark.slow
    def test_certificate_is_checked_by_name(self):
        """With name and address both given, libpq checks the certificate against the name."""
        try:
            rehearse({"sslmode": "verify-full"})
        except OperationalError as ex:
            pytest.skip(str(ex))
        with Cluster(own=True) as cluster:
            if cluster.ca_file is None:
                pytest.skip("a server without TLS")
            params = {
                "port": cluster.port,
                "user": "postgres",
                "sslmode": "verify-full",
                "sslrootcert": cluster.ca_file,
            }
            assert open_place(host="localhost", **params)
            with pytest.MonkeyPatch.context() as patch:
                names = Names()
                patch.setattr(socket, "getaddrinfo", names.getaddrinfo)
                names.addresses = {"db.example.test": ["127.0.0.1"], "other.test": ["127.0.0.1"]}
                assert open_place(host="db.example.test", **params)[0] == "db.example.test"
                with pytest.raises(OperationalError, match="other.test"):
                    open_place(host="other.test", **params)
