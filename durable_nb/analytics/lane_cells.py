"""Lanes as rows of characters, for text and for HTML that must survive without style. Pure."""

from __future__ import annotations

from durable_nb.analytics.lanes import SIGNS, Lane
from durable_nb.analytics.time_axis import TimeAxis

_GLYPHS = {"run": "█", "queued": "·", "backoff": "╌", "wait": "░", "child": "▓"}
_SIGNS = frozenset(SIGNS.values())
_SIGNED = frozenset({"run", "child", "wait"})
BREAK = "⋮"
"""Stands where idle time was left out."""

LEGEND = (
    "█ running  · queued  ╌ waiting to retry  ░ timer  ▓ child  ✓ completed  ✗ failed  ◷ timed out  ⊘ canceled  … open"
)
BREAK_LEGEND = f"{BREAK} idle time, left out"


def lane_cells(lane: Lane, axis: TimeAxis, width: int) -> list[tuple[str, str]]:
    """``width`` cells of (glyph, class): class is the segment's kind, with ``-failed`` etc. for bad outcomes.

    Each attempt keeps at least one cell where there is room; an outcome sign takes the last cell of its segment.
    A break of the axis is a ``⋮`` wherever nothing else is drawn.
    """
    scale = width / max(1.0, axis.length)
    cells = [(" ", "")] * width
    for gap in axis.breaks:
        cells[min(width - 1, int((axis.unit(gap.start) + gap.width / 2) * scale))] = (BREAK, "break")
    for segment in lane.segments:
        first = min(width - 1, int(axis.unit(segment.start) * scale))
        last = min(width - 1, int(axis.unit(segment.end) * scale) - 1)
        while cells[first][0] in _SIGNS and first + 1 < width:
            first += 1  # keep the signs of the attempts before, however short they were
        signed = segment.kind in _SIGNED
        if signed:
            last = max(first, last)
        style = segment.kind
        if segment.kind == "run" and segment.outcome not in ("completed", ""):
            style = f"run-{segment.outcome}"
        for index in range(first, last + 1):
            if cells[index][0] != BREAK:
                cells[index] = (_GLYPHS[segment.kind], style)
        if signed:
            cells[last] = (SIGNS.get(segment.outcome, "?"), style)
    return cells
