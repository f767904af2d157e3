"""The widget by which one walks through a history: a number from 1, with a name and a voice for screen readers.

Imports anywidget: import it when a slider is first shown, not before.
"""

from __future__ import annotations

from typing import Any

import anywidget
from traitlets import Int, Unicode, validate

from durable_nb.widgets import assets
from durable_nb.widgets.comms import hear_while_busy


class EventSlider(anywidget.AnyWidget):
    """``value`` is from 1 to ``max``; what is beyond is taken for the end that it is beyond."""

    _esm = assets.module("event-slider.js")

    max = Int(1).tag(sync=True)
    value = Int(1).tag(sync=True)
    said = Unicode().tag(sync=True)
    """What is at ``value``, for those who hear and do not see."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        hear_while_busy(self)

    @validate("value")
    def _within(self, proposal: dict[str, Any]) -> int:
        return int(min(max(1, proposal["value"]), self.max))
