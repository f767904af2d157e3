"""Critical paths: of one run as a staircase in time, of a type as shares of all time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durable_nb.analytics.figures.theme import (
    KINDS,
    OTHER,
    PARTS,
    TEXT,
    add_texts,
    as_list,
    figure,
    is_number,
    linear_seconds,
    list_height,
    nothing,
    shown,
)
from durable_nb.analytics.statistics.tables import seconds_text

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

MOST_STEPS = 60


def of_run(frame: pd.DataFrame, title: str) -> go.Figure:
    """Every step from its beginning to its end; the longest ones where there are too many."""
    found = frame[frame["duration_s"] > 0]
    left_out = len(found) - MOST_STEPS
    if left_out > 0:
        found = found.nlargest(MOST_STEPS, "duration_s").sort_values("step")
        title = f"{title}: the {MOST_STEPS} longest steps of {len(frame):,}"
    if not len(found):
        return nothing(title)
    origin = frame["began_at"].min()
    total = float((frame["ended_at"].max() - origin).total_seconds())
    size, unit = linear_seconds([total])
    drawn = figure(title, height=list_height(len(found)), barmode="overlay")
    labels = [
        f"{int(step)}  {'› ' * int(level)}{_label(kind, name)}"
        for step, level, kind, name in zip(found["step"], found["level"], found["kind"], found["name"], strict=True)
    ]
    begins = [(at - origin).total_seconds() / size for at in found["began_at"]]
    for kind in dict.fromkeys(found["kind"]):
        chosen = [i for i, each in enumerate(found["kind"]) if each == kind]
        drawn.add_bar(
            y=[labels[i] for i in chosen],
            base=[begins[i] for i in chosen],
            x=[max(float(found["duration_s"].iloc[i]), total / 500) / size for i in chosen],
            orientation="h",
            name=kind,
            marker_color=KINDS.get(kind, OTHER),
            customdata=[_about(found.iloc[i].to_dict()) for i in chosen],
            hovertemplate="%{customdata}<extra></extra>",
        )
    lengths = [float(s) / size for s in found["duration_s"]]
    places = [_place(begin, length, total / size) for begin, length in zip(begins, lengths, strict=True)]
    texts = [f" {seconds_text(s)}, {share:.0%} " for s, share in zip(found["duration_s"], found["share"], strict=True)]
    ats, positions, colors = zip(*places, strict=True)
    add_texts(drawn, labels, ats, texts, positions, color=colors)
    drawn.update_yaxes(autorange="reversed", categoryorder="array", categoryarray=labels, showgrid=False)
    drawn.update_xaxes(title_text=f"{unit} since the start", range=[-0.02 * total / size, 1.04 * total / size])
    return drawn


def _place(begin: float, length: float, total: float) -> tuple[float, str, str]:
    """Where the text of a bar stands, and its colour: in a long bar, else on the side that has room."""
    if length > 0.3 * total:
        return begin, "middle right", "#ffffff"
    if begin + length > 0.75 * total:
        return begin, "middle left", TEXT
    return begin + length, "middle right", TEXT


def of_type(frame: pd.DataFrame, title: str) -> go.Figure:
    """Mean time per run of each step on the paths; activities split into queue, run and back-off."""
    found = frame[frame["mean_s"] > 0].head(25).iloc[::-1]
    if not len(found):
        return nothing(title)
    labels = [_label(kind, name) for kind, name in zip(found["kind"], found["name"], strict=True)]
    if len(set(frame["workflow_type"])) > 1:
        labels = [f"{shown(of, 24)}: {label}" for of, label in zip(found["workflow_type"], labels, strict=True)]
    size, unit = linear_seconds(found["mean_s"].tolist())
    drawn = figure(title, height=list_height(len(found)), barmode="stack")
    split = {
        part: found[f"mean_{column}_s"].fillna(0.0)
        for part, column in (("queue", "queue"), ("run", "run"), ("back-off", "backoff"))
    }
    is_activity = found["kind"] == "Activity"
    for part, values in split.items():
        drawn.add_bar(
            y=labels,
            x=values.where(is_activity, 0.0) / size,
            orientation="h",
            name=f"activity: {part}",
            marker_color=PARTS[part],
            customdata=[seconds_text(v) for v in values],
            hovertemplate=f"%{{y}}<br>{part}: %{{customdata}} per run<extra></extra>",
        )
    known = sum(split.values()).where(is_activity, 0.0)
    rest = (found["mean_s"] - known).clip(lower=0.0)
    drawn.add_bar(
        y=labels,
        x=rest / size,
        orientation="h",
        name="other waiting",
        marker_color=OTHER,
        customdata=[seconds_text(v) for v in rest],
        hovertemplate="%{y}<br>%{customdata} per run<extra></extra>",
    )
    texts = [f"  {seconds_text(s)}, {share:.0%}" for s, share in zip(found["mean_s"], found["share"], strict=True)]
    add_texts(drawn, labels, found["mean_s"] / size, texts)
    drawn.update_xaxes(title_text=f"{unit} per run", range=[0, float(found["mean_s"].max()) / size * 1.25])
    return as_list(drawn)


def _label(kind: str, name: Any) -> str:
    return f"{kind.lower()} {shown(name, 36)}" if name and kind != name.capitalize() else kind.lower()


def _about(row: dict[str, Any]) -> str:
    lines = [_label(row["kind"], row["name"]), f"of {shown(row['workflow_type'])} {shown(row['workflow_id'])}"]
    lines.append(f"{seconds_text(row['duration_s'])}, {row['share']:.1%} of the run")
    for part in ("queue", "run", "backoff"):
        value = row[f"{part}_s"]
        if is_number(value):
            lines.append(f"{'back-off' if part == 'backoff' else part}: {seconds_text(value)}")
    return "<br>".join(lines)
