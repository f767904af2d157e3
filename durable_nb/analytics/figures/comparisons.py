"""Two definitions side by side: by how much each metric changed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from durable_nb.analytics.figures.theme import OTHER, STATUS, add_texts, figure, list_height, nothing, shown

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

MOST = 40
CAP = 4.0
"""Factors beyond this are drawn as this; their text tells the truth."""

_MORE_IS_BETTER = {"success rate"}
_NEUTRAL = {"runs", "events per run", "activities per run", "per run"}


def definitions(frame: pd.DataFrame, title: str) -> go.Figure:
    """Factor from before to after on a logarithmic axis: right of 1 is more, left is less."""
    found = frame[(frame["before"] > 0) & (frame["after"] > 0) & (frame["metric"] != "runs")].head(MOST).iloc[::-1]
    if not len(found):
        return nothing(title)
    labels = [
        f"{shown(subject, 30)}: {metric}" for subject, metric in zip(found["subject"], found["metric"], strict=True)
    ]
    ratios = [float(ratio) for ratio in found["ratio"]]
    logs = [max(-math.log2(CAP), min(math.log2(CAP), math.log2(ratio))) for ratio in ratios]
    drawn = figure(title, height=list_height(len(found)), barmode="overlay", showlegend=True)
    kinds = [_kind(metric, ratio) for metric, ratio in zip(found["metric"], ratios, strict=True)]
    for kind, color in (("better", STATUS["Completed"]), ("worse", STATUS["Failed"]), ("neither", OTHER)):
        chosen = [i for i, each in enumerate(kinds) if each == kind]
        if chosen:
            drawn.add_bar(
                y=[labels[i] for i in chosen],
                x=[logs[i] for i in chosen],
                orientation="h",
                name=kind,
                marker_color=color,
                customdata=[
                    [_value(found["before"].iloc[i]), _value(found["after"].iloc[i]), f"{ratios[i]:.2f}"]
                    for i in chosen
                ],
                hovertemplate="%{y}<br>%{customdata[0]} → %{customdata[1]} (× %{customdata[2]})<extra></extra>",
            )
    texts = [f" {_value(b)} → {_value(a)} " for b, a in zip(found["before"], found["after"], strict=True)]
    add_texts(drawn, labels, logs, texts, ["middle right" if value >= 0 else "middle left" for value in logs])
    edge = math.log2(CAP) * 1.6
    drawn.update_xaxes(
        range=[-edge, edge], tickvals=[-2, -1, 0, 1, 2], ticktext=["× ¼", "× ½", "same", "× 2", "× 4"], zeroline=True
    )
    drawn.update_yaxes(categoryorder="array", categoryarray=labels, showgrid=False)
    return drawn


def _kind(metric: str, ratio: float) -> str:
    if metric in _NEUTRAL or abs(ratio - 1) < 0.02:
        return "neither"
    return "better" if (ratio > 1) == (metric in _MORE_IS_BETTER) else "worse"


def _value(value: Any) -> str:
    number = float(value)
    if number >= 1000:
        return f"{number:,.0f}"
    return f"{number:.3g}"
