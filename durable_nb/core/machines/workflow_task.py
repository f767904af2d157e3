"""The workflow task: one wake-up of workflow code; at most one is open::

    none ──Scheduled──▶ scheduled ──Started──▶ started ──Completed──▶ none
                                                  └──Failed / TimedOut──▶ none   (a transient retry may follow)

Between Started and Completed / Failed / TimedOut no other event is appended (temporal-semantics 8.3, rule 3): what
arrives meanwhile is buffered. Only Terminated and TimedOut of the run itself may cut in.
"""

from __future__ import annotations

from durable_nb.core.machines.machine import IllegalTransitionError, Table
from durable_nb.core.state import ExecutionState, WorkflowTaskState
from durable_nb.model.attributes import (
    WorkflowTaskCompleted,
    WorkflowTaskFailed,
    WorkflowTaskScheduled,
    WorkflowTaskStarted,
    WorkflowTaskTimedOut,
)
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.events import Event

TABLE = Table(
    "workflow task",
    {
        ("none", WorkflowTaskScheduled): "scheduled",
        ("scheduled", WorkflowTaskStarted): "started",
        ("started", WorkflowTaskCompleted): "none",
        ("started", WorkflowTaskFailed): "none",
        ("started", WorkflowTaskTimedOut): "none",
    },
)


def state_of(state: ExecutionState) -> str:
    """``none``, ``scheduled`` or ``started``, by event ids: a transient task without events is ``none``."""
    task = state.workflow_task
    if task is None or not task.scheduled_event_id:
        return "none"
    return "started" if task.started_event_id else "scheduled"


def _scheduled(state: ExecutionState, event: Event) -> None:
    task = state.workflow_task
    if task is not None:
        if task.scheduled_event_id:
            raise IllegalTransitionError("workflow task", state_of(state), WorkflowTaskScheduled, event.event_id)
        task.scheduled_event_id = event.event_id  # A transient task becomes part of the history.
        return
    attributes: WorkflowTaskScheduled = event.attributes  # type: ignore[assignment]
    state.workflow_task = WorkflowTaskState(event.event_id, attributes.attempt, event.event_time, event.event_time)


def _started(state: ExecutionState, event: Event) -> None:
    task = state.workflow_task
    if task is None or not task.scheduled_event_id or task.started_event_id:
        raise IllegalTransitionError("workflow task", state_of(state), WorkflowTaskStarted, event.event_id)
    task.started_event_id = event.event_id
    task.started_time = event.event_time


def _completed(state: ExecutionState, event: Event) -> None:
    task = state.workflow_task
    if task is None or not task.started_event_id:
        raise IllegalTransitionError("workflow task", state_of(state), WorkflowTaskCompleted, event.event_id)
    state.previous_started_event_id = task.started_event_id
    state.workflow_task = None


def _ended(state: ExecutionState, event: Event) -> None:
    attributes = event.attributes
    TABLE.next_state(state_of(state), type(attributes), event.event_id)
    state.workflow_task = None
    if isinstance(attributes, WorkflowTaskFailed) and attributes.cause is WorkflowTaskFailedCause.RESET_WORKFLOW:
        state.bases = (*state.bases, attributes.base_run_id)


APPLY = {
    WorkflowTaskScheduled: _scheduled,
    WorkflowTaskStarted: _started,
    WorkflowTaskCompleted: _completed,
    WorkflowTaskFailed: _ended,
    WorkflowTaskTimedOut: _ended,
}
