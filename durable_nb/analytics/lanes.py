"""Where the time of a run went: one lane for each activity, timer and child, from attempts and events.

Pure: values in, ``Lane`` and ``Mark`` objects out; drawing is in ``notebook.plain``, ``notebook.html`` and ``widgets``.
Invariant: every segment has ``start <= end``, lies inside the extent of its lanes, and every attempt that took place
is one segment of kind ``run``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from durable_nb.model import attributes as a
from durable_nb.model.enums import EventType
from durable_nb.model.events import Event
from durable_nb.model.failure import Failure
from durable_nb.model.requests import AttemptDescription, PendingActivity, RunDescription
from durable_nb.model.text import failure_line, root_failure

SIGNS = {"completed": "✓", "failed": "✗", "timed_out": "◷", "canceled": "⊘", "lost": "☠", "fired": "✓", "": "…"}
"""What ended a segment; an empty outcome is still going on."""

NOTE_LIMIT = 200
"""Characters of an error line."""

_Key = tuple[str, int | str]


class Segment(NamedTuple):
    """A stretch of time. ``kind`` is ``queued``, ``run``, ``backoff``, ``wait`` (timer) or ``child``."""

    start: int
    end: int
    kind: str
    outcome: str = ""
    note: str = ""
    """The error of what failed, on one line, already safe text."""
    attempt: int = 0
    """Number of the attempt that the segment is, or that it waits for."""


class Lane(NamedTuple):
    """One row of a timeline. Names are as users gave them: not safe text yet."""

    label: str
    segments: list[Segment]
    kind: str = "activity"
    """``activity``, ``timer`` or ``child``."""
    type_name: str = ""
    """Activity type or workflow type of a child; lanes of one type belong together."""
    ident: str = ""
    """Activity ID, timer ID or workflow ID of a child."""
    event_id: int = 0
    """The event that began it; 0 where the history was not read."""
    run_id: str = ""
    """Run ID of a child that started."""


class _Open:
    """A timer, child or activity whose end was not met yet."""

    __slots__ = ("began", "event_id", "ident", "kind", "run_id", "start", "type_name")

    def __init__(self, kind: str, type_name: str, ident: str, start: int, event_id: int) -> None:
        self.kind, self.type_name, self.ident, self.event_id = kind, type_name, ident, event_id
        self.start = self.began = start
        self.run_id = ""


_BAR_KINDS = {"activity": "run", "timer": "wait", "child": "child"}


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
    end = last_instant(run, attempts, now)
    lanes: dict[_Key, Lane] = {}
    latest: dict[str, _Key] = {}
    due: dict[_Key, int] = {}
    scheduled: dict[_Key, int] = {}
    for attempt in sorted(attempts, key=lambda a: (a.scheduled_event_id, a.attempt)):
        key = ("activity", attempt.scheduled_event_id or attempt.activity_id)
        lane = lanes.get(key)
        if lane is None:
            lane = lanes[key] = _activity_lane(attempt.activity_type, attempt.activity_id, attempt.scheduled_event_id)
            latest[attempt.activity_id], scheduled[key] = key, attempt.scheduled_at
        _add_attempt(lane.segments, attempt, due.get(key, 0) or attempt.started_at)
        due[key] = attempt.next_attempt_at
    for pending in run.pending_activities:
        key = latest.get(pending.activity_id, ("activity", pending.activity_id))
        known = key in lanes
        if known and lanes[key].segments[-1].attempt >= pending.attempt and scheduled[key] == pending.scheduled_at:
            continue  # the attempt ended between the two answers
        if not known or lanes[key].segments[-1].attempt >= pending.attempt:
            # Not seen yet, or the ID was used before by an activity that is over.
            key = ("activity", f"pending {pending.activity_id}")
            lanes[key] = _activity_lane(pending.activity_type, pending.activity_id, 0)
        _add_pending(lanes[key].segments, pending, end, due.get(key, 0) or pending.last_started_at)
    _Events(lanes, {p.activity_id: p for p in run.pending_activities}).read(events, end)
    return sorted(lanes.values(), key=lambda lane: (lane.segments[0].start if lane.segments else end, lane.event_id))


def _activity_lane(type_name: str, ident: str, event_id: int) -> Lane:
    return Lane(type_name, [], "activity", type_name, ident, event_id)


def _append(
    segments: list[Segment], start: int, end: int, kind: str, outcome: str = "", note: str = "", attempt: int = 0
) -> None:
    if end > start or kind in ("run", "child", "wait"):
        segments.append(Segment(start, max(start, end), kind, outcome, note, attempt))


def _add_attempt(segments: list[Segment], attempt: AttemptDescription, due: int) -> None:
    number = attempt.attempt
    queued_from = segments[-1].end if segments else attempt.scheduled_at or attempt.started_at
    started = max(queued_from, attempt.started_at)
    _add_waiting(segments, queued_from, started, due if number > 1 else 0, number)
    _append(segments, started, attempt.ended_at, "run", attempt.outcome, error_line(attempt.failure), number)


def _add_waiting(segments: list[Segment], start: int, end: int, due: int, attempt: int, note: str = "") -> None:
    """A retry backs off until ``due`` (0: it was the first) and then waits in the queue like any other."""
    begun = min(max(due, start), end) if due else start
    _append(segments, start, begun, "backoff", note=note, attempt=attempt)
    _append(segments, begun, end, "queued", attempt=attempt)


def _add_pending(segments: list[Segment], pending: PendingActivity, end: int, due: int) -> None:
    number = pending.attempt
    began = segments[-1].end if segments else pending.scheduled_at
    if pending.state == "started":
        at = max(began, pending.last_started_at)
        _add_waiting(segments, began, at, due if number > 1 else 0, number)
        _append(segments, at, max(at, end), "run", attempt=number)
    else:
        due = (pending.next_attempt_at or due) if number > 1 else 0
        _add_waiting(segments, began, max(began, end), due, number, error_line(pending.last_failure))
        if not segments:
            segments.append(Segment(began, began, "queued", attempt=number))


def error_line(failure: Failure | None) -> str:
    """What really went wrong, on one line of safe text; empty for nothing."""
    return "" if failure is None else failure_line(root_failure(failure), NOTE_LIMIT)


_ENDS: dict[EventType, tuple[str, str, str]] = {
    EventType.TIMER_FIRED: ("timer", "started_event_id", "fired"),
    EventType.TIMER_CANCELED: ("timer", "started_event_id", "canceled"),
    EventType.CHILD_WORKFLOW_EXECUTION_COMPLETED: ("child", "initiated_event_id", "completed"),
    EventType.CHILD_WORKFLOW_EXECUTION_FAILED: ("child", "initiated_event_id", "failed"),
    EventType.CHILD_WORKFLOW_EXECUTION_CANCELED: ("child", "initiated_event_id", "canceled"),
    EventType.CHILD_WORKFLOW_EXECUTION_TIMED_OUT: ("child", "initiated_event_id", "timed_out"),
    EventType.CHILD_WORKFLOW_EXECUTION_TERMINATED: ("child", "initiated_event_id", "canceled"),
    EventType.START_CHILD_WORKFLOW_EXECUTION_FAILED: ("child", "initiated_event_id", "failed"),
    EventType.ACTIVITY_TASK_COMPLETED: ("activity", "scheduled_event_id", "completed"),
    EventType.ACTIVITY_TASK_FAILED: ("activity", "scheduled_event_id", "failed"),
    EventType.ACTIVITY_TASK_TIMED_OUT: ("activity", "scheduled_event_id", "timed_out"),
    EventType.ACTIVITY_TASK_CANCELED: ("activity", "scheduled_event_id", "canceled"),
}


class _Events:
    """Reads timers and children, and activities that have no lane yet (histories read from elsewhere)."""

    def __init__(self, lanes: dict[_Key, Lane], pending: dict[str, PendingActivity]) -> None:
        self._lanes = lanes
        self._pending = pending
        self._open: dict[_Key, _Open] = {}
        self._known = set(lanes)

    def read(self, events: Iterable[Event], end: int) -> None:
        starts: dict[type[Any], Callable[[Any, Event], None]] = {
            a.TimerStarted: self._timer,
            a.StartChildWorkflowExecutionInitiated: self._child,
            a.ChildWorkflowExecutionStarted: self._child_started,
            a.ActivityTaskScheduled: self._activity,
            a.ActivityTaskStarted: self._activity_started,
        }
        for event in events:
            body = event.attributes
            begin = starts.get(type(body))
            if begin is not None:
                begin(body, event)
            elif (found := _ENDS.get(body.event_type)) is not None:
                kind, field, outcome = found
                error = error_line(getattr(body, "failure", None))
                self._close((kind, getattr(body, field)), event.event_time, outcome, error)
        for key in list(self._open):
            self._close(key, max(end, self._open[key].start), "", "")

    def _timer(self, body: a.TimerStarted, event: Event) -> None:
        self._begin("timer", "timer", body.timer_id, event)

    def _child(self, body: a.StartChildWorkflowExecutionInitiated, event: Event) -> None:
        self._begin("child", body.workflow_type, body.workflow_id, event)

    def _child_started(self, body: a.ChildWorkflowExecutionStarted, event: Event) -> None:
        found = self._open.get(("child", body.initiated_event_id))
        if found is not None and body.workflow_execution is not None:
            found.run_id = body.workflow_execution.run_id

    def _activity(self, body: a.ActivityTaskScheduled, event: Event) -> None:
        if ("activity", event.event_id) not in self._known and ("activity", body.activity_id) not in self._known:
            self._begin("activity", body.activity_type, body.activity_id, event)

    def _activity_started(self, body: a.ActivityTaskStarted, event: Event) -> None:
        found = self._open.get(("activity", body.scheduled_event_id))
        if found is not None:
            found.began = event.event_time

    def _begin(self, kind: str, type_name: str, ident: str, event: Event) -> None:
        self._open[kind, event.event_id] = _Open(kind, type_name, ident, event.event_time, event.event_id)

    def _close(self, key: _Key, at: int, outcome: str, error: str) -> None:
        found = self._open.pop(key, None)
        if found is None:
            return
        if not outcome and found.kind == "activity" and found.ident in self._pending:
            self._name_pending(found)
            return
        label = {"timer": f"timer {found.ident}", "child": f"child {found.type_name}"}.get(found.kind, found.type_name)
        lane = Lane(label, [], found.kind, found.type_name, found.ident, found.event_id, found.run_id)
        self._lanes[key] = lane
        attempt = 1 if found.kind == "activity" else 0
        _append(lane.segments, found.start, found.began, "queued", attempt=attempt)
        _append(lane.segments, found.began, at, _BAR_KINDS[found.kind], outcome, error, attempt)

    def _name_pending(self, found: _Open) -> None:
        """The lane of an open activity was made from the description; now the event that scheduled it is known."""
        key = ("activity", f"pending {found.ident}")
        if key in self._lanes:
            self._lanes[key] = self._lanes[key]._replace(event_id=found.event_id)


def last_instant(run: RunDescription, attempts: Sequence[AttemptDescription], now: int = 0) -> int:
    """Up to when bars are drawn: the close of the run, else ``now``, else the last instant that is known."""
    if run.close_time or now:
        return max(run.close_time or now, run.start_time)
    instants = [run.start_time]
    instants += [attempt.ended_at for attempt in attempts]
    instants += [max(p.last_started_at, p.last_heartbeat_at, p.scheduled_at) for p in run.pending_activities]
    return max(instants)
