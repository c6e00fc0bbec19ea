"""Dates, times and intervals as PostgreSQL writes them, read under every DateStyle."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from typing import NamedTuple, TypeVar

from .interval import Interval

T = TypeVar("T")

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

_MONTHS_A_UNIT = {"day": 0, "mon": 1, "year": 12}


class DateStyle(NamedTuple):
    """The session's DateStyle: the layout, and whether days come before months in it."""

    layout: str
    day_first: bool

    @classmethod
    def parse(cls, setting: bytes | None) -> DateStyle:
        """Read the setting as the server reports it: `b"ISO, MDY"`, the default for None."""
        layout, _, order = (setting or b"ISO, MDY").decode().partition(", ")
        return cls(layout, layout == "German" or order == "DMY")


def date_reader(style: DateStyle) -> Callable[[str], date]:
    """Return a function that reads a date written in `style`; it raises as `fromisoformat` does."""
    return _reader(style, date.fromisoformat, _iso_from_numeric)


def timestamp_reader(style: DateStyle) -> Callable[[str], datetime]:
    """Return a function that reads a timestamp written in `style`; it raises as a date's does."""
    iso_from = _iso_from_words if style.layout == "Postgres" else _iso_from_numeric
    return _reader(style, datetime.fromisoformat, iso_from)


def _reader(
    style: DateStyle, read_iso: Callable[[str], T], iso_from: Callable[[str, bool], str]
) -> Callable[[str], T]:
    if style.layout == "ISO":
        return read_iso

    day_first = style.day_first

    def read(text: str) -> T:
        return read_iso(iso_from(text, day_first))

    return read


def read_time(text: str) -> time:
    """Read a time or timetz, the same in every DateStyle; raise ValueError."""
    # PostgreSQL's 24:00 is the end of the day; newer Pythons would read the beginning of it.
    if text.startswith("24"):
        raise ValueError("hour must be in 0..23")
    return time.fromisoformat(text)


def read_interval(text: str) -> Interval:
    """Read an interval of IntervalStyle "postgres": `1 year 2 mons -3 days +04:05:06.7`.

    Raises:
        ValueError: not such an interval.
    """
    if text.endswith("infinity"):
        return Interval.infinity(-1 if text.startswith("-") else 1)
    words = text.split(" ")
    microseconds = _read_clock(words.pop()) if ":" in words[-1] else 0
    if len(words) % 2:
        raise ValueError("a number without its unit")
    months = days = 0
    for number, unit in zip(words[::2], words[1::2], strict=True):
        months_a_unit = _MONTHS_A_UNIT.get(unit.removesuffix("s"))
        if months_a_unit is None:
            raise ValueError("a unit that is not year, mon or day")
        if months_a_unit:
            months += int(number) * months_a_unit
        else:
            days += int(number)
    return Interval(months, days, microseconds)


def _iso_from_numeric(text: str, day_first: bool) -> str:
    """Turn `17.12.1997 07:37`, `12/17/1997 07:37`, `12-17-1997` into ISO.

    Positions are fixed up to year 9999, the last one Python has: a longer year makes no ISO date.
    """
    first, second, year, rest = text[:2], text[3:5], text[6:10], text[10:]
    if rest and rest[0] != " ":
        raise ValueError("year is out of range")
    month, day = (second, first) if day_first else (first, second)
    return f"{year}-{month}-{day}{rest}"


def _iso_from_words(text: str, day_first: bool) -> str:
    """Turn `Wed Dec 17 07:37:16 1997`, or `Wed 17 Dec 07:37:16 1997`, into ISO."""
    words = text.split(" ")
    if len(words) != 5:
        raise ValueError("not five words")
    _, first, second, clock, year = words
    month, day = (second, first) if day_first else (first, second)
    if month not in _MONTHS:
        raise ValueError("no month of that name")
    return f"{year}-{_MONTHS.index(month) + 1:02}-{day} {clock}"


def _read_clock(text: str) -> int:
    """Return the microseconds of `[+-]hours:mm:ss[.fraction]`, where hours may be many."""
    hours, minutes, seconds = text.lstrip("+-").split(":")
    seconds, _, fraction = seconds.partition(".")
    whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    microseconds = whole * 1_000_000 + int(fraction[:6].ljust(6, "0"))
    return -microseconds if text.startswith("-") else microseconds
