"""A run in one line, for tables of runs: how busy it was, where it waited, where something failed. Pure.

Idle time is left out as in a timeline. Each of the equal parts of the line has a state, the most telling of what
happened in it, and a level: how many attempts ran at once, from 1 to 8, relative to the most of this run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from durable_nb.analytics.lanes import Lane, Segment
from durable_nb.analytics.time_axis import TimeAxis, compressed_axis

PARTS = 32

STATES = {
    " ": "nothing",
    "q": "queued",
    "w": "timer",
    "k": "child",
    "b": "back-off",
    "r": "running",
    "c": "canceled",
    "t": "timed out",
    "f": "failed",
    "|": "idle time, left out",
}
"""Letters of the states, the less telling first."""

STYLES = {
    "q": "queued",
    "w": "wait",
    "k": "child",
    "b": "backoff",
    "r": "run",
    "c": "run-canceled",
    "t": "run-timed_out",
    "f": "run-failed",
    "|": "break",
    " ": "",
}
"""Class of a cell of each state, as of ``lane_cells``."""

_GLYPHS = {"q": "·", "w": "░", "k": "▒", "b": "╌", "c": "⊘", "t": "◷", "f": "✗", "|": "⋮", " ": " "}
_LEVELS = "▁▂▃▄▅▆▇█"
_WAITING = {"queued": "q", "wait": "w", "child": "k", "backoff": "b"}
_ENDS = {"canceled": "c", "timed_out": "t", "failed": "f", "lost": "f"}
_RANK = {state: rank for rank, state in enumerate(STATES)}


class Strip(str):
    """The line as text, one character for each part. It is a ``str``, so that it may stand in any table of texts."""

    __slots__ = ("levels", "states", "summary")

    states: str
    """One letter of ``STATES`` for each part."""
    levels: str
    """One digit for each part: 0, or 1 to 8."""
    summary: str
    """The same in words."""

    def __new__(cls, states: str, levels: str, summary: str) -> Self:
        glyphs = (
            _LEVELS[max(1, int(level)) - 1] if state == "r" else _GLYPHS[state]
            for state, level in zip(states, levels, strict=True)
        )
        made = super().__new__(cls, "".join(glyphs))
        made.states, made.levels, made.summary = states, levels, summary
        return made

    def data(self) -> dict[str, str]:
        """What the browser draws it from."""
        return {"states": self.states, "levels": self.levels, "summary": self.summary}


def run_strip(lanes: Sequence[Lane], parts: int = PARTS, *, axis: TimeAxis | None = None) -> Strip:
    """One line for the lanes of a run; all blank where it has none."""
    axis = axis or compressed_axis(lanes)
    scale = parts / max(1.0, axis.length)
    states = [" "] * parts
    change = [0] * (parts + 1)
    attempts = failed = 0
    for lane in lanes:
        for segment in lane.segments:
            first = min(parts - 1, int(axis.unit(segment.start) * scale))
            last = min(parts - 1, max(first, int(axis.unit(segment.end) * scale - 1e-9)))
            if segment.kind == "run":
                attempts += 1
                failed += segment.outcome in ("failed", "timed_out", "lost")
                change[first] += 1
                change[last + 1] -= 1
            _mark(states, segment, first, last)
    for gap in axis.breaks:
        states[min(parts - 1, int((axis.unit(gap.start) + gap.width / 2) * scale))] = "|"
    running, at_once = [], 0
    for delta in change[:parts]:
        at_once += delta
        running.append(at_once)
    most = max(1, *running)
    levels = "".join(str(-(-8 * count // most)) if count else "0" for count in running)
    return Strip("".join(states), levels, _summary(attempts, failed))


def _mark(states: list[str], segment: Segment, first: int, last: int) -> None:
    state = _WAITING.get(segment.kind, "r")
    for part in range(first, last + 1):
        if _RANK[state] > _RANK[states[part]]:
            states[part] = state
    end = _ENDS.get(segment.outcome)
    if end is not None and segment.kind == "run" and _RANK[end] > _RANK[states[last]]:
        states[last] = end


def _summary(attempts: int, failed: int) -> str:
    if not attempts:
        return "no attempts"
    text = f"{attempts:,} attempt{'s' if attempts > 1 else ''}"
    return f"{text}, {failed:,} failed" if failed else text
