"""The widget that shows a run: state in, clicks out. What is shown and what a click does is decided above.

Imports ipywidgets and anywidget: import it when a view is first shown, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anywidget
from traitlets import Bytes, Dict, Int, List, Unicode

from durable_nb.widgets import assets
from durable_nb.widgets.comms import hear_while_busy

WIDGET_MIME = "application/vnd.jupyter.widget-view+json"

OnMessage = Callable[[Mapping[str, Any]], None]
"""Called with each message of the browser, in whatever thread it arrives."""


class LiveWidget(anywidget.AnyWidget):
    """Parts of a state that are sent when they change, and messages back.

    Parameters
    ----------
    on_message
        Takes the browser's messages. It must be quick and safe for threads.
    text
        What front ends without widgets show in place of this output.
    """

    replies = Dict().tag(sync=True)
    """By the id of a request: whether it was carried out, and what came back."""
    link = Dict().tag(sync=True)
    """``state``: ``live``, ``ended`` (nothing more will come) or ``lost``; and a ``message`` for people."""

    beat = Int().tag(sync=True)
    """Grows every few seconds while the display is kept up to date, so that a silence can be told from no news."""

    def __init__(self, on_message: OnMessage, text: str = "", **parts: Any) -> None:
        super().__init__(**parts)
        self._text = text
        self.on_msg(lambda widget, content, buffers: on_message(content if isinstance(content, dict) else {}))
        hear_while_busy(self)

    @property
    def is_open(self) -> bool:
        """Whether there still is a connection to a browser."""
        return self.comm is not None

    def show(self, parts: Mapping[str, Any]) -> list[str]:
        """Take over what changed, in one message; returns the names of the parts that did."""
        changed = [name for name, value in parts.items() if getattr(self, name) != value]
        if changed:
            with self.hold_sync():
                for name in changed:
                    setattr(self, name, parts[name])
        return changed

    def reply(self, request: str, answer: Mapping[str, Any]) -> None:
        """Tell the browser what came of a request; the last twenty are kept."""
        kept = list(self.replies.items())[-19:]
        self.replies = {**dict(kept), request: dict(answer)}

    def bundle(self) -> dict[str, Any]:
        """MIME bundle that shows the view."""
        view = {"version_major": 2, "version_minor": 1, "model_id": self.model_id}
        return {"text/plain": self._text, WIDGET_MIME: view}

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[Any, Any], dict[Any, Any]]:
        return self.bundle(), {}


class RunView(LiveWidget):
    """One run. The parts are those of ``notebook.live.state.run_state``."""

    _esm = assets.module("run-view.js")
    run = Dict().tag(sync=True)
    position: List[Any] = List().tag(sync=True)
    pending = Dict().tag(sync=True)
    failed = Dict().tag(sync=True)
    talk = Dict().tag(sync=True)
    output: List[Any] = List().tag(sync=True)
    timeline = Bytes().tag(sync=True)
    """The run's timeline as ``widgets.packing`` packs it; empty while there is none."""
    fallback = Unicode().tag(sync=True)
    """CSS class of the readable output that stands for this view where it cannot live."""


class RunsView(LiveWidget):
    """A list of runs."""

    _esm = assets.module("runs-view.js")
    rows: List[Any] = List().tag(sync=True)
    note = Unicode().tag(sync=True)
    fallback = Unicode().tag(sync=True)
