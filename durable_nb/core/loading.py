"""Rows → state: the inverse of what transitions wrote. ``load(rows)`` equals the state that wrote them."""

from __future__ import annotations

from durable_nb.core import activities, transient
from durable_nb.core.fold import apply
from durable_nb.core.state import CLOSE_CHILD, NEVER, ExecutionState
from durable_nb.core.transition import CLOSES_ACTIVITY, CLOSES_CHILD
from durable_nb.model.attributes import (
    ChildWorkflowExecutionStarted,
    StartChildWorkflowExecutionFailed,
    TimerFired,
    WorkflowExecutionCancelRequested,
    WorkflowExecutionSignaled,
)
from durable_nb.model.failure import WorkflowExecution
from durable_nb.model.records import LoadedRun


def load(loaded: LoadedRun, now: int = 0) -> ExecutionState:
    """State of a run from a consistent read of its rows; it does not depend on the time, whatever ``now`` is.

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
    state.start_time = row.start_time
    state.begin_execution_at(row.execution_time)
    state.definition = row.definition
    state.first_execution_run_id = row.first_execution_run_id
    state.memo_changed = state.search_attributes_changed = False
    state.workflow_task_row = loaded.workflow_task is not None
    _restore_activities(state, loaded)
    transient.restore(state, row.transient)
    if loaded.workflow_task is not None and state.workflow_task is not None:
        state.workflow_task.owner = loaded.workflow_task.owner
    _restore_buffered(state)
    for transfer in loaded.transfers:
        state.transfers[transfer.transfer_id] = transfer.kind
        if transfer.kind == CLOSE_CHILD:
            child = state.children[-transfer.transfer_id]
            if child.execution is None:
                child.execution = WorkflowExecution(child.attributes.workflow_id, transfer.body.decode())
    return state


def _restore_activities(state: ExecutionState, loaded: LoadedRun) -> None:
    for row in loaded.activities:
        activity = state.activities.get(row.scheduled_event_id)
        if activity is None:
            continue
        activity.attempt = row.attempt
        activity.owner = row.owner
        activity.token = row.token
        activity.visible_at = row.visible_at
        transient.restore_activity(activity, row.state)
        activities.set_deadline(state, activity)


def _restore_buffered(state: ExecutionState) -> None:
    """Mark what buffered facts have settled, so that it does not happen twice."""
    for fact in state.buffered:
        attributes = fact.attributes
        kind = type(attributes)
        if kind in CLOSES_ACTIVITY:
            activities.mark_closed(state.activities[attributes.scheduled_event_id])  # type: ignore[attr-defined]
        elif kind in CLOSES_CHILD or kind is StartChildWorkflowExecutionFailed:
            state.children[attributes.initiated_event_id].ended = True  # type: ignore[attr-defined]
        elif isinstance(attributes, TimerFired):
            state.timers[attributes.timer_id].fire_at = NEVER
        elif isinstance(attributes, ChildWorkflowExecutionStarted):
            state.children[attributes.initiated_event_id].execution = attributes.workflow_execution
        elif isinstance(attributes, WorkflowExecutionSignaled) and attributes.request_id:
            state.signal_request_ids.add(attributes.request_id)
        elif isinstance(attributes, WorkflowExecutionCancelRequested):
            state.cancel_requested = True
