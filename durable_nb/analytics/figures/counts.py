"""Bars: success rates, failing and slow activities, time lost, cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durable_nb.analytics.figures.theme import (
    PARTS,
    SERIES,
    STATUS,
    add_texts,
    as_list,
    figure,
    is_number,
    linear_seconds,
    list_height,
    nothing,
    second_axis,
    seconds_axis,
    shown,
)
from durable_nb.analytics.statistics.tables import seconds_text

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

MOST = 30
"""Bars of a list."""

_COUNTS = {
    "completed": "Completed",
    "failed": "Failed",
    "timed_out": "TimedOut",
    "terminated": "Terminated",
    "canceled": "Canceled",
    "continued": "ContinuedAsNew",
    "running": "Running",
}


def success_rate(frame: pd.DataFrame, title: str) -> go.Figure:
    """Left what became of the runs, right the rate with its interval."""
    if not len(frame):
        return nothing(title)
    found = frame.head(MOST).iloc[::-1]
    names = [_label(value) for value in found.iloc[:, 0]]
    drawn = figure(title, height=list_height(len(found)) + 50, barmode="stack")
    drawn.update_layout(margin={"t": 92})  # The legend takes two lines.
    for column, status in _COUNTS.items():
        if found[column].sum():
            drawn.add_bar(
                y=names,
                x=found[column] / found["runs"],
                orientation="h",
                name=_words(status),
                marker_color=STATUS[status],
                customdata=found[column],
                hovertemplate="%{y}<br>" + _words(status) + ": %{customdata:,} (%{x:.1%})<extra></extra>",
            )
    rates = found["success_rate"].astype("float64")
    drawn.add_scatter(
        y=names,
        x=rates,
        mode="markers+text",
        xaxis="x2",
        name="success rate",
        showlegend=False,
        marker={"color": STATUS["Completed"], "size": 9, "line": {"color": "rgba(128,128,128,.8)", "width": 1}},
        error_x={
            "type": "data",
            "symmetric": False,
            "color": STATUS["Canceled"],
            "thickness": 1.5,
            "array": found["high_rate"] - rates,
            "arrayminus": rates - found["low_rate"],
        },
        text=[f"{rate:.1%}" if is_number(rate) else "" for rate in rates],
        textposition="top center",
        textfont={"size": 11},
        cliponaxis=False,
        hovertemplate="%{y}<br>success rate %{x:.2%}<extra></extra>",
    )
    low = float(found["low_rate"].min()) if found["low_rate"].notna().any() else 0.0
    second_axis(
        drawn,
        "xaxis2",
        "success rate, 95 % interval",
        domain=[0.66, 1],
        tickformat=".0%",
        anchor="y",
        range=[max(0.0, low - 0.05), 1.03],
    )
    drawn.update_layout(
        xaxis={"domain": [0, 0.58], "tickformat": ".0%", "range": [0, 1], "title_text": "share of all runs"}
    )
    return as_list(drawn)


def failing(frame: pd.DataFrame, title: str) -> go.Figure:
    """Failed attempts by activity type, with the rate and the error that most of them met."""
    if not len(frame):
        return nothing(title)
    found = frame.head(MOST).iloc[::-1]
    names = [_label(value) for value in found["activity_type"]]
    timed_out = found["timed_out"]
    lost = found["lost"]
    rest = found["failed_attempts"] - timed_out - lost
    drawn = figure(title, height=list_height(len(found)), barmode="stack")
    _stack(drawn, names, "failed", rest, STATUS["Failed"])
    _stack(drawn, names, "timed out", timed_out, STATUS["TimedOut"])
    _stack(drawn, names, "lost with its process", lost, STATUS["Terminated"])
    texts = [
        f"{rate:.1%} · {shown(kind, 30)}: {shown(message, 50)}"
        for rate, kind, message in zip(
            found["failure_rate"], found["failure_type"], found["failure_message"], strict=True
        )
    ]
    add_texts(drawn, names, found["failed_attempts"], [f"  {text}" for text in texts])
    most = float(found["failed_attempts"].max())
    drawn.update_xaxes(range=[0, most * 1.9], title_text="failed attempts")
    return as_list(drawn)


def slowest(frame: pd.DataFrame, title: str) -> go.Figure:
    """Mean, 95 % quantile and maximum of each type, on a logarithmic axis."""
    found = frame[frame["p95_s"].notna() & (frame["max_s"] > 0)].head(MOST).iloc[::-1]
    if not len(found):
        return nothing(title)
    names = [_label(value) for value in found["activity_type"]]
    drawn = figure(title, height=list_height(len(found)))
    marks = (
        ("mean_s", "mean", "circle", SERIES[0]),
        ("p95_s", "95 % quantile", "diamond", SERIES[1]),
        ("max_s", "slowest", "line-ns-open", SERIES[4]),
    )
    for low, high, name in zip(found[["mean_s", "p95_s"]].min(axis=1), found["max_s"], names, strict=True):
        drawn.add_scatter(
            x=[low, high],
            y=[name, name],
            mode="lines",
            line={"color": "rgba(128,128,128,.5)", "width": 2},
            showlegend=False,
            hoverinfo="skip",
        )
    for column, label, symbol, color in marks:
        drawn.add_scatter(
            x=found[column],
            y=names,
            mode="markers",
            name=label,
            customdata=[seconds_text(v) for v in found[column]],
            marker={"symbol": symbol, "color": color, "size": 11, "line": {"width": 2, "color": color}},
            hovertemplate=f"%{{y}}<br>{label}: %{{customdata}}<extra></extra>",
        )
    positive = [v for column in ("mean_s", "p95_s", "max_s") for v in found[column].tolist() if v > 0]
    seconds_axis(drawn, positive)
    return as_list(drawn)


def time_lost(frame: pd.DataFrame, title: str) -> go.Figure:
    """Seconds lost, stacked by what they were lost to."""
    found = frame[frame["lost_s"] > 0].head(MOST).iloc[::-1]
    if not len(found):
        return nothing(title)
    names = [_label(value) for value in found["activity_type"]]
    size, unit = linear_seconds(found["lost_s"].tolist())
    drawn = figure(title, height=list_height(len(found)), barmode="stack")
    for column, name, color in (
        ("failed_run_s", "running in vain", PARTS["run"]),
        ("backoff_s", "back-off", PARTS["back-off"]),
        ("requeue_s", "waiting for a worker again", PARTS["queue"]),
    ):
        drawn.add_bar(
            y=names,
            x=found[column] / size,
            orientation="h",
            name=name,
            marker_color=color,
            customdata=[seconds_text(v) for v in found[column]],
            hovertemplate=f"%{{y}}<br>{name}: %{{customdata}}<extra></extra>",
        )
    shares = [f"  {share:.1%} of its time" for share in found["lost_share"]]
    _beside(drawn, names, (found["lost_s"] / size).tolist(), shares)
    drawn.update_xaxes(title_text=unit)
    return as_list(drawn)


def cost(frame: pd.DataFrame, title: str) -> go.Figure:
    """Cost by key, the part that failed attempts cost apart."""
    found = frame[frame["cost"] > 0].head(MOST).iloc[::-1]
    if not len(found):
        return nothing(title)
    keys = found.iloc[:, : found.columns.get_loc("price")]
    names = [" / ".join(map(_label, row)) for row in keys.itertuples(index=False)]
    wasted = found["cost_of_failures"].fillna(0.0)
    drawn = figure(title, height=list_height(len(found)), barmode="stack")
    _stack(drawn, names, "completed attempts", found["cost"] - wasted, STATUS["Completed"], digits=".2f")
    _stack(drawn, names, "failed attempts", wasted, STATUS["Failed"], digits=".2f")
    _beside(drawn, names, found["cost"].tolist(), [f"  {value:,.2f}" for value in found["cost"]])
    drawn.update_xaxes(title_text="cost")
    return as_list(drawn)


def _stack(drawn: go.Figure, names: list[str], name: str, values: Any, color: str, digits: str = "") -> None:
    """One part of stacked bars."""
    drawn.add_bar(
        y=names,
        x=values,
        orientation="h",
        name=name,
        marker_color=color,
        hovertemplate=f"%{{y}}<br>{name}: %{{x:,{digits}}}<extra></extra>",
    )


def _beside(drawn: go.Figure, names: list[str], ends: list[float], texts: list[str]) -> None:
    """Texts at the ends of stacked bars."""
    add_texts(drawn, names, ends, texts)
    drawn.update_xaxes(range=[0, max(ends) * 1.3])


def _label(value: Any) -> str:
    if hasattr(value, "strftime"):
        return f"{value:%Y-%m-%d}" if value.hour == 0 else f"{value:%Y-%m-%d %H:%M}"
    return shown("(none)" if value is None else value, 40)


def _words(status: str) -> str:
    return {"TimedOut": "timed out", "ContinuedAsNew": "goes on in another run"}.get(status, status.lower())
