"""What must hold after every step of every run, whatever happened."""

from __future__ import annotations

import itertools
from typing import Any

from durable_nb.core.activities import CLOSED_TOKEN
from durable_nb.core.state import ActivityState, ExecutionState
from durable_nb.model import attributes as of
from durable_nb.model.events import TERMINAL_EVENT_TYPES, Event
from durable_nb.model.records import RunWrite

UNLISTED = {"version", "next_event_id", "history_size", "transient"}
TASK_ENDS = (
    of.WorkflowTaskCompleted,
    of.WorkflowTaskFailed,
    of.WorkflowTaskTimedOut,
    of.WorkflowExecutionTerminated,
    of.WorkflowExecutionTimedOut,
)
BACK_REFERENCES: dict[str, tuple[type, ...]] = {
    "scheduled_event_id": (of.WorkflowTaskScheduled, of.ActivityTaskScheduled),
    "started_event_id": (
        of.WorkflowTaskStarted,
        of.ActivityTaskStarted,
        of.TimerStarted,
        of.ChildWorkflowExecutionStarted,
    ),
    "initiated_event_id": (
        of.StartChildWorkflowExecutionInitiated,
        of.SignalExternalWorkflowExecutionInitiated,
        of.RequestCancelExternalWorkflowExecutionInitiated,
    ),
    "workflow_task_completed_event_id": (of.WorkflowTaskCompleted,),
    "accepted_event_id": (of.WorkflowExecutionUpdateAccepted,),
    "accepted_request_sequencing_event_id": (of.WorkflowTaskScheduled,),
    "latest_cancel_requested_event_id": (of.ActivityTaskCancelRequested,),
}
MAY_BE_ZERO = {"started_event_id"}
"""Timed out or canceled before it started."""


def check_history(events: list[Event]) -> None:
    """Ids, order and references (temporal-semantics 8.3)."""
    kinds = [type(event.attributes) for event in events]
    assert [event.event_id for event in events] == list(range(1, len(events) + 1))
    assert kinds[0] is of.WorkflowExecutionStarted
    assert all(before.event_time <= after.event_time for before, after in itertools.pairwise(events))
    assert not any(event.event_type in TERMINAL_EVENT_TYPES for event in events[:-1])
    for kind, after in itertools.pairwise(kinds):
        if kind is of.WorkflowTaskStarted:
            assert after in TASK_ENDS
        if kind is of.ActivityTaskStarted:
            assert after in {
                of.ActivityTaskCompleted,
                of.ActivityTaskFailed,
                of.ActivityTaskTimedOut,
                of.ActivityTaskCanceled,
            }
    for event in events:
        _check_references(event, events)
    _check_subjects(events)


def _check_references(event: Event, events: list[Event]) -> None:
    for name, targets in BACK_REFERENCES.items():
        referred = getattr(event.attributes, name, None)
        if referred is None or (referred == 0 and name in MAY_BE_ZERO):
            continue
        assert 0 < referred < event.event_id, (event, name)
        assert type(events[referred - 1].attributes) in targets, (event, name)


def _check_subjects(events: list[Event]) -> None:
    """Nothing ends twice, and no two workflow tasks are open together."""
    ended: set[tuple[str, int]] = set()
    open_tasks = 0
    for event in events:
        attributes = event.attributes
        kind = type(attributes).__name__
        if kind in {
            "ActivityTaskCompleted",
            "ActivityTaskFailed",
            "ActivityTaskTimedOut",
            "ActivityTaskCanceled",
        }:
            subject = ("activity", attributes.scheduled_event_id)
        elif kind.startswith("ChildWorkflowExecution") and hasattr(attributes, "started_event_id"):
            subject = ("child", attributes.initiated_event_id)
        elif kind in {"TimerFired", "TimerCanceled"}:
            subject = ("timer", attributes.started_event_id)
        else:
            open_tasks += (kind == "WorkflowTaskScheduled") - (
                kind in {"WorkflowTaskCompleted", "WorkflowTaskFailed", "WorkflowTaskTimedOut"}
            )
            assert open_tasks in {0, 1}
            continue
        assert subject not in ended
        ended.add(subject)


