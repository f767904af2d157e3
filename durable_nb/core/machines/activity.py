"""An activity, as history tells it (attempts are beside history, in ``activity_attempts``)::

    none ──Scheduled──▶ scheduled ──Started──▶ started ──Completed / Failed / TimedOut / Canceled──▶ none
                          │    ╰──CancelRequested──▶ (same state, cancel requested)
                          └──TimedOut (schedule-to-start or -close) / Canceled, without Started──▶ none

Started is written together with the closing event, whatever the number of attempts (temporal-semantics 8.3, rule 5),
so an activity of which an attempt is running is still ``scheduled`` here.
"""

from __future__ import annotations

from durable_nb.core.machines.machine import IllegalTransitionError, Table
from durable_nb.core.state import ActivityState, ExecutionState
from durable_nb.model.attributes import (
    ActivityTaskCanceled,
    ActivityTaskCancelRequested,
    ActivityTaskCompleted,
    ActivityTaskFailed,
    ActivityTaskScheduled,
    ActivityTaskStarted,
    ActivityTaskTimedOut,
)
from durable_nb.model.events import Event

TABLE = Table(
    "activity",
    {
        ("none", ActivityTaskScheduled): "scheduled",
        ("scheduled", ActivityTaskCancelRequested): "scheduled",
        ("scheduled", ActivityTaskStarted): "started",
        ("scheduled", ActivityTaskTimedOut): "none",
        ("scheduled", ActivityTaskCanceled): "none",
        ("started", ActivityTaskCompleted): "none",
        ("started", ActivityTaskFailed): "none",
        ("started", ActivityTaskTimedOut): "none",
        ("started", ActivityTaskCanceled): "none",
    },
)


def state_of(state: ExecutionState, scheduled_event_id: int) -> str:
    """``none``, ``scheduled`` or ``started``."""
    activity = state.activities.get(scheduled_event_id)
    if activity is None:
        return "none"
    return "started" if activity.started_event_id else "scheduled"


def _scheduled(state: ExecutionState, event: Event) -> None:
    attributes: ActivityTaskScheduled = event.attributes  # type: ignore[assignment]
    if attributes.activity_id in state.activity_ids:
        raise IllegalTransitionError("activity", "scheduled", ActivityTaskScheduled, event.event_id)
    state.activities[event.event_id] = ActivityState(event.event_id, attributes, event.event_time)
    state.activity_ids[attributes.activity_id] = event.event_id


def _cancel_requested(state: ExecutionState, event: Event) -> None:
    _pending(state, event).cancel_requested_event_id = event.event_id


def _started(state: ExecutionState, event: Event) -> None:
    activity = _pending(state, event)
    activity.attempt = event.attributes.attempt  # type: ignore[attr-defined]
    activity.started_event_id = event.event_id


def _closed(state: ExecutionState, event: Event) -> None:
    activity = _pending(state, event)
    del state.activities[activity.scheduled_event_id]
    del state.activity_ids[activity.attributes.activity_id]


def _pending(state: ExecutionState, event: Event) -> ActivityState:
    kind = type(event.attributes)
    activity = state.activities.get(event.attributes.scheduled_event_id)  # type: ignore[attr-defined]
    before = "none" if activity is None else "started" if activity.started_event_id else "scheduled"
    if activity is None or (before, kind) not in TABLE.arrows:
        raise IllegalTransitionError("activity", before, kind, event.event_id)
    return activity


APPLY = {
    ActivityTaskScheduled: _scheduled,
    ActivityTaskCancelRequested: _cancel_requested,
    ActivityTaskStarted: _started,
    ActivityTaskCompleted: _closed,
    ActivityTaskFailed: _closed,
    ActivityTaskTimedOut: _closed,
    ActivityTaskCanceled: _closed,
}
