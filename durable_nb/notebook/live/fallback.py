"""The readable output that stands beside a live display: HTML for everybody, also where no widget will ever live.

It is an output of its own, because front ends choose one form of an output and never fall back: a notebook that is
opened again without a kernel would show "model not found" and nothing else. While the widget lives it hides this
output by its CSS class; where it does not, the output is there, with the last state that was written to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from durable_nb.notebook.blocks import Block, Message
from durable_nb.notebook.html import render_html, stand_in
from durable_nb.notebook.plain import render_text
from durable_nb.notebook.text import safe_text

WRITE_EVERY = 10.0
"""Seconds between two writings of the readable output of an open run; at its end it is written at once."""


SOON = 1.0
"""Seconds after which it may be written the first time: a run that was just started soon looks different."""


class Fallback:
    """The readable output of one display."""

    def __init__(self, session: Any, model_id: str) -> None:
        self._session = session
        self._id = f"durable-nb-{model_id}"
        self.css_class = f"durable-nb-{model_id}"
        self._next = time.monotonic() + SOON
        self._is_shown = False

    def publish(self, blocks: Sequence[Block]) -> None:
        """Put the output under the current cell."""
        self.put(render_html(blocks), render_text(blocks))

    def put(self, html: str, text: str, *, update: bool = False) -> None:
        """Put the output, drawn already, under the current cell; or in the place of what was put there before."""
        self._is_shown = True
        data = {"text/plain": text, "text/html": stand_in(self.css_class, html)}
        self._session.publish(data, {"display_id": self._id}, update=update)

    def is_due(self, *, now: bool = False) -> bool:
        """Whether to draw the output anew, which is worth it once in ``WRITE_EVERY`` unless ``now``."""
        clock = time.monotonic()
        if not self._is_shown or not (now or clock >= self._next):
            return False
        self._next = clock + WRITE_EVERY
        return True

    def changed(self, blocks: Callable[[], list[Block]], *, now: bool = False, note: str = "") -> None:
        """What is shown changed: write the output anew, at most once in ``WRITE_EVERY`` unless ``now``."""
        if self.is_due(now=now):
            said = [Message(safe_text(note, 400), "warn")] if note else []
            drawn = [*blocks(), *said]
            self.put(render_html(drawn), render_text(drawn), update=True)
