"""Frames as text and as HTML: durations, shares and instants for people, everything escaped and cut short."""

from __future__ import annotations

import math
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any

from durable_nb.model.text import safe_text

if TYPE_CHECKING:
    import pandas as pd

CELL = 80
"""Characters of a cell."""

_CELL_STYLE = "padding:2px 10px;border-bottom:1px solid rgba(127,127,127,.25);white-space:nowrap"


def cell_text(column: str, value: Any) -> str:
    """One value as people read it; ``column`` tells its unit by its ending."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or str(value) in {"NaT", "<NA>"}:
        return ""
    if column.endswith("_s"):
        return seconds_text(float(value))
    if column.endswith(("_rate", "_share", "share")):
        return f"{float(value):.1%}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    return safe_text(value, CELL)


def seconds_text(seconds: float) -> str:
    """``350 µs``, ``12 ms``, ``3.4 s``, ``5 min 20 s``, ``3 h 05 min``, ``2 d 04 h``."""
    if seconds < 0:
        return f"-{seconds_text(-seconds)}"
    if seconds == 0:
        return "0 s"
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, hours, days = seconds / 60, seconds / 3600, seconds / 86400
    if minutes < 60:
        return f"{int(minutes)} min {int(seconds % 60):02d} s"
    if hours < 48:
        return f"{int(hours)} h {int(minutes % 60):02d} min"
    return f"{int(days)} d {int(hours % 24):02d} h"


def heading(column: str) -> str:
    """A column's name without its unit: ``queue p90`` for ``queue_p90_s``."""
    return column.removesuffix("_s").replace("_", " ")


def _rows(frame: pd.DataFrame, limit: int) -> list[list[str]]:
    shown = frame.head(limit)
    columns = [[cell_text(name, value) for value in shown[name].tolist()] for name in shown.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _is_number(frame: pd.DataFrame, column: str) -> bool:
    return frame[column].dtype.kind in "iufm" or column.endswith("_s")


def _rest(frame: pd.DataFrame, limit: int) -> str:
    left = len(frame) - limit
    return f"… {left:,} more rows in .frame" if left > 0 else ""


def text_table(frame: pd.DataFrame, limit: int) -> str:
    """The first rows as aligned text."""
    if not len(frame):
        return "nothing found"
    heads = [heading(name) for name in frame.columns]
    rows = _rows(frame, limit)
    widths = [max(len(head), *(len(row[i]) for row in rows)) for i, head in enumerate(heads)]
    right = [_is_number(frame, name) for name in frame.columns]

    def line(cells: list[str]) -> str:
        parts = (
            cell.rjust(width) if at_right else cell.ljust(width)
            for cell, width, at_right in zip(cells, widths, right, strict=True)
        )
        return "  ".join(parts).rstrip()

    lines = [line(heads), *(line(row) for row in rows)]
    rest = _rest(frame, limit)
    return "\n".join([*lines, rest] if rest else lines)


def html_table(title: str, frame: pd.DataFrame, limit: int, *, note: str = "", sql: str = "") -> str:
    """The first rows as a table that survives a sanitizer; the SQL stands behind a click."""
    parts = [f'<div style="overflow-x:auto"><div style="margin:4px 0"><strong>{escape(title)}</strong></div>']
    if len(frame):
        right = [_is_number(frame, name) for name in frame.columns]
        aligns = ["text-align:right" if each else "text-align:left" for each in right]
        heads = "".join(
            f'<th style="{_CELL_STYLE};{align}">{escape(heading(name))}</th>'
            for name, align in zip(frame.columns, aligns, strict=True)
        )
        body = "".join(
            "<tr>"
            + "".join(
                f'<td style="{_CELL_STYLE};{align}">{escape(cell)}</td>'
                for cell, align in zip(row, aligns, strict=True)
            )
            + "</tr>"
            for row in _rows(frame, limit)
        )
        parts.append(
            f'<table style="border-collapse:collapse;margin-left:0"><thead><tr>{heads}</tr></thead>'
            f"<tbody>{body}</tbody></table>"
        )
    else:
        parts.append("<div>nothing found</div>")
    parts += [
        f'<div style="opacity:.75;margin:4px 0">{escape(line)}</div>' for line in (_rest(frame, limit), note) if line
    ]
    if sql:
        parts.append(
            '<details style="margin:4px 0"><summary>SQL</summary>'
            f'<pre style="margin:4px 0;white-space:pre-wrap">{escape(sql)}</pre></details>'
        )
    return "".join(parts) + "</div>"
