"""The timeline as a widget: a packed run in, questions of the browser out.

Imports anywidget: import this module when a timeline is first shown, not before. What a question asks for is decided
by whoever made the widget (``following``, ``notebook.timelines``); here are only the traits, the messages and what is
shown where no widget can live.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anywidget
from traitlets import Bytes, Int, List, Unicode

from durable_nb.widgets import assets
from durable_nb.widgets.comms import hear_while_busy

WIDGET_MIME = "application/vnd.jupyter.widget-view+json"

OnMessage = Callable[[Mapping[str, Any]], None]


class TimelineWidget(anywidget.AnyWidget):
    """A run in time: one bar for each attempt, with queue and back-off apart; zoom, search, details, children.

    Parameters
    ----------
    packed
        The picture, as ``packing.pack`` makes it; may come later.
    on_message
        Takes the browser's messages, in whatever thread they arrive: ``details`` and ``expand``, answered by ``send``.
    fallback
        Gives ``text/plain`` and ``text/html`` for where no widget can live.
    stand_in
        Called when the widget is about to be shown, instead: it puts readable output of its own beside it, whose CSS
        class is ``hides``.
    """

    _esm = assets.module("timeline-widget.js")

    packed = Bytes().tag(sync=True)
    selected_range: List[int] = List(Int()).tag(sync=True)
    """What is selected: first and last microsecond since the epoch; empty for nothing."""
    max_height = Int(420, help="Pixels that the rows may take before they scroll.").tag(sync=True)
    message = Unicode().tag(sync=True)
    """Said above the bars: why they are not kept up to date."""
    hides = Unicode().tag(sync=True)
    """CSS class of output that stands for this one where it cannot live, and is hidden while it does."""

    def __init__(
        self,
        packed: bytes = b"",
        *,
        on_message: OnMessage | None = None,
        fallback: Callable[[], dict[str, str]] | None = None,
        stand_in: Callable[[], None] | None = None,
        **traits: Any,
    ) -> None:
        super().__init__(packed=packed, **traits)
        self._fallback = fallback
        self.stand_in = stand_in
        if on_message is not None:
            self.on_msg(lambda widget, content, buffers: on_message(content if isinstance(content, dict) else {}))
        hear_while_busy(self)

    @property
    def is_open(self) -> bool:
        """Whether there still is a connection to a browser."""
        return self.comm is not None

    def __repr__(self) -> str:
        return self._fallback()["text/plain"] if self._fallback is not None else super().__repr__()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        view = {"version_major": 2, "version_minor": 1, "model_id": self.model_id}
        if self.stand_in is not None:
            self.stand_in()
            return {"text/plain": "a timeline, drawn where widgets live", WIDGET_MIME: view}, {}
        shown = self._fallback() if self._fallback is not None else {"text/plain": super().__repr__()}
        return {**shown, WIDGET_MIME: view}, {}
