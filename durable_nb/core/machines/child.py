"""A child workflow, seen from its parent::

    none ──Initiated──▶ initiated ──ChildStarted──▶ started ──Completed / Failed / …──▶ none
                            └──StartChildFailed──▶ none

The five ends are Completed, Failed, Canceled, TimedOut and Terminated. Further runs of the child's chain do not show.
"""

from __future__ import annotations

from durable_nb.core.machines.machine import Table
from durable_nb.core.state import ChildState, ExecutionState
from durable_nb.model.attributes import (
    ChildWorkflowExecutionCanceled,
    ChildWorkflowExecutionCompleted,
    ChildWorkflowExecutionFailed,
    ChildWorkflowExecutionStarted,
    ChildWorkflowExecutionTerminated,
    ChildWorkflowExecutionTimedOut,
    StartChildWorkflowExecutionFailed,
    StartChildWorkflowExecutionInitiated,
)
from durable_nb.model.events import Event

CLOSING = (
    ChildWorkflowExecutionCompleted,
    ChildWorkflowExecutionFailed,
    ChildWorkflowExecutionCanceled,
    ChildWorkflowExecutionTimedOut,
    ChildWorkflowExecutionTerminated,
)

TABLE = Table(
    "child workflow",
    {
        ("none", StartChildWorkflowExecutionInitiated): "initiated",
        ("initiated", ChildWorkflowExecutionStarted): "started",
        ("initiated", StartChildWorkflowExecutionFailed): "none",
        **{("started", closing): "none" for closing in CLOSING},
    },
)


def state_of(state: ExecutionState, initiated_event_id: int) -> str:
    """``none``, ``initiated`` or ``started``."""
    child = state.children.get(initiated_event_id)
    if child is None:
        return "none"
    return "started" if child.started_event_id else "initiated"


def _initiated(state: ExecutionState, event: Event) -> None:
    attributes: StartChildWorkflowExecutionInitiated = event.attributes  # type: ignore[assignment]
    state.children[event.event_id] = ChildState(event.event_id, attributes, event.user_metadata)


def _started(state: ExecutionState, event: Event) -> None:
    attributes: ChildWorkflowExecutionStarted = event.attributes  # type: ignore[assignment]
    initiated = attributes.initiated_event_id
    TABLE.next_state(state_of(state, initiated), ChildWorkflowExecutionStarted, event.event_id)
    child = state.children[initiated]
    child.started_event_id = event.event_id
    child.execution = attributes.workflow_execution


def _ended(state: ExecutionState, event: Event) -> None:
    initiated = event.attributes.initiated_event_id  # type: ignore[attr-defined]
    TABLE.next_state(state_of(state, initiated), type(event.attributes), event.event_id)
    del state.children[initiated]


APPLY = {
    StartChildWorkflowExecutionInitiated: _initiated,
    ChildWorkflowExecutionStarted: _started,
    StartChildWorkflowExecutionFailed: _ended,
    **dict.fromkeys(CLOSING, _ended),
}
