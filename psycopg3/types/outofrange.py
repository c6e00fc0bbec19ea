"""OutOfRange: dates and timestamps that Python has not, infinite or of other years than 1 to 9999."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from functools import total_ordering
from typing import ClassVar, Self

from ..errors import DataError

# PostgreSQL counts from the year 2000.
_EPOCH_DAY = date(2000, 1, 1).toordinal()
# The calendar repeats itself, so that any year has one like it among Python's.
_CYCLE_YEARS, _CYCLE_DAYS = 400, 146_097
_DAY = 86_400_000_000  # microseconds

_ISO = re.compile(
    r"(\d{4,})-(\d\d)-(\d\d)"
    r"(?: (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?"
    r"(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?( BC)?"
)


@total_ordering
class OutOfRange:
    """A date or timestamp that Python has not; see `register_times()`.

    It can be compared with others of its type, and with Python's own: it is before or after them
    all. Its `str()` is what PostgreSQL writes and reads, by DateStyle ISO.

    Args:
        value: the days or microseconds since 2000-01-01, in UTC where the type has a zone.
    """

    __slots__ = ("value",)

    _infinity: ClassVar[int]

    def __init__(self, value: int) -> None:
        self.value = value
        """The days or microseconds since 2000-01-01; the largest and smallest are infinite."""

    @property
    def is_infinite(self) -> bool:
        """Whether it is infinity or -infinity."""
        return self.value in (self._infinity, ~self._infinity)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what PostgreSQL writes by DateStyle ISO.

        Raises:
            DataError: it is none of this.
        """
        if text.endswith("infinity"):
            return cls(~cls._infinity if text.startswith("-") else cls._infinity)
        match = _ISO.fullmatch(text)
        if match is None:
            raise DataError(f"got {text!r} as a date or timestamp: expected one of DateStyle ISO")
        fields = [int(field or 0) for field in match.group(1, 2, 3, 4, 5, 6, 9, 10, 11)]
        year, month, day, hours, minutes, seconds, *offset = fields
        cycles, year = divmod(1 - year if match[12] else year, _CYCLE_YEARS)
        days = date(2000 + year, month, day).toordinal() - _EPOCH_DAY
        fraction = int((match[7] or "").ljust(6, "0"))
        clock = timedelta(0, seconds, fraction, minutes=minutes, hours=hours)
        east = timedelta(hours=offset[0], minutes=offset[1], seconds=offset[2])
        clock -= -east if match[8] == "-" else east
        return cls._of(days + (cycles - 5) * _CYCLE_DAYS, clock)

    @classmethod
    def _of(cls, days: int, clock: timedelta) -> Self:
        return cls(days * _DAY + clock // timedelta(microseconds=1))

    def __str__(self) -> str:
        if self.is_infinite:
            return "infinity" if self.value > 0 else "-infinity"
        return self._iso(*divmod(self.value, _DAY))

    def _iso(self, days: int, microseconds: int = -1, zone: str = "") -> str:
        cycles, rest = divmod(days, _CYCLE_DAYS)
        day = date.fromordinal(_EPOCH_DAY + rest)
        year = day.year + cycles * _CYCLE_YEARS
        clock = ""
        if microseconds >= 0:
            clock = f" {(datetime.min + timedelta(0, 0, microseconds)).time().isoformat()}"
        era = "" if year > 0 else " BC"
        return f"{year if year > 0 else 1 - year:04}-{day:%m-%d}{clock}{zone}{era}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.value == self.value

    def __hash__(self) -> int:
        return hash((type(self), self.value))

    def __lt__(self, other: object) -> bool:
        if type(other) is type(self):
            return self.value < other.value
        return self.value < 0 if isinstance(other, date) else NotImplemented


class OutOfRangeDate(OutOfRange):
    """A date that Python has not; its `value` is in days."""

    __slots__ = ()
    _infinity = 2**31 - 1

    @classmethod
    def _of(cls, days: int, clock: timedelta) -> Self:  # noqa: ARG003
        return cls(days)

    def __str__(self) -> str:
        return super().__str__() if self.is_infinite else self._iso(self.value)


class OutOfRangeTimestamp(OutOfRange):
    """A timestamp without zone that Python has not; its `value` is in microseconds."""

    __slots__ = ()
    _infinity = 2**63 - 1


class OutOfRangeTimestamptz(OutOfRange):
    """A timestamp with zone that Python has not; its `value` is in microseconds, in UTC."""

    __slots__ = ()
    _infinity = 2**63 - 1

    def _iso(self, days: int, microseconds: int = -1, zone: str = "+00") -> str:
        return super()._iso(days, microseconds, zone)
