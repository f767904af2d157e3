"""A run as a picture: groups of lanes, bars in lanes, marks, and a time axis without idle time. Pure.

Built on ``analytics.lanes``, the one place that knows what an attempt, a timer or a child looks like in time. Groups
are: the workflow itself, each activity type, each type of child, timers. The runs of children hang below the lane of
the child, as deep as they were read. Invariants: every attempt that took place is one bar of kind ``run``; every bar
and mark lies within the extent of the axis; a lane belongs to the group that comes before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from durable_nb.analytics.lanes import Lane, Segment, last_instant, run_lanes
from durable_nb.analytics.marks import Mark, run_marks
from durable_nb.analytics.time_axis import TimeAxis, compressed_axis
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.events import Event
from durable_nb.model.requests import AttemptDescription, RunDescription
from durable_nb.model.text import safe_text

LABEL_LIMIT = 120
"""Characters of a label."""

_STATUS_OUTCOMES = {
    WorkflowExecutionStatus.RUNNING: "",
    WorkflowExecutionStatus.COMPLETED: "completed",
    WorkflowExecutionStatus.CONTINUED_AS_NEW: "completed",
    WorkflowExecutionStatus.CANCELED: "canceled",
    WorkflowExecutionStatus.TIMED_OUT: "timed_out",
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.TERMINATED: "failed",
}
_ON_THE_RUN = frozenset({"start", "close", "task"})
_ORDER = {"activity": 0, "child": 1, "timer": 2}


class RunPicture(NamedTuple):
    """What was read of a run; the events may be empty or just the closing one."""

    run: RunDescription
    attempts: Sequence[AttemptDescription] = ()
    events: Sequence[Event] = ()


class Group(NamedTuple):
    """Lanes of one kind. ``kind`` is ``workflow``, ``activity``, ``child`` or ``timer``."""

    label: str
    kind: str
    parent: int = -1
    """Lane of the child whose run this is a part of; -1 for the run itself."""
    depth: int = 0


class Row(NamedTuple):
    """One lane: ``kind`` is ``workflow``, ``messages``, ``activity``, ``child`` or ``timer``. Text is safe."""

    group: int
    label: str
    kind: str
    ident: str = ""
    event_id: int = 0
    run_id: str = ""
    owner: str = ""
    """Run ID of the run that the lane belongs to."""


class Bar(NamedTuple):
    """A segment in a lane; kinds are those of segments, and ``workflow`` for the run as a whole."""

    lane: int
    start: int
    end: int
    kind: str
    outcome: str
    note: str
    attempt: int


class Layout(NamedTuple):
    """The whole picture."""

    run: RunDescription
    axis: TimeAxis
    now: int
    """Up to when bars that still grow are drawn; their ``end`` is this."""
    groups: list[Group]
    rows: list[Row]
    bars: list[Bar]
    marks: list[tuple[int, Mark]]
    """With the lane of each."""


def timeline_layout(picture: RunPicture, children: Mapping[str, RunPicture] | None = None, *, now: int = 0) -> Layout:
    """The picture of a run.

    Parameters
    ----------
    children
        By run ID: the runs that are shown below the lane of the child that they belong to.
    now
        Microseconds since the epoch up to when open bars are drawn; 0 means the last instant that is known.
    """
    builder = _Builder(children or {}, now)
    builder.add(picture, -1, 0)
    # What a run's own bar spans is not activity: only what happened counts for the axis.
    instants = [mark.start for _, mark in builder.marks] + [mark.end for _, mark in builder.marks]
    run, end = picture.run, last_instant(picture.run, picture.attempts, now)
    instants += [bar.end for bar in builder.bars if bar.kind == "workflow"]
    axis = compressed_axis(builder.lanes, instants, start=run.start_time, end=end)
    return Layout(run, axis, end, builder.groups, builder.rows, builder.bars, builder.marks)


class _Builder:
    def __init__(self, children: Mapping[str, RunPicture], now: int) -> None:
        self._children = children
        self._now = now
        self.groups: list[Group] = []
        self.rows: list[Row] = []
        self.bars: list[Bar] = []
        self.marks: list[tuple[int, Mark]] = []
        self.lanes: list[Lane] = []

    def add(self, picture: RunPicture, parent: int, depth: int) -> None:
        run, attempts, events = picture
        end = last_instant(run, attempts, self._now)
        self._add_run(run, run_marks(events, end=end), end, parent, depth)
        lanes = run_lanes(run, attempts, events, now=end)
        self.lanes += lanes
        grouped: dict[tuple[int, str], list[Lane]] = {}
        for lane in lanes:
            grouped.setdefault((_ORDER[lane.kind], lane.type_name), []).append(lane)
        nested: list[tuple[RunPicture, int]] = []
        for _, members in sorted(grouped.items(), key=lambda item: item[0][0]):
            nested += self._add_group(members, run.run_id, parent, depth)
        for child, lane_index in nested:
            self.add(child, lane_index, depth + 1)

    def _add_run(self, run: RunDescription, marks: Sequence[Mark], end: int, parent: int, depth: int) -> None:
        group = len(self.groups)
        name = safe_text(run.workflow_type, LABEL_LIMIT)
        self.groups.append(Group(name, "workflow", parent, depth))
        ident = safe_text(run.workflow_id, LABEL_LIMIT)
        own = len(self.rows)
        self.rows.append(Row(group, name, "workflow", ident, 1, run.run_id, run.run_id))
        self.bars.append(
            Bar(own, run.start_time, max(end, run.start_time), "workflow", _STATUS_OUTCOMES[run.status], "", 0)
        )
        messages = own
        if any(mark.kind not in _ON_THE_RUN for mark in marks):
            messages = len(self.rows)
            self.rows.append(Row(group, "messages", "messages", "", 0, "", run.run_id))
        for mark in marks:
            safe = mark._replace(label=safe_text(mark.label, LABEL_LIMIT), note=safe_text(mark.note))
            self.marks.append((own if mark.kind in _ON_THE_RUN else messages, safe))

    def _add_group(self, lanes: list[Lane], owner: str, parent: int, depth: int) -> list[tuple[RunPicture, int]]:
        """Add lanes of one type; the children among them whose runs were read, with the index of their lane."""
        group, kind = len(self.groups), lanes[0].kind
        name = "timers" if kind == "timer" else safe_text(lanes[0].type_name, LABEL_LIMIT)
        self.groups.append(Group(name, kind, parent, depth))
        nested = []
        for lane in lanes:
            index = len(self.rows)
            ident = safe_text(lane.ident, LABEL_LIMIT)
            self.rows.append(Row(group, name, kind, ident, lane.event_id, lane.run_id, owner))
            self.bars += [Bar(index, *_plain(segment)) for segment in lane.segments]
            if lane.run_id and lane.run_id in self._children:
                nested.append((self._children[lane.run_id], index))
        return nested


def _plain(segment: Segment) -> tuple[int, int, str, str, str, int]:
    return segment.start, segment.end, segment.kind, segment.outcome, segment.note, segment.attempt
