"""An activity, as history tells it (attempts are beside history, in ``activity_attempts``)::

    none ──Scheduled──▶ scheduled ──Started──▶ started ──Completed / Failed / TimedOut / Canceled──▶ none
                          │    ╰──CancelRequested──▶ (same state, cancel requested)
                          └──TimedOut (schedule-to-start or -close) / Canceled, without Started──▶ none

Started is written together with the closing event, whatever the number of attempts (temporal-semantics 8.3, rule 5).
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
        ("none", ActivityTaskScheduled): "pending",
        ("pending", ActivityTaskCancelRequested): "pending",
        ("pending", ActivityTaskStarted): "pending",
        ("pending", ActivityTaskCompleted): "none",
        ("pending", ActivityTaskFailed): "none",
        ("pending", ActivityTaskTimedOut): "none",
        ("pending", ActivityTaskCanceled): "none",
    },
)


def state_of(state: ExecutionState, scheduled_event_id: int) -> str:
    """``none`` or ``pending``."""
    return "pending" if scheduled_event_id in state.activities else "none"


def _scheduled(state: ExecutionState, event: Event) -> None:
    attributes: ActivityTaskScheduled = event.attributes  # type: ignore[assignment]
    if attributes.activity_id in state.activity_ids:
        raise IllegalTransitionError("activity", "pending", ActivityTaskScheduled, event.event_id)
    state.activities[event.event_id] = ActivityState(event.event_id, attributes, event.event_time)
    state.activity_ids[attributes.activity_id] = event.event_id


def _cancel_requested(state: ExecutionState, event: Event) -> None:
    activity = state.activities.get(event.attributes.scheduled_event_id)  # type: ignore[attr-defined]
    # A request may cross the closing event in a buffered task; then it stands in history without effect.
    if activity is not None:
        activity.cancel_requested_event_id = event.event_id


def _started(state: ExecutionState, event: Event) -> None:
    attributes: ActivityTaskStarted = event.attributes  # type: ignore[assignment]
    activity = state.activities.get(attributes.scheduled_event_id)
    if activity is None:
        raise IllegalTransitionError("activity", "none", ActivityTaskStarted, event.event_id)
    activity.attempt = attributes.attempt


def _closed(state: ExecutionState, event: Event) -> None:
    activity = state.activities.pop(event.attributes.scheduled_event_id, None)  # type: ignore[attr-defined]
    if activity is None:
        raise IllegalTransitionError("activity", "none", type(event.attributes), event.event_id)
    del state.activity_ids[activity.attributes.activity_id]


APPLY = {
    ActivityTaskScheduled: _scheduled,
    ActivityTaskCancelRequested: _cancel_requested,
    ActivityTaskStarted: _started,
    ActivityTaskCompleted: _closed,
    ActivityTaskFailed: _closed,
    ActivityTaskTimedOut: _closed,
    ActivityTaskCanceled: _closed,
}
