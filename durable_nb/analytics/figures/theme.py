"""Colours and axes that are readable on a light and on a dark page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

TEXT = "#7b7b7b"
"""Of titles, ticks and legends: 4.2 : 1 on white and 4.4 : 1 on #111."""

GRID = "rgba(128,128,128,0.22)"
LINE = "rgba(128,128,128,0.5)"

STATUS = {
    "Completed": "#2a9d5c",
    "Running": "#2f86d6",
    "Failed": "#e0484d",
    "TimedOut": "#d17a14",
    "Terminated": "#9a63d2",
    "Canceled": "#878787",
    "ContinuedAsNew": "#1d9c9c",
}
"""By status of a run; the shape or the words tell the same, never the colour alone."""

PARTS = {"queue": "#d17a14", "run": "#2f86d6", "back-off": "#e0484d", "total": "#2a9d5c"}
KINDS = {
    "Activity": "#2f86d6",
    "Timer": "#1d9c9c",
    "Signal": "#9a63d2",
    "Update": "#9a63d2",
    "Child": "#2a9d5c",
    "Child start": "#2a9d5c",
    "Child end": "#2a9d5c",
    "Workflow task": "#d17a14",
}
OTHER = "#878787"
SERIES = ("#2f86d6", "#d17a14", "#2a9d5c", "#9a63d2", "#e0484d", "#1d9c9c", "#b0873a", "#878787")

ROW = 26
"""Pixels of one bar of a list."""


def figure(title: str, *, height: int = 380, **layout: Any) -> go.Figure:
    """An empty figure in this style."""
    import plotly.graph_objects as go  # noqa: PLC0415 - only for those who look

    axis = {
        "gridcolor": GRID,
        "linecolor": LINE,
        "zerolinecolor": LINE,
        "tickfont": {"color": TEXT},
        "title": {"font": {"color": TEXT, "size": 12}},
        "automargin": True,
        "zeroline": False,
    }
    drawn = go.Figure()
    drawn.update_layout(
        template="none",
        title={
            "text": shown(title, 120),
            "font": {"color": TEXT, "size": 15},
            "x": 0.01,
            "xanchor": "left",
            "y": 1,
            "yanchor": "top",
            "yref": "container",
            "pad": {"t": 14},
        },
        font={"color": TEXT, "size": 12},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        height=height,
        margin={"l": 10, "r": 20, "t": 64, "b": 40},
        legend={
            "orientation": "h",
            "y": 1.0,
            "yanchor": "bottom",
            "x": 0,
            "font": {"color": TEXT},
            "traceorder": "normal",
        },
        hoverlabel={"bgcolor": "#333333", "bordercolor": "#555555", "font": {"color": "#f5f5f5"}, "align": "left"},
        xaxis=axis,
        yaxis=axis,
        bargap=0.25,
    )
    drawn.update_layout(**layout)
    return drawn


def second_axis(drawn: go.Figure, name: str, title: str, **more: Any) -> None:
    """Another axis (``xaxis2``, ``yaxis2``) in the same style."""
    axis = drawn.layout[name.rstrip("2")].to_plotly_json()
    axis["title"] = {**axis["title"], "text": title}
    drawn.update_layout({name: {**axis, **more}})


def add_texts(drawn: go.Figure, y: Any, x: Any, texts: list[str], position: Any = "middle right", **font: Any) -> None:
    """Texts at these places, small, beside what is drawn there."""
    drawn.add_scatter(
        y=y,
        x=x,
        mode="text",
        text=texts,
        textposition=position,
        textfont={"size": 11, **font},
        showlegend=False,
        hoverinfo="skip",
        cliponaxis=False,
    )


def shown(value: Any, limit: int = 60) -> str:
    """A text from a store for plotly, which reads markup: escaped and cut."""
    from durable_nb.model.text import safe_text  # noqa: PLC0415 - beside its only use

    text = safe_text(value, limit)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def is_number(value: Any) -> bool:
    """Whether a cell of a frame holds a number: neither None nor NaN nor NA."""
    return isinstance(value, int | float) and not math.isnan(value)


def list_height(rows: int, least: int = 3) -> int:
    """Pixels of a figure with so many horizontal bars."""
    return 120 + ROW * max(rows, least)


def nothing(title: str) -> go.Figure:
    """What is drawn where nothing was found."""
    drawn = figure(title, height=180)
    drawn.add_annotation(
        text="nothing found",
        showarrow=False,
        font={"color": TEXT, "size": 14},
        x=0.5,
        y=0.5,
        xref="paper",
        yref="paper",
    )
    drawn.update_xaxes(visible=False)
    drawn.update_yaxes(visible=False)
    return drawn


SECOND_TICKS = (
    (1e-6, "1 µs"),
    (1e-5, "10 µs"),
    (1e-4, "100 µs"),
    (1e-3, "1 ms"),
    (1e-2, "10 ms"),
    (0.1, "100 ms"),
    (1, "1 s"),
    (10, "10 s"),
    (60, "1 min"),
    (600, "10 min"),
    (3600, "1 h"),
    (36_000, "10 h"),
    (86_400, "1 d"),
    (864_000, "10 d"),
)


def as_list(drawn: go.Figure) -> go.Figure:
    """For horizontal bars with names: no lines through the texts beside them."""
    return drawn.update_yaxes(showgrid=False, type="category")


def seconds_axis(drawn: go.Figure, values: list[float], **where: Any) -> None:
    """A logarithmic axis of seconds with round times as ticks; for values that are all positive."""
    low, high = min(values), max(values)
    first = math.log10(low) - 0.15
    last = math.log10(high) + 0.25
    ticks = [(at, text) for at, text in SECOND_TICKS if first <= math.log10(at) <= last]
    drawn.update_xaxes(
        type="log",
        range=[first, last],
        tickvals=[at for at, _ in ticks],
        ticktext=[text for _, text in ticks],
        **where,
    )


def linear_seconds(values: list[float]) -> tuple[float, str]:
    """Divisor and name of the unit in which a linear axis of seconds reads best."""
    high = max(values, default=0.0)
    for size, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if high >= 2 * size:
            return size, name
    return (1.0, "seconds") if high >= 0.5 else (0.001, "milliseconds")
