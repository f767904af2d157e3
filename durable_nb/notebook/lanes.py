"""Where the time of a run went: one lane for each activity, timer and child, from attempts and events.

Pure: values in, ``Lane`` objects out; drawing is in ``text_views`` and ``html``. Invariant: every segment has
``start <= end``, lies inside the extent of its lanes, and every attempt that took place is one segment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from durable_nb.model.attributes import (
    ActivityTaskScheduled,
    ActivityTaskStarted,
    StartChildWorkflowExecutionInitiated,
    TimerCanceled,
    TimerFired,
    TimerStarted,
)
from durable_nb.model.enums import EventType
from durable_nb.model.events import Event
from durable_nb.model.requests import AttemptDescription, RunDescription

SIGNS = {"completed": "✓", "failed": "✗", "timed_out": "⧖", "canceled": "⊘", "lost": "☠", "fired": "✓", "": "…"}
"""What ended a segment; an empty outcome is still going on."""


_Key = tuple[str, str | int]


class Segment(NamedTuple):
    """A stretch of time. ``kind`` is ``queued``, ``run``, ``backoff``, ``wait`` (timer) or ``child``."""

    start: int
    end: int
    kind: str
    outcome: str = ""
    note: str = ""


class Lane(NamedTuple):
    """One row of a timeline."""

    label: str
    segments: list[Segment]


class _Open:
    """A timer or child whose end was not met yet."""

    __slots__ = ("kind", "label", "start")

    def __init__(self, label: str, start: int, kind: str) -> None:
        self.label, self.start, self.kind = label, start, kind


def run_lanes(
    run: RunDescription, attempts: Sequence[AttemptDescription], events: Iterable[Event] = (), *, now: int = 0
) -> list[Lane]:
    """Lanes of a run in the order in which they began.

    Parameters
    ----------
    events
        Only needed for timers, children and for activities whose attempts were not kept; may be empty.
    now
        Microseconds since the epoch: the end of what still goes on. 0 means the close time, or the last instant seen.
    """
    lanes: dict[_Key, Lane] = {}
    starts: dict[_Key, int] = {}
    end = now or run.close_time or _last_instant(run, attempts)
    for attempt in sorted(attempts, key=lambda a: (a.scheduled_event_id, a.attempt)):
        key = ("activity", attempt.activity_id)
        if key not in lanes:
            lanes[key], starts[key] = Lane(attempt.activity_type, []), attempt.scheduled_at or attempt.started_at
        _add_attempt(lanes[key].segments, attempt)
    for pending in run.pending_activities:
        key = ("activity", pending.activity_id)
        if key not in lanes:
            lanes[key], starts[key] = Lane(pending.activity_type, []), pending.scheduled_at
        segments = lanes[key].segments
        began = segments[-1].end if segments else pending.scheduled_at
        if pending.state == "started":
            at = max(began, pending.last_started_at)
            _append(segments, began, at, "backoff" if pending.attempt > 1 else "queued")
            _append(segments, at, max(at, end), "run", note=f"attempt {pending.attempt} is running")
        else:
            kind = "backoff" if pending.next_attempt_at > 0 and pending.attempt > 1 else "queued"
            _append(segments, began, max(began, end), kind, note=f"attempt {pending.attempt} is to start")
    _add_events(lanes, starts, events, end)
    return [lanes[key] for key in sorted(lanes, key=lambda key: (starts[key], str(key)))]


def _append(segments: list[Segment], start: int, end: int, kind: str, outcome: str = "", note: str = "") -> None:
    if end > start or kind in ("run", "child", "wait"):
        segments.append(Segment(start, max(start, end), kind, outcome, note))


def _add_attempt(segments: list[Segment], attempt: AttemptDescription) -> None:
    queued_from = segments[-1].end if segments else attempt.scheduled_at or attempt.started_at
    started = max(queued_from, attempt.started_at)
    _append(segments, queued_from, started, "backoff" if attempt.attempt > 1 else "queued")
    _append(segments, started, attempt.ended_at, "run", attempt.outcome, f"attempt {attempt.attempt}")


_CHILD_ENDS = {
    EventType.CHILD_WORKFLOW_EXECUTION_COMPLETED: "completed",
    EventType.CHILD_WORKFLOW_EXECUTION_FAILED: "failed",
    EventType.CHILD_WORKFLOW_EXECUTION_CANCELED: "canceled",
    EventType.CHILD_WORKFLOW_EXECUTION_TIMED_OUT: "timed_out",
    EventType.CHILD_WORKFLOW_EXECUTION_TERMINATED: "canceled",
    EventType.START_CHILD_WORKFLOW_EXECUTION_FAILED: "failed",
}
_ACTIVITY_ENDS = {
    EventType.ACTIVITY_TASK_COMPLETED: "completed",
    EventType.ACTIVITY_TASK_FAILED: "failed",
    EventType.ACTIVITY_TASK_TIMED_OUT: "timed_out",
    EventType.ACTIVITY_TASK_CANCELED: "canceled",
}


def _add_events(lanes: dict[_Key, Lane], starts: dict[_Key, int], events: Iterable[Event], end: int) -> None:
    """Timers and children, and activities that have no lane yet (histories read from elsewhere)."""
    open_things: dict[_Key, _Open] = {}
    started_at: dict[str | int, int] = {}
    known = {key[1] for key in lanes}

    def close(key: _Key, at: int, outcome: str) -> None:
        found = open_things.pop(key, None)
        if found is not None:
            begun = started_at.get(key[1], found.start) if key[0] == "activity" else found.start
            lane = lanes[key] = Lane(found.label, [])
            starts[key] = found.start
            _append(lane.segments, found.start, begun, "queued")
            _append(lane.segments, begun, at, found.kind, outcome)

    for event in events:
        body, at = event.attributes, event.event_time
        if isinstance(body, TimerStarted):
            open_things["timer", event.event_id] = _Open(f"timer {body.timer_id}", at, "wait")
        elif isinstance(body, TimerFired):
            close(("timer", body.started_event_id), at, "fired")
        elif isinstance(body, TimerCanceled):
            close(("timer", body.started_event_id), at, "canceled")
        elif isinstance(body, StartChildWorkflowExecutionInitiated):
            open_things["child", event.event_id] = _Open(f"child {body.workflow_type}", at, "child")
        elif isinstance(body, ActivityTaskScheduled):
            if body.activity_id not in known:
                open_things["activity", event.event_id] = _Open(body.activity_type, at, "run")
        elif isinstance(body, ActivityTaskStarted):
            started_at[body.scheduled_event_id] = at
        elif event.event_type in _CHILD_ENDS:
            close(("child", getattr(body, "initiated_event_id", 0)), at, _CHILD_ENDS[event.event_type])
        elif event.event_type in _ACTIVITY_ENDS:
            close(("activity", getattr(body, "scheduled_event_id", 0)), at, _ACTIVITY_ENDS[event.event_type])
    for key in list(open_things):
        close(key, max(end, open_things[key].start), "")


def _last_instant(run: RunDescription, attempts: Sequence[AttemptDescription]) -> int:
    instants = [run.start_time, run.close_time]
    instants += [attempt.ended_at for attempt in attempts]
    instants += [max(p.last_started_at, p.last_heartbeat_at, p.scheduled_at) for p in run.pending_activities]
    return max(instants)


def extent(lanes: Sequence[Lane]) -> tuple[int, int]:
    """First and last instant of the lanes; (0, 0) when there is nothing."""
    segments = [segment for lane in lanes for segment in lane.segments]
    if not segments:
        return 0, 0
    return min(s.start for s in segments), max(s.end for s in segments)


_GLYPHS = {"run": "█", "queued": "·", "backoff": "╌", "wait": "░", "child": "▓"}
_SIGNS = frozenset(SIGNS.values())
_SIGNED = frozenset({"run", "child", "wait"})
LEGEND = (
    "█ running  · queued  ╌ waiting to retry  ░ timer  ▓ child  ✓ completed  ✗ failed  ⧖ timed out  ⊘ canceled  … open"
)


def lane_cells(lane: Lane, start: int, end: int, width: int) -> list[tuple[str, str]]:
    """``width`` cells of (glyph, class): class is the segment's kind, with ``-failed`` etc. for bad outcomes.

    Each attempt keeps at least one cell where there is room; an outcome sign takes the last cell of its segment.
    """
    span = max(1, end - start)
    cells = [(" ", "")] * width
    for segment in lane.segments:
        first = min(width - 1, (segment.start - start) * width // span)
        last = min(width - 1, (segment.end - start) * width // span - 1)
        while cells[first][0] in _SIGNS and first + 1 < width:
            first += 1  # keep the signs of the attempts before, however short they were
        signed = segment.kind in _SIGNED
        if signed:
            last = max(first, last)
        style = segment.kind
        if segment.kind == "run" and segment.outcome not in ("completed", ""):
            style = f"run-{segment.outcome}"
        for index in range(first, last + 1):
            cells[index] = (_GLYPHS[segment.kind], style)
        if signed:
            cells[last] = (SIGNS.get(segment.outcome, "?"), style)
    return cells
