"""Counters and lists of a dashboard as HTML: inline styles, readable in light and dark, everything escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from durable_nb.analytics.figures.theme import OTHER, STATUS
from durable_nb.analytics.statistics.tables import html_table, seconds_text, text_table
from durable_nb.notebook.blocks import Table
from durable_nb.notebook.html import render_html
from durable_nb.notebook.text import safe_text

if TYPE_CHECKING:
    import pandas as pd

    from durable_nb.analytics.statistics import Statistic
    from durable_nb.notebook.dashboard.picture import Picture

_MARKS = {
    "Running": "▶", "Completed": "✓", "Failed": "✗", "TimedOut": "⧖", "Terminated": "■", "Canceled": "⊘",
    "ContinuedAsNew": "↻",
}  # fmt: skip


def counts(picture: Picture) -> list[tuple[str, str, str]]:
    """Each counter: its word, its number and a colour that only underlines."""
    counters = picture.counters
    found = [
        ("running", counters["running"], STATUS["Running"]),
        ("completed", counters["completed"], STATUS["Completed"]),
        ("failed", counters["failed"], STATUS["Failed"]),
        ("canceled", counters["canceled"], OTHER),
        ("activities running", counters["started"], STATUS["Running"]),
        ("waiting for a worker", counters["waiting"], STATUS["TimedOut"]),
        ("backing off", counters["backing_off"], STATUS["Failed"]),
        ("runs with failing code", counters["stuck"], STATUS["Failed"]),
    ]
    shown = [(name, f"{count:,}", color if count else OTHER) for name, count, color in found]
    return [*shown, ("closed per minute", f"{picture.per_minute:,.1f}", OTHER)]


def cards(picture: Picture) -> str:
    """The counters as cards."""
    parts = "".join(_card(*each) for each in counts(picture))
    return f'<div style="display:flex;flex-wrap:wrap;gap:8px" role="group" aria-label="counters">{parts}</div>'


def _card(name: str, value: str, color: str) -> str:
    return (
        f'<div style="border-left:4px solid {color};padding:2px 14px 4px 10px;min-width:76px;line-height:1.25;'
        'background:rgba(128,128,128,.1);border-radius:3px">'
        f'<div style="font-size:20px;font-weight:600">{escape(value)}</div>'
        f'<div style="font-size:12px;opacity:.8;white-space:nowrap">{escape(name)}</div></div>'
    )


CHART_PIXELS = 120
MOST_BARS = 120


def flow_chart(title: str, frame: pd.DataFrame) -> str:
    """Throughput as bars of plain HTML, which cost neither kernel nor browser much at every refresh."""
    head = f'<div style="font-weight:600;margin:4px 0">{escape(title)}</div>'
    rows = frame.tail(MOST_BARS).to_dict("records")
    most = max((row["closed"] for row in rows), default=0)
    if not most:
        return f"{head}<div>nothing closed</div>"
    bars = "".join(_bar(row, most) for row in rows)
    first, last = rows[0]["began_at"], rows[-1]["began_at"]
    return (
        f'{head}<div role="img" aria-label="runs closed over time, at most {most:,}" style="display:flex;'
        f"align-items:flex-end;gap:1px;height:{CHART_PIXELS}px;"
        f'border-bottom:1px solid rgba(128,128,128,.5)">{bars}</div>'
        '<div style="display:flex;justify-content:space-between;font-size:12px;opacity:.8">'
        f"<span>{first:%Y-%m-%d %H:%M}</span><span>at most {most:,}; {rows[-1]['backlog']:,} open at the end</span>"
        f"<span>{last:%Y-%m-%d %H:%M}</span></div>"
    )


def _bar(row: dict[str, Any], most: int) -> str:
    rest = row["closed"] - row["completed"] - row["failed"]
    said = (
        f"{row['began_at']:%Y-%m-%d %H:%M}: {row['started']:,} started, {row['completed']:,} completed, "
        f"{row['failed']:,} failed, {row['backlog']:,} open"
    )
    parts = "".join(
        f'<div style="height:{CHART_PIXELS * int(count) / most:.1f}px;background:{color}"></div>'
        for count, color in ((rest, OTHER), (row["failed"], STATUS["Failed"]), (row["completed"], STATUS["Completed"]))
        if count
    )
    return f'<div title="{escape(said)}" style="flex:1 1 0;min-width:1px">{parts}</div>'


_FAILING = ["activity_type", "gave_up", "failed_attempts", "failure_rate", "failure_type"]
_LATENCY = [("queue", "p50"), ("queue", "p99"), ("run", "p50"), ("run", "p99"), ("back-off", "p99"), ("total", "p99")]


def short_title(statistic: Statistic) -> str:
    """Its title without the stretch of time, which stands above all of them."""
    return safe_text(statistic.title.partition(" (")[0])


def failing_table(statistic: Statistic, limit: int) -> str:
    """The columns of failing activities that find room beside a chart."""
    return html_table(short_title(statistic), statistic.frame[_FAILING], limit)


def latency_table(statistic: Statistic, limit: int) -> str:
    """Latency with one row for each type of activity; the statistic itself has one for each part of it."""
    frame = statistic.frame
    group = frame.columns[0]
    rows: dict[Any, dict[str, Any]] = {}
    for found in frame.to_dict("records"):
        row = rows.setdefault(found[group], {group: found[group], "n": found["n"]})
        row |= {f"{part} {quantile}_s": found[f"{quantile}_s"] for part, quantile in _LATENCY if part == found["part"]}
    shown = type(frame)(list(rows.values()), columns=[group, "n", *(f"{part} {each}_s" for part, each in _LATENCY)])
    return html_table(short_title(statistic), shown, limit)


def type_label(row: dict[str, Any]) -> str:
    """A workflow type in the list: its name and what became of its runs."""
    failed = f", {row['failed']:,} failed" if row["failed"] else ""
    return f"{safe_text(row['workflow_type'], 40)}  ({row['running']:,} open of {row['runs']:,}{failed})"


def run_label(row: dict[str, Any]) -> str:
    """A run in the list."""
    parts = [_MARKS.get(row["status"], "?"), f"{row['start_time']:%m-%d %H:%M:%S}", safe_text(row["workflow_id"], 40)]
    if isinstance(row["duration_s"], float) and row["duration_s"] == row["duration_s"]:
        parts.append(seconds_text(row["duration_s"]))
    if isinstance(row["root_failure_message"], str):
        parts.append(safe_text(f"{row['root_failure_type']}: {row['root_failure_message']}", 60))
    return "  ".join(parts)


def fallback_html(picture: Picture) -> str:
    """The picture without widgets: counters and tables."""
    types = picture.types.drop(columns="closed_recently")
    names, numbers, _ = zip(*counts(picture), strict=True)
    parts = [
        # No cards: where a sanitizer takes the styles away, numbers and words would be one column.
        render_html([Table("", list(names), [list(numbers)])]),
        html_table("By workflow type", types, 20),
        html_table(picture.failing.title, picture.failing.frame, 8),
        html_table(picture.latency.title, picture.latency.frame, 12),
    ]
    return f"<div>{''.join(parts)}</div>"


def fallback_text(picture: Picture) -> str:
    """The picture as text."""
    words = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in picture.counters.items())
    types = picture.types.drop(columns="closed_recently")
    return "\n".join(
        [
            f"{words}; {picture.per_minute:.1f} closed per minute",
            text_table(types, 20),
            picture.failing.title,
            text_table(picture.failing.frame, 8),
            picture.latency.title,
            text_table(picture.latency.frame, 12),
        ]
    )
