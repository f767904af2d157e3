"""What is told of a query while it takes its time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

PATIENCE = 1.0
"""Seconds without a word after which it is told for how long a query has been running."""

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


@contextmanager
def telling(progress: Callable[[str], None]) -> Iterator[None]:
    """Within the block every query tells of itself, those of statistics and exports too."""
    token = _listener.set(progress)
    try:
        yield
    finally:
        _listener.reset(token)


class Watch:
    """Passes words on, and finds some itself where a query says nothing.

    DuckDB would tell a percentage, but only where a setting of each connection asks for it, and settings are locked.

    Parameters
    ----------
    progress
        Who is told; None for whoever listens to the block (``telling``), or nobody.
    """

    def __init__(self, progress: Callable[[str], None] | None) -> None:
        self._progress = progress or _listener.get()
        self._begun_at = self._told_at = 0.0

    def begin(self) -> None:
        """The query runs from now on."""
        self._begun_at = self._told_at = time.monotonic()

    def tell(self, words: str) -> None:
        """Pass words on."""
        self._told_at = time.monotonic()
        if self._progress is not None:
            self._progress(words)

    def look(self) -> None:
        """Tell how long it has been running, where nothing was told for a while."""
        now = time.monotonic()
        if self._begun_at and now - self._told_at >= PATIENCE:
            self.tell(f"the query has been running for {now - self._begun_at:.0f} s")
