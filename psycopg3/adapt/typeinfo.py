"""TypeInfo: a PostgreSQL type by its names and oids; TypesRegistry: those we know."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar, overload

from ..abc import AdaptContext, AsyncRunning, Composable, Dumper, Running, SessionLike
from ..encodings import conn_encoding
from ..errors import Error, ProgrammingError
from ..pq import Escaping, Format, PGresult, TransactionStatus
from ..waiting import WaitGen
from .typemod import TypeModifier

T = TypeVar("T", bound="TypeInfo")

_default_context: AdaptContext | None = None


def set_default_context(context: AdaptContext) -> None:
    """Say where types are registered that name no context: `registry` gives the global map."""
    global _default_context
    _default_context = context


def base_type(column: bytes) -> bytes:
    """An expression for the type that values of a type have: itself, unless it is a domain."""
    # A domain over a domain has that of the last one.
    return (
        b"(WITH RECURSIVE domain (oid, base) AS ("
        b"SELECT oid, typbasetype FROM pg_catalog.pg_type WHERE oid = %b UNION ALL"
        b" SELECT b.oid, b.typbasetype FROM domain, pg_catalog.pg_type b WHERE b.oid = domain.base)"
        b" SELECT oid FROM domain WHERE base = 0)" % column
    )


def catalog_gen(conn: SessionLike, query: bytes) -> WaitGen[PGresult]:
    """Ask the catalog; a transaction that is under way doesn't suffer if the server refuses."""
    if conn.pgconn.transaction_status != TransactionStatus.INTRANS:
        (result,) = yield from conn._command_gen(query)
        return result
    try:
        _, result, _ = yield from conn._command_gen(
            b"SAVEPOINT _pg3_type", query, b"RELEASE _pg3_type"
        )
    except Error:
        yield from conn._command_gen(b"ROLLBACK TO _pg3_type", b"RELEASE _pg3_type")
        raise
    return result


class TypeInfo:
    """A PostgreSQL base type.

    Args:
        name: its name, as in ``pg_type.typname``.
        oid: its oid.
        array_oid: the oid of the type of its arrays, 0 if it has none.
        regtype: its name as ``regtype`` prints it: quoted, with its schema where needed.
            The same as `name` if empty.
        delimiter: what separates the elements of its arrays.
        typemod: reads the type's modifiers, as the 10 of ``varchar(10)``.
    """

    base_oid: int = 0
    """Of a domain: the type that its values have."""

    base_oids: Mapping[int, int] = {}
    """Of a type that is made of others: the types that the values of those have."""

    def __init__(
        self,
        name: str,
        oid: int,
        array_oid: int,
        *,
        regtype: str = "",
        delimiter: str = ",",
        typemod: type[TypeModifier] = TypeModifier,
    ) -> None:
        self.name = name
        self.oid = oid
        self.array_oid = array_oid
        self.regtype = regtype or name
        self.delimiter = delimiter
        self.typemod = typemod(oid)

    def __repr__(self) -> str:
        cls = type(self)
        return (
            f"<{cls.__module__}.{cls.__qualname__}: {self.name}"
            f" (oid: {self.oid}, array oid: {self.array_oid})>"
        )

    @overload
    @classmethod
    def fetch(cls, conn: AsyncRunning, name: str | Composable) -> Awaitable[Self | None]: ...

    @overload
    @classmethod
    def fetch(cls, conn: Running, name: str | Composable) -> Self | None: ...

    @classmethod
    def fetch(cls, conn: Any, name: str | Composable) -> Any:
        """Ask the server for a type.

        No transaction is begun for it, and none that is under way suffers from a bad name.

        Args:
            conn: a connection; the result of an async one is to be awaited.
            name: the type's name as SQL writes it, ``schema.name`` or ``"Quoted"``; or an
                `sql.Identifier`.

        Returns:
            The type; None if the server knows none of that name.
        """
        if not hasattr(conn, "_command_gen"):
            raise TypeError(f"got a {type(conn).__name__} to fetch a type from, not a connection")
        return conn._run(cls._fetch_gen(conn, name))

    @classmethod
    def _fetch_gen(cls, conn: SessionLike, name: str | Composable) -> WaitGen[Self | None]:
        pgconn = conn.pgconn
        encoding = conn_encoding(pgconn)
        encoding = "utf-8" if encoding == "ascii" else encoding
        text = name if isinstance(name, str) else name.as_string(conn)
        query = (cls._QUERY % cls._DETAILS) % Escaping(pgconn).escape_literal(text.encode(encoding))
        result = yield from catalog_gen(conn, query)
        return cls._from_result(result, encoding) if result.ntuples else None

    _QUERY = (
        b"SELECT t.typname, t.oid, t.typarray, t.oid::pg_catalog.regtype, t.typdelim, "
        + base_type(b"t.oid")
        + b" %b WHERE t.oid = pg_catalog.to_regtype(%%b)"
    )
    _DETAILS: ClassVar[bytes] = b"FROM pg_catalog.pg_type t"
    """The rest of the query: more columns, and what they come from."""

    @classmethod
    def _from_result(cls, result: PGresult, encoding: str) -> Self:
        rows = [
            [(result.get_value(row, col) or b"").decode(encoding) for col in range(result.nfields)]
            for row in range(result.ntuples)
        ]
        name, oid, array_oid, regtype, delimiter, base_oid, *_ = rows[0]
        details = cls._get_details([row[6:] for row in rows])
        base_oids = details.pop("base_oids", {})
        info = cls(name, int(oid), int(array_oid), regtype=regtype, **details)
        info.delimiter, info.base_oids = delimiter, base_oids
        info.base_oid = int(base_oid) if base_oid != oid else 0
        return info

    @classmethod
    def _get_details(cls, _rows: list[list[str]]) -> dict[str, Any]:
        """What the columns of `_DETAILS` say: arguments of the class, and `base_oids`."""
        return {}

    def get_dumper(self, format: Format) -> type[Dumper] | None:
        """A dumper for values of this type in a format, where none is registered for its oid."""
        return None

    @property
    def subtype_keys(self) -> tuple[tuple[type, int], ...]:
        """Under what (class, oid) `TypesRegistry.get_by_subtype()` finds the type."""
        return ()

    def get_type_display(self, oid: int | None = None, fmod: int | None = None) -> str:
        """The type as a column's description shows it: ``numeric(10,2)[]``.

        Args:
            oid: the column's type; that of the arrays shows as such.
            fmod: the column's modifier; None: none is shown.
        """
        modifier = self.typemod.get_modifier(fmod) if fmod is not None else None
        shown = f"({','.join(map(str, modifier))})" if modifier else ""
        return f"{self.name}{shown}{'[]' if oid and oid == self.array_oid else ''}"

    def get_display_size(self, fmod: int) -> int | None:
        """The length that a modifier limits values to, None without."""
        return self.typemod.get_display_size(fmod)

    def get_precision(self, fmod: int) -> int | None:
        """The digits that a modifier limits values to, None without."""
        return self.typemod.get_precision(fmod)

    def get_scale(self, fmod: int) -> int | None:
        """The digits after the decimal point that a modifier limits values to, None without."""
        return self.typemod.get_scale(fmod)

    def register(self, context: AdaptContext | None = None) -> None:
        """Make the type known: its name can be looked up, and its arrays are adapted.

        Args:
            context: a connection, cursor or map of adapters; None: every connection to come.
        """
        context = context or _default_context
        if context is None:
            raise ProgrammingError("there is no global map of adapters: import psycopg3 first")
        adapters = context.adapters
        adapters.types.add(self)
        if self.array_oid and adapters.array_hook is not None:
            adapters.array_hook(self, adapters)


