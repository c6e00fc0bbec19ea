"""A connection over links that the user's connector makes: its attempts.

libpq connects to a reserved address of this machine; what it opens there is replaced by
the link, before a byte has gone over it. The names stay the real ones: libpq verifies the server's
certificate by the host it is given beside the address.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .. import errors as e
from ..abc import SSLContext
from ..conninfo import get_param, make_conninfo, rehearse
from ..deadlines import Deadline
from ..dialing.records import Dial, Dialer, Link
from ..generators import started_gen
from ..passfile import find_password
from ..places import Place
from ..pq import PGconn
from ..waiting import WaitGen
from .routes import DialledRoute

_WITH_TLS = ("require", "verify-ca", "verify-full")


class DialledPGconn(PGconn):
    """libpq's connection over a link of a connector's, which libpq can't make anew by itself."""

    def reset(self) -> None:
        """Refuse: libpq would connect to the reserved address.

        Raises:
            NotSupportedError: always.
        """
        raise e.NotSupportedError(
            "libpq can't reset this connection, whose link came from a connector, or was sock=: open"
            " another connection"
        )

    def reset_start(self) -> None:
        """Refuse, as `reset()`."""
        self.reset()


class DialledAttempt:
    """One attempt at one place.

    Args:
        params: libpq's parameters for this place; `check_params` has seen them.
        dialer: who makes the links.
        scram_limit: how often the server may have the password hashed.

    Raises:
        OperationalError: libpq refuses the parameters.
    """

    def __init__(self, params: Mapping[str, Any], dialer: Dialer, scram_limit: int):
        self._params, self._scram_limit = dict(params), scram_limit
        host, hostaddr = (get_param(params, key) or "" for key in ("host", "hostaddr"))
        place = Place(host or ("" if hostaddr else _default_host(params)), hostaddr, "")
        place = place._replace(port=get_param(params, "port") or "5432")
        self._wants_tls = dialer.ssl is not None
        self.route = DialledRoute(dialer, place, params, in_clear=_sslmode(params) == "disable")
        self._link: Link | None = None
        self._pgconn: DialledPGconn | None = None
        self._params["host"] = place.host
        # By the server's place: libpq would look it up by the address that it is sent to.
        self._params["password"] = get_param(params, "password") or find_password(
            params, place.host or place.hostaddr, place.port
        )

    def stage(self) -> str:
        """What it waits for, to be said when the time is over."""
        if self._link is None:
            return f"{self._before()}the connector gave no link in time; check what it connects to"
        return "the connector gave a link, but no server answered over it in time; check where it leads"

    def connect_gen(self, dial: Dial, deadline: Deadline) -> WaitGen[PGconn]:
        """Connect.

        Args:
            dial: has the connector make a link.
            deadline: when a link must be there.

        Returns:
            A connection ready for commands.

        Raises:
            OperationalError: the attempt has failed.
            ProgrammingError: the connector did TLS where libpq is to do it.
        """
        try:
            # libpq starts by what the first is.
            first = [(yield from self._link_gen(dial, deadline))]
            self._pgconn = self._started(first[0])

            def link_gen() -> WaitGen[Link]:
                return first.pop() if first else (yield from self._link_gen(dial, deadline))

            return (yield from started_gen(self._pgconn, self._scram_limit, link_gen))
        except BaseException as ex:
            self._end_link()
            if isinstance(ex, e.OperationalError):
                ex.args = tuple(map(self.route.named_in, ex.args))
            raise

    def _link_gen(self, dial: Dial, deadline: Deadline) -> WaitGen[Link]:
        """Have a link made, in place of the one that libpq has given up."""
        self._end_link()
        try:
            self._link = yield from self.route.link_gen(dial, deadline)
        except (OSError, e.OperationalError) as ex:
            raise self._no_link(ex) from (None if isinstance(ex, e.Error) else ex)
        self.route.take(self._link)
        return self._link

    def _end_link(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def _started(self, link: Link) -> DialledPGconn:
        """Have libpq begin, in a way that suits the link."""
        params = self._params
        if link.encrypted:
            if not self._wants_tls:
                _check_encrypted(params)
            params |= {"sslmode": "disable", "gssencmode": "disable"}
            # Values that libpq refuses together with sslmode=disable.
            for keyword, value in (("sslnegotiation", "postgres"), ("sslrootcert", "")):
                if get_param(params, keyword):
                    params[keyword] = value
        here = self.route.reservation
        params |= {"hostaddr": here.ip, "port": here.port}
        return DialledPGconn.connect_start(make_conninfo("", **params).encode())

    def _no_link(self, reason: Exception) -> e.OperationalError:
        """Say why there is no link; and if libpq wanted another one, why that was."""
        if isinstance(reason, e.OperationalError):
            return type(reason)(f"{self._before()}{reason}")
        host, port = self.route.dialled
        text = str(reason) or repr(reason)
        return e.OperationalError(
            f"{self._before()}the connector could not connect to {host!r}, port {port}: {text}"
        )

    def _before(self) -> str:
        """What libpq said of the link before."""
        if self._pgconn is None or not self._pgconn.error_message:
            return ""
        return f"{self.route.named_in(self._pgconn.get_error_message())}\n"


def check_params(params: Mapping[str, Any], dialer: Dialer) -> None:
    """Refuse parameters that would mean less with a connector than they say.

    Raises:
        ProgrammingError: there is one.
    """
    if get_param(params, "requirepeer"):
        raise e.ProgrammingError(
            "got requirepeer with a connector: libpq can't see whose socket it is; let the connector"
            " check that, and leave requirepeer out"
        )
    if dialer.ssl is not None:
        _check_gssencmode(params)
        _check_context(params, dialer.ssl)
        if dialer.connector is not None:
            _check_one_name(params)


def _check_context(params: Mapping[str, Any], context: SSLContext) -> None:
    if (mode := _sslmode(params)) not in _WITH_TLS:
        return
    unchecked = "the server's certificate" if not context.verify_mode else ""
    if mode == "verify-full" and not context.check_hostname:
        unchecked = unchecked or "the name in the server's certificate"
    if unchecked:
        raise e.ProgrammingError(
            f"got sslmode={mode} and as ssl a context that doesn't check {unchecked}: give a context"
            " that does, such as ssl.create_default_context() makes, or leave sslmode out"
        )


def _check_one_name(params: Mapping[str, Any]) -> None:
    """Refuse two names for one host: a connector is called with one, for its way and its TLS."""
    hosts, addresses = ((get_param(params, key) or "").split(",") for key in ("host", "hostaddr"))
    for host, address in zip(hosts, addresses, strict=False):
        if host and address and host != address:
            raise e.ProgrammingError(
                f"got host={host}, hostaddr={address} and ssl: the connector is called with one of"
                " them, to connect to and to verify; leave hostaddr out and let the connector know"
                " the address, or leave ssl out to let libpq do TLS"
            )


def _check_encrypted(params: Mapping[str, Any]) -> None:
    """Refuse to go over TLS of the connector's own if it was libpq that was to encrypt."""
    _check_gssencmode(params)
    if (mode := _sslmode(params)) in _WITH_TLS:
        raise e.ProgrammingError(
            f"the connector returned a link with TLS, and by sslmode={mode} libpq is to do"
            " TLS too: give connect() the connector's context as ssl, or sslmode=disable"
        )


def _check_gssencmode(params: Mapping[str, Any]) -> None:
    if get_param(params, "gssencmode") == "require":
        raise e.ProgrammingError(
            "got gssencmode=require and a link with TLS: libpq does no GSS encryption inside of"
            " TLS; leave gssencmode out, or the TLS to libpq"
        )


def _sslmode(params: Mapping[str, Any]) -> str:
    if get_param(params, "sslrootcert") == "system":  # libpq then takes no other
        return "verify-full"
    return get_param(params, "sslmode") or "prefer"


def _default_host(params: Mapping[str, Any]) -> str:
    pgconn = rehearse(params)
    host = os.fsdecode(pgconn.host)
    pgconn.finish()
    return host
