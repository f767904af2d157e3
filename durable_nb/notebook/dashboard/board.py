"""The widgets of a dashboard, and how they follow the store.

The thread of ``Refresher`` asks the store and sets the widgets' values; these travel to the browser while a cell
blocks. What the user chooses arrives on the kernel's own thread or on one of its subshells; it only sets ``choice`` and
nudges the thread. It stops when it is closed and when the browser shows no view of it any more (the cell was run again,
the output cleared, the page closed), and goes on when one appears.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from durable_nb.notebook.dashboard.cards import (
    cards,
    failing_table,
    fallback_html,
    fallback_text,
    flow_chart,
    latency_table,
    run_label,
    short_title,
    type_label,
)
from durable_nb.notebook.dashboard.picture import Choice, Picture, state_of, take
from durable_nb.notebook.dashboard.refresher import Refresher
from durable_nb.notebook.html import escape, hide_stand_in, inside_widget
from durable_nb.notebook.text import safe_text
from durable_nb.widgets.comms import hear_while_busy

if TYPE_CHECKING:
    from durable_nb.analytics import Explorer
    from durable_nb.notebook.live.fallback import Fallback

WINDOWS: dict[str, timedelta | None] = {
    "15 minutes": timedelta(minutes=15),
    "1 hour": timedelta(hours=1),
    "6 hours": timedelta(hours=6),
    "24 hours": timedelta(days=1),
    "7 days": timedelta(days=7),
    "30 days": timedelta(days=30),
    "everything": None,
}
ALL = "all types"
ORDERS = {"newest runs": "newest", "failed runs": "failed", "open runs": "open"}

LOOKS_WITHOUT_VIEW = 3
"""Looks in a row that find no view in the browser before the thread stops."""

STALE = 15.0
"""Seconds after which a picture is taken anew although nothing happened: its stretch of time has moved."""

LISTED = 16
"""Rows of a table."""


class Dashboard:
    """Shows itself as widgets; as HTML and text where there are none.

    Parameters
    ----------
    explorer
        Of the store that is asked.
    show_run
        Workflow ID and run ID in, HTML of that run out; may take a second, is called on the thread.
    every
        Seconds between two looks.
    stand_in
        Makes the readable output that stands beside the widgets with this model ID.
    """

    def __init__(
        self,
        explorer: Explorer,
        show_run: Callable[[str, str], str],
        choice: Choice,
        *,
        every: float = 2.0,
        look: Callable[[Explorer, Choice], Picture] = take,
        state: Callable[[Explorer], Any] = state_of,
        stand_in: Callable[[str], Fallback] | None = None,
    ) -> None:
        self._explorer = explorer
        self._show_run = show_run
        self._look = look
        self._state_of = state
        self._state: Any = None
        """State of the store and choice that ``picture`` shows."""
        self._looked_at = 0.0
        self._lock = threading.Lock()
        self.choice = choice
        self.picture = look(explorer, choice)
        self._run: tuple[str, str] | None = None
        self._was_seen = False
        self._unseen = 0
        self._filling = False
        self.refresher = Refresher(every, self._refresh, self._tell)
        self._build()
        self._fallback = stand_in(self.root.model_id) if stand_in is not None else None
        if self._fallback is not None:
            self.hiding.value = hide_stand_in(self._fallback.css_class)
        self._fill(self.picture)

    # -- widgets -----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        window = next((name for name, length in WINDOWS.items() if length == self.choice.window), None)
        names = list(WINDOWS)
        if window is None and self.choice.window is not None:
            window = f"{self.choice.window}"
            names.insert(0, window)
        self._windows = {**WINDOWS, str(window): self.choice.window}
        wide = widgets.Layout(width="auto")
        self.window = widgets.Dropdown(options=names, value=window, description="last", layout=wide)
        self.window.style.description_width = "initial"
        self.order = widgets.Dropdown(
            options=list(ORDERS), value=_name_of(self.choice.order), description="show", layout=wide
        )
        self.order.style.description_width = "initial"
        self.paused = widgets.ToggleButton(value=False, description="pause", tooltip="stop refreshing", layout=wide)
        self.status = widgets.HTML()
        self.hiding = widgets.HTML(layout=widgets.Layout(display="none"))
        self.counters = widgets.HTML(layout=widgets.Layout(width="100%"))
        # The chart and the table beside it, or below each other where they find no room.
        rooms = {"throughput": {"flex": "1 1 400px"}, "failing": {"flex": "1 1 560px"}, "latency": {"width": "100%"}}
        self.figures = {name: widgets.HTML(layout=widgets.Layout(**room)) for name, room in rooms.items()}
        # Their names are for screen readers: the lists tell by themselves what they are.
        self.types = widgets.Select(
            options=[ALL], rows=8, description="workflow types", layout=widgets.Layout(width="38%", min_width="260px")
        )
        self.runs = widgets.Select(
            options=[], rows=8, description="runs", layout=widgets.Layout(width="62%", min_width="320px")
        )
        self.detail = widgets.HTML(layout=widgets.Layout(width="100%", overflow="auto"))
        for control in (self.types, self.runs):
            control.style.description_width = "0px"
        pair = widgets.Box(
            [self.figures["throughput"], self.figures["failing"]], layout=widgets.Layout(flex_flow="row wrap")
        )
        self.root = widgets.VBox(
            [
                widgets.HBox([self.window, self.order, self.paused, self.status]),
                self.counters,
                pair,
                widgets.HBox([self.types, self.runs], layout=widgets.Layout(width="100%")),
                self.detail,
                self.figures["latency"],
                self.hiding,
            ],
            layout=widgets.Layout(width="100%"),
        )
        # Asks the browser to count its views.
        self.root._view_count = 0
        for control, heard in (
            (self.window, self._choose_window),
            (self.order, self._choose_order),
            (self.types, self._choose_type),
            (self.runs, self._choose_run),
            (self.paused, self._pause),
        ):
            control.observe(heard, "value")
            hear_while_busy(control)
        self.root.observe(self._count_views, "_view_count")
        hear_while_busy(self.root)

    # -- what the user does ------------------------------------------------------------------------------------------

    def _choose_window(self, change: Any) -> None:
        self._choose(window=self._windows[change["new"]])

    def _choose_order(self, change: Any) -> None:
        self._choose(order=ORDERS[change["new"]])

    def _choose_type(self, change: Any) -> None:
        if not self._filling and change["new"] is not None:
            self._choose(workflow_type="" if change["new"] == ALL else change["new"])

    def _choose(self, **what: Any) -> None:
        self.choice = replace(self.choice, **what)
        self._wake()

    def _choose_run(self, change: Any) -> None:
        if not self._filling and change["new"] is not None:
            self._run = change["new"]
            self._wake()

    def _pause(self, change: Any) -> None:
        if change["new"]:
            self.refresher.stop()
            self._say("paused")
        else:
            self._wake()

    def _count_views(self, change: Any) -> None:
        if change["new"]:
            self._was_seen, self._unseen = True, 0
            if not self.paused.value:
                self.refresher.start()

    def _wake(self) -> None:
        """Look at once; a choice also ends a pause."""
        if self.paused.value:
            self.paused.value = False
        self.refresher.start()
        self.refresher.nudge()

    def close(self) -> None:
        """Stop refreshing and take the widgets away."""
        self.refresher.stop()
        self.root.close()

    # -- the thread --------------------------------------------------------------------------------------------------

    def _refresh(self) -> bool:
        """One look; False when nobody looks any more."""
        if not self._is_seen():
            self._say("not shown any more, and not refreshed")
            return False
        state = (self._state_of(self._explorer), self.choice, self._run)
        if state == self._state and time.monotonic() - self._looked_at < STALE:
            return True
        picture = self._look(self._explorer, self.choice)
        if picture.choice != self.choice:
            self.refresher.nudge()  # The user chose something else meanwhile.
            return True
        self.picture = picture
        self._fill(picture)
        if self._run is not None:
            _set(self.detail, "value", inside_widget(self._show_run(*self._run)))
        self._state, self._looked_at = state, time.monotonic()
        if self._fallback is not None and self._fallback.is_due():
            self._fallback.put(fallback_html(picture), fallback_text(picture), update=True)
        return True

    def _is_seen(self) -> bool:
        """Whether the browser shows it, as far as is known: a busy cell may keep the news from the kernel."""
        if self.root.comm is None:
            return False
        if not self._was_seen or self.root._view_count:
            self._unseen = 0
            return True
        self._unseen += 1
        return self._unseen < LOOKS_WITHOUT_VIEW

    def _tell(self, error: Exception) -> None:
        self._say(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")

    def _say(self, text: str) -> None:
        self.status.value = f'<span style="opacity:.75">{escape(safe_text(text, 200))}</span>'

    # -- filling -----------------------------------------------------------------------------------------------------

    def _fill(self, picture: Picture) -> None:
        with self._lock:
            self._filling = True
            try:
                self._fill_widgets(picture)
            finally:
                self._filling = False

    def _fill_widgets(self, picture: Picture) -> None:
        _set(self.counters, "value", inside_widget(cards(picture)))
        figures = {
            "throughput": flow_chart(short_title(picture.throughput), picture.throughput.frame),
            "failing": failing_table(picture.failing, LISTED),
            "latency": latency_table(picture.latency, LISTED),
        }
        for name, drawn in figures.items():
            _set(self.figures[name], "value", inside_widget(drawn))
        chosen_type = picture.choice.workflow_type or ALL
        rows = picture.types.to_dict("records")
        options = [(ALL, ALL), *((type_label(row), row["workflow_type"]) for row in rows)]
        if chosen_type not in {value for _, value in options}:
            options.append((safe_text(chosen_type, 40), chosen_type))
        _set_options(self.types, options, chosen_type)
        runs = [(run_label(row), (row["workflow_id"], row["run_id"])) for row in picture.runs.to_dict("records")]
        _set_options(self.runs, runs, self._run if self._run in {value for _, value in runs} else None)
        self._say(f"as of {picture.taken_at:%H:%M:%S} UTC")

    # -- showing -----------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return fallback_text(self.picture)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        """Widgets for who can show them, a table and text for who cannot; looking begins here."""
        readable = {"text/html": fallback_html(self.picture), "text/plain": fallback_text(self.picture)}
        if self._fallback is not None:
            # Front ends choose one form of an output and never fall back: the readable one is an output of its own.
            self._fallback.put(readable["text/html"], readable["text/plain"])
            readable = {"text/plain": "dashboard of workflow runs, drawn where widgets live"}
        self.refresher.start()
        shown = self.root._repr_mimebundle_() or {}
        data, *rest = shown if isinstance(shown, tuple) else (shown,)
        bundle = {**data, **readable}
        return (bundle, *rest) if rest else bundle


def _name_of(order: str) -> str:
    return next(name for name, value in ORDERS.items() if value == order)


def _set(widget: Any, name: str, value: Any) -> None:
    """Set a trait, if it changes: what stays the same needs no message."""
    if getattr(widget, name) != value:
        setattr(widget, name, value)


def _set_options(select: Any, options: list[tuple[str, Any]], value: Any) -> None:
    """Options and choice together, so that the browser never sees one without the other."""
    if list(select.options) == options and select.value == value:
        return
    with select.hold_sync():
        if list(select.options) != options:
            select.options = options
        select.value = value