class TypesRegistry:
    """The PostgreSQL types known by name.

    A copy shares what it holds with its template until either is added to.

    Args:
        template: the registry to start as a copy of.
    """

    _by_key: dict[str | int, TypeInfo]
    _by_subtype: dict[tuple[type, int], TypeInfo]

    def __init__(self, template: TypesRegistry | None = None) -> None:
        if template is None:
            self._by_key, self._by_subtype, self._shared = {}, {}, False
        else:
            self._by_key, self._by_subtype = template._by_key, template._by_subtype
            self._shared = template._shared = True

    def add(self, info: TypeInfo) -> None:
        """Take in a type, under its oids and names; a type of the same name gives way."""
        self._own()
        by_key = self._by_key
        by_key[info.oid] = info
        if info.array_oid:
            by_key[info.array_oid] = info
        by_key[info.name] = info
        # The name that SQL spells, "integer" for int4, finds the type as well; but a name
        # taken by a type of its own stays with it.
        holder = by_key.get(info.regtype)
        if holder is None or holder.name != info.regtype:
            by_key[info.regtype] = info
        for key in info.subtype_keys:
            self._by_subtype[key] = info

    def clear(self) -> None:
        """Forget every type."""
        self._by_key, self._by_subtype, self._shared = {}, {}, False

    def __iter__(self) -> Iterator[TypeInfo]:
        return iter(dict.fromkeys(self._by_key.values()))

    def __getitem__(self, key: str | int) -> TypeInfo:
        info = self.get(key)
        if info is None:
            raise KeyError(f"type {key!r} is not known: register its TypeInfo first")
        return info

    def get(self, key: str | int) -> TypeInfo | None:
        """The type of a name, an oid, an array's oid or an array's name ("text[]"); else None."""
        info = self._by_key.get(key)
        if info is not None:
            return info
        if not isinstance(key, str | int):
            raise TypeError(f"got a {type(key).__name__}: expected a type's name or oid")
        if isinstance(key, str) and key.endswith("[]"):
            info = self._by_key.get(key[:-2])
        return info if info is not None and info.array_oid else None

    def get_oid(self, name: str) -> int:
        """The oid of a name; of the array type if the name ends with ``[]``.

        Raises:
            KeyError: the name is not known.
        """
        info = self[name]
        return info.array_oid if name.endswith("[]") else info.oid

    def get_by_subtype(self, cls: type[T], subtype: int | str) -> T | None:
        """The type of a class that is built upon another: the `RangeInfo` of "int4", say."""
        if isinstance(subtype, str):
            info = self.get(subtype)
            if info is None:
                return None
            subtype = info.array_oid if subtype.endswith("[]") else info.oid
        found = self._by_subtype.get((cls, subtype))
        return found if isinstance(found, cls) else None

    def _own(self) -> None:
        if self._shared:
            self._shared = False  # first, so that a copy made meanwhile by another thread counts
            self._by_key = self._by_key.copy()
            self._by_subtype = self._by_subtype.copy()


__all__ = ["TypeInfo", "TypesRegistry", "set_default_context"]
