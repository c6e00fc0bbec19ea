"""The settings of a connection's transactions: attributes, and the methods that change them."""

from __future__ import annotations

from ..concurrency import tasks
from ..session.characteristics import IsolationLevel
from .adaptation import AsyncAdaptation


class AsyncSettings(AsyncAdaptation):
    """Autocommit, and what BEGIN asks for."""

    @property
    def autocommit(self) -> bool:
        """Whether every statement is a transaction of its own."""
        return self._autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        tasks.assign(self.set_autocommit, value)

    async def set_autocommit(self, value: bool, *, timeout: float | None = None) -> None:
        """Change `autocommit`; ProgrammingError while a transaction is in progress.

        Args:
            value: the new one.
            timeout: seconds to wait for one's turn; by default the connection's `command_timeout`.
        """
        await self._run(self._set_autocommit_gen(value), timeout)

    @property
    def isolation_level(self) -> IsolationLevel | None:
        """The isolation level of the transactions to come; None leaves it to the server."""
        return self._characteristics.isolation_level

    @isolation_level.setter
    def isolation_level(self, value: IsolationLevel | None) -> None:
        tasks.assign(self.set_isolation_level, value)

    async def set_isolation_level(
        self, value: IsolationLevel | None, *, timeout: float | None = None
    ) -> None:
        """Change `isolation_level`.

        Args:
            value: a member of IsolationLevel or its number; None for the server's default.
            timeout: seconds to wait for one's turn; by default the connection's `command_timeout`.

        Raises:
            ProgrammingError: a transaction is in progress, or there is no such level.
        """
        await self._run(self._set_characteristic_gen("isolation_level", value), timeout)

    @property
    def read_only(self) -> bool | None:
        """Whether the transactions to come may only read; None leaves it to the server."""
        return self._characteristics.read_only

    @read_only.setter
    def read_only(self, value: bool | None) -> None:
        tasks.assign(self.set_read_only, value)

    async def set_read_only(self, value: bool | None, *, timeout: float | None = None) -> None:
        """Change `read_only`; ProgrammingError while a transaction is in progress.

        Args:
            value: the new one.
            timeout: seconds to wait for one's turn; by default the connection's `command_timeout`.
        """
        await self._run(self._set_characteristic_gen("read_only", value), timeout)

    @property
    def deferrable(self) -> bool | None:
        """Whether the transactions to come, if serializable and read only, wait for a safe snapshot.

        With it they can't fail, nor make others fail. None leaves it to the server.
        """
        return self._characteristics.deferrable

    @deferrable.setter
    def deferrable(self, value: bool | None) -> None:
        tasks.assign(self.set_deferrable, value)

    async def set_deferrable(self, value: bool | None, *, timeout: float | None = None) -> None:
        """Change `deferrable`; ProgrammingError while a transaction is in progress.

        Args:
            value: the new one.
            timeout: seconds to wait for one's turn; by default the connection's `command_timeout`.
        """
        await self._run(self._set_characteristic_gen("deferrable", value), timeout)
