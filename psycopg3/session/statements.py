"""Which queries are prepared, under what name, and which of them to forget.

A name is made of what the statement is: its text, the types of its parameters, and the settings
that its constants are read by. So a pooler that gives a server connection to another client can't
give it another's statement: what is there under a name is what the name says.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from time import monotonic
from typing import Protocol, TypeAlias

from .. import errors as e
from .._capabilities import capabilities
from ..pq import ExecStatus, PGconn, PGresult
from ..query import BoundQuery, RequestKind
from .endings import is_copy, is_plannable

Key: TypeAlias = tuple[bytes, Sequence[int]]

_COMMAND_OK = ExecStatus.COMMAND_OK
_PREPARED = RequestKind.PREPARED

# How many queries are counted that aren't prepared so far; what the count is of those that never are.
_COUNTED = 200
_NEVER = -(1 << 62)
# In place of a version: whether the statement is there has still to be found out.
_UNSETTLED = -1
# What the meaning of a text depends on besides; the server reports it.
_SETTINGS = (
    b"client_encoding",
    b"standard_conforming_strings",
    b"DateStyle",
    b"IntervalStyle",
    b"TimeZone",
)
# How the commands begin whose tag tells nothing of prepared statements: those that are sent most.
HARMLESS = frozenset(
    start
    for word in (b"insert", b"update", b"delete", b"merge", b"begin", b"commit")
    for start in (word[:3], word[:3].upper(), word[:3].capitalize())
)
_ALL_GONE = (b"DEALLOCATE ALL", b"DISCARD ALL")
_DEALLOCATE = b"DEALLOCATE "

# Our names, and those that PgBouncer has in place of them.
_OURS = re.compile(rb"_pg3_|PGBOUNCER_")
_UNKNOWN_NAME, _KNOWN_NAME, _OTHER_RESULT = b"26000", b"42P05", b"0A000"


class Sent(Protocol):
    """What is owed for a request that was sent."""

    @property
    def before(self) -> Sent | None:
        """What was sent for it, and before it."""

    done: bool
    query: bytes
    results: list[PGresult]


class Place(Protocol):
    """Where a request is sent."""

    pipelined: bool
    segment: int


class Preparing:
    """What a connection is told of preparing; set it on a connection, or on a class of them."""

    prepare_threshold: int | None = 5
    """How often a query is executed before it is prepared; 0: at once, None: nothing is prepared."""
    prepared_max: int | None = 100
    """How many statements are prepared at most; the one unused for longest goes. None: no limit."""
    prepared_max_size: int | None = 15 * 1024
    """Bytes of the longest query that the threshold makes be prepared; None: no limit."""
    prepared_lifetime: float | None = None
    """Seconds after which a statement is prepared anew; None: never."""


ADVICE = (
    "the driver had prepared this query, and its statement can't be used any more. It has done nothing,"
    " but inside a transaction or a pipeline it can't be repeated unseen: roll back, and do all of it"
    " again. Behind a pooler that doesn't support prepared statements set prepare_threshold to None"
)
"""What is told besides the server's words, where a statement can't be repaired."""


class Prepared:
    """A statement that the server has by a name, or will have."""

    __slots__ = ("born", "made", "name", "segment", "sent", "version")

    def __init__(self, name: bytes, version: int):
        self.name = name
        self.made = version
        """Which version of its name it has."""
        self.version = _UNSETTLED
        """The same, when it is known to be there."""
        self.sent: Sent | None = None
        """What is owed for its preparation, until it is known to be there."""
        self.segment = 0
        """Between which Syncs that was sent."""
        self.born = monotonic()
        """When, by the clock of `monotonic()`."""


class Statements:
    """What one server session has prepared for us."""

    def __init__(self, pgconn: PGconn) -> None:
        self._pgconn = pgconn
        self._known: OrderedDict[Key, Prepared] = OrderedDict()  # the one unused for longest first
        self._counts: dict[Key, int] = {}
        self._version = 0
        """Of the names that are made now: what is to be prepared anew gets another name."""
        self._oldest = 0
        """The oldest version that may be used: those before were made of other tables and types."""
        self._has_ddl = False
        self._is_unsure = False
        """Whether a preparation is about to be sent, or was when there was an interruption."""
        self.misses = 0
        """How often a statement wasn't there, or was, against what was thought."""
        self.closing: dict[bytes, Sent | None] = {}
        """The names that aren't wanted any more, with what is owed for their end if that was sent."""
        self.can_close: bool | None = capabilities.has_send_close_prepared() or None
        """Whether a statement can be ended; None if that has still to be tried.

        By the protocol it always can (libpq 17). SQL's DEALLOCATE wants the names that the server
        has, and behind a pooler that keeps account of statements those aren't ours.
        """

    @property
    def must_try(self) -> bool:
        """Whether one has to be ended to see whether it can be."""
        return self.can_close is None and bool(self.closing)

    def plan(
        self, bound: BoundQuery, limits: Preparing, prepare: bool | None, at: Place
    ) -> list[BoundQuery] | None:
        """Decide how a query is sent: as it is, or by the name of its statement.

        Args:
            bound: becomes the execution of a prepared statement if there is one.
            limits: the connection's.
            prepare: whether it is to be prepared; None: if it was executed often enough.
            at: where it will be sent.

        Returns:
            What is to be sent before, if it has to be prepared; the preparation is the last of it.
        """
        if prepare is False or limits.prepare_threshold is None:
            return None
        key = bound.query, bound.types
        known = self._known.get(key)
        if known is None:
            if not prepare:
                size, counts = limits.prepared_max_size, self._counts
                if size is not None and len(bound.query) > size:
                    return None
                count = counts.pop(key, 0)
                if count < limits.prepare_threshold:
                    counts[key] = count + 1
                    if len(counts) > _COUNTED:
                        del counts[next(iter(counts))]
                    return None
            return self._consider(key, bound, limits, prepare, at)
        lifetime = limits.prepared_lifetime
        if known.version < self._oldest or (
            lifetime is not None and monotonic() - known.born > lifetime
        ):
            return self._renew(key, known, bound, limits, at)
        self._known.move_to_end(key)
        bound.kind, bound.name = _PREPARED, known.name
        return None

    def _consider(
        self, key: Key, bound: BoundQuery, limits: Preparing, prepare: bool | None, at: Place
    ) -> list[BoundQuery] | None:
        """Prepare a query if that can be done."""
        if prepare:
            if is_copy(bound.query):
                return None
        elif not is_plannable(bound.query, alone=bound.kind != RequestKind.SIMPLE):
            self._counts[key] = _NEVER
            return None
        most = limits.prepared_max
        if most is not None:
            while self._known and len(self._known) >= most and self._may_close(at):
                self._retire(next(iter(self._known)))
            if len(self._known) >= most:
                return None
        return self._prepare(key, bound, at)

    def _may_close(self, at: Place) -> bool:
        # In a pipeline it can't be tried: its failure would be that of all the others.
        return self.can_close or (self.can_close is None and not at.pipelined)

    def _renew(
        self, key: Key, known: Prepared, bound: BoundQuery, limits: Preparing, at: Place
    ) -> list[BoundQuery] | None:
        """Go on with a statement that isn't known to be there, or shouldn't be used any more."""
        sent = known.sent
        if sent is not None:
            if at.pipelined and not sent.done:
                # Behind a Sync it would be executed also if its preparation has failed.
                if at.segment == known.segment:
                    bound.kind, bound.name = _PREPARED, known.name
                return None
            known.sent = None
            if not _is_there(sent):
                del self._known[key]
                return self._prepare(key, bound, at)
            known.version = known.made
            return self.plan(bound, limits, True, at)
        if known.made >= self._oldest:  # it is its time that is over
            self._version += 1
        self._retire(key)
        return self._prepare(key, bound, at)

    def _retire(self, key: Key) -> None:
        known = self._known.pop(key)
        was_made = known.sent is None or not known.sent.done or _is_there(known.sent)
        if was_made and self.can_close is not False:
            self.closing[known.name] = None

    def _prepare(self, key: Key, bound: BoundQuery, at: Place) -> list[BoundQuery] | None:
        """Have a statement prepared, and those ended that aren't wanted any more."""
        if self._is_unsure:  # an interruption: nobody knows whether the name is there
            self._version += 1
        name = self._name(key)
        self._settle_closing(at)
        if self.closing.get(name) is not None:  # its end is under way
            return None
        bound.kind, bound.name = _PREPARED, name
        if name in self.closing:
            del self.closing[name]
            known = self._known[key] = Prepared(name, self._version)
            known.version = known.made
            return None
        self._is_unsure = True
        requests = []
        if self.can_close:
            requests = [end_of(other) for other, sent in self.closing.items() if sent is None]
        first = BoundQuery(bound.query, types=bound.types)
        first.kind, first.name = RequestKind.PREPARE, name
        return [*requests, first]

    def _settle_closing(self, at: Place) -> None:
        """Find out which of the statements whose end was sent are gone."""
        for name, sent in list(self.closing.items()):
            if sent is None or (at.pipelined and not sent.done):
                continue
            self.closing[name] = None
            if _succeeded(sent):
                del self.closing[name]
            elif _state(sent) == _UNKNOWN_NAME:
                self.give_up_closing()

    def give_up_closing(self) -> None:
        """Take note that a name can't be ended: there, another one stands for it."""
        self.can_close = False
        self.closing.clear()

    def _name(self, key: Key) -> bytes:
        from hashlib import blake2b  # it takes longer to import than psycopg3

        query, types = key
        parts = [query, b",".join(b"%d" % oid for oid in types)]
        parts += [self._pgconn.parameter_status(name) or b"" for name in _SETTINGS]
        digest = blake2b(b"\0".join(parts), digest_size=16).hexdigest().encode()
        return b"_pg3_%b_%d" % (digest, self._version) if self._version else b"_pg3_" + digest

    def name_of(self, request: BoundQuery) -> bytes:
        """The name that a query is prepared by; empty if it isn't."""
        known = self._known.get((request.query, request.types))
        return b"" if known is None else known.name

    def retire(self, request: BoundQuery) -> None:
        """Have a statement ended, if it is prepared."""
        if self.name_of(request):
            self._retire((request.query, request.types))

    def note_sent(self, request: BoundQuery, sent: Sent, at: Place) -> None:
        """Take note that a preparation, or the end of a statement, was sent."""
        if request.kind == RequestKind.PREPARE:
            known = Prepared(request.name, self._version)
            known.sent, known.segment = sent, at.segment
            self._known[request.query, request.types] = known
            self._is_unsure = False
        else:
            self.closing[request.name] = sent

    def note_commands(self, query: bytes, results: list[PGresult]) -> None:
        """Take note of what the commands of a text do to prepared statements; their tags tell."""
        for result in results:
            tag = result.command_status or b""
            if tag in _ALL_GONE:
                self._known.clear()
                self.closing.clear()
            elif tag.startswith((b"ALTER", b"DROP")):
                self._has_ddl = True
                self._invalidate()
            elif tag.startswith(b"CREATE"):
                self._has_ddl = True
            elif tag == b"ROLLBACK" and self._has_ddl:  # to a savepoint as well
                # In a pipeline libpq tells only later whether the transaction is over.
                self._has_ddl = query[:11].upper() == b"ROLLBACK TO"
                self._invalidate()
            elif tag == b"DEALLOCATE" and query[len(_DEALLOCATE) :] not in self.closing:
                self._invalidate()

    def learn_of_fault(self, request: BoundQuery, sent: Sent) -> bool:
        """Whether an execution failed since its statement isn't what or where it was; take note of it."""
        while sent.before is not None and _state(sent.before):  # the first of those sent for it
            sent = sent.before
        state, key = _state(sent), (request.query, request.types)
        if state == _OTHER_RESULT:
            if is_fault := _is_of_plan(sent.results[-1]):
                self._invalidate()
            return is_fault
        if state not in (_UNKNOWN_NAME, _KNOWN_NAME) or not _OURS.search(
            _message(sent.results[-1])
        ):
            return False
        known = self._known.pop(key, None)
        if sent.query.startswith(_DEALLOCATE):
            self.give_up_closing()
        else:
            self.misses += 1
            if known is not None and state == _KNOWN_NAME:
                known.version, known.sent = known.made, None
                self._known[key] = known
        return True

    def _invalidate(self) -> None:
        """Have all statements prepared anew: tables or types that they were made of are others now."""
        self._version += 1
        self._oldest = self._version


def end_of(name: bytes) -> BoundQuery:
    """The request that ends a statement."""
    request = BoundQuery(_DEALLOCATE + name)
    request.kind, request.name = RequestKind.CLOSE, name
    return request


def _state(sent: Sent) -> bytes | None:
    """The SQLSTATE of the error that came for a request; None without."""
    results = sent.results
    return results[-1].error_field(e.SQLSTATE_FIELD) if results else None


def _succeeded(sent: Sent) -> bool:
    return bool(sent.results) and sent.results[-1].status == _COMMAND_OK


def _is_there(sent: Sent) -> bool:
    """Whether a statement is there after its preparation was answered."""
    return _succeeded(sent) or _state(sent) == _KNOWN_NAME


def _message(result: PGresult) -> bytes:
    return result.error_field(e.Diagnostic.message_primary.code) or b""


def _is_of_plan(result: PGresult) -> bool:
    """Whether the server refuses a statement whose columns would be others than when it was prepared.

    The SQLSTATE has other meanings too, and its message comes in the server's language.
    """
    source = result.error_field(e.Diagnostic.source_function.code)
    return source == b"RevalidateCachedQuery" or b"cached plan" in _message(result)
