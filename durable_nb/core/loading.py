"""Rows → state: the inverse of what transitions wrote. ``load(rows)`` equals the state that wrote them."""

from __future__ import annotations

from durable_nb.core import activities, transient
from durable_nb.core.fold import apply
from durable_nb.core.state import NEVER, ExecutionState
from durable_nb.model.attributes import (
    ActivityTaskCanceled,
    ActivityTaskCompleted,
    ActivityTaskFailed,
    ActivityTaskTimedOut,
    ChildWorkflowExecutionStarted,
    TimerFired,
    WorkflowExecutionCancelRequested,
    WorkflowExecutionSignaled,
)
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.records import LoadedRun


def load(loaded: LoadedRun, now: int) -> ExecutionState:
    """State of a run from a consistent read of its rows.

    Raises
    ------
    machines.machine.IllegalTransitionError
        The history is damaged.
    """
    row = loaded.run
    state = ExecutionState(row.run_key, row.namespace, row.workflow_id, row.run_id)
    for event in loaded.events:
        apply(state, event)
    state.version = row.version
    state.history_size = row.history_size
    state.wake_at = row.wake_at
    state.execution_time = row.execution_time
    state.definition = row.definition
    state.first_execution_run_id = row.first_execution_run_id
    state.memo_changed = state.search_attributes_changed = False
    state.workflow_task_row = loaded.workflow_task is not None
    if not state.is_open:
        state.status = WorkflowExecutionStatus(row.status)
    _restore_activities(state, loaded, now)
    transient.restore(state, row.transient)
    if loaded.workflow_task is not None and state.workflow_task is not None:
        state.workflow_task.owner = loaded.workflow_task.owner
    _restore_buffered(state)
    for transfer in loaded.transfers:
        state.transfers[transfer.transfer_id] = transfer.kind
    return state


def _restore_activities(state: ExecutionState, loaded: LoadedRun, now: int) -> None:
    for row in loaded.activities:
        activity = state.activities.get(row.scheduled_event_id)
        if activity is None:
            continue
        activity.attempt = row.attempt
        activity.owner = row.owner
        activity.token = row.token
        activity.visible_at = row.visible_at
        transient.restore_activity(activity, row.state)
        activities.set_deadline(state, activity, now)


def _restore_buffered(state: ExecutionState) -> None:
    """Mark what buffered facts have settled, so that it does not happen twice."""
    for fact in state.buffered:
        attributes = fact.attributes
        if isinstance(
            attributes, ActivityTaskCompleted | ActivityTaskFailed | ActivityTaskTimedOut | ActivityTaskCanceled
        ):
            activity = state.activities[attributes.scheduled_event_id]
            activity.token = activities.CLOSED_TOKEN
            activity.deadline = NEVER
        elif isinstance(attributes, TimerFired):
            state.timers[attributes.timer_id].fire_at = NEVER
        elif isinstance(attributes, ChildWorkflowExecutionStarted):
            state.children[attributes.initiated_event_id].execution = attributes.workflow_execution
        elif isinstance(attributes, WorkflowExecutionSignaled) and attributes.request_id:
            state.signal_request_ids.add(attributes.request_id)
        elif isinstance(attributes, WorkflowExecutionCancelRequested):
            state.cancel_requested = True
