"""Deadline: when something must be over, and the error to raise if it isn't."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from math import inf
from time import monotonic

from ._exceptions import ProgrammingError

__all__ = ["ANY", "PATIENCE", "POSITIVE", "Deadline", "check_seconds"]


class Deadline:
    """A point in time, by `time.monotonic()`, and what to raise of those who are late.

    Args:
        at: the time.
        expired: makes the error.
        seconds: how long it was at the beginning, for messages.
    """

    __slots__ = ("at", "expired", "seconds")

    def __init__(self, at: float, expired: Callable[[], Exception], seconds: float = 0.0):
        self.at = at
        self.expired = expired
        self.seconds = seconds

    @classmethod
    def after(cls, seconds: float, expired: Callable[[], Exception]) -> Deadline:
        """The deadline in so many seconds from now."""
        return cls(monotonic() + seconds, expired, seconds)

    def __repr__(self) -> str:
        return f"<Deadline in {self.at - monotonic():.3f} s>"

    @property
    def left(self) -> float:
        """Seconds until it is reached; 0 if it has been."""
        return max(0.0, self.at - monotonic())

    def check(self) -> None:
        """Raise the error if the time is over."""
        if monotonic() >= self.at:
            raise self.expired()


POSITIVE = "a positive number of seconds, or None for none"
ANY = "a number of seconds, or None for none"
PATIENCE = "a number of seconds, or 0 to close the connection at once"

_FITS: dict[str, Callable[[float], bool]] = {  # a NaN fits nowhere
    POSITIVE: lambda seconds: seconds > 0,
    ANY: lambda seconds: seconds == seconds,
    PATIENCE: lambda seconds: 0 <= seconds < inf,
}


def check_seconds(value: float | None, expected: str = POSITIVE, name: str = "timeout") -> None:
    """Refuse what is no number of seconds of the kind that is expected.

    Args:
        value: what a user gave.
        expected: POSITIVE, ANY or PATIENCE; None passes but for the last.
        name: whose value it is.

    Raises:
        ProgrammingError: it doesn't fit.
    """
    if value is None and expected is not PATIENCE:
        return
    with suppress(TypeError, OverflowError):
        if _FITS[expected](value + 0.0):  # type: ignore[operator]
            return
    raise ProgrammingError(f"got the {name} {value!r}: expected {expected}")
