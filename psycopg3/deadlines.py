"""Deadline: when something must be over, and the error to raise if it isn't."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

__all__ = ["Deadline"]


class Deadline:
    """A point in time, by `time.monotonic()`, and what to raise of those who are late.

    Args:
        at: the time.
        expired: makes the error.
    """

    __slots__ = ("at", "expired")

    def __init__(self, at: float, expired: Callable[[], Exception]):
        self.at = at
        self.expired = expired

    @classmethod
    def after(cls, seconds: float, expired: Callable[[], Exception]) -> Deadline:
        """The deadline in so many seconds from now."""
        return cls(monotonic() + seconds, expired)

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
