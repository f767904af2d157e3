"""One line under a cell that says how far something is, shown only when it takes a while, and taken away at the end."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE = 0.5
"""Seconds before anything is shown."""

EVERY = 0.2
"""Seconds between updates."""


class ProgressLine:
    """Shows lines in the current cell.

    Parameters
    ----------
    publish
        Takes ``data``, ``transient`` and ``update``, as ``display_pub.publish`` does.
    clock
        Seconds, growing.
    """

    def __init__(self, publish: Callable[..., Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._publish = publish
        self._clock = clock

    @contextmanager
    def of(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """Within, call what is given with the number done and the number in all."""
        ident = {"display_id": f"durable_nb-{uuid.uuid4().hex}"}
        begun = last = self._clock()
        shown = False

        def told(done: int, total: int) -> None:
            nonlocal last, shown
            now = self._clock()
            if now - begun < PATIENCE or now - last < EVERY:
                return
            last = now
            self._say(f"{what}: {done:,} of {total:,}", ident, update=shown)
            shown = True

        try:
            yield told
        finally:
            if shown:
                self._say("", ident, update=True)

    def _say(self, text: str, ident: dict[str, str], *, update: bool) -> None:
        self._publish(data={"text/plain": text}, transient=ident, update=update)
