"""Attempts: which places are tried, in which order."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from psycopg3 import OperationalError
from psycopg3.session.attempts import Attempts
from psycopg3.testing import Cluster
from tests import listeners
from tests.session.attempts.places import (
    LOCAL,
    hurried,
    open_place,
    open_port,
)


class TestOrder:
    def test_the_second(self, listen, refused):
        good = listen(listeners.primary).port
        assert open_port(host=[LOCAL, LOCAL], port=[refused, good]) == good

    def test_the_first_is_enough(self, listen):
        one, two = listen(listeners.primary), listen(listeners.primary)
        assert open_port(host=[LOCAL, LOCAL], port=[one.port, two.port]) == one.port
        assert two.taken == 0

    def test_after_a_reset(self, listen):
        broken, good = listen(listeners.reset), listen(listeners.primary)
        assert open_port(host=[LOCAL, LOCAL], port=[broken.port, good.port]) == good.port

    def test_after_an_error_of_the_server(self, listen):
        full = listen(listeners.failing("53300", "sorry, too many clients already"))
        good = listen(listeners.primary)
        assert open_port(host=[LOCAL, LOCAL], port=[full.port, good.port]) == good.port

    def test_after_one_that_is_mute(self, listen, monkeypatch):
        hurried(monkeypatch)
        silent, good = listen(listeners.mute), listen(listeners.primary)
        begin = time.monotonic()
        assert open_port(host=[LOCAL, LOCAL], port=[silent.port, good.port]) == good.port
        assert 0.3 <= time.monotonic() - begin < 1.5
        assert silent.ended.acquire(timeout=5)  # its connection was closed

    def test_random(self, listen):
        ports = [listen(listeners.primary).port for _ in range(3)]
        params = {"host": [LOCAL] * 3, "port": ports}
        found = Counter(open_port(**params, load_balance_hosts="random") for _ in range(60))
        assert set(found) == set(ports)
        assert {open_port(**params, load_balance_hosts="disable") for _ in range(5)} == {ports[0]}

    def test_random_by_the_environment(self, listen, monkeypatch):
        monkeypatch.setenv("PGLOADBALANCEHOSTS", "random")
        ports = [listen(listeners.primary).port for _ in range(2)]
        assert {open_port(host=[LOCAL] * 2, port=ports) for _ in range(40)} == set(ports)

    def test_random_addresses_of_one_name(self, listen, names):
        names.addresses["db.example"] = ["127.0.0.1", "127.0.0.2"]
        one = listen(listeners.primary)
        listen(listeners.primary, "127.0.0.2", one.port)
        params = {"host": "db.example", "port": one.port, "load_balance_hosts": "random"}
        assert {open_place(**params)[1] for _ in range(40)} == {"127.0.0.1", "127.0.0.2"}

    @pytest.mark.parametrize(
        ("params", "told"),
        [
            ({"load_balance_hosts": "sometimes"}, "'sometimes': expected disable, random"),
            ({"target_session_attrs": "fast"}, "'fast': expected any, read-write"),
        ],
    )
    def test_unknown_values(self, params, told):
        with pytest.raises(OperationalError, match=told):
            Attempts(params)


class TestTarget:
    """libpq itself checks a server for everything but prefer-standby."""

    @pytest.fixture
    def ports(self, listen):
        """A primary and a standby."""
        return [listen(listeners.primary).port, listen(listeners.standby).port]

    @pytest.mark.parametrize(
        ("target", "index"),
        [
            ("any", 0),
            ("read-write", 0),
            ("primary", 0),
            ("read-only", 1),
            ("standby", 1),
            ("prefer-standby", 1),
        ],
    )
    def test_targets(self, ports, target, index):
        params = {"host": [LOCAL] * 2, "port": ports, "target_session_attrs": target}
        assert open_port(**params) == ports[index]
        assert open_port(**params | {"port": ports[::-1]}) == (
            ports[1] if target == "any" else ports[index]
        )

    def test_by_the_environment(self, ports, monkeypatch):
        monkeypatch.setenv("PGTARGETSESSIONATTRS", "prefer-standby")
        assert open_port(host=[LOCAL] * 2, port=ports) == ports[1]

    def test_prefer_standby_among_primaries(self, listen):
        one, two = listen(listeners.primary), listen(listeners.primary)
        params = {"host": [LOCAL] * 2, "port": [one.port, two.port]}
        assert open_port(**params, target_session_attrs="prefer-standby") == one.port
        assert (one.taken, two.taken) == (2, 1)

    def test_prefer_standby_of_one(self, listen):
        one = listen(listeners.primary)
        assert open_port(host=LOCAL, port=one.port, target_session_attrs="prefer-standby")

    def test_prefer_standby_and_nobody(self, refused):
        with pytest.raises(OperationalError) as caught:
            open_port(
                host=[LOCAL, "127.0.0.2"], port=refused, target_session_attrs="prefer-standby"
            )
        assert str(caught.value).count("failed:") == 2

    def test_prefer_standby_waits_once_for_the_mute(self, listen, monkeypatch):
        hurried(monkeypatch)
        silent, good = listen(listeners.mute), listen(listeners.primary)
        params = {"host": [LOCAL] * 2, "port": [silent.port, good.port]}
        assert open_port(**params, target_session_attrs="prefer-standby") == good.port
        assert (silent.taken, good.taken) == (1, 2)

    def test_prefer_standby_among_addresses(self, listen, names):
        names.addresses["db.example"] = ["127.0.0.1", "127.0.0.2"]
        one = listen(listeners.primary)
        listen(listeners.standby, "127.0.0.2", one.port)
        params = {"host": "db.example,nowhere.example", "port": one.port}
        found = open_place(**params, target_session_attrs="prefer-standby")
        assert found == ("db.example", "127.0.0.2", one.port)
        assert names.asked == {"db.example": 1}

    def test_the_wrong_target(self, listen):
        port = listen(listeners.primary).port
        with pytest.raises(OperationalError, match="not in hot standby"):
            open_port(host=LOCAL, port=port, target_session_attrs="standby")


@pytest.mark.slow
def test_a_real_standby(dsn):
    """A server that waits for more of its log to come is in hot standby."""
    with Cluster(own=True) as waiting, Cluster(own=True) as running:
        waiting.halt()
        data = waiting.socket_dir / "data"
        (data / "standby.signal").touch()
        waiting.start()
        ports = [running.port, waiting.port]
        for target, port in {
            "any": ports[0],
            "read-write": ports[0],
            "primary": ports[0],
            "standby": ports[1],
            "read-only": ports[1],
            "prefer-standby": ports[1],
        }.items():
            params = {"host": [LOCAL] * 2, "port": ports, "user": "postgres"}
            assert open_port(**params, target_session_attrs=target) == port
        params |= {"port": [ports[0], ports[0]]}
        with pytest.raises(OperationalError, match="hot standby"):
            open_port(**params, target_session_attrs="standby")
        assert open_port(**params, target_session_attrs="prefer-standby") == ports[0]
