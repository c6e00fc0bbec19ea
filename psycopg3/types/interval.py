"""Interval: an interval as PostgreSQL keeps it, where a timedelta adds its parts up."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple, Self

# How many days PostgreSQL's units stand for in a timedelta, which knows neither months nor years.
DAYS_A_MONTH = 30
DAYS_A_YEAR = 365


class Interval(NamedTuple):
    """Months, days and microseconds, each with a sign of its own.

    Two are equal if their parts are; to the server a month equals 30 days, and a day 24 hours.
    """

    months: int = 0
    days: int = 0
    microseconds: int = 0

    @property
    def is_infinite(self) -> bool:
        """Whether it is infinity or -infinity, which servers have since version 17."""
        return self in (_INFINITY, _MINUS_INFINITY)

    def to_timedelta(self) -> timedelta:
        """The sum of the parts, a month of 30 days and a year of 365.

        Raises:
            OverflowError: it is longer than a timedelta can be; the infinities are.
        """
        years, months = divmod(abs(self.months), 12)
        days = years * DAYS_A_YEAR + months * DAYS_A_MONTH
        return timedelta(self.days + (days if self.months > 0 else -days), 0, self.microseconds)

    @classmethod
    def of(cls, obj: timedelta) -> Self:
        """That of a timedelta: days and microseconds, as it has them itself."""
        return cls(0, obj.days, obj.seconds * 1_000_000 + obj.microseconds)

    @classmethod
    def infinity(cls, sign: int) -> Self:
        """Infinity, or -infinity if `sign` is negative."""
        return cls._make(_INFINITY if sign >= 0 else _MINUS_INFINITY)

    def __str__(self) -> str:
        """As every server reads it, under every IntervalStyle: each part has a sign of its own."""
        if self.is_infinite:
            return "infinity" if self.months > 0 else "-infinity"
        sign = -1 if self.months < 0 else 1
        years, months = divmod(abs(self.months), 12)
        parts = zip(
            (sign * years, sign * months, self.days), ("years", "mons", "days"), strict=True
        )
        shown = [f"{number:+} {unit}" for number, unit in parts if number]
        if self.microseconds or not shown:
            seconds, fraction = divmod(abs(self.microseconds), 1_000_000)
            minutes, second = divmod(seconds, 60)
            hours, minute = divmod(minutes, 60)
            mark = "-" if self.microseconds < 0 else "+"
            shown.append(f"{mark}{hours:02}:{minute:02}:{second:02}.{fraction:06}")
        return " ".join(shown)


# As servers send them.
_INFINITY = Interval(2**31 - 1, 2**31 - 1, 2**63 - 1)
_MINUS_INFINITY = Interval(-(2**31), -(2**31), -(2**63))
