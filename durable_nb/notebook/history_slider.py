"""A slider that walks through a history: under each position the moment at that event, replayed when it is looked at.

Arrow keys move it (Page Up and Page Down by more), two buttons jump from workflow task to workflow task. Where widgets
do not live it is a table of the history. Replays happen in the kernel, in the thread that the front end's message
comes on, beside a busy cell too; the engine is not asked again, so a slider also works in a cell that runs after the
store is gone. That of an open run is given what is recorded meanwhile (``history_following``), on a thread of its own:
one replays at a time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets
from IPython.display import publish_display_data

from durable_nb.client._moment import Moment
from durable_nb.client._travel import Journey
from durable_nb.model.attributes import WorkflowTaskCompleted
from durable_nb.model.events import TERMINAL_EVENT_TYPES, Event
from durable_nb.notebook.blocks import Block, Message
from durable_nb.notebook.histories import history_blocks
from durable_nb.notebook.html import hide_stand_in, inside_widget, render_html, stand_in
from durable_nb.notebook.moments import moment_blocks, place_text
from durable_nb.notebook.plain import render_text
from durable_nb.notebook.text import CellNamer, safe_text
from durable_nb.widgets.comms import hear_while_busy
from durable_nb.widgets.event_slider import EventSlider

if TYPE_CHECKING:
    from durable_nb.notebook.live.fallback import Fallback

KEPT = 100
"""Moments whose picture is kept."""


class HistorySlider(ipywidgets.VBox):  # type: ignore[misc]
    """See the module. ``moment`` is the one that is shown, ``event_id`` where the slider stands."""

    def __init__(self, journey: Journey, event_id: int = 0, cell_of: CellNamer | None = None) -> None:
        self.journey = journey
        self.fallback: Fallback | None = None
        """The readable output, where it is kept up to date."""
        self._lock = threading.RLock()
        self._cell_of = cell_of
        self._drawn: OrderedDict[int, str] = OrderedDict()
        self._tasks = [e.event_id for e in journey.events if isinstance(e.attributes, WorkflowTaskCompleted)]
        count = len(journey)
        self.slider = EventSlider(
            max=max(count, 1), value=event_id or count, layout=ipywidgets.Layout(width="60%", margin="0 12px")
        )
        self.back = self._button("◀ task", "the workflow task before")
        self.forth = self._button("task ▶", "the next workflow task")
        self.note = ipywidgets.Label()
        self.body = ipywidgets.HTML()
        self.moment: Moment | None = None
        self.back.on_click(lambda _: self._jump(-1))
        self.forth.on_click(lambda _: self._jump(1))
        self.slider.observe(lambda _: self._show(), "value")
        self._show()
        style = ipywidgets.HTML(layout=ipywidgets.Layout(display="none"))
        super().__init__([style, ipywidgets.HBox([self.back, self.slider, self.forth, self.note]), self.body])
        self._hidden = f"durable-nb-{self.model_id}"
        style.value = hide_stand_in(self._hidden)

    @property
    def event_id(self) -> int:
        """Where the slider stands; may be set."""
        return int(self.slider.value)

    @event_id.setter
    def event_id(self, value: int) -> None:
        self.slider.value = value

    @property
    def is_whole(self) -> bool:
        """Whether the history has come to its end."""
        return self.journey.events[-1].event_type in TERMINAL_EVENT_TYPES

    def take(self, events: Sequence[Event]) -> None:
        """The history goes on; who stands at its end goes along."""
        with self._lock:
            last = len(self.journey)
            stands = self.event_id
            settled = self._tasks[-1] if self._tasks else 0
            self.journey.take(events)
            self._tasks += [e.event_id for e in events if isinstance(e.attributes, WorkflowTaskCompleted)]
            for event_id in [each for each in self._drawn if each > settled]:
                del self._drawn[event_id]  # the code had not taken these in; now it may have
            self.slider.max = len(self.journey)
            if stands == last:
                self.slider.value = len(self.journey)
            elif stands > settled:
                self._show()

    def say(self, text: str) -> None:
        """Say beside the slider what becomes of it."""
        self.note.value = text

    def readable(self) -> list[Block]:
        """The history as a table."""
        return history_blocks(self.journey.events, workflow_id=self.journey.workflow_id)

    @staticmethod
    def _button(text: str, tooltip: str) -> Any:
        button = ipywidgets.Button(description=text, tooltip=tooltip, layout=ipywidgets.Layout(width="auto"))
        hear_while_busy(button)
        return button

    def _jump(self, direction: int) -> None:
        here = self.event_id
        ahead = [task for task in self._tasks if (task > here if direction > 0 else task < here)]
        if ahead:
            self.slider.value = ahead[0] if direction > 0 else ahead[-1]

    def _show(self) -> None:
        with self._lock:
            event_id = self.event_id
            drawn = self._drawn.get(event_id)
            self.moment = self._moment(event_id)
            if drawn is None:
                drawn = self._drawn[event_id] = inside_widget(render_html(self._blocks))
                if len(self._drawn) > KEPT:
                    self._drawn.popitem(last=False)
            self.body.value = drawn
            self.slider.said = self._said(event_id)

    def _said(self, event_id: int) -> str:
        """The place in a few words: a screen reader does not read all that changed."""
        moment = self.moment
        if moment is None:
            return f"event {event_id} cannot be shown"
        text = f"event {event_id} {moment.event.event_type.title}"
        if moment.tasks:
            text += f", {place_text(moment.tasks[0].frames[-1], self._cell_of)}"
        return text

    def _moment(self, event_id: int) -> Moment | None:
        self._blocks: list[Block]
        try:
            moment = self.journey.at(event_id)
        except Exception as error:  # what workflow code does in a replay must not break the widget
            text = safe_text(f"{type(error).__name__}: {error}", 1000, keep_lines=True)
            self._blocks = [Message(text, "bad", f"event {event_id} cannot be shown")]
            return None
        self._blocks = moment_blocks(moment, self._cell_of)
        return moment

    def _ipython_display_(self, **_: Any) -> None:
        """Two outputs, as front ends never fall back from one form to another: the readable one is hidden by style
        while the widget lives, and is there where a saved notebook is opened without a kernel.
        """
        blocks = self.readable()
        if self.fallback is not None:
            self.fallback.publish(blocks)
        else:
            html = stand_in(self._hidden, render_html(blocks))
            publish_display_data(  # type: ignore[no-untyped-call]
                {"text/plain": render_text(blocks), "text/html": html}
            )
        data = self._repr_mimebundle_(include=None, exclude=None)
        found = data[0] if isinstance(data, tuple) else data
        # Readers of text have the table above; the state of a widget says nothing to them.
        said = f"slider through the history of {safe_text(self.journey.workflow_id)}"
        publish_display_data(  # type: ignore[no-untyped-call]
            {**(found or {}), "text/plain": said}
        )