def check_write(rows: Any, write: RunWrite) -> None:
    """The promises of ``records.RunWrite``."""
    before = rows.run
    assert write.run.version == write.expected_version + 1
    if before is None:
        assert write.expected_version == 0
        assert write.listed_changed
    else:
        assert write.expected_version == before.version
        changed = {name for name in before.__struct_fields__ if getattr(before, name) != getattr(write.run, name)}
        assert write.listed_changed or changed <= UNLISTED, changed - UNLISTED
    assert write.had_workflow_task or rows.workflow_task is None
    assert set(write.delete_activities) <= set(rows.activities)
    assert set(write.delete_transfers) <= set(rows.transfers)
    assert not set(write.delete_activities) & {row.scheduled_event_id for row in write.put_activities}
    for row in write.attempts:
        assert 0 < row.started_at <= row.ended_at, "an attempt is kept only if it ever started"


def earliest_deadline(state: ExecutionState) -> int:
    """The next deadline by looking at everything; 0 for none."""
    if not state.is_open:
        return 0
    started, found = state.started, []
    if started.workflow_run_timeout:
        found.append(state.execution_time + started.workflow_run_timeout)
    found += [started.workflow_execution_expiration_time, *(timer.fire_at for timer in state.timers.values())]
    for activity in state.activities.values():
        found += _activity_deadlines(activity)
    task = state.workflow_task
    if task is None:
        waits = started.first_workflow_task_backoff > 0 and state.previous_started_event_id == 0
        found.append(state.execution_time if waits else 0)
    elif task.started_time:
        found.append(task.started_time + started.workflow_task_timeout)
    elif task.visible_at > task.scheduled_time:
        found.append(task.visible_at)
    return min((at for at in found if at), default=0)


def _activity_deadlines(activity: ActivityState) -> list[int]:
    if activity.token == CLOSED_TOKEN:
        return []
    attributes, found = activity.attributes, []
    if attributes.schedule_to_close_timeout:
        found.append((activity.reset_time or activity.scheduled_time) + attributes.schedule_to_close_timeout)
    if activity.started_time:
        found.append(activity.started_time + attributes.start_to_close_timeout)
        if attributes.heartbeat_timeout:
            found.append(max(activity.started_time, activity.heartbeat_time) + attributes.heartbeat_timeout)
    elif activity.backs_off:
        found.append(activity.visible_at)
    elif attributes.schedule_to_start_timeout:
        found.append(activity.visible_at + attributes.schedule_to_start_timeout)
    return found


def observe(state: ExecutionState) -> dict[str, Any]:
    """Everything of a state that a decision or an answer could depend on."""
    seen: dict[str, Any] = {
        name: getattr(state, name)
        for name in ExecutionState.__slots__
        if name not in {"_deadlines", "memo_changed", "search_attributes_changed"}
    }
    for name in ("activities", "timers", "children", "updates"):
        seen[name] = {key: _fields(value) for key, value in getattr(state, name).items()}
    if not state.is_open:
        # What is pending for ever does not matter, but for children that must still be closed.
        seen["activities"] = list(state.activities)
        seen["children"] = {key: child for key, child in seen["children"].items() if -key in state.transfers}
    seen["workflow_task"] = _fields(state.workflow_task) if state.workflow_task is not None else None
    seen["buffered"] = [(fact.attributes, fact.event_time) for fact in state.buffered]
    seen["next_deadline"] = deadline = state.next_deadline()
    assert deadline == earliest_deadline(state)
    assert (state.wake_at > 0) >= (deadline > 0)
    assert not deadline or state.wake_at <= deadline
    return seen


def _fields(thing: Any) -> Any:
    if isinstance(thing, ActivityState) and thing.token == CLOSED_TOKEN:
        return "closed, to be written"
    return {name: getattr(thing, name) for name in thing.__slots__}
