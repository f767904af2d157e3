"""The one reading of a history that all exports of times share: a record of a run in, its spans and marks out. Pure.

Invariants: every attempt of a record is exactly one ``Attempt``; what a reset or fork took over is ``inherited``, and
what it cut short begins anew with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from durable_nb.analytics.exports.markers import LOCAL_ACTIVITY, patch_of, read_local_activity
from durable_nb.analytics.exports.records import RunRecord
from durable_nb.analytics.exports.spans import (
    ABANDONED,
    ACTIVITY,
    CANCEL,
    CHILD,
    EXTERNAL,
    LOCAL,
    MARKER,
    PATCH,
    RUN,
    SIGNAL,
    TASK,
    TIMER,
    UPDATE,
    UPSERT,
    Attempt,
    Mark,
    RunSpans,
    Span,
)
from durable_nb.model import attributes as a
from durable_nb.model.enums import EventType, WorkflowExecutionStatus, WorkflowTaskFailedCause
from durable_nb.model.events import Event
from durable_nb.model.failure import Failure

_failure: msgspec.json.Decoder[Failure] = msgspec.json.Decoder(Failure)


def spans_of(record: RunRecord) -> RunSpans:
    """The spans and marks of a run."""
    reader = _Reader(record)
    for event in record.events:
        take = _TAKE.get(event.event_type)
        if take is not None:
            take(reader, event, event.attributes)
    reader.settle()
    reader.add_attempts()
    # Local activities begin before the event that records them.
    order = {id(span): number for number, span in enumerate(reader.spans)}
    spans = sorted(reader.spans, key=lambda span: (span.start, order[id(span)]))
    last = max([record.events[-1].event_time, *reader.instants])
    return RunSpans(record, reader.run, spans, reader.marks, last, reader.base_run_id)


class _Reader:
    """Spans while the history is gone through; ``by_event`` finds those that a later event ends."""

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        started = record.started
        self.run = Span(
            RUN,
            1,
            started.workflow_type,
            record.run.start_time,
            id=record.run.workflow_id,
            task_queue=started.task_queue,
            input=started.input,
            started_at=max(record.run.start_time, record.run.execution_time),
        )
        self.spans: list[Span] = []
        self.marks: list[Mark] = []
        self.by_event: dict[int, Span] = {}
        self.activity_starts: dict[int, a.ActivityTaskStarted] = {}
        self.instants: list[int] = []
        self.inherited_until = self.reset_at = 0
        self.base_run_id = ""

    def begin(self, span: Span, event: Event) -> None:
        if event.user_metadata is not None:
            span.summary = event.user_metadata.summary
        self.spans.append(span)
        self.by_event[span.event_id] = span

    def end(self, key: int, event: Event, outcome: str, failure: Failure | None = None) -> Span | None:
        span = self.by_event.get(key)
        if span is None or span.end:
            return None
        span.end = max(event.event_time, span.start)
        span.end_event_id, span.outcome, span.failure = event.event_id, outcome, failure
        return span

    def settle(self) -> None:
        """What the end of the run overtook, and what came from the run before a reset."""
        for span in self.spans:
            if self.run.end and not span.end:
                span.end, span.outcome = max(self.run.end, span.start), ABANDONED
            if span.event_id > self.inherited_until:
                continue
            if span.end_event_id and span.end_event_id <= self.inherited_until:
                span.inherited = True
            else:
                span.start = self.reset_at  # It began anew with the reset.
        self.marks = [mark for mark in self.marks if mark.event_id > self.inherited_until]

    def add_attempts(self) -> None:
        """The attempts that the store kept, the one that goes on, and for what has none the one that history tells."""
        for row in self.record.attempts:
            span = self.by_event.get(row.scheduled_event_id)
            if span is None or span.kind != ACTIVITY:
                continue
            span.attempts = [*span.attempts, _kept(row, span)]
            self.instants.append(row.ended_at)
        for pending in self.record.activities:
            span = self.by_event.get(pending.scheduled_event_id)
            if span is not None and not span.is_over:
                state: dict[str, Any] = msgspec.json.decode(pending.state)
                began = max(int(state.get("startedTime", 0)), 0)
                at = pending.visible_at or span.start
                going_on = Attempt(pending.attempt, at, began, 0, "", state.get("identity", "") if began else "")
                span.attempts = [*span.attempts, going_on]
                self.instants.append(began)
        for span in self.spans:
            if span.kind != ACTIVITY:
                continue
            if not span.attempts and span.is_over:
                span.attempts = self._told_by_history(span)
            span.attempts.sort(key=lambda attempt: attempt.number)
            ran = [attempt for attempt in span.attempts if attempt.started_at]
            if ran:
                span.started_at, span.worker = ran[0].started_at, ran[-1].worker

    def _told_by_history(self, span: Span) -> list[Attempt]:
        started = self.activity_starts.get(span.event_id)
        if started is None:
            return []  # It ended before any worker took it.
        began = min(max(span.started_at, span.start), span.end)
        number = started.attempt or 1
        return [Attempt(number, span.start, began, span.end, span.outcome, started.identity, span.failure)]


def _kept(row: Any, span: Span) -> Attempt:
    failure = _failure.decode(row.failure) if row.failure else None
    at = row.scheduled_at or span.start
    began = row.started_at
    return Attempt(
        row.attempt,
        min(at, began) if began else at,
        began,
        max(row.ended_at, began),
        row.outcome,
        row.worker_identity,
        failure,
        row.next_attempt_at,
    )


# -- one function for each kind of event ---------------------------------------------------------------------------

_Take = Callable[[_Reader, Event, Any], None]


def _workflow_closed(reader: _Reader, event: Event, body: Any) -> None:
    run = reader.run
    run.end, run.end_event_id = max(event.event_time, run.start), event.event_id
    run.outcome = WorkflowExecutionStatus(reader.record.run.status).name.lower()
    run.failure = getattr(body, "failure", None)
    run.result = getattr(body, "result", None)


def _activity_scheduled(reader: _Reader, event: Event, body: a.ActivityTaskScheduled) -> None:
    span = Span(ACTIVITY, event.event_id, body.activity_type, event.event_time, id=body.activity_id)
    span.task_queue, span.input = body.task_queue, body.input
    reader.begin(span, event)


def _activity_started(reader: _Reader, event: Event, body: a.ActivityTaskStarted) -> None:
    reader.activity_starts[body.scheduled_event_id] = body
    span = reader.by_event.get(body.scheduled_event_id)
    if span is not None:
        span.started_at = event.event_time


def _ends(key: str, outcome: str) -> _Take:
    """What ends the span that began with the event whose id the attribute ``key`` holds."""

    def take(reader: _Reader, event: Event, body: Any) -> None:
        span = reader.end(getattr(body, key), event, outcome, getattr(body, "failure", None))
        if span is not None:
            span.result = getattr(body, "result", None)

    return take


def _timer_started(reader: _Reader, event: Event, body: a.TimerStarted) -> None:
    reader.begin(Span(TIMER, event.event_id, body.timer_id, event.event_time, id=body.timer_id), event)


def _child_initiated(reader: _Reader, event: Event, body: a.StartChildWorkflowExecutionInitiated) -> None:
    span = Span(CHILD, event.event_id, body.workflow_type, event.event_time, id=body.workflow_id)
    span.task_queue, span.input = body.task_queue, body.input
    reader.begin(span, event)


def _child_started(reader: _Reader, event: Event, body: a.ChildWorkflowExecutionStarted) -> None:
    span = reader.by_event.get(body.initiated_event_id)
    if span is not None:
        span.execution, span.started_at = body.workflow_execution, event.event_time


def _update_accepted(reader: _Reader, event: Event, body: a.WorkflowExecutionUpdateAccepted) -> None:
    request = body.accepted_request
    asked = request.input if request is not None and request.input is not None else a.UpdateInput()
    span = Span(UPDATE, event.event_id, asked.name, event.event_time, id=body.protocol_instance_id, input=asked.args)
    reader.begin(span, event)


def _update_completed(reader: _Reader, event: Event, body: a.WorkflowExecutionUpdateCompleted) -> None:
    outcome = body.outcome or a.UpdateOutcome()
    word = "completed" if outcome.failure is None else "failed"
    span = reader.end(body.accepted_event_id, event, word, outcome.failure)
    if span is not None:
        span.result = outcome.success


def _task_scheduled(reader: _Reader, event: Event, body: a.WorkflowTaskScheduled) -> None:
    span = Span(TASK, event.event_id, "workflow task", event.event_time, id=f"attempt {body.attempt}")
    span.task_queue = body.task_queue
    reader.begin(span, event)


def _task_started(reader: _Reader, event: Event, body: a.WorkflowTaskStarted) -> None:
    span = reader.by_event.get(body.scheduled_event_id)
    if span is not None:
        span.started_at, span.worker = event.event_time, body.identity


def _task_failed(reader: _Reader, event: Event, body: a.WorkflowTaskFailed) -> None:
    reader.end(body.scheduled_event_id, event, "failed", body.failure)
    if body.cause is WorkflowTaskFailedCause.RESET_WORKFLOW:
        reader.inherited_until, reader.reset_at, reader.base_run_id = event.event_id, event.event_time, body.base_run_id


def _marker(reader: _Reader, event: Event, body: a.MarkerRecorded) -> None:
    if body.marker_name == LOCAL_ACTIVITY:
        local = read_local_activity(body)
        if local is not None:
            end = min(local.completed_at, event.event_time) or event.event_time
            start = min(local.scheduled_at or end, end)
            outcome = "completed" if body.failure is None else "failed"
            span = Span(LOCAL, event.event_id, local.activity_type, start, end, outcome, local.activity_id)
            span.end_event_id, span.failure, span.started_at = event.event_id, body.failure, start
            span.result = local.result
            span.attempts = [Attempt(local.attempt, start, start, end, outcome, "", body.failure)]
            reader.begin(span, event)
            return
    patch = patch_of(body)
    reader.marks.append(Mark(PATCH if patch else MARKER, event.event_id, patch or body.marker_name, event.event_time))


def _signaled(reader: _Reader, event: Event, body: a.WorkflowExecutionSignaled) -> None:
    reader.marks.append(
        Mark(SIGNAL, event.event_id, body.signal_name, event.event_time, body.identity, body.input or None)
    )


def _mark(kind: str, name: Callable[[Any], str]) -> _Take:
    def take(reader: _Reader, event: Event, body: Any) -> None:
        reader.marks.append(
            Mark(kind, event.event_id, name(body), event.event_time, str(getattr(body, "identity", "")))
        )

    return take


def _target(body: Any) -> str:
    execution = body.workflow_execution
    return execution.workflow_id if execution is not None else ""


_E = EventType
_TAKE: dict[EventType, _Take] = {
    _E.WORKFLOW_EXECUTION_COMPLETED: _workflow_closed,
    _E.WORKFLOW_EXECUTION_FAILED: _workflow_closed,
    _E.WORKFLOW_EXECUTION_TIMED_OUT: _workflow_closed,
    _E.WORKFLOW_EXECUTION_CANCELED: _workflow_closed,
    _E.WORKFLOW_EXECUTION_TERMINATED: _workflow_closed,
    _E.WORKFLOW_EXECUTION_CONTINUED_AS_NEW: _workflow_closed,
    _E.ACTIVITY_TASK_SCHEDULED: _activity_scheduled,
    _E.ACTIVITY_TASK_STARTED: _activity_started,
    _E.ACTIVITY_TASK_COMPLETED: _ends("scheduled_event_id", "completed"),
    _E.ACTIVITY_TASK_FAILED: _ends("scheduled_event_id", "failed"),
    _E.ACTIVITY_TASK_TIMED_OUT: _ends("scheduled_event_id", "timed_out"),
    _E.ACTIVITY_TASK_CANCELED: _ends("scheduled_event_id", "canceled"),
    _E.TIMER_STARTED: _timer_started,
    _E.TIMER_FIRED: _ends("started_event_id", "fired"),
    _E.TIMER_CANCELED: _ends("started_event_id", "canceled"),
    _E.START_CHILD_WORKFLOW_EXECUTION_INITIATED: _child_initiated,
    _E.START_CHILD_WORKFLOW_EXECUTION_FAILED: _ends("initiated_event_id", "failed"),
    _E.CHILD_WORKFLOW_EXECUTION_STARTED: _child_started,
    _E.CHILD_WORKFLOW_EXECUTION_COMPLETED: _ends("initiated_event_id", "completed"),
    _E.CHILD_WORKFLOW_EXECUTION_FAILED: _ends("initiated_event_id", "failed"),
    _E.CHILD_WORKFLOW_EXECUTION_CANCELED: _ends("initiated_event_id", "canceled"),
    _E.CHILD_WORKFLOW_EXECUTION_TIMED_OUT: _ends("initiated_event_id", "timed_out"),
    _E.CHILD_WORKFLOW_EXECUTION_TERMINATED: _ends("initiated_event_id", "terminated"),
    _E.WORKFLOW_EXECUTION_UPDATE_ACCEPTED: _update_accepted,
    _E.WORKFLOW_EXECUTION_UPDATE_COMPLETED: _update_completed,
    _E.WORKFLOW_TASK_SCHEDULED: _task_scheduled,
    _E.WORKFLOW_TASK_STARTED: _task_started,
    _E.WORKFLOW_TASK_COMPLETED: _ends("scheduled_event_id", "completed"),
    _E.WORKFLOW_TASK_FAILED: _task_failed,
    _E.WORKFLOW_TASK_TIMED_OUT: _ends("scheduled_event_id", "timed_out"),
    _E.MARKER_RECORDED: _marker,
    _E.WORKFLOW_EXECUTION_SIGNALED: _signaled,
    _E.WORKFLOW_EXECUTION_CANCEL_REQUESTED: _mark(CANCEL, lambda body: body.cause or "cancel requested"),
    _E.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: _mark(UPSERT, lambda body: ", ".join(body.search_attributes or {})),
    _E.WORKFLOW_PROPERTIES_MODIFIED: _mark(UPSERT, lambda body: ", ".join(body.upserted_memo or {})),
    _E.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: _mark(
        EXTERNAL, lambda body: f"signal {body.signal_name} to {_target(body)}"
    ),
    _E.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: _mark(EXTERNAL, lambda body: f"cancel {_target(body)}"),
}
