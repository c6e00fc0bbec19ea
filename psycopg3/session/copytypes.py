"""The types of a table's columns, as its catalog tells them, and values written as these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .._oids import BYTEA_OID, TEXT_OID
from ..abc import PyFormat
from ..adapt.loading import BROKEN, is_ours, unwritable
from ..errors import DataError, ProgrammingError
from ..pq import Format
from ..query import BoundQuery, RequestKind

if TYPE_CHECKING:
    from ..adapt import Transformer
    from ..pq import PGresult
    from .copystatement import CopyStatement

_COLUMNS = b"""\
select a.attname, case t.typbasetype when 0 then t.oid else t.typbasetype end
from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
where a.attrelid = pg_catalog.to_regclass($1) and a.attnum > 0 and not a.attisdropped
and a.attgenerated = '' order by a.attnum"""
_FIRST_OF_OTHERS = 10000  # below are the oids of PostgreSQL's own types


def columns_query(table: bytes) -> BoundQuery:
    """Ask for the names and types of a table's columns; for none if there is no such table."""
    query = BoundQuery(_COLUMNS, 0, [table], (TEXT_OID,), (Format.TEXT,))
    query.kind = RequestKind.PARAMS
    return query


def column_types(statement: CopyStatement, result: PGresult) -> list[int] | None:
    """The oids of the columns that are copied; None if they aren't known."""
    known = {
        result.get_value(row, 0): int(result.get_value(row, 1) or 0)
        for row in range(result.ntuples)
    }
    try:
        return [known[name] for name in statement.columns or known] or None
    except KeyError:
        return None


class ColumnDumpers:
    """Writes rows by the types of their columns.

    A class that the user has registered a dumper for is written by that.

    Args:
        transformer: has the adapters.
        types: the oids of the columns.
        format: the format to write.
    """

    def __init__(self, transformer: Transformer, types: Sequence[int], format: Format):
        self._transformer, self._types, self._format = transformer, types, format
        self._found: list[dict[type, Callable[[Any], Any]]] = [{} for _ in types]

    @property
    def are_all_known(self) -> bool:
        """Whether each type has a dumper of this format."""
        return all(self._of_type(oid) is not None for oid in self._types)

    def _of_type(self, oid: int) -> Callable[[Any], Any] | None:
        try:
            return self._made(oid)
        except ProgrammingError:
            return None

    def _made(self, oid: int) -> Callable[[Any], Any]:
        dumper = self._transformer.adapters.get_dumper_by_oid(oid, self._format)
        return dumper(type(None), self._transformer).dump  # that of an array asks for its elements'

    def _find(self, column: int, value: Any) -> Callable[[Any], Any]:
        transformer, asked = self._transformer, PyFormat.from_pq(self._format)

        def by_class(value: Any) -> Any:
            return transformer.get_dumper(value, asked).dump(value)

        oid = self._types[column]
        dump = self._of_type(oid)
        try:
            chosen = transformer.get_dumper(value, asked)
            if not is_ours(chosen.dump):
                return by_class
            are_bytes = chosen.oid == BYTEA_OID
        except ProgrammingError:  # there is none for the class: a dict, say
            are_bytes = False
        # Types of extensions may have the binary form of text; of PostgreSQL's own, those that have
        # no dumper have another: text might by chance be another value. Bytes are sent as they are.
        if dump is None and oid < _FIRST_OF_OTHERS and not are_bytes:
            return self._made(oid)  # which is an error
        return dump or by_class

    def dump(self, row: Sequence[Any]) -> list[Any]:
        """Write the values of a row.

        Raises:
            DataError: one is none of its column's type, or they are too many or too few.
        """
        found = self._found
        if len(row) != len(found):
            raise DataError(
                f"got a row of {len(row)} values: the COPY has {len(found)} columns, give one value each"
            )
        dumped: list[Any] = []
        try:
            for column, value in enumerate(row):
                if value is None:
                    dumped.append(None)
                    continue
                write = found[column].get(type(value))
                if write is None:
                    write = found[column][type(value)] = self._find(column, value)
                dumped.append(write(value))
        except BROKEN as ex:
            at = len(dumped)
            write = found[at].get(type(row[at]))
            if write is None or not is_ours(write):
                raise
            error = unwritable(ex, row[at], self._transformer.type_name(self._types[at]))
            raise DataError(f"column {at + 1}: {error}") from ex
        return dumped
