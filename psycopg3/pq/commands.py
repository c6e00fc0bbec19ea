"""Commands: what is asked of the server, at once or later, and its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import index
from typing import Any

from ..errors import OperationalError
from . import arguments
from .arguments import portal, statement
from .binding import lib, memory
from .enums import Format
from .handle import Handle
from .pgresult import PGresult
from .records import Buffer, Pointer


class Commands(Handle):
    """The part of a PGconn that sends commands and receives results."""

    def __init__(self, pointer: Pointer, owned: list[Pointer] | None = None) -> None:
        super().__init__(pointer, owned)
        self._found: Pointer = memory.found()

    # Commands that wait for their result

    def exec_(self, command: Buffer) -> PGresult:
        """Run a query, or several separated by semicolons, whose last result is returned."""
        return self._result("executing the query", lib.PQexec, arguments.text(command, "query"))

    def exec_params(
        self,
        command: Buffer,
        param_values: Sequence[Buffer | None] | None,
        param_types: Sequence[int] | None = None,
        param_formats: Sequence[int] | None = None,
        result_format: int = Format.TEXT,
    ) -> PGresult:
        """Run a query with parameters ($1, $2...); see `send_query_params`."""
        query = arguments.text(command, "query")
        values, lengths = arguments.parameters(param_values or (), param_types, param_formats)
        given = memory.parameters(values, lengths, param_formats)
        given = len(values), memory.oids(param_types), *given, index(result_format)
        return self._result("executing the query", lib.PQexecParams, query, *given)

    def prepare(
        self, name: Buffer, command: Buffer, param_types: Sequence[int] | None = None
    ) -> PGresult:
        """Prepare a statement; see `send_prepare`."""
        query, count = arguments.text(command, "query"), arguments.counted(param_types)
        given = statement(name), query, count, memory.oids(param_types)
        return self._result("preparing the statement", lib.PQprepare, *given)

    def exec_prepared(
        self,
        name: Buffer,
        param_values: Sequence[Buffer | None] | None,
        param_formats: Sequence[int] | None = None,
        result_format: int = Format.TEXT,
    ) -> PGresult:
        """Run a prepared statement; see `send_query_prepared`."""
        values, lengths = arguments.parameters(param_values or (), None, param_formats)
        given = memory.parameters(values, lengths, param_formats)
        given = statement(name), len(values), *given, index(result_format)
        return self._result("executing the statement", lib.PQexecPrepared, *given)

    def describe_prepared(self, name: Buffer) -> PGresult:
        """Ask for the parameters and columns of a prepared statement."""
        return self._result("describing the statement", lib.PQdescribePrepared, statement(name))

    def describe_portal(self, name: Buffer) -> PGresult:
        """Ask for the columns of a portal, which a cursor of SQL is."""
        return self._result("describing the portal", lib.PQdescribePortal, portal(name))

    def close_prepared(self, name: Buffer) -> PGresult:
        """Close a prepared statement; one that isn't there is no error. libpq 17."""
        return self._result("closing the statement", lib.PQclosePrepared, statement(name))

    def close_portal(self, name: Buffer) -> PGresult:
        """Close a portal; one that isn't there is no error. libpq 17."""
        return self._result("closing the portal", lib.PQclosePortal, portal(name))

    # Commands sent now and answered by get_result

    def send_query(self, command: Buffer) -> None:
        """Send a query, or several separated by semicolons."""
        self.send_query_unchecked(arguments.text(command, "query"))

    def send_query_params(
        self,
        command: Buffer,
        param_values: Sequence[Buffer | None] | None,
        param_types: Sequence[int] | None = None,
        param_formats: Sequence[int] | None = None,
        result_format: int = Format.TEXT,
    ) -> None:
        """Send one query, with parameters ($1, $2...).

        Args:
            param_values: a value for each parameter, None for SQL's NULL.
            param_types: an oid for each; 0, or no list, leaves it to the server.
            param_formats: a Format for each; no list means text.
            result_format: the Format of all columns.
        """
        query = arguments.text(command, "query")
        values, lengths = arguments.parameters(param_values or (), param_types, param_formats)
        form = index(result_format)
        self.send_query_params_unchecked(query, values, param_types, lengths, param_formats, form)

    def send_prepare(
        self, name: Buffer, command: Buffer, param_types: Sequence[int] | None = None
    ) -> None:
        """Send a statement to prepare.

        Args:
            name: the statement's; empty for the unnamed one.
            param_types: the oids of the first parameters; 0, or none, leaves it to the server.
        """
        query = arguments.text(command, "query")
        arguments.counted(param_types)
        self.send_prepare_unchecked(statement(name), query, param_types)

    def send_query_prepared(
        self,
        name: Buffer,
        param_values: Sequence[Buffer | None] | None,
        param_formats: Sequence[int] | None = None,
        result_format: int = Format.TEXT,
    ) -> None:
        """Send a prepared statement's name and parameters, to run it."""
        checked = statement(name)
        values, lengths = arguments.parameters(param_values or (), None, param_formats)
        form = index(result_format)
        self.send_query_prepared_unchecked(checked, values, lengths, param_formats, form)

    # The same for requests whose parts have been checked, as in `arguments`, by whoever made them.
    # They return the `Wait` bits of what to wait for: 1 for the answer, 3 if there is something left
    # to send too, as there may be in a pipeline, where nothing is flushed.

    def send_query_unchecked(self, query: bytes) -> int:
        """Send a query that has been checked; returns what to wait for before `advance`."""
        wait: int = self._call(memory.send_query, query)
        if not wait:
            raise self._failed("sending the query failed")
        return wait

    def send_query_params_unchecked(
        self,
        query: bytes,
        values: Sequence[bytes | None],
        types: Sequence[int] | None,
        lengths: Sequence[int] | None,
        formats: Sequence[int] | None,
        result_format: int,
    ) -> int:
        """Send a query with parameters that have been checked; returns what to wait for.

        Args:
            types: as many oids as there are values, in a tuple best; empty or None leaves all to
                the server.
            lengths: of each value, any int for None; None when all values are text.
            formats: of each value; not looked at when `lengths` is None.
        """
        given = query, values, types, lengths, formats, result_format
        wait: int = self._call(memory.send_parameters, False, given)
        if not wait:
            raise self._failed("sending the query failed")
        return wait

    def send_prepare_unchecked(self, name: bytes, query: bytes, types: Sequence[int] | None) -> int:
        """Send a statement to prepare that has been checked; returns what to wait for."""
        count = len(types) if types else 0
        self._send(
            "sending the statement", lib.PQsendPrepare, name, query, count, memory.oids(types)
        )
        return 3 if lib.PQpipelineStatus(self._ptr) or self.flush() else 1

    def send_query_prepared_unchecked(
        self,
        name: bytes,
        values: Sequence[bytes | None],
        lengths: Sequence[int] | None,
        formats: Sequence[int] | None,
        result_format: int,
    ) -> int:
        """Send a prepared statement's name and parameters that have been checked, as above."""
        given = name, values, (), lengths, formats, result_format
        wait: int = self._call(memory.send_parameters, True, given)
        if not wait:
            raise self._failed("sending the statement failed")
        return wait

    def send_describe_prepared(self, name: Buffer) -> None:
        """Send the question for a prepared statement's parameters and columns."""
        self._send("asking for the statement", lib.PQsendDescribePrepared, statement(name))

    def send_describe_portal(self, name: Buffer) -> None:
        """Send the question for a portal's columns."""
        self._send("asking for the portal", lib.PQsendDescribePortal, portal(name))

    def send_close_prepared(self, name: Buffer) -> None:
        """Send that a prepared statement is to be closed. libpq 17."""
        self._send("closing the statement", lib.PQsendClosePrepared, statement(name))

    def send_close_portal(self, name: Buffer) -> None:
        """Send that a portal is to be closed. libpq 17."""
        self._send("closing the portal", lib.PQsendClosePortal, portal(name))

    def advance(self, results: list[Any], ready: int) -> int:
        """Take a conversation's next step: send, read, append the complete results to `results`.

        Never waits on a non-blocking connection. The server's errors are results.

        Args:
            results: the command's. What has arrived is there even if this raises.
            ready: the `Ready` bits that the descriptor was waited for with: 1 readable, 2 writable;
                0 if an interval passed in silence, in which TLS may hold back what it has read.
                Pass 2 at first, when nothing has been waited for yet.

        Returns:
            The `Wait` bits of what to wait for next: 1 to read, 3 to read and write. 0 when the
            command is answered: libpq gave NULL, or a result after which it has none of this
            command for now (PIPELINE_SYNC, COPY_IN, COPY_OUT, COPY_BOTH). In a pipeline there may
            be something left to send then.

        Raises:
            OperationalError: the link is lost.
        """
        wanted: int = self._call(memory.advance, ready, self._found, results, PGresult)
        if wanted < 0:
            raise self._failed("flushing failed" if wanted == -1 else "consuming input failed")
        return wanted

    def get_result(self) -> PGresult | None:
        """The next result, None after a command's last. Waits unless `is_busy` said 0."""
        pointer = self._call(lib.PQgetResult)
        return PGresult(memory.owned(pointer)) if pointer else None

    def consume_input(self) -> None:
        """Read what the server has sent, without waiting for it."""
        if not self._call(lib.PQconsumeInput):
            raise self._failed("consuming input failed")

    def is_busy(self) -> int:
        """1 when `get_result` would wait, else 0."""
        busy: int = self._call(lib.PQisBusy)
        return busy

    @property
    def nonblocking(self) -> int:
        """1 when sending never waits, else 0: then see `flush`."""
        return lib.PQisnonblocking(self._ptr)

    @nonblocking.setter
    def nonblocking(self, on: int) -> None:
        self._count("setting the connection non-blocking", lib.PQsetnonblocking, int(on))

    def flush(self) -> int:
        """Send what waits to be sent: 0 when all of it went, 1 when some is left."""
        return self._count("flushing", lib.PQflush)

    def set_single_row_mode(self) -> None:
        """Ask, right after sending a query, for a result of its own for each row."""
        if not lib.PQsetSingleRowMode(self._open()):
            raise OperationalError(
                "setting single-row mode failed: it is possible only right after sending a query",
                pgconn=self,
            )

    def set_chunked_rows_mode(self, size: int) -> None:
        """Ask, right after sending a query, for a result for each `size` rows. libpq 17."""
        if not lib.PQsetChunkedRowsMode(self._open(), size):
            raise OperationalError(
                f"setting chunked-rows mode of {size} rows failed: it is possible only right after"
                " sending a query, with 1 row or more",
                pgconn=self,
            )

    # The common part of the above

    def _send(self, doing: str, function: Callable[..., int], *given: Any) -> None:
        if not self._call(function, *given):
            raise self._failed(f"{doing} failed")

    def _count(self, doing: str, function: Callable[..., int], *given: Any) -> int:
        count: int = self._call(function, *given)
        if count < 0:
            raise self._failed(f"{doing} failed")
        return count

    def _result(self, doing: str, function: Callable[..., Pointer], *given: Any) -> PGresult:
        pointer = self._call(function, *given)
        if not pointer:
            raise self._failed(f"{doing} failed")
        return PGresult(memory.owned(pointer))

    def _failed(self, what: str) -> OperationalError:
        raise NotImplementedError
