"""Cursors that bind otherwise: by literals in the query's text, or with $1 for placeholders."""

from __future__ import annotations

from .. import errors as e
from ..abc import Params, Query
from ..query import BoundQuery
from ..rows import Row
from ..styles import bind_literals, bind_raw
from .cursor import BaseCursor


class _Binding(BaseCursor[Row]):
    def _bind_next(self, query: Query, params: Params | None, binary: bool | None) -> BoundQuery:
        self._check_open("execute()")
        self._reset()
        format = self.format if binary is None else int(bool(binary))
        self._query = bound = self._bound(query, params, format)
        self._transformer.contextual = None
        return bound


class ClientBinding(_Binding[Row]):
    """Writes parameters into the text of the query."""

    _prepares = False

    def _bound(self, query: Query, params: Params | None, format: int) -> BoundQuery:
        if format:
            raise e.NotSupportedError(
                "a cursor that writes parameters into the query can't ask for results in binary format:"
                " use a Cursor"
            )
        return bind_literals(query, params, self._transformer)

    def mogrify(self, query: Query, params: Params | None = None) -> str:
        """The text that `execute()` would send, with the parameters written into it.

        Raises:
            ProgrammingError, DataError: as `execute()`.
        """
        transformer = self._renew()
        bound = bind_literals(query, params, transformer)
        transformer.contextual = None
        return bound.query.decode(transformer.text_encoding)


class RawBinding(_Binding[Row]):
    """Leaves the text of the query as it is; its placeholders are $1, $2 ..."""

    def _bound(self, query: Query, params: Params | None, format: int) -> BoundQuery:
        return bind_raw(query, params, self._transformer, format)
