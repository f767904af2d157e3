"""How often a display may be looked at: often enough to seem alive, seldom enough not to be felt."""

from __future__ import annotations

import time

SHARE = 1 / 40
"""Part of a processor that all displays together may take: half in their own thread, half in the engine's."""

LONGEST_PAUSE = 15.0


class Pace:
    """When the next look may begin.

    What a look costs is measured in processor time, not by the clock: on a busy machine a cheap look takes long, and
    is still cheap.
    """

    def __init__(self, shortest: float) -> None:
        self.shortest = shortest
        self._begun = self._spent = 0.0
        self.next_look = 0.0

    def begin(self) -> None:
        """A look begins; to be called on the thread that looks."""
        self._begun, self._spent = time.monotonic(), time.thread_time()

    def end(self, displays: int) -> float:
        """It is over; returns the time of the clock. ``displays`` share the processor's part."""
        now = time.monotonic()
        spent = time.thread_time() - self._spent
        rest = min(LONGEST_PAUSE, 2 * spent * max(1, displays) / SHARE)
        self.next_look = max(self._begun + self.shortest, now + rest)
        return now
