"""From any thread to a loop, many calls for one wake-up.

Waking a loop from another thread is a system call; while one wake-up is on its way, further calls only join the
queue. Invariant: calls run in the order in which they were posted.
"""

from __future__ import annotations

import asyncio
from asyncio import _get_running_loop
from collections import deque
from collections.abc import Callable
from typing import Any


class Hop:
    """A queue of calls in front of a loop."""

    __slots__ = ("_calls", "_loop", "_waking")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._waking = False

    def post(self, call: Callable[..., Any], *args: Any) -> bool:
        """Run ``call`` on the loop soon; False when the loop is closed."""
        self._calls.append((call, args))
        # Set after the append, cleared before the drain: a call is never left behind without a wake-up.
        if not self._waking:
            self._waking = True
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:
                self._calls.clear()
                return False
        return True

    def run(self, call: Callable[..., Any], *args: Any) -> bool:
        """Run ``call`` now when on the loop already, else soon; False when the loop is closed."""
        if _get_running_loop() is self._loop:
            call(*args)
            return True
        return self.post(call, *args)

    def _drain(self) -> None:
        self._waking = False
        calls = self._calls
        while calls:
            call, args = calls.popleft()
            try:
                call(*args)
            except Exception as error:
                self._loop.call_exception_handler({"message": "error in a call of a thread", "exception": error})
