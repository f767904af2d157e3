"""Time axes: throughput with backlog, retry storms, runs as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durable_nb.analytics.figures.theme import (
    GRID,
    OTHER,
    SERIES,
    STATUS,
    TEXT,
    as_list,
    figure,
    is_number,
    list_height,
    nothing,
    second_axis,
    shown,
)
from durable_nb.analytics.statistics.tables import seconds_text

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


def throughput(frame: pd.DataFrame, title: str) -> go.Figure:
    """Above what closed (well, badly, otherwise) and a line of what started; below what was open."""
    if not len(frame):
        return nothing(title)
    drawn = figure(title, height=460, barmode="stack", bargap=0.05)
    rest = frame["closed"] - frame["completed"] - frame["failed"]
    for values, name, color in (
        (frame["completed"], "completed", STATUS["Completed"]),
        (frame["failed"], "failed", STATUS["Failed"]),
        (rest, "cancelled or continued", OTHER),
    ):
        if values.sum():
            drawn.add_bar(
                x=frame["began_at"],
                y=values,
                name=name,
                marker={"color": color, "line": {"width": 0}},
                hovertemplate=f"%{{x|%Y-%m-%d %H:%M}}<br>{name}: %{{y:,}}<extra></extra>",
            )
    drawn.add_scatter(
        x=frame["began_at"],
        y=frame["started"],
        name="started",
        mode="lines",
        line={"color": SERIES[0], "width": 2, "shape": "hvh"},
        hovertemplate="%{x|%Y-%m-%d %H:%M}<br>started: %{y:,}<extra></extra>",
    )
    drawn.add_scatter(
        x=frame["began_at"],
        y=frame["backlog"],
        name="open",
        yaxis="y2",
        mode="lines",
        fill="tozeroy",
        line={"color": SERIES[3], "width": 1.5},
        fillcolor="rgba(154,99,210,0.25)",
        hovertemplate="%{x|%Y-%m-%d %H:%M}<br>open: %{y:,}<extra></extra>",
    )
    second_axis(drawn, "yaxis2", "open at its end", domain=[0, 0.3], anchor="x", rangemode="tozero")
    drawn.update_layout(
        yaxis={"domain": [0.4, 1], "title_text": "per stretch", "rangemode": "tozero"}, xaxis={"anchor": "y2"}
    )
    return drawn


def retry_storms(frame: pd.DataFrame, title: str) -> go.Figure:
    """Each storm as a bar from its beginning to its end, with what failed."""
    if not len(frame):
        return nothing(title)
    kinds = list(dict.fromkeys(frame["activity_type"]))[::-1]
    drawn = figure(title, height=list_height(len(kinds)) + 10 * len(kinds), barmode="overlay")
    worst = float(frame["failures"].max())
    for kind in kinds:
        rows = frame[frame["activity_type"] == kind]
        length = rows["ended_at"] - rows["began_at"]
        drawn.add_bar(
            y=[shown(kind, 40)] * len(rows),
            base=rows["began_at"],
            x=length.dt.total_seconds() * 1000,
            orientation="h",
            showlegend=False,
            marker={
                "color": STATUS["Failed"],
                "opacity": [0.45 + 0.55 * float(n) / worst for n in rows["failures"]],
                "line": {"color": STATUS["Failed"], "width": 1},
            },
            customdata=[
                [
                    f"{began:%Y-%m-%d %H:%M} to {ended:%H:%M}",
                    f"{failures:,} of {attempts:,} attempts failed",
                    f"{runs:,} runs",
                    shown(kind_, 40),
                    shown(message, 80),
                ]
                for began, ended, failures, attempts, runs, kind_, message in zip(
                    rows["began_at"],
                    rows["ended_at"],
                    rows["failures"],
                    rows["attempts"],
                    rows["runs"],
                    rows["failure_type"],
                    rows["failure_message"],
                    strict=True,
                )
            ],
            hovertemplate="%{y}<br>%{customdata[0]}<br>%{customdata[1]}, %{customdata[2]}<br>"
            "%{customdata[3]}: %{customdata[4]}<extra></extra>",
        )
    first, last = frame["began_at"].min(), frame["ended_at"].max()
    room = max((last - first) * 0.06, type(last - first)(hours=1))
    for kind in kinds:
        rows = frame[frame["activity_type"] == kind]
        end = rows["ended_at"].max()
        is_late = end > first + (last - first) * 0.6
        storms = f"{len(rows)} storms, " if len(rows) > 1 else ""
        drawn.add_annotation(
            x=rows["began_at"].min() if is_late else end,
            y=shown(kind, 40),
            text=f"{storms}{rows['failures'].sum():,} failures · {shown(rows['failure_type'].iloc[0], 30)}",
            showarrow=False,
            xanchor="right" if is_late else "left",
            xshift=-8 if is_late else 8,
            font={"size": 11, "color": TEXT},
        )
    drawn.update_xaxes(type="date", range=[first - room, last + room])
    return as_list(drawn)


MOST_RUNS = 200


def runs(frame: pd.DataFrame, title: str) -> go.Figure:
    """Runs as bars, oldest at the top, colour and pattern by status; open ones go on to the right edge."""
    if not len(frame):
        return nothing(title)
    found = frame.head(MOST_RUNS).iloc[::-1].reset_index(drop=True)
    edge = (
        max(found["began_at"].max(), found["ended_at"].max())
        if found["ended_at"].notna().any()
        else found["began_at"].max()
    )
    first = found["began_at"].min()
    edge += max((edge - first) * 0.02, type(edge - first)(seconds=1))
    drawn = figure(title, height=min(120 + 9 * len(found) + 60, 1200), bargap=0.2)
    least = (edge - first) / 400
    patterns = {"Failed": "x", "TimedOut": "/", "Terminated": "\\", "Canceled": "."}
    for status in [name for name in STATUS if name in set(found["status"])]:
        rows = found[found["status"] == status]
        length = (rows["ended_at"].fillna(edge) - rows["began_at"]).clip(lower=least)
        drawn.add_bar(
            y=rows.index,
            base=rows["began_at"],
            x=length.dt.total_seconds() * 1000,
            orientation="h",
            name=status,
            marker={
                "color": STATUS[status],
                "line": {"width": 0},
                "pattern": {
                    "shape": patterns.get(status, ""),
                    "size": 5,
                    "solidity": 0.3,
                    "fillmode": "overlay",
                    "fgcolor": "rgba(255,255,255,0.75)",
                },
            },
            customdata=[_about(row) for row in rows.to_dict("records")],
            hovertemplate="%{customdata}<extra></extra>",
        )
    drawn.update_xaxes(type="date", range=[first - (edge - first) * 0.01, edge])
    drawn.update_yaxes(
        showticklabels=False, autorange="reversed", gridcolor=GRID, showgrid=False, title_text=f"{len(found):,} runs"
    )
    return drawn


def _about(row: dict[str, Any]) -> str:
    lines = [
        f"{shown(row['workflow_type'])} {shown(row['workflow_id'])}",
        f"{row['status']}, begun {row['began_at']:%Y-%m-%d %H:%M:%S}",
    ]
    if is_number(row["duration_s"]):
        lines.append(seconds_text(row["duration_s"]))
    if row["failed_attempts"]:
        lines.append(f"{row['failed_attempts']:,} failed attempts")
    if isinstance(row["failure_message"], str):
        lines.append(shown(row["failure_message"], 80))
    return "<br>".join(lines)
