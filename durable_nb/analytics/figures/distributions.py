"""Latency as quantiles and as histograms, one row for each of queue, run, back-off and total; attempts as shares."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from durable_nb.analytics.figures.theme import (
    OTHER,
    PARTS,
    SERIES,
    add_texts,
    as_list,
    figure,
    is_number,
    list_height,
    nothing,
    seconds_axis,
    shown,
)
from durable_nb.analytics.statistics.tables import heading, seconds_text

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

MOST_TYPES = 14
MOST_BARS = 30


def latency(frame: pd.DataFrame, title: str) -> go.Figure:
    """A line from the lowest to the highest quantile of each part, with a mark at every quantile that is not zero."""
    group = frame.columns[0]
    frame = _named(frame, group)
    kinds = list(dict.fromkeys(frame[group]))[:MOST_TYPES]
    found = frame[frame[group].isin(kinds)]
    quantiles = [name for name in frame.columns if name.startswith("p") and name.endswith("_s")]
    values = [value for name in quantiles for value in found[name].tolist() if is_number(value) and value > 0]
    if not values:
        return nothing(title)
    parts = [part for part in PARTS if part in set(found["part"])]
    places = _places(kinds, parts)
    drawn = _rows_figure(title, places)
    for part in parts:
        _add_part(drawn, found[found["part"] == part], group, part, quantiles, places)
    seconds_axis(drawn, values)
    return drawn


def _named(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The frame with a name for what has none: an event that cannot be read names no type."""
    return frame.assign(**{column: frame[column].fillna("(unknown)")})


Places = dict[tuple[str, str], float]
"""Where the row of a type and part is drawn."""


def _places(kinds: list[str], parts: list[str]) -> Places:
    """The types from top to bottom, within each its parts; a gap between types."""
    places: Places = {}
    at = 0.0
    for kind in kinds:
        for part in parts:
            places[kind, part] = at
            at -= 1.0
        at -= 0.7
    return places


def _rows_figure(title: str, places: Places) -> go.Figure:
    """An empty figure with these rows, named by their types."""
    rows: dict[str, list[float]] = {}
    for (kind, _), at in places.items():
        rows.setdefault(kind, []).append(at)
    least = min(places.values())
    drawn = figure(title, height=150 + int(14 * -least))
    drawn.update_yaxes(
        tickvals=[sum(ats) / len(ats) for ats in rows.values()],
        ticktext=[shown(kind, 40) for kind in rows],
        range=[least - 1.3, 0.9],
        showgrid=False,
    )
    return drawn


def _add_part(
    drawn: go.Figure,
    rows: pd.DataFrame,
    group: str,
    part: str,
    quantiles: list[str],
    places: Places,
) -> None:
    color = PARTS[part]
    x: list[float | None] = []
    y: list[float | None] = []
    for row in rows.to_dict("records"):
        place = places[row[group], part]
        positive = [row[name] for name in quantiles if row[name] > 0]
        x += [*positive, None]
        y += [*[place] * len(positive), None]
    drawn.add_scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": color, "width": 3},
        opacity=0.55,
        legendgroup=part,
        showlegend=False,
        hoverinfo="skip",
    )
    symbols = ["circle", *["line-ns-open"] * (len(quantiles) - 2), "diamond"][: len(quantiles)]
    for number, (name, symbol) in enumerate(zip(quantiles, symbols, strict=True)):
        shown_rows = rows[rows[name] > 0]
        first = number == 0
        drawn.add_scatter(
            x=shown_rows[name],
            y=[places[kind, part] for kind in shown_rows[group]],
            mode="markers",
            name=part,
            legendgroup=part,
            showlegend=False,
            marker={"color": color, "size": 10 if first else 8, "symbol": symbol, "line": {"width": 2, "color": color}},
            customdata=[
                [shown(kind, 40), heading(name), seconds_text(value), f"{n:,}"]
                for kind, value, n in zip(shown_rows[group], shown_rows[name], shown_rows["n"], strict=True)
            ],
            hovertemplate="%{customdata[0]}, "
            + part
            + "<br>%{customdata[1]}: %{customdata[2]}<br>n %{customdata[3]}<extra></extra>",
        )
    drawn.add_scatter(
        x=[None],
        y=[None],
        mode="lines+markers",
        name=f"{part} ({heading(quantiles[0])} to {heading(quantiles[-1])})",
        legendgroup=part,
        marker={"color": color, "size": 9},
        line={"color": color, "width": 3},
    )


