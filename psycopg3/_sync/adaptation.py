# Generated from psycopg3/_async/adaptation.py by `python tools/unasync.py`: edit that file, not this one.
"""Adaptation: what a connection asks the server of its types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..deadlines import Deadline
from ..session.discovery import Discovery
from ..types.codecs import Codec, reset_codec_gen, set_builtin_codec_gen, set_codec_gen
from .runner import Runner


class Adaptation(Runner):
    """A session that can look types up: what `Connection` is built on."""

    def _discover_types(self, asked: bool | None, limit: Deadline | None) -> None:
        """If that is asked, adapt the types of the database's users, or close the connection."""
        if not (self.discover_types if asked is None else asked):
            return
        self._discovery = Discovery()
        try:
            self._run(self._discovery.begin_gen(self), limit)
        except BaseException:
            self._give_up()
            raise

    def reload_types(self, *, timeout: float | None = None) -> None:
        """Discover the types of the database's users again, after one was changed.

        A composite that has got a field, say. Those that are new are noticed without it, if the
        connection discovers types: see `connect()`. Cursors that were made before see no change.

        Args:
            timeout: seconds; by default the connection's `command_timeout`.
        """
        self._discovery = self._discovery or Discovery()
        self._run(self._discovery.reload_gen(self), timeout)

    def set_type_codec(
        self,
        typename: str,
        *,
        schema: str = "public",
        encoder: Callable[[Any], Any],
        decoder: Callable[[Any], Any],
        format: str = "text",
        classes: type | Sequence[type] = (),
    ) -> None:
        """Have a type written and read by two functions: asyncpg's way to `register_dumper()`.

        Args:
            typename: the type's name, as in ``pg_type.typname``.
            schema: its schema, "pg_catalog" for PostgreSQL's own types.
            encoder: makes what is sent of a value.
            decoder: makes a value of what has come. It reads results of the format it is for, which
                are text, unless a cursor asks for `binary`.
            format: "text": the functions make and take str; "binary": bytes; "tuple": a tuple of
                integers, for dates, times and intervals. It holds days, or microseconds (and seconds
                west of UTC), since 2000-01-01; or the months, days and microseconds of an interval.
            classes: whose objects are sent as this type. By default none: here a parameter's class
                chooses the type, not the server.

        Raises:
            ProgrammingError: there is no such type, or it hasn't this format.
        """
        classes = (classes,) if isinstance(classes, type) else classes
        codec = Codec(encoder, decoder, format)
        self._run(set_codec_gen(self, typename, schema, codec, *classes))

    def set_builtin_type_codec(
        self,
        typename: str,
        *,
        schema: str = "public",
        codec_name: str,
    ) -> None:
        """Have a type written and read as another one, which the connection knows.

        Args:
            typename: the type's name, as in ``pg_type.typname``.
            schema: its schema.
            codec_name: the other type, such as "int4"; or "pg_contrib.hstore": a dict, as by
                `register_hstore()`.

        Raises:
            ProgrammingError: one of them is not known.
        """
        self._run(set_builtin_codec_gen(self, typename, schema, codec_name))

    def reset_type_codec(self, typename: str, *, schema: str = "public") -> None:
        """Undo what `set_type_codec()` and its like have done for a type."""
        self._run(reset_codec_gen(self, typename, schema))
