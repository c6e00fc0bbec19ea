"""PGresult: what the server answered."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import OperationalError
from .arguments import text
from .binding import lib, memory
from .enums import ExecStatus, Members
from .messages import severity_stripped
from .records import PGresAttDesc, Pointer

_STATUSES = Members(ExecStatus)
_NULL = memory.NULL

# To read a column costs as much as four values one by one, before the first.
_FEW = 4
# Signals wait for a call of C to end: so many values are a few thousandths of a second.
_AT_ONCE = 10_000


class PGresult:
    """A result of libpq's: its status, its rows, or its error.

    Values are copies: they stay good when the result is cleared. A cleared result has no rows, no
    columns and no error.

    The pointer owns libpq's result. Whoever reads holds the pointer, so that nothing is freed that
    is being read, whichever thread clears or drops this.
    """

    __slots__ = ("_ptr",)

    def __init__(self, pointer: Pointer) -> None:
        """Wrap a result of libpq's: ours to clear if the pointer is a `memory.owned` one."""
        self._ptr: Pointer = pointer

    def __repr__(self) -> str:
        state = self.status.name if self._ptr else "cleared"
        return f"<psycopg3.pq.PGresult [{state}] at 0x{id(self):x}>"

    def clear(self) -> None:
        """Free the memory of the result. A second time does nothing.

        Where Python counts no references (PyPy) it is freed a little later.
        """
        self._ptr = _NULL

    @property
    def pgresult_ptr(self) -> int | None:
        """The address of libpq's PGresult, None when cleared."""
        return memory.address(self._ptr)

    @property
    def status(self) -> ExecStatus:
        """What the result is. FATAL_ERROR when cleared."""
        return _STATUSES[lib.PQresultStatus(self._ptr)]

    @property
    def error_message(self) -> bytes:
        """libpq's message, severity included; empty when there is no error."""
        return lib.PQresultErrorMessage(self._ptr) or b""

    def get_error_message(self, encoding: str = "utf-8") -> str:
        """The message as text, without the severity and blanks around it."""
        return severity_stripped(self.error_message, encoding)

    def error_field(self, fieldcode: int) -> bytes | None:
        """A field of the error or notice (see DiagnosticField); None when it has no such field."""
        return lib.PQresultErrorField(self._ptr, fieldcode)

    @property
    def ntuples(self) -> int:
        """The number of rows."""
        return lib.PQntuples(self._ptr)

    @property
    def nfields(self) -> int:
        """The number of columns."""
        return lib.PQnfields(self._ptr)

    def fname(self, column_number: int) -> bytes | None:
        """The name of a column, from 0; None when there is no such column."""
        return lib.PQfname(self._ptr, column_number)

    def ftable(self, column_number: int) -> int:
        """The oid of the table that a column comes from; 0 when it is computed."""
        return lib.PQftable(self._ptr, column_number)

    def ftablecol(self, column_number: int) -> int:
        """The number, from 1, of the column in its table; 0 when it is computed."""
        return lib.PQftablecol(self._ptr, column_number)

    def fformat(self, column_number: int) -> int:
        """The format of a column's values: 0 text, 1 binary."""
        return lib.PQfformat(self._ptr, column_number)

    def ftype(self, column_number: int) -> int:
        """The oid of a column's type."""
        return lib.PQftype(self._ptr, column_number)

    def fmod(self, column_number: int) -> int:
        """The type modifier of a column; -1 when it has none."""
        return lib.PQfmod(self._ptr, column_number)

    def fsize(self, column_number: int) -> int:
        """The size of a column's type in the server's memory, in bytes; negative when it varies."""
        return lib.PQfsize(self._ptr, column_number)

    @property
    def binary_tuples(self) -> int:
        """1 when all columns are binary, else 0. In COPY: the format of the whole."""
        return lib.PQbinaryTuples(self._ptr)

    def get_value(self, row_number: int, column_number: int) -> bytes | None:
        """A value, as a copy; None for SQL's NULL, and for a row or column that isn't there."""
        return memory.value(self._ptr, row_number, column_number)

    def get_column(self, column_number: int, row0: int, row1: int) -> list[bytes | None]:
        """The values of a column from `row0` to before `row1`, each as `get_value` gives it.

        Where there are many, one costs a tenth (cffi) to a half (ctypes) of what it costs alone.
        """
        return self.column(column_number, row0, row1)[0]

    def get_ints(self, column_number: int, row0: int, row1: int) -> list[int] | None:
        """The values of a column of text as integers, without making bytes of them first.

        None if they aren't all plain integers of 18 digits at most, or one is NULL; always with
        ctypes. By cffi it takes a tenth of what ``map(int, column)`` takes.
        """
        return memory.ints(self._ptr, column_number, row0, row1)

    def column(self, column_number: int, row0: int, row1: int) -> tuple[list[bytes | None], bool]:
        """What `get_column()` gives, and whether there may be a None among it."""
        pointer = self._ptr
        if row1 - row0 <= _FEW:
            return [memory.value(pointer, row, column_number) for row in range(row0, row1)], True
        values, may_be_null = memory.column(
            pointer, column_number, row0, min(row0 + _AT_ONCE, row1)
        )
        for row in range(row0 + _AT_ONCE, row1, _AT_ONCE):
            more, empty = memory.column(pointer, column_number, row, min(row + _AT_ONCE, row1))
            values += more
            may_be_null = may_be_null or empty
        if may_be_null:
            is_null = lib.PQgetisnull
            for i, data in enumerate(values):
                if not data and is_null(pointer, row0 + i, column_number):
                    values[i] = None
        return values, may_be_null

    @property
    def nparams(self) -> int:
        """The number of parameters, in the description of a prepared statement."""
        return lib.PQnparams(self._ptr)

    def param_type(self, param_number: int) -> int:
        """The oid of a parameter's type, from 0, in the description of a prepared statement."""
        return lib.PQparamtype(self._ptr, param_number)

    @property
    def command_status(self) -> bytes | None:
        """The command tag, such as b"INSERT 0 1"; None when cleared."""
        return lib.PQcmdStatus(self._ptr)

    @property
    def command_tuples(self) -> int | None:
        """How many rows the command touched; None when it isn't one that does."""
        count = lib.PQcmdTuples(self._ptr)
        return int(count) if count else None

    @property
    def oid_value(self) -> int:
        """The oid of the row inserted, where rows have oids; else 0."""
        return lib.PQoidValue(self._ptr)

    def set_attributes(self, descriptions: Sequence[PGresAttDesc]) -> None:
        """Describe the columns of a result made by `make_empty_result`.

        Raises:
            OperationalError: libpq refuses: the result has columns already, or is cleared.
        """
        for description in descriptions:
            text(description.name, "column name")
        if not self._ptr or not memory.set_attributes(self._ptr, descriptions):
            raise OperationalError("setting the columns failed: the result is cleared or has some")