def latency_distribution(frame: pd.DataFrame, title: str) -> go.Figure:
    """A row of bars for each part of each type: the more of it took that long, the fuller the colour."""
    group = frame.columns[0]
    frame = _named(frame, group)
    kinds = list(dict.fromkeys(frame[group]))[:MOST_TYPES]
    found = frame[frame[group].isin(kinds)]
    if not (found["from_s"] > 0).any():
        return nothing(title)
    parts = [part for part in PARTS if part in set(found["part"])]
    places = _places(kinds, parts)
    drawn = _rows_figure(title, places)
    drawn.update_layout(barmode="overlay")
    # What took no time stands left of all that took some: a logarithmic axis has no zero.
    none_at = float(found.loc[found["from_s"] > 0, "from_s"].min()) / 4
    for part in parts:
        rows = found[found["part"] == part]
        begins = rows["from_s"].where(rows["from_s"] > 0, none_at)
        ends = rows["to_s"].where(rows["from_s"] > 0, none_at * 2)
        fullest = rows.groupby(group)["share"].transform("max")
        drawn.add_bar(
            y=[places[kind, part] for kind in rows[group]],
            base=begins,
            x=ends - begins,
            width=0.9,
            orientation="h",
            name=part,
            marker={"color": PARTS[part], "opacity": (0.12 + 0.88 * rows["share"] / fullest).tolist()},
            customdata=[
                [shown(kind, 40), _stretch(low, high), f"{n:,}", f"{share:.1%}"]
                for kind, low, high, n, share in zip(
                    rows[group], rows["from_s"], rows["to_s"], rows["n"], rows["share"], strict=True
                )
            ],
            hovertemplate="%{customdata[0]}, "
            + part
            + "<br>%{customdata[1]}<br>%{customdata[2]} (%{customdata[3]})<extra></extra>",
        )
    positive = found[found["from_s"] > 0]
    seconds_axis(drawn, [*positive["from_s"].tolist(), *positive["to_s"].tolist()])
    if len(positive) < len(found):
        axis = drawn.layout.xaxis
        drawn.update_xaxes(
            range=[math.log10(none_at) - 0.1, axis.range[1]],
            tickvals=[none_at * 2**0.5, *axis.tickvals],
            ticktext=["none", *axis.ticktext],
        )
    return drawn


def _stretch(low: float, high: float) -> str:
    return f"{seconds_text(low)} to {seconds_text(high)}" if low > 0 else "no time at all"


_TRIES = (
    ("none", 0, 0, OTHER),
    ("1 attempt", 1, 1, SERIES[2]),
    ("2", 2, 2, SERIES[0]),
    ("3", 3, 3, SERIES[3]),
    ("4 to 9", 4, 9, SERIES[1]),
    ("10 and more", 10, math.inf, SERIES[4]),
)
"""Name, fewest and most attempts, and colour of the parts of a bar."""


def retry_distribution(frame: pd.DataFrame, title: str) -> go.Figure:
    """A bar for each type, divided by how many attempts its activities needed; most retries at the top."""
    if not len(frame):
        return nothing(title)
    frame = _named(frame, "activity_type")
    again = frame[frame["attempts"] > 1].groupby("activity_type")["share"].sum()
    kinds = sorted(set(frame["activity_type"]), key=lambda kind: (again.get(kind, 0.0), kind))[-MOST_BARS:]
    drawn = figure(title, height=list_height(len(kinds)), barmode="stack")
    for name, least, most, color in _TRIES:
        rows = frame[frame["attempts"].between(least, most)].groupby("activity_type")[["activities", "share"]].sum()
        if not len(rows):
            continue
        found = rows.reindex(kinds, fill_value=0)
        drawn.add_bar(
            y=[shown(kind, 40) for kind in kinds],
            x=found["share"],
            orientation="h",
            name=name,
            marker_color=color,
            customdata=found["activities"],
            hovertemplate=f"%{{y}}<br>{name}: %{{customdata:,}} activities (%{{x:.1%}})<extra></extra>",
        )
    most_tried = frame.groupby("activity_type")["attempts"].max()
    names = [shown(kind, 40) for kind in kinds]
    add_texts(drawn, names, [1.0] * len(kinds), [f"  at most {most_tried[kind]:,}" for kind in kinds])
    drawn.update_xaxes(range=[0, 1.15], tickformat=".0%", tickvals=[0, 0.25, 0.5, 0.75, 1], title_text="of activities")
    return as_list(drawn)
