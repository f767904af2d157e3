"""Where the engine gets its time from: the only wall clock of the package."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Source of the present instant."""

    def now(self) -> int:
        """Microseconds since the epoch, UTC. May go back; the engine keeps each run's event times monotone."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        return time.time_ns() // 1000


class ManualClock:
    """A clock that stands still until it is moved; for tests and for skipping time.

    ``on_change`` is called after each move; the engine hangs its look for due runs there.
    """

    def __init__(self, now: int = 1_700_000_000_000_000) -> None:
        self._now = now
        self.on_change: list[Callable[[], None]] = []

    def now(self) -> int:
        return self._now

    def advance(self, microseconds: int) -> None:
        """Move forward (or, to test clock jumps, back)."""
        self._now += microseconds
        for callback in list(self.on_change):
            callback()


class SkippingClock:
    """The machine's clock plus what was skipped: time flows by itself, and jumps forward on request."""

    def __init__(self) -> None:
        self._skipped = 0
        self.on_change: list[Callable[[], None]] = []

    def now(self) -> int:
        return time.time_ns() // 1000 + self._skipped

    def advance(self, microseconds: int) -> None:
        """Jump forward."""
        self._skipped += max(microseconds, 0)
        for callback in list(self.on_change):
            callback()
