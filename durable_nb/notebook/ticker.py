"""Lets an awaiting cell be interrupted at once.

The kernel's interrupt handler only schedules the cancellation of the cell; a loop that sleeps in ``select`` does not
notice before something else wakes it. While a cell runs, this wakes the kernel's loop ten times a second. It costs
some microseconds a second, only during cells, and needs no change to what is awaited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

INTERVAL = 0.1
"""Seconds between wake-ups; the longest that an interrupt has to wait."""


class Ticker:
    """Wakes the loop that ``start`` was called on until ``stop``.

    Parameters
    ----------
    on_tick
        Called at each wake-up, on that loop; must be quick.
    """

    def __init__(self, on_tick: Callable[[], None] | None = None) -> None:
        self._on_tick = on_tick
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin; where no loop runs (a plain IPython shell runs cells without one) nothing is needed or done."""
        self.stop()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._timer = loop.call_later(INTERVAL, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(INTERVAL, self._tick, loop)
        if self._on_tick is not None:
            self._on_tick()

    def stop(self) -> None:
        """End; may be called at any time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
