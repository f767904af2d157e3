"""A run as stretches of time and instants, as all exports of times share it; ``span_reading`` makes it of a history.

``Span``s are the run itself, activities with their attempts, local activities, timers, children, updates and workflow
tasks; ``Mark``s are signals, cancel requests, upserts and patches.

Invariants: ``start <= end`` wherever ``end`` is not 0; a span that is not over has ``end == 0`` and the outcome ``""``.
Instants are microseconds since the epoch.
"""

from __future__ import annotations

from heapq import heappop, heappush

import msgspec

from durable_nb.analytics.exports.records import RunRecord
from durable_nb.model.failure import Failure, WorkflowExecution
from durable_nb.model.payload import Payload

RUN, ACTIVITY, LOCAL, TIMER = "workflow", "activity", "local_activity", "timer"
CHILD, UPDATE, TASK = "child_workflow", "update", "workflow_task"
SIGNAL, CANCEL, UPSERT, PATCH, MARKER, EXTERNAL = "signal", "cancel_request", "upsert", "patch", "marker", "external"

ABANDONED = "abandoned"
"""Outcome of what was open when its run ended: nobody waits for it any more."""

GOOD = frozenset({"completed", "fired", "continued_as_new"})
"""Outcomes that nobody has to look at."""


class Attempt(msgspec.Struct, frozen=True):
    """One attempt of an activity. ``outcome`` is "" while it runs; ``started_at`` is 0 while it waits."""

    number: int
    scheduled_at: int
    """When it could have started: the end of the back-off, or the instant of the schedule."""
    started_at: int
    ended_at: int
    outcome: str
    worker: str = ""
    failure: Failure | None = None
    next_attempt_at: int = 0


class Span(msgspec.Struct):
    """Something that takes time. ``event_id`` is the event that began it and names it within the run."""

    kind: str
    event_id: int
    name: str
    """Type of activity or child, id of a timer, name of an update."""
    start: int
    end: int = 0
    outcome: str = ""
    id: str = ""
    """Activity id, workflow ID of a child, update ID."""
    worker: str = ""
    task_queue: str = ""
    started_at: int = 0
    """When work began, where that is known apart from ``start``."""
    end_event_id: int = 0
    failure: Failure | None = None
    input: list[Payload] | None = None
    result: list[Payload] | None = None
    attempts: list[Attempt] = []
    execution: WorkflowExecution | None = None
    """The child that ran."""
    summary: Payload | None = None
    inherited: bool = False
    """It began and ended in the run that this one was reset or forked from."""

    @property
    def is_over(self) -> bool:
        return self.end != 0


class Mark(msgspec.Struct, frozen=True):
    """Something that happened at an instant."""

    kind: str
    event_id: int
    name: str
    at: int
    identity: str = ""
    input: list[Payload] | None = None


class RunSpans(msgspec.Struct):
    """One run. ``spans`` and ``marks`` are in the order of the events that began them."""

    record: RunRecord
    run: Span
    spans: list[Span]
    marks: list[Mark]
    last: int
    """Last instant that the record knows of: where what is still open is drawn to."""
    base_run_id: str = ""
    """Run that this one was reset or forked from."""

    @property
    def own(self) -> list[Span]:
        """Spans that did not happen in another run: what must be counted once."""
        return [span for span in self.spans if not span.inherited]

    def end_of(self, span: Span) -> int:
        """End of a span, or the last known instant for what is open."""
        return span.end or max(span.start, self.last)


class Lanes:
    """Numbers of lanes on which nothing overlaps: each stretch gets the lowest one that is free at its start.

    Stretches must come in the order of their starts. Invariant: no more lanes are used than stretches overlap.
    """

    def __init__(self) -> None:
        self.count = 0
        self._free: list[int] = []
        self._busy: list[tuple[int, int]] = []

    def take(self, start: int, end: int) -> int:
        """Lane of the stretch, from 0."""
        while self._busy and self._busy[0][0] <= start:
            heappush(self._free, heappop(self._busy)[1])
        if self._free:
            lane = heappop(self._free)
        else:
            lane, self.count = self.count, self.count + 1
        heappush(self._busy, (end, lane))
        return lane
